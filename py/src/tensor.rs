//! `Tensor`: device memory with a dtype and a shape.

use crate::device::PyDevice;
use crate::errors::{diagnostic, guard, to_py};
use crate::numpy_array;
use numpy::PyUntypedArray;
use pullback_base::{Code, DType, Diagnostic, Shape};
use pullback_dispatch::Tensor;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

/// A C-contiguous array in a device's memory.
#[pyclass(name = "Tensor", module = "pullback", frozen)]
pub struct PyTensor(pub Tensor);

#[pymethods]
impl PyTensor {
    /// An uninitialized tensor of that shape; dtype by NumPy's name.
    #[staticmethod]
    #[pyo3(signature = (device, shape, dtype = "float32"))]
    fn empty(py: Python<'_>, device: &PyDevice, shape: Vec<i64>, dtype: &str) -> PyResult<Self> {
        make(py, device, &shape, dtype, Tensor::empty)
    }

    /// A tensor of zeros.
    #[staticmethod]
    #[pyo3(signature = (device, shape, dtype = "float32"))]
    fn zeros(py: Python<'_>, device: &PyDevice, shape: Vec<i64>, dtype: &str) -> PyResult<Self> {
        make(py, device, &shape, dtype, Tensor::zeros)
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
            let shape = view.shape.clone();
            let tensor = Tensor::empty(&device.context, view.dtype, shape).map_err(|e| to_py(py, &e))?;
            // SAFETY: the array is contiguous, alive, and not written while the interpreter is held.
            let bytes = unsafe { std::slice::from_raw_parts(view.address as *const u8, tensor.size_bytes()) };
            tensor.write_bytes(bytes).map_err(|e| to_py(py, &e))?;
            Ok(Self(tensor))
        })
    }

    /// A copy as a NumPy array, after all launches that write the tensor.
    fn to_numpy<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        guard(py, || {
            let (array, view) =
                numpy_array::empty(py, self.0.dtype(), self.0.shape()).map_err(|d| diagnostic(py, d))?;
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

    /// NumPy's name of the dtype.
    #[getter]
    fn dtype(&self) -> &'static str {
        self.0.dtype().numpy_name()
    }

    fn __repr__(&self) -> String {
        format!("{:?}", self.0)
    }
}

fn make(
    py: Python<'_>,
    device: &PyDevice,
    shape: &[i64],
    dtype: &str,
    build: fn(&pullback_dispatch::Context, DType, Shape) -> Result<Tensor, pullback_dispatch::Error>,
) -> PyResult<PyTensor> {
    guard(py, || {
        let known = DType::ALL.into_iter().find(|known| known.numpy_name() == dtype);
        let Some(dtype) = known.filter(|_| shape.iter().all(|&size| size >= 0)) else {
            let names: Vec<&str> = DType::ALL.iter().map(|dtype| dtype.numpy_name()).collect();
            let what = Diagnostic::error(
                Code::DtypeMismatch,
                format!("no tensor has dtype {dtype:?} and shape {shape:?}"),
            )
            .help(format!("sizes are not negative; dtypes are {}", names.join(", ")));
            return Err(diagnostic(py, what));
        };
        build(&device.context, dtype, Shape::from(shape)).map(PyTensor).map_err(|e| to_py(py, &e))
    })
}
