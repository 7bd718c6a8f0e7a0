//! What the reverse sweep of a block reads, and what must be run again to have it.

use crate::activity::Activity;
use crate::rules::{Rule, rule};
use crate::site::Reads;
use pullback_ir::{Block, Op, StmtKind, Value, visit};
use rustc_hash::FxHashSet;

/// The primal values that the reverse sweep of a block reads, but for those it makes again itself.
pub(crate) fn reads(block: &Block, activity: &Activity) -> FxHashSet<Value> {
    let mut out = FxHashSet::default();
    for stmt in &block.stmts {
        if !activity.any_active(stmt.kind.results()) {
            continue;
        }
        match &stmt.kind {
            StmtKind::Let { result, op, args } => {
                out.extend(op_reads(op, args, activity).of(args, *result));
            }
            StmtKind::If { .. } | StmtKind::Switch { .. } => {
                out.extend(stmt.kind.operands());
                for arm in stmt.kind.blocks() {
                    let inner = visit::definitions(arm);
                    let needed = closure(arm, reads(arm, activity));
                    out.extend(needed.into_iter().filter(|value| !inner.contains(value)));
                }
            }
            StmtKind::Loop { .. } | StmtKind::Call { .. } | StmtKind::Effect { .. } => {}
        }
    }
    out
}

/// What the rule of an op reads for its active operands.
pub(crate) fn op_reads(op: &Op, args: &[Value], activity: &Activity) -> Reads {
    match rule(op) {
        Rule::Discrete | Rule::Flat | Rule::Aggregate => Reads::NOTHING,
        Rule::Linear(reads, _) => reads,
        Rule::Partials(partials) => {
            let active = partials.iter().zip(args).filter(|(_, arg)| activity.is_active(**arg));
            active.fold(Reads::NOTHING, |reads, (partial, _)| reads.and(partial.reads))
        }
    }
}

/// The wanted values and all that they are computed from, within a block and before it. A statement with blocks of
/// its own is wanted whole.
pub(crate) fn closure(block: &Block, mut wanted: FxHashSet<Value>) -> FxHashSet<Value> {
    for stmt in block.stmts.iter().rev() {
        if stmt.kind.results().iter().any(|result| wanted.contains(result)) {
            wanted.extend(stmt.kind.operands());
            for inner in stmt.kind.blocks() {
                wanted.extend(visit::free_values(inner));
            }
        }
    }
    wanted
}
