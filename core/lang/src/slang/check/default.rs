//! What variables and fields hold before anything is assigned: zero, the fields' initial values, or what a constructor
//! without parameters makes.

use super::Checker;
use super::context::Context;
use super::count::Count;
use super::hir::{Expr, ExprKind};
use super::program::{FnId, Lazy, StructId, Symbol};
use super::types::Ty;
use crate::slang::ast::{DeclKind, ModifierKind};
use pullback_base::Span;
use std::sync::Arc;

/// The initial value of each field that has one.
pub type Initials = Arc<[Option<Arc<Expr>>]>;

impl Checker<'_> {
    /// The initial values of a struct's fields, found when first asked for.
    pub fn initials(&mut self, id: StructId, used: Span) -> Initials {
        match &self.program.structs[id].initials {
            Lazy::Done(initials) => return initials.clone(),
            Lazy::Busy => {
                let (name, span) = (self.program.structs[id].name.clone(), self.program.structs[id].span);
                if !std::mem::replace(&mut self.program.structs[id].broken, true) {
                    self.circle(&format!("the initial value of struct `{name}`"), span, used);
                }
                return Arc::default();
            }
            Lazy::Pending => {}
        }
        let (ast, scope) = (self.program.structs[id].ast, self.program.structs[id].scope);
        let types: Vec<Ty> = self.fields(id, used).iter().map(|field| field.ty.clone()).collect();
        self.program.structs[id].initials = Lazy::Busy;
        let is_field = |member: &&crate::slang::ast::Decl| !member.modifiers.has(ModifierKind::Static);
        let fields = ast.members.iter().filter(is_field).filter_map(|member| match &member.kind {
            DeclKind::Var(var) => Some(var),
            _ => None,
        });
        let mut initials = Vec::new();
        for (field, ty) in fields.zip(types) {
            let Some(init) = &field.init else {
                initials.push(None);
                continue;
            };
            let mut context = Context::of_scope(self, scope);
            let value = context.expr_for(init, &ty);
            let value = context.coerce(value, &ty, "the field");
            if !context.locals.is_empty() {
                context.unsupported("initial values of fields that change variables", init.span);
            }
            let broken = context.broken;
            self.program.structs[id].broken |= broken;
            initials.push((!broken).then(|| Arc::new(value)));
        }
        let initials: Initials = initials.into();
        self.program.structs[id].initials = Lazy::Done(initials.clone());
        initials
    }

    /// Whether a value that is not given differs from zero.
    fn has_default(&mut self, ty: &Ty, span: Span) -> bool {
        match ty {
            Ty::Struct(id, _) => {
                self.constructors(*id).iter().any(|&id| self.signature(id).params.is_empty())
                    || self.has_initials(ty, span)
            }
            Ty::Array(element, _) => self.has_default(element, span),
            _ => false,
        }
    }

    /// Whether a struct that no constructor made differs from zero.
    pub fn has_initials(&mut self, ty: &Ty, span: Span) -> bool {
        let Ty::Struct(id, _) = ty else { return false };
        self.initials(*id, span).iter().any(Option::is_some)
            || self.fields_of(ty, span).iter().any(|field| self.has_default(&field.ty, span))
    }

    pub fn constructors(&self, id: StructId) -> Vec<FnId> {
        match self.program.scopes[self.program.structs[id].scope].names.get("__init") {
            Some(Symbol::Functions(found)) => found.to_vec(),
            _ => Vec::new(),
        }
    }
}

impl Ty {
    /// Whether generic parameters stand in it, so that what it holds at first is known only when they are.
    pub fn is_open(&self) -> bool {
        match self {
            Ty::Array(element, _) => element.is_open(),
            Ty::Struct(_, args) => {
                args.iter().any(|arg| matches!(arg, super::types::Arg::Type(ty) if ty.is_open()))
            }
            ty => ty.is_abstract(),
        }
    }
}

impl Context<'_, '_> {
    /// What a variable of that type holds at first.
    pub fn default_of(&mut self, ty: &Ty, span: Span) -> Expr {
        if !self.checker.has_default(ty, span) {
            return Expr { kind: ExprKind::Zero, ty: ty.clone(), span };
        }
        match ty {
            Ty::Struct(id, _) => {
                let constructors = self.checker.constructors(*id);
                let plain = constructors.into_iter().find(|&id| self.checker.signature(id).params.is_empty());
                match plain {
                    Some(constructor) => {
                        let subst =
                            self.checker.program.outer_subst(constructor, Some(ty)).unwrap_or_default();
                        self.call_of(constructor, &subst, None, Vec::new(), span)
                    }
                    None => self.initial(ty, span),
                }
            }
            Ty::Array(element, Count::Known(count)) => {
                let value = self.default_of(element, span);
                let elements = vec![value; *count as usize];
                Expr { kind: ExprKind::Construct(elements), ty: ty.clone(), span }
            }
            _ => self.unsupported("arrays of generic size whose elements have initial values", span),
        }
    }

    /// A struct whose fields hold their initial values, before any constructor.
    pub fn initial(&mut self, ty: &Ty, span: Span) -> Expr {
        let fields = self.checker.fields_of(ty, span);
        let elements = (0..fields.len()).map(|index| self.initial_field(ty, index, span)).collect();
        Expr { kind: ExprKind::Construct(elements), ty: ty.clone(), span }
    }

    /// What a field holds before it is assigned.
    pub fn initial_field(&mut self, ty: &Ty, index: usize, span: Span) -> Expr {
        let Some(field) = self.checker.fields_of(ty, span).get(index).cloned() else {
            return self.silent_error(span);
        };
        let given = match ty {
            Ty::Struct(id, _) => self.checker.initials(*id, span).get(index).cloned().flatten(),
            _ => None,
        };
        let (Some(value), Ty::Struct(id, args)) = (given, ty) else {
            return self.default_of(&field.ty, span);
        };
        let value = Expr { span, ..Expr::clone(&value) };
        if args.is_empty() {
            return value;
        }
        let members = self.checker.program.structs[*id].members;
        let generics = self.checker.program.members[members].generics.clone();
        let bindings = generics.into_iter().zip(args.iter().cloned()).collect();
        Expr { kind: ExprKind::Under(bindings, Box::new(value)), ty: field.ty, span }
    }
}
