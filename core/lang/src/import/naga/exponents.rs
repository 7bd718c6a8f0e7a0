//! `frexp` and `ldexp`: numbers by their exponents.

use super::Refused;
use super::function::FunctionLowering;
use pullback_ir::{Op, Scalar, Value};

impl FunctionLowering<'_> {
    /// `x = fract * 2^exponent`, `0.5 <= |fract| < 1`. The exponent comes from the bits and has no derivative;
    /// `fract` is a product, so that its derivative is `2^-exponent`.
    pub fn frexp(&mut self, x: Value) -> Result<(Value, Value), Refused> {
        let ty = self.ssa.ty(x).clone();
        let Some(scalar @ (Scalar::F32 | Scalar::F16)) = ty.scalar() else {
            return self.refuse("`frexp` of this type");
        };
        let single = self.ssa.convert(x, Scalar::F32);
        // Numbers too small for the normal form are scaled into it.
        let scale = self.scaled(single, f64::from(1 << 24));
        let magnitude = self.ssa.op(Op::Abs, &[single]);
        let number = |this: &mut Self, value: f64| {
            let ty = this.ssa.ty(single).clone();
            this.ssa.number(&ty, value)
        };
        let tiny = number(self, f64::from(f32::MIN_POSITIVE));
        let is_tiny = self.ssa.op(Op::Lt, &[magnitude, tiny]);
        let normal = self.ssa.select(is_tiny, scale, single);
        let bits = self.ssa.op(Op::Bitcast(Scalar::I32), &[normal]);
        let field = self.with_number(Op::Shr, bits, 23.0);
        let field = self.with_number(Op::And, field, 255.0);
        let bias = self.with_number(Op::Sub, field, 126.0);
        let tiny_bias = self.with_number(Op::Sub, bias, 24.0);
        let exponent = self.ssa.select(is_tiny, tiny_bias, bias);
        // Zero, infinity and NaN are their own `fract`.
        let zero = number(self, 0.0);
        let infinity = number(self, f64::INFINITY);
        let is_positive = self.ssa.op(Op::Gt, &[magnitude, zero]);
        let is_finite = self.ssa.op(Op::Lt, &[magnitude, infinity]);
        let is_regular = self.ssa.op(Op::And, &[is_positive, is_finite]);
        let no_exponent = self.zero_like(exponent);
        let exponent = self.ssa.select(is_regular, exponent, no_exponent);
        let back = self.ssa.neg(exponent);
        let fract = self.ldexp(single, back)?;
        Ok((self.ssa.convert(fract, scalar), exponent))
    }

    /// `x * 2^exponent`, in two steps, as the power alone may leave the range.
    pub fn ldexp(&mut self, x: Value, exponent: Value) -> Result<Value, Refused> {
        let Some(scalar @ (Scalar::F32 | Scalar::F16)) = self.ssa.function().scalar(x) else {
            return self.refuse("`ldexp` of this type");
        };
        let exponent = self.ssa.convert(exponent, Scalar::I32);
        let ty = self.ssa.ty(exponent).clone();
        let (low, high) = (self.ssa.number(&ty, -252.0), self.ssa.number(&ty, 254.0));
        let exponent = self.ssa.op(Op::Clamp, &[exponent, low, high]);
        let half = self.with_number(Op::Shr, exponent, 1.0);
        let rest = self.ssa.sub(exponent, half);
        let single = self.ssa.convert(x, Scalar::F32);
        let mut result = single;
        for part in [half, rest] {
            let biased = self.with_number(Op::Add, part, 127.0);
            let bits = self.with_number(Op::Shl, biased, 23.0);
            let power = self.ssa.op(Op::Bitcast(Scalar::F32), &[bits]);
            result = self.ssa.mul(result, power);
        }
        Ok(self.ssa.convert(result, scalar))
    }
}
