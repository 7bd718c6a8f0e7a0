//! A call's signature: everything of the arguments, short of shapes and values, that decides how it binds.
//!
//! It is a list of words, compared in full, so two calls that differ never share a plan.

use crate::args::{Arg, ArgValue, ArrayView, Leaf, Location, Number, leaves};
use crate::mode::Mode;
use smallvec::SmallVec;

#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Signature(SmallVec<[u64; 24]>);

impl Signature {
    /// `with_dims`: shapes tell overloads apart, so they are part of the signature where there are several.
    pub fn of(args: &[Arg<'_>], mode: Mode<'_>, deterministic: bool, with_dims: bool) -> Self {
        let mut words = Signature(SmallVec::new());
        words.push(11, u64::from(deterministic));
        if with_dims {
            leaves(args).iter().for_each(|leaf| {
                if let Leaf::Array(array) = leaf {
                    words.0.extend(array.shape.dims().iter().map(|&dim| dim as u64));
                }
            });
        }
        match mode {
            Mode::Forward { results } => {
                words.push(1, results.len() as u64);
                results.iter().for_each(|result| words.array(result));
            }
            Mode::Backward { wrt, cotangents, written } => {
                words.push(2, cotangents.len() as u64);
                words.flags(wrt);
                for cotangent in cotangents {
                    match cotangent {
                        Some(array) => words.array(array),
                        None => words.push(4, 0),
                    }
                }
                words.flags(&written.iter().map(Option::is_some).collect::<SmallVec<[bool; 8]>>());
            }
            Mode::Recorded { wrt } => {
                words.push(10, 0);
                words.flags(wrt);
            }
            Mode::Gradient { wrt } => {
                words.push(12, 0);
                words.flags(wrt);
            }
            Mode::ValueAndGrad { wrt } => {
                words.push(3, 0);
                words.flags(wrt);
            }
        }
        for arg in args {
            words.name(arg.name);
            words.value(&arg.value);
        }
        words
    }

    fn push(&mut self, tag: u64, payload: u64) {
        self.0.push(tag << 56 | payload);
    }

    fn flags(&mut self, flags: &[bool]) {
        self.push(5, flags.len() as u64);
        for chunk in flags.chunks(64) {
            self.0.push(chunk.iter().rev().fold(0, |bits, &flag| bits << 1 | u64::from(flag)));
        }
    }

    fn name(&mut self, name: &str) {
        self.push(6, name.len() as u64);
        for chunk in name.as_bytes().chunks(8) {
            self.0.push(chunk.iter().rev().fold(0, |bits, &byte| bits << 8 | u64::from(byte)));
        }
    }

    fn value(&mut self, value: &ArgValue<'_>) {
        match value {
            ArgValue::Array(array) => self.array(array),
            ArgValue::Numbers(numbers) => {
                let dtype = numbers.dtype.map_or(0, |dtype| dtype as u64 + 1);
                self.push(7, dtype << 8 | numbers.shape.rank() as u64);
                self.0.extend(numbers.shape.dims().iter().map(|&dim| dim as u64));
                let kind = |number: &Number| match number {
                    Number::Bool(_) => 1,
                    Number::Int(_) => 2,
                    Number::Float(_) => 3,
                };
                self.0.extend(numbers.values.iter().map(kind));
            }
            ArgValue::Struct(fields) => {
                self.push(8, fields.len() as u64);
                for (name, field) in fields {
                    self.name(name);
                    self.value(field);
                }
            }
        }
    }

    fn array(&mut self, array: &ArrayView) {
        let location = match array.location {
            Location::Host => 0,
            Location::Device => 1,
            Location::Gpu(ordinal) => 2 + u64::from(ordinal),
        };
        let writable = u64::from(array.writable);
        self.push(9, (array.dtype as u64) << 40 | location << 16 | writable << 8 | array.shape.rank() as u64);
        if let Some(record) = &array.record {
            let words = record.words();
            self.push(13, words.len() as u64);
            self.0.extend(words);
        }
    }
}
