//! Pointers: `T*`, the address of what stands in memory, what is at an address, and counting with addresses.
//!
//! A pointer is an address and nothing more: what lies beyond the memory it came from is not guarded, unlike the
//! elements of a buffer.

use super::context::Context;
use super::hir::{Access, Expr, ExprKind, Pick};
use super::types::{Arg, Ty};
use crate::slang::ast::{BinaryOp, GenericArg, TypeExprKind};
use pullback_base::{Code, Diagnostic, Scalar, Span};
use pullback_ir::Op;
use std::sync::Arc;

/// What may be done with what a pointer leads to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum PointerAccess {
    Read,
    ReadWrite,
}

const ADDRESS: Ty = Ty::scalar(Scalar::U64);
const DISTANCE: Ty = Ty::scalar(Scalar::I64);

impl Ty {
    /// `void*`, also the type of `nullptr`.
    pub fn void_pointer() -> Ty {
        Ty::Pointer(PointerAccess::ReadWrite, Arc::new(Ty::Void))
    }

    /// What values behind the pointer are, where that is told.
    fn target(&self) -> Option<&Ty> {
        match self {
            Ty::Pointer(_, target) if **target != Ty::Void => Some(target),
            _ => None,
        }
    }
}

impl Context<'_, '_> {
    /// `T*`
    pub fn pointer_to(&mut self, target: Ty, access: PointerAccess, span: Span) -> Ty {
        match target {
            Ty::Error => Ty::Error,
            Ty::Buffer(..) => self.unsupported("pointers to buffers", span).ty,
            target => Ty::Pointer(access, Arc::new(target)),
        }
    }

    /// `Ptr<T>`, which may also say how it is used and that it points into device memory.
    pub fn ptr_type(&mut self, args: &[GenericArg], span: Span) -> Ty {
        let Some((target, rest)) = args.split_first() else {
            return self
                .error(Code::TypeMismatch, "`Ptr` takes the type of its target", span, "not given")
                .ty;
        };
        let mut access = PointerAccess::ReadWrite;
        for arg in rest {
            let path: Vec<&str> = match arg {
                GenericArg::Type(ty) => match &ty.kind {
                    TypeExprKind::Path(path) => path.iter().map(|segment| &*segment.name.text).collect(),
                    _ => Vec::new(),
                },
                GenericArg::Value(_) => Vec::new(),
            };
            match path[..] {
                ["Access", "ReadWrite"] | ["AddressSpace", "Device"] => {}
                ["Access", "Read"] => access = PointerAccess::Read,
                ["AddressSpace", "GroupShared"] => {
                    return self.unsupported("pointers to `groupshared` variables", span).ty;
                }
                _ => return self.unsupported("pointers to other than device memory", span).ty,
            }
        }
        match self.declared_arg(target) {
            Some(Arg::Type(target)) => self.pointer_to(target, access, span),
            Some(Arg::Count(_)) => {
                self.error(Code::TypeMismatch, "`Ptr` takes the type of its target", span, "not a type").ty
            }
            None => Ty::Error,
        }
    }

    /// `*pointer`; a handle of a buffer is the buffer.
    pub fn deref(&mut self, pointer: Expr, span: Span) -> Expr {
        match &pointer.ty {
            Ty::Error => self.silent_error(span),
            Ty::Buffer(..) => Expr { span, ..pointer },
            ty => match ty.target().cloned() {
                Some(ty) => Expr { kind: ExprKind::Memory(Box::new(Access::Target { pointer })), ty, span },
                None => {
                    let shown = self.show(&pointer.ty);
                    let message = format!("there is no value behind a `{shown}`");
                    self.error(Code::TypeMismatch, message, span, format!("is `{shown}`"))
                }
            },
        }
    }

    /// `pointer[index]`
    pub fn pointer_element(&mut self, pointer: Expr, index: Expr, span: Span) -> Expr {
        let Some(index) = self.integer_index(index) else { return self.silent_error(span) };
        if pointer.ty.target().is_none() {
            return self.deref(pointer, span);
        }
        let moved = self.moved(pointer, index, span);
        self.deref(moved, span)
    }

    /// `&place`
    pub fn address_of(&mut self, place: Expr, span: Span) -> Expr {
        if place.is_error() {
            return self.silent_error(span);
        }
        if !has_address(&place) {
            self.report(
                Diagnostic::error(Code::TypeMismatch, "this has no address")
                    .at(place.span, "does not stand in device memory")
                    .help("take the address of an element of a buffer, or pass it as `inout`"),
            );
            return Expr::error(span);
        }
        let access = match is_only_read(&place) {
            true => PointerAccess::Read,
            false if self.assignable(&place) => PointerAccess::ReadWrite,
            false => return self.silent_error(span),
        };
        self.refuse_address_of_columns(&place, span);
        let ty = self.pointer_to(place.ty.clone(), access, span);
        self.broken |= ty.is_error();
        Expr { kind: ExprKind::Address(Box::new(place)), ty, span }
    }

