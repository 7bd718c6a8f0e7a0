//! Interfaces and extensions: what they declare, what they inherit, and whether the types that claim to conform do.

use super::bounding::Bounding;
use super::collect::Place;
use super::context::Context;
use super::infer::matches;
use super::program::{
    Conformance, Extension, FnId, Generic, GenericKind, Interface, InterfaceId, InterfaceRef, Members,
    MembersId, Requirement, RequirementId, RequirementKind, ScopeId, StructId, Symbol,
};
use super::types::{Bound, ParamId, Subst, Ty};
use super::written::{Declared, first_length};
use super::{Checker, done};
use crate::slang::ast::{self, DeclKind, ModifierKind, TypeExprKind};
use pullback_base::{Code, Diagnostic, Span, ids::Id};
use std::ops::Range;
use std::sync::Arc;

/// A generic argument whose bounds could not be looked at before all conformances were known.
pub struct Obligation {
    pub param: ParamId,
    pub subst: Subst,
    pub span: Span,
}

impl<'a> Checker<'a> {
    pub fn collect_interface(&mut self, aggregate: &'a ast::Aggregate, place: Place<'_>) {
        let id = self.add_interface(aggregate, place, first_length(&aggregate.generics));
        self.declare(place.scope, &aggregate.name, Symbol::Interface(id));
    }

    /// Enters an interface and what it asks for, but no name for it.
    pub fn add_interface(
        &mut self,
        aggregate: &'a ast::Aggregate,
        place: Place<'_>,
        length: Option<usize>,
    ) -> InterfaceId {
        let name = &aggregate.name;
        let (outer, mut generics) = self.generic_scope(&aggregate.generics, place, length);
        let scope = self.program.new_scope(Some(outer));
        let id = InterfaceId::from_index(self.program.interfaces.len());
        let args = generics.iter().map(|&param| self.program.generic_as_arg(param)).collect();
        let itself = InterfaceRef { id, args };
        // The interfaces of numbers admit what the compiler says; what they ask for is declared like that of others.
        let bound = Bound::from_name(&name.text).filter(|_| place.is_std).unwrap_or(Bound::ANY);
        let kind = GenericKind::Type { bound, interfaces: vec![itself], default: None };
        let this = self.program.generics.push(Generic {
            name: "This".into(),
            kind,
            facts: Vec::new(),
            span: name.span,
        });
        generics.push(this);
        let members =
            self.program.members.push(Members { interface: Some(id), generics, this: Ty::param(this) });
        self.program.scopes[scope].names.insert("This".into(), Symbol::This(members));
        let qualified: Arc<str> = format!("{}{}", place.prefix, place.shown(name)).into();
        self.program.interfaces.push(Interface {
            name: qualified.clone(),
            ast: aggregate,
            scope,
            members,
            length,
            visibility: place.visibility,
            bases: Vec::new(),
            bound,
            requirements: Vec::new(),
            span: name.span,
        });
        if length.is_some() {
            self.program.sites.insert(Declared::Interface(id), place.kept());
        }
        let prefix = format!("{qualified}.");
        let inner = Place { scope, prefix: &prefix, owner: Some(members), ..place };
        for member in &aggregate.members {
            match &member.kind {
                DeclKind::Function(function) => {
                    let inner = Place { visibility: self.visibility_of(member, inner), ..inner };
                    if let Some(function) = self.collect_function(member, function, inner) {
                        self.require_function(id, function);
                    }
                }
                DeclKind::Var(var)
                    if member.modifiers.has(ModifierKind::Static)
                        && member.modifiers.has(ModifierKind::Const) =>
                {
                    let inner = Place { visibility: self.visibility_of(member, inner), ..inner };
                    self.require_constant(id, var, inner);
                }
                DeclKind::AssociatedType(ast) => {
                    let kind = RequirementKind::Type { ast, bound: Bound::ANY, interfaces: Vec::new() };
                    let requirement = self.require(id, ast.name.text.clone(), kind, ast.name.span);
                    self.declare(scope, &ast.name, Symbol::Requirement(requirement));
                }
                _ => self.collect_decl(member, inner),
            }
        }
        id
    }

