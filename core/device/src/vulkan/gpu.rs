//! The logical device: its handles, its queue and timeline, and how its errors are told.

use super::buffers::BlockCache;
use super::instance::Instance;
use super::physical::{self, Abilities};
use super::slots::Slots;
use crate::DeviceError;
use ash::{ext, vk};
use parking_lot::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// The size of the push constant block: `{ args_address, lanes, first_lane }`.
pub const PUSH_BYTES: u32 = 3 * 8;

/// A point of the queue's timeline: every submission is one step later than the one before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub u64);

/// The queue, and the moment of the last submission to it.
struct Queue {
    handle: vk::Queue,
    last: Moment,
}

/// Everything that lives as long as the logical device. Buffers and kernels hold it too, so it is
/// destroyed after the last of them.
pub struct Gpu {
    instance: Instance,
    physical: vk::PhysicalDevice,
    pub device: ash::Device,
    pub abilities: Abilities,
    pub host_import: Option<ext::external_memory_host::Device>,
    pub memory_types: vk::PhysicalDeviceMemoryProperties,
    pub queue_family: u32,
    pub pipeline_layout: vk::PipelineLayout,
    queue: Mutex<Queue>,
    timeline: vk::Semaphore,
    /// A lower bound of the moment the queue has reached.
    reached: AtomicU64,
    pub slots: Slots,
    pub cache: BlockCache,
}

impl Gpu {
    pub fn open(entry: ash::Entry, validate: bool) -> Result<Self, DeviceError> {
        let instance = Instance::new(entry, validate)?;
        let candidate = physical::choose(&instance.handle)?;
        let device = physical::create_device(&instance.handle, &candidate)
            .map_err(|result| no_logical_device(&candidate.abilities.name, result))?;
        let physical::Candidate { handle: physical, queue_family, abilities, .. } = candidate;
        let name = abilities.name.clone();
        // SAFETY: the handles are alive, and family and queue 0 are those the device was made with.
        let (memory_types, queue) = unsafe {
            (
                instance.handle.get_physical_device_memory_properties(physical),
                device.get_device_queue(queue_family, 0),
            )
        };
        let mut gpu = Gpu {
            host_import: abilities
                .import_page_bytes
                .map(|_| ext::external_memory_host::Device::new(&instance.handle, &device)),
            instance,
            physical,
            device,
            abilities,
            memory_types,
            queue_family,
            pipeline_layout: vk::PipelineLayout::null(),
            queue: Mutex::new(Queue { handle: queue, last: Moment::default() }),
            timeline: vk::Semaphore::null(),
            reached: AtomicU64::new(0),
            slots: Slots::default(),
            cache: BlockCache::default(),
        };
        // From here on `Drop` cleans up; destroying a null handle is allowed.
        gpu.make_objects().map_err(|result| no_logical_device(&name, result))?;
        Ok(gpu)
    }

    fn make_objects(&mut self) -> Result<(), vk::Result> {
        let mut timeline = vk::SemaphoreTypeCreateInfo::default().semaphore_type(vk::SemaphoreType::TIMELINE);
        let semaphore = vk::SemaphoreCreateInfo::default().push_next(&mut timeline);
        let push =
            [vk::PushConstantRange::default().stage_flags(vk::ShaderStageFlags::COMPUTE).size(PUSH_BYTES)];
        let layout = vk::PipelineLayoutCreateInfo::default().push_constant_ranges(&push);
        // SAFETY: the device is alive, with timeline semaphores on.
        unsafe {
            self.timeline = self.device.create_semaphore(&semaphore, None)?;
            self.pipeline_layout = self.device.create_pipeline_layout(&layout, None)?;
        }
        Ok(())
    }

    /// Submits a recorded command buffer; returns the moment at which it is done.
    pub fn submit(&self, commands: vk::CommandBuffer) -> Result<Moment, DeviceError> {
        let mut queue = self.queue.lock();
        let next = Moment(queue.last.0 + 1);
        let (buffers, semaphores, values) = ([commands], [self.timeline], [next.0]);
        let mut timeline = vk::TimelineSemaphoreSubmitInfo::default().signal_semaphore_values(&values);
        let submit = vk::SubmitInfo::default()
            .command_buffers(&buffers)
            .signal_semaphores(&semaphores)
            .push_next(&mut timeline);
        // SAFETY: the queue is locked, and the command buffer is recorded and not pending.
        unsafe { self.device.queue_submit(queue.handle, &[submit], vk::Fence::null()) }
            .map_err(|result| self.error("submit", result))?;
        queue.last = next;
        Ok(next)
    }

