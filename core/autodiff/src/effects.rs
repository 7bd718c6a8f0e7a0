//! Effects that hide a derivative, or that reverse mode cannot run again.

use crate::activity::Activity;
use crate::need::Values;
use crate::touched::Place;
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
    /// As in [`crate::VjpRequest`].
    pub distinct_params: &'a [bool],
}

/// Memory as the function knows it: by its pointer parameters.
type Memory = Place<Value>;

struct Site<'a> {
    function: &'a Function,
    activity: &'a Activity,
    /// `None` in forward mode.
    rerun: Option<Rerun<'a>>,
    /// What is read again.
    reloads: FxHashSet<Memory>,
    /// What both functions that are called and their given derivatives read.
    reread: FxHashSet<Memory>,
    /// What is read again while the sweep goes on, not before it: in a region that is swept.
    late_reloads: FxHashSet<Memory>,
    /// A condition is asked once more than there are trips, and by each loop that a loop becomes.
    in_heads: FxHashSet<*const Stmt>,
    in_swept_regions: FxHashSet<*const Stmt>,
}

impl<'a> Site<'a> {
    fn of(function: &'a Function, activity: &'a Activity, rerun: Option<Rerun<'a>>) -> Self {
        let mut site = Self {
            function,
            activity,
            rerun,
            reloads: FxHashSet::default(),
            reread: FxHashSet::default(),
            late_reloads: FxHashSet::default(),
            in_heads: FxHashSet::default(),
            in_swept_regions: FxHashSet::default(),
        };
        visit::each_stmt(&function.body, &mut |stmt| {
            if !activity.is_swept(&stmt.kind) {
                return;
            }
            let enter = |block, into: &mut FxHashSet<*const Stmt>| {
                visit::each_stmt(block, &mut |stmt| {
                    into.insert(std::ptr::from_ref(stmt));
                });
            };
            if let StmtKind::Loop { head, .. } = &stmt.kind {
                enter(head, &mut site.in_heads);
            }
            stmt.kind.blocks().iter().for_each(|block| enter(block, &mut site.in_swept_regions));
        });
        visit::each_stmt(&function.body, &mut |stmt| match &stmt.kind {
            StmtKind::Effect { result, effect, args } if site.is_rerun(result.as_slice()) => {
                site.reload(stmt, [site.memory(*effect, args)]);
            }
            StmtKind::Call { results, callee, args } => {
                let custom = activity.custom(*callee);
                if site.is_rerun(results) {
                    let loads = custom.touched.loads.iter();
                    site.reload(stmt, loads.map(|&place| activity.memory_at(place, args)));
                }
                if activity.is_swept(&stmt.kind) {
                    let loads = custom.reread();
                    site.reread.extend(loads.map(|place| activity.memory_at(place, args)));
                }
            }
            _ => {}
        });
        site
    }

    fn reload(&mut self, stmt: &Stmt, from: impl IntoIterator<Item = Memory>) {
        let is_late = self.in_swept_regions.contains(&std::ptr::from_ref(stmt));
        for memory in from {
            self.reloads.insert(memory);
            if is_late {
                self.late_reloads.insert(memory);
            }
        }
    }

    fn memory(&self, effect: Effect, args: &[Value]) -> Memory {
        Place::of(effect, args, |address| self.activity.memory_of(address))
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
        if custom.touched.is_joint && self.is_rerun(stmt.kind.results()) {
            return Some(("reverse mode does not run again what lanes compute together", "called here"));
        }
        let memory = |places: &FxHashSet<Place<usize>>| {
            places.iter().map(|&place| self.activity.memory_at(place, args)).collect::<Vec<_>>()
        };
        let writes = memory(&custom.touched.writes);
        if writes.iter().any(|&memory| self.may_be_active(memory)) {
            let message = "a derivative by a whole array does not flow past this write to memory";
            return Some((message, "what is called may change the array"));
        }
        if let Some(refusal) = writes.into_iter().find_map(|memory| self.write(stmt, memory)) {
            return Some(refusal);
        }
        let is_swept = self.rerun.is_some() && self.activity.is_swept(&stmt.kind);
        let mut changed = memory(&custom.derivative_touched.writes).into_iter();
        let changes = changed.any(|memory| self.meets(&self.late_reloads, memory));
        (is_swept && changes).then_some((
            "reverse mode loads again from memory, which a derivative that was given may change",
            "the derivative of what is called here writes to memory",
        ))
    }

    /// Whether two accesses may touch the same.
    fn may_meet(&self, one: Memory, other: Memory) -> bool {
        match (one, other) {
            (Place::Shared, other) | (other, Place::Shared) => other == Place::Shared,
            (Place::Of(one), Place::Of(other)) => {
                one == other || !(self.is_distinct(one) && self.is_distinct(other))
            }
            _ => true,
        }
    }

    fn is_distinct(&self, root: Value) -> bool {
        let is_marked = |rerun: Rerun<'_>| {
            let mut params = self.function.params.iter().zip(rerun.distinct_params);
            params.any(|(&param, &distinct)| param == root && distinct)
        };
        self.rerun.is_none_or(is_marked)
    }

    /// Whether derivatives by the memory are asked for.
    fn may_be_active(&self, memory: Memory) -> bool {
        match memory {
            Place::Of(root) => self.activity.active_memory(root).is_some(),
            Place::Somewhere => self.activity.has_active_memory(),
            Place::Shared => false,
        }
    }

    fn meets(&self, others: &FxHashSet<Memory>, memory: Memory) -> bool {
        others.iter().any(|&other| self.may_meet(other, memory))
    }

    /// Why a write keeps reverse mode from running values again.
    fn write(&self, stmt: &Stmt, memory: Memory) -> Option<Refusal> {
        if self.is_rerun(stmt.kind.results()) {
            return Some((
                "reverse mode needs this value again, and does not write twice",
                "this write gives it",
            ));
        }
        if self.meets(&self.reloads, memory) {
            return Some(("reverse mode loads again from memory, which this may change", "this write"));
        }
        if self.meets(&self.reread, memory) {
            return Some((
                "a derivative that was given reads memory, which this may change before",
                "this write",
            ));
        }
        let in_head = self.rerun.is_some() && self.in_heads.contains(&std::ptr::from_ref(stmt));
        in_head.then_some(("reverse mode does not go through a write in a loop's condition", "this write"))
    }
}
