//! The built-in functions of numbers, as operations whose derivatives are known.

use super::Refused;
use super::function::FunctionLowering;
use super::uses::Expr;
use naga::MathFunction;
use pullback_ir::{Op, Scalar, Type, Value};
use smallvec::SmallVec;

/// Functions that are one operation of ours, operands in the same order.
fn single_op(fun: MathFunction) -> Option<Op> {
    use MathFunction as M;
    Some(match fun {
        M::Abs => Op::Abs,
        M::Min => Op::Min,
        M::Max => Op::Max,
        M::Clamp => Op::Clamp,
        M::Cos => Op::Cos,
        M::Cosh => Op::Cosh,
        M::Sin => Op::Sin,
        M::Sinh => Op::Sinh,
        M::Tan => Op::Tan,
        M::Tanh => Op::Tanh,
        M::Acos => Op::Acos,
        M::Asin => Op::Asin,
        M::Atan => Op::Atan,
        M::Atan2 => Op::Atan2,
        M::Asinh => Op::Asinh,
        M::Acosh => Op::Acosh,
        M::Atanh => Op::Atanh,
        M::Ceil => Op::Ceil,
        M::Floor => Op::Floor,
        M::Round => Op::Round,
        M::Fract => Op::Fract,
        M::Trunc => Op::Trunc,
        M::Exp => Op::Exp,
        M::Exp2 => Op::Exp2,
        M::Log => Op::Log,
        M::Log2 => Op::Log2,
        M::Pow => Op::Pow,
        M::Dot => Op::Dot,
        M::Sign => Op::Sign,
        M::Fma => Op::Fma,
        M::Sqrt => Op::Sqrt,
        M::InverseSqrt => Op::Rsqrt,
        M::Transpose => Op::Transpose,
        M::CountOneBits => Op::CountBits,
        M::ReverseBits => Op::ReverseBits,
        M::FirstTrailingBit => Op::FirstBitLow,
        M::FirstLeadingBit => Op::FirstBitHigh,
        _ => return None,
    })
}

