//! What generic code becomes when its types are known: circles of calls and endless instantiation, which only the instances
//! show, are refused here, so that lowering need not fail.

use super::hir::{Body, Callee, ExprKind};
use super::program::{FnId, Program};
use super::recursion::each_expr;
use super::types::{Arg, Subst, Ty};
use super::{Checker, done};
use pullback_base::{Code, Diagnostic};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// More instances than any program means to have.
const MAX_INSTANCES: usize = 20_000;

type Instance = (FnId, Vec<Arg>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Right,
    Wrong,
}

struct Walk<'w, 'a> {
    program: &'w Program<'a>,
    bodies: &'w FxHashMap<FnId, Option<Arc<Body>>>,
    states: FxHashMap<Instance, State>,
    found: Vec<Diagnostic>,
    /// One report of endless instances is enough.
    endless: bool,
}

impl Checker<'_> {
    /// Drops the functions whose instances cannot be lowered. Programs without requirements have no such.
    pub fn check_instances(&mut self, functions: &[FnId]) {
        if self.headers_broken {
            self.bodies.clear();
            return;
        }
        let asks = |body: &Option<Arc<Body>>| body.as_ref().is_some_and(|body| asks_types(body));
        if !self.bodies.values().any(asks) {
            return;
        }
        let mut walk = Walk {
            program: &self.program,
            bodies: &self.bodies,
            states: FxHashMap::default(),
            found: Vec::new(),
            endless: false,
        };
        let mut wrong = Vec::new();
        for &id in functions {
            let is_root = matches!(self.bodies.get(&id), Some(Some(_)))
                && done(&self.program.functions[id].signature).is_some_and(|it| it.generics.is_empty());
            if is_root && walk.instance((id, Vec::new()), 0) == State::Wrong {
                wrong.push(id);
            }
        }
        walk.found.into_iter().for_each(|found| self.diagnostics.push(found));
        for id in wrong {
            self.bodies.insert(id, None);
        }
    }
}

/// What a body runs that types may tell.
enum Run<'b> {
    Call(&'b Callee),
    /// `T()` of a generic type.
    Default(&'b Ty),
}

fn runs(body: &Body) -> Vec<Run<'_>> {
    let mut runs: Vec<Run<'_>> = Vec::new();
    each_expr(&body.block, &mut |expr| match &expr.kind {
        ExprKind::Call(call) => runs.push(Run::Call(&call.callee)),
        ExprKind::Zero if expr.ty.is_abstract() => runs.push(Run::Default(&expr.ty)),
        _ => {}
    });
    runs
}

/// Whether types tell what a body runs.
fn asks_types(body: &Body) -> bool {
    runs(body).iter().any(|run| !matches!(run, Run::Call(Callee::Function { .. })))
}

impl Walk<'_, '_> {
    fn instance(&mut self, instance: Instance, depth: usize) -> State {
        if self.program.functions[instance.0].op.is_some() {
            return State::Right;
        }
        match self.states.get(&instance) {
            Some(State::Open) => {
                self.circle(instance.0);
                return State::Wrong;
            }
            Some(state) => return *state,
            None => {}
        }
        // Types that grow from call to call have no end; a chain of calls that long is one of them.
        if depth > MAX_DEPTH || self.states.len() > MAX_INSTANCES {
            if !std::mem::replace(&mut self.endless, true) {
                let function = &self.program.functions[instance.0];
                let message = format!("`{}` is needed for types without end", function.qualified);
                self.found.push(
                    Diagnostic::error(Code::RecursiveCall, message)
                        .at(function.ast.name.span, "each instance calls another one")
                        .help("end the recursion of types"),
                );
            }
            return State::Wrong;
        }
        let Some(Some(body)) = self.bodies.get(&instance.0) else { return State::Wrong };
        self.states.insert(instance.clone(), State::Open);
        let mut state = State::Right;
        let generics = done(&self.program.functions[instance.0].signature).map(|it| it.generics.clone());
        let subst: Subst = generics.unwrap_or_default().into_iter().zip(instance.1.iter().cloned()).collect();
        for run in runs(body) {
            let next = match run {
                Run::Default(ty) => match self.program.default_constructor(&ty.subst(self.program, &subst)) {
                    None => continue,
                    constructor => constructor,
                },
                Run::Call(Callee::Function { id, generics }) => {
                    Some((*id, generics.iter().map(|arg| arg.subst(self.program, &subst)).collect()))
                }
                Run::Call(Callee::Requirement { this, requirement, generics }) => {
                    let this = this.subst(self.program, &subst);
                    let generics: Vec<Arg> =
                        generics.iter().map(|arg| arg.subst(self.program, &subst)).collect();
                    self.program.witness(&this, *requirement, &generics)
                }
            };
            let right = next.is_some_and(|next| self.instance(next, depth + 1) == State::Right);
            if !right {
                state = State::Wrong;
            }
        }
        self.states.insert(instance, state);
        state
    }

    fn circle(&mut self, id: FnId) {
        let function = &self.program.functions[id];
        let message = format!("`{}` calls itself through an interface", function.qualified);
        self.found.push(
            Diagnostic::error(Code::RecursiveCall, message)
                .at(function.ast.name.span, "kernels cannot recurse")
                .help("write it as a loop"),
        );
    }
}

/// How long a chain of calls may be.
const MAX_DEPTH: usize = 500;
