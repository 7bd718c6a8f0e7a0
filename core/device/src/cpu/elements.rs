//! Elements of arrays at computed indices. An array is a row per element; a lane reads and writes its own column.
//!
//! Most indices are alike in all lanes (the counters of loops): then an access is one of a whole row.

use super::memory::Mask;
use super::rows::LANES;

/// An array and where it is accessed.
#[derive(Clone, Copy)]
pub struct Elements {
    pub array: *mut u8,
    /// Elements of the array.
    pub len: u32,
    /// Bytes of an element.
    pub size_bytes: u32,
    /// A row of indices.
    pub index: *const u8,
    /// Bytes of an index.
    pub index_bytes: u32,
}

/// An index in a row. Negative ones are large unsigned ones.
trait Index: Copy {
    fn wide(self) -> u64;
}

impl Index for u32 {
    fn wide(self) -> u64 {
        u64::from(self)
    }
}

impl Index for u64 {
    fn wide(self) -> u64 {
        self
    }
}

macro_rules! by_size {
    ($elements:expr, $access:ident($($arg:expr),*)) => {
        match ($elements.size_bytes, $elements.index_bytes) {
            (1, 4) => $access::<u8, u32>($($arg),*),
            (1, _) => $access::<u8, u64>($($arg),*),
            (4, 4) => $access::<u32, u32>($($arg),*),
            (4, _) => $access::<u32, u64>($($arg),*),
            (_, 4) => $access::<u64, u32>($($arg),*),
            (_, _) => $access::<u64, u64>($($arg),*),
        }
    };
}

impl Elements {
    /// `out = array[index]`, zero where the array has no such element.
    ///
    /// # Safety
    /// The pointers are those of rows of these sizes, the array's of `len` of them; `out` overlaps none of them; `lanes`
    /// is at most LANES.
    pub unsafe fn get(self, out: *mut u8, lanes: usize) {
        // SAFETY: the caller's promise.
        unsafe { by_size!(self, get(self, out, lanes)) }
    }

    /// `array[index] = value` in lanes whose mask is on, where the array has such an element.
    ///
    /// # Safety
    /// As [`Elements::get`].
    pub unsafe fn set(self, value: *const u8, mask: Mask, lanes: usize) {
        // SAFETY: the caller's promise.
        unsafe { by_size!(self, set(self, value, mask, lanes)) }
    }
}

/// The index of all lanes, if it is one.
fn common<I: Index>(indices: &[I]) -> Option<u64> {
    let first = indices.first()?.wide();
    // Without an early exit this is vector code.
    (indices.iter().fold(0, |differing, index| differing | (index.wide() ^ first)) == 0).then_some(first)
}

/// # Safety
/// As [`Elements::get`], for these types.
unsafe fn get<T: Copy + Default, I: Index>(elements: Elements, out: *mut u8, lanes: usize) {
    let len = u64::from(elements.len);
    // SAFETY: the caller's promise: rows of LANES elements, `len` of them in the array, and `out` apart from them.
    unsafe {
        let indices = std::slice::from_raw_parts(elements.index.cast::<I>(), lanes);
        let out = std::slice::from_raw_parts_mut(out.cast::<T>(), lanes);
        let array = elements.array.cast::<T>().cast_const();
        match common(indices) {
            Some(index) if index < len => {
                let row = std::slice::from_raw_parts(array.add(index as usize * LANES), lanes);
                out.copy_from_slice(row);
            }
            Some(_) => out.fill(T::default()),
            None if len == 0 => out.fill(T::default()),
            None => {
                for (lane, (out, index)) in out.iter_mut().zip(indices).enumerate() {
                    // Reading the last element where there is none is faster than a branch.
                    let element = array.add(index.wide().min(len - 1) as usize * LANES + lane).read();
                    *out = if index.wide() < len { element } else { T::default() };
                }
            }
        }
    }
}

/// # Safety
/// As [`Elements::set`], for these types.
unsafe fn set<T: Copy, I: Index>(elements: Elements, value: *const u8, mask: Mask, lanes: usize) {
    let len = u64::from(elements.len);
    // SAFETY: the caller's promise: rows of LANES elements, `len` of them in the array, which overlaps no operand.
    unsafe {
        let indices = std::slice::from_raw_parts(elements.index.cast::<I>(), lanes);
        let values = std::slice::from_raw_parts(value.cast::<T>(), lanes);
        let array = elements.array.cast::<T>();
        match common(indices) {
            Some(index) if index >= len => {}
            Some(index) => {
                let row = std::slice::from_raw_parts_mut(array.add(index as usize * LANES), lanes);
                if mask.0.is_null() {
                    row.copy_from_slice(values);
                    return;
                }
                let mask = std::slice::from_raw_parts(mask.0, lanes);
                for ((element, &value), &on) in row.iter_mut().zip(values).zip(mask) {
                    *element = if on != 0 { value } else { *element };
                }
            }
            None => {
                for (lane, (index, &value)) in indices.iter().zip(values).enumerate() {
                    if index.wide() < len && mask.has(lane) {
                        array.add(index.wide() as usize * LANES + lane).write(value);
                    }
                }
            }
        }
    }
}
