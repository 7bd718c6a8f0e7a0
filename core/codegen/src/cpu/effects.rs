//! Memory, shared memory and waves.
//!
//! A group is one chunk, and each instruction runs for all of its lanes: so a barrier needs no instruction, and keeps
//! its place by effects keeping their order.

use super::address::Address;
use super::lower::Lowerer;
use crate::kernel::{element_scalar, slot_scalar};
use pullback_base::bug;
use pullback_base::bytecode::{Instruction, Joint, Kind, Reg, Update, VectorOp};
use pullback_base::ids::Id;
use pullback_ir::{AtomicOp, Effect, SharedId, Type, Value, WaveOp};

impl Lowerer<'_> {
    /// Gives each slot of shared memory its place, aligned to a cache line.
    pub(super) fn place_shared(&mut self) {
        for slot in &self.function.shared {
            let len = slot.element_count().max(1);
            let place = self.code.shared_bytes;
            let bytes = len * slot_scalar(slot).size_bytes() as u32;
            self.code.shared_bytes = place + bytes.next_multiple_of(64);
            self.shared.push((place, len));
        }
    }

    pub(super) fn effect(&mut self, result: Option<Value>, effect: Effect, args: &[Value], mask: Reg) {
        match (effect, result) {
            (Effect::Barrier, _) | (Effect::Load, None) => {}
            (Effect::Wave(op), Some(result)) => self.wave(op, result, args, mask),
            (Effect::SharedLoad(slot), Some(result)) => {
                let (address, inside) = self.shared_address(slot, args[0], mask);
                let size_bytes = self.size_bytes(result);
                let out = self.code.register(size_bytes);
                let dtype = slot_scalar(&self.function.shared[slot.index()]);
                self.code.push(Instruction::Gather { dtype, out, address, mask: inside });
                self.zero_outside(result, out, inside);
            }
            (Effect::SharedStore(slot), _) => {
                let (address, mask) = self.shared_address(slot, args[0], mask);
                let dtype = slot_scalar(&self.function.shared[slot.index()]);
                let value = self.reg(args[1]);
                self.code.push(Instruction::Scatter { dtype, address, value, mask });
            }
            (Effect::SharedAtomic(slot, op), Some(result)) => {
                let (address, inside) = self.shared_address(slot, args[0], mask);
                let out = self.atomic(op, address, &args[1..], inside);
                self.zero_outside(result, out, inside);
            }
            (Effect::Atomic(op), Some(result)) => {
                let out = self.atomic(op, self.reg(args[0]), &args[1..], mask);
                self.values.insert(result, out);
            }
            _ => self.memory(result, effect, args, mask),
        }
    }

    fn memory(&mut self, result: Option<Value>, effect: Effect, args: &[Value], mask: Reg) {
        let dtype = element_scalar(self.function.ty(args[0]));
        let value = args.get(1).map_or(Reg::NONE, |&value| self.reg(value));
        let instruction = match (effect, result) {
            (Effect::Load, Some(result)) => {
                let out = self.code.register(self.size_bytes(result));
                self.values.insert(result, out);
                match self.address(args[0]) {
                    Address::Strided { base, stride } => Instruction::Load { dtype, out, base, stride, mask },
                    Address::Each(address) => Instruction::Gather { dtype, out, address, mask },
                }
            }
            (Effect::Store, _) => match self.address(args[0]) {
                Address::Strided { base, stride } => Instruction::Store { dtype, base, stride, value, mask },
                Address::Each(address) => Instruction::Scatter { dtype, address, value, mask },
            },
            (Effect::AtomicAdd, _) => {
                Instruction::AtomicAdd { dtype, address: self.reg(args[0]), value, mask }
            }
            (Effect::GroupSum, _) => Instruction::GroupSum { dtype, base: self.reg(args[0]), value },
            _ => bug!("emit", "`{effect}` without a result"),
        };
        self.code.push(instruction);
    }

    /// The addresses of a slot's elements, and the lanes whose index is in range.
    fn shared_address(&mut self, slot: SharedId, index: Value, mask: Reg) -> (Reg, Reg) {
        let (offset_bytes, len) = self.shared[slot.index()];
        let element_bytes = slot_scalar(&self.function.shared[slot.index()]).size_bytes() as i64;
        let index = self.reg(index);
        let base = self.code.define(8, |out| Instruction::SharedAddress { out, offset_bytes });
        let [len, element_bytes] = [i64::from(len), element_bytes].map(|number| self.code.i64(number));
        let inside = self.code.compute(VectorOp::Lt, Kind::U64, &[index, len]);
        let offset = self.code.compute(VectorOp::Mul, Kind::I64, &[index, element_bytes]);
        let address = self.code.compute(VectorOp::Add, Kind::I64, &[base, offset]);
        (address, self.code.mask_and(mask, inside))
    }

    /// The result is what was read, or zero in lanes that read nothing.
    fn zero_outside(&mut self, result: Value, read: Reg, inside: Reg) {
        let kind = match self.function.ty(result) {
            Type::Scalar(scalar) => Kind::of(*scalar),
            _ => Kind::I64,
        };
        let zero = self.code.constant(kind, 0);
        let value = self.select(kind.size_bytes(), [inside, read, zero]);
        self.values.insert(result, value);
    }

    fn atomic(&mut self, op: AtomicOp, address: Reg, values: &[Value], mask: Reg) -> Reg {
        let found = Update::ALL.iter().find(|update| update.name() == op.name());
        let (Some(&update), Some(&last)) = (found, values.last()) else {
            bug!("emit", "no atomic `{}`", op.name())
        };
        let dtype = element_scalar(self.function.ty(last));
        let expected = if op == AtomicOp::CompareExchange { self.reg(values[0]) } else { Reg::NONE };
        let out = self.code.register(self.size_bytes(last));
        let value = self.reg(last);
        self.code.push(Instruction::Atomic { dtype, update, out, address, value, expected, mask });
        out
    }

    fn wave(&mut self, op: WaveOp, result: Value, args: &[Value], mask: Reg) {
        let Some(&joint) = Joint::ALL.iter().find(|joint| joint.name() == op.name()) else {
            bug!("emit", "no wave op `{}`", op.name())
        };
        let kind = Kind::of(element_scalar(self.function.ty(args[0])));
        let lane = args.get(1).map_or(Reg::NONE, |&lane| self.reg(lane));
        let out = self.code.register(self.size_bytes(result));
        let value = self.reg(args[0]);
        self.code.push(Instruction::Wave { joint, kind, out, value, lane, mask });
        self.values.insert(result, out);
    }
}
