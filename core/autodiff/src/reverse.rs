//! Reverse mode, region by region: run a block's needed values again, then sweep its statements backwards.
//!
//! Values are immutable, so "the value at that time" is a name; adjoints are immutable too, and an accumulation makes
//! a new one. The sweep of a region starts by replaying the part of it that the sweep reads, so nothing is stored
//! from one sweep to the other.

use crate::activity::Activity;
use crate::forward::with_arms;
use crate::need;
use crate::rules::{Contribution, Index, Rule, adjoint_type, rule};
use crate::site::{Site, constants};
use crate::{Convention, VjpRequest};
use pullback_base::{Diagnostics, bug};
use pullback_ir::visit::Copier;
use pullback_ir::{Block, Function, FunctionBuilder, FunctionKind, Op, Stmt, StmtKind, Type, Value};
use rustc_hash::{FxHashMap, FxHashSet};

pub(crate) fn derive(primal: &Function, request: &VjpRequest) -> Result<Function, Diagnostics> {
    let yields = &primal.body.yields;
    let activity = Activity::of(primal, &request.active_params, &request.seeded_results);
    let mut refused = activity.refused_effects(primal, true);
    refused.extend(activity.refused_loops(primal));
    if refused.has_errors() {
        return Err(refused);
    }
    let mut reverse = Reverse {
        primal,
        activity,
        convention: request.convention,
        constants: constants(primal),
        b: FunctionBuilder::new(&format!("{}$vjp", primal.name), FunctionKind::Plain),
        copier: Copier::new(primal),
        adjoints: FxHashMap::default(),
    };
    let seeds = reverse.params(&request.seeded_results);
    let kept = if request.keep_results { yields.as_slice() } else { &[] };
    reverse.replay(&primal.body, kept);
    reverse.b.set_span(primal.span);
    for (value, seed) in seeds {
        reverse.accumulate(value, seed);
    }
    reverse.sweep(&primal.body);
    reverse.b.set_span(primal.span);
    let mut results = reverse.copier.values(kept);
    for (&param, _) in primal.params.iter().zip(&request.active_params).filter(|(_, active)| **active) {
        let adjoint = reverse.take(param);
        results.push(adjoint.unwrap_or_else(|| reverse.b.zero(primal.ty(param))));
    }
    let mut function = reverse.b.finish(results);
    function.span = primal.span;
    Ok(function)
}

struct Reverse<'a> {
    primal: &'a Function,
    activity: Activity,
    convention: Convention,
    constants: FxHashMap<Value, f64>,
    b: FunctionBuilder,
    /// From the function's values to their latest copies.
    copier: Copier<'a>,
    /// From the function's active values to the sum of what their uses have given so far.
    adjoints: FxHashMap<Value, Value>,
}

impl<'a> Reverse<'a> {
    /// The parameters, then the cotangents of the seeded results: each result with its seed.
    fn params(&mut self, seeded: &[bool]) -> Vec<(Value, Value)> {
        for &param in &self.primal.params {
            let copy = self.copier.define(self.b.function_mut(), param);
            self.b.function_mut().params.push(copy);
        }
        let yields = &self.primal.body.yields;
        let mut seeds = Vec::new();
        for (i, (&value, _)) in yields.iter().zip(seeded).enumerate().filter(|(_, pair)| *pair.1) {
            let name = if yields.len() == 1 { "d_result".to_owned() } else { format!("d_result{i}") };
            let seed = self.b.param(self.primal.ty(value).clone(), &name);
            seeds.push((value, seed));
        }
        seeds
    }

    /// Runs again what the sweep of the block reads, and the values wanted besides.
    fn replay(&mut self, block: &Block, wanted: &[Value]) {
        let mut reads: FxHashSet<Value> = need::reads(block, &self.activity);
        reads.extend(wanted);
        let needed = need::closure(block, reads);
        for stmt in &block.stmts {
            if stmt.kind.results().iter().any(|result| needed.contains(result)) {
                let copy = self.copier.stmt(self.b.function_mut(), stmt);
                self.b.push_stmt(copy);
            }
        }
    }

