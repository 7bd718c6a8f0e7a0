//! Loads, stores, atomics and group sums: between memory elements of a dtype and lanes of a row.

use super::rows::{BLOCK, LANES};
use super::scalar;
use half::f16;
use pullback_base::DType;
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};

/// How an element lies in memory, and how it is computed.
trait Element {
    type Memory: Copy;
    type Lane: Copy + Default;
    fn load(memory: Self::Memory) -> Self::Lane;
    fn store(lane: Self::Lane) -> Self::Memory;
    /// The IR's `add`; what a narrow integer loses is lost by `store`.
    fn add(a: Self::Lane, b: Self::Lane) -> Self::Lane;
}

macro_rules! elements {
    ($($name:ident $memory:ty, $lane:ty, |$m:ident| $load:expr, |$l:ident| $store:expr, |$a:ident, $b:ident| $add:expr;)*) => {
        $(struct $name;
        impl Element for $name {
            type Memory = $memory;
            type Lane = $lane;
            #[inline(always)]
            fn load($m: $memory) -> $lane { $load }
            #[inline(always)]
            fn store($l: $lane) -> $memory { $store }
            #[inline(always)]
            fn add($a: $lane, $b: $lane) -> $lane { $add }
        })*
    };
}

elements! {
    Bool u8, u8, |m| u8::from(m != 0), |l| l, |a, b| a | b;
    I8 i8, i32, |m| i32::from(m), |l| l as i8, |a, b| a.wrapping_add(b);
    I16 i16, i32, |m| i32::from(m), |l| l as i16, |a, b| a.wrapping_add(b);
    U8 u8, u32, |m| u32::from(m), |l| l as u8, |a, b| a.wrapping_add(b);
    U16 u16, u32, |m| u32::from(m), |l| l as u16, |a, b| a.wrapping_add(b);
    Word32 u32, u32, |m| m, |l| l, |a, b| a.wrapping_add(b);
    Word64 u64, u64, |m| m, |l| l, |a, b| a.wrapping_add(b);
    F16 u16, f32, |m| f16::from_bits(m).to_f32(), |l| f16::from_f32(l).to_bits(), |a, b| scalar::round_f16(a + b);
    Bf16 u16, f32, |m| scalar::bf16_to_f32(m), |l| scalar::f32_to_bf16(l), |a, b| scalar::round_bf16(a + b);
    F32 f32, f32, |m| m, |l| l, |a, b| a + b;
    F64 f64, f64, |m| m, |l| l, |a, b| a + b;
}

/// Lanes that take part: a row of bools, or null for all.
#[derive(Clone, Copy)]
pub struct Mask(pub *const u8);

impl Mask {
    /// # Safety
    /// The pointer is null or that of a row.
    #[inline(always)]
    pub unsafe fn has(self, lane: usize) -> bool {
        // SAFETY: the caller's promise; `lane` is below LANES.
        self.0.is_null() || unsafe { *self.0.add(lane) != 0 }
    }

    /// # Safety
    /// As [`Mask::has`].
    unsafe fn is_full(self, lanes: usize) -> bool {
        // SAFETY: the caller's promise, and `lanes` is at most LANES.
        self.0.is_null() || unsafe { std::slice::from_raw_parts(self.0, lanes) }.iter().all(|&on| on != 0)
    }

    /// # Safety
    /// As [`Mask::has`].
    unsafe fn first(self, lanes: usize) -> Option<usize> {
        // SAFETY: the caller's promise.
        (0..lanes).find(|&lane| unsafe { self.has(lane) })
    }
}

/// The addresses of the lanes' elements.
#[derive(Clone, Copy)]
pub enum Addresses {
    /// Lane i at `start + i * stride_bytes`.
    Strided { start: u64, stride_bytes: u64 },
    /// A row of addresses.
    Each(*const u64),
}

impl Addresses {
    /// # Safety
    /// `Each` points to a row; `lane` is below LANES.
    #[inline(always)]
    unsafe fn of(self, lane: usize) -> u64 {
        match self {
            Addresses::Strided { start, stride_bytes } => {
                start.wrapping_add((lane as u64).wrapping_mul(stride_bytes))
            }
            // SAFETY: the caller's promise.
            Addresses::Each(row) => unsafe { *row.add(lane) },
        }
    }

