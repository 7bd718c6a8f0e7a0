//! Simplifies control flow: decided branches, equal arms, what a loop does not change.

use crate::substitution::Substitution;
use pullback_base::Span;
use pullback_ir::function::Args;
use pullback_ir::visit::has_effects;
use pullback_ir::{Block, Constant, Function, Op, Stmt, StmtKind, Type, Value};
use rustc_hash::FxHashMap;

/// Runs the arm that a constant picks in place; turns branches between ready values into selections; takes out of loops
/// the parameters they do not change; drops loops that never turn.
pub fn regions(function: &mut Function) -> bool {
    let body = std::mem::take(&mut function.body);
    let replaced = Substitution::new(function.values.len());
    let mut pass = Regions { function, replaced, constants: FxHashMap::default(), changed: false };
    let body = pass.block(body);
    let changed = pass.changed;
    function.body = body;
    changed
}

struct Regions<'a> {
    function: &'a mut Function,
    replaced: Substitution,
    constants: FxHashMap<Value, Constant>,
    changed: bool,
}

impl Regions<'_> {
    fn block(&mut self, mut block: Block) -> Block {
        let mut out = Vec::with_capacity(block.stmts.len());
        self.stmts(block.stmts, &mut out);
        self.replaced.apply(&mut block.yields);
        Block { stmts: out, yields: block.yields }
    }

    fn stmts(&mut self, stmts: Vec<Stmt>, out: &mut Vec<Stmt>) {
        for mut stmt in stmts {
            self.replaced.apply(stmt.kind.operands_mut());
            match self.decided(&mut stmt.kind) {
                Some(arm) => {
                    let arm_yields = arm.yields;
                    self.stmts(arm.stmts, out);
                    for (&result, value) in stmt.kind.results().iter().zip(arm_yields) {
                        self.replace(result, self.replaced.get(value));
                    }
                    self.changed = true;
                }
                None => self.stmt(stmt, out),
            }
        }
    }

    /// The one arm that can run.
    fn decided(&self, kind: &mut StmtKind) -> Option<Block> {
        match kind {
            StmtKind::If { condition, then, otherwise, .. } => {
                let truth = self.constants.get(condition)?.as_bool();
                Some(std::mem::take(if truth { then } else { otherwise }))
            }
            StmtKind::Switch { cases, default, .. } if cases.is_empty() => Some(std::mem::take(default)),
            StmtKind::Switch { selector, cases, default, .. } => {
                let selector = self.constants.get(selector)?.as_i64();
                let case = cases.iter_mut().find(|(values, _)| values.contains(&selector));
                Some(std::mem::take(case.map_or(default, |(_, block)| block)))
            }
            _ => None,
        }
    }

    fn replace(&mut self, value: Value, by: Value) {
        self.replaced.set(value, by);
        self.changed = true;
    }

    fn stmt(&mut self, mut stmt: Stmt, out: &mut Vec<Stmt>) {
        if let StmtKind::Loop { results, inits, params, body, .. } = &stmt.kind {
            for (at, &param) in params.iter().enumerate() {
                let next = self.replaced.get(body.yields[at]);
                if next == param || next == inits[at] {
                    self.replace(param, inits[at]);
                    self.replace(results[at], inits[at]);
                }
            }
        }
        for inner in stmt.kind.blocks_mut() {
            *inner = self.block(std::mem::take(inner));
        }
        match &stmt.kind {
            StmtKind::Let { result, op: Op::Const(constant), .. } => {
                self.constants.insert(*result, *constant);
            }
            StmtKind::Loop { results, inits, head, .. }
                if self.constants.get(&head.yields[0]).is_some_and(|truth| !truth.as_bool())
                    && !has_effects(head) =>
            {
                results.iter().zip(inits).for_each(|(&result, &init)| self.replaced.set(result, init));
                self.changed = true;
                return;
            }
            StmtKind::If { .. } if self.is_selection(&stmt.kind) => return self.selection(stmt, out),
            StmtKind::If { .. } | StmtKind::Switch { .. } => self.equal_results(&stmt, out),
            _ => {}
        }
        out.push(stmt);
    }

    /// Whether both arms hold constants only, and yield scalars.
    fn is_selection(&self, kind: &StmtKind) -> bool {
        let is_constant = |stmt: &Stmt| matches!(stmt.kind, StmtKind::Let { op: Op::Const(_), .. });
        kind.blocks().iter().all(|arm| arm.stmts.iter().all(is_constant))
            && kind.results().iter().all(|&result| matches!(self.function.ty(result), Type::Scalar(_)))
    }

    fn selection(&mut self, stmt: Stmt, out: &mut Vec<Stmt>) {
        let StmtKind::If { results, condition, then, otherwise } = stmt.kind else { return };
        out.extend(then.stmts.into_iter().chain(otherwise.stmts));
        for (at, result) in results.into_iter().enumerate() {
            let args = Args::from_slice(&[condition, then.yields[at], otherwise.yields[at]]);
            let kind = StmtKind::Let { result, op: Op::Select, args };
            out.push(Stmt { kind, span: stmt.span });
        }
        self.changed = true;
    }

    /// Results that all arms agree on need no arm.
    fn equal_results(&mut self, stmt: &Stmt, out: &mut Vec<Stmt>) {
        let blocks = stmt.kind.blocks();
        for (at, &result) in stmt.kind.results().iter().enumerate() {
            let first = blocks[0].yields[at];
            let known = self.constants.get(&first).copied();
            if blocks.iter().all(|block| block.yields[at] == first) {
                // Arms see nothing of one another, so it comes from outside.
                self.replace(result, first);
            } else if let Some(constant) = known
                && blocks.iter().all(|block| self.constants.get(&block.yields[at]) == known.as_ref())
            {
                let value = self.emit_constant(constant, stmt.span, out);
                self.replace(result, value);
            }
        }
    }

    fn emit_constant(&mut self, constant: Constant, span: Span, out: &mut Vec<Stmt>) -> Value {
        let result = self.function.new_value(Type::Scalar(constant.scalar()));
        self.constants.insert(result, constant);
        out.push(Stmt { kind: StmtKind::Let { result, op: Op::Const(constant), args: Args::new() }, span });
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::check;
    use expect_test::expect;

    #[test]
    fn a_decided_branch_runs_in_place() {
        check(
            regions,
            "func @f(%0 x: f32, %1 p: ptr<f32>) -> (f32) {
                %2: bool = const bool false
                %3: f32 = if %2 {
                    store %1, %0
                    yield %0
                } else {
                    %4: f32 = neg %0
                    yield %4
                }
                %5: u32 = const u32 3
                %6: f32 = switch %5 case 1, 3 {
                    %7: f32 = abs %3
                    yield %7
                } default {
                    yield %3
                }
                yield %6
            }",
            expect![[r#"
                func @f(%0 x: f32, %1 p: ptr<f32>) -> (f32) {
                  %2: bool = const bool false
                  %3: f32 = neg %0
                  %4: u32 = const u32 3
                  %5: f32 = abs %3
                  yield %5
                }
            "#]],
        );
    }

    #[test]
    fn branches_between_ready_values_become_selections() {
        check(
            regions,
            "func @f(%0 c: bool, %1 x: f32) -> (f32, f32) {
                %2: f32, %3: f32 = if %0 {
                    %4: f32 = const f32 1
                    yield %4, %1
                } else {
                    %5: f32 = exp %1
                    yield %5, %1
                }
                %6: f32 = if %0 {
                    yield %1
                } else {
                    %7: f32 = const f32 2
                    yield %7
                }
                %8: f32 = add %2, %6
                yield %3, %8
            }",
            expect![[r#"
                func @f(%0 c: bool, %1 x: f32) -> (f32, f32) {
                  %2: f32, %3: f32 = if %0 {
                    %4: f32 = const f32 1.0
                    yield %4, %1
                  } else {
                    %5: f32 = exp %1
                    yield %5, %1
                  }
                  %6: f32 = const f32 2.0
                  %7: f32 = select %0, %1, %6
                  %8: f32 = add %2, %7
                  yield %1, %8
                }
            "#]],
        );
    }

    #[test]
    fn parameters_a_loop_does_not_change_leave_it() {
        check(
            regions,
            "func @f(%0 x: f32, %1 y: f32) -> (f32) {
                %2: f32, %3: f32, %13: f32 = loop (%4: f32 = %0, %5: f32 = %1, %14: f32 = %1) while {
                    %6: bool = lt %4, %5
                    yield %6
                } do {
                    %7: f32 = add %4, %14
                    yield %7, %5, %1
                }
                %8: bool = const bool false
                %9: f32 = loop (%10: f32 = %3) while {
                    yield %8
                } do {
                    %11: f32 = neg %10
                    yield %11
                }
                %12: f32 = add %2, %9
                yield %12
            }",
            expect![[r#"
                func @f(%0 x: f32, %1 y: f32) -> (f32) {
                  %2: f32, %3: f32, %4: f32 = loop (%5: f32 = %0, %6: f32 = %1, %7: f32 = %1) while {
                    %8: bool = lt %5, %1
                    yield %8
                  } do {
                    %9: f32 = add %5, %1
                    yield %9, %1, %1
                  }
                  %10: bool = const bool false
                  %11: f32 = add %2, %1
                  yield %11
                }
            "#]],
        );
    }
}
