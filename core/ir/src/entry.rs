//! What stands around functions: a shader's globals, and the entry points that launch kernels over them.

use crate::{FuncId, Type};
use pullback_base::Span;
use std::sync::Arc;

/// A variable declared outside of functions that whoever launches gives a value: a uniform or a buffer. Functions see
/// it as a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Global {
    /// As users bind it. Fields of a `cbuffer` or a struct are reached through the type.
    pub name: Arc<str>,
    pub ty: Type,
    pub span: Span,
}

/// A shader's entry point: a kernel, and what its parameters stand for.
///
/// The kernel takes the leaves of all globals in order, then the numbers of workgroups along x, y and z (a u32 each).
/// A launch of `x * y * z` workgroups runs [`EntryPoint::lanes_per_group`] lanes for each; lane ids are numbered
/// workgroup by workgroup, x first, and within a workgroup likewise.
#[derive(Clone, Debug)]
pub struct EntryPoint {
    pub name: Arc<str>,
    /// Of kind [`FunctionKind::Kernel`](crate::FunctionKind::Kernel).
    pub kernel: FuncId,
    /// Lanes of a workgroup along x, y, z: `[numthreads(x, y, z)]`.
    pub group: [u32; 3],
    /// Each takes one kernel parameter per leaf of its type.
    pub globals: Vec<Global>,
    pub span: Span,
}

impl EntryPoint {
    pub fn lanes_per_group(&self) -> u32 {
        self.group.iter().product()
    }
}
