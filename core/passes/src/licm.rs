//! Moves what a loop computes anew each turn, but never changes, before the loop. Ops are pure and total, so a loop of
//! no turns may run them too.

use pullback_base::ids::Id;
use pullback_ir::{Block, Function, Stmt, StmtKind, Value};

/// Hoists out of heads and bodies (not out of branches within, which may never run).
pub fn licm(function: &mut Function) -> bool {
    let mut pass = Licm { depths: vec![0; function.values.len()], moved: false };
    pass.block(&mut function.body, 0);
    pass.moved
}

struct Licm {
    /// How many loops are around a value's definition, by value.
    depths: Vec<u32>,
    moved: bool,
}

impl Licm {
    fn set_depth(&mut self, values: &[Value], depth: u32) {
        values.iter().for_each(|value| self.depths[value.index()] = depth);
    }

    fn block(&mut self, block: &mut Block, depth: u32) {
        let mut out = Vec::with_capacity(block.stmts.len());
        for mut stmt in std::mem::take(&mut block.stmts) {
            if let StmtKind::Loop { params, head, body, .. } = &mut stmt.kind {
                self.set_depth(params, depth + 1);
                for inner in [head, body] {
                    self.block(inner, depth + 1);
                    self.hoist(inner, depth, &mut out);
                }
            } else {
                stmt.kind.blocks_mut().into_iter().for_each(|inner| self.block(inner, depth));
            }
            self.set_depth(stmt.kind.results(), depth);
            out.push(stmt);
        }
        block.stmts = out;
    }

    /// Moves what hangs on nothing of the loop at `depth + 1`.
    fn hoist(&mut self, block: &mut Block, depth: u32, out: &mut Vec<Stmt>) {
        block.stmts.retain_mut(|stmt| {
            let StmtKind::Let { result, args, .. } = &stmt.kind else { return true };
            if args.iter().any(|arg| self.depths[arg.index()] > depth) {
                return true;
            }
            self.depths[result.index()] = depth;
            self.moved = true;
            out.push(stmt.clone());
            false
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::check;
    use expect_test::expect;

    #[test]
    fn what_does_not_change_moves_out_of_all_its_loops() {
        check(
            licm,
            "func @f(%0 x: f32, %1 n: i32) -> (f32) {
                %2: i32 = const i32 0
                %3: i32, %4: f32 = loop (%5: i32 = %2, %6: f32 = %0) while {
                    %7: bool = lt %5, %1
                    yield %7
                } do {
                    %8: i32, %9: f32 = loop (%10: i32 = %2, %11: f32 = %6) while {
                        %12: bool = lt %10, %5
                        yield %12
                    } do {
                        %13: f32 = sin %0
                        %14: f32 = mul %13, %6
                        %15: f32 = add %11, %14
                        %16: i32 = const i32 1
                        %17: i32 = add %10, %16
                        yield %17, %15
                    }
                    %18: i32 = const i32 1
                    %19: i32 = add %5, %18
                    yield %19, %9
                }
                yield %4
            }",
            expect![[r#"
                func @f(%0 x: f32, %1 n: i32) -> (f32) {
                  %2: i32 = const i32 0
                  %3: f32 = sin %0
                  %4: i32 = const i32 1
                  %5: i32 = const i32 1
                  %6: i32, %7: f32 = loop (%8: i32 = %2, %9: f32 = %0) while {
                    %10: bool = lt %8, %1
                    yield %10
                  } do {
                    %11: f32 = mul %3, %9
                    %12: i32, %13: f32 = loop (%14: i32 = %2, %15: f32 = %9) while {
                      %16: bool = lt %14, %8
                      yield %16
                    } do {
                      %17: f32 = add %15, %11
                      %18: i32 = add %14, %4
                      yield %18, %17
                    }
                    %19: i32 = add %8, %5
                    yield %19, %13
                  }
                  yield %7
                }
            "#]],
        );
    }

    #[test]
    fn what_is_loaded_anew_each_turn_stays() {
        check(
            licm,
            "func @f(%0 p: ptr<f32>, %1 n: i32) -> (i32) {
                %2: i32 = const i32 0
                %3: i32 = loop (%4: i32 = %2) while {
                    %5: bool = lt %4, %1
                    yield %5
                } do {
                    %6: f32 = load %0
                    store %0, %6
                    %7: i32 = const i32 1
                    %8: i32 = add %4, %7
                    yield %8
                }
                yield %3
            }",
            expect![[r#"
                func @f(%0 p: ptr<f32>, %1 n: i32) -> (i32) {
                  %2: i32 = const i32 0
                  %3: i32 = const i32 1
                  %4: i32 = loop (%5: i32 = %2) while {
                    %6: bool = lt %5, %1
                    yield %6
                  } do {
                    %7: f32 = load %0
                    store %0, %7
                    %8: i32 = add %5, %3
                    yield %8
                  }
                  yield %4
                }
            "#]],
        );
    }
}
