//! Interfaces of what can be called: `IFunc<R, A, B>` and its kin.
//!
//! That a function has a derivative is no promise that it has to give: `IDifferentiableFunc` is `IFunc`.

use super::Checker;
use super::program::{Conformance, InterfaceId, InterfaceRef, MembersId, Program, Signature, Symbol};
use super::types::{Arg, Ty};
use super::written::Declared;
use pullback_base::Span;
use pullback_ir::Direction;

const PLAIN: &str = "IFunc";
const MUTATING: &str = "IMutatingFunc";

impl Program<'_> {
    fn function_interface(&self, name: &str) -> Option<InterfaceId> {
        match self.std_symbol(name) {
            Some(Symbol::Interface(id)) => Some(*id),
            _ => None,
        }
    }

    /// Whether an interface is the one of that name, for however many parameters.
    fn is_function_interface(&self, interface: &InterfaceRef, name: &str) -> bool {
        let declared = |id: InterfaceId| self.interfaces[id].ast;
        self.function_interface(name).is_some_and(|id| std::ptr::eq(declared(id), declared(interface.id)))
    }

    /// Whether the type is one of functions by what the code says of it.
    pub fn is_function(&self, ty: &Ty) -> bool {
        let is_it = |asked: &InterfaceRef| {
            self.is_function_interface(asked, PLAIN) || self.is_function_interface(asked, MUTATING)
        };
        match ty {
            Ty::Interface(interface) => is_it(interface),
            Ty::Struct(id, _) => self.structs[*id].lambda.is_some(),
            ty => ty.is_abstract() && self.promised(ty).iter().any(is_it),
        }
    }

    /// The interface that is known by another name too.
    pub fn renamed_interface(&self, name: &str) -> Option<InterfaceId> {
        match name {
            "IDifferentiableFunc" => self.function_interface(PLAIN),
            "IDifferentiableMutatingFunc" => self.function_interface(MUTATING),
            _ => None,
        }
    }
}

impl Checker<'_> {
    /// What can be called without a change of its own is as good where such a change is allowed.
    pub fn also_claimed(&mut self, interface: &InterfaceRef) -> Option<InterfaceRef> {
        if !self.program.is_function_interface(interface, PLAIN) {
            return None;
        }
        self.function_interface(MUTATING, interface.args.to_vec())
    }

    /// `IFunc<R, A>` of a result's type and those of parameters.
    fn function_interface(&mut self, name: &str, args: Vec<Arg>) -> Option<InterfaceRef> {
        let id = self.program.function_interface(name)?;
        match self.written(Declared::Interface(id), args.len() - 1) {
            Ok(Declared::Interface(id)) => Some(InterfaceRef { id, args: args.into() }),
            _ => None,
        }
    }

    /// A type with such an `operator()` conforms to the interfaces that ask for it.
    pub fn claim_function_interfaces(&mut self, members: MembersId, signature: &Signature, span: Span) {
        let is_plain = signature.generics.len() == signature.outer
            && signature.params.iter().all(|param| param.direction == Direction::In);
        if !is_plain {
            return;
        }
        let params = signature.params.iter().map(|param| param.ty.clone());
        let args: Vec<Arg> = std::iter::once(signature.result.clone()).chain(params).map(Arg::Type).collect();
        for name in [PLAIN, MUTATING] {
            if let Some(interface) = self.function_interface(name, args.clone()) {
                self.program.conformances.push(Conformance { members, interface, span });
            }
        }
    }
}
