//! Effects that hide a derivative, or that reverse mode cannot run again.

use crate::activity::Activity;
use crate::need::Values;
use pullback_base::{Code, Diagnostic, Diagnostics};
use pullback_ir::{Effect, Function, Stmt, StmtKind, Value, visit};
use rustc_hash::FxHashSet;

/// A message, and the label of the statement.
type Refusal = (&'static str, &'static str);

const WRITES_TWICE: Refusal =
    ("reverse mode needs this value again, and does not write twice", "this write gives it");
const CHANGES_RELOADED: Refusal =
    ("reverse mode loads again from memory, which this may change", "this write");
const WRITES_IN_HEAD: Refusal =
    ("reverse mode does not go through a write in a loop's condition", "this write");

/// The effects that hide a derivative. Reverse mode runs values again, `rerun`: no write must change them meanwhile,
/// and none is run twice.
pub(crate) fn refused(function: &Function, activity: &Activity, rerun: Option<&Values>) -> Diagnostics {
    let site = Site::of(function, activity, rerun);
    let mut found = Diagnostics::new();
    visit::each_stmt(&function.body, &mut |stmt| {
        let refusal = match &stmt.kind {
            StmtKind::Effect { result, effect, args } => site.effect(stmt, *result, *effect, args),
            StmtKind::Call { .. } => site.call(stmt),
            _ => None,
        };
        if let Some((message, label)) = refusal {
            let help = "pass the data as an argument, or `detach` it if its derivative is not wanted";
            found.push(Diagnostic::error(Code::NoDerivative, message).at(stmt.span, label).help(help));
        }
    });
    found
}

/// What of a function reverse mode runs again.
struct Site<'a> {
    activity: &'a Activity,
    /// `None` in forward mode.
    rerun: Option<&'a Values>,
    /// Whether memory is read again: global memory, shared memory.
    reloads: [bool; 2],
    /// A condition is asked once more than there are trips, and by each loop that a loop becomes.
    in_heads: FxHashSet<*const Stmt>,
}

impl<'a> Site<'a> {
    fn of(function: &Function, activity: &'a Activity, rerun: Option<&'a Values>) -> Self {
        let mut site = Self { activity, rerun, reloads: [false; 2], in_heads: FxHashSet::default() };
        visit::each_stmt(&function.body, &mut |stmt| match &stmt.kind {
            StmtKind::Effect { result, effect, .. } if site.is_rerun(result.as_slice()) => {
                site.reloads[usize::from(effect.shared().is_some())] = true;
            }
            StmtKind::Call { results, callee, .. } if site.is_rerun(results) => {
                if activity.custom(*callee).loads {
                    site.reloads = [true; 2];
                }
            }
            StmtKind::Loop { results, head, .. } if activity.any_active(results) => {
                visit::each_stmt(head, &mut |stmt| {
                    site.in_heads.insert(std::ptr::from_ref(stmt));
                });
            }
            _ => {}
        });
        site
    }

    fn is_rerun(&self, results: &[Value]) -> bool {
        self.rerun.is_some_and(|rerun| results.iter().any(|result| rerun.contains(result)))
    }

    fn effect(&self, stmt: &Stmt, result: Option<Value>, effect: Effect, args: &[Value]) -> Option<Refusal> {
        let useful = result.is_some_and(|value| self.activity.is_useful(value));
        let reverse = self.rerun.is_some();
        Some(match effect {
            Effect::Wave(_) if useful => {
                ("what lanes compute together has no known derivative", "the result depends on this")
            }
            // Lanes that run it again are not those that ran it first.
            Effect::Wave(_) if reverse => {
                ("reverse mode does not run again what lanes compute together", "this")
            }
            Effect::Load if useful && self.activity.knows_memory(args[0]) => return None,
            _ if useful => {
                ("a value loaded from memory has no known derivative", "the result depends on this load")
            }
            _ if !effect.writes() => return None,
            _ if self.activity.has_active_memory() => {
                ("a derivative by a whole array does not flow past a write to memory", "this write")
            }
            _ if args.iter().any(|&arg| self.activity.is_varied(arg)) => {
                ("a derivative does not flow through memory", "this write takes a differentiable value")
            }
            Effect::Barrier | Effect::GroupSum if reverse => {
                ("reverse mode does not go through what lanes do together", "this")
            }
            _ => return self.write_run_again(stmt, usize::from(effect.shared().is_some())),
        })
    }

    /// A call of a function whose derivative its author gave.
    fn call(&self, stmt: &Stmt) -> Option<Refusal> {
        let StmtKind::Call { callee, args, .. } = &stmt.kind else { return None };
        let custom = self.activity.custom(*callee);
        if args.iter().any(|&arg| self.activity.active_memory(arg).is_some()) {
            return Some((
                "a derivative by a whole array does not flow into a function whose derivative is given",
                "called here",
            ));
        }
        if !custom.writes {
            return None;
        }
        if self.activity.has_active_memory() {
            return Some((
                "a derivative by a whole array does not flow past a write to memory",
                "this call writes",
            ));
        }
        (0..2).find_map(|memory| self.write_run_again(stmt, memory))
    }

    /// Why a write to global or to shared memory keeps reverse mode from running values again.
    fn write_run_again(&self, stmt: &Stmt, memory: usize) -> Option<Refusal> {
        match stmt.kind.results() {
            results if self.is_rerun(results) => Some(WRITES_TWICE),
            _ if self.rerun.is_none() => None,
            _ if self.reloads[memory] => Some(CHANGES_RELOADED),
            _ if self.in_heads.contains(&std::ptr::from_ref(stmt)) => Some(WRITES_IN_HEAD),
            _ => None,
        }
    }
}
