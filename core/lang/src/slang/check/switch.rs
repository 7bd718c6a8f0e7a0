//! `switch`: constant labels, cases that end.

use super::context::Context;
use super::flow;
use super::hir::{Case, Expr, ExprKind, Literal, Stmt, StmtKind};
use super::types::Ty;
use crate::slang::ast::{self, CaseLabel};
use pullback_base::{Code, Diagnostic, Scalar, Span};
use pullback_ir::Op;

impl Context<'_, '_> {
    pub fn switch(&mut self, value: &ast::Expr, cases: &[ast::Case]) -> StmtKind {
        let value = self.expr(value);
        let value_ty = value.ty.clone();
        let value = if let Ty::Enum(_) = value.ty { self.enum_tag(value) } else { value };
        let selector = self.selector(value);
        let mut out: Vec<Case> = Vec::new();
        let mut seen: Vec<(i64, Span)> = Vec::new();
        let mut default: Option<Span> = None;
        self.enter(false);
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
                        let Some(value) = self.label(label, &value_ty, &selector.ty) else { continue };
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
        self.around.pop();
        self.limit_copies(&out, cases);
        match selector.ty.known_scalar() {
            Some(Scalar::I64 | Scalar::U64) => self.wide_switch(selector, out),
            _ => StmtKind::Switch(selector, out),
        }
    }

    /// The value of a label, in the type that is switched over.
    fn label(&mut self, label: &ast::Expr, wanted: &Ty, selector: &Ty) -> Option<i64> {
        let mut value = self.expr(label);
        if let Ty::Enum(_) = wanted {
            value = self.coerce(value, wanted, "this label");
        }
        if let Ty::Enum(_) = value.ty {
            value = self.enum_tag(value);
        }
        let value = self.constant_int(&value)?;
        let scalar = selector.known_scalar().unwrap_or(Scalar::I32);
        Some(Literal::Int(i128::from(value)).constant(scalar).as_i64())
    }

    /// What the IR can switch over: 32-bit integers, and wide ones by way of the number of the label they equal.
    fn selector(&mut self, value: Expr) -> Expr {
        if value.is_error() {
            return value;
        }
        let scalar = value.ty.known_scalar().filter(|scalar| value.ty.is_scalar() && !scalar.is_float());
        match scalar {
            Some(Scalar::I32 | Scalar::U32 | Scalar::I64 | Scalar::U64) => value,
            Some(_) => self.converted(value, &Ty::INT),
            None => {
                let shown = self.show(&value.ty);
                let message = format!("`switch` is over integers, not `{shown}`");
                let label = format!("is `{shown}`");
                let help = "convert it: `int(...)`, or compare by `if`";
                self.error_advised(Code::TypeMismatch, message, value.span, label, help)
            }
        }
    }

    /// A switch over 64 bits: labels are numbered, and the value is compared with each in turn.
    fn wide_switch(&mut self, selector: Expr, mut cases: Vec<Case>) -> StmtKind {
        let (ty, span) = (selector.ty.clone(), selector.span);
        let local = self.temporary(ty.clone(), span);
        let labels: Vec<i64> = cases.iter().flat_map(|case| case.values.iter().copied()).collect();
        let mut number = 0;
        for value in cases.iter_mut().flat_map(|case| &mut case.values) {
            *value = number;
            number += 1;
        }
        let int = |value: i64| Expr::literal(Literal::Int(i128::from(value)), Ty::INT, span);
        let chosen = self.temporary(Ty::INT, span);
        let read = |local, ty: &Ty| Expr { kind: ExprKind::Local(local), ty: ty.clone(), span };
        let mut stmts = vec![
            Stmt { kind: StmtKind::Let(local, Some(selector)), span },
            Stmt { kind: StmtKind::Let(chosen, Some(int(number))), span },
        ];
        for (index, &label) in labels.iter().enumerate() {
            let label = Expr::literal(Literal::Int(i128::from(label)), ty.clone(), span);
            let args = vec![read(local, &ty), label];
            let condition = Expr { kind: ExprKind::Op(Op::Eq, args), ty: Ty::BOOL, span };
            let args = vec![condition, int(index as i64), read(chosen, &Ty::INT)];
            let value = Box::new(Expr { kind: ExprKind::Op(Op::Select, args), ty: Ty::INT, span });
            let place = Box::new(read(chosen, &Ty::INT));
            let assign = Expr { kind: ExprKind::Assign { place, value }, ty: Ty::INT, span };
            stmts.push(Stmt { kind: StmtKind::Expr(assign), span });
        }
        stmts.push(Stmt { kind: StmtKind::Switch(read(chosen, &Ty::INT), cases), span });
        StmtKind::Block(stmts)
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
