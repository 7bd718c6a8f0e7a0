//! `Function`: calls, gradients, and looking inside.

use crate::argnums;
use crate::args::{Origin, Parsed};
use crate::derived::{self, Derived, PyBackward, SlotTuple};
use crate::errors::{diagnostic, guard, to_py};
use crate::explanation::{self, PyExplanation};
use crate::output::{self, Library, Output};
use crate::place::Place;
use crate::recorded::{PyRecordedCall, hand_over};
use pullback_base::{Code, Diagnostic, Diagnostics, ErrorClass};
use pullback_dispatch::{Arg, ArgValue, Derivation, Error, Function, Held, Mode, Prepared};
use pullback_torch_bridge::{Torch, state};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};
use smallvec::SmallVec;
use std::borrow::Cow;
use std::sync::Arc;

/// The values given to globals, as keywords. Clones share them.
#[derive(Clone, Default)]
pub struct Globals(Arc<Vec<(Py<PyString>, Py<PyAny>)>>);

/// A function of a module: call it on numbers and arrays.
#[pyclass(name = "Function", module = "pullback", frozen)]
pub struct PyFunction(pub Function, pub Globals);

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

    /// The function with these values for the globals that it uses, from a dict or as keywords: uniforms, buffers (an
    /// array each), and the fields of `cbuffer` and `ParameterBlock` (a dict each). This function stays as it is.
    #[pyo3(signature = (values = None, /, **kwargs))]
    fn set(
        &self,
        py: Python<'_>,
        values: Option<&Bound<'_, PyDict>>,
        kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<PyFunction> {
        guard(py, || {
            let mut more = Vec::new();
            for one in named(values, kwargs) {
                let (name, value) = one?;
                let name = self.0.global_name(&name).map_err(|e| to_py(py, &e))?;
                more.retain(|(known, _)| *known != name);
                more.push((name, value.unbind()));
            }
            Ok(PyFunction(self.0.clone(), self.1.with(py, more)))
        })
    }

    /// The function with these values for link-time constants (`extern static const`), from a dict or as keywords:
    /// numbers, and tuples of them for vectors. It is compiled for them at the first request. This function stays as
    /// it is.
    #[pyo3(signature = (values = None, /, **kwargs))]
    fn constants(
        &self,
        py: Python<'_>,
        values: Option<&Bound<'_, PyDict>>,
        kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<PyFunction> {
        guard(py, || {
            let mut given = Vec::new();
            for one in named(values, kwargs) {
                let (name, value) = one?;
                let ArgValue::Numbers(numbers) =
                    Parsed::new(py, &self.0).value(Place::Name(&name), &value)?
                else {
                    let message = format!("the constant `{name}` was given no number");
                    let found = Diagnostic::error(Code::ArgumentType, message);
                    return Err(diagnostic(
                        py,
                        found.help("give a number, or a tuple of numbers for a vector"),
                    ));
                };
                given.push((name, numbers));
            }
            let made = py.detach(|| self.0.with_constants(&given)).map_err(|e| to_py(py, &e))?;
            Ok(PyFunction(made, self.1.clone()))
        })
    }

    /// The function with gradients that are equal from run to run, those of whole arrays too, to which many lanes may add:
    /// they add in fixed point, which takes 104 bytes for each float32 of such an array, 712 for each float64. All other
    /// gradients are so anyway. `torch.use_deterministic_algorithms(True)` asks for it, too. This function stays as it is.
    fn deterministic(&self) -> PyFunction {
        PyFunction(self.0.deterministic(), self.1.clone())
    }

    /// The JVP, lane by lane: takes the function's arguments, then their tangents (`d_x` for `x`; zero where left out), and
    /// gives the results, then their tangents. Tangents with more lanes than the arguments are several tangents at once.
    #[getter]
    fn fwds(&self, py: Python<'_>) -> PyResult<PyFunction> {
        guard(py, || derived::derivative(py, self, &Derivation::Forward))
    }

    /// The backward launch: takes the function's arguments and cotangents of its results.
    #[getter]
    fn bwds(&self) -> PyBackward {
        PyBackward(self.0.clone(), self.1.clone())
    }

    /// How the gradients by every float array among the arguments are made, and what they cost; nothing runs.
    #[pyo3(signature = (*args, **kwargs))]
    fn explain_gradient(
        &self,
        args: &Bound<'_, PyTuple>,
        kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<PyExplanation> {
        guard(args.py(), || explanation::explain(self, args, kwargs))
    }

    #[pyo3(signature = (kind, argnums, args, kwargs))]
    fn _derived<'py>(
        &self,
        kind: &str,
        argnums: &Bound<'py, PyTuple>,
        args: &Bound<'py, PyTuple>,
        kwargs: &Bound<'py, PyDict>,
    ) -> PyResult<Derived<'py>> {
        guard(args.py(), || derived::derived_by(self, kind, argnums, args, kwargs))
    }

    /// The function in double precision, on the CPU.
    fn _widened(&self, py: Python<'_>) -> PyResult<PyFunction> {
        guard(py, || self.0.widened().map(|wide| PyFunction(wide, self.1.clone())).map_err(|e| to_py(py, &e)))
    }

    fn _slots(&self, args: &Bound<'_, PyTuple>, kwargs: &Bound<'_, PyDict>) -> PyResult<derived::Slots> {
        guard(args.py(), || derived::slots(self, args, kwargs))
    }

    fn _input_slots(&self) -> Vec<SlotTuple> {
        derived::input_slots(&self.0)
    }

    fn _mismatch(&self, py: Python<'_>, param: &str, message: &str, notes: Vec<String>) -> PyErr {
        derived::mismatch(py, &self.0, param, message, notes)
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
        let (keywords, result) = self.1.keywords(py, kwargs)?;
        let mut parsed = Parsed::new(py, &self.0);
        parsed.read(args, &keywords)?;
        let named = match &result {
            None => None,
            Some(value) => match value.cast::<PyString>() {
                Ok(name) => Some(Library::named(py, name.to_str()?, &parsed)?),
                Err(_) => {
                    parsed.read_result(value)?;
                    None
                }
            },
        };
        if parsed.exchange.is_some()
            && let Some(torch) = Torch::get(py)
        {
            refuse_tangents(py, torch, &parsed)?;
            if torch.grad_enabled(py) {
                if let Some(wrt) = needs_grad(&parsed)? {
                    return self.record(py, torch, &parsed, &wrt, named);
                }
                if let Some(tensor) = parsed.given_tensor()
                    && state::requires_grad(tensor)?
                {
                    return Err(unrecorded(
                        py,
                        "`_result` requires grad, but torch would not see it written",
                    ));
                }
            }
        }
        let library = named.unwrap_or_else(|| Library::of(&parsed));
        let given = parsed.given.as_ref().map_or(&[][..], |(_, view)| std::slice::from_ref(view));
        let prepared = prepare(py, &self.0, &parsed.args, Mode::Forward { results: given })?;
        let paths = result_paths(&prepared, given.len() + prepared.outputs().len());
        let outputs = output::make_all(py, self.0.context(), &prepared, |_| library)?;
        mark_written(&parsed, &prepared)?;
        // SAFETY: arguments and outputs are Python objects that this frame keeps alive.
        unsafe { output::launch(py, prepared, &outputs, output::stream(&parsed)) }?;
        let written = result.filter(|_| parsed.given.is_some());
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
        named: Option<Library>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if parsed.given.is_some() {
            return Err(unrecorded(py, "`_result` is written in place, so this call has no gradient"));
        }
        if named.is_some_and(|library| !matches!(library, Library::Torch(..))) {
            return Err(unrecorded(
                py,
                "`_result` names another library than torch, which records this call",
            ));
        }
        let function = as_torch_asks(py, &self.0, parsed);
        let prepared = function.prepare_holding(&Interpreter(py), &parsed.args, Mode::Recorded { wrt });
        let prepared = prepared.map_err(|error| to_py(py, &with_torchs_way_out(&error)))?;
        let left = left_tensors(py, parsed, &prepared)?;
        mark_written(parsed, &prepared)?;
        let paths = result_paths(&prepared, prepared.outputs().len());
        let constants: SmallVec<[usize; 4]> =
            (0..prepared.outputs().len()).filter(|&place| prepared.result_no_diff(place)).collect();
        let library = Library::of(parsed);
        let outputs = output::make_all(py, self.0.context(), &prepared, |_| library)?;
        // SAFETY: arguments and outputs are Python objects that this frame keeps alive.
        unsafe { output::launch(py, prepared, &outputs, output::stream(parsed)) }?;
        let results = outputs.into_iter().map(Output::finish).collect::<PyResult<SmallVec<[_; 4]>>>()?;
        let constants = constants.into_iter().map(|place| &results[place]);
        let constants = PyTuple::new(py, constants.collect::<SmallVec<[_; 4]>>())?;
        let count = results.len();
        let results = PyTuple::new(py, &results)?;
        let recorded = PyRecordedCall::new(py, &self.0, parsed, results, constants, left)?;
        let mut given: SmallVec<[Bound<'py, PyAny>; 8]> = SmallVec::new();
        given.push(Bound::new(py, recorded)?.into_any());
        given.extend(parsed.torch_tensors().cloned());
        let mut recorded = hand_over(torch, PyTuple::new(py, given)?)?;
        recorded.truncate(count); // the written tensors, which the caller has
        finish(py, &paths, recorded)
    }

    fn value_and_grad<'py>(
        &self,
        argnums: &Bound<'py, PyTuple>,
        args: &Bound<'py, PyTuple>,
        kwargs: &Bound<'py, PyDict>,
    ) -> PyResult<(Bound<'py, PyAny>, Vec<Bound<'py, PyAny>>)> {
        let py = args.py();
        let (keywords, result) = self.1.keywords(py, Some(kwargs))?;
        if result.is_some() {
            let found = Diagnostic::error(Code::UnknownArgument, "gradients are taken without `_result`");
            return Err(diagnostic(py, found.help("leave it out: value and gradients are new arrays")));
        }
        let mut parsed = Parsed::new(py, &self.0);
        parsed.read(args, &keywords)?;
        refuse_cut_graph(py, &parsed)?;
        let places = argnums::places(argnums, &self.0, &parsed.args)?;
        let wrt = wanted(&places, &parsed.args);
        let function = as_torch_asks(py, &self.0, &parsed);
        let prepared = prepare(py, &function, &parsed.args, Mode::ValueAndGrad { wrt: &wrt })?;
        let gradients = wrt.iter().filter(|wanted| **wanted).count();
        let paths = result_paths(&prepared, prepared.outputs().len() - gradients);
        let (results, gradients) = launch_with_gradients(py, &self.0, &parsed, prepared, &wrt)?;
        Ok((finish(py, &paths, results)?, by_argument(py, &places, &parsed.args, gradients)?))
    }
}

