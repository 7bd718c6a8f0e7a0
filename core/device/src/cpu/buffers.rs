//! Host memory for buffers: aligned blocks, small ones kept for reuse.

use crate::size_class::class_bytes;
use crate::{Buffer, DeviceError};
use parking_lot::Mutex;
use std::alloc::Layout;
use std::sync::Arc;

const ALIGNMENT_BYTES: usize = 256;

/// Blocks up to this size are kept when freed.
const LARGEST_KEPT_BYTES: usize = 1 << 20;

/// How many freed blocks of one size are kept.
const KEPT_PER_SIZE: usize = 16;

/// Freed blocks by the logarithm of their size.
#[derive(Default)]
pub struct Allocator {
    free: Mutex<[Vec<Block>; 32]>,
}

/// Owned memory.
struct Block {
    start: *mut u8,
    layout: Layout,
}

// SAFETY: a block owns its memory and offers no access to it.
unsafe impl Send for Block {}
// SAFETY: as above.
unsafe impl Sync for Block {}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: the memory came from `alloc` with this layout, and nobody else frees it.
        unsafe { std::alloc::dealloc(self.start, self.layout) };
    }
}

/// What a buffer owns: gives its block back when dropped.
struct Owner {
    block: Option<Block>,
    allocator: Arc<Allocator>,
}

impl Drop for Owner {
    fn drop(&mut self) {
        let Some(block) = self.block.take() else { return };
        if block.layout.size() <= LARGEST_KEPT_BYTES {
            let mut free = self.allocator.free.lock();
            let kept = &mut free[block.layout.size().ilog2() as usize];
            if kept.len() < KEPT_PER_SIZE {
                kept.push(block);
            }
        }
    }
}

pub fn allocate(allocator: &Arc<Allocator>, size_bytes: u64) -> Result<Buffer, DeviceError> {
    let out_of_memory = DeviceError::OutOfMemory { wanted_bytes: size_bytes, free_bytes: 0 };
    let rounded = class_bytes(size_bytes);
    let Ok(layout) = Layout::from_size_align(rounded as usize, ALIGNMENT_BYTES) else {
        return Err(out_of_memory);
    };
    let kept = match layout.size() <= LARGEST_KEPT_BYTES {
        true => allocator.free.lock()[layout.size().ilog2() as usize].pop(),
        false => None,
    };
    let block = match kept {
        Some(block) => block,
        None => {
            // SAFETY: the size is not zero: classes start at 256 bytes.
            let start = unsafe { std::alloc::alloc(layout) };
            if start.is_null() {
                return Err(out_of_memory);
            }
            Block { start, layout }
        }
    };
    let address = block.start as u64;
    let owner = Owner { block: Some(block), allocator: Arc::clone(allocator) };
    Ok(Buffer { address, size_bytes, owner: Arc::new(owner) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn freed_small_blocks_are_used_again() {
        let allocator = Arc::new(Allocator::default());
        let first = allocate(&allocator, 1000).expect("allocates");
        assert_eq!(first.address % ALIGNMENT_BYTES as u64, 0);
        let address = first.address;
        drop(first);
        assert_eq!(allocate(&allocator, 900).expect("allocates").address, address);
    }

    #[test]
    fn impossible_sizes_are_out_of_memory() {
        let allocator = Arc::new(Allocator::default());
        for size_bytes in [u64::MAX, 1 << 62] {
            let result = allocate(&allocator, size_bytes);
            assert!(
                matches!(result, Err(DeviceError::OutOfMemory { wanted_bytes, .. }) if wanted_bytes == size_bytes)
            );
        }
        assert!(allocate(&allocator, 0).is_ok());
    }
}
