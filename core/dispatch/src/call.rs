//! Calls on tensors of our own: the safe way in, for Rust users.

use crate::args::{Arg, ArgValue, ArrayView, Number, Numbers};
use crate::error::Error;
use crate::function::Function;
use crate::mode::Mode;
use crate::prepare::Prepared;
use crate::tensor::Tensor;
use pullback_base::{Code, Diagnostic, Shape};
use smallvec::SmallVec;

/// An argument of a Rust call.
#[derive(Clone, Debug)]
pub enum Value<'a> {
    /// The same for every lane; takes the parameter's dtype.
    Number(Number),
    /// The components of a vector, the same for every lane.
    Components(Vec<Number>),
    Tensor(&'a Tensor),
    /// The fields of a struct.
    Struct(Vec<(&'a str, Value<'a>)>),
}

macro_rules! from_numbers {
    ($variant:ident($as:ty): $($ty:ty),*) => { $(
        impl From<$ty> for Value<'_> {
            fn from(value: $ty) -> Self {
                Value::Number(Number::$variant(<$as>::from(value)))
            }
        }
        impl<const N: usize> From<[$ty; N]> for Value<'_> {
            fn from(values: [$ty; N]) -> Self {
                Value::Components(values.map(|value| Number::$variant(<$as>::from(value))).to_vec())
            }
        }
    )* };
}

from_numbers!(Float(f64): f32, f64);
from_numbers!(Int(i128): i8, i16, i32, i64, u8, u16, u32, u64);
from_numbers!(Bool(bool): bool);

impl<'a> From<&'a Tensor> for Value<'a> {
    fn from(tensor: &'a Tensor) -> Self {
        Value::Tensor(tensor)
    }
}

impl<'a> From<Vec<(&'a str, Value<'a>)>> for Value<'a> {
    fn from(fields: Vec<(&'a str, Value<'a>)>) -> Self {
        Value::Struct(fields)
    }
}

/// Arguments by name.
pub type Args<'a> = Vec<(&'a str, Value<'a>)>;

/// Gradients by argument name (`ray.origin` for a struct's field), each of its argument's shape and dtype.
#[derive(Clone, Debug)]
pub struct Gradients(Vec<(String, Tensor)>);

impl Gradients {
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, tensor)| tensor)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.0.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }
}

impl std::ops::Index<&str> for Gradients {
    type Output = Tensor;

    /// # Panics
    /// When no argument of that name got a gradient; [`Gradients::get`] does not.
    fn index(&self, name: &str) -> &Tensor {
        self.get(name).unwrap_or_else(|| panic!("no gradient of `{name}`"))
    }
}

impl Function {
    /// Calls on tensors and numbers; gives the result, whose shape is the call's followed by the element's.
    ///
    /// # Errors
    /// What is wrong with the arguments. A function with several results (a struct, or `out`
    /// parameters left out) is refused: use [`Function::call_all`].
    pub fn call(&self, args: Args<'_>) -> Result<Tensor, Error> {
        let mut results = self.call_all(args)?;
        match results.len() {
            1 => Ok(results.remove(0)),
            n => Err(Diagnostic::error(
                Code::ArgumentType,
                format!("`{}` gives {n} results, not one", self.name()),
            )
            .help("use call_all")
            .into()),
        }
    }

    /// As [`Function::call`], for any number of results: the return value's fields, then `out` parameters.
    ///
    /// # Errors
    /// What is wrong with the arguments.
    pub fn call_all(&self, args: Args<'_>) -> Result<Vec<Tensor>, Error> {
        let args = self.globals.with(args);
        self.check_tensors(&args)?;
        let args = to_args(&args);
        self.run(self.prepare(&args, Mode::Forward { results: &[] })?)
    }

    /// The gradients of every float tensor argument, for the cotangent of the one result.
    ///
    /// # Errors
    /// What is wrong with the arguments; `no-derivative` and its kin, with the place.
    pub fn backward(&self, args: Args<'_>, cotangent: &Tensor) -> Result<Gradients, Error> {
        let args = self.globals.with(args);
        self.check_tensors(&args)?;
        self.check_tensors(&vec![("the cotangent", Value::Tensor(cotangent))])?;
        let (names, wrt) = float_tensors(&args);
        let args = to_args(&args);
        let cotangents = [Some(cotangent.view())];
        let mode = Mode::Backward { wrt: &wrt, cotangents: &cotangents, written: &[] };
        let prepared = self.prepare(&args, mode)?;
        if prepared.result_count() != 1 {
            let message = format!("`{}` gives {} results, not one", self.name(), prepared.result_count());
            return Err(Diagnostic::error(Code::ArgumentType, message).help("use backward_all").into());
        }
        Ok(Gradients(names.into_iter().zip(self.run(prepared)?).collect()))
    }

