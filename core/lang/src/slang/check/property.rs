//! Properties and subscripts: members that functions read and write.

use super::Checker;
use super::call::FunctionSet;
use super::collect::Place;
use super::context::Context;
use super::hir::{Accessors, Call, Callee, Expr, ExprKind, Pick};
use super::member::Item;
use super::program::{FnId, Property, PropertyId, RequirementKind, Role, Symbol};
use super::types::Ty;
use crate::slang::ast::{self, AccessorKind, DeclKind, ModifierKind};
use pullback_base::{Code, Diagnostic, Span, bug};
use smallvec::SmallVec;
use std::sync::Arc;

/// The name in a struct's scope that its subscripts have.
const SUBSCRIPT: &str = "__subscript";

impl<'a> Checker<'a> {
    pub fn collect_property(&mut self, property: &'a ast::Property, place: Place<'_>) {
        if let Some(id) = self.collect_accessors(&property.accessors, &property.name, place) {
            self.declare(place.scope, &property.name, Symbol::Property(id));
        }
    }

    pub fn collect_subscript(&mut self, subscript: &'a ast::Subscript, span: Span, place: Place<'_>) {
        let name = ast::Name { text: SUBSCRIPT.into(), span };
        let Some(id) = self.collect_accessors(&subscript.accessors, &name, place) else { return };
        match self.program.scopes[place.scope].names.get_mut(SUBSCRIPT) {
            Some(Symbol::Subscripts(known)) => known.push(id),
            _ => self.declare(place.scope, &name, Symbol::Subscripts(SmallVec::from_slice(&[id]))),
        }
    }

    fn collect_accessors(
        &mut self,
        accessors: &'a [ast::Accessor],
        name: &ast::Name,
        place: Place<'_>,
    ) -> Option<PropertyId> {
        let (mut get, mut set) = (None, None);
        for accessor in accessors {
            let DeclKind::Function(function) = &accessor.function.kind else { continue };
            let has = |name: &str| accessor.function.attributes.iter().any(|a| &*a.name.text == name);
            let role = match accessor.kind {
                _ if place.owner.is_none() || accessor.function.modifiers.has(ModifierKind::Static) => {
                    Role::Plain
                }
                AccessorKind::Get => Role::Method { mutating: has("mutating") },
                _ => Role::Method { mutating: !has("nonmutating") },
            };
            if role == (Role::Method { mutating: true }) && accessor.kind == AccessorKind::Get {
                self.unsupported("getters that change their object", accessor.span);
            }
            if let Some(pack) = function.generics.params.iter().find(|param| param.is_pack) {
                self.unsupported("subscripts with packs", pack.span);
            }
            let id = self.add_function(&accessor.function, function, role, place);
            if let Some(interface) = place.owner.and_then(|owner| self.program.members[owner].interface) {
                self.require_function(interface, id);
            }
            self.name_function(id, place.scope);
            let slot = if accessor.kind == AccessorKind::Get { &mut get } else { &mut set };
            slot.get_or_insert(id);
            if accessor.kind == AccessorKind::SetThrough {
                self.program.functions[id].sets_through = get;
            }
        }
        let Some(get) = get else {
            let message = format!("`{}` cannot be read", name.text);
            self.diagnostics.push(
                Diagnostic::error(Code::UnsupportedFeature, message)
                    .at(name.span, "has no `get`")
                    .help("declare one: `get { return ...; }`"),
            );
            self.program.scopes[place.scope].names.insert(name.text.clone(), Symbol::Refused);
            return None;
        };
        Some(self.program.properties.push(Property { get, set }))
    }
}

impl Context<'_, '_> {
    /// `object.name` of a property; `of` is the type it is a member of.
    pub fn property(&mut self, id: PropertyId, object: Option<Expr>, of: Option<Ty>, span: Span) -> Expr {
        let get = self.checker.program.properties[id].get;
        let of = object.as_ref().map(|object| object.ty.clone()).or(of);
        let set = self.getters(SmallVec::from_slice(&[get]), object, of);
        self.accessed(set, Vec::new(), span)
    }

    /// What `object[...]` may read; `None` where the object's type declares no subscripts.
    pub fn subscripts(&self, object: &Expr) -> Option<FunctionSet> {
        let program = &self.checker.program;
        let Some(Symbol::Subscripts(found)) = program.member_of(&object.ty, SUBSCRIPT) else { return None };
        let getters = found.iter().map(|&id| program.properties[id].get).collect();
        Some(self.getters(getters, Some(object.clone()), Some(object.ty.clone())))
    }

