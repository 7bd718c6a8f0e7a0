//! What every device can do: allocate, load an artifact, run launches in order.

use pullback_base::{Artifact, ArtifactFormat, Code, DType};
use std::any::Any;
use std::sync::Arc;

/// Which kind of device; `Automatic` is resolved by [`crate::open`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeviceType {
    Automatic,
    Cpu,
    Vulkan,
    Cuda,
    /// Compiles and binds, runs nothing: results stay as they were. For tests without a device.
    Null,
}

impl DeviceType {
    pub fn name(self) -> &'static str {
        match self {
            DeviceType::Automatic => "automatic",
            DeviceType::Cpu => "cpu",
            DeviceType::Vulkan => "vulkan",
            DeviceType::Cuda => "cuda",
            DeviceType::Null => "null",
        }
    }
}

/// A failure of the world below a call: a driver, a device, memory.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DeviceError {
    #[error("no {driver} driver: {reason}")]
    NoDriver { driver: &'static str, reason: String, help: String },
    #[error("no {kind} device: {reason}")]
    NoDevice { kind: &'static str, reason: String, help: String },
    #[error("out of device memory: {wanted_bytes} bytes wanted, {free_bytes} free")]
    OutOfMemory { wanted_bytes: u64, free_bytes: u64 },
    #[error("{operation} failed: {reason}")]
    LaunchFailed { operation: &'static str, reason: String },
    #[error("the driver's compiler refused kernel `{entry}`:\n{log}")]
    CompilerFailed { entry: String, log: String },
    #[error("{device} cannot {wanted}")]
    Unsupported { device: String, wanted: String },
}

impl DeviceError {
    pub fn code(&self) -> Code {
        match self {
            DeviceError::NoDriver { .. } => Code::NoDriver,
            DeviceError::NoDevice { .. } => Code::NoDevice,
            DeviceError::OutOfMemory { .. } => Code::OutOfMemory,
            DeviceError::LaunchFailed { .. } => Code::LaunchFailed,
            DeviceError::CompilerFailed { .. } => Code::CompilerFailed,
            DeviceError::Unsupported { .. } => Code::Unsupported,
        }
    }

    /// One thing to do, where there is one.
    pub fn help(&self) -> Option<&str> {
        match self {
            DeviceError::NoDriver { help, .. } | DeviceError::NoDevice { help, .. } => Some(help),
            _ => None,
        }
    }
}

/// Device memory, freed when the last clone is dropped (after launches that use it are done).
#[derive(Clone)]
pub struct Buffer {
    /// The address kernels use.
    pub address: u64,
    pub size_bytes: u64,
    /// Keeps the memory; the device that made it knows the type.
    pub owner: Arc<dyn Any + Send + Sync>,
}

/// A kernel made ready by [`Device::load`]; the device that made it knows the type.
pub type LoadedKernel = Arc<dyn Any + Send + Sync>;

/// What a kernel does to a range of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    Read,
    /// Written; elements that no lane writes keep their value.
    Write,
    ReadWrite,
}

impl Access {
    pub fn writes(self) -> bool {
        self != Access::Read
    }
}

/// One run of a kernel over lanes `0..lanes`.
#[derive(Clone, Copy)]
pub struct Launch<'a> {
    pub kernel: &'a LoadedKernel,
    /// One word per kernel parameter, in order; pointers are addresses (see [`HostRange`]).
    pub words: &'a [u64],
    pub lanes: u64,
}

/// Says that word `word` of launch `launch` is a *host* address within
/// `start .. start + size_bytes`. A device that reads host memory directly ignores it; another
/// imports or copies the range, replaces the word by the device's address, and after the launches
/// makes what was written visible in the host's memory.
#[derive(Clone, Copy, Debug)]
pub struct HostRange {
    pub launch: usize,
    pub word: usize,
    pub start: *mut u8,
    pub size_bytes: usize,
    pub access: Access,
}

// SAFETY: the pointer is only a number until `Device::submit`, whose caller promises that it is valid.
unsafe impl Send for HostRange {}
// SAFETY: as above.
unsafe impl Sync for HostRange {}

/// Launches that run in order, each seeing the writes of those before it.
#[derive(Clone, Copy)]
pub struct Submission<'a> {
    pub launches: &'a [Launch<'a>],
    pub host_ranges: &'a [HostRange],
    /// The caller's stream (a native handle); `None` is the device's own queue. With host ranges the
    /// call returns when results are visible to the host; without, it may return at once.
    pub stream: Option<u64>,
}

/// A device. Calls are thread-safe; kernels and buffers outlive the calls that use them.
pub trait Device: Send + Sync {
    fn device_type(&self) -> DeviceType;

    /// What the driver calls it, for messages.
    fn name(&self) -> &str;

    /// The format [`Device::load`] takes.
    fn artifact_format(&self) -> ArtifactFormat;

    /// Whether kernels may compute with this dtype.
    fn supports(&self, dtype: DType) -> bool;

    /// Whether kernels use host addresses as they are, so that submissions need no host ranges.
    fn shares_host_addresses(&self) -> bool;

    /// Whether code may ask that NaN, infinities and the sign of zero be kept (all devices but some Vulkan
    /// drivers keep them unasked).
    fn preserves_special_floats(&self) -> bool {
        true
    }

    fn load(&self, artifact: &Artifact) -> Result<LoadedKernel, DeviceError>;

    /// Uninitialized memory, at least 256-byte aligned. Zero bytes are allowed.
    fn allocate(&self, size_bytes: u64) -> Result<Buffer, DeviceError>;

    /// Copies host bytes into a buffer; returns when the host bytes may be reused.
    fn upload(&self, buffer: &Buffer, offset_bytes: u64, bytes: &[u8]) -> Result<(), DeviceError>;

    /// Copies buffer bytes to the host, after all launches submitted before.
    fn download(&self, buffer: &Buffer, offset_bytes: u64, bytes: &mut [u8]) -> Result<(), DeviceError>;

    /// Runs launches in order.
    ///
    /// # Safety
    /// Every pointer word must address memory that is valid, of the kernel's element type, and large
    /// enough for every lane's accesses; host ranges must be valid for the access they state and not
    /// be used by others until this returns.
    unsafe fn submit(&self, submission: &Submission<'_>) -> Result<(), DeviceError>;

    /// Waits for all submitted launches.
    fn synchronize(&self) -> Result<(), DeviceError>;
}
