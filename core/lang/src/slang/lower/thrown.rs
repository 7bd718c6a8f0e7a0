//! Errors: a look at what a call has thrown, and bodies that errors leave.

use super::function::{Around, FunctionLowerer};
use crate::slang::check::hir::{DoCatch, Expr, LocalId, Stmt};
use crate::slang::check::thrown::any;
use pullback_base::{Scalar, ids::Id};
use pullback_ir::{Constant, Op};

impl FunctionLowerer<'_, '_> {
    /// What `call` gives, where the call it runs has thrown nothing; else control goes to what catches it.
    pub fn attempt<R>(
        &mut self,
        tried: &Expr,
        thrown: LocalId,
        failed: &[Stmt],
        call: impl FnOnce(&mut Self) -> R,
    ) -> R {
        self.variable(thrown);
        let given = call(self);
        let any = any(thrown, self.body.locals[thrown].ty.clone(), tried.span);
        let any = self.expr(&any);
        self.ssa.begin_if(any);
        self.block(failed);
        self.ssa.begin_else();
        self.ssa.end_if();
        given
    }

    pub fn do_catch(&mut self, it: &DoCatch) {
        let nothing = self.ssa.constant(Constant::int(Scalar::I32, 0));
        let which = self.ssa.declare_with(nothing, None);
        self.vars[it.which.index()] = Some(which);
        it.errors.iter().for_each(|&error| self.variable(error));
        // A switch of one case is what errors leave.
        let target = self.ssa.begin_switch(nothing);
        self.around.push(Around { target, is_loop: false, deferred: self.deferred.len() });
        self.ssa.begin_case(None);
        self.block(&it.body);
        self.around.pop();
        self.ssa.end_switch();
        for (number, handler) in (1..).zip(&it.handlers) {
            if !self.ssa.reach() {
                return;
            }
            let which = self.ssa.read(which);
            let number = self.ssa.constant(Constant::int(Scalar::I32, number));
            let is_it = self.ssa.op(Op::Eq, &[which, number]);
            self.ssa.begin_if(is_it);
            self.block(handler);
            self.ssa.begin_else();
            self.ssa.end_if();
        }
    }

    fn variable(&mut self, local: LocalId) {
        let ty = self.ty(&self.body.locals[local].ty);
        let var = self.declare(ty, None);
        self.vars[local.index()] = Some(var);
    }
}
