//! Statements: control flow onto the SSA builder's regions and jumps.

use super::function::{Around, FunctionLowerer};
use crate::slang::check::count::Count;
use crate::slang::check::flow;
use crate::slang::check::hir::{Case, Expr, ExprKind, Literal, Loop, Stmt, StmtKind};
use crate::slang::check::types::Arg;
use crate::ssa::{Jump, Target};
use pullback_base::{bug, ids::Id};

impl FunctionLowerer<'_, '_> {
    pub fn block(&mut self, stmts: &[Stmt]) {
        let outer = self.deferred.len();
        for stmt in stmts {
            self.ssa.set_span(stmt.span);
            if !self.ssa.reach() {
                break;
            }
            self.stmt(stmt);
        }
        self.leave_to(outer);
        self.deferred.truncate(outer);
    }

    /// Runs what was deferred since there were so many: control leaves the blocks that deferred it.
    fn leave_to(&mut self, outer: usize) {
        for at in (outer..self.deferred.len()).rev() {
            if self.ssa.reach() {
                let body = self.deferred[at].clone();
                self.block(&body);
            }
        }
    }

    fn stmt(&mut self, stmt: &Stmt) {
        match &stmt.kind {
            StmtKind::Let(local, init) => {
                let decl = &self.body.locals[*local];
                let var = match init {
                    Some(init) => {
                        let value = self.expr(init);
                        self.ssa.declare_with(value, Some(&decl.name))
                    }
                    None => {
                        let ty = self.ty(&decl.ty);
                        self.declare(ty, Some(&decl.name))
                    }
                };
                self.vars[local.index()] = Some(var);
            }
            StmtKind::Expr(expr) => self.run(expr),
            StmtKind::Block(inner) => self.block(inner),
            StmtKind::If(condition, then, otherwise) => {
                let condition = self.expr(condition);
                self.ssa.begin_if(condition);
                self.block(then);
                self.ssa.begin_else();
                self.block(otherwise);
                self.ssa.set_span(stmt.span);
                self.ssa.end_if();
            }
            StmtKind::Loop(looped) => self.loop_(looped),
            StmtKind::Repeat(repeat) => {
                for number in repeat.numbers(self.lowerer.program, &self.subst) {
                    self.subst.insert(repeat.counter, Arg::Count(Count::Known(number)));
                    self.block(&repeat.body);
                }
                self.subst.remove(&repeat.counter);
            }
            StmtKind::Switch(value, cases) => self.switch(value, cases),
            StmtKind::DoCatch(it) => self.do_catch(it),
            StmtKind::Defer(body) => self.deferred.push(body.clone()),
            StmtKind::Break(further_out) => {
                let target = self.leave(*further_out, false);
                self.ssa.jump(Jump::Break(target));
            }
            StmtKind::Continue => {
                let target = self.leave(0, true);
                self.ssa.jump(Jump::Continue(target));
            }
            StmtKind::Return(value) => {
                if let (Some(value), Some(result)) = (value, self.result) {
                    let value = self.expr(value);
                    self.ssa.write(result, value);
                }
                self.leave_to(0);
                self.detach_constants();
                self.ssa.jump(Jump::Return);
            }
        }
    }

    /// Leaves the blocks within a loop or switch, to jump out of it.
    fn leave(&mut self, further_out: usize, only_loops: bool) -> Target {
        let mut around = self.around.iter().rev().filter(|around| around.is_loop || !only_loops);
        let Some(Around { target, deferred, .. }) = around.nth(further_out).copied() else {
            bug!("lower", "a jump without a target")
        };
        self.leave_to(deferred);
        target
    }

    fn loop_(&mut self, looped: &Loop) {
        let target = self.ssa.begin_loop(looped.hints);
        self.around.push(Around { target, is_loop: true, deferred: self.deferred.len() });
        let condition = looped.condition.as_ref().filter(|condition| !is_true(condition));
        let first = condition.filter(|_| !looped.test_last).map(|condition| self.expr(condition));
        self.ssa.loop_body(first);
        self.block(&looped.body);
        if self.ssa.loop_step() {
            if let Some(step) = &looped.step {
                self.spanned(step.span, |this| this.run(step));
            }
            if let Some(condition) = condition.filter(|_| looped.test_last) {
                let goes_on = self.spanned(condition.span, |this| this.expr(condition));
                self.ssa.break_unless(target, goes_on);
            }
        }
        self.around.pop();
        self.ssa.end_loop();
    }

    fn switch(&mut self, value: &Expr, cases: &[Case]) {
        let selector = self.expr(value);
        let target = self.ssa.begin_switch(selector);
        self.around.push(Around { target, is_loop: false, deferred: self.deferred.len() });
        let (mut values, mut is_default) = (Vec::new(), false);
        for (index, case) in cases.iter().enumerate() {
            values.extend_from_slice(&case.values);
            is_default |= case.is_default;
            // Labels above nothing belong to the statements below.
            if case.body.is_empty() && index + 1 < cases.len() {
                continue;
            }
            let labels = std::mem::take(&mut values);
            self.ssa.begin_case((!std::mem::take(&mut is_default)).then_some(labels));
            flow::bodies_from(cases, index).for_each(|body| self.block(body));
        }
        self.around.pop();
        self.ssa.end_switch();
    }
}

fn is_true(condition: &Expr) -> bool {
    matches!(condition.kind, ExprKind::Literal(Literal::Bool(true)))
}
