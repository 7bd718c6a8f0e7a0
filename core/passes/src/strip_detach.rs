//! Removes `detach`, which means something to differentiation only.

use crate::rewrite::{Change, Rule, Scope, rewrite};
use pullback_ir::{Function, Op, Value};

/// Replaces each detached value by the value.
pub fn strip_detach(function: &mut Function) -> bool {
    rewrite(function, &mut [&mut StripDetach])
}

struct StripDetach;

impl Rule for StripDetach {
    fn apply(&mut self, _: &mut Scope<'_>, op: &Op, args: &[Value]) -> Option<Change> {
        matches!(op, Op::Detach).then(|| Change::Value(args[0]))
    }
}
