//! The CPU device: a masked vector machine in this process, on host memory.

mod atomic;
mod buffers;
mod elements;
mod math;
mod memory;
mod program;
mod rows;
mod run;
mod scalar;
mod table;
mod wave;

use crate::{Buffer, Device, DeviceError, DeviceType, LoadedKernel, Submission};
use buffers::Allocator;
use program::CpuKernel;
use pullback_base::{Artifact, ArtifactFormat, DType};
use std::sync::Arc;
use table::InstructionSet;

/// The CPU. Launches run before `submit` returns.
pub struct CpuDevice {
    set: InstructionSet,
    name: String,
    allocator: Arc<Allocator>,
}

impl CpuDevice {
    pub fn new() -> Self {
        let set = InstructionSet::available().into_iter().last().unwrap_or(InstructionSet::Baseline);
        Self::with_instruction_set(set)
    }

    fn with_instruction_set(set: InstructionSet) -> Self {
        let name = format!("CPU ({set:?}, {} threads)", run::thread_count());
        Self { set, name, allocator: Arc::new(Allocator::default()) }
    }

    /// One device for each instruction set this CPU has, the plainest first: all must agree.
    pub fn of_each_instruction_set() -> Vec<Self> {
        InstructionSet::available().into_iter().map(Self::with_instruction_set).collect()
    }
}

impl Default for CpuDevice {
    fn default() -> Self {
        Self::new()
    }
}

fn failure(operation: &'static str, reason: impl Into<String>) -> DeviceError {
    DeviceError::LaunchFailed { operation, reason: reason.into() }
}

/// The buffer's bytes from an offset on.
fn range(buffer: &Buffer, offset_bytes: u64, len: usize, what: &'static str) -> Result<*mut u8, DeviceError> {
    let end = offset_bytes.checked_add(len as u64);
    if end.is_none_or(|end| end > buffer.size_bytes) {
        let reason = format!("{len} bytes at {offset_bytes} of a buffer of {}", buffer.size_bytes);
        return Err(failure(what, reason));
    }
    Ok((buffer.address + offset_bytes) as *mut u8)
}

impl Device for CpuDevice {
    fn device_type(&self) -> DeviceType {
        DeviceType::Cpu
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn artifact_format(&self) -> ArtifactFormat {
        ArtifactFormat::Bytecode
    }

    fn supports(&self, _: DType) -> bool {
        true
    }

    fn shares_host_addresses(&self) -> bool {
        true
    }

    fn load(&self, artifact: &Artifact) -> Result<LoadedKernel, DeviceError> {
        if artifact.format != ArtifactFormat::Bytecode {
            return Err(DeviceError::Unsupported {
                device: self.name.clone(),
                wanted: format!("load an artifact of format {:?}", artifact.format),
            });
        }
        let kernel = CpuKernel::decode(artifact, self.set).map_err(|reason| failure("load", reason))?;
        Ok(Arc::new(kernel))
    }

    fn allocate(&self, size_bytes: u64) -> Result<Buffer, DeviceError> {
        buffers::allocate(&self.allocator, size_bytes)
    }

    fn upload(&self, buffer: &Buffer, offset_bytes: u64, bytes: &[u8]) -> Result<(), DeviceError> {
        let to = range(buffer, offset_bytes, bytes.len(), "upload")?;
        // SAFETY: the range lies in the buffer, whose memory lives as long as the buffer; the caller's bytes are
        // borrowed, so they are not the buffer's.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) };
        Ok(())
    }

    fn download(&self, buffer: &Buffer, offset_bytes: u64, bytes: &mut [u8]) -> Result<(), DeviceError> {
        let from = range(buffer, offset_bytes, bytes.len(), "download")?;
        // SAFETY: as in `upload`.
        unsafe { std::ptr::copy_nonoverlapping(from, bytes.as_mut_ptr(), bytes.len()) };
        Ok(())
    }

    unsafe fn submit(&self, submission: &Submission<'_>) -> Result<(), DeviceError> {
        for launch in submission.launches {
            let Some(kernel) = launch.kernel.downcast_ref::<CpuKernel>() else {
                return Err(failure("submit", "the kernel was loaded by another device"));
            };
            if launch.words.len() != kernel.param_count {
                let reason = format!("{} words for {} parameters", launch.words.len(), kernel.param_count);
                return Err(failure("submit", reason));
            }
            if let Some(reason) = kernel.groups.refuse(launch.lanes) {
                return Err(failure("submit", reason));
            }
            // SAFETY: the words were counted; for what they point to the caller's promise.
            unsafe { run::launch(kernel, launch.words, launch.lanes) };
        }
        Ok(())
    }

    fn synchronize(&self) -> Result<(), DeviceError> {
        Ok(())
    }
}
