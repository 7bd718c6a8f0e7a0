//! Runs functions: frames, blocks, statements.

use crate::aggregate::apply;
use crate::{InterpError, Memory, Number, Value};
use pullback_base::{bug, ids::Id};
use pullback_ir::effects::slot_element;
use pullback_ir::{Block, Constant, Effect, FuncId, Function, Module, Op, Stmt, StmtKind, Type, Verified};
use smallvec::SmallVec;

/// Statements and loop turns after which a run, or a lane of a kernel, is taken to hang.
pub const MAX_STEPS_PER_LANE: u64 = 20_000_000;
/// Calls within calls after which a function is taken to recurse without end.
pub const MAX_CALL_DEPTH: usize = 64;

/// Runs a function that touches no memory.
pub fn run<N: Number>(
    module: &Verified<Module>,
    id: FuncId,
    args: &[Value<N>],
) -> Result<Vec<Value<N>>, InterpError> {
    run_with(module, id, args, &mut Memory::default())
}

/// As [`run`]; also how many statements and loop turns it took.
pub fn run_counted<N: Number>(
    module: &Verified<Module>,
    id: FuncId,
    args: &[Value<N>],
) -> Result<(Vec<Value<N>>, u64), InterpError> {
    let function = &module.functions[id];
    check_args(function, args)?;
    let mut memory = Memory::default();
    let mut machine = Machine { module, memory: &mut memory, lane: None, steps: 0, depth: 0 };
    let results = machine.call(function, args)?;
    Ok((results, machine.steps))
}

/// Runs a function on these arguments and this memory; gives its results.
pub fn run_with<N: Number>(
    module: &Verified<Module>,
    id: FuncId,
    args: &[Value<N>],
    memory: &mut Memory<'_>,
) -> Result<Vec<Value<N>>, InterpError> {
    let function = &module.functions[id];
    check_args(function, args)?;
    let mut machine = Machine { module, memory, lane: None, steps: 0, depth: 0 };
    machine.call(function, args)
}

pub(crate) fn check_args<N: Number>(function: &Function, args: &[Value<N>]) -> Result<(), InterpError> {
    let types = function.param_types();
    let problem = if types.len() == args.len() {
        let wrong = types.iter().zip(args).find(|(ty, arg)| !arg.has_type(ty));
        wrong.map(|(ty, arg)| format!("{arg:?} for {ty}"))
    } else {
        Some(format!("{} for {types:?}", args.len()))
    };
    let error = |problem| InterpError::Arguments { function: function.name.to_string(), problem };
    problem.map_or(Ok(()), |problem| Err(error(problem)))
}

/// Values as those of `function` that they are to be. They have its types, but for a flat call, which has a value per leaf
/// where the callee has aggregates.
fn in_form<N: Number>(
    values: Vec<Value<N>>,
    function: &Function,
    at: &[pullback_ir::Value],
) -> Vec<Value<N>> {
    let is_aggregate = |ty: &Type| !matches!(ty, Type::Scalar(_) | Type::Pointer(_));
    let fits = |(value, &at): (&Value<N>, &pullback_ir::Value)| {
        matches!(value, Value::Aggregate(_)) == is_aggregate(function.ty(at))
    };
    if values.len() == at.len() && values.iter().zip(at).all(fits) {
        return values;
    }
    let mut leaves = values.iter().flat_map(Value::leaves);
    let mut next = |_: &Type| leaves.next().unwrap_or_else(|| bug!("interp", "a flat call lost a value"));
    at.iter().map(|&at| Value::from_leaves(function.ty(at), &mut next)).collect()
}

/// The values of one activation of a function.
#[derive(Clone)]
pub(crate) struct Frame<'a, N> {
    pub function: &'a Function,
    values: Vec<Option<Value<N>>>,
}

impl<'a, N: Number> Frame<'a, N> {
    pub fn new(function: &'a Function, args: &[Value<N>]) -> Self {
        let mut frame = Self { function, values: vec![None; function.values.len()] };
        frame.set_all(&function.params, args.to_vec());
        frame
    }

    pub fn get(&self, value: pullback_ir::Value) -> &Value<N> {
        self.values[value.index()].as_ref().unwrap_or_else(|| bug!("interp", "{value} has no value"))
    }

    pub fn get_all(&self, values: &[pullback_ir::Value]) -> Vec<Value<N>> {
        values.iter().map(|&value| self.get(value).clone()).collect()
    }

    pub fn set(&mut self, at: pullback_ir::Value, value: Value<N>) {
        self.values[at.index()] = Some(value);
    }

    /// Arguments as a function takes them.
    pub fn passed(&self, callee: &Function, args: &[pullback_ir::Value]) -> Vec<Value<N>> {
        in_form(self.get_all(args), callee, &callee.params)
    }

    /// Takes what a call gives.
    pub fn take(&mut self, results: &[pullback_ir::Value], values: Vec<Value<N>>) {
        self.set_all(results, in_form(values, self.function, results));
    }

    pub fn set_all(&mut self, at: &[pullback_ir::Value], values: Vec<Value<N>>) {
        at.iter().zip(values).for_each(|(&at, value)| self.set(at, value));
    }
}

pub(crate) struct Machine<'a, 'm, 'b> {
    pub module: &'a Module,
    pub memory: &'m mut Memory<'b>,
    /// The lane a kernel runs for.
    pub lane: Option<i64>,
    pub steps: u64,
    pub depth: usize,
}

