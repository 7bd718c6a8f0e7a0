//! `GradientExplanation`: how a gradient is made, as Python sees it.

use crate::args::Parsed;
use crate::derived::differentiable_arrays;
use crate::errors::to_py;
use crate::function::{PyFunction, as_torch_asks};
use pullback_dispatch::GradientExplanation;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

/// How the gradients of a call are made and what they cost; `str()` of it is a report.
#[pyclass(name = "GradientExplanation", module = "pullback", frozen)]
pub struct PyExplanation(GradientExplanation);

/// Explains the gradients by every float array among the arguments.
pub fn explain(
    PyFunction(function, globals): &PyFunction,
    args: &Bound<'_, PyTuple>,
    kwargs: Option<&Bound<'_, PyDict>>,
) -> PyResult<PyExplanation> {
    let py = args.py();
    let (keywords, _) = globals.keywords(py, kwargs)?;
    let mut parsed = Parsed::new(py, function);
    parsed.read(args, &keywords)?;
    let slots = function.leaf_slots(&parsed.args).map_err(|e| to_py(py, &e))?;
    let wrt = differentiable_arrays(&parsed.args, &slots);
    let function = as_torch_asks(py, function, &parsed);
    function.explain_gradient(&parsed.args, &wrt).map(PyExplanation).map_err(|e| to_py(py, &e))
}

#[pymethods]
impl PyExplanation {
    /// By path of an argument: how its gradient is accumulated over the lanes.
    #[getter]
    fn arguments<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        for (path, accumulation) in &self.0.arguments {
            dict.set_item(path, accumulation.to_string())?;
        }
        Ok(dict)
    }

    /// Per loop, outer before inner, a dict: `place`, `depth`, `trips`, `state_words`, `strategy`, `bytes_per_lane`.
    #[getter]
    fn loops<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let described = |one: &pullback_dispatch::LoopReport| {
            let dict = PyDict::new(py);
            dict.set_item("place", &one.place)?;
            dict.set_item("depth", one.depth)?;
            dict.set_item("trips", one.trips())?;
            dict.set_item("state_words", one.state_words)?;
            dict.set_item("strategy", one.strategy.to_string())?;
            dict.set_item("bytes_per_lane", one.bytes_per_lane)?;
            Ok(dict)
        };
        self.0.loops.iter().map(described).collect()
    }

    /// What all loops together store in each lane.
    #[getter]
    fn bytes_per_lane(&self) -> u64 {
        self.0.bytes_per_lane
    }

    /// Statements of the function in scalar form.
    #[getter]
    fn statements(&self) -> usize {
        self.0.statements.0
    }

    /// Statements of its reverse derivative; `None` where that is refused.
    #[getter]
    fn derived_statements(&self) -> Option<usize> {
        self.0.statements.1
    }

    /// Why there is no gradient, as the error that asking for it raises says it; `None` where there is one.
    #[getter]
    fn refused(&self) -> Option<String> {
        self.0.refused.as_ref().map(ToString::to_string)
    }

    fn __str__(&self) -> String {
        self.0.to_string()
    }

    fn __repr__(&self) -> String {
        format!("<gradient explanation>\n{}", self.0)
    }
}
