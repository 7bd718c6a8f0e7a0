//! Kernels and their launches: compiled and loaded once, run on the caller's stream.

use super::context::Context;
use super::memory::{self, Scratch};
use super::nvrtc;
use crate::spans::{Span, merge, spans_of};
use crate::{DeviceError, HostRange, Launch, Submission};
use cudarc::driver::result;
use cudarc::driver::sys::{CUfunction, CUmodule, CUstream};
use pullback_base::{Artifact, ArtifactFormat, GROUP_LANES, Groups};
use smallvec::SmallVec;
use std::ffi::{CString, c_void};
use std::ptr;
use std::sync::Arc;

/// The bytes of parameters that every device takes: the words and the number of lanes.
const PARAMETER_BYTES_LIMIT: usize = 4096;
/// Blocks per multiprocessor in the largest grid; the kernel loops over the groups beyond.
const GROUPS_PER_MULTIPROCESSOR: u32 = 32;
/// Spans keep their address modulo this on the device, so that elements stay aligned.
const SPAN_ALIGNMENT: usize = 256;

/// A loaded module and its entry.
pub struct CudaKernel {
    context: Arc<Context>,
    module: CUmodule,
    function: CUfunction,
    param_count: usize,
    groups: Groups,
}

// SAFETY: module and function are handles that every thread may use with the context current.
unsafe impl Send for CudaKernel {}
// SAFETY: as above.
unsafe impl Sync for CudaKernel {}

impl CudaKernel {
    pub fn load(context: &Arc<Context>, artifact: &Artifact) -> Result<Self, DeviceError> {
        let refused = |log: String| DeviceError::CompilerFailed { entry: artifact.entry.clone(), log };
        if artifact.format != ArtifactFormat::KernelText {
            return Err(refused(format!("the artifact is {:?}, not KernelText", artifact.format)));
        }
        let source =
            std::str::from_utf8(&artifact.bytes).map_err(|_| refused("the text is not UTF-8".to_owned()))?;
        let entry = CString::new(artifact.entry.as_str())
            .map_err(|_| refused("the entry's name contains a zero byte".to_owned()))?;
        let param_count = artifact.params.len();
        if (param_count + 1) * size_of::<u64>() > PARAMETER_BYTES_LIMIT {
            return Err(DeviceError::Unsupported {
                device: context.name.clone(),
                wanted: format!("pass {param_count} parameters to a kernel"),
            });
        }
        let groups = artifact.groups;
        let architecture = nvrtc::architecture_for(context.capability)?;
        let image = nvrtc::compile_to_cubin(&artifact.entry, source, &architecture)?;
        let _current = context.bind()?;
        // SAFETY: the image is a whole cubin, and the context is current.
        let module = unsafe { result::module::load_data(image.as_ptr().cast()) }
            .map_err(|error| context.error("load", error))?;
        // SAFETY: the module was just loaded.
        match unsafe { result::module::get_function(module, entry) } {
            Ok(function) => {
                Ok(CudaKernel { context: Arc::clone(context), module, function, param_count, groups })
            }
            Err(error) => {
                // SAFETY: nothing of the module is in use.
                let _ = unsafe { result::module::unload(module) };
                Err(context.error("load", error))
            }
        }
    }
}

impl Drop for CudaKernel {
    fn drop(&mut self) {
        let Ok(_current) = self.context.bind() else { return };
        // A launch may be in flight. Where waiting is not allowed (a stream is being captured) the
        // module is left loaded.
        if memory::synchronize(&self.context).is_ok() {
            // SAFETY: nothing of the module is in use.
            let _ = unsafe { result::module::unload(self.module) };
        }
    }
}

/// Runs the launches in order on the submission's stream; with host ranges, waits until their
/// results are in host memory.
///
/// # Safety
/// As [`crate::Device::submit`].
pub unsafe fn submit(context: &Arc<Context>, submission: &Submission<'_>) -> Result<(), DeviceError> {
    let kernels = kernels_of(context, submission.launches)?;
    let _current = context.bind()?;
    let stream = submission.stream.map_or(result::stream::null(), |handle| handle as usize as CUstream);
    if submission.host_ranges.is_empty() {
        return submission.launches.iter().zip(kernels).try_for_each(|(launch, kernel)| {
            // SAFETY: the caller promises valid words.
            unsafe { run(kernel, launch.words, launch.lanes, stream) }
        });
    }
    // SAFETY: the caller promises that the ranges are valid until this returns.
    let host = unsafe { HostCopies::open(context, submission.host_ranges, stream) }?;
    let mut words: SmallVec<[SmallVec<[u64; 16]>; 2]> =
        submission.launches.iter().map(|launch| SmallVec::from_slice(launch.words)).collect();
    for range in submission.host_ranges {
        let Some(word) = words.get_mut(range.launch).and_then(|words| words.get_mut(range.word)) else {
            return Err(DeviceError::LaunchFailed {
                operation: "submit",
                reason: format!("a host range names word {} of launch {}", range.word, range.launch),
            });
        };
        *word = host.translate(range, *word);
    }
    for ((launch, kernel), words) in submission.launches.iter().zip(kernels).zip(&words) {
        // SAFETY: the caller promises valid words; host addresses are replaced by copies.
        unsafe { run(kernel, words, launch.lanes, stream) }?;
    }
    // SAFETY: as for `open`.
    unsafe { host.close(submission.host_ranges) }
}

