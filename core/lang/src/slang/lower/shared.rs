//! `groupshared` variables: each is a row of slots, one per scalar that fields tell apart, and a place in one is an
//! index into its slots.

use super::Lowerer;
use super::function::FunctionLowerer;
use super::place::indexed;
use crate::slang::check::program::{GlobalId, GlobalKind};
use pullback_base::{Scalar, bug, ids::Id};
use pullback_ir::layout::shared_slots;
use pullback_ir::{AtomicOp, Effect, Op, SharedId, Type, Value};

/// A part of a `groupshared` variable.
#[derive(Clone)]
pub struct Shared {
    pub ty: Type,
    /// The first of its slots.
    slot: usize,
    /// Where it lies in each of them, counted in parts of its type. Negative: nowhere.
    index: Value,
}

impl Lowerer<'_> {
    /// The slots of all `groupshared` variables, in the order of their declarations.
    pub fn shared_memory(&mut self) -> Vec<Type> {
        self.shared_globals().into_iter().flat_map(|id| shared_slots(&self.global_type(id))).collect()
    }

    fn shared_globals(&self) -> Vec<GlobalId> {
        self.program.globals.ids().filter(|&id| self.global_kind(id) == GlobalKind::Shared).collect()
    }
}

impl FunctionLowerer<'_, '_> {
    /// A function that uses `groupshared` variables, itself or through what it calls, knows the slots of all.
    pub fn share(&mut self, used: &[GlobalId]) {
        if used.iter().any(|&id| self.lowerer.global_kind(id) == GlobalKind::Shared) {
            let shared = self.lowerer.shared_memory();
            self.ssa.function_mut().shared = shared;
        }
    }

    pub fn shared(&mut self, id: GlobalId) -> Shared {
        let before = self.lowerer.shared_globals().into_iter().take_while(|&other| other != id);
        let before: Vec<GlobalId> = before.collect();
        let slot = before.into_iter().map(|id| shared_slots(&self.lowerer.global_type(id)).len()).sum();
        Shared { ty: self.lowerer.global_type(id), slot, index: self.ssa.i64(0) }
    }

    /// Component, row, array element or field number `index`.
    pub fn shared_element(&mut self, shared: &Shared, index: u32) -> Shared {
        let Some(ty) = shared.ty.element(index) else {
            bug!("lower", "{} has no element {index}", shared.ty)
        };
        if let Type::Struct(structure) = &shared.ty {
            let before = &structure.fields[..index as usize];
            let skipped: usize = before.iter().map(|field| shared_slots(&field.ty).len()).sum();
            return Shared { ty, slot: shared.slot + skipped, index: shared.index };
        }
        let index = self.ssa.i64(i64::from(index));
        let index = self.within(shared, index);
        Shared { ty, slot: shared.slot, index }
    }

    /// The component, row or array element at a computed index.
    pub fn shared_at(&mut self, shared: &Shared, index: Value) -> Shared {
        let ty = indexed(&shared.ty);
        let index = self.ssa.convert(index, Scalar::I64);
        let count = self.ssa.i64(i64::from(shared.ty.element_count()));
        let inside = self.is_below(index, count);
        let at = self.within(shared, index);
        let nowhere = self.ssa.i64(-1);
        Shared { ty, slot: shared.slot, index: self.ssa.select(inside, at, nowhere) }
    }

    /// What is nowhere has its parts nowhere: `-1 * count + index` is negative too.
    fn within(&mut self, shared: &Shared, index: Value) -> Value {
        let count = self.ssa.i64(i64::from(shared.ty.element_count()));
        let first = self.ssa.mul(shared.index, count);
        self.ssa.add(first, index)
    }

    pub fn load_shared(&mut self, shared: &Shared) -> Value {
        if let Type::Scalar(_) | Type::Pointer(_) = shared.ty {
            return self.shared_effect(Effect::SharedLoad(SharedId::from_index(shared.slot)), shared, &[]);
        }
        let elements: Vec<Value> = (0..shared.ty.element_count())
            .map(|index| {
                let element = self.shared_element(shared, index);
                self.load_shared(&element)
            })
            .collect();
        self.ssa.op(Op::Construct(shared.ty.clone()), &elements)
    }

    pub fn store_shared(&mut self, shared: &Shared, value: Value) {
        if let Type::Scalar(_) | Type::Pointer(_) = shared.ty {
            let effect = Effect::SharedStore(SharedId::from_index(shared.slot));
            self.ssa.effect(effect, &[shared.index, value]);
            return;
        }
        for index in 0..shared.ty.element_count() {
            let element = self.shared_element(shared, index);
            let part = self.ssa.extract(value, index);
            self.store_shared(&element, part);
        }
    }

    /// The old value; zero where nothing is there.
    pub fn atomic_shared(&mut self, shared: &Shared, op: AtomicOp, values: &[Value]) -> Value {
        self.shared_effect(Effect::SharedAtomic(SharedId::from_index(shared.slot), op), shared, values)
    }

    fn shared_effect(&mut self, effect: Effect, shared: &Shared, values: &[Value]) -> Value {
        let args: Vec<Value> = [shared.index].into_iter().chain(values.iter().copied()).collect();
        match self.ssa.effect(effect, &args) {
            Some(value) => value,
            None => bug!("lower", "{effect} gives nothing"),
        }
    }
}
