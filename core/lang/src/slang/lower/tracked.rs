//! What `fwd_diff` and `bwd_diff` follow. A type without tangents carries none: not through the fields of a plain struct, not
//! behind an interface or a generic type that does not say `IDifferentiable`. Callers from outside, who ask for the gradient of
//! all that a function computes, follow every float; so a function that both differentiate may have an instance for each.
//! Lambdas carry what they capture, whatever they are passed as.

use super::function::FunctionLowerer;
use super::{Lowerer, Task};
use crate::slang::check::hir::{Call, Callee};
use crate::slang::check::program::FnId;
use crate::slang::check::recursion::each_callee;
use crate::slang::check::repeat::each_written;
use crate::slang::check::types::{Arg, Subst, Ty};
use pullback_ir::{FuncId, Value};

impl Lowerer<'_> {
    /// The instance that the language differentiates.
    pub fn tracked(&mut self, id: FnId, args: Vec<Arg>) -> FuncId {
        if !self.loses(id, &args) {
            return self.plain_instance(id, args);
        }
        if let Some(&known) = self.tracked.get(&(id, args.clone())) {
            return known;
        }
        let name = format!("{}.tracked", self.instance_name(id, &args));
        let has_given = self.has_given(id, &args);
        let func = self.enqueue(Task::Tracked(id, args.clone()), &name);
        self.tracked.insert((id, args), func);
        if has_given {
            self.derivatives(func);
        }
        func
    }

    /// Whether something in the function, or in what it calls, has floats without tangents.
    fn loses(&mut self, id: FnId, args: &[Arg]) -> bool {
        let key = (id, args.to_vec());
        if let Some(&known) = self.losing.get(&key) {
            return known;
        }
        // What is given for a function may call it.
        self.losing.insert(key.clone(), false);
        let loses = self.finds_lost(id, args);
        self.losing.insert(key, loses);
        loses
    }

    fn finds_lost(&mut self, id: FnId, args: &[Arg]) -> bool {
        if let Some(dispatch) = self.dispatched(id, args) {
            let object = dispatch.object_ty();
            return self.hides(&object, &Subst::default())
                || dispatch.answers.iter().any(|(id, args)| self.loses(*id, args));
        }
        let program = self.program;
        if program.functions[id].is_std || program.functions[id].op.is_some() {
            return false;
        }
        let signature = self.signature(id);
        let subst: Subst = signature.generics.iter().copied().zip(args.iter().cloned()).collect();
        if signature.params.iter().any(|param| self.hides(&param.ty, &subst)) {
            return true;
        }
        let mut in_body = false;
        each_written(program, &self.body(id).block, &subst, &mut |expr, subst| {
            let mut callees: Vec<&Callee> = Vec::new();
            each_callee(program, expr, &mut |callee| callees.push(callee));
            in_body = in_body
                || self.hides(&expr.ty, subst)
                || callees.into_iter().any(|callee| {
                    let (id, generics) = self.callee(callee, subst);
                    self.loses(id, &generics)
                });
        });
        in_body || program.given_for(id, args).into_iter().any(|(_, (id, args))| self.loses(id, &args))
    }

    /// Whether values of the type have floats, but no tangents as the code says it.
    fn hides(&mut self, ty: &Ty, subst: &Subst) -> bool {
        // A generic function is as the one that it stands for.
        let known = ty.subst(self.program, subst);
        let ty = if self.program.is_function(ty) { &known } else { ty };
        // The library's own structs are as their parts are, and so is what lambdas capture: they have no word for it.
        if matches!(ty, Ty::Struct(id, _) if self.program.structs[*id].is_std)
            || *ty == Ty::Void
            || self.program.is_function(ty)
        {
            return false;
        }
        self.program.differential(ty).is_none() && self.ty(ty, subst).has_float()
    }
}

impl FunctionLowerer<'_, '_> {
    /// The value as one of that type, which may hide its tangents.
    pub fn viewed(&mut self, value: Value, ty: &Ty) -> Value {
        if self.hides(ty) { self.detached(value) } else { value }
    }

    /// Whether a type without tangents is to carry none here.
    pub fn hides(&mut self, ty: &Ty) -> bool {
        self.lowerer.tracks && self.lowerer.hides(ty, &self.subst)
    }

    /// For each argument of a call whether its tangents are hidden: as the caller says its type, or as the callee does.
    pub fn hidden_arguments(&mut self, call: &Call, id: FnId, generics: &[Arg]) -> Vec<bool> {
        if !self.lowerer.tracks || self.lowerer.program.functions[id].is_std {
            return vec![false; call.args.len()];
        }
        let signature = self.lowerer.signature(id);
        let own = || signature.generics.iter().copied().zip(generics.iter().cloned()).collect();
        // What is given for the callee may see more in its types.
        let seen = self.lowerer.program.seen_as(id, generics);
        let (seen, own) = seen.unwrap_or_else(|| (Subst::default(), own()));
        // An object comes before the parameters.
        let before = call.args.len() - signature.params.len();
        let mut hidden = Vec::new();
        for (index, arg) in call.args.iter().enumerate() {
            let declared = index.checked_sub(before).map(|index| &signature.params[index].ty);
            let declared = declared.map(|ty| ty.subst(self.lowerer.program, &seen));
            let in_callee = declared.is_some_and(|ty| self.lowerer.hides(&ty, &own));
            hidden.push(in_callee || self.hides(&arg.ty));
        }
        hidden
    }

    /// Whether what a call gives is hidden.
    pub fn hides_result(&mut self, call: &Call, ty: &Ty) -> bool {
        let in_library =
            matches!(&call.callee, Callee::Function { id, .. } if self.lowerer.program.functions[*id].is_std);
        !in_library && self.hides(ty)
    }
}
