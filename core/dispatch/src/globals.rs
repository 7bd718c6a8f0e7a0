//! The values that a function of ours has been given for the globals of its shader.

use crate::args::{ArgValue, Number};
use crate::call::{Args, Value, to_value};
use crate::error::Error;
use crate::function::Function;
use crate::tensor::Tensor;
use pullback_base::{Code, Diagnostic};
use std::sync::Arc;

/// Values by argument name, kept alive. Clones share them.
#[derive(Clone, Default)]
pub struct Globals(Arc<Vec<(String, Kept)>>);

#[derive(Clone)]
enum Kept {
    Number(Number),
    Components(Vec<Number>),
    Tensor(Tensor),
    Struct(Vec<(String, Kept)>),
}

impl Kept {
    fn of(value: &Value<'_>) -> Self {
        match value {
            Value::Number(number) => Kept::Number(*number),
            Value::Components(numbers) => Kept::Components(numbers.clone()),
            Value::Tensor(tensor) => Kept::Tensor(Tensor::clone(tensor)),
            Value::Struct(fields) => Kept::Struct(
                fields.iter().map(|(name, field)| ((*name).to_owned(), Kept::of(field))).collect(),
            ),
        }
    }

    fn value(&self) -> Value<'_> {
        match self {
            Kept::Number(number) => Value::Number(*number),
            Kept::Components(numbers) => Value::Components(numbers.clone()),
            Kept::Tensor(tensor) => Value::Tensor(tensor),
            Kept::Struct(fields) => {
                Value::Struct(fields.iter().map(|(name, field)| (name.as_str(), field.value())).collect())
            }
        }
    }
}

impl Globals {
    /// The arguments of a call, then those of the globals.
    pub fn with<'a>(&'a self, args: Args<'a>) -> Args<'a> {
        let given = self.0.iter().map(|(name, kept)| (name.as_str(), kept.value()));
        args.into_iter().chain(given).collect()
    }
}

impl Function {
    /// The function with these values for link-time constants (`extern static const`): numbers, and their components for vectors.
    ///
    /// # Errors
    /// `unknown-name`, `not-constant` and `type-mismatch`, each with its place; `argument-type` for what is no number.
    pub fn constants(&self, values: Args<'_>) -> Result<Function, Error> {
        let number = |(name, value): &(&str, Value<'_>)| match to_value(value) {
            ArgValue::Numbers(numbers) => Ok(((*name).to_owned(), numbers)),
            _ => Err(Diagnostic::error(
                Code::ArgumentType,
                format!("the constant `{name}` was given no number"),
            )
            .help("give a number, or an array of numbers for a vector")),
        };
        self.with_constants(&values.iter().map(number).collect::<Result<Vec<_>, _>>()?)
    }

    /// The function with these values for globals that it uses: uniforms, buffers, and what `cbuffer` and `ParameterBlock`
    /// declare. This function stays as it is.
    ///
    /// # Errors
    /// `unknown-argument` for a global that it does not use. Whether a value fits is found by the first call.
    pub fn set(&self, globals: Args<'_>) -> Result<Function, Error> {
        let mut all = Vec::clone(&self.globals.0);
        for (name, value) in &globals {
            let name = self.global_name(name)?;
            all.retain(|(known, _)| *known != name);
            all.push((name, Kept::of(value)));
        }
        Ok(self.with_globals(Globals(Arc::new(all))))
    }
}
