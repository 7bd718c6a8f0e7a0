//! Random kernels whose lanes meet: structs in memory, atomics, shared memory, barriers, wave ops.
//!
//! What a kernel leaves in memory does not hang on the order of lanes: a lane loads and stores its own elements; it
//! writes its own shared place before a barrier, and reads others' after it; atomics on places of several lanes
//! commute, and their old values are not used. Barriers and wave ops stand where all lanes come.

use crate::random::Random;
use pullback_ir::function::Args;
use pullback_ir::{
    AtomicOp, Constant, Effect, Field, Function, FunctionBuilder, FunctionKind, LoopHints, Op, Scalar, Type,
    Value, WaveOp,
};

/// Groups a launch of a random kernel has.
pub const GROUPS: u64 = 3;

/// Types of the values that kernels compute with.
const TYPES: [Scalar; 4] = [Scalar::I32, Scalar::U32, Scalar::U64, Scalar::F32];

/// The struct in memory that each lane has two of: `x` and `y`.
pub fn part() -> Type {
    let field = |name: &str, ty: Type| Field { name: name.into(), ty, no_diff: false };
    Type::structure(
        "Part",
        vec![
            field("flag", Type::BOOL),
            field("v", Type::Vector(Scalar::F32, 3)),
            field("k", Type::array(Type::I32, 3)),
            field("n", Type::Scalar(Scalar::U64)),
            field("s", Type::Scalar(Scalar::U32)),
        ],
    )
}

/// A kernel of the parameters `x: ptr<Part>, y: ptr<Part>, counts: ptr<u32>` (of eight elements).
pub fn kernel(seed: u64) -> Function {
    let mut random = Random::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1a5e);
    let group_lanes = *random.pick(&[1, 5, 32, 48, 64, 256]);
    let mut b = FunctionBuilder::new("random", FunctionKind::Kernel);
    b.function_mut().group_lanes = group_lanes;
    b.function_mut().shared = TYPES.iter().map(|&ty| Type::array(Type::Scalar(ty), group_lanes)).collect();
    b.function_mut().shared.push(Type::array(Type::U32, 4));
    let [x, y] = ["x", "y"].map(|name| b.param(Type::pointer(part()), name));
    let counts = b.param(Type::pointer(Type::U32), "counts");
    let lane = b.op(Op::LaneId, &[]);
    let lanes = b.i64(group_lanes.into());
    let local = b.op(Op::Rem, &[lane, lanes]);
    let mut g =
        Generator { random, b, lane, local, x, y, counts, values: Vec::new(), budget: 24, group_lanes };
    g.start();
    g.statements(12, true);
    g.end();
    g.b.finish(Vec::new())
}

struct Generator {
    random: Random,
    b: FunctionBuilder,
    lane: Value,
    /// The lane's number in its group, i64.
    local: Value,
    x: Value,
    y: Value,
    counts: Value,
    /// What is visible, of [`TYPES`].
    values: Vec<Value>,
    /// Statements that may still be made.
    budget: usize,
    group_lanes: u32,
}

impl Generator {
    /// Loads the lane's part, and gives the shared places values.
    fn start(&mut self) {
        for (slot, scalar) in TYPES.into_iter().enumerate() {
            let number = self.random.integer(0, 9);
            let number = self.b.constant(Constant::int(scalar, number));
            self.values.push(number);
            self.effect(Effect::SharedStore(slot_id(slot)), &[self.local, number]);
        }
        let zero = self.b.constant(Constant::int(Scalar::U32, 7));
        self.effect(Effect::SharedStore(slot_id(TYPES.len())), &[self.local, zero]);
        self.effect(Effect::Barrier, &[]);
        self.load_part(self.x);
    }

    /// Stores a part of what was computed, and what the group counted.
    fn end(&mut self) {
        self.store_part();
        self.effect(Effect::Barrier, &[]);
        if let Some(total) = self.b.effect(Effect::SharedLoad(slot_id(TYPES.len())), &[self.local]) {
            let three = self.b.i64(3);
            let place = self.b.op(Op::And, &[self.local, three]);
            let at = self.b.offset(self.counts, place);
            self.effect(Effect::Atomic(AtomicOp::Add), &[at, total]);
        }
    }

    fn effect(&mut self, effect: Effect, args: &[Value]) -> Option<Value> {
        self.b.effect(effect, args)
    }

    fn scalar(&self, value: Value) -> Scalar {
        self.b.function().scalar(value).unwrap_or_else(|| panic!("{value} is no number"))
    }