    /// The moment of the last submission.
    pub fn last_moment(&self) -> Moment {
        self.queue.lock().last
    }

    /// The moment the queue has reached, without waiting.
    pub fn now(&self) -> Moment {
        // SAFETY: the semaphore is this device's. After an error (a lost device) time stands still.
        let counter = unsafe { self.device.get_semaphore_counter_value(self.timeline) }.unwrap_or(0);
        Moment(self.reached.fetch_max(counter, Ordering::AcqRel).max(counter))
    }

    pub fn wait(&self, moment: Moment) -> Result<(), DeviceError> {
        if self.reached.load(Ordering::Acquire) >= moment.0 {
            return Ok(());
        }
        let (semaphores, values) = ([self.timeline], [moment.0]);
        let wait = vk::SemaphoreWaitInfo::default().semaphores(&semaphores).values(&values);
        // SAFETY: the semaphore is this device's timeline, and the moment was submitted.
        unsafe { self.device.wait_semaphores(&wait, u64::MAX) }
            .map_err(|result| self.error("wait", result))?;
        self.reached.fetch_max(moment.0, Ordering::AcqRel);
        Ok(())
    }

    pub fn wait_for_all(&self) -> Result<(), DeviceError> {
        self.wait(self.last_moment())
    }

    /// Fails if the validation layer has reported an error since the last check.
    pub fn check_validation(&self, operation: &'static str) -> Result<(), DeviceError> {
        self.instance.validation.as_ref().map_or(Ok(()), |validation| validation.check(operation))
    }

    #[cfg(test)]
    pub fn is_validated(&self) -> bool {
        self.instance.validation.is_some()
    }

    /// A driver's result as the failure of an operation.
    pub fn error(&self, operation: &'static str, result: vk::Result) -> DeviceError {
        DeviceError::LaunchFailed { operation, reason: format!("{}: {result}", self.abilities.name) }
    }

    /// The failure to get memory.
    pub fn memory_error(&self, wanted_bytes: u64, result: vk::Result) -> DeviceError {
        match result {
            vk::Result::ERROR_OUT_OF_DEVICE_MEMORY
            | vk::Result::ERROR_OUT_OF_HOST_MEMORY
            | vk::Result::ERROR_TOO_MANY_OBJECTS => {
                DeviceError::OutOfMemory { wanted_bytes, free_bytes: self.free_bytes() }
            }
            other => self.error("allocate", other),
        }
    }

    /// What the device's largest heap can still give, as far as the driver tells.
    pub fn free_bytes(&self) -> u64 {
        let mut budget = vk::PhysicalDeviceMemoryBudgetPropertiesEXT::default();
        let mut query = vk::PhysicalDeviceMemoryProperties2::default();
        if self.abilities.has_memory_budget {
            query = query.push_next(&mut budget);
        }
        // SAFETY: the handles are alive; the budget is only chained where the extension is.
        unsafe { self.instance.handle.get_physical_device_memory_properties2(self.physical, &mut query) };
        let heaps = query.memory_properties;
        let free = |heap: usize| {
            if self.abilities.has_memory_budget {
                budget.heap_budget[heap].saturating_sub(budget.heap_usage[heap])
            } else {
                heaps.memory_heaps[heap].size
            }
        };
        (0..heaps.memory_heap_count as usize).map(free).max().unwrap_or(0)
    }
}

impl Drop for Gpu {
    fn drop(&mut self) {
        let (slots, blocks) = (self.slots.drain(), self.cache.drain());
        // SAFETY: nothing else holds the device (buffers and kernels hold an `Arc` of it), and the
        // device is idle once the wait returns; after a lost device nothing runs either.
        unsafe {
            let _ = self.device.device_wait_idle();
            slots.into_iter().for_each(|slot| slot.destroy(self));
            blocks.into_iter().for_each(|block| block.destroy(self));
            self.device.destroy_pipeline_layout(self.pipeline_layout, None);
            self.device.destroy_semaphore(self.timeline, None);
            self.device.destroy_device(None);
        }
    }
}

fn no_logical_device(name: &str, result: vk::Result) -> DeviceError {
    DeviceError::NoDevice {
        kind: "Vulkan",
        reason: format!("{name} cannot be opened: {result}"),
        help: "update the driver, or use another device type".to_owned(),
    }
}
