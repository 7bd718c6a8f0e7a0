//! Interfaces of what can be called: `IFunc<R, A, B>` and its kin.
//!
//! The standard library declares one for each number of parameters. That a function has a derivative is no promise that it has to give:
//! `IDifferentiableFunc` is `IFunc`.

use super::context::Context;
use super::program::{Conformance, InterfaceId, InterfaceRef, MembersId, Program, Signature, Symbol};
use super::types::{Arg, Ty};
use pullback_base::Span;
use pullback_ir::Direction;

const PLAIN: &str = "__IFunc";
const MUTATING: &str = "__IMutatingFunc";

/// The names that programs write, and how those of the library begin.
const NAMES: [(&str, &str); 4] = [
    ("IFunc", PLAIN),
    ("IDifferentiableFunc", PLAIN),
    ("IMutatingFunc", MUTATING),
    ("IDifferentiableMutatingFunc", MUTATING),
];

/// The most parameters that the standard library declares an interface for.
const MAX_PARAMS: usize = 8;

impl Program<'_> {
    fn function_interface(&self, stem: &str, params: usize) -> Option<InterfaceId> {
        match self.std_symbol(&format!("{stem}{params}")) {
            Some(Symbol::Interface(id)) => Some(*id),
            _ => None,
        }
    }

    fn is_function_interface(&self, interface: &InterfaceRef) -> bool {
        let params = interface.args.len().saturating_sub(1);
        [PLAIN, MUTATING].iter().any(|stem| self.function_interface(stem, params) == Some(interface.id))
    }

    /// Whether the type is one of functions by what the code says of it.
    pub fn is_function(&self, ty: &Ty) -> bool {
        match ty {
            Ty::Interface(interface) => self.is_function_interface(interface),
            Ty::Struct(id, _) => self.structs[*id].lambda.is_some(),
            ty => ty.is_abstract() && self.promised(ty).iter().any(|asked| self.is_function_interface(asked)),
        }
    }

    /// The interface that `IFunc<R, A>` and its kin name.
    pub fn named_function_interface(&self, name: &str, args: usize) -> Option<InterfaceId> {
        let (_, stem) = NAMES.iter().find(|(known, _)| *known == name)?;
        self.function_interface(stem, args.checked_sub(1)?)
    }

    /// What can be called without a change of its own is as good where such a change is allowed.
    pub fn also_claimed(&self, interface: &InterfaceRef) -> Option<InterfaceRef> {
        let params = interface.args.len().checked_sub(1)?;
        let id = self.function_interface(PLAIN, params).filter(|id| *id == interface.id);
        id.and_then(|_| self.function_interface(MUTATING, params))
            .map(|id| InterfaceRef { id, args: interface.args.clone() })
    }

    /// A type with such an `operator()` conforms to the interfaces that ask for it.
    pub fn claim_function_interfaces(&mut self, members: MembersId, signature: &Signature, span: Span) {
        let is_plain = signature.generics.len() == signature.outer
            && signature.params.iter().all(|param| param.direction == Direction::In);
        let Some(id) = self.function_interface(PLAIN, signature.params.len()).filter(|_| is_plain) else {
            return;
        };
        let params = signature.params.iter().map(|param| param.ty.clone());
        let args = std::iter::once(signature.result.clone()).chain(params).map(Arg::Type).collect();
        let plain = InterfaceRef { id, args };
        let also = self.also_claimed(&plain);
        for interface in std::iter::once(plain).chain(also) {
            self.conformances.push(Conformance { members, interface, span });
        }
    }
}

impl Context<'_, '_> {
    /// Refuses `IFunc` with more or fewer arguments than there are interfaces for; whether it was that.
    pub fn refuse_function_interface(&mut self, name: &str, span: Span) -> bool {
        let is_function = NAMES.iter().any(|(known, _)| *known == name);
        if is_function {
            let what = format!("`{name}` without a result's type, or of more than {MAX_PARAMS} parameters,");
            self.unsupported(&what, span);
        }
        is_function
    }
}
