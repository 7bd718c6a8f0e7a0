//! Copies of a block's needed part: region results and loop parameters that are not needed are left out.

use crate::need::{Values, Writes};
use pullback_ir::visit::Copier;
use pullback_ir::{Block, Function, Stmt, StmtKind, Value};

/// Copies needed statements into a function. The needed values are closed over what they are computed from.
pub(crate) struct Slicer<'s, 'a> {
    pub copier: &'s mut Copier<'a>,
    pub to: &'s mut Function,
    pub needed: &'s Values,
    pub writes: Writes,
}

impl Slicer<'_, '_> {
    /// The copy; `None` if nothing of it is needed.
    pub fn stmt(&mut self, stmt: &Stmt) -> Option<Stmt> {
        let wanted = self.writes.want(&stmt.kind);
        let needed = |values: &[Value]| wanted || values.iter().any(|value| self.needed.contains(value));
        let kind = match &stmt.kind {
            StmtKind::If { results, condition, then, otherwise } if needed(results) => {
                let condition = self.copier.value(*condition);
                let (then, otherwise) = (self.arm(then, results), self.arm(otherwise, results));
                StmtKind::If { results: self.define(results, results), condition, then, otherwise }
            }
            StmtKind::Switch { results, selector, cases, default } if needed(results) => {
                let selector = self.copier.value(*selector);
                let cases =
                    cases.iter().map(|(values, arm)| (values.clone(), self.arm(arm, results))).collect();
                let default = self.arm(default, results);
                StmtKind::Switch { results: self.define(results, results), selector, cases, default }
            }
            StmtKind::Loop { results, inits, params, head, body, hints }
                if needed(results) || needed(&head.yields) =>
            {
                let inits = self.copier.values(&self.pick(inits, params));
                let copied = self.define(params, params);
                let head = self.block(head, &head.yields);
                let body = self.block(body, &self.pick(&body.yields, params));
                let results = self.define(results, params);
                StmtKind::Loop { results, inits, params: copied, head, body, hints: *hints }
            }
            StmtKind::If { .. } | StmtKind::Switch { .. } | StmtKind::Loop { .. } => return None,
            _ if needed(stmt.kind.results()) => return Some(self.copier.stmt(self.to, stmt)),
            _ => return None,
        };
        Some(Stmt { kind, span: stmt.span })
    }

    /// The copy of a block that gives these values.
    pub fn block(&mut self, block: &Block, yields: &[Value]) -> Block {
        let stmts = block.stmts.iter().filter_map(|stmt| self.stmt(stmt)).collect();
        Block { stmts, yields: self.copier.values(yields) }
    }

    fn arm(&mut self, arm: &Block, results: &[Value]) -> Block {
        self.block(arm, &self.pick(&arm.yields, results))
    }

    /// The values whose counterparts are needed.
    fn pick(&self, values: &[Value], by: &[Value]) -> Vec<Value> {
        let pairs = values.iter().zip(by).filter(|(_, by)| self.needed.contains(by));
        pairs.map(|(value, _)| *value).collect()
    }

    fn define(&mut self, values: &[Value], by: &[Value]) -> Vec<Value> {
        self.pick(values, by).into_iter().map(|value| self.copier.define(self.to, value)).collect()
    }
}