    /// As [`Function::backward`], for any number of results. Cotangents have the names of what they are of: `result` (or
    /// `result.field`), an `out` parameter, or a parameter that takes a whole array and writes it. A result without one does not
    /// count. The gradient of a written array is by what the call found there.
    ///
    /// # Errors
    /// As [`Function::backward`]; `unknown-argument` for a name of nothing that the call gives.
    pub fn backward_all(&self, args: Args<'_>, cotangents: Args<'_>) -> Result<Gradients, Error> {
        let args = self.globals.with(args);
        self.check_tensors(&args)?;
        self.check_tensors(&cotangents)?;
        let (names, wrt) = float_tensors(&args);
        let args = to_args(&args);
        let mut seeds = self.seeds(&args, "")?;
        for arg in &to_args(&cotangents) {
            seeds.take(arg.name, &arg.value)?;
        }
        let mode = Mode::Backward { wrt: &wrt, cotangents: &seeds.results, written: &seeds.written };
        Ok(Gradients(names.into_iter().zip(self.run(self.prepare(&args, mode)?)?).collect()))
    }

    /// The results and the gradients of their sum, in one launch.
    ///
    /// # Errors
    /// As [`Function::backward`].
    pub fn value_and_grad(&self, args: Args<'_>) -> Result<(Vec<Tensor>, Gradients), Error> {
        let args = self.globals.with(args);
        self.check_tensors(&args)?;
        let (names, wrt) = float_tensors(&args);
        let args = to_args(&args);
        let mut results = self.run(self.prepare(&args, Mode::ValueAndGrad { wrt: &wrt })?)?;
        let gradients = results.split_off(results.len() - names.len());
        Ok((results, Gradients(names.into_iter().zip(gradients).collect())))
    }

    fn check_tensors(&self, args: &Args<'_>) -> Result<(), Error> {
        for (name, value) in args {
            match value {
                Value::Tensor(tensor) if !tensor.context().same_device(self.context()) => {
                    return Err(Diagnostic::error(
                        Code::DeviceMismatch,
                        format!("`{name}` lives on another device than the module"),
                    )
                    .help("make the tensor with the module's device")
                    .into());
                }
                Value::Struct(fields) => self.check_tensors(fields)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn run(&self, prepared: Prepared) -> Result<Vec<Tensor>, Error> {
        let make = |spec: &crate::OutputSpec| Tensor::of_output(self.context(), spec);
        let tensors: Vec<Tensor> = prepared.outputs().iter().map(make).collect::<Result<_, _>>()?;
        let views: SmallVec<[ArrayView; 4]> = tensors.iter().map(Tensor::view).collect();
        // SAFETY: every array is a tensor of this device (checked), borrowed or owned until the launch is in order;
        // tensors are read and freed in the order of the device's queue.
        unsafe { prepared.launch(&views, None) }?;
        Ok(tensors)
    }
}

fn to_args<'a>(args: &'a Args<'a>) -> Vec<Arg<'a>> {
    args.iter().map(|(name, value)| Arg { name, value: to_value(value) }).collect()
}

pub(crate) fn to_value<'a>(value: &'a Value<'a>) -> ArgValue<'a> {
    match value {
        Value::Number(number) => ArgValue::Numbers(Numbers::one(*number)),
        Value::Components(numbers) => ArgValue::Numbers(Numbers {
            shape: Shape::from([numbers.len() as i64]),
            values: SmallVec::from_slice(numbers),
            dtype: None,
        }),
        Value::Tensor(tensor) => ArgValue::Array(tensor.view()),
        Value::Struct(fields) => {
            ArgValue::Struct(fields.iter().map(|(name, field)| ((*name).into(), to_value(field))).collect())
        }
    }
}

/// Names of the float tensors, and a mark per argument leaf.
fn float_tensors(args: &Args<'_>) -> (Vec<String>, Vec<bool>) {
    let (mut names, mut marks) = (Vec::new(), Vec::new());
    push_float_tensors("", args, &mut names, &mut marks);
    (names, marks)
}

fn has_derivative(tensor: &Tensor) -> bool {
    match tensor.record() {
        Some(record) => record.differential().is_some(),
        None => tensor.dtype().is_float(),
    }
}

fn push_float_tensors(prefix: &str, args: &Args<'_>, names: &mut Vec<String>, marks: &mut Vec<bool>) {
    for (name, value) in args {
        let path = format!("{prefix}{name}");
        match value {
            Value::Struct(fields) => push_float_tensors(&format!("{path}."), fields, names, marks),
            Value::Tensor(tensor) if has_derivative(tensor) => {
                marks.push(true);
                names.push(path);
            }
            _ => marks.push(false),
        }
    }
}
