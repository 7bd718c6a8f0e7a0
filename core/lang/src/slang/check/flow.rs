//! How control leaves statements: whether it can reach their end, whether it leaves a loop.

use super::hir::{Case, Expr, ExprKind, Literal, Loop, Stmt, StmtKind};
use super::recursion::walk;

/// Whether control can reach the end of a function's body, or of a case.
pub fn falls_through(stmts: &[Stmt]) -> bool {
    stmts.iter().all(|stmt| match &stmt.kind {
        StmtKind::Return(_) | StmtKind::Break(_) | StmtKind::Continue => false,
        StmtKind::Block(inner) => falls_through(inner),
        // Any call in it may lead to any handler.
        StmtKind::DoCatch(it) => {
            falls_through(&it.body) || it.handlers.iter().any(|handler| falls_through(handler))
        }
        StmtKind::If(_, then, otherwise) => falls_through(then) || falls_through(otherwise),
        StmtKind::Switch(_, cases) => {
            let has_default = cases.iter().any(|case| case.is_default);
            // A case ends by a jump out of the function or loop, or goes on into the next one.
            let goes_on = |index: usize, case: &Case| {
                !breaks(&case.body) && (index + 1 < cases.len() || !falls_through(&case.body))
            };
            !has_default || !cases.iter().enumerate().all(|(index, case)| goes_on(index, case))
        }
        StmtKind::Loop(looped) if is_endless(looped) => breaks(&looped.body),
        StmtKind::Loop(looped) if looped.test_last => {
            falls_through(&looped.body) || breaks(&looped.body) || continues(&looped.body)
        }
        // There may be no turn.
        StmtKind::Loop(_) | StmtKind::Repeat(_) => true,
        StmtKind::Let(..) | StmtKind::Expr(_) | StmtKind::Defer(_) => true,
    })
}

/// Whether only a jump ends the loop.
pub fn is_endless(looped: &Loop) -> bool {
    match &looped.condition {
        None => true,
        Some(condition) => matches!(condition.kind, ExprKind::Literal(Literal::Bool(true))),
    }
}

/// Whether a `break` in these statements leaves what is around them, and nothing further out.
fn breaks(stmts: &[Stmt]) -> bool {
    any_break(stmts, 0, &|further_out| further_out == 0)
}

/// Whether a `break` in these statements holds the condition, which is told how far beyond what is around them it leads.
fn any_break(stmts: &[Stmt], within: usize, holds: &dyn Fn(usize) -> bool) -> bool {
    stmts.iter().any(|stmt| match &stmt.kind {
        StmtKind::Break(out) => out.checked_sub(within).is_some_and(holds),
        StmtKind::Block(inner) => any_break(inner, within, holds),
        StmtKind::If(_, then, otherwise) => {
            any_break(then, within, holds) || any_break(otherwise, within, holds)
        }
        StmtKind::Loop(looped) => any_break(&looped.body, within + 1, holds),
        StmtKind::DoCatch(it) => {
            any_break(&it.body, within + 1, holds)
                || it.handlers.iter().any(|handler| any_break(handler, within, holds))
        }
        StmtKind::Switch(_, cases) => cases.iter().any(|case| any_break(&case.body, within + 1, holds)),
        StmtKind::Repeat(repeat) => any_break(&repeat.body, within, holds),
        _ => false,
    })
}

fn continues(stmts: &[Stmt]) -> bool {
    stmts.iter().any(|stmt| match &stmt.kind {
        StmtKind::Continue => true,
        StmtKind::Block(inner) => continues(inner),
        StmtKind::If(_, then, otherwise) => continues(then) || continues(otherwise),
        StmtKind::Switch(_, cases) => cases.iter().any(|case| continues(&case.body)),
        StmtKind::DoCatch(it) => continues(&it.body) || it.handlers.iter().any(|handler| continues(handler)),
        _ => false,
    })
}

/// Whether a jump in a loop's body can leave the loop.
pub fn leaves_loop(body: &[Stmt]) -> bool {
    any_break(body, 0, &|_| true) || returns(body)
}

fn returns(stmts: &[Stmt]) -> bool {
    stmts.iter().any(|stmt| match &stmt.kind {
        StmtKind::Return(_) => true,
        StmtKind::Let(_, Some(expr)) | StmtKind::Expr(expr) => may_throw(expr),
        StmtKind::Block(inner) => returns(inner),
        StmtKind::DoCatch(it) => returns(&it.body) || it.handlers.iter().any(|handler| returns(handler)),
        StmtKind::If(_, then, otherwise) => returns(then) || returns(otherwise),
        StmtKind::Switch(_, cases) => cases.iter().any(|case| returns(&case.body)),
        StmtKind::Loop(looped) => returns(&looped.body),
        StmtKind::Repeat(repeat) => returns(&repeat.body),
        _ => false,
    })
}

/// Whether an expression may lead away from where it stands.
pub fn may_throw(expr: &Expr) -> bool {
    let mut throws = false;
    walk(expr, &mut |part| throws |= matches!(part.kind, ExprKind::Attempt { .. }));
    throws
}

/// The bodies that run when control enters a `switch` at a case: its own, and those it falls into.
pub fn bodies_from(cases: &[Case], entry: usize) -> impl Iterator<Item = &[Stmt]> {
    let mut open = true;
    cases[entry..].iter().map(|case| case.body.as_slice()).take_while(move |body| {
        let entered = open;
        open = entered && falls_through(body);
        entered
    })
}

/// How many statements a `switch` has once each case holds a copy of what it falls into.
pub fn copied_size(cases: &[Case]) -> usize {
    let sizes: Vec<usize> = cases.iter().map(|case| size(&case.body)).collect();
    let entries = (0..cases.len()).filter(|&entry| !cases[entry].body.is_empty());
    let copied = entries.map(|entry| {
        let bodies = bodies_from(cases, entry).count();
        sizes[entry..entry + bodies].iter().fold(0usize, |sum, &size| sum.saturating_add(size))
    });
    copied.fold(0, usize::saturating_add)
}

fn size(stmts: &[Stmt]) -> usize {
    let sizes = stmts.iter().map(|stmt| match &stmt.kind {
        StmtKind::Block(inner) => size(inner),
        StmtKind::If(_, then, otherwise) => size(then).saturating_add(size(otherwise)),
        StmtKind::Switch(_, cases) => copied_size(cases),
        StmtKind::Loop(looped) => size(&looped.body),
        StmtKind::Repeat(repeat) => size(&repeat.body),
        StmtKind::Return(_)
        | StmtKind::Break(_)
        | StmtKind::Continue
        | StmtKind::Let(..)
        | StmtKind::Expr(_) => 0,
        StmtKind::Defer(body) => size(body),
        StmtKind::DoCatch(it) => {
            let handlers = it.handlers.iter().map(|handler| size(handler));
            handlers.fold(size(&it.body), usize::saturating_add)
        }
    });
    sizes.fold(0, |sum, size| sum.saturating_add(size).saturating_add(1))
}
