//! Forward mode: each statement is followed by its tangents, one along each direction.

use crate::activity::Activity;
use crate::calls::Calls;
use crate::memory::Duals;
use crate::mutation::{Bug, on};
use crate::rules::{Rule, rule};
use crate::site::{Site, constants};
use crate::{Convention, JvpRequest, derived_from, effects, unpaired};
use pullback_base::{Diagnostics, bug};
use pullback_ir::function::Args;
use pullback_ir::visit::Copier;
use pullback_ir::{
    Block, DerivativeMode, Effect, FuncId, Function, FunctionBuilder, Op, Stmt, StmtKind, Type, Value,
};
use rustc_hash::FxHashMap;

pub(crate) fn derive(primal: &Function, calls: Calls, request: &JvpRequest) -> Result<Function, Diagnostics> {
    let floats: Vec<bool> = primal.results.iter().map(|ty| ty.has_float()).collect();
    let activity = Activity::of(primal, calls, &request.active_params, &floats, request.constant_memory);
    let mut refused = effects::refused(primal, &activity, None);
    refused.extend(unpaired::refused(primal, &activity, DerivativeMode::Forward));
    if refused.has_errors() {
        return Err(refused);
    }
    let (mut b, mut copier) = derived_from(primal, "jvp");
    let duals = Duals::new(primal, &request.active_params, &mut b);
    let mut forward = Forward {
        primal,
        activity: &activity,
        convention: request.convention,
        constants: &constants(primal),
        b: &mut b,
        copier: &mut copier,
        tangents: vec![FxHashMap::default()],
        duals: &duals,
    };
    forward.tangent_params(&request.active_params);
    let block = &primal.body;
    forward.stmts(block);
    let mut results = forward.copier.values(&block.yields);
    for (&value, _) in block.yields.iter().zip(&floats).filter(|(_, float)| **float) {
        results.push(forward.tangent(ONLY, value));
    }
    let mut function = b.finish(results);
    function.span = primal.span;
    Ok(function)
}

/// The direction of a function's own derivative. What has several directions (a loop that reverse mode goes through
/// forwards) touches no memory and calls nothing.
const ONLY: usize = 0;

pub(crate) struct Forward<'a, 'b> {
    pub primal: &'a Function,
    pub activity: &'b Activity,
    pub convention: Convention,
    pub constants: &'b FxHashMap<Value, f64>,
    pub b: &'b mut FunctionBuilder,
    /// From the function's values to their copies.
    pub copier: &'b mut Copier<'a>,
    /// Along each direction: from varied values to their tangents. What has none there does not vary along it.
    pub tangents: Vec<FxHashMap<Value, Value>>,
    /// Where the tangents of memory are.
    pub duals: &'b Duals,
}

