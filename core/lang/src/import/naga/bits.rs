//! The built-in functions of bits: fields of integers, and packed numbers.

use super::Refused;
use super::function::FunctionLowering;
use naga::MathFunction;
use pullback_ir::{Op, Scalar, Type, Value};

impl FunctionLowering<'_> {
    pub fn bit_function(&mut self, fun: MathFunction, args: &[Value]) -> Result<Value, Refused> {
        use MathFunction as M;
        Ok(match (fun, args) {
            (M::CountLeadingZeros, &[x]) => {
                // width - 1 - highest set bit; none is -1.
                let (ty, scalar) = (self.ssa.ty(x).clone(), self.ssa.function().scalar(x));
                let bits = self.unsigned(x);
                let high = self.ssa.op(Op::FirstBitHigh, &[bits]);
                let width = self.ssa.function().scalar(bits).map_or(0, Scalar::bits);
                let last = self.ssa.ty(bits).clone();
                let last = self.ssa.number(&last, f64::from(width) - 1.0);
                let count = self.ssa.sub(last, high);
                let signed = scalar.filter(|scalar| scalar.is_signed() && !ty.is_float());
                signed.map_or(count, |scalar| self.ssa.op(Op::Bitcast(scalar), &[count]))
            }
            (M::CountTrailingZeros, &[x]) => {
                let ty = self.ssa.ty(x).clone();
                let low = self.ssa.op(Op::FirstBitLow, &[x]);
                let width = self.ssa.number(&ty, f64::from(ty.scalar().map_or(0, Scalar::bits)));
                let zero = self.ssa.zero(&ty);
                let none = self.ssa.op(Op::Eq, &[x, zero]);
                self.ssa.select(none, width, low)
            }
            (M::ExtractBits, &[x, offset, count]) => self.extract_bits(x, offset, count),
            (M::InsertBits, &[x, bits, offset, count]) => self.insert_bits(x, bits, offset, count),
            (M::Pack4x8snorm, &[x]) => self.pack_normalized(x, 8, true),
            (M::Pack4x8unorm, &[x]) => self.pack_normalized(x, 8, false),
            (M::Pack2x16snorm, &[x]) => self.pack_normalized(x, 16, true),
            (M::Pack2x16unorm, &[x]) => self.pack_normalized(x, 16, false),
            (M::Unpack4x8snorm, &[x]) => self.unpack_normalized(x, 8, true),
            (M::Unpack4x8unorm, &[x]) => self.unpack_normalized(x, 8, false),
            (M::Unpack2x16snorm, &[x]) => self.unpack_normalized(x, 16, true),
            (M::Unpack2x16unorm, &[x]) => self.unpack_normalized(x, 16, false),
            (M::Pack4xI8 | M::Pack4xU8, &[x]) => {
                let bits = self.unsigned(x);
                self.pack(bits, 8)
            }
            (M::Pack4xI8Clamp, &[x]) => {
                let ty = self.ssa.ty(x).clone();
                let (low, high) = (self.ssa.number(&ty, -128.0), self.ssa.number(&ty, 127.0));
                let clamped = self.ssa.op(Op::Clamp, &[x, low, high]);
                let bits = self.unsigned(clamped);
                self.pack(bits, 8)
            }
            (M::Pack4xU8Clamp, &[x]) => {
                let clamped = self.with_number(Op::Min, x, 255.0);
                self.pack(clamped, 8)
            }
            (M::Unpack4xI8, &[x]) => self.unpack(x, 8, true),
            (M::Unpack4xU8, &[x]) => self.unpack(x, 8, false),
            (M::Dot4I8Packed, &[a, b]) => self.packed_dot(a, b, true),
            (M::Dot4U8Packed, &[a, b]) => self.packed_dot(a, b, false),
            (M::Pack2x16float, &[x]) => {
                let halves = self.ssa.convert(x, Scalar::F16);
                let bits = self.ssa.op(Op::Bitcast(Scalar::U16), &[halves]);
                let bits = self.ssa.convert(bits, Scalar::U32);
                self.pack(bits, 16)
            }
            (M::Unpack2x16float, &[x]) => {
                let fields = self.unpack(x, 16, false);
                let bits = self.ssa.convert(fields, Scalar::U16);
                let halves = self.ssa.op(Op::Bitcast(Scalar::F16), &[bits]);
                self.ssa.convert(halves, Scalar::F32)
            }
            _ => return self.refuse(&format!("the built-in function `{fun:?}`")),
        })
    }

    /// The same bits, unsigned.
    fn unsigned(&mut self, x: Value) -> Value {
        let to = match self.ssa.function().scalar(x) {
            Some(Scalar::I16) => Scalar::U16,
            Some(Scalar::I32) => Scalar::U32,
            Some(Scalar::I64) => Scalar::U64,
            _ => return x,
        };
        self.ssa.op(Op::Bitcast(to), &[x])
    }

    /// WGSL's `o = min(offset, w)` and `c = min(count, w - o)`, in the type of `x`, which has `w` bits.
    fn field(&mut self, x: Value, offset: Value, count: Value) -> (Value, Value, f64) {
        let ty = self.ssa.ty(x).clone();
        let scalar = ty.scalar().unwrap_or(Scalar::U32);
        let width = f64::from(scalar.bits());
        let offset = self.with_number(Op::Min, offset, width);
        let all = self.ssa.number(&Type::U32, width);
        let left = self.ssa.sub(all, offset);
        let count = self.ssa.op(Op::Min, &[count, left]);
        let mut spread = |value: Value| {
            let value = self.ssa.convert(value, scalar);
            self.spread(value, &ty)
        };
        (spread(offset), spread(count), width)
    }

    fn extract_bits(&mut self, x: Value, offset: Value, count: Value) -> Value {
        let (offset, count, width) = self.field(x, offset, count);
        let ty = self.ssa.ty(x).clone();
        // Up to the top, then down, which extends the sign of signed integers. A shift by the width is none.
        let all = self.ssa.number(&ty, width);
        let unused = self.ssa.sub(all, count);
        let above = self.ssa.sub(unused, offset);
        let top = self.ssa.op(Op::Shl, &[x, above]);
        let field = self.ssa.op(Op::Shr, &[top, unused]);
        let zero = self.ssa.zero(&ty);
        let empty = self.ssa.op(Op::Eq, &[count, zero]);
        self.ssa.select(empty, zero, field)
    }

    fn insert_bits(&mut self, x: Value, bits: Value, offset: Value, count: Value) -> Value {
        let (offset, count, width) = self.field(x, offset, count);
        let ty = self.ssa.ty(x).clone();
        let (zero, one) = (self.ssa.zero(&ty), self.ssa.number(&ty, 1.0));
        let all_ones = self.ssa.op(Op::Not, &[zero]);
        let next = self.ssa.op(Op::Shl, &[one, count]);
        let low_ones = self.ssa.sub(next, one);
        // 1 << width is 1, as counts are taken modulo the width.
        let all = self.ssa.number(&ty, width);
        let whole = self.ssa.op(Op::Eq, &[count, all]);
        let ones = self.ssa.select(whole, all_ones, low_ones);
        let mask = self.ssa.op(Op::Shl, &[ones, offset]);
        let moved = self.ssa.op(Op::Shl, &[bits, offset]);
        let inside = self.ssa.op(Op::And, &[moved, mask]);
        let outside = self.ssa.op(Op::Not, &[mask]);
        let kept = self.ssa.op(Op::And, &[x, outside]);
        self.ssa.op(Op::Or, &[kept, inside])
    }

    /// The low bits of each component of a vector of `u32`, the first component lowest.
    fn pack(&mut self, fields: Value, width: u32) -> Value {
        let ones = f64::from((1u32 << width) - 1);
        let mut parts = Vec::new();
        for (index, field) in self.components(fields).into_iter().enumerate() {
            let low = self.with_number(Op::And, field, ones);
            parts.push(match index {
                0 => low,
                _ => self.with_number(Op::Shl, low, f64::from(width) * index as f64),
            });
        }
        self.joined(&Op::Or, &parts)
    }

    /// The fields of a `u32` as a vector of `i32` (sign extended) or `u32`.
    fn unpack(&mut self, packed: Value, width: u32, signed: bool) -> Value {
        let scalar = if signed { Scalar::I32 } else { Scalar::U32 };
        let bits = if signed { self.ssa.op(Op::Bitcast(scalar), &[packed]) } else { packed };
        let count = 32 / width;
        let fields: Vec<Value> = (0..count)
            .map(|index| {
                let top = self.with_number(Op::Shl, bits, f64::from(32 - width * (index + 1)));
                self.with_number(Op::Shr, top, f64::from(32 - width))
            })
            .collect();
        self.ssa.op(Op::Construct(Type::Vector(scalar, count as u8)), &fields)
    }

    fn packed_dot(&mut self, a: Value, b: Value, signed: bool) -> Value {
        let (a, b) = (self.unpack(a, 8, signed), self.unpack(b, 8, signed));
        self.ssa.op(Op::Dot, &[a, b])
    }

    /// `floor(0.5 + m clamp(x, low, 1))`, where `m` is the largest field.
    fn pack_normalized(&mut self, x: Value, width: u32, signed: bool) -> Value {
        let ty = self.ssa.ty(x).clone();
        let low = self.ssa.number(&ty, if signed { -1.0 } else { 0.0 });
        let one = self.ssa.number(&ty, 1.0);
        let clamped = self.ssa.op(Op::Clamp, &[x, low, one]);
        let scaled = self.with_number(Op::Mul, clamped, largest_field(width, signed));
        let shifted = self.with_number(Op::Add, scaled, 0.5);
        let rounded = self.ssa.op(Op::Floor, &[shifted]);
        let fields = self.ssa.convert(rounded, if signed { Scalar::I32 } else { Scalar::U32 });
        let bits = self.unsigned(fields);
        self.pack(bits, width)
    }

    /// `max(field / m, -1)`
    fn unpack_normalized(&mut self, packed: Value, width: u32, signed: bool) -> Value {
        let fields = self.unpack(packed, width, signed);
        let numbers = self.ssa.convert(fields, Scalar::F32);
        let ratio = self.with_number(Op::Div, numbers, largest_field(width, signed));
        if signed { self.with_number(Op::Max, ratio, -1.0) } else { ratio }
    }
}

fn largest_field(width: u32, signed: bool) -> f64 {
    let bits = if signed { width - 1 } else { width };
    f64::from((1u32 << bits) - 1)
}
