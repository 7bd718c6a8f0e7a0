//! `value is T` and `value as T`: which type a value of a generic or an interface's type has.

use super::context::Context;
use super::hir::{Expr, ExprKind};
use super::member::Item;
use super::types::Ty;
use crate::slang::ast;
use pullback_base::Span;

impl Context<'_, '_> {
    /// `value is T`, `T is IName`
    pub fn is(&mut self, value: &ast::Expr, ty: &ast::TypeExpr, span: Span) -> Expr {
        let target = self.resolve_type(ty);
        let (value, of) = match self.item(value) {
            Item::Type(of) => (None, of),
            item => {
                let value = self.value_in(item, value.span);
                (Some(Box::new(value.clone())), value.ty)
            }
        };
        if target.is_error() || of.is_error() {
            return self.silent_error(span);
        }
        Expr { kind: ExprKind::Is { value, of, ty: target }, ty: Ty::BOOL, span }
    }

    /// `value as T`, an `Optional<T>`
    pub fn as_(&mut self, value: &ast::Expr, ty: &ast::TypeExpr, span: Span) -> Expr {
        let target = self.resolve_value_type(ty);
        let value = self.expr(value);
        if target.is_error() || value.is_error() {
            return self.silent_error(span);
        }
        if let (Ty::Interface(_), false) = (&target, value.ty == target) {
            return self.unsupported("`as` casts to the types of interfaces", span);
        }
        let Some(optional) = self.checker.program.optional_of(&target) else {
            return self.silent_error(span);
        };
        Expr { kind: ExprKind::As(Box::new(value)), ty: optional, span }
    }
}
