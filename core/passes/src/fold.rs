//! Computes ops whose operands are all constants.

use crate::rewrite::{Change, Rule, Scope, rewrite};
use pullback_ir::{Constant, Function, Op, Value, eval};
use smallvec::SmallVec;

/// Replaces ops over constants by constants.
pub fn fold(function: &mut Function) -> bool {
    rewrite(function, &mut [&mut Fold])
}

pub(crate) struct Fold;

impl Rule for Fold {
    fn apply(&mut self, scope: &mut Scope<'_>, op: &Op, args: &[Value]) -> Option<Change> {
        if args.is_empty() {
            return None;
        }
        let constants: Option<SmallVec<[Constant; 3]>> =
            args.iter().map(|&arg| scope.constant(arg)).collect();
        Change::op(Op::Const(eval(op, &constants?)?), &[])
    }
}
