//! Blocks: one buffer with memory of its own and a device address, allocated or imported.

use super::gpu::Gpu;
use crate::DeviceError;
use crate::spans::Span;
use ash::vk;
use smallvec::{SmallVec, smallvec};
use std::ptr::{self, NonNull};

use vk::MemoryPropertyFlags as Property;

/// Where a block's memory should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// On the device; mapped too where host and device share memory.
    Device,
    /// In host memory that the device reaches, mapped and coherent.
    Host,
}

/// A buffer bound to memory of its own. Dropping it leaks: whoever holds it knows when the device is
/// done with it, and calls [`Block::destroy`].
pub struct Block {
    pub buffer: vk::Buffer,
    memory: vk::DeviceMemory,
    pub address: u64,
    pub size_bytes: u64,
    pub mapped: Option<Mapping>,
}

/// Where a block is mapped in the host's address space, for as long as the block lives.
#[derive(Clone, Copy)]
pub struct Mapping {
    pub start: NonNull<u8>,
    /// Whether the host's reads are cached; reading uncached memory is very slow.
    pub is_cached: bool,
}

// SAFETY: the mapping may be used from any thread, and who holds the block orders its uses.
unsafe impl Send for Mapping {}
// SAFETY: as above; a shared `Mapping` only gives away the address.
unsafe impl Sync for Mapping {}

const MAPPED: Property =
    Property::from_raw(Property::HOST_VISIBLE.as_raw() | Property::HOST_COHERENT.as_raw());

const USAGE: vk::BufferUsageFlags = vk::BufferUsageFlags::from_raw(
    vk::BufferUsageFlags::STORAGE_BUFFER.as_raw()
        | vk::BufferUsageFlags::SHADER_DEVICE_ADDRESS.as_raw()
        | vk::BufferUsageFlags::TRANSFER_SRC.as_raw()
        | vk::BufferUsageFlags::TRANSFER_DST.as_raw(),
);

impl Block {
    pub fn allocate(gpu: &Gpu, size_bytes: u64, placement: Placement) -> Result<Block, DeviceError> {
        if size_bytes > gpu.abilities.max_allocation_bytes {
            return Err(DeviceError::OutOfMemory {
                wanted_bytes: size_bytes,
                free_bytes: gpu.abilities.max_allocation_bytes.min(gpu.free_bytes()),
            });
        }
        let (local, cached) = (Property::DEVICE_LOCAL, Property::HOST_CACHED);
        let wishes: SmallVec<[Property; 3]> = match placement {
            Placement::Device => smallvec![local | MAPPED | cached, local | MAPPED, local],
            Placement::Host => smallvec![MAPPED | cached, MAPPED],
        };
        let create = vk::BufferCreateInfo::default().size(size_bytes).usage(USAGE);
        // SAFETY: the device is alive and the size is not zero.
        let buffer = unsafe { gpu.device.create_buffer(&create, None) }
            .map_err(|result| gpu.memory_error(size_bytes, result))?;
        // SAFETY: the buffer was just made.
        let needs = unsafe { gpu.device.get_buffer_memory_requirements(buffer) };
        let mut failure = vk::Result::ERROR_OUT_OF_DEVICE_MEMORY;
        // A small mapped heap can be full where the device's own is not: try the wishes in turn.
        for wish in wishes {
            let Some((index, properties)) = memory_type(gpu, needs.memory_type_bits, wish) else { continue };
            match bind(gpu, buffer, needs.size, index, None) {
                Ok((memory, address)) => {
                    let block = Block { buffer, memory, address, size_bytes, mapped: None };
                    return block.map(gpu, properties);
                }
                Err(result) => failure = result,
            }
        }
        // SAFETY: the buffer is not bound and not in use.
        unsafe { gpu.device.destroy_buffer(buffer, None) };
        Err(gpu.memory_error(size_bytes, failure))
    }

    fn map(mut self, gpu: &Gpu, properties: Property) -> Result<Block, DeviceError> {
        if !properties.contains(MAPPED) {
            return Ok(self);
        }
        // SAFETY: the memory is host-visible and not mapped yet.
        let mapped =
            unsafe { gpu.device.map_memory(self.memory, 0, vk::WHOLE_SIZE, vk::MemoryMapFlags::empty()) };
        match mapped.map(|start| NonNull::new(start.cast::<u8>())) {
            Ok(start) => {
                let is_cached = properties.contains(Property::HOST_CACHED);
                self.mapped = start.map(|start| Mapping { start, is_cached });
                Ok(self)
            }
            Err(result) => {
                // SAFETY: the block was just made and never used.
                unsafe { self.destroy(gpu) };
                Err(gpu.error("map", result))
            }
        }
    }

