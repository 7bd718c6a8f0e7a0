//! Derivatives of a function as Python sees them: `fwds`, `bwds`, and what the transforms are made of.

use crate::argnums;
use crate::args::Parsed;
use crate::errors::{diagnostic, guard, to_py};
use crate::function::{
    Globals, PyFunction, as_torch_asks, by_argument, launch_with_gradients, prepare, refuse_cut_graph, wanted,
};
use crate::place::Place;
use pullback_base::{Code, Diagnostic};
use pullback_dispatch::args::{Leaf, leaves};
use pullback_dispatch::{Arg, Derivation, Form, Function, Mode, Slot};
use pullback_ir::InterfaceParam;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};

/// Of one slot: path, dtype by NumPy's name, element shape, whether it can have a derivative, and of a whole array the number
/// of dims before the element's.
pub type SlotTuple = (String, &'static str, Vec<i64>, bool, Option<usize>);

pub fn described(slot: &Slot) -> SlotTuple {
    let dims = slot.element_shape.dims().to_vec();
    let whole = slot.whole.map(|form| match form {
        Form::Tensor { rank } => rank,
        Form::Elements(_) | Form::Bytes => 1,
    });
    (slot.path.clone(), slot.dtype.numpy_name(), dims, !slot.no_diff, whole)
}

/// The slots that arguments can fill, of the first declaration; those of structs in arrays field by field.
pub fn input_slots(function: &Function) -> Vec<SlotTuple> {
    let slots = function.input_slots();
    let apart = slots.iter().flat_map(|slot| match &slot.record {
        Some(_) => slot.field_slots(),
        None => vec![slot.clone()],
    });
    apart.map(|slot| described(&slot)).collect()
}

/// What `_derived` gives: the derivative; for each argument the numbers of its results (in a dict for a struct); and the
/// names of the parameters.
pub type Derived<'py> = (PyFunction, Vec<Bound<'py, PyAny>>, Vec<String>);

/// The derivative of a function, as a function.
pub fn derivative(py: Python<'_>, of: &PyFunction, derivation: &Derivation) -> PyResult<PyFunction> {
    of.0.derived(derivation).map(|made| PyFunction(made, of.1.clone())).map_err(|e| to_py(py, &e))
}

/// The lane-wise derivative of that kind (`jacobian` or `gradient`) by the arguments in `argnums`.
pub fn derived_by<'py>(
    of: &PyFunction,
    kind: &str,
    argnums: &Bound<'py, PyTuple>,
    args: &Bound<'py, PyTuple>,
    kwargs: &Bound<'py, PyDict>,
) -> PyResult<Derived<'py>> {
    let py = args.py();
    let PyFunction(function, globals) = of;
    let (keywords, _) = globals.keywords(py, Some(kwargs))?;
    let mut parsed = Parsed::new(py, function);
    parsed.read(args, &keywords)?;
    let places = argnums::places(argnums, function, &parsed.args)?;
    let marks = wanted(&places, &parsed.args);
    let slots = function.leaf_slots(&parsed.args).map_err(|e| to_py(py, &e))?;
    let asked = marks.iter().zip(&slots).filter(|(mark, _)| **mark).filter_map(|(_, slot)| slot.as_ref());
    let asked: Vec<&Slot> = asked.collect();
    if let Some(slot) = asked.iter().find(|slot| slot.whole.is_some()) {
        let message =
            format!("`{}` is a whole array: its gradient is a sum over lanes, not one per lane", slot.path);
        let found = Diagnostic::error(Code::UnsupportedFeature, message);
        let found =
            found.help("for products with vectors use f.fwds, or torch.autograd.grad with create_graph=True");
        return Err(to_py(py, &function.error_at(slot.path.split('.').next().unwrap_or(""), found)));
    }
    let wrt: Vec<String> = asked.iter().map(|slot| slot.path.clone()).collect();
    let numbers = (0..wrt.len()).map(|number| Ok(number.into_pyobject(py)?.into_any()));
    let numbers = by_argument(py, &places, &parsed.args, numbers.collect::<PyResult<_>>()?)?;
    let root = |place: &usize| {
        let leaf: usize = parsed.args[..*place].iter().map(|arg| arg.value.leaf_count()).sum();
        slots[leaf].as_ref().map(|slot| slot.path.split('.').next().unwrap_or("").to_owned())
    };
    let names = places.iter().filter_map(root).collect();
    let derivation = match kind {
        "jacobian" => Derivation::Jacobian { wrt },
        _ => Derivation::Reverse { wrt },
    };
    Ok((derivative(py, of, &derivation)?, numbers, names))
}

/// What [`slots`] gives.
pub type Slots = (Vec<Option<SlotTuple>>, Vec<SlotTuple>, Vec<String>);

/// The slots of the arguments' leaves, in order (`None` for one that is only written), and of the results; and the paths of
/// the whole arrays that the call leaves values with derivatives in.
pub fn slots(of: &PyFunction, args: &Bound<'_, PyTuple>, kwargs: &Bound<'_, PyDict>) -> PyResult<Slots> {
    let py = args.py();
    let PyFunction(function, globals) = of;
    let (keywords, _) = globals.keywords(py, Some(kwargs))?;
    let mut parsed = Parsed::new(py, function);
    parsed.read(args, &keywords)?;
    let inputs = function.leaf_slots(&parsed.args).map_err(|e| to_py(py, &e))?;
    let outputs = function.returned_slots(&parsed.args).map_err(|e| to_py(py, &e))?;
    let seeds = function.seeds(&parsed.args, "d_").map_err(|e| to_py(py, &e))?;
    let left = seeds.missing().map(str::to_owned).collect();
    let inputs = inputs.iter().map(|slot| slot.as_ref().map(described)).collect();
    Ok((inputs, outputs.iter().map(described).collect(), left))
}

