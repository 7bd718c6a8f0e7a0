//! Random modules: two helper functions and one that calls them, over every kind of type and statement.

use crate::random::Random;
use pullback_ir::ops::{self, TypeRule};
use pullback_ir::{
    Constant, Field, FuncId, Function, FunctionBuilder, FunctionKind, LoopHints, Module, Op, Scalar, Type,
    Value,
};

/// The type pool: scalars of all widths, vectors, matrices, structs, arrays, arrays of each.
pub fn types() -> Vec<Type> {
    use pullback_base::DType::*;
    let matrix = |rows, columns| Type::matrix(F32, rows, columns);
    let field = |name: &str, ty: Type| Field { name: name.into(), ty, no_diff: false };
    let vector = Type::Vector(F32, 3);
    let pair = Type::structure("Pair", vec![field("a", Type::F32), field("b", Type::I32)]);
    let fields =
        vec![field("o", vector.clone()), field("pairs", Type::array(pair.clone(), 2)), field("t", Type::F64)];
    let nested = Type::structure("Nested", fields);
    let mut out: Vec<Type> =
        [Bool, I8, I16, I32, I64, U8, U16, U32, U64, F16, BF16, F32, F64].map(Type::Scalar).to_vec();
    out.extend([Type::F32, Type::I32, Type::BOOL]); // the common ones, more often
    out.extend([
        Type::Vector(F32, 2),
        vector.clone(),
        Type::Vector(I32, 3),
        Type::Vector(Bool, 3),
        Type::Vector(F64, 4),
    ]);
    out.extend([matrix(2, 3), matrix(3, 3), matrix(3, 2)]);
    out.extend([
        Type::array(Type::F32, 4),
        Type::array(vector, 3),
        Type::array(Type::array(Type::I32, 2), 3),
    ]);
    out.extend([Type::array(matrix(2, 3), 2), Type::array(nested.clone(), 2), pair, nested]);
    out
}

/// A module whose last function calls the others.
pub fn module(seed: u64) -> (Module, FuncId) {
    let mut random = Random::new(seed);
    let mut module = Module::new();
    for name in ["first", "second", "main"] {
        let function = Generator::function(&mut random, &module, name);
        module.add(function);
    }
    let main = module.find("main").expect("main");
    (module, main)
}

struct Generator<'a> {
    random: &'a mut Random,
    module: &'a Module,
    b: FunctionBuilder,
    types: Vec<Type>,
    /// The values visible here.
    visible: Vec<Value>,
    /// Statements still to make.
    budget: usize,
}

