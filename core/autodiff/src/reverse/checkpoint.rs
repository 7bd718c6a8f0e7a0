//! The state of a loop before any of its trips, from a fixed number of stored states: binomial checkpointing.
//!
//! The slots are a stack of states, each with the number of the trip it comes before; the lowest is the first trip's.
//! To reverse trip `k`, the state on top is advanced to `k` by the part of the body that the state depends on, and on
//! the way states are stored where they save most (Griewank's `revolve`): with `s` slots free, `C(s + r, s)` trips can be
//! reversed by running each at most `r` times more. The number of trips need not be known before the loop has run.

use super::Reverse;
use super::loops::Looped;
use super::replay::Run;
use crate::mutation::{Bug, on};
use crate::need::Values;
use crate::plan::words;
use pullback_ir::{Op, Scalar, Type, Value};

/// The stored states of a loop.
#[derive(Clone)]
pub(super) struct Slots {
    /// How many there are.
    count: u32,
    /// The number of the uppermost.
    top: Value,
    /// `[i64; count]`: the trip that the state comes before.
    trips: Value,
    /// For each word of the state its values, `[scalar; count]`; for a large array all of its words',
    /// `[scalar; count * words]`.
    states: Vec<Value>,
}

/// A state that is back.
pub(super) struct Restored {
    pub state: Vec<Value>,
    pub slots: Slots,
}

impl Slots {
    /// As loops carry them.
    pub fn values(&self) -> Vec<Value> {
        [&[self.top, self.trips], self.states.as_slice()].concat()
    }

    fn with_states(&self, states: &[Value]) -> Self {
        Self { states: states.to_vec(), ..self.clone() }
    }

    /// The same slots after a loop has carried them.
    pub fn renewed(&self, values: &[Value]) -> Self {
        Self { count: self.count, top: values[0], trips: values[1], states: values[2..].to_vec() }
    }
}

/// Arrays of at most so many elements are stored word by word.
const MOST_APART: u32 = 16;

/// The number of slot arrays that values of a type take.
fn parts(ty: &Type) -> usize {
    match ty {
        Type::Array(_, len) if *len <= MOST_APART => *len as usize,
        _ => 1,
    }
}

fn is_apart(ty: &Type) -> bool {
    matches!(ty, Type::Array(..)) && words(ty) <= MOST_APART
}

fn word_type(ty: &Type) -> Type {
    match ty {
        Type::Array(element, _) => (**element).clone(),
        other => other.clone(),
    }
}

impl<'a> Reverse<'a> {
    /// The slots with the state before the first trip in the lowest.
    pub(super) fn first_slots(&mut self, looped: &Looped<'a>, count: u32) -> Slots {
        let zero = self.b.i64(0);
        let trips = self.b.op(Op::Splat(Type::array(Type::I64, count)), &[zero]);
        let mut states = Vec::new();
        for &i in &looped.plan.state {
            let ty = self.param_type(looped, i);
            let init = self.copier.value(looped.inits[i]);
            let elements = Type::array(word_type(ty), count * words(ty) / parts(ty).max(1) as u32);
            for part in 0..parts(ty) {
                let first = if ty.is_scalar() { init } else { self.b.extract(init, part as u32) };
                let slots = self.b.op(Op::Splat(elements.clone()), &[first]);
                let is_whole = ty.is_scalar() || is_apart(ty);
                states.push(if is_whole { slots } else { self.store(slots, zero, init) });
            }
        }
        Slots { count, top: zero, trips, states }
    }

    /// Runs the needed part of a loop of that many trips, storing the state before each.
    pub(super) fn run_storing_all(&mut self, looped: &Looped<'a>, needed: &Values, count: u32) -> Run {
        let slots = self.first_slots(looped, count.max(1));
        let (kept, mut inits) = self.kept(looped, needed);
        inits.push(self.b.i64(0));
        inits.extend(&slots.states);
        let results = self.while_(
            &inits,
            |reverse, values| reverse.run_head(looped, needed, &kept, values),
            |reverse, values| {
                let k = values[kept.len()];
                let before = slots.with_states(&values[kept.len() + 1..]);
                reverse.enter(looped, &kept, values);
                let state = reverse.state(looped);
                let at = if on(Bug::StoredLate) { reverse.one_more(k) } else { k };
                let slots = reverse.put_state(looped, &before, at, &state);
                let mut next = reverse.run_body(looped, needed, &kept);
                let one = reverse.b.i64(1);
                next.push(reverse.b.add(k, one));
                next.extend(slots);
                next
            },
        );
        self.leave(looped, &kept, &results);
        let slots = slots.with_states(&results[kept.len() + 1..]);
        Run { trips: results[kept.len()], slots: Some(slots) }
    }

