//! Kernels as bytecode of the CPU device.

mod address;
mod allocate;
mod code;
mod convert;
mod effects;
mod lower;
mod ops;
mod regions;

use crate::EmitError;
use crate::kernel::Kernel;
use pullback_base::{Artifact, ArtifactFormat};
use pullback_ir::{Module, Verified};

const TARGET: &str = "the CPU back end";

/// The bytecode of the module's one kernel, which is in scalar form.
pub fn emit(module: &Verified<Module>) -> Result<Artifact, EmitError> {
    let kernel = Kernel::of(module, TARGET)?;
    let code = lower::lower(kernel.function)?;
    let program = allocate::allocate(code)?;
    Ok(Artifact {
        format: ArtifactFormat::Bytecode,
        entry: kernel.function.name.to_string(),
        params: kernel.params,
        groups: kernel.groups,
        bytes: Artifact::bytes_of_words(&program.to_words()),
    })
}
