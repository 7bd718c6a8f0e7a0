//! Differentiable pointers, `IDifferentiablePtrType`: types whose values lead to where derivatives are. A derivative takes
//! them in pairs, `DifferentialPtrPair<T>`, whose second part goes where the first one goes, and is never summed.

use super::Checker;
use super::program::{Program, Symbol};
use super::stages::Extent;
use super::types::{Bound, Elem, Pairing, Ty};
use pullback_base::{Code, Diagnostic, Span};

/// What is said of a pair without its second part.
pub const INCOMPLETE_POINTER_PAIR: &str = "a pair is made of a pointer and where its derivatives are";

impl Pairing {
    const ALL: [Pairing; 2] = [Pairing::Tangent, Pairing::Pointer];

    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Pairing::Tangent => "DifferentialPair",
            Pairing::Pointer => "DifferentialPtrPair",
        }
    }

    pub fn from_name(name: &str) -> Option<Pairing> {
        Self::ALL.into_iter().find(|pairing| pairing.name() == name)
    }
}

impl Program<'_> {
    /// The type of the second parts of pairs of pointers, where the type is one of pointers.
    pub fn pointer_differential(&self, ty: &Ty) -> Option<Ty> {
        match ty {
            Ty::Error => Some(Ty::Error),
            Ty::Array(element, count) => {
                Some(Ty::Array(self.pointer_differential(element)?.into(), count.clone()))
            }
            Ty::Differential(of) => self.pointer_differential(of).map(|_| ty.clone()),
            _ if self.promises_pointer(ty) => {
                let differential = Ty::Differential(ty.clone().into());
                Some(self.stated_equal(&differential).unwrap_or(differential))
            }
            _ if self.says_pointer(ty) => Some(self.declared_differential(ty).unwrap_or(Ty::Error)),
            _ => None,
        }
    }

    /// What stands beside a value of the type in a pair of that kind.
    pub fn dual(&self, pairing: Pairing, ty: &Ty) -> Option<Ty> {
        match pairing {
            Pairing::Tangent => self.differential(ty),
            Pairing::Pointer => self.pointer_differential(ty),
        }
    }

    /// `T.Differential`
    pub fn any_differential(&self, ty: &Ty) -> Option<Ty> {
        self.differential(ty).or_else(|| self.pointer_differential(ty))
    }

    /// Whether there are any such types.
    pub fn has_pointers(&self) -> bool {
        !self.pointers.is_empty() || self.interfaces.values().any(|interface| interface.bound.pointer)
    }

    /// How derivatives take values of the type in pairs, if they do. Numbers are never followed as pointers.
    pub fn pairing(&self, ty: &Ty) -> Option<Pairing> {
        if self.differential(ty).is_some() {
            return Some(Pairing::Tangent);
        }
        let mut element = ty;
        while let Ty::Array(inner, _) = element {
            element = inner;
        }
        let is_pointer = match element {
            Ty::Number(Elem::Scalar(_), _) => false,
            element if element.is_abstract() => self.promises_pointer(element),
            element => self.says_pointer(element),
        };
        is_pointer.then_some(Pairing::Pointer)
    }

    /// Whether values of a known type are pointers, which pairs hold one by one.
    pub fn is_pointer(&self, ty: &Ty) -> bool {
        matches!(ty, Ty::Struct(..)) && self.pairing(ty) == Some(Pairing::Pointer)
    }

    /// Whether the bounds of an abstract type say that it is one of pointers.
    fn promises_pointer(&self, ty: &Ty) -> bool {
        let bound = match ty {
            Ty::Number(Elem::Param(param), _) => self.bound(*param),
            Ty::Assoc(_, requirement) => self.requirement_bound(*requirement),
            _ => Bound::ANY,
        };
        let promises = || self.promised(ty).iter().any(|promise| self.interfaces[promise.id].bound.pointer);
        ty.is_abstract() && (bound.pointer || promises())
    }

    /// Whether a type says that it is one of pointers, itself, by an interface or by an extension.
    fn says_pointer(&self, ty: &Ty) -> bool {
        self.pointers.iter().any(|(members, _)| self.members_subst(*members, ty).is_some())
            || self.conformances.iter().any(|conformance| {
                self.interfaces[conformance.interface.id].bound.pointer
                    && self.members_subst(conformance.members, ty).is_some()
            })
    }
}

impl Checker<'_> {
    /// Whether each type of pointers tells the type of its derivatives, which must be one of pointers too.
    pub fn check_pointers(&mut self, first: &Extent, end: &Extent) {
        let by_interface = self.program.conformances[first.conformances..end.conformances].iter();
        let by_interface = by_interface.filter(|it| self.program.interfaces[it.interface.id].bound.pointer);
        let stated = self.program.pointers[first.pointers..end.pointers].iter().copied();
        let stated: Vec<_> = stated.chain(by_interface.map(|it| (it.members, it.span))).collect();
        for (members, span) in stated {
            let this = self.program.members[members].this.clone();
            if this.is_error() || self.says_enough(&this) {
                continue;
            }
            let shown = self.program.show(&this);
            self.diagnostics.push(
                Diagnostic::error(
                    Code::TypeMismatch,
                    format!("`{shown}` does not conform to `IDifferentiablePtrType`"),
                )
                .at(
                    span,
                    "asks for a type `Differential` that is one of differentiable pointers, and its own",
                )
                .help(format!("declare `typealias Differential = {shown};` in it")),
            );
            self.headers_broken = true;
        }
    }

    fn says_enough(&mut self, this: &Ty) -> bool {
        if let Some(Symbol::Alias(alias)) = self.program.member_of(this, "Differential") {
            self.alias(alias, Span::NONE);
        }
        self.program.declared_differential(this).is_some_and(|differential| {
            differential.is_error()
                || self.program.pointer_differential(&differential).as_ref() == Some(&differential)
        })
    }
}
