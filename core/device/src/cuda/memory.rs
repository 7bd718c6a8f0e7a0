//! Device memory: allocation through a cache of freed blocks, copies to and from the host.
//!
//! Memory may be used on any stream, so a freed block is *pending* until the whole context has been
//! waited for once; only then is it *free* to be used again.

use super::context::Context;
use crate::size_class::class_bytes;
use crate::{Buffer, DeviceError};
use cudarc::driver::result::{self, DriverError};
use cudarc::driver::sys::CUdeviceptr;
use parking_lot::Mutex;
use std::sync::Arc;

/// Freed blocks wait for the context once they hold more than this.
const PENDING_BYTES_LIMIT: u64 = 256 << 20;
/// Free blocks beyond this are given back to the driver, the oldest first.
const FREE_BYTES_LIMIT: u64 = 512 << 20;

/// A piece of device memory.
#[derive(Clone, Copy)]
pub struct Block {
    pub address: CUdeviceptr,
    size_bytes: u64,
}

#[derive(Default)]
struct Blocks {
    pending: Vec<Block>,
    free: Vec<Block>,
}

/// Blocks that no buffer holds.
#[derive(Default)]
pub struct BlockCache {
    blocks: Mutex<Blocks>,
}

fn sum_bytes(blocks: &[Block]) -> u64 {
    blocks.iter().map(|block| block.size_bytes).sum()
}

impl BlockCache {
    fn take(&self, size_bytes: u64) -> Option<Block> {
        let free = &mut self.blocks.lock().free;
        let index = free.iter().rposition(|block| block.size_bytes == size_bytes)?;
        Some(free.remove(index))
    }

    fn holds_too_much(&self) -> bool {
        sum_bytes(&self.blocks.lock().pending) > PENDING_BYTES_LIMIT
    }

    /// Gives all blocks back to the driver; it waits for their uses. The context is current.
    pub fn destroy(&self) {
        let Blocks { pending, free } = std::mem::take(&mut *self.blocks.lock());
        pending.into_iter().chain(free).for_each(destroy);
    }
}

/// Gives a block back to the driver, which waits for its uses. The context is current.
fn destroy(block: Block) {
    // An error here is that of an earlier launch, or of a driver already shut down: either way the
    // memory is gone.
    // SAFETY: the block is from `cuMemAlloc`, and nothing else holds it.
    let _ = unsafe { result::free_sync(block.address) };
}

/// A block of at least this size. The context is current.
fn take_block(context: &Context, size_bytes: u64) -> Result<Block, DeviceError> {
    let class = class_bytes(size_bytes);
    if let Some(block) = context.cache.take(class) {
        return Ok(block);
    }
    if context.cache.holds_too_much() {
        synchronize(context)?;
        if let Some(block) = context.cache.take(class) {
            return Ok(block);
        }
    }
    let allocate = || -> Result<Block, DriverError> {
        // SAFETY: the context is current; the memory is used as uninitialized.
        let address = unsafe { result::malloc_sync(class as usize) }?;
        Ok(Block { address, size_bytes: class })
    };
    allocate().or_else(|_| {
        context.cache.destroy();
        allocate().map_err(|error| context.memory_error(class, error))
    })
}

/// Waits for everything on all streams of the context; what was freed before is free then.
pub fn synchronize(context: &Context) -> Result<(), DeviceError> {
    let _current = context.bind()?;
    let waiting = std::mem::take(&mut context.cache.blocks.lock().pending);
    let done = result::ctx::synchronize();
    let mut surplus = Vec::new();
    {
        let mut blocks = context.cache.blocks.lock();
        if done.is_err() {
            blocks.pending.extend(waiting);
        } else {
            blocks.free.extend(waiting);
            let mut held_bytes = sum_bytes(&blocks.free);
            while held_bytes > FREE_BYTES_LIMIT {
                let block = blocks.free.remove(0);
                held_bytes -= block.size_bytes;
                surplus.push(block);
            }
        }
    }
    surplus.into_iter().for_each(destroy);
    done.map_err(|error| context.error("synchronize", error))
}

/// Memory for the time of a call. When dropped it is pending, or free when it `is_idle`: when the
/// caller has waited for its last use.
pub struct Scratch<'c> {
    context: &'c Context,
    pub block: Block,
    pub is_idle: bool,
}

impl<'c> Scratch<'c> {
    /// The context is current.
    pub fn new(context: &'c Context, size_bytes: u64) -> Result<Self, DeviceError> {
        Ok(Scratch { context, block: take_block(context, size_bytes)?, is_idle: false })
    }
}

impl Drop for Scratch<'_> {
    fn drop(&mut self) {
        let mut blocks = self.context.cache.blocks.lock();
        if self.is_idle { blocks.free.push(self.block) } else { blocks.pending.push(self.block) }
    }
}

/// The memory behind a [`Buffer`] of this device.
pub struct DeviceBuffer {
    context: Arc<Context>,
    block: Block,
}

impl DeviceBuffer {
    pub fn allocate(context: &Arc<Context>, size_bytes: u64) -> Result<Buffer, DeviceError> {
        let _current = context.bind()?;
        let block = take_block(context, size_bytes)?;
        let owner = Arc::new(DeviceBuffer { context: Arc::clone(context), block });
        Ok(Buffer { address: block.address, size_bytes, owner })
    }

    pub fn belongs_to(&self, context: &Arc<Context>) -> bool {
        Arc::ptr_eq(&self.context, context)
    }

    /// Copies host bytes in; the caller has checked the bounds.
    pub fn upload(&self, offset_bytes: u64, bytes: &[u8]) -> Result<(), DeviceError> {
        if bytes.is_empty() {
            return Ok(());
        }
        let _current = self.context.bind()?;
        // Launches before this, on whatever stream, may still read what is overwritten.
        synchronize(&self.context)?;
        let failed = |error| self.context.error("upload", error);
        let target = self.block.address + offset_bytes;
        // SAFETY: the range is within the block. The copy may return before the bytes have arrived:
        // launches on other streams would not wait for that, so this does.
        unsafe {
            result::memcpy_htod_sync(target, bytes).map_err(failed)?;
            result::stream::synchronize(result::stream::null()).map_err(failed)
        }
    }

    /// Copies bytes out, after all launches submitted before; the caller has checked the bounds.
    pub fn download(&self, offset_bytes: u64, bytes: &mut [u8]) -> Result<(), DeviceError> {
        if bytes.is_empty() {
            return Ok(());
        }
        let _current = self.context.bind()?;
        synchronize(&self.context)?;
        // SAFETY: the range is within the block; the copy to pageable memory returns when it is done.
        unsafe { result::memcpy_dtoh_sync(bytes, self.block.address + offset_bytes) }
            .map_err(|error| self.context.error("download", error))
    }
}

impl Drop for DeviceBuffer {
    fn drop(&mut self) {
        // Streams may still use it.
        self.context.cache.blocks.lock().pending.push(self.block);
    }
}
