//! Runs again what the sweep of a block reads.

use super::Reverse;
use crate::need;
use pullback_ir::{Block, Value};
use rustc_hash::FxHashSet;

impl Reverse<'_> {
    /// Runs again what the sweep of the block reads, and the values wanted besides.
    pub(super) fn replay(&mut self, block: &Block, wanted: &[Value]) {
        let mut reads: FxHashSet<Value> = need::reads(block, &self.activity);
        reads.extend(wanted);
        let needed = need::closure(block, reads);
        for stmt in &block.stmts {
            if stmt.kind.results().iter().any(|result| needed.contains(result)) {
                let copy = self.copier.stmt(self.b.function_mut(), stmt);
                self.b.push_stmt(copy);
            }
        }
    }
}
