//! What a member's `where` says of the generic parameters of the type around: the member is there for those types alone of which it
//! holds, and takes it for granted.

use super::Checker;
use super::program::{FnId, InterfaceRef, Program};
use super::types::{Arg, Bound, ParamId, Subst};
use crate::slang::ast;

#[derive(Clone, Debug)]
pub struct Demand {
    param: ParamId,
    bound: Bound,
    interfaces: Vec<InterfaceRef>,
}

impl Program<'_> {
    fn demands_of_assumed(&self) -> &[Demand] {
        self.assumed.and_then(|id| self.demands.get(&id)).map_or(&[], Vec::as_slice)
    }

    /// What the function that is being checked demands of a generic parameter.
    pub fn assumed_bound(&self, param: ParamId) -> Bound {
        let demands = self.demands_of_assumed().iter().filter(|demand| demand.param == param);
        demands.fold(Bound::ANY, |bound, demand| bound.and(demand.bound))
    }

    pub fn assumed_interfaces(&self, param: ParamId) -> impl Iterator<Item = InterfaceRef> {
        let demands = self.demands_of_assumed().iter().filter(move |demand| demand.param == param);
        demands.flat_map(|demand| demand.interfaces.iter().cloned())
    }

    /// Why a member is not there where the generic parameters stand for that.
    pub fn unmet_demand(&self, id: FnId, subst: &Subst) -> Option<String> {
        self.demands.get(&id)?.iter().find_map(|demand| {
            let Some(Arg::Type(ty)) = subst.get(&demand.param) else { return None };
            let (name, shown) = (&self.generics[demand.param].name, self.show(ty));
            if !demand.bound.admits(self, ty) {
                return Some(format!("`{name}` cannot be `{shown}`"));
            }
            let mut asked = demand.interfaces.iter().map(|interface| interface.subst(self, subst));
            let missing = asked.find(|interface| !self.conforms(ty, interface))?;
            Some(format!("`{shown}` does not conform to `{}`", self.show_interface(&missing)))
        })
    }
}

impl Checker<'_> {
    /// Notes `where T : IName` of a function's outer generic parameter.
    pub fn demand(&mut self, id: FnId, param: ParamId, bounds: &[ast::TypeExpr]) {
        let scope = self.program.functions[id].scope;
        let (bound, interfaces) = self.bounds(bounds, scope);
        self.program.demands.entry(id).or_default().push(Demand { param, bound, interfaces });
    }
}
