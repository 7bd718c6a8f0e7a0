//! Conversions and bit casts between dtypes whose rows are wider than they.

use super::code::Code;
use pullback_base::Scalar;
use pullback_base::bytecode::{Kind, Reg, VectorOp};

/// Cuts the row of a computation in `scalar`'s kind down to `scalar`'s own values.
pub fn narrow(code: &mut Code, scalar: Scalar, reg: Reg) -> Reg {
    let kind = Kind::of(scalar);
    match scalar {
        Scalar::I8 => code.compute(VectorOp::WrapI8, kind, &[reg]),
        Scalar::I16 => code.compute(VectorOp::WrapI16, kind, &[reg]),
        Scalar::U8 => code.compute(VectorOp::WrapU8, kind, &[reg]),
        Scalar::U16 => code.compute(VectorOp::WrapU16, kind, &[reg]),
        Scalar::F16 => code.compute(VectorOp::RoundF16, kind, &[reg]),
        Scalar::BF16 => code.compute(VectorOp::RoundBf16, kind, &[reg]),
        _ => reg,
    }
}

/// The number of a row in another kind.
fn to_kind(code: &mut Code, from: Kind, to: Kind, reg: Reg) -> Reg {
    let op = match to {
        _ if from == to => return reg,
        // The same bits, and rows are nothing else.
        Kind::I32 if from == Kind::U32 => return reg,
        Kind::U32 if from == Kind::I32 => return reg,
        Kind::I64 if from == Kind::U64 => return reg,
        Kind::U64 if from == Kind::I64 => return reg,
        Kind::Bool => VectorOp::ToBool,
        Kind::I32 => VectorOp::ToI32,
        Kind::U32 => VectorOp::ToU32,
        Kind::I64 => VectorOp::ToI64,
        Kind::U64 => VectorOp::ToU64,
        Kind::F32 => VectorOp::ToF32,
        Kind::F64 => VectorOp::ToF64,
    };
    code.compute(op, from, &[reg])
}

/// The IR's `convert`.
pub fn convert(code: &mut Code, from: Scalar, to: Scalar, reg: Reg) -> Reg {
    let (kind, to_is_half) = (Kind::of(from), matches!(to, Scalar::F16 | Scalar::BF16));
    if from == to {
        reg
    } else if from.is_float() && to.is_integer() {
        let reg = to_kind(code, kind, Kind::of(to), reg);
        saturate(code, to, reg)
    } else if to_is_half && (kind == Kind::F64 || (from.is_integer() && !fits_single(from, to))) {
        // One rounding, from doubles.
        let reg = to_kind(code, kind, Kind::F64, reg);
        let op = if to == Scalar::F16 { VectorOp::RoundF16 } else { VectorOp::RoundBf16 };
        code.compute(op, Kind::F64, &[reg])
    } else {
        let reg = to_kind(code, kind, Kind::of(to), reg);
        narrow(code, to, reg)
    }
}

/// Whether rounding an integer to a single before rounding it to the half gives what one rounding gives: a
/// single holds 24 bits, and f16 is infinite beyond 17.
fn fits_single(from: Scalar, to: Scalar) -> bool {
    from.size_bytes() <= 2 || (from.size_bytes() == 4 && to == Scalar::F16)
}

/// A 32-bit integer limited to a narrow type's range.
fn saturate(code: &mut Code, to: Scalar, reg: Reg) -> Reg {
    let bits = to.bits();
    if bits >= 32 {
        return reg;
    }
    let kind = Kind::of(to);
    let (least, most) = match to.is_signed() {
        true => (-(1i64 << (bits - 1)), (1i64 << (bits - 1)) - 1),
        false => (0, (1i64 << bits) - 1),
    };
    let (least, most) = (code.constant(kind, least as u32 as u64), code.constant(kind, most as u64));
    let reg = code.compute(VectorOp::Max, kind, &[reg, least]);
    code.compute(VectorOp::Min, kind, &[reg, most])
}

/// The IR's `bitcast`, between dtypes of one size.
pub fn bitcast(code: &mut Code, from: Scalar, to: Scalar, reg: Reg) -> Reg {
    if from == to || from.bits() > 16 || from == Scalar::Bool {
        return reg;
    }
    let sixteen = code.constant(Kind::U32, 16);
    let bits = match from {
        Scalar::F16 => code.compute(VectorOp::F16ToBits, Kind::F32, &[reg]),
        Scalar::BF16 => code.compute(VectorOp::Shr, Kind::U32, &[reg, sixteen]),
        _ => reg,
    };
    match to {
        Scalar::F16 => {
            let bits = narrow(code, Scalar::U16, bits);
            code.compute(VectorOp::F16FromBits, Kind::U32, &[bits])
        }
        Scalar::BF16 => code.compute(VectorOp::Shl, Kind::U32, &[bits, sixteen]),
        _ => narrow(code, to, bits),
    }
}