    fn sweep(&mut self, block: &'a Block) {
        for stmt in block.stmts.iter().rev() {
            self.b.set_span(stmt.span);
            match &stmt.kind {
                StmtKind::Let { result, op, args } => self.op(*result, op, args),
                StmtKind::If { results, .. } | StmtKind::Switch { results, .. } => self.branch(stmt, results),
                // A loop with an adjoint was refused, calls are gone, and the derivative of memory is not ours.
                StmtKind::Loop { .. } | StmtKind::Call { .. } | StmtKind::Effect { .. } => {}
            }
        }
    }

    fn op(&mut self, result: Value, op: &Op, args: &[Value]) {
        let Some(g) = self.take(result) else { return };
        let masked = self.activity.is_masked(result);
        let site = Site::new(
            &mut self.b,
            self.convention,
            need::op_reads(op, args, &self.activity),
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

    /// The adjoint, complete once the sweep comes to the definition.
    fn take(&mut self, value: Value) -> Option<Value> {
        let adjoint = self.adjoints.remove(&value)?;
        Some(self.cast(adjoint, self.primal.scalar(value)))
    }

    fn cast(&mut self, value: Value, to: Option<pullback_ir::Scalar>) -> Value {
        to.map_or(value, |scalar| self.b.convert(value, scalar))
    }

    /// `adjoint of value += term`
    fn accumulate(&mut self, value: Value, term: Value) {
        if !self.activity.is_active(value) {
            return;
        }
        let term = self.cast(term, adjoint_type(self.primal.ty(value)).scalar());
        let sum = match self.adjoints.get(&value) {
            Some(&so_far) => self.add(so_far, term),
            None => term,
        };
        self.adjoints.insert(value, sum);
    }

    /// The sum of scalars, or of arrays element by element.
    fn add(&mut self, a: Value, b: Value) -> Value {
        let ty = self.b.ty(a).clone();
        if ty.is_scalar() {
            return self.b.add(a, b);
        }
        let sums: Vec<Value> = (0..ty.element_count())
            .map(|i| {
                let (a, b) = (self.b.extract(a, i), self.b.extract(b, i));
                self.b.add(a, b)
            })
            .collect();
        self.b.op(Op::Construct(ty), &sums)
    }

    /// `adjoint of array [index] += term`
    fn accumulate_element(&mut self, array: Value, index: Index, term: Value) {
        let so_far = match self.adjoints.get(&array) {
            Some(&so_far) => so_far,
            None => self.b.zero(self.primal.ty(array)),
        };
        let sum = match index {
            Index::Constant(number) => {
                let element = self.b.extract(so_far, number);
                let element = self.b.add(element, term);
                self.b.op(Op::Insert(number), &[so_far, element])
            }
            Index::Dynamic(index) => {
                let element = self.b.op(Op::ElementGet, &[so_far, index]);
                let element = self.b.add(element, term);
                self.b.op(Op::ElementSet, &[so_far, index, element])
            }
        };
        self.adjoints.insert(array, sum);
    }

    /// `If` and `Switch`: a branch over the same operand, whose arms sweep the arms and yield the adjoints of the
    /// outer values that any of them changed.
    fn branch(&mut self, stmt: &'a Stmt, results: &[Value]) {
        let seeds: Vec<(usize, Value)> =
            results.iter().enumerate().filter_map(|(i, &result)| Some((i, self.take(result)?))).collect();
        if seeds.is_empty() {
            return;
        }
        let outer = self.adjoints.clone();
        let arms: Vec<(Block, FxHashMap<Value, Value>)> =
            stmt.kind.blocks().into_iter().map(|arm| self.arm(arm, &seeds)).collect();
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
