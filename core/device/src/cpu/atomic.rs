//! Atomic updates of memory that give the old value, lane after lane.

use super::memory::Mask;
use super::scalar;
use pullback_base::DType;
use pullback_base::bytecode::Update;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Updates one element per lane: (update, out, addresses, [value, expected], mask, lanes).
///
/// # Safety
/// The pointers are those of rows of the dtype's kind; each address of a lane that takes part is that of a valid
/// element, aligned to its size, to which all concurrent access is atomic.
pub type Atomic = unsafe fn(Update, *mut u8, *const u64, [*const u8; 2], Mask, usize);

/// The function for a dtype, if it has atomics.
pub fn atomic_of(dtype: DType) -> Option<Atomic> {
    Some(match dtype {
        DType::I32 => atomic::<i32>,
        DType::U32 => atomic::<u32>,
        DType::F32 => atomic::<f32>,
        DType::I64 => atomic::<i64>,
        DType::U64 => atomic::<u64>,
        DType::F64 => atomic::<f64>,
        _ => return None,
    })
}

trait Element: Copy {
    /// Replaces the element by what `update` makes of it; gives the old one.
    ///
    /// # Safety
    /// As for one address of [`Atomic`].
    unsafe fn replace(address: u64, update: impl Fn(Self) -> Self) -> Self;
    fn updated(self, update: Update, value: Self, expected: Self) -> Self;
}

macro_rules! element {
    ($ty:ty, $cell:ty, $bits:ty, $to_bits:expr, $of_bits:expr, |$update:ident, $a:ident, $b:ident, $e:ident| $updated:expr) => {
        impl Element for $ty {
            unsafe fn replace(address: u64, update: impl Fn(Self) -> Self) -> Self {
                // SAFETY: the caller's promise.
                let cell = unsafe { <$cell>::from_ptr(address as *mut $bits) };
                let next = |old: $bits| Some($to_bits(update($of_bits(old))));
                match cell.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next) {
                    Ok(old) | Err(old) => $of_bits(old),
                }
            }

            #[inline(always)]
            fn updated(self, $update: Update, $b: Self, $e: Self) -> Self {
                let $a = self;
                $updated
            }
        }
    };
}

macro_rules! integer {
    ($ty:ty, $cell:ty, $bits:ty) => {
        element!(
            $ty,
            $cell,
            $bits,
            |x: $ty| x as $bits,
            |x: $bits| x as $ty,
            |update, a, b, e| match update {
                Update::Add => a.wrapping_add(b),
                Update::Min => a.min(b),
                Update::Max => a.max(b),
                Update::And => a & b,
                Update::Or => a | b,
                Update::Xor => a ^ b,
                Update::Exchange => b,
                Update::CompareExchange =>
                    if a == e {
                        b
                    } else {
                        a
                    },
            }
        );
    };
}

macro_rules! float {
    ($ty:ty, $cell:ty, $bits:ty, $min:path, $max:path) => {
        element!($ty, $cell, $bits, <$ty>::to_bits, <$ty>::from_bits, |update, a, b, _e| match update {
            Update::Add => a + b,
            Update::Min => $min(a, b),
            Update::Max => $max(a, b),
            // Bits have no meaning in floats; the IR has no such operation.
            Update::And | Update::Or | Update::Xor | Update::CompareExchange => a,
            Update::Exchange => b,
        });
    };
}

integer!(i32, AtomicU32, u32);
integer!(u32, AtomicU32, u32);
integer!(i64, AtomicU64, u64);
integer!(u64, AtomicU64, u64);
float!(f32, AtomicU32, u32, scalar::min_f32, scalar::max_f32);
float!(f64, AtomicU64, u64, scalar::min_f64, scalar::max_f64);

/// # Safety
/// See [`Atomic`].
unsafe fn atomic<E: Element>(
    update: Update,
    out: *mut u8,
    addresses: *const u64,
    [value, expected]: [*const u8; 2],
    mask: Mask,
    lanes: usize,
) {
    let (out, value, expected) = (out.cast::<E>(), value.cast::<E>(), expected.cast::<E>());
    for i in 0..lanes {
        // SAFETY: the caller's promise; lanes stay below LANES.
        unsafe {
            if mask.has(i) {
                let (value, expected) = (value.add(i).read(), expected.add(i).read());
                let old = E::replace(addresses.add(i).read(), |old| old.updated(update, value, expected));
                out.add(i).write(old);
            }
        }
    }
}
