//! Aggregates from parts: initializer lists and `float4(v.xyz, 1)`.

use super::context::Context;
use super::count::Count;
use super::differential_pointer::INCOMPLETE_POINTER_PAIR;
use super::hir::{Expr, ExprKind};
use super::program::Symbol;
use super::resolve::UNSIZED;
use super::types::{Pairing, Shape, Ty};
use crate::slang::ast;
use pullback_base::{Code, Diagnostic, Span};
use std::sync::Arc;

impl Context<'_, '_> {
    /// The value of a variable's initializer, in the declared type if there is one.
    pub fn initializer(&mut self, ty: Option<&ast::TypeExpr>, init: &ast::Expr, name_span: Span) -> Expr {
        let Some(ty) = ty else {
            let value = self.expr(init);
            let ty = self.refuse_atomic(value.ty.clone(), value.span);
            return if ty.is_error() { self.silent_error(value.span) } else { value };
        };
        let ty = self.resolve_value_type(ty);
        if ty.is_error() {
            self.expr_for(init, &ty);
            return self.silent_error(name_span);
        }
        let value = self.expr_for(init, &ty);
        let ty = match (&ty, &value.ty) {
            // `float a[] = ...`: the initializer tells the size.
            (Ty::Array(element, UNSIZED), Ty::Array(_, count)) => Ty::Array(element.clone(), count.clone()),
            _ => ty,
        };
        self.coerce(value, &ty, "the initializer")
    }

    /// `{ a, b, ... }` as a value of that type.
    pub fn init_list(&mut self, items: &[ast::Expr], ty: &Ty, span: Span) -> Expr {
        if ty.is_error() {
            for item in items.iter().filter(|item| !matches!(item.kind, ast::ExprKind::InitList(_))) {
                self.expr(item);
            }
            return self.silent_error(span);
        }
        if let Ty::Struct(id, _) = ty {
            let scope = self.checker.program.structs[*id].scope;
            let constructors = self.checker.program.scopes[scope].names.get("__init");
            if matches!(constructors, Some(Symbol::Functions(_)))
                && !items.is_empty()
                && !self.in_constructor()
            {
                let name = ast::Name { text: self.checker.program.structs[*id].name.clone(), span };
                let set = match self.checker.program.scopes[scope].names.get("__init") {
                    Some(Symbol::Functions(candidates)) => candidates.to_vec(),
                    _ => Vec::new(),
                };
                return self.construct_with(set, name, ty, items, span);
            }
        }
        if items.is_empty() && !matches!(ty, Ty::Array(_, UNSIZED)) {
            return self.default_of(ty, span);
        }
        let by_constructor = || self.checker.program.member_of(ty, "__init").is_some();
        if ty.is_abstract() && by_constructor() {
            return self.construct(ty, items, span);
        }
        let mut list = List { items, at: 0, ahead: None };
        let value = self.fill(&mut list, ty, span, true);
        if list.at < items.len() && !value.is_error() {
            let shown = self.show(ty);
            let extra = items[list.at].span.to(items[items.len() - 1].span);
            let message = format!("too many values for `{shown}`");
            return self.error(
                Code::TypeMismatch,
                message,
                extra,
                format!("{} more than fit", items.len() - list.at),
            );
        }
        value
    }

    fn construct_with(
        &mut self,
        candidates: Vec<super::program::FnId>,
        name: ast::Name,
        ty: &Ty,
        items: &[ast::Expr],
        span: Span,
    ) -> Expr {
        let args: Vec<Expr> = items.iter().map(|item| self.expr(item)).collect();
        if args.iter().any(Expr::is_error) {
            return self.silent_error(span);
        }
        let set = super::call::FunctionSet::constructors(name.text, &candidates, ty);
        match self.choose(&set, &args, span) {
            Some((function, subst)) => self.call_of(function, &subst, None, args, span),
            None => self.silent_error(span),
        }
    }

    /// Takes values from the list for one aggregate; inner braces may be left out. What the list does not give is zero, but
    /// for where the derivatives of a pointer are.
    fn fill(&mut self, list: &mut List<'_>, ty: &Ty, span: Span, outermost: bool) -> Expr {
        let element_types: Vec<Ty> = match ty {
            Ty::Struct(..) | Ty::Pair(..) | Ty::Differential(_) => {
                self.checker.fields_of(ty, span).iter().map(|field| field.ty.clone()).collect()
            }
            Ty::Array(element, UNSIZED) => return self.fill_unsized(list, element, span),
            _ => match (ty.element(), ty.count()) {
                (Some(element), Some(Count::Known(count))) => vec![element; count as usize],
                _ => return self.next_value(list, ty, span),
            },
        };
        if self.shares_bits(ty) && list.peek().is_some() {
            list.at = list.items.len();
            return self.unsupported("initializer lists of structs with bit fields", span);
        }
        if !outermost && let Some(item) = list.peek() {
            // A value of the whole aggregate stands for all of it.
            if let ast::ExprKind::InitList(_) = item.kind {
                return self.next_value(list, ty, span);
            }
            let value = self.ahead(list, item);
            if value.is_error()
                || super::convert::implicit_cost(&self.checker.program, &value.ty, ty).is_some()
            {
                return self.next_value(list, ty, span);
            }
        }
        if let Ty::Number(_, shape) = ty
            && let Some(composed) = self.fill_number(list, ty, shape.clone(), span)
        {
            return composed;
        }
        let mut elements = Vec::with_capacity(element_types.len());
        for (index, element) in element_types.iter().enumerate() {
            if list.peek().is_some() && self.refuse_hidden(&Symbol::Field(index as u32), Some(ty), span) {
                list.at = list.items.len();
                return Expr::error(span);
            }
            if let (Ty::Pair(Pairing::Pointer, _), 1, None) = (ty, index, list.peek()) {
                return self.error(
                    Code::TypeMismatch,
                    INCOMPLETE_POINTER_PAIR,
                    span,
                    "only the pointer is here",
                );
            }
            let value = match list.peek() {
                None if matches!(ty, Ty::Struct(..)) => self.initial_field(ty, index, span),
                None => self.default_of(element, span),
                Some(_) => self.fill(list, element, span, false),
            };
            if value.is_error() {
                list.at = list.items.len();
                return self.silent_error(span);
            }
            elements.push(value);
        }
        Expr { kind: ExprKind::Construct(elements), ty: ty.clone(), span }
    }

