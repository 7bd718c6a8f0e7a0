//! The driver and a device's primary context: opening it, making it current, telling its errors.

use super::memory::BlockCache;
use crate::DeviceError;
use cudarc::driver::result::{self, DriverError};
use cudarc::driver::sys::{self, CUdevice_attribute as Attribute, CUresult};
use std::marker::PhantomData;

const INSTALL: &str = "install the NVIDIA driver (`nvidia-smi` shows whether it works)";

/// The retained primary context of one device.
pub struct Context {
    handle: sys::CUcontext,
    device: sys::CUdevice,
    pub name: String,
    /// Compute capability, major and minor.
    pub capability: (u32, u32),
    pub multiprocessors: u32,
    pub cache: BlockCache,
}

// SAFETY: the driver's calls are thread-safe, and every thread makes the context current first.
unsafe impl Send for Context {}
// SAFETY: as above.
unsafe impl Sync for Context {}

/// A context made current on this thread; the one before is current again when this is dropped.
pub struct Current {
    pushed: bool,
    // Neither `Send` nor `Sync`: what is current belongs to the thread.
    thread: PhantomData<*const ()>,
}

impl Context {
    pub fn open(ordinal: u32) -> Result<Self, DeviceError> {
        init()?;
        let count = result::device::get_count().map_err(no_driver)?;
        let no_device = |reason: String| DeviceError::NoDevice {
            kind: "CUDA",
            reason,
            help: "check `nvidia-smi` and CUDA_VISIBLE_DEVICES".to_owned(),
        };
        let Some(ordinal) = i32::try_from(ordinal).ok().filter(|&ordinal| ordinal < count) else {
            return Err(no_device(format!("ordinal {ordinal} is asked for, and there are {count}")));
        };
        let failed = |error: DriverError| no_device(text(error));
        let device = result::device::get(ordinal).map_err(failed)?;
        let name = result::device::get_name(device).map_err(failed)?;
        let attribute = |which| {
            // SAFETY: the device was returned by `device::get`.
            let value = unsafe { result::device::get_attribute(device, which) }.map_err(failed)?;
            Ok::<_, DeviceError>(value.unsigned_abs())
        };
        let capability = (
            attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?,
            attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?,
        );
        let multiprocessors = attribute(Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?;
        // SAFETY: as above; released when the context is dropped.
        let handle = unsafe { result::primary_ctx::retain(device) }.map_err(failed)?;
        Ok(Context { handle, device, name, capability, multiprocessors, cache: BlockCache::default() })
    }

    /// Makes the context current on this thread.
    pub fn bind(&self) -> Result<Current, DeviceError> {
        if matches!(result::ctx::get_current(), Ok(Some(current)) if current == self.handle) {
            return Ok(Current { pushed: false, thread: PhantomData });
        }
        // SAFETY: the context is retained as long as `self` lives.
        unsafe { sys::cuCtxPushCurrent_v2(self.handle) }
            .result()
            .map_err(|error| self.error("bind", error))?;
        Ok(Current { pushed: true, thread: PhantomData })
    }

    /// A driver's error as the failure of an operation.
    pub fn error(&self, operation: &'static str, error: DriverError) -> DeviceError {
        DeviceError::LaunchFailed { operation, reason: format!("{}: {}", self.name, text(error)) }
    }

    /// The failure to get memory; the context is current.
    pub fn memory_error(&self, wanted_bytes: u64, error: DriverError) -> DeviceError {
        if error.0 != CUresult::CUDA_ERROR_OUT_OF_MEMORY {
            return self.error("allocate", error);
        }
        let free_bytes = result::mem_get_info().map_or(0, |(free, _total)| free as u64);
        DeviceError::OutOfMemory { wanted_bytes, free_bytes }
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        if let Ok(_current) = self.bind() {
            self.cache.destroy();
        }
        // An error here means that the driver is already shut down, as at the end of a process.
        // SAFETY: retained once in `open`, released once here.
        let _ = unsafe { result::primary_ctx::release(self.device) };
    }
}

impl Drop for Current {
    fn drop(&mut self) {
        if self.pushed {
            let mut popped = std::ptr::null_mut();
            // SAFETY: pushed by `bind` on this thread, which the value cannot leave.
            let _ = unsafe { sys::cuCtxPopCurrent_v2(&mut popped) };
        }
    }
}

/// Loads and initializes the driver.
fn init() -> Result<(), DeviceError> {
    // SAFETY: opens the driver's library, whose initialization routines are the system's own.
    if !unsafe { sys::is_culib_present() } {
        return Err(DeviceError::NoDriver {
            driver: "CUDA",
            reason: "its library (libcuda) is not installed".to_owned(),
            help: INSTALL.to_owned(),
        });
    }
    result::init().map_err(no_driver)
}

/// The error for a driver that is there and does not work.
fn no_driver(error: DriverError) -> DeviceError {
    if error.0 == CUresult::CUDA_ERROR_NO_DEVICE {
        return DeviceError::NoDevice {
            kind: "CUDA",
            reason: "the driver finds none".to_owned(),
            help: "check `nvidia-smi` and CUDA_VISIBLE_DEVICES".to_owned(),
        };
    }
    DeviceError::NoDriver { driver: "CUDA", reason: text(error), help: INSTALL.to_owned() }
}

/// The driver's name for an error, and its sentence about it.
fn text(error: DriverError) -> String {
    let name = error.error_name().map_or("unknown error".into(), |name| name.to_string_lossy());
    let sentence = error.error_string().map_or("no description".into(), |text| text.to_string_lossy());
    format!("{name} ({sentence})")
}
