//! What types give for what interfaces ask: the function that runs where a requirement is called on a known type.

use super::done;
use super::program::{FnId, Program, RequirementId, RequirementKind, Role, Signature, Symbol};
use super::types::{Arg, Subst, Ty};
use smallvec::SmallVec;

impl Program<'_> {
    /// The function by which a type gives what a requirement asks, and its generic arguments; `generics` are those of the function
    /// that states the requirement.
    pub fn witness(
        &self,
        this: &Ty,
        requirement: RequirementId,
        generics: &[Arg],
    ) -> Option<(FnId, Vec<Arg>)> {
        let RequirementKind::Function(asked) = self.requirements[requirement].kind else { return None };
        let function = &self.functions[asked];
        let wanted = done(&function.signature)?;
        if matches!(this, Ty::Interface(_)) {
            // Which type is inside is told by the value.
            return Some((asked, generics.to_vec()));
        }
        let subst: Subst = wanted.generics.iter().copied().zip(generics.iter().cloned()).collect();
        let own = &generics[wanted.outer..];
        let candidates = match self.member_of(this, &function.name) {
            Some(Symbol::Functions(candidates)) => candidates,
            _ => SmallVec::new(),
        };
        let given = candidates.into_iter().find_map(|id| {
            let id = self.at_length_of(id, function)?;
            let candidate = &self.functions[id];
            let signature = done(&candidate.signature)?;
            let same_count = signature.generics.len() - signature.outer == own.len()
                && signature.params.len() == wanted.params.len();
            if candidate.requirement.is_some() || !same_count || !role_fits(candidate.role, function.role) {
                return None;
            }
            let mut given = self.members_subst(candidate.owner?, this)?;
            given.extend(signature.generics[signature.outer..].iter().copied().zip(own.iter().cloned()));
            let same_params = signature.params.iter().zip(&wanted.params).all(|(param, wanted)| {
                param.direction == wanted.direction
                    && param.ty.subst(self, &given) == wanted.ty.subst(self, &subst)
            });
            let same_result = signature.result.subst(self, &given) == wanted.result.subst(self, &subst);
            let in_order = || signature.generics.iter().map(|param| given[param].clone()).collect();
            (same_params && same_result).then(|| (id, in_order()))
        });
        given.or_else(|| function.ast.body.is_some().then(|| (asked, generics.to_vec())))
    }

    /// Where a function that is to be given for another one has derivatives that the other keeps back by `no_diff`.
    pub fn lets_derivatives_pass(&self, asked: &Signature, given: &Signature) -> Option<String> {
        let has_tangents = |ty: &Ty| self.differential(ty).is_some();
        if asked.result_no_diff && !given.result_no_diff && has_tangents(&given.result) {
            return Some("gives a result that is not `no_diff`".into());
        }
        let params = asked.params.iter().zip(&given.params);
        let (_, param) = params
            .into_iter()
            .find(|(asked, given)| asked.no_diff && !given.no_diff && has_tangents(&given.ty))?;
        Some(format!("takes `{}`, which is not `no_diff`", param.name))
    }

    /// The constructor without parameters of a type that is known, and its generic arguments: what `T()` is for a generic `T`.
    pub fn default_constructor(&self, ty: &Ty) -> Option<(FnId, Vec<Arg>)> {
        let Some(Symbol::Functions(constructors)) = self.member_of(ty, "__init") else { return None };
        constructors.into_iter().find_map(|id| {
            let function = &self.functions[id];
            let signature = done(&function.signature)?;
            let fits = signature.params.is_empty()
                && signature.generics.len() == signature.outer
                && function.requirement.is_none();
            let subst = self.members_subst(function.owner.filter(|_| fits)?, ty)?;
            Some((id, signature.generics.iter().map(|param| subst[param].clone()).collect()))
        })
    }
}

/// A method that changes nothing may stand for one that may.
fn role_fits(given: Role, asked: Role) -> bool {
    given == asked
        || matches!((given, asked), (Role::Method { mutating: false }, Role::Method { mutating: true }))
}
