//! Runs again what the sweep of a block reads.

use super::Reverse;
use crate::need::{self, Values};
use crate::slice::Slicer;
use pullback_base::bug;
use pullback_ir::{Block, Stmt, StmtKind, Type, Value};

impl Reverse<'_> {
    /// Runs again what the sweep of the block reads, and the values wanted besides. Loops that the sweep will reverse
    /// count their trips.
    pub(super) fn replay(&mut self, block: &Block, wanted: &[Value]) {
        let mut needed = need::reads(block, self.activity, self.plans);
        needed.extend(wanted);
        need::close(block, &mut needed);
        for stmt in &block.stmts {
            let Some(mut copy) = self.slice(stmt, &needed) else { continue };
            self.b.set_span(stmt.span);
            match &stmt.kind {
                StmtKind::Loop { results, .. } if self.activity.any_active(results) => {
                    let trips = self.count_trips(&mut copy.kind);
                    self.trips.insert(results[0], trips);
                }
                _ => {}
            }
            self.b.push_stmt(copy);
        }
    }

    /// The needed part of a statement, copied.
    pub(super) fn slice(&mut self, stmt: &Stmt, needed: &Values) -> Option<Stmt> {
        Slicer { copier: &mut self.copier, to: self.b.function_mut(), needed }.stmt(stmt)
    }

    /// The needed part of a block, run here.
    pub(super) fn run(&mut self, block: &Block, needed: &Values) {
        for stmt in &block.stmts {
            if let Some(copy) = self.slice(stmt, needed) {
                self.b.push_stmt(copy);
            }
        }
    }

    /// Lets a loop, about to be pushed, count its trips.
    fn count_trips(&mut self, kind: &mut StmtKind) -> Value {
        let StmtKind::Loop { results, inits, params, body, .. } = kind else {
            bug!("autodiff", "only loops have trips")
        };
        let (param, result) = (self.b.new_value(Type::I64), self.b.new_value(Type::I64));
        inits.push(self.b.i64(0));
        params.push(param);
        results.push(result);
        self.b.begin_block();
        let one = self.b.i64(1);
        let next = self.b.add(param, one);
        let counting = self.b.end_block(vec![next]);
        body.stmts.extend(counting.stmts);
        body.yields.push(next);
        result
    }
}
