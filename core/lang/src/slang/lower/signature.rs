//! What functions take and give, as types of the IR.

use super::Lowerer;
use crate::slang::check::Instance;
use crate::slang::check::types::{Subst, Ty};
use pullback_ir::Type;

/// What a function is called with and what it gives, in order.
#[derive(PartialEq)]
pub struct Passed {
    pub taken: Vec<Type>,
    pub given: Vec<Type>,
}

impl Lowerer<'_> {
    /// The types of a function as they are here.
    pub fn passed_types(&mut self, (id, args): &Instance) -> Passed {
        let signature = self.signature(*id);
        let own: Subst = signature.generics.iter().copied().zip(args.iter().cloned()).collect();
        let this = self.program.this_param(*id);
        let mut passed = Passed { taken: Vec::new(), given: Vec::new() };
        if signature.result != Ty::Void {
            passed.given.push(self.ty(&signature.result, &own));
        }
        for param in this.iter().chain(&signature.params) {
            let ty = self.ty(&param.ty, &own);
            if param.direction.reads() {
                passed.taken.push(ty.clone());
            }
            if param.direction.writes() {
                passed.given.push(ty);
            }
        }
        passed
    }
}
