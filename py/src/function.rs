//! `Function`: calls, gradients, and looking inside.

use crate::args::{Origin, Parsed, exchange_of};
use crate::errors::{diagnostic, guard, to_py};
use crate::output::{self, Library, Output};
use crate::recorded::{PyRecordedCall, hand_over};
use pullback_base::{Code, Diagnostic};
use pullback_dispatch::{Arg, ArgValue, ArrayView, Function, Held, Mode, Prepared};
use pullback_torch_bridge::{Torch, state};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};
use smallvec::SmallVec;

/// A function of a module: call it on numbers and arrays.
#[pyclass(name = "Function", module = "pullback", frozen)]
pub struct PyFunction(pub Function);

type Keywords<'py> = SmallVec<[(Bound<'py, PyString>, Bound<'py, PyAny>); 8]>;

#[pymethods]
impl PyFunction {
    /// Calls the function once per lane of the arguments' broadcast shape.
    #[pyo3(signature = (*args, **kwargs))]
    fn __call__<'py>(
        &self,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        guard(args.py(), || self.call(args, kwargs))
    }

    #[pyo3(signature = (argnums, args, kwargs))]
    fn _value_and_grad<'py>(
        &self,
        argnums: &Bound<'py, PyTuple>,
        args: &Bound<'py, PyTuple>,
        kwargs: &Bound<'py, PyDict>,
    ) -> PyResult<(Bound<'py, PyAny>, Vec<Bound<'py, PyAny>>)> {
        guard(args.py(), || self.value_and_grad(argnums, args, kwargs))
    }

    /// The IR of a stage, as text: `ir` (as written), `flat`, `vjp` or `jvp`.
    #[pyo3(signature = (stage = "ir"))]
    fn dump(&self, py: Python<'_>, stage: &str) -> PyResult<String> {
        guard(py, || py.detach(|| self.0.dump(stage)).map_err(|e| to_py(py, &e)))
    }

    /// The function's name in the source.
    #[getter(__name__)]
    fn name(&self) -> &str {
        self.0.name()
    }

    #[getter(__doc__)]
    fn doc(&self) -> String {
        let doc = self.0.interfaces().map(|interface| interface.doc.to_string());
        doc.filter(|doc| !doc.is_empty()).collect::<Vec<_>>().join("\n")
    }

    /// The declarations that share the name, one per line.
    #[getter]
    fn signature(&self) -> String {
        let shown = self.0.interfaces().map(|interface| {
            let params: Vec<String> = interface
                .params
                .iter()
                .map(|param| format!("{} {}: {}", param.direction.name(), param.name, param.ty))
                .collect();
            let result = interface.result.as_ref().map_or("void".to_owned(), ToString::to_string);
            format!("{}({}) -> {result}", interface.name, params.join(", "))
        });
        shown.collect::<Vec<_>>().join("\n")
    }

    fn __repr__(&self) -> String {
        format!("<pullback function {}>", self.signature())
    }
}

