//! Functions as users call them: a name, its overloads, and looking inside.

use crate::args::{Arg, Numbers};
use crate::bind::{self, Binding};
use crate::cache::OverloadSet;
use crate::context::Context;
use crate::derive::{self, Derivation};
use crate::error::Error;
use crate::explain::{GradientExplanation, explain};
use crate::globals::Globals;
use crate::held::{Held, Nothing};
use crate::mode::Mode;
use crate::overload::Overload;
use crate::prepare::{Prepared, binding};
use crate::slot::{GLOBAL, Slot};
use crate::source::Source;
use crate::variant::literal;
use pullback_autodiff::VjpRequest;
use pullback_base::{Code, Diagnostic, bug};
use pullback_device::DeviceType;
use pullback_ir as ir;
use pullback_ir::{FuncId, Interface};
use std::sync::Arc;

/// A function of a module. Clones share its plans.
#[derive(Clone)]
pub struct Function {
    source: Arc<Source>,
    set: Arc<OverloadSet>,
    /// What [`Function::set`] has given to globals.
    pub(crate) globals: Globals,
    deterministic: bool,
}

impl Function {
    pub(crate) fn new(source: Arc<Source>, set: Arc<OverloadSet>) -> Self {
        Self { source, set, globals: Globals::default(), deterministic: false }
    }

    pub(crate) fn with_globals(&self, globals: Globals) -> Self {
        Self { globals, ..self.clone() }
    }

    /// The function whose gradients are equal from run to run, those of whole arrays too: lanes that meet in an element add
    /// to it in fixed point. That takes 104 bytes for each f32 of such an array, 712 for each f64.
    #[must_use]
    pub fn deterministic(&self) -> Self {
        Self { deterministic: true, ..self.clone() }
    }

    pub fn name(&self) -> &str {
        &self.set.name
    }

    pub fn context(&self) -> &Context {
        &self.source.context
    }

    /// The declarations that share the name.
    pub fn interfaces(&self) -> impl Iterator<Item = &Interface> {
        self.set.overloads.iter().map(|overload| &overload.interface)
    }

