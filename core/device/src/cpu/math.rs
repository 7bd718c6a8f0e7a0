//! Float math of single precision, branch-free, so that a loop over lanes becomes vector code.
//!
//! Results are the same bits on every machine: only + - * / sqrt and bit operations of IEEE 754 are used, never a
//! fused multiply-add. `exp`, `exp2`, `log`, `sin` and `cos` work in single precision with fitted series, the others in
//! double precision with plain ones. Largest errors, which the tests measure against doubles:
//!
//! | function | ulp |
//! |---|---|
//! | exp exp2 log sin cos | 2 |
//! | log2 log10 pow tan asin acos atan atan2 sinh cosh tanh asinh acosh atanh | 1 |
//!
//! Sines, cosines and tangents beyond [`TRIG_LIMIT`] need more bits of pi than a double has: they are left to a
//! scalar routine.

use std::f64::consts::{FRAC_1_PI, FRAC_PI_2, FRAC_PI_4, LN_2, LOG2_E, LOG10_2, LOG10_E, PI};

/// 1.5 * 2^52: adding it rounds a double to an integer, which then stands in the low bits.
const ROUND: f64 = 6_755_399_441_055_744.0;

/// Sines, cosines and tangents of larger magnitudes need more bits of pi than a double has.
pub const TRIG_LIMIT: f32 = 1.0e6;

/// 1.5 * 2^23: the same for a single.
const ROUND_SINGLE: f32 = 12_582_912.0;

/// The first 31 bits of pi/2, whose product with an integer below 2^21 is exact, and the rest of it.
const HIGH: f64 = f64::from_bits(FRAC_PI_2.to_bits() & !0x3f_ffff);
const LOW: f64 = 6.077_100_506_506_192e-11;

/// `c[0] + x * (c[1] + x * (...))`
#[inline(always)]
fn poly<const N: usize>(x: f64, c: [f64; N]) -> f64 {
    let mut sum = c[N - 1];
    let mut i = N - 1;
    while i > 0 {
        i -= 1;
        sum = sum * x + c[i];
    }
    sum
}

/// As [`poly`], in singles.
#[inline(always)]
fn poly_single<const N: usize>(x: f32, c: [f32; N]) -> f32 {
    let mut sum = c[N - 1];
    let mut i = N - 1;
    while i > 0 {
        i -= 1;
        sum = sum * x + c[i];
    }
    sum
}

/// 2^x for |x| <= 1000; NaN stays NaN.
#[inline(always)]
fn exp2_core(x: f64) -> f64 {
    let shifted = x + ROUND;
    let r = (x - (shifted - ROUND)) * LN_2;
    // e^r by Taylor; |r| <= ln(2) / 2, the next term is below 2^-42.
    let e = poly(
        r,
        [
            1.0,
            1.0,
            1.0 / 2.0,
            1.0 / 6.0,
            1.0 / 24.0,
            1.0 / 120.0,
            1.0 / 720.0,
            1.0 / 5_040.0,
            1.0 / 40_320.0,
            1.0 / 362_880.0,
        ],
    );
    // The integer part goes to the exponent.
    f64::from_bits(e.to_bits().wrapping_add(shifted.to_bits() << 52))
}

/// 2^x, limited to where a single is neither zero nor infinite; NaN stays NaN.
#[inline(always)]
fn exp2_limited(x: f64) -> f64 {
    let x = if x > 300.0 { 300.0 } else { x };
    exp2_core(if x < -300.0 { -300.0 } else { x })
}

/// (n, ln m) with x = 2^n m and m in [sqrt(1/2), sqrt(2)), for a positive normal x.
#[inline(always)]
fn log_core(x: f64) -> (f64, f64) {
    const HALF_SQRT: u64 = 0x3fe6_a09e_667f_3bcd;
    let bits = x.to_bits();
    let biased = bits.wrapping_add(0x3ff0_0000_0000_0000 - HALF_SQRT) >> 52;
    let n = f64::from_bits(ROUND.to_bits() + biased) - (ROUND + 1023.0);
    let m = f64::from_bits(bits.wrapping_sub((biased.wrapping_sub(1023)) << 52));
    let f = m - 1.0;
    let s = f / (2.0 + f);
    // ln m = 2 artanh(s) = 2 s (1 + s^2/3 + s^4/5 + ...), |s| <= 0.1716
    let series = [1.0, 1.0 / 3.0, 1.0 / 5.0, 1.0 / 7.0, 1.0 / 9.0, 1.0 / 11.0, 1.0 / 13.0, 1.0 / 15.0];
    (n, 2.0 * s * poly(s * s, series))
}

