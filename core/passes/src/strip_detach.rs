//! Removes `detach`, `cut` and `unpaired`, which mean something to differentiation only.

use crate::rewrite::{Change, Rule, Scope, rewrite};
use pullback_ir::{Function, Op, Value};

/// Replaces each marked value by the value.
pub fn strip_detach(function: &mut Function) -> bool {
    rewrite(function, &mut [&mut StripDetach])
}

struct StripDetach;

impl Rule for StripDetach {
    fn apply(&mut self, _: &mut Scope<'_>, op: &Op, args: &[Value]) -> Option<Change> {
        matches!(op, Op::Detach | Op::Cut | Op::Unpaired).then(|| Change::Value(args[0]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::check;
    use expect_test::expect;

    #[test]
    fn detached_values_are_the_values() {
        check(
            strip_detach,
            "func @f(%0 x: f32) -> (f32) {
                %1: f32 = detach %0
                %2: f32 = mul %1, %0
                yield %2
            }",
            expect![[r#"
                func @f(%0 x: f32) -> (f32) {
                  %1: f32 = mul %0, %0
                  yield %1
                }
            "#]],
        );
    }
}
