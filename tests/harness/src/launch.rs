//! Runs one kernel over buffers of bytes, the same way everywhere: interpreter, devices, host C++.

use crate::cuda_host::HostKernels;
use pullback_base::{Artifact, ParamKind};
use pullback_device::{Buffer, Device, DeviceError, Launch, Submission};
use pullback_interp::{InterpError, KernelArg, run_kernel};
use pullback_ir::{Module, Verified};
use std::time::{Duration, Instant};

/// Runs the module's single kernel by interpretation.
pub fn interpret(
    module: &Verified<Module>,
    args: &[KernelArg],
    lanes: u64,
    buffers: &mut [Vec<u8>],
) -> Result<(), InterpError> {
    let id = module.functions.ids().next().unwrap_or_else(|| panic!("the module is empty"));
    run_kernel(module, id, args, lanes, buffers)
}

/// Runs a kernel on a device: buffers are copied there and back.
pub fn on_device(
    device: &dyn Device,
    artifact: &Artifact,
    args: &[KernelArg],
    lanes: u64,
    buffers: &mut [Vec<u8>],
) -> Result<(), DeviceError> {
    timed_on_device(device, artifact, args, lanes, buffers, 1).map(drop)
}

/// As [`on_device`], launched so many times; gives the time of the fastest launch.
pub fn timed_on_device(
    device: &dyn Device,
    artifact: &Artifact,
    args: &[KernelArg],
    lanes: u64,
    buffers: &mut [Vec<u8>],
    launches: usize,
) -> Result<Duration, DeviceError> {
    let kernel = device.load(artifact)?;
    let memory: Vec<Buffer> =
        buffers.iter().map(|bytes| device.allocate(bytes.len() as u64)).collect::<Result<_, _>>()?;
    for (buffer, bytes) in memory.iter().zip(buffers.iter()) {
        device.upload(buffer, 0, bytes)?;
    }
    let addresses: Vec<u64> = memory.iter().map(|buffer| buffer.address).collect();
    let words = words(artifact, args, &addresses);
    let launch = [Launch { kernel: &kernel, words: &words, lanes }];
    let mut fastest = Duration::MAX;
    for _ in 0..launches {
        let start = Instant::now();
        // SAFETY: the words address the buffers above, which live until `synchronize` below; whether a kernel stays
        // within them is what its test wrote.
        unsafe { device.submit(&Submission { launches: &launch, host_ranges: &[], stream: None }) }?;
        device.synchronize()?;
        fastest = fastest.min(start.elapsed());
    }
    for (buffer, bytes) in memory.iter().zip(buffers.iter_mut()) {
        device.download(buffer, 0, bytes)?;
    }
    Ok(fastest)
}

/// Runs kernel `index` of a batch compiled for the host, on two blocks.
pub fn on_host(
    kernels: &HostKernels,
    index: usize,
    artifact: &Artifact,
    args: &[KernelArg],
    lanes: u64,
    buffers: &mut [Vec<u8>],
) {
    let addresses: Vec<u64> = buffers.iter_mut().map(|bytes| bytes.as_mut_ptr() as u64).collect();
    let words = words(artifact, args, &addresses);
    // SAFETY: the words address the buffers, which live until the launch returns.
    unsafe { kernels.launch(index, &words, lanes, 2) }
}

fn words(artifact: &Artifact, args: &[KernelArg], addresses: &[u64]) -> Vec<u64> {
    let word = |(arg, kind): (&KernelArg, &ParamKind)| match (arg, kind) {
        (KernelArg::Buffer { buffer, offset_elements }, ParamKind::Pointer(dtype)) => {
            addresses[*buffer].wrapping_add_signed(offset_elements * dtype.size_bytes() as i64)
        }
        (KernelArg::Scalar(constant), _) => constant.bits(),
        _ => panic!("a buffer for a parameter that is no pointer"),
    };
    args.iter().zip(&artifact.params).map(word).collect()
}
