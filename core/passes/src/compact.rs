//! Renumbers values in order of definition and drops the declarations that nothing defines.

use crate::substitution::Substitution;
use pullback_base::IdVec;
use pullback_ir::{Block, Function, StmtKind, Value};

/// Makes value ids dense, so that tables by value are small.
pub fn compact(function: &mut Function) {
    let mut renumber = Renumber { new: Substitution::new(function.values.len()), order: Vec::new() };
    renumber.all(&mut function.params);
    let mut body = std::mem::take(&mut function.body);
    renumber.block(&mut body);
    function.body = body;
    let mut values = IdVec::new();
    for &old in &renumber.order {
        values.push(function.values[old].clone());
    }
    function.values = values;
}

struct Renumber {
    new: Substitution,
    /// The old ids, in the order of the new ones.
    order: Vec<Value>,
}

impl Renumber {
    fn all(&mut self, values: &mut [Value]) {
        for value in values {
            let new = pullback_base::ids::Id::from_index(self.order.len());
            self.order.push(*value);
            self.new.set(*value, new);
            *value = new;
        }
    }

    fn block(&mut self, block: &mut Block) {
        for stmt in &mut block.stmts {
            self.new.apply(stmt.kind.operands_mut());
            if let StmtKind::Loop { params, .. } = &mut stmt.kind {
                self.all(params);
            }
            for inner in stmt.kind.blocks_mut() {
                self.block(inner);
            }
            self.all(stmt.kind.results_mut());
        }
        self.new.apply(&mut block.yields);
    }
}