    /// The address of lane 0, if the elements lie one after the other.
    fn contiguous(self, element_bytes: usize) -> Option<u64> {
        match self {
            Addresses::Strided { start, stride_bytes } if stride_bytes == element_bytes as u64 => Some(start),
            _ => None,
        }
    }

    fn shared(self) -> bool {
        matches!(self, Addresses::Strided { stride_bytes: 0, .. })
    }
}

/// Moves elements between memory and a row: (row, addresses, mask, lanes).
///
/// # Safety
/// The row is one of the dtype's kind, mask and addresses fit it; each address of a lane that takes part is valid for
/// the access, aligned or not, except that atomics want natural alignment.
pub type Access = unsafe fn(*mut u8, Addresses, Mask, usize);

/// # Safety
/// See [`Access`].
unsafe fn load<E: Element>(row: *mut u8, addresses: Addresses, mask: Mask, lanes: usize) {
    let row = row.cast::<E::Lane>();
    // SAFETY: the caller's promise; lanes stay below LANES.
    unsafe {
        if addresses.shared() {
            // Every lane, taking part or not, gets the element, so that the row stays uniform.
            if let Some(lane) = mask.first(lanes) {
                let value = E::load((addresses.of(lane) as *const E::Memory).read_unaligned());
                for i in 0..lanes.next_multiple_of(BLOCK) {
                    row.add(i).write(value);
                }
            }
        } else if let Some(start) = addresses.contiguous(size_of::<E::Memory>())
            && mask.is_full(lanes)
        {
            let start = start as *const E::Memory;
            // Rows lie in our own register file, which no kernel's memory overlaps.
            let mut block = [E::Lane::default(); LANES];
            for (i, lane) in block.iter_mut().enumerate().take(lanes) {
                *lane = E::load(start.add(i).read_unaligned());
            }
            std::ptr::copy_nonoverlapping(block.as_ptr(), row, lanes);
        } else {
            for i in 0..lanes {
                if mask.has(i) {
                    row.add(i).write(E::load((addresses.of(i) as *const E::Memory).read_unaligned()));
                }
            }
        }
    }
}

/// # Safety
/// See [`Access`].
unsafe fn load_plain<E: Element>(row: *mut u8, addresses: Addresses, mask: Mask, lanes: usize) {
    // SAFETY: the caller's promise; memory and lane are the same type, so the bytes are copied.
    unsafe {
        match addresses.contiguous(size_of::<E::Memory>()) {
            Some(start) if mask.is_full(lanes) => {
                std::ptr::copy_nonoverlapping(start as *const u8, row, lanes * size_of::<E::Memory>());
            }
            _ => load::<E>(row, addresses, mask, lanes),
        }
    }
}

/// # Safety
/// See [`Access`].
unsafe fn store<E: Element>(row: *mut u8, addresses: Addresses, mask: Mask, lanes: usize) {
    let row = row.cast::<E::Lane>().cast_const();
    // SAFETY: the caller's promise; lanes stay below LANES.
    unsafe {
        if let Some(start) = addresses.contiguous(size_of::<E::Memory>())
            && mask.is_full(lanes)
        {
            let start = start as *mut E::Memory;
            for i in 0..lanes {
                start.add(i).write_unaligned(E::store(row.add(i).read()));
            }
        } else {
            for i in 0..lanes {
                if mask.has(i) {
                    (addresses.of(i) as *mut E::Memory).write_unaligned(E::store(row.add(i).read()));
                }
            }
        }
    }
}

/// # Safety
/// See [`Access`].
unsafe fn store_plain<E: Element>(row: *mut u8, addresses: Addresses, mask: Mask, lanes: usize) {
    // SAFETY: the caller's promise; memory and lane are the same type, so the bytes are copied.
    unsafe {
        match addresses.contiguous(size_of::<E::Memory>()) {
            Some(start) if mask.is_full(lanes) => {
                std::ptr::copy_nonoverlapping(row, start as *mut u8, lanes * size_of::<E::Memory>());
            }
            _ => store::<E>(row, addresses, mask, lanes),
        }
    }
}

