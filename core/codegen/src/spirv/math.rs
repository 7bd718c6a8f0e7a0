//! Float functions of the extended instruction set `GLSL.std.450`.

use super::Emitter;
use pullback_base::Scalar;
use pullback_ir::Op as IrOp;
use rspirv::spirv::{GlslStd450Op as Glsl, Op, Word};

impl Emitter<'_> {
    pub fn glsl(&mut self, function: Glsl, ty: Word, args: &[Word]) -> Word {
        let operands: Vec<Word> =
            [self.asm.glsl, function as Word].into_iter().chain(args.iter().copied()).collect();
        self.asm.value(Op::ExtInst, ty, &operands)
    }

    /// `None` for what the target lacks or computes too badly to use: those are legalized.
    pub fn float_function(&mut self, op: &IrOp, scalar: Scalar, ty: Word, args: &[Word]) -> Option<Word> {
        let function = match op {
            // The forms that give the other operand for NaN.
            IrOp::Min => Glsl::NMin,
            IrOp::Max => Glsl::NMax,
            IrOp::Clamp => {
                let raised = self.glsl(Glsl::NMax, ty, &args[..2]);
                return Some(self.glsl(Glsl::NMin, ty, &[raised, args[2]]));
            }
            IrOp::Abs => Glsl::FAbs,
            IrOp::Floor => Glsl::Floor,
            IrOp::Ceil => Glsl::Ceil,
            IrOp::Round => Glsl::RoundEven,
            IrOp::Trunc => Glsl::Trunc,
            IrOp::Sqrt => Glsl::Sqrt,
            IrOp::Fma => Glsl::Fma,
            IrOp::Fract => {
                let floor = self.glsl(Glsl::Floor, ty, args);
                return Some(self.rounded(Op::FSub, ty, &[args[0], floor]));
            }
            IrOp::Rcp => {
                let one = self.number(scalar, 1.0);
                return Some(self.rounded(Op::FDiv, ty, &[one, args[0]]));
            }
            IrOp::Sign => return Some(self.float_sign(scalar, ty, args[0])),
            _ if scalar == Scalar::F64 => return None,
            IrOp::Rsqrt => Glsl::InverseSqrt,
            IrOp::Exp => Glsl::Exp,
            IrOp::Exp2 => Glsl::Exp2,
            IrOp::Log => Glsl::Log,
            IrOp::Log2 => Glsl::Log2,
            IrOp::Sin => Glsl::Sin,
            IrOp::Cos => Glsl::Cos,
            IrOp::Tan => Glsl::Tan,
            _ => return None,
        };
        Some(self.glsl(function, ty, args))
    }

    /// 1, -1, or 0 for zeros and NaN.
    fn float_sign(&mut self, scalar: Scalar, ty: Word, x: Word) -> Word {
        let [zero, one, minus_one] = [0.0, 1.0, -1.0].map(|value| self.number(scalar, value));
        let bool_type = self.bool_type();
        let positive = self.asm.value(Op::FOrdGreaterThan, bool_type, &[x, zero]);
        let negative = self.asm.value(Op::FOrdLessThan, bool_type, &[x, zero]);
        let low = self.asm.value(Op::Select, ty, &[negative, minus_one, zero]);
        self.asm.value(Op::Select, ty, &[positive, one, low])
    }
}
