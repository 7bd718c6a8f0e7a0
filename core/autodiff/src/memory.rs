//! Where the tangents and cotangents of memory are: in memory of the same form, as far from its pointer as the values
//! from theirs.

use pullback_base::bug;
use pullback_ir::visit::{Copier, each_stmt};
use pullback_ir::{Function, FunctionBuilder, Op, StmtKind, Type, Value};
use rustc_hash::FxHashMap;

pub(crate) struct Duals {
    /// Of each address that is an offset or a cast of another: the op, and its operands.
    made: FxHashMap<Value, (Op, Vec<Value>)>,
    /// By active pointer parameter: the one to its derivatives, of the derived function.
    pointers: FxHashMap<Value, Value>,
}

impl Duals {
    /// Adds a parameter for each active pointer parameter, in order.
    pub fn new(primal: &Function, active: &[bool], b: &mut FunctionBuilder) -> Self {
        let mut made = FxHashMap::default();
        each_stmt(&primal.body, &mut |stmt| {
            if let StmtKind::Let { result, op: op @ (Op::PointerOffset | Op::PointerCast(_)), args } =
                &stmt.kind
            {
                made.insert(*result, (op.clone(), args.to_vec()));
            }
        });
        let mut pointers = FxHashMap::default();
        for (&param, _) in primal.params.iter().zip(active).filter(|(_, active)| **active) {
            let decl = &primal.values[param];
            if let Type::Pointer(_) = decl.ty {
                let name =
                    decl.name.as_ref().map_or_else(|| "d_memory".to_owned(), |name| format!("d_{name}"));
                pointers.insert(param, b.param(decl.ty.clone(), &name));
            }
        }
        Self { made, pointers }
    }

    /// Where the derivative is of what is at an address in active memory.
    pub fn place(&self, address: Value, copier: &Copier<'_>, b: &mut FunctionBuilder) -> Value {
        if let Some(&pointer) = self.pointers.get(&address) {
            return pointer;
        }
        let Some((op, args)) = self.made.get(&address) else {
            bug!("autodiff", "an address in active memory comes from nowhere")
        };
        let mut operands = vec![self.place(args[0], copier, b)];
        operands.extend(args[1..].iter().map(|&index| copier.value(index)));
        b.op(op.clone(), &operands)
    }
}
