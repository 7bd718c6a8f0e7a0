//! Expressions: from the syntax tree to typed ones.

use super::action::Builtin;
use super::call::FunctionSet;
use super::context::Context;
use super::hir::{Expr, ExprKind, Literal};
use super::member::Item;
use super::program::{GenericKind, Role, Symbol};
use super::types::{Arg, Ty};
use crate::slang::ast::{self, ExprKind as Ast};
use pullback_base::{Code, Diagnostic, Scalar, Span};
use pullback_ir::Op;
use std::sync::Arc;

impl Context<'_, '_> {
    pub fn expr(&mut self, expr: &ast::Expr) -> Expr {
        let item = self.item(expr);
        self.value_in(item, expr.span)
    }

    /// A value; anything else is an error.
    pub fn value_in(&mut self, item: Item, span: Span) -> Expr {
        match item {
            Item::Value(value) => value,
            Item::Type(ty) if ty.is_error() => self.silent_error(span),
            Item::Type(ty) => {
                let shown = self.show(&ty);
                self.error(
                    Code::TypeMismatch,
                    format!("type `{shown}` where a value is needed"),
                    span,
                    "not a value",
                )
            }
            Item::Namespace(_) => {
                self.error(Code::TypeMismatch, "a namespace where a value is needed", span, "not a value")
            }
            Item::Builtin(Builtin { name, .. }) | Item::Functions(FunctionSet { name, .. }) => {
                self.report(
                    Diagnostic::error(
                        Code::TypeMismatch,
                        format!("function `{name}` where a value is needed"),
                    )
                    .at(span, "not a value")
                    .help(format!("call it: `{name}(...)`")),
                );
                Expr::error(span)
            }
        }
    }

    /// What an expression names or computes.
    pub fn item(&mut self, expr: &ast::Expr) -> Item {
        let span = expr.span;
        Item::Value(match &expr.kind {
            Ast::Name(name) => return self.name(name),
            Ast::Generic { base, args } => return self.generic(base, args, span),
            Ast::Member { base, name } => {
                let base = self.item(base);
                return self.member(base, name, span);
            }
            Ast::Index { base, args } => {
                let args = self.spread(args);
                self.index(base, &args, span)
            }
            Ast::Call { callee, args } if is_count(callee) => self.call(callee, args, span),
            Ast::Call { callee, args } => {
                let args = self.spread(args);
                self.call(callee, &args, span)
            }
            Ast::Each(of) => return self.each(of, span),
            Ast::Turn(expansion, turn) => return self.in_turn(*turn, |context| context.item(&expansion.of)),
            Ast::Expand(_) => self.tuple_of_pack(expr),
            Ast::Int { value, suffix } => int_literal(*value, *suffix, span),
            Ast::Float { value, suffix } => float_literal(*value, *suffix, span),
            Ast::Bool(value) => Expr::literal(Literal::Bool(*value), Ty::BOOL, span),
            Ast::This => match self.this {
                Some(this) => self.local_value(this, span),
                None => self.error(Code::UnknownName, "`this` outside of a method", span, "no object here"),
            },
            Ast::Step { op, fix, target } => self.step(*op, *fix, target, span),
            Ast::Assign { op, op_span, target, value } => self.assign(*op, target, value, *op_span, span),
            Ast::Binary { .. } => self.chain(expr),
            Ast::Cast { .. }
            | Ast::Unary { .. }
            | Ast::Deref(_)
            | Ast::AddressOf(_)
            | Ast::Conditional { .. }
            | Ast::Comma(_) => self.operation(expr),
            Ast::InitList(_) => self.error(
                Code::TypeMismatch,
                "an initializer list needs a type to be of",
                span,
                "the type is not known here",
            ),
            Ast::NoDiff(inner) => {
                let inner = self.expr(inner);
                self.no_diff(inner, span)
            }
            Ast::String(_) => self.unsupported("strings", span),
            Ast::SizeOf(ty) => {
                let ty = self.resolve_value_type(ty);
                Expr { kind: ExprKind::SizeOf(ty), ty: Ty::UINT, span }
            }
            Ast::Is { value, ty } => self.is(value, ty, span),
            Ast::As { value, ty } => self.as_(value, ty, span),
            Ast::Derivative { mode, function } => return self.derivative(*mode, function),
            Ast::Assembly(word) => self.unsupported(&format!("`{}` instructions", word.text), span),
            Ast::Try(call) => self.try_(call, span),
            Ast::Lambda(number) => self.lambda(*number, span),
            Ast::Error => self.silent_error(span),
        })
    }

