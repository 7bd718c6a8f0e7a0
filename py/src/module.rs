//! `Module`: a compiled source file.

use crate::device::{PyDevice, convention};
use crate::errors::{diagnostic, guard, to_py};
use crate::function::{Globals, PyFunction};
use crate::structs::PyStruct;
use pullback_base::{Code, Diagnostic};
use pullback_dispatch::{Error, LoadOptions, Module};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use std::path::PathBuf;

/// A compiled source file; its functions and structs are its attributes.
#[pyclass(name = "Module", module = "pullback", frozen)]
pub struct PyModule_(pub Module);

#[pymethods]
impl PyModule_ {
    /// Compiles a `.slang`, `.hlsl` or `.wgsl` file.
    #[staticmethod]
    #[pyo3(signature = (device, path, options = None, link = None))]
    fn load_from_file(
        py: Python<'_>,
        device: &PyDevice,
        path: PathBuf,
        options: Option<&Bound<'_, PyDict>>,
        link: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        load(py, device, options, link, |options| Module::load_from_file(&device.context, &path, options))
    }

    /// Compiles a text; the extension of `name` says its language (Slang without one).
    #[staticmethod]
    #[pyo3(signature = (device, name, source, options = None, link = None))]
    fn load_from_source(
        py: Python<'_>,
        device: &PyDevice,
        name: &str,
        source: &str,
        options: Option<&Bound<'_, PyDict>>,
        link: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        load(py, device, options, link, |options| {
            Module::load_from_source(&device.context, name, source, options)
        })
    }

    /// The function of that name, or the instance `f<float>` of a generic one; `None` where there is none.
    fn find_function(&self, py: Python<'_>, name: &str) -> PyResult<Option<PyFunction>> {
        guard(py, || Ok(self.function(py, name).ok()))
    }

    /// The function of that name, or the instance `f<float>` of a generic one; raises `UnknownFunctionError` where there is none.
    fn require_function(&self, py: Python<'_>, name: &str) -> PyResult<PyFunction> {
        guard(py, || self.function(py, name).map_err(|error| to_py(py, &error)))
    }

    fn __getattr__<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        guard(py, || self.named(py, name))
    }

    fn __getitem__<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        guard(py, || self.named(py, name))
    }

    fn __dir__(&self) -> Vec<String> {
        let methods = ["find_function", "require_function", "name", "functions", "structs", "ir"];
        methods.iter().map(|&name| name.to_owned()).chain(self.functions()).chain(self.structs()).collect()
    }

    /// Names of all functions.
    #[getter]
    fn functions(&self) -> Vec<String> {
        self.0.function_names().map(str::to_owned).collect()
    }

    /// Names of the structs that functions take, by value or in arrays.
    #[getter]
    fn structs(&self) -> Vec<String> {
        let mut names: Vec<String> = self.0.records().iter().map(|record| record.name.to_string()).collect();
        names.dedup();
        names
    }

    /// The file's name.
    #[getter]
    fn name(&self) -> &str {
        self.0.name()
    }

    /// The compiled functions, as text.
    #[getter]
    fn ir(&self) -> String {
        self.0.ir().to_string()
    }

    fn __repr__(&self) -> String {
        format!("Module({:?}, functions={:?})", self.0.name(), self.functions())
    }
}

impl PyModule_ {
    /// The function of that name, or else the struct.
    fn named<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        let error = match self.function(py, name) {
            Ok(function) => return Ok(Bound::new(py, function)?.into_any()),
            Err(error) => error,
        };
        // What has the name neither of a function nor of a struct was more likely to be a function.
        match self.0.record(name) {
            Ok(record) => Ok(Bound::new(py, PyStruct::new(record))?.into_any()),
            Err(_) => Err(to_py(py, &error)),
        }
    }

    fn function(&self, py: Python<'_>, name: &str) -> Result<PyFunction, Error> {
        // An instance is compiled, which takes a while.
        let found =
            if name.contains('<') { py.detach(|| self.0.function(name)) } else { self.0.function(name) };
        Ok(PyFunction(found?, Globals::default()))
    }
}

fn load(
    py: Python<'_>,
    device: &PyDevice,
    options: Option<&Bound<'_, PyDict>>,
    link: Option<&Bound<'_, PyAny>>,
    compile: impl FnOnce(&LoadOptions) -> Result<Module, Error> + Send,
) -> PyResult<PyModule_> {
    let mut load_options = LoadOptions {
        include_paths: device.include_paths.clone(),
        link: linked(py, link)?,
        gradient_convention: device.gradient_convention,
        ..LoadOptions::default()
    };
    for (key, value) in options.into_iter().flat_map(|options| options.iter()) {
        match key.extract::<String>()?.as_str() {
            "include_paths" => load_options.include_paths.extend(value.extract::<Vec<PathBuf>>()?),
            "defines" => {
                for (name, text) in value.cast::<PyDict>()?.iter() {
                    load_options.defines.push((name.extract()?, text.str()?.to_string()));
                }
            }
            "gradient_convention" => {
                load_options.gradient_convention = convention(py, value.cast::<PyString>()?.to_str()?)?;
            }
            other => {
                let refused =
                    Diagnostic::error(Code::UnknownArgument, format!("no option is called {other:?}"));
                return Err(diagnostic(
                    py,
                    refused.help("the options are include_paths, defines and gradient_convention"),
                ));
            }
        }
    }
    guard(py, || {
        let module = py.detach(|| compile(&load_options)).map_err(|e| to_py(py, &e))?;
        if module.has_warnings() {
            let text = std::ffi::CString::new(module.warnings().replace('\0', " ")).unwrap_or_default();
            PyErr::warn(py, &py.get_type::<pyo3::exceptions::PyUserWarning>(), &text, 1)?;
        }
        warn_of_hidden_functions(py, &module)?;
        Ok(PyModule_(module))
    })
}

/// The modules of a `link=` list.
fn linked(py: Python<'_>, link: Option<&Bound<'_, PyAny>>) -> PyResult<Vec<Module>> {
    let Some(link) = link.filter(|link| !link.is_none()) else { return Ok(Vec::new()) };
    let module = |item: PyResult<Bound<'_, PyAny>>| match item?.cast::<PyModule_>() {
        Ok(module) => Ok(module.get().0.clone()),
        Err(_) => {
            let refused = Diagnostic::error(Code::ArgumentType, "`link` lists modules");
            Err(diagnostic(py, refused.help("load the other file first, and pass what that gives")))
        }
    };
    link.try_iter()?.map(module).collect()
}

/// A function named as one of the module's own attributes cannot be reached as an attribute.
fn warn_of_hidden_functions(py: Python<'_>, module: &Module) -> PyResult<()> {
    let class = py.get_type::<PyModule_>();
    for name in module.function_names() {
        if class.hasattr(name)? {
            let text =
                format!("`{name}` is an attribute of every module: call the function as module[{name:?}]");
            let text = std::ffi::CString::new(text).unwrap_or_default();
            PyErr::warn(py, &py.get_type::<pyo3::exceptions::PyUserWarning>(), &text, 1)?;
        }
    }
    Ok(())
}
