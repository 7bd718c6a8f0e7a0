//! Inside an arm of an `if`, its condition is known.

use pullback_ir::function::Args;
use pullback_ir::{Block, Constant, Function, Op, Stmt, StmtKind, Value, visit};

/// Replaces uses of a condition inside the arms it chooses by what it is there. Whether anything changed.
pub fn branch_facts(function: &mut Function) -> bool {
    let mut body = std::mem::take(&mut function.body);
    let changed = block(function, &mut body);
    function.body = body;
    changed
}

fn block(function: &mut Function, within: &mut Block) -> bool {
    let mut changed = false;
    for stmt in &mut within.stmts {
        let span = stmt.span;
        if let StmtKind::If { condition, then, otherwise, .. } = &mut stmt.kind {
            changed |= assume(function, then, *condition, true, span);
            changed |= assume(function, otherwise, *condition, false, span);
        }
        for inner in stmt.kind.blocks_mut() {
            changed |= block(function, inner);
        }
    }
    changed
}

fn assume(
    function: &mut Function,
    arm: &mut Block,
    condition: Value,
    holds: bool,
    span: pullback_base::Span,
) -> bool {
    let mut used = false;
    visit::each_use(arm, &mut |value| used |= value == condition);
    if used {
        let known = function.new_value(function.ty(condition).clone());
        visit::replace_uses(arm, &mut |value| if value == condition { known } else { value });
        let kind = StmtKind::Let { result: known, op: Op::Const(Constant::bool(holds)), args: Args::new() };
        arm.stmts.insert(0, Stmt { kind, span });
    }
    used
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::check;
    use expect_test::expect;

    #[test]
    fn a_condition_is_true_in_one_arm_and_false_in_the_other() {
        check(
            branch_facts,
            "func @f(%0 c: bool, %1 x: f32, %2 y: f32) -> (f32) {
                %3: f32 = if %0 {
                    %4: f32 = select %0, %1, %2
                    yield %4
                } else {
                    %5: f32 = if %0 {
                        yield %1
                    } else {
                        yield %2
                    }
                    yield %5
                }
                %6: f32 = select %0, %3, %1
                yield %6
            }",
            expect![[r#"
                func @f(%0 c: bool, %1 x: f32, %2 y: f32) -> (f32) {
                  %3: f32 = if %0 {
                    %4: bool = const bool true
                    %5: f32 = select %4, %1, %2
                    yield %5
                  } else {
                    %6: bool = const bool false
                    %7: f32 = if %6 {
                      yield %1
                    } else {
                      yield %2
                    }
                    yield %7
                  }
                  %8: f32 = select %0, %3, %1
                  yield %8
                }
            "#]],
        );
    }
}
