//! Runs the lanes of a group in step wherever they meet: at group sums, barriers and wave ops.
//!
//! A statement in which lanes do not meet runs lane after lane. One in which they do runs for all lanes that come to
//! it at once: regions split these lanes, and a loop goes on for those that stay in it.

use crate::aggregate::add;
use crate::memory::size_bytes;
use crate::run::{Frame, MAX_STEPS_PER_LANE, Machine};
use crate::{Exact, InterpError, Memory, Pointer, Value};
use pullback_base::{GROUP_LANES, bug};
use pullback_ir::effects::WAVE_LANES;
use pullback_ir::{Block, Constant, Effect, Function, Module, Scalar, Stmt, StmtKind, Type, WaveOp, eval};
use rustc_hash::FxHashMap;

/// Runs a kernel for the lanes of one group.
pub(crate) fn run_group(
    module: &Module,
    kernel: &Function,
    args: &[Value<Exact>],
    lanes: std::ops::Range<u64>,
    memory: &mut Memory<'_>,
) -> Result<(), InterpError> {
    memory.share(&kernel.shared);
    let mut frames: Vec<Frame<'_, Exact>> = lanes.clone().map(|_| Frame::new(kernel, args)).collect();
    let all: Vec<usize> = (0..frames.len()).collect();
    let steps = vec![0; frames.len()];
    let mut group = Group { module, memory, lanes, steps, meets: FxHashMap::default() };
    group.block(&mut frames, &all, &kernel.body)
}

struct Group<'a, 'm, 'b> {
    module: &'a Module,
    memory: &'m mut Memory<'b>,
    lanes: std::ops::Range<u64>,
    steps: Vec<u64>,
    /// Whether lanes meet in a statement, by its address.
    meets: FxHashMap<*const Stmt, bool>,
}

/// One frame per lane of the group.
type Frames<'a> = [Frame<'a, Exact>];

impl<'a> Group<'a, '_, '_> {
    /// Runs a block for the active lanes, given by number in the group, in order.
    fn block(
        &mut self,
        frames: &mut Frames<'a>,
        active: &[usize],
        block: &'a Block,
    ) -> Result<(), InterpError> {
        if active.is_empty() {
            return Ok(());
        }
        block.stmts.iter().try_for_each(|stmt| self.stmt(frames, active, stmt))
    }

    fn stmt(&mut self, frames: &mut Frames<'a>, active: &[usize], stmt: &'a Stmt) -> Result<(), InterpError> {
        if !self.lanes_meet_in(stmt) {
            return active.iter().try_for_each(|&lane| self.alone(frames, lane, stmt));
        }
        match &stmt.kind {
            StmtKind::Effect { effect: Effect::GroupSum, args, .. } => self.group_sum(frames, args),
            StmtKind::Effect { effect: Effect::Barrier, .. } => {
                let (came, lanes) = (active.len(), frames.len());
                if came == lanes { Ok(()) } else { Err(InterpError::DivergentBarrier { came, lanes }) }
            }
            StmtKind::Effect { effect: Effect::Wave(op), result: Some(result), args } => {
                wave(frames, active, *op, *result, args);
                Ok(())
            }
            StmtKind::If { results, condition, then, otherwise } => {
                let (a, b): (Vec<usize>, Vec<usize>) =
                    active.iter().partition(|&&lane| frames[lane].get(*condition).as_bool());
                self.arm(frames, &a, then, results)?;
                self.arm(frames, &b, otherwise, results)
            }
            StmtKind::Switch { results, selector, cases, default } => {
                let mut rest = active.to_vec();
                for (values, block) in cases {
                    let chosen = |lane: &usize| {
                        let selector = frames[*lane].get(*selector).as_constant().map(Constant::as_i64);
                        values.iter().any(|&value| Some(value) == selector)
                    };
                    let (here, others) = rest.into_iter().partition(chosen);
                    rest = others;
                    self.arm(frames, &here, block, results)?;
                }
                self.arm(frames, &rest, default, results)
            }
            StmtKind::Loop { results, inits, params, head, body, .. } => {
                pass(frames, active, inits, params);
                let mut inside = active.to_vec();
                while !inside.is_empty() {
                    self.step(&inside)?;
                    self.block(frames, &inside, head)?;
                    inside.retain(|&lane| frames[lane].get(head.yields[0]).as_bool());
                    self.block(frames, &inside, body)?;
                    pass(frames, &inside, &body.yields, params);
                }
                pass(frames, active, params, results);
                Ok(())
            }
            StmtKind::Call { results, callee, args } => {
                self.step(active)?;
                let callee = &self.module.functions[*callee];
                let mut inner: Vec<Frame<'_, Exact>> =
                    frames.iter().map(|_| Frame::new(callee, &[])).collect();
                for &lane in active {
                    let passed = frames[lane].passed(callee, args);
                    inner[lane].set_all(&callee.params, passed);
                }
                self.block(&mut inner, active, &callee.body)?;
                for &lane in active {
                    frames[lane].take(results, inner[lane].get_all(&callee.body.yields));
                }
                Ok(())
            }
            StmtKind::Let { .. } | StmtKind::Effect { .. } => bug!("interp", "lanes do not meet in {stmt:?}"),
        }
    }

