//! The sweep of a loop: a loop over its trips, the last first. Each gets its state back, runs the body again, and
//! sweeps it, carrying the adjoints of the active parameters and of the active values from outside.

use super::Reverse;
use super::replay::Run;
use crate::known::Known;
use crate::mutation::{Bug, on};
use crate::plan::{LoopPlan, Storage};
use crate::rules::adjoint_type;
use pullback_base::bug;
use pullback_ir::{Block, LoopHints, Op, Scalar, Stmt, StmtKind, Type, Value, visit};
use rustc_hash::FxHashMap;

/// An active loop.
pub(super) struct Looped<'a> {
    pub results: &'a [Value],
    pub inits: &'a [Value],
    pub params: &'a [Value],
    pub head: &'a Block,
    pub body: &'a Block,
    pub plan: &'a LoopPlan,
}

/// The values whose adjoints the sweep of a loop carries.
struct Carried {
    /// Parameters, by number.
    params: Vec<usize>,
    /// Values from outside.
    free: Vec<Value>,
}

impl<'a> Reverse<'a> {
    pub(super) fn looped(&self, stmt: &'a Stmt) -> Looped<'a> {
        let StmtKind::Loop { results, inits, params, head, body, .. } = &stmt.kind else {
            bug!("autodiff", "not a loop")
        };
        Looped { results, inits, params, head, body, plan: self.plans.of(results) }
    }

    pub(super) fn repeat(&mut self, stmt: &'a Stmt) {
        let results = stmt.kind.results();
        if let Some(jacobian) = self.jacobians.remove(&results[0]) {
            return self.multiply(&jacobian);
        }
        let seeds: Vec<Option<Value>> = results.iter().map(|result| self.adjoints.remove(result)).collect();
        if seeds.iter().all(Option::is_none) && !self.activity.must_sweep(&stmt.kind) {
            return;
        }
        let looped = self.looped(stmt);
        let is_active = |value: Value| self.activity.is_active(value);
        let from_outside = |value: &Value| !looped.params.contains(value) && is_active(*value);
        let carried = Carried {
            params: (0..looped.params.len()).filter(|&i| is_active(looped.params[i])).collect(),
            free: visit::free_values(looped.body).into_iter().filter(from_outside).collect(),
        };
        let Some(run) = self.runs.remove(&results[0]) else {
            bug!("autodiff", "a loop is reversed that was not run")
        };
        let of_params = carried.params.iter().map(|&i| (looped.params[i], seeds[i]));
        let given = |value: Value| self.adjoints.get(&value).copied().filter(|_| !on(Bug::FreeForgetsAfter));
        let of_free = carried.free.iter().map(|&value| (value, given(value)));
        let after: Vec<(Value, Option<Value>)> = of_params.chain(of_free).collect();
        let after: Vec<Value> =
            after.into_iter().map(|(value, seed)| seed.unwrap_or_else(|| self.adjoint_zero(value))).collect();
        let before = self.trips_backwards(&looped, &carried, run, &after);
        let (of_params, of_free) = before.split_at(carried.params.len());
        self.adjoints.extend(carried.free.iter().copied().zip(of_free.iter().copied()));
        for (&i, &adjoint) in carried.params.iter().zip(of_params).filter(|_| !on(Bug::LostInits)) {
            self.accumulate(looped.inits[i], adjoint);
        }
    }

    pub(super) fn adjoint_zero(&mut self, value: Value) -> Value {
        self.b.zero(&adjoint_type(self.primal.ty(value)))
    }

    /// `for k in (0..trips).rev()`: the adjoints before the first trip, from those after the last.
    ///
    /// Where states are computed again, how long that takes hangs on `k` and on which states are stored. Lanes run in lock step,
    /// so all keep books of as many trips as the next power of two, of which they make their own: those with about as many
    /// are at the same trip at the same time, and take equally long, rather than waiting for another lane at every trip.
    fn trips_backwards(
        &mut self,
        looped: &Looped<'a>,
        carried: &Carried,
        run: Run,
        after: &[Value],
    ) -> Vec<Value> {
        let slots = match (looped.plan.storage, run.slots) {
            (Storage::Nothing | Storage::Forward, _) => None,
            (_, Some(slots)) => Some(slots),
            (Storage::All(count) | Storage::Slots(count), None) => Some(self.first_slots(looped, count)),
        };
        let in_step = matches!(looped.plan.storage, Storage::Slots(_));
        // What the sweep only reads it need not carry.
        let stack = match &slots {
            Some(slots) if in_step => slots.values(),
            _ => Vec::new(),
        };
        let start = if in_step { self.power_of_two(run.trips) } else { run.trips };
        let inits = [&[start], stack.as_slice(), after].concat();
        let mut results = self.while_(
            &inits,
            |reverse, values| {
                let first = reverse.b.i64(i64::from(on(Bug::FirstTripLeftOut)));
                reverse.b.op(Op::Lt, &[first, values[0]])
            },
            |reverse, values| {
                let one = reverse.b.i64(1);
                let k = reverse.b.sub(values[0], one);
                let (stack_values, adjoints) = values[1..].split_at(stack.len());
                let Some(slots) = &slots else {
                    reverse.enter_trip(looped, &[], k);
                    return [vec![k], reverse.sweep_trip(looped, carried, adjoints)].concat();
                };
                if !in_step {
                    let state = reverse.load_state(looped, slots, k);
                    reverse.enter_trip(looped, &state, k);
                    return [vec![k], reverse.sweep_trip(looped, carried, adjoints)].concat();
                }
                let slots = slots.renewed(stack_values);
                let restored = reverse.restore(looped, slots, (values[0], k), run.trips);
                let is_made = reverse.b.op(Op::Lt, &[k, run.trips]);
                reverse.b.begin_block();
                reverse.enter_trip(looped, &restored.state, k);
                let yields = reverse.sweep_trip(looped, carried, adjoints);
                let trip = reverse.b.end_block(yields);
                let idle = Block { stmts: Vec::new(), yields: adjoints.to_vec() };
                let adjoints = reverse.b.push_if(is_made, trip, idle);
                [vec![k], restored.slots.values(), adjoints].concat()
            },
        );
        results.split_off(1 + stack.len())
    }

    /// The least power of two that is not below a number.
    pub(super) fn power_of_two(&mut self, number: Value) -> Value {
        let (one, zero) = (self.b.i64(1), self.b.i64(0));
        let below = self.b.sub(number, one);
        let bits = self.b.op(Op::FirstBitHigh, &[below]);
        let bits = self.one_more(bits);
        let power = self.b.op(Op::Shl, &[one, bits]);
        // There is none for zero.
        let is_some = self.b.op(Op::Lt, &[zero, number]);
        self.b.select(is_some, power, zero)
    }

    /// Makes the parameters what they were before trip `k`.
    pub(super) fn enter_trip(&mut self, looped: &Looped<'a>, state: &[Value], k: Value) {
        for (&i, &value) in looped.plan.state.iter().zip(state) {
            self.copier.map.insert(looped.params[i], value);
        }
        for &(i, known) in &looped.plan.known {
            let value = match known {
                Known::Flag(truth) => self.b.bool(truth),
                Known::Induction { step, falling } => {
                    let init = self.copier.value(looped.inits[i]);
                    let scalar = self.primal.scalar(looped.inits[i]).unwrap_or(Scalar::I64);
                    let step = self.fixed(step);
                    let k = if on(Bug::InductionAhead) { self.one_more(k) } else { k };
                    let turns = self.b.convert(k, scalar);
                    let way = self.b.mul(turns, step);
                    let init = if on(Bug::InductionWithoutInit) { self.b.sub(init, init) } else { init };
                    if falling && !on(Bug::FallingRises) {
                        self.b.sub(init, way)
                    } else {
                        self.b.add(init, way)
                    }
                }
            };
            self.copier.map.insert(looped.params[i], value);
        }
    }

    pub(super) fn one_more(&mut self, k: Value) -> Value {
        let one = self.b.i64(1);
        self.b.add(k, one)
    }

    /// The adjoints before a trip, from those after it: first of the active parameters, then of the values from
    /// outside.
    fn sweep_trip(&mut self, looped: &Looped<'a>, carried: &Carried, after: &[Value]) -> Vec<Value> {
        let (of_params, of_free) = after.split_at(carried.params.len());
        let inside: FxHashMap<Value, Value> =
            carried.free.iter().copied().zip(of_free.iter().copied()).collect();
        let outer = std::mem::replace(&mut self.adjoints, inside);
        if on(Bug::FreeZeroedPerTrip) {
            self.adjoints.clear();
        }
        self.replay(looped.body, &[]);
        for (&i, &adjoint) in carried.params.iter().zip(of_params) {
            self.accumulate(looped.body.yields[i], adjoint);
        }
        self.sweep(looped.body);
        let mut inside = std::mem::replace(&mut self.adjoints, outer);
        let values = carried.params.iter().map(|&i| looped.params[i]).chain(carried.free.iter().copied());
        let mut before: Vec<Value> =
            values.map(|value| inside.remove(&value).unwrap_or_else(|| self.adjoint_zero(value))).collect();
        if on(Bug::ParameterKept) {
            before.iter_mut().zip(of_params).for_each(|(sum, &kept)| *sum = self.add(*sum, kept));
        }
        before
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
    pub(super) fn param_type(&self, looped: &Looped<'a>, i: usize) -> &'a Type {
        self.primal.ty(looped.params[i])
    }
}
