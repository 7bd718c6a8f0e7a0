//! `__target_switch` and `__stage_switch`: the case for where the program will run.

use super::context::Context;
use super::hir::{Case, Expr, Literal, Stmt, StmtKind};
use super::types::Ty;
use crate::slang::ast::{self, TargetQuestion};
use pullback_base::{Code, Diagnostic, Span};

/// The stages that there are: functions that are called are part of such a kernel too.
const STAGES: [&str; 1] = ["compute"];

impl Context<'_, '_> {
    pub fn target_switch(&mut self, switch: &ast::TargetSwitch, span: Span) -> StmtKind {
        let chosen = self.target_case(switch);
        if chosen.is_none() {
            let (word, place) = match switch.asks {
                TargetQuestion::Target => ("__target_switch", "this device"),
                TargetQuestion::Stage => ("__stage_switch", "compute kernels"),
            };
            let message = format!("`{word}` has no case for {place}");
            self.report(
                Diagnostic::error(Code::UnsupportedFeature, message)
                    .at(switch.span, "nothing is chosen")
                    .help("add a `default` case"),
            );
        }
        // `break` leaves it as it leaves a `switch`.
        self.enter(false);
        let body = chosen.map_or_else(Vec::new, |chosen| self.case_body(&switch.cases[chosen].body));
        for (index, case) in switch.cases.iter().enumerate() {
            if Some(index) != chosen {
                self.pass_over(&case.body);
            }
        }
        self.around.pop();
        let selector = Expr::literal(Literal::Int(0), Ty::INT, span);
        StmtKind::Switch(selector, vec![Case { values: Vec::new(), is_default: true, body }])
    }

    fn target_case(&self, switch: &ast::TargetSwitch) -> Option<usize> {
        let is_here = |name: &ast::Name| match switch.asks {
            TargetQuestion::Target => self.checker.targets.iter().any(|target| *target == *name.text),
            TargetQuestion::Stage => STAGES.contains(&&*name.text),
        };
        let named = switch.cases.iter().position(|case| case.names.iter().any(is_here));
        named.or_else(|| switch.cases.iter().position(|case| case.is_default))
    }

    fn case_body(&mut self, stmts: &[ast::Stmt]) -> Vec<Stmt> {
        self.scoped(|context| {
            let mut body = Vec::new();
            stmts.iter().for_each(|stmt| context.stmt(stmt, &mut body));
            body
        })
    }

    /// A case for elsewhere: what it names is used, and what is wrong in it is left to where it is chosen.
    fn pass_over(&mut self, stmts: &[ast::Stmt]) {
        let said = (self.checker.diagnostics.len(), self.checker.suspicions.len());
        let (broken, infers_result, result) = (self.broken, self.infers_result, self.result.clone());
        self.case_body(stmts);
        self.checker.diagnostics.truncate(said.0);
        self.checker.suspicions.truncate(said.1);
        (self.broken, self.infers_result, self.result) = (broken, infers_result, result);
    }
}
