//! Device buffers: allocation through a cache of freed blocks, copies to and from the host.

use super::gpu::{Gpu, Moment};
use super::memory::{Block, Mapping, Placement};
use super::slots::Slots;
use crate::size_class::class_bytes;
use crate::{Buffer, DeviceError};
use ash::vk;
use parking_lot::Mutex;
use std::sync::Arc;

/// The most that freed blocks may hold in all before the oldest are given back to the driver.
const CACHED_BYTES_LIMIT: u64 = 256 << 20;
const CACHED_BLOCKS_LIMIT: usize = 256;
/// Copies through staging memory go in pieces of at most this size.
const PIECE_BYTES: usize = 16 << 20;

/// Freed blocks, oldest first, each with the moment from which it may be used again.
#[derive(Default)]
pub struct BlockCache {
    blocks: Mutex<Vec<(Moment, Block)>>,
}

impl BlockCache {
    /// A free block of exactly this size.
    fn take(&self, gpu: &Gpu, size_bytes: u64) -> Option<Block> {
        let mut blocks = self.blocks.lock();
        if blocks.is_empty() {
            return None;
        }
        let now = gpu.now();
        let index = blocks
            .iter()
            .rposition(|(free_from, block)| block.size_bytes == size_bytes && *free_from <= now)?;
        Some(blocks.remove(index).1)
    }

    fn put(&self, gpu: &Gpu, block: Block) {
        let mut blocks = self.blocks.lock();
        blocks.push((gpu.last_moment(), block));
        let mut held_bytes: u64 = blocks.iter().map(|(_, block)| block.size_bytes).sum();
        if held_bytes <= CACHED_BYTES_LIMIT && blocks.len() <= CACHED_BLOCKS_LIMIT {
            return;
        }
        let now = gpu.now();
        while (held_bytes > CACHED_BYTES_LIMIT || blocks.len() > CACHED_BLOCKS_LIMIT)
            && blocks.first().is_some_and(|(free_from, _)| *free_from <= now)
        {
            let (_, block) = blocks.remove(0);
            held_bytes -= block.size_bytes;
            // SAFETY: the block is `gpu`'s and the queue has reached the moment it is free from.
            unsafe { block.destroy(gpu) };
        }
    }

    /// Gives every block back to the driver, once the queue is done with them.
    fn flush(&self, gpu: &Gpu) -> Result<(), DeviceError> {
        let blocks = self.drain();
        gpu.wait_for_all()?;
        for block in blocks {
            // SAFETY: the block is `gpu`'s and the queue is done with it.
            unsafe { block.destroy(gpu) };
        }
        Ok(())
    }

    pub fn drain(&self) -> Vec<Block> {
        std::mem::take(&mut *self.blocks.lock()).into_iter().map(|(_, block)| block).collect()
    }
}

/// The memory behind a [`Buffer`] of this device.
pub struct DeviceBuffer {
    gpu: Arc<Gpu>,
    /// `None` only while it is dropped.
    block: Option<Block>,
}

impl DeviceBuffer {
    pub fn allocate(gpu: &Arc<Gpu>, size_bytes: u64) -> Result<Buffer, DeviceError> {
        let class = class_bytes(size_bytes);
        let block = match gpu.cache.take(gpu, class) {
            Some(block) => block,
            None => Block::allocate(gpu, class, Placement::Device).or_else(|error| match error {
                DeviceError::OutOfMemory { .. } => {
                    gpu.cache.flush(gpu)?;
                    Block::allocate(gpu, class, Placement::Device)
                }
                other => Err(other),
            })?,
        };
        let address = block.address;
        let owner = Arc::new(DeviceBuffer { gpu: Arc::clone(gpu), block: Some(block) });
        gpu.check_validation("allocate")?;
        Ok(Buffer { address, size_bytes, owner })
    }

    pub fn belongs_to(&self, gpu: &Arc<Gpu>) -> bool {
        Arc::ptr_eq(&self.gpu, gpu)
    }

    /// The block's handle and mapping.
    fn parts(&self) -> (vk::Buffer, Option<Mapping>) {
        self.block.as_ref().map_or((vk::Buffer::null(), None), |block| (block.buffer, block.mapped))
    }

    /// Copies host bytes in; the caller has checked the bounds.
    pub fn upload(&self, offset_bytes: u64, bytes: &[u8]) -> Result<(), DeviceError> {
        let (buffer, mapped) = self.parts();
        // Launches before this may still read what is overwritten.
        self.gpu.wait_for_all()?;
        if let Some(mapping) = mapped {
            // SAFETY: the block is mapped whole, the range is within it, and the queue is done.
            unsafe {
                let target = mapping.start.as_ptr().add(offset_bytes as usize);
                target.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
            }
            return Ok(());
        }
        self.upload_through_staging(buffer, offset_bytes, bytes)
    }

