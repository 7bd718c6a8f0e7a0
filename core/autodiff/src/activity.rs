//! Which values carry a derivative: those that depend on an active parameter and that a seeded result depends on.

use crate::calls::{Calls, Custom};
use crate::mutation::{Bug, on};
use crate::rules::{Rule, rule};
use crate::touched::Place;
use pullback_ir::visit::each_stmt;
use pullback_ir::{Block, Effect, FuncId, Function, Op, Roots, Stmt, StmtKind, Type, Value};
use rustc_hash::FxHashSet;

/// The derivative-carrying values of a function.
pub(crate) struct Activity {
    /// Depends differentiably on an active parameter.
    varied: FxHashSet<Value>,
    /// A seeded result depends on it differentiably.
    useful: FxHashSet<Value>,
    /// Has a use that is never switched off (module documentation of the crate, "zero times infinity").
    exposed: FxHashSet<Value>,
    memory: Memory,
    calls: Calls,
}

/// Which memory has a derivative.
struct Memory {
    roots: Roots,
    /// The active pointer parameters.
    active: FxHashSet<Value>,
    /// Whether that of the other parameters is constant.
    others_constant: bool,
}

impl Activity {
    pub fn of(
        function: &Function,
        calls: Calls,
        active_params: &[bool],
        seeded_results: &[bool],
        others_constant: bool,
    ) -> Self {
        let varied = pick(&function.params, active_params);
        let (active, varied) =
            varied.into_iter().partition(|value| matches!(function.ty(*value), Type::Pointer(_)));
        let memory = Memory { roots: Roots::of(function), active, others_constant };
        let mut varied = Varied { function, memory: &memory, calls: &calls, set: varied };
        varied.block(&function.body);
        let varied = varied.set;
        let useful = pick(&function.body.yields, seeded_results);
        let mut useful = Useful { function, memory: &memory, calls: &calls, set: useful, uncut: false };
        useful.block(&function.body);
        let exposed = FxHashSet::default();
        let mut activity = Self { varied, useful: useful.set, exposed, memory, calls };
        activity.expose(&function.body, &function.params, seeded_results);
        activity
    }