    /// The interface asks for that function.
    pub fn require_function(&mut self, interface: InterfaceId, function: FnId) {
        let kind = RequirementKind::Function(function);
        let name = self.program.functions[function].name.clone();
        let span = self.program.functions[function].ast.name.span;
        let requirement = self.require(interface, name, kind, span);
        self.program.functions[function].requirement = Some(requirement);
    }

    pub fn require(
        &mut self,
        interface: InterfaceId,
        name: Arc<str>,
        kind: RequirementKind<'a>,
        span: Span,
    ) -> RequirementId {
        let id = self.program.requirements.push(Requirement { interface, name, kind, span });
        self.program.interfaces[interface].requirements.push(id);
        id
    }

    pub fn collect_extension(&mut self, extension: &'a ast::Extension, place: Place<'_>) {
        if let Some(pack) = extension.generics.params.iter().find(|param| param.is_pack) {
            self.unsupported("extensions with packs", pack.span);
            return;
        }
        let (outer, generics) = self.generic_scope(&extension.generics, place, None);
        let scope = self.program.new_scope(Some(outer));
        let members = self.program.members.push(Members { interface: None, generics, this: Ty::Error });
        self.program.scopes[scope].names.insert("This".into(), Symbol::This(members));
        self.program.extensions.push(Extension { ast: extension, scope, members });
        // The type's name is not resolved yet: members are named after what is written.
        let prefix = match &extension.target.kind {
            TypeExprKind::Path(path) => path.last().map_or("", |segment| &segment.name.text),
            _ => "",
        };
        let prefix = format!("{prefix}.");
        let inner = Place { scope, prefix: &prefix, owner: Some(members), ..place };
        self.collect(&extension.members, inner);
    }

    pub fn struct_header(&mut self, id: StructId) {
        let decl = &self.program.structs[id];
        let (ast, scope, members, length) = (decl.ast, decl.scope, decl.members, decl.length);
        let generics = self.program.members[members].generics.clone();
        let mut right = self.resolve_generics(&ast.generics, &generics, scope, length);
        right &= self.count_packs(Declared::Struct(id), &ast.generics, scope);
        self.program.structs[id].broken |= !right;
        self.bases(&ast.bases, scope, members);
    }

    pub fn interface_header(&mut self, id: InterfaceId) {
        let interface = &self.program.interfaces[id];
        let (ast, scope, members, length) =
            (interface.ast, interface.scope, interface.members, interface.length);
        let generics = self.program.members[members].generics.clone();
        let Some((&this, own)) = generics.split_last() else { return };
        let mut right = self.resolve_generics(&ast.generics, own, scope, length);
        right &= self.count_packs(Declared::Interface(id), &ast.generics, scope);
        for base in &ast.bases {
            let mut context = Context::of_scope(self, scope);
            let bounding = context.bounding(base);
            right &= !context.broken;
            match bounding {
                Some(Bounding::Interface(base)) => self.program.interfaces[id].bases.push(base),
                Some(Bounding::Builtin(bound)) => {
                    let whole = self.program.interfaces[id].bound.and(bound);
                    self.program.interfaces[id].bound = whole;
                    if let GenericKind::Type { bound, .. } = &mut self.program.generics[this].kind {
                        *bound = whole;
                    }
                }
                None => {}
            }
        }
        self.headers_broken |= !right;
    }

    /// Adds what the bases of an interface inherit to them.
    pub fn inherit(&mut self, id: InterfaceId) {
        let this = self.program.members[self.program.interfaces[id].members].this.clone();
        let mut all: Vec<InterfaceRef> = Vec::new();
        let mut open = self.program.interfaces[id].bases.clone();
        while let Some(base) = open.pop() {
            if base.id == id {
                let (name, span) =
                    (self.program.interfaces[id].name.clone(), self.program.interfaces[id].span);
                self.diagnostics.push(
                    Diagnostic::error(Code::RecursiveCall, format!("interface `{name}` inherits itself"))
                        .at(span, "in a circle")
                        .help("leave out one of the bases"),
                );
                self.headers_broken = true;
                break;
            }
            if all.contains(&base) || all.len() > MAX_BASES {
                continue;
            }
            let bound = self.program.interfaces[base.id].bound;
            self.program.interfaces[id].bound = self.program.interfaces[id].bound.and(bound);
            let subst = self.program.interface_subst(&base, &this);
            let further = self.program.interfaces[base.id].bases.iter();
            open.extend(further.map(|base| base.subst(&self.program, &subst)));
            all.push(base);
        }
        let (scope, bound) = (self.program.interfaces[id].scope, self.program.interfaces[id].bound);
        for base in &all {
            let inherited = self.program.interfaces[base.id].scope;
            self.program.scopes[scope].using.push(inherited);
        }
        if let Some(this) = this.as_param()
            && let GenericKind::Type { bound: own, .. } = &mut self.program.generics[this].kind
        {
            *own = bound;
        }
        self.program.interfaces[id].bases = all;
    }

