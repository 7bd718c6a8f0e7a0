//! The bytes that values of plain types take in memory, where the checker must know: in sizes, assertions and reinterpretations.

use super::count::Count;
use super::program::Program;
use super::types::{Elem, Shape, Ty};
use pullback_ir::layout::{element_offset_bytes, layout};
use pullback_ir::{Field, MatrixOrder, Type};

impl Program<'_> {
    /// Of a type of numbers, arrays and structs of them.
    pub fn size_bytes(&self, ty: &Ty) -> Option<u64> {
        self.plain_form(ty).map(|ty| layout(&ty).size_bytes)
    }

    /// As [`Program::size_bytes`], without padding at the end.
    pub fn used_bytes(&self, ty: &Ty) -> Option<u64> {
        self.plain_form(ty).map(|ty| used_bytes(&ty))
    }

    fn plain_form(&self, ty: &Ty) -> Option<Type> {
        let dim = |count: &Count| count.known().map(|count| count as u8);
        Some(match ty {
            Ty::Number(Elem::Scalar(scalar), shape) => match shape {
                Shape::Scalar => Type::Scalar(*scalar),
                Shape::Vector(size) => Type::Vector(*scalar, dim(size)?),
                Shape::Matrix(rows, columns) => {
                    let (rows, columns, order) = (dim(rows)?, dim(columns)?, MatrixOrder::Rows);
                    Type::Matrix { scalar: *scalar, rows, columns, order }
                }
            },
            Ty::Enum(id) => Type::Scalar(self.enums[*id].tag?),
            Ty::Array(element, count) => {
                Type::array(self.plain_form(element)?, u32::try_from(count.known()?).ok()?)
            }
            Ty::Struct(..) => {
                let fields = self.fields_of(ty);
                let field = |ty| Some(Field { name: "".into(), ty: self.plain_form(ty)?, no_diff: false });
                Type::structure("", fields.iter().map(|it| field(&it.ty)).collect::<Option<Vec<_>>>()?)
            }
            _ => return None,
        })
    }
}

/// Where the last part of the type ends.
fn used_bytes(ty: &Type) -> u64 {
    let ends = |index: u32| ty.element(index).map(|it| element_offset_bytes(ty, index) + used_bytes(&it));
    match ty {
        Type::Struct(_) => (0..ty.element_count()).filter_map(ends).max().unwrap_or(0),
        Type::Array(_, count) => count.checked_sub(1).and_then(ends).unwrap_or(0),
        _ => layout(ty).size_bytes,
    }
}
