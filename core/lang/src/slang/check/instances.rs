//! What generic code becomes when its types are known: circles of calls and endless instantiation, which only the instances
//! show, are refused here, so that lowering need not fail.

use super::count::Count;
use super::hir::{Body, Callee, Expr, ExprKind, Local};
use super::out_of_range::outside;
use super::program::{FnId, GenericKind, Lazy, Program, RequirementId};
use super::recursion::{each_callee, each_expr, walk};
use super::repeat::{each_written, has_repeats, turns};
use super::resolve::MAX_LEAVES;
use super::types::{Arg, ParamId, Subst, Ty};
use super::{Checker, Instance, done};
use pullback_base::{Code, Diagnostic, Span};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// More instances than any program means to have.
const MAX_INSTANCES: usize = 20_000;

/// So many turns of `$for`s one function may write out.
const MAX_TURNS: u64 = 4096;

/// How many generic structs may be inside of values of interfaces' types.
const MAX_ERASED: usize = 256;

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
    /// The functions whose instances are open, the innermost last.
    open: Vec<FnId>,
    found: Vec<Diagnostic>,
    /// Generic structs put into values of an interface's type that were not known to be.
    erased: Vec<Ty>,
    /// What is given for the derivatives of instances: they may call those.
    given: Vec<Instance>,
    /// One of these cannot be lowered, nor can who knows whom it is given for.
    given_wrong: bool,
    /// What must hold, and at which generic arguments.
    asserted: Vec<(Expr, Arc<str>, Subst)>,
    /// Functions that cannot be lowered.
    wrong: Vec<FnId>,
    /// One report of endless instances is enough.
    endless: bool,
}

/// What an instance runs, where that is known, and where it does.
type Next = (Option<Instance>, Option<Span>);

impl Checker<'_> {
    /// Drops the functions whose instances cannot be lowered. Programs without requirements have no such.
    pub fn check_instances(&mut self, roots: &[Instance]) {
        if self.headers_broken {
            self.bodies.clear();
            return;
        }
        let asks =
            |body: &Option<Arc<Body>>| body.as_ref().is_some_and(|body| asks_types(&self.program, body));
        if !self.bodies.values().any(asks) && !self.has_generic_sizes() {
            return;
        }
        // What is put into values of an interface's type is known when all instances are, and makes more of them.
        let walk = loop {
            let mut walk = Walk::new(&self.program, &self.bodies);
            walk.roots(roots);
            if walk.erased.is_empty() || self.program.erased.len() > MAX_ERASED {
                break walk;
            }
            let erased = walk.erased;
            self.program.erased.extend(erased);
        };
        let (wrong, given_wrong, asserted) = (walk.wrong, walk.given_wrong, walk.asserted);
        walk.found.into_iter().for_each(|found| self.diagnostics.push(found));
        for (condition, message, subst) in asserted {
            self.headers_broken |= !self.holds(&condition, &message, &subst);
        }
        if self.headers_broken {
            return self.bodies.clear();
        }
        for id in wrong {
            if !self.diagnostics.has_errors() {
                let span = self.program.functions[id].ast.name.span;
                self.unsupported("calls of what a type gives for an interface like this", span);
            }
            self.bodies.insert(id, None);
        }
        if given_wrong {
            self.bodies.clear();
        }
    }
}

impl Checker<'_> {
    /// Whether the program itself has numbers that generic parameters decide.
    fn has_generic_sizes(&self) -> bool {
        let decides = |param: &ParamId| match &self.program.generics[*param].kind {
            GenericKind::Count { .. } => true,
            // Its constants, or those of its associated types, may be in sizes.
            GenericKind::Type { interfaces, .. } => !interfaces.is_empty(),
        };
        let functions = self.program.functions.values().filter(|function| !function.is_std);
        let mut signatures = functions.filter_map(|function| done(&function.signature));
        let mut structs = self.program.structs.values().filter(|decl| !decl.is_std);
        signatures.any(|signature| signature.generics.iter().any(decides))
            || structs.any(|decl| self.program.members[decl.members].generics.iter().any(decides))
    }
}