    pub fn associated_type_header(&mut self, id: RequirementId) {
        let requirement = &self.program.requirements[id];
        let RequirementKind::Type { ast, .. } = requirement.kind else { return };
        let requirement_of = requirement.interface;
        let scope = self.program.interfaces[requirement_of].scope;
        let (bound, interfaces) = self.bounds(&ast.bounds, scope);
        let this = self.program.members[self.program.interfaces[requirement_of].members].this.as_param();
        self.program.requirements[id].kind = RequirementKind::Type { ast, bound, interfaces };
        for constraint in &ast.constraints {
            let right = self.constrain(constraint, scope, this.as_slice(), None);
            self.headers_broken |= !right;
        }
    }

    /// `A & B` behind a colon.
    pub fn bounds(&mut self, bounds: &[ast::TypeExpr], scope: ScopeId) -> (Bound, Vec<InterfaceRef>) {
        let (mut bound, mut interfaces) = (Bound::ANY, Vec::new());
        for ty in bounds {
            let mut context = Context::of_scope(self, scope);
            let bounding = context.bounding(ty);
            self.headers_broken |= context.broken;
            match bounding {
                Some(Bounding::Builtin(other)) => bound = bound.and(other),
                Some(Bounding::Interface(interface)) => {
                    bound = bound.and(self.program.interfaces[interface.id].bound);
                    interfaces.push(interface);
                }
                None => {}
            }
        }
        (bound, interfaces)
    }

    /// Enters what a struct or an extension says it conforms to.
    fn bases(&mut self, bases: &[ast::TypeExpr], scope: ScopeId, members: MembersId) {
        for base in bases {
            let mut context = Context::of_scope(self, scope);
            let bounding = context.bounding(base);
            self.headers_broken |= context.broken;
            match bounding {
                Some(Bounding::Interface(interface)) => {
                    let bound = self.program.interfaces[interface.id].bound;
                    // That it has tangents, or is a pointer, is what it says here.
                    let asked = Bound { differentiable: false, pointer: false, ..bound };
                    if asked.admits(&self.program, &self.program.members[members].this) {
                        let also = self.also_claimed(&interface);
                        for interface in std::iter::once(interface).chain(also) {
                            let span = base.span;
                            self.program.conformances.push(Conformance { members, interface, span });
                        }
                    } else {
                        self.unsupported("structs that conform to the interfaces of numbers", base.span);
                    }
                }
                Some(Bounding::Builtin(bound)) if bound.differentiable => {
                    self.program.differentiable.push(members);
                }
                Some(Bounding::Builtin(bound)) if bound.pointer => {
                    self.program.pointers.push((members, base.span));
                }
                Some(Bounding::Builtin(bound)) if bound != Bound::ANY => {
                    self.unsupported("structs that conform to the interfaces of numbers", base.span);
                }
                _ => {}
            }
        }
    }