    /// Binary operations, the leftmost first: `a + b + c + ...` is deep, and may be long.
    fn chain(&mut self, mut expr: &ast::Expr) -> Expr {
        let mut above = Vec::new();
        while let Ast::Binary { op, op_span, left, right } = &expr.kind {
            above.push((*op, *op_span, right, expr.span));
            expr = left;
        }
        let mut value = self.expr(expr);
        while let Some((op, op_span, right, span)) = above.pop() {
            let right = self.expr(right);
            value = self.binary(op, value, right, op_span, span);
        }
        value
    }

    /// What has values as operands, but for binary operations.
    fn operation(&mut self, expr: &ast::Expr) -> Expr {
        let span = expr.span;
        match &expr.kind {
            Ast::Cast { ty, value } => {
                let to = self.resolve_type(ty);
                let given = match &value.kind {
                    Ast::InitList(_) => self.expr_for(value, &to),
                    _ => self.expr(value),
                };
                // `(S)value` is `S(value)` where nothing else is meant.
                let converts = given.is_error() || self.casts(&given, &to);
                match to {
                    Ty::Struct(..) if !converts => self.construct(&to, std::slice::from_ref(value), span),
                    _ => self.cast(given, &to, span),
                }
            }
            Ast::Unary { op, value } => {
                let value = self.expr(value);
                self.unary(*op, value, span)
            }
            Ast::Deref(pointer) => {
                let pointer = self.expr(pointer);
                self.deref(pointer, span)
            }
            Ast::AddressOf(place) => {
                let place = self.target(place);
                self.address_of(place, span)
            }
            Ast::Conditional { condition, then, otherwise } => {
                let condition = self.expr(condition);
                let then = self.expr(then);
                let otherwise = self.expr(otherwise);
                self.conditional(condition, then, otherwise, span)
            }
            Ast::Comma(exprs) => {
                let exprs: Vec<Expr> = exprs.iter().map(|expr| self.expr(expr)).collect();
                let ty = exprs.last().map_or(Ty::Error, |last| last.ty.clone());
                Expr { kind: ExprKind::Comma(exprs), ty, span }
            }
            _ => self.silent_error(span),
        }
    }

    /// An expression whose type is known beforehand, so that it may be an initializer list.
    pub fn expr_for(&mut self, expr: &ast::Expr, ty: &Ty) -> Expr {
        match &expr.kind {
            Ast::InitList(items) => {
                let items = self.spread(items);
                self.init_list(&items, ty, expr.span)
            }
            Ast::Turn(expansion, turn) => self.in_turn(*turn, |context| context.expr_for(&expansion.of, ty)),
            _ => self.expr(expr),
        }
    }

    fn no_diff(&mut self, mut inner: Expr, span: Span) -> Expr {
        if inner.is_error() {
            return self.silent_error(span);
        }
        if let ExprKind::Call(call) = &mut inner.kind {
            call.detached = true;
            return Expr { span, ..inner };
        }
        let ty = inner.ty.clone();
        if ty == Ty::Void {
            return Expr { span, ..inner };
        }
        Expr { kind: ExprKind::Op(Op::Detach, vec![inner]), ty, span }
    }

    pub fn local_value(&self, id: super::hir::LocalId, span: Span) -> Expr {
        let local = &self.locals[id];
        match &local.constant {
            Some(value) => Expr { span, ..Expr::clone(value) },
            None => Expr { kind: ExprKind::Local(id), ty: local.ty.clone(), span },
        }
    }

    fn name(&mut self, name: &ast::Name) -> Item {
        let span = name.span;
        if let Some(local) = self.used_local(&name.text) {
            if let Some(elements) = self.elements_of(local) {
                return Item::Value(self.pack_value(&elements, span));
            }
            let value = self.local_value(local, span);
            self.broken |= value.is_error();
            return Item::Value(value);
        }
        match self.lookup(&name.text) {
            Some(symbol) => self.symbol_item(symbol, &name.text, None, span),
            None if &*name.text == "nullptr" => {
                Item::Value(Expr { kind: ExprKind::Zero, ty: Ty::void_pointer(), span })
            }
            None if let Some(builtin) = self.builtin_function(&name.text) => builtin,
            None => match self.builtin_type(&name.text, &[], span) {
                Some(ty) => Item::Type(ty),
                None => match self.own_member(&name.text) {
                    Some((symbol, of)) => self.member_item(symbol, &name.text, &of, None, span),
                    None => Item::Value(self.unknown_name(name)),
                },
            },
        }
    }

