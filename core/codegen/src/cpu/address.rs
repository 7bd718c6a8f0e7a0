//! Addresses that are affine in the lane id, so that loads and stores need no address per lane.

use super::lower::Lowerer;
use crate::kernel::element_scalar;
use pullback_base::bytecode::{Kind, Reg, VectorOp};
use pullback_ir::{Op, Scalar, Value};

/// Where the lanes' elements lie.
pub enum Address {
    /// At `base + lane_id * stride`: two uniform I64 rows, in bytes.
    Strided { base: Reg, stride: Reg },
    /// At one address per lane.
    Each(Reg),
}

/// A number that is the same in all lanes, modulo 2^64.
#[derive(Clone, Copy)]
enum Uniform {
    Known(i64),
    Row(Reg),
}

/// `base + lane_id * slope`
#[derive(Clone, Copy)]
struct Affine {
    base: Uniform,
    slope: Uniform,
}

impl Affine {
    fn uniform(base: Uniform) -> Self {
        Self { base, slope: Uniform::Known(0) }
    }
}

impl Lowerer<'_> {
    /// The addresses of a pointer in the lanes of this chunk.
    pub(super) fn address(&mut self, pointer: Value) -> Address {
        match self.affine(pointer) {
            Some(Affine { base, slope }) => {
                Address::Strided { base: self.uniform_row(base), stride: self.uniform_row(slope) }
            }
            None => Address::Each(self.reg(pointer)),
        }
    }

    fn uniform_row(&mut self, uniform: Uniform) -> Reg {
        match uniform {
            Uniform::Known(value) => self.code.i64(value),
            Uniform::Row(row) => row,
        }
    }

    /// An i64 or a pointer as an affine function of the lane id, if it is seen to be one.
    fn affine(&mut self, value: Value) -> Option<Affine> {
        let definition = self.definitions.get(&value).copied();
        if let Some((Op::Const(constant), _)) = definition {
            return Some(Affine::uniform(Uniform::Known(constant.as_i64())));
        }
        if !self.varying.contains(&value) {
            return Some(Affine::uniform(Uniform::Row(self.reg(value))));
        }
        let (op, args) = definition?;
        match op {
            Op::LaneId => Some(Affine { base: Uniform::Known(0), slope: Uniform::Known(1) }),
            Op::Add => {
                let (a, b) = (self.affine(args[0])?, self.affine(args[1])?);
                Some(self.add(a, b))
            }
            Op::Sub => {
                let (a, b) = (self.affine(args[0])?, self.affine(args[1])?);
                let b = self.scale(b, Uniform::Known(-1));
                Some(self.add(a, b))
            }
            Op::Mul => {
                let (a, b) = (self.affine(args[0])?, self.affine(args[1])?);
                match (a.slope, b.slope) {
                    (_, Uniform::Known(0)) => Some(self.scale(a, b.base)),
                    (Uniform::Known(0), _) => Some(self.scale(b, a.base)),
                    _ => None,
                }
            }
            Op::Convert(Scalar::I64) if self.function.scalar(args[0]) == Some(Scalar::U64) => {
                self.affine(args[0])
            }
            Op::PointerCast(_) => self.affine(args[0]),
            Op::PointerOffset => {
                let (pointer, index) = (self.affine(args[0])?, self.affine(args[1])?);
                let element_bytes = element_scalar(self.function.ty(value)).size_bytes() as i64;
                let offset = self.scale(index, Uniform::Known(element_bytes));
                Some(self.add(pointer, offset))
            }
            _ => None,
        }
    }

    fn add(&mut self, a: Affine, b: Affine) -> Affine {
        Affine { base: self.sum(a.base, b.base), slope: self.sum(a.slope, b.slope) }
    }

    fn scale(&mut self, a: Affine, factor: Uniform) -> Affine {
        Affine { base: self.product(a.base, factor), slope: self.product(a.slope, factor) }
    }

    fn sum(&mut self, a: Uniform, b: Uniform) -> Uniform {
        match (a, b) {
            (Uniform::Known(a), Uniform::Known(b)) => Uniform::Known(a.wrapping_add(b)),
            (Uniform::Known(0), other) | (other, Uniform::Known(0)) => other,
            _ => self.combine(VectorOp::Add, a, b),
        }
    }

    fn product(&mut self, a: Uniform, b: Uniform) -> Uniform {
        match (a, b) {
            (Uniform::Known(a), Uniform::Known(b)) => Uniform::Known(a.wrapping_mul(b)),
            (Uniform::Known(0), _) | (_, Uniform::Known(0)) => Uniform::Known(0),
            (Uniform::Known(1), other) | (other, Uniform::Known(1)) => other,
            _ => self.combine(VectorOp::Mul, a, b),
        }
    }

    fn combine(&mut self, op: VectorOp, a: Uniform, b: Uniform) -> Uniform {
        let operands = [self.uniform_row(a), self.uniform_row(b)];
        Uniform::Row(self.code.compute(op, Kind::I64, &operands))
    }
}