    /// Makes host pages reachable by the device, in place. `None` where the driver refuses.
    ///
    /// # Safety
    /// `pages` is page-aligned mapped memory that stays so until the block is destroyed.
    pub unsafe fn import(gpu: &Gpu, pages: Span) -> Option<Block> {
        let host_import = gpu.host_import.as_ref()?;
        let handle_type = vk::ExternalMemoryHandleTypeFlags::HOST_ALLOCATION_EXT;
        let start = ptr::with_exposed_provenance_mut(pages.start);
        let mut properties = vk::MemoryHostPointerPropertiesEXT::default();
        // SAFETY: the extension is on, and the pages are mapped.
        unsafe {
            (host_import.fp().get_memory_host_pointer_properties_ext)(
                host_import.device(),
                handle_type,
                start,
                &mut properties,
            )
        }
        .result()
        .ok()?;
        let size_bytes = pages.len() as u64;
        let mut external = vk::ExternalMemoryBufferCreateInfo::default().handle_types(handle_type);
        let create = vk::BufferCreateInfo::default().size(size_bytes).usage(USAGE).push_next(&mut external);
        // SAFETY: the device is alive and the size is not zero.
        let buffer = unsafe { gpu.device.create_buffer(&create, None) }.ok()?;
        // SAFETY: the buffer was just made.
        let needs = unsafe { gpu.device.get_buffer_memory_requirements(buffer) };
        let types = needs.memory_type_bits & properties.memory_type_bits;
        let import =
            vk::ImportMemoryHostPointerInfoEXT::default().handle_type(handle_type).host_pointer(start);
        // Coherent: the host's view needs no flush.
        let bound = memory_type(gpu, types, Property::HOST_COHERENT)
            .filter(|_| needs.size <= size_bytes)
            .and_then(|(index, _)| bind(gpu, buffer, size_bytes, index, Some(import)).ok());
        match bound {
            Some((memory, address)) => Some(Block { buffer, memory, address, size_bytes, mapped: None }),
            None => {
                // SAFETY: the buffer is not bound and not in use.
                unsafe { gpu.device.destroy_buffer(buffer, None) };
                None
            }
        }
    }

    /// Frees the buffer and its memory; imported host memory is left as it is.
    ///
    /// # Safety
    /// The block is `gpu`'s, and the device is done with it.
    pub unsafe fn destroy(self, gpu: &Gpu) {
        // SAFETY: as the caller promises; freeing unmaps.
        unsafe {
            gpu.device.destroy_buffer(self.buffer, None);
            gpu.device.free_memory(self.memory, None);
        }
    }
}

/// The first memory type among `allowed` with the wanted properties.
fn memory_type(gpu: &Gpu, allowed: u32, wanted: Property) -> Option<(u32, Property)> {
    gpu.memory_types
        .memory_types_as_slice()
        .iter()
        .zip(0..)
        .filter(|(_, index)| allowed & (1 << index) != 0)
        .map(|(kind, index)| (index, kind.property_flags))
        .find(|(_, properties)| properties.contains(wanted))
}

/// Gives a buffer memory: new, or imported. Leaves nothing behind when it fails.
fn bind(
    gpu: &Gpu,
    buffer: vk::Buffer,
    size_bytes: u64,
    memory_type: u32,
    import: Option<vk::ImportMemoryHostPointerInfoEXT<'_>>,
) -> Result<(vk::DeviceMemory, u64), vk::Result> {
    let mut import = import;
    let mut flags = vk::MemoryAllocateFlagsInfo::default().flags(vk::MemoryAllocateFlags::DEVICE_ADDRESS);
    let mut allocate = vk::MemoryAllocateInfo::default()
        .allocation_size(size_bytes)
        .memory_type_index(memory_type)
        .push_next(&mut flags);
    if let Some(import) = &mut import {
        allocate = allocate.push_next(import);
    }
    // SAFETY: the buffer is `gpu`'s and unbound; the memory type is one the buffer allows.
    unsafe {
        let memory = gpu.device.allocate_memory(&allocate, None)?;
        if let Err(result) = gpu.device.bind_buffer_memory(buffer, memory, 0) {
            gpu.device.free_memory(memory, None);
            return Err(result);
        }
        let query = vk::BufferDeviceAddressInfo::default().buffer(buffer);
        Ok((memory, gpu.device.get_buffer_device_address(&query)))
    }
}
