//! `Struct`: how a struct of a module lies in memory, and the same of NumPy's structured dtypes.

use crate::errors::{diagnostic, guard};
use crate::numpy_array::dtype_of;
use numpy::{PyArrayDescr, PyArrayDescrMethods};
use pullback_base::{Code, DType, Diagnostic, Shape};
use pullback_dispatch::{FieldType, Record, RecordField};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple};
use std::sync::Arc;

/// A struct of a module, of which functions take whole arrays.
#[pyclass(name = "Struct", module = "pullback", frozen)]
pub struct PyStruct {
    pub record: Arc<Record>,
    dtype: PyOnceLock<Py<PyAny>>,
}

impl PyStruct {
    pub fn new(record: Arc<Record>) -> Self {
        Self { record, dtype: PyOnceLock::new() }
    }
}

#[pymethods]
impl PyStruct {
    /// The struct's name.
    #[getter(__name__)]
    fn name(&self) -> &str {
        &self.record.name
    }

    /// NumPy's dtype with the same fields in the same places: `np.zeros(n, module.S.dtype)` is an array of such structs.
    #[getter]
    fn dtype<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let make = || numpy_dtype(py, &self.record).map(Bound::unbind);
        guard(py, || Ok(self.dtype.get_or_try_init(py, make)?.bind(py).clone()))
    }

    /// The size of one struct in bytes.
    #[getter]
    fn itemsize(&self) -> u64 {
        self.record.size_bytes
    }

    fn __repr__(&self) -> String {
        format!("<pullback struct {} {}>", self.record.name, self.record)
    }
}

/// NumPy's dtype of such structs.
pub fn numpy_dtype<'py>(py: Python<'py>, record: &Record) -> PyResult<Bound<'py, PyAny>> {
    let (mut names, mut formats, mut offsets) = (Vec::new(), Vec::new(), Vec::new());
    for field in &record.fields {
        let of = match &field.of {
            FieldType::Number(DType::BF16) => {
                let found = Diagnostic::error(Code::DtypeMismatch, "NumPy has no bfloat16");
                return Err(diagnostic(py, found.help("pass a dict of torch tensors, one per field")));
            }
            FieldType::Number(dtype) => dtype.numpy_name().into_pyobject(py)?.into_any(),
            FieldType::Record(inner) => numpy_dtype(py, inner)?,
        };
        names.push(&*field.name);
        formats.push((of, PyTuple::new(py, field.dims.dims())?));
        offsets.push(field.offset_bytes);
    }
    let spec = PyDict::new(py);
    spec.set_item("names", names)?;
    spec.set_item("formats", formats)?;
    spec.set_item("offsets", offsets)?;
    spec.set_item("itemsize", record.size_bytes)?;
    py.import("numpy")?.call_method1("dtype", (spec,))
}

/// How the structs of a NumPy dtype lie in memory; the field that has no counterpart in kernels, if there is one.
pub fn record_of(dtype: &Bound<'_, PyArrayDescr>) -> Result<Record, String> {
    let mut fields = Vec::new();
    for name in dtype.names().unwrap_or_default() {
        let Ok((field, offset)) = dtype.get_field(&name) else { return Err(name) };
        let base = field.base();
        let of = if base.has_fields() {
            FieldType::Record(record_of(&base).map_err(|below| format!("{name}.{below}"))?.into())
        } else {
            match dtype_of(base.num()).filter(|_| base.is_native_byteorder() != Some(false)) {
                Some(number) => FieldType::Number(number),
                None => return Err(name),
            }
        };
        let dims: Vec<i64> = field.shape().into_iter().map(|size| size as i64).collect();
        fields.push(RecordField {
            name: name.into(),
            offset_bytes: offset as u64,
            dims: Shape::from(dims),
            of,
            no_diff: false,
        });
    }
    let (size_bytes, align_bytes) = (dtype.itemsize() as u64, dtype.alignment() as u64);
    Ok(Record { name: "".into(), fields, size_bytes, align_bytes })
}
