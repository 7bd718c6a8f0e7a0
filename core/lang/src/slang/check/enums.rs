//! Enums: their tag, the values of their cases, and what converts to and from them.

use super::Checker;
use super::collect::Place;
use super::context::Context;
use super::hir::{Expr, ExprKind, Literal};
use super::program::{Enum, EnumId, Symbol};
use super::types::Ty;
use crate::slang::ast::{self, BinaryOp};
use pullback_base::{Code, Diagnostic, Scalar, Span};

impl<'a> Checker<'a> {
    pub fn collect_enum(&mut self, decl: &ast::Decl, ast: &'a ast::Enum, place: Place<'_>) {
        let scope = self.program.new_scope(Some(place.scope));
        let has = |name: &str| decl.attributes.iter().any(|attribute| &*attribute.name.text == name);
        let is_anonymous = ast.name.text.is_empty();
        let unscoped = is_anonymous || has("UnscopedEnum");
        let name = if is_anonymous { "(anonymous enum)" } else { &*ast.name.text };
        let id = self.program.enums.push(Enum {
            name: format!("{}{name}", place.prefix).into(),
            ast,
            scope,
            visibility: place.visibility,
            tag: None,
            values: Vec::new(),
            unscoped,
            is_flags: has("Flags"),
            broken: false,
            span: ast.name.span,
        });
        if !is_anonymous {
            self.declare(place.scope, &ast.name, Symbol::Enum(id));
        }
        for (case, number) in ast.cases.iter().zip(0..) {
            self.declare(scope, &case.name, Symbol::Case(id, number));
            if unscoped {
                self.declare(place.scope, &case.name, Symbol::Case(id, number));
            }
        }
    }

    /// Finds the tag and the values of an enum; a case may use those before it.
    pub fn enum_values(&mut self, id: EnumId) {
        if self.program.enums[id].tag.is_some() {
            return;
        }
        let (ast, scope) = (self.program.enums[id].ast, self.program.enums[id].scope);
        self.program.enums[id].tag = Some(Scalar::I32);
        let mut context = Context::of_scope(self, scope);
        let tag = match ast.tag.as_ref().map(|ty| (context.resolve_type(ty), ty.span)) {
            None => Scalar::I32,
            Some((Ty::Number(super::types::Elem::Scalar(tag), super::types::Shape::Scalar), _))
                if tag.is_integer() || tag == Scalar::Bool =>
            {
                tag
            }
            Some((ty, span)) => {
                if !ty.is_error() {
                    let shown = context.show(&ty);
                    let message = format!("an enum's values are integers, not `{shown}`");
                    context.error(Code::TypeMismatch, message, span, "not an integer type");
                }
                context.broken = true;
                Scalar::I32
            }
        };
        context.checker.program.enums[id].tag = Some(tag);
        let is_flags = context.checker.program.enums[id].is_flags;
        let mut next = i128::from(is_flags);
        for case in &ast.cases {
            if let Some(value) = &case.value {
                let value = context.expr(value);
                match context.constant_int(&value) {
                    Some(found) if value.ty.known_scalar() == Some(Scalar::U64) => {
                        next = i128::from(found as u64);
                    }
                    Some(found) => next = i128::from(found),
                    None => context.broken = true,
                }
            }
            if !fits(next, tag) {
                let (name, shown) = (&case.name.text, super::types::scalar_name(tag));
                let message = format!("case `{name}` is {next}, which is no `{shown}`");
                context.report(
                    Diagnostic::error(Code::TypeMismatch, message)
                        .at(case.name.span, "out of range")
                        .help("give the enum a wider type: `enum Name : int64_t`"),
                );
            }
            context.checker.program.enums[id].values.push(next);
            next = if is_flags { 2 * next } else { next + 1 };
        }
        let broken = context.broken;
        self.program.enums[id].broken = broken;
    }
}

fn fits(value: i128, tag: Scalar) -> bool {
    Literal::of(Literal::Int(value).constant(tag)) == Literal::Int(value)
        || (tag == Scalar::Bool && (0..=1).contains(&value))
}

impl Context<'_, '_> {
    /// A case as a value. Among the values of its own enum it is the integer.
    pub fn enum_case(&mut self, id: EnumId, case: u32, span: Span) -> Expr {
        self.checker.enum_values(id);
        let decl = &self.checker.program.enums[id];
        let tag = Ty::scalar(decl.tag.unwrap_or(Scalar::I32));
        let Some(&value) = decl.values.get(case as usize) else {
            let declared = decl.ast.cases[case as usize].name.clone();
            self.report(
                Diagnostic::error(Code::NotConstant, format!("case `{}` has no value yet", declared.text))
                    .at(span, "used before it")
                    .also(declared.span, "declared here")
                    .help("a case may use the cases above it"),
            );
            return Expr::error(span);
        };
        let within = decl.values.len() < decl.ast.cases.len();
        self.broken |= decl.broken;
        let literal = Expr::literal(Literal::Int(value), tag, span);
        if within { literal } else { self.as_enum(literal, id) }
    }

    /// The integer as a value of the enum.
    fn as_enum(&self, integer: Expr, id: EnumId) -> Expr {
        let span = integer.span;
        Expr { kind: ExprKind::Convert(Box::new(integer)), ty: Ty::Enum(id), span }
    }

    /// The enum's integer.
    pub fn enum_tag(&self, value: Expr) -> Expr {
        let ty = self.checker.program.as_number(&value.ty);
        let span = value.span;
        Expr { kind: ExprKind::Convert(Box::new(value)), ty, span }
    }

    /// Comparisons and bit operations of two values of one enum; `None` where an operand is no enum.
    pub fn enum_binary(
        &mut self,
        op: BinaryOp,
        left: &Expr,
        right: &Expr,
        op_span: Span,
        span: Span,
    ) -> Option<Expr> {
        use BinaryOp::{BitAnd, BitOr, BitXor, Eq, Ge, Gt, Le, Lt, Ne};
        if let (Ty::Enum(a), Ty::Enum(b)) = (&left.ty, &right.ty)
            && a == b
            && matches!(op, Eq | Ne | Lt | Le | Gt | Ge | BitAnd | BitOr | BitXor)
        {
            let id = *a;
            let (left, right) = (self.enum_tag(left.clone()), self.enum_tag(right.clone()));
            let result = self.binary(op, left, right, op_span, span);
            let compares = matches!(op, Eq | Ne | Lt | Le | Gt | Ge);
            return Some(if compares { result } else { self.as_enum(result, id) });
        }
        let (a, b) = (self.unscoped(left.clone()), self.unscoped(right.clone()));
        let converted = a.ty != left.ty || b.ty != right.ty;
        let numbers = a.ty.number().is_some() && b.ty.number().is_some();
        (converted && numbers).then(|| self.binary(op, a, b, op_span, span))
    }

    /// A value of an unscoped enum as the integer it is wherever one is needed.
    pub fn unscoped(&self, value: Expr) -> Expr {
        match value.ty {
            Ty::Enum(id) if self.checker.program.enums[id].unscoped => self.enum_tag(value),
            _ => value,
        }
    }

    /// `Enum(i)`, `int(e)`, also as casts.
    pub fn can_cast_enum(&self, from: &Ty, to: &Ty) -> bool {
        let is_integer = |ty: &Ty| {
            ty.is_scalar() && ty.known_scalar().is_some_and(|s| s.is_integer() || s == Scalar::Bool)
        };
        match (from, to) {
            (Ty::Enum(_), ty) => ty.is_scalar() && ty.known_scalar().is_some(),
            (ty, Ty::Enum(_)) => is_integer(ty),
            _ => false,
        }
    }
}
