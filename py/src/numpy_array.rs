//! NumPy arrays as array views, and new NumPy arrays.

use numpy::{PyArrayDescrMethods, PyArrayDyn, PyUntypedArray, PyUntypedArrayMethods};
use pullback_base::{Code, DType, Diagnostic, Shape};
use pullback_dispatch::{ArrayView, Location};
use pyo3::prelude::*;
use smallvec::SmallVec;

/// The array's memory as it is, or what keeps a kernel from using it.
pub fn view(array: &Bound<'_, PyUntypedArray>) -> Result<ArrayView, Diagnostic> {
    let described = array.dtype();
    let refuse = |what: String, help: &str| Err(Diagnostic::error(Code::ArgumentType, what).help(help));
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
    // SAFETY: the object is an ndarray, and alive for this call.
    let fields = unsafe { &(*array.as_array_ptr()).fields };
    const ALIGNED: i32 = 0x100;
    const WRITEABLE: i32 = 0x400;
    if fields.flags & ALIGNED == 0 {
        return refuse("the array's memory is not aligned".into(), "pass x.copy()");
    }
    let dims: SmallVec<[i64; 6]> = array.shape().iter().map(|&size| size as i64).collect();
    Ok(ArrayView {
        address: fields.data as u64,
        dtype,
        shape: Shape::from(dims),
        strides: array.strides().iter().map(|stride| (stride / item) as i64).collect(),
        location: Location::Host,
        writable: fields.flags & WRITEABLE != 0,
    })
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

/// A new C-contiguous array, uninitialized, with its view. bfloat16 has no NumPy dtype.
pub fn empty<'py>(
    py: Python<'py>,
    dtype: DType,
    shape: &Shape,
) -> Result<(Bound<'py, PyAny>, ArrayView), Diagnostic> {
    let dims: SmallVec<[usize; 6]> = shape.dims().iter().map(|&size| size as usize).collect();
    macro_rules! make {
        ($($dtype:ident => $ty:ty),*) => {
            match dtype {
                $(DType::$dtype => {
                    // SAFETY: the memory is only read after the call has written every element of it.
                    let array = unsafe { PyArrayDyn::<$ty>::new(py, dims.as_slice(), false) };
                    // SAFETY: the array was just made.
                    let data = unsafe { (*array.as_array_ptr()).fields.data };
                    (array.into_any(), data as u64)
                })*
                DType::BF16 => {
                    return Err(Diagnostic::error(Code::DtypeMismatch, "NumPy has no bfloat16")
                        .help("pass torch tensors, or pullback Tensors"));
                }
            }
        };
    }
    let (array, address) = make!(
        Bool => bool, I8 => i8, I16 => i16, I32 => i32, I64 => i64, U8 => u8, U16 => u16, U32 => u32, U64 => u64,
        F16 => half::f16, F32 => f32, F64 => f64
    );
    Ok((array, ArrayView::contiguous(address, dtype, shape.clone(), Location::Host)))
}
