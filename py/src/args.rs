//! Python values as call arguments.

use crate::errors::diagnostic;
use crate::numpy_array;
use crate::place::Place;
use crate::tensor::PyTensor;
use numpy::PyUntypedArray;
use parking_lot::RwLock;
use pullback_base::{Code, DType, Diagnostic, Shape};
use pullback_dispatch::{Arg, ArgValue, ArrayView, Function, Location, Number, Numbers};
use pullback_torch_bridge::{Exchange, Torch, state};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple, PyType};
use smallvec::SmallVec;
use std::borrow::Cow;

/// Where an argument leaf came from: results go back in kind.
#[derive(Clone)]
pub enum Origin<'py> {
    Number,
    Numpy(Bound<'py, PyAny>),
    Tensor,
    Torch(Bound<'py, PyAny>),
}

impl<'py> Origin<'py> {
    pub fn torch(&self) -> Option<&Bound<'py, PyAny>> {
        match self {
            Origin::Torch(tensor) => Some(tensor),
            _ => None,
        }
    }
}

/// The arguments of a call, read one by one, and what is known of their leaves.
///
/// Filled in place: it is large, and calls are short.
pub struct Parsed<'a, 'py> {
    py: Python<'py>,
    /// The function that is called.
    function: &'a Function,
    pub args: SmallVec<[Arg<'a>; 4]>,
    /// Of each leaf, in order.
    pub origins: SmallVec<[Origin<'py>; 4]>,
    /// The array given as `_result`.
    pub given: Option<(Origin<'py>, ArrayView)>,
    pub exchange: Option<Exchange>,
    /// The GPU that the torch tensors are on, if they are on one.
    pub gpu: Option<u32>,
    /// Whether a torch tensor with dims is on the CPU.
    on_cpu: bool,
}

impl<'a, 'py> Parsed<'a, 'py> {
    pub fn new(py: Python<'py>, function: &'a Function) -> Self {
        let (args, origins) = (SmallVec::new(), SmallVec::new());
        Self { py, function, args, origins, given: None, exchange: None, gpu: None, on_cpu: false }
    }

    /// The torch tensors among the arguments' leaves.
    pub fn torch_tensors(&self) -> impl Iterator<Item = &Bound<'py, PyAny>> {
        self.origins.iter().filter_map(Origin::torch)
    }

    /// The torch tensor given as `_result`.
    pub fn given_tensor(&self) -> Option<&Bound<'py, PyAny>> {
        self.given.as_ref().and_then(|(origin, _)| origin.torch())
    }

    /// Reads positional and keyword arguments. Keywords are borrowed from `kwargs`.
    pub fn read(
        &mut self,
        args: &Bound<'py, PyTuple>,
        kwargs: &'a [(Bound<'py, PyString>, Bound<'py, PyAny>)],
    ) -> PyResult<()> {
        for (position, value) in args.iter_borrowed().enumerate() {
            let value = self.value(Place::Position(position), &value)?;
            self.args.push(Arg { name: "", value });
        }
        for (name, value) in kwargs {
            let name = name.to_str()?;
            let value = self.value(Place::Name(name), value)?;
            self.args.push(Arg { name, value });
        }
        Ok(())
    }

    /// Reads an array given as `_result`, as carefully as an argument.
    pub fn read_result(&mut self, value: &Bound<'py, PyAny>) -> PyResult<()> {
        let place = Place::Name("_result");
        let read = self.value(place, value)?;
        match (read, self.origins.pop()) {
            (ArgValue::Array(view), Some(origin)) => {
                self.given = Some((origin, view));
                Ok(())
            }
            _ => {
                let what = format!("a {}", value.get_type().name()?);
                Err(self.refused(place, &what, "pass an array to write, or 'numpy', 'tensor' or 'torch'"))
            }
        }
    }

    /// The value as an argument.
    pub fn value(&mut self, place: Place<'_>, value: &Bound<'py, PyAny>) -> PyResult<ArgValue<'static>> {
        if let Some(number) = self.python_number(place, value)? {
            self.origins.push(Origin::Number);
            return Ok(ArgValue::Numbers(Numbers::one(number)));
        }
        if let Ok(array) = value.cast::<PyUntypedArray>() {
            self.origins.push(Origin::Numpy(value.clone()));
            let view = numpy_array::view(array).map_err(|d| self.located(place, d))?;
            return Ok(ArgValue::Array(view));
        }
        if let Some(exchange) = exchange_of(value)? {
            let view = shared_view(exchange, value).map_err(|found| self.refuse(place, found))?;
            self.check_place(place, value, &view)?;
            self.origins.push(Origin::Torch(value.clone()));
            self.exchange = Some(exchange);
            return Ok(ArgValue::Array(view));
        }
        if let Ok(tensor) = value.cast::<PyTensor>() {
            self.check_device(place, tensor)?;
            self.origins.push(Origin::Tensor);
            return Ok(ArgValue::Array(tensor.get().0.view()));
        }
        if let Ok(dict) = value.cast::<PyDict>() {
            let mut fields = Vec::with_capacity(dict.len());
            for (key, field) in dict.iter() {
                let Ok(key) = key.extract::<String>() else {
                    return Err(self.refused(
                        place,
                        "a dict whose keys are not strings",
                        "name the struct's fields",
                    ));
                };
                let read = self.value(Place::Field(&place, &key), &field)?;
                fields.push((Cow::Owned(key), read));
            }
            return Ok(ArgValue::Struct(fields));
        }
        if value.is_instance_of::<PyTuple>() || value.is_instance_of::<PyList>() {
            self.origins.push(Origin::Number);
            let mut numbers = Numbers { shape: Shape::scalar(), values: SmallVec::new(), dtype: None };
            let mut dims = Vec::new();
            self.sequence(place, value, 0, &mut dims, &mut numbers.values)?;
            numbers.shape = Shape::from(dims);
            return Ok(ArgValue::Numbers(numbers));
        }
        if let Some(numbers) = self.other_number(place, value)? {
            self.origins.push(Origin::Number);
            return Ok(ArgValue::Numbers(numbers));
        }
        let ty = value.get_type();
        if ty.name()? == "void" {
            return Err(self.refused(
                place,
                "a single struct of NumPy's",
                "pass an array of structs: x[i:i + 1] for x[i]",
            ));
        }
        let what = format!("a {}", ty.name()?);
        Err(self.refused(place, &what, "pass a number, a tuple of numbers, a NumPy array, a torch tensor, a pullback Tensor, or a dict of these"))
    }

