//! Buffers that would be none: there is no buffer that is zero, so what holds one needs a value from the start.

use super::context::Context;
use super::hir::{Expr, ExprKind, Stmt, StmtKind};
use super::program::Program;
use super::recursion::each_expr;
use super::types::Ty;
use pullback_base::{Code, Diagnostic, Span};

impl Program<'_> {
    /// Whether values of the type hold an address.
    pub fn holds_buffer(&self, ty: &Ty) -> bool {
        match ty {
            Ty::Buffer(..) => true,
            Ty::Array(element, _) => self.holds_buffer(element),
            Ty::Struct(..) => self.fields_of(ty).iter().any(|field| self.holds_buffer(&field.ty)),
            _ => false,
        }
    }
}

impl Context<'_, '_> {
    /// Refuses variables and expressions that are zero where they need a buffer.
    pub fn refuse_null_buffers(&mut self, stmts: &[Stmt]) {
        let mut found: Vec<(Ty, Span)> = Vec::new();
        // What a constructor makes begins as zero.
        if let Some(this) = self.this.filter(|_| self.in_constructor()) {
            found.push((self.locals[this].ty.clone(), self.locals[this].span));
        }
        self.uninitialized(stmts, &mut found);
        each_expr(stmts, &mut |expr: &Expr| {
            if matches!(expr.kind, ExprKind::Zero) {
                found.push((expr.ty.clone(), expr.span));
            }
        });
        for (ty, span) in found {
            if self.checker.program.holds_buffer(&ty) {
                self.refuse_null(&ty, span);
            }
        }
    }

    pub fn refuse_null(&mut self, ty: &Ty, span: Span) {
        let shown = self.show(ty);
        self.report(
            Diagnostic::error(Code::TypeMismatch, format!("a `{shown}` cannot be zero"))
                .at(span, "no buffer is given here")
                .help("give it a buffer where it is declared"),
        );
    }

    fn uninitialized(&self, stmts: &[Stmt], found: &mut Vec<(Ty, Span)>) {
        for stmt in stmts {
            match &stmt.kind {
                StmtKind::Let(local, None) => found.push((self.locals[*local].ty.clone(), stmt.span)),
                StmtKind::Block(inner) => self.uninitialized(inner, found),
                StmtKind::If(_, then, otherwise) => {
                    self.uninitialized(then, found);
                    self.uninitialized(otherwise, found);
                }
                StmtKind::Loop(looped) => self.uninitialized(&looped.body, found),
                StmtKind::Switch(_, cases) => {
                    cases.iter().for_each(|case| self.uninitialized(&case.body, found));
                }
                _ => {}
            }
        }
    }
}
