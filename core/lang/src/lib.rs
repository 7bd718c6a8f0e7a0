//! Front ends: shader text to IR.

mod entry;
pub mod import;
mod shared;
pub mod slang;
pub mod ssa;

pub use import::naga::GlslReader;
pub use slang::{IncludeResolver, Linked, ParseOptions as Options, TypeConformance};

use import::naga::Input;
use pullback_base::{Diagnostics, SourceMap};
use pullback_ir::Module;

/// A language the front ends read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Language {
    Slang,
    Wgsl,
    Glsl,
}

/// What became of a text. Functions with errors are not in the module.
#[derive(Clone, Debug)]
pub struct Compiled {
    pub module: Module,
    /// The files that spans and diagnostics refer to.
    pub sources: SourceMap,
    pub diagnostics: Diagnostics,
}

/// Compiles a text to IR. Never fails: what could be built is in the module, the rest in the diagnostics.
pub fn compile(language: Language, name: &str, text: &str, options: &Options<'_>) -> Compiled {
    match language {
        Language::Slang => slang::compile(name, text, options),
        Language::Wgsl => imported(name, Input::Wgsl(text), options),
        Language::Glsl => compile_glsl(GlslReader::BEST, name, text, options),
    }
}

/// Compiles GLSL by the reader of one's choice, as [`compile`].
pub fn compile_glsl(reader: GlslReader, name: &str, text: &str, options: &Options<'_>) -> Compiled {
    imported(name, Input::Glsl(text, reader), options)
}

/// Reads a compiled module's named functions. Never fails, as [`compile`].
pub fn compile_binary(name: &str, bytes: &[u8]) -> Compiled {
    imported(name, Input::Binary(bytes), &Options::default())
}

fn imported(name: &str, input: Input<'_>, options: &Options<'_>) -> Compiled {
    let (mut sources, mut diagnostics) = (SourceMap::new(), Diagnostics::new());
    let module = import::naga::compile(name, input, options, &mut sources, &mut diagnostics);
    Compiled { module, sources, diagnostics }
}
