//! Expressions to values.

use super::function::FunctionLowerer;
use super::place::Place;
use super::signature::Passed;
use crate::slang::check::hir::{Call, Callee, Expr, ExprKind, Pick};
use crate::slang::check::program::{FnId, Lazy, Role};
use crate::slang::check::types::{Arg, Subst, Ty};
use pullback_base::{Scalar, bug, ids::Id};
use pullback_ir::{Constant, Direction, Op, Type, Value};
use smallvec::SmallVec;

/// An argument of a call, evaluated.
pub enum Argument {
    In(Value),
    Place(Place, Direction),
}

/// So many operations may be computed for nothing rather than branch around them.
const CHEAP_OPS: usize = 6;

impl FunctionLowerer<'_, '_> {
    /// An expression for what it does.
    pub fn run(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Call(call) => {
                self.call(call, &expr.ty);
            }
            ExprKind::Action(action, args) => {
                self.action(*action, args);
            }
            ExprKind::Comma(exprs) => exprs.iter().for_each(|expr| self.run(expr)),
            ExprKind::Assert { .. } => {}
            ExprKind::Attempt { call, thrown, failed } => {
                self.attempt(call, *thrown, failed, |this| this.run(call));
            }
            _ => {
                self.expr(expr);
            }
        }
    }

    /// The value of an expression, as values of its type are here.
    pub fn expr(&mut self, expr: &Expr) -> Value {
        let value = self.plain_expr(expr);
        self.in_form(value, &expr.ty)
    }

    fn plain_expr(&mut self, expr: &Expr) -> Value {
        match &expr.kind {
            ExprKind::Literal(literal) => {
                let scalar = self.lowerer.program.scalar_of(&expr.ty).unwrap_or(Scalar::I32);
                self.ssa.constant(literal.constant(scalar))
            }
            ExprKind::Param(param) => match self.subst.get(param) {
                Some(crate::slang::check::types::Arg::Count(count)) => {
                    let scalar = self.lowerer.program.scalar_of(&expr.ty).unwrap_or(Scalar::I32);
                    let Some(number) = count.known() else { bug!("lower", "a generic number is not known") };
                    self.ssa.constant(match scalar {
                        Scalar::Bool => Constant::bool(number != 0),
                        scalar => Constant::int(scalar, number),
                    })
                }
                other => bug!("lower", "a generic number is {other:?}"),
            },
            ExprKind::Local(local) => {
                let var = self.var(*local);
                self.ssa.read(var)
            }
            ExprKind::Constant(id) => {
                let program = self.lowerer.program;
                match &program.constants[*id].value {
                    Lazy::Done(value) => self.expr(value),
                    _ => bug!("lower", "a constant has no value"),
                }
            }
            ExprKind::Required(ty, requirement) => {
                let program = self.lowerer.program;
                let this = ty.subst(program, &self.subst);
                match program.given_for_constant(&this, *requirement, expr.span) {
                    Some(given) => self.expr(&given),
                    None => bug!("lower", "{this:?} gives no value for a constant"),
                }
            }
            ExprKind::Global(_) => {
                let place = self.place(expr);
                self.read_place(&place)
            }
            ExprKind::Memory(_) => {
                let place = self.place(expr);
                self.read_place(&place)
            }
            ExprKind::Address(place) => self.address(place),
            ExprKind::SizeOf(ty) => {
                let bytes = pullback_ir::layout::layout(&self.stored_ty(ty)).size_bytes;
                self.ssa.constant(Constant::int(Scalar::U32, bytes as i64))
            }
            ExprKind::Action(action, args) => match self.action(*action, args) {
                Some(value) => value,
                None => bug!("lower", "the value of {action:?}, which has none"),
            },
            ExprKind::Zero => {
                if let Some(value) = self.constructed(&expr.ty) {
                    return value;
                }
                let ty = self.ty(&expr.ty);
                self.blank(&ty)
            }
            ExprKind::Op(op, args) => {
                let args: SmallVec<[Value; 3]> = args.iter().map(|arg| self.expr(arg)).collect();
                self.component_wise(op, &args)
            }
            ExprKind::Convert(inner) => {
                let to = self.ty(&expr.ty);
                let value = match (&inner.kind, to.scalar()) {
                    // Rounded once, from what was written.
                    (ExprKind::Literal(literal), Some(scalar)) => self.ssa.constant(literal.constant(scalar)),
                    _ => self.expr(inner),
                };
                self.convert(value, &to)
            }
            ExprKind::Erase(inner) => {
                let value = self.expr(inner);
                let value = self.viewed(value, &expr.ty);
                self.erased(value, &inner.ty, &expr.ty)
            }
            ExprKind::Attempt { call, thrown, failed } => {
                self.attempt(call, *thrown, failed, |this| this.expr(call))
            }
            ExprKind::Is { value, of, ty } => self.is(value.as_deref(), of, ty),
            ExprKind::As(inner) => self.as_(inner, &expr.ty),
            ExprKind::Reinterpret(inner) => {
                let value = self.expr(inner);
                let from = self.stored_ty(&inner.ty);
                let value = self.fitted(value, &from);
                let to = self.stored_ty(&expr.ty);
                self.reinterpreted(value, &to)
            }
            ExprKind::Object { id, bytes } => self.object(id, bytes, &expr.ty),
            ExprKind::Construct(elements) => {
                let paired = self.is_paired(&expr.ty);
                let ty = if paired { self.stored_ty(&expr.ty) } else { self.ty(&expr.ty) };
                let elements: Vec<Value> = (0..)
                    .zip(elements)
                    .map(|(index, element)| {
                        let element = self.expr(element);
                        self.as_element(element, &ty, index)
                    })
                    .collect();
                self.ssa.op(Op::Construct(ty), &elements)
            }
            ExprKind::Tangent(op, args) => self.tangent(*op, args),
            ExprKind::Compose(parts) => self.compose(parts, &expr.ty),
            ExprKind::Pick(base, pick) => {
                let hidden = self.hides(&base.ty);
                let part = if self.stands_in_memory(base) {
                    let place = self.place(expr);
                    self.read_place(&place)
                } else if self.is_paired(&base.ty) {
                    self.pick_of_pointer(base, pick, &expr.ty)
                } else {
                    let base = self.expr(base);
                    self.pick(base, pick)
                };
                if hidden { self.cut(part, &base.ty) } else { part }
            }
            ExprKind::Call(call) => match self.call(call, &expr.ty) {
                Some(value) => value,
                None => bug!("lower", "the value of a call that gives none"),
            },
            ExprKind::Assign { place, value } => {
                let place = self.place(place);
                let value = self.expr(value);
                self.write_place(&place, value);
                value
            }
            ExprKind::Modify { op, place, operand, gives_old } => self.modify(op, place, operand, *gives_old),
            ExprKind::Update { place, old, value, gives_old } => {
                let place = self.place(place);
                let before = self.read_place(&place);
                let before = self.in_form(before, &expr.ty);
                self.vars[old.index()] = Some(self.ssa.declare_with(before, None));
                let after = self.expr(value);
                self.write_place(&place, after);
                if *gives_old { before } else { after }
            }
            ExprKind::Hold { local, value } => {
                let value = self.expr(value);
                self.vars[local.index()] = Some(self.ssa.declare_with(value, None));
                value
            }
            ExprKind::Conditional { condition, then, otherwise } => {
                let condition = self.expr(condition);
                if is_leaf(then) && is_leaf(otherwise) {
                    let (then, otherwise) = (self.expr(then), self.expr(otherwise));
                    return self.ssa.select(condition, then, otherwise);
                }
                self.branch(condition, &expr.ty, |this| this.expr(then), |this| this.expr(otherwise))
            }
            ExprKind::And(a, b) => {
                let a = self.expr(a);
                if is_cheap(b) {
                    let b = self.expr(b);
                    return self.ssa.op(Op::And, &[a, b]);
                }
                self.branch(a, &Ty::BOOL, |this| this.expr(b), |this| this.ssa.bool(false))
            }
            ExprKind::Or(a, b) => {
                let a = self.expr(a);
                if is_cheap(b) {
                    let b = self.expr(b);
                    return self.ssa.op(Op::Or, &[a, b]);
                }
                self.branch(a, &Ty::BOOL, |this| this.ssa.bool(true), |this| this.expr(b))
            }
            ExprKind::Comma(exprs) => {
                let Some((last, first)) = exprs.split_last() else { bug!("lower", "an empty comma") };
                first.iter().for_each(|expr| self.run(expr));
                self.expr(last)
            }
            ExprKind::Under(bindings, inner) => {
                let program = self.lowerer.program;
                let bound = bindings.iter().map(|(param, arg)| (*param, arg.subst(program, &self.subst)));
                let bound: Subst = bound.collect();
                let outer = std::mem::replace(&mut self.subst, bound);
                let value = self.expr(inner);
                self.subst = outer;
                value
            }
            ExprKind::Assert { .. } => bug!("lower", "the value of an assertion"),
            ExprKind::Error => bug!("lower", "an error was lowered"),
        }
    }

    /// The value of one of two ways to compute it.
    fn branch(
        &mut self,
        condition: Value,
        ty: &Ty,
        then: impl FnOnce(&mut Self) -> Value,
        otherwise: impl FnOnce(&mut Self) -> Value,
    ) -> Value {
        let ty = self.ty(ty);
        let chosen = self.ssa.declare(ty, None);
        self.ssa.begin_if(condition);
        let value = then(self);
        self.ssa.write(chosen, value);
        self.ssa.begin_else();
        let value = otherwise(self);
        self.ssa.write(chosen, value);
        self.ssa.end_if();
        self.ssa.read(chosen)
    }

    /// An operation of vectors or matrices; a condition on scalars chooses whole values.
    fn component_wise(&mut self, op: &Op, args: &[Value]) -> Value {
        match op {
            Op::Not if args.len() == 1 && self.ssa.ty(args[0]) == &Type::BOOL => self.ssa.not(args[0]),
            op => self.ssa.op(op.clone(), args),
        }
    }

    fn modify(&mut self, op: &Op, place: &Expr, operand: &Expr, gives_old: bool) -> Value {
        let place = self.place(place);
        let old = self.read_place(&place);
        let operand = self.expr(operand);
        let (own, computed) = (self.ssa.ty(old).clone(), self.ssa.ty(operand).clone());
        let left = self.convert(old, &computed);
        let new = self.component_wise(op, &[left, operand]);
        let new = self.convert(new, &own);
        self.write_place(&place, new);
        if gives_old { old } else { new }
    }

    /// The number in another type: other scalar, splat, or the first components.
    pub fn convert(&mut self, value: Value, to: &Type) -> Value {
        let from = self.ssa.ty(value).clone();
        if from == *to {
            return value;
        }
        if let Type::Pointer(target) = to {
            let address = match from {
                Type::Pointer(_) => value,
                _ => self.ssa.convert(value, Scalar::U64),
            };
            return self.ssa.op(Op::PointerCast(Type::clone(target)), &[address]);
        }
        let Some(scalar) = to.scalar() else { bug!("lower", "conversion of {from} to {to}") };
        match (&from, to) {
            (Type::Pointer(_), _) => {
                let address = self.ssa.op(Op::Bitcast(Scalar::U64), &[value]);
                self.ssa.convert(address, scalar)
            }
            (Type::Scalar(_), Type::Scalar(_)) => self.ssa.convert(value, scalar),
            (Type::Scalar(_), _) => {
                let value = self.ssa.convert(value, scalar);
                self.ssa.op(Op::Splat(to.clone()), &[value])
            }
            (Type::Vector(..), Type::Scalar(_)) => {
                let first = self.ssa.extract(value, 0);
                self.ssa.convert(first, scalar)
            }
            (Type::Vector(_, have), Type::Vector(_, want)) => {
                let picked = if want < have {
                    self.ssa.op(Op::Swizzle((0..*want).collect()), &[value])
                } else {
                    value
                };
                self.ssa.convert(picked, scalar)
            }
            (Type::Matrix { rows, columns, .. }, Type::Matrix { rows: want, columns: want_columns, .. })
                if (rows, columns) != (want, want_columns) =>
            {
                let row_ty = Type::Vector(scalar, *want_columns);
                let rows: Vec<Value> = (0..u32::from(*want))
                    .map(|row| {
                        let row = self.ssa.extract(value, row);
                        self.convert(row, &row_ty)
                    })
                    .collect();
                self.ssa.op(Op::Construct(to.clone()), &rows)
            }
            _ => self.ssa.convert(value, scalar),
        }
    }

    fn compose(&mut self, parts: &[Expr], ty: &Ty) -> Value {
        let ty = self.ty(ty);
        let mut components = Vec::new();
        for part in parts {
            let value = self.expr(part);
            self.push_components(value, &mut components);
        }
        match ty {
            Type::Matrix { scalar, columns, .. } => {
                let row_ty = Type::Vector(scalar, columns);
                let rows: Vec<Value> = components
                    .chunks(usize::from(columns))
                    .map(|row| self.ssa.op(Op::Construct(row_ty.clone()), row))
                    .collect();
                self.ssa.op(Op::Construct(ty), &rows)
            }
            Type::Scalar(_) => components[0],
            _ => self.ssa.op(Op::Construct(ty), &components),
        }
    }

    pub fn push_components(&mut self, value: Value, out: &mut Vec<Value>) {
        let count = self.ssa.ty(value).element_count();
        if count == 0 {
            return out.push(value);
        }
        for index in 0..count {
            let element = self.ssa.extract(value, index);
            self.push_components(element, out);
        }
    }

    /// A call; `None` when it gives no value. What it writes is written back after it, in order.
    fn call(&mut self, call: &Call, result: &Ty) -> Option<Value> {
        if let crate::slang::check::hir::Callee::Derivative { .. } = call.callee {
            return self.call_derivative(call);
        }
        let (id, generics) = self.lowerer.callee(&call.callee, &self.subst);
        let function = &self.lowerer.program.functions[id];
        let signature = self.lowerer.signature(id);
        let this = match function.role {
            Role::Method { mutating: true } => Some(Direction::InOut),
            Role::Method { mutating: false } => Some(Direction::In),
            role => self.lowerer.dispatched(id, &generics).and_then(|it| it.object_direction(role)),
        };
        let declared = signature.params.iter().map(|param| param.direction);
        let directions: Vec<Direction> = this.into_iter().chain(declared).collect();
        let args = self.arguments(&call.args, &directions);
        let mut values = self.argument_values(&args);
        let hidden = self.hidden_arguments(call, id, &generics);
        let read = directions.iter().zip(&hidden).filter(|(direction, _)| direction.reads());
        for (value, (_, hidden)) in values.iter_mut().zip(read) {
            if let Some(ty) = hidden {
                *value = self.cut(*value, ty);
            }
        }
        let results = match &function.op {
            Some(op) => vec![self.intrinsic(op, &values, result)],
            None => self.call_function(id, generics, &values),
        };
        let is_hidden = self.hides_result(call, result);
        let gives = (*result != Ty::Void).then(|| is_hidden.then(|| result.clone()));
        let written = directions.iter().zip(hidden).filter(|(direction, _)| direction.writes());
        let hidden = gives.into_iter().chain(written.map(|(_, hidden)| hidden));
        let results = results
            .into_iter()
            .zip(hidden)
            .map(|(value, hidden)| hidden.map_or(value, |ty| self.cut(value, &ty)))
            .collect();
        self.take_results(call.detached, *result != Ty::Void, &args, results)
    }

    pub fn arguments(&mut self, args: &[Expr], directions: &[Direction]) -> Vec<Argument> {
        let argument = |(arg, direction): (&Expr, &Direction)| match direction {
            Direction::In => Argument::In(self.expr(arg)),
            _ => Argument::Place(self.place(arg), *direction),
        };
        args.iter().zip(directions).map(argument).collect()
    }

    /// What the callee takes: an `inout` place is read after all arguments are evaluated.
    pub fn argument_values(&mut self, args: &[Argument]) -> Vec<Value> {
        let value = |arg: &Argument| match arg {
            Argument::In(value) => Some(*value),
            Argument::Place(place, Direction::InOut) => Some(self.read_place(place)),
            Argument::Place(..) => None,
        };
        args.iter().filter_map(value).collect()
    }

    /// What a call gives, after what it writes is written back.
    pub fn take_results(
        &mut self,
        detached: bool,
        has_value: bool,
        args: &[Argument],
        results: Vec<Value>,
    ) -> Option<Value> {
        let mut results = results.into_iter().map(|value| (detached, value));
        let mut next = |this: &mut Self| match results.next() {
            Some((true, value)) => this.constant(value),
            Some((false, value)) => value,
            None => bug!("lower", "a call lost a result"),
        };
        let value = has_value.then(|| next(self));
        for arg in args {
            if let Argument::Place(place, _) = arg {
                let written = next(self);
                self.write_place(place, written);
            }
        }
        value
    }

    /// `T()` of a generic type that turns out to have a constructor.
    fn constructed(&mut self, ty: &Ty) -> Option<Value> {
        if !ty.is_open() {
            return None;
        }
        let known = ty.subst(self.lowerer.program, &self.subst);
        self.default_value(&known)
    }

    /// What a constructor without parameters or the fields' initial values make; `None` where that is zero.
    fn default_value(&mut self, ty: &Ty) -> Option<Value> {
        let program = self.lowerer.program;
        if let Some((id, generics)) = program.default_constructor(ty) {
            return self.call_function(id, generics, &[]).pop();
        }
        let given: Vec<Option<Value>> = match ty {
            Ty::Struct(id, args) => {
                let Lazy::Done(initials) = &program.structs[*id].initials else { return None };
                let own = program.struct_subst(*id, args);
                let fields = program.fields_of(ty);
                let outer = std::mem::replace(&mut self.subst, own);
                let values = initials.iter().zip(fields.iter()).map(|(initial, field)| match initial {
                    Some(initial) => Some(self.expr(initial)),
                    None => self.default_value(&field.ty),
                });
                let values = values.collect();
                self.subst = outer;
                values
            }
            Ty::Array(element, count) => {
                let value = self.default_value(element)?;
                vec![Some(value); super::known(count) as usize]
            }
            _ => return None,
        };
        given.iter().any(Option::is_some).then(|| {
            let none = Subst::default();
            let paired = self.lowerer.is_paired(ty, &none);
            let to = if paired { self.lowerer.stored_ty(ty, &none) } else { self.lowerer.ty(ty, &none) };
            let mut whole = self.blank(&to);
            for (index, value) in (0..).zip(given) {
                if let Some(value) = value {
                    let value = self.as_element(value, &to, index);
                    whole = self.ssa.op(Op::Insert(index), &[whole, value]);
                }
            }
            whole
        })
    }

    /// An operation that the standard library gives a name.
    pub fn intrinsic(&mut self, op: &Op, args: &[Value], result: &Ty) -> Value {
        let op = match op {
            Op::Bitcast(_) => {
                let ty = self.ty(result);
                let Some(scalar) = ty.scalar() else { bug!("lower", "bitcast to {ty}") };
                Op::Bitcast(scalar)
            }
            op => op.clone(),
        };
        self.ssa.op(op, args)
    }

    /// A call with evaluated arguments: the value, then what it writes.
    pub fn call_callee(&mut self, callee: &Callee, args: &[Value]) -> Vec<Value> {
        let (id, generics) = self.lowerer.callee(callee, &self.subst);
        self.call_function(id, generics, args)
    }

    pub fn call_function(&mut self, id: FnId, generics: Vec<Arg>, args: &[Value]) -> Vec<Value> {
        let instance = (id, generics);
        let Passed { taken, given } = self.lowerer.passed_types(&instance);
        let (id, generics) = instance;
        let mut args = args.to_vec();
        // An object that alone tells what runs comes before what that takes.
        let before = args.len() - taken.len();
        self.fit_all(&mut args[before..], &taken);
        self.call_instance(id, generics, given, &args)
    }
}

