//! One function: its parameters and results, as others of the module call it and as users do.

use super::globals::{self, GlobalId, Globals};
use super::interface::{interface, refused};
use super::loops::Open;
use super::memory::Memory;
use super::placement::Placement;
use super::uses::{self, Expr};
use super::{Lowered, Origin, Refused};
use crate::shared::Shared;
use crate::ssa::{Ssa, Var};
use naga::valid::FunctionInfo;
use naga::{Expression, Handle, Statement, TypeInner};
use pullback_base::{Code, Diagnostic, ids::Id};
use pullback_ir::{
    Direction, FuncId, Function, FunctionBuilder, FunctionKind, Interface, Module, Op, Type, Value,
};
use rustc_hash::FxHashMap;

/// The functions that a function calls.
pub fn callees(source: &naga::Function) -> Vec<Handle<naga::Function>> {
    let mut found = Vec::new();
    uses::each_statement(&source.body, &mut |statement| {
        if let Statement::Call { function, .. } = statement {
            found.push(*function);
        }
    });
    found
}

/// What an expression stands for.
#[derive(Clone)]
pub enum Term {
    Value(Value),
    Place(Place),
    Memory(Memory),
    Shared(Shared),
}

/// What a pointer points to: a variable, or a part of one.
#[derive(Clone)]
pub struct Place {
    pub var: Var,
    pub path: Vec<Step>,
}

#[derive(Clone, Copy)]
pub enum Step {
    Element(u32),
    Index(Value),
}

/// A function as others call it.
pub struct Callee {
    pub id: FuncId,
    pub directions: Vec<Direction>,
    pub globals: Globals,
}

/// A function of the text as it is lowered.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    pub function: &'a naga::Function,
    pub info: &'a FunctionInfo,
}

pub struct FunctionLowering<'a> {
    pub origin: &'a Origin<'a>,
    pub source: &'a naga::Function,
    pub info: &'a FunctionInfo,
    pub ssa: Ssa,
    pub params: Vec<Term>,
    pub terms: FxHashMap<Expr, Term>,
    pub locals: FxHashMap<Handle<naga::LocalVariable>, Var>,
    pub globals: FxHashMap<GlobalId, Var>,
    pub lowered: &'a Lowered,
    pub module: &'a Module,
    pub placement: Placement,
    pub result: Option<Var>,
    pub open: Vec<Open<'a>>,
    pub copied_cases: u32,
}

/// Adds a function to the module. One that uses private variables is two: within, they are parameters and results; the one that users
/// call begins them. `warn` is told why there is none for users.
pub fn lower(
    origin: &Origin<'_>,
    handle: Handle<naga::Function>,
    lowered: &Lowered,
    module: &mut Module,
    warn: &mut dyn FnMut(Diagnostic),
) -> Result<Callee, Refused> {
    let subject = Subject { function: &origin.source.functions[handle], info: &origin.checked[handle] };
    let name = subject.function.name.as_deref().unwrap_or("");
    let name_span = origin.read.places.name(origin.source.functions.get_span(handle), name);
    let bound = subject.function.arguments.iter().any(|argument| argument.binding.is_some())
        || subject.function.result.as_ref().is_some_and(|result| result.binding.is_some());
    if bound {
        return Err(refused("a parameter or result bound to the pipeline", name_span));
    }
    let mut interface = interface(origin, handle, name_span)?;
    let unique = unique_name(module, name);
    let globals = Globals::of(origin, subject.info);
    interface.globals = globals.interface(origin)?;
    let directions = interface.params.iter().map(|param| param.direction).collect();
    let inner = FunctionLowering::new(origin, subject, lowered, module, &unique, FunctionKind::Plain);
    let mut inner = inner.within(&interface, &globals)?;
    let id = FuncId::from_index(module.functions.len());
    let unknown = globals.privates.iter().find_map(|&private| globals::start(origin, private).unknown());
    match unknown {
        // What an entry point calls is no function that users call.
        _ if origin.bodies.contains(&handle) => {
            module.add(inner);
        }
        Some(what) => {
            warn(
                Diagnostic::warning(Code::UnsupportedFeature, format!("the function `{name}` is left out"))
                    .at(name_span, format!("uses {what}"))
                    .help("entry points can call it"),
            );
            module.add(inner);
        }
        None if globals.privates.is_empty() => {
            inner.interface = Some(interface);
            inner.span = name_span;
            module.add(inner);
        }
        None => {
            inner.name = format!("{unique}.within").into();
            let outer = FunctionLowering::new(origin, subject, lowered, module, &unique, FunctionKind::Plain);
            let mut outer = outer.outermost(id, &inner.results, &interface, &globals)?;
            outer.interface = Some(interface);
            outer.span = name_span;
            module.add(inner);
            module.add(outer);
        }
    }
    Ok(Callee { id, directions, globals })
}

/// Overloads share the name that users see.
pub fn unique_name(module: &Module, name: &str) -> String {
    let is_free = |name: &str| module.find(name).is_none();
    let numbered = (1..).map(|number| format!("{name}.{number}"));
    let unique = std::iter::once(name.to_owned()).chain(numbered).find(|name| is_free(name));
    unique.unwrap_or_default()
}

impl<'a> FunctionLowering<'a> {
    pub fn new(
        origin: &'a Origin<'a>,
        subject: Subject<'a>,
        lowered: &'a Lowered,
        module: &'a Module,
        name: &str,
        kind: FunctionKind,
    ) -> Self {
        FunctionLowering {
            origin,
            source: subject.function,
            info: subject.info,
            ssa: Ssa::new(FunctionBuilder::new(name, kind)),
            params: Vec::new(),
            terms: FxHashMap::default(),
            locals: FxHashMap::default(),
            globals: FxHashMap::default(),
            lowered,
            module,
            placement: Placement::new(subject.function),
            result: None,
            open: Vec::new(),
            copied_cases: 0,
        }
    }