/// ln(1 + t) for t >= 0, exact for small t.
#[inline(always)]
fn log1p_core(t: f64) -> f64 {
    let u = 1.0 + t;
    let (n, ln_m) = log_core(u);
    n * LN_2 + ln_m + (t - (u - 1.0)) / u
}

/// What all logarithms share: the values outside the positive finite numbers.
#[inline(always)]
fn log_edges(x: f32, inside: f64) -> f32 {
    let y = if x == f32::INFINITY { f32::INFINITY } else { inside as f32 };
    let y = if x == 0.0 { f32::NEG_INFINITY } else { y };
    if x >= 0.0 { y } else { f32::NAN }
}

/// e^r 2^n for |r| <= 0.3468 and a whole n in -150 ..= 130.
#[inline(always)]
fn exp_single(r: f32, n: i32) -> f32 {
    // Fitted to (e^r - 1 - r) / r^2: 0.06 ulp of e^r.
    let series = [0.499_999_94, 0.166_665_2, 0.041_668_236, 0.008_368_823, 0.001_382_349_9];
    let e = 1.0 + (r + r * r * poly_single(r, series));
    // In two factors, each a normal number, so that only the last product rounds.
    let half = n >> 1;
    e * power_of_two(half) * power_of_two(n - half)
}

/// 2^n for -126 <= n <= 127.
#[inline(always)]
fn power_of_two(n: i32) -> f32 {
    f32::from_bits((n.wrapping_add(127) as u32) << 23)
}

/// The nearest whole number of |x| < 2^22 (as a float and an integer); an integer without meaning for NaN.
#[inline(always)]
fn nearest(x: f32) -> (f32, i32) {
    let shifted = x + ROUND_SINGLE;
    (shifted - ROUND_SINGLE, (shifted.to_bits() as i32).wrapping_sub(ROUND_SINGLE.to_bits() as i32))
}

/// Keeps NaN.
#[inline(always)]
fn limit(x: f32, low: f32, high: f32) -> f32 {
    let x = if x < low { low } else { x };
    if x > high { high } else { x }
}

#[inline(always)]
pub fn exp(x: f32) -> f32 {
    // ln 2 in two parts, the first of 9 bits: its product with n is exact.
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let y = limit(x, -104.0, 89.0);
    let (n, exponent) = nearest(y * std::f32::consts::LOG2_E);
    let r = (y - n * LN_2_HIGH) - n * LN_2_LOW;
    let e = exp_single(r, exponent);
    if x.is_nan() { x } else { e }
}

#[inline(always)]
pub fn exp2(x: f32) -> f32 {
    let y = limit(x, -150.5, 129.0);
    let (n, exponent) = nearest(y);
    let e = exp_single((y - n) * std::f32::consts::LN_2, exponent);
    if x.is_nan() { x } else { e }
}

#[inline(always)]
pub fn log(x: f32) -> f32 {
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    const HALF_SQRT: u32 = 0x3f35_04f3;
    // Subnormal numbers are made normal first.
    let small = x < f32::MIN_POSITIVE;
    let scaled = if small { x * 8_388_608.0 } else { x };
    let bias = if small { 127 + 23 } else { 127 };
    let biased = scaled.to_bits().wrapping_add(0x3f80_0000 - HALF_SQRT) >> 23;
    let m = f32::from_bits(scaled.to_bits().wrapping_sub((biased.wrapping_sub(127)) << 23));
    let n = (biased as i32 - bias) as f32;
    let f = m - 1.0;
    // Fitted to (ln(1 + f) - f + f^2/2) / f^3: 0.1 ulp of the logarithm.
    let series = [
        0.333_333_3,
        -0.250_008_23,
        0.200_012_43,
        -0.166_233_21,
        0.142_015_81,
        -0.131_604_4,
        0.127_620_38,
        -0.076_336_935,
    ];
    let square = f * f;
    let tail = f * square * poly_single(f, series) + n * LN_2_LOW;
    let y = n * LN_2_HIGH + (f - (0.5 * square - tail));
    let y = if x == f32::INFINITY { x } else { y };
    let y = if x == 0.0 { f32::NEG_INFINITY } else { y };
    if x >= 0.0 { y } else { f32::NAN }
}

#[inline(always)]
pub fn log2(x: f32) -> f32 {
    let (n, ln_m) = log_core(f64::from(x));
    log_edges(x, n + ln_m * LOG2_E)
}

