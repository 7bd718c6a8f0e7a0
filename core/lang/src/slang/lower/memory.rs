//! Memory: reads and writes of what stands in device memory, guarded where it may be outside of a buffer.

use super::function::FunctionLowerer;
use super::place::indexed;
use crate::slang::check::hir::Access;
use pullback_base::{Scalar, bug};
use pullback_ir::layout::{element_offset_bytes, layout};
use pullback_ir::{AtomicOp, Effect, MatrixOrder, Op, Type, Value};

/// Something in device memory.
#[derive(Clone, Copy)]
pub struct Memory {
    pub pointer: Value,
    /// Whether it is there; `None` where that is certain.
    pub guard: Option<Value>,
    /// It is a row of a matrix that lies by columns: the pointer leads to the first component.
    row: Option<Row>,
}

/// A vector whose components lie apart.
#[derive(Clone, Copy)]
struct Row {
    components: u8,
    /// From one to the next, counted in components.
    stride: u8,
}

/// The fields of the struct that stands for a buffer.
const BUFFER_POINTER: u32 = 0;
const BUFFER_COUNT: u32 = 1;

impl FunctionLowerer<'_, '_> {
    /// Something in memory, of that type.
    pub fn access(&mut self, access: &Access, ty: &Type) -> Memory {
        let (buffer, index) = match access {
            Access::Element { buffer, index } | Access::Bytes { buffer, offset: index } => (buffer, index),
            Access::Target { pointer } => {
                return Memory { pointer: self.expr(pointer), guard: None, row: None };
            }
        };
        let buffer = self.expr(buffer);
        let index = self.expr(index);
        let index = self.ssa.convert(index, Scalar::I64);
        let pointer = self.ssa.extract(buffer, BUFFER_POINTER);
        let count = self.ssa.extract(buffer, BUFFER_COUNT);
        let pointer = self.ssa.offset(pointer, index);
        if let Access::Element { .. } = access {
            return Memory { pointer, guard: Some(self.is_below(index, count)), row: None };
        }
        let bytes = self.ssa.i64(layout(ty).size_bytes as i64);
        // All of the value lies within, and no sum can wrap: sizes are small and counts are not negative.
        let last = self.ssa.sub(count, bytes);
        let one = self.ssa.i64(1);
        let ends = self.ssa.add(last, one);
        let zero = self.ssa.i64(0);
        let ends = self.ssa.op(Op::Max, &[ends, zero]);
        let guard = self.is_below(index, ends);
        Memory { pointer: self.cast_pointer(pointer, ty), guard: Some(guard), row: None }
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

    /// The type of what is there.
    pub fn memory_ty(&self, memory: Memory) -> Type {
        match (memory.row, self.pointee(memory.pointer)) {
            (Some(row), Type::Scalar(scalar)) => Type::Vector(scalar, row.components),
            (_, whole) => whole,
        }
    }

    /// Component, row, array element or field number `index` of what is there.
    pub fn memory_element(&mut self, memory: Memory, index: u32) -> Memory {
        if let Some(part) = self.part_apart(memory, |this| this.ssa.i64(i64::from(index))) {
            return part;
        }
        let whole = self.pointee(memory.pointer);
        let Some(element) = whole.element(index) else { bug!("lower", "{whole} has no element {index}") };
        let bytes = self.cast_pointer(memory.pointer, &Type::Scalar(Scalar::U8));
        let offset = self.ssa.i64(element_offset_bytes(&whole, index) as i64);
        let at = self.ssa.offset(bytes, offset);
        Memory { pointer: self.cast_pointer(at, &element), ..memory }
    }

    /// A row of a matrix that lies by columns, or a component of one.
    fn part_apart(&mut self, memory: Memory, index: impl FnOnce(&mut Self) -> Value) -> Option<Memory> {
        if let Some(row) = memory.row {
            let (index, stride) = (index(self), self.ssa.i64(i64::from(row.stride)));
            let ahead = self.ssa.mul(index, stride);
            return Some(Memory { pointer: self.ssa.offset(memory.pointer, ahead), row: None, ..memory });
        }
        let Type::Matrix { scalar, rows, columns, order: MatrixOrder::Columns } =
            self.pointee(memory.pointer)
        else {
            return None;
        };
        let index = index(self);
        let first = self.cast_pointer(memory.pointer, &Type::Scalar(scalar));
        let row = Some(Row { components: columns, stride: rows });
        Some(Memory { pointer: self.ssa.offset(first, index), row, ..memory })
    }

    /// The component, row or array element at a computed index, guarded.
    pub fn memory_at(&mut self, memory: Memory, index: Value) -> Memory {
        let whole = self.memory_ty(memory);
        let index = self.ssa.convert(index, Scalar::I64);
        let count = self.ssa.i64(i64::from(whole.element_count()));
        let inside = self.is_below(index, count);
        let guard = match memory.guard {
            Some(guard) => self.ssa.op(Op::And, &[guard, inside]),
            None => inside,
        };
        let memory = Memory { guard: Some(guard), ..memory };
        if let Some(part) = self.part_apart(memory, |_| index) {
            return part;
        }
        let first = self.cast_pointer(memory.pointer, &indexed(&whole));
        Memory { pointer: self.ssa.offset(first, index), ..memory }
    }

    pub fn load(&mut self, memory: Memory) -> Value {
        let ty = self.memory_ty(memory);
        let loaded = self.guarded(memory.guard, &ty, |this| match memory.row {
            None => this.ssa.load(memory.pointer),
            Some(_) => this.each_element(&ty, |this, index| {
                let component = this.memory_element(memory, index);
                this.ssa.load(component.pointer)
            }),
        });
        self.by_rows(loaded)
    }

    /// The value with its matrices as operations take them.
    pub fn by_rows(&mut self, value: Value) -> Value {
        let ty = self.ssa.ty(value).in_order(MatrixOrder::Rows);
        self.fitted(value, &ty)
    }

    pub fn store(&mut self, memory: Memory, value: Value) {
        if let Some(guard) = memory.guard {
            self.ssa.begin_if(guard);
        }
        if let Some(row) = memory.row {
            for index in 0..u32::from(row.components) {
                let part = self.ssa.extract(value, index);
                let component = self.memory_element(memory, index);
                self.ssa.store(component.pointer, part);
            }
        } else {
            let value = self.fitted(value, &self.pointee(memory.pointer));
            self.ssa.store(memory.pointer, value);
        }
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