/// The kernels of the launches, each checked to be this device's and to get its number of words.
fn kernels_of<'a>(
    context: &Arc<Context>,
    launches: &[Launch<'a>],
) -> Result<SmallVec<[&'a CudaKernel; 4]>, DeviceError> {
    let refused = |reason: String| DeviceError::LaunchFailed { operation: "submit", reason };
    launches
        .iter()
        .map(|launch| {
            let kernel = launch
                .kernel
                .downcast_ref::<CudaKernel>()
                .filter(|kernel| Arc::ptr_eq(&kernel.context, context))
                .ok_or_else(|| refused("the kernel was loaded by another device".to_owned()))?;
            if launch.words.len() != kernel.param_count {
                let (words, params) = (launch.words.len(), kernel.param_count);
                return Err(refused(format!("{words} argument words for {params} parameters")));
            }
            kernel.groups.refuse(launch.lanes).map_or(Ok(()), |reason| Err(refused(reason)))?;
            Ok(kernel)
        })
        .collect()
}

/// The number of blocks for a launch: enough to fill the device, no more than there are groups.
pub fn grid_size(lanes: u64, group_lanes: u32, multiprocessors: u32) -> u32 {
    // Small groups need more of them to fill the device.
    let most =
        multiprocessors.max(1) * GROUPS_PER_MULTIPROCESSOR * (GROUP_LANES / group_lanes.max(1)).clamp(1, 8);
    lanes.div_ceil(u64::from(group_lanes.max(1))).min(u64::from(most)) as u32
}

/// Puts one launch on the stream.
///
/// # Safety
/// The context is current, and the words are valid arguments for all lanes.
unsafe fn run(kernel: &CudaKernel, words: &[u64], lanes: u64, stream: CUstream) -> Result<(), DeviceError> {
    if lanes == 0 {
        return Ok(());
    }
    let mut lanes = lanes;
    let no_words = [0_u64];
    let words = if words.is_empty() { &no_words } else { words };
    // The driver copies both parameters before it returns, and does not write to them.
    let mut parameters = [words.as_ptr().cast_mut().cast::<c_void>(), (&raw mut lanes).cast::<c_void>()];
    let group_lanes = kernel.groups.lanes;
    let grid = (grid_size(lanes, group_lanes, kernel.context.multiprocessors), 1, 1);
    // SAFETY: the parameters are those of the kernel ABI; what they point to the caller promises.
    unsafe { result::launch_kernel(kernel.function, grid, (group_lanes, 1, 1), 0, stream, &mut parameters) }
        .map_err(|error| kernel.context.error("launch", error))
}

/// Copies of host spans in device memory, for one submission.
struct HostCopies<'c> {
    context: &'c Context,
    stream: CUstream,
    scratch: Scratch<'c>,
    placed: SmallVec<[(Span, u64); 8]>,
}

impl<'c> HostCopies<'c> {
    /// Copies the ranges to the device. Those only written are copied too, so that elements no lane
    /// writes keep their value.
    ///
    /// # Safety
    /// The context is current, and the ranges may be read until the stream has been waited for.
    unsafe fn open(
        context: &'c Context,
        host_ranges: &[HostRange],
        stream: CUstream,
    ) -> Result<Self, DeviceError> {
        let spans = merge(spans_of(host_ranges));
        let room = |span: &Span| (span.len() + SPAN_ALIGNMENT).next_multiple_of(SPAN_ALIGNMENT);
        let scratch = Scratch::new(context, spans.iter().map(room).sum::<usize>() as u64)?;
        let mut host = HostCopies { context, stream, scratch, placed: SmallVec::new() };
        let mut offset = 0;
        for span in spans {
            let address = host.scratch.block.address + (offset + span.start % SPAN_ALIGNMENT) as u64;
            offset += room(&span);
            // SAFETY: the span may be read, and the copy fits the scratch memory.
            unsafe {
                let source =
                    std::slice::from_raw_parts(ptr::with_exposed_provenance::<u8>(span.start), span.len());
                result::memcpy_htod_async(address, source, stream)
            }
            .map_err(|error| context.error("upload", error))?;
            host.placed.push((span, address));
        }
        Ok(host)
    }

    /// The device address for a host address within a range; 0 within an empty one.
    fn translate(&self, range: &HostRange, host_address: u64) -> u64 {
        let start = range.start.addr();
        self.placed
            .iter()
            .find(|(span, _)| range.size_bytes > 0 && (span.start..span.end).contains(&start))
            .map_or(0, |(span, address)| address.wrapping_add(host_address.wrapping_sub(span.start as u64)))
    }

    /// Copies what launches may have written back to the host, and waits for it.
    ///
    /// # Safety
    /// The context is current, and the ranges that are written are valid for writes.
    unsafe fn close(mut self, host_ranges: &[HostRange]) -> Result<(), DeviceError> {
        let failed = |error| self.context.error("download", error);
        for range in host_ranges.iter().filter(|range| range.access.writes() && range.size_bytes > 0) {
            let source = self.translate(range, range.start.addr() as u64);
            // SAFETY: the range is valid for writes, and nobody else uses it during the call.
            unsafe {
                let target = std::slice::from_raw_parts_mut(range.start, range.size_bytes);
                result::memcpy_dtoh_async(target, source, self.stream)
            }
            .map_err(failed)?;
        }
        self.wait()
    }

    fn wait(&mut self) -> Result<(), DeviceError> {
        // SAFETY: the stream is the caller's, or the default one.
        unsafe { result::stream::synchronize(self.stream) }
            .map_err(|error| self.context.error("synchronize", error))?;
        self.scratch.is_idle = true;
        Ok(())
    }
}

impl Drop for HostCopies<'_> {
    fn drop(&mut self) {
        // After an error copies may be under way, and the host's memory is only lent for the call.
        if !self.scratch.is_idle {
            let _ = self.wait();
        }
    }
}