impl Program<'_> {
    /// What is wrong with a number that a generic parameter would stand for.
    fn wrong_number(&self, generics: &[ParamId], args: &[Arg]) -> Option<String> {
        generics.iter().zip(args).find_map(|(&param, arg)| match arg {
            Arg::Count(Count::Wrong(fault)) => Some(fault.describe().to_string()),
            Arg::Count(_) => self.out_of_range(param, arg),
            Arg::Type(_) => None,
        })
    }

    /// Why nothing can have the type: a size in it that generic numbers gave is none.
    fn impossible(&self, ty: &Ty, depth: usize) -> Option<String> {
        let depth = depth.checked_sub(1)?;
        let wrong = |count: &Count| match count {
            Count::Wrong(fault) => Some(fault.describe().to_string()),
            _ => None,
        };
        match ty {
            Ty::Number(_, shape) => shape.counts().into_iter().find_map(|size| match size {
                Count::Known(n) if !(1..=4).contains(n) => {
                    Some(format!("a vector or matrix cannot have size {n}"))
                }
                size => wrong(size),
            }),
            Ty::Array(_, count @ Count::Wrong(_)) => wrong(count),
            Ty::Array(_, Count::Known(n)) if !(0..=MAX_LEAVES as i64).contains(n) => {
                Some(format!("an array cannot have {n} elements"))
            }
            Ty::Array(..) if self.leaves(ty) > MAX_LEAVES => {
                Some("this array is too large for a value".into())
            }
            Ty::Array(element, _) => self.impossible(element, depth),
            Ty::Struct(id, args) if !args.is_empty() => {
                let generics = &self.members[self.structs[*id].members].generics;
                let fields = self.fields_of(ty);
                self.wrong_number(generics, args)
                    .or_else(|| fields.iter().find_map(|field| self.impossible(&field.ty, depth)))
            }
            _ => None,
        }
    }
}

/// What a body does that types may tell.
enum Run<'b> {
    Call(&'b Callee, Span),
    /// `T()` of a generic type.
    Default(&'b Ty),
    /// A value of the first type becomes one of the second, which is an interface's.
    Erase(&'b Ty, &'b Ty),
    /// An assertion, and its message.
    Assert(&'b Expr, &'b str),
    /// A constant that the type gives.
    Constant(Ty, RequirementId, Span),
}

/// Calls `f` for the constants that types are asked for, within what `expr` stands for too.
fn each_required(program: &Program<'_>, expr: &Expr, f: &mut dyn FnMut(Ty, RequirementId)) {
    match &expr.kind {
        ExprKind::Required(ty, requirement) => f(ty.clone(), *requirement),
        ExprKind::Under(bindings, inner) => {
            let bindings: Subst = bindings.iter().cloned().collect();
            walk(inner, &mut |part| {
                each_required(program, part, &mut |ty, it| f(ty.subst(program, &bindings), it));
            });
        }
        ExprKind::Constant(id) => {
            if let Lazy::Done(value) = &program.constants[*id].value {
                walk(value, &mut |part| each_required(program, part, f));
            }
        }
        _ => {}
    }
}

/// What one expression does, those within it aside.
fn each_run<'b>(program: &Program<'_>, expr: &'b Expr, f: &mut dyn FnMut(Run<'b>)) {
    each_callee(program, expr, &mut |callee| f(Run::Call(callee, expr.span)));
    match &expr.kind {
        ExprKind::Zero if expr.ty.is_abstract() => f(Run::Default(&expr.ty)),
        ExprKind::Required(..) | ExprKind::Under(..) | ExprKind::Constant(_) => {
            each_required(program, expr, &mut |ty, it| f(Run::Constant(ty, it, expr.span)));
        }
        ExprKind::Erase(inner) => f(Run::Erase(&inner.ty, &expr.ty)),
        ExprKind::Assert { condition, message } => f(Run::Assert(condition, message)),
        _ => {}
    }
}

/// Whether types, or generic numbers, tell what a body does.
fn asks_types(program: &Program<'_>, body: &Body) -> bool {
    let mut asks = has_repeats(&body.block);
    each_expr(&body.block, &mut |expr| {
        each_run(program, expr, &mut |run| asks |= !matches!(run, Run::Call(Callee::Function { .. }, _)));
    });
    asks
}

impl<'w, 'a> Walk<'w, 'a> {
    fn new(program: &'w Program<'a>, bodies: &'w FxHashMap<FnId, Option<Arc<Body>>>) -> Self {
        Walk {
            program,
            bodies,
            states: FxHashMap::default(),
            open: Vec::new(),
            found: Vec::new(),
            erased: Vec::new(),
            given: Vec::new(),
            given_wrong: false,
            asserted: Vec::new(),
            wrong: Vec::new(),
            endless: false,
        }
    }

