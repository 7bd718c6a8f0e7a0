//! Memory: loads, stores, atomic additions, and the group's sums.

use super::{Emitter, TARGET};
use crate::EmitError;
use crate::kernel::{GroupSum, element_scalar};
use pullback_base::{GROUP_LANES, Scalar};
use pullback_ir::{Effect, Value};
use rspirv::spirv::{Capability, MemoryAccess, MemorySemantics, Op, Scope, StorageClass, Word};

impl Emitter<'_> {
    pub fn effect(&mut self, result: Option<Value>, effect: Effect, args: &[Value]) -> Result<(), EmitError> {
        match (effect, result) {
            (Effect::Barrier, _) => {
                self.barrier(MemorySemantics::WORKGROUP_MEMORY | MemorySemantics::UNIFORM_MEMORY);
                return Ok(());
            }
            (Effect::Wave(op), Some(result)) => return self.wave(op, result, args),
            (Effect::SharedLoad(slot), Some(result)) => {
                self.shared_load(slot, result, args[0]);
                return Ok(());
            }
            (Effect::SharedStore(slot), _) => {
                self.shared_store(slot, args);
                return Ok(());
            }
            (Effect::SharedAtomic(slot, op), Some(result)) => {
                self.shared_atomic(slot, op, result, args);
                return Ok(());
            }
            _ => {}
        }
        let scalar = element_scalar(self.function.ty(args[0]));
        let address = self.id(args[0]);
        match effect {
            Effect::Atomic(op) => {
                let old = self.buffer_atomic(op, address, scalar, &args[1..]);
                if let Some(result) = result {
                    self.ids.insert(result, old);
                }
            }
            Effect::Load => {
                let id = self.load_element(address, scalar);
                if let Some(result) = result {
                    self.ids.insert(result, id);
                }
            }
            Effect::Store => {
                let element = self.id(args[1]);
                self.store_element_of(address, scalar, element);
            }
            Effect::AtomicAdd => {
                let element = self.id(args[1]);
                self.atomic_add(address, scalar, element);
            }
            _ => return Err(EmitError::NoEffect { target: TARGET, effect: effect.name(), scalar }),
        }
        Ok(())
    }

    pub fn memory_pointer(&mut self, address: Word, scalar: Scalar) -> Word {
        let ty = self.memory_type(scalar);
        let pointer = self.pointer_type(StorageClass::PhysicalStorageBuffer, ty);
        self.asm.value(Op::ConvertUToPtr, pointer, &[address])
    }

    /// What lies in memory, not yet turned into a value.
    pub fn load_memory(&mut self, address: Word, scalar: Scalar) -> Word {
        let pointer = self.memory_pointer(address, scalar);
        let ty = self.memory_type(scalar);
        let access = [pointer, MemoryAccess::ALIGNED.bits(), scalar.size_bytes() as Word];
        self.asm.value(Op::Load, ty, &access)
    }

    fn load_element(&mut self, address: Word, scalar: Scalar) -> Word {
        let raw = self.load_memory(address, scalar);
        if scalar == Scalar::Bool { self.is_nonzero(raw, 8) } else { raw }
    }

    fn store_element_of(&mut self, address: Word, scalar: Scalar, element: Word) {
        let element = self.memory_form(scalar, element);
        let pointer = self.memory_pointer(address, scalar);
        let access = [pointer, element, MemoryAccess::ALIGNED.bits(), scalar.size_bytes() as Word];
        self.asm.effect(Op::Store, &access);
    }

    /// The form an element has in memory: bools are bytes.
    fn memory_form(&mut self, scalar: Scalar, element: Word) -> Word {
        if scalar != Scalar::Bool {
            return element;
        }
        let [ty, zero, one] = [self.int_type(8), self.uint(8, 0), self.uint(8, 1)];
        self.asm.value(Op::Select, ty, &[element, one, zero])
    }

    fn bf16_to_f32(&mut self, bits: Word) -> Word {
        let [uint, float, sixteen] = [self.int_type(32), self.float_type(32), self.u32(16)];
        let wide = self.asm.value(Op::UConvert, uint, &[bits]);
        let shifted = self.asm.value(Op::ShiftLeftLogical, uint, &[wide, sixteen]);
        self.asm.value(Op::Bitcast, float, &[shifted])
    }

    /// Round to nearest even: add half a unit less one, and the unit's own last bit. NaN stays NaN.
    fn f32_to_bf16(&mut self, value: Word) -> Word {
        let [uint, bool_type] = [self.int_type(32), self.bool_type()];
        let [one, sixteen, half, quiet] = [1, 16, 0x7fff, 0x0040].map(|bits| self.u32(bits));
        let bits = self.asm.value(Op::Bitcast, uint, &[value]);
        let high = self.asm.value(Op::ShiftRightLogical, uint, &[bits, sixteen]);
        let odd = self.asm.value(Op::BitwiseAnd, uint, &[high, one]);
        let bias = self.asm.value(Op::IAdd, uint, &[odd, half]);
        let sum = self.asm.value(Op::IAdd, uint, &[bits, bias]);
        let rounded = self.asm.value(Op::ShiftRightLogical, uint, &[sum, sixteen]);
        let nan = self.asm.value(Op::BitwiseOr, uint, &[high, quiet]);
        let is_nan = self.asm.value(Op::IsNan, bool_type, &[value]);
        let picked = self.asm.value(Op::Select, uint, &[is_nan, nan, rounded]);
        let narrow = self.int_type(16);
        self.asm.value(Op::UConvert, narrow, &[picked])
    }

    /// Integers of 32 and 64 bits have an instruction; others exchange the word that holds them until nobody
    /// came between.
    fn atomic_add(&mut self, address: Word, scalar: Scalar, element: Word) {
        let [device, relaxed] = [Scope::Device as u32, MemorySemantics::RELAXED.bits()].map(|n| self.u32(n));
        if scalar.bits() == 64 {
            self.asm.capability(Capability::Int64Atomics);
        }
        if scalar.is_integer() && scalar.bits() >= 32 {
            let pointer = self.memory_pointer(address, scalar);
            let ty = self.scalar_type(scalar);
            self.asm.value(Op::AtomicIAdd, ty, &[pointer, device, relaxed, element]);
            return;
        }
        // The element is the word itself, or bits `shift ..` of the aligned word around it.
        let word = if scalar.bits() == 64 { Scalar::U64 } else { Scalar::U32 };
        let (address, shift) = self.containing_word(address, scalar);
        let pointer = self.memory_pointer(address, word);
        let ty = self.scalar_type(word);
        let start = self.asm.value(Op::AtomicLoad, ty, &[pointer, device, relaxed]);
        self.exchange_until_alone(ty, pointer, device, start, |e, old| {
            e.word_plus(old, scalar, shift, element)
        });
    }

    /// Replaces the word behind a pointer by what `update` makes of it, until nobody comes between; gives the old word.
    pub fn exchange_until_alone(
        &mut self,
        ty: Word,
        pointer: Word,
        scope: Word,
        start: Word,
        update: impl FnOnce(&mut Self, Word) -> Word,
    ) -> Word {
        let bool_type = self.bool_type();
        let relaxed = self.u32(MemorySemantics::RELAXED.bits());
        let [header, body, next, merge] = [(); 4].map(|()| self.asm.fresh());
        let before = self.asm.block;
        self.asm.effect(Op::Branch, &[header]);
        self.asm.begin_block(header);
        let (old, patch) = self.asm.open_phi(ty, (start, before), next);
        self.asm.effect(Op::LoopMerge, &[merge, next, 0]);
        self.asm.effect(Op::Branch, &[body]);
        self.asm.begin_block(body);
        let new = update(self, old);
        let operands = [pointer, scope, relaxed, relaxed, new, old];
        let seen = self.asm.value(Op::AtomicCompareExchange, ty, &operands);
        let done = self.asm.value(Op::IEqual, bool_type, &[seen, old]);
        self.asm.effect(Op::BranchConditional, &[done, merge, next]);
        self.asm.begin_block(next);
        self.asm.patch(patch, seen);
        self.asm.effect(Op::Branch, &[header]);
        self.asm.begin_block(merge);
        old
    }

    /// The aligned 32-bit word around a narrow element, and where in it the element lies.
    fn containing_word(&mut self, address: Word, scalar: Scalar) -> (Word, Option<Word>) {
        if scalar.bits() >= 32 {
            return (address, None);
        }
        let [long, uint] = [self.int_type(64), self.int_type(32)];
        let [mask, three, eight] = [self.u64(!3), self.u64(3), self.u32(8)];
        let aligned = self.asm.value(Op::BitwiseAnd, long, &[address, mask]);
        let byte = self.asm.value(Op::BitwiseAnd, long, &[address, three]);
        let byte = self.asm.value(Op::UConvert, uint, &[byte]);
        let shift = self.asm.value(Op::IMul, uint, &[byte, eight]);
        (aligned, Some(shift))
    }

    /// The word with the element in it increased.
    fn word_plus(&mut self, old: Word, scalar: Scalar, shift: Option<Word>, element: Word) -> Word {
        let uint = self.int_type(32);
        let Some(shift) = shift else {
            let value = self.bitcast(old, scalar);
            let sum = self.add(scalar, value, element);
            let word = self.int_type(scalar.bits());
            return self.asm.value(Op::Bitcast, word, &[sum]);
        };
        let narrow = self.int_type(scalar.bits());
        let field = self.asm.value(Op::ShiftRightLogical, uint, &[old, shift]);
        let bits = self.asm.value(Op::UConvert, narrow, &[field]);
        let value = self.bitcast(bits, scalar);
        let sum = self.add(scalar, value, element);
        let sum = if scalar == Scalar::F16 { self.asm.value(Op::Bitcast, narrow, &[sum]) } else { sum };
        let sum = self.asm.value(Op::UConvert, uint, &[sum]);
        let sum = self.asm.value(Op::ShiftLeftLogical, uint, &[sum, shift]);
        let ones = self.u32(u32::MAX >> (32 - scalar.bits()));
        let mask = self.asm.value(Op::ShiftLeftLogical, uint, &[ones, shift]);
        let mask = self.asm.value(Op::Not, uint, &[mask]);
        let kept = self.asm.value(Op::BitwiseAnd, uint, &[old, mask]);
        self.asm.value(Op::BitwiseOr, uint, &[kept, sum])
    }

    pub fn add(&mut self, scalar: Scalar, a: Word, b: Word) -> Word {
        if scalar == Scalar::BF16 {
            let [a, b] = [a, b].map(|bits| self.bf16_to_f32(bits));
            let sum = self.add(Scalar::F32, a, b);
            return self.f32_to_bf16(sum);
        }
        let ty = self.scalar_type(scalar);
        if scalar.is_float() {
            self.rounded(Op::FAdd, ty, &[a, b])
        } else {
            self.asm.value(Op::IAdd, ty, &[a, b])
        }
    }

    /// `for s in [128, 64, .., 1]: v[i] += v[i + s]` in shared memory; lanes that do not exist add zero.
    pub fn group_sum(&mut self, sum: GroupSum) {
        let scalar = self.scalar(sum.element);
        let [ty, uint, bool_type] = [self.scalar_type(scalar), self.int_type(32), self.bool_type()];
        let sums = self.sums_variable(scalar);
        let pointer_type = self.pointer_type(StorageClass::Workgroup, ty);
        let zero = self.zero(&pullback_ir::Type::Scalar(scalar));
        let element = self.id(sum.element);
        // A value from outside the lanes' own code (a constant, a parameter) is not zero there yet.
        let element = self.asm.value(Op::Select, ty, &[self.active, element, zero]);
        let mine = self.asm.value(Op::AccessChain, pointer_type, &[sums, self.local]);
        self.asm.effect(Op::Store, &[mine, element]);
        self.barrier(MemorySemantics::WORKGROUP_MEMORY);
        let mut step = GROUP_LANES / 2;
        while step > 0 {
            let steps = self.u32(step);
            let adds = self.asm.value(Op::ULessThan, bool_type, &[self.local, steps]);
            self.when(adds, |e| {
                let other = e.asm.value(Op::IAdd, uint, &[e.local, steps]);
                let theirs = e.asm.value(Op::AccessChain, pointer_type, &[sums, other]);
                let a = e.asm.value(Op::Load, ty, &[mine]);
                let b = e.asm.value(Op::Load, ty, &[theirs]);
                let total = e.add(scalar, a, b);
                e.asm.effect(Op::Store, &[mine, total]);
            });
            self.barrier(MemorySemantics::WORKGROUP_MEMORY);
            step /= 2;
        }
        let zero = self.u32(0);
        let is_first = self.asm.value(Op::IEqual, bool_type, &[self.local, zero]);
        let stores = self.asm.value(Op::LogicalAnd, bool_type, &[is_first, self.active]);
        let memory = element_scalar(self.function.ty(sum.pointer));
        let pointer = self.id(sum.pointer);
        self.when(stores, |e| {
            let long = e.int_type(64);
            let shift = e.u32(GROUP_LANES.trailing_zeros());
            let group = e.asm.value(Op::ShiftRightLogical, long, &[e.lane, shift]);
            let size = e.u64(memory.size_bytes() as u64);
            let offset = e.asm.value(Op::IMul, long, &[group, size]);
            let address = e.asm.value(Op::IAdd, long, &[pointer, offset]);
            let total = e.asm.value(Op::Load, ty, &[mine]);
            e.store_element_of(address, memory, total);
        });
    }

    pub fn when(&mut self, condition: Word, body: impl FnOnce(&mut Self)) {
        let [then, merge] = [self.asm.fresh(), self.asm.fresh()];
        self.asm.effect(Op::SelectionMerge, &[merge, 0]);
        self.asm.effect(Op::BranchConditional, &[condition, then, merge]);
        self.asm.begin_block(then);
        body(self);
        self.asm.effect(Op::Branch, &[merge]);
        self.asm.begin_block(merge);
    }

    /// Waits for the group, and makes what it wrote visible in it.
    pub fn barrier(&mut self, memory: MemorySemantics) {
        let semantics = memory | MemorySemantics::ACQUIRE_RELEASE;
        let [scope, semantics] = [Scope::Workgroup as u32, semantics.bits()].map(|n| self.u32(n));
        self.asm.effect(Op::ControlBarrier, &[scope, scope, semantics]);
    }

    pub fn sums_variable(&mut self, scalar: Scalar) -> Word {
        if let Some(&variable) = self.sums.get(&scalar) {
            return variable;
        }
        let [element, count] = [self.scalar_type(scalar), self.u32(GROUP_LANES)];
        let array = self.asm.global(Op::TypeArray, None, &[element, count]);
        let pointer = self.pointer_type(StorageClass::Workgroup, array);
        let variable = self.asm.global_variable(pointer, StorageClass::Workgroup as Word);
        self.sums.insert(scalar, variable);
        variable
    }
}
