//! Loops: where their conditions are, and what ends each turn.

use super::function::{FunctionLowering, root_global, root_local};
use super::uses::{self, Expr};
use super::{Origin, Refused, globals};
use crate::ssa::{Jump, Target};
use naga::{Block, Expression, Handle, Statement};
use pullback_ir::LoopHints;
use rustc_hash::FxHashSet;

/// A loop or switch that is open.
pub struct Open<'a> {
    pub target: Target,
    pub kind: OpenKind<'a>,
}

pub enum OpenKind<'a> {
    Switch,
    Loop,
    /// A loop whose `continuing` part is lowered at each `continue`.
    LoopWithCopies(Ending<'a>),
}

/// What ends each turn of a loop.
#[derive(Clone, Copy)]
pub struct Ending<'a> {
    pub continuing: &'a Block,
    pub break_if: Option<Expr>,
}

impl<'a> FunctionLowering<'a> {
    pub fn repeat(&mut self, body: &'a Block, ending: Ending<'a>, span: naga::Span) -> Result<(), Refused> {
        let target = self.ssa.begin_loop(LoopHints::default());
        let copies = ending_needs_body(self.source, body, ending);
        let kind = if copies { OpenKind::LoopWithCopies(ending) } else { OpenKind::Loop };
        self.open.push(Open { target, kind });
        self.declare_locals(body)?;
        let mut statements = body.span_iter();
        if let Some(head) = find_head(self.origin, self.source, body, ending) {
            for (statement, &span) in statements.by_ref().take(head.len) {
                self.enter_span(span);
                self.statement(statement, span)?;
            }
            statements.next();
            let condition = self.value(head.condition)?;
            let condition = if head.negated { self.ssa.not(condition) } else { condition };
            self.ssa.loop_body(Some(condition));
        } else {
            self.ssa.loop_body(None);
        }
        for (statement, &span) in statements {
            self.statement_at(statement, span)?;
        }
        if copies {
            if self.ssa.reach() {
                self.end_turn(target, ending)?;
            }
        } else if self.ssa.loop_step() {
            self.end_turn(target, ending)?;
        }
        self.open.pop();
        self.enter_span(span);
        self.ssa.end_loop();
        Ok(())
    }

    fn end_turn(&mut self, target: Target, ending: Ending<'a>) -> Result<(), Refused> {
        self.block(ending.continuing)?;
        if let Some(condition) = ending.break_if
            && self.ssa.reach()
        {
            let condition = self.value(condition)?;
            let goes_on = self.ssa.not(condition);
            self.ssa.break_unless(target, goes_on);
        }
        Ok(())
    }

    /// `continue`
    pub fn go_on(&mut self) -> Result<(), Refused> {
        let open = self.open.iter().rev().find(|open| !matches!(open.kind, OpenKind::Switch));
        let Some(Open { target, kind }) = open else {
            return self.refuse("a `continue` outside loops");
        };
        let target = *target;
        if let OpenKind::LoopWithCopies(ending) = *kind {
            self.end_turn(target, ending)?;
        }
        if self.ssa.reach() {
            self.ssa.jump(Jump::Continue(target));
        }
        Ok(())
    }
}

/// The condition at the start of a loop's body: the first statements evaluate it, the next one breaks on it.
struct Head {
    len: usize,
    condition: Expr,
    /// The loop goes on while the condition does *not* hold.
    negated: bool,
}