    /// Runs the needed part of a loop, storing states at equal strides. When the slots are full, every other one is
    /// given up and the stride doubled. With so many trips that this beats no fresh start, the first state alone is kept.
    pub(super) fn run_storing(&mut self, looped: &Looped<'a>, needed: &Values, count: u32) -> Run {
        let slots = self.first_slots(looped, count);
        let (kept, mut inits) = self.kept(looped, needed);
        let width = kept.len();
        inits.extend([self.b.i64(0), self.b.i64(1)]);
        inits.extend(slots.values());
        let results = self.while_(
            &inits,
            |reverse, values| reverse.run_head(looped, needed, &kept, values),
            |reverse, values| {
                let (k, stride) = (values[width], values[width + 1]);
                let slots = slots.renewed(&values[width + 2..]);
                reverse.enter(looped, &kept, values);
                let state = reverse.state(looped);
                let (slots, stride) = reverse.thinned(looped, slots, stride);
                let (zero, one) = (reverse.b.i64(0), reverse.b.i64(1));
                let last = reverse.b.i64(i64::from(count) - 1);
                let mask = reverse.b.sub(stride, one);
                let past = reverse.b.op(Op::And, &[k, mask]);
                let at_stride = reverse.b.op(Op::Eq, &[past, zero]);
                let later = reverse.b.op(Op::Lt, &[zero, k]);
                let has_room = reverse.b.op(Op::Lt, &[slots.top, last]);
                let wanted = reverse.b.op(Op::And, &[at_stride, later]);
                let wanted = reverse.b.op(Op::And, &[wanted, has_room]);
                let slots = reverse.push_state(looped, slots, wanted, k, &state);
                let start = reverse.b.sub(k, past);
                let end = reverse.b.add(start, stride);
                let segment = reverse.run_until(looped, needed, &kept, &values[..=width], end);
                [segment.as_slice(), &[stride], &slots.values()].concat()
            },
        );
        self.leave(looped, &kept, &results);
        let trips = results[width];
        let mut slots = slots.renewed(&results[width + 2..]);
        let (zero, many) = (self.b.i64(0), self.b.i64(2 * i64::from(count) * i64::from(count)));
        // As the sweep counts them, so that lanes in step agree.
        let counted = self.power_of_two(trips);
        let too_many = self.b.op(Op::Lt, &[many, counted]);
        slots.top = self.b.select(too_many, zero, slots.top);
        Run { trips, slots: Some(slots) }
    }

    /// Runs the needed part of a loop up to trip `end`; `values` are its parameters and the number of the trip.
    fn run_until(
        &mut self,
        looped: &Looped<'a>,
        needed: &Values,
        kept: &[usize],
        values: &[Value],
        end: Value,
    ) -> Vec<Value> {
        self.while_(
            values,
            |reverse, values| {
                let condition = reverse.run_head(looped, needed, kept, values);
                let before_end = reverse.b.op(Op::Lt, &[values[kept.len()], end]);
                reverse.b.op(Op::And, &[condition, before_end])
            },
            |reverse, values| {
                reverse.enter(looped, kept, values);
                let mut next = reverse.run_body(looped, needed, kept);
                let one = reverse.b.i64(1);
                next.push(reverse.b.add(values[kept.len()], one));
                next
            },
        )
    }

    /// The needed parameters of a loop, and what they start from.
    fn kept(&self, looped: &Looped<'a>, needed: &Values) -> (Vec<usize>, Vec<Value>) {
        let kept: Vec<usize> =
            (0..looped.params.len()).filter(|&i| needed.contains(&looped.params[i])).collect();
        let inits = kept.iter().map(|&i| self.copier.value(looped.inits[i])).collect();
        (kept, inits)
    }

