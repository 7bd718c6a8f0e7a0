//! Custom derivatives: the IR functions that are given for the derivatives of another one.

use super::{Lowerer, Task};
use crate::slang::check::program::{FnId, GivenPart, GlobalId, GlobalKind};
use crate::slang::check::types::Arg;
use crate::slang::check::{Instance, claims_derivative};
use crate::ssa::Var;
use pullback_base::ids::Id;
use pullback_ir::{DerivativeMode, Derivatives, Direction, FuncId, Function, FunctionKind, Type, Value};

/// A function around one that is given for another function: it takes the globals that the other function takes.
#[derive(Clone)]
pub struct Adapter {
    of: FuncId,
    primal: Instance,
    part: GivenPart,
    by: Instance,
}

impl Lowerer<'_> {
    /// Notes in `derivatives`, those of an instance, what is given for them.
    pub fn note_given(&mut self, of: FuncId, instance: &Instance, derivatives: &mut Derivatives) {
        let program = self.program;
        let decl = program.functions[instance.0].decl;
        for (part, by) in program.given_for(instance.0, &instance.1) {
            let given = Some(self.given_function(of, instance, part, by));
            match part {
                GivenPart::Derivative(DerivativeMode::Forward) => derivatives.forward = given,
                GivenPart::Derivative(DerivativeMode::Backward) => derivatives.backward = given,
                GivenPart::Substitute => derivatives.substitute = given,
            }
        }
        let is_missing = |&mode: &DerivativeMode| derivatives.custom(mode).is_none();
        let modes = [DerivativeMode::Forward, DerivativeMode::Backward];
        let missing = modes.into_iter().find(is_missing);
        derivatives.given_only = derivatives.has_custom()
            && derivatives.substitute.is_none()
            && missing.is_some_and(|mode| !claims_derivative(decl, mode));
    }

    /// The given function itself, where it takes and gives the globals that it would as that part of `of`.
    fn given_function(&mut self, of: FuncId, instance: &Instance, part: GivenPart, by: Instance) -> FuncId {
        let (wanted, taken) = (self.passed(instance), self.passed(&by));
        let loses_statics = part == GivenPart::Derivative(DerivativeMode::Backward)
            && taken.iter().any(|&global| self.global_kind(global) == GlobalKind::Static);
        if wanted == taken && !loses_statics {
            return self.instance(by.0, by.1);
        }
        let name = format!("{}.{}", self.queue[of.index()].1, part.name().replace(' ', "_"));
        self.enqueue(Task::Adapter(Adapter { of, primal: instance.clone(), part, by }), &name)
    }

    /// The globals that a function takes as parameters.
    fn passed(&mut self, (id, args): &Instance) -> Vec<GlobalId> {
        let globals = self.globals_of(*id, args);
        globals.iter().copied().filter(|&id| self.global_kind(id) != GlobalKind::Shared).collect()
    }

    /// Whether something is given for an instance.
    pub fn has_given(&self, id: FnId, args: &[Arg]) -> bool {
        !self.program.functions[id].given.is_empty() && !self.program.given_for(id, args).is_empty()
    }
}

pub fn adapter(lowerer: &mut Lowerer<'_>, adapter: Adapter, name: &str) -> Function {
    let Adapter { of, primal, part, by: (by, generics) } = adapter;
    let derivatives = lowerer.derivatives(of);
    let globals = lowerer.globals_of(primal.0, &primal.1);
    let (mut params, mut results) = match part {
        GivenPart::Derivative(mode) => derivatives.signature(mode),
        GivenPart::Substitute => primal_signature(&derivatives),
    };
    params.truncate(params.len() - derivatives.hidden);
    let span = lowerer.program.functions[by].ast.name.span;
    let mut function = super::entry::start(lowerer, name, FunctionKind::Plain, span);
    let args: Vec<Value> = params.into_iter().map(|ty| function.ssa.param(ty, "")).collect();
    let mut statics = function.global_params(&globals);
    match part {
        GivenPart::Derivative(DerivativeMode::Backward) => statics.clear(),
        _ => results.truncate(results.len() - statics.len()),
    }
    let values = function.call_instance(by, generics, results, &args);
    let given: Vec<Var> = values.into_iter().map(|value| function.ssa.declare_with(value, None)).collect();
    function.ssa.finish(&[given, statics].concat())
}

fn primal_signature(derivatives: &Derivatives) -> (Vec<Type>, Vec<Type>) {
    let types = |uses: fn(Direction) -> bool| {
        let used = derivatives.params.iter().filter(move |param| uses(param.direction));
        used.map(|param| param.value.ty.clone())
    };
    let result = derivatives.result.iter().map(|result| result.ty.clone());
    (types(Direction::reads).collect(), result.chain(types(Direction::writes)).collect())
}
