//! Algebraic identities that hold bit for bit.
//!
//! Floats are treated by IEEE 754: `x * 0` is not 0 (NaN, infinity, -0), `x + 0` is not x (-0), `x - x` is not 0.

mod aggregates;
mod arithmetic;
mod conversions;
mod logic;

use crate::rewrite::{Change, Rule, Scope, rewrite};
use pullback_ir::{Constant, Function, Op, Scalar, Value};

/// Replaces ops by simpler ones.
pub fn simplify(function: &mut Function) -> bool {
    rewrite(function, &mut [&mut Simplify])
}

pub(crate) struct Simplify;

impl Rule for Simplify {
    fn apply(&mut self, scope: &mut Scope<'_>, op: &Op, args: &[Value]) -> Option<Change> {
        if let &[a, b] = args
            && op.is_commutative()
            && scope.constant(a).is_some()
            && scope.constant(b).is_none()
        {
            // Constants stand on the right, where the identities look for them.
            return Change::op(op.clone(), &[b, a]);
        }
        arithmetic::simplify(scope, op, args)
            .or_else(|| logic::simplify(scope, op, args))
            .or_else(|| conversions::simplify(scope, op, args))
            .or_else(|| aggregates::simplify(scope, op, args))
    }
}

/// Whether a value is this constant, bit for bit (so that -0 is not 0).
fn is_number(scope: &Scope<'_>, value: Value, number: f64) -> bool {
    scope.constant(value).is_some_and(|constant| constant == Constant::float(constant.scalar(), number))
}

fn constant(value: Constant) -> Option<Change> {
    Change::op(Op::Const(value), &[])
}

/// The operand of a value that this op defines.
fn operand_of(scope: &Scope<'_>, value: Value, op: &Op) -> Option<Value> {
    match scope.definition(value) {
        Some((found, &[operand])) if found == op => Some(operand),
        _ => None,
    }
}

fn is_integer(scope: &Scope<'_>, value: Value) -> bool {
    scope.scalar(value).is_some_and(Scalar::is_integer)
}
