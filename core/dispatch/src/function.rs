//! Functions as users call them: a name, its overloads, and the plans of its calls.

use crate::args::{Arg, ArrayView};
use crate::cache::Calls;
use crate::context::Context;
use crate::error::Error;
use crate::module::Loaded;
use crate::prepare::Prepared;
use crate::slot::{Slot, slots};
use pullback_autodiff as autodiff;
use pullback_base::{Code, Diagnostic};
use pullback_ir as ir;
use pullback_ir::{FuncId, Interface};
use std::sync::{Arc, OnceLock};

/// What a call computes.
#[derive(Clone, Copy, Debug)]
pub enum Mode<'a> {
    /// The results, into the arrays given for them, or into new ones when none are given.
    Forward { results: &'a [ArrayView] },
    /// The gradients of the argument leaves that `wrt` marks, for cotangents of the results
    /// (`None`: the result does not count). Leaves beyond `wrt` are not marked.
    Backward { wrt: &'a [bool], cotangents: &'a [Option<ArrayView>] },
    /// The results, and the gradients of their sum, in one launch.
    ValueAndGrad { wrt: &'a [bool] },
}

/// A function of a module. Clones share its plans.
#[derive(Clone)]
pub struct Function {
    pub(crate) module: Arc<Loaded>,
    pub(crate) set: Arc<OverloadSet>,
}

pub(crate) struct OverloadSet {
    pub name: Arc<str>,
    pub overloads: Vec<Overload>,
    pub calls: Calls,
}

/// One declaration, taken apart into slots.
pub(crate) struct Overload {
    pub id: FuncId,
    pub interface: Interface,
    /// Per parameter: its slots among the flattened parameters (none for `out`), then among the flattened results
    /// (none for `in`). `None` when a part of its type cannot be an argument.
    pub params: Vec<Option<ParamSlots>>,
    /// The return value's slots.
    pub returned: Option<Vec<Slot>>,
    flat: OnceLock<Result<Arc<ir::Function>, Error>>,
}

pub(crate) struct ParamSlots {
    pub inputs: Vec<Slot>,
    pub outputs: Vec<Slot>,
}

impl OverloadSet {
    pub fn new(name: &str) -> Self {
        Self { name: name.into(), overloads: Vec::new(), calls: Calls::default() }
    }

    pub fn add(&mut self, id: FuncId, interface: &Interface) {
        self.overloads.push(Overload::new(id, interface));
    }
}

impl Overload {
    fn new(id: FuncId, interface: &Interface) -> Self {
        let returned = match &interface.result {
            Some(ty) => slots("result", ty, interface.result_no_diff, 0),
            None => Some(Vec::new()),
        };
        let mut next_result = interface.result.as_ref().map_or(0, |ty| ty.leaves().len());
        let mut next_param = 0;
        let mut params = Vec::new();
        for param in &interface.params {
            let count = param.ty.leaves().len();
            let at = |first: usize| slots(&param.name, &param.ty, param.no_diff, first);
            let inputs = if param.direction.reads() { at(next_param) } else { Some(Vec::new()) };
            let outputs = if param.direction.writes() { at(next_result) } else { Some(Vec::new()) };
            next_param += if param.direction.reads() { count } else { 0 };
            next_result += if param.direction.writes() { count } else { 0 };
            params.push(inputs.zip(outputs).map(|(inputs, outputs)| ParamSlots { inputs, outputs }));
        }
        Self { id, interface: interface.clone(), params, returned, flat: OnceLock::new() }
    }

    /// `float polynomial(float a, float b)`, for messages.
    pub fn describe(&self) -> String {
        let params: Vec<String> =
            self.interface.params.iter().map(|p| format!("{}: {}", p.name, p.ty)).collect();
        format!("{}({})", self.interface.name, params.join(", "))
    }

    /// The function in scalar form with a flat signature.
    pub fn flat(&self, module: &Loaded) -> Result<Arc<ir::Function>, Error> {
        let flatten = || {
            pullback_passes::pipeline::flatten(&module.ir, self.id)
                .map(Arc::new)
                .map_err(|diagnostics| Error::new(diagnostics, module.sources.clone()))
        };
        self.flat.get_or_init(flatten).clone()
    }
}

impl Function {
    pub(crate) fn new(module: Arc<Loaded>, set: Arc<OverloadSet>) -> Self {
        Self { module, set }
    }

    pub fn name(&self) -> &str {
        &self.set.name
    }

    pub fn context(&self) -> &Context {
        &self.module.context
    }

    /// The declarations that share the name.
    pub fn interfaces(&self) -> impl Iterator<Item = &Interface> {
        self.set.overloads.iter().map(|overload| &overload.interface)
    }

    /// Finds or builds the plan of a call. Nothing runs, and no argument is touched.
    ///
    /// # Errors
    /// Whatever is wrong with the arguments, their shapes, or the gradient asked for.
    pub fn prepare(&self, args: &[Arg<'_>], mode: Mode<'_>) -> Result<Prepared, Error> {
        Prepared::new(self, args, mode)
    }

    /// The IR of a stage, for readers: the function as written (`ir`), flattened (`flat`), or its derived
    /// reverse function (`vjp`) or forward function (`jvp`) with respect to every float parameter.
    ///
    /// # Errors
    /// `no-derivative` and the like for the derived stages.
    pub fn dump(&self, stage: &str) -> Result<String, Error> {
        let mut out = String::new();
        for overload in &self.set.overloads {
            let text = match stage {
                "ir" => self.module.ir.functions[overload.id].to_string(),
                "flat" => overload.flat(&self.module)?.to_string(),
                "vjp" | "jvp" => self.derived(overload, stage)?,
                _ => {
                    return Err(Diagnostic::error(Code::UnknownArgument, format!("no stage `{stage}`"))
                        .help("the stages are ir, flat, vjp and jvp")
                        .into());
                }
            };
            out.push_str(&text);
        }
        Ok(out)
    }

    fn derived(&self, overload: &Overload, stage: &str) -> Result<String, Error> {
        let flat = overload.flat(&self.module)?;
        let active: Vec<bool> = flat.params.iter().map(|&param| flat.ty(param).is_float()).collect();
        let derived = match stage {
            "jvp" => autodiff::jvp(&flat, &active),
            _ => {
                let seeded_results = flat.results.iter().map(ir::Type::is_float).collect();
                let convention = autodiff::Convention::default();
                let request = autodiff::VjpRequest {
                    active_params: active,
                    seeded_results,
                    keep_results: false,
                    convention,
                };
                autodiff::vjp(&flat, &request)
            }
        };
        let derived = derived.map_err(|d| Error::new(d, self.module.sources.clone()))?;
        Ok(pullback_passes::pipeline::optimize(derived).to_string())
    }
}
