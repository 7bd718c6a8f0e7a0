//! Python values as call arguments.

use crate::errors::diagnostic;
use crate::numpy_array;
use crate::tensor::PyTensor;
use numpy::PyUntypedArray;
use parking_lot::RwLock;
use pullback_base::{Code, DType, Diagnostic, Shape};
use pullback_dispatch::{Arg, ArgValue, ArrayView, Context, Number, Numbers};
use pullback_torch_bridge::{Exchange, TensorKind, Torch, state};
use pyo3::prelude::*;
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

/// The arguments of a call, read one by one, and what is known of their leaves.
///
/// Filled in place: it is large, and calls are short.
pub struct Parsed<'a, 'py> {
    py: Python<'py>,
    /// Of the function that is called.
    context: &'a Context,
    pub args: SmallVec<[Arg<'a>; 4]>,
    /// Of each leaf, in order.
    pub origins: SmallVec<[Origin<'py>; 4]>,
    pub exchange: Option<Exchange>,
}

impl<'a, 'py> Parsed<'a, 'py> {
    pub fn new(py: Python<'py>, context: &'a Context) -> Self {
        Self { py, context, args: SmallVec::new(), origins: SmallVec::new(), exchange: None }
    }

    pub fn torch_tensors(&self) -> impl Iterator<Item = &Bound<'py, PyAny>> {
        self.origins.iter().filter_map(|origin| match origin {
            Origin::Torch(tensor) => Some(tensor),
            _ => None,
        })
    }

    /// Reads positional and keyword arguments. Keywords are borrowed from `kwargs`.
    pub fn read(
        &mut self,
        args: &Bound<'py, PyTuple>,
        kwargs: &'a [(Bound<'py, PyString>, Bound<'py, PyAny>)],
    ) -> PyResult<()> {
        for value in args.iter_borrowed() {
            let value = self.value("", &value)?;
            self.args.push(Arg { name: "", value });
        }
        for (name, value) in kwargs {
            let name = name.to_str()?;
            let value = self.value(name, value)?;
            self.args.push(Arg { name, value });
        }
        Ok(())
    }

    /// The value as an argument; `name` is for messages.
    pub fn value(&mut self, name: &str, value: &Bound<'py, PyAny>) -> PyResult<ArgValue<'static>> {
        if let Some(number) = python_number(value)? {
            self.origins.push(Origin::Number);
            return Ok(ArgValue::Numbers(Numbers::one(number)));
        }
        if let Ok(array) = value.cast::<PyUntypedArray>() {
            self.origins.push(Origin::Numpy(value.clone()));
            let view = numpy_array::view(array).map_err(|d| self.named(name, d))?;
            return Ok(ArgValue::Array(view));
        }
        if let Some(exchange) = exchange_of(value)? {
            let view = shared_view(exchange, name, value)?;
            self.origins.push(Origin::Torch(value.clone()));
            self.exchange = Some(exchange);
            return Ok(ArgValue::Array(view));
        }
        if let Ok(tensor) = value.cast::<PyTensor>() {
            check_device(self.py, self.context, name, tensor)?;
            self.origins.push(Origin::Tensor);
            return Ok(ArgValue::Array(tensor.get().0.view()));
        }
        if let Ok(dict) = value.cast::<PyDict>() {
            let mut fields = Vec::with_capacity(dict.len());
            for (key, field) in dict.iter() {
                let Ok(key) = key.extract::<String>() else {
                    return Err(self.refused(
                        name,
                        "a dict whose keys are not strings",
                        "name the struct's fields",
                    ));
                };
                let read = self.value(&format!("{name}.{key}"), &field)?;
                fields.push((Cow::Owned(key), read));
            }
            return Ok(ArgValue::Struct(fields));
        }
        if value.is_instance_of::<PyTuple>() || value.is_instance_of::<PyList>() {
            self.origins.push(Origin::Number);
            let mut numbers = Numbers { shape: Shape::scalar(), values: SmallVec::new(), dtype: None };
            let mut dims = Vec::new();
            self.sequence(name, value, 0, &mut dims, &mut numbers.values)?;
            numbers.shape = Shape::from(dims);
            return Ok(ArgValue::Numbers(numbers));
        }
        if let Some(numbers) = numpy_scalar(value)? {
            self.origins.push(Origin::Number);
            return Ok(ArgValue::Numbers(numbers));
        }
        let ty = value.get_type();
        let what = format!("a {}", ty.name()?);
        Err(self.refused(name, &what, "pass a number, a tuple of numbers, a NumPy array, a torch tensor, a pullback Tensor, or a dict of these"))
    }

    /// Numbers read before.
    pub fn numbers(&mut self, numbers: &Numbers) -> ArgValue<'static> {
        self.origins.push(Origin::Number);
        ArgValue::Numbers(numbers.clone())
    }

    /// Nested tuples and lists of numbers, all of one length per level.
    fn sequence(
        &self,
        name: &str,
        value: &Bound<'py, PyAny>,
        depth: usize,
        dims: &mut Vec<i64>,
        out: &mut SmallVec<[Number; 4]>,
    ) -> PyResult<()> {
        if let Some(number) = python_number(value)? {
            out.push(number);
            return if depth == dims.len() { Ok(()) } else { Err(self.ragged(name)) };
        }
        if !(value.is_instance_of::<PyTuple>() || value.is_instance_of::<PyList>()) || depth > 4 {
            return Err(self.ragged(name));
        }
        let len = value.len()? as i64;
        match dims.get(depth) {
            None => dims.push(len),
            Some(&known) if known == len => {}
            Some(_) => return Err(self.ragged(name)),
        }
        value.try_iter()?.try_for_each(|item| self.sequence(name, &item?, depth + 1, dims, out))
    }

    fn ragged(&self, name: &str) -> PyErr {
        self.refused(
            name,
            "a sequence that is not a regular grid of numbers",
            "pass np.array(...) to vectorize over values",
        )
    }

    fn refused(&self, name: &str, what: &str, help: &str) -> PyErr {
        refused(self.py, name, what, help)
    }

    fn named(&self, name: &str, found: Diagnostic) -> PyErr {
        let message =
            if name.is_empty() { found.message.clone() } else { format!("`{name}`: {}", found.message) };
        diagnostic(self.py, Diagnostic { message, ..found })
    }
}

fn refused(py: Python<'_>, name: &str, what: &str, help: &str) -> PyErr {
    let shown = if name.is_empty() { "an argument is".to_owned() } else { format!("`{name}` is") };
    diagnostic(py, Diagnostic::error(Code::ArgumentType, format!("{shown} {what}")).help(help))
}

/// The memory of a torch tensor, or why a kernel cannot use it.
pub fn torch_view(name: &str, value: &Bound<'_, PyAny>) -> PyResult<ArrayView> {
    match exchange_of(value)? {
        Some(exchange) => shared_view(exchange, name, value),
        None => Err(refused(value.py(), name, "not a torch tensor", "pass one")),
    }
}

fn shared_view(exchange: Exchange, name: &str, value: &Bound<'_, PyAny>) -> PyResult<ArrayView> {
    let py = value.py();
    let kind = match exchange.view(value) {
        Ok(Ok(_)) if state::is_negated_view(value)? => {
            return Err(refused(py, name, "a lazily negated tensor", "pass x.resolve_neg()"));
        }
        Ok(Ok(view)) => return Ok(view),
        Ok(Err(kind)) => kind,
        Err(error) => {
            let what = format!("a tensor whose memory torch does not share ({})", error.value(py));
            return Err(refused(py, name, &what, "pass a dense CPU or CUDA tensor"));
        }
    };
    let what = match kind {
        TensorKind::Dtype(..) => format!("a tensor of dtype {}", value.getattr("dtype")?),
        TensorKind::Device(_) => format!("a tensor on {}", value.getattr("device")?),
        TensorKind::NoMemory => "a tensor without memory of its own".into(),
    };
    Err(refused(py, name, &what, "pass a CPU or CUDA tensor of a bool, integer or float dtype"))
}

/// A tensor's address means nothing on another device than its own.
pub fn check_device(
    py: Python<'_>,
    context: &Context,
    name: &str,
    tensor: &Bound<'_, PyTensor>,
) -> PyResult<()> {
    let own = tensor.get().0.context();
    if own.same_device(context) {
        return Ok(());
    }
    let message = format!("`{name}` is a Tensor of another device than the function's module");
    Err(diagnostic(
        py,
        Diagnostic::error(Code::DeviceMismatch, message)
            .help("make the Tensor with the device the module was loaded on"),
    ))
}

/// A Python bool, int or float; `None` for anything else.
fn python_number(value: &Bound<'_, PyAny>) -> PyResult<Option<Number>> {
    if value.is_exact_instance_of::<PyFloat>() {
        return Ok(Some(Number::Float(value.extract()?)));
    }
    if value.is_exact_instance_of::<PyInt>() {
        // Out of 128 bits is out of every dtype; what is left of it says so.
        return Ok(Some(Number::Int(value.extract().unwrap_or(i128::MAX))));
    }
    if value.is_instance_of::<PyBool>() {
        return Ok(Some(Number::Bool(value.extract()?)));
    }
    Ok(None)
}

/// A NumPy scalar (`np.float32(1)`), typed by its dtype.
fn numpy_scalar(value: &Bound<'_, PyAny>) -> PyResult<Option<Numbers>> {
    let Ok(dtype) = value.getattr("dtype").and_then(|dtype| dtype.getattr("num")) else { return Ok(None) };
    let Some(dtype) = dtype.extract().ok().and_then(numpy_array::dtype_of) else { return Ok(None) };
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