    fn enter(&mut self, looped: &Looped<'a>, kept: &[usize], values: &[Value]) {
        self.copier.map.extend(kept.iter().map(|&i| looped.params[i]).zip(values.iter().copied()));
    }

    fn leave(&mut self, looped: &Looped<'a>, kept: &[usize], values: &[Value]) {
        self.copier.map.extend(kept.iter().map(|&i| looped.results[i]).zip(values.iter().copied()));
    }

    fn run_head(&mut self, looped: &Looped<'a>, needed: &Values, kept: &[usize], values: &[Value]) -> Value {
        self.enter(looped, kept, values);
        self.run(looped.head, needed);
        self.copier.value(looped.head.yields[0])
    }

    fn run_body(&mut self, looped: &Looped<'a>, needed: &Values, kept: &[usize]) -> Vec<Value> {
        self.run(looped.body, needed);
        kept.iter().map(|&i| self.copier.value(looped.body.yields[i])).collect()
    }

    /// The state of the trip that was entered.
    fn state(&self, looped: &Looped<'a>) -> Vec<Value> {
        looped.plan.state.iter().map(|&i| self.copier.value(looped.params[i])).collect()
    }

    /// If the slots are full, every other one and the double stride.
    fn thinned(&mut self, looped: &Looped<'a>, slots: Slots, stride: Value) -> (Slots, Value) {
        let half = i64::from(slots.count.div_ceil(2));
        let last = self.b.i64(i64::from(slots.count) - 1);
        let is_full = self.b.op(Op::Eq, &[slots.top, last]);
        let (zero, one, kept) = (self.b.i64(0), self.b.i64(1), self.b.i64(half));
        let end = self.b.select(is_full, kept, zero);
        let inits = [&[one, slots.trips], slots.states.as_slice()].concat();
        let moved = self.while_(
            &inits,
            |reverse, values| reverse.b.op(Op::Lt, &[values[0], end]),
            |reverse, values| {
                let one = reverse.b.i64(1);
                let from = reverse.b.add(values[0], values[0]);
                let slots = slots.with_states(&values[2..]);
                let trip = reverse.b.op(Op::ElementGet, &[values[1], from]);
                let trips = reverse.b.op(Op::ElementSet, &[values[1], values[0], trip]);
                let from = if on(Bug::ThinsWrongHalf) { reverse.b.sub(from, one) } else { from };
                let state = reverse.load_state(looped, &slots, from);
                let states = reverse.put_state(looped, &slots, values[0], &state);
                let next = reverse.b.add(values[0], one);
                [&[next, trips], states.as_slice()].concat()
            },
        );
        let top = self.b.i64(half - 1);
        let top = self.b.select(is_full, top, slots.top);
        let double = self.b.add(stride, stride);
        let stride = self.b.select(is_full, double, stride);
        (Slots { top, trips: moved[1], states: moved[2..].to_vec(), ..slots }, stride)
    }

