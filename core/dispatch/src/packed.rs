//! Whole arrays of structs whose fields are given as arrays of their own: packed into structs for the call, and what it
//! writes, and the gradients of the structs, taken apart again.

use crate::args::{ArrayView, Location};
use crate::bind::{FieldSource, Input};
use crate::record::{Record, RecordLeaf};
use crate::slot::Slot;
use crate::whole;
use crate::words::Words;
use pullback_base::{Code, DType, Diagnostic, Shape, bug};
use smallvec::SmallVec;
use std::sync::Arc;

/// One array of structs to pack.
pub struct Packed {
    /// Number of the input that it is for.
    pub input: usize,
    /// Where its address goes.
    pub word: usize,
    pub record: Arc<Record>,
    /// How many structs there are.
    pub count: i64,
    /// The shape of the array of structs.
    lanes: Shape,
    fields: SmallVec<[(ArrayView, RecordLeaf); 4]>,
    /// Whether the call writes the structs: their fields then go back to the arrays that they came from.
    pub written: bool,
    /// Fields whose gradients are asked for, and the outputs that these go to.
    pub gradients: SmallVec<[(usize, usize); 4]>,
    /// The cotangents of what the call leaves in fields.
    pub cotangents: SmallVec<[(usize, ArrayView); 4]>,
}

/// A copy of numbers between two strided arrays.
pub struct StridedCopy {
    pub dtype: DType,
    /// Of the first number on either side.
    pub from: u64,
    pub to: u64,
    /// Of each dim: size, and strides on either side, in numbers.
    pub dims: SmallVec<[[i64; 3]; 4]>,
}

impl StridedCopy {
    pub fn count(&self) -> u64 {
        self.dims.iter().map(|dim| dim[0] as u64).product()
    }

    /// The other way.
    pub fn reversed(self) -> Self {
        let dims = self.dims.iter().map(|&[size, from, to]| [size, to, from]).collect();
        Self { from: self.to, to: self.from, dims, ..self }
    }

    /// With as few dims as possible.
    fn merged(self) -> Self {
        let mut dims: SmallVec<[[i64; 3]; 4]> = SmallVec::new();
        for [size, from, to] in self.dims.iter().copied().filter(|dim| dim[0] != 1) {
            match dims.last_mut() {
                Some(outer) if outer[1] == from * size && outer[2] == to * size => {
                    *outer = [outer[0] * size, from, to];
                }
                _ => dims.push([size, from, to]),
            }
        }
        Self { dims, ..self }
    }
}

impl Packed {
    /// The array of that input, of these arrays of its fields, and its words but for the address.
    ///
    /// # Errors
    /// `element-shape` and `shape-mismatch` where the fields' arrays do not go together.
    pub fn new<'a>(
        bound: &Input,
        fields: &[FieldSource],
        arrays: impl Iterator<Item = &'a ArrayView>,
        input: usize,
        word: usize,
    ) -> Result<(Packed, Words), Diagnostic> {
        let (Some(record), Some(form)) = (&bound.slot.record, bound.slot.whole) else {
            bug!("dispatch", "input {input} is no array of structs")
        };
        let leaves = record.leaves();
        let mut lanes: Option<(&str, Shape)> = None;
        let mut taken = SmallVec::new();
        for (field, array) in fields.iter().zip(arrays) {
            let Slot { path, element_shape, .. } = &field.slot;
            let Some(dims) = array.shape.dims().strip_suffix(element_shape.dims()) else {
                let message = format!("`{path}` takes an array whose last dims are {element_shape}");
                let message = format!("{message}, but got {}", array.shape);
                return Err(Diagnostic::error(Code::ElementShape, message)
                    .at(bound.span, "declared here")
                    .help("make the array's last dims those of the field's type"));
            };
            match &lanes {
                Some((_, known)) if known.dims() == dims => {}
                None => lanes = Some((path, Shape::from(dims))),
                Some((first, known)) => {
                    let dims = Shape::from(dims);
                    let message = format!("`{first}` is of {known} structs, but `{path}` of {dims}");
                    return Err(Diagnostic::error(Code::ShapeMismatch, message)
                        .at(bound.span, "declared here")
                        .help("pass one element per struct for each field"));
                }
            }
            taken.push((array.clone(), leaves[field.field].clone()));
        }
        let lanes = lanes.map_or_else(Shape::scalar, |(_, lanes)| lanes);
        let view = ArrayView::of_records(0, record, &lanes, Location::Device);
        let words = whole::words(&bound.slot, form, &view, bound.span)?;
        let (record, count) = (record.clone(), lanes.count());
        Ok((
            Packed {
                input,
                word,
                record,
                count,
                lanes,
                fields: taken,
                written: bound.written,
                gradients: SmallVec::new(),
                cotangents: SmallVec::new(),
            },
            words,
        ))
    }

    /// What brings the fields to the structs at an address, each with the array that it comes from.
    pub fn copies(&self, to: u64) -> impl Iterator<Item = (StridedCopy, &ArrayView)> {
        self.fields.iter().map(move |(array, leaf)| (self.copy(array, leaf, to), array))
    }

    /// What brings the fields of the structs at an address back to the arrays that they came from.
    pub fn copies_back(&self, from: u64) -> impl Iterator<Item = (StridedCopy, &ArrayView)> {
        self.copies(from).map(|(copy, array)| (copy.reversed(), array))
    }

    /// What brings an array of a field's numbers to that field of the structs at an address.
    pub fn copy_to_field(&self, field: usize, from: &ArrayView, to: u64) -> StridedCopy {
        let Some(leaf) = self.record.leaves().into_iter().nth(field) else {
            bug!("dispatch", "no field {field}")
        };
        self.copy(from, &leaf, to)
    }

    fn copy(&self, from: &ArrayView, leaf: &RecordLeaf, to: u64) -> StridedCopy {
        let structs = field_place(&self.record, &self.lanes, to, leaf);
        let dims = from.strides.iter().zip(structs.dims).map(|(&from, [size, to])| [size, from, to]);
        let (dtype, from, to) = (leaf.dtype, from.address, structs.address);
        StridedCopy { dtype, from, to, dims: dims.collect() }.merged()
    }
}

/// What copies the fields that have a derivative between two arrays of like structs, both in C order.
pub fn copies_of_structs(record: &Record, count: i64, from: u64, to: u64) -> Vec<StridedCopy> {
    let lanes = Shape::from([count]);
    let copy = |leaf: RecordLeaf| {
        let (source, target) =
            (field_place(record, &lanes, from, &leaf), field_place(record, &lanes, to, &leaf));
        let dims = source.dims.iter().map(|&[size, stride]| [size, stride, stride]).collect();
        StridedCopy { dtype: leaf.dtype, from: source.address, to: target.address, dims }.merged()
    };
    record.leaves().into_iter().filter(|leaf| !leaf.no_diff).map(copy).collect()
}

/// Where a field of structs in C order lies: the first number, and size and stride of each dim, in numbers.
struct FieldPlace {
    address: u64,
    dims: SmallVec<[[i64; 2]; 4]>,
}

fn field_place(record: &Record, lanes: &Shape, structs: u64, leaf: &RecordLeaf) -> FieldPlace {
    let bytes = leaf.dtype.size_bytes() as i64;
    let outer = lanes.dims().iter().zip(lanes.contiguous_strides());
    let outer = outer.map(|(&size, stride)| [size, stride * record.size_bytes as i64 / bytes]);
    let own = leaf.dims.iter().map(|&(size, stride)| [size, stride / bytes]);
    FieldPlace { address: structs + leaf.offset_bytes, dims: outer.chain(own).collect() }
}