impl<'a> Forward<'a, '_> {
    fn tangent_params(&mut self, active_params: &[bool]) {
        for (i, (&param, _)) in self.primal.params.iter().zip(active_params).enumerate().filter(|(_, p)| *p.1)
        {
            let decl = &self.primal.values[param];
            if let Type::Pointer(_) = decl.ty {
                continue; // its tangents are in memory
            }
            let name = decl.name.as_ref().map_or_else(|| format!("d_{i}"), |name| format!("d_{name}"));
            let tangent = self.b.param(decl.ty.clone(), &name);
            self.tangents[ONLY].insert(param, tangent);
        }
    }

    /// The tangent; a zero where there is none.
    fn tangent(&mut self, along: usize, value: Value) -> Value {
        match self.tangents[along].get(&value) {
            Some(&tangent) => tangent,
            None => self.b.zero(self.primal.ty(value)),
        }
    }

    fn stmts(&mut self, block: &'a Block) {
        block.stmts.iter().for_each(|stmt| self.stmt(stmt));
    }

    fn stmt(&mut self, stmt: &'a Stmt) {
        self.b.set_span(stmt.span);
        match &stmt.kind {
            StmtKind::Let { result, op, args } => {
                self.copy(stmt);
                if self.activity.is_varied(*result) {
                    (0..self.tangents.len()).for_each(|along| self.op(along, *result, op, args));
                }
            }
            StmtKind::If { results, .. } | StmtKind::Switch { results, .. } => self.branch(stmt, results),
            StmtKind::Loop { .. } => self.repeat(stmt),
            StmtKind::Call { results, callee, args } => self.call(results, *callee, args),
            StmtKind::Effect { result, effect, args } => {
                self.copy(stmt);
                self.touch(*effect, *result, args);
            }
        }
    }

    fn copy(&mut self, stmt: &Stmt) {
        let copy = self.copier.stmt(self.b.function_mut(), stmt);
        self.b.push_stmt(copy);
    }

    fn op(&mut self, along: usize, result: Value, op: &'a Op, args: &[Value]) {
        let tangent = match rule(op) {
            _ if !args.iter().any(|arg| self.tangents[along].contains_key(arg)) => None,
            Rule::Partials(partials) => {
                let mut sum = None;
                for (partial, arg) in partials.iter().zip(args) {
                    let Some(&tangent) = self.tangents[along].get(arg) else { continue };
                    let site = Site::new(
                        self.b,
                        self.convention,
                        partial.reads,
                        (args, result),
                        |value| self.copier.value(value),
                        |value| self.constants.get(&value).copied(),
                    );
                    // A branch not taken leaves its tangent behind by itself, so nothing is masked.
                    let Some(term) = partial.apply(tangent, &site, false) else { continue };
                    sum = Some(sum.map_or(term, |sum| self.b.add(sum, term)));
                }
                sum
            }
            Rule::Linear(..) => {
                let args: Args = args.iter().map(|&arg| self.linear_operand(along, arg)).collect();
                Some(self.b.op(op.clone(), &args))
            }
            Rule::Discrete | Rule::Flat | Rule::Aggregate => {
                bug!("autodiff", "`{}` has no tangent", op.name())
            }
        };
        // Every partial may be flat: then the tangent is zero.
        if let Some(tangent) = tangent {
            self.tangents[along].insert(result, tangent);
        }
    }

    /// What is done to active memory is done to its tangents.
    fn touch(&mut self, effect: Effect, result: Option<Value>, args: &[Value]) {
        if self.activity.active_memory(args[0]).is_none() {
            return;
        }
        match (effect, result) {
            (Effect::Load, Some(result)) if self.activity.is_varied(result) => {
                let place = self.duals.place(args[0], self.copier, self.b);
                let tangent = self.b.load(place);
                self.tangents[ONLY].insert(result, tangent);
            }
            (Effect::Store | Effect::AtomicAdd, _) => {
                let place = self.duals.place(args[0], self.copier, self.b);
                let tangent = self.tangent(ONLY, args[1]);
                let effect = if on(Bug::AddedSet) { Effect::Store } else { effect };
                self.b.write(effect, place, tangent);
            }
            _ => {}
        }
    }

    /// The derivative that the author gave, in the call's place: it gives values and tangents.
    fn call(&mut self, results: &[Value], callee: FuncId, args: &[Value]) {
        let custom = self.activity.custom(callee);
        let (derivatives, derivative) = (custom.derivatives.clone(), custom.derivative);
        let types = custom.derivative_results(DerivativeMode::Forward);
        let mut operands = Vec::new();
        let mut rest = args;
        for param in derivatives.params.iter().filter(|param| param.direction.reads()) {
            let (leaves, after) = rest.split_at(param.value.ty.leaves().len());
            rest = after;
            operands.extend(self.copier.values(leaves));
            let Some(tangent) = &param.value.tangent else { continue };
            let parts = tangent.parts().into_iter().zip(tangent.ty.leaves());
            operands.extend(parts.map(|(leaf, ty)| match leaf {
                Some(leaf) if !ty.is_float() => self.copier.value(leaves[leaf]),
                Some(leaf) if !(on(Bug::GivenStartsFlat) && rest.is_empty()) => {
                    self.tangent(ONLY, leaves[leaf])
                }
                _ => self.b.zero(&ty),
            }));
        }
        let mut given = self.b.call(derivative, &types, &operands).into_iter();
        let mut rest = results;
        let written = derivatives.params.iter().filter(|param| param.direction.writes());
        for value in derivatives.result.iter().chain(written.map(|param| &param.value)) {
            let (leaves, after) = rest.split_at(value.ty.leaves().len());
            rest = after;
            self.copier.map.extend(leaves.iter().copied().zip(given.by_ref()));
            let Some(tangent) = &value.tangent else { continue };
            for (part, given) in tangent.parts().into_iter().zip(given.by_ref()) {
                if let Some(leaf) = part.filter(|&leaf| self.activity.is_varied(leaves[leaf])) {
                    self.tangents[ONLY].insert(leaves[leaf], given);
                }
            }
        }
    }

    /// Floats are replaced by their tangents, all else (conditions, indices) stays.
    fn linear_operand(&mut self, along: usize, arg: Value) -> Value {
        if self.primal.ty(arg).has_float() { self.tangent(along, arg) } else { self.copier.value(arg) }
    }

    /// `If` and `Switch`: each arm yields the tangents of the varied results too.
    fn branch(&mut self, stmt: &'a Stmt, results: &'a [Value]) {
        let varied: Vec<bool> = results.iter().map(|&result| self.activity.is_varied(result)).collect();
        let arms: Vec<Block> = stmt.kind.blocks().into_iter().map(|arm| self.arm(arm, &varied)).collect();
        self.b.set_span(stmt.span);
        let (copies, tangents) = self.define_results(results, &varied);
        let results = copies.into_iter().chain(tangents).collect();
        let operand = self.copier.value(stmt.kind.operands()[0]);
        self.b.push(with_arms(&stmt.kind, operand, results, arms));
    }

    fn arm(&mut self, block: &'a Block, varied: &[bool]) -> Block {
        self.b.begin_block();
        self.stmts(block);
        let yields = self.yields(block, varied);
        self.b.end_block(yields)
    }

    fn yields(&mut self, block: &Block, varied: &[bool]) -> Vec<Value> {
        let mut yields = self.copier.values(&block.yields);
        for along in 0..self.tangents.len() {
            for (&value, _) in block.yields.iter().zip(varied).filter(|(_, varied)| **varied) {
                yields.push(self.tangent(along, value));
            }
        }
        yields
    }

    /// New values for a region's results (or a loop's parameters), and for the tangents of the varied ones.
    fn define_results(&mut self, results: &[Value], varied: &[bool]) -> (Vec<Value>, Vec<Value>) {
        let copies: Vec<Value> =
            results.iter().map(|&value| self.copier.define(self.b.function_mut(), value)).collect();
        let mut tangents = Vec::new();
        for along in 0..self.tangents.len() {
            for (&value, _) in results.iter().zip(varied).filter(|(_, varied)| **varied) {
                let tangent = self.b.new_value(self.primal.ty(value).clone());
                self.tangents[along].insert(value, tangent);
                tangents.push(tangent);
            }
        }
        (copies, tangents)
    }

    /// `Loop`: carries the tangents of the varied parameters too.
    pub fn repeat(&mut self, stmt: &'a Stmt) {
        let StmtKind::Loop { results, inits, params, head, body, hints } = &stmt.kind else { return };
        let varied: Vec<bool> = params.iter().map(|&param| self.activity.is_varied(param)).collect();
        let mut all_inits = self.copier.values(inits);
        for along in 0..self.tangents.len() {
            for (&init, _) in inits.iter().zip(&varied).filter(|(_, varied)| **varied) {
                let tangent = self.tangent(along, init);
                let ty = self.b.ty(tangent).clone();
                all_inits.push(if on(Bug::LoopStartsFlat) { self.b.zero(&ty) } else { tangent });
            }
        }
        let (mut all_params, tangents) = self.define_results(params, &varied);
        all_params.extend(tangents);
        // The condition is a bool: the head needs no tangents.
        let head = self.copier.block(self.b.function_mut(), head);
        let body = self.arm(body, &varied);
        let (mut all_results, tangents) = self.define_results(results, &varied);
        all_results.extend(tangents);
        self.b.set_span(stmt.span);
        self.b.push(StmtKind::Loop {
            results: all_results,
            inits: all_inits,
            params: all_params,
            head,
            body,
            hints: *hints,
        });
    }
}

/// A statement like the given `If` or `Switch` with another operand, results and arms.
pub(crate) fn with_arms(
    like: &StmtKind,
    operand: Value,
    results: Vec<Value>,
    mut arms: Vec<Block>,
) -> StmtKind {
    let Some(last) = arms.pop() else { bug!("autodiff", "a branch without arms") };
    match like {
        StmtKind::If { .. } => {
            let Some(then) = arms.pop() else { bug!("autodiff", "an `if` with one arm") };
            StmtKind::If { results, condition: operand, then, otherwise: last }
        }
        StmtKind::Switch { cases, .. } => {
            let cases = cases.iter().zip(arms).map(|((values, _), arm)| (values.clone(), arm)).collect();
            StmtKind::Switch { results, selector: operand, cases, default: last }
        }
        _ => bug!("autodiff", "not a branch"),
    }
}
