//! Parameters and results of scalar form: the leaves of the old ones, in the order of [`Type::leaves`].

use super::{Parts, Scalarizer, part_types};
use pullback_ir::{Op, Type, Value};

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
            let ty = self.from.ty(param).clone();
            let name = self.from.values[param].name.clone();
            let mut scalars = vec![Vec::new(); part_types(&ty).len()];
            self.leaf_params(&ty, name.as_deref(), &mut scalars);
            let parts: Parts = part_types(&ty)
                .into_iter()
                .zip(scalars)
                .map(|(ty, scalars)| match ty {
                    Type::Array(..) => self.op(Op::Construct(ty), &scalars),
                    _ => scalars[0],
                })
                .collect();
            self.set_parts(param, parts);
        }
    }

    /// A parameter per leaf; `scalars` collects them by the part they belong to.
    fn leaf_params(&mut self, ty: &Type, name: Option<&str>, scalars: &mut [Vec<Value>]) {
        if matches!(ty, Type::Scalar(_) | Type::Pointer(_)) {
            let leaf = self.b.new_value(ty.clone());
            self.b.function_mut().params.push(leaf);
            name.into_iter().for_each(|name| self.b.name(leaf, name));
            scalars[0].push(leaf);
            return;
        }
        let mut first = 0;
        for index in 0..ty.element_count() {
            let Some(element) = ty.element(index) else { continue };
            let inner = name.map(|name| format!("{name}.{}", element_name(ty, index)));
            let width = part_types(&element).len();
            self.leaf_params(&element, inner.as_deref(), &mut scalars[first..first + width]);
            // Elements of an array share their parts.
            if !matches!(ty, Type::Array(..)) {
                first += width;
            }
        }
    }

    /// The leaves of what the function yields.
    pub(super) fn results(&mut self) -> Vec<Value> {
        let mut leaves = Vec::new();
        for (old, ty) in self.from.body.yields.iter().zip(&self.from.results) {
            let parts = self.parts(*old).clone();
            let scalars: Vec<Vec<Value>> = parts.iter().map(|&part| self.scalars(part)).collect();
            let mut rest: Vec<&[Value]> = scalars.iter().map(Vec::as_slice).collect();
            take_leaves(ty, &mut rest, &mut leaves);
        }
        leaves
    }

    /// The elements of an array part; a scalar part itself.
    pub(super) fn scalars(&mut self, part: Value) -> Vec<Value> {
        match *self.b.ty(part) {
            Type::Array(_, n) => (0..n).map(|i| self.element(part, i)).collect(),
            _ => vec![part],
        }
    }
}

/// Takes the scalars of each part in turn, as the type's leaves come.
fn take_leaves(ty: &Type, parts: &mut [&[Value]], out: &mut Vec<Value>) {
    if matches!(ty, Type::Scalar(_) | Type::Pointer(_)) {
        if let Some((&leaf, rest)) = parts[0].split_first() {
            out.push(leaf);
            parts[0] = rest;
        }
        return;
    }
    let mut first = 0;
    for index in 0..ty.element_count() {
        let Some(element) = ty.element(index) else { continue };
        let width = part_types(&element).len();
        take_leaves(&element, &mut parts[first..first + width], out);
        if !matches!(ty, Type::Array(..)) {
            first += width;
        }
    }
}