/// What a backward launch gives is new to torch: what it would have to record is refused, not cut off.
pub fn refuse_cut_graph(py: Python<'_>, parsed: &Parsed<'_, '_>) -> PyResult<()> {
    if parsed.exchange.is_some()
        && let Some(torch) = Torch::get(py)
    {
        refuse_tangents(py, torch, parsed)?;
        if torch.grad_enabled(py) && needs_grad(parsed)?.is_some() {
            let message = "an argument requires grad, but torch cannot differentiate what this gives";
            let found = Diagnostic::error(Code::NoSecondDerivative, message);
            return Err(diagnostic(py, found.help("pass x.detach(), or call under torch.no_grad()")));
        }
    }
    Ok(())
}

type Arrays<'py> = SmallVec<[Bound<'py, PyAny>; 4]>;

/// Launches a call that gives results, if any, then the gradients of the leaves that `wrt` marks: each in its library.
pub fn launch_with_gradients<'py>(
    py: Python<'py>,
    function: &Function,
    parsed: &Parsed<'_, 'py>,
    prepared: Prepared,
    wrt: &[bool],
) -> PyResult<(Arrays<'py>, Vec<Bound<'py, PyAny>>)> {
    let wanted: Vec<usize> = (0..wrt.len()).filter(|&leaf| wrt[leaf]).collect();
    let results = prepared.outputs().len() - wanted.len();
    let library = |place: usize| match place.checked_sub(results) {
        None => Library::of(parsed),
        Some(gradient) => Library::of_leaf(wanted[gradient], parsed),
    };
    let outputs = output::make_all(py, function.context(), &prepared, library)?;
    // SAFETY: arguments, cotangents and outputs are Python objects that the caller's frame and this one keep alive.
    unsafe { output::launch(py, prepared, &outputs, output::stream(parsed)) }?;
    let mut finished: Arrays<'py> = outputs.into_iter().map(Output::finish).collect::<PyResult<_>>()?;
    let gradients = finished.drain(results..).collect();
    Ok((finished, gradients))
}

