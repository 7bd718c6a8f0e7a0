//! Places for array values: which values share one variable, so that `element_set` writes in place.
//!
//! Targets keep each array value in a mutable variable, its *slot*. The rule that makes sharing right: at any
//! point, at most one of the values of a slot is still needed. So an `element_set` whose operand is never
//! needed again takes the operand's slot, and a loop that carries an array copies nothing.
//!
//! A target that follows the plan copies whenever an array moves between two different slots: the operand of
//! an `element_set` or `insert` into the result's, loop inits and yields into the parameters', arms' yields
//! into the results'. Several such copies at one point happen at once (they may be permutations).

use pullback_ir::visit::free_values;
use pullback_ir::{Block, Function, Op, Stmt, StmtKind, Type, Value};
use rustc_hash::{FxHashMap, FxHashSet};

/// A variable that holds arrays of one type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(pub usize);

/// The slots of a function's array values.
#[derive(Debug, Default)]
pub struct Slots {
    of: FxHashMap<Value, Slot>,
    /// Each slot's array type.
    pub types: Vec<Type>,
}

impl Slots {
    pub fn plan(function: &Function) -> Self {
        let mut liveness = Liveness::of(function);
        liveness.block(&function.body, FxHashSet::default());
        let mut planner = Planner { liveness, slots: Slots::default() };
        planner.block(&function.body);
        planner.slots
    }

    /// The slot of an array value; `None` for a scalar or pointer.
    pub fn get(&self, value: Value) -> Option<Slot> {
        self.of.get(&value).copied()
    }

    /// Moves of arrays between slots (from, to), without those that stay.
    pub fn moves(&self, from: &[Value], to: &[Value]) -> Vec<(Slot, Slot)> {
        let pairs = from.iter().zip(to).filter_map(|(&from, &to)| Some((self.get(from)?, self.get(to)?)));
        pairs.filter(|(from, to)| from != to).collect()
    }
}

type Live = FxHashSet<Value>;

/// Which array values are still needed after the statements where that matters.
struct Liveness<'a> {
    function: &'a Function,
    /// Results of `element_set` and `insert` whose operand is not needed afterwards.
    in_place: FxHashSet<Value>,
    /// Loop parameters whose initial value is needed neither in the loop nor afterwards.
    adopts: FxHashSet<Value>,
    /// By first result of an `if` or `switch`: what is needed after it.
    after: FxHashMap<Value, Live>,
}

impl<'a> Liveness<'a> {
    fn of(function: &'a Function) -> Self {
        Self { function, in_place: Live::default(), adopts: Live::default(), after: FxHashMap::default() }
    }

    fn is_array(&self, value: Value) -> bool {
        matches!(self.function.ty(value), Type::Array(..))
    }

    fn add(&self, live: &mut Live, values: &[Value]) {
        live.extend(values.iter().copied().filter(|&value| self.is_array(value)));
    }

    /// What is needed before a block, from what is needed after it.
    fn block(&mut self, block: &Block, mut live: Live) -> Live {
        self.add(&mut live, &block.yields);
        for stmt in block.stmts.iter().rev() {
            live = self.stmt(stmt, live);
        }
        live
    }

    fn stmt(&mut self, stmt: &Stmt, mut live: Live) -> Live {
        match &stmt.kind {
            StmtKind::Let { result, op: Op::ElementSet | Op::Insert(_), args }
                if !live.contains(&args[0]) =>
            {
                self.in_place.insert(*result);
            }
            StmtKind::If { results, .. } | StmtKind::Switch { results, .. } => {
                let arrays = results.iter().any(|&result| self.is_array(result));
                let mut before = Live::default();
                for arm in stmt.kind.blocks() {
                    before.extend(self.block(arm, live.clone()));
                }
                if arrays {
                    self.after.insert(results[0], live.clone());
                }
                live.extend(before);
            }
            StmtKind::Loop { inits, params, head, body, .. } => {
                // What the loop uses from outside is needed in every trip.
                let outside = [head, body].into_iter().flat_map(free_values);
                let outside: Vec<Value> = outside.filter(|value| !params.contains(value)).collect();
                self.add(&mut live, &outside);
                for (init, param) in inits.iter().zip(params) {
                    if !live.contains(init) {
                        self.adopts.insert(*param);
                    }
                }
                let mut after_head = self.block(body, live.clone());
                self.add(&mut after_head, params);
                self.block(head, after_head);
            }
            _ => {}
        }
        self.add(&mut live, stmt.kind.operands());
        live
    }
}

struct Planner<'a> {
    liveness: Liveness<'a>,
    slots: Slots,
}

impl Planner<'_> {
    fn fresh(&mut self, value: Value) -> Slot {
        self.slots.types.push(self.liveness.function.ty(value).clone());
        Slot(self.slots.types.len() - 1)
    }

    fn block(&mut self, block: &Block) {
        for stmt in &block.stmts {
            self.stmt(stmt);
        }
    }

    fn stmt(&mut self, stmt: &Stmt) {
        match &stmt.kind {
            StmtKind::Let { result, args, .. } if self.liveness.is_array(*result) => {
                let slot = match self.slots.get(args[0]) {
                    Some(slot) if self.liveness.in_place.contains(result) => slot,
                    _ => self.fresh(*result),
                };
                self.slots.of.insert(*result, slot);
            }
            StmtKind::If { results, .. } | StmtKind::Switch { results, .. } => {
                let arms = stmt.kind.blocks();
                for arm in &arms {
                    self.block(arm);
                }
                self.join(results, &arms);
            }
            StmtKind::Loop { results, inits, params, head, body, .. } => {
                let mut taken = FxHashSet::default();
                for (init, param) in inits.iter().zip(params) {
                    let Some(from) = self.slots.get(*init) else { continue };
                    let adopts = self.liveness.adopts.contains(param) && taken.insert(from);
                    let slot = if adopts { from } else { self.fresh(*param) };
                    self.slots.of.insert(*param, slot);
                }
                self.block(head);
                self.block(body);
                for (result, param) in results.iter().zip(params) {
                    if let Some(slot) = self.slots.get(*param) {
                        self.slots.of.insert(*result, slot);
                    }
                }
            }
            _ => {}
        }
    }

    /// Each result takes the slot of an arm's yield, if nothing in that slot is needed afterwards.
    fn join(&mut self, results: &[Value], arms: &[&Block]) {
        let after = results.first().and_then(|first| self.liveness.after.remove(first)).unwrap_or_default();
        let mut taken: FxHashSet<Slot> = after.iter().filter_map(|&value| self.slots.get(value)).collect();
        for (index, &result) in results.iter().enumerate() {
            if !self.liveness.is_array(result) {
                continue;
            }
            let candidates = arms.iter().filter_map(|arm| self.slots.get(arm.yields[index]));
            let slot = candidates.into_iter().find(|slot| !taken.contains(slot));
            let slot = slot.unwrap_or_else(|| self.fresh(result));
            taken.insert(slot);
            self.slots.of.insert(result, slot);
        }
    }
}