    /// A visible value of that type.
    fn value(&mut self, scalar: Scalar) -> Value {
        let of_type: Vec<Value> = self.values.iter().copied().filter(|&v| self.scalar(v) == scalar).collect();
        *self.random.pick(&of_type)
    }

    fn any(&mut self) -> Value {
        let values = self.values.clone();
        *self.random.pick(&values)
    }

    fn statements(&mut self, count: usize, uniform: bool) {
        for _ in 0..1 + self.random.below(count) {
            if self.budget == 0 {
                return;
            }
            self.budget -= 1;
            self.statement(uniform);
        }
    }

    fn statement(&mut self, uniform: bool) {
        match self.random.below(14) {
            0..=3 => self.arithmetic(),
            4 => self.load_part(self.x),
            5 => self.load_part(self.y),
            6 => self.store_part(),
            7 => self.count(),
            8 => self.own_atomic(),
            9 => self.branch(),
            10 if uniform => self.uniform_loop(),
            11 | 12 if uniform => self.exchange(),
            13 if uniform => self.wave(),
            _ => self.arithmetic(),
        }
    }

    fn arithmetic(&mut self) {
        let scalar = *self.random.pick(&TYPES);
        let (a, c) = (self.value(scalar), self.value(scalar));
        let op = match scalar {
            // Small enough that no sum or product rounds differently anywhere.
            Scalar::F32 => self.random.pick(&[Op::Add, Op::Sub, Op::Min, Op::Max]).clone(),
            _ => self.random.pick(&[Op::Add, Op::Sub, Op::Mul, Op::Xor, Op::And, Op::Min, Op::Rem]).clone(),
        };
        let value = self.b.op(op, &[a, c]);
        self.values.push(value);
        if self.random.once_in(4) {
            let to = *self.random.pick(&[Scalar::I32, Scalar::U32, Scalar::U64]);
            let value = self.b.convert(value, to);
            self.values.push(value);
        }
    }

    fn own_part(&mut self, of: Value) -> Value {
        self.b.offset(of, self.lane)
    }

    fn load_part(&mut self, of: Value) {
        let at = self.own_part(of);
        let part = self.b.load(at);
        let [flag, v, k, n, s] = [0, 1, 2, 3, 4].map(|field| self.b.extract(part, field));
        let index = self.value(Scalar::I32);
        let x = self.b.op(Op::ElementGet, &[v, index]);
        let i = self.b.op(Op::ElementGet, &[k, index]);
        let one = self.b.extract(k, 1);
        let chosen = self.b.select(flag, i, one);
        self.values.extend([x, i, chosen, n, s]);
    }

    fn store_part(&mut self) {
        let of = if self.random.once_in(3) { self.x } else { self.y };
        let at = self.own_part(of);
        let old = self.b.load(at);
        let (i, j, x) = (self.value(Scalar::I32), self.value(Scalar::I32), self.value(Scalar::F32));
        let flag = self.b.op(Op::Lt, &[i, j]);
        let v = self.b.extract(old, 1);
        let v = self.b.op(Op::ElementSet, &[v, i, x]);
        let k = self.b.extract(old, 2);
        let k = self.b.op(Op::ElementSet, &[k, j, i]);
        let (n, s) = (self.value(Scalar::U64), self.value(Scalar::U32));
        let new = self.b.op(Op::Construct(part()), &[flag, v, k, n, s]);
        self.b.store(at, new);
    }

    /// An addition to a place of several lanes: in memory, or shared and maybe out of range.
    fn count(&mut self) {
        let value = self.value(Scalar::U32);
        if self.random.once_in(2) {
            let index = self.random.integer(4, 7);
            let index = self.b.i64(index);
            let at = self.b.offset(self.counts, index);
            self.effect(Effect::Atomic(AtomicOp::Xor), &[at, value]);
        } else {
            let index = self.value(Scalar::I32);
            let index = self.b.convert(index, Scalar::I64);
            self.effect(Effect::SharedAtomic(slot_id(TYPES.len()), AtomicOp::Add), &[index, value]);
        }
    }

