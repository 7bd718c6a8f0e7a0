//! How each loop is reversed: which of its parameters the reverse sweep must have back, and from where.
//!
//! The sweep of an iteration runs the iteration's body again, from the parameters as they were before it. A parameter
//! that the body's sweep does not read is never made again (an accumulator, an array only written). One that is known
//! from the number of the iteration is computed. What is left is the loop's *state*: the least set of parameters from
//! which what the sweep reads, and the next state, can be computed. Without state a loop is reversed without storage.

use crate::LoopOptions;
use crate::activity::Activity;
use crate::known::{Fixed, Knowledge, Known, Trips, known};
use crate::mutation::{Bug, on};
use crate::need::{Values, close, reads};
use crate::site::constants;
use pullback_base::bug;
use pullback_ir::{Block, Function, LoopHints, Stmt, StmtKind, Type, Value, visit};
use rustc_hash::FxHashMap;

/// The plan of one active loop.
pub(crate) struct LoopPlan {
    /// The numbers of the parameters that are the state.
    pub state: Vec<usize>,
    /// Parameters known from the number of the iteration, by number.
    pub known: Vec<(usize, Known)>,
    /// How many trips there are, if that is known before the loop has run.
    pub trips: Option<Trips>,
    pub storage: Storage,
    /// What computes the next state from the state.
    pub advance: Values,
    /// What the sweep takes from outside of the loop.
    pub outside: Values,
}

/// Where the state of a trip comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Storage {
    /// There is no state.
    Nothing,
    /// That many trips are made at most, and the state before each is stored.
    All(u32),
    /// That many states are stored; the others are computed from them.
    Slots(u32),
}

/// Words of storage that a loop takes, unless its state is large.
const WORDS: u32 = 64;
/// Words that it takes if as many trips are made as there is room for, so that no state is computed twice.
const WORDS_OF_ALL: u32 = 512;
const FEWEST_SLOTS: u32 = 4;

/// The plans of a function's active loops.
#[derive(Default)]
pub(crate) struct LoopPlans {
    /// By the loop's first result.
    plans: FxHashMap<Value, LoopPlan>,
}

impl LoopPlans {
    pub fn new(function: &Function, activity: &Activity, options: LoopOptions) -> Self {
        let mut planner =
            Planner { function, activity, options, constants: constants(function), plans: Self::default() };
        planner.block(&function.body);
        planner.plans
    }

    /// The plan of the active loop with these results.
    pub fn of(&self, results: &[Value]) -> &LoopPlan {
        match results.first().and_then(|first| self.plans.get(first)) {
            Some(plan) => plan,
            None => bug!("autodiff", "a loop without a plan"),
        }
    }
}

struct Planner<'a> {
    function: &'a Function,
    activity: &'a Activity,
    options: LoopOptions,
    constants: FxHashMap<Value, f64>,
    plans: LoopPlans,
}

impl Planner<'_> {
    /// Inner loops first: outer ones read their plans.
    fn block(&mut self, block: &Block) {
        for stmt in &block.stmts {
            for inner in stmt.kind.blocks() {
                self.block(inner);
            }
            if let StmtKind::Loop { results, .. } = &stmt.kind
                && let Some(&first) = results.first()
                && self.activity.is_swept(&stmt.kind)
            {
                let plan = self.plan(stmt);
                self.plans.plans.insert(first, plan);
            }
        }
    }

    fn plan(&self, stmt: &Stmt) -> LoopPlan {
        let StmtKind::Loop { inits, params, body, hints, .. } = &stmt.kind else {
            bug!("autodiff", "not a loop")
        };
        let Knowledge { params: known, trips, at_most } = known(self.function, &stmt.kind);
        let mut swept = reads(body, self.activity, &self.plans);
        close(body, &mut swept);
        let mut advance = Values::default();
        let mut state: Vec<usize> = Vec::new();
        // A parameter becomes part of the state once, so the fixed point comes after as many rounds at most.
        loop {
            let is_read = |i: &usize| swept.contains(&params[*i]) || advance.contains(&params[*i]);
            let wider: Vec<usize> = (0..params.len()).filter(|i| known[*i].is_none() && is_read(i)).collect();
            if wider.len() == state.len() {
                break;
            }
            state = wider;
            advance.extend(state.iter().map(|&i| body.yields[i]));
            close(body, &mut advance);
            if on(Bug::NoFixpoint) {
                break;
            }
        }
        let inner = visit::definitions(body);
        let mut outside: Values = swept.union(&advance).copied().collect();
        let known = known.into_iter().enumerate().filter_map(|(i, known)| Some((i, known?)));
        let known: Vec<(usize, Known)> = known.filter(|(i, _)| outside.contains(&params[*i])).collect();
        outside.retain(|value| !inner.contains(value) && !params.contains(value));
        outside.extend(state.iter().map(|&i| inits[i]));
        for (i, known) in &known {
            if let Known::Induction { step, .. } = known {
                outside.insert(inits[*i]);
                outside.extend(step.value());
            }
        }
        for end in trips.iter().flat_map(|trips| [trips.from, trips.to]) {
            outside.extend(end.value());
        }
        let state_words = state.iter().map(|&i| words(self.function.ty(params[i]))).sum();
        let storage = self.storage(state_words, trips, &at_most, *hints);
        LoopPlan { state, known, trips, storage, advance, outside }
    }

    fn storage(
        &self,
        state_words: u32,
        trips: Option<Trips>,
        at_most: &[Trips],
        hints: LoopHints,
    ) -> Storage {
        if state_words == 0 {
            return Storage::Nothing;
        }
        let fitting = |words: u32| (words / state_words).clamp(FEWEST_SLOTS, WORDS_OF_ALL);
        let slots = |words: u32| self.options.slots.map_or(fitting(words), |slots| slots.max(1));
        let few = slots(WORDS);
        let fits = |count: &i64, slots: u32| *count <= i64::from(slots);
        let exactly = trips.and_then(|trips| self.trip_count(trips));
        let limit = at_most.iter().filter_map(|&trips| self.trip_count(trips)).min();
        let exactly = exactly.filter(|count| fits(count, slots(WORDS_OF_ALL)));
        if let Some(count) = exactly.or(limit.filter(|count| fits(count, few))) {
            return Storage::All(count as u32);
        }
        // A hint that fits is taken: then no state is computed twice, if it is true.
        let hint = hints.max_trips.filter(|&count| self.options.slots.is_none() && count <= few);
        Storage::Slots(hint.map_or(few, |count| count.max(1)))
    }

    /// The number of trips, if it is the same in all lanes.
    fn trip_count(&self, trips: Trips) -> Option<i64> {
        let number = |end: Fixed| match end {
            Fixed::Constant(constant) => Some(constant.as_i64()),
            Fixed::Invariant(value) => self.constants.get(&value).map(|&number| number as i64),
        };
        Some((number(trips.to)? - number(trips.from)? + trips.more).max(0))
    }
}

/// Words that a value takes.
pub(crate) fn words(ty: &Type) -> u32 {
    match ty {
        Type::Array(_, len) => *len,
        _ => 1,
    }
}
