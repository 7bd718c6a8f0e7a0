//! sin, cos, tan and their inverses: reduction by multiples of pi/2 and of pi/4, then Taylor series.

use super::float::Float;
use pullback_ir::{Op, Value};
use std::f64::consts::{FRAC_2_PI, FRAC_PI_2, FRAC_PI_4, PI};

/// What pi/2 is above its nearest double.
const FRAC_PI_2_REST: f64 = 6.123_233_995_736_766e-17;
/// tan(pi/8)
const TAN_PI_8: f64 = 0.414_213_562_373_095_05;

impl Float<'_> {
    pub fn sin(&mut self, x: Value) -> Value {
        let [sin, cos, quadrant] = self.sin_cos(x);
        self.pick_quadrant(quadrant, sin, cos)
    }

    pub fn cos(&mut self, x: Value) -> Value {
        // cos(x) = sin(x + pi/2)
        let [sin, cos, quadrant] = self.sin_cos(x);
        let one = self.integer(1);
        let quadrant = self.op(Op::Add, &[quadrant, one]);
        self.pick_quadrant(quadrant, sin, cos)
    }

    pub fn tan(&mut self, x: Value) -> Value {
        // tan(r + k pi/2) = tan(r), or -1 / tan(r) for odd k
        let [sin, cos, quadrant] = self.sin_cos(x);
        let odd = self.is_bit_set(quadrant, 1);
        let minus_cos = self.op(Op::Neg, &[cos]);
        let top = self.select(odd, minus_cos, sin);
        let bottom = self.select(odd, sin, cos);
        self.div(top, bottom)
    }

    fn is_bit_set(&mut self, x: Value, bit: i64) -> Value {
        let [bit, zero] = [self.integer(bit), self.integer(0)];
        let masked = self.op(Op::And, &[x, bit]);
        self.op(Op::Ne, &[masked, zero])
    }

    fn pick_quadrant(&mut self, quadrant: Value, sin: Value, cos: Value) -> Value {
        let odd = self.is_bit_set(quadrant, 1);
        let picked = self.select(odd, cos, sin);
        let negated = self.op(Op::Neg, &[picked]);
        let lower = self.is_bit_set(quadrant, 2);
        self.select(lower, negated, picked)
    }

    /// `[sin r, cos r, k]` with `x = k pi/2 + r`, `|r| <= pi/4`; k is an integer.
    fn sin_cos(&mut self, x: Value) -> [Value; 3] {
        let (r, k) = self.reduce(x);
        let z = self.mul(r, r);
        let terms = if self.is_double() { 8 } else { 4 };
        // sin r = r - r z/3! + ..;  cos r = 1 - z/2 + z^2/4! - ..
        let (mut sine, mut cosine) = (vec![-1.0 / 6.0], vec![1.0 / 24.0]);
        for n in 1..terms {
            let m = (2 * n) as f64;
            sine.push(-sine[n - 1] / ((m + 2.0) * (m + 3.0)));
            cosine.push(-cosine[n - 1] / ((m + 3.0) * (m + 4.0)));
        }
        let tail = self.polynomial(z, &sine);
        let cube = self.mul(z, r);
        let tail = self.mul(cube, tail);
        let sin = self.add(r, tail);
        let tail = self.polynomial(z, &cosine);
        let square = self.mul(z, z);
        let tail = self.mul(square, tail);
        // 1 - z/2, and what that rounding lost.
        let half = self.mul_num(z, 0.5);
        let one = self.num(1.0);
        let most = self.sub(one, half);
        let lost = self.sub(one, most);
        let lost = self.sub(lost, half);
        let tail = self.add(lost, tail);
        let cos = self.add(most, tail);
        [sin, cos, k]
    }

    /// `(r, k)` with `x = k pi/2 + r`; k modulo 4 for large angles.
    fn reduce(&mut self, x: Value) -> (Value, Value) {
        let (near_r, near_k) = self.reduce_near(x);
        let size = self.abs(x);
        let finite = self.test(Op::Lt, size, f64::INFINITY);
        let is_large = self.test(Op::Gt, size, if self.is_double() { 1e6 } else { 4096.0 });
        let is_large = self.op(Op::And, &[is_large, finite]);
        self.lower.b.begin_block();
        let (r, k) = self.reduce_large(size);
        let negative = self.is_negative(x);
        let [minus_r, minus_k] = [r, k].map(|value| self.op(Op::Neg, &[value]));
        let r = self.select(negative, minus_r, r);
        let k = self.select(negative, minus_k, k);
        let then = self.lower.b.end_block(vec![r, k]);
        self.lower.b.begin_block();
        let otherwise = self.lower.b.end_block(vec![near_r, near_k]);
        let results = self.lower.b.push_if(is_large, then, otherwise);
        (results[0], results[1])
    }

    /// By subtraction in three parts: the product of k and each but the last is exact while k has 20 bits (f32: 12).
    fn reduce_near(&mut self, x: Value) -> (Value, Value) {
        let k = self.mul_num(x, FRAC_2_PI);
        let k = self.op(Op::Round, &[k]);
        let first = self.leading(FRAC_PI_2);
        let second = self.leading(FRAC_PI_2 - first);
        let third = ((FRAC_PI_2 - first) - second) + FRAC_PI_2_REST;
        let mut r = x;
        for part in [first, second, third] {
            let product = self.mul_num(k, part);
            r = self.sub(r, product);
        }
        let int = self.int();
        let k = self.op(Op::Convert(int), &[k]);
        (r, k)
    }

    /// atan of a number in [0, 1].
    fn atan_unit(&mut self, x: Value) -> Value {
        // atan(x) = pi/4 + atan((x - 1) / (x + 1))
        let is_high = self.test(Op::Gt, x, TAN_PI_8);
        let top = self.add_num(x, -1.0);
        let bottom = self.add_num(x, 1.0);
        let turned = self.div(top, bottom);
        let t = self.select(is_high, turned, x);
        // atan(t) = t - t^3/3 + t^5/5 - ..
        let z = self.mul(t, t);
        let terms = if self.is_double() { 22 } else { 9 };
        let series: Vec<f64> =
            (1..=terms).map(|n| if n % 2 == 1 { -1.0 } else { 1.0 } / f64::from(2 * n + 1)).collect();
        let tail = self.polynomial(z, &series);
        let cube = self.mul(z, t);
        let tail = self.mul(cube, tail);
        let low = self.add(t, tail);
        let (offset, rest) = self.nearest(FRAC_PI_4, FRAC_PI_2_REST / 2.0);
        let tail = self.add_num(tail, rest);
        let high = self.add(t, tail);
        let high = self.add_num(high, offset);
        self.select(is_high, high, low)
    }

    /// The nearest number of the type to a constant, and what is left.
    fn nearest(&self, value: f64, rest: f64) -> (f64, f64) {
        let near = if self.is_double() { value } else { f64::from(value as f32) };
        (near, value - near + rest)
    }

    pub fn atan(&mut self, x: Value) -> Value {
        let one = self.num(1.0);
        self.atan2(x, one)
    }

    pub fn atan2(&mut self, y: Value, x: Value) -> Value {
        let [ax, ay] = [self.abs(x), self.abs(y)];
        let small = self.op(Op::Min, &[ax, ay]);
        let large = self.op(Op::Max, &[ax, ay]);
        // 0/0 and inf/inf: the quotients that give the limits' angles.
        let ratio = self.div(small, large);
        let both_zero = self.test(Op::Eq, large, 0.0);
        let ratio = self.if_num(both_zero, 0.0, ratio);
        let both_infinite = self.test(Op::Eq, small, f64::INFINITY);
        let ratio = self.if_num(both_infinite, 1.0, ratio);
        let angle = self.atan_unit(ratio);
        // Above the diagonal: pi/2 - angle. Left of the axis: pi - angle.
        let is_steep = self.op(Op::Gt, &[ay, ax]);
        let turned = self.constant_minus(FRAC_PI_2, FRAC_PI_2_REST, angle);
        let angle = self.select(is_steep, turned, angle);
        let is_left = self.is_negative(x);
        let mirrored = self.constant_minus(PI, 2.0 * FRAC_PI_2_REST, angle);
        let angle = self.select(is_left, mirrored, angle);
        let signed = self.copysign(angle, y);
        let is_nan = self.op(Op::Add, &[ax, ay]);
        let is_nan = self.op(Op::IsNan, &[is_nan]);
        self.if_num(is_nan, f64::NAN, signed)
    }

    /// A constant in two parts, less a number.
    fn constant_minus(&mut self, value: f64, rest: f64, x: Value) -> Value {
        let (near, rest) = self.nearest(value, rest);
        let less = self.add_num(x, -rest);
        let near = self.num(near);
        self.sub(near, less)
    }

    /// `sqrt(1 - x^2)`
    fn coordinate(&mut self, x: Value) -> Value {
        let one = self.num(1.0);
        let [below, above] = [self.sub(one, x), self.add(one, x)];
        let product = self.mul(below, above);
        self.op(Op::Sqrt, &[product])
    }

    pub fn asin(&mut self, x: Value) -> Value {
        let other = self.coordinate(x);
        self.atan2(x, other)
    }

    pub fn acos(&mut self, x: Value) -> Value {
        let other = self.coordinate(x);
        self.atan2(other, x)
    }
}
