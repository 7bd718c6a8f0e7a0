//! `pow`, IEEE's: `exp(y log x)` with the logarithm and the product in two numbers each.

use super::exponential::Parts;
use super::float::Float;
use pullback_ir::{Op, Value};
use std::f64::consts::{LN_2, LOG2_E};

const LN_2_REST: f64 = 2.319_046_813_846_299_6e-17;

impl Float<'_> {
    pub fn pow(&mut self, x: Value, y: Value) -> Value {
        let a = self.abs(x);
        let magnitude = self.pow_of_positive(a, y);
        let magnitude = self.pow_limits(a, y, magnitude);
        self.pow_signs(x, y, magnitude)
    }

    /// `a^y` for positive finite numbers.
    fn pow_of_positive(&mut self, a: Value, y: Value) -> Value {
        let (log, log_rest) = self.log_in_two(a);
        // y log a = yh lh + (yh ll + yl log): the first product is exact.
        let limit = if self.is_double() { 800.0 } else { 120.0 };
        let estimate = self.mul(y, log);
        let size = self.abs(estimate);
        let is_far = self.test(Op::Gt, size, limit);
        let bound = self.num(limit);
        let bound = self.copysign(bound, estimate);
        let yh = self.leading_bits(y);
        let yl = self.sub(y, yh);
        let lh = self.leading_bits(log);
        let ll = self.sub(log, lh);
        let ll = self.add(ll, log_rest);
        let product = self.mul(yh, lh);
        let first = self.mul(yh, ll);
        let second = self.mul(yl, log);
        let rest = self.add(first, second);
        let product = self.select(is_far, bound, product);
        let rest = self.if_num(is_far, 0.0, rest);
        let k = self.mul_num(product, LOG2_E);
        let k = self.op(Op::Round, &[k]);
        let high = self.leading(LN_2);
        let low = (LN_2 - high) + LN_2_REST;
        let first = self.mul_num(k, high);
        let second = self.mul_num(k, low);
        let r = self.sub(product, first);
        let rest = self.sub(rest, second);
        let r = self.add(r, rest);
        self.exp_reduced(r, k)
    }

    /// `log a` as a number and a small correction.
    fn log_in_two(&mut self, a: Value) -> (Value, Value) {
        // log(1 + f) = 2 s + s^3 (2/3 + 2 s^2/5 + ..), s = f / (2 + f) = sh + sl
        let Parts { exponent, f } = self.split(a);
        let t = self.add_num(f, 2.0);
        let kept = self.add_num(t, -2.0);
        let t_rest = self.sub(f, kept);
        let quotient = self.div(f, t);
        let sh = self.leading_bits(quotient);
        let th = self.leading_bits(t);
        let tl = self.sub(t, th);
        let tl = self.add(tl, t_rest);
        let product = self.mul(sh, th);
        let left = self.sub(f, product);
        let product = self.mul(sh, tl);
        let left = self.sub(left, product);
        let sl = self.div(left, t);
        let s = self.add(sh, sl);
        let z = self.mul(s, s);
        let terms = if self.is_double() { 11 } else { 5 };
        let coefficients: Vec<f64> = (1..=terms).map(|n| 2.0 / f64::from(2 * n + 1)).collect();
        let series = self.polynomial(z, &coefficients);
        let cube = self.mul(s, z);
        let tail = self.mul(cube, series);
        // exponent ln 2 + 2 sh is exact in two numbers; the rest is small.
        let high = self.leading(LN_2);
        let low = (LN_2 - high) + LN_2_REST;
        let whole = self.mul_num(exponent, high);
        let double = self.add(sh, sh);
        let sum = self.add(whole, double);
        let lost = self.sub(whole, sum);
        let lost = self.add(lost, double);
        let small = self.add(sl, sl);
        let small = self.add(small, tail);
        let part = self.mul_num(exponent, low);
        let small = self.add(small, part);
        let small = self.add(small, lost);
        let log = self.add(sum, small);
        let rest = self.sub(sum, log);
        (log, self.add(rest, small))
    }

    /// Zero and infinite operands, `a` being a magnitude.
    fn pow_limits(&mut self, a: Value, y: Value, magnitude: Value) -> Value {
        let zero = self.num(0.0);
        let infinity = self.num(f64::INFINITY);
        let y_grows = self.test(Op::Gt, y, 0.0);
        let growing = self.select(y_grows, infinity, zero);
        let shrinking = self.select(y_grows, zero, infinity);
        let size = self.abs(y);
        let y_infinite = self.op(Op::Eq, &[size, infinity]);
        let above = self.test(Op::Gt, a, 1.0);
        let at_infinity = self.select(above, growing, shrinking);
        let result = self.select(y_infinite, at_infinity, magnitude);
        let is_infinite = self.op(Op::Eq, &[a, infinity]);
        let result = self.select(is_infinite, growing, result);
        let is_zero = self.op(Op::Eq, &[a, zero]);
        let result = self.select(is_zero, shrinking, result);
        // 1^y = 1, -1 to an infinite power too.
        let is_one = self.test(Op::Eq, a, 1.0);
        self.if_num(is_one, 1.0, result)
    }

    /// The sign of an odd power, NaN of a fractional power of a negative number, `x^0 = 1^y = 1`.
    fn pow_signs(&mut self, x: Value, y: Value, magnitude: Value) -> Value {
        let whole = self.op(Op::Trunc, &[y]);
        let is_whole = self.op(Op::Eq, &[whole, y]);
        let half = self.mul_num(y, 0.5);
        let half_whole = self.op(Op::Trunc, &[half]);
        let is_not_even = self.op(Op::Ne, &[half_whole, half]);
        let is_odd = self.op(Op::And, &[is_whole, is_not_even]);
        let is_negative = self.is_negative(x);
        let flips = self.op(Op::And, &[is_odd, is_negative]);
        let negated = self.op(Op::Neg, &[magnitude]);
        let result = self.select(flips, negated, magnitude);
        let below = self.test(Op::Lt, x, 0.0);
        let finite = self.test(Op::Gt, x, f64::NEG_INFINITY);
        let fractional = self.op(Op::Not, &[is_whole]);
        let undefined = self.op(Op::And, &[below, finite]);
        let undefined = self.op(Op::And, &[undefined, fractional]);
        let result = self.if_num(undefined, f64::NAN, result);
        let [x_nan, y_nan] = [self.op(Op::IsNan, &[x]), self.op(Op::IsNan, &[y])];
        let is_nan = self.op(Op::Or, &[x_nan, y_nan]);
        let result = self.if_num(is_nan, f64::NAN, result);
        let to_zero = self.test(Op::Eq, y, 0.0);
        let of_one = self.test(Op::Eq, x, 1.0);
        let is_one = self.op(Op::Or, &[to_zero, of_one]);
        self.if_num(is_one, 1.0, result)
    }
}