    /// The function as others of the module call it.
    pub fn within(mut self, interface: &Interface, globals: &Globals) -> Result<Function, Refused> {
        self.share(globals);
        self.result = interface.result.as_ref().map(|ty| self.ssa.declare(ty.clone(), None));
        let mut outputs: Vec<Var> = self.result.into_iter().collect();
        let mut no_diff_outputs = vec![interface.result_no_diff; outputs.len()];
        // All parameters come first: what marks them `no_diff` is a statement.
        let incoming = self.incoming(interface);
        let bindings: Vec<Vec<Value>> =
            globals.bindings.iter().map(|&id| globals::parameters(self.origin, &mut self.ssa, id)).collect();
        let privates: Vec<(GlobalId, Value)> = globals
            .privates
            .iter()
            .filter_map(|&id| {
                let global = &self.origin.source.global_variables[id];
                let ty = self.origin.types.get(global.ty).ok()?;
                Some((id, self.ssa.param(ty, global.name.as_deref().unwrap_or(""))))
            })
            .collect();
        for ((param, argument), value) in interface.params.iter().zip(&self.source.arguments).zip(incoming) {
            let value = value.map(|value| match param.no_diff && param.ty.has_float() {
                true => self.ssa.op(Op::Detach, &[value]),
                false => value,
            });
            // Through a compiled module `in` parameters are pointers to the callee's own copies.
            let is_pointer = matches!(self.origin.source.types[argument.ty].inner, TypeInner::Pointer { .. });
            let var = match value {
                Some(value) if !is_pointer => {
                    self.params.push(Term::Value(value));
                    continue;
                }
                Some(value) => self.ssa.declare_with(value, Some(&param.name)),
                None => self.ssa.declare(param.ty.clone(), Some(&param.name)),
            };
            if param.direction.writes() {
                outputs.push(var);
                no_diff_outputs.push(param.no_diff);
            }
            self.params.push(Term::Place(Place { var, path: Vec::new() }));
        }
        for (&id, parts) in globals.bindings.iter().zip(&bindings) {
            let value = globals::joined(self.origin, &mut self.ssa, id, parts);
            let var = self.ssa.declare_with(value, self.origin.source.global_variables[id].name.as_deref());
            self.globals.insert(id, var);
        }
        for (id, value) in privates {
            let var = self.ssa.declare_with(value, self.origin.source.global_variables[id].name.as_deref());
            self.globals.insert(id, var);
            outputs.push(var);
            no_diff_outputs.push(false);
        }
        self.block(&self.source.body)?;
        Ok(detach_results(self.ssa.finish(&outputs), &no_diff_outputs))
    }

    /// The function as users call it, around the one within: private variables begin anew with each call.
    fn outermost(
        mut self,
        within: FuncId,
        results: &[Type],
        interface: &Interface,
        globals: &Globals,
    ) -> Result<Function, Refused> {
        let mut args: Vec<Value> = self.incoming(interface).into_iter().flatten().collect();
        for &id in &globals.bindings {
            args.extend(globals::parameters(self.origin, &mut self.ssa, id));
        }
        self.share(globals);
        self.start_privates(globals)?;
        args.extend(globals.privates.iter().map(|id| self.ssa.read(self.globals[id])));
        let mut values = self.ssa.call(within, results, &args);
        values.truncate(results.len() - globals.privates.len());
        let outputs: Vec<Var> = values.into_iter().map(|value| self.ssa.declare_with(value, None)).collect();
        Ok(self.ssa.finish(&outputs))
    }

    fn incoming(&mut self, interface: &Interface) -> Vec<Option<Value>> {
        let params = interface.params.iter();
        params
            .map(|param| param.direction.reads().then(|| self.ssa.param(param.ty.clone(), &param.name)))
            .collect()
    }
}

fn detach_results(function: Function, no_diff: &[bool]) -> Function {
    if !no_diff.contains(&true) {
        return function;
    }
    let (mut builder, yields) = FunctionBuilder::resume(function);
    let yields = yields.into_iter().zip(no_diff).map(|(value, &no_diff)| {
        if no_diff && builder.ty(value).has_float() { builder.op(Op::Detach, &[value]) } else { value }
    });
    let yields = yields.collect();
    builder.finish(yields)
}

/// The variable that a pointer leads into, and the member of it that does.
pub fn root(function: &naga::Function, mut pointer: Expr) -> (&Expression, Option<u32>) {
    let mut member = None;
    loop {
        match &function.expressions[pointer] {
            Expression::Access { base, .. } => (pointer, member) = (*base, None),
            Expression::AccessIndex { base, index } => (pointer, member) = (*base, Some(*index)),
            other => return (other, member),
        }
    }
}

pub fn root_local(function: &naga::Function, pointer: Expr) -> Option<Handle<naga::LocalVariable>> {
    match root(function, pointer).0 {
        Expression::LocalVariable(local) => Some(*local),
        _ => None,
    }
}

pub fn root_global(function: &naga::Function, pointer: Expr) -> Option<GlobalId> {
    match root(function, pointer).0 {
        Expression::GlobalVariable(global) => Some(*global),
        _ => None,
    }
}

/// The element of a place's type a step leads to carries no derivative.
pub fn is_no_diff(ty: &Type, index: u32) -> bool {
    match ty {
        Type::Struct(structure) => structure.fields[index as usize].no_diff,
        _ => false,
    }
}
