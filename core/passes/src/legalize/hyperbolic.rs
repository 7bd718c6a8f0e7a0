//! Hyperbolic functions and their inverses, by exp and log, or by series where those would cancel.

use super::float::Float;
use pullback_ir::{Op, Value};
use std::f64::consts::LN_2;

impl Float<'_> {
    /// `1 + x^2/3! + x^4/5! + ..` (odd) or `1 + x^2/2! + x^4/4! + ..`, for `|x| <= 1`.
    fn series(&mut self, x: Value, odd: bool) -> Value {
        let terms = if self.is_double() { 10 } else { 5 };
        let mut coefficients = vec![1.0];
        for n in 1..terms {
            let m = (2 * n) as f64 + if odd { 1.0 } else { 0.0 };
            coefficients.push(coefficients[n - 1] / (m * (m - 1.0)));
        }
        let z = self.mul(x, x);
        self.polynomial(z, &coefficients)
    }

    /// `exp(|x|) / 2` and `exp(-|x|) / 2`, without overflow before the result does.
    fn halves(&mut self, x: Value) -> [Value; 2] {
        let a = self.abs(x);
        let a = self.mul_num(a, 0.5);
        let root = self.exp(a);
        let half = self.mul_num(root, 0.5);
        let growing = self.mul(half, root);
        let half = self.num(0.5);
        let shrinking = self.div(half, root);
        [growing, self.div(shrinking, root)]
    }

    fn is_within_one(&mut self, x: Value) -> Value {
        let a = self.abs(x);
        self.test(Op::Le, a, 1.0)
    }

    pub fn sinh(&mut self, x: Value) -> Value {
        let [growing, shrinking] = self.halves(x);
        let large = self.sub(growing, shrinking);
        let large = self.copysign(large, x);
        let factor = self.series(x, true);
        let small = self.mul(x, factor);
        let is_small = self.is_within_one(x);
        self.select(is_small, small, large)
    }

    pub fn cosh(&mut self, x: Value) -> Value {
        let [growing, shrinking] = self.halves(x);
        self.add(growing, shrinking)
    }

    pub fn tanh(&mut self, x: Value) -> Value {
        // 1 - 2 / (exp(2 |x|) + 1)
        let a = self.abs(x);
        let double = self.add(a, a);
        let power = self.exp(double);
        let bottom = self.add_num(power, 1.0);
        let two = self.num(2.0);
        let quotient = self.div(two, bottom);
        let one = self.num(1.0);
        let large = self.sub(one, quotient);
        let large = self.copysign(large, x);
        let [top, bottom] = [self.series(x, true), self.series(x, false)];
        let ratio = self.div(top, bottom);
        let small = self.mul(x, ratio);
        let is_small = self.is_within_one(x);
        self.select(is_small, small, large)
    }

    /// Above this, `x^2 + 1` is `x^2`.
    fn huge(&self) -> f64 {
        f64::from(self.digits() / 2 + 2).exp2()
    }

    /// `log(2 x)`
    fn log_of_double(&mut self, x: Value) -> Value {
        let log = self.log(x);
        self.add_num(log, LN_2)
    }

    pub fn asinh(&mut self, x: Value) -> Value {
        // log(a + sqrt(a^2 + 1)) = log1p(a + a^2 / (1 + sqrt(a^2 + 1)))
        let a = self.abs(x);
        let square = self.mul(a, a);
        let sum = self.add_num(square, 1.0);
        let root = self.op(Op::Sqrt, &[sum]);
        let bottom = self.add_num(root, 1.0);
        let quotient = self.div(square, bottom);
        let u = self.add(a, quotient);
        let middle = self.log1p(u);
        let large = self.log_of_double(a);
        let is_huge = self.test(Op::Gt, a, self.huge());
        let result = self.select(is_huge, large, middle);
        self.copysign(result, x)
    }

    pub fn acosh(&mut self, x: Value) -> Value {
        // log1p(t + sqrt(2 t + t^2)), t = x - 1
        let t = self.add_num(x, -1.0);
        let square = self.mul(t, t);
        let double = self.add(t, t);
        let sum = self.add(double, square);
        let root = self.op(Op::Sqrt, &[sum]);
        let u = self.add(t, root);
        let middle = self.log1p(u);
        let large = self.log_of_double(x);
        let is_huge = self.test(Op::Gt, x, self.huge());
        let result = self.select(is_huge, large, middle);
        let is_valid = self.test(Op::Ge, x, 1.0);
        self.else_num(is_valid, result, f64::NAN)
    }

    pub fn atanh(&mut self, x: Value) -> Value {
        // log1p(2 a / (1 - a)) / 2
        let a = self.abs(x);
        let one = self.num(1.0);
        let [top, bottom] = [self.add(a, a), self.sub(one, a)];
        let u = self.div(top, bottom);
        let log = self.log1p(u);
        let half = self.mul_num(log, 0.5);
        self.copysign(half, x)
    }
}
