//! Scalar ops: arithmetic, bits, comparisons, selection. Numbers of 32 and 64 bits; narrower ones only move.

use super::{Emitter, TARGET};
use crate::EmitError;
use pullback_base::Scalar;
use pullback_ir::{Op as IrOp, Type, Value};
use rspirv::spirv::{Decoration, GlslStd450Op as Glsl, Op, Word};
use smallvec::SmallVec;

impl Emitter<'_> {
    pub fn let_op(&mut self, result: Value, op: &IrOp, args: &[Value]) -> Result<(), EmitError> {
        if self.is_array(result) {
            self.array_op(result, op, args);
            return Ok(());
        }
        if let IrOp::Const(constant) = op {
            self.constants.insert(result, *constant);
        }
        let id = self.scalar_op(result, op, args)?;
        self.ids.insert(result, id);
        Ok(())
    }

    fn scalar_op(&mut self, result: Value, op: &IrOp, args: &[Value]) -> Result<Word, EmitError> {
        Ok(match op {
            IrOp::Const(constant) => self.constant(*constant),
            IrOp::LaneId => self.lane,
            IrOp::Detach | IrOp::Cut | IrOp::Unpaired => self.id(args[0]),
            IrOp::Select => {
                let ty = self.value_type(&self.function.ty(result).clone());
                let operands = [self.id(args[0]), self.id(args[1]), self.id(args[2])];
                self.asm.value(Op::Select, ty, &operands)
            }
            IrOp::Bitcast(to) => self.bitcast_op(args[0], *to),
            IrOp::Convert(to) => self.convert(args[0], *to)?,
            IrOp::Extract(index) => self.extract(args[0], *index),
            IrOp::ElementGet => self.element_get(args[0], args[1]),
            IrOp::PointerCast(_) => self.id(args[0]),
            IrOp::PointerOffset => self.pointer_offset(args[0], args[1]),
            _ => {
                let scalar = self.scalar(args[0]);
                let ids: Vec<Word> = args.iter().map(|&arg| self.id(arg)).collect();
                let id = match scalar {
                    Scalar::Bool => self.bool_op(op, &ids),
                    Scalar::F32 | Scalar::F64 => self.float_op(op, scalar, &ids),
                    Scalar::I32 | Scalar::U32 | Scalar::I64 | Scalar::U64 => {
                        self.integer_op(op, scalar, &ids, args)
                    }
                    _ => None,
                };
                id.ok_or(EmitError::NoOp { target: TARGET, op: op.name(), scalar: Some(scalar) })?
            }
        })
    }

    fn bitcast_op(&mut self, value: Value, to: Scalar) -> Word {
        let id = self.id(value);
        if matches!(self.function.ty(value), Type::Pointer(_)) {
            return id;
        }
        let is_number = |scalar| matches!(scalar, Scalar::F16 | Scalar::F32 | Scalar::F64);
        let from = self.scalar(value);
        if from == to || (!is_number(from) && !is_number(to)) {
            return id;
        }
        let ty = self.scalar_type(to);
        self.asm.value(Op::Bitcast, ty, &[id])
    }

    fn pointer_offset(&mut self, pointer: Value, index: Value) -> Word {
        let size_bytes = match self.function.ty(pointer) {
            pointer @ Type::Pointer(_) => crate::kernel::element_scalar(pointer).size_bytes() as u64,
            _ => 1,
        };
        let long = self.int_type(64);
        let mut offset = self.id(index);
        if size_bytes > 1 {
            let shift = self.u32(size_bytes.trailing_zeros());
            offset = self.asm.value(Op::ShiftLeftLogical, long, &[offset, shift]);
        }
        let pointer = self.id(pointer);
        self.asm.value(Op::IAdd, long, &[pointer, offset])
    }

    fn bool_op(&mut self, op: &IrOp, args: &[Word]) -> Option<Word> {
        let op = match op {
            IrOp::Not => Op::LogicalNot,
            IrOp::And => Op::LogicalAnd,
            IrOp::Or => Op::LogicalOr,
            IrOp::Xor | IrOp::Ne => Op::LogicalNotEqual,
            IrOp::Eq => Op::LogicalEqual,
            _ => return None,
        };
        let ty = self.bool_type();
        Some(self.asm.value(op, ty, args))
    }

    pub fn float_op(&mut self, op: &IrOp, scalar: Scalar, args: &[Word]) -> Option<Word> {
        let ty = self.scalar_type(scalar);
        let bool_type = self.bool_type();
        let hidden: SmallVec<[Word; 3]>;
        let args = if matches!(op, IrOp::Mul | IrOp::Div | IrOp::Fma) {
            hidden = args.iter().map(|&arg| self.hidden_zero(scalar, arg)).collect();
            &hidden
        } else {
            args
        };
        let plain = match op {
            IrOp::Neg => Op::FNegate,
            IrOp::Add => Op::FAdd,
            IrOp::Sub => Op::FSub,
            IrOp::Mul => Op::FMul,
            IrOp::Div => Op::FDiv,
            _ => Op::Nop,
        };
        if plain != Op::Nop {
            return Some(self.rounded(plain, ty, args));
        }
        let test = match op {
            IrOp::Eq => Op::FOrdEqual,
            IrOp::Ne => Op::FUnordNotEqual,
            IrOp::Lt => Op::FOrdLessThan,
            IrOp::Le => Op::FOrdLessThanEqual,
            IrOp::Gt => Op::FOrdGreaterThan,
            IrOp::Ge => Op::FOrdGreaterThanEqual,
            IrOp::IsNan => Op::IsNan,
            IrOp::IsInf => Op::IsInf,
            _ => return self.float_function(op, scalar, ty, args),
        };
        Some(self.asm.value(test, bool_type, args))
    }

    /// A literal zero made from the push constants, any other id as it is. Mesa's lavapipe takes `x * 0.0` and `0.0 / x`
    /// to be zero and `x / 0.0` to be undefined, special floats or not, where it sees the literal.
    fn hidden_zero(&mut self, scalar: Scalar, arg: Word) -> Word {
        if arg != self.number(scalar, 0.0) {
            return arg;
        }
        let long = self.int_type(64);
        let shift = self.u32(63);
        // There are fewer than 2^63 lanes.
        let zero = self.asm.value(Op::ShiftRightLogical, long, &[self.lanes, shift]);
        let narrow = match scalar.bits() {
            64 => zero,
            bits => {
                let ty = self.int_type(bits);
                self.asm.value(Op::UConvert, ty, &[zero])
            }
        };
        self.bitcast(narrow, scalar)
    }

    /// Arithmetic that the driver must round by itself, so that it equals the interpreter's op by op.
    pub fn rounded(&mut self, op: Op, ty: Word, args: &[Word]) -> Word {
        let id = self.asm.value(op, ty, args);
        self.asm.annotate(Op::Decorate, &[id, Decoration::NoContraction as Word]);
        id
    }

    pub fn integer_op(&mut self, op: &IrOp, scalar: Scalar, args: &[Word], values: &[Value]) -> Option<Word> {
        let ty = self.scalar_type(scalar);
        let bool_type = self.bool_type();
        let signed = scalar.is_signed();
        let pick = |if_signed, if_unsigned| if signed { if_signed } else { if_unsigned };
        if let Some(test) = integer_test(op, signed) {
            return Some(self.asm.value(test, bool_type, args));
        }
        let plain = match op {
            IrOp::Neg => Op::SNegate,
            IrOp::Add => Op::IAdd,
            IrOp::Sub => Op::ISub,
            IrOp::Mul => Op::IMul,
            IrOp::Not => Op::Not,
            IrOp::And => Op::BitwiseAnd,
            IrOp::Or => Op::BitwiseOr,
            IrOp::Xor => Op::BitwiseXor,
            IrOp::CountBits if scalar.bits() == 32 => Op::BitCount,
            IrOp::ReverseBits if scalar.bits() == 32 => Op::BitReverse,
            IrOp::Div | IrOp::Rem => {
                let divisor = self.safe_divisor(scalar, args, values);
                let op = match op {
                    IrOp::Div => pick(Op::SDiv, Op::UDiv),
                    _ => pick(Op::SRem, Op::UMod),
                };
                return Some(self.asm.value(op, ty, &[args[0], divisor]));
            }
            IrOp::Shl | IrOp::Shr => {
                let mask = self.uint(scalar.bits(), u64::from(scalar.bits() - 1));
                let count = self.asm.value(Op::BitwiseAnd, ty, &[args[1], mask]);
                let op = match op {
                    IrOp::Shl => Op::ShiftLeftLogical,
                    _ => pick(Op::ShiftRightArithmetic, Op::ShiftRightLogical),
                };
                return Some(self.asm.value(op, ty, &[args[0], count]));
            }
            _ => return self.integer_function(op, scalar, ty, args),
        };
        Some(self.asm.value(plain, ty, args))
    }

    /// The divisor, or 1 where the quotient would not exist (`x / 0 = x`, `MIN / -1 = MIN`).
    fn safe_divisor(&mut self, scalar: Scalar, args: &[Word], values: &[Value]) -> Word {
        if self.constants.get(&values[1]).is_some_and(|c| !matches!(c.as_i64(), 0 | -1)) {
            return args[1];
        }
        let ty = self.scalar_type(scalar);
        let bool_type = self.bool_type();
        let width = scalar.bits();
        let [zero, one] = [0, 1].map(|value| self.uint(width, value));
        let mut bad = self.asm.value(Op::IEqual, bool_type, &[args[1], zero]);
        if scalar.is_signed() {
            let lowest = self.uint(width, 1 << (width - 1));
            let minus_one = self.uint(width, u64::MAX >> (64 - width));
            let is_lowest = self.asm.value(Op::IEqual, bool_type, &[args[0], lowest]);
            let is_minus_one = self.asm.value(Op::IEqual, bool_type, &[args[1], minus_one]);
            let overflows = self.asm.value(Op::LogicalAnd, bool_type, &[is_lowest, is_minus_one]);
            bad = self.asm.value(Op::LogicalOr, bool_type, &[bad, overflows]);
        }
        self.asm.value(Op::Select, ty, &[bad, one, args[1]])
    }

    fn integer_function(&mut self, op: &IrOp, scalar: Scalar, ty: Word, args: &[Word]) -> Option<Word> {
        let signed = scalar.is_signed();
        let pick = |if_signed, if_unsigned| if signed { if_signed } else { if_unsigned };
        let function = match op {
            IrOp::Min => pick(Glsl::SMin, Glsl::UMin),
            IrOp::Max => pick(Glsl::SMax, Glsl::UMax),
            IrOp::Clamp => {
                let raised = self.glsl(pick(Glsl::SMax, Glsl::UMax), ty, &args[..2]);
                return Some(self.glsl(pick(Glsl::SMin, Glsl::UMin), ty, &[raised, args[2]]));
            }
            IrOp::Abs if signed => Glsl::SAbs,
            IrOp::Abs => return Some(args[0]),
            IrOp::Sign if signed => Glsl::SSign,
            IrOp::Sign => {
                let nonzero = self.is_nonzero(args[0], scalar.bits());
                let [zero, one] = [0, 1].map(|value| self.uint(scalar.bits(), value));
                return Some(self.asm.value(Op::Select, ty, &[nonzero, one, zero]));
            }
            IrOp::FirstBitHigh if scalar.bits() == 32 => pick(Glsl::FindSMsb, Glsl::FindUMsb),
            IrOp::FirstBitLow if scalar.bits() == 32 => Glsl::FindILsb,
            _ => return None,
        };
        Some(self.glsl(function, ty, args))
    }

    pub fn is_nonzero(&mut self, id: Word, width: u32) -> Word {
        let zero = self.uint(width, 0);
        let ty = self.bool_type();
        self.asm.value(Op::INotEqual, ty, &[id, zero])
    }
}

fn integer_test(op: &IrOp, signed: bool) -> Option<Op> {
    Some(match (op, signed) {
        (IrOp::Eq, _) => Op::IEqual,
        (IrOp::Ne, _) => Op::INotEqual,
        (IrOp::Lt, true) => Op::SLessThan,
        (IrOp::Lt, false) => Op::ULessThan,
        (IrOp::Le, true) => Op::SLessThanEqual,
        (IrOp::Le, false) => Op::ULessThanEqual,
        (IrOp::Gt, true) => Op::SGreaterThan,
        (IrOp::Gt, false) => Op::UGreaterThan,
        (IrOp::Ge, true) => Op::SGreaterThanEqual,
        (IrOp::Ge, false) => Op::UGreaterThanEqual,
        _ => return None,
    })
}
