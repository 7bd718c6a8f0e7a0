//! Expressions that are no built-in function: constants, composites, places, operators, conversions.

use super::Refused;
use super::function::{FunctionLowering, Place, Step, Term, is_no_diff, root_global};
use super::uses::Expr;
use super::{globals, types};
use crate::shared::Shared;
use naga::{Arena, BinaryOperator, Expression, Literal, RelationalFunction, TypeInner, UnaryOperator};
use pullback_ir::{Constant, Op, Scalar, Type, Value};
use smallvec::SmallVec;

impl FunctionLowering<'_> {
    pub fn define(&mut self, handle: Expr, term: Term) {
        if let (Term::Value(value), Some(name)) = (&term, self.source.named_expressions.get(&handle)) {
            self.ssa.name(*value, name);
        }
        self.terms.insert(handle, term);
    }

    /// Evaluates an expression where the text has it.
    pub fn emit(&mut self, handle: Expr) -> Result<(), Refused> {
        // A function of GLSL has pointers to all members of all blocks, whether it uses them or not.
        if root_global(self.source, handle).is_some_and(|id| self.info[id].is_empty()) {
            return Ok(());
        }
        self.enter_span(self.source.expressions.get_span(handle));
        let term = self.evaluate(handle)?;
        self.define(handle, term);
        Ok(())
    }

    /// What an expression stands for. Constants, parameters and variables are not evaluated at one place; constants
    /// are made anew at each use, as a value made in a block is out of sight elsewhere.
    pub fn term(&mut self, handle: Expr) -> Result<Term, Refused> {
        if let Some(term) = self.terms.get(&handle) {
            return Ok(term.clone());
        }
        match self.source.expressions[handle] {
            Expression::FunctionArgument(index) => Ok(self.params[index as usize].clone()),
            Expression::LocalVariable(local) => match self.locals.get(&local) {
                Some(&var) => Ok(Term::Place(Place { var, path: Vec::new() })),
                None => self.refuse("a variable out of its scope"),
            },
            Expression::GlobalVariable(id) => self.global(id),
            ref other if other.needs_pre_emit() => {
                // The use is the better place to point at: constants are shared.
                self.constant(&self.source.expressions, handle).map(Term::Value)
            }
            _ => self.refuse("a `continuing` that uses what a `continue` skips"),
        }
    }

    pub fn value(&mut self, handle: Expr) -> Result<Value, Refused> {
        match self.term(handle)? {
            Term::Value(value) => Ok(value),
            _ => self.refuse("a pointer here"),
        }
    }

    fn place(&mut self, handle: Expr) -> Result<Place, Refused> {
        match self.term(handle)? {
            Term::Place(place) => Ok(place),
            _ => self.refuse("this pointer"),
        }
    }

    /// A constant expression of the function or of the module.
    pub fn constant(&mut self, arena: &Arena<Expression>, handle: Expr) -> Result<Value, Refused> {
        match &arena[handle] {
            Expression::Literal(literal) => match literal_constant(*literal) {
                Some(constant) => Ok(self.ssa.constant(constant)),
                None => self.refuse("a number without a concrete type"),
            },
            Expression::Constant(constant) => {
                let init = self.origin.source.constants[*constant].init;
                self.constant(&self.origin.source.global_expressions, init)
            }
            Expression::ZeroValue(ty) => {
                let ty = self.ty(*ty)?;
                Ok(self.ssa.zero(&ty))
            }
            Expression::Compose { ty, components } => {
                let components: Result<Vec<Value>, Refused> =
                    components.iter().map(|&component| self.constant(arena, component)).collect();
                let ty = self.ty(*ty)?;
                Ok(self.compose(&ty, &components?))
            }
            Expression::Splat { size, value } => {
                let value = self.constant(arena, *value)?;
                Ok(self.splat(*size, value))
            }
            Expression::Override(handle) => match self.origin.overrides.get(*handle) {
                Some(value) => Ok(self.ssa.constant(value)),
                None => self.refuse("an `override` without a value"),
            },
            _ => match self.origin.overrides.evaluate(self.origin.source, arena, handle) {
                Some(value) => Ok(self.ssa.constant(value)),
                None => self.refuse("this constant"),
            },
        }
    }

    fn ty(&self, handle: naga::Handle<naga::Type>) -> Result<Type, Refused> {
        self.origin.types.get(handle).or_else(|what| self.refuse(&what))
    }

    /// The type of an expression of the function.
    pub fn ty_of(&self, handle: Expr) -> Result<Type, Refused> {
        let resolution = &self.info[handle].ty;
        self.origin.types.resolved(resolution).or_else(|what| self.refuse(&what))
    }

    fn evaluate(&mut self, handle: Expr) -> Result<Term, Refused> {
        let value = match self.source.expressions[handle].clone() {
            Expression::Access { base, index } => {
                let index = self.value(index)?;
                return self.step(base, Step::Index(index));
            }
            Expression::AccessIndex { base, index } => return self.step(base, Step::Element(index)),
            Expression::Load { pointer } => {
                let ty = self.ty_of(handle)?;
                let from = self.term(pointer)?;
                self.load_term(&from, &ty)?
            }
            Expression::ArrayLength(array) => {
                let place = self.place(array)?;
                self.buffer_length(&place)
            }
            Expression::Compose { ty, components } => {
                let components: Result<Vec<Value>, Refused> =
                    components.iter().map(|&component| self.value(component)).collect();
                let ty = self.ty(ty)?;
                self.compose(&ty, &components?)
            }
            Expression::Splat { size, value } => {
                let value = self.value(value)?;
                self.splat(size, value)
            }
            Expression::Swizzle { size, vector, pattern } => {
                let vector = self.value(vector)?;
                let picks: SmallVec<[u8; 4]> =
                    pattern[..size as usize].iter().map(|&pick| pick as u8).collect();
                self.ssa.op(Op::Swizzle(picks), &[vector])
            }
            Expression::Unary { op, expr } => {
                let value = self.value(expr)?;
                match op {
                    UnaryOperator::Negate => self.ssa.neg(value),
                    UnaryOperator::LogicalNot | UnaryOperator::BitwiseNot => self.ssa.op(Op::Not, &[value]),
                }
            }
            Expression::Binary { op, left, right } => {
                let (left, right) = (self.value(left)?, self.value(right)?);
                self.binary(op, left, right)
            }
            Expression::Select { condition, accept, reject } => {
                let (condition, accept, reject) =
                    (self.value(condition)?, self.value(accept)?, self.value(reject)?);
                self.ssa.select(condition, accept, reject)
            }
            Expression::Relational { fun, argument } => {
                let value = self.value(argument)?;
                self.relational(fun, value)
            }
            Expression::As { expr, kind, convert } => {
                let value = self.value(expr)?;
                return self.convert(value, kind, convert).map(Term::Value);
            }
            Expression::Math { fun, arg, arg1, arg2, arg3 } => {
                let mut args: SmallVec<[Value; 4]> = SmallVec::new();
                for arg in [Some(arg), arg1, arg2, arg3].into_iter().flatten() {
                    args.push(self.value(arg)?);
                }
                self.math(fun, &args, handle)?
            }
            other => return self.refuse(lacking(&other)),
        };
        Ok(Term::Value(value))
    }

    // ---- Places ----

    fn step(&mut self, base: Expr, step: Step) -> Result<Term, Refused> {
        Ok(match self.term(base)? {
            Term::Value(value) => Term::Value(self.element(value, step)),
            Term::Memory(memory) => Term::Memory(self.memory_step(memory, step)),
            Term::Shared(shared) => Term::Shared(self.shared_step(&shared, step)),
            Term::Place(place) if self.is_buffer(base) => {
                let index = match step {
                    Step::Index(index) => index,
                    Step::Element(index) => self.ssa.i64(index.into()),
                };
                Term::Memory(self.buffer_element(&place, index))
            }
            Term::Place(place) => self.part(&place, step),
        })
    }

    /// What stands there, of that type.
    pub fn load_term(&mut self, from: &Term, ty: &Type) -> Result<Value, Refused> {
        Ok(match from {
            Term::Place(place) if self.is_whole_binding(place) => {
                let members: Result<Vec<Value>, Refused> = (0..ty.element_count())
                    .zip((0..).map_while(|index| ty.element(index)))
                    .map(|(index, ty)| {
                        let member = self.part(place, Step::Element(index));
                        self.load_term(&member, &ty)
                    })
                    .collect();
                self.ssa.op(Op::Construct(ty.clone()), &members?)
            }
            Term::Place(place) => self.load(place),
            Term::Memory(memory) => self.load_memory(*memory),
            Term::Shared(shared) => shared.load(&mut self.ssa),
            Term::Value(_) => return self.refuse("this pointer"),
        })
    }

    pub fn store_term(&mut self, to: &Term, value: Value) -> Result<(), Refused> {
        match to {
            Term::Place(place) if self.is_whole_binding(place) => {
                for index in 0..self.ssa.ty(value).element_count() {
                    let member = self.part(place, Step::Element(index));
                    let part = self.ssa.extract(value, index);
                    self.store_term(&member, part)?;
                }
            }
            Term::Place(place) => self.store(place, value),
            Term::Memory(memory) => self.store_memory(*memory, value),
            Term::Shared(shared) => shared.store(&mut self.ssa, value),
            Term::Value(_) => return self.refuse("this pointer"),
        }
        Ok(())
    }

    fn part(&mut self, whole: &Place, step: Step) -> Term {
        let held = self.held_member(whole, step);
        let mut place = whole.clone();
        place.path.push(step);
        match held {
            Some(ty) => Term::Memory(self.held(&place, ty)),
            None => Term::Place(place),
        }
    }

    fn shared_step(&mut self, shared: &Shared, step: Step) -> Shared {
        match (step, shared.ty.element(0)) {
            (Step::Index(index), Some(element)) => shared.at(&mut self.ssa, index, element),
            (Step::Index(_), None) => pullback_base::bug!("wgsl", "{} has no elements", shared.ty),
            (Step::Element(index), _) => shared.element(&mut self.ssa, index),
        }
    }

    /// Whether a pointer leads to an array of open size.
    fn is_buffer(&self, pointer: Expr) -> bool {
        match *self.info[pointer].ty.inner_with(&self.origin.source.types) {
            TypeInner::Pointer { base, .. } => globals::is_runtime_array(self.origin.source, base),
            _ => false,
        }
    }

    fn element(&mut self, aggregate: Value, step: Step) -> Value {
        match step {
            Step::Element(index) => {
                let no_diff = is_no_diff(self.ssa.ty(aggregate), index);
                let element = self.ssa.extract(aggregate, index);
                if no_diff { self.detached(element) } else { element }
            }
            Step::Index(index) => self.ssa.op(Op::ElementGet, &[aggregate, index]),
        }
    }

    pub fn detached(&mut self, value: Value) -> Value {
        if self.ssa.ty(value).has_float() { self.ssa.op(Op::Detach, &[value]) } else { value }
    }

    pub fn load(&mut self, place: &Place) -> Value {
        let whole = self.ssa.read(place.var);
        place.path.iter().fold(whole, |value, &step| self.element(value, step))
    }

    pub fn store(&mut self, place: &Place, value: Value) {
        let value = if place.path.is_empty() {
            value
        } else {
            let whole = self.ssa.read(place.var);
            self.replaced(whole, &place.path, value)
        };
        self.ssa.write(place.var, value);
    }

    /// The aggregate with the part at the end of the path replaced.
    fn replaced(&mut self, aggregate: Value, path: &[Step], part: Value) -> Value {
        let Some((&step, rest)) = path.split_first() else { return part };
        let part = if rest.is_empty() {
            part
        } else {
            let element = self.element(aggregate, step);
            self.replaced(element, rest, part)
        };
        match step {
            Step::Element(index) => {
                let no_diff = is_no_diff(self.ssa.ty(aggregate), index);
                let part = if no_diff { self.detached(part) } else { part };
                self.ssa.op(Op::Insert(index), &[aggregate, part])
            }
            Step::Index(index) => self.ssa.op(Op::ElementSet, &[aggregate, index, part]),
        }
    }

    // ---- Composites and operators ----

    fn compose(&mut self, ty: &Type, components: &[Value]) -> Value {
        let mut elements = Vec::with_capacity(components.len());
        for (index, &component) in components.iter().enumerate() {
            match *self.ssa.ty(component) {
                // `vec4(v.xy, z, w)`
                Type::Vector(_, n) if matches!(ty, Type::Vector(..)) => {
                    elements.extend((0..u32::from(n)).map(|index| self.ssa.extract(component, index)));
                }
                _ if is_no_diff(ty, index as u32) => elements.push(self.detached(component)),
                _ => elements.push(component),
            }
        }
        self.ssa.op(Op::Construct(ty.clone()), &elements)
    }

    fn splat(&mut self, size: naga::VectorSize, value: Value) -> Value {
        match self.ssa.function().scalar(value) {
            Some(scalar) => self.ssa.op(Op::Splat(Type::Vector(scalar, size as u8)), &[value]),
            None => value,
        }
    }

    /// A scalar in each component of that type's shape; other values as they are.
    pub fn spread(&mut self, value: Value, shape: &Type) -> Value {
        match (self.ssa.ty(value), shape) {
            (&Type::Scalar(scalar), Type::Vector(..) | Type::Matrix { .. }) => {
                match shape.with_scalar(scalar) {
                    Some(ty) => self.ssa.op(Op::Splat(ty), &[value]),
                    None => value,
                }
            }
            _ => value,
        }
    }

    fn binary(&mut self, op: BinaryOperator, left: Value, right: Value) -> Value {
        let (left_type, right_type) = (self.ssa.ty(left).clone(), self.ssa.ty(right).clone());
        let is_matrix = |ty: &Type| matches!(ty, Type::Matrix { .. });
        let products = !left_type.is_scalar() && !right_type.is_scalar();
        if op == BinaryOperator::Multiply && products && (is_matrix(&left_type) || is_matrix(&right_type)) {
            // Our matrices are WGSL's transposed: (A B)^T = B^T A^T, also where one is a vector.
            return self.ssa.op(Op::MatMul, &[right, left]);
        }
        let left = self.spread(left, &right_type);
        let mut right = self.spread(right, &left_type);
        if let (BinaryOperator::ShiftLeft | BinaryOperator::ShiftRight, Some(scalar)) =
            (op, left_type.scalar())
        {
            // WGSL counts are unsigned, ours have the operand's type: both are taken modulo its width.
            right = self.ssa.convert(right, scalar);
        }
        self.ssa.op(operation(op), &[left, right])
    }

    fn relational(&mut self, fun: RelationalFunction, value: Value) -> Value {
        let join = match fun {
            RelationalFunction::IsNan => return self.ssa.op(Op::IsNan, &[value]),
            RelationalFunction::IsInf => return self.ssa.op(Op::IsInf, &[value]),
            RelationalFunction::All => Op::And,
            RelationalFunction::Any => Op::Or,
        };
        let components = self.components(value);
        self.joined(&join, &components)
    }

    /// The components of a vector, or the scalar.
    pub fn components(&mut self, value: Value) -> Vec<Value> {
        match *self.ssa.ty(value) {
            Type::Vector(_, n) => (0..u32::from(n)).map(|index| self.ssa.extract(value, index)).collect(),
            _ => vec![value],
        }
    }

    /// `a op b op ..`, from the left.
    pub fn joined(&mut self, op: &Op, values: &[Value]) -> Value {
        let (&first, rest) =
            values.split_first().unwrap_or_else(|| pullback_base::bug!("wgsl", "nothing to join"));
        rest.iter().fold(first, |joined, &value| self.ssa.op(op.clone(), &[joined, value]))
    }

    fn convert(&mut self, value: Value, kind: naga::ScalarKind, width: Option<u8>) -> Result<Value, Refused> {
        let from = self.ssa.function().scalar(value);
        let same_bits = width.is_none();
        let width = width.or_else(|| from.map(|scalar| scalar.size_bytes() as u8)).unwrap_or(4);
        let to = types::scalar(naga::Scalar { kind, width }).or_else(|what| self.refuse(&what))?;
        if from == Some(to) {
            return Ok(value);
        }
        if !same_bits {
            return Ok(self.ssa.convert(value, to));
        }
        if from.is_none_or(|from| from.bits() != to.bits() || from == Scalar::Bool) {
            return self.refuse("a `bitcast` between types of other sizes");
        }
        Ok(self.ssa.op(Op::Bitcast(to), &[value]))
    }
}

