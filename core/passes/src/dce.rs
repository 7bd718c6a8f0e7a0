//! Drops what no result and no effect depends on: statements, region results, loop parameters.

use pullback_base::ids::Id;
use pullback_ir::function::Args;
use pullback_ir::{AtomicOp, Block, Effect, Function, Stmt, StmtKind, Value};

/// Removes dead code. Loads count as pure: one whose result is not used goes.
pub fn dce(function: &mut Function) -> bool {
    let mut marker =
        Marker { needs: vec![Args::new(); function.values.len()], live: vec![false; function.values.len()] };
    let mut roots = function.body.yields.clone();
    marker.block(&function.body, &mut roots);
    marker.mark(roots);
    let mut sweeper = Sweeper { live: marker.live, removed: false };
    sweeper.block(&mut function.body);
    sweeper.removed
}

struct Marker {
    /// The values each value depends on, by index.
    needs: Vec<Args>,
    live: Vec<bool>,
}

impl Marker {
    fn need(&mut self, value: Value, by: impl IntoIterator<Item = Value>) {
        self.needs[value.index()].extend(by);
    }

    /// Notes the dependencies of a block's values; adds to `roots` what its effects need. Whether it has effects.
    fn block(&mut self, block: &Block, roots: &mut Vec<Value>) -> bool {
        let mut effects = false;
        for stmt in &block.stmts {
            effects |= self.stmt(&stmt.kind, roots);
        }
        effects
    }

    fn stmt(&mut self, kind: &StmtKind, roots: &mut Vec<Value>) -> bool {
        let mut effects = kind.has_effect();
        for block in kind.blocks() {
            effects |= self.block(block, roots);
        }
        // What decides whether and how often the statement runs.
        let control: &[Value] = match kind {
            StmtKind::If { .. } | StmtKind::Switch { .. } => kind.operands(),
            StmtKind::Loop { head, .. } => &head.yields,
            _ => &[],
        };
        if effects {
            roots.extend(if control.is_empty() { kind.operands() } else { control });
        }
        for (at, &result) in kind.results().iter().enumerate() {
            self.need(result, control.iter().copied());
            match kind {
                StmtKind::If { .. } | StmtKind::Switch { .. } => {
                    let yields: Vec<Value> = kind.blocks().iter().map(|block| block.yields[at]).collect();
                    self.need(result, yields);
                }
                StmtKind::Loop { inits, params, body, .. } => {
                    self.need(result, [params[at]]);
                    self.need(params[at], [inits[at], body.yields[at]]);
                }
                _ => self.need(result, kind.operands().iter().copied()),
            }
        }
        effects
    }

    fn mark(&mut self, mut work: Vec<Value>) {
        while let Some(value) = work.pop() {
            if !std::mem::replace(&mut self.live[value.index()], true) {
                work.extend_from_slice(&self.needs[value.index()]);
            }
        }
    }
}

struct Sweeper {
    live: Vec<bool>,
    removed: bool,
}

impl Sweeper {
    /// Whether an effect is left in it.
    fn block(&mut self, block: &mut Block) -> bool {
        let mut effects = false;
        block.stmts.retain_mut(|stmt| {
            let effect = self.stmt(stmt);
            effects |= effect;
            let keep = effect || stmt.kind.results().iter().any(|result| self.live[result.index()]);
            self.removed |= !keep;
            keep
        });
        effects
    }

    /// Narrows a statement to its live results; whether it has effects.
    fn stmt(&mut self, stmt: &mut Stmt) -> bool {
        // An addition whose old value nobody asks for has no order among others, and so a derivative.
        if let StmtKind::Effect { result, effect, .. } = &mut stmt.kind
            && *effect == Effect::Atomic(AtomicOp::Add)
            && result.is_some_and(|result| !self.live[result.index()])
        {
            (*effect, *result) = (Effect::AtomicAdd, None);
            self.removed = true;
        }
        let mut effects = stmt.kind.has_effect();
        let live = |value: &Value| self.live[value.index()];
        let keep: Vec<bool> = match &stmt.kind {
            StmtKind::If { results, .. } | StmtKind::Switch { results, .. } => {
                results.iter().map(live).collect()
            }
            StmtKind::Loop { params, .. } => params.iter().map(live).collect(),
            _ => return effects,
        };
        if keep.contains(&false) {
            self.removed = true;
            narrow(&mut stmt.kind, &keep);
        }
        for block in stmt.kind.blocks_mut() {
            effects |= self.block(block);
        }
        effects
    }
}

