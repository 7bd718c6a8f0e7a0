//! The order in which what is declared becomes known: names, what interfaces inherit, what types conform to, the rest; bodies come after.
//!
//! A type with packs may be written out at any time, and catches up with the others.

use super::Checker;
use super::context::Context;
use super::interface::Obligation;
use super::program::{
    AliasId, Conformance, ConstId, EnumId, FnId, GlobalId, InterfaceId, RequirementId, StructId,
};
use pullback_base::{Code, Span, ids::Id};

/// How far what is declared is known.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// By name alone.
    Entered,
    /// What interfaces inherit.
    Interfaces,
    /// What types conform to.
    Headers,
    /// All but the bodies.
    Declared,
}

/// The number of the next entry of a table to look at, if there is one.
fn next(at: &mut usize, len: usize) -> Option<usize> {
    let now = *at;
    *at = (now + 1).min(len);
    (now < len).then_some(now)
}

/// How long the tables were.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    pub structs: usize,
    pub enums: usize,
    pub globals: usize,
    pub functions: usize,
    pub interfaces: usize,
    pub requirements: usize,
    pub extensions: usize,
    pub conformances: usize,
    pub pointers: usize,
    pub aliases: usize,
    pub constants: usize,
}

impl Extent {
    pub fn of(program: &super::program::Program<'_>) -> Self {
        Self {
            structs: program.structs.len(),
            enums: program.enums.len(),
            globals: program.globals.len(),
            functions: program.functions.len(),
            interfaces: program.interfaces.len(),
            requirements: program.requirements.len(),
            extensions: program.extensions.len(),
            conformances: program.conformances.len(),
            pointers: program.pointers.len(),
            aliases: program.aliases.len(),
            constants: program.constants.len(),
        }
    }
}

impl Checker<'_> {
    /// All that is declared and not known yet, but for bodies.
    pub fn resolve_declarations(&mut self) {
        self.resolve_headers();
        loop {
            let (first, end) = (self.declared, Extent::of(&self.program));
            if first == end {
                break;
            }
            self.declared = end;
            self.resolve_between(&first, &end);
        }
        for (scope, args, span) in std::mem::take(&mut self.assertions) {
            Context::of_scope(self, scope).static_assert(args, span);
        }
        self.stage = Stage::Declared;
    }

    fn resolve_between(&mut self, first: &Extent, end: &Extent) {
        for id in (first.aliases..end.aliases).map(AliasId::from_index) {
            self.alias(id, Span::NONE);
        }
        for id in (first.structs..end.structs).map(StructId::from_index) {
            self.fields(id, Span::NONE);
        }
        for id in (first.enums..end.enums).map(EnumId::from_index) {
            self.enum_values(id);
        }
        for id in (first.structs..end.structs).map(StructId::from_index) {
            self.initials(id, Span::NONE);
        }
        for id in (first.functions..end.functions).map(FnId::from_index) {
            self.signature(id);
        }
        self.merge_prototypes(first.functions..end.functions);
        for id in (first.globals..end.globals).map(GlobalId::from_index) {
            self.global(id, Span::NONE);
        }
        for id in (first.constants..end.constants).map(ConstId::from_index) {
            self.constant(id, Span::NONE);
        }
        self.check_conformances(first.conformances..end.conformances);
        self.check_pointers(first, end);
        self.note_given_derivatives(first.functions..end.functions);
        self.refuse_endless_values(first.structs..end.structs);
    }

    /// What interfaces inherit; then what structs and extensions are of and conform to.
    pub fn resolve_headers(&mut self) {
        self.resolve_interfaces();
        loop {
            if let Some(id) = next(&mut self.resolved.structs, self.program.structs.len()) {
                self.struct_header(StructId::from_index(id));
            } else if let Some(index) = next(&mut self.resolved.extensions, self.program.extensions.len()) {
                self.extension_header(index);
            } else {
                break;
            }
        }
        let direct = self.program.conformances.split_off(self.resolved.conformances);
        for Conformance { members, interface, span } in direct {
            let this = self.program.members[members].this.clone();
            for interface in self.program.with_bases(&interface, &this) {
                self.program.conformances.push(Conformance { members, interface, span });
            }
        }
        self.resolved.conformances = self.program.conformances.len();
        self.stage = self.stage.max(Stage::Headers);
        for Obligation { param, subst, span } in std::mem::take(&mut self.obligations) {
            if let Some(why) = self.program.misfit(param, &subst) {
                self.error(Code::TypeMismatch, why, span, "in these generic arguments");
                self.headers_broken = true;
            }
        }
    }

    /// What interfaces inherit, and of what kind their associated types are.
    pub fn resolve_interfaces(&mut self) {
        let first = self.resolved.interfaces;
        while let Some(id) = next(&mut self.resolved.interfaces, self.program.interfaces.len()) {
            self.interface_header(InterfaceId::from_index(id));
        }
        for id in (first..self.program.interfaces.len()).map(InterfaceId::from_index) {
            self.inherit(id);
        }
        self.stage = self.stage.max(Stage::Interfaces);
        while let Some(id) = next(&mut self.resolved.requirements, self.program.requirements.len()) {
            self.associated_type_header(RequirementId::from_index(id));
        }
    }
}
