//! Integer division that never divides by zero nor overflows.

use crate::rewrite::{Change, Rule, Scope};
use pullback_ir::{Constant, Op, Type, Value};
use rustc_hash::FxHashSet;

/// `x / 0 = x = x / 1` and `MIN / -1 = MIN = MIN / 1`; `x % 0 = 0 = x % 1` and `MIN % -1 = 0 = MIN % 1`: in all of these
/// dividing by 1 is right.
#[derive(Default)]
pub(super) struct GuardDivision {
    /// Divisors that cannot fail.
    safe: FxHashSet<Value>,
}

impl Rule for GuardDivision {
    fn apply(&mut self, scope: &mut Scope<'_>, op: &Op, args: &[Value]) -> Option<Change> {
        let (Op::Div | Op::Rem, &[x, y]) = (op, args) else { return None };
        let scalar = scope.scalar(x).filter(|scalar| scalar.is_integer())?;
        let never_fails = |c: Constant| !c.is_zero() && (scalar.is_unsigned() || c.as_i64() != -1);
        if self.safe.contains(&y) || scope.constant(y).is_some_and(never_fails) {
            return None;
        }
        let number = |scope: &mut Scope<'_>, number: i64| {
            scope.emit(Op::Const(Constant::int(scalar, number)), &[], Type::Scalar(scalar))
        };
        let zero = number(scope, 0);
        let one = number(scope, 1);
        let mut fails = scope.emit(Op::Eq, &[y, zero], Type::BOOL);
        if scalar.is_signed() {
            let minus_one = number(scope, -1);
            let least = number(scope, i64::MIN >> (64 - scalar.bits()));
            let x_is_least = scope.emit(Op::Eq, &[x, least], Type::BOOL);
            let y_is_minus_one = scope.emit(Op::Eq, &[y, minus_one], Type::BOOL);
            let overflows = scope.emit(Op::And, &[x_is_least, y_is_minus_one], Type::BOOL);
            fails = scope.emit(Op::Or, &[fails, overflows], Type::BOOL);
        }
        let safe = scope.emit(Op::Select, &[fails, one, y], Type::Scalar(scalar));
        self.safe.insert(safe);
        Change::op(op.clone(), &[x, safe])
    }
}
