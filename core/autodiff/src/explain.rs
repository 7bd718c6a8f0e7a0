//! What a reverse derivative costs and refuses, said before it is made: per loop, how it is reversed and what is stored.

use crate::activity::Activity;
use crate::calls::Primal;
use crate::effects::{self, Rerun};
use crate::plan::{LoopPlan, LoopPlans, Storage, words};
use crate::{VjpRequest, need};
use pullback_base::{Diagnostics, Span};
use pullback_ir::{Block, DerivativeMode, Function, StmtKind, Type, Value};
use std::fmt;

/// What `vjp` makes of a request.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// Each loop, outer before inner.
    pub loops: Vec<LoopExplanation>,
    /// What `vjp` answers instead of a function, if it is not empty.
    pub refused: Diagnostics,
}

/// How a loop is reversed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoopExplanation {
    pub span: Span,
    /// The number of loops around it.
    pub depth: usize,
    pub trips: TripCount,
    /// Words that have to be known of each trip.
    pub state_words: u32,
    pub strategy: Strategy,
    /// What is stored in each lane.
    pub bytes_per_lane: u64,
}

/// When the number of a loop's trips is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TripCount {
    /// At compile time.
    Constant(u32),
    /// Before the loop runs.
    Beforehand,
    /// Once it has run.
    Counted,
}

/// Where the sweep of a trip has its values from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// No derivative flows through the loop.
    NotReversed,
    /// The sweep reads nothing that the loop carries, or what it reads is known from the trip's number.
    NoStorage,
    /// It is not swept: forward mode goes through it along each of the numbers that enter it.
    ForwardMode { inputs: u32 },
    /// The state of every trip is stored.
    AllStored,
    /// The states of that many trips are stored, and the others are computed from them.
    Checkpointed { slots: u32 },
}

impl Explanation {
    /// What all loops together store in each lane.
    pub fn bytes_per_lane(&self) -> u64 {
        self.loops.iter().map(|one| one.bytes_per_lane).sum()
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Strategy::NotReversed => f.write_str("not reversed: no derivative flows through it"),
            Strategy::NoStorage => f.write_str("reversed without storage"),
            Strategy::ForwardMode { inputs } => {
                let plural = if *inputs == 1 { "" } else { "s" };
                write!(f, "gone through by forward mode along {inputs} input{plural}, without storage")
            }
            Strategy::AllStored => f.write_str("all states stored"),
            Strategy::Checkpointed { slots } => write!(f, "{slots} states stored, the others recomputed"),
        }
    }
}

/// What [`crate::vjp`] does with this request.
pub fn explain<'a>(primal: impl Into<Primal<'a>>, request: &VjpRequest) -> Explanation {
    let mut loops = Vec::new();
    let (function, calls) = match primal.into().settled(DerivativeMode::Backward) {
        Ok(settled) => settled,
        Err(refused) => return Explanation { loops, refused },
    };
    let (params, results) = (&request.active_params, &request.seeded_results);
    let activity = Activity::of(&function, calls, params, results, request.constant_memory);
    let plans = LoopPlans::new(&function, &activity, request.loops);
    let values = &need::rerun(&function.body, &activity, &plans);
    let rerun = Rerun { values, distinct_params: &request.distinct_params };
    let refused = effects::refused(&function, &activity, Some(rerun));
    block(&function, &function.body, &activity, &plans, 0, &mut loops);
    Explanation { loops, refused }
}

fn block(
    function: &Function,
    within: &Block,
    activity: &Activity,
    plans: &LoopPlans,
    depth: usize,
    out: &mut Vec<LoopExplanation>,
) {
    for stmt in &within.stmts {
        let (mut inner, first) = (depth, out.len());
        if let StmtKind::Loop { results, params, .. } = &stmt.kind {
            inner += 1;
            let plan = activity.is_swept(&stmt.kind).then(|| plans.of(results));
            out.push(one_loop(function, stmt.span, depth, plan, params));
        }
        for held in stmt.kind.blocks() {
            block(function, held, activity, plans, inner, out);
        }
        // Forward mode goes through the loops within, too.
        if let Some((LoopExplanation { strategy: way @ Strategy::ForwardMode { .. }, .. }, within)) =
            out[first..].split_first_mut()
        {
            for one in within.iter_mut().filter(|one| one.strategy != Strategy::NotReversed) {
                (one.strategy, one.state_words, one.bytes_per_lane) = (*way, 0, 0);
            }
        }
    }
}

fn one_loop(
    function: &Function,
    span: Span,
    depth: usize,
    plan: Option<&LoopPlan>,
    params: &[Value],
) -> LoopExplanation {
    let not_reversed = LoopExplanation {
        span,
        depth,
        trips: TripCount::Counted,
        state_words: 0,
        strategy: Strategy::NotReversed,
        bytes_per_lane: 0,
    };
    let Some(plan) = plan else { return not_reversed };
    let types = plan.state.iter().map(|&i| function.ty(params[i]));
    let state_bytes: u64 = types.clone().map(bytes).sum();
    let trips = match (plan.storage, plan.trips) {
        (Storage::All(count), Some(_)) => TripCount::Constant(count),
        (_, Some(_)) => TripCount::Beforehand,
        (_, None) => TripCount::Counted,
    };
    // Beside a stored state stands the number of its trip.
    let (strategy, bytes_per_lane) = match plan.storage {
        Storage::Nothing => (Strategy::NoStorage, 0),
        Storage::Forward => (Strategy::ForwardMode { inputs: plan.inputs.len() as u32 }, 0),
        Storage::All(count) => (Strategy::AllStored, u64::from(count) * state_bytes),
        Storage::Slots(slots) => (Strategy::Checkpointed { slots }, u64::from(slots) * (state_bytes + 8)),
    };
    LoopExplanation { trips, state_words: types.map(words).sum(), strategy, bytes_per_lane, ..not_reversed }
}

fn bytes(ty: &Type) -> u64 {
    let word = match ty {
        Type::Array(element, _) => element.scalar(),
        other => other.scalar(),
    };
    u64::from(words(ty)) * word.map_or(8, |scalar| scalar.size_bytes() as u64)
}
