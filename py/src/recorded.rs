//! A call that torch's autograd records: everything of it but the tensors, which autograd keeps.

use crate::args::{Origin, Parsed, Reader};
use crate::errors::{diagnostic, guard};
use crate::function::PyFunction;
use crate::output::{self, Library, Output};
use parking_lot::Mutex;
use pullback_base::{Code, Diagnostic};
use pullback_dispatch::{Arg, ArgValue, ArrayView, Mode, Numbers};
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use smallvec::SmallVec;

/// A call between its forward and its backward launch.
#[pyclass(name = "RecordedCall", module = "pullback", frozen)]
pub struct PyRecordedCall {
    function: Py<PyFunction>,
    args: Vec<(String, Stored)>,
    /// The results, from the forward launch until autograd takes them.
    results: Mutex<Option<Py<PyTuple>>>,
}

/// An argument without its tensor.
enum Stored {
    /// A tensor of torch's, by its number among them.
    Tensor(usize),
    Numbers(Box<Numbers>),
    /// A copy of a NumPy array, which has no version counter to tell of changes.
    Copy(Py<PyAny>),
    Struct(Vec<(String, Stored)>),
}

impl PyRecordedCall {
    pub fn new(
        py: Python<'_>,
        function: &PyFunction,
        parsed: &Parsed<'_, '_>,
        results: Bound<'_, PyTuple>,
    ) -> PyResult<Self> {
        let mut leaf = 0;
        let mut tensors = 0;
        let mut store = |value: &ArgValue<'_>| stored(py, value, &parsed.origins, &mut leaf, &mut tensors);
        let args = parsed.args.iter().map(|arg| Ok((arg.name.to_owned(), store(&arg.value)?)));
        let args = args.collect::<PyResult<Vec<_>>>()?;
        let function = Py::new(py, PyFunction(function.0.clone()))?;
        Ok(Self { function, args, results: Mutex::new(Some(results.unbind())) })
    }

    fn parsed<'a, 'py>(&'a self, tensors: &Bound<'py, PyTuple>) -> PyResult<Parsed<'a, 'py>> {
        let mut reader = Reader::new(tensors.py(), self.function.get().0.context());
        let mut out = SmallVec::new();
        for (name, value) in &self.args {
            out.push(Arg { name, value: restored(name, value, tensors, &mut reader)? });
        }
        Ok(reader.finish(out))
    }
}

fn stored(
    py: Python<'_>,
    value: &ArgValue<'_>,
    origins: &[Origin<'_>],
    leaf: &mut usize,
    tensors: &mut usize,
) -> PyResult<Stored> {
    if let ArgValue::Struct(fields) = value {
        let mut out = Vec::new();
        for (name, field) in fields {
            out.push((name.to_string(), stored(py, field, origins, leaf, tensors)?));
        }
        return Ok(Stored::Struct(out));
    }
    let origin = &origins[*leaf];
    *leaf += 1;
    match (origin, value) {
        (Origin::Torch(_), _) => {
            *tensors += 1;
            Ok(Stored::Tensor(*tensors - 1))
        }
        (Origin::Numpy(array), _) => Ok(Stored::Copy(array.call_method0("copy")?.unbind())),
        (_, ArgValue::Numbers(numbers)) => Ok(Stored::Numbers(Box::new(numbers.clone()))),
        _ => Err(diagnostic(
            py,
            Diagnostic::error(
                Code::NotDifferentiable,
                "a pullback Tensor cannot be part of a call that torch records",
            )
            .help("pass torch tensors, or call under torch.no_grad()"),
        )),
    }
}

fn restored<'py>(
    name: &str,
    value: &Stored,
    tensors: &Bound<'py, PyTuple>,
    reader: &mut Reader<'_, 'py>,
) -> PyResult<ArgValue<'static>> {
    match value {
        Stored::Tensor(number) => reader.value(name, &tensors.get_item(*number)?),
        Stored::Numbers(numbers) => Ok(reader.numbers(numbers)),
        Stored::Copy(array) => reader.value(name, array.bind(tensors.py())),
        Stored::Struct(fields) => {
            let mut out = Vec::new();
            for (field, value) in fields {
                out.push((field.clone().into(), restored(field, value, tensors, reader)?));
            }
            Ok(ArgValue::Struct(out))
        }
    }
}

#[pymethods]
impl PyRecordedCall {
    /// The results of the forward launch; once.
    fn results(&self) -> Option<Py<PyTuple>> {
        self.results.lock().take()
    }

    /// The backward launch: for each tensor its gradient where `needs` asks for it, else `None`. `cotangents` has one
    /// tensor per output, or `None` where the output does not count.
    fn backward<'py>(
        &self,
        tensors: &Bound<'py, PyTuple>,
        needs: Vec<bool>,
        cotangents: &Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let py = tensors.py();
        guard(py, || {
            let parsed = self.parsed(tensors)?;
            let mut reader = Reader::new(py, self.function.get().0.context());
            let mut seeds: SmallVec<[Option<ArrayView>; 4]> = SmallVec::new();
            for cotangent in cotangents {
                seeds.push(match cotangent.is_none() {
                    true => None,
                    false => match reader.value("the cotangent", &cotangent)? {
                        ArgValue::Array(array) => Some(array),
                        _ => None,
                    },
                });
            }
            let mut tensor = 0;
            let mut wrt: SmallVec<[bool; 8]> = SmallVec::new();
            for origin in &parsed.origins {
                let is_tensor = matches!(origin, Origin::Torch(_));
                wrt.push(is_tensor && needs.get(tensor) == Some(&true));
                tensor += usize::from(is_tensor);
            }
            let function = self.function.get();
            let prepared =
                function.prepare(py, &parsed.args, Mode::Backward { wrt: &wrt, cotangents: &seeds })?;
            let library = Library::of(&parsed);
            let outputs = output::make_all(py, function.0.context(), &prepared, |_| library)?;
            // SAFETY: tensors, cotangents and outputs are Python objects that this frame keeps alive.
            unsafe { output::launch(py, prepared, &outputs, output::stream(&parsed)) }?;
            let mut outputs = outputs.into_iter();
            let mut gradients = Vec::new();
            for (leaf, origin) in parsed.origins.iter().enumerate() {
                if matches!(origin, Origin::Torch(_)) {
                    let gradient = if wrt[leaf] { outputs.next() } else { None };
                    gradients.push(gradient.map(Output::finish).transpose()?);
                }
            }
            PyTuple::new(py, gradients)
        })
    }
}
