//! Conversions between scalars: wrapping, saturating, rounding.

use super::{Emitter, TARGET};
use crate::EmitError;
use pullback_base::Scalar;
use pullback_ir::Value;
use rspirv::spirv::{Op, Word};

impl Emitter<'_> {
    pub fn convert(&mut self, value: Value, to: Scalar) -> Result<Word, EmitError> {
        let from = self.scalar(value);
        let id = self.id(value);
        let ty = self.scalar_type(to);
        let wide = |scalar: Scalar| matches!(scalar.bits(), 32 | 64) && scalar != Scalar::BF16;
        Ok(match (from, to) {
            _ if from == to => id,
            (Scalar::Bool, _) if to.is_integer() || wide(to) => {
                let [zero, one] = [0.0, 1.0].map(|number| self.number(to, number));
                self.asm.value(Op::Select, ty, &[id, one, zero])
            }
            (_, Scalar::Bool) if from.is_integer() => self.is_nonzero(id, from.bits()),
            (_, Scalar::Bool) if wide(from) => {
                let zero = self.number(from, 0.0);
                self.asm.value(Op::FUnordNotEqual, ty, &[id, zero])
            }
            _ if from.is_integer() && to.is_integer() => self.convert_int(id, from, to),
            (Scalar::F16 | Scalar::F64, Scalar::F32) | (Scalar::F32, Scalar::F16 | Scalar::F64) => {
                self.asm.value(Op::FConvert, ty, &[id])
            }
            _ if from.is_integer() && to.is_float() && wide(from) && wide(to) => {
                let op = if from.is_signed() { Op::ConvertSToF } else { Op::ConvertUToF };
                self.asm.value(op, ty, &[id])
            }
            _ if from.is_float() && to.is_integer() && wide(from) && wide(to) => {
                self.float_to_int(id, from, to)
            }
            _ => return Err(EmitError::NoOp { target: TARGET, op: "convert", scalar: Some(to) }),
        })
    }

    /// Widens by the sign of `from`, or cuts.
    pub fn convert_int(&mut self, id: Word, from: Scalar, to: Scalar) -> Word {
        if from.bits() == to.bits() {
            return id;
        }
        let ty = self.scalar_type(to);
        let op = if from.is_signed() && to.bits() > from.bits() { Op::SConvert } else { Op::UConvert };
        self.asm.value(op, ty, &[id])
    }

    /// Truncates and saturates; NaN gives 0. The instruction itself only sees numbers in range.
    fn float_to_int(&mut self, id: Word, from: Scalar, to: Scalar) -> Word {
        let (float, int, bool_type) = (self.scalar_type(from), self.scalar_type(to), self.bool_type());
        let width = to.bits();
        let digits = if to.is_signed() { width - 1 } else { width };
        let above = self.number(from, 2f64.powi(digits as i32));
        // The lowest result is reached at this number and below.
        let (lowest_at, lowest) =
            if to.is_signed() { (-2f64.powi(digits as i32), 1 << digits) } else { (0.0, 0) };
        let lowest_at = self.number(from, lowest_at);
        let lowest = self.uint(width, lowest);
        let highest = self.uint(width, u64::MAX >> (64 - digits));
        let is_high = self.asm.value(Op::FOrdGreaterThanEqual, bool_type, &[id, above]);
        let is_low = self.asm.value(Op::FOrdLessThanEqual, bool_type, &[id, lowest_at]);
        let over = self.asm.value(Op::FOrdGreaterThan, bool_type, &[id, lowest_at]);
        let under = self.asm.value(Op::FOrdLessThan, bool_type, &[id, above]);
        let in_range = self.asm.value(Op::LogicalAnd, bool_type, &[over, under]);
        let zero = self.number(from, 0.0);
        let safe = self.asm.value(Op::Select, float, &[in_range, id, zero]);
        let op = if to.is_signed() { Op::ConvertFToS } else { Op::ConvertFToU };
        let inner = self.asm.value(op, int, &[safe]);
        let low = self.asm.value(Op::Select, int, &[is_low, lowest, inner]);
        self.asm.value(Op::Select, int, &[is_high, highest, low])
    }
}