    pub fn extension_header(&mut self, index: usize) {
        let Extension { ast, scope, members } = self.program.extensions[index].clone();
        let generics = self.program.members[members].generics.clone();
        let right = self.resolve_generics(&ast.generics, &generics, scope, None);
        let mut context = Context::of_scope(self, scope);
        // `extension IFoo` adds to all types that conform.
        let this = match context.names_interface(&ast.target) {
            true => match context.bounding(&ast.target) {
                Some(Bounding::Interface(interface)) => {
                    let bound = context.checker.program.interfaces[interface.id].bound;
                    let kind = GenericKind::Type { bound, interfaces: vec![interface], default: None };
                    let (name, span) = ("This".into(), ast.target.span);
                    let this = context.checker.program.generics.push(Generic {
                        name,
                        kind,
                        facts: Vec::new(),
                        span,
                    });
                    context.checker.add_generic(members, this);
                    Ty::param(this)
                }
                _ => Ty::Error,
            },
            false => context.resolve_type(&ast.target),
        };
        let broken = context.broken;
        self.headers_broken |= broken || !right;
        if let Ty::Struct(id, _) = &this {
            let extended = self.program.structs[*id].scope;
            self.program.scopes[scope].using.push(extended);
        }
        let by_this = matches(&self.program, &generics, &this, &this).unwrap_or_default();
        let told = |param: ParamId| by_this.contains_key(&param) || self.program.stood_for(param).is_some();
        let untold = generics.iter().find(|&&param| !told(param)).copied();
        if let Some(param) = untold.filter(|_| !this.is_error()) {
            let name = self.program.generics[param].name.clone();
            let message = format!("the extended type does not tell `{name}`");
            self.error(Code::TypeMismatch, message, ast.target.span, "must name all generic parameters");
            self.headers_broken = true;
        }
        self.program.members[members].this = this;
        self.bases(&ast.bases, scope, members);
    }

    /// Gives a declaration of members, and the functions in it, one more generic parameter.
    fn add_generic(&mut self, members: MembersId, param: ParamId) {
        let at = self.program.members[members].generics.len();
        self.program.members[members].generics.push(param);
        for (_, function) in self.program.functions.iter_mut() {
            if function.owner == Some(members) {
                function.generics.insert(at, param);
            }
        }
    }

    /// Refuses structs that may have themselves inside, through a field of an interface's type.
    pub fn refuse_endless_values(&mut self, structs: Range<usize>) {
        for id in structs.map(StructId::from_index) {
            let decl = &self.program.structs[id];
            let this = self.program.members[decl.members].this.clone();
            let fields = self.program.fields_of(&this);
            let (name, span) = (decl.name.clone(), decl.span);
            let mut seen = Vec::new();
            if fields.iter().any(|field| self.program.may_hold(&field.ty, &this, &mut seen)) {
                let message = format!("a value of `{name}` may hold another one, without end");
                let label = "through a field of an interface's type";
                self.error(Code::RecursiveCall, message, span, label);
                self.headers_broken = true;
            }
        }
    }

    /// Whether each type gives what the interfaces it claims ask for.
    pub fn check_conformances(&mut self, conformances: Range<usize>) {
        for index in conformances {
            let Conformance { members, interface, span } = self.program.conformances[index].clone();
            let this = self.program.members[members].this.clone();
            if this.is_error() {
                continue;
            }
            for requirement in self.program.interfaces[interface.id].requirements.clone() {
                if let RequirementKind::Function(asked) = self.program.requirements[requirement].kind {
                    self.answer_written(asked);
                }
                if let Some(why) = self.unmet(&this, &interface, requirement)
                    && !self.give_by_field(&this, &interface, requirement)
                    && !(why.why.is_none() && self.give_by_call(&this, &interface, requirement))
                {
                    self.report_unmet(&this, &interface, requirement, span, why);
                }
            }
            let subst = self.program.interface_subst(&interface, &this);
            let facts = self.program.interface_facts(interface.id).iter();
            let broken: Vec<String> =
                facts.filter_map(|fact| self.program.broken_fact(fact, &subst)).collect();
            for why in broken {
                let (name, asks) = (self.program.show(&this), self.program.show_interface(&interface));
                let message = format!("`{name}` does not conform to `{asks}`");
                let asked = self.program.interfaces[interface.id].span;
                self.diagnostics.push(
                    Diagnostic::error(Code::TypeMismatch, message)
                        .at(span, why)
                        .also(asked, "asked for by this interface")
                        .help("declare the associated types as the interface's `where` says"),
                );
                self.headers_broken = true;
            }
        }
    }

