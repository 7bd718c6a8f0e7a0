//! The words a launch takes, and which of them are host addresses.

use crate::args::{ArrayView, Location};
use crate::context::Context;
use pullback_device::{Access, HostRange};
use smallvec::SmallVec;

/// The words of one launch.
pub type Words = SmallVec<[u64; 16]>;

pub type HostRanges = SmallVec<[HostRange; 4]>;

/// Tells the device of word `word` of launch `launch`, when it is a host address that the device must translate.
pub fn host_range(
    context: &Context,
    launch: usize,
    word: usize,
    array: &ArrayView,
    access: Access,
) -> Option<HostRange> {
    if context.shares_host_addresses() || array.location != Location::Host {
        return None;
    }
    let (start, size_bytes) = array.byte_range();
    Some(HostRange { launch, word, start: start as *mut u8, size_bytes: size_bytes as usize, access })
}
