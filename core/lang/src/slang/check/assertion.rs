//! `static_assert(condition, "why")`: told at once, or for each instance of a generic function that is asked for.

use super::Checker;
use super::constant::{self, Tree};
use super::context::Context;
use super::hir::{Expr, ExprKind};
use super::types::{Subst, Ty};
use crate::slang::ast;
use pullback_base::{Code, Diagnostic, Span};
use std::sync::Arc;

pub const NAME: &str = "static_assert";

impl Context<'_, '_> {
    pub fn static_assert(&mut self, args: &[ast::Expr], span: Span) -> Expr {
        let message: Arc<str> = match args {
            [_] => "".into(),
            [_, ast::Expr { kind: ast::ExprKind::String(message), .. }] => message.clone(),
            _ => {
                let takes = format!("`{NAME}` takes a condition and a message");
                return self.error(Code::NoOverload, takes, span, "here");
            }
        };
        let condition = self.expr(&args[0]);
        let condition = self.condition(condition);
        if condition.is_error() {
            return self.silent_error(span);
        }
        // What generic parameters decide is told when they are known.
        let is_generic = self.function.is_some_and(|id| {
            let signature = self.checker.signature(id);
            !signature.generics.is_empty()
        });
        if !is_generic && !self.checker.holds(&condition, &message, &Subst::default()) {
            return self.silent_error(span);
        }
        let kind = ExprKind::Assert { condition: Box::new(condition), message };
        Expr { kind, ty: Ty::Void, span }
    }
}

impl Checker<'_> {
    /// Whether an assertion holds where generic parameters stand for that; an error where not.
    pub fn holds(&mut self, condition: &Expr, message: &str, subst: &Subst) -> bool {
        let diagnostic = match constant::evaluate(&self.program, condition, subst) {
            Ok(Tree::Leaf(value)) if value.as_bool() => return true,
            Ok(_) => {
                let what = if message.is_empty() { "this assertion does not hold" } else { message };
                let mut given: Vec<_> = subst.iter().collect();
                given.sort_by_key(|(param, _)| **param);
                let given: Vec<String> = given
                    .into_iter()
                    .map(|(param, arg)| {
                        format!("{} = {}", self.program.generics[*param].name, self.program.show_arg(arg))
                    })
                    .collect();
                let label = match given.is_empty() {
                    true => "is false".into(),
                    false => format!("is false where {}", given.join(", ")),
                };
                Diagnostic::error(Code::AssertionFails, what).at(condition.span, label)
            }
            Err(at) => Diagnostic::error(Code::NotConstant, "an assertion must be known at compile time")
                .at(at, "not a constant expression"),
        };
        self.diagnostics.push(diagnostic);
        false
    }
}