    /// What is wrong with a type's answer to a requirement.
    fn unmet(&mut self, this: &Ty, interface: &InterfaceRef, requirement: RequirementId) -> Option<Unmet> {
        match self.program.requirements[requirement].kind.clone() {
            RequirementKind::Function(asked) => {
                let signature = done(&self.program.functions[asked].signature)?;
                if signature.broken {
                    return None;
                }
                let mut subst = self.program.interface_subst(interface, this);
                for &param in &signature.generics[signature.outer..] {
                    subst.insert(param, self.program.generic_as_arg(param));
                }
                let generics: Vec<_> = signature.generics.iter().map(|param| subst[param].clone()).collect();
                if let Some((given, _)) = self.program.witness(this, requirement, &generics) {
                    let given_signature = done(&self.program.functions[given].signature)?;
                    let passes = || self.program.lets_derivatives_pass(&signature, &given_signature);
                    let why = self.program.other_packs(asked, given, &subst).or_else(passes)?;
                    let wanted = self.program.requirements[requirement].name.to_string();
                    return Some(Unmet { wanted, near: Some(given), why: Some(why) });
                }
                let wanted = self.program.show_function(asked, &subst);
                let near = match self.program.member_of(this, &self.program.requirements[requirement].name) {
                    Some(Symbol::Functions(functions)) => {
                        functions.into_iter().find(|&id| self.program.functions[id].requirement.is_none())
                    }
                    _ => None,
                };
                Some(Unmet { wanted, near, why: None })
            }
            RequirementKind::Type { bound, interfaces, .. } => {
                let name = self.program.requirements[requirement].name.to_string();
                let given = self.program.project(this.clone(), requirement);
                if given.is_error() || self.program.member_of(this, &name).is_none() {
                    return Some(Unmet { wanted: format!("type {name}"), near: None, why: None });
                }
                let subst = self.program.interface_subst(interface, this);
                let shown = self.program.show(&given);
                if !bound.admits(&self.program, &given) {
                    return Some(Unmet {
                        wanted: name,
                        near: None,
                        why: Some(format!("cannot be `{shown}`")),
                    });
                }
                let missing = interfaces
                    .iter()
                    .map(|interface| interface.subst(&self.program, &subst))
                    .find(|interface| !self.program.conforms(&given, interface))?;
                let missing = self.program.show_interface(&missing);
                let why = format!("is `{shown}`, which does not conform to `{missing}`");
                Some(Unmet { wanted: name, near: None, why: Some(why) })
            }
            RequirementKind::Constant { .. } => {
                let why = self.unmet_constant(this, interface, requirement)?;
                Some(Unmet {
                    wanted: self.program.requirements[requirement].name.to_string(),
                    near: None,
                    why,
                })
            }
        }
    }

    fn report_unmet(
        &mut self,
        this: &Ty,
        interface: &InterfaceRef,
        requirement: RequirementId,
        span: Span,
        unmet: Unmet,
    ) {
        let (name, asks) = (self.program.show(this), self.program.show_interface(interface));
        let message = format!("`{name}` does not conform to `{asks}`");
        let label = match &unmet.why {
            Some(why) => format!("`{}` {why}", unmet.wanted),
            None => format!("`{}` is missing", unmet.wanted),
        };
        let mut diagnostic = Diagnostic::error(Code::TypeMismatch, message)
            .at(span, label)
            .also(self.program.requirements[requirement].span, "asked for here");
        if let Some(near) = unmet.near {
            let shown = self.program.show_function(near, &Subst::default());
            let result = done(&self.program.functions[near].signature);
            let result =
                result.map_or_else(String::new, |it| format!(" -> {}", self.program.show(&it.result)));
            let span = self.program.functions[near].ast.name.span;
            diagnostic = diagnostic.also(span, format!("`{shown}{result}` is not the same"));
        }
        self.diagnostics.push(diagnostic.help("declare it as the interface does"));
        self.headers_broken = true;
    }
}

/// An answer to a requirement that is missing or wrong.
struct Unmet {
    wanted: String,
    /// A function of the same name.
    near: Option<FnId>,
    why: Option<String>,
}

/// How many interfaces one may inherit.
const MAX_BASES: usize = 256;
