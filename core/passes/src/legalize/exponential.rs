//! exp, log and their relatives: range reduction by powers of two, then Taylor series.

use super::float::Float;
use pullback_ir::{Op, Value};
use std::f64::consts::{LN_2, LOG2_E, LOG10_E, SQRT_2};

/// What ln 2 is above its nearest double.
const LN_2_REST: f64 = 2.319_046_813_846_299_6e-17;
/// log10 2, and what it is above its nearest double.
const LOG10_2: f64 = std::f64::consts::LOG10_2;
const LOG10_2_REST: f64 = -2.803_728_127_785_170_4e-18;

/// A positive number as `2^exponent * (1 + f)`, `1 + f` in `[sqrt(1/2), sqrt(2))`.
pub struct Parts {
    /// The exponent, as a float.
    pub exponent: Value,
    pub f: Value,
}

impl Float<'_> {
    /// The high and low parts of a constant: the first has few bits.
    fn parts(&self, value: f64, rest: f64) -> (f64, f64) {
        let high = self.leading(value);
        (high, value - high + rest)
    }

    pub fn exp(&mut self, x: Value) -> Value {
        // exp(x) = 2^k exp(x - k ln 2)
        let x = self.limit(x, if self.is_double() { 800.0 } else { 120.0 });
        let k = self.mul_num(x, LOG2_E);
        let k = self.op(Op::Round, &[k]);
        let (high, low) = self.parts(LN_2, LN_2_REST);
        let first = self.mul_num(k, high);
        let second = self.mul_num(k, low);
        let r = self.sub(x, first);
        let r = self.sub(r, second);
        self.exp_reduced(r, k)
    }

    pub fn exp2(&mut self, x: Value) -> Value {
        let x = self.limit(x, if self.is_double() { 1154.0 } else { 173.0 });
        let k = self.op(Op::Round, &[x]);
        let r = self.sub(x, k);
        let r = self.mul_num(r, LN_2);
        self.exp_reduced(r, k)
    }

    /// The number, or the bound it passes; NaN stays.
    fn limit(&mut self, x: Value, bound: f64) -> Value {
        let above = self.test(Op::Gt, x, bound);
        let x = self.if_num(above, bound, x);
        let below = self.test(Op::Lt, x, -bound);
        self.if_num(below, -bound, x)
    }

    /// `2^k exp(r)` for `|r| <= ln(2)/2`.
    pub fn exp_reduced(&mut self, r: Value, k: Value) -> Value {
        // exp(r) = 1 + (r + r^2 (1/2! + r/3! + ..))
        let terms = if self.is_double() { 12 } else { 6 };
        let mut coefficients = vec![0.5];
        for n in 3..3 + terms {
            coefficients.push(coefficients[n - 3] / n as f64);
        }
        let tail = self.polynomial(r, &coefficients);
        let square = self.mul(r, r);
        let tail = self.mul(square, tail);
        let sum = self.add(r, tail);
        let sum = self.add_num(sum, 1.0);
        let int = self.int();
        let k = self.op(Op::Convert(int), &[k]);
        self.scale(sum, k)
    }

    /// The parts of a positive finite number, subnormal ones included.
    pub fn split(&mut self, x: Value) -> Parts {
        let shift = f64::from(self.digits() + 2);
        let smallest = if self.is_double() { f64::MIN_POSITIVE } else { f64::from(f32::MIN_POSITIVE) };
        let is_small = self.test(Op::Lt, x, smallest);
        let raised = self.mul_num(x, shift.exp2());
        let x = self.select(is_small, raised, x);
        let bits = self.bits_of(x);
        // Counted from sqrt(1/2) instead of 1, the exponent field is that of the interval wanted.
        let (offset, mask) = self.root_half_offset();
        let [offset, mask, root] = [self.integer(offset), self.integer(mask), self.integer(self.root_half())];
        let moved = self.op(Op::Add, &[bits, offset]);
        let digits = self.integer(i64::from(self.digits()));
        let field = self.op(Op::Shr, &[moved, digits]);
        let bias = self.integer(self.bias());
        let exponent = self.op(Op::Sub, &[field, bias]);
        let mantissa = self.op(Op::And, &[moved, mask]);
        let mantissa = self.op(Op::Add, &[mantissa, root]);
        let mantissa = self.of_bits(mantissa);
        let scalar = self.scalar;
        let exponent = self.op(Op::Convert(scalar), &[exponent]);
        let lowered = self.add_num(exponent, -shift);
        let exponent = self.select(is_small, lowered, exponent);
        let f = self.add_num(mantissa, -1.0);
        Parts { exponent, f }
    }

    /// The bits of sqrt(1/2).
    fn root_half(&self) -> i64 {
        let root = SQRT_2 / 2.0;
        if self.is_double() { root.to_bits() as i64 } else { i64::from((root as f32).to_bits()) }
    }

    /// What moves the bits of sqrt(1/2) to those of 1, and the mask of the digits.
    fn root_half_offset(&self) -> (i64, i64) {
        let one = self.bias() << self.digits();
        (one - self.root_half(), (1 << self.digits()) - 1)
    }

    /// `log(1 + f) - f`, for `1 + f` near 1.
    fn log_tail(&mut self, f: Value) -> Value {
        // log(1 + f) = 2 atanh(s) = f - s (f - R), s = f / (2 + f), R = 2 s^2/3 + 2 s^4/5 + ..
        let bottom = self.add_num(f, 2.0);
        let s = self.div(f, bottom);
        let z = self.mul(s, s);
        let terms = if self.is_double() { 11 } else { 5 };
        let coefficients: Vec<f64> = (1..=terms).map(|n| 2.0 / f64::from(2 * n + 1)).collect();
        let series = self.polynomial(z, &coefficients);
        let series = self.mul(z, series);
        let difference = self.sub(f, series);
        let product = self.mul(s, difference);
        self.op(Op::Neg, &[product])
    }

    /// The logarithm's values where there is no finite positive number.
    fn log_edges(&mut self, x: Value, result: Value) -> Value {
        let is_infinite = self.test(Op::Eq, x, f64::INFINITY);
        let result = self.select(is_infinite, x, result);
        let is_zero = self.test(Op::Eq, x, 0.0);
        let result = self.if_num(is_zero, f64::NEG_INFINITY, result);
        let is_valid = self.test(Op::Ge, x, 0.0);
        self.else_num(is_valid, result, f64::NAN)
    }

    pub fn log(&mut self, x: Value) -> Value {
        let Parts { exponent, f } = self.split(x);
        let tail = self.log_tail(f);
        let (high, low) = self.parts(LN_2, LN_2_REST);
        let high = self.mul_num(exponent, high);
        let low = self.mul_num(exponent, low);
        let small = self.add(tail, low);
        let small = self.add(small, f);
        let sum = self.add(high, small);
        self.log_edges(x, sum)
    }

    pub fn log2(&mut self, x: Value) -> Value {
        let Parts { exponent, f } = self.split(x);
        let tail = self.log_tail(f);
        let sum = self.scaled_log(f, tail, LOG2_E, 2.035_527_374_093_103_3e-17);
        let sum = self.add(exponent, sum);
        self.log_edges(x, sum)
    }

    pub fn log10(&mut self, x: Value) -> Value {
        let Parts { exponent, f } = self.split(x);
        let tail = self.log_tail(f);
        let sum = self.scaled_log(f, tail, LOG10_E, 1.098_319_650_216_765e-17);
        let (high, low) = self.parts(LOG10_2, LOG10_2_REST);
        let low = self.mul_num(exponent, low);
        let sum = self.add(sum, low);
        let high = self.mul_num(exponent, high);
        let sum = self.add(high, sum);
        self.log_edges(x, sum)
    }

    /// `(f + tail) * factor`, with the factor and `f` each in two parts: one rounding instead of three.
    fn scaled_log(&mut self, f: Value, tail: Value, factor: f64, rest: f64) -> Value {
        let sum = self.add(f, tail);
        let kept = self.leading_bits(sum);
        let lost = self.sub(f, kept);
        let lost = self.add(lost, tail);
        let (high, low) = self.parts(factor, rest);
        let a = self.mul_num(lost, factor);
        let b = self.mul_num(kept, low);
        let small = self.add(a, b);
        let large = self.mul_num(kept, high);
        self.add(large, small)
    }

    /// The number with the low half of its digits cleared.
    pub fn leading_bits(&mut self, x: Value) -> Value {
        let low = if self.is_double() { 32 } else { 12 };
        let mask = self.integer(-1 << low);
        let bits = self.bits_of(x);
        let bits = self.op(Op::And, &[bits, mask]);
        self.of_bits(bits)
    }

    /// `log(1 + u)`, accurate for small `u`.
    pub fn log1p(&mut self, u: Value) -> Value {
        // log(w) u / (w - 1), w = 1 + u rounded: the quotient repairs the rounding.
        let w = self.add_num(u, 1.0);
        let log = self.log(w);
        let above = self.add_num(w, -1.0);
        let ratio = self.div(u, above);
        let repaired = self.mul(log, ratio);
        let is_tiny = self.test(Op::Eq, above, 0.0);
        let result = self.select(is_tiny, u, repaired);
        let is_infinite = self.test(Op::Eq, u, f64::INFINITY);
        self.select(is_infinite, u, result)
    }
}
