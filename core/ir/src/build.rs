//! Builds functions: open regions are a stack of blocks, types follow from the op table.

use crate::function::{Args, ValueDecl};
use crate::visit::Copier;
use crate::{
    Block, Constant, Effect, FuncId, Function, FunctionKind, LoopHints, Op, Scalar, Stmt, StmtKind, Type,
    Value,
};
use pullback_base::{GROUP_LANES, IdVec, Span, bug};

/// Builds one function. A wrong operand type is a bug of the caller, found at once.
#[derive(Debug)]
pub struct FunctionBuilder {
    function: Function,
    open: Vec<Vec<Stmt>>,
    span: Span,
}

impl FunctionBuilder {
    pub fn new(name: &str, kind: FunctionKind) -> Self {
        let function = Function {
            name: name.into(),
            title: None,
            kind,
            params: Vec::new(),
            results: Vec::new(),
            body: Block::default(),
            values: IdVec::new(),
            group_lanes: GROUP_LANES,
            shared: Vec::new(),
            interface: None,
            derived: None,
            derivatives: None,
            span: Span::NONE,
        };
        Self { function, open: vec![Vec::new()], span: Span::NONE }
    }

    /// Goes on building at the end of a function's body; returns its former yields.
    pub fn resume(mut function: Function) -> (Self, Vec<Value>) {
        let body = std::mem::take(&mut function.body);
        (Self { function, open: vec![body.stmts], span: Span::NONE }, body.yields)
    }

    /// Statements made from now on come from this place.
    pub fn set_span(&mut self, span: Span) {
        self.span = span;
    }

    pub fn span(&self) -> Span {
        self.span
    }

    /// The function so far; its body is not in place before [`FunctionBuilder::finish`].
    pub fn function(&self) -> &Function {
        &self.function
    }

    pub fn function_mut(&mut self) -> &mut Function {
        &mut self.function
    }

    pub fn ty(&self, value: Value) -> &Type {
        self.function.ty(value)
    }

    pub fn param(&mut self, ty: Type, name: &str) -> Value {
        let value =
            self.function.values.push(ValueDecl { ty, name: (!name.is_empty()).then(|| name.into()) });
        self.function.params.push(value);
        value
    }

    /// A value that a statement pushed by hand will define.
    pub fn new_value(&mut self, ty: Type) -> Value {
        self.function.new_value(ty)
    }

    /// Names a value for readers, unless it has a name.
    pub fn name(&mut self, value: Value, name: &str) {
        self.function.values[value].name.get_or_insert_with(|| name.into());
    }

    pub fn push(&mut self, kind: StmtKind) {
        let span = self.span;
        self.push_stmt(Stmt { kind, span });
    }

    pub fn push_stmt(&mut self, stmt: Stmt) {
        match self.open.last_mut() {
            Some(block) => block.push(stmt),
            None => bug!("build", "no block is open"),
        }
    }

    /// Opens a region; statements go there until [`FunctionBuilder::end_block`].
    pub fn begin_block(&mut self) {
        self.open.push(Vec::new());
    }

    /// Closes the innermost region.
    pub fn end_block(&mut self, yields: Vec<Value>) -> Block {
        match self.open.pop() {
            Some(stmts) => Block { stmts, yields },
            None => bug!("build", "no block is open"),
        }
    }

    /// Ends the function: its body yields the results.
    pub fn finish(mut self, yields: Vec<Value>) -> Function {
        self.function.results = yields.iter().map(|&value| self.function.ty(value).clone()).collect();
        self.function.body = self.end_block(yields);
        if !self.open.is_empty() {
            bug!("build", "{} regions of `{}` are still open", self.open.len(), self.function.name);
        }
        self.function
    }

    /// `op(args)`
    pub fn op(&mut self, op: Op, args: &[Value]) -> Value {
        let types: Vec<&Type> = args.iter().map(|&arg| self.function.ty(arg)).collect();
        let ty = match op.result_type(&types) {
            Ok(ty) => ty,
            Err(why) => bug!("build", "in `{}`: {why}", self.function.name),
        };
        let result = self.new_value(ty);
        self.push(StmtKind::Let { result, op, args: Args::from_slice(args) });
        result
    }

    pub fn constant(&mut self, constant: Constant) -> Value {
        self.op(Op::Const(constant), &[])
    }

    pub fn i64(&mut self, value: i64) -> Value {
        self.constant(Constant::int(Scalar::I64, value))
    }

