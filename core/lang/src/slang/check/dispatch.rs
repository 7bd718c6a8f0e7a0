//! Calls where a value of an interface's type tells what runs.

use super::program::{FnId, InterfaceRef, Param, Program, RequirementId, RequirementKind};
use super::types::{Arg, Ty};
use super::{Instance, done};
use pullback_base::{Code, Diagnostic, Span};

/// What a value of an interface's type chooses among.
pub struct Dispatch {
    pub interface: InterfaceRef,
    /// The parameter that is the value; `None` for the object of a requirement.
    pub object: Option<usize>,
    /// For each conforming type what runs, where that is known.
    pub answers: Vec<Option<Instance>>,
}

impl Program<'_> {
    /// What an instance chooses among where a value of an interface's type tells which function runs: a requirement asked of it,
    /// or a generic function whose type is that of one of its arguments.
    pub fn dispatch(&self, id: FnId, args: &[Arg]) -> Option<Dispatch> {
        let function = &self.functions[id];
        let (object, at, interface) = match self.asked_of_object(id, args) {
            Some((at, interface)) => (None, at, interface),
            None => {
                let (param, at, interface) = self.opened(id, args)?;
                (Some(param), at, interface)
            }
        };
        let answer = |ty: Ty| {
            let mut own = args.to_vec();
            own[at] = Arg::Type(ty.clone());
            match (object, function.requirement) {
                (None, Some(requirement)) => self.witness(&ty, requirement, &own),
                _ => Some((id, own)),
            }
        };
        let answers = self.conforming(&interface).into_iter().map(answer).collect();
        Some(Dispatch { interface, object, answers })
    }

    /// The generic parameter `This` of a requirement that is asked of a value of an interface's type, by its number.
    fn asked_of_object(&self, id: FnId, args: &[Arg]) -> Option<(usize, InterfaceRef)> {
        let function = &self.functions[id];
        function.requirement?;
        let at = self.members[function.owner?].generics.len() - 1;
        match args.get(at) {
            Some(Arg::Type(Ty::Interface(interface))) => Some((at, interface.clone())),
            _ => None,
        }
    }

    /// A parameter whose type is a generic one of the function's own that stands for an interface's type, and nothing else that is
    /// taken or given needs to know which type is inside.
    fn opened(&self, id: FnId, args: &[Arg]) -> Option<(usize, usize, InterfaceRef)> {
        let signature = done(&self.functions[id].signature)?;
        let own = signature.generics.iter().zip(args).enumerate().skip(signature.outer);
        own.filter_map(|(at, (&generic, arg))| {
            let Arg::Type(Ty::Interface(interface)) = arg else { return None };
            let is_object = |param: &Param| param.ty.as_param() == Some(generic);
            let object = signature.params.iter().position(is_object)?;
            let others = signature.params.iter().enumerate().filter(|(index, _)| *index != object);
            let told = signature.params[object].direction.reads()
                && !others.into_iter().any(|(_, param)| param.ty.mentions(generic))
                && (signature.result.as_param() == Some(generic) || !signature.result.mentions(generic));
            told.then(|| (object, at, interface.clone()))
        })
        .next()
    }

    /// Why a requirement cannot be called on a value of the interface's type: the value alone must tell which type is meant.
    pub fn undispatchable(&self, requirement: RequirementId, by_object: bool) -> Option<&'static str> {
        let RequirementKind::Function(id) = self.requirements[requirement].kind else { return None };
        let function = &self.functions[id];
        if !by_object {
            return Some("no object here tells which type's it is");
        }
        let this = self.members[function.owner?].this.as_param()?;
        let signature = done(&function.signature)?;
        if signature.params.iter().any(|param| param.ty.mentions(this)) {
            return Some("a parameter's type depends on the type inside");
        }
        let direct = signature.result.head().is_some();
        (signature.result.mentions(this) && !direct).then_some("the result's type depends on the type inside")
    }

    pub fn report_undispatchable(
        &self,
        interface: &InterfaceRef,
        requirement: RequirementId,
        span: Span,
        why: &str,
    ) -> Diagnostic {
        let (name, shown) = (&self.requirements[requirement].name, self.show_interface(interface));
        let message = format!("`{name}` cannot be asked of a value of type `{shown}`");
        Diagnostic::error(Code::TypeMismatch, message)
            .at(span, why)
            .also(self.requirements[requirement].span, "asked for here")
            .help("use a generic parameter, `<T : IName>`, so that the type is known")
    }
}
