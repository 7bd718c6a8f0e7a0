//! Parameters and results of scalar form: the leaves of the old ones, in the order of [`Type::leaves`].

use super::{Parts, Scalarizer, part_types};
use pullback_ir::function::Args;
use pullback_ir::{FuncId, Op, StmtKind, Type, Value};

/// The name of an element in its aggregate: `x`, a field's name, a number.
fn element_name(ty: &Type, index: u32) -> String {
    match ty {
        Type::Vector(..) => ["x", "y", "z", "w"][index as usize % 4].to_owned(),
        Type::Struct(structure) => structure.fields[index as usize].name.to_string(),
        _ => index.to_string(),
    }
}

impl Scalarizer<'_> {
    pub(super) fn params(&mut self) {
        for &param in &self.from.params {
            let (leaves, scalars) = self.leaf_values(param);
            self.b.function_mut().params.extend(leaves);
            self.set_from_scalars(param, scalars);
        }
    }

    /// A call that stays: its arguments and results are leaves.
    pub(super) fn call(&mut self, results: &[Value], callee: FuncId, args: &[Value]) {
        let mut leaves = Vec::new();
        for &arg in args {
            self.push_leaves(arg, &mut leaves);
        }
        let new: Vec<(Vec<Value>, Vec<Vec<Value>>)> =
            results.iter().map(|&result| self.leaf_values(result)).collect();
        let flat = new.iter().flat_map(|(leaves, _)| leaves.iter().copied()).collect();
        self.b.push(StmtKind::Call { results: flat, callee, args: Args::from_vec(leaves) });
        for (&result, (_, scalars)) in results.iter().zip(new) {
            self.set_from_scalars(result, scalars);
        }
    }

    /// A new value per leaf of the old one; all of them, and by the part they belong to.
    fn leaf_values(&mut self, old: Value) -> (Vec<Value>, Vec<Vec<Value>>) {
        let ty = self.from.ty(old).clone();
        let name = self.from.values[old].name.clone();
        let mut scalars = vec![Vec::new(); part_types(&ty).len()];
        let mut leaves = Vec::new();
        self.push_leaf_values(&ty, name.as_deref(), &mut scalars, &mut leaves);
        (leaves, scalars)
    }

    fn set_from_scalars(&mut self, old: Value, scalars: Vec<Vec<Value>>) {
        let parts: Parts = part_types(self.from.ty(old))
            .into_iter()
            .zip(scalars)
            .map(|(ty, scalars)| match ty {
                Type::Array(..) => self.op(Op::Construct(ty), &scalars),
                _ => scalars[0],
            })
            .collect();
        self.set_parts(old, parts);
    }

    fn push_leaf_values(
        &mut self,
        ty: &Type,
        name: Option<&str>,
        scalars: &mut [Vec<Value>],
        leaves: &mut Vec<Value>,
    ) {
        if matches!(ty, Type::Scalar(_) | Type::Pointer(_)) {
            let leaf = self.b.new_value(part_types(ty).swap_remove(0));
            leaves.push(leaf);
            name.into_iter().for_each(|name| self.b.name(leaf, name));
            scalars[0].push(leaf);
            return;
        }
        let mut first = 0;
        for index in 0..ty.element_count() {
            let Some(element) = ty.element(index) else { continue };
            let inner = name.map(|name| format!("{name}.{}", element_name(ty, index)));
            let width = part_types(&element).len();
            self.push_leaf_values(&element, inner.as_deref(), &mut scalars[first..first + width], leaves);
            // Elements of an array share their parts.
            if !matches!(ty, Type::Array(..)) {
                first += width;
            }
        }
    }

    /// The leaves of what the function yields.
    pub(super) fn results(&mut self) -> Vec<Value> {
        let mut leaves = Vec::new();
        for &old in &self.from.body.yields {
            self.push_leaves(old, &mut leaves);
        }
        leaves
    }

    /// The leaves of an old value.
    pub(super) fn push_leaves(&mut self, old: Value, leaves: &mut Vec<Value>) {
        let parts = self.parts(old).clone();
        let mut scalars: Vec<_> = parts.iter().map(|&part| self.scalars(part).into_iter()).collect();
        by_part(self.from.ty(old), 0, &mut |part| leaves.extend(scalars[part].next()));
    }

    /// An old value whose leaves these are.
    pub(super) fn set_from_leaves(&mut self, old: Value, leaves: Vec<Value>) {
        let ty = self.from.ty(old);
        let mut scalars = vec![Vec::new(); part_types(ty).len()];
        let mut leaves = leaves.into_iter();
        by_part(ty, 0, &mut |part| scalars[part].extend(leaves.next()));
        self.set_from_scalars(old, scalars);
    }

    /// The elements of an array part; a scalar part itself.
    pub(super) fn scalars(&mut self, part: Value) -> Vec<Value> {
        match *self.b.ty(part) {
            Type::Array(_, n) => (0..n).map(|i| self.element(part, i)).collect(),
            _ => vec![part],
        }
    }
}

/// Calls `leaf` for each leaf of a type, in order, with the part it belongs to; `first` is the type's first part.
fn by_part(ty: &Type, first: usize, leaf: &mut impl FnMut(usize)) {
    if matches!(ty, Type::Scalar(_) | Type::Pointer(_)) {
        return leaf(first);
    }
    let mut at = first;
    for element in (0..ty.element_count()).filter_map(|index| ty.element(index)) {
        by_part(&element, at, leaf);
        // Elements of an array share their parts.
        if !matches!(ty, Type::Array(..)) {
            at += part_types(&element).len();
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::scalarize::scalarize;
    use crate::testing::load;

    #[test]
    fn a_call_that_stays_passes_pointers_to_bytes_for_aggregates() {
        let mut module = load(
            "func @f(%0 p: ptr<vec<f32, 2>>, %1 x: vec<f32, 2>) -> () {
                call @g %0, %1
                yield
            }
            func @g(%0 p: ptr<vec<f32, 2>>, %1 x: vec<f32, 2>) -> () {
                store %0, %1
                yield
            }",
        );
        let (f, g) = (module.find("f").expect("f"), module.find("g").expect("g"));
        module.functions[f] = scalarize(&module.functions[f]).expect("scalarizes");
        assert_ne!(module.functions[f].param_types(), module.functions[g].param_types());
        pullback_ir::verify(module).expect("a flat call of a function that is not flat");
    }
}
