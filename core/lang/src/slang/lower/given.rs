//! Custom derivatives: the IR functions that are given for the derivatives of another one.

use super::function::FunctionLowerer;
use super::signature::Passed;
use super::view::View;
use super::{Lowerer, Task};
use crate::slang::check::program::{FnId, GivenPart, GlobalId, GlobalKind};
use crate::slang::check::types::Arg;
use crate::slang::check::{Instance, claims_derivative};
use crate::ssa::Var;
use pullback_base::ids::Id;
use pullback_ir::{DerivativeMode, Derivatives, Direction, FuncId, Function, FunctionKind, Op, Type, Value};

/// A function around one that is given for another function: it takes the globals that the other function takes.
#[derive(Clone)]
pub struct Adapter {
    pub of: FuncId,
    primal: Instance,
    part: GivenPart,
    by: Instance,
    /// What the context that `by` gives is asked for.
    context: Option<Instance>,
}

impl Lowerer<'_> {
    /// Notes in `derivatives`, those of an instance, what is given for them.
    pub fn note_given(&mut self, of: FuncId, instance: &Instance, derivatives: &mut Derivatives) {
        let program = self.program;
        let decl = program.functions[instance.0].decl;
        let all = program.given_for(instance.0, &instance.1);
        let pointers = self.passed_pointers(instance);
        let has = |mode: DerivativeMode| all.iter().any(|(part, _)| part.role() == mode.into());
        let (has_forward, has_backward) = (has(DerivativeMode::Forward), has(DerivativeMode::Backward));
        let only_forms_pairs = pointers.given && !has_backward && !derivatives.has_tangents();
        if !self.view.pairs && pointers.passed && (has_forward || has_backward) {
            // What is given takes them in pairs, which nobody gives here.
            derivatives.given_only = !only_forms_pairs;
            return;
        }
        for (part, by) in all.clone() {
            match part {
                GivenPart::Derivative(DerivativeMode::Forward) => {
                    derivatives.forward = Some(self.given_function(of, instance, part, by, derivatives));
                }
                GivenPart::Derivative(DerivativeMode::Backward) => {
                    derivatives.backward = Some(self.given_function(of, instance, part, by, derivatives));
                }
                GivenPart::Substitute => {
                    derivatives.substitute = Some(self.given_function(of, instance, part, by, derivatives));
                }
                GivenPart::Apply => {
                    let context = all.iter().find(|(part, _)| *part == GivenPart::Context);
                    let context = context.map(|(_, context)| context.clone());
                    derivatives.backward = Some(self.adapted(of, instance, part, by, context));
                }
                GivenPart::Context => {}
            }
        }
        if let Some(forward) = derivatives.forward.filter(|_| pointers.given) {
            self.pair_forming.insert(of, forward);
            if only_forms_pairs {
                // In both modes it gives these, and nothing else.
                derivatives.forward = None;
                return;
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
    fn given_function(
        &mut self,
        of: FuncId,
        instance: &Instance,
        part: GivenPart,
        by: Instance,
        derivatives: &Derivatives,
    ) -> FuncId {
        let (wanted, taken) = (self.passed(instance), self.passed(&by));
        let loses_statics = part == GivenPart::Derivative(DerivativeMode::Backward)
            && taken.iter().any(|&global| self.global_kind(global) == GlobalKind::Static);
        let view = given_view(part, self.view);
        let same_types = self.viewing(view, |this| this.passed_types(&by)) == part_types(derivatives, part);
        if wanted == taken && same_types && !loses_statics {
            return self.viewing(view, |this| this.instance(by.0, by.1));
        }
        self.adapted(of, instance, part, by, None)
    }

    fn adapted(
        &mut self,
        of: FuncId,
        instance: &Instance,
        part: GivenPart,
        by: Instance,
        context: Option<Instance>,
    ) -> FuncId {
        let name = format!("{}.{}", self.queue[of.index()].1, part.name().replace(' ', "_"));
        let adapter = Adapter { of, primal: instance.clone(), part, by, context };
        self.enqueue(Task::Adapter(adapter), &name)
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

/// How what is given is seen. A derivative is called with what it takes; a substitute is differentiated like its function.
fn given_view(part: GivenPart, of: View) -> View {
    View { pairs: of.pairs && part == GivenPart::Substitute, ..of }
}

pub fn adapter(lowerer: &mut Lowerer<'_>, adapter: Adapter, name: &str) -> Function {
    let Adapter { of, primal, part, by, context } = adapter;
    let derivatives = lowerer.derivatives(of);
    let globals = lowerer.globals_of(primal.0, &primal.1);
    let Passed { taken, given } = part_types(&derivatives, part);
    let span = lowerer.program.functions[by.0].ast.name.span;
    let mut function = super::entry::start(lowerer, name, FunctionKind::Plain, span);
    let args: Vec<Value> = taken.into_iter().map(|ty| function.ssa.param(ty, "")).collect();
    let mut statics = function.global_params(&globals);
    if matches!(part, GivenPart::Derivative(DerivativeMode::Backward) | GivenPart::Apply) {
        statics.clear();
    }
    let outer = function.lowerer.view;
    function.lowerer.view = given_view(part, outer);
    let mut values = match context {
        Some(context) => function.apply_and_ask(by, context, &derivatives, &args),
        None => function.call_function(by.0, by.1, &args),
    };
    function.lowerer.view = outer;
    function.fit_all(&mut values, &given);
    let given: Vec<Var> = values.into_iter().map(|value| function.ssa.declare_with(value, None)).collect();
    function.ssa.finish(&[given, statics].concat())
}

impl FunctionLowerer<'_, '_> {
    /// The backward derivative by `__apply`: computes the value and a context, and asks the context for the cotangents.
    fn apply_and_ask(
        &mut self,
        apply: Instance,
        (ask, ask_generics): Instance,
        derivatives: &Derivatives,
        args: &[Value],
    ) -> Vec<Value> {
        let written = &derivatives.params[..derivatives.params.len() - derivatives.hidden];
        let mut primals = Vec::new();
        for (param, &arg) in written.iter().zip(args) {
            primals.push(if param.value.tangent.is_some() { self.ssa.extract(arg, 0) } else { arg });
        }
        let applied = self.call_function(apply.0, apply.1, &primals)[0];
        let mut asked = vec![self.ssa.extract(applied, 1)];
        asked.extend(&args[written.len()..]);
        let tangents = written.iter().filter_map(|param| Some(param.value.tangent.as_ref()?.ty.clone()));
        let cotangents = self.call_instance(ask, ask_generics, tangents.collect(), &asked);
        let answered = written.iter().zip(primals).filter(|(param, _)| param.value.tangent.is_some());
        answered
            .zip(cotangents)
            .map(|((param, primal), d)| self.ssa.op(Op::Construct(param.value.pair()), &[primal, d]))
            .collect()
    }
}

/// What a part of the derivatives takes and gives, the globals aside.
fn part_types(derivatives: &Derivatives, part: GivenPart) -> Passed {
    let (mut taken, mut given) = match part {
        GivenPart::Derivative(mode) => derivatives.signature(mode),
        GivenPart::Substitute => primal_signature(derivatives),
        GivenPart::Apply | GivenPart::Context => derivatives.backward_signature(),
    };
    taken.truncate(taken.len() - derivatives.hidden);
    if matches!(part, GivenPart::Derivative(DerivativeMode::Forward) | GivenPart::Substitute) {
        let hidden = &derivatives.params[derivatives.params.len() - derivatives.hidden..];
        let statics = hidden.iter().filter(|param| param.direction.writes()).count();
        given.truncate(given.len() - statics);
    }
    Passed { taken, given }
}

fn primal_signature(derivatives: &Derivatives) -> (Vec<Type>, Vec<Type>) {
    let types = |uses: fn(Direction) -> bool| {
        let used = derivatives.params.iter().filter(move |param| uses(param.direction));
        used.map(|param| param.value.ty.clone())
    };
    let result = derivatives.result.iter().map(|result| result.ty.clone());
    (types(Direction::reads).collect(), result.chain(types(Direction::writes)).collect())
}
