//! What lanes do together: atomics that give the old value, shared memory, wave ops.

use super::{Emitter, TARGET};
use crate::EmitError;
use crate::kernel::{element_scalar, slot_scalar};
use pullback_base::ids::Id;
use pullback_base::{Scalar, bug};
use pullback_ir::{AtomicOp, SharedId, Value, WaveOp};
use rspirv::spirv::{Capability, MemorySemantics, Op, Scope, StorageClass, Word};

/// The scalar whose words hold a shared element: atomics exchange the bits of floats as integers.
fn held(scalar: Scalar) -> Scalar {
    match scalar {
        Scalar::F32 => Scalar::U32,
        Scalar::F64 => Scalar::U64,
        other => other,
    }
}

/// A place an atomic updates.
#[derive(Clone, Copy)]
struct Place {
    pointer: Word,
    scope: Scope,
    scalar: Scalar,
}

impl Emitter<'_> {
    pub fn declare_shared(&mut self) {
        for slot in &self.function.shared {
            let element = self.scalar_type(held(slot_scalar(slot)));
            let len = self.u32(slot.element_count().max(1));
            let array = self.asm.global(Op::TypeArray, None, &[element, len]);
            let pointer = self.pointer_type(StorageClass::Workgroup, array);
            let variable = self.asm.global_variable(pointer, StorageClass::Workgroup as Word);
            self.shared.push(variable);
        }
    }

    /// Whether an index is in a slot's range, and a pointer to its element (the first one's, where it is not).
    fn place(&mut self, slot: SharedId, index: Value) -> (Word, Word) {
        let ty = &self.function.shared[slot.index()];
        let len = ty.element_count().max(1);
        let element = self.scalar_type(held(slot_scalar(ty)));
        let [bool_type, long] = [self.bool_type(), self.int_type(64)];
        let [len, zero] = [u64::from(len), 0].map(|number| self.u64(number));
        let index = self.id(index);
        let inside = self.asm.value(Op::ULessThan, bool_type, &[index, len]);
        let index = self.asm.value(Op::Select, long, &[inside, index, zero]);
        let pointer = self.pointer_type(StorageClass::Workgroup, element);
        let pointer = self.asm.value(Op::AccessChain, pointer, &[self.shared[slot.index()], index]);
        (inside, pointer)
    }

    /// The bits of a value as the shared memory holds them, or back.
    fn recast(&mut self, id: Word, from: Scalar, to: Scalar) -> Word {
        if from == to {
            return id;
        }
        let ty = self.scalar_type(to);
        self.asm.value(Op::Bitcast, ty, &[id])
    }

    pub fn shared_load(&mut self, slot: SharedId, result: Value, index: Value) {
        let scalar = slot_scalar(&self.function.shared[slot.index()]);
        let (inside, pointer) = self.place(slot, index);
        let ty = self.scalar_type(held(scalar));
        let loaded = self.asm.value(Op::Load, ty, &[pointer]);
        let zero = self.asm.global(Op::ConstantNull, Some(ty), &[]);
        let value = self.asm.value(Op::Select, ty, &[inside, loaded, zero]);
        let value = self.recast(value, held(scalar), scalar);
        self.ids.insert(result, value);
    }

    pub fn shared_store(&mut self, slot: SharedId, args: &[Value]) {
        let scalar = slot_scalar(&self.function.shared[slot.index()]);
        let (inside, pointer) = self.place(slot, args[0]);
        let value = self.id(args[1]);
        let value = self.recast(value, scalar, held(scalar));
        self.when(inside, |e| e.asm.effect(Op::Store, &[pointer, value]));
    }

    pub fn shared_atomic(&mut self, slot: SharedId, op: AtomicOp, result: Value, args: &[Value]) {
        let scalar = slot_scalar(&self.function.shared[slot.index()]);
        let (inside, pointer) = self.place(slot, args[0]);
        let [then, merge] = [self.asm.fresh(), self.asm.fresh()];
        let ty = self.scalar_type(scalar);
        let zero = self.asm.global(Op::ConstantNull, Some(ty), &[]);
        let before = self.asm.block;
        self.asm.effect(Op::SelectionMerge, &[merge, 0]);
        self.asm.effect(Op::BranchConditional, &[inside, then, merge]);
        self.asm.begin_block(then);
        let old = self.atomic(op, Place { pointer, scope: Scope::Workgroup, scalar }, &args[1..]);
        let end = self.asm.block;
        self.asm.effect(Op::Branch, &[merge]);
        self.asm.begin_block(merge);
        let old = self.asm.value(Op::Phi, ty, &[old, end, zero, before]);
        self.ids.insert(result, old);
    }

    pub fn buffer_atomic(&mut self, op: AtomicOp, address: Word, scalar: Scalar, values: &[Value]) -> Word {
        let pointer = self.memory_pointer(address, held(scalar));
        self.atomic(op, Place { pointer, scope: Scope::Device, scalar }, values)
    }

    /// Updates the word behind a pointer to the held scalar; gives the old value.
    fn atomic(&mut self, op: AtomicOp, place: Place, values: &[Value]) -> Word {
        let Place { pointer, scope, scalar } = place;
        let [scope, relaxed] = [scope as u32, MemorySemantics::RELAXED.bits()].map(|n| self.u32(n));
        if scalar.bits() == 64 {
            self.asm.capability(Capability::Int64Atomics);
        }
        let word = held(scalar);
        let ty = self.scalar_type(word);
        let values: Vec<Word> = values.iter().map(|&value| self.id(value)).collect();
        let signed = scalar.is_signed();
        let instruction = match op {
            AtomicOp::Add if scalar.is_float() => {
                let start = self.asm.value(Op::AtomicLoad, ty, &[pointer, scope, relaxed]);
                let old = self.exchange_until_alone(ty, pointer, scope, start, |e, old| {
                    let number = e.recast(old, word, scalar);
                    let sum = e.add(scalar, number, values[0]);
                    e.recast(sum, scalar, word)
                });
                return self.recast(old, word, scalar);
            }
            AtomicOp::Add => Op::AtomicIAdd,
            AtomicOp::Min if signed => Op::AtomicSMin,
            AtomicOp::Min => Op::AtomicUMin,
            AtomicOp::Max if signed => Op::AtomicSMax,
            AtomicOp::Max => Op::AtomicUMax,
            AtomicOp::And => Op::AtomicAnd,
            AtomicOp::Or => Op::AtomicOr,
            AtomicOp::Xor => Op::AtomicXor,
            AtomicOp::Exchange => Op::AtomicExchange,
            AtomicOp::CompareExchange => {
                let operands = [pointer, scope, relaxed, relaxed, values[1], values[0]];
                return self.asm.value(Op::AtomicCompareExchange, ty, &operands);
            }
        };
        let value = self.recast(values[0], scalar, word);
        let old = self.asm.value(instruction, ty, &[pointer, scope, relaxed, value]);
        self.recast(old, word, scalar)
    }

    /// Through shared memory, in the order of lanes: all lanes of the group come here.
    pub fn wave(&mut self, op: WaveOp, result: Value, args: &[Value]) -> Result<(), EmitError> {
        let uint = self.int_type(32);
        let [zero, low, high] = [0, 31, !31].map(|number| self.u32(number));
        let place = self.asm.value(Op::BitwiseAnd, uint, &[self.local, low]);
        let first = self.asm.value(Op::BitwiseAnd, uint, &[self.local, high]);
        let mut scalar = element_scalar(self.function.ty(args[0]));
        let mut mine = self.id(args[0]);
        if op == WaveOp::Ballot {
            let one = self.u32(1);
            let bit = self.asm.value(Op::ShiftLeftLogical, uint, &[one, place]);
            mine = self.asm.value(Op::Select, uint, &[mine, bit, zero]);
            scalar = Scalar::U32;
        }
        let shown = self.sums_variable(scalar);
        let slot = self.shown_by(shown, scalar, self.local);
        self.asm.effect(Op::Store, &[slot, mine]);
        self.barrier(MemorySemantics::WORKGROUP_MEMORY);
        let id = match op {
            WaveOp::ReadFirst => self.shown(shown, scalar, first),
            WaveOp::ReadLane => {
                let lane = self.id(args[1]);
                self.shown_in_wave(shown, scalar, first, lane)
            }
            _ => self.joined(op, shown, scalar, first)?,
        };
        self.barrier(MemorySemantics::WORKGROUP_MEMORY);
        self.ids.insert(result, id);
        Ok(())
    }

    fn shown_by(&mut self, shown: Word, scalar: Scalar, lane: Word) -> Word {
        let ty = self.scalar_type(scalar);
        let pointer = self.pointer_type(StorageClass::Workgroup, ty);
        self.asm.value(Op::AccessChain, pointer, &[shown, lane])
    }

    fn shown(&mut self, shown: Word, scalar: Scalar, lane: Word) -> Word {
        let pointer = self.shown_by(shown, scalar, lane);
        let ty = self.scalar_type(scalar);
        self.asm.value(Op::Load, ty, &[pointer])
    }

    /// The value of a lane of the wave; zero when there is no such lane.
    fn shown_in_wave(&mut self, shown: Word, scalar: Scalar, first: Word, lane: Word) -> Word {
        let [uint, bool_type, ty] = [self.int_type(32), self.bool_type(), self.scalar_type(scalar)];
        let [wave, lanes] = [32, self.groups.lanes].map(|number| self.u32(number));
        let from = self.asm.value(Op::IAdd, uint, &[first, lane]);
        let in_wave = self.asm.value(Op::ULessThan, bool_type, &[lane, wave]);
        let in_group = self.asm.value(Op::ULessThan, bool_type, &[from, lanes]);
        let inside = self.asm.value(Op::LogicalAnd, bool_type, &[in_wave, in_group]);
        let from = self.asm.value(Op::Select, uint, &[inside, from, first]);
        let theirs = self.shown(shown, scalar, from);
        let zero = self.asm.global(Op::ConstantNull, Some(ty), &[]);
        self.asm.value(Op::Select, ty, &[inside, theirs, zero])
    }

    /// `sum = start; for i in begin..end { sum = join(sum, shown[i]) }`
    fn joined(&mut self, op: WaveOp, shown: Word, scalar: Scalar, first: Word) -> Result<Word, EmitError> {
        let [uint, bool_type, ty] = [self.int_type(32), self.bool_type(), self.scalar_type(scalar)];
        let [one, wave, lanes] = [1, 32, self.groups.lanes].map(|number| self.u32(number));
        let (start, begin, end) = match op.prefix_start() {
            Some(start) => (self.number(scalar, start), first, self.local),
            None => {
                let full = self.asm.value(Op::IAdd, uint, &[first, wave]);
                let fits = self.asm.value(Op::ULessThan, bool_type, &[full, lanes]);
                let end = self.asm.value(Op::Select, uint, &[fits, full, lanes]);
                (self.shown(shown, scalar, first), self.asm.value(Op::IAdd, uint, &[first, one]), end)
            }
        };
        let [header, test, body, next, merge] = [(); 5].map(|()| self.asm.fresh());
        let before = self.asm.block;
        self.asm.effect(Op::Branch, &[header]);
        self.asm.begin_block(header);
        let (index, index_patch) = self.asm.open_phi(uint, (begin, before), next);
        let (sum, sum_patch) = self.asm.open_phi(ty, (start, before), next);
        self.asm.effect(Op::LoopMerge, &[merge, next, 0]);
        self.asm.effect(Op::Branch, &[test]);
        self.asm.begin_block(test);
        let goes_on = self.asm.value(Op::ULessThan, bool_type, &[index, end]);
        self.asm.effect(Op::BranchConditional, &[goes_on, body, merge]);
        self.asm.begin_block(body);
        let theirs = self.shown(shown, scalar, index);
        let total = self.join_two(op, scalar, [sum, theirs])?;
        self.asm.effect(Op::Branch, &[next]);
        self.asm.begin_block(next);
        let following = self.asm.value(Op::IAdd, uint, &[index, one]);
        self.asm.patch(index_patch, following);
        self.asm.patch(sum_patch, total);
        self.asm.effect(Op::Branch, &[header]);
        self.asm.begin_block(merge);
        Ok(sum)
    }

    fn join_two(&mut self, op: WaveOp, scalar: Scalar, operands: [Word; 2]) -> Result<Word, EmitError> {
        let op = match op.op() {
            Some(op) => op,
            None if op == WaveOp::Ballot => pullback_ir::Op::Or,
            None => bug!("spirv", "`{}` joins nothing", op.name()),
        };
        let id = match scalar {
            Scalar::F32 | Scalar::F64 => self.float_op(&op, scalar, &operands),
            _ => self.integer_op(&op, scalar, &operands, &[]),
        };
        id.ok_or(EmitError::NoOp { target: TARGET, op: op.name(), scalar: Some(scalar) })
    }
}
