//! Reverse mode, region by region: run a block's needed values again, then sweep its statements backwards.
//!
//! Values are immutable, so "the value at that time" is a name; adjoints are immutable too, and an accumulation makes
//! a new one. The sweep of a region starts by replaying the part of it that the sweep reads, so nothing is stored
//! from one sweep to the other but the states of loops.

mod adjoints;
mod branch;
mod call;
mod checkpoint;
mod jacobian;
mod loops;
mod memory;
mod replay;

use self::jacobian::Jacobian;
use self::replay::Run;
use crate::activity::Activity;
use crate::calls::Calls;
use crate::effects::{self, Rerun};
use crate::memory::Duals;
use crate::need::{self, Writes};
use crate::plan::LoopPlans;
use crate::rules::{Contribution, Rule, rule};
use crate::site::{Site, constants};
use crate::{Convention, VjpRequest, derived_from, unpaired};
use pullback_base::{Diagnostics, bug};
use pullback_ir::visit::Copier;
use pullback_ir::{Block, DerivativeMode, Function, FunctionBuilder, Op, StmtKind, Type, Value};
use rustc_hash::FxHashMap;

pub(crate) fn derive(primal: &Function, calls: Calls, request: &VjpRequest) -> Result<Function, Diagnostics> {
    let yields = &primal.body.yields;
    let activity =
        Activity::of(primal, calls, &request.active_params, &request.seeded_results, request.constant_memory);
    let plans = LoopPlans::new(primal, &activity, request.loops);
    let values = &need::rerun(&primal.body, &activity, &plans);
    let rerun = Rerun { values, distinct_params: &request.distinct_params };
    let mut refused = effects::refused(primal, &activity, Some(rerun));
    refused.extend(unpaired::refused(primal, &activity, DerivativeMode::Backward));
    if refused.has_errors() {
        return Err(refused);
    }
    let (mut b, copier) = derived_from(primal, "vjp");
    let duals = Duals::new(primal, &request.active_params, &mut b);
    let mut reverse = Reverse {
        primal,
        activity: &activity,
        plans: &plans,
        convention: request.convention,
        constants: constants(primal),
        b,
        copier,
        adjoints: FxHashMap::default(),
        runs: FxHashMap::default(),
        jacobians: FxHashMap::default(),
        writes: if request.keep_results { Writes::Run } else { Writes::Left },
        duals,
    };
    let seeds = reverse.seeds(&request.seeded_results);
    let kept = if request.keep_results { yields.as_slice() } else { &[] };
    reverse.replay(&primal.body, kept);
    // What the sweep runs again has been run.
    reverse.writes = Writes::Left;
    reverse.b.set_span(primal.span);
    for (value, seed) in seeds {
        reverse.accumulate(value, seed);
    }
    reverse.sweep(&primal.body);
    reverse.b.set_span(primal.span);
    let mut results = reverse.copier.values(kept);
    for (&param, _) in primal.params.iter().zip(&request.active_params).filter(|(_, active)| **active) {
        if matches!(primal.ty(param), Type::Pointer(_)) {
            continue; // its cotangent is in memory already
        }
        let adjoint = reverse.take(param);
        results.push(adjoint.unwrap_or_else(|| reverse.b.zero(primal.ty(param))));
    }
    let mut function = reverse.b.finish(results);
    function.span = primal.span;
    Ok(function)
}

struct Reverse<'a> {
    primal: &'a Function,
    activity: &'a Activity,
    plans: &'a LoopPlans,
    convention: Convention,
    constants: FxHashMap<Value, f64>,
    b: FunctionBuilder,
    /// From the function's values to their latest copies.
    copier: Copier<'a>,
    /// From the function's active values to the sum of what their uses have given so far.
    adjoints: FxHashMap<Value, Value>,
    /// From a loop's first result to what its latest run has left for its sweep.
    runs: FxHashMap<Value, Run>,
    /// From the first result of a loop that forward mode went through to what that gave.
    jacobians: FxHashMap<Value, Jacobian>,
    /// Whether what is run now runs its writes.
    writes: Writes,
    /// Where the cotangents of memory are.
    duals: Duals,
}

impl<'a> Reverse<'a> {
    /// The cotangents of the seeded results, as parameters: each result with its seed.
    fn seeds(&mut self, seeded: &[bool]) -> Vec<(Value, Value)> {
        let yields = &self.primal.body.yields;
        let mut seeds = Vec::new();
        for (i, (&value, _)) in yields.iter().zip(seeded).enumerate().filter(|(_, pair)| *pair.1) {
            let name = if yields.len() == 1 { "d_result".to_owned() } else { format!("d_result{i}") };
            let seed = self.b.param(self.primal.ty(value).clone(), &name);
            seeds.push((value, seed));
        }
        seeds
    }

    pub(super) fn sweep(&mut self, block: &'a Block) {
        for stmt in block.stmts.iter().rev() {
            self.b.set_span(stmt.span);
            match &stmt.kind {
                StmtKind::Let { result, op, args } => self.op(*result, op, args),
                StmtKind::If { results, .. } | StmtKind::Switch { results, .. } => self.branch(stmt, results),
                StmtKind::Loop { .. } => self.repeat(stmt),
                StmtKind::Call { results, callee, args } => self.call(results, *callee, args),
                StmtKind::Effect { result, effect, args } => self.touch(*effect, *result, args),
            }
        }
    }

    fn op(&mut self, result: Value, op: &Op, args: &[Value]) {
        let Some(g) = self.take(result) else { return };
        let masked = self.activity.is_masked(result);
        let site = Site::new(
            &mut self.b,
            self.convention,
            need::op_reads(op, args, self.activity),
            (args, result),
            |value| self.copier.value(value),
            |value| self.constants.get(&value).copied(),
        );
        let row = rule(op);
        let contribution = |operand: usize| match &row {
            Rule::Partials(partials) => partials[operand].apply(g, &site, masked).map(Contribution::Whole),
            Rule::Linear(_, transpose) => Some(transpose(site.term(g), &site, op, operand)),
            Rule::Discrete | Rule::Flat | Rule::Aggregate => {
                bug!("autodiff", "`{}` has no adjoint", op.name())
            }
        };
        let active = (0..args.len()).filter(|&operand| self.activity.is_active(args[operand]));
        let contributions: Vec<(Value, Contribution)> =
            active.filter_map(|operand| Some((args[operand], contribution(operand)?))).collect();
        for (value, contribution) in contributions {
            match contribution {
                Contribution::Whole(term) => self.accumulate(value, term),
                Contribution::Element(index, term) => self.accumulate_element(value, index, term),
            }
        }
    }
}
