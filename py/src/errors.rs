//! All conversions from errors of the call layer to Python exceptions, and the one place where a panic ends.

use pullback_base::{Code, ErrorClass};
use pullback_dispatch::Error;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The Python exception of an error: its class by the code's class, with `code`, `spans` and `help`.
pub fn to_py(py: Python<'_>, error: &Error) -> PyErr {
    let class = match error.code() {
        Code::UnknownFunction => "UnknownFunctionError",
        code => match code.class() {
            // A warning that the program made an error.
            ErrorClass::Compile | ErrorClass::Warning => "CompileError",
            ErrorClass::Bind => "BindError",
            ErrorClass::Shape => "ShapeError",
            ErrorClass::Gradient => "GradientError",
            ErrorClass::Device => "DeviceError",
        },
    };
    let build = || -> PyResult<PyErr> {
        let spans = PyList::empty(py);
        for diagnostic in error.diagnostics().iter().filter(|d| d.is_error()) {
            let span = diagnostic.span();
            if let Some(file) = span.file() {
                let (line, column) = error.sources().file(file).line_column(span.start);
                spans.append((&*error.sources().file(file).name, line, column))?;
            }
        }
        let kwargs = PyDict::new(py);
        kwargs.set_item("code", error.code().text())?;
        kwargs.set_item("spans", spans)?;
        kwargs.set_item("help", error.help())?;
        raise(py, class, &error.to_string(), &kwargs)
    };
    build().unwrap_or_else(|failed| failed)
}

fn raise(py: Python<'_>, class: &str, message: &str, kwargs: &Bound<'_, PyDict>) -> PyResult<PyErr> {
    let class = py.import("pullback.errors")?.getattr(class)?;
    Ok(PyErr::from_value(class.call((message,), Some(kwargs))?))
}

/// `(code, class of the exception or warning, meaning)` of every code, for `pullback explain` and the documentation.
#[pyfunction]
pub fn error_codes() -> Vec<(&'static str, String, &'static str)> {
    let class = |code: &Code| match code.class() {
        ErrorClass::Warning => "UserWarning".to_owned(),
        class => format!("{class:?}Error"),
    };
    Code::ALL.iter().map(|code| (code.text(), class(code), code.meaning())).collect()
}

/// Runs an entry point. A panic is a bug of ours: it becomes `InternalError`, and goes no further.
pub fn guard<T>(py: Python<'_>, run: impl FnOnce() -> PyResult<T>) -> PyResult<T> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(result) => result,
        Err(payload) => {
            let message = payload
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| payload.downcast_ref::<&str>().copied())
                .unwrap_or("a panic without a message");
            let text = format!(
                "{message}\nThis is a bug in pullback; please report it with the kernel and the call."
            );
            let kwargs = PyDict::new(py);
            kwargs.set_item("code", "internal")?;
            Err(raise(py, "InternalError", &text, &kwargs)?)
        }
    }
}

/// The exception of an error found at the rim itself.
pub fn diagnostic(py: Python<'_>, diagnostic: pullback_base::Diagnostic) -> PyErr {
    to_py(py, &diagnostic.into())
}
