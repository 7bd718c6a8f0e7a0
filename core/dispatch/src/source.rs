//! A compiled source file: its functions as IR, and the texts that diagnostics point into.

use crate::context::Context;
use crate::error::Error;
use crate::groups::refuse_groups;
use crate::variant::Origin;
use pullback_autodiff::Primal;
use pullback_base::{Diagnostic, Diagnostics, SourceMap};
use pullback_ir::Function;
use pullback_ir::visit::has_calls;
use pullback_passes::{expand_calls, has_custom, optimize};

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
    /// A function in scalar form, to be differentiated.
    pub fn primal<'a>(&'a self, function: &'a Function) -> Primal<'a> {
        Primal { function, module: Some(&self.ir) }
    }

    /// What differentiation gave, optimized, as it takes it again.
    ///
    /// # Errors
    /// What a derivative that an author gave does that none may.
    pub fn derived(&self, function: Function) -> Result<Function, Error> {
        if !has_calls(&function.body) {
            return Ok(optimize(function));
        }
        expand_calls(function, &self.ir, &has_custom).map_err(|diagnostics| self.error(diagnostics))
    }

    /// A function in scalar form without its calls.
    ///
    /// # Errors
    /// As [`Source::derived`]; `unsupported-feature` where lanes meet.
    pub fn expanded(&self, function: Function) -> Result<Function, Error> {
        let expanded = match has_calls(&function.body) {
            true => expand_calls(function, &self.ir, &|_| false).map_err(|found| self.error(found))?,
            false => function,
        };
        let refused = refuse_groups(&expanded);
        if refused.has_errors() { Err(self.error(refused)) } else { Ok(expanded) }
    }
}