    fn shares_bits(&mut self, ty: &Ty) -> bool {
        let is_shared = |name: &str| name.starts_with(crate::slang::parse::bit_field::SHARED);
        matches!(ty, Ty::Struct(..))
            && self.checker.program.fields_of(ty).iter().any(|field| is_shared(&field.name))
    }

    /// `float4 v = { a.xyz, 1 }`: parts that are vectors themselves.
    fn fill_number(&mut self, list: &mut List<'_>, ty: &Ty, shape: Shape, span: Span) -> Option<Expr> {
        let wanted = shape.components()?;
        let mut parts = Vec::new();
        let (mut have, start) = (0, list.at);
        while have < wanted {
            let item = list.peek().filter(|item| !matches!(item.kind, ast::ExprKind::InitList(_)));
            let Some(item) = item else {
                list.at = start;
                return None;
            };
            let value = self.ahead(list, item);
            if value.is_error() {
                list.at = list.items.len();
                return Some(self.silent_error(span));
            }
            list.at += 1;
            have += value.ty.number().and_then(|(_, shape)| shape.components()).unwrap_or(wanted);
            parts.push(value);
        }
        Some(self.compose(ty, parts, span))
    }

    fn fill_unsized(&mut self, list: &mut List<'_>, element: &Arc<Ty>, span: Span) -> Expr {
        let mut elements = Vec::new();
        while list.peek().is_some() {
            let value = self.fill(list, element, span, false);
            if value.is_error() {
                return self.silent_error(span);
            }
            elements.push(value);
        }
        let count = Count::Known(elements.len() as i64);
        Expr { kind: ExprKind::Construct(elements), ty: Ty::Array(element.clone(), count), span }
    }

    fn next_value(&mut self, list: &mut List<'_>, ty: &Ty, span: Span) -> Expr {
        let Some(item) = list.peek() else {
            return self.default_of(ty, span);
        };
        let value = match &item.kind {
            ast::ExprKind::InitList(_) => self.expr_for(item, ty),
            _ => self.ahead(list, item),
        };
        list.at += 1;
        self.coerce(value, ty, "the initializer")
    }

    /// The value of the item ahead, which stays ahead. It is checked once, however often it is asked for.
    fn ahead(&mut self, list: &mut List<'_>, item: &ast::Expr) -> Expr {
        if let Some((at, value)) = &list.ahead
            && *at == list.at
        {
            return value.clone();
        }
        let value = self.expr(item);
        list.ahead = Some((list.at, value.clone()));
        value
    }

    /// A vector or matrix from the components of several parts.
    pub fn compose(&mut self, ty: &Ty, parts: Vec<Expr>, span: Span) -> Expr {
        let Some((elem, shape)) = ty.number() else {
            let shown = self.show(ty);
            let message = format!("`{shown}` is not made of {} values", parts.len());
            return self.error(Code::TypeMismatch, message, span, "constructed here");
        };
        let mut have = 0;
        let mut converted = Vec::with_capacity(parts.len());
        for part in parts {
            let number = part.ty.number();
            let Some((count, part_shape)) = number.and_then(|(_, shape)| Some((shape.components()?, shape)))
            else {
                let shown = self.show(&part.ty);
                let message = format!("`{shown}` has no components to take");
                return self.error(Code::TypeMismatch, message, part.span, format!("is `{shown}`"));
            };
            have += count;
            let part_ty = Ty::Number(elem, part_shape);
            let span = part.span;
            let part = self.cast(part, &part_ty, span);
            if part.is_error() {
                return self.silent_error(span);
            }
            converted.push(part);
        }
        if shape.components() != Some(have) {
            let shown = self.show(ty);
            let wanted = shape.components().map_or_else(|| "other".into(), |n| n.to_string());
            self.report(
                Diagnostic::error(
                    Code::TypeMismatch,
                    format!("`{shown}` has {wanted} components, not {have}"),
                )
                .at(span, format!("{have} given")),
            );
            return Expr::error(span);
        }
        Expr { kind: ExprKind::Compose(converted), ty: ty.clone(), span }
    }
}

struct List<'i> {
    items: &'i [ast::Expr],
    at: usize,
    /// The value of the item at that index, if it was looked at.
    ahead: Option<(usize, Expr)>,
}

impl<'i> List<'i> {
    fn peek(&self) -> Option<&'i ast::Expr> {
        self.items.get(self.at)
    }
}
