//! Results and gradients, in the library the arguments came from.

use crate::args::{Origin, Parsed};
use crate::errors::{diagnostic, to_py};
use crate::numpy_array;
use crate::tensor::PyTensor;
use pullback_base::{Code, Diagnostic};
use pullback_dispatch::args::{Leaf, leaves};
use pullback_dispatch::{ArrayView, Context, Location, OutputSpec, Prepared, Tensor};
use pullback_torch_bridge::Exchange;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use smallvec::SmallVec;

/// The library that makes an output.
#[derive(Clone, Copy)]
pub enum Library {
    /// A number when it has no dims, else an array.
    NumpyOrNumber,
    Numpy,
    Torch(Exchange, Location),
    Tensor,
}

impl Library {
    /// Torch if any argument is a tensor of torch's, else `Tensor` if any is one, else NumPy.
    pub fn of(parsed: &Parsed<'_, '_>) -> Library {
        if let Some(exchange) = parsed.exchange {
            return Library::Torch(exchange, torch_location(parsed));
        }
        match parsed.origins.iter().any(|origin| matches!(origin, Origin::Tensor)) {
            true => Library::Tensor,
            false => Library::NumpyOrNumber,
        }
    }

    /// The one a gradient of that leaf comes in.
    pub fn of_leaf(leaf: usize, parsed: &Parsed<'_, '_>) -> Library {
        match (&parsed.origins[leaf], parsed.exchange) {
            (Origin::Torch(_), Some(exchange)) => match leaves(&parsed.args)[leaf] {
                Leaf::Array(array) => Library::Torch(exchange, array.location),
                Leaf::Numbers(_) => Library::NumpyOrNumber,
            },
            (Origin::Tensor, _) => Library::Tensor,
            (Origin::Numpy(_), _) => Library::Numpy,
            _ => Library::NumpyOrNumber,
        }
    }

    /// The one of a name given as `_result`.
    pub fn named(py: Python<'_>, name: &str, parsed: &Parsed<'_, '_>) -> PyResult<Library> {
        let exchange = parsed.exchange.or_else(|| pullback_torch_bridge::Torch::get(py)?.exchange(py));
        match (name, exchange) {
            ("numpy", _) => Ok(Library::Numpy),
            ("tensor", _) => Ok(Library::Tensor),
            ("torch", Some(exchange)) => Ok(Library::Torch(exchange, torch_location(parsed))),
            _ => {
                let message = format!("`_result` names no library that is there: {name:?}");
                Err(diagnostic(
                    py,
                    Diagnostic::error(Code::UnknownArgument, message)
                        .help("pass 'numpy', 'tensor', 'torch' (with torch imported), or an array to write"),
                ))
            }
        }
    }
}

fn torch_location(parsed: &Parsed<'_, '_>) -> Location {
    parsed.gpu.map_or(Location::Host, Location::Gpu)
}

/// Torch's current stream where the call's arrays are on a GPU.
pub fn stream(parsed: &Parsed<'_, '_>) -> Option<u64> {
    parsed.exchange?.current_stream(parsed.gpu?)
}

/// An output array: the Python object, how a call writes it, and whether users get a number instead.
pub struct Output<'py> {
    object: Bound<'py, PyAny>,
    pub view: ArrayView,
    as_number: bool,
}

impl<'py> Output<'py> {
    pub fn make(py: Python<'py>, context: &Context, library: Library, spec: &OutputSpec) -> PyResult<Self> {
        let numpy = |as_number| {
            let (object, view) = match &spec.record {
                Some(record) => numpy_array::empty_of(py, record, &spec.shown_shape())?,
                None => numpy_array::empty(py, spec.dtype, &spec.shape).map_err(|d| diagnostic(py, d))?,
            };
            Ok(Self { object, view, as_number })
        };
        match library {
            Library::NumpyOrNumber => numpy(spec.shape.rank() == 0),
            Library::Numpy => numpy(false),
            Library::Torch(exchange, location) => {
                let made = exchange.empty(py, spec.dtype, &spec.shape, location);
                let (object, view) = made.map_err(|error| diagnostic(py, out_of_memory(py, &error)))?;
                Ok(Self { object, view, as_number: false })
            }
            Library::Tensor => {
                let tensor = Tensor::of_output(context, spec).map_err(|e| to_py(py, &e))?;
                let view = tensor.view();
                let object = Bound::new(py, PyTensor(tensor))?.into_any();
                Ok(Self { object, view, as_number: false })
            }
        }
    }

    /// What the user gets, after the launch.
    pub fn finish(self) -> PyResult<Bound<'py, PyAny>> {
        if self.as_number { self.object.call_method0("item") } else { Ok(self.object) }
    }
}

/// An allocation that a library refused, by the first line of its words: torch's go on with a C++ stack.
pub fn out_of_memory(py: Python<'_>, error: &PyErr) -> Diagnostic {
    let text = error.value(py).to_string();
    let why = text.lines().next().unwrap_or_default();
    Diagnostic::error(Code::OutOfMemory, format!("a result cannot be allocated: {why}"))
}

/// Outputs of a prepared call, each in its library.
pub fn make_all<'py>(
    py: Python<'py>,
    context: &Context,
    prepared: &Prepared,
    library: impl Fn(usize) -> Library,
) -> PyResult<SmallVec<[Output<'py>; 4]>> {
    let specs = prepared.outputs().iter().enumerate();
    specs.map(|(place, spec)| Output::make(py, context, library(place), spec)).collect()
}

/// Runs a prepared call on its outputs, without the interpreter when it takes long.
///
/// # Safety
/// As `Prepared::launch`.
pub unsafe fn launch(
    py: Python<'_>,
    prepared: Prepared,
    outputs: &[Output<'_>],
    stream: Option<u64>,
) -> PyResult<()> {
    /// Below this a launch takes less time than letting go of the interpreter and taking it again is worth.
    const SMALL_LANES: i64 = 4096;
    let views: SmallVec<[ArrayView; 4]> = outputs.iter().map(|output| output.view.clone()).collect();
    let small = prepared.shape().count() <= SMALL_LANES;
    // SAFETY: passed on to the caller; the views are of `outputs`, which outlive the launch.
    let run = || unsafe { prepared.launch(&views, stream) };
    let result = if small { run() } else { py.detach(run) };
    result.map_err(|e| to_py(py, &e))
}

/// Results as the user gets them: one alone; several as a tuple; a struct's fields as a dict.
pub fn assemble<'py>(
    py: Python<'py>,
    paths: &[(String, Vec<String>)],
    results: impl IntoIterator<Item = Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let mut roots: Vec<(String, Bound<'py, PyAny>)> = Vec::new();
    for ((root, fields), result) in paths.iter().zip(results) {
        let Some((last, below)) = fields.split_last() else {
            roots.push((root.clone(), result));
            continue;
        };
        if roots.last().is_none_or(|(known, _)| known != root) {
            roots.push((root.clone(), PyDict::new(py).into_any()));
        }
        let Some((_, top)) = roots.last() else { continue };
        let mut dict = top.cast::<PyDict>()?.clone();
        for name in below {
            if !dict.contains(name)? {
                dict.set_item(name, PyDict::new(py))?;
            }
            dict = dict.as_any().get_item(name)?.cast_into::<PyDict>()?;
        }
        dict.set_item(last, result)?;
    }
    match roots.len() {
        0 => Ok(py.None().into_bound(py)),
        1 => Ok(roots.remove(0).1),
        _ => Ok(PyTuple::new(py, roots.into_iter().map(|(_, result)| result))?.into_any()),
    }
}