impl PyFunction {
    fn call<'py>(
        &self,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = args.py();
        let (keywords, result) = split_keywords(kwargs)?;
        let mut parsed = Parsed::new(py, self.0.context());
        parsed.read(args, &keywords)?;
        if parsed.exchange.is_some()
            && let Some(torch) = Torch::get(py)
        {
            refuse_tangents(py, torch, &parsed)?;
            if torch.grad_enabled(py)
                && let Some(wrt) = needs_grad(&parsed)?
            {
                return self.record(py, torch, &parsed, &wrt, result.as_ref());
            }
        }
        let (given, library) = match &result {
            None => (None, Library::of(&parsed)),
            Some(value) => match value.cast::<PyString>() {
                Ok(name) => (None, Library::named(py, name.to_str()?, &parsed)?),
                Err(_) => (Some(output::given_result(py, self.0.context(), value)?), Library::of(&parsed)),
            },
        };
        let given: SmallVec<[ArrayView; 1]> = given.into_iter().collect();
        let prepared = prepare(py, &self.0, &parsed.args, Mode::Forward { results: &given })?;
        let paths = result_paths(&prepared, usize::from(!given.is_empty()) + prepared.outputs().len());
        let outputs = output::make_all(py, self.0.context(), &prepared, |_| library)?;
        mark_written(&parsed, &prepared, result.as_ref())?;
        // SAFETY: arguments and outputs are Python objects that this frame keeps alive.
        unsafe { output::launch(py, prepared, &outputs, output::stream(&parsed)) }?;
        let written = result.filter(|_| !given.is_empty());
        let finished = written.into_iter().map(Ok).chain(outputs.into_iter().map(Output::finish));
        finish(py, &paths, finished.collect::<PyResult<_>>()?)
    }

    /// Hands the call to torch's autograd, which calls back for the forward and the backward launch.
    fn record<'py>(
        &self,
        py: Python<'py>,
        torch: &Torch,
        parsed: &Parsed<'_, 'py>,
        wrt: &[bool],
        result: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if result.is_some_and(|value| !value.is_instance_of::<PyString>()) {
            return Err(diagnostic(
                py,
                Diagnostic::error(
                    Code::NotDifferentiable,
                    "`_result` is written in place, so this call has no gradient",
                )
                .help("leave `_result` out, or call under torch.no_grad()"),
            ));
        }
        let prepared = prepare(py, &self.0, &parsed.args, Mode::Recorded { wrt })?;
        let paths = result_paths(&prepared, prepared.outputs().len());
        let library = Library::of(parsed);
        let outputs = output::make_all(py, self.0.context(), &prepared, |_| library)?;
        // SAFETY: arguments and outputs are Python objects that this frame keeps alive.
        unsafe { output::launch(py, prepared, &outputs, output::stream(parsed)) }?;
        let results = outputs.into_iter().map(Output::finish).collect::<PyResult<SmallVec<[_; 4]>>>()?;
        let recorded = PyRecordedCall::new(py, &self.0, parsed, PyTuple::new(py, results)?)?;
        let mut given: SmallVec<[Bound<'py, PyAny>; 8]> = SmallVec::new();
        given.push(Bound::new(py, recorded)?.into_any());
        given.extend(parsed.torch_tensors().cloned());
        finish(py, &paths, hand_over(torch, PyTuple::new(py, given)?)?)
    }

    fn value_and_grad<'py>(
        &self,
        argnums: &Bound<'py, PyTuple>,
        args: &Bound<'py, PyTuple>,
        kwargs: &Bound<'py, PyDict>,
    ) -> PyResult<(Bound<'py, PyAny>, Vec<Bound<'py, PyAny>>)> {
        let py = args.py();
        let (keywords, _) = split_keywords(Some(kwargs))?;
        let mut parsed = Parsed::new(py, self.0.context());
        parsed.read(args, &keywords)?;
        let wrt = self.wanted(argnums, &parsed)?;
        let prepared = prepare(py, &self.0, &parsed.args, Mode::ValueAndGrad { wrt: &wrt })?;
        let wanted: Vec<usize> = (0..wrt.len()).filter(|&leaf| wrt[leaf]).collect();
        let results = prepared.outputs().len() - wanted.len();
        let paths = result_paths(&prepared, results);
        let library = |place: usize| match place.checked_sub(results) {
            None => Library::of(&parsed),
            Some(gradient) => Library::of_leaf(&parsed.origins[wanted[gradient]], &parsed),
        };
        let outputs = output::make_all(py, self.0.context(), &prepared, library)?;
        // SAFETY: arguments and outputs are Python objects that this frame keeps alive.
        unsafe { output::launch(py, prepared, &outputs, output::stream(&parsed)) }?;
        let mut finished: SmallVec<[Bound<'py, PyAny>; 4]> =
            outputs.into_iter().map(Output::finish).collect::<PyResult<_>>()?;
        let gradients: Vec<_> = finished.drain(results..).collect();
        Ok((finish(py, &paths, finished)?, self.by_argument(py, argnums, &parsed, gradients)?))
    }

    /// The place among the arguments given of each of `argnums`.
    fn places(&self, argnums: &Bound<'_, PyTuple>, parsed: &Parsed<'_, '_>) -> PyResult<Vec<usize>> {
        let py = argnums.py();
        let params: Vec<String> = self
            .0
            .interfaces()
            .next()
            .map(|interface| interface.params.iter().map(|param| param.name.to_string()).collect())
            .unwrap_or_default();
        let positional = parsed.args.iter().filter(|arg| arg.name.is_empty()).count();
        let mut out = Vec::new();
        for argnum in argnums {
            let name = match argnum.extract::<String>() {
                Ok(name) => Some(name),
                Err(_) => params.get(argnum.extract::<usize>()?).cloned(),
            };
            let place = name.as_ref().and_then(|name| {
                let keyword = parsed.args.iter().position(|arg| arg.name == name);
                keyword.or_else(|| {
                    params.iter().position(|param| param == name).filter(|&place| place < positional)
                })
            });
            let Some(place) = place else {
                let message = format!("`argnums` has {argnum}, which is no argument of this call");
                return Err(diagnostic(
                    py,
                    Diagnostic::error(Code::UnknownArgument, message)
                        .help(format!("give names or numbers of the parameters: {}", params.join(", "))),
                ));
            };
            out.push(place);
        }
        Ok(out)
    }

    /// A mark for each argument leaf whose gradient `argnums` asks for.
    fn wanted(&self, argnums: &Bound<'_, PyTuple>, parsed: &Parsed<'_, '_>) -> PyResult<Vec<bool>> {
        let places = self.places(argnums, parsed)?;
        let counts = parsed.args.iter().map(|arg| leaf_count(&arg.value));
        Ok(counts
            .enumerate()
            .flat_map(|(place, n)| std::iter::repeat_n(places.contains(&place), n))
            .collect())
    }

    /// Gradients, given in the order of the arguments' leaves, in the order and shape of `argnums`.
    fn by_argument<'py>(
        &self,
        py: Python<'py>,
        argnums: &Bound<'py, PyTuple>,
        parsed: &Parsed<'_, 'py>,
        gradients: Vec<Bound<'py, PyAny>>,
    ) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let places = self.places(argnums, parsed)?;
        let mut gradients = gradients.into_iter();
        let mut by_place: Vec<Option<Bound<'py, PyAny>>> = vec![None; parsed.args.len()];
        for (place, arg) in parsed.args.iter().enumerate() {
            if places.contains(&place) {
                by_place[place] = Some(like(py, &arg.value, &mut gradients)?);
            }
        }
        Ok(places.into_iter().filter_map(|place| by_place[place].clone()).collect())
    }
}

