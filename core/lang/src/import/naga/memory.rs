//! Buffers: places in device memory, each guarded by the size of what was bound; loads, stores and atomics.
//!
//! The text's own layout (std140, std430) is not kept: what users bind lies in ours, and no text can tell. What stands
//! in a buffer alone is an array of one element.

use super::Refused;
use super::function::{FunctionLowering, Place, Step, Term, is_no_diff};
use super::uses::Expr;
use naga::AtomicFunction;
use pullback_base::{Scalar, bug};
use pullback_ir::layout::element_offset_bytes;
use pullback_ir::{AtomicOp, Effect, Field, Op, Type, Value};
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
        let (data, count) = self.buffer(place);
        let index = self.ssa.convert(index, Scalar::I64);
        let guard = self.is_below(index, count);
        Memory { pointer: self.ssa.offset(data, index), guard, no_diff: self.is_no_diff_place(place) }
    }

    /// What a buffer holds as a whole, of that type: an array, or its only element.
    pub fn held(&mut self, place: &Place, ty: Type) -> Memory {
        let (data, count) = self.buffer(place);
        let needed = match ty {
            Type::Array(_, len) => i64::from(len),
            _ => 1,
        };
        let last = self.ssa.i64(needed - 1);
        let guard = self.is_below(last, count);
        let pointer = match self.pointee(data) == ty {
            true => data,
            false => self.ssa.op(Op::PointerCast(ty), &[data]),
        };
        Memory { pointer, guard, no_diff: self.is_no_diff_place(place) }
    }

    fn buffer(&mut self, place: &Place) -> (Value, Value) {
        let buffer = self.load(place);
        (self.ssa.extract(buffer, DATA), self.ssa.extract(buffer, COUNT))
    }

    /// Whether the member of a binding has the mark.
    fn is_no_diff_place(&self, place: &Place) -> bool {
        let is_marked = |step: &Step| matches!(step, Step::Element(index) if is_no_diff(self.ssa.var_ty(place.var), *index));
        place.path.first().is_some_and(is_marked)
    }

    /// `arrayLength`
    pub fn buffer_length(&mut self, place: &Place) -> Value {
        let (_, count) = self.buffer(place);
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
        let value = self.guarded(memory, |this| this.ssa.load(memory.pointer));
        if memory.no_diff { self.detached(value) } else { value }
    }

    /// A value of the type that is there, or zero where nothing is.
    fn guarded(&mut self, memory: Memory, value: impl FnOnce(&mut Self) -> Value) -> Value {
        let ty = self.pointee(memory.pointer);
        let result = self.ssa.declare(ty, None);
        self.ssa.begin_if(memory.guard);
        let value = value(self);
        self.ssa.write(result, value);
        self.ssa.end_if();
        self.ssa.read(result)
    }

    pub fn store_memory(&mut self, memory: Memory, value: Value) {
        let value = if memory.no_diff { self.detached(value) } else { value };
        self.ssa.begin_if(memory.guard);
        self.ssa.store(memory.pointer, value);
        self.ssa.end_if();
    }

    /// An atomic operation, and its result if that is used.
    pub fn atomic(
        &mut self,
        pointer: Expr,
        fun: AtomicFunction,
        value: Expr,
        result: Option<Expr>,
    ) -> Result<(), Refused> {
        let mut operands = Vec::new();
        let op = match fun {
            AtomicFunction::Add | AtomicFunction::Subtract => AtomicOp::Add,
            AtomicFunction::And => AtomicOp::And,
            AtomicFunction::ExclusiveOr => AtomicOp::Xor,
            AtomicFunction::InclusiveOr => AtomicOp::Or,
            AtomicFunction::Min => AtomicOp::Min,
            AtomicFunction::Max => AtomicOp::Max,
            AtomicFunction::Exchange { compare: None } => AtomicOp::Exchange,
            AtomicFunction::Exchange { compare: Some(expected) } => {
                operands.push(self.value(expected)?);
                AtomicOp::CompareExchange
            }
        };
        let value = self.value(value)?;
        operands.push(if fun == AtomicFunction::Subtract { self.ssa.neg(value) } else { value });
        if !self.ssa.function().scalar(value).is_some_and(|scalar| op.takes(scalar)) {
            return self.refuse("this atomic operation on numbers of this type");
        }
        let old = match self.term(pointer)? {
            Term::Memory(memory) => self.atomic_memory(memory, op, &operands),
            Term::Shared(shared) => shared.atomic(&mut self.ssa, op, &operands),
            Term::Value(_) | Term::Place(_) => return self.refuse("this pointer"),
        };
        let Some(result) = result else { return Ok(()) };
        let given = match (op, operands[0]) {
            (AtomicOp::CompareExchange, expected) => {
                let exchanged = self.ssa.op(Op::Eq, &[old, expected]);
                let ty = self.ty_of(result)?;
                self.ssa.op(Op::Construct(ty), &[old, exchanged])
            }
            _ => old,
        };
        self.define(result, Term::Value(given));
        Ok(())
    }

    fn atomic_memory(&mut self, memory: Memory, op: AtomicOp, operands: &[Value]) -> Value {
        let args: Vec<Value> = [memory.pointer].into_iter().chain(operands.iter().copied()).collect();
        self.guarded(memory, |this| match this.ssa.effect(Effect::Atomic(op), &args) {
            Some(old) => old,
            None => bug!("wgsl", "an atomic operation gives nothing"),
        })
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