/// A mark for each argument leaf: whether it is of an argument in `places`.
pub fn wanted(places: &[usize], args: &[Arg<'_>]) -> Vec<bool> {
    let marks = args
        .iter()
        .enumerate()
        .flat_map(|(place, arg)| std::iter::repeat_n(places.contains(&place), arg.value.leaf_count()));
    marks.collect()
}

/// Gradients, given in the order of the arguments' leaves, in the shape of the arguments in `places`, in that order.
pub fn by_argument<'py>(
    py: Python<'py>,
    places: &[usize],
    args: &[Arg<'_>],
    gradients: Vec<Bound<'py, PyAny>>,
) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let mut gradients = gradients.into_iter();
    let mut by_place: Vec<Option<Bound<'py, PyAny>>> = vec![None; args.len()];
    for (place, arg) in args.iter().enumerate() {
        if places.contains(&place) {
            by_place[place] = Some(like(py, &arg.value, &mut gradients)?);
        }
    }
    Ok(places.iter().filter_map(|&place| by_place[place].clone()).collect())
}

/// The interpreter, free for other threads while a plan is built.
struct Interpreter<'py>(Python<'py>);

impl Held for Interpreter<'_> {
    fn released<T: Send>(&self, build: impl FnOnce() -> T + Send) -> T {
        self.0.detach(build)
    }
}

