//! The shader-language sources that ship with Pullback, embedded.

/// A source file: the name shown in messages, and its text.
#[derive(Clone, Copy, Debug)]
pub struct Source {
    pub name: &'static str,
    pub text: &'static str,
}

macro_rules! sources {
    ($($path:literal),* $(,)?) => {
        &[$(Source { name: concat!("std/", $path), text: include_str!(concat!("../std/", $path)) }),*]
    };
}

/// The standard library: what every module can name without an import.
pub const STD: &[Source] = sources![
    "math.slang",
    "bits.slang",
    "vector.slang",
    "matrix.slang",
    "numbers.slang",
    "rare.slang",
    "derivatives.slang",
    "optional.slang",
    "packed.slang",
    "tensor.slang",
];
