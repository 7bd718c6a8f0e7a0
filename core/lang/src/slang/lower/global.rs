//! Globals: which a function uses, and how it comes by them. The IR has none: a function takes the uniforms it uses as
//! further parameters, and the `static` variables as parameters and results.

use super::Lowerer;
use super::function::FunctionLowerer;
use crate::slang::check::hir::{Callee, Expr, ExprKind};
use crate::slang::check::program::{FnId, GlobalId, GlobalKind, Lazy};
use crate::slang::check::recursion::{each_callee, walk};
use crate::slang::check::repeat::each_written;
use crate::slang::check::types::{Arg, Subst, Ty};
use crate::ssa::Var;
use pullback_base::bug;
use pullback_ir::{Global, MatrixOrder, Type, Value};
use rustc_hash::FxHashMap;
use std::collections::BTreeSet;
use std::rc::Rc;

/// The globals that functions use, by their generic arguments.
#[derive(Default)]
pub struct Globals {
    known: FxHashMap<(FnId, Vec<Arg>), Rc<[GlobalId]>>,
    /// Those whose globals are being found, outermost first.
    open: Vec<(FnId, Vec<Arg>)>,
    /// The outermost of these that was asked for again: what is found within it is not all yet.
    circle: usize,
}

impl Lowerer<'_> {
    /// The function that a call runs, and its generic arguments, with all types known.
    pub fn callee(&self, callee: &Callee, subst: &Subst) -> (FnId, Vec<Arg>) {
        let program = self.program;
        let known =
            |generics: &[Arg]| -> Vec<Arg> { generics.iter().map(|arg| arg.subst(program, subst)).collect() };
        match callee.primal() {
            Callee::Derivative { .. } => bug!("lower", "a derivative of nothing"),
            Callee::Function { id, generics } => (*id, known(generics)),
            Callee::Requirement { this, requirement, generics, .. } => {
                let this = this.subst(program, subst);
                match program.witness(&this, *requirement, &known(generics)) {
                    Some(witness) => witness,
                    None => bug!("lower", "nothing gives `{}`", program.requirements[*requirement].name),
                }
            }
        }
    }

    pub fn global_kind(&self, id: GlobalId) -> GlobalKind {
        self.program.globals[id].kind
    }

    /// Those that whoever launches gives a value.
    pub fn uniforms(&self, globals: &[GlobalId]) -> Vec<GlobalId> {
        globals.iter().copied().filter(|&id| self.global_kind(id) == GlobalKind::Uniform).collect()
    }

    pub fn global_type(&mut self, id: GlobalId) -> Type {
        match &self.program.globals[id].declared {
            Lazy::Done(declared) => self.stored_ty(&declared.ty, &Subst::default()),
            _ => bug!("lower", "`{}` has no type", self.program.globals[id].name),
        }
    }

    /// The globals that a function uses, itself or through what it calls, in the order of their declarations.
    /// What is given for its derivatives is run in its place, so it takes what that uses.
    pub fn globals_of(&mut self, id: FnId, args: &[Arg]) -> Rc<[GlobalId]> {
        let key = (id, args.to_vec());
        if let Some(known) = self.globals.known.get(&key) {
            return known.clone();
        }
        // A derivative may call its function, whose globals are being found then.
        if let Some(depth) = self.globals.open.iter().position(|open| *open == key) {
            self.globals.circle = self.globals.circle.min(depth);
            return Rc::default();
        }
        let depth = self.globals.open.len();
        self.globals.open.push(key.clone());
        let outer = std::mem::replace(&mut self.globals.circle, usize::MAX);
        let used: Rc<[GlobalId]> = self.find_globals(id, args).into_iter().collect();
        self.globals.open.pop();
        let circle = self.globals.circle;
        if circle >= depth {
            self.globals.known.insert(key, used.clone());
        }
        self.globals.circle = if circle < depth { outer.min(circle) } else { outer };
        used
    }

    fn find_globals(&mut self, id: FnId, args: &[Arg]) -> BTreeSet<GlobalId> {
        let mut used = BTreeSet::new();
        if let Some(dispatch) = self.dispatched(id, args) {
            // Those of each type that may be inside.
            for (witness, generics) in dispatch.answers {
                used.extend(self.globals_of(witness, &generics).iter());
            }
            return used;
        }
        if self.program.functions[id].op.is_some() {
            return used;
        }
        let signature = self.signature(id);
        let subst: Subst = signature.generics.iter().copied().zip(args.iter().cloned()).collect();
        let body = self.body(id);
        each_written(self.program, &body.block, &subst, &mut |expr, subst| {
            self.note_globals(expr, subst, &mut used)
        });
        for (_, (given, generics)) in self.program.given_for(id, args) {
            used.extend(self.globals_of(given, &generics).iter());
        }
        used
    }

    /// What one expression uses, those within it aside.
    fn note_globals(&mut self, expr: &Expr, subst: &Subst, used: &mut BTreeSet<GlobalId>) {
        let mut callees = Vec::new();
        each_callee(self.program, expr, &mut |callee| callees.push(callee));
        for callee in callees {
            let (id, generics) = self.callee(callee, subst);
            if self.program.functions[id].op.is_none() {
                used.extend(self.globals_of(id, &generics).iter());
            }
        }
        match &expr.kind {
            ExprKind::Global(id) => {
                used.insert(*id);
            }
            // What a generic type holds at first may be made by calls.
            ExprKind::Zero if expr.ty.is_open() => {
                let known = expr.ty.subst(self.program, subst);
                self.note_default_globals(&known, used);
            }
            ExprKind::Under(bindings, inner) => {
                let program = self.program;
                let bound = bindings.iter().map(|(param, arg)| (*param, arg.subst(program, subst)));
                self.note_all_globals(inner, &bound.collect(), used);
            }
            // A constant that is not a plain number is computed where it is used.
            ExprKind::Constant(id) => {
                if let Lazy::Done(value) = &self.program.constants[*id].value {
                    self.note_all_globals(value, subst, used);
                }
            }
            _ => {}
        }
    }

    /// What a constructor without parameters, or the fields' initial values, use.
    fn note_default_globals(&mut self, ty: &Ty, used: &mut BTreeSet<GlobalId>) {
        let program = self.program;
        if let Some((id, generics)) = program.default_constructor(ty) {
            return used.extend(self.globals_of(id, &generics).iter());
        }
        match ty {
            Ty::Array(element, _) => self.note_default_globals(element, used),
            Ty::Struct(id, args) => {
                let Lazy::Done(initials) = &program.structs[*id].initials else { return };
                let own = program.struct_subst(*id, args);
                for (initial, field) in initials.iter().zip(program.fields_of(ty).iter()) {
                    match initial {
                        Some(initial) => self.note_all_globals(initial, &own, used),
                        None => self.note_default_globals(&field.ty, used),
                    }
                }
            }
            _ => {}
        }
    }

    fn note_all_globals(&mut self, expr: &Expr, subst: &Subst, used: &mut BTreeSet<GlobalId>) {
        let mut exprs = Vec::new();
        walk(expr, &mut |expr| exprs.push(expr));
        exprs.into_iter().for_each(|expr| self.note_globals(expr, subst, used));
    }

    /// What must be there to call the function when nothing is yet: besides its globals, those that the initial
    /// values of its `static` variables use.
    pub fn globals_to_start(&mut self, id: FnId, args: &[Arg]) -> Vec<GlobalId> {
        let mut found: BTreeSet<GlobalId> = self.globals_of(id, args).iter().copied().collect();
        let mut open: Vec<GlobalId> = found.iter().copied().collect();
        while let Some(global) = open.pop() {
            let Lazy::Done(declared) = &self.program.globals[global].declared else { continue };
            let Some(init) = &declared.init else { continue };
            let mut used = BTreeSet::new();
            self.note_all_globals(init, &Subst::default(), &mut used);
            open.extend(used.iter().filter(|&&global| found.insert(global)));
        }
        found.into_iter().collect()
    }

    /// What whoever launches gives.
    pub fn ir_global(&mut self, id: GlobalId) -> Global {
        let ty = self.global_type(id);
        let global = &self.program.globals[id];
        let order = match &global.declared {
            Lazy::Done(declared) => declared.order,
            _ => MatrixOrder::Rows,
        };
        let ty = ty.in_order(order);
        Global { name: global.name.clone(), ty, span: global.span }
    }
}

