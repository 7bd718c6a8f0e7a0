//! The built-in functions of numbers, as operations whose derivatives are known.

use super::Refused;
use super::function::FunctionLowering;
use super::uses::Expr;
use naga::MathFunction;
use pullback_ir::{Op, Scalar, Type, Value};
use smallvec::SmallVec;

/// Functions that are one operation of ours, operands in the same order.
pub fn single_op(fun: MathFunction) -> Option<Op> {
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
            (M::Inverse, &[matrix]) => self.inverse(matrix),
            (M::Outer, &[column, row]) if self.ssa.ty(column) != self.ssa.ty(row) => {
                return self.refuse("the outer product of vectors of two sizes");
            }
            (M::Outer, &[column, row]) => {
                let ty = self.ty_of(handle)?;
                self.outer(&ty, column, row)
            }
            (M::QuantizeToF16, &[x]) => {
                let half = self.ssa.convert(x, Scalar::F16);
                self.ssa.convert(half, Scalar::F32)
            }
            _ => return self.bit_function(fun, args),
        })
    }

    pub fn scaled(&mut self, x: Value, factor: f64) -> Value {
        let ty = self.ssa.ty(x).clone();
        let factor = self.ssa.number(&ty, factor);
        self.ssa.mul(x, factor)
    }

    pub fn zero_like(&mut self, x: Value) -> Value {
        let ty = self.ssa.ty(x).clone();
        self.ssa.zero(&ty)
    }

    fn swizzle(&mut self, x: Value, picks: &[u8]) -> Value {
        self.ssa.op(Op::Swizzle(SmallVec::from_slice(picks)), &[x])
    }

    pub fn cross(&mut self, a: Value, b: Value) -> Value {
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

    /// `op(x, number)`, the number in each component.
    pub fn with_number(&mut self, op: Op, x: Value, number: f64) -> Value {
        let ty: Type = self.ssa.ty(x).clone();
        let number = self.ssa.number(&ty, number);
        self.ssa.op(op, &[x, number])
    }
}
