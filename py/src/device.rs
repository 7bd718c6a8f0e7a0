//! `Device` and `DeviceType`.

use crate::errors::{diagnostic, guard, to_py};
use pullback_base::{Code, Diagnostic};
use pullback_device::DeviceType;
use pullback_dispatch::{Context, Convention};
use pyo3::prelude::*;
use std::path::PathBuf;

/// Which kind of device. `automatic` takes CUDA, else Vulkan on a real GPU, else the CPU.
#[pyclass(name = "DeviceType", module = "pullback", eq, eq_int, frozen, hash, from_py_object)]
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[allow(non_camel_case_types)] // the names Python users type
pub enum PyDeviceType {
    automatic,
    cpu,
    vulkan,
    cuda,
    null,
}

impl From<PyDeviceType> for DeviceType {
    fn from(ty: PyDeviceType) -> Self {
        match ty {
            PyDeviceType::automatic => DeviceType::Automatic,
            PyDeviceType::cpu => DeviceType::Cpu,
            PyDeviceType::vulkan => DeviceType::Vulkan,
            PyDeviceType::cuda => DeviceType::Cuda,
            PyDeviceType::null => DeviceType::Null,
        }
    }
}

/// An open device.
#[pyclass(name = "Device", module = "pullback", frozen)]
pub struct PyDevice {
    pub context: Context,
    pub include_paths: Vec<PathBuf>,
    /// Of the modules that do not say it themselves.
    pub gradient_convention: Convention,
}

/// `torch` or `slang`.
pub fn convention(py: Python<'_>, name: &str) -> PyResult<Convention> {
    match name {
        "torch" => Ok(Convention::Torch),
        "slang" => Ok(Convention::Slang),
        other => {
            let message = format!("no gradient convention is called {other:?}");
            let found = Diagnostic::error(Code::UnknownArgument, message);
            Err(diagnostic(py, found.help("the conventions are \"torch\" and \"slang\"")))
        }
    }
}

#[pymethods]
impl PyDevice {
    #[new]
    #[pyo3(signature = (r#type = PyDeviceType::automatic, include_paths = Vec::new(), gradient_convention = "torch"))]
    fn new(
        py: Python<'_>,
        r#type: PyDeviceType,
        include_paths: Vec<PathBuf>,
        gradient_convention: &str,
    ) -> PyResult<Self> {
        guard(py, || {
            let gradient_convention = convention(py, gradient_convention)?;
            let context = py.detach(|| Context::open(r#type.into())).map_err(|e| to_py(py, &e))?;
            Ok(Self { context, include_paths, gradient_convention })
        })
    }

    /// The kind of device this is (never `automatic`).
    #[getter]
    fn r#type(&self) -> PyDeviceType {
        match self.context.device().device_type() {
            DeviceType::Vulkan => PyDeviceType::vulkan,
            DeviceType::Cuda => PyDeviceType::cuda,
            DeviceType::Null => PyDeviceType::null,
            DeviceType::Cpu | DeviceType::Automatic => PyDeviceType::cpu,
        }
    }

    /// What the driver calls it.
    #[getter]
    fn name(&self) -> &str {
        self.context.device().name()
    }

    /// Waits until all work submitted is done.
    fn synchronize(&self, py: Python<'_>) -> PyResult<()> {
        guard(py, || py.detach(|| self.context.device().synchronize()).map_err(|e| to_py(py, &e.into())))
    }

    fn __repr__(&self) -> String {
        format!("Device({}, {:?})", self.context.device().device_type().name(), self.name())
    }
}

/// Adds a folder where NVRTC is looked for.
#[pyfunction]
pub fn add_library_path(path: PathBuf) {
    pullback_device::cuda::add_library_path(path);
}