#[inline(always)]
pub fn log10(x: f32) -> f32 {
    let (n, ln_m) = log_core(f64::from(x));
    log_edges(x, n * LOG10_2 + ln_m * LOG10_E)
}

/// IEEE `pow`, edges and all.
#[inline(always)]
pub fn pow(x: f32, y: f32) -> f32 {
    let magnitude = x.abs();
    let (n, ln_m) = log_core(f64::from(magnitude));
    let log = n + ln_m * LOG2_E;
    let log = if magnitude == f32::INFINITY { f64::INFINITY } else { log };
    let log = if magnitude == 0.0 { f64::NEG_INFINITY } else { log };
    let power = exp2_limited(f64::from(y) * log) as f32;
    let power = if magnitude == 1.0 { 1.0 } else { power };
    // Every single of 2^24 or more is even; its half is whole.
    let whole = y.floor() == y;
    let half = y * 0.5;
    let odd = whole & (half.floor() != half);
    let negative = x.is_sign_negative();
    let power = if negative & odd { -power } else { power };
    let power = if (x < 0.0) & !whole & (magnitude != f32::INFINITY) { f32::NAN } else { power };
    let power = if x.is_nan() | y.is_nan() { f32::NAN } else { power };
    if (y == 0.0) | (x == 1.0) { 1.0 } else { power }
}

/// (r, quadrant): x = r + quadrant * pi/2, |r| <= pi/4, for |x| <= TRIG_LIMIT; the quadrant's low two bits count.
#[inline(always)]
fn trig_reduce(x: f32) -> (f64, u64) {
    let x = f64::from(x);
    let shifted = x * (2.0 / PI) + ROUND;
    let k = shifted - ROUND;
    ((x - k * HIGH) - k * LOW, shifted.to_bits())
}

/// sin r for |r| <= pi/4: the next term is below 2^-37 of it.
#[inline(always)]
fn sin_core(r: f64) -> f64 {
    let series = [1.0, -1.0 / 6.0, 1.0 / 120.0, -1.0 / 5_040.0, 1.0 / 362_880.0, -1.0 / 39_916_800.0];
    r * poly(r * r, series)
}

/// cos r for |r| <= pi/4.
#[inline(always)]
fn cos_core(r: f64) -> f64 {
    let series =
        [1.0, -1.0 / 2.0, 1.0 / 24.0, -1.0 / 720.0, 1.0 / 40_320.0, -1.0 / 3_628_800.0, 1.0 / 479_001_600.0];
    poly(r * r, series)
}

/// sin(r + n pi) for |r| <= pi/2, where the low bit of `n` counts.
#[inline(always)]
fn sin_of_half_turns(r: f64, n: u64) -> f32 {
    let r = r as f32;
    let z = r * r;
    // Fitted to (sin r - r) / r^3: 0.11 ulp of the sine.
    let series = [-0.166_666_6, 0.008_333_069, -1.980_977_8e-4, 2.606_102_7e-6];
    let sin = r + r * z * poly_single(z, series);
    f32::from_bits(sin.to_bits() ^ ((n as u32) << 31))
}

/// For |x| <= TRIG_LIMIT.
#[inline(always)]
pub fn sin(x: f32) -> f32 {
    let x = f64::from(x);
    let shifted = x * FRAC_1_PI + ROUND;
    let k = shifted - ROUND;
    let sin = sin_of_half_turns((x - k * (2.0 * HIGH)) - k * (2.0 * LOW), shifted.to_bits());
    // The series' sum has lost the sign of -0.
    if x == 0.0 { x as f32 } else { sin }
}

/// For |x| <= TRIG_LIMIT: cos x = sin(x + pi/2) = sin(x - (k - 1/2) pi + k pi)
#[inline(always)]
pub fn cos(x: f32) -> f32 {
    let x = f64::from(x);
    let shifted = x * FRAC_1_PI + 0.5 + ROUND;
    let odd = 2.0 * (shifted - ROUND) - 1.0;
    sin_of_half_turns((x - odd * HIGH) - odd * LOW, shifted.to_bits())
}

/// For |x| <= TRIG_LIMIT.
#[inline(always)]
pub fn tan(x: f32) -> f32 {
    let (r, quadrant) = trig_reduce(x);
    let (sin, cos) = (sin_core(r), cos_core(r));
    // tan(r + pi/2) = -cos r / sin r
    let odd = quadrant & 1 != 0;
    let (over, under) = (if odd { -cos } else { sin }, if odd { sin } else { cos });
    (over / under) as f32
}

