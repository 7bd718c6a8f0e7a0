//! Names and types: a syntax tree into a typed tree, with all that is wrong reported.

pub mod action;
mod assertion;
mod atomic;
mod attribute;
mod bounding;
mod call;
mod collect;
mod conform;
mod constant;
mod construct;
mod context;
mod convert;
pub mod count;
mod declared_operator;
mod default;
mod demand;
mod derivative;
mod differential_pointer;
mod dispatch;
pub mod entry;
mod enums;
mod expr;
pub mod flow;
mod functor;
mod generic_arg;
mod given;
mod global;
pub mod hir;
mod infer;
mod instances;
mod interface;
mod lambda;
mod link;
mod locals;
mod lost_static;
mod matrix_order;
mod member;
pub mod memory;
mod operator;
mod optional;
mod out_of_range;
mod overload;
mod pack;
mod place;
pub mod pointer;
pub mod program;
mod property;
pub mod recursion;
mod reinterpret;
pub mod repeat;
pub mod request;
mod required;
mod resolve;
mod show;
mod signature;
mod size;
mod stages;
mod stmt;
pub mod suggest;
mod switch;
mod synthesized;
mod target;
pub mod thrown;
mod tuple;
mod type_test;
pub mod types;
mod visibility;
mod wave;
mod witness;
mod written;

#[cfg(test)]
mod generic_tests;
#[cfg(test)]
mod member_tests;
#[cfg(test)]
mod tests;

pub use attribute::{claims_derivative, is_constant, is_differentiable};

use self::collect::Place;
use self::hir::Body;
use self::interface::Obligation;
use self::program::{FnId, Lazy, Program, Role, ScopeId};
use self::request::Requests;
use self::stages::{Extent, Stage};
use self::types::Arg;
use super::ast;
use super::modules::Unit;
use super::preprocess::MatrixPacking;
use pullback_base::{Code, Diagnostic, Diagnostics, Span, ids::Id};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// The scope of the standard library, which encloses every module.
const STD_SCOPE: usize = 0;

/// A function and what its generic parameters stand for, in their order.
pub type Instance = (FnId, Vec<Arg>);

/// A program with checked bodies.
pub struct Checked<'a> {
    pub program: Program<'a>,
    /// The functions that can be lowered: theirs and their callees' bodies have no errors.
    pub bodies: FxHashMap<FnId, Arc<Body>>,
    /// The functions of the module itself, in the order of their declarations.
    pub functions: Vec<FnId>,
    /// Instances of generic functions that users call.
    pub instances: Vec<Instance>,
    pub diagnostics: Diagnostics,
    /// Warnings that an error may be the reason of: what was not understood may be the use of what seems to have none.
    pub suspicions: Diagnostics,
}

/// The checker's state over a whole module.
pub struct Checker<'a> {
    pub program: Program<'a>,
    pub diagnostics: Diagnostics,
    suspicions: Diagnostics,
    /// Checked bodies; `None` for those with errors.
    bodies: FxHashMap<FnId, Option<Arc<Body>>>,
    /// Functions that are called and have no checked body yet.
    wanted: Vec<FnId>,
    /// The names by which `__target_switch` knows where the program will run.
    targets: Vec<String>,
    /// Assertions outside of functions, and where they stand.
    assertions: Vec<(ScopeId, &'a [ast::Expr], Span)>,
    /// What files say of matrices in memory.
    packing: MatrixPacking,
    /// What was put off until all conformances are known.
    obligations: Vec<Obligation>,
    stage: Stage,
    /// How much has known headers.
    resolved: Extent,
    /// And how much is known but for bodies.
    declared: Extent,
    /// A conformance was wrong, and reported: what is generic cannot be lowered.
    headers_broken: bool,
}

/// A program without declarations.
pub fn no_program<'a>() -> Program<'a> {
    let mut program = Program::default();
    program.new_scope(None);
    program
}

/// The standard library's tables with these modules in them: signatures resolved, bodies not yet checked.
pub fn declare_std<'a>(known: Program<'a>, modules: &'a [ast::Module]) -> (Program<'a>, Diagnostics) {
    let scope = ScopeId::from_index(STD_SCOPE);
    let mut checker = Checker::new(known);
    for module in modules {
        checker.collect(&module.decls, Place::of_module(scope, None, true));
    }
    checker.resolve_declarations();
    (checker.program, checker.diagnostics)
}

