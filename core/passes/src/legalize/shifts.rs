//! Shift counts below the width.

use crate::rewrite::{Change, Rule, Scope};
use pullback_ir::{Constant, Op, Type, Value};
use rustc_hash::FxHashSet;

/// Counts are taken modulo the width, a power of two.
#[derive(Default)]
pub(super) struct MaskShifts {
    /// Counts already below the width.
    masked: FxHashSet<Value>,
}

impl Rule for MaskShifts {
    fn apply(&mut self, scope: &mut Scope<'_>, op: &Op, args: &[Value]) -> Option<Change> {
        let (Op::Shl | Op::Shr, &[x, count]) = (op, args) else { return None };
        let scalar = scope.scalar(x)?;
        let below_width = |c: Constant| c.bits() < u64::from(scalar.bits());
        if self.masked.contains(&count) || scope.constant(count).is_some_and(below_width) {
            return None;
        }
        let mask = Constant::int(scalar, i64::from(scalar.bits()) - 1);
        let mask = scope.emit(Op::Const(mask), &[], Type::Scalar(scalar));
        let masked = scope.emit(Op::And, &[count, mask], Type::Scalar(scalar));
        self.masked.insert(masked);
        Change::op(op.clone(), &[x, masked])
    }
}
