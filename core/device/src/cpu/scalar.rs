//! One lane of the ops that are not a single machine instruction: rounding, integers, conversions.

use half::f16;

/// The lesser; of two zeros the negative one; the other one if one is NaN.
#[inline(always)]
pub fn min_f32(a: f32, b: f32) -> f32 {
    // Of equal numbers, which only zeros tell apart, the or of their bits has the sign.
    let least = if a < b { a } else { b };
    let least = if a == b { f32::from_bits(a.to_bits() | b.to_bits()) } else { least };
    if b.is_nan() { a } else { least }
}

/// The greater; of two zeros the positive one; the other one if one is NaN.
#[inline(always)]
pub fn max_f32(a: f32, b: f32) -> f32 {
    let most = if a > b { a } else { b };
    let most = if a == b { f32::from_bits(a.to_bits() & b.to_bits()) } else { most };
    if b.is_nan() { a } else { most }
}

/// As [`min_f32`].
#[inline(always)]
pub fn min_f64(a: f64, b: f64) -> f64 {
    let least = if a < b { a } else { b };
    let least = if a == b { f64::from_bits(a.to_bits() | b.to_bits()) } else { least };
    if b.is_nan() { a } else { least }
}

/// As [`max_f32`].
#[inline(always)]
pub fn max_f64(a: f64, b: f64) -> f64 {
    let most = if a > b { a } else { b };
    let most = if a == b { f64::from_bits(a.to_bits() & b.to_bits()) } else { most };
    if b.is_nan() { a } else { most }
}

/// `x / 0 = x`, `MIN / -1 = MIN`. The quotient of doubles is exact enough: it rounds to a whole number only
/// where it is one, since both operands have at most 32 bits.
#[inline(always)]
pub fn div_i32(a: i32, b: i32) -> i32 {
    let simple = b == 0 || b == -1;
    let quotient = (f64::from(a) / f64::from(if simple { 1 } else { b })) as i32;
    if b == -1 { a.wrapping_neg() } else { quotient }
}

/// `x % 0 = 0`, `MIN % -1 = 0`, the sign of `x`.
#[inline(always)]
pub fn rem_i32(a: i32, b: i32) -> i32 {
    a.wrapping_sub(div_i32(a, b).wrapping_mul(if b == 0 { 1 } else { b }))
}

#[inline(always)]
pub fn div_u32(a: u32, b: u32) -> u32 {
    (f64::from(a) / f64::from(if b == 0 { 1 } else { b })) as u32
}

#[inline(always)]
pub fn rem_u32(a: u32, b: u32) -> u32 {
    let b = if b == 0 { 1 } else { b };
    a.wrapping_sub(div_u32(a, b).wrapping_mul(b))
}

#[inline(always)]
pub fn div_i64(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { a.wrapping_div(b) }
}

#[inline(always)]
pub fn rem_i64(a: i64, b: i64) -> i64 {
    if b == 0 { 0 } else { a.wrapping_rem(b) }
}

#[inline(always)]
pub fn div_u64(a: u64, b: u64) -> u64 {
    a.checked_div(b).unwrap_or(a)
}

#[inline(always)]
pub fn rem_u64(a: u64, b: u64) -> u64 {
    a.checked_rem(b).unwrap_or(0)
}

/// 31 less the leading zeros, -1 for none.
#[inline(always)]
pub fn first_bit_high(x: u32) -> i32 {
    31 - x.leading_zeros() as i32
}

#[inline(always)]
pub fn first_bit_high_64(x: u64) -> i64 {
    63 - i64::from(x.leading_zeros())
}

#[inline(always)]
pub fn first_bit_low(x: i32) -> i32 {
    if x == 0 { -1 } else { x.trailing_zeros() as i32 }
}

#[inline(always)]
pub fn first_bit_low_64(x: i64) -> i64 {
    if x == 0 { -1 } else { i64::from(x.trailing_zeros()) }
}

#[inline(always)]
pub fn round_bf16(x: f32) -> f32 {
    bf16_to_f32(f32_to_bf16(x))
}

