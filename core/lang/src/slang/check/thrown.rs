//! Errors that functions throw. A function that throws gives what it has thrown through a last, hidden parameter, a `__Thrown<E>`;
//! `try` looks there after the call, and goes to what catches it.

use super::context::{Around, Context};
use super::hir::{DoCatch, Expr, ExprKind, Literal, Local, LocalId, Pick, Stmt, StmtKind};
use super::program::{FnId, Program};
use super::types::{Arg, Ty};
use crate::slang::ast::{self, THROWN};
use pullback_base::{Code, Diagnostic, Span};

/// What a `do ... catch` catches.
pub struct Catches {
    /// Tells which one, from 1 on.
    which: LocalId,
    /// For each `catch` its type, and where what it catches goes.
    errors: Vec<(Ty, LocalId)>,
}

/// The call that a `try` stands before, while that is checked.
pub enum Tried {
    /// Its arguments are not seen yet.
    Ahead,
    /// It gives what it has thrown there.
    Into(LocalId),
}

/// Where an error goes.
enum Handler {
    /// To the `catch` of that number of what is so far out.
    Catch { further_out: usize, which: LocalId, number: usize, error: LocalId },
    /// To whoever called the function, through its hidden parameter.
    Caller(LocalId),
}

/// The fields of `__Thrown`, in their order.
const ANY: u32 = 0;
const ERROR: u32 = 1;

impl Program<'_> {
    pub fn throws(&self, id: FnId) -> bool {
        self.functions[id].ast.throws()
    }

    /// `E` of `__Thrown<E>`.
    fn error_type<'t>(&self, ty: &'t Ty) -> Option<&'t Ty> {
        match ty {
            Ty::Struct(id, args) if self.std_struct("__Thrown") == Some(*id) => match &args[..] {
                [Arg::Type(error)] => Some(error),
                _ => None,
            },
            _ => None,
        }
    }
}

impl Context<'_, '_> {
    /// `try f(x)`
    pub fn try_(&mut self, call: &ast::Expr, span: Span) -> Expr {
        let outer = self.tried.replace(Tried::Ahead);
        let value = self.expr(call);
        let tried = std::mem::replace(&mut self.tried, outer);
        if value.is_error() {
            return self.silent_error(span);
        }
        let Some(Tried::Into(thrown)) = tried else {
            let message = "`try` stands before no call that throws";
            return self.error_advised(
                Code::TypeMismatch,
                message,
                span,
                "nothing is thrown here",
                "leave it out",
            );
        };
        let ty = self.locals[thrown].ty.clone();
        let whole = Expr { kind: ExprKind::Local(thrown), ty: ty.clone(), span };
        let Some(error_ty) = self.checker.program.error_type(&ty).cloned() else {
            return self.silent_error(span);
        };
        let error = part(whole, ERROR, error_ty);
        let Some(failed) = self.thrown(error, span) else { return Expr::error(span) };
        let ty = value.ty.clone();
        Expr { kind: ExprKind::Attempt { call: Box::new(value), thrown, failed: failed.into() }, ty, span }
    }

    /// The hidden argument of a call of one of these functions, if they throw; `None` when something is wrong, and reported.
    pub fn thrown_argument(&mut self, candidates: &[FnId], span: Span) -> Option<Option<Expr>> {
        let tried = matches!(self.tried, Some(Tried::Ahead));
        let Some(&throwing) = candidates.iter().find(|&&id| self.checker.program.throws(id)) else {
            return Some(None);
        };
        let name = self.checker.program.functions[throwing].qualified.clone();
        if !tried {
            let declared = self.checker.program.functions[throwing].ast.name.span;
            self.report(
                Diagnostic::error(Code::InvalidControlFlow, format!("`{name}` may throw"))
                    .at(span, "called without `try`")
                    .also(declared, "declared here")
                    .help("write `try` before the call"),
            );
            return None;
        }
        let signature = self.checker.signature(throwing);
        let ty = signature.params.last().map_or(Ty::Error, |param| param.ty.clone());
        if signature.generics.iter().any(|&generic| ty.mentions(generic)) {
            self.unsupported("errors of generic types", span);
            return None;
        }
        let thrown = self.temporary(ty.clone(), span);
        self.tried = Some(Tried::Into(thrown));
        Some(Some(Expr { kind: ExprKind::Local(thrown), ty, span }))
    }

    /// `throw error;`
    pub fn throw(&mut self, error: &ast::Expr, span: Span) -> StmtKind {
        let error = self.expr(error);
        if error.is_error() {
            self.silent_error(span);
            return StmtKind::Block(Vec::new());
        }
        StmtKind::Block(self.thrown(error, span).unwrap_or_default())
    }

