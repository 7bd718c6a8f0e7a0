//! Members: fields, methods, swizzles, static members, names in namespaces; and indexing.

use super::action::Builtin;
use super::call::FunctionSet;
use super::context::Context;
use super::count::Count;
use super::hir::{Expr, ExprKind, Pick};
use super::program::{ConstId, ScopeId, Symbol};
use super::suggest::nearest;
use super::types::{Shape, Ty};
use crate::slang::ast;
use pullback_base::{Code, Diagnostic, Span};
use smallvec::SmallVec;

/// What an expression can stand for.
pub enum Item {
    Value(Expr),
    Type(Ty),
    Namespace(ScopeId),
    Functions(FunctionSet),
    Builtin(Builtin),
}

impl Context<'_, '_> {
    /// `base.name`
    pub fn member(&mut self, base: Item, name: &ast::Name, span: Span) -> Item {
        match base {
            Item::Namespace(scope) => match self.checker.program.member(scope, &name.text) {
                Some(symbol) => self.symbol_item(symbol, &name.text, None, span),
                None => {
                    let message = format!("the namespace has nothing named `{}`", name.text);
                    let diagnostic =
                        Diagnostic::error(Code::UnknownName, message).at(name.span, "not declared there");
                    self.report(self.meant(diagnostic, &name.text, scope));
                    Item::Value(Expr::error(name.span))
                }
            },
            Item::Type(Ty::Error) => Item::Value(self.silent_error(span)),
            Item::Type(ty) => match self.checker.program.member_of(&ty, &name.text) {
                Some(Symbol::Field(_)) => {
                    let message = format!("field `{}` without an object", name.text);
                    Item::Value(self.error_advised(
                        Code::UnknownName,
                        message,
                        name.span,
                        "needs a value, not a type",
                        "ask a value of that type for it",
                    ))
                }
                Some(symbol) => self.member_item(symbol, &name.text, &ty, None, span),
                None if &*name.text == "Differential" => Item::Type(self.differential_type(&ty, span)),
                None => Item::Value(self.no_member(&ty, name)),
            },
            Item::Functions(set) if let Some(mode) = ast::DerivativeMode::of_member(&name.text) => {
                self.derivative_of(Item::Functions(set), mode, span)
            }
            Item::Functions(set) => {
                let message = format!("function `{}` has no members", set.name);
                Item::Value(self.error(Code::TypeMismatch, message, name.span, "asked of a function"))
            }
            Item::Builtin(builtin) => {
                let message = format!("function `{}` has no members", builtin.name);
                Item::Value(self.error(Code::TypeMismatch, message, name.span, "asked of a function"))
            }
            Item::Value(value) => self.value_member(value, name, span),
        }
    }

    /// A member as part of an expression; `of` is the type it was asked of.
    pub fn member_item(
        &mut self,
        symbol: Symbol,
        name: &std::sync::Arc<str>,
        of: &Ty,
        object: Option<Expr>,
        span: Span,
    ) -> Item {
        match symbol {
            Symbol::Requirement(id) if self.checker.program.asks_constant(id) => {
                Item::Value(self.required(id, Some(of), span))
            }
            Symbol::Struct(_) | Symbol::Alias(_) | Symbol::Requirement(_) => {
                Item::Type(self.symbol_type(&symbol, Some(of), &[], span).unwrap_or(Ty::Error))
            }
            Symbol::Constant(_) if self.refuse_hidden(&symbol, Some(of), span) => {
                Item::Value(Expr::error(span))
            }
            Symbol::Constant(id) => Item::Value(self.constant_of(id, of, span)),
            _ => match self.symbol_item(symbol, name, object, span) {
                Item::Functions(set) => Item::Functions(FunctionSet { of: Some(of.clone()), ..set }),
                item => item,
            },
        }
    }

    /// A `static const` of a type, at the generic arguments that the type has.
    fn constant_of(&mut self, id: ConstId, of: &Ty, span: Span) -> Expr {
        let ty = self.checker.constant(id, span).ty.clone();
        self.broken |= ty.is_error();
        let bindings = self.checker.program.constant_bindings(id, of).unwrap_or_default();
        Expr { kind: ExprKind::Constant(id), ty, span }.under(&self.checker.program, bindings)
    }