/// Finds `if (condition) {} else { break; }` (so come `while` and `for`) or `if (condition) { break; }` behind
/// statements of which nothing else makes use.
fn find_head(
    origin: &Origin<'_>,
    function: &naga::Function,
    body: &Block,
    ending: Ending<'_>,
) -> Option<Head> {
    let is_break = |block: &Block| matches!(block[..], [Statement::Break]);
    let mut head = None;
    for (len, statement) in body.iter().enumerate() {
        match statement {
            Statement::If { condition, accept, reject } if accept.is_empty() && is_break(reject) => {
                head = Some(Head { len, condition: *condition, negated: false });
                break;
            }
            Statement::If { condition, accept, reject } if reject.is_empty() && is_break(accept) => {
                head = Some(Head { len, condition: *condition, negated: true });
                break;
            }
            _ if !runs_through(statement) || writes_outside(origin, function, statement) => break,
            _ => {}
        }
    }
    let head = head?;
    let mut made = FxHashSet::default();
    let mut stored = FxHashSet::default();
    for statement in &body[..head.len] {
        let mut see = |statement: &Statement| {
            uses::defined(statement, &mut |handle| {
                made.insert(handle);
            });
            uses::of_statement(function, statement, &mut |handle| {
                if let Expression::LocalVariable(local) = function.expressions[handle] {
                    stored.insert(local);
                }
            });
        };
        see(statement);
        uses::blocks(statement).into_iter().for_each(|block| uses::each_statement(block, &mut see));
    }
    // Locals the head merely reads may be used further on: those it assigns, the head's end tells.
    let assigned = assigned_locals(function, &body[..head.len]);
    stored.retain(|local| assigned.contains(local));
    let mut shared = false;
    let mut check = |handle: Expr| {
        let of_head = match function.expressions[handle] {
            Expression::LocalVariable(local) => stored.contains(&local),
            _ => made.contains(&handle),
        };
        shared |= of_head;
    };
    for statement in &body[head.len + 1..] {
        uses::of_statement(function, statement, &mut check);
        for block in uses::blocks(statement) {
            uses::each_statement(block, &mut |statement| uses::of_statement(function, statement, &mut check));
        }
    }
    uses::each_statement(ending.continuing, &mut |statement| {
        uses::of_statement(function, statement, &mut check)
    });
    ending.break_if.into_iter().for_each(check);
    (!shared).then_some(head)
}

/// Locals that statements may assign, by name or by a pointer made there.
fn assigned_locals(
    function: &naga::Function,
    statements: &[Statement],
) -> FxHashSet<Handle<naga::LocalVariable>> {
    let mut assigned = FxHashSet::default();
    let mut see = |statement: &Statement| match statement {
        Statement::Store { pointer, .. } => assigned.extend(root_local(function, *pointer)),
        Statement::Call { arguments, .. } => {
            assigned.extend(arguments.iter().filter_map(|&argument| root_local(function, argument)));
        }
        _ => {}
    };
    for statement in statements {
        see(statement);
        uses::blocks(statement).into_iter().for_each(|block| uses::each_statement(block, &mut see));
    }
    assigned
}

/// Whether a statement, or one within, changes something outside of functions.
fn writes_outside(origin: &Origin<'_>, function: &naga::Function, statement: &Statement) -> bool {
    let mut found = false;
    let mut see = |statement: &Statement| {
        found |= match statement {
            Statement::Store { pointer, .. } => root_global(function, *pointer).is_some(),
            Statement::Call { function, .. } => globals::writes(origin, *function),
            _ => false,
        }
    };
    see(statement);
    uses::blocks(statement).into_iter().for_each(|block| uses::each_statement(block, &mut see));
    found
}

/// Whether a statement and those within never jump.
fn runs_through(statement: &Statement) -> bool {
    match statement {
        Statement::Emit(_) | Statement::Store { .. } | Statement::Call { .. } => true,
        Statement::If { accept, reject, .. } => accept.iter().chain(reject.iter()).all(runs_through),
        _ => false,
    }
}

/// Whether the end of a turn uses values that the body made. At a place where paths of the body meet these are
/// out of sight, so the end of the turn is then lowered on each path.
fn ending_needs_body(function: &naga::Function, body: &Block, ending: Ending<'_>) -> bool {
    if ending.continuing.is_empty() && ending.break_if.is_none() {
        return false;
    }
    let mut made = FxHashSet::default();
    uses::each_statement(body, &mut |statement| {
        uses::defined(statement, &mut |handle| {
            made.insert(handle);
        });
    });
    let mut needed = ending.break_if.is_some_and(|condition| made.contains(&condition));
    uses::each_statement(ending.continuing, &mut |statement| {
        uses::of_statement(function, statement, &mut |handle| needed |= made.contains(&handle));
    });
    needed
}
