//! Slots: the pieces of a parameter or result that one array or number fills. Structs come apart into their
//! fields; a scalar, vector, matrix or array is one slot.

use crate::whole::{Form, Whole};
use pullback_base::{DType, Shape};
use pullback_ir::Type;
use std::ops::Range;

/// One slot, with the leaves it takes in the flattened function's parameter or result list.
#[derive(Clone, Debug)]
pub struct Slot {
    /// `ray.origin`; for a return value `result` or `result.field`.
    pub path: String,
    /// Field names below the parameter or result.
    pub fields: Vec<String>,
    pub dtype: DType,
    /// `(3,)` for a float3, `(2, 3)` for a float2x3, `(4, 3)` for a float3\[4\].
    pub element_shape: Shape,
    pub leaves: Range<usize>,
    /// Carries no derivative by declaration or because it is not a float.
    pub no_diff: bool,
    /// Takes a whole array for all lanes, by its address.
    pub whole: Option<Form>,
}

/// What the names of globals begin with, among a function's parameters.
pub const GLOBAL: &str = "::";

impl Slot {
    pub fn leaf_count(&self) -> usize {
        self.leaves.len()
    }

    /// Whether it is of a global, which has one value for all lanes.
    pub fn is_global(&self) -> bool {
        self.path.starts_with(GLOBAL)
    }

    /// Those of its leaves that a derivative is by: an array's address stands for its elements.
    pub fn active_leaves(&self) -> Range<usize> {
        if self.whole.is_some() { self.leaves.start..self.leaves.start + 1 } else { self.leaves.clone() }
    }
}

/// The slots of a type; `None` when it has a part no argument can fill (a pointer, an array of structs).
pub fn slots(path: &str, ty: &Type, no_diff: bool, first_leaf: usize) -> Option<Vec<Slot>> {
    let mut out = Vec::new();
    let mut next = first_leaf;
    push(path.to_owned(), Vec::new(), ty, no_diff, &mut next, &mut out).then_some(out)
}

fn push(
    path: String,
    fields: Vec<String>,
    ty: &Type,
    no_diff: bool,
    next: &mut usize,
    out: &mut Vec<Slot>,
) -> bool {
    if let Type::Struct(structure) = ty {
        if let Some(Whole { form, dtype, element_shape }) = Whole::of(structure, element) {
            let leaves = *next..*next + ty.leaves().len();
            *next = leaves.end;
            let no_diff = no_diff || !dtype.is_float() || form == Form::Bytes;
            out.push(Slot { path, fields, dtype, element_shape, leaves, no_diff, whole: Some(form) });
            return true;
        }
        return structure.fields.iter().all(|field| {
            let mut below = fields.clone();
            below.push(field.name.to_string());
            push(format!("{path}.{}", field.name), below, &field.ty, no_diff || field.no_diff, next, out)
        });
    }
    let mut dims = Vec::new();
    let Some(dtype) = element_dims(ty, &mut dims) else { return false };
    let element_shape = Shape::from(dims);
    let count = element_shape.count() as usize;
    let leaves = *next..*next + count;
    *next += count;
    out.push(Slot {
        path,
        fields,
        dtype,
        element_shape,
        leaves,
        no_diff: no_diff || !dtype.is_float(),
        whole: None,
    });
    true
}

/// What a parameter of that type takes, in the caller's words: `float32`, `float32 (3,)`, `struct Ray of origin, direction`.
pub fn accepted(ty: &Type) -> String {
    if let Type::Struct(structure) = ty
        && let Some(whole) = Whole::of(structure, element)
    {
        return whole.describe();
    }
    let mut dims = Vec::new();
    match (ty, element_dims(ty, &mut dims)) {
        (Type::Struct(structure), _) => {
            let fields: Vec<&str> = structure.fields.iter().map(|field| &*field.name).collect();
            format!("struct {} of {}", structure.name, fields.join(", "))
        }
        (_, Some(dtype)) if dims.is_empty() => dtype.numpy_name().into(),
        (_, Some(dtype)) => format!("{} {}", dtype.numpy_name(), Shape::from(dims)),
        (other, None) => other.to_string(),
    }
}

/// A number's dtype and dims.
fn element(ty: &Type) -> Option<(DType, Shape)> {
    let mut dims = Vec::new();
    let dtype = element_dims(ty, &mut dims)?;
    Some((dtype, Shape::from(dims)))
}

fn element_dims(ty: &Type, dims: &mut Vec<i64>) -> Option<DType> {
    match ty {
        Type::Scalar(scalar) => Some(*scalar),
        Type::Vector(scalar, n) => {
            dims.push(i64::from(*n));
            Some(*scalar)
        }
        Type::Matrix { scalar, rows, columns, .. } => {
            dims.extend([i64::from(*rows), i64::from(*columns)]);
            Some(*scalar)
        }
        Type::Array(element, n) => {
            dims.push(i64::from(*n));
            element_dims(element, dims)
        }
        Type::Struct(_) | Type::Pointer(_) => None,
    }
}
