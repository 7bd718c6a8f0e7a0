//! How values lie in memory: natural layout, the one way for every device and every front end.
//!
//! A scalar takes its size (a bool one byte, a pointer eight) at a multiple of it. Vectors, matrices (row by row, or column
//! by column) and arrays are their elements end to end; a struct's fields come in order, each at a multiple of its alignment, and
//! its size is padded to the largest of them.

use crate::{MatrixOrder, Type};
use pullback_base::Scalar;

/// Size and alignment in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    pub size_bytes: u64,
    pub align_bytes: u64,
}

/// The layout of a type's values in memory.
pub fn layout(ty: &Type) -> Layout {
    match ty {
        Type::Scalar(scalar) => natural(scalar_bytes(*scalar)),
        Type::Pointer(_) => natural(8),
        Type::Vector(scalar, n) => repeated(natural(scalar_bytes(*scalar)), (*n).into()),
        Type::Matrix { scalar, rows, columns, .. } => {
            repeated(natural(scalar_bytes(*scalar)), u64::from(*rows) * u64::from(*columns))
        }
        Type::Array(element, n) => repeated(layout(element), (*n).into()),
        Type::Struct(structure) => {
            let mut whole = Layout { size_bytes: 0, align_bytes: 1 };
            for field in &structure.fields {
                let field = layout(&field.ty);
                whole.align_bytes = whole.align_bytes.max(field.align_bytes);
                whole.size_bytes =
                    aligned(whole.size_bytes, field.align_bytes).saturating_add(field.size_bytes);
            }
            Layout { size_bytes: aligned(whole.size_bytes, whole.align_bytes), ..whole }
        }
    }
}

/// Where component, row, array element or field number `index` of a type lies in it; of a row that does not lie together,
/// its first component.
pub fn element_offset_bytes(ty: &Type, index: u32) -> u64 {
    match ty {
        Type::Struct(structure) => {
            let mut end = 0;
            for (at, field) in structure.fields.iter().enumerate() {
                let field = layout(&field.ty);
                let start = aligned(end, field.align_bytes);
                if at == index as usize {
                    return start;
                }
                end = start.saturating_add(field.size_bytes);
            }
            end
        }
        Type::Matrix { scalar, order: MatrixOrder::Columns, .. } => scalar_bytes(*scalar) * u64::from(index),
        _ => {
            let element = ty.element(index).map_or(0, |element| layout(&element).size_bytes);
            element.saturating_mul(index.into())
        }
    }
}

/// Each leaf of a type, in the order of [`Type::leaves`], and where it lies.
pub fn leaf_offsets(ty: &Type) -> Vec<(u64, Type)> {
    let mut out = Vec::new();
    push_leaves(ty, 0, &mut out);
    out
}

fn push_leaves(ty: &Type, base: u64, out: &mut Vec<(u64, Type)>) {
    match ty {
        Type::Scalar(_) | Type::Pointer(_) => out.push((base, ty.clone())),
        Type::Matrix { scalar, rows, columns, order: MatrixOrder::Columns } => {
            for row in 0..*rows {
                for column in 0..*columns {
                    let before = u64::from(column) * u64::from(*rows) + u64::from(row);
                    out.push((base + before * scalar_bytes(*scalar), Type::Scalar(*scalar)));
                }
            }
        }
        _ => {
            for index in 0..ty.element_count() {
                if let Some(element) = ty.element(index) {
                    push_leaves(&element, base + element_offset_bytes(ty, index), out);
                }
            }
        }
    }
}

