//! Where control enters: kernels around entry points, and functions that set `static` variables up before they call
//! what uses them.

use super::Lowerer;
use super::function::FunctionLowerer;
use crate::entry::{Lane, groups_params, leaf_params};
use crate::slang::check::entry::{Entry, Source};
use crate::slang::check::hir::Body;
use crate::slang::check::program::FnId;
use crate::slang::check::types::{Arg, Subst, Ty};
use pullback_base::{IdVec, Span, bug};
use pullback_ir::{EntryPoint, FuncId, Function, FunctionBuilder, FunctionKind, Global, Op, Value};
use std::sync::LazyLock;

/// What the compiler makes has no body of its own.
static NO_BODY: LazyLock<Body> =
    LazyLock::new(|| Body { locals: IdVec::new(), params: Vec::new(), block: Vec::new() });

/// A function that the compiler makes.
pub fn start<'l, 'c>(
    lowerer: &'l mut Lowerer<'c>,
    name: &str,
    kind: FunctionKind,
    span: Span,
) -> FunctionLowerer<'l, 'c> {
    let mut function =
        FunctionLowerer::new(lowerer, FunctionBuilder::new(name, kind), &NO_BODY, Subst::default());
    function.ssa.function_mut().span = span;
    function.ssa.set_span(span);
    function
}

/// The kernel that launches an entry point.
pub fn kernel(lowerer: &mut Lowerer<'_>, entry: &Entry, name: &str, id: FuncId) -> (Function, EntryPoint) {
    let declared = &lowerer.program.functions[entry.function];
    let (span, generics) = (declared.ast.name.span, &entry.generics);
    let public_name = lowerer.public_name(entry.function, generics);
    let signature = lowerer.signature(entry.function);
    let used = lowerer.globals_to_start(entry.function, generics);
    let mut this = start(lowerer, name, FunctionKind::Kernel, span);
    this.subst = signature.generics.iter().copied().zip(generics.iter().cloned()).collect();
    let mut globals = Vec::new();
    for id in this.lowerer.uniforms(&used) {
        let global = this.lowerer.ir_global(id);
        let ty = this.lowerer.global_type(id);
        let value = leaf_params(&mut this.ssa, &ty, &global.name);
        let var = this.ssa.declare_with(value, Some(&global.name));
        this.globals.insert(id, var);
        globals.push(global);
    }
    let uniform: Vec<Option<Value>> = signature
        .params
        .iter()
        .zip(&entry.params)
        .map(|(param, source)| {
            matches!(source, Source::Uniform).then(|| {
                let ty = this.ty(&param.ty);
                let value = leaf_params(&mut this.ssa, &ty, &param.name);
                globals.push(Global { name: param.name.clone(), ty, span: param.span });
                value
            })
        })
        .collect();
    this.share(&used);
    let groups = groups_params(&mut this.ssa);
    let lane = Lane::of(&mut this.ssa, entry.group, groups);
    this.start_globals(&used);
    let args: Vec<Value> = signature
        .params
        .iter()
        .zip(&entry.params)
        .zip(uniform)
        .map(|((param, source), uniform)| match uniform {
            Some(value) => value,
            None => {
                let ty = param.ty.subst(this.lowerer.program, &this.subst);
                this.sourced(&ty, source, &lane)
            }
        })
        .collect();
    this.call_instance(entry.function, generics.clone(), Vec::new(), &args);
    let point = EntryPoint { name: public_name, kernel: id, group: entry.group, globals, span };
    (this.ssa.finish(&[]), point)
}

/// The function as users call it, where it uses `static` variables: they begin anew with each call.
pub fn outermost(lowerer: &mut Lowerer<'_>, id: FnId, generics: &[Arg], name: &str) -> Function {
    let span = lowerer.program.functions[id].ast.name.span;
    let Some(interface) = lowerer.interface(id, generics) else { bug!("lower", "`{name}` is not for users") };
    let used = lowerer.globals_to_start(id, generics);
    let own = lowerer.signature(id).generics.iter().copied();
    let subst = own.zip(generics.iter().cloned()).collect();
    let mut this = start(lowerer, name, FunctionKind::Plain, span);
    this.subst = subst;
    let reading = interface.params.iter().filter(|param| param.direction.reads());
    let args: Vec<Value> = reading.map(|param| this.ssa.param(param.ty.clone(), &param.name)).collect();
    let uniforms = this.lowerer.uniforms(&used);
    this.global_params(&uniforms);
    this.start_globals(&used);
    let results = this.lowerer.passed_types(&(id, generics.to_vec())).given;
    let values = this.call_instance(id, generics.to_vec(), results, &args);
    this.ssa.function_mut().interface = Some(interface);
    let results: Vec<_> = values.into_iter().map(|value| this.ssa.declare_with(value, None)).collect();
    this.ssa.finish(&results)
}

impl FunctionLowerer<'_, '_> {
    /// The value an entry point's parameter is given.
    fn sourced(&mut self, ty: &Ty, source: &Source, lane: &Lane) -> Value {
        match source {
            Source::System(system) => {
                let ty = self.ty(ty);
                lane.value(&mut self.ssa, *system, &ty)
            }
            Source::Fields(sources) => {
                let fields = self.lowerer.program.fields_of(ty);
                let ty = self.ty(ty);
                let values: Vec<Value> = (0..)
                    .zip(fields.iter().zip(sources))
                    .map(|(index, (field, source))| {
                        let value = self.sourced(&field.ty, source, lane);
                        self.as_element(value, &ty, index)
                    })
                    .collect();
                self.ssa.op(Op::Construct(ty), &values)
            }
            // A field without a semantic among fields that have one: nobody gives it a value.
            Source::Uniform => {
                let ty = self.ty(ty);
                self.ssa.zero(&ty)
            }
        }
    }
}
