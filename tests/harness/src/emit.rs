//! Kernels to artifacts, by target.

use crate::tolerance::Target;
use pullback_base::{Artifact, ArtifactFormat};
use pullback_codegen::{EmitError, cpu, cuda, spirv};
use pullback_ir::{Module, Verified};
use pullback_passes::legalize::Limits;
use pullback_passes::legalized;

/// What the target's device loads.
pub fn emit(module: &Verified<Module>, target: Target) -> Result<Artifact, EmitError> {
    let expanded = |format| legalized(module.clone(), Limits::of(format));
    match target {
        Target::Cpu => cpu::emit(&expanded(ArtifactFormat::Bytecode)),
        Target::Cuda => cuda::emit(&expanded(ArtifactFormat::KernelText), &cuda::Options::default()),
        Target::Vulkan => spirv::emit(&expanded(ArtifactFormat::ShaderBinary), &spirv::Options::default()),
    }
}
