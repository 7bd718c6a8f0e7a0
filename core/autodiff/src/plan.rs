//! How each loop is reversed: which of its parameters the reverse sweep must have back, and from where.
//!
//! The sweep of an iteration runs the iteration's body again, from the parameters as they were before it. A parameter
//! that the body's sweep does not read is never made again (an accumulator, an array only written). One that is known
//! from the number of the iteration is computed. What is left is the loop's *state*: the least set of parameters from
//! which what the sweep reads, and the next state, can be computed. Without state a loop is reversed without storage.
//!
//! A loop with state that few numbers enter is not reversed: forward mode goes through it, once, along each of them, and the
//! sweep multiplies the results' cotangents by what that gives.

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
    /// The active numbers that enter the loop, where forward mode goes through it.
    pub inputs: Vec<Value>,
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
    /// There is none: forward mode goes through the loop, along each number that enters it.
    Forward,
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

/// How many numbers may enter a loop that forward mode goes through. A trip of it costs about 1 + 1.5 n times the trip's own
/// statements; reversing one costs about 4.5 where all states are stored, 6 where states are computed again, and once
/// more for each level of loops in it.
const FEW_INPUTS: [usize; 3] = [2, 3, 4];
/// Tangents that such a loop carries at most.
const MOST_TANGENTS: usize = 16;

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
        match self.few_inputs(stmt, storage) {
            Some(inputs) => forward(stmt, inputs, trips),
            None => LoopPlan { inputs: Vec::new(), state, known, trips, storage, advance, outside },
        }
    }

    /// The active numbers that enter a loop, if forward mode along each of them is cheaper than reversing it.
    fn few_inputs(&self, stmt: &Stmt, storage: Storage) -> Option<Vec<Value>> {
        let StmtKind::Loop { inits, params, head, body, .. } = &stmt.kind else { return None };
        let [all, slots, nested] = FEW_INPUTS;
        let few = match storage {
            Storage::Nothing | Storage::Forward => return None,
            _ if holds(body, |stmt| matches!(stmt, StmtKind::Loop { .. })) => nested,
            Storage::All(_) => all,
            Storage::Slots(_) => slots,
        };
        let touches = |stmt: &StmtKind| matches!(stmt, StmtKind::Effect { .. } | StmtKind::Call { .. });
        if self.options.reversed || holds(head, touches) || holds(body, touches) {
            return None;
        }
        let is_active = |value: Value| self.activity.is_active(value);
        let starts = inits.iter().zip(params).filter(|(init, param)| is_active(**init) && is_active(**param));
        let free = visit::free_values(body)
            .into_iter()
            .filter(|&value| is_active(value) && !params.contains(&value));
        let mut inputs: Vec<Value> = Vec::new();
        for value in starts.map(|(&init, _)| init).chain(free) {
            if !inputs.contains(&value) {
                inputs.push(value);
            }
        }
        let varied = params.iter().filter(|&&param| self.activity.is_varied(param));
        let is_number = |value: &Value| self.function.ty(*value).is_scalar();
        let numbers = inputs.iter().all(is_number) && varied.clone().all(is_number);
        let fits = inputs.len() <= few && inputs.len() * varied.count() <= MOST_TANGENTS;
        (numbers && fits).then_some(inputs)
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

/// Whether a block, or one within, holds such a statement.
fn holds(block: &Block, is_such: impl Fn(&StmtKind) -> bool) -> bool {
    let mut found = false;
    visit::each_stmt(block, &mut |stmt| found |= is_such(&stmt.kind));
    found
}

/// The plan of a loop that forward mode goes through.
fn forward(stmt: &Stmt, inputs: Vec<Value>, trips: Option<Trips>) -> LoopPlan {
    let mut outside = Values::default();
    if let StmtKind::Loop { inits, params, head, body, .. } = &stmt.kind {
        outside.extend(visit::free_values(head).into_iter().chain(visit::free_values(body)));
        outside.retain(|value| !params.contains(value));
        outside.extend(inits);
    }
    LoopPlan {
        inputs,
        state: Vec::new(),
        known: Vec::new(),
        trips,
        storage: Storage::Forward,
        advance: Values::default(),
        outside,
    }
}

/// Words that a value takes.
pub(crate) fn words(ty: &Type) -> u32 {
    match ty {
        Type::Array(_, len) => *len,
        _ => 1,
    }
}