    /// An update of the lane's own `y.n` or `y.s`, whose old value is used.
    fn own_atomic(&mut self) {
        let (field, scalar) = *self.random.pick(&[(3, Scalar::U64), (4, Scalar::U32)]);
        let at = self.own_part(self.y);
        let bytes = self.b.op(Op::PointerCast(Type::Scalar(Scalar::U8)), &[at]);
        let offset = self.b.i64(pullback_ir::layout::element_offset_bytes(&part(), field) as i64);
        let at = self.b.offset(bytes, offset);
        let at = self.b.op(Op::PointerCast(Type::Scalar(scalar)), &[at]);
        let op = *self.random.pick(&AtomicOp::ALL);
        let mut args = vec![at];
        args.extend((0..op.value_count()).map(|_| self.value(scalar)));
        self.values.extend(self.b.effect(Effect::Atomic(op), &args));
    }

    /// Lanes go apart; they do not meet in there.
    fn branch(&mut self) {
        let (a, c) = (self.value(Scalar::I32), self.value(Scalar::I32));
        let condition = self.b.op(Op::Lt, &[a, c]);
        let scalar = *self.random.pick(&TYPES);
        let mut arm = || {
            let outer = self.values.len();
            self.b.begin_block();
            self.statements(3, false);
            let value = self.value(scalar);
            self.values.truncate(outer);
            self.b.end_block(vec![value])
        };
        let (then, otherwise) = (arm(), arm());
        let result = self.b.new_value(Type::Scalar(scalar));
        self.b.push(pullback_ir::StmtKind::If { results: vec![result], condition, then, otherwise });
        self.values.push(result);
    }

    /// All lanes take as many turns.
    fn uniform_loop(&mut self) {
        let scalar = *self.random.pick(&TYPES);
        let init = self.value(scalar);
        let start = self.b.constant(Constant::int(Scalar::I32, 0));
        let turns = self.random.integer(0, 4);
        let turns = self.b.constant(Constant::int(Scalar::I32, turns));
        let outer = self.values.len();
        let params = [Type::I32, Type::Scalar(scalar)].map(|ty| self.b.new_value(ty));
        self.b.begin_block();
        let goes_on = self.b.op(Op::Lt, &[params[0], turns]);
        let head = self.b.end_block(vec![goes_on]);
        self.b.begin_block();
        self.values.extend(params);
        self.statements(4, true);
        let one = self.b.constant(Constant::int(Scalar::I32, 1));
        let next = self.b.add(params[0], one);
        let carried = self.value(scalar);
        let body = self.b.end_block(vec![next, carried]);
        self.values.truncate(outer);
        let results = [Type::I32, Type::Scalar(scalar)].map(|ty| self.b.new_value(ty));
        let hints = LoopHints { unroll: self.random.once_in(3), ..LoopHints::default() };
        let (inits, params) = (vec![start, init], params.to_vec());
        let kind =
            pullback_ir::StmtKind::Loop { results: results.to_vec(), inits, params, head, body, hints };
        self.b.push(kind);
        self.values.extend(results);
    }

    /// Each lane shows a value to the others, and reads another's.
    fn exchange(&mut self) {
        let shown = self.any();
        let slot = TYPES.iter().position(|&ty| ty == self.scalar(shown)).unwrap_or(0);
        self.effect(Effect::Barrier, &[]);
        self.effect(Effect::SharedStore(slot_id(slot)), &[self.local, shown]);
        self.effect(Effect::Barrier, &[]);
        let index = self.value(Scalar::I32);
        let mut index = self.b.convert(index, Scalar::I64);
        if self.random.once_in(2) {
            let lanes = self.b.i64(self.group_lanes.into());
            let far = self.b.add(index, self.local);
            index = self.b.op(Op::Rem, &[far, lanes]);
        }
        self.values.extend(self.b.effect(Effect::SharedLoad(slot_id(slot)), &[index]));
    }

    fn wave(&mut self) {
        let value = self.any();
        let float = self.scalar(value).is_float();
        let integer_only = [WaveOp::And, WaveOp::Or, WaveOp::Xor, WaveOp::Product, WaveOp::PrefixProduct];
        let op = match *self.random.pick(&WaveOp::ALL) {
            op if float && integer_only.contains(&op) => WaveOp::Max,
            op => op,
        };
        let args = match op {
            WaveOp::Ballot => {
                let (a, c) = (self.value(Scalar::U32), self.value(Scalar::U32));
                Args::from_slice(&[self.b.op(Op::Le, &[a, c])])
            }
            WaveOp::ReadLane => Args::from_slice(&[value, self.value(Scalar::U32)]),
            _ => Args::from_slice(&[value]),
        };
        self.values.extend(self.b.effect(Effect::Wave(op), &args));
    }
}

fn slot_id(slot: usize) -> pullback_ir::SharedId {
    pullback_base::ids::Id::from_index(slot)
}
