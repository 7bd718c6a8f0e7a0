//! Memory: reads and writes of what stands in device memory, guarded where it may be outside of a buffer.

use super::function::FunctionLowerer;
use super::place::indexed;
use crate::slang::check::hir::Access;
use pullback_base::{Scalar, bug};
use pullback_ir::layout::{element_offset_bytes, layout};
use pullback_ir::{AtomicOp, Effect, Op, Type, Value};

/// Something in device memory.
#[derive(Clone, Copy)]
pub struct Memory {
    pub pointer: Value,
    /// Whether it is there; `None` where that is certain.
    pub guard: Option<Value>,
}

/// The fields of the struct that stands for a buffer.
const BUFFER_POINTER: u32 = 0;
const BUFFER_COUNT: u32 = 1;

impl FunctionLowerer<'_, '_> {
    /// Something in memory, of that type.
    pub fn access(&mut self, access: &Access, ty: &Type) -> Memory {
        let (buffer, index) = match access {
            Access::Element { buffer, index } | Access::Bytes { buffer, offset: index } => (buffer, index),
            Access::Target { pointer } => return Memory { pointer: self.expr(pointer), guard: None },
        };
        let buffer = self.expr(buffer);
        let index = self.expr(index);
        let index = self.ssa.convert(index, Scalar::I64);
        let pointer = self.ssa.extract(buffer, BUFFER_POINTER);
        let count = self.ssa.extract(buffer, BUFFER_COUNT);
        let pointer = self.ssa.offset(pointer, index);
        if let Access::Element { .. } = access {
            return Memory { pointer, guard: Some(self.is_below(index, count)) };
        }
        let bytes = self.ssa.i64(layout(ty).size_bytes as i64);
        // All of the value lies within, and no sum can wrap: sizes are small and counts are not negative.
        let last = self.ssa.sub(count, bytes);
        let one = self.ssa.i64(1);
        let ends = self.ssa.add(last, one);
        let zero = self.ssa.i64(0);
        let ends = self.ssa.op(Op::Max, &[ends, zero]);
        let guard = self.is_below(index, ends);
        Memory { pointer: self.cast_pointer(pointer, ty), guard: Some(guard) }
    }

    /// `0 <= index < count`, in one comparison: negative numbers are large unsigned ones.
    pub fn is_below(&mut self, index: Value, count: Value) -> Value {
        let index = self.ssa.convert(index, Scalar::U64);
        let count = self.ssa.convert(count, Scalar::U64);
        self.ssa.op(Op::Lt, &[index, count])
    }

    fn cast_pointer(&mut self, pointer: Value, ty: &Type) -> Value {
        if self.pointee(pointer) == *ty {
            return pointer;
        }
        self.ssa.op(Op::PointerCast(ty.clone()), &[pointer])
    }

    /// The type of what is there.
    pub fn pointee(&self, pointer: Value) -> Type {
        match self.ssa.ty(pointer) {
            Type::Pointer(element) => Type::clone(element),
            other => bug!("lower", "{other} points nowhere"),
        }
    }

    /// Component, row, array element or field number `index` of what is there.
    pub fn memory_element(&mut self, memory: Memory, index: u32) -> Memory {
        let whole = self.pointee(memory.pointer);
        let Some(element) = whole.element(index) else { bug!("lower", "{whole} has no element {index}") };
        let bytes = self.cast_pointer(memory.pointer, &Type::Scalar(Scalar::U8));
        let offset = self.ssa.i64(element_offset_bytes(&whole, index) as i64);
        let at = self.ssa.offset(bytes, offset);
        Memory { pointer: self.cast_pointer(at, &element), ..memory }
    }

    /// The component, row or array element at a computed index, guarded.
    pub fn memory_at(&mut self, memory: Memory, index: Value) -> Memory {
        let whole = self.pointee(memory.pointer);
        let element = indexed(&whole);
        let index = self.ssa.convert(index, Scalar::I64);
        let count = self.ssa.i64(i64::from(whole.element_count()));
        let inside = self.is_below(index, count);
        let guard = match memory.guard {
            Some(guard) => self.ssa.op(Op::And, &[guard, inside]),
            None => inside,
        };
        let first = self.cast_pointer(memory.pointer, &element);
        Memory { pointer: self.ssa.offset(first, index), guard: Some(guard) }
    }

    pub fn load(&mut self, memory: Memory) -> Value {
        let ty = self.pointee(memory.pointer);
        self.guarded(memory.guard, &ty, |this| this.ssa.load(memory.pointer))
    }

    pub fn store(&mut self, memory: Memory, value: Value) {
        if let Some(guard) = memory.guard {
            self.ssa.begin_if(guard);
        }
        self.ssa.store(memory.pointer, value);
        if memory.guard.is_some() {
            self.ssa.end_if();
        }
    }

    /// The old value; zero where nothing is there.
    pub fn atomic(&mut self, memory: Memory, op: AtomicOp, values: &[Value]) -> Value {
        let ty = self.pointee(memory.pointer);
        let args: Vec<Value> = [memory.pointer].into_iter().chain(values.iter().copied()).collect();
        self.guarded(memory.guard, &ty, |this| match this.ssa.effect(Effect::Atomic(op), &args) {
            Some(old) => old,
            None => bug!("lower", "an atomic operation gives nothing"),
        })
    }

    /// A value, or zero where the guard does not hold.
    fn guarded(&mut self, guard: Option<Value>, ty: &Type, value: impl FnOnce(&mut Self) -> Value) -> Value {
        let Some(guard) = guard else { return value(self) };
        let result = self.ssa.declare(ty.clone(), None);
        self.ssa.begin_if(guard);
        let value = value(self);
        self.ssa.write(result, value);
        self.ssa.end_if();
        self.ssa.read(result)
    }
}