    /// What a symbol is as part of an expression. `object` is what a member was asked of.
    pub fn symbol_item(&mut self, symbol: Symbol, name: &Arc<str>, object: Option<Expr>, span: Span) -> Item {
        let of = object.as_ref().map(|object| &object.ty);
        let is_value = matches!(
            symbol,
            Symbol::Field(_) | Symbol::Constant(_) | Symbol::Global(_) | Symbol::GlobalField(..)
        );
        if is_value && self.refuse_hidden(&symbol, of, span) {
            return Item::Value(Expr::error(span));
        }
        match symbol {
            Symbol::Functions(candidates) => {
                let this = self.this.map(|this| self.local_value(this, span));
                let receiver = object.or(this).map(Box::new);
                Item::Functions(super::call::FunctionSet {
                    candidates: candidates.to_vec(),
                    receiver,
                    ..super::call::FunctionSet::named(name.clone())
                })
            }
            Symbol::Field(index) => match (object, self.this) {
                (Some(object), _) => Item::Value(self.field(object, index, span)),
                (None, Some(this)) if self.has_field(&self.locals[this].ty, name) => {
                    let this = self.local_value(this, span);
                    Item::Value(self.field(this, index, span))
                }
                (None, this) => Item::Value(self.error_advised(
                    Code::UnknownName,
                    format!("field `{name}` without an object"),
                    span,
                    if this.is_some() { "`this` is of another type" } else { "no `this` here" },
                    "leave out `static`, or take the object as a parameter",
                )),
            },
            Symbol::Constant(id) => {
                let ty = self.checker.constant(id, span).ty.clone();
                self.broken |= ty.is_error();
                Item::Value(Expr { kind: ExprKind::Constant(id), ty, span })
            }
            Symbol::Global(id) => Item::Value(self.global_value(id, span)),
            Symbol::GlobalField(id, index) => {
                let buffer = self.global_value(id, span);
                Item::Value(self.field(buffer, index, span))
            }
            Symbol::Namespace(scope) => Item::Namespace(scope),
            Symbol::Generic(param) => match self.checker.program.generics[param].kind {
                GenericKind::Type { .. } => Item::Type(self.checker.program.generic_type(param)),
                GenericKind::Count { ref ty, .. } => {
                    let ty = ty.clone();
                    self.broken |= ty.is_error();
                    Item::Value(Expr { kind: ExprKind::Param(param), ty, span })
                }
            },
            Symbol::Pack(params) => match self.picked(&params) {
                Some(param) => self.symbol_item(Symbol::Generic(param), name, object, span),
                None => Item::Value(self.whole_pack(name, span)),
            },
            Symbol::Refused => Item::Value(self.silent_error(span)),
            Symbol::Property(id) => {
                let this = self.this.map(|this| self.local_value(this, span));
                Item::Value(self.property(id, object.or(this), None, span))
            }
            Symbol::Subscripts(_) => {
                let label = "no name in an expression";
                Item::Value(self.error_advised(
                    Code::TypeMismatch,
                    "a subscript is asked for by `[]`",
                    span,
                    label,
                    "write `value[index]`",
                ))
            }
            Symbol::Case(id, case) => Item::Value(self.enum_case(id, case, span)),
            Symbol::Requirement(id) if self.checker.program.asks_constant(id) => {
                Item::Value(self.required(id, None, span))
            }
            symbol @ (Symbol::Struct(_)
            | Symbol::Enum(_)
            | Symbol::Alias(_)
            | Symbol::This(_)
            | Symbol::Requirement(_)
            | Symbol::Interface(_)) => {
                let ty = self.symbol_type(&symbol, None, &[], span);
                Item::Type(ty.unwrap_or_else(|| {
                    self.error(Code::TypeMismatch, format!("`{name}` is not a type"), span, "used as a type")
                        .ty
                }))
            }
        }
    }

    /// Whether the field is the type's own, not that of a type around it.
    fn has_field(&self, ty: &Ty, name: &str) -> bool {
        let Ty::Struct(id, _) = ty else { return false };
        let program = &self.checker.program;
        matches!(program.scopes[program.structs[*id].scope].names.get(name), Some(Symbol::Field(_)))
    }