#[inline(always)]
pub fn bf16_to_f32(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

/// Ties to even; NaN stays NaN.
#[inline(always)]
pub fn f32_to_bf16(x: f32) -> u16 {
    let bits = x.to_bits();
    let rounded = bits.wrapping_add(0x7fff + ((bits >> 16) & 1));
    let bits = if x.is_nan() { bits | 0x0040_0000 } else { rounded };
    (bits >> 16) as u16
}

/// A single from which rounding to a half gives what rounding the double at once would: where the double is between
/// two singles, the one whose bits are odd, which is no tie.
#[inline(always)]
fn to_odd(x: f64) -> f32 {
    let nearest = x as f32;
    let back = f64::from(nearest);
    let bits = nearest.to_bits();
    if back == x || x.is_nan() || bits & 1 == 1 {
        return nearest;
    }
    f32::from_bits(if back.abs() < x.abs() { bits + 1 } else { bits - 1 })
}

#[inline(always)]
pub fn round_bf16_f64(x: f64) -> f32 {
    round_bf16(to_odd(x))
}

/// The nearest half, ties to even, by adding and taking away a number whose last bit is the half's last.
#[inline(always)]
pub fn round_f16(x: f32) -> f32 {
    let magnitude = x.abs();
    // Halves have 10 bits after the leading one, and none below 2^-24.
    let exponent = magnitude.to_bits() & 0x7f80_0000;
    let least = f32::to_bits(6.103_515_6e-5);
    let anchor = if exponent > least { exponent } else { least };
    // 1.5 * 2^(e + 13): its last bit is worth 2^(e - 10).
    let big = f32::from_bits(anchor.wrapping_add(13 << 23) | 0x0040_0000);
    let rounded = (magnitude + big) - big;
    let rounded = if magnitude >= 65_520.0 { f32::INFINITY } else { rounded };
    let rounded = if x.is_nan() { x } else { rounded };
    rounded.copysign(x)
}

#[inline(always)]
pub fn round_f16_f64(x: f64) -> f32 {
    round_f16(to_odd(x))
}

#[inline(always)]
pub fn f16_to_bits(x: f32) -> u32 {
    u32::from(f16::from_f32(x).to_bits())
}

#[inline(always)]
pub fn f16_from_bits(bits: u32) -> f32 {
    f16::from_bits(bits as u16).to_f32()
}

#[inline(always)]
pub fn sign_f32(x: f32) -> f32 {
    let y = if x > 0.0 { 1.0 } else { 0.0 };
    if x < 0.0 { -1.0 } else { y }
}

#[inline(always)]
pub fn sign_f64(x: f64) -> f64 {
    let y = if x > 0.0 { 1.0 } else { 0.0 };
    if x < 0.0 { -1.0 } else { y }
}

/// NaN below 1, which the library's own gives only near it.
#[inline(always)]
pub fn acosh_f64(x: f64) -> f64 {
    if x < 1.0 { f64::NAN } else { libm::acosh(x) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_to_half_agrees_with_the_conversion_there_and_back() {
        // All singles whose low 11 bits are one of a few patterns: every tie and its neighbours.
        for high in 0..1u32 << 21 {
            for low in [0, 1, 0x3ff, 0x400, 0x401, 0x7ff] {
                let x = f32::from_bits(high << 11 | low);
                let want = f16::from_f32(x).to_f32();
                let got = round_f16(x);
                assert!(
                    got.to_bits() == want.to_bits() || got.is_nan() && want.is_nan(),
                    "{x:e} {got} {want}"
                );
            }
        }
    }

    #[test]
    fn doubles_are_rounded_to_halves_once() {
        let tiny = 2f64.powi(-45);
        for (half, digits) in [(round_f16_f64 as fn(f64) -> f32, 11), (round_bf16_f64, 8)] {
            let step = 2f64.powi(1 - digits);
            for (x, want) in [
                (1.0 + step / 2.0, 1.0),
                (1.0 + step / 2.0 + tiny, 1.0 + step),
                (1.0 + step * 1.5, 1.0 + 2.0 * step),
                (1.0 + step * 1.5 - tiny, 1.0 + step),
                (1e300, f64::INFINITY),
                (1e-300, 0.0),
            ] {
                assert_eq!([x, -x].map(|x| f64::from(half(x))), [want, -want]);
            }
            assert!(half(f64::NAN).is_nan());
        }
    }

    #[test]
    fn division_by_way_of_doubles_is_exact() {
        let edges = [0, 1, 2, 3, 7, 46_341, i32::MAX - 1, i32::MAX, i32::MIN, i32::MIN + 1, -1, -2, -3, -7];
        for a in edges {
            for b in edges {
                let (div, rem) = if b == 0 { (a, 0) } else { (a.wrapping_div(b), a.wrapping_rem(b)) };
                assert_eq!((div_i32(a, b), rem_i32(a, b)), (div, rem), "{a} / {b}");
                let (a, b) = (a as u32, b as u32);
                let (div, rem) = (a.checked_div(b).unwrap_or(a), a.checked_rem(b).unwrap_or(0));
                assert_eq!((div_u32(a, b), rem_u32(a, b)), (div, rem), "{a} / {b}");
            }
        }
    }
}
