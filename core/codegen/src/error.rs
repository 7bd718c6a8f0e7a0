//! What a target cannot do.

use pullback_base::Scalar;

/// A kernel that a target cannot run. The front ends and passes let it through, so it is not a user's
/// mistake in the kernel but a limit to be named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EmitError {
    /// The target has no such op on this scalar, and legalization did not replace it.
    NoOp { target: &'static str, op: &'static str, scalar: Option<Scalar> },
    /// The target has no memory operation of this kind on this scalar.
    NoEffect { target: &'static str, effect: &'static str, scalar: Scalar },
    /// A limit of the target: what was wanted, in words.
    Limit { target: &'static str, wanted: String },
}

impl std::fmt::Display for EmitError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            EmitError::NoOp { target, op, scalar: Some(scalar) } => {
                write!(f, "{target} has no `{op}` of {scalar}")
            }
            EmitError::NoOp { target, op, scalar: None } => write!(f, "{target} has no `{op}`"),
            EmitError::NoEffect { target, effect, scalar } => {
                write!(f, "{target} has no `{effect}` of {scalar}")
            }
            EmitError::Limit { target, wanted } => write!(f, "{target} cannot {wanted}"),
        }
    }
}

impl std::error::Error for EmitError {}