    fn upload_through_staging(
        &self,
        buffer: vk::Buffer,
        offset_bytes: u64,
        bytes: &[u8],
    ) -> Result<(), DeviceError> {
        for (piece, start) in bytes.chunks(PIECE_BYTES).zip((offset_bytes..).step_by(PIECE_BYTES)) {
            let mut slot = Slots::acquire(&self.gpu)?;
            let staging = slot.staging(piece.len() as u64)?;
            // SAFETY: the staging memory is mapped, as large as the piece, and not in use.
            unsafe { staging.host.as_ptr().copy_from_nonoverlapping(piece.as_ptr(), piece.len()) };
            let copy = vk::BufferCopy::default().dst_offset(start).size(piece.len() as u64);
            slot.copy(staging.buffer, buffer, copy)?;
        }
        self.gpu.check_validation("upload")
    }

    /// Copies bytes out, after all launches submitted before; the caller has checked the bounds.
    pub fn download(&self, offset_bytes: u64, bytes: &mut [u8]) -> Result<(), DeviceError> {
        let (buffer, mapped) = self.parts();
        self.gpu.wait_for_all()?;
        if let Some(mapping) = mapped.filter(|mapping| mapping.is_cached) {
            // SAFETY: the block is mapped whole, the range is within it, and the queue is done.
            unsafe {
                let source = mapping.start.as_ptr().add(offset_bytes as usize);
                source.copy_to_nonoverlapping(bytes.as_mut_ptr(), bytes.len());
            }
            return Ok(());
        }
        self.download_through_staging(buffer, offset_bytes, bytes)
    }

    fn download_through_staging(
        &self,
        buffer: vk::Buffer,
        offset_bytes: u64,
        bytes: &mut [u8],
    ) -> Result<(), DeviceError> {
        for (piece, start) in bytes.chunks_mut(PIECE_BYTES).zip((offset_bytes..).step_by(PIECE_BYTES)) {
            let mut slot = Slots::acquire(&self.gpu)?;
            let staging = slot.staging(piece.len() as u64)?;
            let copy = vk::BufferCopy::default().src_offset(start).size(piece.len() as u64);
            slot.copy(buffer, staging.buffer, copy)?;
            // SAFETY: the staging memory is mapped, as large as the piece, and the copy is done.
            unsafe { staging.host.as_ptr().copy_to_nonoverlapping(piece.as_mut_ptr(), piece.len()) };
        }
        self.gpu.check_validation("download")
    }
}

impl Drop for DeviceBuffer {
    fn drop(&mut self) {
        if let Some(block) = self.block.take() {
            self.gpu.cache.put(&self.gpu, block);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vulkan::tests::device;

    #[test]
    fn copies_through_staging_memory_equal_mapped_ones() {
        let Some(device) = device() else { return };
        let size = PIECE_BYTES + 12_345;
        let buffer = DeviceBuffer::allocate(&device.gpu, size as u64).unwrap();
        let own = buffer.owner.downcast_ref::<DeviceBuffer>().unwrap();
        let (handle, _) = own.parts();
        let bytes: Vec<u8> = (0..size - 3).map(|i| (i % 251) as u8).collect();
        own.upload_through_staging(handle, 3, &bytes).unwrap();
        let (mut plain, mut staged) = (vec![0; size - 3], vec![0; size - 3]);
        own.download(3, &mut plain).unwrap();
        own.download_through_staging(handle, 3, &mut staged).unwrap();
        assert!(plain == bytes && staged == bytes);
    }

    #[test]
    fn a_freed_block_is_used_again() {
        let Some(device) = device() else { return };
        let first = DeviceBuffer::allocate(&device.gpu, 5000).unwrap().address;
        let second = DeviceBuffer::allocate(&device.gpu, 6000).unwrap().address;
        assert_eq!(first, second);
    }

    #[test]
    fn the_cache_keeps_no_more_than_its_limit() {
        let Some(device) = device() else { return };
        let buffers: Vec<_> =
            (0..CACHED_BLOCKS_LIMIT + 10).map(|_| DeviceBuffer::allocate(&device.gpu, 1).unwrap()).collect();
        drop(buffers);
        assert_eq!(device.gpu.cache.blocks.lock().len(), CACHED_BLOCKS_LIMIT);
    }
}
