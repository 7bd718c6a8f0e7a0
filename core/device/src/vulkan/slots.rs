//! Slots: what one submission needs, kept for the next (command buffer, arguments, staging memory).

use super::gpu::{Gpu, Moment};
use super::memory::{Block, Placement};
use crate::DeviceError;
use ash::vk;
use parking_lot::Mutex;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::Arc;

/// Submissions in flight before a caller waits for the oldest.
const SLOTS_LIMIT: usize = 64;
/// Staging memory larger than this is given back after the call.
const STAGING_KEPT_BYTES: u64 = 32 << 20;
const SMALLEST_BYTES: u64 = 4096;

/// Slots not held by a call; those of submissions in flight too, oldest first.
#[derive(Default)]
pub struct Slots {
    idle: Mutex<Vec<Slot>>,
}

/// The objects of one submission.
pub struct Slot {
    pool: vk::CommandPool,
    pub commands: vk::CommandBuffer,
    arguments: Option<Block>,
    staging: Option<Block>,
    /// When the last submission from this slot is done.
    done_at: Moment,
}

/// Mapped memory of a slot.
#[derive(Clone, Copy)]
pub struct Mapped {
    pub buffer: vk::Buffer,
    pub host: NonNull<u8>,
    pub address: u64,
}

/// A slot held by one call; goes back to the pool when dropped.
pub struct HeldSlot {
    gpu: Arc<Gpu>,
    /// `None` only while it is dropped.
    slot: Option<Slot>,
}

impl Slots {
    /// A slot that the queue is done with.
    pub fn acquire(gpu: &Arc<Gpu>) -> Result<HeldSlot, DeviceError> {
        let taken = {
            let mut idle = gpu.slots.idle.lock();
            let now = gpu.now();
            match idle.iter().rposition(|slot| slot.done_at <= now) {
                Some(index) => Some(idle.remove(index)),
                None if idle.len() >= SLOTS_LIMIT => Some(idle.remove(0)),
                None => None,
            }
        };
        let slot = match taken {
            Some(slot) => slot,
            None => Slot::new(gpu)?,
        };
        let done_at = slot.done_at;
        let held = HeldSlot { gpu: Arc::clone(gpu), slot: Some(slot) };
        gpu.wait(done_at)?;
        Ok(held)
    }

    pub fn drain(&self) -> Vec<Slot> {
        std::mem::take(&mut *self.idle.lock())
    }
}

impl Slot {
    fn new(gpu: &Gpu) -> Result<Slot, DeviceError> {
        let failed = |result| gpu.error("command buffer", result);
        let create = vk::CommandPoolCreateInfo::default()
            .queue_family_index(gpu.queue_family)
            .flags(vk::CommandPoolCreateFlags::RESET_COMMAND_BUFFER);
        // SAFETY: the device is alive and the queue family is the one it was made with.
        let pool = unsafe { gpu.device.create_command_pool(&create, None) }.map_err(failed)?;
        let allocate = vk::CommandBufferAllocateInfo::default()
            .command_pool(pool)
            .level(vk::CommandBufferLevel::PRIMARY)
            .command_buffer_count(1);
        // SAFETY: the pool was just made.
        let commands = unsafe { gpu.device.allocate_command_buffers(&allocate) };
        match commands {
            Ok(commands) => Ok(Slot {
                pool,
                commands: commands[0],
                arguments: None,
                staging: None,
                done_at: Moment::default(),
            }),
            Err(result) => {
                // SAFETY: the pool is empty.
                unsafe { gpu.device.destroy_command_pool(pool, None) };
                Err(failed(result))
            }
        }
    }

    /// # Safety
    /// The slot is `gpu`'s, and the queue is done with it.
    pub unsafe fn destroy(self, gpu: &Gpu) {
        // SAFETY: as the caller promises; the command buffer goes with its pool.
        unsafe {
            gpu.device.destroy_command_pool(self.pool, None);
            self.arguments.into_iter().chain(self.staging).for_each(|block| block.destroy(gpu));
        }
    }
}

impl HeldSlot {
    /// Mapped memory for argument blocks of `size_bytes` in all.
    pub fn arguments(&mut self, size_bytes: u64) -> Result<Mapped, DeviceError> {
        let gpu = Arc::clone(&self.gpu);
        grown(&gpu, &mut self.arguments, size_bytes)
    }

    /// Mapped memory for copies of host data.
    pub fn staging(&mut self, size_bytes: u64) -> Result<Mapped, DeviceError> {
        let gpu = Arc::clone(&self.gpu);
        grown(&gpu, &mut self.staging, size_bytes)
    }

    /// Starts recording.
    pub fn begin(&mut self) -> Result<(), DeviceError> {
        let begin = vk::CommandBufferBeginInfo::default().flags(vk::CommandBufferUsageFlags::ONE_TIME_SUBMIT);
        // SAFETY: the slot is held, so its command buffer is not pending; beginning resets it.
        unsafe { self.gpu.device.begin_command_buffer(self.commands, &begin) }
            .map_err(|result| self.gpu.error("record", result))
    }