/// What an operator does to numbers.
pub fn operation(op: BinaryOperator) -> Op {
    use BinaryOperator::*;
    match op {
        Add => Op::Add,
        Subtract => Op::Sub,
        Multiply => Op::Mul,
        Divide => Op::Div,
        Modulo => Op::Rem,
        Equal => Op::Eq,
        NotEqual => Op::Ne,
        Less => Op::Lt,
        LessEqual => Op::Le,
        Greater => Op::Gt,
        GreaterEqual => Op::Ge,
        And | LogicalAnd => Op::And,
        InclusiveOr | LogicalOr => Op::Or,
        ExclusiveOr => Op::Xor,
        ShiftLeft => Op::Shl,
        ShiftRight => Op::Shr,
    }
}

pub fn literal_constant(literal: Literal) -> Option<Constant> {
    Some(match literal {
        Literal::F64(value) => Constant::from_bits(Scalar::F64, value.to_bits()),
        Literal::F32(value) => Constant::from_bits(Scalar::F32, value.to_bits().into()),
        Literal::F16(value) => Constant::from_bits(Scalar::F16, value.to_bits().into()),
        Literal::I16(value) => Constant::int(Scalar::I16, value.into()),
        Literal::U16(value) => Constant::int(Scalar::U16, value.into()),
        Literal::I32(value) => Constant::int(Scalar::I32, value.into()),
        Literal::U32(value) => Constant::int(Scalar::U32, value.into()),
        Literal::I64(value) => Constant::int(Scalar::I64, value),
        Literal::U64(value) => Constant::from_bits(Scalar::U64, value),
        Literal::Bool(value) => Constant::bool(value),
        Literal::AbstractInt(_) | Literal::AbstractFloat(_) => return None,
    })
}

/// What we lack for an expression that cannot be lowered.
fn lacking(expression: &Expression) -> &'static str {
    match expression {
        Expression::ImageSample { .. } | Expression::ImageLoad { .. } | Expression::ImageQuery { .. } => {
            "a texture"
        }
        Expression::Derivative { .. } => "a derivative across pixels",
        Expression::SubgroupBallotResult | Expression::SubgroupOperationResult { .. } => {
            "a subgroup operation"
        }
        Expression::CooperativeLoad { .. } | Expression::CooperativeMultiplyAdd { .. } => {
            "a cooperative matrix"
        }
        Expression::RayQueryVertexPositions { .. }
        | Expression::RayQueryProceedResult
        | Expression::RayQueryGetIntersection { .. } => "ray tracing",
        _ => "this expression",
    }
}
