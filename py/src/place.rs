//! Where in a call a value stands, for messages, and what the function takes there.

use pullback_dispatch::Function;
use pullback_ir::{InterfaceParam, Type};

/// A place among a call's arguments.
#[derive(Clone, Copy)]
pub enum Place<'a> {
    Position(usize),
    Name(&'a str),
    /// A field of a dict.
    Field(&'a Place<'a>, &'a str),
}

impl Place<'_> {
    /// The parameter's name in backticks, with the fields below it; the argument's number where overloads
    /// do not agree on the name.
    pub fn shown(&self, function: &Function) -> String {
        match self.named(function) {
            Ok(path) => format!("`{path}`"),
            Err(number) => number,
        }
    }

    fn named(&self, function: &Function) -> Result<String, String> {
        match self {
            Place::Name(name) => Ok((*name).to_owned()),
            Place::Field(above, name) => match above.named(function) {
                Ok(path) => Ok(format!("{path}.{name}")),
                Err(number) => Err(format!("{number}: `{name}`")),
            },
            Place::Position(position) => {
                let mut names =
                    function.interfaces().map(|i| i.params.get(*position).map(|param| &*param.name));
                match names.next().flatten() {
                    Some(name) if names.all(|other| other == Some(name)) => Ok(name.to_owned()),
                    _ => Err(format!("argument {}", position + 1)),
                }
            }
        }
    }

    /// Whether an overload takes floats here.
    pub fn takes_floats(&self, function: &Function) -> bool {
        function.interfaces().any(|interface| self.ty(&interface.params).is_some_and(Type::has_float))
    }

    fn ty<'f>(&self, params: &'f [InterfaceParam]) -> Option<&'f Type> {
        match self {
            Place::Position(position) => params.get(*position).map(|param| &param.ty),
            Place::Name(name) => params.iter().find(|param| &*param.name == *name).map(|param| &param.ty),
            Place::Field(above, name) => match above.ty(params)? {
                Type::Struct(structure) => {
                    structure.fields.iter().find(|field| &*field.name == *name).map(|field| &field.ty)
                }
                _ => None,
            },
        }
    }
}
