//! What a call computes: results, gradients, or both.

use crate::args::ArrayView;

/// What a call computes.
#[derive(Clone, Copy, Debug)]
pub enum Mode<'a> {
    /// The results, into the arrays given for them, or into new ones when none are given.
    Forward { results: &'a [ArrayView] },
    /// The results, into new ones, of a call whose gradients will be asked for later: what makes [`Mode::Backward`]
    /// impossible for the argument leaves that `wrt` marks is found now.
    Recorded { wrt: &'a [bool] },
    /// The gradients of the argument leaves that `wrt` marks, for cotangents of the results
    /// (`None`: the result does not count). Leaves beyond `wrt` are not marked. `written` has, by argument leaf, the
    /// cotangents of what the call leaves in whole arrays that it writes; the gradients of those are asked for too, and
    /// are by what it found there.
    Backward { wrt: &'a [bool], cotangents: &'a [Option<ArrayView>], written: &'a [Option<ArrayView>] },
    /// The gradients of the sum of the results.
    Gradient { wrt: &'a [bool] },
    /// The results, and the gradients of their sum, in one launch.
    ValueAndGrad { wrt: &'a [bool] },
}
