//! The sweep of loads: an element's cotangent is added to its place in the memory that holds the array's.

use super::Reverse;
use pullback_base::bug;
use pullback_ir::visit::each_stmt;
use pullback_ir::{Effect, Function, Op, StmtKind, Type, Value};
use rustc_hash::FxHashMap;

/// How addresses are made, and where the cotangents are of what is there.
pub(super) struct Gathers {
    /// Of each address that is an offset or a cast of another: the op, and its operands.
    made: FxHashMap<Value, (Op, Vec<Value>)>,
    /// By active pointer parameter: the one to its cotangents, of the derived function.
    cotangents: FxHashMap<Value, Value>,
}

impl Gathers {
    pub fn of(function: &Function) -> Self {
        let mut made = FxHashMap::default();
        each_stmt(&function.body, &mut |stmt| {
            if let StmtKind::Let { result, op: op @ (Op::PointerOffset | Op::PointerCast(_)), args } =
                &stmt.kind
            {
                made.insert(*result, (op.clone(), args.to_vec()));
            }
        });
        Self { made, cotangents: FxHashMap::default() }
    }
}

impl Reverse<'_> {
    /// The pointers to the cotangents of the active pointer parameters, as parameters.
    pub(super) fn memory_params(&mut self, active: &[bool]) {
        for (&param, _) in self.primal.params.iter().zip(active).filter(|(_, active)| **active) {
            let decl = &self.primal.values[param];
            if let Type::Pointer(_) = decl.ty {
                let name =
                    decl.name.as_ref().map_or_else(|| "d_memory".to_owned(), |name| format!("d_{name}"));
                let cotangents = self.b.param(decl.ty.clone(), &name);
                self.gathers.cotangents.insert(param, cotangents);
            }
        }
    }

    /// Other lanes may add to the same place at the same time.
    pub(super) fn gathered(&mut self, result: Value, address: Value) {
        if self.activity.active_memory(address).is_none() {
            return;
        }
        let Some(g) = self.take(result) else { return };
        let place = self.cotangent_place(address);
        self.b.write(Effect::AtomicAdd, place, g);
    }

    /// Where the cotangent is of what is at an address: as far from the first one as the address from the parameter.
    fn cotangent_place(&mut self, address: Value) -> Value {
        if let Some(&cotangents) = self.gathers.cotangents.get(&address) {
            return cotangents;
        }
        let Some((op, args)) = self.gathers.made.get(&address).cloned() else {
            bug!("autodiff", "an address in active memory comes from nowhere")
        };
        let mut operands = vec![self.cotangent_place(args[0])];
        operands.extend(args[1..].iter().map(|&index| self.copier.value(index)));
        self.b.op(op, &operands)
    }
}