/// # Safety
/// See [`Access`].
unsafe fn atomic_add<E: Element>(row: *mut u8, addresses: Addresses, mask: Mask, lanes: usize) {
    let row = row.cast::<E::Lane>().cast_const();
    for i in 0..lanes {
        // SAFETY: the caller's promise; lanes stay below LANES.
        unsafe {
            if mask.has(i) {
                atomic_add_one::<E>(addresses.of(i), row.add(i).read());
            }
        }
    }
}

macro_rules! update_atomically {
    ($atomic:ty, $bits:ty, $element:ty, $address:expr, $value:expr) => {{
        // SAFETY: the caller promises a valid, aligned element there; all concurrent access is by atomics.
        let cell = unsafe { <$atomic>::from_ptr($address as *mut $bits) };
        let add = |old: $bits| {
            // SAFETY: memory type and bits have one size, and each is valid for every bit pattern.
            let old: E::Memory = unsafe { std::mem::transmute_copy(&old) };
            let new = E::store(E::add(E::load(old), $value));
            // SAFETY: as above.
            let new: $bits = unsafe { std::mem::transmute_copy(&new) };
            Some(new)
        };
        let _ = cell.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }};
}

/// # Safety
/// The address is that of a valid element, aligned to its size.
unsafe fn atomic_add_one<E: Element>(address: u64, value: E::Lane) {
    match size_of::<E::Memory>() {
        1 => update_atomically!(AtomicU8, u8, E, address, value),
        2 => update_atomically!(AtomicU16, u16, E, address, value),
        4 => update_atomically!(AtomicU32, u32, E, address, value),
        _ => update_atomically!(AtomicU64, u64, E, address, value),
    }
}

/// Stores the sum of the lanes to the first address, in the fixed order
/// `for s in [128, 64, .., 1]: v[i] += v[i + s]`, lanes that do not exist being zero.
///
/// # Safety
/// See [`Access`].
unsafe fn group_sum<E: Element>(row: *mut u8, addresses: Addresses, _: Mask, lanes: usize) {
    let mut values = [E::Lane::default(); LANES];
    // SAFETY: the caller's promise: a row of LANES lanes, of which `lanes` are active.
    unsafe { std::ptr::copy_nonoverlapping(row.cast::<E::Lane>().cast_const(), values.as_mut_ptr(), lanes) };
    let mut half = LANES / 2;
    while half > 0 {
        let (low, high) = values.split_at_mut(half);
        for (low, high) in low.iter_mut().zip(high) {
            *low = E::add(*low, *high);
        }
        half /= 2;
    }
    // SAFETY: the caller's promise on the address.
    unsafe { (addresses.of(0) as *mut E::Memory).write_unaligned(E::store(values[0])) };
}

macro_rules! by_dtype {
    ($dtype:expr, $generic:ident, $plain:ident) => {
        match $dtype {
            DType::Bool => $generic::<Bool>,
            DType::I8 => $generic::<I8>,
            DType::I16 => $generic::<I16>,
            DType::U8 => $generic::<U8>,
            DType::U16 => $generic::<U16>,
            DType::I32 | DType::U32 => $plain::<Word32>,
            DType::I64 | DType::U64 => $plain::<Word64>,
            DType::F16 => $generic::<F16>,
            DType::BF16 => $generic::<Bf16>,
            DType::F32 => $plain::<F32>,
            DType::F64 => $plain::<F64>,
        }
    };
}

pub fn load_of(dtype: DType) -> Access {
    by_dtype!(dtype, load, load_plain)
}

pub fn store_of(dtype: DType) -> Access {
    by_dtype!(dtype, store, store_plain)
}

pub fn atomic_add_of(dtype: DType) -> Access {
    by_dtype!(dtype, atomic_add, atomic_add)
}

pub fn group_sum_of(dtype: DType) -> Access {
    by_dtype!(dtype, group_sum, group_sum)
}
