//! Slots: the pieces of a parameter or result that one array or number fills. Structs come apart into their
//! fields; a scalar, vector, matrix or array is one slot.

use crate::args::ArrayView;
use crate::record::{Record, RecordLeaf};
use crate::whole::{Element, Form, Whole};
use pullback_base::{DType, Shape};
use pullback_ir::Type;
use std::ops::Range;
use std::sync::Arc;

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
    /// Of a whole array of structs: how one lies in memory. Dtype and element shape are those of its bytes.
    pub record: Option<Arc<Record>>,
}

/// What the names of globals begin with, among a function's parameters.
pub const GLOBAL: &str = "::";

impl Slot {
    pub fn leaf_count(&self) -> usize {
        self.leaves.len()
    }

    /// The element's shape in that array: structs may come as arrays of numbers, whose last dim they are.
    pub fn element_of(&self, array: &ArrayView) -> Shape {
        match &self.record {
            Some(record) if array.record.is_none() => {
                Shape::from([record.count_of(array.dtype).unwrap_or(0)])
            }
            _ => self.element_shape.clone(),
        }
    }

    /// The slots that its structs come apart into, when each of their fields is given as an array of its own.
    pub fn field_slots(&self) -> Vec<Slot> {
        let leaves = self.record.iter().flat_map(|record| record.leaves());
        let slot = |leaf: RecordLeaf| Slot {
            path: format!("{}.{}", self.path, leaf.path.join(".")),
            dtype: leaf.dtype,
            element_shape: leaf.shape(),
            fields: leaf.path,
            leaves: self.leaves.clone(),
            no_diff: self.no_diff || leaf.no_diff,
            whole: self.whole,
            record: None,
        };
        leaves.map(slot).collect()
    }

    /// Why it has no derivative, where it has none.
    pub fn why_no_diff(&self) -> &'static str {
        match &self.record {
            Some(record) if record.differential().is_none() => "has no floats with a derivative",
            Some(_) => "is marked no_diff, or given as bytes",
            None if !self.dtype.is_float() => "is not a float",
            None => "is marked no_diff",
        }
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
        if let Some(Whole { form, element }) = Whole::of(structure, element) {
            let leaves = *next..*next + ty.leaves().len();
            *next = leaves.end;
            let Element { dtype, shape: element_shape, record } = element;
            let has_float = match &record {
                Some(record) => record.differential().is_some(),
                None => dtype.is_float() && form != Form::Bytes,
            };
            let (no_diff, whole) = (no_diff || !has_float, Some(form));
            out.push(Slot { path, fields, dtype, element_shape, leaves, no_diff, whole, record });
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
        record: None,
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

/// What an array of that type has as elements.
fn element(ty: &Type) -> Option<Element> {
    if let Type::Struct(structure) = ty {
        return Some(Element::of_record(&Record::of(structure)?.into()));
    }
    let mut dims = Vec::new();
    let dtype = element_dims(ty, &mut dims)?;
    Some(Element { dtype, shape: Shape::from(dims), record: None })
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