fn narrow(kind: &mut StmtKind, keep: &[bool]) {
    let filter = |values: &mut Vec<Value>| {
        let mut at = 0;
        values.retain(|_| {
            at += 1;
            keep[at - 1]
        });
    };
    match kind {
        StmtKind::If { results, then, otherwise, .. } => {
            [results, &mut then.yields, &mut otherwise.yields].into_iter().for_each(filter);
        }
        StmtKind::Switch { results, cases, default, .. } => {
            cases.iter_mut().for_each(|(_, block)| filter(&mut block.yields));
            [results, &mut default.yields].into_iter().for_each(filter);
        }
        StmtKind::Loop { results, inits, params, body, .. } => {
            [results, inits, params, &mut body.yields].into_iter().for_each(filter);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::check;
    use expect_test::expect;

    #[test]
    fn only_what_results_and_effects_need_stays() {
        check(
            dce,
            "func @f(%0 x: f32, %1 p: ptr<f32>, %2 c: bool) -> (f32) {
                %3: f32 = sin %0
                %4: f32 = load %1
                %5: f32, %6: f32 = if %2 {
                    %7: f32 = cos %0
                    %8: f32 = exp %0
                    yield %7, %8
                } else {
                    yield %0, %3
                }
                if %2 {
                    %9: f32 = sqrt %0
                    store %1, %9
                    yield
                } else {
                    %10: f32 = tan %0
                    yield
                }
                if %2 {
                    yield
                } else {
                    yield
                }
                yield %5
            }",
            expect![[r#"
                func @f(%0 x: f32, %1 p: ptr<f32>, %2 c: bool) -> (f32) {
                  %3: f32 = if %2 {
                    %4: f32 = cos %0
                    yield %4
                  } else {
                    yield %0
                  }
                  if %2 {
                    %5: f32 = sqrt %0
                    store %1, %5
                    yield
                  } else {
                    yield
                  }
                  yield %3
                }
            "#]],
        );
    }

    #[test]
    fn loop_parameters_that_only_feed_themselves_go() {
        check(
            dce,
            "func @f(%0 n: i32, %1 x: f32) -> (i32) {
                %2: i32, %3: f32, %4: i32 = loop (%5: i32 = %0, %6: f32 = %1, %7: i32 = %0) while {
                    %8: bool = lt %7, %0
                    yield %8
                } do {
                    %9: f32 = mul %6, %6
                    yield %7, %9, %5
                }
                yield %2
            }",
            expect![[r#"
                func @f(%0 n: i32, %1 x: f32) -> (i32) {
                  %2: i32, %3: i32 = loop (%4: i32 = %0, %5: i32 = %0) while {
                    %6: bool = lt %5, %0
                    yield %6
                  } do {
                    yield %5, %4
                  }
                  yield %2
                }
            "#]],
        );
    }

    #[test]
    fn effects_that_write_stay_and_those_that_only_read_go() {
        check(
            dce,
            "kernel @k(%0 p: ptr<i32>, %1 x: i32, %2 i: i64) -> () {
                shared.0 [i32; 4]
                %3: i32 = load %0
                %4: i32 = shared_load.0 %2
                %5: i32 = wave.sum %1
                %6: i32 = atomic.add %0, %1
                barrier
                %7: i32 = shared_atomic.0.max %2, %1
                yield
            }",
            expect![[r#"
                kernel @k(%0 p: ptr<i32>, %1 x: i32, %2 i: i64) -> () {
                  shared.0 [i32; 4]
                  atomic_add %0, %1
                  barrier
                  %3: i32 = shared_atomic.0.max %2, %1
                  yield
                }
            "#]],
        );
    }
}
