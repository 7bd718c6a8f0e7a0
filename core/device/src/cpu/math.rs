//! Float math of single precision, branch-free, so that a loop over lanes becomes vector code.
//!
//! The work is done in double precision with short series: results are within 0.51 ulp, and the
//! same bits on every machine, because only + - * / sqrt and bit operations of IEEE 754 are used, never a fused
//! multiply-add. Arguments whose reduction needs more than doubles (sines of more than [`TRIG_LIMIT`]) are left to
//! a scalar routine.

use std::f64::consts::{FRAC_PI_2, FRAC_PI_4, LN_2, LOG2_E, LOG10_2, LOG10_E, PI};

/// 1.5 * 2^52: adding it rounds a double to an integer, which then stands in the low bits.
const ROUND: f64 = 6_755_399_441_055_744.0;

/// Sines, cosines and tangents of larger magnitudes need more bits of pi than a double has.
pub const TRIG_LIMIT: f32 = 1.0e6;

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

#[inline(always)]
pub fn exp(x: f32) -> f32 {
    exp2_limited(f64::from(x) * LOG2_E) as f32
}

#[inline(always)]
pub fn exp2(x: f32) -> f32 {
    exp2_limited(f64::from(x)) as f32
}

#[inline(always)]
pub fn log(x: f32) -> f32 {
    let (n, ln_m) = log_core(f64::from(x));
    log_edges(x, n * LN_2 + ln_m)
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
    // The first 31 bits of pi/2, whose product with an integer below 2^21 is exact, and the rest of it.
    const HIGH: f64 = f64::from_bits(FRAC_PI_2.to_bits() & !0x3f_ffff);
    const LOW: f64 = 6.077_100_506_506_192e-11;
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

/// The sine a number of quarter turns on: sin, cos, -sin, -cos.
#[inline(always)]
fn sin_of_quadrant(r: f64, quadrant: u64) -> f32 {
    let (sin, cos) = (sin_core(r), cos_core(r));
    let value = if quadrant & 1 == 0 { sin } else { cos };
    f64::from_bits(value.to_bits() ^ ((quadrant & 2) << 62)) as f32
}

/// For |x| <= TRIG_LIMIT.
#[inline(always)]
pub fn sin(x: f32) -> f32 {
    let (r, quadrant) = trig_reduce(x);
    sin_of_quadrant(r, quadrant)
}

/// For |x| <= TRIG_LIMIT.
#[inline(always)]
pub fn cos(x: f32) -> f32 {
    let (r, quadrant) = trig_reduce(x);
    sin_of_quadrant(r, quadrant.wrapping_add(1))
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
    let upper = low > TAN_PI_8 * high;
    let over = if upper { low - high } else { low };
    let under = if upper { low + high } else { high };
    let t = over / under;
    let t = if high == 0.0 { 0.0 } else { t };
    let t = if (low == f64::INFINITY) & (high == f64::INFINITY) { 0.0 } else { t };
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
