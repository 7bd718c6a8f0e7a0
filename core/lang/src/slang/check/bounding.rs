//! Which interface a bound names, and at which generic arguments.

use super::context::Context;
use super::program::{AliasId, InterfaceId, InterfaceRef, Symbol};
use super::suggest::nearest;
use super::types::Bound;
use super::written::{Declared, own_count};
use crate::slang::ast::{self, TypeExprKind};
use pullback_base::{Code, Diagnostic, Span};

/// Interfaces of the language that are not there yet: better refused by name than called unknown.
const FOREIGN: [&str; 5] = ["IOpaqueDescriptor", "IArray", "IRWArray", "IRangedValue", "__EnumType"];

/// So many aliases of aliases are followed: more are a circle.
const MAX_ALIASES: usize = 64;

/// What a bound names.
pub enum Bounding {
    Builtin(Bound),
    Interface(InterfaceRef),
}

impl Context<'_, '_> {
    /// Whether a type expression names an interface of the program.
    pub fn names_interface(&self, ty: &ast::TypeExpr) -> bool {
        self.interface_symbol(ty).is_some()
    }

    /// Whether the name is of an interface whose parameters take any type that conforms.
    pub fn names_open_interface(&self, ty: &ast::TypeExpr) -> bool {
        self.interface_symbol(ty).is_some_and(|id| self.checker.program.value_alias(id).is_none())
    }

    /// Whether it names an interface of the program or a builtin one.
    pub fn names_bound(&self, ty: &ast::TypeExpr) -> bool {
        let builtin = match &ty.kind {
            TypeExprKind::Path(path) => match &path[..] {
                [segment] => Bound::from_name(&segment.name.text).is_some(),
                _ => false,
            },
            _ => false,
        };
        builtin || self.names_interface(ty)
    }

    fn interface_symbol(&self, ty: &ast::TypeExpr) -> Option<InterfaceId> {
        self.interface_symbol_within(ty, MAX_ALIASES)
    }

    fn interface_symbol_within(&self, ty: &ast::TypeExpr, hops: usize) -> Option<InterfaceId> {
        let TypeExprKind::Path(path) = &ty.kind else { return None };
        let (first, rest) = path.split_first()?;
        let Some(mut symbol) = self.lookup(&first.name.text) else {
            let program = &self.checker.program;
            return program.renamed_interface(&first.name.text);
        };
        for segment in rest {
            let scope = match symbol {
                Symbol::Namespace(scope) => scope,
                Symbol::Struct(id) => self.checker.program.structs[id].scope,
                _ => return None,
            };
            symbol = self.checker.program.member(scope, &segment.name.text)?.clone();
        }
        match symbol {
            Symbol::Interface(id) => Some(id),
            Symbol::Alias(id) => {
                let aliased = self.aliased(id)?;
                self.interface_symbol_within(aliased, hops.checked_sub(1)?)
            }
            _ => None,
        }
    }

    /// What an alias without parameters of its own is written to stand for.
    fn aliased(&self, id: AliasId) -> Option<&ast::TypeExpr> {
        let alias = &self.checker.program.aliases[id];
        alias.ast.generics.params.is_empty().then_some(&alias.ast.ty)
    }

    /// The interface a bound names; `None` after an error.
    pub fn bounding(&mut self, ty: &ast::TypeExpr) -> Option<Bounding> {
        self.bounding_within(ty, MAX_ALIASES)
    }

    fn bounding_within(&mut self, ty: &ast::TypeExpr, hops: usize) -> Option<Bounding> {
        let TypeExprKind::Path(path) = &ty.kind else {
            self.error(Code::TypeMismatch, "this is no interface", ty.span, "an interface is needed here");
            return None;
        };
        if let [segment] = &path[..] {
            if let Some(bound) = Bound::from_name(&segment.name.text)
                && self.interface_symbol(ty).is_none()
            {
                return Some(Bounding::Builtin(bound));
            }
            if let Some(Symbol::Alias(id)) = self.lookup(&segment.name.text)
                && let alias = &self.checker.program.aliases[id]
                && alias.ast.generics.params.is_empty()
            {
                let (ty, scope) = (&alias.ast.ty, alias.scope);
                let mut context = Context::of_scope(self.checker, scope);
                let bounding = match hops.checked_sub(1) {
                    Some(hops) => context.bounding_within(ty, hops),
                    None => {
                        let (message, help) = ("this alias stands for itself", "break the circle");
                        context.error_advised(Code::RecursiveCall, message, ty.span, "in a circle", help);
                        None
                    }
                };
                let broken = context.broken;
                self.broken |= broken;
                return bounding;
            }
        }
        let Some(id) = self.interface_symbol(ty) else {
            let last = path.last().map_or(ty.span, |segment| segment.name.span);
            let name = path.last().map_or("", |segment| &segment.name.text);
            match self.lookup(name) {
                Some(Symbol::Refused) => self.broken = true,
                Some(Symbol::Struct(_)) => {
                    self.unsupported("structs that inherit structs", last);
                }
                None if FOREIGN.contains(&name) => {
                    self.unsupported(&format!("interfaces like `{name}`"), last);
                }
                _ => {
                    let message = format!("no interface named `{name}` is in scope");
                    let mut diagnostic =
                        Diagnostic::error(Code::UnknownName, message).at(last, "not declared");
                    let declared = self.scope_names(|symbol| matches!(symbol, Symbol::Interface(_)));
                    if let Some(near) = nearest(name, declared.iter().map(|name| &**name)) {
                        diagnostic = diagnostic.help(format!("did you mean `{near}`?"));
                    }
                    self.report(diagnostic);
                }
            }
            return None;
        };
        if self.refuse_hidden(&Symbol::Interface(id), None, ty.span) {
            return None;
        }
        let given = path.last().map_or(&[][..], |segment| &segment.args);
        self.interface_at(id, given, ty.span).map(Bounding::Interface)
    }

    /// An interface at the generic arguments that are written.
    pub fn interface_at(
        &mut self,
        id: InterfaceId,
        given: &[ast::GenericArg],
        span: Span,
    ) -> Option<InterfaceRef> {
        let given = &*self.spread_generic(given);
        let Declared::Interface(id) = self.written_for(Declared::Interface(id), given, span)? else {
            return None;
        };
        let interface = &self.checker.program.interfaces[id];
        let (name, own) = (interface.name.clone(), own_count(&interface.ast.generics, interface.length));
        let generics = self.checker.program.members[interface.members].generics.clone();
        let generics = &generics[..generics.len() - 1];
        let args = self.generic_args(&name, generics, own, None, given, span)?;
        self.refuse_wrong_pack(Declared::Interface(id), generics, &args, span)?;
        Some(InterfaceRef { id, args: args.into() })
    }
}
