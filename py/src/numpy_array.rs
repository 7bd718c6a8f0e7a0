//! NumPy arrays as array views, and new NumPy arrays.

use crate::errors::diagnostic;
use crate::output::out_of_memory;
use crate::structs;
use numpy::npyffi::{NpyTypes, PY_ARRAY_API, PyArrayObject, get_type_object, npy_intp};
use numpy::{PyArrayDescrMethods, PyUntypedArray, PyUntypedArrayMethods};
use pullback_base::{Code, DType, Diagnostic, Shape};
use pullback_dispatch::{ArrayView, Location, Record};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::type_object::PyTypeInfo;
use pyo3::types::{PyTuple, PyType};
use smallvec::SmallVec;
use std::ffi::c_int;
use std::ptr;
use std::sync::Arc;

/// The array's memory as it is, or what keeps a kernel from using it.
pub fn view(array: &Bound<'_, PyUntypedArray>) -> Result<ArrayView, Diagnostic> {
    refuse_masked(array)?;
    let described = array.dtype();
    let refuse = |what: String, help: &str| Err(Diagnostic::error(Code::ArgumentType, what).help(help));
    // SAFETY: the object is an ndarray, and alive for this call.
    let fields = unsafe { &(*array.as_array_ptr()).fields };
    const ALIGNED: i32 = 0x100;
    const WRITEABLE: i32 = 0x400;
    let writable = fields.flags & WRITEABLE != 0;
    if described.has_fields() {
        return match structs::record_of(&described) {
            Ok(record) => {
                let shape = Shape::from(dims(array));
                let one = ArrayView::of_records(fields.data as u64, &record.into(), &shape, Location::Host);
                let strides = array.strides().iter().map(|&stride| stride as i64).chain([1]).collect();
                Ok(ArrayView { strides, writable, ..one })
            }
            Err(field) => refuse(
                format!("the field {field:?} of its structs has no counterpart in kernels"),
                "convert it with x.astype(...)",
            ),
        };
    }
    let Some(dtype) = dtype_of(described.num()).filter(|_| described.is_native_byteorder() != Some(false))
    else {
        let name = described.str().map_or_else(|_| "?".into(), |name| name.to_string());
        return refuse(
            format!("arrays of dtype {name} have no counterpart in kernels"),
            "convert it with x.astype(...)",
        );
    };
    let item = dtype.size_bytes() as isize;
    if array.strides().iter().any(|stride| stride % item != 0) {
        return refuse("the array's strides are not multiples of its item size".into(), "pass x.copy()");
    }
    if fields.flags & ALIGNED == 0 {
        return refuse("the array's memory is not aligned".into(), "pass x.copy()");
    }
    Ok(ArrayView {
        address: fields.data as u64,
        dtype,
        shape: Shape::from(dims(array)),
        strides: array.strides().iter().map(|stride| (stride / item) as i64).collect(),
        location: Location::Host,
        writable,
        record: None,
    })
}

fn dims(array: &Bound<'_, PyUntypedArray>) -> SmallVec<[i64; 6]> {
    array.shape().iter().map(|&size| size as i64).collect()
}

/// NumPy's type numbers on the platforms Pullback runs on (64-bit, `long` 64 bits wide but on Windows).
pub fn dtype_of(type_number: i32) -> Option<DType> {
    let long_is_wide = size_of::<std::ffi::c_long>() == 8;
    Some(match type_number {
        0 => DType::Bool,
        1 => DType::I8,
        2 => DType::U8,
        3 => DType::I16,
        4 => DType::U16,
        5 => DType::I32,
        6 => DType::U32,
        7 if long_is_wide => DType::I64,
        8 if long_is_wide => DType::U64,
        7 => DType::I32,
        8 => DType::U32,
        9 => DType::I64,
        10 => DType::U64,
        11 => DType::F32,
        12 => DType::F64,
        23 => DType::F16,
        _ => return None,
    })
}

/// NumPy's type number of a dtype; bfloat16 has none.
fn type_number(dtype: DType) -> Option<i32> {
    (0..24).find(|&number| dtype_of(number) == Some(dtype))
}

/// A new C-contiguous array, uninitialized, with its view.
pub fn empty<'py>(
    py: Python<'py>,
    dtype: DType,
    shape: &Shape,
) -> Result<(Bound<'py, PyAny>, ArrayView), Diagnostic> {
    let Some(number) = type_number(dtype) else {
        return Err(Diagnostic::error(Code::DtypeMismatch, "NumPy has no bfloat16")
            .help("pass torch tensors, or pullback Tensors"));
    };
    let mut dims: SmallVec<[npy_intp; 6]> = shape.dims().iter().map(|&size| size as npy_intp).collect();
    let (rank, null) = (dims.len() as c_int, ptr::null_mut());
    // SAFETY: `dims` has `rank` sizes; without strides and data NumPy allocates. It gives a new reference, or null with
    // an exception set. The memory is only read after the call has written every element of it.
    let array = unsafe {
        let class = get_type_object(py, NpyTypes::PyArray_Type);
        let dims = dims.as_mut_ptr();
        let made = PY_ARRAY_API.PyArray_New(
            py,
            class,
            rank,
            dims,
            number,
            ptr::null_mut(),
            null,
            0,
            0,
            ptr::null_mut(),
        );
        Bound::from_owned_ptr_or_err(py, made)
    };
    let array = array.map_err(|error| out_of_memory(py, &error))?;
    // SAFETY: the array was just made.
    let address = unsafe { (*array.as_ptr().cast::<PyArrayObject>()).fields.data } as u64;
    Ok((array, ArrayView::contiguous(address, dtype, shape.clone(), Location::Host)))
}

/// A new C-contiguous array of structs, of that shape, uninitialized, with its view.
pub fn empty_of<'py>(
    py: Python<'py>,
    record: &Arc<Record>,
    shape: &Shape,
) -> PyResult<(Bound<'py, PyAny>, ArrayView)> {
    let dtype = structs::numpy_dtype(py, record)?;
    let array = py.import("numpy")?.call_method1("empty", (PyTuple::new(py, shape.dims())?, dtype));
    let array = array.map_err(|error| diagnostic(py, out_of_memory(py, &error)))?;
    // SAFETY: the array was just made.
    let address = unsafe { (*array.as_ptr().cast::<PyArrayObject>()).fields.data } as u64;
    let view = ArrayView::of_records(address, record, shape, Location::Host);
    Ok((array, view))
}

/// Refuses an array whose mask a kernel would not see.
pub fn refuse_masked(array: &Bound<'_, PyUntypedArray>) -> Result<(), Diagnostic> {
    let py = array.py();
    if array.get_type().is(PyUntypedArray::type_object(py)) {
        return Ok(());
    }
    static MASKED: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let masked = MASKED.import(py, "numpy.ma", "MaskedArray");
    if masked.is_ok_and(|masked| array.is_instance(masked).unwrap_or(false)) {
        return Err(Diagnostic::error(Code::ArgumentType, "a masked array's mask has no meaning in kernels")
            .help("pass x.filled(...) with a value for what is masked"));
    }
    Ok(())
}