    fn getters(&self, candidates: SmallVec<[FnId; 2]>, object: Option<Expr>, of: Option<Ty>) -> FunctionSet {
        let name = self.checker.program.functions[candidates[0]].qualified.trim_end_matches(".get").into();
        let (candidates, receiver) = (candidates.into_vec(), object.map(Box::new));
        FunctionSet { candidates, receiver, of, ..FunctionSet::named(name) }
    }

    /// The part of an object that one of these getters gives, which its setter may write.
    pub fn accessed(&mut self, set: FunctionSet, args: Vec<Expr>, span: Span) -> Expr {
        let Some((get, subst)) = self.choose(&set, &args, span) else { return self.silent_error(span) };
        let call = self.call_of(get, &subst, set.receiver, args, span);
        let Expr { kind: ExprKind::Call(Call { callee: get_callee, mut args, .. }), ty, .. } = call else {
            return self.silent_error(span);
        };
        let program = &self.checker.program;
        let setter = program.properties.values().find(|property| property.get == get).and_then(|p| p.set);
        if program.functions[get].role == Role::Plain {
            let call = Call { callee: get_callee, args, detached: false };
            return Expr { kind: ExprKind::Call(call), ty, span };
        }
        let set = setter.map(|id| {
            self.checker.signature(id);
            self.checker.want(id);
            let requirement = self.checker.program.functions[id].requirement;
            match (&get_callee, requirement) {
                (Callee::Requirement { this, generics, by_object, .. }, Some(requirement)) => {
                    let (this, generics, by_object) = (this.clone(), generics.clone(), *by_object);
                    Callee::Requirement { this, requirement, generics, by_object }
                }
                (Callee::Derivative { .. }, _) => bug!("check", "a derivative is no accessor"),
                (Callee::Function { generics, .. } | Callee::Requirement { generics, .. }, _) => {
                    Callee::Function { id, generics: generics.clone() }
                }
            }
        });
        let object = Box::new(args.remove(0));
        let accessors = Accessors { get: get_callee, set, args };
        Expr { kind: ExprKind::Pick(object, Pick::Property(Box::new(accessors))), ty, span }
    }

    /// What an expression names where a function is to be named: also `Type.property.get` and `Type.__subscript.set`.
    pub fn function_item(&mut self, expr: &ast::Expr) -> Item {
        let ast::ExprKind::Member { base, name } = &expr.kind else { return self.item(expr) };
        let ast::ExprKind::Member { base: outer, name: property } = &base.kind else {
            return self.item(expr);
        };
        let outer = self.item(outer);
        if let Item::Type(ty) = &outer {
            let accessor: Arc<str> = format!("{}.{}", property.text, name.text).into();
            if let Some(symbol) = self.checker.program.member_of(ty, &accessor) {
                return self.member_item(symbol, &accessor, ty, None, expr.span);
            }
        }
        let inner = self.member(outer, property, base.span);
        self.member(inner, name, expr.span)
    }

    /// Whether a property can be written; an error where not.
    pub fn property_is_assignable(&mut self, object: &Expr, accessors: &Accessors, span: Span) -> bool {
        let Some(set) = &accessors.set else {
            let id = self.accessor_id(&accessors.get);
            let get = &self.checker.program.functions[id];
            let (name, declared) = (get.qualified.replace(".get", ""), get.ast.name.span);
            let refused = Diagnostic::error(Code::NotAssignable, format!("`{name}` has no `set`"))
                .at(span, "written here");
            self.report(match get.is_std {
                true => refused.help("take a type that is written, as `RWTensor` is"),
                false => {
                    refused.also(declared, "can only be read").help("declare `set { ... }` beside its `get`")
                }
            });
            return false;
        };
        let id = self.accessor_id(set);
        let nonmutating = self.checker.program.functions[id].role == Role::Method { mutating: false };
        nonmutating || self.assignable(object)
    }

    /// The declaration of an accessor, be it what an interface asks for.
    fn accessor_id(&self, callee: &Callee) -> FnId {
        let program = &self.checker.program;
        match callee.primal() {
            Callee::Derivative { .. } => bug!("check", "a derivative is no accessor"),
            Callee::Function { id, .. } => *id,
            Callee::Requirement { requirement, .. } => match program.requirements[*requirement].kind {
                RequirementKind::Function(id) => id,
                _ => bug!("check", "`{}` is no accessor", program.requirements[*requirement].name),
            },
        }
    }
}
