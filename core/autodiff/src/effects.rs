//! Effects that hide a derivative, or that reverse mode cannot run again.

use crate::activity::Activity;
use crate::need::Values;
use pullback_base::{Code, Diagnostic, Diagnostics};
use pullback_ir::{Effect, Function, Stmt, StmtKind, Value, visit};
use rustc_hash::FxHashSet;

/// A message, and the label of the statement.
type Refusal = (&'static str, &'static str);

/// The effects that hide a derivative. Reverse mode runs values again, `rerun`: no write must change them meanwhile,
/// and none is run twice.
pub(crate) fn refused(function: &Function, activity: &Activity, rerun: Option<Rerun<'_>>) -> Diagnostics {
    let site = Site::of(function, activity, rerun);
    let mut found = Diagnostics::new();
    visit::each_stmt(&function.body, &mut |stmt| {
        let refusal = match &stmt.kind {
            StmtKind::Effect { result, effect, args } => site.effect(stmt, *result, *effect, args),
            StmtKind::Call { .. } => site.call(stmt),
            StmtKind::Loop { results, .. } if results.is_empty() && site.activity.is_swept(&stmt.kind) => {
                Some(("reverse mode does not go through a loop without a state", "this loop"))
            }
            _ => None,
        };
        if let Some((message, label)) = refusal {
            let help = "pass the data as an argument, or `detach` it if its derivative is not wanted";
            found.push(Diagnostic::error(Code::NoDerivative, message).at(stmt.span, label).help(help));
        }
    });
    found
}

/// What reverse mode runs again.
#[derive(Clone, Copy)]
pub(crate) struct Rerun<'a> {
    pub values: &'a Values,
    /// Whether what is written by one pointer parameter is reached by no other.
    pub distinct_memory: bool,
}

/// Memory that an access may touch.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Memory {
    /// What is reached from a pointer parameter.
    Of(Value),
    /// Any that pointers lead to.
    Somewhere,
    /// What lanes of a group share.
    Shared,
}

struct Site<'a> {
    function: &'a Function,
    activity: &'a Activity,
    /// `None` in forward mode.
    rerun: Option<Rerun<'a>>,
    /// What is read again.
    reloads: FxHashSet<Memory>,
    /// A condition is asked once more than there are trips, and by each loop that a loop becomes.
    in_heads: FxHashSet<*const Stmt>,
}

impl<'a> Site<'a> {
    fn of(function: &'a Function, activity: &'a Activity, rerun: Option<Rerun<'a>>) -> Self {
        let mut site =
            Self { function, activity, rerun, reloads: FxHashSet::default(), in_heads: FxHashSet::default() };
        visit::each_stmt(&function.body, &mut |stmt| match &stmt.kind {
            StmtKind::Effect { result, effect, args } if site.is_rerun(result.as_slice()) => {
                site.reloads.insert(site.memory(*effect, args));
            }
            StmtKind::Call { results, callee, .. }
                if site.is_rerun(results) && activity.custom(*callee).loads =>
            {
                site.reloads.extend([Memory::Somewhere, Memory::Shared]);
            }
            StmtKind::Loop { head, .. } if activity.is_swept(&stmt.kind) => {
                visit::each_stmt(head, &mut |stmt| {
                    site.in_heads.insert(std::ptr::from_ref(stmt));
                });
            }
            _ => {}
        });
        site
    }

    fn memory(&self, effect: Effect, args: &[Value]) -> Memory {
        match args.first() {
            _ if effect.shared().is_some() => Memory::Shared,
            Some(&address) => self.activity.memory_of(address).map_or(Memory::Somewhere, Memory::Of),
            None => Memory::Somewhere,
        }
    }

    fn is_rerun(&self, results: &[Value]) -> bool {
        self.rerun.is_some_and(|rerun| results.iter().any(|result| rerun.values.contains(result)))
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
            Effect::Atomic(_) | Effect::SharedAtomic(..) if useful => (
                "what an atomic operation gives has no derivative: which lane came first decides",
                "the result depends on what this gives",
            ),
            _ if useful => {
                ("a value loaded from memory has no known derivative", "the result depends on this load")
            }
            _ if !effect.writes() => return None,
            Effect::Barrier | Effect::GroupSum if reverse => {
                ("reverse mode does not go through what lanes do together", "this")
            }
            _ if self.activity.writes_active_memory(effect, args) => {
                if !self.function.ty(args[1]).is_float() {
                    return Some((
                        "numbers that are no floats are written where there are derivatives",
                        "this write",
                    ));
                }
                return self.write(stmt, self.memory(effect, args));
            }
            _ if args.iter().any(|&arg| self.activity.is_varied(arg)) => {
                ("a derivative does not flow through memory", "this write takes a differentiable value")
            }
            _ if self.may_be_active(self.memory(effect, args)) => (
                "a derivative by a whole array does not flow past this write to memory",
                "it may change the array",
            ),
            _ => return self.write(stmt, self.memory(effect, args)),
        })
    }

    /// A call of a function whose derivative its author gave.
    fn call(&self, stmt: &Stmt) -> Option<Refusal> {
        let StmtKind::Call { callee, args, .. } = &stmt.kind else { return None };
        let custom = self.activity.custom(*callee);
        if args.iter().any(|&arg| self.activity.active_memory(arg).is_some()) {
            let message =
                "a derivative by a whole array does not flow into a function whose derivative is given";
            return Some((message, "called here"));
        }
        if custom.has_parts_of_nothing {
            let message = "a part of a derivative belongs to no part of its value, and would be lost";
            return Some((message, "called here"));
        }
        if !custom.writes {
            return None;
        }
        if self.activity.has_active_memory() {
            let message = "a derivative by a whole array does not flow past this write to memory";
            return Some((message, "what is called may change the array"));
        }
        [Memory::Somewhere, Memory::Shared].into_iter().find_map(|memory| self.write(stmt, memory))
    }

    /// Whether two accesses may touch the same.
    fn may_meet(&self, one: Memory, other: Memory) -> bool {
        match (one, other) {
            (Memory::Shared, other) | (other, Memory::Shared) => other == Memory::Shared,
            (Memory::Of(one), Memory::Of(other)) => {
                one == other || self.rerun.is_some_and(|rerun| !rerun.distinct_memory)
            }
            _ => true,
        }
    }

    /// Whether derivatives by the memory are asked for.
    fn may_be_active(&self, memory: Memory) -> bool {
        match memory {
            Memory::Of(root) => self.activity.active_memory(root).is_some(),
            Memory::Somewhere => self.activity.has_active_memory(),
            Memory::Shared => false,
        }
    }

    /// Why a write keeps reverse mode from running values again.
    fn write(&self, stmt: &Stmt, memory: Memory) -> Option<Refusal> {
        if self.is_rerun(stmt.kind.results()) {
            return Some((
                "reverse mode needs this value again, and does not write twice",
                "this write gives it",
            ));
        }
        if self.reloads.iter().any(|&reloaded| self.may_meet(reloaded, memory)) {
            return Some(("reverse mode loads again from memory, which this may change", "this write"));
        }
        let in_head = self.rerun.is_some() && self.in_heads.contains(&std::ptr::from_ref(stmt));
        in_head.then_some(("reverse mode does not go through a write in a loop's condition", "this write"))
    }
}
