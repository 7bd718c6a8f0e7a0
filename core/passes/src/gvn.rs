//! Global value numbering: an op on the same operands is computed once.

use crate::rewrite::{Change, Rule, Scope, rewrite};
use pullback_ir::function::Args;
use pullback_ir::{Function, Op, Value};
use rustc_hash::FxHashMap;
use std::collections::hash_map::Entry;

/// Replaces each op by an equal one that is visible at its place.
pub fn gvn(function: &mut Function) -> bool {
    rewrite(function, &mut [&mut Gvn::default()])
}

#[derive(Default)]
pub(crate) struct Gvn {
    known: FxHashMap<(Op, Args), Value>,
    /// What each open block added, to be forgotten at its end.
    added: Vec<Vec<(Op, Args)>>,
}

/// Operands that commute come in order of their ids.
fn key(op: &Op, args: &[Value]) -> (Op, Args) {
    let mut args = Args::from_slice(args);
    if op.is_commutative() {
        args.sort_unstable();
    }
    (op.clone(), args)
}

impl Rule for Gvn {
    fn apply(&mut self, _: &mut Scope<'_>, op: &Op, args: &[Value]) -> Option<Change> {
        self.known.get(&key(op, args)).map(|&value| Change::Value(value))
    }

    fn keep(&mut self, op: &Op, args: &[Value], result: Value) {
        let key = key(op, args);
        if let Entry::Vacant(entry) = self.known.entry(key)
            && let Some(added) = self.added.last_mut()
        {
            added.push(entry.key().clone());
            entry.insert(result);
        }
    }

    fn enter_block(&mut self) {
        self.added.push(Vec::new());
    }

    fn leave_block(&mut self) {
        for key in self.added.pop().unwrap_or_default() {
            self.known.remove(&key);
        }
    }
}