    pub fn bool(&mut self, value: bool) -> Value {
        self.constant(Constant::bool(value))
    }

    /// A number of a scalar, vector or matrix type, in every component.
    pub fn number(&mut self, ty: &Type, value: f64) -> Value {
        match (ty, ty.scalar()) {
            (Type::Scalar(scalar), _) => self.constant(Constant::float(*scalar, value)),
            (_, Some(scalar)) => {
                let component = self.constant(Constant::float(scalar, value));
                self.op(Op::Splat(ty.clone()), &[component])
            }
            _ => bug!("build", "no number has type {ty}"),
        }
    }

    /// Zero, false, the address zero, or an aggregate of them.
    pub fn zero(&mut self, ty: &Type) -> Value {
        match ty {
            Type::Scalar(scalar) => self.constant(Constant::zero(*scalar)),
            Type::Vector(scalar, _) | Type::Matrix { scalar, .. } => {
                let component = self.constant(Constant::zero(*scalar));
                self.op(Op::Splat(ty.clone()), &[component])
            }
            Type::Array(element, len) if *len > 0 => {
                let element = self.zero(element);
                self.op(Op::Splat(ty.clone()), &[element])
            }
            Type::Array(..) => self.op(Op::Construct(ty.clone()), &[]),
            Type::Struct(structure) => {
                let fields: Vec<Value> = structure.fields.iter().map(|field| self.zero(&field.ty)).collect();
                self.op(Op::Construct(ty.clone()), &fields)
            }
            Type::Pointer(element) => {
                let address = self.constant(Constant::zero(Scalar::U64));
                self.op(Op::PointerCast(Type::clone(element)), &[address])
            }
        }
    }

    /// The leaves of a value, in the order of [`Type::leaves`].
    pub fn unpack(&mut self, value: Value) -> Vec<Value> {
        let count = self.ty(value).element_count();
        if matches!(self.ty(value), Type::Scalar(_) | Type::Pointer(_)) {
            return vec![value];
        }
        (0..count)
            .flat_map(|index| {
                let element = self.extract(value, index);
                self.unpack(element)
            })
            .collect()
    }

    /// The value of a type that has these leaves; takes as many as the type has.
    pub fn pack(&mut self, ty: &Type, leaves: &mut impl Iterator<Item = Value>) -> Value {
        if matches!(ty, Type::Scalar(_) | Type::Pointer(_)) {
            let Some(leaf) = leaves.next() else { bug!("build", "a {ty} lacks a leaf") };
            return leaf;
        }
        let elements: Vec<Value> = (0..ty.element_count())
            .filter_map(|index| ty.element(index))
            .map(|element| self.pack(&element, leaves))
            .collect();
        self.op(Op::Construct(ty.clone()), &elements)
    }

    pub fn add(&mut self, a: Value, b: Value) -> Value {
        self.op(Op::Add, &[a, b])
    }

    pub fn sub(&mut self, a: Value, b: Value) -> Value {
        self.op(Op::Sub, &[a, b])
    }

    pub fn mul(&mut self, a: Value, b: Value) -> Value {
        self.op(Op::Mul, &[a, b])
    }

    pub fn div(&mut self, a: Value, b: Value) -> Value {
        self.op(Op::Div, &[a, b])
    }

    pub fn neg(&mut self, a: Value) -> Value {
        self.op(Op::Neg, &[a])
    }

    pub fn select(&mut self, condition: Value, if_true: Value, if_false: Value) -> Value {
        self.op(Op::Select, &[condition, if_true, if_false])
    }

    pub fn convert(&mut self, value: Value, to: Scalar) -> Value {
        if self.function.scalar(value) == Some(to) { value } else { self.op(Op::Convert(to), &[value]) }
    }

    pub fn extract(&mut self, value: Value, index: u32) -> Value {
        self.op(Op::Extract(index), &[value])
    }

    pub fn offset(&mut self, pointer: Value, index: Value) -> Value {
        self.op(Op::PointerOffset, &[pointer, index])
    }

    /// An effect; its result, if it has one.
    pub fn effect(&mut self, effect: Effect, args: &[Value]) -> Option<Value> {
        let types: Vec<&Type> = args.iter().map(|&arg| self.function.ty(arg)).collect();
        let ty = match effect.result_type(&self.function.shared, &types) {
            Ok(ty) => ty,
            Err(why) => bug!("build", "in `{}`: {why}", self.function.name),
        };
        let result = ty.map(|ty| self.new_value(ty));
        self.push(StmtKind::Effect { result, effect, args: Args::from_slice(args) });
        result
    }

