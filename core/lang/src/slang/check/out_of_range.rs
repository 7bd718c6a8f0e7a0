//! Indices that are outside for certain, once it is known what generic parameters stand for.
//!
//! Where they choose a branch, only that one runs; code behind a condition on them that is not known is not looked at, since
//! the condition may be what keeps the index inside.

use super::constant::{Tree, evaluate};
use super::count::Count;
use super::flow::may_throw;
use super::hir::{Expr, ExprKind, LocalId, Pick, Stmt, StmtKind};
use super::program::Program;
use super::recursion::{each_expr, walk, walk_within};
use super::types::{Arg, Subst};
use pullback_base::Span;
use rustc_hash::FxHashSet;

/// The first such index among the statements, and what is wrong with it.
pub fn outside(program: &Program<'_>, stmts: &[Stmt], subst: &Subst) -> Option<(String, Span)> {
    let mut search = Search { program, decided: decided(stmts), found: None, stopped: false };
    search.block(stmts, subst);
    search.found
}

struct Search<'s, 'a> {
    program: &'s Program<'a>,
    /// Variables that hold what generic parameters decide.
    decided: FxHashSet<LocalId>,
    found: Option<(String, Span)>,
    /// What follows may not be reached.
    stopped: bool,
}

/// What is known of a condition.
enum Known {
    Always(bool),
    /// Lanes decide.
    AtRunTime,
    /// Generic parameters have a say, and it cannot be told which.
    Hidden,
}

impl Search<'_, '_> {
    fn block(&mut self, stmts: &[Stmt], subst: &Subst) {
        for stmt in stmts {
            if self.stopped || self.found.is_some() {
                return;
            }
            match &stmt.kind {
                StmtKind::Let(_, None) => {}
                StmtKind::Let(_, Some(value)) | StmtKind::Expr(value) => {
                    self.expr(value, subst);
                    self.stopped |= may_throw(value);
                }
                StmtKind::Block(inner) => self.block(inner, subst),
                StmtKind::If(condition, then, otherwise) => {
                    self.expr(condition, subst);
                    match self.known(condition, subst) {
                        Known::Always(true) => self.block(then, subst),
                        Known::Always(false) => self.block(otherwise, subst),
                        Known::AtRunTime => self.branches([&then[..], otherwise], subst),
                        Known::Hidden => self.stopped |= [then, otherwise].iter().any(|block| leaves(block)),
                    }
                }
                StmtKind::Loop(looped) => {
                    let known = looped.condition.as_ref().map_or(Known::Always(true), |condition| {
                        self.expr(condition, subst);
                        self.known(condition, subst)
                    });
                    match known {
                        Known::Hidden => self.stopped |= leaves(&looped.body),
                        Known::Always(false) if !looped.test_last => {}
                        _ => self.branches([&looped.body[..]], subst),
                    }
                }
                StmtKind::DoCatch(it) => {
                    let handlers = it.handlers.iter().map(|handler| &handler[..]);
                    self.branches([&it.body[..]].into_iter().chain(handlers), subst);
                }
                StmtKind::Defer(body) => self.branches([&body[..]], subst),
                StmtKind::Repeat(repeat) => {
                    for number in repeat.numbers(self.program, subst) {
                        let mut turn = subst.clone();
                        turn.insert(repeat.counter, Arg::Count(Count::Known(number)));
                        self.block(&repeat.body, &turn);
                    }
                }
                StmtKind::Switch(value, cases) => {
                    self.expr(value, subst);
                    match self.known(value, subst) {
                        Known::AtRunTime => self.branches(cases.iter().map(|case| &case.body[..]), subst),
                        _ => self.stopped |= cases.iter().any(|case| leaves(&case.body)),
                    }
                }
                StmtKind::Return(value) => {
                    value.iter().for_each(|value| self.expr(value, subst));
                    self.stopped = true;
                }
                StmtKind::Break(_) | StmtKind::Continue => self.stopped = true,
            }
        }
    }

