//! Bit functions of 64-bit integers by those of their halves.

use super::Lower;
use pullback_base::Scalar;
use pullback_ir::{Constant, Op, Value};

impl Lower {
    pub(super) fn long_bits(&mut self, op: &Op, scalar: Scalar, args: &[Value]) -> Option<Value> {
        if !matches!(op, Op::CountBits | Op::ReverseBits | Op::FirstBitHigh | Op::FirstBitLow) {
            return None;
        }
        let mut x = args[0];
        if *op == Op::FirstBitHigh && scalar.is_signed() {
            // The highest bit that differs from the sign: of x ^ sign, the highest set.
            let places = self.b.constant(Constant::int(scalar, 63));
            let sign = self.op(Op::Shr, &[x, places]);
            x = self.op(Op::Xor, &[x, sign]);
        }
        let x = self.op(Op::Bitcast(Scalar::U64), &[x]);
        let half = self.b.constant(Constant::int(Scalar::U64, 32));
        let low = self.op(Op::Convert(Scalar::U32), &[x]);
        let high = self.op(Op::Shr, &[x, half]);
        let high = self.op(Op::Convert(Scalar::U32), &[high]);
        let [of_low, of_high] = [low, high].map(|part| self.op(op.clone(), &[part]));
        let result = match op {
            Op::CountBits => {
                let sum = self.op(Op::Add, &[of_low, of_high]);
                self.op(Op::Convert(Scalar::U64), &[sum])
            }
            Op::ReverseBits => {
                let [low, high] = [of_low, of_high].map(|part| self.op(Op::Convert(Scalar::U64), &[part]));
                let low = self.op(Op::Shl, &[low, half]);
                self.op(Op::Or, &[low, high])
            }
            _ => self.first_bit(*op == Op::FirstBitHigh, [low, high], [of_low, of_high]),
        };
        Some(self.op(Op::Bitcast(scalar), &[result]))
    }

    /// The first set bit of two halves, from the halves' own; -1 for none.
    fn first_bit(
        &mut self,
        from_high: bool,
        [low, high]: [Value; 2],
        [of_low, of_high]: [Value; 2],
    ) -> Value {
        let [zero, half] = [0, 32].map(|number| self.b.constant(Constant::int(Scalar::U32, number)));
        let none = self.b.constant(Constant::int(Scalar::U32, -1));
        let [has_low, has_high] = [low, high].map(|part| self.op(Op::Ne, &[part, zero]));
        let above = self.op(Op::Add, &[of_high, half]);
        let upper = self.op(Op::Select, &[has_high, above, none]);
        let index = if from_high {
            self.op(Op::Select, &[has_high, above, of_low])
        } else {
            self.op(Op::Select, &[has_low, of_low, upper])
        };
        let signed = self.op(Op::Bitcast(Scalar::I32), &[index]);
        self.op(Op::Convert(Scalar::U64), &[signed])
    }
}
