//! Buffers: the types that stand for device memory, their elements and their methods.

use super::context::Context;
use super::hir::{Access, Expr, ExprKind};
use super::types::{Arg, Ty};
use crate::slang::ast::GenericArg;
use pullback_base::{Code, Scalar, Span};
use pullback_ir::MatrixOrder;
use std::sync::Arc;

/// What a buffer is made of and whether shaders may write it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct BufferKind {
    pub form: BufferForm,
    pub writable: bool,
    /// How matrices that are its elements lie.
    pub order: MatrixOrder,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum BufferForm {
    /// `StructuredBuffer<T>`: elements of any type.
    Structured,
    /// `Buffer<T>`: elements that are scalars or vectors.
    Typed,
    /// `ByteAddressBuffer`: bytes, read as what is asked for.
    Bytes,
}

impl BufferKind {
    pub fn from_name(name: &str) -> Option<BufferKind> {
        let (name, writable) = match name.strip_prefix("RW").or(name.strip_prefix("RasterizerOrdered")) {
            Some(rest) => (rest, true),
            None => (name, false),
        };
        let form = match name {
            "StructuredBuffer" => BufferForm::Structured,
            "Buffer" => BufferForm::Typed,
            "ByteAddressBuffer" => BufferForm::Bytes,
            _ => return None,
        };
        Some(BufferKind { form, writable, order: MatrixOrder::Rows })
    }

    pub fn name(self) -> &'static str {
        match (self.form, self.writable) {
            (BufferForm::Structured, false) => "StructuredBuffer",
            (BufferForm::Structured, true) => "RWStructuredBuffer",
            (BufferForm::Typed, false) => "Buffer",
            (BufferForm::Typed, true) => "RWBuffer",
            (BufferForm::Bytes, false) => "ByteAddressBuffer",
            (BufferForm::Bytes, true) => "RWByteAddressBuffer",
        }
    }

    /// Whether a value of this kind may be given where `wanted` is asked for: one that reads only.
    pub fn serves_as(self, wanted: BufferKind) -> bool {
        (self.form, self.order) == (wanted.form, wanted.order) && (self.writable || !wanted.writable)
    }
}

/// Whether values of the type that stands behind the name are given by whoever launches.
pub fn is_block(name: &str) -> bool {
    matches!(name, "ConstantBuffer" | "ParameterBlock" | "TextureBuffer")
}

impl Context<'_, '_> {
    /// `StructuredBuffer<float>` and its kin; `None` for other names.
    pub fn buffer_type(&mut self, name: &str, args: &[GenericArg], span: Span) -> Option<Ty> {
        let kind = BufferKind::from_name(name)?;
        if kind.form == BufferForm::Bytes {
            if !args.is_empty() {
                self.error(Code::TypeMismatch, format!("`{name}` takes no generic arguments"), span, "here");
                return Some(Ty::Error);
            }
            return Some(Ty::Buffer(kind, Arc::new(Ty::scalar(Scalar::U8))));
        }
        // A second argument names a memory layout; ours is always the natural one.
        let (Some(element), 1..=2) = (args.first(), args.len()) else {
            let message = format!("`{name}` takes the type of its elements");
            let (label, help) = (format!("{} given", args.len()), format!("write `{name}<float>`"));
            self.error_advised(Code::TypeMismatch, message, span, label, help);
            return Some(Ty::Error);
        };
        let (element, order) = self.content_arg(element);
        match element {
            Some(Arg::Type(Ty::Error)) | None => Some(Ty::Error),
            Some(Arg::Type(Ty::Void)) | Some(Arg::Count(_)) => {
                let message = format!("`{name}` takes the type of its elements");
                self.error(Code::TypeMismatch, message, span, "not a type");
                Some(Ty::Error)
            }
            Some(Arg::Type(element)) => Some(Ty::Buffer(BufferKind { order, ..kind }, Arc::new(element))),
        }
    }

    /// `ConstantBuffer<T>` and its kin are values of `T`: how they are bound is up to whoever launches.
    pub fn block_type(&mut self, name: &str, args: &[GenericArg], span: Span) -> Ty {
        // A second argument names a memory layout; ours is always the natural one.
        let content = match (args.first(), args.len()) {
            (Some(content), 1..=2) => self.generic_arg(content),
            _ => None,
        };
        match content {
            Some(Arg::Type(Ty::Void)) | Some(Arg::Count(_)) | None => {
                let message = format!("`{name}` takes the type of its content");
                self.error(Code::TypeMismatch, message, span, "not given");
                Ty::Error
            }
            Some(Arg::Type(content)) => content,
        }
    }

    /// `buffer[index]`, an element that can be assigned where the buffer is writable.
    pub fn buffer_element(&mut self, buffer: Expr, index: Expr, span: Span) -> Expr {
        let Ty::Buffer(_, element) = &buffer.ty else { return self.silent_error(span) };
        let ty = Ty::clone(element);
        let Some(index) = self.integer_index(index) else { return self.silent_error(span) };
        Expr { kind: ExprKind::Memory(Box::new(Access::Element { buffer, index })), ty, span }
    }

    /// An index is one integer; an error and `None` where it is not.
    pub fn integer_index(&mut self, index: Expr) -> Option<Expr> {
        if index.ty.is_scalar() && index.ty.known_scalar().is_some_and(|scalar| scalar.is_integer()) {
            return Some(index);
        }
        if !index.is_error() {
            let shown = self.show(&index.ty);
            let message = format!("an index is an integer, not `{shown}`");
            self.error(Code::TypeMismatch, message, index.span, format!("is `{shown}`"));
        }
        None
    }
}
