//! How each loop is reversed: which of its parameters the reverse sweep must have back, and from where.
//!
//! The sweep of an iteration runs the iteration's body again, from the parameters as they were before it. A parameter
//! that the body's sweep does not read is never made again (an accumulator, an array only written). One that is known
//! from the number of the iteration is computed. What is left is the loop's *state*: the least set of parameters from
//! which what the sweep reads, and the next state, can be computed. Without state a loop is reversed without storage.

use crate::activity::Activity;
use crate::need::{Values, close, reads};
use pullback_base::bug;
use pullback_ir::{Block, Constant, Function, Op, Stmt, StmtKind, Type, Value, visit};
use rustc_hash::FxHashMap;

/// The plan of one active loop.
pub(crate) struct LoopPlan {
    /// The numbers of the parameters that are the state.
    pub state: Vec<usize>,
    /// Parameters known from the number of the iteration, by number.
    pub known: Vec<(usize, Known)>,
    /// What computes the next state from the state.
    pub advance: Values,
    /// What the sweep takes from outside of the loop.
    pub outside: Values,
}

/// A parameter as a function of the iteration's number `k`.
#[derive(Clone, Copy)]
pub(crate) enum Known {
    /// `init + k * step`; `init - k * step` if `falling`.
    Induction { step: Step, falling: bool },
    /// The loop goes on only where it is so.
    Flag(bool),
}

#[derive(Clone, Copy)]
pub(crate) enum Step {
    Constant(Constant),
    /// A value from outside of the loop.
    Invariant(Value),
}

/// The plans of a function's active loops.
#[derive(Default)]
pub(crate) struct LoopPlans {
    /// By the loop's first result.
    plans: FxHashMap<Value, LoopPlan>,
}

impl LoopPlans {
    pub fn new(function: &Function, activity: &Activity) -> Self {
        let mut plans = Self::default();
        plans.block(function, &function.body, activity);
        plans
    }

    /// The plan of the active loop with these results.
    pub fn of(&self, results: &[Value]) -> &LoopPlan {
        match results.first().and_then(|first| self.plans.get(first)) {
            Some(plan) => plan,
            None => bug!("autodiff", "a loop without a plan"),
        }
    }

    /// Inner loops first: outer ones read their plans.
    fn block(&mut self, function: &Function, block: &Block, activity: &Activity) {
        for stmt in &block.stmts {
            for inner in stmt.kind.blocks() {
                self.block(function, inner, activity);
            }
            if let StmtKind::Loop { results, .. } = &stmt.kind
                && activity.any_active(results)
            {
                let plan = LoopPlan::new(function, stmt, activity, self);
                self.plans.insert(results[0], plan);
            }
        }
    }
}

impl LoopPlan {
    fn new(function: &Function, stmt: &Stmt, activity: &Activity, plans: &LoopPlans) -> Self {
        let StmtKind::Loop { inits, params, head, body, .. } = &stmt.kind else {
            bug!("autodiff", "not a loop")
        };
        let known: Vec<Option<Known>> = known(function, params, head, body);
        let mut swept = reads(body, activity, plans);
        close(body, &mut swept);
        let mut advance = Values::default();
        let mut state: Vec<usize> = Vec::new();
        loop {
            let is_read = |i: &usize| swept.contains(&params[*i]) || advance.contains(&params[*i]);
            let wider: Vec<usize> = (0..params.len()).filter(|i| known[*i].is_none() && is_read(i)).collect();
            if wider.len() == state.len() {
                break;
            }
            state = wider;
            advance.extend(state.iter().map(|&i| body.yields[i]));
            close(body, &mut advance);
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
        Self { state, known, advance, outside }
    }
}

impl Step {
    fn value(&self) -> Option<Value> {
        match self {
            Step::Constant(_) => None,
            Step::Invariant(value) => Some(*value),
        }
    }
}

/// What is known of each parameter.
fn known(function: &Function, params: &[Value], head: &Block, body: &Block) -> Vec<Option<Known>> {
    let lets = |block: &Block| -> FxHashMap<Value, (Op, Vec<Value>)> {
        let stmts = block.stmts.iter();
        stmts
            .filter_map(|stmt| match &stmt.kind {
                StmtKind::Let { result, op, args } => Some((*result, (op.clone(), args.to_vec()))),
                _ => None,
            })
            .collect()
    };
    let (in_head, in_body) = (lets(head), lets(body));
    let inner = visit::definitions(body);
    let step = |value: Value| match in_body.get(&value) {
        Some((Op::Const(constant), _)) => Some(Step::Constant(*constant)),
        _ if !inner.contains(&value) && !params.contains(&value) => Some(Step::Invariant(value)),
        _ => None,
    };
    let induction = |param: Value, next: Value| {
        let integer = matches!(function.ty(param), Type::Scalar(scalar) if scalar.is_integer());
        match in_body.get(&next)? {
            (Op::Add, args) if integer && args[0] == param => {
                Some(Known::Induction { step: step(args[1])?, falling: false })
            }
            (Op::Add, args) if integer && args[1] == param => {
                Some(Known::Induction { step: step(args[0])?, falling: false })
            }
            (Op::Sub, args) if integer && args[0] == param => {
                Some(Known::Induction { step: step(args[1])?, falling: true })
            }
            _ => None,
        }
    };
    let mut out: Vec<Option<Known>> =
        params.iter().zip(&body.yields).map(|(&param, &next)| induction(param, next)).collect();
    // The condition is true in each iteration, and so is all that it is the conjunction of.
    let mut facts = vec![(head.yields[0], true)];
    while let Some((value, truth)) = facts.pop() {
        if let Some(i) = params.iter().position(|&param| param == value) {
            out[i] = Some(Known::Flag(truth));
        }
        match in_head.get(&value) {
            Some((Op::And, args)) if truth => facts.extend(args.iter().map(|&arg| (arg, true))),
            Some((Op::Or, args)) if !truth => facts.extend(args.iter().map(|&arg| (arg, false))),
            Some((Op::Not, args)) => facts.push((args[0], !truth)),
            _ => {}
        }
    }
    out
}
