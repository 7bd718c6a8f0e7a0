//! Where control enters: kernels around entry points, and functions that set `static` variables up before they call
//! what uses them.

use super::Lowerer;
use super::function::FunctionLowerer;
use crate::slang::check::entry::{Entry, Source, SystemValue};
use crate::slang::check::hir::Body;
use crate::slang::check::program::FnId;
use crate::slang::check::types::{Arg, Subst, Ty};
use crate::ssa::Ssa;
use pullback_base::{IdVec, Scalar, Span, bug};
use pullback_ir::{
    Constant, EntryPoint, FuncId, Function, FunctionBuilder, FunctionKind, Global, Module, Op, StmtKind,
    Type, Value, visit::each_stmt,
};
use rustc_hash::FxHashSet;
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
    let groups = ["groups.x", "groups.y", "groups.z"].map(|name| this.ssa.param(Type::U32, name));
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

/// Kernels whose lanes meet run in groups of the size their authors gave.
pub fn size_groups(module: &mut Module) {
    let mut meeting: FxHashSet<FuncId> = FxHashSet::default();
    loop {
        let before = meeting.len();
        for (id, function) in module.functions.iter() {
            let mut meets = !function.shared.is_empty();
            each_stmt(&function.body, &mut |stmt| {
                meets |= match &stmt.kind {
                    StmtKind::Effect { effect, .. } => effect.needs_group(),
                    StmtKind::Call { callee, .. } => meeting.contains(callee),
                    _ => false,
                }
            });
            if meets {
                meeting.insert(id);
            }
        }
        if meeting.len() == before {
            break;
        }
    }
    for entry in &module.entry_points {
        if meeting.contains(&entry.kernel) {
            module.functions[entry.kernel].group_lanes = entry.lanes_per_group();
        }
    }
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

/// A value from one parameter for each leaf of its type.
fn leaf_params(ssa: &mut Ssa, ty: &Type, name: &str) -> Value {
    if matches!(ty, Type::Scalar(_) | Type::Pointer(_)) {
        return ssa.param(ty.clone(), name);
    }
    let elements: Vec<Value> = (0..ty.element_count())
        .filter_map(|index| Some((index, ty.element(index)?)))
        .map(|(index, element)| {
            let inner = match ty {
                Type::Struct(structure) => format!("{name}.{}", structure.fields[index as usize].name),
                _ => format!("{name}.{index}"),
            };
            leaf_params(ssa, &element, &inner)
        })
        .collect();
    ssa.op(Op::Construct(ty.clone()), &elements)
}

/// Where a lane is in its launch, all in u32.
struct Lane {
    group: [Value; 3],
    in_group: [Value; 3],
    /// The number of the lane in its workgroup.
    index: Value,
    group_size: [Value; 3],
}

impl Lane {
    fn of(ssa: &mut Ssa, group: [u32; 3], groups: [Value; 3]) -> Lane {
        let lane = ssa.op(Op::LaneId, &[]);
        let per_group = ssa.i64(group.iter().map(|&size| i64::from(size)).product());
        let group_size = group.map(|size| ssa.constant(Constant::int(Scalar::U32, i64::from(size))));
        let index = ssa.op(Op::Rem, &[lane, per_group]);
        let index = ssa.convert(index, Scalar::U32);
        let number = ssa.div(lane, per_group);
        let number = ssa.convert(number, Scalar::U32);
        Lane {
            group: unflatten(ssa, number, groups),
            in_group: unflatten(ssa, index, group_size),
            index,
            group_size,
        }
    }

    fn value(&self, ssa: &mut Ssa, system: SystemValue) -> Vec<Value> {
        match system {
            SystemValue::GroupIndex => vec![self.index],
            SystemValue::GroupId => self.group.to_vec(),
            SystemValue::GroupThreadId => self.in_group.to_vec(),
            SystemValue::DispatchThreadId => (0..3)
                .map(|axis| {
                    let first = ssa.mul(self.group[axis], self.group_size[axis]);
                    ssa.add(first, self.in_group[axis])
                })
                .collect(),
        }
    }
}

/// The coordinates of a number counted x first.
fn unflatten(ssa: &mut Ssa, number: Value, sizes: [Value; 3]) -> [Value; 3] {
    let x = ssa.op(Op::Rem, &[number, sizes[0]]);
    let rest = ssa.div(number, sizes[0]);
    let y = ssa.op(Op::Rem, &[rest, sizes[1]]);
    let z = ssa.div(rest, sizes[1]);
    [x, y, z]
}

impl FunctionLowerer<'_, '_> {
    /// The value an entry point's parameter is given.
    fn sourced(&mut self, ty: &Ty, source: &Source, lane: &Lane) -> Value {
        match source {
            Source::System(system) => {
                let parts = lane.value(&mut self.ssa, *system);
                let ty = self.ty(ty);
                // One number where three are known is the first; three where one is known repeat it.
                let count = ty.element_count().max(1) as usize;
                let Some(scalar) = ty.scalar() else { bug!("lower", "{ty} is no system value") };
                let parts: Vec<Value> =
                    (0..count).map(|i| self.ssa.convert(parts[i % parts.len()], scalar)).collect();
                if ty.is_scalar() { parts[0] } else { self.ssa.op(Op::Construct(ty), &parts) }
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
