//! Devices: memory, loaded kernels, launches. One trait, one folder per device.

pub mod api;
pub mod cpu;
pub mod cuda;
pub mod null;
mod size_class;
mod spans;
pub mod vulkan;

pub use api::{Access, Buffer, Device, DeviceError, DeviceType, HostRange, Launch, LoadedKernel, Submission};

use std::sync::Arc;

/// Opens a device. [`DeviceType::Automatic`] takes CUDA, else Vulkan on a real GPU, else the CPU.
///
/// # Errors
/// `NoDriver` or `NoDevice` when the one asked for by name is not there; automatic never fails.
pub fn open(device_type: DeviceType) -> Result<Arc<dyn Device>, DeviceError> {
    match device_type {
        DeviceType::Cpu => Ok(Arc::new(cpu::CpuDevice::new())),
        DeviceType::Vulkan => Ok(Arc::new(vulkan::VulkanDevice::new()?)),
        DeviceType::Cuda => Ok(Arc::new(cuda::CudaDevice::new(0)?)),
        DeviceType::Null => Ok(Arc::new(null::NullDevice::new())),
        DeviceType::Automatic => Ok(open_automatic()),
    }
}

fn open_automatic() -> Arc<dyn Device> {
    if let Ok(device) = cuda::CudaDevice::new(0) {
        return Arc::new(device);
    }
    match vulkan::VulkanDevice::new() {
        Ok(device) if device.is_hardware() => Arc::new(device),
        _ => Arc::new(cpu::CpuDevice::new()),
    }
}