    /// The values whose derivatives end where a type has no tangents: a seeded result would depend on them.
    pub fn cut<'f>(&self, function: &'f Function, seeded_results: &[bool]) -> Vec<&'f Stmt> {
        let useful = pick(&function.body.yields, seeded_results);
        let mut useful =
            Useful { function, memory: &self.memory, calls: &self.calls, set: useful, uncut: true };
        useful.block(&function.body);
        let mut cut = Vec::new();
        each_stmt(&function.body, &mut |stmt| {
            if let StmtKind::Let { result, op: Op::Cut, args } = &stmt.kind
                && self.is_varied(args[0])
                && useful.set.contains(result)
            {
                cut.push(stmt);
            }
        });
        cut
    }

    /// The function that is called, with its derivative.
    pub fn custom(&self, callee: FuncId) -> &Custom {
        self.calls.get(callee)
    }

    /// Whether derivatives by memory are asked for.
    pub fn has_active_memory(&self) -> bool {
        !self.memory.active.is_empty()
    }

    /// Whether the derivative of what is at the address is known.
    pub fn knows_memory(&self, address: Value) -> bool {
        self.memory.knows(address)
    }

    /// The parameter that an address comes from, active or not.
    pub fn memory_of(&self, address: Value) -> Option<Value> {
        self.memory.roots.root(address)
    }

    /// The memory that a called function touches.
    pub fn memory_at(&self, place: Place<usize>, args: &[Value]) -> Place<Value> {
        place.seen(|arg| self.memory_of(args[arg]))
    }

    /// The active parameter that the address comes from: what is there has a derivative.
    pub fn active_memory(&self, address: Value) -> Option<Value> {
        self.memory.root(address)
    }

    pub fn is_varied(&self, value: Value) -> bool {
        self.varied.contains(&value)
    }

    pub fn is_useful(&self, value: Value) -> bool {
        self.useful.contains(&value)
    }

    /// Whether the value has an adjoint.
    pub fn is_active(&self, value: Value) -> bool {
        self.is_varied(value) && self.is_useful(value)
    }

    pub fn any_active(&self, values: &[Value]) -> bool {
        values.iter().any(|&value| self.is_active(value))
    }

    /// Whether reverse mode has something to do for a statement: a result has an adjoint, or it must be swept.
    pub fn is_swept(&self, stmt: &StmtKind) -> bool {
        self.any_active(stmt.results()) || self.must_sweep(stmt)
    }

    /// Whether a statement is swept even if no adjoint comes to its results: it is or holds a write to memory that has
    /// cotangents, or a call whose derivative does more than to answer cotangents.
    pub fn must_sweep(&self, stmt: &StmtKind) -> bool {
        match stmt {
            StmtKind::Effect { effect, args, .. } => self.writes_active_memory(*effect, args),
            StmtKind::Call { callee, .. } => self.calls.get(*callee).is_always_swept,
            _ => stmt.blocks().iter().any(|block| block.stmts.iter().any(|stmt| self.must_sweep(&stmt.kind))),
        }
    }

    /// Whether an effect writes a value to memory that has derivatives.
    pub fn writes_active_memory(&self, effect: Effect, args: &[Value]) -> bool {
        matches!(effect, Effect::Store | Effect::AtomicAdd) && self.active_memory(args[0]).is_some()
    }

    /// Whether each use of the value may be switched off, so that its cotangent may be zero while its
    /// operands are not finite.
    pub fn is_masked(&self, value: Value) -> bool {
        !self.exposed.contains(&value)
    }

    /// Enters the values of a block with an exposed use. A use counts only in the block of the definition: an inner
    /// region may not run.
    fn expose(&mut self, block: &Block, params: &[Value], exposed_yields: &[bool]) {
        let mut local: FxHashSet<Value> = params.iter().copied().collect();
        block.stmts.iter().for_each(|stmt| local.extend(stmt.kind.results()));
        let yields = block.yields.iter().zip(exposed_yields).filter(|(_, exposed)| **exposed);
        self.exposed.extend(yields.map(|(value, _)| *value).filter(|value| local.contains(value)));
        for stmt in block.stmts.iter().rev() {
            match &stmt.kind {
                StmtKind::Let { result, op, args } if self.exposed.contains(result) && !switches(op) => {
                    self.exposed.extend(args.iter().filter(|arg| local.contains(arg)));
                }
                StmtKind::If { results, .. } | StmtKind::Switch { results, .. } => {
                    let exposed: Vec<bool> = results.iter().map(|r| self.exposed.contains(r)).collect();
                    for arm in stmt.kind.blocks() {
                        self.expose(arm, &[], &exposed);
                    }
                }
                StmtKind::Loop { results, inits, params, body, .. } => {
                    let carried = self.expose_loop(results, params, body);
                    let exposed = inits.iter().zip(carried).filter(|(_, exposed)| *exposed);
                    self.exposed.extend(exposed.map(|(init, _)| *init).filter(|init| local.contains(init)));
                }
                _ => {}
            }
        }
    }

    /// Which parameters of a loop are exposed in every trip: the last trip's yield is the result, and that of any other
    /// trip is a parameter of the next. So it is the greatest set that gives itself.
    fn expose_loop(&mut self, results: &[Value], params: &[Value], body: &Block) -> Vec<bool> {
        let mut carried: Vec<bool> = results.iter().map(|result| self.exposed.contains(result)).collect();
        let outer = self.exposed.clone();
        loop {
            self.expose(body, params, &carried);
            let again: Vec<bool> =
                params.iter().zip(&carried).map(|(param, &c)| c && self.exposed.contains(param)).collect();
            if again == carried {
                return carried;
            }
            carried = again;
            self.exposed.clone_from(&outer);
        }
    }
}

impl Memory {
    fn root(&self, address: Value) -> Option<Value> {
        self.roots.root(address).filter(|root| self.active.contains(root))
    }

    /// Whether the derivative of what is at the address is known.
    fn knows(&self, address: Value) -> bool {
        let is_other = self.active.is_empty() || self.roots.root(address).is_some();
        self.root(address).is_some() || self.others_constant && is_other
    }
}

/// Whether an op may leave out an operand, so that its cotangent is zero.
fn switches(op: &Op) -> bool {
    matches!(
        op,
        Op::Select | Op::MulOrZero | Op::Extract(_) | Op::Insert(_) | Op::ElementGet | Op::ElementSet
    )
}

