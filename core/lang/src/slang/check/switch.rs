//! `switch`: constant labels, cases that end.

use super::context::Context;
use super::flow;
use super::hir::{Case, Expr, StmtKind};
use super::types::Ty;
use crate::slang::ast::{self, CaseLabel};
use pullback_base::{Code, Diagnostic, Scalar, Span};

impl Context<'_, '_> {
    pub fn switch(&mut self, value: &ast::Expr, cases: &[ast::Case]) -> StmtKind {
        let value = self.expr(value);
        let selector = self.selector(value);
        let unsigned = selector.ty == Ty::UINT;
        let mut out: Vec<Case> = Vec::new();
        let mut seen: Vec<(i64, Span)> = Vec::new();
        let mut default: Option<Span> = None;
        self.switches += 1;
        for case in cases {
            let mut values = Vec::new();
            let mut is_default = false;
            for label in &case.labels {
                match label {
                    CaseLabel::Default(span) => {
                        if let Some(first) = default.replace(*span) {
                            self.twice("default", *span, first);
                        }
                        is_default = true;
                    }
                    CaseLabel::Case(label) => {
                        let value = self.expr(label);
                        let Some(value) = self.constant_int(&value) else { continue };
                        let value = if unsigned { i64::from(value as u32) } else { i64::from(value as i32) };
                        match seen.iter().find(|(known, _)| *known == value) {
                            Some(&(_, first)) => self.twice(&format!("case {value}"), label.span, first),
                            None => seen.push((value, label.span)),
                        }
                        values.push(value);
                    }
                }
            }
            let body = self.scoped(|context| {
                let mut body = Vec::new();
                case.body.iter().for_each(|stmt| context.stmt(stmt, &mut body));
                body
            });
            out.push(Case { values, is_default, body });
        }
        self.switches -= 1;
        self.limit_copies(&out, cases);
        StmtKind::Switch(selector, out)
    }

    /// The IR switches over 32-bit integers.
    fn selector(&mut self, value: Expr) -> Expr {
        if value.is_error() {
            return value;
        }
        let scalar = value.ty.known_scalar().filter(|scalar| value.ty.is_scalar() && !scalar.is_float());
        match scalar {
            Some(Scalar::I32 | Scalar::U32) => value,
            Some(Scalar::I64 | Scalar::U64) => self.unsupported("switches over 64-bit integers", value.span),
            Some(_) => self.converted(value, &Ty::INT),
            None => {
                let shown = self.show(&value.ty);
                let message = format!("`switch` is over integers, not `{shown}`");
                self.error(Code::TypeMismatch, message, value.span, format!("is `{shown}`"))
            }
        }
    }

    /// A case that falls through is lowered with a copy of what it falls into; nested switches copy copies.
    fn limit_copies(&mut self, cases: &[Case], written: &[ast::Case]) {
        const MOST_STATEMENTS: usize = 20_000;
        if flow::copied_size(cases) <= MOST_STATEMENTS {
            return;
        }
        let Some(case) = written.first() else { return };
        self.report(
            Diagnostic::error(Code::UnsupportedFeature, "too much of this `switch` falls through")
                .at(case.span, "from here on")
                .help("end cases with `break`, or put shared statements into a function"),
        );
    }

    fn twice(&mut self, what: &str, second: Span, first: Span) {
        self.report(
            Diagnostic::error(Code::InvalidControlFlow, format!("`{what}` is listed twice"))
                .at(second, "listed again")
                .also(first, "first listed here"),
        );
    }
}
