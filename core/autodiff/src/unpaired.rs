//! Pointers whose derivatives are nowhere: what comes of an `unpaired` value must not reach a derivative that its author gave,
//! nor memory, nor whoever asked for the derivative.

use crate::activity::Activity;
use pullback_base::{Code, Diagnostic, Diagnostics, Span};
use pullback_ir::{Block, DerivativeMode, Function, Op, Stmt, StmtKind, Value, visit};
use rustc_hash::FxHashMap;

/// What the derivative of the function would do with such values.
pub(crate) fn refused(function: &Function, activity: &Activity, mode: DerivativeMode) -> Diagnostics {
    let mut tainted = Tainted::default();
    tainted.block(&function.body);
    let mut found = Diagnostics::new();
    if tainted.0.is_empty() {
        return found;
    }
    visit::each_stmt(&function.body, &mut |stmt| {
        let (args, label) = match &stmt.kind {
            StmtKind::Call { args, .. }
                if mode == DerivativeMode::Forward || activity.is_swept(&stmt.kind) =>
            {
                (args, "its derivative takes the pointer in a pair")
            }
            StmtKind::Effect { effect, args, .. } if effect.writes() => (args, "this would write there"),
            _ => return,
        };
        if let Some(made) = tainted.any(args) {
            found.push(report(made).also(stmt.span, label));
        }
    });
    // In reverse what the function gives is not given again.
    if let (DerivativeMode::Forward, Some(made), true) =
        (mode, tainted.any(&function.body.yields), found.is_empty())
    {
        found.push(report(made).also(function.span, "this function gives it"));
    }
    found
}

fn report(made: Span) -> Diagnostic {
    Diagnostic::error(
        Code::NoDerivative,
        "nothing tells where the derivatives are of what this pointer leads to",
    )
    .at(made, "the pointer is made of parts, or loaded, or `no_diff`")
    .help(
        "make it in a function with a `[ForwardDerivative]` that gives a `DifferentialPtrPair`, or take it as a parameter",
    )
}

/// The values that come of unpaired ones, and where those were made.
#[derive(Default)]
struct Tainted(FxHashMap<Value, Span>);

impl Tainted {
    fn any(&self, values: &[Value]) -> Option<Span> {
        values.iter().find_map(|value| self.0.get(value)).copied()
    }

    fn flow(&mut self, from: &[Value], to: &[Value]) {
        for (from, to) in from.iter().zip(to) {
            if let Some(&made) = self.0.get(from) {
                self.0.entry(*to).or_insert(made);
            }
        }
    }

    fn block(&mut self, block: &Block) {
        block.stmts.iter().for_each(|stmt| self.stmt(stmt));
    }

    fn stmt(&mut self, stmt: &Stmt) {
        let made = match &stmt.kind {
            StmtKind::Let { op: Op::Unpaired, .. } => Some(stmt.span),
            kind => self.any(kind.operands()),
        };
        match &stmt.kind {
            StmtKind::Loop { results, inits, params, head, body, .. } => {
                self.flow(inits, params);
                loop {
                    let before = self.0.len();
                    self.block(head);
                    self.block(body);
                    self.flow(&body.yields, params);
                    if self.0.len() == before {
                        break;
                    }
                }
                self.flow(params, results);
                // How often it runs may hang on such a value.
                if let Some(made) = self.any(&head.yields) {
                    self.taint(results, made);
                }
            }
            StmtKind::If { results, .. } | StmtKind::Switch { results, .. } => {
                for arm in stmt.kind.blocks() {
                    self.block(arm);
                    self.flow(&arm.yields, results);
                }
                if let Some(made) = made {
                    self.taint(results, made);
                }
            }
            kind => {
                if let Some(made) = made {
                    self.taint(kind.results(), made);
                }
            }
        }
    }

    fn taint(&mut self, values: &[Value], made: Span) {
        for &value in values {
            self.0.entry(value).or_insert(made);
        }
    }
}
