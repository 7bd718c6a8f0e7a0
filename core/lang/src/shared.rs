//! Variables that the lanes of a workgroup share: each is a row of slots, one per scalar that fields tell apart, and a
//! place in one is an index into its slots.

use crate::ssa::Ssa;
use pullback_base::{Scalar, bug, ids::Id};
use pullback_ir::layout::shared_slots;
use pullback_ir::{AtomicOp, Effect, Op, SharedId, Type, Value};

/// A part of a shared variable.
#[derive(Clone)]
pub struct Shared {
    pub ty: Type,
    /// The first of its slots.
    slot: usize,
    /// Where it lies in each of them, counted in parts of its type. Negative: nowhere.
    index: Value,
}

impl Shared {
    /// The variable of that number, among those that a module declares with these types.
    pub fn variable(ssa: &mut Ssa, types: &[Type], number: usize) -> Shared {
        let slot = types[..number].iter().map(|ty| shared_slots(ty).len()).sum();
        Shared { ty: types[number].clone(), slot, index: ssa.i64(0) }
    }

    /// Component, row, array element or field number `index`.
    pub fn element(&self, ssa: &mut Ssa, index: u32) -> Shared {
        let Some(ty) = self.ty.element(index) else { bug!("shared", "{} has no element {index}", self.ty) };
        if let Type::Struct(structure) = &self.ty {
            let before = &structure.fields[..index as usize];
            let skipped: usize = before.iter().map(|field| shared_slots(&field.ty).len()).sum();
            return Shared { ty, slot: self.slot + skipped, index: self.index };
        }
        let index = ssa.i64(i64::from(index));
        let index = self.within(ssa, index);
        Shared { ty, slot: self.slot, index }
    }

    /// The component, row or array element at a computed index; `element` is the type of it.
    pub fn at(&self, ssa: &mut Ssa, index: Value, element: Type) -> Shared {
        let index = ssa.convert(index, Scalar::I64);
        let count = ssa.i64(i64::from(self.ty.element_count()));
        // Negative numbers are large unsigned ones.
        let [unsigned, bound] = [index, count].map(|value| ssa.convert(value, Scalar::U64));
        let inside = ssa.op(Op::Lt, &[unsigned, bound]);
        let at = self.within(ssa, index);
        let nowhere = ssa.i64(-1);
        Shared { ty: element, slot: self.slot, index: ssa.select(inside, at, nowhere) }
    }

    /// What is nowhere has its parts nowhere: `-1 * count + index` is negative too.
    fn within(&self, ssa: &mut Ssa, index: Value) -> Value {
        let count = ssa.i64(i64::from(self.ty.element_count()));
        let first = ssa.mul(self.index, count);
        ssa.add(first, index)
    }

    pub fn load(&self, ssa: &mut Ssa) -> Value {
        if let Type::Scalar(_) | Type::Pointer(_) = self.ty {
            return self.effect(ssa, Effect::SharedLoad(SharedId::from_index(self.slot)), &[]);
        }
        let elements: Vec<Value> =
            (0..self.ty.element_count()).map(|index| self.element(ssa, index).load(ssa)).collect();
        ssa.op(Op::Construct(self.ty.clone()), &elements)
    }

    pub fn store(&self, ssa: &mut Ssa, value: Value) {
        if let Type::Scalar(_) | Type::Pointer(_) = self.ty {
            ssa.effect(Effect::SharedStore(SharedId::from_index(self.slot)), &[self.index, value]);
            return;
        }
        for index in 0..self.ty.element_count() {
            let part = ssa.extract(value, index);
            self.element(ssa, index).store(ssa, part);
        }
    }

    /// The old value; zero where nothing is there.
    pub fn atomic(&self, ssa: &mut Ssa, op: AtomicOp, values: &[Value]) -> Value {
        self.effect(ssa, Effect::SharedAtomic(SharedId::from_index(self.slot), op), values)
    }

    fn effect(&self, ssa: &mut Ssa, effect: Effect, values: &[Value]) -> Value {
        let args: Vec<Value> = [self.index].into_iter().chain(values.iter().copied()).collect();
        match ssa.effect(effect, &args) {
            Some(value) => value,
            None => bug!("shared", "{effect} gives nothing"),
        }
    }
}
