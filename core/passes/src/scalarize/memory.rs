//! Aggregates in memory: accessed leaf by leaf, at the offsets of [`pullback_ir::layout`].
//!
//! A pointer to an aggregate is a pointer to bytes in scalar form.

use super::Scalarizer;
use pullback_base::Scalar;
use pullback_ir::layout::{layout, leaf_offsets};
use pullback_ir::{Constant, Effect, Op, Type, Value};

/// A slot of shared memory in scalar form.
pub(super) fn shared_slot(slot: &Type) -> Type {
    match slot {
        Type::Array(element, n) => Type::array(shared_slot(element), *n),
        other => other.leaf_in_scalar_form(),
    }
}

impl Scalarizer<'_> {
    /// The element type behind an old pointer, if it is an aggregate.
    fn aggregate_behind(&self, pointer: Value) -> Option<Type> {
        match self.from.ty(pointer) {
            Type::Pointer(element) if !matches!(**element, Type::Scalar(_) | Type::Pointer(_)) => {
                Some(Type::clone(element))
            }
            _ => None,
        }
    }

    pub(super) fn pointer_cast(&mut self, address: Value, element: &Type) -> Value {
        let to = Type::pointer(element.clone()).leaf_in_scalar_form();
        match &to {
            _ if *self.b.ty(address) == to => address,
            Type::Pointer(element) => self.op(Op::PointerCast(Type::clone(element)), &[address]),
            _ => address,
        }
    }

    /// `pointer_offset(pointer, index)` of an old pointer.
    pub(super) fn pointer_offset(&mut self, old: Value, pointer: Value, index: Value) -> Value {
        let Some(element) = self.aggregate_behind(old) else {
            return self.op(Op::PointerOffset, &[pointer, index]);
        };
        let stride = self.constant(Constant::int(Scalar::I64, layout(&element).size_bytes as i64));
        let offset = self.op(Op::Mul, &[index, stride]);
        self.op(Op::PointerOffset, &[pointer, offset])
    }

    /// Loads or stores an aggregate; false if the effect is another.
    pub(super) fn aggregate_access(&mut self, result: Option<Value>, effect: Effect, args: &[Value]) -> bool {
        let Some(element) = args.first().and_then(|&pointer| self.aggregate_behind(pointer)) else {
            return false;
        };
        let base = self.parts(args[0])[0];
        let leaves = leaf_offsets(&element).into_iter();
        match (effect, result) {
            (Effect::Load, Some(result)) => {
                let loaded: Vec<Value> = leaves.map(|(at, ty)| self.load_leaf(base, at, &ty)).collect();
                self.set_from_leaves(result, loaded);
            }
            (Effect::Store, _) => {
                let mut values = Vec::new();
                self.push_leaves(args[1], &mut values);
                for ((at, ty), value) in leaves.zip(values) {
                    let pointer = self.leaf_pointer(base, at, &ty);
                    self.b.store(pointer, value);
                }
            }
            _ => return false,
        }
        true
    }

    fn leaf_pointer(&mut self, base: Value, offset_bytes: u64, leaf: &Type) -> Value {
        if offset_bytes == 0 {
            return self.pointer_cast(base, leaf);
        }
        let offset = self.constant(Constant::int(Scalar::I64, offset_bytes as i64));
        let at = self.op(Op::PointerOffset, &[base, offset]);
        self.pointer_cast(at, leaf)
    }

    fn load_leaf(&mut self, base: Value, offset_bytes: u64, leaf: &Type) -> Value {
        let pointer = self.leaf_pointer(base, offset_bytes, leaf);
        self.b.load(pointer)
    }
}
