//! Variables declared outside of functions: uniforms and buffers, `static` ones, `groupshared` ones, `cbuffer`s.

use super::collect::Place;
use super::context::Context;
use super::hir::{Expr, ExprKind};
use super::program::{Global, GlobalId, GlobalKind, Lazy, Members, ScopeId, Struct, StructId, Symbol};
use super::types::Ty;
use super::{Checker, done};
use crate::slang::ast::{self, Decl, DeclKind, ModifierKind};
use pullback_base::{Code, Diagnostic, Span, ids::Id};
use pullback_ir::MatrixOrder;
use std::sync::Arc;

/// What a global's declaration says, once read.
#[derive(Clone)]
pub struct GlobalType {
    pub ty: Ty,
    /// What a `static` variable begins with; zero where there is nothing.
    pub init: Option<Arc<Expr>>,
    /// How its matrices lie where whoever launches has them.
    pub order: MatrixOrder,
}

impl<'a> Checker<'a> {
    /// A variable outside of functions that is no constant.
    pub fn collect_global(&mut self, decl: &'a Decl, var: &'a ast::Var, place: Place<'_>) {
        let has = |kind| decl.modifiers.has(kind);
        let kind = match (has(ModifierKind::GroupShared), has(ModifierKind::Static)) {
            (true, _) => GlobalKind::Shared,
            (false, true) => GlobalKind::Static,
            (false, false) => GlobalKind::Uniform,
        };
        let id = self.program.globals.push(Global {
            name: format!("{}{}", place.prefix, var.name.text).into(),
            source: Some((&decl.modifiers, var)),
            scope: place.scope,
            visibility: place.visibility,
            kind,
            declared: Lazy::Pending,
            span: var.name.span,
        });
        self.declare(place.scope, &var.name, Symbol::Global(id));
    }

    /// `cbuffer Name { ... }`: one uniform of a struct that nothing else can name, whose fields are in scope.
    pub fn collect_constant_buffer(&mut self, buffer: &'a ast::Buffer, place: Place<'_>) {
        let layout = &buffer.layout;
        let scope = self.program.new_scope(Some(place.scope));
        let name: Arc<str> = format!("{}{}", place.prefix, layout.name.text).into();
        let ty = Ty::Struct(StructId::from_index(self.program.structs.len()), Arc::default());
        let members =
            self.program.members.push(Members { interface: None, generics: Vec::new(), this: ty.clone() });
        let id = self.program.structs.push(Struct {
            name: name.clone(),
            ast: layout,
            scope,
            members,
            length: None,
            owner: None,
            visibility: place.visibility,
            field_visibility: Vec::new(),
            initials: Lazy::Pending,
            fields: Lazy::Pending,
            leaves: 0,
            is_std: place.is_std,
            broken: false,
            lambda: None,
            span: layout.name.span,
        });
        let global = self.program.globals.push(Global {
            name,
            source: None,
            scope,
            visibility: place.visibility,
            kind: GlobalKind::Uniform,
            declared: Lazy::Done(GlobalType { ty, init: None, order: MatrixOrder::Rows }),
            span: layout.name.span,
        });
        let (mut index, mut fields) = (0, Vec::new());
        for member in &layout.members {
            match &member.kind {
                DeclKind::Var(field) if !member.modifiers.has(ModifierKind::Static) => {
                    self.declare(place.scope, &field.name, Symbol::GlobalField(global, index));
                    fields.push((place.visibility, field.name.clone()));
                    index += 1;
                }
                _ => self.collect_decl(member, place),
            }
        }
        self.program.structs[id].field_visibility = fields;
    }

    /// The type and initial value of a global, found when first asked for.
    pub fn global(&mut self, id: GlobalId, used: Span) -> GlobalType {
        let global = &self.program.globals[id];
        if let Some(declared) = done(&global.declared) {
            return declared;
        }
        let (kind, scope, name, span) = (global.kind, global.scope, global.name.clone(), global.span);
        let nothing = GlobalType { ty: Ty::Error, init: None, order: MatrixOrder::Rows };
        let Some((modifiers, var)) = global.source else { return nothing };
        if matches!(global.declared, Lazy::Busy) {
            self.circle(&format!("`{name}`"), span, used);
            return nothing;
        }
        self.program.globals[id].declared = Lazy::Busy;
        let declared = self.declared_global(modifiers, var, kind, scope);
        self.program.globals[id].declared = Lazy::Done(declared.clone());
        declared
    }

    fn declared_global(
        &mut self,
        modifiers: &ast::Modifiers,
        var: &'a ast::Var,
        kind: GlobalKind,
        scope: ScopeId,
    ) -> GlobalType {
        let mut context = Context::of_scope(self, scope);
        if kind == GlobalKind::Static
            && let Some(Ty::Struct(_, args)) = context.self_ty()
            && !args.is_empty()
        {
            context.unsupported("static variables of generic types", var.name.span);
        }
        if let (Some(init), GlobalKind::Uniform | GlobalKind::Shared) = (&var.init, kind) {
            let (what, help) = match kind {
                GlobalKind::Shared => ("`groupshared` variables", "assign it in the entry point"),
                _ => ("uniforms", "declare it `static`, or `static const`"),
            };
            context.report(
                Diagnostic::error(
                    Code::UnsupportedFeature,
                    format!("initial values of {what} are not supported"),
                )
                .at(init.span, "would be ignored")
                .help(help),
            );
        }
        let mut order = MatrixOrder::Rows;
        let (ty, init) = match (&var.ty, &var.init) {
            (ty, Some(init)) => {
                let value = context.initializer(ty.as_ref(), init, var.name.span);
                (value.ty.clone(), Some(Arc::new(value)))
            }
            (Some(ty), None) => {
                let resolved = match kind {
                    GlobalKind::Shared => context.resolve_stored_type(ty),
                    _ => context.resolve_value_type(ty),
                };
                let resolved = context.sized(resolved, ty.span);
                order = context.declared_order(modifiers, ty, &resolved);
                (resolved, None)
            }
            (None, None) => {
                let message = format!("`{}` has neither a type nor a value", var.name.text);
                context.error(Code::TypeMismatch, message, var.name.span, "needs one of them");
                (Ty::Error, None)
            }
        };
        let broken = context.broken;
        GlobalType { ty: if broken { Ty::Error } else { ty }, init: init.filter(|_| !broken), order }
    }
}

impl Context<'_, '_> {
    pub fn global_value(&mut self, id: GlobalId, span: Span) -> Expr {
        let ty = self.checker.global(id, span).ty;
        self.broken |= ty.is_error();
        // A constant buffer has its struct before that is looked at.
        if let Ty::Struct(layout, _) = &ty {
            self.checker.fields(*layout, span);
            self.broken |= self.checker.program.structs[*layout].broken;
        }
        Expr { kind: ExprKind::Global(id), ty, span }
    }
}
