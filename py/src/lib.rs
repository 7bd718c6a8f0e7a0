//! The native half of the Python package: thin classes over the call layer.
//!
//! Python and torch objects become array views here, and nothing below knows of them.

mod argnums;
mod args;
mod derived;
mod device;
mod errors;
mod explanation;
mod function;
mod module;
mod numpy_array;
mod output;
mod place;
mod recorded;
mod structs;
mod tensor;

use pyo3::prelude::*;

#[pymodule(gil_used = true)]
mod _native {
    #[pymodule_export]
    use crate::derived::PyBackward;
    #[pymodule_export]
    use crate::device::{PyDevice, PyDeviceType, add_library_path};
    #[pymodule_export]
    use crate::errors::error_codes;
    #[pymodule_export]
    use crate::explanation::PyExplanation;
    #[pymodule_export]
    use crate::function::PyFunction;
    #[pymodule_export]
    use crate::module::PyModule_;
    #[pymodule_export]
    use crate::recorded::PyRecordedCall;
    #[pymodule_export]
    use crate::structs::PyStruct;
    #[pymodule_export]
    use crate::tensor::PyTensor;
}
