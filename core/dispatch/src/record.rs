//! Records: how the structs of a whole array lie in memory, told by field names, as users see it.

use pullback_base::{DType, Shape};
use pullback_ir::layout::{element_offset_bytes, layout};
use pullback_ir::{MatrixOrder, StructType, Type};
use smallvec::SmallVec;
use std::fmt;
use std::sync::Arc;

/// How one struct lies in memory.
#[derive(Clone, Debug)]
pub struct Record {
    /// The struct's name; empty where only the layout is known. It plays no part in whether two records are alike.
    pub name: Arc<str>,
    pub fields: Vec<RecordField>,
    pub size_bytes: u64,
    pub align_bytes: u64,
}

#[derive(Clone, Debug)]
pub struct RecordField {
    pub name: Arc<str>,
    pub offset_bytes: u64,
    /// Dims of a vector, a matrix or an array, outermost first.
    pub dims: Shape,
    pub of: FieldType,
    /// Declared `no_diff`: carries no derivative. It plays no part in whether two records are alike.
    pub no_diff: bool,
}

/// What the elements of a field are.
#[derive(Clone, Debug)]
pub enum FieldType {
    Number(DType),
    Record(Arc<Record>),
}

/// A field of numbers, nested ones included.
#[derive(Clone, Debug)]
pub struct RecordLeaf {
    /// Field names from the outermost record on.
    pub path: Vec<String>,
    pub offset_bytes: u64,
    pub dtype: DType,
    /// Size and stride in bytes of each dim, those of arrays of records included.
    pub dims: SmallVec<[(i64, i64); 4]>,
    /// Has no derivative: no float, or `no_diff`.
    pub no_diff: bool,
}

impl RecordLeaf {
    pub fn shape(&self) -> Shape {
        Shape::from(self.dims.iter().map(|&(size, _)| size).collect::<SmallVec<[i64; 4]>>())
    }
}

impl Record {
    /// The layout of a struct; `None` where it has pointers, or nothing at all.
    pub fn of(structure: &StructType) -> Option<Record> {
        let ty = Type::Struct(structure.clone().into());
        let whole = layout(&ty);
        let mut fields = Vec::new();
        for (index, field) in structure.fields.iter().enumerate() {
            let mut dims = Vec::new();
            fields.push(RecordField {
                name: field.name.clone(),
                offset_bytes: element_offset_bytes(&ty, index as u32),
                of: field_type(&field.ty, &mut dims)?,
                dims: Shape::from(dims),
                no_diff: field.no_diff,
            });
        }
        (whole.size_bytes > 0).then(|| Record {
            name: structure.name.clone(),
            fields,
            size_bytes: whole.size_bytes,
            align_bytes: whole.align_bytes,
        })
    }

    /// The fields of numbers, depth first.
    pub fn leaves(&self) -> Vec<RecordLeaf> {
        let mut out = Vec::new();
        self.push_leaves(&[], 0, &[], false, &mut out);
        out
    }

    fn push_leaves(
        &self,
        path: &[String],
        base: u64,
        outer: &[(i64, i64)],
        no_diff: bool,
        out: &mut Vec<RecordLeaf>,
    ) {
        for field in &self.fields {
            let mut path = path.to_vec();
            path.push(field.name.to_string());
            let size = match &field.of {
                FieldType::Number(dtype) => dtype.size_bytes() as i64,
                FieldType::Record(inner) => inner.size_bytes as i64,
            };
            let strides = field.dims.contiguous_strides();
            let own = field.dims.dims().iter().zip(strides).map(|(&count, stride)| (count, stride * size));
            let dims: SmallVec<[(i64, i64); 4]> = outer.iter().copied().chain(own).collect();
            let (offset_bytes, no_diff) = (base + field.offset_bytes, no_diff || field.no_diff);
            match &field.of {
                FieldType::Number(dtype) => {
                    let no_diff = no_diff || !dtype.is_float();
                    out.push(RecordLeaf { path, offset_bytes, dtype: *dtype, dims, no_diff });
                }
                FieldType::Record(inner) => inner.push_leaves(&path, offset_bytes, &dims, no_diff, out),
            }
        }
    }