    /// The error goes to where it is caught.
    fn thrown(&mut self, error: Expr, span: Span) -> Option<Vec<Stmt>> {
        let stmt = |kind| Stmt { kind, span };
        let assign = |local: LocalId, value: Expr| {
            let ty = value.ty.clone();
            let place = Box::new(Expr { kind: ExprKind::Local(local), ty: ty.clone(), span });
            stmt(StmtKind::Expr(Expr { kind: ExprKind::Assign { place, value: Box::new(value) }, ty, span }))
        };
        if self.is_deferred {
            self.error(
                Code::InvalidControlFlow,
                "errors in what is deferred",
                span,
                "control leaves the block already",
            );
            return None;
        }
        match self.handler(&error.ty) {
            Some(Handler::Catch { further_out, which, number, error: into }) => {
                let number = Expr::literal(Literal::Int(number as i128), Ty::INT, span);
                Some(vec![assign(into, error), assign(which, number), stmt(StmtKind::Break(further_out))])
            }
            Some(Handler::Caller(thrown)) => {
                let any = Expr::literal(Literal::Bool(true), Ty::BOOL, span);
                let ty = self.locals[thrown].ty.clone();
                let value = Expr { kind: ExprKind::Construct(vec![any, error]), ty, span };
                Some(vec![assign(thrown, value), stmt(StmtKind::Return(None))])
            }
            None => {
                let shown = self.show(&error.ty);
                self.report(
                    Diagnostic::error(Code::InvalidControlFlow, format!("nothing catches an error of type `{shown}`"))
                        .at(span, "may be thrown here")
                        .help(format!("declare the function with `throws {shown}`, or put this into `do {{ ... }} catch (e : {shown}) {{ ... }}`")),
                );
                None
            }
        }
    }

    fn handler(&self, ty: &Ty) -> Option<Handler> {
        let around = self.around.iter().rev().filter(|around| !around.is_written_out);
        for (further_out, around) in around.enumerate() {
            let Some(Catches { which, errors }) = &around.catches else { continue };
            if let Some(at) = errors.iter().position(|(caught, _)| caught == ty) {
                let (which, error) = (*which, errors[at].1);
                return Some(Handler::Catch { further_out, which, number: at + 1, error });
            }
        }
        let (_, thrown) = self.named_locals().find(|(name, _)| *name == THROWN)?;
        (self.checker.program.error_type(&self.locals[thrown].ty) == Some(ty))
            .then_some(Handler::Caller(thrown))
    }

    /// `do { ... } catch (e : E) { ... }`
    pub fn do_catch(&mut self, body: &ast::Stmt, catches: &[ast::Catch]) -> StmtKind {
        let mut errors = Vec::new();
        for catch in catches {
            let ty = self.resolve_value_type(&catch.ty);
            let ty = self.sized(ty, catch.ty.span);
            self.broken |= ty.is_error();
            let error = self.temporary(ty.clone(), catch.name.span);
            errors.push((ty, error));
        }
        let which = self.temporary(Ty::INT, body.span);
        let (label, is_loop, is_written_out) = (self.label.take(), false, false);
        let caught = errors.clone();
        self.around.push(Around { is_loop, is_written_out, label, catches: Some(Catches { which, errors }) });
        let body = self.nested(body);
        self.around.pop();
        let handlers = catches.iter().zip(&caught).map(|(catch, (ty, error))| {
            self.scoped(|context| {
                let (name, span) = (catch.name.text.clone(), catch.name.span);
                let local = Local { name, ty: ty.clone(), span, mutable: true, constant: None };
                let named = context.declare_given(local);
                let value = Expr { kind: ExprKind::Local(*error), ty: ty.clone(), span };
                let mut stmts = vec![Stmt { kind: StmtKind::Let(named, Some(value)), span }];
                stmts
                    .push(Stmt { kind: StmtKind::Block(context.nested(&catch.body)), span: catch.body.span });
                stmts
            })
        });
        let handlers = handlers.collect();
        let errors = caught.into_iter().map(|(_, error)| error).collect();
        StmtKind::DoCatch(Box::new(DoCatch { which, errors, body, handlers }))
    }
}

/// Whether a function has thrown, as what its hidden parameter gave tells.
pub fn any(thrown: LocalId, ty: Ty, span: Span) -> Expr {
    part(Expr { kind: ExprKind::Local(thrown), ty, span }, ANY, Ty::BOOL)
}

fn part(whole: Expr, index: u32, ty: Ty) -> Expr {
    let span = whole.span;
    let pick = Pick::Element { index, detached: false };
    Expr { kind: ExprKind::Pick(Box::new(whole), pick), ty, span }
}