    fn value_member(&mut self, value: Expr, name: &ast::Name, span: Span) -> Item {
        if value.is_error() {
            return Item::Value(self.silent_error(span));
        }
        if let Ty::Pointer(..) = value.ty {
            let target = self.deref(value, span);
            return self.value_member(target, name, span);
        }
        if let Ty::Buffer(..) | Ty::Atomic(_) = value.ty {
            let builtin = Builtin { name: name.text.clone(), object: Some(value), generics: Vec::new() };
            return Item::Builtin(builtin);
        }
        if let Some(picked) = self.tuple_swizzle(&value, &name.text, span) {
            return Item::Value(picked);
        }
        let swizzled = match value.ty.number() {
            Some((_, Shape::Matrix(rows, columns))) => {
                self.matrix_swizzle(&value, rows, columns, &name.text, span)
            }
            Some((_, shape)) => self.swizzle(&value, shape, &name.text, span),
            None => None,
        };
        if let Some(swizzled) = swizzled {
            return Item::Value(swizzled);
        }
        let ty = value.ty.clone();
        match self.checker.program.member_of(&ty, &name.text) {
            Some(
                symbol @ (Symbol::Field(_)
                | Symbol::Property(_)
                | Symbol::Functions(_)
                | Symbol::Constant(_)
                | Symbol::Global(_)
                | Symbol::Refused),
            ) => self.member_item(symbol, &name.text, &ty, Some(value), span),
            Some(symbol @ Symbol::Requirement(id)) if self.checker.program.asks_constant(id) => {
                self.member_item(symbol, &name.text, &ty, Some(value), span)
            }
            _ => Item::Value(self.no_member(&ty, name)),
        }
    }

    pub fn field(&mut self, object: Expr, index: u32, span: Span) -> Expr {
        let fields = self.checker.fields_of(&object.ty, span);
        let Some(field) = fields.get(index as usize) else { return self.silent_error(span) };
        self.broken |= field.ty.is_error();
        let pick = Pick::Element { index, detached: field.no_diff };
        Expr { kind: ExprKind::Pick(Box::new(object), pick), ty: field.ty.clone(), span }
    }

    fn no_member(&mut self, ty: &Ty, name: &ast::Name) -> Expr {
        let shown = self.show(ty);
        let mut diagnostic =
            Diagnostic::error(Code::UnknownName, format!("`{shown}` has no member `{}`", name.text))
                .at(name.span, "not a member");
        let scope = match ty {
            Ty::Struct(id, _) => Some(self.checker.program.structs[*id].scope),
            Ty::Enum(id) => Some(self.checker.program.enums[*id].scope),
            _ => None,
        };
        if let Some(scope) = scope {
            diagnostic = self.meant(diagnostic, &name.text, scope);
        } else if let Some((_, Shape::Vector(size))) = ty.number() {
            diagnostic = diagnostic.help(components(&size));
        }
        self.report(diagnostic);
        Expr::error(name.span)
    }

    /// Adds the name of that scope which may be meant.
    fn meant(&self, diagnostic: Diagnostic, name: &str, scope: ScopeId) -> Diagnostic {
        let names = self.checker.program.scopes[scope].names.keys();
        match nearest(name, names.map(|name| &**name)) {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None => diagnostic,
        }
    }

    fn swizzle(&mut self, value: &Expr, shape: Shape, name: &str, span: Span) -> Option<Expr> {
        let (elem, _) = value.ty.number()?;
        let count = match shape {
            Shape::Scalar if super::convert::is_single(&self.checker.program, elem) => 1,
            Shape::Vector(Count::Known(n)) => n,
            // Of a generic vector every component may be there; those beyond it are found when it is known.
            _ => return None,
        };
        let set = ["xyzw", "rgba"].into_iter().find(|set| name.chars().all(|c| set.contains(c)))?;
        let picks: Option<SmallVec<[u8; 4]>> =
            name.chars().map(|c| set.find(c).map(|index| index as u8)).collect();
        let picks = picks.filter(|picks| (1..=4).contains(&picks.len()))?;
        if picks.iter().any(|&pick| i64::from(pick) >= count) {
            return None;
        }
        let base = Box::new(value.clone());
        if shape == Shape::Scalar {
            if picks.len() == 1 {
                return Some(Expr { span, ..value.clone() });
            }
            let ty = Ty::vector(elem, Count::Known(picks.len() as i64));
            return Some(Expr { kind: ExprKind::Convert(base), ty, span });
        }
        if let [index] = picks[..] {
            let pick = Pick::Element { index: u32::from(index), detached: false };
            return Some(Expr {
                kind: ExprKind::Pick(base, pick),
                ty: Ty::Number(elem, Shape::Scalar),
                span,
            });
        }
        let ty = Ty::vector(elem, Count::Known(picks.len() as i64));
        Some(Expr { kind: ExprKind::Pick(base, Pick::Swizzle(picks)), ty, span })
    }

