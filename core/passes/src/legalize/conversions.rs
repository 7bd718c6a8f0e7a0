//! Conversions of floats to integers that stay in range.

use crate::rewrite::{Change, Rule, Scope};
use pullback_ir::{Constant, Op, Type, Value};
use rustc_hash::FxHashSet;

/// Truncates numbers in range, saturates the others, and makes NaN zero.
#[derive(Default)]
pub(super) struct SaturateConversions {
    /// Floats known to be in range.
    in_range: FxHashSet<Value>,
}

impl Rule for SaturateConversions {
    fn apply(&mut self, scope: &mut Scope<'_>, op: &Op, args: &[Value]) -> Option<Change> {
        let (Op::Convert(to), &[x]) = (op, args) else { return None };
        let from = scope.scalar(x).filter(|from| from.is_float() && to.is_integer())?;
        if self.in_range.contains(&x) {
            return None;
        }
        // Powers of two are exact in every float type, or infinite, which then compares as it should. From `low`
        // downward and from `high` upward the result is the limit; NaN lies in neither.
        let (low, high) = match to.is_signed() {
            true => (-(2f64.powi(to.bits() as i32 - 1)), 2f64.powi(to.bits() as i32 - 1)),
            false => (0.0, 2f64.powi(to.bits() as i32)),
        };
        let [low, high, zero] = [low, high, 0.0].map(|limit| emit(scope, Constant::float(from, limit)));
        let above = scope.emit(Op::Gt, &[x, low], Type::BOOL);
        let below = scope.emit(Op::Lt, &[x, high], Type::BOOL);
        let inside = scope.emit(Op::And, &[above, below], Type::BOOL);
        let number = scope.emit(Op::Select, &[inside, x, zero], Type::Scalar(from));
        self.in_range.insert(number);
        let truncated = scope.emit(op.clone(), &[number], Type::Scalar(*to));
        let [least, greatest] =
            [f64::NEG_INFINITY, f64::INFINITY].map(|x| emit(scope, Constant::float(*to, x)));
        let too_high = scope.emit(Op::Ge, &[x, high], Type::BOOL);
        let too_low = scope.emit(Op::Le, &[x, low], Type::BOOL);
        let capped = scope.emit(Op::Select, &[too_high, greatest, truncated], Type::Scalar(*to));
        Change::op(Op::Select, &[too_low, least, capped])
    }
}

fn emit(scope: &mut Scope<'_>, constant: Constant) -> Value {
    scope.emit(Op::Const(constant), &[], Type::Scalar(constant.scalar()))
}