/// Checks modules on top of the standard library, each after those it imports; the last is the one asked for.
pub fn check<'a>(std: Program<'a>, units: &'a [Unit], asked: &'a Requests) -> Checked<'a> {
    let first = Extent::of(&std);
    let mut checker = Checker::new(std);
    checker.targets.clone_from(&asked.targets);
    let mut first_own = first.functions;
    let mut scopes: Vec<ScopeId> = Vec::new();
    for unit in units {
        let scope = checker.program.new_scope(Some(ScopeId::from_index(STD_SCOPE)));
        checker.program.scopes[scope].using = unit.sees.iter().map(|&seen| scopes[seen]).collect();
        scopes.push(scope);
        first_own = checker.program.functions.len();
        let place = Place::of_module(scope, visibility::says_visibility(unit).then_some(scope), false);
        for file in &unit.files {
            checker.packing.extend(&file.packing);
            checker.collect(&file.decls, place);
        }
    }
    let entered = checker.program.functions.len();
    checker.link_constants(first.constants);
    checker.give_constants(asked, first.constants);
    checker.resolve_declarations();
    let mut instances = Vec::new();
    if let Some(&scope) = scopes.last() {
        checker.number_types(asked, scope);
        instances = checker.asked_instances(asked, scope);
    }
    let of_program = (first.functions..entered).map(FnId::from_index);
    let (imported, functions): (Vec<FnId>, Vec<FnId>) = of_program.partition(|id| id.index() < first_own);
    for &function in &functions {
        let broken = checker.note_entry_point(function, &instances);
        checker.check_body(function);
        if broken {
            checker.bodies.insert(function, None);
        }
    }
    for &function in &imported {
        checker.check_body(function);
    }
    let written = checker.check_written(entered);
    checker.refuse_missing_methods();
    checker.refuse_large_meetings();
    let all = [imported, functions.clone(), written].concat();
    checker.refuse_recursion(&all);
    checker.refuse_lost_statics();
    checker.drop_callers_of_broken();
    checker.drop_all_if_an_initial_is_broken();
    let plain =
        |id: &FnId| done(&checker.program.functions[*id].signature).is_some_and(|it| it.generics.is_empty());
    let mut roots: Vec<Instance> = all.into_iter().filter(plain).map(|id| (id, Vec::new())).collect();
    roots.extend(instances.iter().cloned());
    checker.check_instances(&roots);
    let bodies = checker.bodies.into_iter().filter_map(|(id, body)| Some((id, body?))).collect();
    let Checker { program, diagnostics, suspicions, .. } = checker;
    Checked { program, bodies, functions, instances, diagnostics, suspicions }
}

impl<'a> Checker<'a> {
    fn new(program: Program<'a>) -> Self {
        let known = Extent::of(&program);
        Self {
            program,
            stage: Stage::Entered,
            resolved: known,
            declared: known,
            diagnostics: Diagnostics::new(),
            suspicions: Diagnostics::new(),
            bodies: FxHashMap::default(),
            wanted: Vec::new(),
            targets: Vec::new(),
            assertions: Vec::new(),
            packing: MatrixPacking::default(),
            obligations: Vec::new(),
            headers_broken: false,
        }
    }

    /// Checks what others want, and what was written out behind the first `entered` functions, which it gives.
    fn check_written(&mut self, entered: usize) -> Vec<FnId> {
        let (mut at, mut checked) = (entered, Vec::new());
        loop {
            let next = match self.wanted.pop() {
                Some(wanted) => wanted,
                None if at < self.program.functions.len() => {
                    at += 1;
                    let id = FnId::from_index(at - 1);
                    // Functions that were written out to see whether they fit are for who wants them.
                    let function = &self.program.functions[id];
                    if function.is_std || function.length.is_some() {
                        continue;
                    }
                    id
                }
                None if self.answer_all_written() => continue,
                None => break,
            };
            if self.bodies.contains_key(&next) {
                continue;
            }
            let before = self.diagnostics.len();
            self.check_body(next);
            if next.index() >= entered {
                self.drop_repeated(before, self.program.written_length(next));
                checked.push(next);
            }
        }
        checked
    }

