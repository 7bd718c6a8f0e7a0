//! The CUDA device: kernels compiled by NVRTC, run in the primary context on the caller's stream.
//!
//! Kernel ABI: `extern "C" __global__ void ENTRY(const PbArgs args, unsigned long long lanes)`, where
//! `PbArgs` is `struct { unsigned long long w[N]; }` and `N` the number of parameters, at least 1
//! (a kernel without parameters gets one word of zero). Blocks have 256 threads; the kernel loops
//! over groups, `for (g = blockIdx.x; g * 256 < lanes; g += gridDim.x)`, so that any grid works.

mod context;
mod launch;
mod memory;
mod nvrtc;

#[cfg(test)]
mod tests;

pub use nvrtc::{add_library_path, compile_to_cubin};

use crate::{Buffer, Device, DeviceError, DeviceType, LoadedKernel, Submission};
use context::Context;
use memory::DeviceBuffer;
use pullback_base::{Artifact, ArtifactFormat, DType};
use std::sync::Arc;

/// A CUDA device's primary context, the one other libraries of the process use too.
pub struct CudaDevice {
    context: Arc<Context>,
}

impl CudaDevice {
    /// Opens the device of this ordinal.
    ///
    /// # Errors
    /// `NoDriver` without an NVIDIA driver; `NoDevice` when there is no such device.
    pub fn new(ordinal: u32) -> Result<Self, DeviceError> {
        Ok(CudaDevice { context: Arc::new(Context::open(ordinal)?) })
    }

    fn memory_of<'b>(&self, buffer: &'b Buffer) -> Result<&'b DeviceBuffer, DeviceError> {
        buffer.owner.downcast_ref::<DeviceBuffer>().filter(|own| own.belongs_to(&self.context)).ok_or_else(
            || DeviceError::LaunchFailed {
                operation: "copy",
                reason: "the buffer belongs to another device".to_owned(),
            },
        )
    }
}

impl Device for CudaDevice {
    fn device_type(&self) -> DeviceType {
        DeviceType::Cuda
    }

    fn name(&self) -> &str {
        &self.context.name
    }

    fn artifact_format(&self) -> ArtifactFormat {
        ArtifactFormat::KernelText
    }

    fn supports(&self, _dtype: DType) -> bool {
        true
    }

    fn shares_host_addresses(&self) -> bool {
        false
    }

    fn load(&self, artifact: &Artifact) -> Result<LoadedKernel, DeviceError> {
        Ok(Arc::new(launch::CudaKernel::load(&self.context, artifact)?))
    }

    fn allocate(&self, size_bytes: u64) -> Result<Buffer, DeviceError> {
        DeviceBuffer::allocate(&self.context, size_bytes)
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
        // SAFETY: the caller promises what `launch::submit` asks for.
        unsafe { launch::submit(&self.context, submission) }
    }

    fn synchronize(&self) -> Result<(), DeviceError> {
        memory::synchronize(&self.context)
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
