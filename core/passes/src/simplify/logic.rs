//! Identities of bits, comparisons and selection.

use super::{constant, is_integer, operand_of};
use crate::rewrite::{Change, Scope};
use pullback_ir::{Constant, Op, Scalar, Type, Value};

pub(super) fn simplify(scope: &mut Scope<'_>, op: &Op, args: &[Value]) -> Option<Change> {
    match (op, args) {
        (Op::Not, &[a]) => not(scope, a),
        (Op::And | Op::Or, &[a, b]) if a == b => Some(Change::Value(a)),
        (Op::Xor, &[a, b]) if a == b => constant(Constant::zero(scope.scalar(a)?)),
        (Op::And | Op::Or | Op::Xor, &[a, b]) => bits(scope, op, a, b),
        (Op::Shl | Op::Shr, &[a, b]) if scope.constant(b)?.is_zero() => Some(Change::Value(a)),
        (Op::Eq | Op::Le | Op::Ge, &[a, b]) if a == b && !scope.scalar(a)?.is_float() => {
            matches!(scope.ty(a), Type::Scalar(_)).then(|| constant(Constant::bool(true)))?
        }
        (Op::Ne | Op::Lt | Op::Gt, &[a, b]) if a == b && !scope.scalar(a)?.is_float() => {
            matches!(scope.ty(a), Type::Scalar(_)).then(|| constant(Constant::bool(false)))?
        }
        (Op::Eq | Op::Ne, &[a, b]) => {
            let truth = scope.constant(b).filter(|c| c.scalar() == Scalar::Bool)?.as_bool();
            if truth == (*op == Op::Eq) { Some(Change::Value(a)) } else { Change::op(Op::Not, &[a]) }
        }
        (Op::Select, &[condition, a, b]) => select(scope, condition, a, b),
        _ => None,
    }
}

fn not(scope: &Scope<'_>, a: Value) -> Option<Change> {
    let (op, args) = scope.definition(a)?;
    let opposite = match op {
        Op::Not => return Some(Change::Value(args[0])),
        Op::Eq => Op::Ne,
        Op::Ne => Op::Eq,
        // Of floats, neither x < y nor x >= y may hold.
        _ if !is_integer(scope, *args.first()?) => return None,
        Op::Lt => Op::Ge,
        Op::Ge => Op::Lt,
        Op::Gt => Op::Le,
        Op::Le => Op::Gt,
        _ => return None,
    };
    Change::op(opposite, args)
}

/// With a constant of all bits clear or all bits set on the right.
fn bits(scope: &Scope<'_>, op: &Op, a: Value, b: Value) -> Option<Change> {
    let mask = scope.constant(b)?;
    let (clear, full) = (mask.is_zero(), mask == Constant::int(mask.scalar(), -1));
    match op {
        Op::And if full => Some(Change::Value(a)),
        Op::And if clear => Some(Change::Value(b)),
        Op::Or | Op::Xor if clear => Some(Change::Value(a)),
        Op::Or if full => Some(Change::Value(b)),
        Op::Xor if full => Change::op(Op::Not, &[a]),
        _ => None,
    }
}

fn select(scope: &Scope<'_>, condition: Value, a: Value, b: Value) -> Option<Change> {
    if a == b {
        return Some(Change::Value(a));
    }
    if let Some(condition) = scope.constant(condition) {
        return Some(Change::Value(if condition.as_bool() { a } else { b }));
    }
    if let Some(condition) = operand_of(scope, condition, &Op::Not) {
        return Change::op(Op::Select, &[condition, b, a]);
    }
    if *scope.ty(a) == Type::BOOL {
        let truth = |value| scope.constant(value).map(Constant::as_bool);
        match (truth(a), truth(b)) {
            (Some(true), Some(false)) => return Some(Change::Value(condition)),
            (Some(false), Some(true)) => return Change::op(Op::Not, &[condition]),
            (Some(true), None) => return Change::op(Op::Or, &[condition, b]),
            (None, Some(false)) => return Change::op(Op::And, &[condition, a]),
            _ => {}
        }
    }
    // What the same condition has decided already.
    match scope.definition(a) {
        Some((Op::Select, &[inner, a, _])) if inner == condition => {
            return Change::op(Op::Select, &[condition, a, b]);
        }
        _ => {}
    }
    match scope.definition(b) {
        Some((Op::Select, &[inner, _, b])) if inner == condition => {
            Change::op(Op::Select, &[condition, a, b])
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::simplify::simplify;
    use crate::testing::check;
    use expect_test::expect;

    #[test]
    fn only_integer_comparisons_turn_around() {
        check(
            simplify,
            "func @f(%0: f32, %1: i32) -> (bool, bool, bool, bool) {
                %2: bool = lt %0, %0
                %3: bool = not %2
                %4: bool = gt %1, %1
                %5: i32 = const i32 7
                %6: bool = lt %1, %5
                %7: bool = not %6
                yield %2, %3, %4, %7
            }",
            expect![[r#"
                func @f(%0: f32, %1: i32) -> (bool, bool, bool, bool) {
                  %2: bool = lt %0, %0
                  %3: bool = not %2
                  %4: bool = const bool false
                  %5: i32 = const i32 7
                  %6: bool = lt %1, %5
                  %7: bool = ge %1, %5
                  yield %2, %3, %4, %7
                }
            "#]],
        );
    }

    #[test]
    fn selections_of_flags_become_logic() {
        check(
            simplify,
            "func @f(%0 c: bool, %1 d: bool, %2 x: f32, %3 y: f32) -> (bool, bool, f32, f32) {
                %4: bool = const bool true
                %5: bool = const bool false
                %6: bool = select %0, %4, %1
                %7: bool = select %0, %5, %4
                %8: f32 = select %7, %2, %3
                %9: f32 = select %0, %8, %2
                yield %6, %7, %8, %9
            }",
            expect![[r#"
                func @f(%0 c: bool, %1 d: bool, %2 x: f32, %3 y: f32) -> (bool, bool, f32, f32) {
                  %4: bool = const bool true
                  %5: bool = const bool false
                  %6: bool = or %0, %1
                  %7: bool = not %0
                  %8: f32 = select %0, %3, %2
                  %9: f32 = select %0, %3, %2
                  yield %6, %7, %8, %9
                }
            "#]],
        );
    }
}