impl<'a> Machine<'a, '_, '_> {
    fn call<N: Number>(
        &mut self,
        function: &'a Function,
        args: &[Value<N>],
    ) -> Result<Vec<Value<N>>, InterpError> {
        if self.depth >= MAX_CALL_DEPTH {
            return Err(InterpError::CallDepth);
        }
        self.depth += 1;
        let results = self.block(&mut Frame::new(function, args), &function.body)?;
        self.depth -= 1;
        Ok(results)
    }

    pub fn step(&mut self) -> Result<(), InterpError> {
        self.steps += 1;
        if self.steps > MAX_STEPS_PER_LANE { Err(InterpError::StepLimit) } else { Ok(()) }
    }

    fn block<N: Number>(
        &mut self,
        frame: &mut Frame<'a, N>,
        block: &'a Block,
    ) -> Result<Vec<Value<N>>, InterpError> {
        for stmt in &block.stmts {
            self.stmt(frame, stmt)?;
        }
        Ok(frame.get_all(&block.yields))
    }

    pub fn stmt<N: Number>(&mut self, frame: &mut Frame<'a, N>, stmt: &'a Stmt) -> Result<(), InterpError> {
        self.step()?;
        match &stmt.kind {
            StmtKind::Let { result, op: Op::LaneId, .. } => {
                let lane = self.lane.ok_or(InterpError::NotInKernel)?;
                let lane = pullback_ir::Constant::int(pullback_ir::Scalar::I64, lane);
                frame.set(*result, Value::constant(lane));
            }
            StmtKind::Let { result, op, args } => {
                let types: SmallVec<[&Type; 4]> = args.iter().map(|&arg| frame.function.ty(arg)).collect();
                let values: SmallVec<[Value<N>; 4]> =
                    args.iter().map(|&arg| frame.get(arg).clone()).collect();
                let value = apply(op, &types, &values);
                frame.set(*result, value);
            }
            StmtKind::If { results, condition, then, otherwise } => {
                let arm = if frame.get(*condition).as_bool() { then } else { otherwise };
                let values = self.block(frame, arm)?;
                frame.set_all(results, values);
            }
            StmtKind::Switch { results, selector, cases, default } => {
                let selector = frame.get(*selector).as_constant().map(|constant| constant.as_i64());
                let case =
                    cases.iter().find(|(values, _)| values.iter().any(|&value| Some(value) == selector));
                let values = self.block(frame, case.map_or(default, |(_, block)| block))?;
                frame.set_all(results, values);
            }
            StmtKind::Loop { results, inits, params, head, body, .. } => {
                let mut carried = frame.get_all(inits);
                loop {
                    self.step()?;
                    frame.set_all(params, carried);
                    if !self.block(frame, head)?.iter().all(Value::as_bool) {
                        break;
                    }
                    carried = self.block(frame, body)?;
                }
                let last = frame.get_all(params);
                frame.set_all(results, last);
            }
            StmtKind::Call { results, callee, args } => {
                let callee = &self.module.functions[*callee];
                let values = self.call(callee, &frame.passed(callee, args))?;
                frame.take(results, values);
            }
            StmtKind::Effect { result, effect, args } => {
                let value = self.effect(frame, *effect, args)?;
                if let (Some(result), Some(value)) = (result, value) {
                    frame.set(*result, value);
                }
            }
        }
        Ok(())
    }

    fn effect<N: Number>(
        &mut self,
        frame: &Frame<'a, N>,
        effect: Effect,
        args: &[pullback_ir::Value],
    ) -> Result<Option<Value<N>>, InterpError> {
        let constant = |at: usize| -> Constant {
            frame.get(args[at]).as_constant().unwrap_or_else(|| bug!("interp", "{effect} of no scalar"))
        };
        let constants = || -> Vec<Constant> { (1..args.len()).map(constant).collect() };
        match effect {
            Effect::SharedLoad(slot) => {
                let ty = slot_element(&frame.function.shared[slot.index()]);
                return Ok(Some(self.memory.shared_load(slot, constant(0), &ty)));
            }
            Effect::SharedStore(slot) => {
                self.memory.shared_store(slot, constant(0), frame.get(args[1]));
                return Ok(None);
            }
            Effect::SharedAtomic(slot, op) => {
                let old = self.memory.shared_atomic(slot, op, constant(0), &constants());
                return Ok(Some(Value::constant(old)));
            }
            Effect::GroupSum | Effect::Barrier | Effect::Wave(_) => return Err(InterpError::NotInKernel),
            Effect::Load | Effect::Store | Effect::AtomicAdd | Effect::Atomic(_) => {}
        }
        let (Value::Pointer(at), Type::Pointer(element)) = (frame.get(args[0]), frame.function.ty(args[0]))
        else {
            bug!("interp", "{effect} of no pointer")
        };
        match effect {
            Effect::Load => return self.memory.load(*at, element).map(Some),
            Effect::Atomic(op) => {
                let old = self.memory.atomic(op, *at, &constants())?;
                return Ok(Some(Value::constant(old)));
            }
            Effect::AtomicAdd => self.memory.atomic_add(*at, element, frame.get(args[1]))?,
            _ => self.memory.store(effect, *at, element, frame.get(args[1]))?,
        }
        Ok(None)
    }
}