    /// Goes through what users call.
    fn roots(&mut self, roots: &[Instance]) {
        for root in roots {
            let has_body = matches!(self.bodies.get(&root.0), Some(Some(_)));
            if has_body && self.instance(root.clone(), 0, None) == State::Wrong {
                self.wrong.push(root.0);
            }
        }
        while let Some(given) = self.given.pop() {
            self.given_wrong |= self.instance(given, 0, None) == State::Wrong;
        }
    }

    /// `asked` is where it is called.
    fn instance(&mut self, instance: Instance, depth: usize, asked: Option<Span>) -> State {
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
            self.report_endless(instance.0, "each instance calls another one");
            return State::Wrong;
        }
        let function = &self.program.functions[instance.0];
        if let Some(why) = self.program.wrong_number(&function.generics, &instance.1) {
            let (name, asked) = (&function.qualified, asked.unwrap_or(function.ast.name.span));
            let label = format!("a generic argument of `{name}` here");
            let help = "give the generic parameters other numbers";
            self.found.push(Diagnostic::error(Code::TypeMismatch, why).at(asked, label).help(help));
            self.states.insert(instance, State::Wrong);
            return State::Wrong;
        }
        self.note_erased_answers(&instance);
        let next = match self.program.dispatch(instance.0, &instance.1) {
            Some(dispatch) => dispatch.answers.into_iter().map(|answer| (answer, asked)).collect(),
            None => match self.next_of(&instance, asked) {
                Some(next) => next,
                None => return State::Wrong,
            },
        };
        self.states.insert(instance.clone(), State::Open);
        self.open.push(instance.0);
        let mut state = State::Right;
        for (next, asked) in next {
            let right = next.is_some_and(|next| self.instance(next, depth + 1, asked) == State::Right);
            if !right {
                state = State::Wrong;
            }
        }
        self.open.pop();
        self.states.insert(instance, state);
        state
    }

    fn report_endless(&mut self, id: FnId, label: &str) {
        if !std::mem::replace(&mut self.endless, true) {
            let function = &self.program.functions[id];
            let message = format!("`{}` is needed for types without end", function.qualified);
            self.found.push(
                Diagnostic::error(Code::RecursiveCall, message)
                    .at(function.ast.name.span, label)
                    .help("end the recursion of types"),
            );
        }
    }

    /// A value of that type becomes one of an interface's type; false where such types lie in one another too deeply to tell that
    /// they conform: each is made of another one, without end.
    fn note_erased(&mut self, ty: Ty, into: &Ty) -> bool {
        let conforms = match into {
            Ty::Interface(interface) => self.program.conforms(&ty, interface),
            _ => true,
        };
        let is_generic = matches!(&ty, Ty::Struct(_, args) if !args.is_empty());
        if conforms && is_generic && !self.program.erased.contains(&ty) && !self.erased.contains(&ty) {
            self.erased.push(ty);
        }
        conforms
    }

    /// What the conforming types give for a requirement on a value of an interface's type is one of such a type too, where the
    /// requirement gives an associated type.
    fn note_erased_answers(&mut self, instance: &Instance) {
        let program = self.program;
        let result = |id: FnId, args: &[Arg]| {
            let signature = done(&program.functions[id].signature)?;
            let subst = signature.generics.iter().copied().zip(args.iter().cloned()).collect();
            Some(signature.result.subst(program, &subst))
        };
        let Some(into @ Ty::Interface(_)) = result(instance.0, &instance.1) else { return };
        let dispatch = program.dispatch(instance.0, &instance.1);
        let answers = dispatch.into_iter().flat_map(|dispatch| dispatch.answers);
        for (witness, generics) in answers.flatten() {
            if result(witness, &generics).is_some_and(|ty| !self.note_erased(ty, &into)) {
                self.report_endless(witness, MADE_OF_ANOTHER);
            }
        }
    }

    /// What an instance of a function runs; `None` where the function has no body to lower.
    fn next_of(&mut self, instance: &Instance, asked: Option<Span>) -> Option<Vec<Next>> {
        let Some(Some(body)) = self.bodies.get(&instance.0) else { return None };
        let program = self.program;
        let generics = done(&program.functions[instance.0].signature)?.generics.clone();
        let subst: Subst = generics.into_iter().zip(instance.1.iter().cloned()).collect();
        if turns(program, &body.block, &subst, MAX_TURNS) == MAX_TURNS {
            let function = &program.functions[instance.0];
            let message = format!("`{}` writes out too many turns of its `$for`s", function.qualified);
            self.found.push(
                Diagnostic::error(Code::UnsupportedFeature, message)
                    .at(function.ast.name.span, format!("{MAX_TURNS} turns, or more"))
                    .help("make the range smaller, or write `for`"),
            );
            return None;
        }
        let impossible = |ty: &Ty, subst: &Subst| program.impossible(&ty.subst(program, subst), MAX_DEPTH);
        let of_local = |local: &Local| Some((impossible(&local.ty, &subst)?, local.span));
        let mut wrong = body.locals.values().find_map(of_local);
        let mut next = Vec::new();
        each_written(program, &body.block, &subst, &mut |expr, subst| {
            if wrong.is_none() {
                wrong = impossible(&expr.ty, subst).map(|why| (why, expr.span));
            }
            each_run(program, expr, &mut |run| self.note_run(instance.0, run, subst, &mut next));
        });
        if wrong.is_none() && !program.functions[instance.0].is_std {
            wrong = outside(program, &body.block, &subst);
        }
        if let Some((why, span)) = wrong {
            let name = &program.functions[instance.0].qualified;
            let mut diagnostic = Diagnostic::error(Code::TypeMismatch, why)
                .at(span, format!("in an instance of `{name}` that is asked for"));
            if let Some(asked) = asked {
                diagnostic = diagnostic.also(asked, "asked for here");
            }
            self.found.push(diagnostic.help("give the generic parameters other numbers"));
            return None;
        }
        let given = program.given_for(instance.0, &instance.1).into_iter().map(|(_, given)| given);
        self.given.extend(given.filter(|given| !self.states.contains_key(given)));
        Some(next)
    }

    /// Adds what one thing that a function does runs; `None` for what cannot be lowered.
    fn note_run(&mut self, function: FnId, run: Run<'_>, subst: &Subst, next: &mut Vec<Next>) {
        let program = self.program;
        let known = |args: &[Arg]| -> Vec<Arg> { args.iter().map(|arg| arg.subst(program, subst)).collect() };
        match run {
            Run::Default(ty) => {
                let constructor = program.default_constructor(&ty.subst(program, subst));
                next.extend(constructor.map(|constructor| (Some(constructor), None)));
            }
            Run::Constant(ty, requirement, span) => {
                if let Ty::Interface(interface) = ty.subst(program, subst) {
                    self.found.push(program.report_hidden_constant(&interface, requirement, span));
                    next.push((None, None));
                }
            }
            Run::Erase(ty, into) => {
                if !self.note_erased(ty.subst(program, subst), &into.subst(program, subst)) {
                    self.report_endless(function, MADE_OF_ANOTHER);
                    next.push((None, None));
                }
            }
            Run::Assert(condition, message) => {
                self.asserted.push((condition.clone(), message.into(), subst.clone()));
            }
            Run::Call(Callee::Function { id, generics }, span) => {
                next.push((Some((*id, known(generics))), Some(span)));
            }
            // The primal is what was noted.
            Run::Call(Callee::Derivative { .. }, _) => {}
            Run::Call(Callee::Requirement { this, requirement, generics, by_object }, span) => {
                let this = this.subst(program, subst);
                if let Ty::Interface(interface) = &this
                    && let Some(why) = program.undispatchable(*requirement, *by_object)
                {
                    self.found.push(program.report_undispatchable(interface, *requirement, span, why));
                    return next.push((None, None));
                }
                next.push((program.witness(&this, *requirement, &known(generics)), Some(span)));
            }
        }
    }

    fn circle(&mut self, id: FnId) {
        // What the library asks for is called by a function of the program, which is in the circle too.
        let is_std = |id: &FnId| self.program.functions[*id].is_std;
        let shown = if is_std(&id) { self.open.iter().rev().find(|id| !is_std(id)).copied() } else { None };
        let function = &self.program.functions[shown.unwrap_or(id)];
        let message = format!("`{}` calls itself through an interface", function.qualified);
        self.found.push(
            Diagnostic::error(Code::RecursiveCall, message)
                .at(function.ast.name.span, "kernels cannot recurse")
                .help("write it as a loop"),
        );
    }
}

const MADE_OF_ANOTHER: &str = "each makes a value for an interface's type of another one";

/// How long a chain of calls may be.
const MAX_DEPTH: usize = 500;
