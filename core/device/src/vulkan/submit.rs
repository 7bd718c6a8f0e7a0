//! A submission: host ranges made reachable, arguments written, launches recorded in order.

use super::dispatches::dispatches;
use super::gpu::Gpu;
use super::kernel::VulkanKernel;
use super::memory::Block;
use super::slots::{HeldSlot, Slots, Stage};
use crate::spans::{Span, Spans, merge, spans_of};
use crate::{DeviceError, HostRange, Launch, Submission};
use ash::vk;
use smallvec::SmallVec;
use std::ptr;
use std::sync::Arc;

/// Host ranges of less than this in all are copied rather than imported.
pub const STAGED_BELOW_BYTES: usize = 16 << 10;
/// Staged spans keep their address modulo this, so that elements stay aligned.
const STAGED_ALIGNMENT: usize = 256;

/// How host memory is made reachable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostPath {
    /// Imported where it is large and the driver can, else staged.
    Best,
    #[cfg(test)]
    Staged,
    #[cfg(test)]
    Imported,
}

/// Runs the launches in order; with host ranges, waits until their results are in host memory.
///
/// # Safety
/// As [`crate::Device::submit`].
pub unsafe fn submit(gpu: &Arc<Gpu>, submission: &Submission<'_>, path: HostPath) -> Result<(), DeviceError> {
    if submission.stream.is_some() {
        return Err(DeviceError::Unsupported {
            device: gpu.abilities.name.clone(),
            wanted: "launch on another library's stream".to_owned(),
        });
    }
    let kernels = kernels_of(gpu, submission.launches)?;
    if submission.launches.is_empty() {
        return Ok(());
    }
    let mut slot = Slots::acquire(gpu)?;
    // SAFETY: the caller promises that the ranges are valid; they are closed below, or dropped on an
    // error before anything was submitted.
    let host = unsafe { HostMemory::open(gpu, &mut slot, submission.host_ranges, path) }?;
    let arguments_address = write_arguments(&mut slot, submission, &host)?;
    record(gpu, &mut slot, submission.launches, &kernels, arguments_address)?;
    let moment = slot.finish()?;
    if !submission.host_ranges.is_empty() {
        gpu.wait(moment)?;
        // SAFETY: the launches are done, and the ranges are still the caller's to lend.
        unsafe { host.copy_back(submission.host_ranges) };
    }
    gpu.check_validation("submit")
}

