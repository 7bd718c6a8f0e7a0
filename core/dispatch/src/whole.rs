//! Whole arrays: parameters that take an array as it is, for every lane, as a pointer and its sizes.
//!
//! A type does so by its form. A buffer is `{ data: ptr, count: i64 }` (or `bytes` for one of bytes). A tensor is
//! `{ data: buffer, first: i64, sizes: [u32; D], strides: [i64; D] }`: element `(i, j, ..)` is number
//! `first + i strides[0] + j strides[1] + ..` of the buffer, which begins at the array's lowest address.

use crate::args::ArrayView;
use crate::record::Record;
use crate::slot::Slot;
use crate::words::Words;
use pullback_base::{Code, DType, Diagnostic, Shape, Span};
use pullback_ir::{MatrixOrder, StructType, Type};
use smallvec::SmallVec;
use std::sync::Arc;

/// What a whole array is passed as.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// Elements one after another, counted; how those that are matrices lie.
    Elements(MatrixOrder),
    /// Bytes one after another, counted, of any dtype.
    Bytes,
    /// So many dims, by strides.
    Tensor { rank: usize },
}

/// A parameter that takes a whole array of elements.
pub struct Whole {
    pub form: Form,
    pub element: Element,
}

/// An element of an array: numbers of one dtype, or a struct, which is seen as its bytes.
#[derive(Clone)]
pub struct Element {
    pub dtype: DType,
    /// `(3,)` for elements of type float3.
    pub shape: Shape,
    /// How the struct lies in its bytes.
    pub record: Option<Arc<Record>>,
}

impl Element {
    pub fn of_record(record: &Arc<Record>) -> Self {
        let shape = Shape::from([record.size_bytes as i64]);
        Self { dtype: DType::U8, shape, record: Some(record.clone()) }
    }
}

impl Whole {
    /// What a struct of that type takes, by its form.
    pub fn of(structure: &StructType, element: impl Fn(&Type) -> Option<Element>) -> Option<Whole> {
        let fields: Vec<(&str, &Type)> = structure.fields.iter().map(|f| (&*f.name, &f.ty)).collect();
        match fields.as_slice() {
            [("data", Type::Pointer(of)), ("count", count)] if **count == Type::I64 => {
                Some(Whole { form: Form::Elements(order_within(of)), element: element(of)? })
            }
            [("data", Type::Pointer(_)), ("bytes", bytes)] if **bytes == Type::I64 => {
                let element = Element { dtype: DType::U8, shape: Shape::scalar(), record: None };
                Some(Whole { form: Form::Bytes, element })
            }
            [
                ("data", Type::Struct(data)),
                ("first", first),
                ("sizes", Type::Array(size, rank)),
                ("strides", Type::Array(stride, strides)),
            ] if rank == strides && **first == Type::I64 && **size == Type::U32 && **stride == Type::I64 => {
                let data =
                    Whole::of(data, element).filter(|data| data.form == Form::Elements(MatrixOrder::Rows))?;
                Some(Whole { form: Form::Tensor { rank: *rank as usize }, ..data })
            }
            _ => None,
        }
    }

    /// What may be passed.
    pub fn describe(&self) -> String {
        let Element { dtype, shape, record } = &self.element;
        let of = match (record, shape.rank()) {
            (Some(record), _) => record.shown(),
            (None, 0) => dtype.numpy_name().to_owned(),
            (None, _) => format!("{} {shape}", dtype.numpy_name()),
        };
        match self.form {
            Form::Bytes => "a whole array of any dtype".to_owned(),
            Form::Elements(_) => format!("a whole array of {of}"),
            Form::Tensor { rank } => format!("a whole array of {of}, of {rank} dims"),
        }
    }
}

/// How matrices lie that are the elements of a buffer, or of arrays that are.
fn order_within(element: &Type) -> MatrixOrder {
    match element {
        Type::Matrix { order, .. } => *order,
        Type::Array(element, _) => order_within(element),
        _ => MatrixOrder::Rows,
    }
}

