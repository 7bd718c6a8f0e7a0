//! Which values may differ between the lanes that run together.

use pullback_ir::{Block, Effect, Function, Op, StmtKind, Type, Value};
use rustc_hash::FxHashSet;

/// The values that may differ from lane to lane; arrays count as such. Of all others any lane holds the value.
pub fn varying(function: &Function) -> FxHashSet<Value> {
    let mut analysis = Analysis { function, varying: FxHashSet::default(), changed: true };
    // Loop parameters depend on what comes after them: from below, until nothing changes.
    while std::mem::take(&mut analysis.changed) {
        analysis.block(&function.body);
    }
    analysis.varying
}

struct Analysis<'a> {
    function: &'a Function,
    varying: FxHashSet<Value>,
    changed: bool,
}

impl Analysis<'_> {
    fn any(&self, values: &[Value]) -> bool {
        values.iter().any(|value| self.varying.contains(value))
    }

    fn mark(&mut self, value: Value, varies: bool) {
        if varies && self.varying.insert(value) {
            self.changed = true;
        }
    }

    fn block(&mut self, block: &Block) {
        for stmt in &block.stmts {
            self.stmt(&stmt.kind);
        }
    }

    fn stmt(&mut self, kind: &StmtKind) {
        match kind {
            StmtKind::Let { result, op, args } => {
                let array = matches!(self.function.ty(*result), Type::Array(..));
                self.mark(*result, array || matches!(op, Op::LaneId) || self.any(args));
            }
            StmtKind::Effect { result, effect: Effect::Load, args } => {
                let varies = self.any(args);
                result.iter().for_each(|&result| self.mark(result, varies));
            }
            StmtKind::If { results, condition: selector, .. }
            | StmtKind::Switch { results, selector, .. } => {
                let arms = kind.blocks();
                for arm in &arms {
                    self.block(arm);
                }
                for (index, &result) in results.iter().enumerate() {
                    let array = matches!(self.function.ty(result), Type::Array(..));
                    let yields = arms.iter().any(|arm| self.any(&arm.yields[index..=index]));
                    self.mark(result, array || yields || self.any(&[*selector]));
                }
            }
            StmtKind::Loop { results, inits, params, head, body, .. } => {
                self.block(head);
                self.block(body);
                // Lanes that leave at different times keep different values.
                let diverges = self.any(&head.yields);
                for (index, &param) in params.iter().enumerate() {
                    let array = matches!(self.function.ty(param), Type::Array(..));
                    self.mark(param, array || diverges || self.any(&[inits[index], body.yields[index]]));
                    self.mark(results[index], self.any(&[param]));
                }
            }
            StmtKind::Effect { .. } | StmtKind::Call { .. } => {}
        }
    }
}
