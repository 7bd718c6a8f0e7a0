//! How matrices lie in memory, as the program says it: by `row_major` and `column_major` before a type, and by
//! `#pragma pack_matrix` for those that say nothing.
//!
//! Values have no order. It is one of fields, of a buffer's elements and of what a constant buffer holds; where else
//! matrices may come to lie in memory, column-major ones are refused.

use super::context::Context;
use super::hir::{Access, Expr, ExprKind, Pick};
use super::memory::is_block;
use super::types::{Arg, Shape, Ty};
use crate::slang::ast::{GenericArg, ModifierKind, Modifiers, PathSegment, TypeExpr, TypeExprKind};
use pullback_base::Span;
use pullback_ir::MatrixOrder;

impl Ty {
    /// What an array of arrays holds in the end.
    fn innermost(&self) -> &Ty {
        match self {
            Ty::Array(element, _) => element.innermost(),
            other => other,
        }
    }

    fn is_of_matrices(&self) -> bool {
        matches!(self.innermost(), Ty::Number(_, Shape::Matrix(..)))
    }
}

/// What is written before the type itself, or of what a constant buffer holds.
fn written_order(ty: &TypeExpr) -> Option<MatrixOrder> {
    match &ty.kind {
        TypeExprKind::InOrder(order, _) => Some(*order),
        TypeExprKind::Array { element, .. } => written_order(element),
        TypeExprKind::Path(path) => match &path[..] {
            [PathSegment { name, args }] if is_block(&name.text) => match args.first() {
                Some(GenericArg::Type(content)) => written_order(content),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

/// Whether one of its generic arguments is said to be column-major.
fn has_column_major_arg(ty: &TypeExpr) -> bool {
    match &ty.kind {
        TypeExprKind::Array { element, .. } => has_column_major_arg(element),
        TypeExprKind::Path(path) => path.iter().flat_map(|segment| &segment.args).any(
            |arg| matches!(arg, GenericArg::Type(ty) if written_order(ty) == Some(MatrixOrder::Columns)),
        ),
        _ => false,
    }
}

impl Context<'_, '_> {
    /// The order of the field or uniform that is declared so.
    pub fn declared_order(&mut self, modifiers: &Modifiers, written: &TypeExpr, ty: &Ty) -> MatrixOrder {
        let said = if modifiers.has(ModifierKind::ColumnMajor) {
            Some(MatrixOrder::Columns)
        } else if modifiers.has(ModifierKind::RowMajor) {
            Some(MatrixOrder::Rows)
        } else {
            written_order(written)
        };
        self.order(said, written, ty)
    }

    /// The order of what is in memory and has the type that is written there.
    pub fn order_of(&mut self, written: &TypeExpr, ty: &Ty) -> MatrixOrder {
        self.order(written_order(written), written, ty)
    }

    /// `column_major float3x3*` is said of what the pointer leads to.
    pub fn refuse_pointer_to_columns(&mut self, order: MatrixOrder, ty: &Ty, span: Span) {
        if let Ty::Pointer(_, target) = ty.innermost()
            && order == MatrixOrder::Columns
            && target.is_of_matrices()
        {
            self.unsupported("pointers to column-major matrices", span);
        }
    }

    fn order(&mut self, said: Option<MatrixOrder>, written: &TypeExpr, ty: &Ty) -> MatrixOrder {
        let order = said.unwrap_or_else(|| self.checker.packing.at(written.span));
        let refused = match ty.innermost() {
            Ty::Pair(_, of) if of.is_of_matrices() => (order == MatrixOrder::Columns
                || has_column_major_arg(written))
            .then_some("pairs of column-major matrices in memory"),
            open if open.is_open() && !ty.is_of_matrices() => {
                (said == Some(MatrixOrder::Columns)).then_some("column-major values of generic types")
            }
            Ty::Pointer(_, target) if target.is_of_matrices() => {
                (said == Some(MatrixOrder::Columns)).then_some("pointers to column-major matrices")
            }
            _ => None,
        };
        if let Some(what) = refused {
            self.unsupported(what, written.span);
        }
        if ty.is_of_matrices() { order } else { MatrixOrder::Rows }
    }

    /// Refuses column-major matrices where their order would be lost.
    pub fn refuse_columns(&mut self, written: &TypeExpr, ty: &Ty, what: &str) {
        let order = written_order(written).unwrap_or_else(|| self.checker.packing.at(written.span));
        if order == MatrixOrder::Columns && ty.is_of_matrices() {
            self.unsupported(what, written.span);
        }
    }

    /// A generic argument that a declaration takes.
    pub fn declared_arg(&mut self, arg: &GenericArg) -> Option<Arg> {
        let value = self.generic_arg(arg);
        if let (GenericArg::Type(written), Some(Arg::Type(ty))) = (arg, &value) {
            self.refuse_columns(written, ty, "column-major matrices as generic arguments");
        }
        value
    }

    /// What a buffer holds, and in which order.
    pub fn content_arg(&mut self, arg: &GenericArg) -> (Option<Arg>, MatrixOrder) {
        let value = self.generic_arg(arg);
        let order = match (arg, &value) {
            (GenericArg::Type(written), Some(Arg::Type(ty))) => self.order_of(written, ty),
            _ => MatrixOrder::Rows,
        };
        (value, order)
    }

    /// Refuses the address of matrices and rows of them that lie by columns: pointers lead to what lies by rows.
    pub fn refuse_address_of_columns(&mut self, place: &Expr, span: Span) {
        let is_row = matches!(&place.kind, ExprKind::Pick(base, _) if matches!(base.ty, Ty::Number(_, Shape::Matrix(..))));
        if (is_row || place.ty.is_of_matrices()) && self.place_order(place) == MatrixOrder::Columns {
            self.unsupported("pointers to column-major matrices", span);
        }
    }

    /// In which order matrices lie in that place in memory.
    fn place_order(&self, place: &Expr) -> MatrixOrder {
        match &place.kind {
            ExprKind::Memory(access) => match &**access {
                Access::Element { buffer, .. } => match &buffer.ty {
                    Ty::Buffer(kind, _) => kind.order,
                    _ => MatrixOrder::Rows,
                },
                Access::Bytes { .. } | Access::Target { .. } => MatrixOrder::Rows,
            },
            ExprKind::Pick(base, pick) => match (&base.ty, pick) {
                (Ty::Number(..) | Ty::Array(..), _) => self.place_order(base),
                (_, Pick::Element { index, .. }) => {
                    let fields = self.checker.program.fields_of(&base.ty);
                    fields.get(*index as usize).map_or(MatrixOrder::Rows, |field| field.order)
                }
                _ => MatrixOrder::Rows,
            },
            _ => MatrixOrder::Rows,
        }
    }
}