    pub fn load(&mut self, pointer: Value) -> Value {
        match self.effect(Effect::Load, &[pointer]) {
            Some(element) => element,
            None => bug!("build", "a load gives nothing"),
        }
    }

    /// `store`, `atomic_add` or `group_sum` of an element.
    pub fn write(&mut self, effect: Effect, pointer: Value, element: Value) {
        self.effect(effect, &[pointer, element]);
    }

    pub fn store(&mut self, pointer: Value, element: Value) {
        self.write(Effect::Store, pointer, element);
    }

    pub fn call(&mut self, callee: FuncId, result_types: &[Type], args: &[Value]) -> Vec<Value> {
        let results: Vec<Value> = result_types.iter().map(|ty| self.new_value(ty.clone())).collect();
        self.push(StmtKind::Call { results: results.clone(), callee, args: Args::from_slice(args) });
        results
    }

    /// Puts a function's body here, with these values for its parameters; gives the results.
    pub fn paste(&mut self, function: &Function, args: &[Value]) -> Vec<Value> {
        let mut copier = Copier::new(function);
        copier.map.extend(function.params.iter().copied().zip(args.iter().copied()));
        let body = copier.block(self.function_mut(), &function.body);
        body.stmts.into_iter().for_each(|stmt| self.push_stmt(stmt));
        body.yields
    }

    /// `if`: each arm gives the values it yields; the results take the first arm's types.
    pub fn if_(
        &mut self,
        condition: Value,
        then: impl FnOnce(&mut Self) -> Vec<Value>,
        otherwise: impl FnOnce(&mut Self) -> Vec<Value>,
    ) -> Vec<Value> {
        self.begin_block();
        let yields = then(self);
        let then = self.end_block(yields);
        self.begin_block();
        let yields = otherwise(self);
        let otherwise = self.end_block(yields);
        self.push_if(condition, then, otherwise)
    }

    /// As [`FunctionBuilder::if_`], from blocks already closed.
    pub fn push_if(&mut self, condition: Value, then: Block, otherwise: Block) -> Vec<Value> {
        let results = self.results_like(&then.yields);
        self.push(StmtKind::If { results: results.clone(), condition, then, otherwise });
        results
    }

    /// `loop`: the head gives the condition, the body the next parameters.
    pub fn loop_(
        &mut self,
        inits: &[Value],
        hints: LoopHints,
        head: impl FnOnce(&mut Self, &[Value]) -> Value,
        body: impl FnOnce(&mut Self, &[Value]) -> Vec<Value>,
    ) -> Vec<Value> {
        let params = self.results_like(inits);
        self.begin_block();
        let condition = head(self, &params);
        let head = self.end_block(vec![condition]);
        self.begin_block();
        let yields = body(self, &params);
        let body = self.end_block(yields);
        let results = self.results_like(inits);
        self.push(StmtKind::Loop {
            results: results.clone(),
            inits: inits.to_vec(),
            params,
            head,
            body,
            hints,
        });
        results
    }

    /// New values of the same types.
    pub fn results_like(&mut self, values: &[Value]) -> Vec<Value> {
        values.iter().map(|&value| self.new_value(self.function.ty(value).clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Module;

    #[test]
    fn a_built_function_verifies_and_prints() {
        let mut b = FunctionBuilder::new("relu_sum", FunctionKind::Plain);
        let x = b.param(Type::F32, "x");
        let n = b.param(Type::I32, "n");
        let zero = b.number(&Type::F32, 0.0);
        let positive = b.op(Op::Gt, &[x, zero]);
        let relu = b.if_(positive, |_| vec![x], |_| vec![zero])[0];
        let first = b.constant(Constant::int(Scalar::I32, 0));
        let sums = b.loop_(
            &[first, zero],
            LoopHints::default(),
            |b, p| b.op(Op::Lt, &[p[0], n]),
            |b, p| {
                let one = b.constant(Constant::int(Scalar::I32, 1));
                vec![b.add(p[0], one), b.add(p[1], relu)]
            },
        );
        let mut module = Module::new();
        module.add(b.finish(vec![sums[1]]));
        let text = module.to_string();
        assert_eq!(module.clone().to_string(), text);
        let verified = crate::verify(module).expect("verifies");
        assert_eq!(crate::parse::parse(&text).expect("parses").to_string(), text);
        assert!(text.contains("loop"), "{text}");
        drop(verified);
    }
}