    /// The state before trip `k = end - 1`, with the slots as the next, lower trip needs them. Trips from `trips` on are not
    /// made: the state before them is that after the last.
    pub(super) fn restore(
        &mut self,
        looped: &Looped<'a>,
        slots: Slots,
        (end, k): (Value, Value),
        trips: Value,
    ) -> Restored {
        let cursor = self.b.op(Op::ElementGet, &[slots.trips, slots.top]);
        let state = self.load_state(looped, &slots, slots.top);
        let width = state.len();
        let inits = [&[cursor], state.as_slice(), &slots.values()].concat();
        let advanced = self.while_(
            &inits,
            |reverse, carried| reverse.b.op(Op::Lt, &[carried[0], k]),
            |reverse, carried| {
                let (cursor, state) = (carried[0], &carried[1..=width]);
                let slots = slots.renewed(&carried[width + 1..]);
                let last = reverse.b.i64(i64::from(slots.count) - 1);
                let unused = reverse.b.sub(last, slots.top);
                let zero = reverse.b.i64(0);
                let is_free = reverse.b.op(Op::Lt, &[zero, unused]);
                let length = reverse.b.sub(end, cursor);
                let stride = reverse.stride(length, unused, is_free);
                let rest = reverse.b.sub(k, cursor);
                let step = reverse.b.select(is_free, stride, rest);
                let next = reverse.b.add(cursor, step);
                let made = reverse.b.op(Op::Min, &[next, trips]);
                let state = reverse.advance(looped, state, cursor, made);
                let slots = reverse.push_state(looped, slots, is_free, next, &state);
                [&[next], state.as_slice(), &slots.values()].concat()
            },
        );
        let mut slots = slots.renewed(&advanced[width + 1..]);
        let state = if on(Bug::NotAdvanced) { state } else { advanced[1..=width].to_vec() };
        // The state before trip k is not needed any more.
        let on_top = self.b.op(Op::ElementGet, &[slots.trips, slots.top]);
        let used_up = self.b.op(Op::Eq, &[on_top, k]);
        let one = self.b.i64(1);
        let below = self.b.sub(slots.top, one);
        if !on(Bug::NeverPopped) {
            slots.top = self.b.select(used_up, below, slots.top);
        }
        Restored { state, slots }
    }

    /// The state before trip `to`, from that before trip `from`.
    fn advance(&mut self, looped: &Looped<'a>, state: &[Value], from: Value, to: Value) -> Vec<Value> {
        let inits = [&[from], state].concat();
        let mut results = self.while_(
            &inits,
            |reverse, carried| reverse.b.op(Op::Lt, &[carried[0], to]),
            |reverse, carried| {
                reverse.enter_trip(looped, &carried[1..], carried[0]);
                reverse.run(looped.body, &looped.plan.advance);
                let one = reverse.b.i64(1);
                let next = reverse.b.add(carried[0], one);
                let state = looped.plan.state.iter().map(|&i| reverse.copier.value(looped.body.yields[i]));
                std::iter::once(next).chain(state).collect()
            },
        );
        results.split_off(1)
    }

    /// Where the next state is stored on the way over `length` trips: with `s = unused + 1` and the least `r` such that
    /// `C(s + r, s) >= length`, after `length * r / (s + r)` of them. Any stride from 1 to `length - 1` gives the same
    /// states, so rounding is of no account.
    fn stride(&mut self, length: Value, unused: Value, is_free: Value) -> Value {
        let number = |reverse: &mut Self, value: f64| reverse.b.number(&Type::F32, value);
        let one = self.b.i64(1);
        let s = self.b.add(unused, one);
        let s = self.b.convert(s, Scalar::F32);
        let trips = self.b.convert(length, Scalar::F32);
        // The search is over at once where nothing can be stored.
        let (nothing, all) = (number(self, 0.0), number(self, 1.0));
        let inits = [nothing, self.b.select(is_free, all, trips)];
        let repeats = self.while_(
            &inits,
            |reverse, carried| reverse.b.op(Op::Lt, &[carried[1], trips]),
            |reverse, carried| {
                let one = number(reverse, 1.0);
                let r = reverse.b.add(carried[0], one);
                let sum = reverse.b.add(s, r);
                let factor = reverse.b.div(sum, r);
                vec![r, reverse.b.mul(carried[1], factor)]
            },
        )[0];
        let sum = self.b.add(s, repeats);
        let share = self.b.div(repeats, sum);
        let stride = self.b.mul(trips, share);
        let stride = self.b.op(Op::Ceil, &[stride]);
        let stride = self.b.convert(stride, Scalar::I64);
        let most = self.b.sub(length, one);
        self.b.op(Op::Clamp, &[stride, one, most])
    }

    /// Stores a state on top, if there is room.
    fn push_state(
        &mut self,
        looped: &Looped<'a>,
        slots: Slots,
        is_free: Value,
        trip: Value,
        state: &[Value],
    ) -> Slots {
        let (one, nowhere) = (self.b.i64(1), self.b.i64(-1));
        let above = self.b.add(slots.top, one);
        let top = self.b.select(is_free, above, slots.top);
        // A store outside of the array changes nothing.
        let place = if on(Bug::StoredTooLow) { slots.top } else { above };
        let at = self.b.select(is_free, place, nowhere);
        let trips = self.b.op(Op::ElementSet, &[slots.trips, at, trip]);
        let states = self.put_state(looped, &slots, at, state);
        Slots { count: slots.count, top, trips, states }
    }

