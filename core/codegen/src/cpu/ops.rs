//! One operation on scalars as instructions, narrow dtypes computed wide and cut down after.

use super::TARGET;
use super::code::Code;
use super::convert::{bitcast, convert, narrow};
use crate::EmitError;
use pullback_base::Scalar;
use pullback_base::bytecode::{Kind, Reg, VectorOp};
use pullback_ir::Op;

/// The result of a component-wise op (not `select`) on operands of a scalar type.
pub fn scalar_op(code: &mut Code, op: &Op, scalar: Scalar, args: &[Reg]) -> Result<Reg, EmitError> {
    let kind = Kind::of(scalar);
    let is_narrow = scalar != Scalar::Bool && scalar.size_bytes() < 4;
    let width = scalar.bits();
    Ok(match op {
        Op::Convert(to) => convert(code, scalar, *to, args[0]),
        Op::Bitcast(to) => bitcast(code, scalar, *to, args[0]),
        Op::Clamp => {
            let raised = code.compute(VectorOp::Max, kind, &args[..2]);
            code.compute(VectorOp::Min, kind, &[raised, args[2]])
        }
        Op::Fma if matches!(scalar, Scalar::F16 | Scalar::BF16) => half_fma(code, scalar, args),
        Op::Shl | Op::Shr if is_narrow => {
            let mask = code.constant(kind, u64::from(width - 1));
            let count = code.compute(VectorOp::And, kind, &[args[1], mask]);
            let shifted = code.compute(vector_op(op, scalar)?, kind, &[args[0], count]);
            narrow(code, scalar, shifted)
        }
        Op::CountBits if is_narrow => {
            let unsigned = if width == 8 { Scalar::U8 } else { Scalar::U16 };
            let bits = narrow(code, unsigned, args[0]);
            code.compute(VectorOp::CountBits, kind, &[bits])
        }
        Op::ReverseBits if is_narrow => {
            let reversed = code.compute(VectorOp::ReverseBits, kind, args);
            let count = code.constant(kind, u64::from(32 - width));
            code.compute(VectorOp::Shr, kind, &[reversed, count])
        }
        _ => {
            let result = code.compute(vector_op(op, scalar)?, kind, args);
            if is_narrow && may_leave(op) { narrow(code, scalar, result) } else { result }
        }
    })
}

/// Whether a narrow type's values may give a wider one.
fn may_leave(op: &Op) -> bool {
    use Op::*;
    let is_test = matches!(op, Eq | Ne | Lt | Le | Gt | Ge | IsNan | IsInf);
    let keeps =
        matches!(op, Min | Max | Sign | And | Or | Xor | Rem | Floor | Ceil | Round | Trunc | Copysign);
    !(is_test || keeps)
}

/// A product of halves is exact in doubles, and so is what decides the rounding of its sum with a third, unless that is
/// a bf16 of another order of magnitude.
fn half_fma(code: &mut Code, scalar: Scalar, args: &[Reg]) -> Reg {
    let mut wide = [Reg::NONE; 3];
    for (wide, &arg) in wide.iter_mut().zip(args) {
        *wide = code.compute(VectorOp::ToF64, Kind::F32, &[arg]);
    }
    let product = code.compute(VectorOp::Mul, Kind::F64, &wide[..2]);
    let sum = code.compute(VectorOp::Add, Kind::F64, &[product, wide[2]]);
    convert(code, Scalar::F64, scalar, sum)
}

/// The vector operation of the same name.
fn vector_op(op: &Op, scalar: Scalar) -> Result<VectorOp, EmitError> {
    let found = VectorOp::ALL.iter().copied().find(|vector| vector.name() == op.name());
    found.ok_or(EmitError::NoOp { target: TARGET, op: op.name(), scalar: Some(scalar) })
}
