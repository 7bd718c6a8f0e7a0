//! Memory and arrays: loads, stores, atomic additions, group sums, array variables.

use super::ops::arithmetic;
use super::text::{scalar_name, type_name};
use super::{Emitter, TARGET};
use crate::EmitError;
use crate::arrays::Slot;
use crate::kernel::{GroupSum, element_scalar};
use pullback_base::Scalar;
use pullback_ir::{Effect, Op, Value};

impl Emitter<'_> {
    pub fn effect(&mut self, result: Option<Value>, effect: Effect, args: &[Value]) -> Result<(), EmitError> {
        match (effect, result) {
            (Effect::Barrier, _) => {
                self.text.line("__syncthreads();");
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
        let pointer = self.name(args[0]);
        match (effect, result) {
            (Effect::Load, Some(result)) => {
                let loaded = match scalar {
                    Scalar::Bool => format!("*{pointer} != 0"),
                    _ => format!("*{pointer}"),
                };
                self.define(result, loaded);
            }
            (Effect::Store, _) => {
                let element = memory_form(&self.name(args[1]), scalar);
                self.text.line(format!("*{pointer} = {element};"));
            }
            (Effect::AtomicAdd, _) => {
                let line = atomic_add(&pointer, scalar, &self.name(args[1]));
                self.text.line(line);
            }
            (Effect::Atomic(op), Some(result)) => {
                let old = self.atomic(op, &pointer, scalar, &args[1..]);
                self.define(result, old);
            }
            _ => return Err(EmitError::NoEffect { target: TARGET, effect: effect.name(), scalar }),
        }
        Ok(())
    }

    /// Every thread of the block takes part; those without a lane add zero.
    pub fn group_sum(&mut self, sum: GroupSum) -> Result<(), EmitError> {
        let scalar = element_scalar(self.function.ty(sum.element));
        let memory = element_scalar(self.function.ty(sum.pointer));
        let (element, pointer, ty) = (self.name(sum.element), self.name(sum.pointer), scalar_name(scalar));
        let added = added(scalar, "a", "b").ok_or(EmitError::NoEffect {
            target: TARGET,
            effect: "group_sum",
            scalar,
        })?;
        self.text.open("{");
        self.text.line(format!(
            "const {ty} sum = pb_group_sum<{ty}>(active ? {element} : ({ty})0, []({ty} a, {ty} b) {{ return ({ty})({added}); }});"
        ));
        self.text.line(format!("if (threadIdx.x == 0) {pointer}[group] = {};", memory_form("sum", memory)));
        self.text.close("}");
        Ok(())
    }

    /// An op with an array result.
    pub fn array_op(&mut self, result: Value, op: &Op, args: &[Value]) {
        let array = self.array(result);
        let count = self.function.ty(result).element_count();
        match op {
            Op::Construct(_) => {
                for (index, &arg) in args.iter().enumerate() {
                    let element = self.name(arg);
                    self.text.line(format!("{array}[{index}] = {element};"));
                }
            }
            Op::Splat(_) => {
                let element = self.name(args[0]);
                self.each_element(count, &format!("{array}[k] = {element};"));
            }
            Op::Select => {
                let [condition, a, b] = [self.name(args[0]), self.array(args[1]), self.array(args[2])];
                self.each_element(count, &format!("{array}[k] = {condition} ? {a}[k] : {b}[k];"));
            }
            Op::Insert(index) => {
                self.move_arrays(&self.slots.moves(&args[..1], &[result]));
                let element = self.name(args[1]);
                self.text.line(format!("{array}[{index}] = {element};"));
            }
            _ => {
                self.move_arrays(&self.slots.moves(&args[..1], &[result]));
                let [index, element] = [self.name(args[1]), self.name(args[2])];
                let in_range = self.in_range(result, &index);
                self.text.line(format!("if ({in_range}) {array}[{index}] = {element};"));
            }
        }
    }

    fn each_element(&mut self, count: u32, line: &str) {
        self.text.line(format!("for (u32 k = 0; k < {count}; ++k) {line}"));
    }

    /// Moves arrays between slots, all at once.
    pub fn move_arrays(&mut self, moves: &[(Slot, Slot)]) {
        let count = |slot: Slot, this: &Self| this.slots.types[slot.0].element_count();
        let overlaps = moves.iter().any(|(from, _)| moves.iter().any(|(_, to)| from == to));
        if !overlaps {
            for (from, to) in moves {
                self.each_element(count(*to, self), &format!("array{}[k] = array{}[k];", to.0, from.0));
            }
            return;
        }
        self.text.open("{");
        for (from, to) in moves {
            let element = type_name(&self.slots.types[from.0]);
            self.text.line(format!("{element} next{}[{}];", to.0, count(*to, self)));
            self.each_element(count(*to, self), &format!("next{}[k] = array{}[k];", to.0, from.0));
        }
        for (_, to) in moves {
            self.each_element(count(*to, self), &format!("array{0}[k] = next{0}[k];", to.0));
        }
        self.text.close("}");
    }
}

/// The form an element has in memory: a bool is a byte.
fn memory_form(element: &str, scalar: Scalar) -> String {
    match scalar {
        Scalar::Bool => format!("(u8)({element})"),
        _ => element.to_owned(),
    }
}

/// The sum of two values of a type, 16-bit floats as bits.
fn added(scalar: Scalar, a: &str, b: &str) -> Option<String> {
    match scalar {
        Scalar::F16 => Some(format!("pb_f32_to_f16(pb_f16_to_f32({a}) + pb_f16_to_f32({b}))")),
        Scalar::BF16 => Some(format!("pb_f32_to_bf16(pb_bf16_to_f32({a}) + pb_bf16_to_f32({b}))")),
        Scalar::I8 | Scalar::I16 | Scalar::U8 | Scalar::U16 => Some(format!("{a} + {b}")),
        _ => arithmetic(&Op::Add, scalar, &[a, b]),
    }
}

fn atomic_add(pointer: &str, scalar: Scalar, element: &str) -> String {
    let sum = match scalar {
        Scalar::I64 => return format!("atomicAdd((u64*){pointer}, (u64){element});"),
        Scalar::F16 => format!("pb_f32_to_f16(pb_f16_to_f32((u16)bits) + pb_f16_to_f32({element}))"),
        Scalar::BF16 => format!("pb_f32_to_bf16(pb_bf16_to_f32((u16)bits) + pb_bf16_to_f32({element}))"),
        _ if scalar.bits() < 32 => format!("bits + (u32){element}"),
        _ => return format!("atomicAdd({pointer}, {element});"),
    };
    let width = scalar.bits();
    format!("pb_atomic_update({pointer}, {width}, [&](u32 bits) {{ return {sum}; }});")
}
