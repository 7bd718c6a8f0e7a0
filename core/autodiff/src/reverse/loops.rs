//! The sweep of a loop: a loop over its trips, the last first. Each gets its state back, runs the body again, and
//! sweeps it, carrying the adjoints of the active parameters and of the active values from outside.

use super::Reverse;
use super::checkpoint::Slots;
use crate::plan::{Known, LoopPlan, Step};
use crate::rules::adjoint_type;
use pullback_base::bug;
use pullback_ir::{Block, LoopHints, Op, Scalar, Stmt, StmtKind, Type, Value, visit};
use rustc_hash::FxHashMap;

/// A loop under reversal.
pub(super) struct Reversed<'a> {
    pub inits: &'a [Value],
    pub params: &'a [Value],
    pub body: &'a Block,
    pub plan: &'a LoopPlan,
    /// Parameters that have an adjoint.
    active: Vec<usize>,
    /// Values from outside that have an adjoint.
    free: Vec<Value>,
}

impl<'a> Reverse<'a> {
    pub(super) fn repeat(&mut self, stmt: &'a Stmt) {
        let StmtKind::Loop { results, inits, params, body, .. } = &stmt.kind else {
            bug!("autodiff", "not a loop")
        };
        let seeds: Vec<Option<Value>> = results.iter().map(|result| self.adjoints.remove(result)).collect();
        if seeds.iter().all(Option::is_none) {
            return;
        }
        let is_active = |value: Value| self.activity.is_active(value);
        let from_outside = |value: &Value| !params.contains(value) && is_active(*value);
        let reversed = Reversed {
            inits,
            params,
            body,
            plan: self.plans.of(results),
            active: (0..params.len()).filter(|&i| is_active(params[i])).collect(),
            free: visit::free_values(body).into_iter().filter(from_outside).collect(),
        };
        let trips = match self.trips.get(&results[0]) {
            Some(&trips) => trips,
            None => bug!("autodiff", "a loop is reversed that was not run"),
        };
        let of_params = reversed.active.iter().map(|&i| (params[i], seeds[i]));
        let of_free = reversed.free.iter().map(|&value| (value, self.adjoints.get(&value).copied()));
        let after: Vec<(Value, Option<Value>)> = of_params.chain(of_free).collect();
        let after: Vec<Value> =
            after.into_iter().map(|(value, seed)| seed.unwrap_or_else(|| self.adjoint_zero(value))).collect();
        let adjoints = self.trips_backwards(&reversed, trips, &after);
        let (of_params, of_free) = adjoints.split_at(reversed.active.len());
        self.adjoints.extend(reversed.free.iter().copied().zip(of_free.iter().copied()));
        for (&i, &adjoint) in reversed.active.iter().zip(of_params) {
            self.accumulate(inits[i], adjoint);
        }
    }

    pub(super) fn adjoint_zero(&mut self, value: Value) -> Value {
        self.b.zero(&adjoint_type(self.primal.ty(value)))
    }

    /// `for k in (0..trips).rev()`: the adjoints before the first trip, from those after the last.
    fn trips_backwards(&mut self, reversed: &Reversed<'a>, trips: Value, seeds: &[Value]) -> Vec<Value> {
        let slots = (!reversed.plan.state.is_empty()).then(|| self.first_slots(reversed));
        let stack = slots.as_ref().map(Slots::values).unwrap_or_default();
        let inits = [&[trips], stack.as_slice(), seeds].concat();
        let mut results = self.while_(
            &inits,
            |reverse, carried| {
                let zero = reverse.b.i64(0);
                reverse.b.op(Op::Lt, &[zero, carried[0]])
            },
            |reverse, carried| {
                let (stack_values, adjoints) = carried[1..].split_at(stack.len());
                let one = reverse.b.i64(1);
                let k = reverse.b.sub(carried[0], one);
                let mut state = Vec::new();
                let mut next = vec![k];
                if let Some(slots) = &slots {
                    let restored = reverse.restore(reversed, slots.renewed(stack_values), carried[0], k);
                    state = restored.state;
                    next.extend(restored.slots.values());
                }
                reverse.enter_trip(reversed, &state, k);
                next.extend(reverse.sweep_trip(reversed, adjoints));
                next
            },
        );
        results.split_off(1 + stack.len())
    }

    /// Makes the parameters what they were before trip `k`.
    pub(super) fn enter_trip(&mut self, reversed: &Reversed<'a>, state: &[Value], k: Value) {
        for (&i, &value) in reversed.plan.state.iter().zip(state) {
            self.copier.map.insert(reversed.params[i], value);
        }
        for &(i, known) in &reversed.plan.known {
            let value = match known {
                Known::Flag(truth) => self.b.bool(truth),
                Known::Induction { step, falling } => {
                    let init = self.copier.value(reversed.inits[i]);
                    let scalar = self.primal.scalar(reversed.inits[i]).unwrap_or(Scalar::I64);
                    let step = match step {
                        Step::Constant(constant) => self.b.constant(constant),
                        Step::Invariant(value) => self.copier.value(value),
                    };
                    let turns = self.b.convert(k, scalar);
                    let way = self.b.mul(turns, step);
                    if falling { self.b.sub(init, way) } else { self.b.add(init, way) }
                }
            };
            self.copier.map.insert(reversed.params[i], value);
        }
    }

    /// The adjoints before a trip, from those after it: first of the active parameters, then of the values from
    /// outside.
    fn sweep_trip(&mut self, reversed: &Reversed<'a>, after: &[Value]) -> Vec<Value> {
        let (of_params, of_free) = after.split_at(reversed.active.len());
        let inside: FxHashMap<Value, Value> =
            reversed.free.iter().copied().zip(of_free.iter().copied()).collect();
        let outer = std::mem::replace(&mut self.adjoints, inside);
        self.replay(reversed.body, &[]);
        for (&i, &adjoint) in reversed.active.iter().zip(of_params) {
            self.accumulate(reversed.body.yields[i], adjoint);
        }
        self.sweep(reversed.body);
        let mut inside = std::mem::replace(&mut self.adjoints, outer);
        let values = reversed.active.iter().map(|&i| reversed.params[i]).chain(reversed.free.iter().copied());
        values.map(|value| inside.remove(&value).unwrap_or_else(|| self.adjoint_zero(value))).collect()
    }

    /// `while head(params) { params = body(params) }`
    pub(super) fn while_(
        &mut self,
        inits: &[Value],
        head: impl FnOnce(&mut Self, &[Value]) -> Value,
        body: impl FnOnce(&mut Self, &[Value]) -> Vec<Value>,
    ) -> Vec<Value> {
        let span = self.b.span();
        let (params, results) = (self.b.results_like(inits), self.b.results_like(inits));
        self.b.begin_block();
        let condition = head(self, &params);
        let head = self.b.end_block(vec![condition]);
        self.b.begin_block();
        let yields = body(self, &params);
        let body = self.b.end_block(yields);
        self.b.set_span(span);
        self.b.push(StmtKind::Loop {
            results: results.clone(),
            inits: inits.to_vec(),
            params,
            head,
            body,
            hints: LoopHints::default(),
        });
        results
    }

    /// The type of a loop parameter.
    pub(super) fn param_type(&self, reversed: &Reversed<'a>, i: usize) -> &'a Type {
        self.primal.ty(reversed.params[i])
    }
}
