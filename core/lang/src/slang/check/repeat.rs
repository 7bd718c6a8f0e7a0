//! `$for`: statements that are written out for each number of a range.

use super::context::{Around, Context};
use super::count::Count;
use super::hir::{Expr, ExprKind, Local, Repeat, Stmt, StmtKind};
use super::program::{Generic, GenericKind, Program};
use super::recursion::each_part;
use super::types::{Arg, Subst, Ty};
use crate::slang::ast;
use pullback_base::{Code, Diagnostic, Span};
use std::sync::Arc;

impl Repeat {
    /// The numbers of the range; none where the generic numbers in its bounds are not known.
    pub fn numbers(&self, program: &Program<'_>, subst: &Subst) -> std::ops::Range<i64> {
        let bound = |count: &Count| count.subst(program, subst).known();
        match (bound(&self.from), bound(&self.to)) {
            (Some(from), Some(to)) => from..to,
            _ => 0..0,
        }
    }
}

/// Calls `f` for each expression of the statements as often as it is written out, with what the generic parameters stand for there.
pub fn each_written<'h>(
    program: &Program<'_>,
    stmts: &'h [Stmt],
    subst: &Subst,
    f: &mut dyn FnMut(&'h Expr, &Subst),
) {
    let mut repeats = Vec::new();
    each_part(stmts, &mut |expr| f(expr, subst), &mut |repeat| repeats.push(repeat));
    for repeat in repeats {
        for number in repeat.numbers(program, subst) {
            let mut turn = subst.clone();
            turn.insert(repeat.counter, Arg::Count(Count::Known(number)));
            each_written(program, &repeat.body, &turn, f);
        }
    }
}

/// How many turns there are to write out, a loop within a loop counted for each turn of that; no more than `limit`.
pub fn turns(program: &Program<'_>, stmts: &[Stmt], subst: &Subst, limit: u64) -> u64 {
    let mut repeats = Vec::new();
    each_part(stmts, &mut |_| {}, &mut |repeat| repeats.push(repeat));
    let mut sum = 0u64;
    for repeat in repeats {
        for number in repeat.numbers(program, subst) {
            let mut turn = subst.clone();
            turn.insert(repeat.counter, Arg::Count(Count::Known(number)));
            sum = sum.saturating_add(1).saturating_add(turns(program, &repeat.body, &turn, limit));
            if sum >= limit {
                return limit;
            }
        }
    }
    sum
}

pub fn has_repeats(stmts: &[Stmt]) -> bool {
    let mut found = false;
    each_part(stmts, &mut |_| {}, &mut |_| found = true);
    found
}

impl Context<'_, '_> {
    pub fn compile_time_for(
        &mut self,
        counter: &ast::Name,
        from: Option<&ast::Expr>,
        to: &ast::Expr,
        body: &ast::Stmt,
    ) -> StmtKind {
        let from = from.map_or(Some(Count::Known(0)), |from| self.count(from));
        let to = self.count(to);
        let (name, span) = (counter.text.clone(), counter.span);
        let kind = GenericKind::Count { ty: Ty::INT, default: None };
        let generic = Generic { name: name.clone(), kind, facts: Vec::new(), span };
        let param = self.checker.program.generics.push(generic);
        let value = Arc::new(Expr { kind: ExprKind::Param(param), ty: Ty::INT, span });
        self.counters.push(param);
        self.around.push(Around { is_loop: true, is_written_out: true, label: None, catches: None });
        let body = self.scoped(|context| {
            let constant = Some(value);
            context.declare_given(Local { name, ty: Ty::INT, span, mutable: false, constant });
            context.nested(body)
        });
        self.around.pop();
        self.counters.pop();
        match (from, to) {
            (Some(from), Some(to)) => StmtKind::Repeat(Box::new(Repeat { counter: param, from, to, body })),
            _ => {
                self.broken = true;
                StmtKind::Block(body)
            }
        }
    }

    /// Refuses a jump that would leave a turn, where the innermost loop is written out; whether it does.
    pub fn leaves_written_out(&mut self, word: &str, is_written_out: bool, span: Span) -> bool {
        if is_written_out {
            self.report(
                Diagnostic::error(Code::InvalidControlFlow, format!("`{word}` in a `$for`"))
                    .at(span, "its turns are written out: there is no loop to leave")
                    .help("put what is to be left out behind an `if`, or write `[ForceUnroll] for (...)`"),
            );
        }
        is_written_out
    }
}