/// atan2 in doubles; NaN where an operand is.
#[inline(always)]
fn atan2_core(y: f64, x: f64) -> f64 {
    const TAN_PI_8: f64 = 0.414_213_562_373_095_05;
    let (a, b) = (y.abs(), x.abs());
    let steep = a > b;
    let (low, high) = (if steep { b } else { a }, if steep { a } else { b });
    // atan q = pi/4 + atan((q - 1) / (q + 1))
    let equal = (low == f64::INFINITY) & (high == f64::INFINITY);
    let upper = (low > TAN_PI_8 * high) | equal;
    let over = if upper { low - high } else { low };
    let under = if upper { low + high } else { high };
    let t = over / under;
    let t = if high == 0.0 { 0.0 } else { t };
    let t = if equal { 0.0 } else { t };
    // atan t = t (1 - t^2/3 + t^4/5 - ...), |t| <= tan(pi/8)
    let series = [
        1.0,
        -1.0 / 3.0,
        1.0 / 5.0,
        -1.0 / 7.0,
        1.0 / 9.0,
        -1.0 / 11.0,
        1.0 / 13.0,
        -1.0 / 15.0,
        1.0 / 17.0,
        -1.0 / 19.0,
        1.0 / 21.0,
        -1.0 / 23.0,
    ];
    let angle = t * poly(t * t, series);
    let angle = if upper { FRAC_PI_4 + angle } else { angle };
    let angle = if steep { FRAC_PI_2 - angle } else { angle };
    let angle = if x.is_sign_negative() { PI - angle } else { angle };
    angle.copysign(y)
}

#[inline(always)]
pub fn atan2(y: f32, x: f32) -> f32 {
    let angle = atan2_core(f64::from(y), f64::from(x)) as f32;
    if x.is_nan() | y.is_nan() { f32::NAN } else { angle }
}

#[inline(always)]
pub fn atan(x: f32) -> f32 {
    atan2_core(f64::from(x), 1.0) as f32
}

#[inline(always)]
pub fn asin(x: f32) -> f32 {
    let x = f64::from(x);
    atan2_core(x, ((1.0 - x) * (1.0 + x)).sqrt()) as f32
}

#[inline(always)]
pub fn acos(x: f32) -> f32 {
    let x = f64::from(x);
    atan2_core(((1.0 - x) * (1.0 + x)).sqrt(), x) as f32
}

/// (sinh, cosh) of a >= 0.
#[inline(always)]
fn hyperbolic_core(a: f64) -> (f64, f64) {
    let grow = exp2_limited(a * LOG2_E);
    let shrink = 1.0 / grow;
    // Below 1 the difference would cancel: sinh a = a (1 + a^2/6 + a^4/120 + ...)
    let series = [1.0, 1.0 / 6.0, 1.0 / 120.0, 1.0 / 5_040.0, 1.0 / 362_880.0, 1.0 / 39_916_800.0];
    let sinh = if a < 1.0 { a * poly(a * a, series) } else { 0.5 * (grow - shrink) };
    (sinh, 0.5 * (grow + shrink))
}

#[inline(always)]
pub fn sinh(x: f32) -> f32 {
    (hyperbolic_core(f64::from(x.abs())).0 as f32).copysign(x)
}

#[inline(always)]
pub fn cosh(x: f32) -> f32 {
    hyperbolic_core(f64::from(x.abs())).1 as f32
}

#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    let (sinh, cosh) = hyperbolic_core(f64::from(x.abs()));
    ((sinh / cosh) as f32).copysign(x)
}

#[inline(always)]
pub fn asinh(x: f32) -> f32 {
    let a = f64::from(x.abs());
    let square = a * a;
    // asinh a = ln(a + sqrt(1 + a^2)) = log1p(a + a^2 / (1 + sqrt(1 + a^2)))
    let y = log1p_core(a + square / (1.0 + (1.0 + square).sqrt())) as f32;
    let y = if x.is_infinite() { f32::INFINITY } else { y };
    if x.is_nan() { f32::NAN } else { y.copysign(x) }
}

#[inline(always)]
pub fn acosh(x: f32) -> f32 {
    let u = f64::from(x) - 1.0;
    // acosh x = log1p(u + sqrt(u (u + 2))), u = x - 1
    let y = log1p_core(u + (u * (u + 2.0)).sqrt()) as f32;
    let y = if x == f32::INFINITY { f32::INFINITY } else { y };
    if x >= 1.0 { y } else { f32::NAN }
}