    /// `_m00_m11` counts from zero, `_11_22` from one.
    fn matrix_swizzle(
        &mut self,
        value: &Expr,
        rows: Count,
        columns: Count,
        name: &str,
        span: Span,
    ) -> Option<Expr> {
        let (elem, _) = value.ty.number()?;
        let (rows, columns) = (rows.known()?, columns.known()?);
        let mut picks: SmallVec<[(u8, u8); 4]> = SmallVec::new();
        let from_zero = name.starts_with("_m");
        for part in name.strip_prefix('_')?.split('_') {
            let digits = if from_zero { part.strip_prefix('m')? } else { part };
            let [row, column] = *digits.as_bytes() else { return None };
            let first = if from_zero { b'0' } else { b'1' };
            let pick = (row.checked_sub(first)?, column.checked_sub(first)?);
            if i64::from(pick.0) >= rows || i64::from(pick.1) >= columns || picks.len() == 4 {
                return None;
            }
            picks.push(pick);
        }
        let base = Box::new(value.clone());
        let count = picks.len();
        if let [(row, column)] = picks[..] {
            let element = |index: u8| Pick::Element { index: u32::from(index), detached: false };
            let row_ty = Ty::vector(elem, Count::Known(columns));
            let row = Expr { kind: ExprKind::Pick(base, element(row)), ty: row_ty, span };
            let kind = ExprKind::Pick(Box::new(row), element(column));
            return Some(Expr { kind, ty: Ty::Number(elem, Shape::Scalar), span });
        }
        let ty = Ty::vector(elem, Count::Known(count as i64));
        Some(Expr { kind: ExprKind::Pick(base, Pick::Components(picks)), ty, span })
    }

    /// `base[index]`
    pub fn index(&mut self, base: &ast::Expr, args: &[ast::Expr], span: Span) -> Expr {
        let base = match self.item(base) {
            Item::Value(value) => value,
            // `float[3]` in an expression: a type with a size.
            _ => return self.unsupported("array types in expressions", span),
        };
        let subscripts = self.subscripts(&base);
        let args: Vec<Expr> = match &subscripts {
            Some(set) => self.arguments_of(set, args),
            None => args.iter().map(|arg| self.expr(arg)).collect(),
        };
        let args: Vec<Expr> = args.into_iter().map(|arg| self.unscoped(arg)).collect();
        if base.is_error() || args.iter().any(Expr::is_error) {
            return self.silent_error(span);
        }
        if let (Ty::Buffer(..), [index]) = (&base.ty, &args[..]) {
            return self.buffer_element(base, index.clone(), span);
        }
        if let (Ty::Pointer(..), [index]) = (&base.ty, &args[..]) {
            return self.pointer_element(base, index.clone(), span);
        }
        if let Some(set) = subscripts {
            return self.accessed(set, args, span);
        }
        let (Some(element), [index]) = (base.ty.element(), &args[..]) else {
            let shown = self.show(&base.ty);
            let message = format!("`{shown}` cannot be indexed like this");
            return self.error_advised(
                Code::TypeMismatch,
                message,
                span,
                "takes one index, of a vector, matrix or array",
                "leave the index out, or index one of those",
            );
        };
        if !index.ty.is_scalar() || !index.ty.known_scalar().is_some_and(|scalar| scalar.is_integer()) {
            let shown = self.show(&index.ty);
            let message = format!("an index is an integer, not `{shown}`");
            let (label, help) = (format!("is `{shown}`"), "convert it: `int(...)`");
            return self.error_advised(Code::TypeMismatch, message, index.span, label, help);
        }
        let index = index.clone();
        let known = match self.checker.value_of(&index) {
            Ok(super::constant::Tree::Leaf(constant)) => Some(constant.as_i64()),
            _ => None,
        };
        if let (Some(index_value), Some(Count::Known(count))) = (known, base.ty.count()) {
            if !(0..count).contains(&index_value) {
                let message = format!("index {index_value} is outside of the {count} elements");
                let help = match count {
                    0 => "it has no elements".to_owned(),
                    _ => format!("indices here go from 0 to {}", count - 1),
                };
                return self.error_advised(Code::TypeMismatch, message, index.span, "always outside", help);
            }
            let pick = Pick::Element { index: index_value as u32, detached: false };
            return Expr { kind: ExprKind::Pick(Box::new(base), pick), ty: element, span };
        }
        let kind = ExprKind::Pick(Box::new(base), Pick::Index(Box::new(index)));
        Expr { kind, ty: element, span }
    }
}

/// What the components of a vector of that size are called, for messages.
fn components(size: &Count) -> String {
    let size = size.known().map_or(4, |size| size as usize);
    let quoted = |names: &str| {
        let names: Vec<String> = names.chars().take(size).map(|name| format!("`{name}`")).collect();
        names.join(", ")
    };
    format!("its components are {}, or {}", quoted("xyzw"), quoted("rgba"))
}
