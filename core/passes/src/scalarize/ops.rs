//! Ops on parts: what scalar form has no op for becomes renaming or arithmetic on scalars.

use super::{Parts, Scalarizer, part_types};
use pullback_base::bug;
use pullback_ir::{Constant, Op, Type, Value, position};

impl Scalarizer<'_> {
    /// The parts of `result = op(args)`.
    pub(super) fn let_(&mut self, result: Value, op: &Op, args: &[Value]) -> Parts {
        let parts: Vec<Parts> = args.iter().map(|&arg| self.parts(arg).clone()).collect();
        match op {
            Op::Splat(ty) if self.is_kept_array(result) => self.splat_array(ty, &parts[0]),
            Op::Splat(_) => parts[0].iter().copied().cycle().take(self.types_of(result).len()).collect(),
            Op::Construct(ty) if self.is_kept_array(result) => self.construct_array(ty, &parts),
            Op::Construct(_) => parts.concat().into(),
            Op::Extract(index) => self.get(args[0], &parts[0], *index),
            Op::Insert(index) => self.set(args[0], &parts[0], *index, &parts[1]),
            Op::Swizzle(picks) => picks.iter().map(|&pick| parts[0][usize::from(pick)]).collect(),
            Op::ElementGet => self.element_get(args[0], &parts[0], parts[1][0]),
            Op::ElementSet => self.element_set(args[0], &parts[0], parts[1][0], &parts[2]),
            Op::Dot => Parts::from_slice(&[self.dot(&parts[0], &parts[1])]),
            Op::MatMul => self.matmul(args, &parts),
            Op::Transpose => match *self.from.ty(args[0]) {
                Type::Matrix { rows, columns, .. } => {
                    let (rows, columns) = (usize::from(rows), usize::from(columns));
                    (0..rows * columns).map(|i| parts[0][i % rows * columns + i / rows]).collect()
                }
                ref ty => bug!("scalarize", "transpose of {ty}"),
            },
            Op::PointerCast(element) => Parts::from_slice(&[self.pointer_cast(parts[0][0], element)]),
            Op::PointerOffset => Parts::from_slice(&[self.pointer_offset(args[0], parts[0][0], parts[1][0])]),
            Op::Detach | Op::Cut => parts[0].iter().map(|&part| self.detach(op, part)).collect(),
            Op::Unpaired => parts[0].iter().map(|&part| self.unpaired(part)).collect(),
            Op::Select => {
                // One condition serves all parts.
                let condition = |i: usize| if parts[0].len() == 1 { parts[0][0] } else { parts[0][i] };
                let selects = parts[1].iter().zip(&parts[2]).enumerate();
                selects.map(|(i, (&a, &b))| self.op(Op::Select, &[condition(i), a, b])).collect()
            }
            _ => {
                let width = parts.first().map_or(1, |parts| parts.len());
                let args = |i: usize| parts.iter().map(|parts| parts[i]).collect::<Parts>();
                (0..width).map(|i| self.op(op.clone(), &args(i))).collect()
            }
        }
    }

    fn detach(&mut self, op: &Op, part: Value) -> Value {
        match self.b.ty(part).clone() {
            ty @ Type::Array(..) if ty.has_float() => {
                let elements = self.scalars(part);
                let elements: Vec<Value> =
                    elements.into_iter().map(|element| self.detach(op, element)).collect();
                self.op(Op::Construct(ty), &elements)
            }
            ty if ty.is_float() => self.op(op.clone(), &[part]),
            _ => part,
        }
    }

    fn unpaired(&mut self, part: Value) -> Value {
        match self.b.ty(part).clone() {
            ty @ Type::Array(..) => {
                let elements = self.scalars(part);
                let elements: Vec<Value> =
                    elements.into_iter().map(|element| self.op(Op::Unpaired, &[element])).collect();
                self.op(Op::Construct(ty), &elements)
            }
            _ => self.op(Op::Unpaired, &[part]),
        }
    }

    /// The parts of component, row, field or split array element number `index`.
    fn element_range(&self, aggregate: Value, index: u32) -> std::ops::Range<usize> {
        let ty = self.from.ty(aggregate);
        let width = |i| ty.element(i).map_or(0, |element| part_types(&element).len());
        let first = match ty {
            Type::Struct(_) => (0..index).map(width).sum(),
            _ => index as usize * width(index),
        };
        first..first + width(index)
    }

    fn get(&mut self, aggregate: Value, parts: &[Value], index: u32) -> Parts {
        if self.is_kept_array(aggregate) {
            return self.array_get(aggregate, parts, index);
        }
        parts[self.element_range(aggregate, index)].into()
    }

    fn set(&mut self, aggregate: Value, parts: &[Value], index: u32, element: &[Value]) -> Parts {
        if self.is_kept_array(aggregate) {
            return self.array_set(aggregate, parts, index, element);
        }
        let mut out = Parts::from_slice(parts);
        out[self.element_range(aggregate, index)].copy_from_slice(element);
        out
    }

    /// The position a constant index names, `Some(None)` when it is out of range; `None` when it is no constant.
    fn known_index(&self, aggregate: Value, index: Value) -> Option<Option<u32>> {
        Some(position(*self.constants.get(&index)?, self.from.ty(aggregate).element_count()))
    }

    fn element_get(&mut self, aggregate: Value, parts: &[Value], index: Value) -> Parts {
        let known = self.known_index(aggregate, index);
        if let Some(Some(at)) = known {
            return self.get(aggregate, parts, at);
        }
        if known.is_none() && self.is_kept_array(aggregate) {
            return self.array_element_get(aggregate, parts, index);
        }
        let Some(element) = self.from.ty(aggregate).element(0) else { bug!("scalarize", "no element") };
        let mut out: Parts = part_types(&element).iter().map(|ty| self.b.zero(ty)).collect();
        if known.is_none() {
            for (row, at) in parts.chunks(out.len()).zip(0..) {
                let here = self.is_index(index, at);
                for (out, &part) in out.iter_mut().zip(row) {
                    *out = self.op(Op::Select, &[here, part, *out]);
                }
            }
        }
        out
    }

    fn element_set(&mut self, aggregate: Value, parts: &[Value], index: Value, element: &[Value]) -> Parts {
        match self.known_index(aggregate, index) {
            Some(Some(at)) => return self.set(aggregate, parts, at, element),
            Some(None) => return parts.into(),
            None if self.is_kept_array(aggregate) => {
                return self.array_element_set(aggregate, parts, index, element);
            }
            None => {}
        }
        let mut out = Parts::from_slice(parts);
        for (row, at) in out.chunks_mut(element.len()).zip(0..) {
            let here = self.is_index(index, at);
            for (old, &new) in row.iter_mut().zip(element) {
                *old = self.op(Op::Select, &[here, new, *old]);
            }
        }
        out
    }

    /// `index == at`
    fn is_index(&mut self, index: Value, at: i64) -> Value {
        let Some(scalar) = self.b.function().scalar(index) else { bug!("scalarize", "{index} is no index") };
        let at = self.constant(Constant::int(scalar, at));
        self.op(Op::Eq, &[index, at])
    }

    /// Products summed from the first on.
    fn dot(&mut self, a: &[Value], b: &[Value]) -> Value {
        let mut sum = None;
        for (&a, &b) in a.iter().zip(b) {
            let product = self.op(Op::Mul, &[a, b]);
            sum = Some(sum.map_or(product, |sum| self.op(Op::Add, &[sum, product])));
        }
        sum.unwrap_or_else(|| bug!("scalarize", "dot of nothing"))
    }

    fn matmul(&mut self, args: &[Value], parts: &[Parts]) -> Parts {
        // A vector on the left is a row, on the right a column.
        let (rows, inner) = match self.from.ty(args[0]) {
            Type::Matrix { rows, columns, .. } => (usize::from(*rows), usize::from(*columns)),
            _ => (1, parts[0].len()),
        };
        let columns = parts[1].len() / inner;
        let mut out = Parts::new();
        for row in 0..rows {
            for column in 0..columns {
                let right: Parts = (0..inner).map(|k| parts[1][k * columns + column]).collect();
                out.push(self.dot(&parts[0][row * inner..][..inner], &right));
            }
        }
        out
    }
}
