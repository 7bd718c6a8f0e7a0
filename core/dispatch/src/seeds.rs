//! The cotangents of what a call gives, by name.

use crate::args::{Arg, ArgValue, ArrayView, leaves};
use crate::bind::Target;
use crate::error::Error;
use crate::function::Function;
use pullback_base::{Code, Diagnostic};

/// The cotangents of a call's results and of the whole arrays that it writes, as [`crate::Mode::Backward`] takes them.
pub struct Seeds {
    function: String,
    /// What callers put before a path to name its cotangent.
    prefix: &'static str,
    /// Path, and place among the results that are returned.
    returned: Vec<(String, usize)>,
    /// Path, and argument leaf.
    left: Vec<(String, usize)>,
    pub results: Vec<Option<ArrayView>>,
    /// By argument leaf.
    pub written: Vec<Option<ArrayView>>,
}

impl Function {
    /// No cotangents yet, of a call with these arguments. Messages name that of `x` as callers do: `x` behind `prefix`.
    ///
    /// # Errors
    /// Whatever keeps the arguments from fitting.
    pub fn seeds(&self, args: &[Arg<'_>], prefix: &'static str) -> Result<Seeds, Error> {
        let binding = self.bound(args)?;
        let mut returned = Vec::new();
        for output in &binding.outputs {
            if let Target::Returned(index) = output.target {
                returned.push((output.slot.path.clone(), index));
            }
        }
        let left = binding.inputs.iter().flat_map(|input| input.left());
        let left = left.map(|(leaf, slot)| (slot.path.clone(), leaf));
        Ok(Seeds {
            function: self.name().to_owned(),
            prefix,
            results: vec![None; returned.len()],
            written: vec![None; leaves(args).len()],
            left: left.collect(),
            returned,
        })
    }
}

impl Seeds {
    /// Takes the cotangent of what has this path: a result, or an array that is written.
    ///
    /// # Errors
    /// `unknown-argument` and `argument-type`.
    pub fn take(&mut self, path: &str, value: &ArgValue<'_>) -> Result<(), Error> {
        let view = match value {
            ArgValue::Struct(fields) => {
                return fields
                    .iter()
                    .try_for_each(|(field, value)| self.take(&format!("{path}.{field}"), value));
            }
            ArgValue::Array(view) => view,
            ArgValue::Numbers(_) => {
                let message = format!("the cotangent of `{path}` is a number, but has its shape");
                let found = Diagnostic::error(Code::ArgumentType, message);
                return Err(found.help("pass an array of the same shape and dtype").into());
            }
        };
        let find =
            |among: &[(String, usize)]| among.iter().find(|(known, _)| known == path).map(|(_, at)| *at);
        if let Some(result) = find(&self.returned) {
            self.results[result] = Some(view.clone());
        } else if let Some(leaf) = find(&self.left) {
            self.written[leaf] = Some(view.clone());
        } else {
            let message = format!("`{}` gives no `{path}` that could have a cotangent", self.function);
            let known = self.returned.iter().chain(&self.left);
            let known: Vec<String> = known.map(|(path, _)| format!("{}{path}", self.prefix)).collect();
            let found = Diagnostic::error(Code::UnknownArgument, message);
            return Err(found.help(format!("the cotangents are: {}", known.join(", "))).into());
        }
        Ok(())
    }

    /// The written arrays whose cotangents are missing.
    pub fn missing(&self) -> impl Iterator<Item = &str> {
        self.left.iter().filter(|(_, leaf)| self.written[*leaf].is_none()).map(|(path, _)| path.as_str())
    }
}
