//! Array arguments: strided memory somewhere.

use pullback_base::{DType, Shape};
use smallvec::SmallVec;

/// Where an array's memory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Location {
    /// Host memory.
    Host,
    /// Memory of the call's own device (a [`crate::Tensor`]).
    Device,
    /// Memory of the GPU of that ordinal.
    Gpu(u32),
}

/// A strided view of memory that the caller keeps alive and, while the call runs, unshared as stated.
#[derive(Clone, Debug)]
pub struct ArrayView {
    /// The address of element `(0, .., 0)`.
    pub address: u64,
    pub dtype: DType,
    pub shape: Shape,
    /// In elements, one per dim; may be zero or negative.
    pub strides: SmallVec<[i64; 6]>,
    pub location: Location,
    pub writable: bool,
}

impl ArrayView {
    /// A C-contiguous view.
    pub fn contiguous(address: u64, dtype: DType, shape: Shape, location: Location) -> Self {
        let strides = shape.contiguous_strides();
        Self { address, dtype, shape, strides, location, writable: true }
    }

    /// First byte and byte count of what the view reaches.
    pub fn byte_range(&self) -> (u64, u64) {
        if self.shape.count() == 0 {
            return (self.address, 0);
        }
        let (mut low, mut high) = (0i64, 0i64);
        for (&size, &stride) in self.shape.dims().iter().zip(&self.strides) {
            let reach = (size - 1) * stride;
            if reach < 0 { low += reach } else { high += reach }
        }
        let item = self.dtype.size_bytes() as i64;
        (self.address.wrapping_add_signed(low * item), ((high - low + 1) * item) as u64)
    }

    /// Whether two views share a byte.
    pub fn overlaps(&self, other: &ArrayView) -> bool {
        let ((a, a_len), (b, b_len)) = (self.byte_range(), other.byte_range());
        self.location == other.location && a < b + b_len && b < a + a_len
    }

    /// Whether two views address the same elements in the same order.
    pub fn same_elements(&self, other: &ArrayView) -> bool {
        self.address == other.address
            && self.dtype == other.dtype
            && self.shape == other.shape
            && self.strides == other.strides
    }
}