#[inline(always)]
pub fn atanh(x: f32) -> f32 {
    let a = f64::from(x.abs());
    // atanh a = log1p(2 a / (1 - a)) / 2
    let y = (0.5 * log1p_core(2.0 * a / (1.0 - a))) as f32;
    let y = if a == 1.0 { f32::INFINITY } else { y };
    if a <= 1.0 { y.copysign(x) } else { f32::NAN }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::scalar;

    /// How far apart two numbers are in units of the last place of the exact one.
    fn ulps(got: f32, exact: f64) -> f64 {
        let want = exact as f32;
        if got.to_bits() == want.to_bits() || (got.is_nan() && want.is_nan()) {
            return 0.0;
        }
        if !got.is_finite() || !want.is_finite() {
            // An overflow that the exact result is within an ulp of is one ulp off.
            return if got.abs() >= f32::MAX && want.abs() >= f32::MAX { 1.0 } else { f64::INFINITY };
        }
        let exponent = (want.abs().to_bits() >> 23).max(1) as i32;
        (f64::from(got) - exact).abs() / 2f64.powi(exponent - 127 - 23)
    }

    const EDGES: [f32; 18] = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        0.5,
        2.0,
        f32::MIN_POSITIVE,
        -f32::MIN_POSITIVE,
        f32::MAX,
        f32::MIN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
        1e-45,
        88.722_84,
        -103.97,
        std::f32::consts::PI,
        -126.0,
    ];

    #[track_caller]
    fn check(bound: f64, got: impl Fn(f32) -> f32, exact: impl Fn(f64) -> f64, keep: impl Fn(f32) -> bool) {
        // All bit patterns at a stride that is coprime to their number, so every exponent and sign is met.
        let sweep = (0..400_000u32).map(|i| f32::from_bits(i.wrapping_mul(2_654_435_761)));
        let dense = (0..200_000u32).map(|i| (i as f32 / 100_000.0 - 1.0) * 12.0);
        let (mut worst, mut at) = (0.0, 0.0);
        for x in sweep.chain(dense).chain(EDGES).filter(|&x| keep(x)) {
            let error = ulps(got(x), exact(f64::from(x)));
            if error > worst {
                (worst, at) = (error, x);
            }
        }
        println!("{worst:.3} ulp at {at:e}");
        assert!(worst <= bound, "{worst} ulp at {at:e}: {} for {}", got(at), exact(f64::from(at)));
    }

    fn all(_: f32) -> bool {
        true
    }

    fn trig(x: f32) -> bool {
        x.abs() <= TRIG_LIMIT
    }

    #[test]
    fn exponentials_and_logarithms_are_within_their_bounds() {
        check(2.0, exp, libm::exp, all);
        check(2.0, exp2, libm::exp2, all);
        check(2.0, log, libm::log, all);
        check(1.0, log2, libm::log2, all);
        check(1.0, log10, libm::log10, all);
    }

    #[test]
    fn circular_functions_are_within_their_bounds() {
        check(2.0, sin, libm::sin, trig);
        check(2.0, cos, libm::cos, trig);
        check(1.0, tan, libm::tan, trig);
        check(1.0, asin, libm::asin, all);
        check(1.0, acos, libm::acos, all);
        check(1.0, atan, libm::atan, all);
    }

    #[test]
    fn hyperbolic_functions_are_within_their_bounds() {
        check(1.0, sinh, libm::sinh, all);
        check(1.0, cosh, libm::cosh, all);
        check(1.0, tanh, libm::tanh, all);
        check(1.0, asinh, libm::asinh, all);
        check(1.0, acosh, scalar::acosh_f64, all);
        check(1.0, atanh, libm::atanh, all);
    }

    #[test]
    fn functions_of_two_numbers_are_within_their_bounds_and_right_at_the_edges() {
        let others = EDGES.into_iter().chain([3.0, -3.0, 2.5, -0.1, 1e-3, 16_777_216.0, 16_777_215.0]);
        for y in others {
            check(1.0, |x| pow(x, y), |x| libm::pow(x, f64::from(y)), all);
            check(1.0, |x| pow(y, x), |x| libm::pow(f64::from(y), x), all);
            check(1.0, |x| atan2(x, y), |x| libm::atan2(x, f64::from(y)), all);
            check(1.0, |x| atan2(y, x), |x| libm::atan2(f64::from(y), x), all);
        }
    }
}