impl FunctionLowerer<'_, '_> {
    /// Takes the globals as parameters. Those that come back as results are given.
    pub fn global_params(&mut self, globals: &[GlobalId]) -> Vec<Var> {
        let mut results = Vec::new();
        self.share(globals);
        for &id in globals {
            let kind = self.lowerer.global_kind(id);
            if kind == GlobalKind::Shared {
                continue;
            }
            let ty = self.lowerer.global_type(id);
            let name = self.lowerer.program.globals[id].name.clone();
            let value = self.ssa.param(ty, &name);
            let var = self.ssa.declare_with(value, Some(&name));
            self.globals.insert(id, var);
            if kind == GlobalKind::Static {
                results.push(var);
            }
        }
        results
    }

    pub fn global(&self, id: GlobalId) -> Var {
        match self.globals.get(&id) {
            Some(var) => *var,
            None => bug!("lower", "global `{}` is not at hand", self.lowerer.program.globals[id].name),
        }
    }

    /// Gives the `static` variables among the globals their initial values.
    pub fn start_globals(&mut self, globals: &[GlobalId]) {
        for &id in globals {
            if self.lowerer.global_kind(id) != GlobalKind::Static {
                continue;
            }
            let program = self.lowerer.program;
            let name = &program.globals[id].name;
            let Lazy::Done(declared) = &program.globals[id].declared else { continue };
            let var = match &declared.init {
                Some(init) => {
                    let value = self.spanned(init.span, |this| this.expr(init));
                    self.ssa.declare_with(value, Some(name))
                }
                None => {
                    let ty = self.lowerer.global_type(id);
                    self.ssa.declare(ty, Some(name))
                }
            };
            self.globals.insert(id, var);
        }
    }

    /// Calls a function, which also gets the globals it uses; the results that are not globals.
    pub fn call_instance(
        &mut self,
        id: FnId,
        generics: Vec<Arg>,
        mut results: Vec<Type>,
        args: &[Value],
    ) -> Vec<Value> {
        let globals = self.lowerer.globals_of(id, &generics);
        let own_results = results.len();
        let mut args = args.to_vec();
        let mut written = Vec::new();
        for &global in globals.iter() {
            let kind = self.lowerer.global_kind(global);
            if kind == GlobalKind::Shared {
                continue;
            }
            let var = self.global(global);
            args.push(self.ssa.read(var));
            if kind == GlobalKind::Static {
                results.push(self.lowerer.global_type(global));
                written.push(var);
            }
        }
        let callee = self.lowerer.instance(id, generics);
        let mut values = self.ssa.call(callee, &results, &args);
        for (var, value) in written.into_iter().zip(values.split_off(own_results)) {
            self.ssa.write(var, value);
        }
        values
    }
}