    fn arm(
        &mut self,
        frames: &mut Frames<'a>,
        active: &[usize],
        block: &'a Block,
        results: &[pullback_ir::Value],
    ) -> Result<(), InterpError> {
        self.block(frames, active, block)?;
        pass(frames, active, &block.yields, results);
        Ok(())
    }

    fn step(&mut self, active: &[usize]) -> Result<(), InterpError> {
        for &lane in active {
            self.steps[lane] += 1;
            if self.steps[lane] > MAX_STEPS_PER_LANE {
                return Err(InterpError::StepLimit);
            }
        }
        Ok(())
    }

    fn alone(&mut self, frames: &mut Frames<'a>, lane: usize, stmt: &'a Stmt) -> Result<(), InterpError> {
        let id = (self.lanes.start + lane as u64) as i64;
        let steps = self.steps[lane];
        let mut machine =
            Machine { module: self.module, memory: self.memory, lane: Some(id), steps, depth: 0 };
        machine.stmt(&mut frames[lane], stmt)?;
        self.steps[lane] = machine.steps;
        Ok(())
    }

    /// Whether lanes meet in a statement or in what it calls.
    fn lanes_meet_in(&mut self, stmt: &'a Stmt) -> bool {
        match &stmt.kind {
            StmtKind::Let { .. } => return false,
            StmtKind::Effect { effect, .. } => {
                return matches!(effect, Effect::GroupSum | Effect::Barrier | Effect::Wave(_));
            }
            _ => {}
        }
        if let Some(&meets) = self.meets.get(&std::ptr::from_ref(stmt)) {
            return meets;
        }
        // A function that calls itself is refused when it runs.
        self.meets.insert(stmt, false);
        let mut blocks = stmt.kind.blocks();
        if let StmtKind::Call { callee, .. } = &stmt.kind {
            blocks.push(&self.module.functions[*callee].body);
        }
        let meets = blocks.into_iter().any(|block| block.stmts.iter().any(|inner| self.lanes_meet_in(inner)));
        self.meets.insert(stmt, meets);
        meets
    }

    fn group_sum(&mut self, frames: &Frames<'a>, args: &[pullback_ir::Value]) -> Result<(), InterpError> {
        let kernel = frames[0].function;
        let (Value::Pointer(at), Type::Pointer(element)) = (frames[0].get(args[0]), kernel.ty(args[0]))
        else {
            bug!("interp", "group_sum of no pointer")
        };
        let group = (self.lanes.start / u64::from(GROUP_LANES)) as i64;
        let at = Pointer { offset_bytes: at.offset_bytes + group * size_bytes(element) as i64, ..*at };
        let values = frames.iter().map(|frame| frame.get(args[1]).clone()).collect();
        self.memory.store(Effect::GroupSum, at, element, &group_sum(values, kernel.ty(args[1])))
    }
}

/// Gives each lane's `to` what its `from` are, all at once.
fn pass(frames: &mut Frames<'_>, active: &[usize], from: &[pullback_ir::Value], to: &[pullback_ir::Value]) {
    for &lane in active {
        let values = frames[lane].get_all(from);
        frames[lane].set_all(to, values);
    }
}

/// `for s in [128, 64, .., 1]: v[i] += v[i + s]`, missing lanes being zero.
fn group_sum(mut values: Vec<Value<Exact>>, ty: &Type) -> Value<Exact> {
    values.resize(GROUP_LANES as usize, Value::zero(ty));
    let mut half = values.len() / 2;
    while half > 0 {
        for i in 0..half {
            values[i] = add(&values[i], &values[i + half]);
        }
        half /= 2;
    }
    values.swap_remove(0)
}