    /// Writes out what may be asked of types by requirements that were; whether there was any.
    fn answer_all_written(&mut self) -> bool {
        let known = self.program.functions.len();
        for id in (0..known).map(FnId::from_index) {
            self.answer_written(id);
        }
        known < self.program.functions.len()
    }

    /// Checks a function's body, once.
    fn check_body(&mut self, id: FnId) {
        if self.bodies.contains_key(&id) || self.program.functions[id].op.is_some() {
            return;
        }
        self.bodies.insert(id, None);
        if let Some(getter) = self.program.functions[id].sets_through {
            // The same body: what is wrong in it is said once.
            self.check_body(getter);
            if self.bodies.get(&getter).is_none_or(|body| body.is_none()) {
                return;
            }
        }
        let signature = self.signature(id);
        let function = &self.program.functions[id];
        let Some(block) = &function.ast.body else { return };
        let before = self.program.assumed.replace(id);
        let body = context::Context::of_function(self, id, &signature).check_function_body(block);
        self.program.assumed = before;
        self.bodies.insert(id, body.filter(|_| !signature.broken).map(Arc::new));
    }

    /// Which generic code asks for the constructor without parameters, as `T t;` does, is told by lowering alone.
    fn drop_all_if_an_initial_is_broken(&mut self) {
        let is_initial = |id: &FnId| {
            let function = &self.program.functions[*id];
            // One that an interface asks for has none.
            let has_body = function.ast.body.is_some();
            has_body && function.role == Role::Constructor && function.ast.params.is_empty()
        };
        if self.bodies.iter().any(|(id, body)| body.is_none() && is_initial(id)) {
            self.bodies.values_mut().for_each(|body| *body = None);
        }
    }

    /// Bodies that call functions without a body cannot be lowered either.
    fn drop_callers_of_broken(&mut self) {
        let calls: Vec<(FnId, Vec<FnId>)> = self
            .bodies
            .iter()
            .filter_map(|(&id, body)| {
                let mut needed = recursion::callees(&self.program, body.as_ref()?);
                needed.extend(self.program.functions[id].given_functions());
                Some((id, needed))
            })
            .collect();
        loop {
            let is_broken = |id: &FnId| {
                self.program.functions[*id].op.is_none() && !matches!(self.bodies.get(id), Some(Some(_)))
            };
            let broken: Vec<FnId> = calls
                .iter()
                .filter(|(id, callees)| !is_broken(id) && callees.iter().any(is_broken))
                .map(|(id, _)| *id)
                .collect();
            if broken.is_empty() {
                return;
            }
            for id in broken {
                self.bodies.insert(id, None);
            }
        }
    }

    /// Calls of the function need its body.
    fn want(&mut self, id: FnId) {
        let function = &self.program.functions[id];
        if function.requirement.is_some() {
            // Who gives it is told by types, later: it may be any member of that name that the library has.
            let functions = self.program.functions.iter();
            let named = functions
                .filter(|(_, other)| other.is_std && other.owner.is_some() && other.name == function.name);
            self.wanted.extend(named.map(|(id, _)| id));
        }
        if (function.is_std || function.length.is_some()) && !self.bodies.contains_key(&id) {
            self.wanted.push(id);
        }
    }

    fn error(&mut self, code: Code, message: impl Into<String>, span: Span, label: impl Into<String>) {
        self.diagnostics.push(Diagnostic::error(code, message).at(span, label));
    }

    fn unsupported(&mut self, what: &str, span: Span) {
        self.error(
            Code::UnsupportedFeature,
            format!("{what} are not supported yet"),
            span,
            "part of the language, but not yet of Pullback",
        );
    }

    /// A value that is being found: an error when it is asked for again before it is there.
    fn circle(&mut self, what: &str, span: Span, used: Span) {
        self.diagnostics.push(
            Diagnostic::error(Code::RecursiveCall, format!("{what} depends on itself"))
                .at(span, "needs its own value")
                .also(used, "through this")
                .help("break the circle"),
        );
    }
}

/// The value of a lazy slot, if it was found.
fn done<T: Clone>(slot: &Lazy<T>) -> Option<T> {
    match slot {
        Lazy::Done(value) => Some(value.clone()),
        _ => None,
    }
}
