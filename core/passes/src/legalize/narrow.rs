//! Computes numbers of 8 and 16 bits in 32 bits, and converts the results back.
//!
//! Exact for integers (wrapping keeps the low bits) and for the halves' `+ - * / sqrt`: f32 has more than
//! twice their digits and two, so rounding twice equals rounding once.

use super::Lower;
use pullback_base::Scalar;
use pullback_ir::ops::TypeRule;
use pullback_ir::{Constant, Op, Value};

fn wide(scalar: Scalar) -> Option<Scalar> {
    match scalar {
        Scalar::I8 | Scalar::I16 => Some(Scalar::I32),
        Scalar::U8 | Scalar::U16 => Some(Scalar::U32),
        Scalar::F16 | Scalar::BF16 => Some(Scalar::F32),
        _ => None,
    }
}

impl Lower {
    pub(super) fn narrow(&mut self, op: &Op, scalar: Scalar, args: &[Value]) -> Option<Value> {
        if let Op::Convert(to) = op {
            return self.narrow_convert(scalar, *to, args[0]);
        }
        let wide = wide(scalar)?;
        if op.rule() == TypeRule::Special {
            return None;
        }
        if matches!(op, Op::CountBits | Op::ReverseBits) {
            return Some(self.narrow_bits(op, scalar, args[0]));
        }
        let mut wide_args: Vec<Value> = args.iter().map(|&arg| self.op(Op::Convert(wide), &[arg])).collect();
        if matches!(op, Op::Shl | Op::Shr) {
            let mask = self.b.constant(Constant::int(wide, i64::from(scalar.bits() - 1)));
            wide_args[1] = self.op(Op::And, &[wide_args[1], mask]);
        }
        let result = self.op(op.clone(), &wide_args);
        let is_test = matches!(op.rule(), TypeRule::Compare | TypeRule::FloatTest);
        Some(if is_test { result } else { self.op(Op::Convert(scalar), &[result]) })
    }

    /// `count_bits` and `reverse_bits`, of the bits without their sign.
    fn narrow_bits(&mut self, op: &Op, scalar: Scalar, x: Value) -> Value {
        let unsigned = if scalar.bits() == 8 { Scalar::U8 } else { Scalar::U16 };
        let x = self.op(Op::Bitcast(unsigned), &[x]);
        let x = self.op(Op::Convert(Scalar::U32), &[x]);
        let mut result = self.op(op.clone(), &[x]);
        if *op == Op::ReverseBits {
            let excess = self.b.constant(Constant::int(Scalar::U32, i64::from(32 - scalar.bits())));
            result = self.op(Op::Shr, &[result, excess]);
        }
        self.op(Op::Convert(scalar), &[result])
    }

    /// Conversions a target lacks are made in steps; `None` for those it has: between integers, from and to bool,
    /// and between f16 and f32.
    fn narrow_convert(&mut self, from: Scalar, to: Scalar, x: Value) -> Option<Value> {
        let is_small_int = |scalar: Scalar| scalar.is_integer() && scalar.bits() < 32;
        let via = |this: &mut Self, step: Scalar| {
            let x = this.op(Op::Convert(step), &[x]);
            Some(this.op(Op::Convert(to), &[x]))
        };
        match (from, to) {
            _ if from == to => Some(x),
            (Scalar::F16, Scalar::F32) | (Scalar::F32, Scalar::F16) => None,
            (Scalar::BF16, Scalar::F32) => Some(self.bf16_to_f32(x)),
            (Scalar::F32, Scalar::BF16) => Some(self.f32_to_bf16(x)),
            (Scalar::F64, Scalar::F16 | Scalar::BF16) => {
                let odd = self.f64_to_f32_odd(x);
                Some(self.op(Op::Convert(to), &[odd]))
            }
            (Scalar::F16 | Scalar::BF16, _) | (_, Scalar::F16 | Scalar::BF16) => via(self, Scalar::F32),
            _ if is_small_int(from) && to.is_float() => via(self, wide(from).unwrap_or(from)),
            _ if from.is_float() && is_small_int(to) => {
                let (low, high) = match to {
                    Scalar::I8 => (i64::from(i8::MIN), i64::from(i8::MAX)),
                    Scalar::I16 => (i64::from(i16::MIN), i64::from(i16::MAX)),
                    Scalar::U8 => (0, i64::from(u8::MAX)),
                    _ => (0, i64::from(u16::MAX)),
                };
                let [low, high] = [low, high].map(|bound| self.b.constant(Constant::int(Scalar::I32, bound)));
                let saturated = self.op(Op::Convert(Scalar::I32), &[x]);
                let clamped = self.op(Op::Clamp, &[saturated, low, high]);
                Some(self.op(Op::Convert(to), &[clamped]))
            }
            _ => None,
        }
    }

    fn bits(&mut self, value: i64) -> Value {
        self.b.constant(Constant::int(Scalar::U32, value))
    }

    fn bf16_to_f32(&mut self, x: Value) -> Value {
        let bits = self.op(Op::Bitcast(Scalar::U16), &[x]);
        let bits = self.op(Op::Convert(Scalar::U32), &[bits]);
        let places = self.bits(16);
        let bits = self.op(Op::Shl, &[bits, places]);
        self.op(Op::Bitcast(Scalar::F32), &[bits])
    }

    /// Round to nearest even: add half a unit less one, and the unit's own last bit. NaN stays NaN.
    fn f32_to_bf16(&mut self, x: Value) -> Value {
        let bits = self.op(Op::Bitcast(Scalar::U32), &[x]);
        let [places, one, half, quiet] = [16, 1, 0x7fff, 0x40].map(|number| self.bits(number));
        let high = self.op(Op::Shr, &[bits, places]);
        let odd = self.op(Op::And, &[high, one]);
        let sum = self.op(Op::Add, &[bits, half]);
        let sum = self.op(Op::Add, &[sum, odd]);
        let rounded = self.op(Op::Shr, &[sum, places]);
        let nan = self.op(Op::Or, &[high, quiet]);
        let is_nan = self.op(Op::IsNan, &[x]);
        let picked = self.op(Op::Select, &[is_nan, nan, rounded]);
        let picked = self.op(Op::Convert(Scalar::U16), &[picked]);
        self.op(Op::Bitcast(Scalar::BF16), &[picked])
    }

    /// An f32 from which rounding to fewer digits gives what rounding the f64 at once would: where the f64 is
    /// between two f32s, the one with odd digits.
    fn f64_to_f32_odd(&mut self, x: Value) -> Value {
        let near = self.op(Op::Convert(Scalar::F32), &[x]);
        let back = self.op(Op::Convert(Scalar::F64), &[near]);
        let bits = self.op(Op::Bitcast(Scalar::U32), &[near]);
        let [zero, one, less] = [0, 1, -1].map(|number| self.bits(number));
        let last = self.op(Op::And, &[bits, one]);
        let is_even = self.op(Op::Eq, &[last, zero]);
        let [is_below, is_above] = [Op::Lt, Op::Gt].map(|op| self.op(op, &[back, x]));
        let is_between = self.op(Op::Or, &[is_below, is_above]);
        let moves = self.op(Op::And, &[is_even, is_between]);
        let [size, back_size] = [x, back].map(|value| self.op(Op::Abs, &[value]));
        let is_short = self.op(Op::Lt, &[back_size, size]);
        let step = self.op(Op::Select, &[is_short, one, less]);
        let moved = self.op(Op::Add, &[bits, step]);
        let bits = self.op(Op::Select, &[moves, moved, bits]);
        self.op(Op::Bitcast(Scalar::F32), &[bits])
    }
}