/// Finds or builds the plan of a call; the interpreter is free for other threads while one is built.
pub fn prepare(py: Python<'_>, function: &Function, args: &[Arg<'_>], mode: Mode<'_>) -> PyResult<Prepared> {
    struct Interpreter<'py>(Python<'py>);
    impl Held for Interpreter<'_> {
        fn released<T: Send>(&self, build: impl FnOnce() -> T + Send) -> T {
            self.0.detach(build)
        }
    }
    function.prepare_holding(&Interpreter(py), args, mode).map_err(|e| to_py(py, &e))
}

/// Gradients in the shape of the argument: one, or a dict for a struct.
fn like<'py>(
    py: Python<'py>,
    value: &ArgValue<'_>,
    gradients: &mut impl Iterator<Item = Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    match value {
        ArgValue::Struct(fields) => {
            let dict = PyDict::new(py);
            for (name, field) in fields {
                dict.set_item(name.as_ref(), like(py, field, gradients)?)?;
            }
            Ok(dict.into_any())
        }
        _ => Ok(gradients.next().unwrap_or_else(|| py.None().into_bound(py))),
    }
}

fn leaf_count(value: &ArgValue<'_>) -> usize {
    match value {
        ArgValue::Struct(fields) => fields.iter().map(|(_, field)| leaf_count(field)).sum(),
        _ => 1,
    }
}

/// Keywords, and `_result` apart.
fn split_keywords<'py>(
    kwargs: Option<&Bound<'py, PyDict>>,
) -> PyResult<(Keywords<'py>, Option<Bound<'py, PyAny>>)> {
    let mut keywords = Keywords::new();
    let mut result = None;
    for (name, value) in kwargs.into_iter().flat_map(|kwargs| kwargs.iter()) {
        let name = name.cast_into::<PyString>()?;
        match name.to_str()? {
            "_result" => result = Some(value).filter(|value| !value.is_none()),
            _ => keywords.push((name, value)),
        }
    }
    Ok((keywords, result))
}

/// Forward mode would lose a tangent here without a word.
fn refuse_tangents(py: Python<'_>, torch: &Torch, parsed: &Parsed<'_, '_>) -> PyResult<()> {
    if torch.in_forward_mode(py) {
        for tensor in parsed.torch_tensors() {
            if torch.has_tangent(tensor)? {
                return Err(diagnostic(
                    py,
                    Diagnostic::error(Code::NotDifferentiable, "an argument carries a forward-mode tangent")
                        .help("use backward mode, or pass the primal alone"),
                ));
            }
        }
    }
    Ok(())
}

/// Tells torch of the tensors that the call will write, so that a backward pass that needs what they held is refused.
fn mark_written(
    parsed: &Parsed<'_, '_>,
    prepared: &Prepared,
    result: Option<&Bound<'_, PyAny>>,
) -> PyResult<()> {
    for leaf in prepared.written_leaves() {
        if let Some(Origin::Torch(tensor)) = parsed.origins.get(leaf) {
            state::mark_written(tensor)?;
        }
    }
    match result {
        Some(result) if exchange_of(result)?.is_some() => state::mark_written(result),
        _ => Ok(()),
    }
}

/// For each leaf whether its gradient will be wanted; `None` when none will.
fn needs_grad(parsed: &Parsed<'_, '_>) -> PyResult<Option<SmallVec<[bool; 8]>>> {
    let mut any = false;
    let mut wrt = SmallVec::new();
    for origin in &parsed.origins {
        let needs = match origin {
            Origin::Torch(tensor) => state::requires_grad(tensor)?,
            _ => false,
        };
        any |= needs;
        wrt.push(needs);
    }
    Ok(any.then_some(wrt))
}

/// Where each returned result belongs; empty when there is one plain result, the usual case.
pub fn result_paths(prepared: &Prepared, count: usize) -> Vec<(String, Vec<String>)> {
    if count == 1 && prepared.result_path(0).1.is_empty() {
        return Vec::new();
    }
    let path = |index| {
        let (root, fields) = prepared.result_path(index);
        (root.to_owned(), fields.to_vec())
    };
    (0..count).map(path).collect()
}

fn finish<'py>(
    py: Python<'py>,
    paths: &[(String, Vec<String>)],
    mut results: SmallVec<[Bound<'py, PyAny>; 4]>,
) -> PyResult<Bound<'py, PyAny>> {
    if paths.is_empty() && results.len() == 1 {
        Ok(results.remove(0))
    } else {
        output::assemble(py, paths, results)
    }
}