/// The slots that group-shared memory of a type takes, one per scalar that is told apart by struct fields, depth
/// first. Vectors, matrices and arrays multiply: element `[i][j]` of `[[f32; n]; m]` is index `i * n + j` of its slot,
/// and lanes may write neighbours independently, which a slot of aggregates would not allow.
pub fn shared_slots(ty: &Type) -> Vec<Type> {
    let times = |slots: Vec<Type>, n: u32| -> Vec<Type> {
        let longer = slots.into_iter().map(|slot| match slot {
            Type::Array(element, m) => Type::Array(element, m.saturating_mul(n)),
            scalar => Type::array(scalar, n),
        });
        longer.collect()
    };
    match ty {
        Type::Scalar(_) | Type::Pointer(_) => vec![ty.clone()],
        Type::Vector(scalar, n) => times(vec![Type::Scalar(*scalar)], (*n).into()),
        Type::Matrix { scalar, rows, columns, .. } => {
            times(vec![Type::Scalar(*scalar)], u32::from(*rows) * u32::from(*columns))
        }
        Type::Array(element, n) => times(shared_slots(element), *n),
        Type::Struct(structure) => {
            structure.fields.iter().flat_map(|field| shared_slots(&field.ty)).collect()
        }
    }
}

fn scalar_bytes(scalar: Scalar) -> u64 {
    scalar.size_bytes() as u64
}

fn natural(bytes: u64) -> Layout {
    Layout { size_bytes: bytes, align_bytes: bytes }
}

fn repeated(element: Layout, n: u64) -> Layout {
    Layout { size_bytes: element.size_bytes.saturating_mul(n), ..element }
}

/// Saturates at the last multiple: no memory is as large.
fn aligned(bytes: u64, align_bytes: u64) -> u64 {
    bytes.checked_next_multiple_of(align_bytes).unwrap_or(u64::MAX - u64::MAX % align_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::parse;

    /// The type of the first parameter of `func @f`.
    fn ty(text: &str) -> Type {
        let module = parse(&format!("func @f(%0: {text}) -> () {{ yield }}")).expect("parses");
        let function = module.functions.values().next().expect("a function");
        function.ty(function.params[0]).clone()
    }

    fn bytes(text: &str) -> (u64, u64) {
        let Layout { size_bytes, align_bytes } = layout(&ty(text));
        (size_bytes, align_bytes)
    }

    #[test]
    fn structs_are_padded_and_vectors_are_not() {
        assert_eq!(bytes("struct S { a: bool, b: f64, c: u8 }"), (24, 8));
        assert_eq!(bytes("[struct S { a: vec<f32, 3>, b: f16 }; 3]"), (48, 4));
        assert_eq!(bytes("mat<f32, 2, 3>"), (24, 4));
        assert_eq!(bytes("struct E { }"), (0, 1));
        assert_eq!(bytes("struct B { p: ptr<u8>, n: i32 }"), (16, 8));
    }

    #[test]
    fn leaves_lie_where_their_elements_do() {
        let offsets: Vec<u64> =
            leaf_offsets(&ty("struct S { a: bool, b: [struct T { x: u8, y: u16 }; 2], c: vec<f32, 2> }"))
                .into_iter()
                .map(|(offset, _)| offset)
                .collect();
        assert_eq!(offsets, [0, 2, 4, 6, 8, 12, 16]);
    }

    #[test]
    fn matrices_by_columns_have_their_rows_apart() {
        let by_columns = ty("struct S { a: u8, m: mat<f32, 2, 3, columns> }");
        let offsets: Vec<u64> = leaf_offsets(&by_columns).into_iter().map(|(offset, _)| offset).collect();
        assert_eq!(offsets, [0, 4, 12, 20, 8, 16, 24]);
        assert_eq!(bytes("mat<f32, 2, 3, columns>"), (24, 4));
        assert_eq!(element_offset_bytes(&ty("mat<f32, 2, 3, columns>"), 1), 4);
    }

    #[test]
    fn shared_memory_of_structs_is_an_array_per_scalar() {
        let slots = shared_slots(&ty("[struct S { a: bool, b: [vec<f32, 3>; 2] }; 4]"));
        assert_eq!(format!("{slots:?}"), "[[bool; 4], [f32; 24]]");
    }
}