    /// What gradients of such structs are: the same layout, less the fields that have no derivative.
    pub fn differential(&self) -> Option<Record> {
        let keep = |field: &RecordField| {
            let of = match &field.of {
                _ if field.no_diff => return None,
                FieldType::Number(dtype) if dtype.is_float() => field.of.clone(),
                FieldType::Number(_) => return None,
                FieldType::Record(inner) => FieldType::Record(inner.differential()?.into()),
            };
            Some(RecordField { of, ..field.clone() })
        };
        let fields: Vec<RecordField> = self.fields.iter().filter_map(keep).collect();
        let name = if fields.len() == self.fields.len() { self.name.clone() } else { "".into() };
        (!fields.is_empty()).then(|| Record { name, fields, ..self.clone() })
    }

    /// The dtype of all numbers, and how many there are, where they are of one dtype and fill the struct.
    pub fn uniform(&self) -> Option<(DType, i64)> {
        let leaves = self.leaves();
        let first = leaves.first()?.dtype;
        let count: i64 = leaves.iter().map(|leaf| leaf.shape().count()).sum();
        let is_uniform = leaves.iter().all(|leaf| leaf.dtype == first);
        (is_uniform && count as u64 * first.size_bytes() as u64 == self.size_bytes).then_some((first, count))
    }

    /// How many numbers of that dtype an array of numbers has for one struct: all of the struct's, where they are of one
    /// dtype and fill it; of any struct its bytes.
    pub fn count_of(&self, dtype: DType) -> Option<i64> {
        match self.uniform() {
            Some((of, count)) if of == dtype => Some(count),
            _ => (dtype == DType::U8).then_some(self.size_bytes as i64),
        }
    }

    /// Whether numbers of that dtype are the bytes of structs, not their numbers.
    pub fn are_bytes(&self, dtype: DType) -> bool {
        dtype == DType::U8 && self.uniform().is_none_or(|(of, _)| of != dtype)
    }

    /// The narrowest float that has a derivative: sums of gradients are taken in words of it.
    pub fn narrowest_float(&self) -> Option<DType> {
        let leaves = self.leaves();
        let floats = leaves.iter().filter(|leaf| !leaf.no_diff).map(|leaf| leaf.dtype);
        floats.min_by_key(|dtype| dtype.size_bytes())
    }

    /// Whether fields have the same names, places and types.
    pub fn is_like(&self, other: &Record) -> bool {
        self.size_bytes == other.size_bytes
            && self.fields.len() == other.fields.len()
            && self.fields.iter().zip(&other.fields).all(|(a, b)| {
                let alike = match (&a.of, &b.of) {
                    (FieldType::Number(a), FieldType::Number(b)) => a == b,
                    (FieldType::Record(a), FieldType::Record(b)) => a.is_like(b),
                    _ => false,
                };
                alike && (&a.name, a.offset_bytes, &a.dims) == (&b.name, b.offset_bytes, &b.dims)
            })
    }

    /// How messages name it: the struct's name, or its fields.
    pub fn shown(&self) -> String {
        if self.name.is_empty() { format!("struct {self}") } else { format!("struct {}", self.name) }
    }

    /// Words that are alike for alike records, and for no others.
    pub fn words(&self) -> Vec<u64> {
        let mut out = vec![self.size_bytes, self.fields.len() as u64];
        for field in &self.fields {
            out.extend([field.offset_bytes, field.name.len() as u64]);
            out.extend(field.name.bytes().map(u64::from));
            out.push(field.dims.rank() as u64);
            out.extend(field.dims.dims().iter().map(|&size| size as u64));
            match &field.of {
                FieldType::Number(dtype) => out.push(*dtype as u64),
                FieldType::Record(inner) => {
                    out.push(u64::MAX);
                    out.extend(inner.words());
                }
            }
        }
        out
    }
}