    /// Numbers read before.
    pub fn numbers(&mut self, numbers: &Numbers) -> ArgValue<'static> {
        self.origins.push(Origin::Number);
        ArgValue::Numbers(numbers.clone())
    }

    /// Nested tuples and lists of numbers, all of one length per level.
    fn sequence(
        &self,
        place: Place<'_>,
        value: &Bound<'py, PyAny>,
        depth: usize,
        dims: &mut Vec<i64>,
        out: &mut SmallVec<[Number; 4]>,
    ) -> PyResult<()> {
        if !(value.is_instance_of::<PyTuple>() || value.is_instance_of::<PyList>()) {
            let number = match self.python_number(place, value)? {
                Some(number) => Some(number),
                None => self.other_number(place, value)?.map(|numbers| numbers.values[0]),
            };
            let Some(number) = number.filter(|_| depth == dims.len()) else {
                return Err(self.ragged(place));
            };
            out.push(number);
            return Ok(());
        }
        if depth > 4 {
            return Err(self.ragged(place));
        }
        let len = value.len()? as i64;
        match dims.get(depth) {
            None => dims.push(len),
            Some(&known) if known == len => {}
            Some(_) => return Err(self.ragged(place)),
        }
        value.try_iter()?.try_for_each(|item| self.sequence(place, &item?, depth + 1, dims, out))
    }

    /// A Python bool, int or float; `None` for anything else, their subclasses too.
    fn python_number(&self, place: Place<'_>, value: &Bound<'py, PyAny>) -> PyResult<Option<Number>> {
        if value.is_exact_instance_of::<PyFloat>() {
            return Ok(Some(Number::Float(value.extract()?)));
        }
        if value.is_exact_instance_of::<PyInt>() {
            return self.int(place, value).map(Some);
        }
        if value.is_instance_of::<PyBool>() {
            return Ok(Some(Number::Bool(value.extract()?)));
        }
        Ok(None)
    }

    /// A NumPy scalar (`np.float32(1)`), typed by its dtype, or a number of a class of the user's (an `IntEnum`).
    fn other_number(&self, place: Place<'_>, value: &Bound<'py, PyAny>) -> PyResult<Option<Numbers>> {
        if let Some(numbers) = numpy_scalar(value)? {
            return Ok(Some(numbers));
        }
        Ok(if value.is_instance_of::<PyFloat>() {
            Some(Numbers::one(Number::Float(value.extract()?)))
        } else if value.is_instance_of::<PyInt>() {
            Some(Numbers::one(self.int(place, value)?))
        } else {
            None
        })
    }

    /// An int; beyond 128 bits the nearest float, for a parameter that takes floats.
    fn int(&self, place: Place<'_>, value: &Bound<'py, PyAny>) -> PyResult<Number> {
        if let Ok(int) = value.extract::<i128>() {
            return Ok(Number::Int(int));
        }
        let shown = match value.call_method0("bit_length")?.extract::<u64>()? {
            ..=256 => value.call_method0("__repr__")?.to_string(),
            bits => format!("an int of {bits} bits"),
        };
        let refuse = |why: &str, help: &str| {
            let message = format!("{shown} does not fit {}, {why}", place.shown(self.function));
            Err(diagnostic(self.py, Diagnostic::error(Code::ValueRange, message).help(help)))
        };
        if !place.takes_floats(self.function) {
            let help = "pass a number in the type's range, or give the parameter a wider type";
            return refuse("which is no float", help);
        }
        match value.extract::<f64>() {
            Ok(nearest) => Ok(Number::Float(nearest)),
            Err(_) => refuse("it is beyond all floats", "pass a number of at most 1.8e308"),
        }
    }

    /// All torch tensors of a call are on one device; but one number may come from the CPU, as in torch.
    fn check_place(&mut self, place: Place<'_>, value: &Bound<'py, PyAny>, view: &ArrayView) -> PyResult<()> {
        let others = match (view.location, self.gpu) {
            (Location::Gpu(own), Some(other)) if own != other => format!("cuda:{other}"),
            (Location::Gpu(_), _) if self.on_cpu => "the CPU".into(),
            (Location::Gpu(own), _) => {
                self.gpu = Some(own);
                return Ok(());
            }
            _ if view.shape.rank() == 0 => return Ok(()),
            (_, Some(other)) => format!("cuda:{other}"),
            _ => {
                self.on_cpu = true;
                return Ok(());
            }
        };
        let (place, device) = (place.shown(self.function), value.getattr("device")?);
        let message = format!("arrays on two devices: {place} is on {device}, another tensor on {others}");
        let found = Diagnostic::error(Code::DeviceMismatch, message);
        Err(diagnostic(self.py, found.help("move the tensors to one device with x.to(...)")))
    }

    /// A tensor's address means nothing on another device than its own.
    fn check_device(&self, place: Place<'_>, tensor: &Bound<'_, PyTensor>) -> PyResult<()> {
        if tensor.get().0.context().same_device(self.function.context()) {
            return Ok(());
        }
        let place = place.shown(self.function);
        let message = format!("{place} is a Tensor of another device than the function's module");
        let found = Diagnostic::error(Code::DeviceMismatch, message);
        Err(diagnostic(self.py, found.help("make the Tensor with the device the module was loaded on")))
    }

    fn ragged(&self, place: Place<'_>) -> PyErr {
        self.refused(
            place,
            "a sequence that is not a regular grid of numbers",
            "pass np.array(...) to vectorize over values, and for whole arrays",
        )
    }

    fn refused(&self, place: Place<'_>, what: &str, help: &str) -> PyErr {
        refused(self.py, &place.shown(self.function), what, help)
    }

    fn refuse(&self, place: Place<'_>, why: Unusable) -> PyErr {
        match why {
            Unusable::Tensor(what, help) => self.refused(place, &what, help),
            Unusable::Failed(error) => error,
        }
    }

    fn located(&self, place: Place<'_>, found: Diagnostic) -> PyErr {
        let message = format!("{}: {}", place.shown(self.function), found.message);
        diagnostic(self.py, Diagnostic { message, ..found })
    }
}

