//! The number types floats are computed in.

use pullback_ir::{Constant, Op, Scalar, eval};
use smallvec::SmallVec;

/// What a program's floats are. Integers and bools are always [`Constant`]s.
pub trait Number: Clone + std::fmt::Debug + PartialEq {
    /// A float of the program's text or memory.
    fn from_constant(constant: Constant) -> Self;

    /// The real part, which comparisons, conversions to integers and memory see.
    fn real(&self) -> Constant;

    /// The type it computes in where the program says `scalar`.
    fn computed(scalar: Scalar) -> Scalar;

    /// A component-wise op from floats to a float; `None` for any other op.
    fn apply(op: &Op, args: &[Self]) -> Option<Self>;

    /// Sees the operands of each op from floats to an integer or a bool, which are of real parts alone.
    fn decide(_op: &Op, _args: &[Self]) {}
}

/// Floats as on a device: each op rounds in its own type.
pub type Exact = Constant;

impl Number for Exact {
    fn from_constant(constant: Constant) -> Self {
        constant
    }

    fn real(&self) -> Constant {
        *self
    }

    fn computed(scalar: Scalar) -> Scalar {
        scalar
    }

    fn apply(op: &Op, args: &[Self]) -> Option<Self> {
        eval(op, args)
    }
}

impl Number for f64 {
    fn from_constant(constant: Constant) -> Self {
        constant.as_f64()
    }

    fn real(&self) -> Constant {
        Constant::float(Scalar::F64, *self)
    }

    fn computed(_: Scalar) -> Scalar {
        Scalar::F64
    }

    fn apply(op: &Op, args: &[Self]) -> Option<Self> {
        match (op, args) {
            (Op::Convert(_), [x]) => Some(*x),
            _ => {
                let args: SmallVec<[Constant; 4]> = args.iter().map(Number::real).collect();
                eval(op, &args).map(Constant::as_f64)
            }
        }
    }
}
