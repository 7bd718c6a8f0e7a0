//! Which values may differ between the lanes that run together.

use pullback_base::Span;
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

/// A wave op that not all lanes of the group need come to together, and its place.
pub fn divergent_wave(function: &Function) -> Option<(&'static str, Span)> {
    let mut found = None;
    let varying = std::cell::OnceCell::new();
    let is_varying = |value: &Value| varying.get_or_init(|| self::varying(function)).contains(value);
    find_wave(&function.body, false, &is_varying, &mut found);
    found
}

fn find_wave(
    block: &Block,
    diverges: bool,
    varying: &impl Fn(&Value) -> bool,
    found: &mut Option<(&'static str, Span)>,
) {
    for stmt in &block.stmts {
        let inner = match &stmt.kind {
            StmtKind::Effect { effect: Effect::Wave(op), .. } if diverges => {
                found.get_or_insert((op.name(), stmt.span));
                continue;
            }
            StmtKind::If { condition: selector, .. } | StmtKind::Switch { selector, .. } => varying(selector),
            StmtKind::Loop { head, .. } => varying(&head.yields[0]),
            _ => continue,
        };
        stmt.kind.blocks().into_iter().for_each(|block| find_wave(block, diverges || inner, varying, found));
    }
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
            // What other lanes do between two lanes' turns is seen, or the wave is.
            StmtKind::Effect { result, .. } => result.iter().for_each(|&result| self.mark(result, true)),
            StmtKind::Call { .. } => {}
        }
    }
}