/// The error of a gradient that differs from finite differences, located at the parameter.
pub fn mismatch(
    py: Python<'_>,
    function: &Function,
    param: &str,
    message: &str,
    notes: Vec<String>,
) -> PyErr {
    let found = Diagnostic::error(Code::GradientMismatch, message);
    let found = notes.into_iter().fold(found, Diagnostic::note);
    to_py(py, &function.error_at(param, found))
}

/// For each leaf whether it is an array of floats, or of structs with some, that can have a gradient.
pub fn differentiable_arrays(args: &[Arg<'_>], slots: &[Option<Slot>]) -> Vec<bool> {
    let differentiable = |(leaf, slot): (&Leaf<'_>, &Option<Slot>)| {
        matches!(leaf, Leaf::Array(array) if array.dtype.is_float() || array.record.is_some())
            && slot.as_ref().is_some_and(|slot| !slot.no_diff)
    };
    leaves(args).iter().zip(slots).map(differentiable).collect()
}

/// The backward launch of a function, called with cotangents.
#[pyclass(name = "BackwardFunction", module = "pullback", frozen)]
pub struct PyBackward(pub Function, pub Globals);

#[pymethods]
impl PyBackward {
    /// Gradients by parameter name, of every float array among the arguments: each of its argument's shape, dtype and
    /// library, summed in a fixed order where the argument was broadcast. `d_result` (and `d_name` for an `out` parameter)
    /// is the cotangent of the result, of the result's shape; without any, all are ones. For a whole array that the function
    /// writes, `d_name` is the cotangent of what it leaves there, of the array's shape and dtype, and must be given; the
    /// array's gradient is by what the function found there.
    #[pyo3(signature = (*args, **kwargs))]
    fn __call__<'py>(
        &self,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyDict>> {
        guard(args.py(), || self.run(args, kwargs))
    }

    fn __repr__(&self) -> String {
        format!("<backward of pullback function {}>", self.0.name())
    }
}

impl PyBackward {
    fn run<'py>(
        &self,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let py = args.py();
        let (keywords, result) = self.1.keywords(py, kwargs)?;
        if result.is_some() {
            let found = Diagnostic::error(Code::UnknownArgument, "a backward call takes no `_result`");
            return Err(diagnostic(py, found.help("pass the cotangent of the result as d_result=...")));
        }
        let (given, keywords): (Vec<_>, Vec<_>) =
            keywords.into_iter().partition(|(name, _)| self.is_cotangent(name));
        let mut parsed = Parsed::new(py, &self.0);
        parsed.read(args, &keywords)?;
        refuse_cut_graph(py, &parsed)?;
        let slots = self.0.leaf_slots(&parsed.args).map_err(|e| to_py(py, &e))?;
        let wrt = differentiable_arrays(&parsed.args, &slots);
        let mut given_seeds = Parsed::new(py, &self.0);
        let mut seeds = self.0.seeds(&parsed.args, "d_").map_err(|e| to_py(py, &e))?;
        for (name, value) in &given {
            let name = name.to_str()?;
            let value = given_seeds.value(Place::Name(name), value)?;
            seeds.take(name.strip_prefix("d_").unwrap_or(name), &value).map_err(|e| to_py(py, &e))?;
        }
        refuse_cut_graph(py, &given_seeds)?;
        if let Some(path) = seeds.missing().next().filter(|_| given.is_empty()) {
            let message = format!("`{}` writes `{path}`, whose cotangent is missing", self.0.name());
            let found = Diagnostic::error(Code::MissingArgument, message);
            return Err(diagnostic(
                py,
                found.help(format!("pass it as d_{path}=..., an array like `{path}`")),
            ));
        }
        let mode = match given.is_empty() {
            true => Mode::Gradient { wrt: &wrt },
            false => Mode::Backward { wrt: &wrt, cotangents: &seeds.results, written: &seeds.written },
        };
        let function = as_torch_asks(py, &self.0, &parsed);
        let prepared = prepare(py, &function, &parsed.args, mode)?;
        let (_, gradients) = launch_with_gradients(py, &self.0, &parsed, prepared, &wrt)?;
        let by_name = PyDict::new(py);
        let asked = slots.iter().zip(&wrt).filter(|(_, wanted)| **wanted);
        for ((slot, _), gradient) in asked.zip(gradients) {
            if let Some(slot) = slot {
                insert(&by_name, &slot.path, gradient)?;
            }
        }
        Ok(by_name)
    }

    /// `d_name` of a result `name`, or of nothing at all, which is refused as a cotangent.
    fn is_cotangent(&self, name: &Bound<'_, PyString>) -> bool {
        let Ok(name) = name.to_str() else { return false };
        let Some(result) = name.strip_prefix("d_") else { return false };
        let any = |holds: &dyn Fn(&InterfaceParam) -> bool| {
            self.0.interfaces().flat_map(|interface| &interface.params).any(holds)
        };
        let of_result =
            result == "result" || any(&|param| param.direction.writes() && &*param.name == result);
        let is_input = any(&|param| param.direction.reads() && &*param.name == name);
        !is_input && (of_result || !any(&|param| &*param.name == name))
    }
}

/// Puts a value at a path of dicts.
fn insert(dict: &Bound<'_, PyDict>, path: &str, value: Bound<'_, PyAny>) -> PyResult<()> {
    match path.split_once('.') {
        None => dict.set_item(path, value),
        Some((first, rest)) => {
            if !dict.contains(first)? {
                dict.set_item(first, PyDict::new(dict.py()))?;
            }
            insert(&dict.as_any().get_item(first)?.cast_into::<PyDict>()?, rest, value)
        }
    }
}