    /// Ends recording and submits; the slot stays busy until the returned moment.
    pub fn finish(&mut self) -> Result<Moment, DeviceError> {
        // SAFETY: the command buffer is recording.
        unsafe { self.gpu.device.end_command_buffer(self.commands) }
            .map_err(|result| self.gpu.error("record", result))?;
        self.done_at = self.gpu.submit(self.commands)?;
        Ok(self.done_at)
    }

    /// Makes what `before` wrote visible to `after`.
    pub fn barrier(&mut self, before: Stage, after: Stage) {
        let memory = [vk::MemoryBarrier::default()
            .src_access_mask(before.writes())
            .dst_access_mask(after.writes() | after.reads())];
        // SAFETY: the command buffer is recording.
        unsafe {
            self.gpu.device.cmd_pipeline_barrier(
                self.commands,
                before.flags(),
                after.flags(),
                vk::DependencyFlags::empty(),
                &memory,
                &[],
                &[],
            );
        }
    }

    /// Copies between buffers, after all earlier submissions, and waits.
    pub fn copy(
        &mut self,
        source: vk::Buffer,
        target: vk::Buffer,
        region: vk::BufferCopy,
    ) -> Result<(), DeviceError> {
        self.begin()?;
        self.barrier(Stage::Device, Stage::Device);
        // SAFETY: the command buffer is recording, and the callers name ranges within the buffers.
        unsafe { self.gpu.device.cmd_copy_buffer(self.commands, source, target, &[region]) };
        self.barrier(Stage::Device, Stage::Host);
        let moment = self.finish()?;
        self.gpu.wait(moment)
    }
}

/// One side of a barrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Kernels and copies.
    Device,
    Host,
}

impl Stage {
    fn flags(self) -> vk::PipelineStageFlags {
        match self {
            Stage::Device => vk::PipelineStageFlags::COMPUTE_SHADER | vk::PipelineStageFlags::TRANSFER,
            Stage::Host => vk::PipelineStageFlags::HOST,
        }
    }

    fn reads(self) -> vk::AccessFlags {
        match self {
            Stage::Device => vk::AccessFlags::SHADER_READ | vk::AccessFlags::TRANSFER_READ,
            Stage::Host => vk::AccessFlags::HOST_READ,
        }
    }

    fn writes(self) -> vk::AccessFlags {
        match self {
            Stage::Device => vk::AccessFlags::SHADER_WRITE | vk::AccessFlags::TRANSFER_WRITE,
            Stage::Host => vk::AccessFlags::HOST_WRITE,
        }
    }
}

/// The block's memory, after replacing it by a larger one where it is too small. The slot is held, so
/// the queue is done with the old one.
fn grown(gpu: &Gpu, block: &mut Option<Block>, size_bytes: u64) -> Result<Mapped, DeviceError> {
    if block.as_ref().is_none_or(|block| block.size_bytes < size_bytes) {
        if let Some(small) = block.take() {
            // SAFETY: the block is `gpu`'s, and the queue is done with it.
            unsafe { small.destroy(gpu) };
        }
        let size_bytes = size_bytes.max(SMALLEST_BYTES);
        let size_bytes = size_bytes.checked_next_power_of_two().unwrap_or(size_bytes);
        *block = Some(Block::allocate(gpu, size_bytes, Placement::Host)?);
    }
    block
        .as_ref()
        .and_then(|block| {
            let host = block.mapped?.start;
            Some(Mapped { buffer: block.buffer, host, address: block.address })
        })
        .ok_or_else(|| gpu.error("map", vk::Result::ERROR_MEMORY_MAP_FAILED))
}

impl Deref for HeldSlot {
    type Target = Slot;

    fn deref(&self) -> &Slot {
        match &self.slot {
            Some(slot) => slot,
            None => unreachable!("a held slot has its slot until it is dropped"),
        }
    }
}

impl DerefMut for HeldSlot {
    fn deref_mut(&mut self) -> &mut Slot {
        match &mut self.slot {
            Some(slot) => slot,
            None => unreachable!("a held slot has its slot until it is dropped"),
        }
    }
}

impl Drop for HeldSlot {
    fn drop(&mut self) {
        let Some(mut slot) = self.slot.take() else { return };
        if slot.staging.as_ref().is_some_and(|block| block.size_bytes > STAGING_KEPT_BYTES)
            && slot.done_at <= self.gpu.now()
            && let Some(large) = slot.staging.take()
        {
            // SAFETY: the block is `gpu`'s, and the queue is done with the slot.
            unsafe { large.destroy(&self.gpu) };
        }
        self.gpu.slots.idle.lock().push(slot);
    }
}
