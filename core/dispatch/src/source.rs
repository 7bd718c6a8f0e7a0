//! A compiled source file: its functions as IR, and the texts that diagnostics point into.

use crate::context::Context;
use crate::error::Error;
use crate::groups::refuse_groups;
use crate::variant::Origin;
use pullback_autodiff::{self as autodiff, Convention, JvpRequest, Primal, VjpRequest};
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
    /// What derivatives are where functions have none.
    pub convention: Convention,
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
    /// The JVP of a function in scalar form. Memory is constant: no tangents of it are given.
    pub fn jvp(&self, primal: &Function, active_params: Vec<bool>) -> Result<Function, Error> {
        let request = JvpRequest { active_params, convention: self.convention, constant_memory: true };
        autodiff::requested_jvp(self.primal(primal), &request).map_err(|found| self.error(found))
    }

    /// The VJP of a function in scalar form, by the module's convention. Arrays whose gradients are not asked for are
    /// constant, and so is what they hold; those that are written share memory with no other (`Ports::check_overlaps`).
    pub fn vjp(&self, primal: &Function, request: &VjpRequest) -> Result<Function, Error> {
        autodiff::vjp(self.primal(primal), &self.told(request)).map_err(|found| self.error(found))
    }

    /// What [`Source::vjp`] does with this request.
    pub fn explain(&self, primal: &Function, request: &VjpRequest) -> autodiff::Explanation {
        autodiff::explain(self.primal(primal), &self.told(request))
    }

    fn told(&self, request: &VjpRequest) -> VjpRequest {
        let request = request.clone();
        let distinct_params = vec![true; request.active_params.len()];
        VjpRequest { convention: self.convention, constant_memory: true, distinct_params, ..request }
    }

    fn primal<'a>(&'a self, function: &'a Function) -> Primal<'a> {
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