const COLUMNS_HELP: &str =
    "pass a copy like np.ascontiguousarray(x.swapaxes(-1, -2)).swapaxes(-1, -2), x.mT.contiguous().mT";

/// Whether it is in C order with the last two dims the other way round: `x[.., i, j]` is row `i`, column `j` all the same.
fn columns_together(array: &ArrayView) -> bool {
    let rank = array.shape.rank();
    if rank < 2 {
        return false;
    }
    let mut turned: SmallVec<[i64; 6]> = SmallVec::from_slice(array.shape.dims());
    turned.swap(rank - 2, rank - 1);
    let mut strides = array.strides.clone();
    strides.swap(rank - 2, rank - 1);
    ArrayView { shape: Shape::from(turned), strides, ..array.clone() }.is_contiguous()
}

/// The words of a whole array: its lowest address, then its sizes.
///
/// # Errors
/// `element-shape` where the array's form is not the parameter's.
pub fn words(slot: &Slot, form: Form, array: &ArrayView, span: Span) -> Result<Words, Diagnostic> {
    let refuse = |what: String, help: &str| {
        let message = format!("`{}` takes {what}, but got {}", slot.path, array.shown_shape());
        Err(Diagnostic::error(Code::ElementShape, message).at(span, "declared here").help(help))
    };
    let element_shape = slot.element_of(array);
    let element = element_shape.dims();
    let Some(dims) = array.shape.dims().strip_suffix(element) else {
        let what = format!("an array whose last dims are {element_shape}");
        return refuse(what, "make the array's last dims those of the element's type");
    };
    let (address, size_bytes) = array.byte_range();
    let elements = element_shape.count().max(1);
    let (lane_strides, inner) = array.strides.split_at(dims.len());
    let in_order = array.shape.count() == 0
        || match form {
            Form::Elements(MatrixOrder::Columns) => columns_together(array),
            Form::Elements(MatrixOrder::Rows) | Form::Bytes => array.is_contiguous(),
            Form::Tensor { .. } => {
                let inner = inner.iter().zip(element).zip(element_shape.contiguous_strides());
                let sizes = lane_strides.iter().zip(dims);
                inner.into_iter().all(|((&stride, &size), packed)| size == 1 || stride == packed)
                    && sizes.into_iter().all(|(&stride, &size)| size == 1 || stride % elements == 0)
            }
        };
    if !in_order {
        let (what, help) = match form {
            Form::Elements(MatrixOrder::Columns) => {
                ("an array whose columns of matrices lie together, one after another", COLUMNS_HELP)
            }
            _ => (
                "an array whose elements lie together",
                "pass a contiguous copy: np.ascontiguousarray(x), x.contiguous()",
            ),
        };
        return refuse(what.to_owned(), help);
    }
    if let Some(record) = slot.record.as_ref().filter(|record| address % record.align_bytes != 0) {
        let what = format!("structs at multiples of {} bytes", record.align_bytes);
        return refuse(what, "pass a copy: x.copy(), x.clone()");
    }
    let count = size_bytes as i64 / (elements * array.dtype.size_bytes() as i64);
    let address = if size_bytes == 0 { 0 } else { address };
    let mut words = Words::from_slice(&[address]);
    match form {
        Form::Bytes => words.push(size_bytes),
        Form::Elements(_) => words.push(count as u64),
        Form::Tensor { rank } if rank != dims.len() => {
            return refuse(format!("a tensor of {rank} dims"), "pass an array of as many dims");
        }
        Form::Tensor { .. } => {
            if dims.iter().any(|&size| size > i64::from(u32::MAX)) {
                return refuse("sizes below 2^32".into(), "pass a smaller array");
            }
            let strides: Vec<i64> = lane_strides.iter().map(|stride| stride / elements).collect();
            let first: i64 =
                dims.iter().zip(&strides).map(|(size, stride)| -((size - 1) * stride).min(0)).sum();
            words.extend([count as u64, if size_bytes == 0 { 0 } else { first as u64 }]);
            words.extend(dims.iter().map(|&size| size as u64));
            words.extend(strides.iter().map(|&stride| stride as u64));
        }
    }
    Ok(words)
}
