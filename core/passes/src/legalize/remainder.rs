//! Float `rem`, exactly: long division of the integers that the digits are.

use super::float::Float;
use pullback_base::Scalar;
use pullback_ir::{Constant, LoopHints, Op, Value};

impl Float<'_> {
    pub fn remainder(&mut self, x: Value, y: Value) -> Value {
        let [ax, ay] = [self.abs(x), self.abs(y)];
        // x of infinite size, y zero, NaN: no remainder.
        let x_finite = self.test(Op::Lt, ax, f64::INFINITY);
        let y_nonzero = self.test(Op::Gt, ay, 0.0);
        let exists = self.op(Op::And, &[x_finite, y_nonzero]);
        let y_finite = self.test(Op::Lt, ay, f64::INFINITY);
        let reaches = self.op(Op::Ge, &[ax, ay]);
        let divides = self.op(Op::And, &[exists, y_finite]);
        let divides = self.op(Op::And, &[divides, reaches]);
        self.lower.b.begin_block();
        let rest = self.long_division(ax, ay);
        let rest = self.copysign(rest, x);
        let then = self.lower.b.end_block(vec![rest]);
        self.lower.b.begin_block();
        let otherwise = self.lower.b.end_block(vec![x]);
        let result = self.lower.b.push_if(divides, then, otherwise)[0];
        self.else_num(exists, result, f64::NAN)
    }

    fn long(&mut self, value: u64) -> Value {
        self.lower.b.constant(Constant::from_bits(Scalar::U64, value))
    }

    /// A positive finite number as `digits * 2^(exponent - bias - count of digits)`, both u64.
    fn digits_and_exponent(&mut self, x: Value) -> (Value, Value) {
        let bits = self.bits_of(x);
        let bits = self.op(Op::Convert(Scalar::U64), &[bits]);
        let width = u64::from(self.digits());
        let [zero, one, count] = [self.long(0), self.long(1), self.long(width)];
        let field = self.op(Op::Shr, &[bits, count]);
        let [mask, leading] = [self.long((1 << width) - 1), self.long(1 << width)];
        let digits = self.op(Op::And, &[bits, mask]);
        let is_normal = self.op(Op::Ne, &[field, zero]);
        let leading = self.select(is_normal, leading, zero);
        let digits = self.op(Op::Or, &[digits, leading]);
        (digits, self.op(Op::Max, &[field, one]))
    }

    /// The remainder of positive finite numbers, `x >= y`.
    fn long_division(&mut self, x: Value, y: Value) -> Value {
        let (mx, ex) = self.digits_and_exponent(x);
        let (my, ey) = self.digits_and_exponent(y);
        let first = self.op(Op::Rem, &[mx, my]);
        let places = self.op(Op::Sub, &[ex, ey]);
        // So many places fit above the digits of a remainder in 64 bits.
        let step = u64::from(63 - self.digits());
        // rest = (rest * 2^n) mod my
        self.lower.b.begin_block();
        let params = self.lower.b.results_like(&[first, places]);
        let zero = self.long(0);
        let goes_on = self.op(Op::Gt, &[params[1], zero]);
        let head = self.lower.b.end_block(vec![goes_on]);
        self.lower.b.begin_block();
        let step = self.long(step);
        let now = self.op(Op::Min, &[params[1], step]);
        let raised = self.op(Op::Shl, &[params[0], now]);
        let rest = self.op(Op::Rem, &[raised, my]);
        let left = self.op(Op::Sub, &[params[1], now]);
        let body = self.lower.b.end_block(vec![rest, left]);
        let results = self.lower.b.results_like(&params);
        self.lower.b.push(pullback_ir::StmtKind::Loop {
            results: results.clone(),
            inits: vec![first, places],
            params,
            head,
            body,
            hints: LoopHints::default(),
        });
        let scalar = self.scalar;
        let rest = self.op(Op::Convert(scalar), &[results[0]]);
        let int = self.int();
        let exponent = self.op(Op::Convert(int), &[ey]);
        let offset = self.integer(self.bias() + i64::from(self.digits()));
        let exponent = self.op(Op::Sub, &[exponent, offset]);
        self.scale(rest, exponent)
    }
}
