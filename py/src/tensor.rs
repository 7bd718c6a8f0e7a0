//! `Tensor`: device memory with a dtype and a shape.

use crate::device::PyDevice;
use crate::errors::{diagnostic, guard, to_py};
use crate::numpy_array;
use crate::structs::PyStruct;
use numpy::PyUntypedArray;
use pullback_base::{Code, DType, Diagnostic, Shape};
use pullback_dispatch::{Record, Tensor};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use std::sync::Arc;

/// A C-contiguous array in a device's memory.
#[pyclass(name = "Tensor", module = "pullback", frozen)]
pub struct PyTensor(pub Tensor);

#[pymethods]
impl PyTensor {
    /// An uninitialized tensor of that shape; the dtype by NumPy's name, or a struct of a module.
    #[staticmethod]
    #[pyo3(signature = (device, shape, dtype = None))]
    fn empty(
        py: Python<'_>,
        device: &PyDevice,
        shape: Vec<i64>,
        dtype: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        make(py, &shape, dtype, |of, shape| match of {
            Of::Numbers(dtype) => Tensor::empty(&device.context, dtype, shape),
            Of::Structs(record) => Tensor::empty_of(&device.context, &record, shape),
        })
    }

    /// A tensor of zeros.
    #[staticmethod]
    #[pyo3(signature = (device, shape, dtype = None))]
    fn zeros(
        py: Python<'_>,
        device: &PyDevice,
        shape: Vec<i64>,
        dtype: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        make(py, &shape, dtype, |of, shape| match of {
            Of::Numbers(dtype) => Tensor::zeros(&device.context, dtype, shape),
            Of::Structs(record) => Tensor::zeros_of(&device.context, &record, shape),
        })
    }

    /// A copy of a NumPy array, of its shape and dtype.
    #[staticmethod]
    fn from_numpy(py: Python<'_>, device: &PyDevice, array: &Bound<'_, PyAny>) -> PyResult<Self> {
        guard(py, || {
            let numpy = py.import("numpy")?;
            if let Ok(array) = array.cast::<PyUntypedArray>() {
                numpy_array::refuse_masked(array).map_err(|d| diagnostic(py, d))?;
            } else if !array.is_instance(&numpy.getattr("generic")?)? {
                let message = format!("`array` is a {}", array.get_type().name()?);
                let found = Diagnostic::error(Code::ArgumentType, message);
                return Err(diagnostic(py, found.help("pass a NumPy array, or np.array(...) of it")));
            }
            let kwargs = PyDict::new(py);
            kwargs.set_item("order", "C")?;
            let packed = numpy.call_method("asarray", (array,), Some(&kwargs))?;
            let packed = packed.cast::<PyUntypedArray>()?;
            let view = numpy_array::view(packed).map_err(|d| diagnostic(py, d))?;
            let tensor = match &view.record {
                Some(record) => Tensor::empty_of(&device.context, record, view.shown_shape()),
                None => Tensor::empty(&device.context, view.dtype, view.shape.clone()),
            };
            let tensor = tensor.map_err(|e| to_py(py, &e))?;
            // SAFETY: the array is contiguous, alive, and not written while the interpreter is held.
            let bytes = unsafe { std::slice::from_raw_parts(view.address as *const u8, tensor.size_bytes()) };
            tensor.write_bytes(bytes).map_err(|e| to_py(py, &e))?;
            Ok(Self(tensor))
        })
    }

    /// A copy as a NumPy array, after all launches that write the tensor.
    fn to_numpy<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        guard(py, || {
            let (array, view) = match self.0.record() {
                Some(record) => numpy_array::empty_of(py, record, self.0.shape())?,
                None => {
                    numpy_array::empty(py, self.0.dtype(), self.0.shape()).map_err(|d| diagnostic(py, d))?
                }
            };
            // SAFETY: the array was just made, contiguous, of the tensor's size; any bytes are numbers.
            let bytes =
                unsafe { std::slice::from_raw_parts_mut(view.address as *mut u8, self.0.size_bytes()) };
            py.detach(|| self.0.read_bytes(bytes)).map_err(|e| to_py(py, &e))?;
            Ok(array)
        })
    }

    /// Sizes per dimension.
    #[getter]
    fn shape<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.0.shape().dims())
    }

    /// NumPy's name of the dtype, or the struct that its elements are.
    #[getter]
    fn dtype<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match self.0.record() {
            Some(record) => Ok(Bound::new(py, PyStruct::new(record.clone()))?.into_any()),
            None => Ok(self.0.dtype().numpy_name().into_pyobject(py)?.into_any()),
        }
    }

    fn __repr__(&self) -> String {
        format!("{:?}", self.0)
    }
}

/// What a tensor is of.
enum Of {
    Numbers(DType),
    Structs(Arc<Record>),
}

fn make(
    py: Python<'_>,
    shape: &[i64],
    dtype: Option<&Bound<'_, PyAny>>,
    build: impl FnOnce(Of, Shape) -> Result<Tensor, pullback_dispatch::Error>,
) -> PyResult<PyTensor> {
    guard(py, || {
        let of = match dtype.map(|dtype| (dtype, dtype.cast::<PyStruct>())) {
            None => Some(Of::Numbers(DType::F32)),
            Some((_, Ok(of))) => Some(Of::Structs(of.get().record.clone())),
            Some((name, Err(_))) => {
                let name = name.extract::<String>().unwrap_or_default();
                DType::ALL.into_iter().find(|known| known.numpy_name() == name).map(Of::Numbers)
            }
        };
        let Some(of) = of.filter(|_| shape.iter().all(|&size| size >= 0)) else {
            let names: Vec<&str> = DType::ALL.iter().map(|dtype| dtype.numpy_name()).collect();
            let given =
                dtype.map_or(Ok("'float32'".into()), |dtype| dtype.repr().map(|it| it.to_string()))?;
            let what = Diagnostic::error(
                Code::DtypeMismatch,
                format!("no tensor has dtype {given} and shape {shape:?}"),
            )
            .help(format!(
                "sizes are not negative; dtypes are {}, and structs of modules, like module.S",
                names.join(", ")
            ));
            return Err(diagnostic(py, what));
        };
        build(of, Shape::from(shape)).map(PyTensor).map_err(|e| to_py(py, &e))
    })
}
