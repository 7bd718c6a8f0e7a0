//! Memory: reads and writes of what stands there, guarded where it may be outside.

use super::function::FunctionLowerer;
use crate::slang::check::hir::Access;
use pullback_base::Scalar;
use pullback_ir::{Op, Type, Value};

/// Something in memory.
#[derive(Clone, Copy)]
pub struct Memory {
    pub pointer: Value,
    /// Whether it is there; `None` where that is certain.
    pub guard: Option<Value>,
}

/// The fields of the struct that stands for a buffer.
pub const BUFFER_POINTER: u32 = 0;
pub const BUFFER_COUNT: u32 = 1;

impl FunctionLowerer<'_, '_> {
    pub fn access(&mut self, access: &Access) -> Memory {
        match access {
            Access::Element { buffer, index } => {
                let buffer = self.expr(buffer);
                let index = self.expr(index);
                let index = self.ssa.convert(index, Scalar::I64);
                let pointer = self.ssa.extract(buffer, BUFFER_POINTER);
                let count = self.ssa.extract(buffer, BUFFER_COUNT);
                Memory { pointer: self.ssa.offset(pointer, index), guard: Some(self.is_below(index, count)) }
            }
        }
    }

    /// `0 <= index < count`, in one comparison: negative numbers are large unsigned ones.
    fn is_below(&mut self, index: Value, count: Value) -> Value {
        let index = self.ssa.convert(index, Scalar::U64);
        let count = self.ssa.convert(count, Scalar::U64);
        self.ssa.op(Op::Lt, &[index, count])
    }

    pub fn load(&mut self, memory: Memory) -> Value {
        let ty = match self.ssa.ty(memory.pointer) {
            Type::Pointer(element) => pullback_ir::effects::loaded_type(element),
            other => pullback_base::bug!("lower", "load of {other}"),
        };
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

    /// A value, or zero where the guard does not hold.
    pub fn guarded(
        &mut self,
        guard: Option<Value>,
        ty: &Type,
        value: impl FnOnce(&mut Self) -> Value,
    ) -> Value {
        let Some(guard) = guard else { return value(self) };
        let result = self.ssa.declare(ty.clone(), None);
        self.ssa.begin_if(guard);
        let value = value(self);
        self.ssa.write(result, value);
        self.ssa.end_if();
        self.ssa.read(result)
    }
}
