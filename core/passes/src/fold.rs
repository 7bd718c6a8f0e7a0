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
        // What marks a value for differentiation stays until that has seen it.
        if args.is_empty() || *op == Op::Unpaired {
            return None;
        }
        let constants: Option<SmallVec<[Constant; 3]>> =
            args.iter().map(|&arg| scope.constant(arg)).collect();
        Change::op(Op::Const(eval(op, &constants?)?), &[])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::check;
    use expect_test::expect;

    #[test]
    fn constants_are_computed_as_the_device_would() {
        check(
            fold,
            "func @f(%0 x: f32) -> (f32, i32, f32) {
                %1: f32 = const f32 16777216
                %2: f32 = const f32 1
                %3: f32 = add %1, %2
                %4: i32 = convert.i32 %3
                %5: i32 = const i32 0
                %6: i32 = div %4, %5
                %7: f32 = add %0, %2
                yield %3, %6, %7
            }",
            expect![[r#"
                func @f(%0 x: f32) -> (f32, i32, f32) {
                  %1: f32 = const f32 16777216.0
                  %2: f32 = const f32 1.0
                  %3: f32 = const f32 16777216.0
                  %4: i32 = const i32 16777216
                  %5: i32 = const i32 0
                  %6: i32 = const i32 16777216
                  %7: f32 = add %0, %2
                  yield %3, %6, %7
                }
            "#]],
        );
    }
}
