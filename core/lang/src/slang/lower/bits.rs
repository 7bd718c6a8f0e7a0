//! Values from the bytes of others, as both lie in memory.

use super::function::FunctionLowerer;
use crate::slang::check::hir::Expr;
use crate::slang::check::types::Ty;
use pullback_base::{Scalar, bug};
use pullback_ir::layout::{layout, leaf_offsets};
use pullback_ir::{Constant, MatrixOrder, Op, Type, Value};

/// A number and the bytes where it lies.
struct Leaf {
    value: Value,
    scalar: Scalar,
    start: u64,
}

impl Leaf {
    fn end(&self) -> u64 {
        self.start + self.scalar.size_bytes() as u64
    }
}

impl FunctionLowerer<'_, '_> {
    /// A value of type `to` with the bytes of another; zero where that has none. A number that lies in both as it is is taken
    /// as it is, so that derivatives pass.
    pub fn reinterpreted(&mut self, value: Value, to: &Type) -> Value {
        let ty = self.ssa.ty(value).clone();
        let mut scalars = Vec::new();
        self.push_components(value, &mut scalars);
        let leaf = |((start, scalar), value): ((u64, Scalar), Value)| Leaf { value, scalar, start };
        let given: Vec<Leaf> = packed_leaves(&ty).into_iter().zip(scalars).map(leaf).collect();
        let mut leaves = Vec::new();
        for (start, scalar) in packed_leaves(to) {
            leaves.push(self.number_at(&given, start, scalar));
        }
        self.of_leaves(to, &mut leaves.into_iter())
    }

    fn number_at(&mut self, given: &[Leaf], start: u64, scalar: Scalar) -> Value {
        let end = start + scalar.size_bytes() as u64;
        let within: Vec<&Leaf> = given.iter().filter(|leaf| leaf.start < end && start < leaf.end()).collect();
        if let [leaf] = &within[..]
            && (leaf.start, leaf.scalar) == (start, scalar)
        {
            return leaf.value;
        }
        // Wide enough for each of them, so that no bit is lost before the shift.
        let wide = within.iter().any(|leaf| leaf.scalar.bits() > 32) || scalar.bits() > 32;
        let word = if wide { Scalar::U64 } else { Scalar::U32 };
        let mut bits = self.ssa.constant(Constant::zero(word));
        for leaf in within {
            let mut part = self.word_of(leaf.value, leaf.scalar, word);
            let (op, bytes) = match leaf.start >= start {
                true => (Op::Shl, leaf.start - start),
                false => (Op::Shr, start - leaf.start),
            };
            if bytes > 0 {
                let by = self.ssa.constant(Constant::int(word, 8 * bytes as i64));
                part = self.ssa.op(op, &[part, by]);
            }
            bits = self.ssa.op(Op::Or, &[bits, part]);
        }
        if scalar == Scalar::Bool {
            let byte = self.ssa.convert(bits, Scalar::U8);
            return self.ssa.convert(byte, Scalar::Bool);
        }
        let exact = self.ssa.convert(bits, unsigned(scalar));
        if unsigned(scalar) == scalar { exact } else { self.ssa.op(Op::Bitcast(scalar), &[exact]) }
    }

    fn word_of(&mut self, value: Value, scalar: Scalar, word: Scalar) -> Value {
        let exact = match scalar {
            Scalar::Bool => value,
            _ if unsigned(scalar) == scalar => value,
            _ => self.ssa.op(Op::Bitcast(unsigned(scalar)), &[value]),
        };
        self.ssa.convert(exact, word)
    }

    fn of_leaves(&mut self, ty: &Type, leaves: &mut impl Iterator<Item = Value>) -> Value {
        if ty.is_scalar() {
            return match leaves.next() {
                Some(leaf) => leaf,
                None => bug!("lower", "a number is missing"),
            };
        }
        let mut elements = Vec::new();
        for index in 0..ty.element_count() {
            let Some(element) = ty.element(index) else { bug!("lower", "{ty} has no element {index}") };
            elements.push(self.of_leaves(&element, leaves));
        }
        self.ssa.op(Op::Construct(ty.clone()), &elements)
    }

    /// The bytes as a value of the type of that number behind an interface; nothing where no type has it.
    pub fn object(&mut self, id: &Expr, bytes: &Expr, ty: &Ty) -> Value {
        let program = self.lowerer.program;
        let Ty::Interface(interface) = ty.subst(program, &self.subst) else {
            bug!("lower", "an object of {ty:?}")
        };
        let (id, bytes) = (self.expr(id), self.expr(bytes));
        let union = self.ty(ty);
        let object = self.ssa.declare(union, None);
        self.ssa.begin_switch(id);
        for (conforming, number) in program.numbered(&interface) {
            self.ssa.begin_case(Some(vec![i64::from(number)]));
            let to = self.stored_ty(&conforming);
            let inner = self.reinterpreted(bytes, &to);
            let whole = self.erased(inner, &conforming, ty);
            self.ssa.write(object, whole);
        }
        self.ssa.end_switch();
        self.ssa.read(object)
    }
}

/// Each number of a type and where its bytes are. As in memory, but for the padding at the end of a struct: what follows a
/// struct may begin there.
fn packed_leaves(ty: &Type) -> Vec<(u64, Scalar)> {
    let mut leaves = Vec::new();
    push_packed(ty, 0, &mut leaves);
    leaves
}

/// Gives the place behind the last byte.
fn push_packed(ty: &Type, start: u64, leaves: &mut Vec<(u64, Scalar)>) -> u64 {
    match ty {
        Type::Scalar(scalar) => {
            leaves.push((start, *scalar));
            start + scalar.size_bytes() as u64
        }
        Type::Struct(structure) => structure.fields.iter().fold(start, |end, field| {
            push_packed(&field.ty, end.next_multiple_of(layout(&field.ty).align_bytes), leaves)
        }),
        Type::Pointer(_) => bug!("lower", "the bytes of a pointer"),
        // Its rows do not lie together.
        Type::Matrix { order: MatrixOrder::Columns, .. } => {
            let numbers = leaf_offsets(ty).into_iter();
            leaves.extend(numbers.filter_map(|(at, number)| Some((start + at, number.scalar()?))));
            start + layout(ty).size_bytes
        }
        _ => (0..ty.element_count()).filter_map(|index| ty.element(index)).fold(start, |end, element| {
            push_packed(&element, end.next_multiple_of(layout(&element).align_bytes), leaves)
        }),
    }
}

/// The unsigned integer of the same size.
fn unsigned(scalar: Scalar) -> Scalar {
    match scalar.bits() {
        64 => Scalar::U64,
        32 => Scalar::U32,
        16 => Scalar::U16,
        _ => Scalar::U8,
    }
}