    /// The states with this one in the slot of that number.
    fn put_state(&mut self, looped: &Looped<'a>, slots: &Slots, at: Value, state: &[Value]) -> Vec<Value> {
        let mut stored = slots.states.iter();
        let mut out = Vec::with_capacity(slots.states.len());
        for (&value, &i) in state.iter().zip(&looped.plan.state) {
            let ty = self.param_type(looped, i);
            for (part, &stored) in stored.by_ref().take(parts(ty)).enumerate() {
                out.push(match ty {
                    Type::Array(..) if is_apart(ty) => {
                        let word = self.b.extract(value, part as u32);
                        self.b.op(Op::ElementSet, &[stored, at, word])
                    }
                    Type::Array(..) => self.store(stored, at, value),
                    _ => self.b.op(Op::ElementSet, &[stored, at, value]),
                });
            }
        }
        out
    }

    /// The state in the slot of that number.
    pub(super) fn load_state(&mut self, looped: &Looped<'a>, slots: &Slots, at: Value) -> Vec<Value> {
        let mut stored = slots.states.iter();
        let mut state = Vec::with_capacity(looped.plan.state.len());
        for &i in &looped.plan.state {
            let ty = self.param_type(looped, i);
            let stored: Vec<Value> = stored.by_ref().take(parts(ty)).copied().collect();
            state.push(match ty {
                Type::Array(..) if is_apart(ty) => {
                    let mut words: Vec<Value> =
                        stored.iter().map(|&stored| self.b.op(Op::ElementGet, &[stored, at])).collect();
                    if on(Bug::ArrayShifted) {
                        words.rotate_left(1);
                    }
                    self.b.op(Op::Construct(ty.clone()), &words)
                }
                Type::Array(..) => self.fetch(stored[0], at, ty),
                _ => self.b.op(Op::ElementGet, &[stored[0], at]),
            });
        }
        state
    }

    /// Copies an array into the slot of that number; nowhere if there is none.
    fn store(&mut self, stored: Value, at: Value, array: Value) -> Value {
        let length = self.b.i64(i64::from(self.b.ty(array).element_count()));
        let base = self.b.mul(at, length);
        let zero = self.b.i64(0);
        let results = self.while_(
            &[zero, stored],
            |reverse, carried| reverse.b.op(Op::Lt, &[carried[0], length]),
            |reverse, carried| {
                let element = reverse.b.op(Op::ElementGet, &[array, carried[0]]);
                let place = reverse.b.add(base, carried[0]);
                let stored = reverse.b.op(Op::ElementSet, &[carried[1], place, element]);
                let one = reverse.b.i64(1);
                vec![reverse.b.add(carried[0], one), stored]
            },
        );
        results[1]
    }

    /// The array in the slot of that number.
    fn fetch(&mut self, stored: Value, at: Value, ty: &Type) -> Value {
        let length = self.b.i64(i64::from(ty.element_count()));
        let base = self.b.mul(at, length);
        let zero = self.b.i64(0);
        let first = self.b.op(Op::ElementGet, &[stored, base]);
        let array = self.b.op(Op::Splat(ty.clone()), &[first]);
        let results = self.while_(
            &[zero, array],
            |reverse, carried| reverse.b.op(Op::Lt, &[carried[0], length]),
            |reverse, carried| {
                let mut place = reverse.b.add(base, carried[0]);
                if on(Bug::ArrayShifted) {
                    place = reverse.one_more(place);
                }
                let element = reverse.b.op(Op::ElementGet, &[stored, place]);
                let array = reverse.b.op(Op::ElementSet, &[carried[1], carried[0], element]);
                let one = reverse.b.i64(1);
                vec![reverse.b.add(carried[0], one), array]
            },
        );
        results[1]
    }
}