/// What is in a field, behind its dims.
fn field_type(ty: &Type, dims: &mut Vec<i64>) -> Option<FieldType> {
    match ty {
        Type::Scalar(scalar) => Some(FieldType::Number(*scalar)),
        Type::Vector(scalar, n) => {
            dims.push(i64::from(*n));
            Some(FieldType::Number(*scalar))
        }
        // No array of rows lies like this.
        Type::Matrix { order: MatrixOrder::Columns, .. } => None,
        Type::Matrix { scalar, rows, columns, order: MatrixOrder::Rows } => {
            dims.extend([i64::from(*rows), i64::from(*columns)]);
            Some(FieldType::Number(*scalar))
        }
        Type::Array(element, n) => {
            dims.push(i64::from(*n));
            field_type(element, dims)
        }
        Type::Struct(structure) => Some(FieldType::Record(Record::of(structure)?.into())),
        Type::Pointer(_) => None,
    }
}

impl fmt::Display for Record {
    /// `{ position: float32 (3,) at 0, mass: float32 at 12; 16 bytes }`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "{ ";
        for field in &self.fields {
            write!(f, "{separator}{}: ", field.name)?;
            match &field.of {
                FieldType::Number(dtype) => write!(f, "{}", dtype.numpy_name())?,
                FieldType::Record(inner) => write!(f, "{inner}")?,
            }
            if field.dims.rank() > 0 {
                write!(f, " {}", field.dims)?;
            }
            write!(f, " at {}", field.offset_bytes)?;
            separator = ", ";
        }
        write!(f, "; {} bytes }}", self.size_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The record of a struct in the text of the IR.
    fn record(text: &str) -> Option<Record> {
        let module =
            pullback_ir::parse::parse(&format!("func @f(%0: {text}) -> () {{ yield }}")).expect("parses");
        let function = module.functions.values().next().expect("a function");
        let Type::Struct(structure) = function.ty(function.params[0]) else { panic!("no struct") };
        Record::of(structure)
    }

    const MIXED: &str =
        "struct S { on: bool, p: vec<f32, 3>, no_diff w: f32, t: [struct T { h: f16, v: vec<f32, 2> }; 2] }";

    #[test]
    fn fields_lie_where_the_layout_says() {
        assert_eq!(
            record(MIXED).expect("a record").to_string(),
            "{ on: bool at 0, p: float32 (3,) at 4, w: float32 at 16, \
             t: { h: float16 at 0, v: float32 (2,) at 4; 12 bytes } (2,) at 20; 44 bytes }"
        );
    }

    #[test]
    fn leaves_of_arrays_of_structs_have_their_dims() {
        let leaves = record(MIXED).expect("a record").leaves();
        let shown: Vec<String> = leaves
            .iter()
            .map(|leaf| {
                format!("{} {} {:?} {}", leaf.path.join("."), leaf.offset_bytes, leaf.dims, leaf.no_diff)
            })
            .collect();
        assert_eq!(
            shown,
            [
                "on 0 [] true",
                "p 4 [(3, 4)] false",
                "w 16 [] true",
                "t.h 20 [(2, 12)] false",
                "t.v 24 [(2, 12), (2, 4)] false"
            ]
        );
    }

    #[test]
    fn a_gradient_has_the_layout_less_what_has_no_derivative() {
        let record = record(MIXED).expect("a record");
        assert_eq!(
            record.differential().expect("floats").to_string(),
            "{ p: float32 (3,) at 4, t: { h: float16 at 0, v: float32 (2,) at 4; 12 bytes } (2,) at 20; 44 bytes }"
        );
        assert!(!record.is_like(&record.differential().expect("floats")));
        assert_ne!(record.words(), record.differential().expect("floats").words());
    }

    #[test]
    fn one_dtype_without_gaps_is_uniform() {
        let uniform = |text: &str| record(text).expect("a record").uniform();
        assert_eq!(uniform("struct S { a: vec<f32, 3>, b: [f32; 2] }"), Some((DType::F32, 5)));
        assert_eq!(uniform("struct S { a: vec<f32, 3>, b: i32 }"), None);
        assert_eq!(uniform(MIXED), None);
    }

    #[test]
    fn pointers_and_nothing_are_no_records() {
        assert!(record("struct S { p: ptr<f32> }").is_none());
        assert!(record("struct S { }").is_none());
    }
}
