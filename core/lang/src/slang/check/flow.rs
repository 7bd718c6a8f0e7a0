//! How control leaves statements: whether it can reach their end, whether it leaves a loop.

use super::hir::{ExprKind, Literal, Loop, Stmt, StmtKind};

/// Whether control can reach the end of a function's body, or of a case.
pub fn falls_through(stmts: &[Stmt]) -> bool {
    stmts.iter().all(|stmt| match &stmt.kind {
        StmtKind::Return(_) | StmtKind::Break | StmtKind::Continue => false,
        StmtKind::Block(inner) => falls_through(inner),
        StmtKind::If(_, then, otherwise) => falls_through(then) || falls_through(otherwise),
        StmtKind::Switch(_, cases) => {
            let has_default = cases.iter().any(|case| case.is_default);
            let ends = |case: &super::hir::Case| {
                !case.body.is_empty() && !falls_through(&case.body) && !breaks(&case.body)
            };
            let open = |index: usize| index + 1 < cases.len() && cases[index].body.is_empty();
            !has_default || !cases.iter().enumerate().all(|(index, case)| ends(case) || open(index))
        }
        StmtKind::Loop(looped) if is_endless(looped) => breaks(&looped.body),
        StmtKind::Loop(looped) if looped.test_last => {
            falls_through(&looped.body) || breaks(&looped.body) || continues(&looped.body)
        }
        StmtKind::Loop(_) => true,
        StmtKind::Let(..) | StmtKind::Expr(_) => true,
    })
}

/// Whether only a jump ends the loop.
pub fn is_endless(looped: &Loop) -> bool {
    match &looped.condition {
        None => true,
        Some(condition) => matches!(condition.kind, ExprKind::Literal(Literal::Bool(true))),
    }
}

/// Whether a `break` in these statements leaves what is around them.
fn breaks(stmts: &[Stmt]) -> bool {
    stmts.iter().any(|stmt| match &stmt.kind {
        StmtKind::Break => true,
        StmtKind::Block(inner) => breaks(inner),
        StmtKind::If(_, then, otherwise) => breaks(then) || breaks(otherwise),
        _ => false,
    })
}

fn continues(stmts: &[Stmt]) -> bool {
    stmts.iter().any(|stmt| match &stmt.kind {
        StmtKind::Continue => true,
        StmtKind::Block(inner) => continues(inner),
        StmtKind::If(_, then, otherwise) => continues(then) || continues(otherwise),
        StmtKind::Switch(_, cases) => cases.iter().any(|case| continues(&case.body)),
        _ => false,
    })
}

/// Whether a jump in a loop's body can leave the loop.
pub fn leaves_loop(body: &[Stmt]) -> bool {
    breaks(body) || returns(body)
}

fn returns(stmts: &[Stmt]) -> bool {
    stmts.iter().any(|stmt| match &stmt.kind {
        StmtKind::Return(_) => true,
        StmtKind::Block(inner) => returns(inner),
        StmtKind::If(_, then, otherwise) => returns(then) || returns(otherwise),
        StmtKind::Switch(_, cases) => cases.iter().any(|case| returns(&case.body)),
        StmtKind::Loop(looped) => returns(&looped.body),
        _ => false,
    })
}