/// Finds or builds the plan of a call.
pub fn prepare(py: Python<'_>, function: &Function, args: &[Arg<'_>], mode: Mode<'_>) -> PyResult<Prepared> {
    function.prepare_holding(&Interpreter(py), args, mode).map_err(|e| to_py(py, &e))
}

/// The function, deterministic where torch's setting asks it of calls with tensors of its own.
pub fn as_torch_asks<'f>(
    py: Python<'_>,
    function: &'f Function,
    parsed: &Parsed<'_, '_>,
) -> Cow<'f, Function> {
    let asks = || Torch::get(py).is_some_and(|torch| torch.is_deterministic(py));
    if parsed.exchange.is_some() && asks() {
        return Cow::Owned(function.deterministic());
    }
    Cow::Borrowed(function)
}

/// The error of a call that is recorded only since a tensor requires grad: its help says how to have it not recorded.
fn with_torchs_way_out(error: &Error) -> Error {
    let mut found = Diagnostics::new();
    for diagnostic in error.diagnostics() {
        let mut diagnostic = diagnostic.clone();
        if diagnostic.code.class() == ErrorClass::Gradient
            && let Some(help) = &mut diagnostic.help
        {
            help.push_str("; or pass x.detach(), or call under torch.no_grad()");
        }
        found.push(diagnostic);
    }
    Error::new(found, error.sources().clone())
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

impl Globals {
    /// Keywords, those of globals among them, and `_result` apart.
    pub fn keywords<'py>(
        &self,
        py: Python<'py>,
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
        keywords.extend(self.0.iter().map(|(name, value)| (name.bind(py).clone(), value.bind(py).clone())));
        Ok((keywords, result))
    }

    /// These and more; a name given again has its new value.
    fn with(&self, py: Python<'_>, more: Vec<(String, Py<PyAny>)>) -> Self {
        let mut all: Vec<(Py<PyString>, Py<PyAny>)> = Vec::new();
        let is_new = |name: &Bound<'_, PyString>| !more.iter().any(|(given, _)| *name == given.as_str());
        for (name, value) in self.0.iter().filter(|(name, _)| is_new(name.bind(py))) {
            all.push((name.clone_ref(py), value.clone_ref(py)));
        }
        all.extend(more.into_iter().map(|(name, value)| (PyString::new(py, &name).unbind(), value)));
        Self(Arc::new(all))
    }
}

/// Forward mode would lose a tangent here without a word.
fn refuse_tangents(py: Python<'_>, torch: &Torch, parsed: &Parsed<'_, '_>) -> PyResult<()> {
    if torch.in_forward_mode(py) {
        for tensor in parsed.torch_tensors().chain(parsed.given_tensor()) {
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
fn mark_written(parsed: &Parsed<'_, '_>, prepared: &Prepared) -> PyResult<()> {
    for leaf in prepared.written_leaves() {
        if let Some(Origin::Torch(tensor)) = parsed.origins.get(leaf) {
            state::mark_written(tensor)?;
        }
    }
    parsed.given_tensor().map_or(Ok(()), state::mark_written)
}

/// The argument leaves into which the call writes what has a derivative: tensors that torch lets be part of a graph.
fn left_tensors(
    py: Python<'_>,
    parsed: &Parsed<'_, '_>,
    prepared: &Prepared,
) -> PyResult<SmallVec<[usize; 1]>> {
    let refused = |why: &str, help: &str| {
        Err(diagnostic(py, Diagnostic::error(Code::NotDifferentiable, why).help(help)))
    };
    let mut left = SmallVec::new();
    for leaf in prepared.left_leaves() {
        let Some(Origin::Torch(tensor)) = parsed.origins.get(leaf) else {
            let why = "what this call writes has a derivative, but is not written to a torch tensor";
            return refused(why, "pass a torch tensor to be written, or call under torch.no_grad()");
        };
        if state::requires_grad(tensor)? && state::is_leaf(tensor)? {
            let why = "this call would write a leaf tensor that requires grad";
            return refused(why, "pass x.clone(), or call under torch.no_grad()");
        }
        left.push(leaf);
    }
    Ok(left)
}

/// The refusal of a call that torch would have to record but cannot.
fn unrecorded(py: Python<'_>, why: &str) -> PyErr {
    let found = Diagnostic::error(Code::NotDifferentiable, why);
    diagnostic(py, found.help("leave `_result` out, or call under torch.no_grad()"))
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

/// Each name and value of a dict, and of keywords after it.
fn named<'a, 'py>(
    values: Option<&'a Bound<'py, PyDict>>,
    keywords: Option<&'a Bound<'py, PyDict>>,
) -> impl Iterator<Item = PyResult<(String, Bound<'py, PyAny>)>> + use<'a, 'py> {
    let both = values.into_iter().chain(keywords).flat_map(|given| given.iter());
    both.map(|(name, value)| Ok((name.extract()?, value)))
}
