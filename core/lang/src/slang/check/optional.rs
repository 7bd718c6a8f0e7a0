//! Values that may be missing: `Optional<T>`, which is also written `T?`, and `none`.
//!
//! The standard library declares both as structs; here is what the language says of them beyond that.

use super::STD_SCOPE;
use super::call::FunctionSet;
use super::context::Context;
use super::hir::{Expr, ExprKind, Literal, Local, Pick, Stmt, StmtKind};
use super::program::{Program, ScopeId, StructId, Symbol};
use super::types::{Arg, Ty};
use crate::slang::ast::{self, BinaryOp, DeclKind, UnaryOp};
use pullback_base::{Code, Span, ids::Id};

/// The fields of `Optional`, in their order.
const VALUE: u32 = 0;
const HAS_VALUE: u32 = 1;

impl Program<'_> {
    /// What the name stands for in the standard library.
    pub fn std_symbol(&self, name: &str) -> Option<&Symbol> {
        self.scopes[ScopeId::from_index(STD_SCOPE)].names.get(name)
    }

    /// The struct of that name in the standard library.
    pub fn std_struct(&self, name: &str) -> Option<StructId> {
        match self.std_symbol(name) {
            Some(Symbol::Struct(id)) => Some(*id),
            _ => None,
        }
    }

    /// `T` of an `Optional<T>`.
    pub fn held<'t>(&self, ty: &'t Ty) -> Option<&'t Ty> {
        match ty {
            Ty::Struct(id, args) if self.std_struct("Optional") == Some(*id) => match &args[..] {
                [Arg::Type(held)] => Some(held),
                _ => None,
            },
            _ => None,
        }
    }

    /// `T` of a `Conditional<T, c>`.
    pub fn conditionally<'t>(&self, ty: &'t Ty) -> Option<&'t Ty> {
        match ty {
            Ty::Struct(id, args) if self.std_struct("Conditional") == Some(*id) => match &args[..] {
                [Arg::Type(held), _] => Some(held),
                _ => None,
            },
            _ => None,
        }
    }

    /// `Optional<T>`
    pub fn optional_of(&self, held: &Ty) -> Option<Ty> {
        Some(Ty::Struct(self.std_struct("Optional")?, [Arg::Type(held.clone())].into()))
    }

    /// Whether it is the type of `none`.
    pub fn is_none(&self, ty: &Ty) -> bool {
        matches!(ty, Ty::Struct(id, args) if args.is_empty() && self.std_struct("none_t") == Some(*id))
    }

    /// The optional type that both convert to, where one of them is optional.
    pub fn join_optional(&self, a: &Ty, b: &Ty) -> Option<Ty> {
        let (optional, other) = if self.held(a).is_some() { (a, b) } else { (b, a) };
        self.held(optional)?;
        super::convert::implicit_cost(self, other, optional).map(|_| optional.clone())
    }
}

impl Context<'_, '_> {
    /// A value, or `none`, as an optional one.
    pub fn wrapped(&mut self, expr: Expr, to: &Ty) -> Expr {
        let span = expr.span;
        let Some(held) = self.checker.program.held(to).cloned() else { return self.silent_error(span) };
        if self.checker.program.is_none(&expr.ty) {
            return Expr { kind: ExprKind::Zero, ty: to.clone(), span };
        }
        let value = self.converted(expr, &held);
        let has_value = Expr::literal(Literal::Bool(true), Ty::BOOL, span);
        Expr { kind: ExprKind::Construct(vec![value, has_value]), ty: to.clone(), span }
    }

    /// A conditional value as the optional one that its `get` gives.
    pub fn if_there(&mut self, conditional: Expr, span: Span) -> Expr {
        let ty = conditional.ty.clone();
        let Some(Symbol::Functions(get)) = self.checker.program.member_of(&ty, "get") else {
            return self.silent_error(span);
        };
        let (candidates, receiver) = (get.to_vec(), Some(Box::new(conditional)));
        let set = FunctionSet { candidates, receiver, of: Some(ty), ..FunctionSet::named("get".into()) };
        match self.choose(&set, &[], span) {
            Some((get, subst)) => self.call_of(get, &subst, set.receiver, Vec::new(), span),
            None => self.silent_error(span),
        }
    }

    /// `x == none` and `x != none`
    pub fn none_comparison(&mut self, op: BinaryOp, left: &Expr, right: &Expr, span: Span) -> Option<Expr> {
        let program = &self.checker.program;
        let optional = match (program.is_none(&left.ty), program.is_none(&right.ty)) {
            (false, true) => left,
            (true, false) => right,
            _ => return None,
        };
        program.held(&optional.ty)?;
        let has_value = part(optional.clone(), HAS_VALUE, Ty::BOOL, span);
        match op {
            BinaryOp::Ne => Some(has_value),
            BinaryOp::Eq => Some(self.unary(UnaryOp::Not, has_value, span)),
            _ => None,
        }
    }

    /// `if (let name = optional) then else otherwise`: the value has the name in `then` alone.
    pub fn if_let(
        &mut self,
        decl: &ast::Decl,
        then: &ast::Stmt,
        otherwise: Option<&ast::Stmt>,
        span: Span,
    ) -> Vec<Stmt> {
        let DeclKind::Var(ast::Var { name, init: Some(init), .. }) = &decl.kind else {
            self.silent_error(decl.span);
            return Vec::new();
        };
        let optional = self.expr(init);
        let held = self.checker.program.held(&optional.ty).cloned();
        if held.is_none() && !optional.is_error() {
            let shown = self.show(&optional.ty);
            let message = format!("`if (let ...)` needs an optional value, not `{shown}`");
            self.error(Code::TypeMismatch, message, init.span, format!("is `{shown}`"));
        }
        let held = held.unwrap_or(Ty::Error);
        self.broken |= held.is_error();
        let whole = self.temporary(optional.ty.clone(), init.span);
        let read = Expr { kind: ExprKind::Local(whole), ty: optional.ty.clone(), span: init.span };
        let value = part(read.clone(), VALUE, held.clone(), init.span);
        let has_value = part(read, HAS_VALUE, Ty::BOOL, init.span);
        let then = self.scoped(|context| {
            let mutable = matches!(&decl.kind, DeclKind::Var(var) if var.keyword == ast::VarKeyword::Var);
            let local = Local { name: name.text.clone(), ty: held, span: name.span, mutable, constant: None };
            let local = context.declare(local);
            let mut stmts = vec![Stmt { kind: StmtKind::Let(local, Some(value)), span: decl.span }];
            stmts.push(Stmt { kind: StmtKind::Block(context.nested(then)), span: then.span });
            stmts
        });
        let otherwise = otherwise.map_or_else(Vec::new, |stmt| self.nested(stmt));
        vec![
            Stmt { kind: StmtKind::Let(whole, Some(optional)), span: decl.span },
            Stmt { kind: StmtKind::If(has_value, then, otherwise), span },
        ]
    }
}

fn part(whole: Expr, index: u32, ty: Ty, span: Span) -> Expr {
    let pick = Pick::Element { index, detached: false };
    Expr { kind: ExprKind::Pick(Box::new(whole), pick), ty, span }
}
