//! The Vulkan device: compute only, one queue, kernels that reach memory by device addresses.
//!
//! Kernel ABI: entry `main`, local size 256 x 1 x 1, one push constant block of three u64 words
//! `{ args_address, lanes, first_lane }`. The block at `args_address` holds one u64 word per
//! parameter. A kernel computes `lane = first_lane + global invocation index` and returns when
//! `lane >= lanes`. Modules are of SPIR-V 1.5 at most, that of Vulkan 1.2.

mod buffers;
mod dispatches;
mod gpu;
mod instance;
mod kernel;
mod memory;
mod physical;
mod slots;
mod submit;
mod validation;

#[cfg(test)]
mod test_kernels;
#[cfg(test)]
mod tests;

use crate::{Buffer, Device, DeviceError, DeviceType, LoadedKernel, Submission};
use buffers::DeviceBuffer;
use gpu::Gpu;
use pullback_base::{Artifact, ArtifactFormat, DType};
use std::sync::Arc;

/// A Vulkan device and its compute queue.
pub struct VulkanDevice {
    gpu: Arc<Gpu>,
}

impl VulkanDevice {
    /// Opens the best physical device: discrete, integrated, virtual, then software.
    ///
    /// With `PULLBACK_VULKAN_VALIDATION=1` the validation layer is on, and an error it reports fails
    /// the call that caused it.
    ///
    /// # Errors
    /// `NoDriver` without a loader or driver; `NoDevice` when no device has what kernels need.
    pub fn new() -> Result<Self, DeviceError> {
        Ok(VulkanDevice { gpu: Arc::new(Gpu::open(instance::load_entry()?, validation::wanted())?) })
    }

    /// Whether this is a processor of its own, not a software renderer.
    pub fn is_hardware(&self) -> bool {
        self.gpu.abilities.is_hardware
    }

    /// Whether host memory can be used in place, by import.
    pub fn imports_host_memory(&self) -> bool {
        self.gpu.host_import.is_some()
    }

    /// The buffer's memory, when this device made it.
    fn memory_of<'b>(&self, buffer: &'b Buffer) -> Result<&'b DeviceBuffer, DeviceError> {
        buffer.owner.downcast_ref::<DeviceBuffer>().filter(|own| own.belongs_to(&self.gpu)).ok_or_else(|| {
            DeviceError::LaunchFailed {
                operation: "copy",
                reason: "the buffer belongs to another device".to_owned(),
            }
        })
    }
}

impl Device for VulkanDevice {
    fn preserves_special_floats(&self) -> bool {
        self.gpu.abilities.features.special_floats
    }

    fn device_type(&self) -> DeviceType {
        DeviceType::Vulkan
    }

    fn name(&self) -> &str {
        &self.gpu.abilities.name
    }

    fn artifact_format(&self) -> ArtifactFormat {
        ArtifactFormat::ShaderBinary
    }

    fn supports(&self, dtype: DType) -> bool {
        self.gpu.abilities.supports(dtype)
    }

    fn shares_host_addresses(&self) -> bool {
        false
    }

    fn load(&self, artifact: &Artifact) -> Result<LoadedKernel, DeviceError> {
        Ok(Arc::new(kernel::VulkanKernel::load(&self.gpu, artifact)?))
    }

    fn allocate(&self, size_bytes: u64) -> Result<Buffer, DeviceError> {
        DeviceBuffer::allocate(&self.gpu, size_bytes)
    }

    fn upload(&self, buffer: &Buffer, offset_bytes: u64, bytes: &[u8]) -> Result<(), DeviceError> {
        check_bounds("upload", buffer, offset_bytes, bytes.len())?;
        self.memory_of(buffer)?.upload(offset_bytes, bytes)
    }

    fn download(&self, buffer: &Buffer, offset_bytes: u64, bytes: &mut [u8]) -> Result<(), DeviceError> {
        check_bounds("download", buffer, offset_bytes, bytes.len())?;
        self.memory_of(buffer)?.download(offset_bytes, bytes)
    }

    unsafe fn submit(&self, submission: &Submission<'_>) -> Result<(), DeviceError> {
        // SAFETY: the caller promises what `submit::submit` asks for.
        unsafe { submit::submit(&self.gpu, submission, submit::HostPath::Best) }
    }

    fn synchronize(&self) -> Result<(), DeviceError> {
        self.gpu.wait_for_all()
    }
}

/// Refuses a copy that reaches past the end of the buffer.
fn check_bounds(
    operation: &'static str,
    buffer: &Buffer,
    offset: u64,
    len: usize,
) -> Result<(), DeviceError> {
    match offset.checked_add(len as u64) {
        Some(end) if end <= buffer.size_bytes => Ok(()),
        _ => Err(DeviceError::LaunchFailed {
            operation,
            reason: format!(
                "{len} bytes at offset {offset} reach past the end ({} bytes)",
                buffer.size_bytes
            ),
        }),
    }
}