/// Costs nothing and has nothing to differentiate: may be evaluated though it is not chosen.
fn is_leaf(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Literal(_) | ExprKind::Param(_) | ExprKind::Local(_) | ExprKind::Zero => true,
        ExprKind::Convert(inner) => is_leaf(inner),
        ExprKind::Pick(base, pick) => !matches!(pick, Pick::Index(_) | Pick::Property(_)) && is_leaf(base),
        _ => false,
    }
}

/// A few operations without effects.
fn is_cheap(expr: &Expr) -> bool {
    fn cost(expr: &Expr) -> usize {
        let too_much = CHEAP_OPS + 1;
        match &expr.kind {
            _ if is_leaf(expr) => 0,
            ExprKind::Constant(_) => 1,
            ExprKind::Op(_, args) => args.iter().map(cost).sum::<usize>() + 1,
            ExprKind::Convert(inner) => cost(inner) + 1,
            ExprKind::And(a, b) | ExprKind::Or(a, b) => cost(a) + cost(b) + 1,
            ExprKind::Pick(_, Pick::Property(_)) => too_much,
            ExprKind::Pick(base, Pick::Index(index)) => cost(base) + cost(index) + 1,
            ExprKind::Pick(base, _) => cost(base),
            _ => too_much,
        }
    }
    cost(expr) <= CHEAP_OPS
}
