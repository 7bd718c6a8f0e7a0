//! Array arguments: strided memory somewhere.

use crate::record::Record;
use crate::whole::Element;
use pullback_base::{DType, Shape};
use smallvec::SmallVec;
use std::sync::Arc;

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
    /// Of an array of structs: how one lies in memory. The array is seen as bytes, a struct's being the last dim.
    pub record: Option<Arc<Record>>,
}

impl ArrayView {
    /// A C-contiguous view.
    pub fn contiguous(address: u64, dtype: DType, shape: Shape, location: Location) -> Self {
        let strides = shape.contiguous_strides();
        Self { address, dtype, shape, strides, location, writable: true, record: None }
    }

    /// A C-contiguous view of structs in an array of that shape.
    pub fn of_records(address: u64, record: &Arc<Record>, shape: &Shape, location: Location) -> Self {
        let Element { dtype, shape: own, record } = Element::of_record(record);
        let dims: SmallVec<[i64; 6]> = shape.dims().iter().chain(own.dims()).copied().collect();
        Self { record, ..Self::contiguous(address, dtype, Shape::from(dims), location) }
    }

    /// The shape as users see it: without the bytes of structs.
    pub fn shown_shape(&self) -> Shape {
        let dims = self.shape.dims();
        Shape::from(&dims[..dims.len() - usize::from(self.record.is_some())])
    }

    /// How messages name it: `float32 (4, 3)`, `struct Ray (4,)`.
    pub fn describe(&self) -> String {
        let of = self.record.as_ref().map_or_else(|| self.dtype.numpy_name().to_owned(), |it| it.shown());
        format!("{of} {}", self.shown_shape())
    }

    /// Whether the elements lie side by side in C order.
    pub fn is_contiguous(&self) -> bool {
        let mut step = 1;
        self.shape.count() == 0
            || self.shape.dims().iter().zip(&self.strides).rev().all(|(&size, &stride)| {
                let fits = size == 1 || stride == step;
                step *= size;
                fits
            })
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

    /// Whether two views may share a byte. It says no where their ranges lie apart, and where one lies in the gaps
    /// of the other: all addresses of both are alike modulo the greatest common divisor of their strides.
    pub fn overlaps(&self, other: &ArrayView) -> bool {
        let ((a, a_len), (b, b_len)) = (self.byte_range(), other.byte_range());
        if self.location != other.location || a >= b + b_len || b >= a + a_len {
            return false;
        }
        let period = gcd(self.period_bytes(), other.period_bytes());
        if period == 0 {
            return true;
        }
        let apart = (other.address.wrapping_sub(self.address) as i64).rem_euclid(period as i64) as u64;
        let (item, other_item) = (self.dtype.size_bytes() as u64, other.dtype.size_bytes() as u64);
        apart < item || apart + other_item > period
    }

    /// The greatest number of bytes of which every stride walked is a multiple; 0 when none is walked.
    fn period_bytes(&self) -> u64 {
        let walked = self.shape.dims().iter().zip(&self.strides).filter(|&(&size, _)| size > 1);
        walked.fold(0, |period, (_, stride)| gcd(period, stride.unsigned_abs()))
            * self.dtype.size_bytes() as u64
    }

    /// Whether two elements may share memory: true unless each stride steps over all that the smaller ones reach.
    pub fn overlaps_itself(&self) -> bool {
        let walked = self.shape.dims().iter().zip(&self.strides).filter(|&(&size, _)| size > 1);
        let mut steps: SmallVec<[(u64, u64); 6]> =
            walked.map(|(&size, stride)| (stride.unsigned_abs(), size as u64 - 1)).collect();
        steps.sort_unstable();
        let mut reached = 0;
        self.shape.count() > 0
            && steps.iter().any(|&(stride, count)| {
                let overlaps = stride <= reached;
                reached += stride * count;
                overlaps
            })
    }

    /// Whether two views address the same elements in the same order.
    pub fn same_elements(&self, other: &ArrayView) -> bool {
        self.address == other.address
            && self.dtype == other.dtype
            && self.shape == other.shape
            && self.strides == other.strides
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(address: u64, shape: &[i64], strides: &[i64]) -> ArrayView {
        let view = ArrayView::contiguous(address, DType::F32, Shape::from(shape), Location::Host);
        ArrayView { strides: SmallVec::from_slice(strides), ..view }
    }

    #[test]
    fn ranges_that_meet_overlap() {
        let x = view(0, &[4], &[1]);
        assert!(x.overlaps(&view(12, &[4], &[1])));
        assert!(!x.overlaps(&view(16, &[4], &[1])));
        assert!(x.overlaps(&view(12, &[4], &[-1])));
    }

    #[test]
    fn interleaved_columns_are_apart() {
        let x = view(0, &[4], &[2]);
        assert!(!x.overlaps(&view(4, &[4], &[2])));
        assert!(x.overlaps(&view(8, &[4], &[2])));
        assert!(x.overlaps(&view(4, &[4], &[3])));
        assert!(!view(0, &[4, 3], &[8, 2]).overlaps(&view(4, &[4], &[4])));
    }

    #[test]
    fn an_array_overlaps_itself_where_a_stride_is_too_short() {
        assert!(!view(0, &[4, 3], &[3, 1]).overlaps_itself());
        assert!(!view(0, &[4, 3], &[-1, 4]).overlaps_itself());
        assert!(!view(0, &[1, 3], &[0, 1]).overlaps_itself());
        assert!(view(0, &[4, 3], &[0, 1]).overlaps_itself());
        assert!(view(0, &[4, 3], &[2, 1]).overlaps_itself());
    }
}
