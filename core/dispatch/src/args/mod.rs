//! The kinds of argument a call takes, as plain data.

mod array;
mod number;

pub use array::{ArrayView, Location};
pub use number::{Number, Numbers};

use smallvec::SmallVec;
use std::borrow::Cow;

/// One argument: by keyword, or by position when `name` is empty.
#[derive(Clone, Debug)]
pub struct Arg<'a> {
    pub name: &'a str,
    pub value: ArgValue<'a>,
}

/// What was passed.
#[derive(Clone, Debug)]
pub enum ArgValue<'a> {
    /// A number, or numbers in the shape of the parameter's type; the same for every lane.
    Numbers(Numbers),
    Array(ArrayView),
    /// Fields by name, for a struct parameter.
    Struct(Vec<(Cow<'a, str>, ArgValue<'a>)>),
}

impl ArgValue<'_> {
    /// How many leaves it comes down to.
    pub fn leaf_count(&self) -> usize {
        match self {
            ArgValue::Struct(fields) => fields.iter().map(|(_, field)| field.leaf_count()).sum(),
            _ => 1,
        }
    }
}

/// An argument's leaf: what a struct's fields come down to.
#[derive(Clone, Copy, Debug)]
pub enum Leaf<'a> {
    Numbers(&'a Numbers),
    Array(&'a ArrayView),
}

pub type Leaves<'a> = SmallVec<[Leaf<'a>; 8]>;

/// All leaves of the arguments, depth first, in the order given. A leaf's place in this list is its number
/// wherever leaves are counted (gradients asked for, gradients returned).
pub fn leaves<'a>(args: &'a [Arg<'a>]) -> Leaves<'a> {
    let mut out = Leaves::new();
    args.iter().for_each(|arg| push_leaves(&arg.value, &mut out));
    out
}

fn push_leaves<'a>(value: &'a ArgValue<'a>, out: &mut Leaves<'a>) {
    match value {
        ArgValue::Numbers(numbers) => out.push(Leaf::Numbers(numbers)),
        ArgValue::Array(array) => out.push(Leaf::Array(array)),
        ArgValue::Struct(fields) => fields.iter().for_each(|(_, field)| push_leaves(field, out)),
    }
}

impl Leaf<'_> {
    /// How messages name it: `a float`, `float32 (4, 3)`.
    pub fn describe(&self) -> String {
        match self {
            Leaf::Numbers(numbers) => numbers.describe(),
            Leaf::Array(array) => array.describe(),
        }
    }
}