    /// `base<args>`: a type, or functions with their generic arguments.
    fn generic(&mut self, base: &ast::Expr, args: &[ast::GenericArg], span: Span) -> Item {
        if let Ast::Name(name) = &base.kind
            && self.local_span(&name.text).is_none()
            && self.lookup(&name.text).is_none()
            && let args = self.spread_generic(args)
            && let Some(ty) = self.builtin_type(&name.text, &args, span)
        {
            return Item::Type(ty);
        }
        let item = match &base.kind {
            Ast::Name(name) if self.local_span(&name.text).is_none() => match self.lookup(&name.text) {
                Some(symbol @ (Symbol::Struct(_) | Symbol::Alias(_))) => {
                    return Item::Type(self.symbol_type(&symbol, None, args, span).unwrap_or(Ty::Error));
                }
                _ => self.item(base),
            },
            Ast::Member { base, name } => {
                let outer = self.item(base);
                if let Some((symbol, of)) = self.member_type(&outer, &name.text) {
                    let ty = self.symbol_type(&symbol, of.as_ref(), args, span);
                    return Item::Type(ty.unwrap_or(Ty::Error));
                }
                self.member(outer, name, span)
            }
            _ => self.item(base),
        };
        match item {
            Item::Functions(mut set) => {
                let args = self.spread_generic(args);
                let args: Option<Vec<Arg>> = args.iter().map(|arg| self.declared_arg(arg)).collect();
                let Some(args) = args else { return Item::Value(self.silent_error(span)) };
                set.generics = Some(args);
                Item::Functions(set)
            }
            Item::Builtin(mut builtin) => {
                let args = self.spread_generic(args);
                let args: Option<Vec<Arg>> = args.iter().map(|arg| self.declared_arg(arg)).collect();
                let Some(args) = args else { return Item::Value(self.silent_error(span)) };
                builtin.generics = args;
                Item::Builtin(builtin)
            }
            Item::Value(value) if value.is_error() => Item::Value(self.silent_error(span)),
            _ => Item::Value(self.error(Code::TypeMismatch, "this takes no generic arguments", span, "here")),
        }
    }

    /// The struct or alias of that name in a namespace or type, and the type.
    fn member_type(&self, outer: &Item, name: &str) -> Option<(Symbol, Option<Ty>)> {
        let program = &self.checker.program;
        let (symbol, of) = match outer {
            Item::Namespace(scope) => (program.member(*scope, name)?, None),
            Item::Type(of) => (program.member_of(of, name)?, Some(of.clone())),
            _ => return None,
        };
        matches!(symbol, Symbol::Struct(_) | Symbol::Alias(_)).then_some((symbol, of))
    }

    /// A member that the type around has from elsewhere: an extension, or what its bounds promise.
    fn own_member(&self, name: &str) -> Option<(Symbol, Ty)> {
        let of = self.self_ty()?;
        Some((self.checker.program.member_of(&of, name)?, of))
    }

    fn unknown_name(&mut self, name: &ast::Name) -> Expr {
        let mut diagnostic =
            Diagnostic::error(Code::UnknownName, format!("nothing named `{}` is in scope", name.text))
                .at(name.span, "not declared");
        let declared = self.scope_names(|_| true);
        let locals = self.named_locals().map(|(name, _)| name);
        let known = declared.iter().map(|name| &**name).chain(locals);
        if let Some(near) = super::suggest::nearest(&name.text, known) {
            diagnostic = diagnostic.help(format!("did you mean `{near}`?"));
        }
        self.report(diagnostic);
        Expr::error(name.span)
    }

    /// Whether the function around can be a receiver's method.
    pub fn in_constructor(&self) -> bool {
        self.function.is_some_and(|id| self.checker.program.functions[id].role == Role::Constructor)
    }
}

/// `countof`, whose argument is the pack itself.
fn is_count(callee: &ast::Expr) -> bool {
    matches!(&callee.kind, Ast::Name(name) if &*name.text == "countof")
}

fn int_literal(value: u64, suffix: ast::IntSuffix, span: Span) -> Expr {
    let scalar = match suffix {
        ast::IntSuffix::None if value <= i32::MAX as u64 => Scalar::I32,
        // `-2147483648` is written as a minus and this number.
        ast::IntSuffix::None if value <= u64::from(u32::MAX) => Scalar::U32,
        ast::IntSuffix::None | ast::IntSuffix::L if value <= i64::MAX as u64 => Scalar::I64,
        ast::IntSuffix::U if value <= u64::from(u32::MAX) => Scalar::U32,
        _ => Scalar::U64,
    };
    Expr::literal(Literal::Int(i128::from(value)), Ty::scalar(scalar), span)
}

fn float_literal(value: f64, suffix: ast::FloatSuffix, span: Span) -> Expr {
    // A literal without a suffix is a `float`, but keeps its digits for a conversion to `double`.
    let (scalar, exact) = match suffix {
        ast::FloatSuffix::None => (Scalar::F32, true),
        ast::FloatSuffix::F32 => (Scalar::F32, false),
        ast::FloatSuffix::F16 => (Scalar::F16, false),
        ast::FloatSuffix::F64 => (Scalar::F64, true),
    };
    let literal = Literal::Float(value);
    let literal = if exact { literal } else { Literal::of(literal.constant(scalar)) };
    Expr::literal(literal, Ty::scalar(scalar), span)
}
