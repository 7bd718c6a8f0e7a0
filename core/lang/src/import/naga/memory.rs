//! Elements of buffers: pointers into device memory, each guarded by the size of what was bound.
//!
//! The text's own layout (std140, std430) is not kept: what users bind lies in ours, and no text can tell.

use super::function::{FunctionLowering, Place, Step, is_no_diff};
use pullback_base::{Scalar, bug};
use pullback_ir::layout::element_offset_bytes;
use pullback_ir::{Field, Op, Type, Value};
use std::sync::Arc;

/// Something in device memory. It is there if the guard holds.
#[derive(Clone, Copy)]
pub struct Memory {
    pointer: Value,
    guard: Value,
    no_diff: bool,
}

const DATA: u32 = 0;
const COUNT: u32 = 1;

/// An array of open size as it is passed: where it begins, and how many elements it has.
pub fn buffer(element: Type) -> Type {
    let field = |name: &str, ty: Type| Field { name: name.into(), ty, no_diff: false };
    let data = field("data", Type::Pointer(Arc::new(element)));
    Type::structure("StructuredBuffer", vec![data, field("count", Type::I64)])
}

impl FunctionLowering<'_> {
    pub fn buffer_element(&mut self, place: &Place, index: Value) -> Memory {
        let buffer = self.load(place);
        let (data, count) = (self.ssa.extract(buffer, DATA), self.ssa.extract(buffer, COUNT));
        let index = self.ssa.convert(index, Scalar::I64);
        let guard = self.is_below(index, count);
        Memory { pointer: self.ssa.offset(data, index), guard, no_diff: false }
    }

    /// `arrayLength`
    pub fn buffer_length(&mut self, place: &Place) -> Value {
        let buffer = self.load(place);
        let count = self.ssa.extract(buffer, COUNT);
        self.ssa.convert(count, Scalar::U32)
    }

    /// A part of what is there.
    pub fn memory_step(&mut self, memory: Memory, step: Step) -> Memory {
        let whole = self.pointee(memory.pointer);
        let index = match step {
            Step::Index(index) => index,
            Step::Element(index) => {
                let Some(element) = whole.element(index) else {
                    bug!("wgsl", "{whole} has no element {index}")
                };
                let bytes = self.ssa.op(Op::PointerCast(Type::Scalar(Scalar::U8)), &[memory.pointer]);
                let offset = self.ssa.i64(element_offset_bytes(&whole, index) as i64);
                let at = self.ssa.offset(bytes, offset);
                let no_diff = memory.no_diff || is_no_diff(&whole, index);
                return Memory { pointer: self.ssa.op(Op::PointerCast(element), &[at]), no_diff, ..memory };
            }
        };
        let Some(element) = whole.element(0) else { bug!("wgsl", "{whole} has no elements") };
        let index = self.ssa.convert(index, Scalar::I64);
        let count = self.ssa.i64(i64::from(whole.element_count()));
        let inside = self.is_below(index, count);
        let guard = self.ssa.op(Op::And, &[memory.guard, inside]);
        let first = self.ssa.op(Op::PointerCast(element), &[memory.pointer]);
        Memory { pointer: self.ssa.offset(first, index), guard, ..memory }
    }

    /// The value; zero where nothing is there.
    pub fn load_memory(&mut self, memory: Memory) -> Value {
        let ty = self.pointee(memory.pointer);
        let result = self.ssa.declare(ty, None);
        self.ssa.begin_if(memory.guard);
        let value = self.ssa.load(memory.pointer);
        self.ssa.write(result, value);
        self.ssa.end_if();
        let value = self.ssa.read(result);
        if memory.no_diff { self.detached(value) } else { value }
    }

    pub fn store_memory(&mut self, memory: Memory, value: Value) {
        let value = if memory.no_diff { self.detached(value) } else { value };
        self.ssa.begin_if(memory.guard);
        self.ssa.store(memory.pointer, value);
        self.ssa.end_if();
    }

    /// `0 <= index < count`, in one comparison: negative numbers are large unsigned ones.
    fn is_below(&mut self, index: Value, count: Value) -> Value {
        let (index, count) = (self.ssa.convert(index, Scalar::U64), self.ssa.convert(count, Scalar::U64));
        self.ssa.op(Op::Lt, &[index, count])
    }

    fn pointee(&self, pointer: Value) -> Type {
        match self.ssa.ty(pointer) {
            Type::Pointer(element) => Type::clone(element),
            other => bug!("wgsl", "{other} points nowhere"),
        }
    }
}
