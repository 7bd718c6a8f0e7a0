//! The state of a loop before any of its trips, from a fixed number of stored states: binomial checkpointing.
//!
//! The slots are a stack of states, each with the number of the trip it comes before; the lowest is the first trip's.
//! To reverse trip `k`, the state on top is advanced to `k` by the part of the body that the state depends on, and on
//! the way states are stored where they save most (Griewank's `revolve`): with `s` slots free, `C(s + r, s)` trips can be
//! reversed by running each at most `r` times more. The number of trips need not be known before the loop has run.

use super::Reverse;
use super::loops::Reversed;
use pullback_ir::{Op, Scalar, Type, Value};

/// Words of storage that a loop's slots take, unless its state is large.
const WORDS: u32 = 64;
const FEWEST_SLOTS: u32 = 4;

/// The stored states of a loop.
#[derive(Clone)]
pub(super) struct Slots {
    /// How many there are.
    count: u32,
    /// The number of the uppermost.
    top: Value,
    /// `[i64; count]`: the trip that the state comes before.
    trips: Value,
    /// For each parameter of the state its values: `[scalar; count * words]`.
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

    /// The same slots after a loop has carried them.
    pub fn renewed(&self, values: &[Value]) -> Self {
        Self { count: self.count, top: values[0], trips: values[1], states: values[2..].to_vec() }
    }
}

/// Words of a state's parameter.
fn words(ty: &Type) -> u32 {
    match ty {
        Type::Array(_, len) => *len,
        _ => 1,
    }
}

fn word_type(ty: &Type) -> Type {
    match ty {
        Type::Array(element, _) => (**element).clone(),
        other => other.clone(),
    }
}

impl<'a> Reverse<'a> {
    /// The slots with the state before the first trip in the lowest.
    pub(super) fn first_slots(&mut self, reversed: &Reversed<'a>) -> Slots {
        let state = &reversed.plan.state;
        let size: u32 = state.iter().map(|&i| words(self.param_type(reversed, i))).sum();
        let fitting = (WORDS / size.max(1)).clamp(FEWEST_SLOTS, WORDS);
        let count = self.loops.slots.unwrap_or(fitting).max(1);
        let zero = self.b.i64(0);
        let trips = self.b.op(Op::Splat(Type::array(Type::I64, count)), &[zero]);
        let states = state
            .iter()
            .map(|&i| {
                let ty = self.param_type(reversed, i);
                let init = self.copier.value(reversed.inits[i]);
                let slots = Type::array(word_type(ty), count * words(ty));
                if words(ty) == 1 && !matches!(ty, Type::Array(..)) {
                    return self.b.op(Op::Splat(slots), &[init]);
                }
                let first = self.b.extract(init, 0);
                let slots = self.b.op(Op::Splat(slots), &[first]);
                self.store(slots, zero, init)
            })
            .collect();
        Slots { count, top: zero, trips, states }
    }

    /// The state before trip `k = end - 1`, with the slots as the next, lower trip needs them.
    pub(super) fn restore(
        &mut self,
        reversed: &Reversed<'a>,
        slots: Slots,
        end: Value,
        k: Value,
    ) -> Restored {
        let cursor = self.b.op(Op::ElementGet, &[slots.trips, slots.top]);
        let state = self.load_state(reversed, &slots);
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
                let state = reverse.advance(reversed, state, cursor, next);
                let slots = reverse.push_state(reversed, slots, is_free, next, &state);
                [&[next], state.as_slice(), &slots.values()].concat()
            },
        );
        let mut slots = slots.renewed(&advanced[width + 1..]);
        let state = advanced[1..=width].to_vec();
        // The state before trip k is not needed any more.
        let on_top = self.b.op(Op::ElementGet, &[slots.trips, slots.top]);
        let used_up = self.b.op(Op::Eq, &[on_top, k]);
        let one = self.b.i64(1);
        let below = self.b.sub(slots.top, one);
        slots.top = self.b.select(used_up, below, slots.top);
        Restored { state, slots }
    }

    /// The state before trip `to`, from that before trip `from`.
    fn advance(&mut self, reversed: &Reversed<'a>, state: &[Value], from: Value, to: Value) -> Vec<Value> {
        let inits = [&[from], state].concat();
        let mut results = self.while_(
            &inits,
            |reverse, carried| reverse.b.op(Op::Lt, &[carried[0], to]),
            |reverse, carried| {
                reverse.enter_trip(reversed, &carried[1..], carried[0]);
                reverse.run(reversed.body, &reversed.plan.advance);
                let one = reverse.b.i64(1);
                let next = reverse.b.add(carried[0], one);
                let state =
                    reversed.plan.state.iter().map(|&i| reverse.copier.value(reversed.body.yields[i]));
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
        reversed: &Reversed<'a>,
        slots: Slots,
        is_free: Value,
        trip: Value,
        state: &[Value],
    ) -> Slots {
        let (one, nowhere) = (self.b.i64(1), self.b.i64(-1));
        let above = self.b.add(slots.top, one);
        let top = self.b.select(is_free, above, slots.top);
        // A store outside of the array changes nothing.
        let at = self.b.select(is_free, above, nowhere);
        let trips = self.b.op(Op::ElementSet, &[slots.trips, at, trip]);
        let states = (slots.states.iter().zip(state).zip(&reversed.plan.state))
            .map(|((&stored, &value), &i)| match self.param_type(reversed, i) {
                Type::Array(..) => self.store(stored, at, value),
                _ => self.b.op(Op::ElementSet, &[stored, at, value]),
            })
            .collect();
        Slots { count: slots.count, top, trips, states }
    }

    /// The state on top.
    fn load_state(&mut self, reversed: &Reversed<'a>, slots: &Slots) -> Vec<Value> {
        let load = |(&stored, &i): (&Value, &usize)| match self.param_type(reversed, i) {
            ty @ Type::Array(..) => self.fetch(stored, slots.top, ty),
            _ => self.b.op(Op::ElementGet, &[stored, slots.top]),
        };
        slots.states.iter().zip(&reversed.plan.state).map(load).collect()
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
                let place = reverse.b.add(base, carried[0]);
                let element = reverse.b.op(Op::ElementGet, &[stored, place]);
                let array = reverse.b.op(Op::ElementSet, &[carried[1], carried[0], element]);
                let one = reverse.b.i64(1);
                vec![reverse.b.add(carried[0], one), array]
            },
        );
        results[1]
    }
}
