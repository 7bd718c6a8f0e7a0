//! The sweep of what reads and writes memory. Memory is a state that effects change one after another; its cotangents are
//! one too, changed in the opposite order.

use super::Reverse;
use crate::mutation::{Bug, on};
use pullback_ir::{Effect, Value};

impl Reverse<'_> {
    pub(super) fn touch(&mut self, effect: Effect, result: Option<Value>, args: &[Value]) {
        if self.activity.active_memory(args[0]).is_none() {
            return;
        }
        match (effect, result) {
            // v = m[i]: dm[i] += dv. Other lanes may add to the same place at the same time.
            (Effect::Load, Some(result)) => {
                let Some(g) = self.take(result) else { return };
                let place = self.duals.place(args[0], &self.copier, &mut self.b);
                let effect = if on(Bug::ReadSets) { Effect::Store } else { Effect::AtomicAdd };
                self.b.write(effect, place, g);
            }
            // m[i] = v: dv += dm[i], and dm[i] = 0: what was there before is gone.
            (Effect::Store, _) => {
                let place = self.duals.place(args[0], &self.copier, &mut self.b);
                let g = self.b.load(place);
                if !on(Bug::WrittenKept) {
                    let zero = self.b.zero(self.primal.ty(args[1]));
                    self.b.store(place, zero);
                }
                self.accumulate(args[1], g);
            }
            // m[i] += v: dv += dm[i].
            (Effect::AtomicAdd, _) if self.activity.is_active(args[1]) => {
                let place = self.duals.place(args[0], &self.copier, &mut self.b);
                let g = self.b.load(place);
                if on(Bug::AddedZeroed) {
                    let zero = self.b.zero(self.primal.ty(args[1]));
                    self.b.store(place, zero);
                }
                self.accumulate(args[1], g);
            }
            _ => {}
        }
    }
}
