//! Global value numbering: an op on the same operands is computed once.

use crate::rewrite::{Change, Rule, Scope, rewrite};
use pullback_ir::function::Args;
use pullback_ir::{Function, Op, Value};
use rustc_hash::FxHashMap;
use std::collections::hash_map::Entry;

/// Replaces each op by an equal one that is visible at its place.
pub fn gvn(function: &mut Function) -> bool {
    rewrite(function, &mut [&mut Gvn::default()])
}

#[derive(Default)]
pub(crate) struct Gvn {
    known: FxHashMap<(Op, Args), Value>,
    /// What each open block added, to be forgotten at its end.
    added: Vec<Vec<(Op, Args)>>,
}

/// Operands that commute come in order of their ids.
fn key(op: &Op, args: &[Value]) -> (Op, Args) {
    let mut args = Args::from_slice(args);
    if op.is_commutative() {
        args.sort_unstable();
    }
    (op.clone(), args)
}

impl Rule for Gvn {
    fn apply(&mut self, _: &mut Scope<'_>, op: &Op, args: &[Value]) -> Option<Change> {
        self.known.get(&key(op, args)).map(|&value| Change::Value(value))
    }

    fn keep(&mut self, op: &Op, args: &[Value], result: Value) {
        let key = key(op, args);
        if let Entry::Vacant(entry) = self.known.entry(key)
            && let Some(added) = self.added.last_mut()
        {
            added.push(entry.key().clone());
            entry.insert(result);
        }
    }

    fn enter_block(&mut self) {
        self.added.push(Vec::new());
    }

    fn leave_block(&mut self) {
        for key in self.added.pop().unwrap_or_default() {
            self.known.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::check;
    use expect_test::expect;

    #[test]
    fn equal_ops_are_shared_where_they_are_visible() {
        check(
            gvn,
            "func @f(%0 x: f32, %1 y: f32, %2 c: bool) -> (f32, f32, f32) {
                %3: f32 = add %0, %1
                %4: f32 = add %1, %0
                %5: f32 = sub %0, %1
                %6: f32 = if %2 {
                    %7: f32 = add %0, %1
                    %8: f32 = sin %7
                    yield %8
                } else {
                    %9: f32 = sin %4
                    yield %9
                }
                %10: f32 = sub %1, %0
                yield %4, %6, %10
            }",
            expect![[r#"
                func @f(%0 x: f32, %1 y: f32, %2 c: bool) -> (f32, f32, f32) {
                  %3: f32 = add %0, %1
                  %4: f32 = sub %0, %1
                  %5: f32 = if %2 {
                    %6: f32 = sin %3
                    yield %6
                  } else {
                    %7: f32 = sin %3
                    yield %7
                  }
                  %8: f32 = sub %1, %0
                  yield %3, %5, %8
                }
            "#]],
        );
    }
}
