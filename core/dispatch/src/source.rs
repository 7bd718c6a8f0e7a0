//! A compiled source file: its functions as IR, and the texts that diagnostics point into.

use crate::context::Context;
use crate::error::Error;
use crate::variant::Origin;
use pullback_base::{Diagnostic, Diagnostics, SourceMap};

pub struct Source {
    /// The device its functions are called on.
    pub context: Context,
    /// The file's name as found, or the name given.
    pub name: String,
    pub ir: pullback_ir::Module,
    pub texts: SourceMap,
    /// How it was compiled, where it is a text.
    pub origin: Option<Origin>,
}

impl Source {
    /// Diagnostics that point into this source, as an error.
    pub fn error(&self, diagnostics: Diagnostics) -> Error {
        Error::new(diagnostics, self.texts.clone())
    }

    pub fn error_of(&self, diagnostic: Diagnostic) -> Error {
        self.error(diagnostic.into())
    }
}
