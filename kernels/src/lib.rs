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
    "functions.slang",
    "packed.slang",
    "atomic.slang",
];

/// What programs can name besides after `import slangpy;` or `import pullback;`.
pub const TENSORS: Source = Source { name: "std/tensor.slang", text: include_str!("../std/tensor.slang") };