impl Generator<'_> {
    fn function(random: &mut Random, module: &Module, name: &str) -> Function {
        let b = FunctionBuilder::new(name, FunctionKind::Plain);
        let mut g = Generator { random, module, b, types: types(), visible: Vec::new(), budget: 30 };
        for _ in 0..g.random.below(4) + 2 {
            let ty = g.any_type();
            let param = g.b.param(ty, "p");
            g.visible.push(param);
        }
        while g.budget > 0 {
            g.statement(0);
        }
        let results: Vec<Value> = (0..20).map(|_| g.any_value()).collect();
        g.b.finish(results)
    }

    fn any_type(&mut self) -> Type {
        self.random.pick(&self.types).clone()
    }

    fn any_value(&mut self) -> Value {
        let recent = self.visible.len().saturating_sub(12);
        if self.random.chance(2) {
            *self.random.pick(&self.visible[recent..])
        } else {
            *self.random.pick(&self.visible)
        }
    }

    /// A visible value of a type, or a new one.
    fn value(&mut self, ty: &Type) -> Value {
        let fitting: Vec<Value> =
            self.visible.iter().copied().filter(|&value| self.b.ty(value) == ty).collect();
        if !fitting.is_empty() && !self.random.chance(6) {
            return *self.random.pick(&fitting);
        }
        let value = match ty {
            Type::Scalar(scalar) => self.b.constant(self.random.constant(*scalar)),
            _ if self.random.chance(4) => self.b.zero(ty),
            _ => {
                let elements: Vec<Type> = (0..ty.element_count()).filter_map(|i| ty.element(i)).collect();
                let elements: Vec<Value> = elements.iter().map(|ty| self.value(ty)).collect();
                self.b.op(Op::Construct(ty.clone()), &elements)
            }
        };
        self.visible.push(value);
        value
    }

    fn values(&mut self, types: &[Type]) -> Vec<Value> {
        types.iter().map(|ty| self.value(ty)).collect()
    }

    fn op(&mut self, op: Op, args: &[Value]) {
        let value = self.b.op(op, args);
        self.visible.push(value);
    }

    fn statement(&mut self, depth: usize) {
        self.budget = self.budget.saturating_sub(1);
        match self.random.below(if depth < 3 { 20 } else { 16 }) {
            0..8 => self.component_wise(),
            8 => self.conversion(),
            9..15 => self.aggregate_op(),
            15 => self.linear_algebra(),
            16 => self.branch(depth),
            17 => self.switch(depth),
            18 => self.bounded_loop(depth),
            _ => self.call(),
        }
    }

    fn component_wise(&mut self) {
        let last = self.visible[self.visible.len() - 1];
        let recent = if self.random.chance(2) { last } else { self.any_value() };
        let ty = if self.random.chance(3) { self.any_type() } else { self.b.ty(recent).clone() };
        // The ops that identities are about come as often as all others together.
        let common = [
            Op::Neg,
            Op::Abs,
            Op::Add,
            Op::Sub,
            Op::Mul,
            Op::Div,
            Op::Not,
            Op::And,
            Op::Xor,
            Op::Lt,
            Op::Ge,
            Op::Eq,
        ];
        let mut ops = if self.random.chance(2) { common.to_vec() } else { ops::samples() };
        ops.retain(|op| match op.arity() {
            Some(arity) if op.rule() != TypeRule::Special => op.result_type(&vec![&ty; arity]).is_ok(),
            _ => *op == Op::Detach,
        });
        if ops.is_empty() || self.random.chance(8) {
            let condition = if *self.b.ty(recent) == Type::BOOL { recent } else { self.value(&Type::BOOL) };
            let args = self.values(&[ty.clone(), ty]);
            return self.op(Op::Select, &[condition, args[0], args[1]]);
        }
        let op = self.random.pick(&ops).clone();
        let arity = op.arity().unwrap_or(1);
        let mut args = self.values(&vec![ty.clone(); arity]);
        if *self.b.ty(recent) == ty {
            args[0] = recent;
        }
        if let (Some(scalar), true) = (ty.scalar(), self.random.chance(3)) {
            // The numbers that identities are about.
            let number = *self.random.pick(&[0.0, -0.0, 1.0, -1.0, 2.0, 0.25]);
            let number = self.b.constant(Constant::float(scalar, number));
            let at = self.random.below(arity);
            args[at] = if ty.is_scalar() { number } else { self.b.op(Op::Splat(ty), &[number]) };
        }
        self.op(op, &args);
    }

    fn conversion(&mut self) {
        let ty = self.any_type();
        let Some(from) = ty.scalar() else { return };
        let value = self.value(&ty);
        let to = *self.random.pick(&Scalar::ALL);
        // Bits of NaNs are nobody's business.
        if from.is_integer() && to.is_integer() && from.bits() == to.bits() {
            self.op(Op::Bitcast(to), &[value]);
        } else {
            self.op(Op::Convert(to), &[value]);
        }
    }

    fn aggregate_op(&mut self) {
        let ty = self.any_type();
        let n = ty.element_count();
        if n == 0 {
            return;
        }
        let aggregate = self.value(&ty);
        let at = self.random.below(n as usize) as u32;
        let element = ty.element(at).expect("an element");
        match (self.random.below(7), &ty) {
            (0, _) => self.op(Op::Extract(at), &[aggregate]),
            (1, _) => {
                let element = self.value(&element);
                self.op(Op::Insert(at), &[aggregate, element]);
            }
            (2, Type::Vector(..)) => {
                let picks =
                    (0..self.random.below(4) + 1).map(|_| self.random.below(n as usize) as u8).collect();
                self.op(Op::Swizzle(picks), &[aggregate]);
            }
            (3, Type::Vector(..) | Type::Array(..)) => {
                let element = self.value(&element);
                self.op(Op::Splat(ty), &[element]);
            }
            (4 | 2, Type::Vector(..) | Type::Matrix { .. } | Type::Array(..)) => {
                let index = self.index();
                self.op(Op::ElementGet, &[aggregate, index]);
            }
            (5 | 3, Type::Vector(..) | Type::Matrix { .. } | Type::Array(..)) => {
                let (index, element) = (self.index(), self.value(&element));
                self.op(Op::ElementSet, &[aggregate, index, element]);
            }
            _ => {
                self.value(&ty);
            }
        }
    }

    /// A constant near the range, or whatever integer is there.
    fn index(&mut self) -> Value {
        use pullback_base::DType::*;
        let scalar = *self.random.pick(&[I8, I32, U32, I64, U64]);
        match self.random.below(3) {
            0 => self.value(&Type::Scalar(scalar)),
            1 => self.b.constant(Constant::int(scalar, self.random.below(7) as i64 - 1)),
            _ => {
                let value = self.value(&Type::Scalar(scalar));
                let mask = self.b.constant(Constant::int(scalar, 3));
                self.b.op(Op::And, &[value, mask])
            }
        }
    }

    fn linear_algebra(&mut self) {
        let matrix = |rows, columns| Type::matrix(Scalar::F32, rows, columns);
        let vector = |n| Type::Vector(Scalar::F32, n);
        let (op, types) = match self.random.below(6) {
            0 => (Op::Dot, vec![vector(3), vector(3)]),
            1 => (Op::MatMul, vec![matrix(2, 3), vector(3)]),
            2 => (Op::MatMul, vec![vector(2), matrix(2, 3)]),
            3 => (Op::MatMul, vec![matrix(2, 3), matrix(3, 2)]),
            4 => (Op::MatMul, vec![matrix(3, 2), matrix(2, 3)]),
            _ => (Op::Transpose, vec![matrix(2, 3)]),
        };
        let args = self.values(&types);
        self.op(op, &args);
    }

    /// Statements of a region, and the values it yields.
    fn region(&mut self, depth: usize, types: &[Type]) -> pullback_ir::Block {
        let outer = self.visible.len();
        self.b.begin_block();
        let yields = self.region_yields(depth, types);
        self.visible.truncate(outer);
        self.b.end_block(yields)
    }

    fn region_yields(&mut self, depth: usize, types: &[Type]) -> Vec<Value> {
        for _ in 0..self.random.below(5) {
            self.statement(depth + 1);
        }
        self.values(types)
    }

    fn result_types(&mut self) -> Vec<Type> {
        (0..self.random.below(3) + 1).map(|_| self.any_type()).collect()
    }

    fn branch(&mut self, depth: usize) {
        let condition = self.value(&Type::BOOL);
        let types = self.result_types();
        let (then, otherwise) = (self.region(depth, &types), self.region(depth, &types));
        let results = self.b.push_if(condition, then, otherwise);
        self.visible.extend(results);
    }

    fn switch(&mut self, depth: usize) {
        let selector = self.value(&Type::I32);
        let types = self.result_types();
        let cases = vec![(vec![0, 1], self.region(depth, &types)), (vec![-1], self.region(depth, &types))];
        let default = self.region(depth, &types);
        let results = self.b.results_like(&default.yields);
        self.b.push(pullback_ir::StmtKind::Switch { results: results.clone(), selector, cases, default });
        self.visible.extend(results);
    }

    /// A loop of 0 to 4 turns, over a counter and some values; at times one that also stops on a flag.
    fn bounded_loop(&mut self, depth: usize) {
        let types = self.result_types();
        let zero = self.b.constant(Constant::int(Scalar::I32, 0));
        let inits = [vec![zero], self.values(&types)].concat();
        let trips = self.random.below(5) as i64;
        let hints = LoopHints { max_trips: None, unroll: self.random.chance(2) };
        let stops = self.random.chance(3);
        let outer = self.visible.len();
        let params = self.b.results_like(&inits);
        self.visible.extend(&params);
        self.b.begin_block();
        let limit = self.b.constant(Constant::int(Scalar::I32, trips));
        let mut going = self.b.op(Op::Lt, &[params[0], limit]);
        if stops {
            let flag = self.value(&Type::BOOL);
            going = self.b.op(Op::And, &[going, flag]);
            self.visible.truncate(outer + params.len());
        }
        let head = self.b.end_block(vec![going]);
        self.b.begin_block();
        let mut yields = self.region_yields(depth, &types);
        let one = self.b.constant(Constant::int(Scalar::I32, 1));
        yields.insert(0, self.b.add(params[0], one));
        let body = self.b.end_block(yields);
        self.visible.truncate(outer);
        let results = self.b.results_like(&inits);
        self.visible.extend(&results);
        self.b.push(pullback_ir::StmtKind::Loop { results, inits, params, head, body, hints });
    }

    fn call(&mut self) {
        let callees: Vec<FuncId> = self.module.functions.ids().collect();
        if callees.is_empty() {
            return;
        }
        let callee = *self.random.pick(&callees);
        let function = &self.module.functions[callee];
        let args = self.values(&function.param_types());
        let results = self.b.call(callee, &function.results, &args);
        self.visible.extend(results);
    }
}
