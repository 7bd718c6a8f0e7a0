//! What a target cannot do.

use pullback_base::{Scalar, Span};

/// A kernel that a target cannot run. The front ends and passes let it through, so it is not a user's
/// mistake in the kernel but a limit to be named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EmitError {
    /// The target has no such op on this scalar, and legalization did not replace it.
    NoOp { target: &'static str, op: &'static str, scalar: Option<Scalar> },
    /// The target has no memory operation of this kind on this scalar.
    NoEffect { target: &'static str, effect: &'static str, scalar: Scalar },
    /// A wave op that only some lanes of the group may come to.
    DivergentWave { target: &'static str, op: &'static str, span: Span },
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
            EmitError::DivergentWave { target, op, .. } => {
                write!(f, "{target} runs the wave op `{op}` only where all lanes of the group come")
            }
            EmitError::Limit { target, wanted } => write!(f, "{target} cannot {wanted}"),
        }
    }
}

impl EmitError {
    /// The statement that is to blame, where one is known.
    pub fn span(&self) -> Option<Span> {
        match self {
            EmitError::DivergentWave { span, .. } => Some(*span),
            _ => None,
        }
    }
}

impl std::error::Error for EmitError {}
