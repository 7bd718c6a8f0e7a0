//! What `fwd_diff` and `bwd_diff` follow. A type without tangents carries none: not through the fields of a plain struct, not
//! behind an interface or a generic type that does not say `IDifferentiable`. Callers from outside, who ask for the gradient of
//! all that a function computes, follow every float; so a function that both differentiate may have an instance for each.
//! Lambdas carry what they capture, whatever they are passed as.

use super::Lowerer;
use super::function::FunctionLowerer;
use crate::slang::check::hir::{Call, Callee};
use crate::slang::check::program::FnId;
use crate::slang::check::types::{Arg, Subst, Ty};
use pullback_ir::{Op, Value};

impl Lowerer<'_> {
    /// Whether values of the type have floats, but no tangents as the code says it.
    pub fn hides(&mut self, ty: &Ty, subst: &Subst) -> bool {
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
        if self.hides(ty) { self.cut(value, ty) } else { value }
    }

    /// The value without the derivative that its type has no room for.
    pub fn cut(&mut self, value: Value, ty: &Ty) -> Value {
        if !self.ssa.ty(value).has_float() {
            return value;
        }
        let name = self.lowerer.program.show(ty);
        self.lowerer.cut_types.entry(self.ssa.span()).or_insert(name.into());
        self.ssa.op(Op::Cut, &[value])
    }

    /// Whether a type without tangents is to carry none here.
    pub fn hides(&mut self, ty: &Ty) -> bool {
        self.lowerer.view.tracks && self.lowerer.hides(ty, &self.subst)
    }

    /// For each argument of a call the type that hides its tangents, if one does: as the caller says it, or as the callee does.
    pub fn hidden_arguments(&mut self, call: &Call, id: FnId, generics: &[Arg]) -> Vec<Option<Ty>> {
        if !self.lowerer.view.tracks || self.lowerer.program.functions[id].is_std {
            return vec![None; call.args.len()];
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
            let in_callee = declared.filter(|ty| self.lowerer.hides(ty, &own));
            hidden.push(in_callee.or_else(|| self.hides(&arg.ty).then(|| arg.ty.clone())));
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