impl FunctionLowering<'_> {
    /// `handle` is the whole call.
    pub fn math(&mut self, fun: MathFunction, args: &[Value], handle: Expr) -> Result<Value, Refused> {
        use MathFunction as M;
        if let Some(op) = single_op(fun) {
            return Ok(self.ssa.op(op, args));
        }
        let ty = self.ssa.ty(args[0]).clone();
        Ok(match (fun, args) {
            (M::Saturate, &[x]) => {
                let (zero, one) = (self.ssa.number(&ty, 0.0), self.ssa.number(&ty, 1.0));
                self.ssa.op(Op::Clamp, &[x, zero, one])
            }
            (M::Radians, &[x]) => self.scaled(x, std::f64::consts::PI / 180.0),
            (M::Degrees, &[x]) => self.scaled(x, 180.0 / std::f64::consts::PI),
            (M::Modf, &[x]) => {
                let whole = self.ssa.op(Op::Trunc, &[x]);
                let fract = self.ssa.sub(x, whole);
                let ty = self.ty_of(handle)?;
                self.ssa.op(Op::Construct(ty), &[fract, whole])
            }
            (M::Frexp, &[x]) => {
                let ty = self.ty_of(handle)?;
                let (fract, exponent) = self.frexp(x)?;
                self.ssa.op(Op::Construct(ty), &[fract, exponent])
            }
            (M::Ldexp, &[x, exponent]) => self.ldexp(x, exponent)?,
            (M::Cross, &[a, b]) => self.cross(a, b),
            (M::Length, &[x]) => self.length(x),
            (M::Distance, &[a, b]) => {
                let between = self.ssa.sub(a, b);
                self.length(between)
            }
            (M::Normalize, &[x]) => {
                let squares = self.ssa.op(Op::Dot, &[x, x]);
                let length = self.ssa.op(Op::Sqrt, &[squares]);
                let length = self.spread(length, &ty);
                self.ssa.div(x, length)
            }
            (M::FaceForward, &[x, incident, normal]) => {
                let side = self.ssa.op(Op::Dot, &[incident, normal]);
                let zero = self.zero_like(side);
                let faces = self.ssa.op(Op::Lt, &[side, zero]);
                let other = self.ssa.neg(x);
                self.ssa.select(faces, x, other)
            }
            (M::Reflect, &[incident, normal]) => {
                // i - 2 (n . i) n
                let along = self.ssa.op(Op::Dot, &[normal, incident]);
                let twice = self.scaled(along, 2.0);
                let twice = self.spread(twice, &ty);
                let change = self.ssa.mul(twice, normal);
                self.ssa.sub(incident, change)
            }
            (M::Refract, &[incident, normal, ratio]) => self.refract(incident, normal, ratio),
            (M::Mix, &[x, y, weight]) => {
                // x (1 - w) + y w
                let weight = self.spread(weight, &ty);
                let one = self.ssa.number(&ty, 1.0);
                let rest = self.ssa.sub(one, weight);
                let (from_x, from_y) = (self.ssa.mul(x, rest), self.ssa.mul(y, weight));
                self.ssa.add(from_x, from_y)
            }
            (M::Step, &[edge, x]) => {
                let (zero, one) = (self.ssa.number(&ty, 0.0), self.ssa.number(&ty, 1.0));
                let reached = self.ssa.op(Op::Ge, &[x, edge]);
                self.ssa.select(reached, one, zero)
            }
            (M::SmoothStep, &[low, high, x]) => self.smoothstep(low, high, x),
            (M::Determinant, &[matrix]) => self.determinant(matrix),
            (M::QuantizeToF16, &[x]) => {
                let half = self.ssa.convert(x, Scalar::F16);
                self.ssa.convert(half, Scalar::F32)
            }
            _ => return self.bit_function(fun, args),
        })
    }

    fn scaled(&mut self, x: Value, factor: f64) -> Value {
        let ty = self.ssa.ty(x).clone();
        let factor = self.ssa.number(&ty, factor);
        self.ssa.mul(x, factor)
    }

    fn zero_like(&mut self, x: Value) -> Value {
        let ty = self.ssa.ty(x).clone();
        self.ssa.zero(&ty)
    }

    fn swizzle(&mut self, x: Value, picks: &[u8]) -> Value {
        self.ssa.op(Op::Swizzle(SmallVec::from_slice(picks)), &[x])
    }

    fn cross(&mut self, a: Value, b: Value) -> Value {
        // a.yzx b.zxy - a.zxy b.yzx
        const NEXT: [u8; 3] = [1, 2, 0];
        const LAST: [u8; 3] = [2, 0, 1];
        let (a_next, b_last) = (self.swizzle(a, &NEXT), self.swizzle(b, &LAST));
        let (a_last, b_next) = (self.swizzle(a, &LAST), self.swizzle(b, &NEXT));
        let (left, right) = (self.ssa.mul(a_next, b_last), self.ssa.mul(a_last, b_next));
        self.ssa.sub(left, right)
    }

    /// The root has no derivative at zero; the length is given the subgradient 0 there, which a branch of its
    /// own yields (a `select` would multiply 0 by infinity).
    fn length(&mut self, x: Value) -> Value {
        if self.ssa.ty(x).is_scalar() {
            return self.ssa.op(Op::Abs, &[x]);
        }
        let squares = self.ssa.op(Op::Dot, &[x, x]);
        let zero = self.zero_like(squares);
        let vanishes = self.ssa.op(Op::Eq, &[squares, zero]);
        self.ssa.if_(vanishes, |_| vec![zero], |ssa| vec![ssa.op(Op::Sqrt, &[squares])])[0]
    }

    fn refract(&mut self, incident: Value, normal: Value, ratio: Value) -> Value {
        // k = 1 - r^2 (1 - (n . i)^2); 0 if k < 0, else r i - (r (n . i) + sqrt(k)) n
        let ty = self.ssa.ty(incident).clone();
        let scalar = self.ssa.ty(ratio).clone();
        let along = self.ssa.op(Op::Dot, &[normal, incident]);
        let one = self.ssa.number(&scalar, 1.0);
        let along_squared = self.ssa.mul(along, along);
        let across = self.ssa.sub(one, along_squared);
        let ratio_squared = self.ssa.mul(ratio, ratio);
        let bent = self.ssa.mul(ratio_squared, across);
        let k = self.ssa.sub(one, bent);
        let zero = self.ssa.number(&scalar, 0.0);
        let total_reflection = self.ssa.op(Op::Lt, &[k, zero]);
        // A branch: where k < 0 its root must not reach the gradient.
        self.ssa.if_(
            total_reflection,
            |ssa| vec![ssa.zero(&ty)],
            |ssa| {
                let root = ssa.op(Op::Sqrt, &[k]);
                let scaled_along = ssa.mul(ratio, along);
                let back = ssa.add(scaled_along, root);
                let (ratio, back) =
                    (ssa.op(Op::Splat(ty.clone()), &[ratio]), ssa.op(Op::Splat(ty.clone()), &[back]));
                let (onward, back) = (ssa.mul(ratio, incident), ssa.mul(back, normal));
                vec![ssa.sub(onward, back)]
            },
        )[0]
    }

    fn smoothstep(&mut self, low: Value, high: Value, x: Value) -> Value {
        // t = clamp((x - low) / (high - low), 0, 1); t^2 (3 - 2 t)
        let ty = self.ssa.ty(x).clone();
        let (offset, width) = (self.ssa.sub(x, low), self.ssa.sub(high, low));
        let ratio = self.ssa.div(offset, width);
        let (zero, one) = (self.ssa.number(&ty, 0.0), self.ssa.number(&ty, 1.0));
        let t = self.ssa.op(Op::Clamp, &[ratio, zero, one]);
        let (three, twice) = (self.ssa.number(&ty, 3.0), self.scaled(t, 2.0));
        let rest = self.ssa.sub(three, twice);
        let square = self.ssa.mul(t, t);
        self.ssa.mul(square, rest)
    }

    /// A matrix and its transposed have one determinant, so that rows and columns need not be told apart.
    fn determinant(&mut self, matrix: Value) -> Value {
        let size = self.ssa.ty(matrix).element_count() as usize;
        let rows: Vec<Value> = (0..size as u32).map(|row| self.ssa.extract(matrix, row)).collect();
        if size == 3 {
            let across = self.cross(rows[1], rows[2]);
            return self.ssa.op(Op::Dot, &[rows[0], across]);
        }
        let cells: Vec<Vec<Value>> = rows.into_iter().map(|row| self.components(row)).collect();
        if size == 2 {
            return self.minor(&cells[0], &cells[1], 0, 1);
        }
        // Laplace's expansion along two rows: minors of the upper two times the opposite ones of the lower two.
        const SPLITS: [([usize; 2], [usize; 2], bool); 6] = [
            ([0, 1], [2, 3], true),
            ([0, 2], [1, 3], false),
            ([0, 3], [1, 2], true),
            ([1, 2], [0, 3], true),
            ([1, 3], [0, 2], false),
            ([2, 3], [0, 1], true),
        ];
        let mut sum = None;
        for (upper, lower, positive) in SPLITS {
            let above = self.minor(&cells[0], &cells[1], upper[0], upper[1]);
            let below = self.minor(&cells[2], &cells[3], lower[0], lower[1]);
            let product = self.ssa.mul(above, below);
            sum = Some(match sum {
                None => product,
                Some(sum) if positive => self.ssa.add(sum, product),
                Some(sum) => self.ssa.sub(sum, product),
            });
        }
        sum.unwrap_or(matrix)
    }

    fn minor(&mut self, above: &[Value], below: &[Value], i: usize, j: usize) -> Value {
        let (down, up) = (self.ssa.mul(above[i], below[j]), self.ssa.mul(above[j], below[i]));
        self.ssa.sub(down, up)
    }

    // ---- Exponents ----

    /// `x = fract * 2^exponent`, `0.5 <= |fract| < 1`. The exponent comes from the bits and has no derivative;
    /// `fract` is a product, so that its derivative is `2^-exponent`.
    fn frexp(&mut self, x: Value) -> Result<(Value, Value), Refused> {
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
    fn ldexp(&mut self, x: Value, exponent: Value) -> Result<Value, Refused> {
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

    /// `op(x, number)`, the number in each component.
    pub fn with_number(&mut self, op: Op, x: Value, number: f64) -> Value {
        let ty: Type = self.ssa.ty(x).clone();
        let number = self.ssa.number(&ty, number);
        self.ssa.op(op, &[x, number])
    }
}