    /// Blocks of which some lane may run any: what leaves one says nothing of what follows for the others, unless generic
    /// parameters have a say in it.
    fn branches<'b>(&mut self, blocks: impl IntoIterator<Item = &'b [Stmt]>, subst: &Subst) {
        let mut hidden = false;
        for block in blocks {
            self.block(block, subst);
            hidden |= std::mem::take(&mut self.stopped) && mentions_generics(block, &self.decided);
        }
        self.stopped = hidden;
    }

    fn expr(&mut self, expr: &Expr, subst: &Subst) {
        walk_within(expr, &mut |part| {
            let (condition, rest): (&Expr, Vec<(bool, &Expr)>) = match &part.kind {
                ExprKind::Conditional { condition, then, otherwise } => {
                    (condition, vec![(true, then), (false, otherwise)])
                }
                ExprKind::And(a, b) => (a, vec![(true, b)]),
                ExprKind::Or(a, b) => (a, vec![(false, b)]),
                ExprKind::Pick(base, Pick::Index(index)) => {
                    self.index(base, index, subst);
                    return true;
                }
                _ => return true,
            };
            self.expr(condition, subst);
            let known = self.known(condition, subst);
            for (when, branch) in rest {
                match known {
                    Known::Always(value) if value != when => {}
                    Known::Hidden => {}
                    _ => self.expr(branch, subst),
                }
            }
            false
        });
    }

    fn index(&mut self, base: &Expr, index: &Expr, subst: &Subst) {
        let count = base.ty.subst(self.program, subst).count().and_then(|count| count.known());
        if let (Some(count), Ok(Tree::Leaf(index_value))) = (count, evaluate(self.program, index, subst))
            && !(0..count).contains(&index_value.as_i64())
        {
            let why = format!("index {} is outside of the {count} elements", index_value.as_i64());
            self.found.get_or_insert((why, index.span));
        }
    }

    fn known(&self, condition: &Expr, subst: &Subst) -> Known {
        match evaluate(self.program, condition, subst) {
            Ok(Tree::Leaf(value)) => Known::Always(value.as_bool()),
            _ if is_generic(condition, &self.decided) => Known::Hidden,
            _ => Known::AtRunTime,
        }
    }
}

/// The variables that get a value in which generic parameters are, by themselves or through other variables.
fn decided(stmts: &[Stmt]) -> FxHashSet<LocalId> {
    let mut decided = FxHashSet::default();
    loop {
        let before = decided.len();
        each_let(stmts, &mut |local, value| {
            if is_generic(value, &decided) {
                decided.insert(local);
            }
        });
        each_expr(stmts, &mut |expr| {
            let (ExprKind::Assign { place, value }
            | ExprKind::Modify { place, operand: value, .. }
            | ExprKind::Update { place, value, .. }) = &expr.kind
            else {
                return;
            };
            let mut at = &**place;
            while let ExprKind::Pick(base, _) = &at.kind {
                at = base;
            }
            if let ExprKind::Local(local) = at.kind
                && is_generic(value, &decided)
            {
                decided.insert(local);
            }
        });
        if decided.len() == before {
            return decided;
        }
    }
}

fn each_let(stmts: &[Stmt], f: &mut dyn FnMut(LocalId, &Expr)) {
    for stmt in stmts {
        match &stmt.kind {
            StmtKind::Let(local, value) => value.iter().for_each(|value| f(*local, value)),
            StmtKind::Block(inner) => each_let(inner, f),
            StmtKind::If(_, then, otherwise) => [then, otherwise].iter().for_each(|block| each_let(block, f)),
            StmtKind::Loop(looped) => each_let(&looped.body, f),
            StmtKind::Repeat(repeat) => each_let(&repeat.body, f),
            StmtKind::Defer(body) => each_let(body, f),
            StmtKind::DoCatch(it) => {
                it.handlers.iter().chain([&it.body]).for_each(|block| each_let(block, f));
            }
            StmtKind::Switch(_, cases) => cases.iter().for_each(|case| each_let(&case.body, f)),
            StmtKind::Expr(_) | StmtKind::Return(_) | StmtKind::Break(_) | StmtKind::Continue => {}
        }
    }
}

/// Whether generic parameters, or what they decide, are in the expression.
fn is_generic(expr: &Expr, decided: &FxHashSet<LocalId>) -> bool {
    let mut found = false;
    walk(expr, &mut |part| {
        found |= part.ty.is_open()
            || match &part.kind {
                ExprKind::Param(_) | ExprKind::Required(..) | ExprKind::Under(..) => true,
                ExprKind::SizeOf(ty) => ty.is_open(),
                ExprKind::Local(local) => decided.contains(local),
                _ => false,
            };
    });
    found
}

fn mentions_generics(stmts: &[Stmt], decided: &FxHashSet<LocalId>) -> bool {
    let mut found = false;
    each_expr(stmts, &mut |expr| found |= is_generic(expr, decided));
    found
}

/// Whether something in the statements jumps out of a block.
fn leaves(stmts: &[Stmt]) -> bool {
    stmts.iter().any(|stmt| match &stmt.kind {
        StmtKind::Return(_) | StmtKind::Break(_) | StmtKind::Continue => true,
        StmtKind::Block(inner) => leaves(inner),
        StmtKind::If(_, then, otherwise) => leaves(then) || leaves(otherwise),
        StmtKind::Loop(looped) => leaves(&looped.body),
        StmtKind::Repeat(repeat) => leaves(&repeat.body),
        StmtKind::Switch(_, cases) => cases.iter().any(|case| leaves(&case.body)),
        StmtKind::Let(_, Some(value)) | StmtKind::Expr(value) => may_throw(value),
        StmtKind::DoCatch(it) => it.handlers.iter().chain([&it.body]).any(|block| leaves(block)),
        StmtKind::Let(_, None) | StmtKind::Defer(_) => false,
    })
}
