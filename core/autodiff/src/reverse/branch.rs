//! The sweep of `If` and `Switch`.

use super::Reverse;
use crate::forward::with_arms;
use crate::mutation::{Bug, on};
use crate::rules::adjoint_type;
use pullback_ir::{Block, FunctionBuilder, Stmt, Type, Value};
use rustc_hash::{FxHashMap, FxHashSet};

impl<'a> Reverse<'a> {
    /// `If` and `Switch`: a branch over the same operand, whose arms sweep the arms and yield the adjoints of the
    /// outer values that any of them changed.
    pub(super) fn branch(&mut self, stmt: &'a Stmt, results: &[Value]) {
        let seeds: Vec<(usize, Value)> =
            results.iter().enumerate().filter_map(|(i, &result)| Some((i, self.take(result)?))).collect();
        if seeds.is_empty() && !self.activity.must_sweep(&stmt.kind) {
            return;
        }
        let outer = self.adjoints.clone();
        let mut arms: Vec<(Block, FxHashMap<Value, Value>)> =
            stmt.kind.blocks().into_iter().map(|arm| self.arm(arm, &seeds)).collect();
        if on(Bug::ArmsSwapped) {
            arms.reverse();
        }
        if on(Bug::LostElse) {
            arms.last_mut().into_iter().for_each(|(_, after)| after.clone_from(&outer));
        }
        let changed = |value: &Value| arms.iter().any(|(_, after)| after.get(value) != outer.get(value));
        let candidates = arms.iter().flat_map(|(_, after)| after.keys().copied());
        let mut live: Vec<Value> = candidates.filter(changed).collect::<FxHashSet<_>>().into_iter().collect();
        live.sort_unstable();

        self.b.set_span(stmt.span);
        let blocks = arms.into_iter().map(|(swept, after)| self.close(swept, &after, &live)).collect();
        let types: Vec<Type> = live.iter().map(|&value| adjoint_type(self.primal.ty(value))).collect();
        let sums: Vec<Value> = types.into_iter().map(|ty| self.b.new_value(ty)).collect();
        let operand = self.copier.value(stmt.kind.operands()[0]);
        self.b.push(with_arms(&stmt.kind, operand, sums.clone(), blocks));
        self.adjoints = outer;
        self.adjoints.extend(live.into_iter().zip(sums));
    }

    /// One arm, without its yields yet: its statements, and the adjoints after them.
    fn arm(&mut self, block: &'a Block, seeds: &[(usize, Value)]) -> (Block, FxHashMap<Value, Value>) {
        let outer = self.adjoints.clone();
        self.b.begin_block();
        self.replay(block, &[]);
        if on(Bug::ArmForgetsOuter) {
            self.adjoints.clear();
        }
        for &(i, seed) in seeds {
            self.accumulate(block.yields[i], seed);
        }
        self.sweep(block);
        let swept = self.b.end_block(Vec::new());
        (swept, std::mem::replace(&mut self.adjoints, outer))
    }

    /// Lets a swept arm yield the adjoints of these values, zero where the arm has none.
    fn close(&mut self, swept: Block, after: &FxHashMap<Value, Value>, live: &[Value]) -> Block {
        self.b.begin_block();
        swept.stmts.into_iter().for_each(|stmt| self.b.push_stmt(stmt));
        let zero = |b: &mut FunctionBuilder, value| b.zero(&adjoint_type(self.primal.ty(value)));
        let yields =
            live.iter().map(|value| after.get(value).copied().unwrap_or_else(|| zero(&mut self.b, *value)));
        let yields = yields.collect();
        self.b.end_block(yields)
    }
}
