//! Building blocks of float expansions, for f32 and f64 alike: numbers, bits, polynomials, scaling.

use super::Lower;
use pullback_base::Scalar;
use pullback_ir::{Constant, Op, Value};

/// Builds expressions over one float type.
pub struct Float<'a> {
    pub lower: &'a mut Lower,
    pub scalar: Scalar,
}

impl Float<'_> {
    pub fn is_double(&self) -> bool {
        self.scalar == Scalar::F64
    }

    /// Bits after the leading one.
    pub fn digits(&self) -> u32 {
        if self.is_double() { 52 } else { 23 }
    }

    pub fn bias(&self) -> i64 {
        if self.is_double() { 1023 } else { 127 }
    }

    /// The signed integer of the same width.
    pub fn int(&self) -> Scalar {
        if self.is_double() { Scalar::I64 } else { Scalar::I32 }
    }

    pub fn op(&mut self, op: Op, args: &[Value]) -> Value {
        self.lower.op(op, args)
    }

    pub fn num(&mut self, value: f64) -> Value {
        self.lower.b.constant(Constant::float(self.scalar, value))
    }

    pub fn integer(&mut self, value: i64) -> Value {
        let scalar = self.int();
        self.lower.b.constant(Constant::int(scalar, value))
    }

    pub fn add(&mut self, a: Value, b: Value) -> Value {
        self.op(Op::Add, &[a, b])
    }

    pub fn sub(&mut self, a: Value, b: Value) -> Value {
        self.op(Op::Sub, &[a, b])
    }

    pub fn mul(&mut self, a: Value, b: Value) -> Value {
        self.op(Op::Mul, &[a, b])
    }

    pub fn div(&mut self, a: Value, b: Value) -> Value {
        self.op(Op::Div, &[a, b])
    }

    pub fn abs(&mut self, a: Value) -> Value {
        self.op(Op::Abs, &[a])
    }

    pub fn select(&mut self, condition: Value, a: Value, b: Value) -> Value {
        self.op(Op::Select, &[condition, a, b])
    }

    pub fn add_num(&mut self, a: Value, b: f64) -> Value {
        let b = self.num(b);
        self.add(a, b)
    }

    pub fn mul_num(&mut self, a: Value, b: f64) -> Value {
        let b = self.num(b);
        self.mul(a, b)
    }

    /// `a op number`, a bool.
    pub fn test(&mut self, op: Op, a: Value, number: f64) -> Value {
        let number = self.num(number);
        self.op(op, &[a, number])
    }

    /// `value` where the condition holds, else `number`.
    pub fn else_num(&mut self, condition: Value, value: Value, number: f64) -> Value {
        let number = self.num(number);
        self.select(condition, value, number)
    }

    /// `number` where the condition holds, else `value`.
    pub fn if_num(&mut self, condition: Value, number: f64, value: Value) -> Value {
        let number = self.num(number);
        self.select(condition, number, value)
    }

    pub fn bits_of(&mut self, x: Value) -> Value {
        let int = self.int();
        self.op(Op::Bitcast(int), &[x])
    }

    pub fn of_bits(&mut self, bits: Value) -> Value {
        let scalar = self.scalar;
        self.op(Op::Bitcast(scalar), &[bits])
    }

    /// `c[0] + x (c[1] + x (c[2] + ..))`
    pub fn polynomial(&mut self, x: Value, coefficients: &[f64]) -> Value {
        let mut sum = self.num(coefficients.last().copied().unwrap_or(0.0));
        for &coefficient in coefficients.iter().rev().skip(1) {
            let product = self.mul(sum, x);
            sum = self.add_num(product, coefficient);
        }
        sum
    }

    pub fn mul_or_zero(&mut self, x: Value, y: Value) -> Value {
        let is_zero = self.test(Op::Eq, x, 0.0);
        let product = self.mul(x, y);
        self.select(is_zero, x, product)
    }

    /// The nearest whole number, the even one of two; of the sign of `x`.
    pub fn round(&mut self, x: Value) -> Value {
        let below = self.op(Op::Floor, &[x]);
        let above = self.add_num(below, 1.0);
        let part = self.sub(x, below);
        let half = self.mul_num(below, 0.5);
        let half = self.op(Op::Floor, &[half]);
        let even = self.mul_num(half, 2.0);
        let is_even = self.op(Op::Eq, &[even, below]);
        let tied = self.select(is_even, below, above);
        let is_less = self.test(Op::Lt, part, 0.5);
        let is_more = self.test(Op::Gt, part, 0.5);
        let rounded = self.select(is_less, below, tied);
        let rounded = self.select(is_more, above, rounded);
        self.copysign(rounded, x)
    }

    /// The magnitude of one number with the sign bit of another.
    pub fn copysign(&mut self, magnitude: Value, sign: Value) -> Value {
        let sign_bit = if self.is_double() { i64::MIN } else { i64::from(i32::MIN) };
        let [low, high] = [self.integer(!sign_bit), self.integer(sign_bit)];
        let [magnitude, sign] = [self.bits_of(magnitude), self.bits_of(sign)];
        let magnitude = self.op(Op::And, &[magnitude, low]);
        let sign = self.op(Op::And, &[sign, high]);
        let bits = self.op(Op::Or, &[magnitude, sign]);
        self.of_bits(bits)
    }

    /// Whether the sign bit is set, -0 and negative NaNs included.
    pub fn is_negative(&mut self, x: Value) -> Value {
        let bits = self.bits_of(x);
        let zero = self.integer(0);
        self.op(Op::Lt, &[bits, zero])
    }

    /// 2 to an integer power within the range of normal numbers.
    pub fn power_of_two(&mut self, exponent: Value) -> Value {
        let [bias, digits] = [self.integer(self.bias()), self.integer(i64::from(self.digits()))];
        let biased = self.op(Op::Add, &[exponent, bias]);
        let bits = self.op(Op::Shl, &[biased, digits]);
        self.of_bits(bits)
    }

    /// `x * 2^exponent` in two steps, so that results near both ends of the range come out.
    pub fn scale(&mut self, x: Value, exponent: Value) -> Value {
        let one = self.integer(1);
        let half = self.op(Op::Shr, &[exponent, one]);
        let rest = self.op(Op::Sub, &[exponent, half]);
        let [a, b] = [self.power_of_two(half), self.power_of_two(rest)];
        let x = self.mul(x, a);
        self.mul(x, b)
    }

    /// A number's leading bits as a number, so that its product with a small integer is exact.
    pub fn leading(&self, value: f64) -> f64 {
        if self.is_double() {
            // 33 of 53 bits: exact products with 20-bit integers.
            f64::from_bits(value.to_bits() & !((1 << 20) - 1))
        } else {
            // 12 of 24 bits: exact products with 12-bit integers.
            f64::from(f32::from_bits((value as f32).to_bits() & !((1 << 12) - 1)))
        }
    }
}
