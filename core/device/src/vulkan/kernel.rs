//! Kernels: a checked shader module and its compute pipeline.

use super::gpu::Gpu;
use super::physical::Features;
use crate::DeviceError;
use ash::vk;
use pullback_base::{Artifact, ArtifactFormat, Groups};
use std::ffi::CString;
use std::sync::Arc;

const MAGIC: u32 = 0x0723_0203;
const HEADER_WORDS: usize = 5;
const OP_CAPABILITY: u32 = 17;

/// A compute pipeline, destroyed with the last clone of its `Arc` once the queue is done with it.
pub struct VulkanKernel {
    gpu: Arc<Gpu>,
    pub pipeline: vk::Pipeline,
    pub param_count: usize,
    pub groups: Groups,
}

impl VulkanKernel {
    pub fn load(gpu: &Arc<Gpu>, artifact: &Artifact) -> Result<Self, DeviceError> {
        let refused = |log: String| DeviceError::CompilerFailed { entry: artifact.entry.clone(), log };
        if artifact.format != ArtifactFormat::ShaderBinary {
            return Err(refused(format!("the artifact is {:?}, not ShaderBinary", artifact.format)));
        }
        let words = artifact.words();
        if !artifact.bytes.len().is_multiple_of(4) || words.len() < HEADER_WORDS || words[0] != MAGIC {
            return Err(refused("the artifact's bytes are not a SPIR-V module".to_owned()));
        }
        check_capabilities(gpu, &words)?;
        let entry = CString::new(artifact.entry.as_str())
            .map_err(|_| refused("the entry's name contains a zero byte".to_owned()))?;
        let pipeline = create_pipeline(gpu, &words, &entry).map_err(|result| match result {
            vk::Result::ERROR_OUT_OF_DEVICE_MEMORY | vk::Result::ERROR_OUT_OF_HOST_MEMORY => {
                gpu.memory_error(artifact.bytes.len() as u64, result)
            }
            other => refused(other.to_string()),
        })?;
        let (param_count, groups) = (artifact.params.len(), artifact.groups);
        let kernel = VulkanKernel { gpu: Arc::clone(gpu), pipeline, param_count, groups };
        gpu.check_validation("load")?;
        Ok(kernel)
    }

    pub fn belongs_to(&self, gpu: &Arc<Gpu>) -> bool {
        Arc::ptr_eq(&self.gpu, gpu)
    }
}

impl Drop for VulkanKernel {
    fn drop(&mut self) {
        // A launch of this kernel may be in flight. On a lost device nothing is.
        let _ = self.gpu.wait_for_all();
        // SAFETY: the queue is done with the pipeline, and nobody else has it.
        unsafe { self.gpu.device.destroy_pipeline(self.pipeline, None) };
    }
}

fn create_pipeline(gpu: &Gpu, words: &[u32], entry: &CString) -> Result<vk::Pipeline, vk::Result> {
    let create = vk::ShaderModuleCreateInfo::default().code(words);
    // SAFETY: the words are a SPIR-V module of capabilities that are on; that the rest of it is valid
    // is what code generation promises.
    let module = unsafe { gpu.device.create_shader_module(&create, None) }?;
    let stage = vk::PipelineShaderStageCreateInfo::default()
        .stage(vk::ShaderStageFlags::COMPUTE)
        .module(module)
        .name(entry);
    let create = vk::ComputePipelineCreateInfo::default().stage(stage).layout(gpu.pipeline_layout);
    // SAFETY: module and layout are alive; a pipeline does not need its module once it is made.
    unsafe {
        let pipelines = gpu.device.create_compute_pipelines(vk::PipelineCache::null(), &[create], None);
        gpu.device.destroy_shader_module(module, None);
        pipelines.map(|pipelines| pipelines[0]).map_err(|(_, result)| result)
    }
}

/// Refuses a module that declares a capability the device was not opened with: to run it all the same
/// would be undefined.
fn check_capabilities(gpu: &Gpu, words: &[u32]) -> Result<(), DeviceError> {
    for capability in capabilities(words) {
        if let Err(wanted) = allowed(capability, &gpu.abilities.features) {
            return Err(DeviceError::Unsupported { device: gpu.abilities.name.clone(), wanted });
        }
    }
    Ok(())
}

/// The capabilities a module declares. They are its first instructions.
fn capabilities(words: &[u32]) -> impl Iterator<Item = u32> + '_ {
    // An instruction's first word is (word count << 16) | opcode; a capability takes two words.
    words[HEADER_WORDS..]
        .chunks_exact(2)
        .take_while(|pair| pair[0] == (2 << 16) | OP_CAPABILITY)
        .map(|pair| pair[1])
}

/// Whether a capability is on; if not, what the device cannot do.
fn allowed(capability: u32, has: &Features) -> Result<(), String> {
    let (on, name) = match capability {
        // Matrix, Shader, Int64, PhysicalStorageBufferAddresses: every device here has them.
        0 | 1 | 11 | 5347 => return Ok(()),
        9 => (has.float16, "compute in f16"),
        10 => (has.float64, "compute in f64"),
        12 => (has.buffer_int64_atomics, "do atomics on 64-bit integers"),
        22 => (has.int16, "compute on 16-bit integers"),
        39 => (has.int8, "compute on 8-bit integers"),
        4433 => (has.storage16, "load and store 16-bit elements"),
        4448 => (has.storage8, "load and store 8-bit elements"),
        4441 | 4442 => (has.variable_pointers, "use variable pointers"),
        4466 => (has.special_floats, "keep signed zeros, infinities and NaNs exact"),
        5345 => (has.memory_model, "use the Vulkan memory model"),
        5346 => (has.memory_model_device_scope, "order memory across the device"),
        6033 => (has.float32_atomic_add, "add to f32 atomically"),
        6034 => (has.float64_atomic_add, "add to f64 atomically"),
        other => return Err(format!("run kernels of SPIR-V capability {other}")),
    };
    if on { Ok(()) } else { Err(name.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_capability_is_refused_by_what_it_does() {
        let none = Features::default();
        assert_eq!(allowed(10, &none), Err("compute in f64".to_owned()));
        assert_eq!(allowed(10, &Features { float64: true, ..none }), Ok(()));
        assert_eq!(allowed(4711, &none), Err("run kernels of SPIR-V capability 4711".to_owned()));
    }

    #[test]
    fn capabilities_end_where_other_instructions_begin() {
        let words = [MAGIC, 0x0001_0300, 0, 9, 0, 0x0002_0011, 1, 0x0002_0011, 5347, 0x0003_000e, 5348, 1];
        assert_eq!(capabilities(&words).collect::<Vec<_>>(), [1, 5347]);
    }
}