    /// The declaration that these arguments fit best.
    ///
    /// # Errors
    /// Whatever keeps them from fitting one.
    pub fn interface_of(&self, args: &[Arg<'_>]) -> Result<&Interface, Error> {
        Ok(&self.set.overloads[self.bound(args)?.overload].interface)
    }

    pub(crate) fn bound(&self, args: &[Arg<'_>]) -> Result<Binding, Error> {
        binding(&self.source, &self.set, args, Mode::Forward { results: &[] })
    }

    /// Finds or builds the plan of a call. Nothing runs, and no argument is touched.
    ///
    /// # Errors
    /// Whatever is wrong with the arguments, their shapes, or the gradient asked for.
    pub fn prepare(&self, args: &[Arg<'_>], mode: Mode<'_>) -> Result<Prepared, Error> {
        self.prepare_holding(&Nothing, args, mode)
    }

    /// As [`Function::prepare`], letting go of `held` while a plan is built.
    ///
    /// # Errors
    /// As [`Function::prepare`].
    pub fn prepare_holding(
        &self,
        held: &impl Held,
        args: &[Arg<'_>],
        mode: Mode<'_>,
    ) -> Result<Prepared, Error> {
        Prepared::new(&self.source, &self.set, held, args, mode, self.deterministic)
    }

    /// A derivative of the function, as a function.
    ///
    /// # Errors
    /// `unknown-argument` and `not-differentiable`. That there is no derivative is found by the first call.
    pub fn derived(&self, derivation: &Derivation) -> Result<Function, Error> {
        let set = self.set.derived(&self.source, derivation)?;
        Ok(Self { set, ..self.clone() })
    }

    /// How the gradient of the sum of the results by the marked argument leaves is made, and what it costs. Nothing runs.
    ///
    /// # Errors
    /// Whatever is wrong with the arguments. That there is no gradient is part of the explanation.
    pub fn explain_gradient(&self, args: &[Arg<'_>], wrt: &[bool]) -> Result<GradientExplanation, Error> {
        explain(&self.source, &self.set, args, wrt, self.deterministic)
    }

    /// The name of the cotangent of the result at `path`, in the derivatives of the declaration that these arguments fit.
    ///
    /// # Errors
    /// Whatever keeps the arguments from fitting.
    pub fn cotangent_name(&self, args: &[Arg<'_>], path: &str) -> Result<String, Error> {
        Ok(derive::tangent_name(self.interface_of(args)?, path))
    }

    /// The name of the argument to which a VJP that is a function adds the gradient by the whole array at `path`.
    pub fn gathered_name(path: &str) -> String {
        derive::gathered_name(path)
    }

    /// The function with these values for link-time constants of its module, compiled for them at the first request.
    ///
    /// # Errors
    /// What is wrong with the names and values; derivatives take their constants before they are made.
    pub fn with_constants(&self, values: &[(String, Numbers)]) -> Result<Function, Error> {
        let refuse = |message: String, help: &str| {
            Err(Diagnostic::error(Code::UnsupportedFeature, message).help(help).into())
        };
        let Some(origin) = self.source.origin.as_ref() else {
            let message = format!("`{}` is of a compiled module, whose constants are fixed", self.name());
            return refuse(message, "load the text that it was compiled from");
        };
        if self.set.overloads.iter().any(|overload| overload.is_derived()) {
            let help = "give the constants first, then take the derivative";
            return refuse(format!("`{}` is a derivative", self.name()), help);
        }
        let mut choice = origin.choice.clone();
        for (name, numbers) in values {
            if !name.chars().all(|letter| letter == '_' || letter.is_alphanumeric()) {
                return refuse(format!("{name:?} is no name of a constant"), "name a constant of the module");
            }
            choice.constants.retain(|(known, _)| known != name);
            choice.constants.push((name.clone(), literal(origin.recipe.language, numbers)));
        }
        choice.constants.sort();
        let made = origin.variant(self.context(), choice)?;
        match made.known(self.name()) {
            Some(function) => Ok(function.with_globals(self.globals.clone())),
            None => bug!("dispatch", "`{}` is gone with other constants", self.name()),
        }
    }

    /// The function computed in f64, on the CPU: the reference its gradients are checked against.
    ///
    /// # Errors
    /// `unsupported-feature` where it has floats in structs in memory.
    pub fn widened(&self) -> Result<Function, Error> {
        let named = self.source.ir.functions.iter();
        let roots: Vec<FuncId> = named
            .filter(|(_, it)| it.interface.as_ref().is_some_and(|i| i.name == self.set.name))
            .map(|(id, _)| id)
            .collect();
        let ir = pullback_passes::widen(&self.source.ir, &roots).map_err(|found| self.source.error(found))?;
        let mut set = OverloadSet::new(&self.set.name);
        for id in roots {
            if let Some(interface) = &ir.functions[id].interface {
                set.add(id, interface);
            }
        }
        let source = Source {
            context: Context::open(DeviceType::Cpu)?,
            name: self.source.name.clone(),
            ir,
            convention: self.source.convention,
            texts: self.source.texts.clone(),
            origin: None,
        };
        Ok(Self { source: Arc::new(source), set: Arc::new(set), ..self.clone() })
    }

    /// The slot that each leaf of the arguments fills; `None` for an array that is only written.
    ///
    /// # Errors
    /// Whatever keeps the arguments from fitting.
    pub fn leaf_slots(&self, args: &[Arg<'_>]) -> Result<Vec<Option<Slot>>, Error> {
        let mut slots = vec![None; crate::args::leaves(args).len()];
        for input in &self.bound(args)?.inputs {
            input.leaves().for_each(|(leaf, slot)| slots[leaf] = Some(slot.clone()));
        }
        Ok(slots)
    }

    /// The slots of the results that a call with these arguments returns, in their order.
    ///
    /// # Errors
    /// Whatever keeps the arguments from fitting.
    pub fn returned_slots(&self, args: &[Arg<'_>]) -> Result<Vec<Slot>, Error> {
        let outputs = self.bound(args)?.outputs.into_iter();
        let returned = outputs.filter(|output| matches!(output.target, bind::Target::Returned(_)));
        Ok(returned.map(|output| output.slot).collect())
    }

    /// The slots that arguments can fill, of the first declaration.
    pub fn input_slots(&self) -> Vec<Slot> {
        self.set.overloads.first().map_or_else(Vec::new, |overload| overload.inputs().cloned().collect())
    }

    /// That a global may be given a value: one of the declarations uses it. The name it has as an argument.
    ///
    /// # Errors
    /// `unknown-argument`, with the names of those that are used.
    pub fn global_name(&self, name: &str) -> Result<String, Error> {
        let argument = format!("{GLOBAL}{name}");
        let arguments = || self.set.overloads.iter().flat_map(|overload| &overload.arguments);
        if arguments().any(|known| *known.name == *argument) {
            return Ok(argument);
        }
        let message = format!("`{}` uses no global `{name}`", self.name());
        let mut names: Vec<&str> = arguments().filter_map(|known| known.name.strip_prefix(GLOBAL)).collect();
        names.dedup();
        let help = match names.as_slice() {
            [] => "it uses none".to_owned(),
            names => format!("it uses: {}", names.join(", ")),
        };
        Err(Diagnostic::error(Code::UnknownArgument, message).help(help).into())
    }

    /// A diagnostic located at a parameter of the first declaration that has it, as an error.
    pub fn error_at(&self, param: &str, diagnostic: Diagnostic) -> Error {
        let mut params = self.interfaces().flat_map(|interface| &interface.params);
        let at = params.find(|known| &*known.name == param);
        self.source.error_of(match at {
            Some(param) => diagnostic.at(param.span, "this parameter"),
            None => diagnostic,
        })
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
                "ir" => overload.text(&self.source)?,
                "flat" => overload.flat(&self.source)?.to_string(),
                "vjp" | "jvp" => self.dump_derived(overload, stage)?,
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

    fn dump_derived(&self, overload: &Overload, stage: &str) -> Result<String, Error> {
        let flat = overload.primal(&self.source)?;
        let active: Vec<bool> = flat.params.iter().map(|&param| flat.ty(param).is_float()).collect();
        let derived = match stage {
            "jvp" => self.source.jvp(&flat, active),
            _ => {
                let seeded_results = flat.results.iter().map(ir::Type::is_float).collect();
                self.source.vjp(&flat, &VjpRequest::new(active, seeded_results))
            }
        }?;
        Ok(self.source.derived(derived)?.to_string())
    }
}
