//! Adjoints: sums of what the uses of a value have given so far.

use super::Reverse;
use crate::mutation::{Bug, on};
use crate::rules::{Index, adjoint_type};
use pullback_ir::{Op, Value};

impl Reverse<'_> {
    /// The adjoint, complete once the sweep comes to the definition.
    pub(super) fn take(&mut self, value: Value) -> Option<Value> {
        let adjoint = self.adjoints.remove(&value)?;
        Some(self.cast(adjoint, self.primal.scalar(value)))
    }

    fn cast(&mut self, value: Value, to: Option<pullback_ir::Scalar>) -> Value {
        to.map_or(value, |scalar| self.b.convert(value, scalar))
    }

    /// `adjoint of value += term`
    pub(super) fn accumulate(&mut self, value: Value, term: Value) {
        if !self.activity.is_active(value) {
            return;
        }
        let term = self.cast(term, adjoint_type(self.primal.ty(value)).scalar());
        let sum = match self.adjoints.get(&value) {
            Some(&so_far) if !on(Bug::Overwrites) => self.add(so_far, term),
            _ => term,
        };
        self.adjoints.insert(value, sum);
    }

    /// The sum of scalars, or of arrays element by element.
    pub(super) fn add(&mut self, a: Value, b: Value) -> Value {
        let ty = self.b.ty(a).clone();
        if ty.is_scalar() {
            return self.b.add(a, b);
        }
        let sums: Vec<Value> = (0..ty.element_count())
            .map(|i| {
                let (a, b) = (self.b.extract(a, i), self.b.extract(b, i));
                self.b.add(a, b)
            })
            .collect();
        self.b.op(Op::Construct(ty), &sums)
    }

    /// `adjoint of array [index] += term`
    pub(super) fn accumulate_element(&mut self, array: Value, index: Index, term: Value) {
        let so_far = match self.adjoints.get(&array) {
            Some(&so_far) if !on(Bug::ForgetsOtherElements) => so_far,
            _ => self.b.zero(self.primal.ty(array)),
        };
        let sum = match index {
            Index::Constant(number) => {
                let element = self.b.extract(so_far, number);
                let element = self.b.add(element, term);
                self.b.op(Op::Insert(number), &[so_far, element])
            }
            Index::Dynamic(index) => {
                let element = self.b.op(Op::ElementGet, &[so_far, index]);
                let element = if on(Bug::OverwritesElement) { term } else { self.b.add(element, term) };
                self.b.op(Op::ElementSet, &[so_far, index, element])
            }
        };
        self.adjoints.insert(array, sum);
    }
}