fn pick(values: &[Value], which: &[bool]) -> FxHashSet<Value> {
    values.iter().zip(which).filter(|(_, picked)| **picked).map(|(value, _)| *value).collect()
}

/// Whether a derivative may flow from the operands to the result.
fn conducts(function: &Function, op: &Op, result: Value) -> bool {
    function.ty(result).has_float() && !matches!(rule(op), Rule::Discrete | Rule::Flat)
}

/// Whatever is in the set takes its counterpart along.
fn flow(set: &mut FxHashSet<Value>, from: &[Value], to: &[Value]) {
    for (from, to) in from.iter().zip(to) {
        if set.contains(from) {
            set.insert(*to);
        }
    }
}

struct Varied<'a> {
    function: &'a Function,
    memory: &'a Memory,
    calls: &'a Calls,
    set: FxHashSet<Value>,
}

impl Varied<'_> {
    fn block(&mut self, block: &Block) {
        for stmt in &block.stmts {
            match &stmt.kind {
                StmtKind::Let { result, op, args } => {
                    if conducts(self.function, op, *result) && args.iter().any(|arg| self.set.contains(arg)) {
                        self.set.insert(*result);
                    }
                }
                StmtKind::If { results, .. } | StmtKind::Switch { results, .. } => {
                    for arm in stmt.kind.blocks() {
                        self.block(arm);
                        flow(&mut self.set, &arm.yields, results);
                    }
                }
                StmtKind::Loop { results, inits, params, body, .. } => {
                    flow(&mut self.set, inits, params);
                    // A parameter becomes varied once, so the fixed point comes after as many rounds at most.
                    loop {
                        let before = self.set.len();
                        self.block(body);
                        flow(&mut self.set, &body.yields, params);
                        if self.set.len() == before || on(Bug::VariedOnce) {
                            break;
                        }
                    }
                    flow(&mut self.set, params, results);
                }
                StmtKind::Effect { result: Some(result), effect: Effect::Load, args } => {
                    if self.function.ty(*result).is_float() && self.memory.root(args[0]).is_some() {
                        self.set.insert(*result);
                    }
                }
                // A derivative may come from what no argument tells of: the function that computes it decides.
                StmtKind::Call { results, callee, .. } => {
                    self.set.extend(self.calls.get(*callee).differentiable_results(results));
                }
                StmtKind::Effect { .. } => {}
            }
        }
    }
}

struct Useful<'a> {
    function: &'a Function,
    memory: &'a Memory,
    calls: &'a Calls,
    set: FxHashSet<Value>,
    /// As if nothing were cut.
    uncut: bool,
}

impl Useful<'_> {
    fn block(&mut self, block: &Block) {
        for stmt in block.stmts.iter().rev() {
            match &stmt.kind {
                StmtKind::Let { result, op, args } => {
                    let conducts = conducts(self.function, op, *result) || self.uncut && *op == Op::Cut;
                    if self.set.contains(result) && conducts {
                        self.insert_floats(args);
                    }
                }
                StmtKind::If { results, .. } | StmtKind::Switch { results, .. } => {
                    for arm in stmt.kind.blocks() {
                        flow(&mut self.set, results, &arm.yields);
                        self.block(arm);
                    }
                }
                StmtKind::Loop { results, inits, params, body, .. } => {
                    flow(&mut self.set, results, params);
                    loop {
                        let before = self.set.len();
                        flow(&mut self.set, params, &body.yields);
                        self.block(body);
                        if self.set.len() == before || on(Bug::UsefulOnce) {
                            break;
                        }
                    }
                    flow(&mut self.set, params, inits);
                }
                StmtKind::Call { results, callee, args } => {
                    let custom = self.calls.get(*callee);
                    let mut results = custom.differentiable_results(results);
                    if custom.is_always_swept || results.any(|result| self.set.contains(result)) {
                        self.set.extend(custom.differentiable_args(args));
                    }
                }
                StmtKind::Effect { effect: Effect::Store | Effect::AtomicAdd, args, .. } => {
                    if self.memory.root(args[0]).is_some() {
                        self.insert_floats(&args[1..]);
                    }
                }
                StmtKind::Effect { .. } => {}
            }
        }
    }

    fn insert_floats(&mut self, values: &[Value]) {
        let floats = values.iter().filter(|value| self.function.ty(**value).has_float());
        self.set.extend(floats);
    }
}
