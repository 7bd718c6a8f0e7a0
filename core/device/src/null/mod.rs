//! The null device: compiles and binds, runs nothing. For tests without a device.

use crate::{Buffer, Device, DeviceError, DeviceType, LoadedKernel, Submission};
use parking_lot::Mutex;
use pullback_base::{Artifact, ArtifactFormat, DType};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A device whose launches do nothing: memory keeps its zeros, or what was uploaded.
#[derive(Default)]
pub struct NullDevice {
    launches: AtomicU64,
}

/// What `load` keeps: enough to check a launch.
struct NullKernel {
    param_count: usize,
}

const ALIGNMENT: usize = 256;

/// Zeroed host memory, with room to start at an aligned address.
struct NullMemory {
    bytes: Mutex<Vec<u8>>,
}

impl NullMemory {
    fn aligned_start(bytes: &[u8]) -> usize {
        bytes.as_ptr().align_offset(ALIGNMENT)
    }
}

impl NullDevice {
    pub fn new() -> Self {
        Self::default()
    }

    /// How many launches were submitted so far.
    pub fn launches(&self) -> u64 {
        self.launches.load(Ordering::Relaxed)
    }
}

/// Runs `copy` on the bytes `offset .. offset + len` of a buffer.
fn with_bytes(
    operation: &'static str,
    buffer: &Buffer,
    offset_bytes: u64,
    len: usize,
    copy: impl FnOnce(&mut [u8]),
) -> Result<(), DeviceError> {
    let refused = |reason: &str| DeviceError::LaunchFailed { operation, reason: reason.to_owned() };
    let memory = buffer
        .owner
        .downcast_ref::<NullMemory>()
        .ok_or_else(|| refused("the buffer belongs to another device"))?;
    if offset_bytes.checked_add(len as u64).is_none_or(|end| end > buffer.size_bytes) {
        return Err(refused("the bytes reach past the buffer's end"));
    }
    let mut bytes = memory.bytes.lock();
    let start = NullMemory::aligned_start(&bytes) + offset_bytes as usize;
    copy(&mut bytes[start..start + len]);
    Ok(())
}

impl Device for NullDevice {
    fn device_type(&self) -> DeviceType {
        DeviceType::Null
    }

    fn name(&self) -> &str {
        "null"
    }

    fn artifact_format(&self) -> ArtifactFormat {
        ArtifactFormat::Bytecode
    }

    fn supports(&self, _dtype: DType) -> bool {
        true
    }

    fn shares_host_addresses(&self) -> bool {
        true
    }

    /// Takes an artifact of any format.
    fn load(&self, artifact: &Artifact) -> Result<LoadedKernel, DeviceError> {
        Ok(Arc::new(NullKernel { param_count: artifact.params.len() }))
    }

    fn allocate(&self, size_bytes: u64) -> Result<Buffer, DeviceError> {
        let too_large = || DeviceError::OutOfMemory { wanted_bytes: size_bytes, free_bytes: 0 };
        let room = usize::try_from(size_bytes).ok().and_then(|size| size.checked_add(ALIGNMENT));
        let room = room.filter(|room| isize::try_from(*room).is_ok()).ok_or_else(too_large)?;
        let bytes = vec![0; room];
        let address = bytes[NullMemory::aligned_start(&bytes)..].as_ptr().addr() as u64;
        Ok(Buffer { address, size_bytes, owner: Arc::new(NullMemory { bytes: Mutex::new(bytes) }) })
    }

    fn upload(&self, buffer: &Buffer, offset_bytes: u64, bytes: &[u8]) -> Result<(), DeviceError> {
        with_bytes("upload", buffer, offset_bytes, bytes.len(), |own| own.copy_from_slice(bytes))
    }

    fn download(&self, buffer: &Buffer, offset_bytes: u64, bytes: &mut [u8]) -> Result<(), DeviceError> {
        with_bytes("download", buffer, offset_bytes, bytes.len(), |own| bytes.copy_from_slice(own))
    }

    unsafe fn submit(&self, submission: &Submission<'_>) -> Result<(), DeviceError> {
        for launch in submission.launches {
            let refused = |reason: String| DeviceError::LaunchFailed { operation: "submit", reason };
            let kernel = launch
                .kernel
                .downcast_ref::<NullKernel>()
                .ok_or_else(|| refused("the kernel was loaded by another device".to_owned()))?;
            if launch.words.len() != kernel.param_count {
                let (words, params) = (launch.words.len(), kernel.param_count);
                return Err(refused(format!("{words} argument words for {params} parameters")));
            }
        }
        self.launches.fetch_add(submission.launches.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    fn synchronize(&self) -> Result<(), DeviceError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Launch;
    use pullback_base::ParamKind;

    fn artifact(param_count: usize) -> Artifact {
        Artifact {
            format: ArtifactFormat::KernelText,
            entry: "main".to_owned(),
            groups: pullback_base::Groups::default(),
            params: vec![ParamKind::Scalar(DType::F32); param_count],
            bytes: Vec::new(),
        }
    }

    #[test]
    fn launches_are_counted_and_change_nothing() {
        let device = NullDevice::new();
        let kernel = device.load(&artifact(1)).unwrap();
        let launch = Launch { kernel: &kernel, words: &[0], lanes: 10 };
        // SAFETY: the null device follows no pointer.
        unsafe { device.submit(&Submission { launches: &[launch, launch], host_ranges: &[], stream: None }) }
            .unwrap();
        assert_eq!(device.launches(), 2);
    }

    #[test]
    fn a_launch_with_too_few_words_is_refused() {
        let device = NullDevice::new();
        let kernel = device.load(&artifact(2)).unwrap();
        let launch = Launch { kernel: &kernel, words: &[0], lanes: 10 };
        // SAFETY: the null device follows no pointer.
        let error =
            unsafe { device.submit(&Submission { launches: &[launch], host_ranges: &[], stream: None }) }
                .unwrap_err();
        assert_eq!(error.to_string(), "submit failed: 1 argument words for 2 parameters");
        assert_eq!(device.launches(), 0);
    }

    #[test]
    fn buffers_are_aligned_zeros_that_keep_uploads() {
        let device = NullDevice::new();
        let buffer = device.allocate(100).unwrap();
        assert_eq!(buffer.address % 256, 0);
        device.upload(&buffer, 10, &[1, 2, 3]).unwrap();
        let mut bytes = [9; 5];
        device.download(&buffer, 9, &mut bytes).unwrap();
        assert_eq!(bytes, [0, 1, 2, 3, 0]);
        assert!(device.download(&buffer, 96, &mut bytes).is_err());
        assert_ne!(device.allocate(0).unwrap().address, 0);
    }
}
