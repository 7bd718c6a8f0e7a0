//! Wave ops: what the lanes of a wave that are on compute together, in the order of lanes.

use super::memory::Mask;
use super::scalar;
use pullback_base::bytecode::{Joint, Kind};

/// Lanes of a wave.
const WAVE: usize = 32;

/// A wave op over rows: (joint, out, value, lane operand, mask, lanes).
///
/// # Safety
/// The pointers are those of rows of the op's kinds; the lane operand is one for a `read_lane`.
pub type WaveFn = unsafe fn(Joint, *mut u8, *const u8, *const u32, Mask, usize);

/// The function for an op and the kind of its values, if there is one.
pub fn wave_of(joint: Joint, kind: Kind) -> Option<WaveFn> {
    match (joint, kind) {
        (Joint::Ballot, Kind::Bool) => Some(ballot),
        (Joint::Ballot, _) => None,
        (Joint::ReadLane | Joint::ReadFirst, kind) => Some(match kind.size_bytes() {
            1 => read::<u8>,
            4 => read::<u32>,
            _ => read::<u64>,
        }),
        (Joint::And | Joint::Or | Joint::Xor, Kind::F32 | Kind::F64) | (_, Kind::Bool) => None,
        (_, Kind::I32) => Some(join::<i32>),
        (_, Kind::U32) => Some(join::<u32>),
        (_, Kind::I64) => Some(join::<i64>),
        (_, Kind::U64) => Some(join::<u64>),
        (_, Kind::F32) => Some(join::<f32>),
        (_, Kind::F64) => Some(join::<f64>),
    }
}

/// Calls `each` for every wave with its lanes that are on, if there are any.
///
/// # Safety
/// The mask is one of so many lanes.
unsafe fn each_wave(mask: Mask, lanes: usize, mut each: impl FnMut(&[usize])) {
    for first in (0..lanes).step_by(WAVE) {
        let (mut on, mut count) = ([0; WAVE], 0);
        for lane in first..lanes.min(first + WAVE) {
            // SAFETY: the caller's promise.
            if unsafe { mask.has(lane) } {
                on[count] = lane;
                count += 1;
            }
        }
        if count > 0 {
            each(&on[..count]);
        }
    }
}

/// # Safety
/// See [`WaveFn`].
unsafe fn ballot(_: Joint, out: *mut u8, value: *const u8, _: *const u32, mask: Mask, lanes: usize) {
    let out = out.cast::<u32>();
    // SAFETY: the caller's promise; lanes stay below LANES.
    unsafe {
        each_wave(mask, lanes, |on| {
            let bits = on.iter().map(|&lane| u32::from(*value.add(lane) != 0) << (lane % WAVE)).sum();
            on.iter().for_each(|&lane| out.add(lane).write(bits));
        });
    }
}

/// # Safety
/// See [`WaveFn`].
unsafe fn read<T: Copy + Default>(
    joint: Joint,
    out: *mut u8,
    value: *const u8,
    from: *const u32,
    mask: Mask,
    lanes: usize,
) {
    let (out, value) = (out.cast::<T>(), value.cast::<T>());
    // SAFETY: the caller's promise; lanes stay below LANES.
    unsafe {
        each_wave(mask, lanes, |on| {
            for &lane in on {
                let source = match joint {
                    Joint::ReadLane => {
                        let from = *from.add(lane) as usize;
                        on.iter().find(|&&other| other % WAVE == from)
                    }
                    _ => on.first(),
                };
                out.add(lane).write(source.map_or(T::default(), |&source| value.add(source).read()));
            }
        });
    }
}

trait Number: Copy {
    const ZERO: Self;
    const ONE: Self;
    fn joined(self, joint: Joint, other: Self) -> Self;
}

macro_rules! integers {
    ($($ty:ty)*) => {
        $(impl Number for $ty {
            const ZERO: Self = 0;
            const ONE: Self = 1;
            #[inline(always)]
            fn joined(self, joint: Joint, other: Self) -> Self {
                match joint {
                    Joint::Product | Joint::PrefixProduct => self.wrapping_mul(other),
                    Joint::Min => self.min(other),
                    Joint::Max => self.max(other),
                    Joint::And => self & other,
                    Joint::Or => self | other,
                    Joint::Xor => self ^ other,
                    _ => self.wrapping_add(other),
                }
            }
        })*
    };
}

macro_rules! floats {
    ($($ty:ty, $min:path, $max:path;)*) => {
        $(impl Number for $ty {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            #[inline(always)]
            fn joined(self, joint: Joint, other: Self) -> Self {
                match joint {
                    Joint::Product | Joint::PrefixProduct => self * other,
                    Joint::Min => $min(self, other),
                    Joint::Max => $max(self, other),
                    _ => self + other,
                }
            }
        })*
    };
}

integers!(i32 u32 i64 u64);
floats! {
    f32, scalar::min_f32, scalar::max_f32;
    f64, scalar::min_f64, scalar::max_f64;
}

/// # Safety
/// See [`WaveFn`].
unsafe fn join<T: Number>(
    joint: Joint,
    out: *mut u8,
    value: *const u8,
    _: *const u32,
    mask: Mask,
    lanes: usize,
) {
    let (out, value) = (out.cast::<T>(), value.cast::<T>());
    // SAFETY: the caller's promise; lanes stay below LANES.
    unsafe {
        each_wave(mask, lanes, |on| match joint {
            Joint::PrefixSum | Joint::PrefixProduct => {
                let mut sum = if joint == Joint::PrefixSum { T::ZERO } else { T::ONE };
                for &lane in on {
                    let next = sum.joined(joint, value.add(lane).read());
                    out.add(lane).write(sum);
                    sum = next;
                }
            }
            _ => {
                let first = value.add(on[0]).read();
                let total =
                    on[1..].iter().fold(first, |sum, &lane| sum.joined(joint, value.add(lane).read()));
                on.iter().for_each(|&lane| out.add(lane).write(total));
            }
        });
    }
}