/// A wave op among the active lanes of each wave.
fn wave(
    frames: &mut Frames<'_>,
    active: &[usize],
    op: WaveOp,
    result: pullback_ir::Value,
    args: &[pullback_ir::Value],
) {
    let wave_lanes = WAVE_LANES as usize;
    for wave in active.chunk_by(|a, b| a / wave_lanes == b / wave_lanes) {
        let values: Vec<Constant> = wave
            .iter()
            .map(|&lane| {
                frames[lane].get(args[0]).as_constant().unwrap_or_else(|| bug!("interp", "no scalar"))
            })
            .collect();
        let results: Vec<Constant> = match op {
            WaveOp::ReadFirst => vec![values[0]; values.len()],
            WaveOp::Ballot => {
                let bits =
                    wave.iter().zip(&values).map(|(lane, on)| u64::from(on.as_bool()) << (lane % wave_lanes));
                vec![Constant::from_bits(Scalar::U32, bits.sum()); values.len()]
            }
            WaveOp::ReadLane => {
                let read = |&lane: &usize| {
                    let from = frames[lane].get(args[1]).as_constant().map(Constant::bits);
                    let at = wave.iter().position(|&lane| Some((lane % wave_lanes) as u64) == from);
                    at.map_or(Constant::zero(values[0].scalar()), |at| values[at])
                };
                wave.iter().map(read).collect()
            }
            _ => joined(op, &values),
        };
        for (&lane, value) in wave.iter().zip(results) {
            frames[lane].set(result, Value::constant(value));
        }
    }
}

/// The sums (or what else the op joins lanes by) of all values, or of those before each.
fn joined(op: WaveOp, values: &[Constant]) -> Vec<Constant> {
    let join = |a: Constant, b: Constant| op.op().and_then(|op| eval(&op, &[a, b])).unwrap_or(a);
    match op.prefix_start() {
        Some(start) => {
            let start = Constant::float(values[0].scalar(), start);
            let sums = values.iter().scan(start, |sum, &value| {
                let before = *sum;
                *sum = join(before, value);
                Some(before)
            });
            sums.collect()
        }
        None => {
            let total = values[1..].iter().fold(values[0], |sum, &value| join(sum, value));
            vec![total; values.len()]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{KernelArg, run_kernel};
    use pullback_ir::{parse::parse, verify};

    #[test]
    fn the_order_of_a_group_sum_is_the_fixed_one() {
        // 1 and -1 are 128 apart and cancel first; any other order loses the small number.
        let mut values = vec![Value::f32(0.0); 256];
        values[0] = Value::f32(1e9);
        values[128] = Value::f32(-1e9);
        values[1] = Value::f32(1e-3);
        assert_eq!(group_sum(values, &Type::F32), Value::f32(1e-3));
    }

    /// Runs a kernel of groups of four lanes, eight lanes over one buffer of i32, `%p` its parameter.
    fn eight_lanes(body: &str) -> Result<Vec<i32>, InterpError> {
        let text =
            format!("kernel @k(%p: ptr<i32>) -> () {{ group_lanes 4 shared.0 [i32; 4] {body} yield }}");
        let module = verify(parse(&text).expect("parses")).expect("verifies");
        let mut buffers = vec![vec![0; 32]];
        let arg = KernelArg::Buffer { buffer: 0, offset_elements: 0 };
        run_kernel(&module, pullback_base::ids::Id::from_index(0), &[arg], 8, &mut buffers)?;
        Ok(buffers[0].as_chunks().0.iter().map(|bytes| i32::from_le_bytes(*bytes)).collect())
    }

    #[test]
    fn lanes_read_what_others_wrote_before_the_barrier() {
        let found = eight_lanes(
            "%i: i64 = lane_id
            %four: i64 = const i64 4
            %at: i64 = rem %i, %four
            %v: i32 = convert.i32 %i
            shared_store.0 %at, %v
            barrier
            %three: i64 = const i64 3
            %other: i64 = sub %three, %at
            %w: i32 = shared_load.0 %other
            %q: ptr<i32> = pointer_offset %p, %i
            store %q, %w",
        );
        assert_eq!(found, Ok(vec![3, 2, 1, 0, 7, 6, 5, 4]));
    }

    #[test]
    fn a_barrier_some_lanes_miss_is_an_error() {
        let found = eight_lanes(
            "%i: i64 = lane_id
            %three: i64 = const i64 3
            %c: bool = lt %i, %three
            if %c { barrier yield } else { yield }",
        );
        assert_eq!(found, Err(InterpError::DivergentBarrier { came: 3, lanes: 4 }));
    }

    #[test]
    fn only_active_lanes_count_in_a_wave() {
        let found = eight_lanes(
            "%i: i64 = lane_id
            %v: i32 = convert.i32 %i
            %one: i32 = const i32 1
            %odd: i32 = and %v, %one
            %c: bool = ne %odd, %one
            %q: ptr<i32> = pointer_offset %p, %i
            %r: i32 = if %c { %s: i32 = wave.sum %v yield %s } else { %t: i32 = wave.prefix_sum %v yield %t }
            store %q, %r",
        );
        assert_eq!(found, Ok(vec![2, 0, 2, 1, 10, 0, 10, 5]));
    }
}