fn refused(py: Python<'_>, place: &str, what: &str, help: &str) -> PyErr {
    diagnostic(py, Diagnostic::error(Code::ArgumentType, format!("{place} is {what}")).help(help))
}

/// Why a tensor's memory cannot be used.
enum Unusable {
    /// What it is, and what to do about it.
    Tensor(String, &'static str),
    Failed(PyErr),
}

impl From<PyErr> for Unusable {
    fn from(error: PyErr) -> Self {
        Unusable::Failed(error)
    }
}

/// The memory of a torch tensor that torch made, or why a kernel cannot use it.
pub fn torch_view(what: &str, value: &Bound<'_, PyAny>) -> PyResult<ArrayView> {
    let py = value.py();
    let Some(exchange) = exchange_of(value)? else {
        return Err(refused(py, what, "not a torch tensor", "pass one"));
    };
    shared_view(exchange, value).map_err(|why| match why {
        Unusable::Tensor(kind, help) => refused(py, what, &kind, help),
        Unusable::Failed(error) => error,
    })
}

fn shared_view(exchange: Exchange, value: &Bound<'_, PyAny>) -> Result<ArrayView, Unusable> {
    match exchange.view(value) {
        Ok(Ok(_)) if state::is_negated_view(value)? => {
            Err(Unusable::Tensor("a lazily negated tensor".into(), "pass x.resolve_neg()"))
        }
        Ok(Ok(view)) => Ok(view),
        Ok(Err(kind)) => {
            let (what, help) = state::describe_unshared(value, kind.reason())?;
            Err(Unusable::Tensor(what, help))
        }
        Err(error) => {
            let why = error.value(value.py()).str()?.to_string();
            let (what, help) = state::describe_unshared(value, &why)?;
            Err(Unusable::Tensor(what, help))
        }
    }
}

/// A NumPy scalar (`np.float32(1)`), typed by its dtype.
fn numpy_scalar(value: &Bound<'_, PyAny>) -> PyResult<Option<Numbers>> {
    static GENERIC: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    if !value.is_instance(GENERIC.import(value.py(), "numpy", "generic")?)? {
        return Ok(None);
    }
    let dtype = value.getattr("dtype")?.getattr("num")?.extract()?;
    let Some(dtype) = numpy_array::dtype_of(dtype) else { return Ok(None) };
    let number = match dtype {
        DType::Bool => Number::Bool(value.is_truthy()?),
        _ if dtype.is_float() => Number::Float(value.call_method0("__float__")?.extract()?),
        _ => Number::Int(value.call_method0("__int__")?.extract()?),
    };
    Ok(Some(Numbers { dtype: Some(dtype), ..Numbers::one(number) }))
}

/// The exchange functions of an object that is a torch tensor, found once per type.
pub fn exchange_of(value: &Bound<'_, PyAny>) -> PyResult<Option<Exchange>> {
    static KNOWN: RwLock<Vec<(Py<PyType>, Option<Exchange>)>> = RwLock::new(Vec::new());
    let py = value.py();
    let ty = value.get_type();
    if let Some((_, exchange)) = KNOWN.read().iter().find(|(known, _)| known.is(&ty)) {
        return Ok(*exchange);
    }
    let Some(torch) = Torch::get(py) else { return Ok(None) };
    if !torch.is_tensor_type(&ty) {
        return Ok(None);
    }
    let exchange = Exchange::of_type(&ty);
    if exchange.is_none() {
        return Err(diagnostic(
            py,
            Diagnostic::error(Code::ArgumentType, "this torch has no DLPack exchange API")
                .help("install torch 2.10 or newer"),
        ));
    }
    KNOWN.write().push((ty.unbind(), exchange));
    Ok(exchange)
}
