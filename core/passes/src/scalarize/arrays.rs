//! Arrays that stay arrays: one of scalars per scalar of an element, inner arrays laid end to end.

use super::{Parts, Scalarizer, part_types};
use pullback_base::Scalar;
use pullback_ir::{Constant, Op, Type, Value};

/// How many scalars of `[element; n]` one part of the element takes: 1, or `m` for an inner array.
fn part_len(part: &Type) -> u32 {
    match part {
        Type::Array(_, m) => *m,
        _ => 1,
    }
}

impl Scalarizer<'_> {
    pub(super) fn is_kept_array(&self, old: Value) -> bool {
        matches!(self.from.ty(old), Type::Array(..)) && !self.is_split(old)
    }

    /// One element of an array part.
    pub(super) fn element(&mut self, array: Value, index: u32) -> Value {
        match self.splats.get(&array) {
            Some(&element) => element,
            None => self.op(Op::Extract(index), &[array]),
        }
    }

    pub(super) fn splat_array(&mut self, ty: &Type, element: &[Value]) -> Parts {
        let types = part_types(ty).into_iter().zip(element);
        types
            .map(|(part_ty, &part)| {
                let is_array = matches!(self.b.ty(part), Type::Array(..));
                match self.splats.get(&part).copied() {
                    Some(scalar) => self.op(Op::Splat(part_ty), &[scalar]),
                    None if is_array => {
                        let row = self.scalars(part);
                        self.op(Op::Construct(part_ty), &row.repeat(ty.element_count() as usize))
                    }
                    None => self.op(Op::Splat(part_ty), &[part]),
                }
            })
            .collect()
    }

    pub(super) fn construct_array(&mut self, ty: &Type, elements: &[Parts]) -> Parts {
        let types = part_types(ty).into_iter().enumerate();
        types
            .map(|(at, ty)| {
                let scalars: Vec<Value> =
                    elements.iter().flat_map(|element| self.scalars(element[at])).collect();
                self.op(Op::Construct(ty), &scalars)
            })
            .collect()
    }

    /// The types of the parts of an array's element.
    fn element_parts(&self, array: Value) -> Vec<Type> {
        self.from.ty(array).element(0).map_or_else(Vec::new, |element| part_types(&element))
    }

    /// An element's parts from a function that gives scalar number `j` of one of them.
    fn gather(&mut self, array: Value, mut scalar: impl FnMut(&mut Self, usize, u32, u32) -> Value) -> Parts {
        let types = self.element_parts(array).into_iter().enumerate();
        types
            .map(|(at, ty)| {
                let m = part_len(&ty);
                match ty {
                    Type::Array(..) => {
                        let scalars: Vec<Value> = (0..m).map(|j| scalar(self, at, m, j)).collect();
                        self.op(Op::Construct(ty), &scalars)
                    }
                    _ => scalar(self, at, m, 0),
                }
            })
            .collect()
    }

    /// The array's parts after a function wrote scalar number `j` of each of an element's parts.
    fn scatter(
        &mut self,
        array: Value,
        parts: &[Value],
        element: &[Value],
        mut write: impl FnMut(&mut Self, Value, u32, u32, Value) -> Value,
    ) -> Parts {
        let types = self.element_parts(array).into_iter().zip(parts.iter().zip(element));
        types
            .map(|(ty, (&part, &new))| {
                let m = part_len(&ty);
                let scalars = self.scalars(new).into_iter().zip(0..);
                scalars.fold(part, |part, (scalar, j)| write(self, part, m, j, scalar))
            })
            .collect()
    }

    pub(super) fn array_get(&mut self, array: Value, parts: &[Value], index: u32) -> Parts {
        self.gather(array, |s, at, m, j| s.element(parts[at], index * m + j))
    }

    pub(super) fn array_set(
        &mut self,
        array: Value,
        parts: &[Value],
        index: u32,
        element: &[Value],
    ) -> Parts {
        self.scatter(array, parts, element, |s, part, m, j, scalar| {
            s.op(Op::Insert(index * m + j), &[part, scalar])
        })
    }

    pub(super) fn array_element_get(&mut self, array: Value, parts: &[Value], index: Value) -> Parts {
        self.gather(array, |s, at, m, j| {
            let index = s.inner_index(array, index, m, j);
            s.op(Op::ElementGet, &[parts[at], index])
        })
    }

    pub(super) fn array_element_set(
        &mut self,
        array: Value,
        parts: &[Value],
        index: Value,
        element: &[Value],
    ) -> Parts {
        self.scatter(array, parts, element, |s, part, m, j, scalar| {
            let index = s.inner_index(array, index, m, j);
            s.op(Op::ElementSet, &[part, index, scalar])
        })
    }

    /// `index * m + j`: where scalar `j` of an inner array lies. An index out of range stays out of range: in i64 no
    /// index of 32 bits overflows, and one of 64 bits is first clamped to `-1..=n`.
    fn inner_index(&mut self, array: Value, index: Value, m: u32, j: u32) -> Value {
        if m == 1 {
            return index;
        }
        let mut wide = self.b.convert(index, Scalar::I64);
        if self.b.function().scalar(index).is_some_and(|scalar| scalar.bits() == 64) {
            let n = i64::from(self.from.ty(array).element_count());
            let [low, high] = [-1, n].map(|limit| self.constant(Constant::int(Scalar::I64, limit)));
            wide = self.op(Op::Clamp, &[wide, low, high]);
        }
        let [m, j] = [m, j].map(|number| self.constant(Constant::int(Scalar::I64, number.into())));
        let base = self.op(Op::Mul, &[wide, m]);
        self.op(Op::Add, &[base, j])
    }
}