/// The kernels of the launches, each checked to be this device's and to get its number of words.
fn kernels_of<'a>(
    gpu: &Arc<Gpu>,
    launches: &[Launch<'a>],
) -> Result<SmallVec<[&'a VulkanKernel; 4]>, DeviceError> {
    let refused = |reason: String| DeviceError::LaunchFailed { operation: "submit", reason };
    launches
        .iter()
        .map(|launch| {
            let kernel = launch
                .kernel
                .downcast_ref::<VulkanKernel>()
                .filter(|kernel| kernel.belongs_to(gpu))
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

/// Writes one argument block per launch, host addresses replaced by the device's; returns the
/// address of the first.
fn write_arguments(
    slot: &mut HeldSlot,
    submission: &Submission<'_>,
    host: &HostMemory<'_>,
) -> Result<u64, DeviceError> {
    let counts = submission.launches.iter().map(|launch| launch.words.len());
    let mapped = slot.arguments(counts.sum::<usize>() as u64 * 8)?;
    let target = mapped.host.cast::<u64>();
    let mut offsets = SmallVec::<[usize; 4]>::new();
    let mut next = 0;
    for launch in submission.launches {
        // SAFETY: the block is mapped and holds the words of all launches; blocks are aligned.
        unsafe {
            target.as_ptr().add(next).copy_from_nonoverlapping(launch.words.as_ptr(), launch.words.len());
        }
        offsets.push(next);
        next += launch.words.len();
    }
    for range in submission.host_ranges {
        let launch = submission.launches.get(range.launch);
        let Some(&word) = launch.and_then(|launch| launch.words.get(range.word)) else {
            return Err(DeviceError::LaunchFailed {
                operation: "submit",
                reason: format!("a host range names word {} of launch {}", range.word, range.launch),
            });
        };
        // SAFETY: the word is one of those just written.
        unsafe { target.as_ptr().add(offsets[range.launch] + range.word).write(host.translate(range, word)) };
    }
    Ok(mapped.address)
}

fn record(
    gpu: &Gpu,
    slot: &mut HeldSlot,
    launches: &[Launch<'_>],
    kernels: &[&VulkanKernel],
    arguments_address: u64,
) -> Result<(), DeviceError> {
    slot.begin()?;
    let mut args_address = arguments_address;
    for (launch, kernel) in launches.iter().zip(kernels) {
        // Also before the first: it sees what earlier submissions wrote.
        slot.barrier(Stage::Device, Stage::Device);
        let commands = slot.commands;
        // SAFETY: (all of this block) the command buffer is recording; the pipeline was made with
        // the layout, whose one push range these three words are.
        unsafe {
            gpu.device.cmd_bind_pipeline(commands, vk::PipelineBindPoint::COMPUTE, kernel.pipeline);
            for dispatch in dispatches(launch.lanes, kernel.groups.lanes, gpu.abilities.max_groups) {
                let push = push_bytes([args_address, launch.lanes, dispatch.first_lane]);
                let stages = vk::ShaderStageFlags::COMPUTE;
                gpu.device.cmd_push_constants(commands, gpu.pipeline_layout, stages, 0, &push);
                gpu.device.cmd_dispatch(commands, dispatch.groups, 1, 1);
            }
        }
        args_address += launch.words.len() as u64 * 8;
    }
    slot.barrier(Stage::Device, Stage::Host);
    Ok(())
}

fn push_bytes(words: [u64; 3]) -> [u8; 24] {
    let mut bytes = [0; 24];
    for (target, word) in bytes.chunks_exact_mut(8).zip(words) {
        target.copy_from_slice(&word.to_ne_bytes());
    }
    bytes
}

/// A span of host memory and where the device sees it.
struct Placed {
    span: Span,
    address: u64,
    /// The copy that stands for it, when it is not imported.
    staged: Option<ptr::NonNull<u8>>,
}

/// The host ranges of one submission, made reachable. Imported blocks live no longer than the call:
/// afterwards the caller may free the memory.
struct HostMemory<'g> {
    gpu: &'g Gpu,
    placed: SmallVec<[Placed; 8]>,
    imports: SmallVec<[Block; 8]>,
}

impl<'g> HostMemory<'g> {
    /// # Safety
    /// The ranges are valid for the accesses they state until this value is dropped.
    unsafe fn open(
        gpu: &'g Gpu,
        slot: &mut HeldSlot,
        host_ranges: &[HostRange],
        path: HostPath,
    ) -> Result<Self, DeviceError> {
        let wants_import = match path {
            HostPath::Best => {
                host_ranges.iter().map(|range| range.size_bytes).sum::<usize>() >= STAGED_BELOW_BYTES
            }
            #[cfg(test)]
            HostPath::Staged => false,
            #[cfg(test)]
            HostPath::Imported => true,
        };
        let mut host = HostMemory { gpu, placed: SmallVec::new(), imports: SmallVec::new() };
        // SAFETY: the pages that cover valid memory are mapped, and stay so as long as it is valid.
        if wants_import && unsafe { host.import(spans_of(host_ranges)) } {
            return Ok(host);
        }
        // SAFETY: the spans cover exactly the ranges, which are valid.
        unsafe { host.stage(slot, merge(spans_of(host_ranges))) }?;
        Ok(host)
    }

    /// Imports the pages of all spans, or none: `false` when the driver refuses one.
    ///
    /// # Safety
    /// The pages of the spans are mapped until this value is dropped.
    unsafe fn import(&mut self, spans: Spans) -> bool {
        let Some(page) = self.gpu.abilities.import_page_bytes else { return false };
        // An empty span needs no page.
        let pages = spans.into_iter().filter(|span| span.len() > 0).map(|span| span.pages(page));
        let Some(pages) = pages.collect::<Option<Spans>>() else { return false };
        for span in merge(pages) {
            // SAFETY: as the caller promises.
            let Some(block) = (unsafe { Block::import(self.gpu, span) }) else {
                self.release();
                return false;
            };
            self.placed.push(Placed { span, address: block.address, staged: None });
            self.imports.push(block);
        }
        true
    }

    /// Copies spans into the slot's staging memory. Those only written are copied too, so that
    /// elements no lane writes keep their value.
    ///
    /// # Safety
    /// The spans may be read.
    unsafe fn stage(&mut self, slot: &mut HeldSlot, spans: Spans) -> Result<(), DeviceError> {
        let room = |span: &Span| (span.len() + STAGED_ALIGNMENT).next_multiple_of(STAGED_ALIGNMENT);
        let staging = slot.staging(spans.iter().map(room).sum::<usize>() as u64)?;
        let mut offset = 0;
        for span in spans {
            let at = offset + span.start % STAGED_ALIGNMENT;
            offset += room(&span);
            // SAFETY: the staging memory is mapped and large enough; the span may be read.
            let copy = unsafe {
                let copy = staging.host.add(at);
                let source = ptr::with_exposed_provenance::<u8>(span.start);
                copy.as_ptr().copy_from_nonoverlapping(source, span.len());
                copy
            };
            self.placed.push(Placed { span, address: staging.address + at as u64, staged: Some(copy) });
        }
        Ok(())
    }

    fn placed(&self, range: &HostRange) -> Option<&Placed> {
        let start = range.start.addr();
        self.placed.iter().find(|placed| (placed.span.start..placed.span.end).contains(&start))
    }

    /// The device address for a host address within a range; 0 within an empty one.
    fn translate(&self, range: &HostRange, host_address: u64) -> u64 {
        self.placed(range).filter(|_| range.size_bytes > 0).map_or(0, |placed| {
            placed.address.wrapping_add(host_address.wrapping_sub(placed.span.start as u64))
        })
    }

    /// Copies staged ranges that launches may have written back to the host.
    ///
    /// # Safety
    /// The launches are done, and the ranges that are written are valid for writes.
    unsafe fn copy_back(&self, host_ranges: &[HostRange]) {
        for range in host_ranges.iter().filter(|range| range.access.writes() && range.size_bytes > 0) {
            let Some((placed, staged)) = self.placed(range).and_then(|placed| Some((placed, placed.staged?)))
            else {
                continue;
            };
            // SAFETY: the range lies within the span, of which `staged` is a whole copy.
            unsafe {
                let copy = staged.add(range.start.addr() - placed.span.start);
                range.start.copy_from_nonoverlapping(copy.as_ptr(), range.size_bytes);
            }
        }
    }

    fn release(&mut self) {
        self.placed.clear();
        for block in self.imports.drain(..) {
            // SAFETY: the block is `gpu`'s; nothing was submitted, or the submission was waited for,
            // or the device is lost and runs nothing.
            unsafe { block.destroy(self.gpu) };
        }
    }
}

impl Drop for HostMemory<'_> {
    fn drop(&mut self) {
        self.release();
    }
}
