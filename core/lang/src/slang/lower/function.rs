//! One function: parameters, body, results.

use super::Lowerer;
use super::view::View;
use crate::slang::check::hir::{Body, LocalId, Stmt};
use crate::slang::check::is_constant;
use crate::slang::check::program::{FnId, GlobalId, GlobalKind, Role};
use crate::slang::check::types::{Arg, Subst, Ty};
use crate::ssa::{Ssa, Target, Var};
use pullback_base::{Span, bug, ids::Id};
use pullback_ir::visit::each_span_mut;
use pullback_ir::{Direction, Function, FunctionBuilder, FunctionKind, Op, Type, Value};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// A loop or switch around a statement.
#[derive(Clone, Copy)]
pub struct Around {
    pub target: Target,
    pub is_loop: bool,
    /// How much was deferred before it.
    pub deferred: usize,
}

pub struct FunctionLowerer<'l, 'c> {
    pub lowerer: &'l mut Lowerer<'c>,
    pub ssa: Ssa,
    pub body: &'c Body,
    pub subst: Subst,
    pub vars: Vec<Option<Var>>,
    pub result: Option<Var>,
    /// Results that carry no derivative.
    pub constants: Vec<Var>,
    pub around: Vec<Around>,
    /// What the blocks around do when control leaves them, outermost first.
    pub deferred: Vec<Arc<[Stmt]>>,
    /// Uniforms and `static` variables, as this function has them.
    pub globals: FxHashMap<GlobalId, Var>,
}

/// An operation of the library as a function of its own, so that it has derivatives.
fn operation(lowerer: &mut Lowerer<'_>, id: FnId, args: &[Arg], op: &Op, name: &str) -> Function {
    let signature = lowerer.signature(id);
    let span = lowerer.program.functions[id].ast.name.span;
    let mut function = super::entry::start(lowerer, name, FunctionKind::Plain, span);
    function.subst = signature.generics.iter().copied().zip(args.iter().cloned()).collect();
    let mut values = Vec::new();
    for param in &signature.params {
        let ty = function.ty(&param.ty);
        values.push(function.ssa.param(ty, &param.name));
    }
    let value = function.intrinsic(op, &values, &signature.result);
    let result = function.ssa.declare_with(value, None);
    function.ssa.finish(&[result])
}

pub fn lower(lowerer: &mut Lowerer<'_>, id: FnId, args: &[Arg], name: &str) -> Function {
    if let Some(op) = &lowerer.program.functions[id].op {
        return operation(lowerer, id, args, op, name);
    }
    let signature = lowerer.signature(id);
    let role = lowerer.program.functions[id].role;
    let is_constant = is_constant(lowerer.program.functions[id].decl);
    let span = lowerer.program.functions[id].ast.name.span;
    let body = lowerer.body(id);
    let globals = lowerer.globals_of(id, args);
    let is_outermost = globals.iter().all(|&id| lowerer.global_kind(id) == GlobalKind::Uniform)
        && lowerer.program.entries.iter().all(|entry| entry.function != id);
    let interface = lowerer.interface(id, args).filter(|_| is_outermost && lowerer.view == View::default());
    let subst = signature.generics.iter().copied().zip(args.iter().cloned()).collect();
    let builder = FunctionBuilder::new(name, FunctionKind::Plain);
    let mut function = FunctionLowerer::new(lowerer, builder, body, subst);
    function.ssa.function_mut().span = span;
    function.ssa.set_span(span);
    let mut results = Vec::new();
    if role != Role::Constructor && signature.result != Ty::Void {
        let ty = function.ty(&signature.result);
        let var = function.declare(ty, None);
        function.result = Some(var);
        results.push(var);
        if signature.result_no_diff {
            function.constants.push(var);
        }
    }
    let this = match role {
        Role::Method { mutating } => {
            let direction = if mutating { Direction::InOut } else { Direction::In };
            Some((direction, function.lowerer.program.this_param(id).is_some_and(|this| this.no_diff)))
        }
        Role::Constructor => Some((Direction::Out, false)),
        Role::Plain => None,
    };
    let declared = signature.params.iter().map(|param| (param.direction, param.no_diff));
    for (&local, (direction, no_diff)) in body.params.iter().zip(this.into_iter().chain(declared)) {
        let var = function.param(local, direction, no_diff || is_constant);
        if direction.writes() {
            results.push(var);
        }
    }
    if is_constant {
        function.constants.clone_from(&results);
    }
    results.extend(function.global_params(&globals));
    function.block(&body.block);
    if is_constant && function.ssa.reach() {
        function.detach_constants();
    }
    function.ssa.function_mut().interface = interface;
    let is_std = function.lowerer.program.functions[id].is_std;
    let mut lowered = function.ssa.finish(&results);
    if is_std {
        // Messages are about programs: what the library does is told of where it is called.
        each_span_mut(&mut lowered.body, &mut |span| *span = Span::NONE);
    }
    lowered
}

impl<'l, 'c> FunctionLowerer<'l, 'c> {
    pub fn new(lowerer: &'l mut Lowerer<'c>, builder: FunctionBuilder, body: &'c Body, subst: Subst) -> Self {
        Self {
            lowerer,
            ssa: Ssa::new(builder),
            body,
            subst,
            vars: vec![None; body.locals.len()],
            result: None,
            constants: Vec::new(),
            around: Vec::new(),
            deferred: Vec::new(),
            globals: FxHashMap::default(),
        }
    }
}

impl FunctionLowerer<'_, '_> {
    fn param(&mut self, local: LocalId, direction: Direction, no_diff: bool) -> Var {
        let decl = &self.body.locals[local];
        let ty = self.ty(&decl.ty);
        let var = if direction.reads() {
            let mut value = self.ssa.param(ty, &decl.name);
            if no_diff {
                value = self.constant(value);
            }
            self.ssa.declare_with(value, Some(&decl.name))
        } else {
            self.declare(ty, Some(&decl.name))
        };
        self.vars[local.index()] = Some(var);
        var
    }

    pub fn ty(&mut self, ty: &Ty) -> Type {
        self.lowerer.ty(ty, &self.subst)
    }

    pub fn var(&self, local: LocalId) -> Var {
        match self.vars[local.index()] {
            Some(var) => var,
            None => bug!("lower", "local `{}` is used before it is there", self.body.locals[local].name),
        }
    }

    /// The same value without a derivative; what has none anyway is left as it is.
    pub fn detached(&mut self, value: Value) -> Value {
        if self.ssa.ty(value).has_float() { self.ssa.op(Op::Detach, &[value]) } else { value }
    }

    /// What `no_diff` makes of a value: no derivative, and no pairs of pointers.
    pub fn constant(&mut self, value: Value) -> Value {
        let value = self.detached(value);
        self.unpaired(value)
    }

    /// Takes the derivatives from the results that carry none, where the function ends.
    pub fn detach_constants(&mut self) {
        for var in self.constants.clone() {
            let value = self.ssa.read(var);
            let value = self.constant(value);
            self.ssa.write(var, value);
        }
    }

    /// Runs `f` with statements attributed to that place.
    pub fn spanned<R>(&mut self, span: Span, f: impl FnOnce(&mut Self) -> R) -> R {
        let outer = self.ssa.span();
        self.ssa.set_span(span);
        let result = f(self);
        self.ssa.set_span(outer);
        result
    }
}
