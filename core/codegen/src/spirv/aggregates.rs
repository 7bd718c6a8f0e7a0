//! Arrays: variables of the function, indexed with checks, moved whole only between slots.

use super::Emitter;
use crate::arrays::Slot;
use pullback_ir::{Op as IrOp, Type, Value};
use rspirv::spirv::{Op, StorageClass, Word};

impl Emitter<'_> {
    /// An op with an array result.
    pub fn array_op(&mut self, result: Value, op: &IrOp, args: &[Value]) {
        let Some(slot) = self.slots.get(result) else { return };
        match op {
            IrOp::Splat(ty) => {
                let element = self.id(args[0]);
                for index in 0..ty.element_count() {
                    self.store_element(slot, index, element);
                }
            }
            IrOp::Construct(_) => {
                for (index, &arg) in args.iter().enumerate() {
                    let element = self.id(arg);
                    self.store_element(slot, index as u32, element);
                }
            }
            IrOp::Select => {
                let condition = self.id(args[0]);
                let [a, b] = [args[1], args[2]].map(|arg| self.load_array(arg));
                let ty = self.value_type(&self.function.ty(result).clone());
                let picked = self.asm.value(Op::Select, ty, &[condition, a, b]);
                self.asm.effect(Op::Store, &[self.slot_variables[slot.0], picked]);
            }
            IrOp::Insert(index) => {
                self.move_arrays(&self.slots.moves(&args[..1], &[result]));
                let element = self.id(args[1]);
                self.store_element(slot, *index, element);
            }
            _ => {
                self.move_arrays(&self.slots.moves(&args[..1], &[result]));
                self.element_set(slot, args[1], args[2]);
            }
        }
    }

    /// Moves arrays between slots, all at once.
    pub fn move_arrays(&mut self, moves: &[(Slot, Slot)]) {
        let loaded: Vec<Word> = moves
            .iter()
            .map(|(from, _)| {
                let ty = self.value_type(&self.slots.types[from.0].clone());
                self.asm.value(Op::Load, ty, &[self.slot_variables[from.0]])
            })
            .collect();
        for ((_, to), whole) in moves.iter().zip(loaded) {
            self.asm.effect(Op::Store, &[self.slot_variables[to.0], whole]);
        }
    }

    fn load_array(&mut self, value: Value) -> Word {
        let Some(slot) = self.slots.get(value) else { return 0 };
        let ty = self.value_type(&self.function.ty(value).clone());
        self.asm.value(Op::Load, ty, &[self.slot_variables[slot.0]])
    }

    fn element_pointer(&mut self, slot: Slot, index: Word) -> Word {
        let element = self.element_type(slot);
        let pointer = self.pointer_type(StorageClass::Function, element);
        self.asm.value(Op::InBoundsAccessChain, pointer, &[self.slot_variables[slot.0], index])
    }

    fn element_type(&mut self, slot: Slot) -> Word {
        let element = self.element(slot);
        self.value_type(&element)
    }

    fn element(&self, slot: Slot) -> Type {
        let array = &self.slots.types[slot.0];
        array.element(0).unwrap_or_else(|| array.clone())
    }

    fn store_element(&mut self, slot: Slot, index: u32, element: Word) {
        let index = self.u32(index);
        let pointer = self.element_pointer(slot, index);
        self.asm.effect(Op::Store, &[pointer, element]);
    }

    /// The element at a constant index, which is within the array.
    pub fn extract(&mut self, array: Value, index: u32) -> Word {
        let Some(slot) = self.slots.get(array) else { return 0 };
        let index = self.u32(index);
        let pointer = self.element_pointer(slot, index);
        let ty = self.element_type(slot);
        self.asm.value(Op::Load, ty, &[pointer])
    }

    /// An index that is in range (0 when it is not), and whether it is; no check for a constant that is.
    fn checked_index(&mut self, slot: Slot, index: Value) -> (Word, Option<Word>) {
        let count = self.slots.types[slot.0].element_count();
        if let Some(constant) = self.constants.get(&index)
            && (0..i64::from(count)).contains(&constant.as_i64())
        {
            return (self.u32(constant.as_i64() as u32), None);
        }
        let scalar = self.scalar(index);
        let wide = if scalar.is_signed() { pullback_base::Scalar::I64 } else { pullback_base::Scalar::U64 };
        let id = self.id(index);
        let id = self.convert_int(id, scalar, wide);
        let count = self.u64(u64::from(count));
        let bool_type = self.bool_type();
        // A negative index is a large unsigned one.
        let in_range = self.asm.value(Op::ULessThan, bool_type, &[id, count]);
        let [long, zero] = [self.int_type(64), self.u64(0)];
        let safe = self.asm.value(Op::Select, long, &[in_range, id, zero]);
        (safe, Some(in_range))
    }

    pub fn element_get(&mut self, array: Value, index: Value) -> Word {
        let Some(slot) = self.slots.get(array) else { return 0 };
        let (index, in_range) = self.checked_index(slot, index);
        let pointer = self.element_pointer(slot, index);
        let ty = self.element_type(slot);
        let loaded = self.asm.value(Op::Load, ty, &[pointer]);
        let Some(in_range) = in_range else { return loaded };
        let zero = self.zero(&self.element(slot));
        self.asm.value(Op::Select, ty, &[in_range, loaded, zero])
    }

    fn element_set(&mut self, slot: Slot, index: Value, element: Value) {
        let (index, in_range) = self.checked_index(slot, index);
        let pointer = self.element_pointer(slot, index);
        let mut element = self.id(element);
        if let Some(in_range) = in_range {
            let ty = self.element_type(slot);
            let old = self.asm.value(Op::Load, ty, &[pointer]);
            element = self.asm.value(Op::Select, ty, &[in_range, element, old]);
        }
        self.asm.effect(Op::Store, &[pointer, element]);
    }
}