    /// An operator with a pointer on one of its sides; `None` where it takes none.
    pub fn pointer_binary(&mut self, op: BinaryOp, left: &Expr, right: &Expr, span: Span) -> Option<Expr> {
        use BinaryOp::*;
        let is_pointer = |expr: &Expr| matches!(expr.ty, Ty::Pointer(..));
        if !is_pointer(left) && !is_pointer(right) {
            return None;
        }
        let (a, b) = (left.clone(), right.clone());
        match op {
            And | Or => {
                let (a, b) = (self.condition(a), self.condition(b));
                Some(self.binary(op, a, b, span, span))
            }
            Eq | Ne | Lt | Le | Gt | Ge => {
                self.join(&left.ty, &right.ty)?;
                let (a, b) = (self.converted(a, &ADDRESS), self.converted(b, &ADDRESS));
                Some(self.binary(op, a, b, span, span))
            }
            Add if is_pointer(left) => self.counted(a, b, span),
            Add => self.counted(b, a, span),
            Sub if is_pointer(right) => {
                let target = left.ty.target().filter(|_| left.ty.target() == right.ty.target())?.clone();
                let (a, b) = (self.converted(a, &ADDRESS), self.converted(b, &ADDRESS));
                let bytes = self.binary(Sub, a, b, span, span);
                let bytes = self.converted(bytes, &DISTANCE);
                let size = Expr { kind: ExprKind::SizeOf(target), ty: Ty::UINT, span };
                let size = self.converted(size, &DISTANCE);
                Some(Expr { kind: ExprKind::Op(Op::Div, vec![bytes, size]), ty: DISTANCE, span })
            }
            Sub => {
                let b = self.distance(b)?;
                let back = Expr { kind: ExprKind::Op(Op::Neg, vec![b]), ty: DISTANCE, span };
                self.counted(a, back, span)
            }
            _ => None,
        }
    }

    fn counted(&mut self, pointer: Expr, by: Expr, span: Span) -> Option<Expr> {
        pointer.ty.target()?;
        let by = self.distance(by)?;
        Some(self.moved(pointer, by, span))
    }

    /// How many elements to go, as an operand of `+` and `-`.
    fn distance(&mut self, by: Expr) -> Option<Expr> {
        let is_integer = by.ty.is_scalar() && by.ty.known_scalar().is_some_and(|scalar| scalar.is_integer());
        is_integer.then(|| self.converted(by, &DISTANCE))
    }

    fn moved(&mut self, pointer: Expr, by: Expr, span: Span) -> Expr {
        let by = self.converted(by, &DISTANCE);
        let ty = pointer.ty.clone();
        Expr { kind: ExprKind::Op(Op::PointerOffset, vec![pointer, by]), ty, span }
    }
}

/// Whether the place stands in device memory as a whole, so that a pointer can lead to it.
fn has_address(place: &Expr) -> bool {
    match &place.kind {
        ExprKind::Memory(_) => true,
        ExprKind::Pick(base, Pick::Element { .. } | Pick::Index(_)) => has_address(base),
        _ => false,
    }
}

/// Whether what stands in memory there may be read and not written.
fn is_only_read(place: &Expr) -> bool {
    match &place.kind {
        ExprKind::Pick(base, _) => is_only_read(base),
        ExprKind::Memory(access) => access.is_only_read(),
        _ => false,
    }
}

impl Access {
    pub fn is_only_read(&self) -> bool {
        match self {
            Access::Element { buffer, .. } | Access::Bytes { buffer, .. } => {
                matches!(&buffer.ty, Ty::Buffer(kind, _) if !kind.writable)
            }
            Access::Target { pointer } => matches!(&pointer.ty, Ty::Pointer(PointerAccess::Read, _)),
        }
    }
}

/// Whether a cast takes values of one type to the other, where one of them is a pointer.
pub fn casts(from: &Ty, to: &Ty) -> bool {
    let is_address = |ty: &Ty| *ty == ADDRESS || *ty == DISTANCE;
    match (from, to) {
        (Ty::Pointer(..), Ty::Pointer(..)) => true,
        (Ty::Pointer(..), other) => is_address(other) || *other == Ty::BOOL,
        (other, Ty::Pointer(..)) => is_address(other),
        _ => false,
    }
}

/// The cost of a conversion by itself: to a pointer that reads only, to and from `void*`, and to whether it leads anywhere.
pub fn implicit_cost(from: &Ty, to: &Ty) -> Option<u32> {
    match (from, to) {
        (Ty::Pointer(PointerAccess::Read, _), Ty::Pointer(PointerAccess::ReadWrite, _)) => None,
        (Ty::Pointer(_, from), Ty::Pointer(_, to)) if from == to => Some(1),
        (Ty::Pointer(_, from), Ty::Pointer(_, to)) if **from == Ty::Void || **to == Ty::Void => Some(100),
        (Ty::Pointer(..), to) if *to == Ty::BOOL => Some(1000),
        _ => None,
    }
}
