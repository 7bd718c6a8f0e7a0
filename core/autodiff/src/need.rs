//! What the reverse sweep of a block reads, and what must be run again to have it.

use crate::activity::Activity;
use crate::plan::{LoopPlans, Storage};
use crate::rules::{Rule, rule};
use crate::site::Reads;
use pullback_ir::{Block, Op, StmtKind, Value, visit};
use rustc_hash::FxHashSet;

/// Values of a function.
pub(crate) type Values = FxHashSet<Value>;

/// The primal values that the reverse sweep of a block reads, but for those it makes again itself. A loop's condition
/// stands for the number of its trips.
pub(crate) fn reads(block: &Block, activity: &Activity, plans: &LoopPlans) -> Values {
    let mut out = Values::default();
    for stmt in &block.stmts {
        if !activity.is_swept(&stmt.kind) {
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
                    let mut needed = reads(arm, activity, plans);
                    close(arm, &mut needed);
                    out.extend(needed.into_iter().filter(|value| !inner.contains(value)));
                }
            }
            StmtKind::Loop { results, params, head, .. } => {
                let plan = plans.of(results);
                out.extend(&plan.outside);
                let is_counted = plan.trips.is_none() || matches!(plan.storage, Storage::All(_));
                if is_counted && plan.storage != Storage::Forward {
                    out.insert(head.yields[0]);
                    // Its states are stored when it is run.
                    out.extend(plan.state.iter().map(|&i| params[i]));
                }
            }
            // Where an element's cotangent is.
            StmtKind::Effect { args, .. } => out.extend(args.first()),
            // What a given derivative takes.
            StmtKind::Call { results, callee, args } => {
                out.extend(args);
                out.extend(activity.custom(*callee).repeated_results(results));
            }
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

/// All that any sweep reads in a block or in the regions in it, and what that is computed from: what is run again.
pub(crate) fn rerun(block: &Block, activity: &Activity, plans: &LoopPlans) -> Values {
    let mut out = reads(block, activity, plans);
    for stmt in block.stmts.iter().filter(|stmt| activity.is_swept(&stmt.kind)) {
        if matches!(stmt.kind, StmtKind::Loop { .. }) {
            out.extend(&plans.of(stmt.kind.results()).advance);
        }
        for inner in stmt.kind.blocks() {
            out.extend(rerun(inner, activity, plans));
        }
    }
    close(block, &mut out);
    out
}

/// What a block is run for, besides needed values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writes {
    Left,
    /// Each once, in order.
    Run,
}

impl Writes {
    /// Whether the statement is run for a write that it is or holds.
    pub fn want(self, stmt: &StmtKind) -> bool {
        self == Writes::Run && writes(stmt)
    }
}

/// Whether a statement is or holds a write. A call may be one: if it is not, expanding it tells.
pub(crate) fn writes(stmt: &StmtKind) -> bool {
    match stmt {
        StmtKind::Effect { .. } | StmtKind::Call { .. } => stmt.has_effect(),
        _ => stmt.blocks().iter().any(|block| block.stmts.iter().any(|stmt| writes(&stmt.kind))),
    }
}

/// Adds to the needed values all that they are computed from, within a block and before it.
pub(crate) fn close(block: &Block, needed: &mut Values) {
    close_with(block, needed, Writes::Left);
}

/// As [`close`], and what the writes take and hang on.
///
/// The parameters of a loop that are not needed hold garbage when the loop is run again, so everything is sliced to
/// what is needed: garbage never decides how often an inner loop turns.
pub(crate) fn close_with(block: &Block, needed: &mut Values, writes: Writes) {
    for stmt in block.stmts.iter().rev() {
        let wanted = writes.want(&stmt.kind);
        match &stmt.kind {
            StmtKind::If { results, .. } | StmtKind::Switch { results, .. } => {
                if wanted || any(results, needed) {
                    needed.extend(stmt.kind.operands());
                    for arm in stmt.kind.blocks() {
                        pull(results, &arm.yields, needed);
                        close_with(arm, needed, writes);
                    }
                }
            }
            StmtKind::Loop { results, inits, params, head, body, .. } => {
                if wanted || any(results, needed) || needed.contains(&head.yields[0]) {
                    pull(results, params, needed);
                    needed.insert(head.yields[0]);
                    // A parameter becomes needed once, so the fixed point comes after as many rounds at most.
                    loop {
                        let before = needed.len();
                        pull(params, &body.yields, needed);
                        close_with(body, needed, writes);
                        close_with(head, needed, writes);
                        if needed.len() == before {
                            break;
                        }
                    }
                    pull(params, inits, needed);
                }
            }
            _ => {
                if wanted || any(stmt.kind.results(), needed) {
                    needed.extend(stmt.kind.operands());
                }
            }
        }
    }
}

fn any(values: &[Value], needed: &Values) -> bool {
    values.iter().any(|value| needed.contains(value))
}

/// A needed value needs what gives it.
fn pull(values: &[Value], from: &[Value], needed: &mut Values) {
    for (value, from) in values.iter().zip(from) {
        if needed.contains(value) {
            needed.insert(*from);
        }
    }
}
