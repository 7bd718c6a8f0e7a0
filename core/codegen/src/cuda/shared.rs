//! What lanes do together: atomics that give the old value, shared memory, wave ops.

use super::ops::arithmetic;
use super::text::type_name;
use super::{Emitter, TARGET};
use crate::EmitError;
use crate::kernel::element_scalar;
use pullback_base::ids::Id;
use pullback_base::{Scalar, bug};
use pullback_ir::effects::slot_element;
use pullback_ir::{AtomicOp, Constant, SharedId, Value, WaveOp};

impl Emitter<'_> {
    pub fn declare_shared(&mut self) {
        for (slot, ty) in self.function.shared.iter().enumerate() {
            let (element, len) = (type_name(&slot_element(ty)), ty.element_count().max(1));
            self.text.line(format!("__shared__ {element} shared{slot}[{len}];"));
        }
    }

    /// An element of a slot, and whether its index is in range.
    fn place(&self, slot: SharedId, index: Value) -> (String, String) {
        let (slot, index) = (slot.index(), self.name(index));
        let len = self.function.shared[slot].element_count().max(1);
        (format!("shared{slot}[{index}]"), format!("(u64)({index}) < {len}ull"))
    }

    pub fn shared_load(&mut self, slot: SharedId, result: Value, index: Value) {
        let (place, inside) = self.place(slot, index);
        let zero = format!("({})0", type_name(self.function.ty(result)));
        self.define(result, format!("{inside} ? {place} : {zero}"));
    }

    pub fn shared_store(&mut self, slot: SharedId, args: &[Value]) {
        let (place, inside) = self.place(slot, args[0]);
        let line = format!("if ({inside}) {place} = {};", self.name(args[1]));
        self.text.line(line);
    }

    pub fn shared_atomic(&mut self, slot: SharedId, op: AtomicOp, result: Value, args: &[Value]) {
        let (place, inside) = self.place(slot, args[0]);
        let ty = self.function.ty(result);
        let old = self.atomic(op, &format!("&{place}"), element_scalar(ty), &args[1..]);
        self.define(result, format!("{inside} ? {old} : ({})0", type_name(ty)));
    }

    /// The old value, as an expression that updates the place behind a pointer.
    pub fn atomic(&self, op: AtomicOp, pointer: &str, scalar: Scalar, values: &[Value]) -> String {
        let function = match op {
            AtomicOp::Add => "atomicAdd",
            AtomicOp::Min => "atomicMin",
            AtomicOp::Max => "atomicMax",
            AtomicOp::And => "atomicAnd",
            AtomicOp::Or => "atomicOr",
            AtomicOp::Xor => "atomicXor",
            AtomicOp::Exchange => "atomicExch",
            AtomicOp::CompareExchange => "atomicCAS",
        };
        let values: Vec<String> = values.iter().map(|&value| self.name(value)).collect();
        match scalar {
            // Only the order of two's complement numbers asks for the signed type.
            Scalar::I64 if !matches!(op, AtomicOp::Min | AtomicOp::Max) => {
                let values: Vec<String> = values.iter().map(|value| format!("(u64)({value})")).collect();
                format!("(i64){function}((u64*)({pointer}), {})", values.join(", "))
            }
            Scalar::F64 if op == AtomicOp::Exchange => {
                let bits = format!("(u64)__double_as_longlong({})", values[0]);
                format!("__longlong_as_double((i64){function}((u64*)({pointer}), {bits}))")
            }
            _ => format!("{function}({pointer}, {})", values.join(", ")),
        }
    }

    /// Through shared memory, in the order of lanes: all lanes of the group come here.
    pub fn wave(&mut self, op: WaveOp, result: Value, args: &[Value]) -> Result<(), EmitError> {
        let scalar = element_scalar(self.function.ty(args[0]));
        let (value, ty) = (self.name(args[0]), type_name(self.function.ty(args[0])));
        let lanes = self.function.group_lanes;
        let joined = match op.op() {
            Some(op) => {
                let refused = EmitError::NoOp { target: TARGET, op: op.name(), scalar: Some(scalar) };
                arithmetic(&op, scalar, &["a", "b"]).ok_or(refused)?
            }
            None => String::new(),
        };
        let join = format!("[]({ty} a, {ty} b) {{ return ({ty})({joined}); }}");
        let expression = match op {
            WaveOp::ReadFirst => format!("pb_wave_read<{ty}>({value}, 0u, {lanes})"),
            WaveOp::ReadLane => format!("pb_wave_read<{ty}>({value}, {}, {lanes})", self.name(args[1])),
            WaveOp::Ballot => format!(
                "pb_wave_join<u32>({value} ? 1u << (threadIdx.x & 31) : 0u, {lanes}, [](u32 a, u32 b) {{ return a | b; }})"
            ),
            WaveOp::PrefixSum | WaveOp::PrefixProduct => {
                let Some(start) = op.prefix_start() else { bug!("cuda", "a prefix without a start") };
                let start = super::text::literal(Constant::float(scalar, start));
                format!("pb_wave_prefix<{ty}>({value}, {start}, {join})")
            }
            _ => format!("pb_wave_join<{ty}>({value}, {lanes}, {join})"),
        };
        self.define(result, expression);
        Ok(())
    }
}
