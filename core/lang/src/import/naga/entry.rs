//! Compute entry points: the kernels that launch them.

use super::function::{FunctionLowering, Subject, unique_name};
use super::globals::{self, Globals, Start};
use super::interface::refused;
use super::{Lowered, Origin, Refused};
use crate::entry::{Lane, MAX_GROUP_LANES, SystemValue, groups_params, leaf_params};
use naga::{Binding, BuiltIn, TypeInner};
use pullback_base::{Code, Diagnostic, GROUP_LANES, Span, ids::Id};
use pullback_ir::effects::slot_element;
use pullback_ir::{
    Direction, Effect, EntryPoint, FunctionKind, Interface, InterfaceParam, LoopHints, Module, Op, SharedId,
    Type, Value,
};

/// Adds the entry point of that number.
pub fn lower(
    origin: &Origin<'_>,
    number: usize,
    span: Span,
    lowered: &Lowered,
    module: &mut Module,
) -> Result<(), Refused> {
    let entry = &origin.source.entry_points[number];
    let group = group(origin, entry, span)?;
    let subject = Subject { function: &entry.function, info: origin.checked.get_entry_point(number) };
    let globals = Globals::of(origin, subject.info);
    // What is not of the entry point itself sets up in a function that it does not call.
    let is_lost = |id: &globals::GlobalId| matches!(globals::start(origin, *id), Start::Computed);
    if origin.read.made.is_some() && globals.privates.iter().any(is_lost) {
        return Err(refused("a variable whose first value is computed", span));
    }
    let mut params = Vec::new();
    for argument in &entry.function.arguments {
        let ty = origin.types.get(argument.ty).map_err(|what| refused(&what, span))?;
        let name = argument.name.as_deref().unwrap_or("").into();
        params.push(InterfaceParam {
            name,
            ty,
            direction: Direction::In,
            no_diff: false,
            default: None,
            span,
        });
    }
    let interface = Interface {
        name: entry.name.as_str().into(),
        params,
        result: None,
        result_no_diff: false,
        differentiable: false,
        doc: "".into(),
        globals: globals.interface(origin)?,
    };

    let name = unique_name(module, &format!("{}.entry", entry.name));
    let within = FunctionLowering::new(origin, subject, lowered, module, &name, FunctionKind::Plain);
    let within = within.within(&interface, &globals)?;
    let results = within.results.clone();
    let id = module.add(within);

    let name = unique_name(module, &format!("{}.kernel", entry.name));
    let mut kernel = FunctionLowering::new(origin, subject, lowered, module, &name, FunctionKind::Kernel);
    kernel.ssa.set_span(span);
    let mut bindings = Vec::new();
    for global in &interface.globals {
        bindings.push(leaf_params(&mut kernel.ssa, &global.ty, &global.name));
    }
    let groups = groups_params(&mut kernel.ssa);
    let lane = Lane::of(&mut kernel.ssa, group, groups);
    kernel.share(&globals);
    kernel.start_shared(&lane, group);
    kernel.start_privates(&globals)?;
    let mut args: Vec<Value> = Vec::new();
    for (argument, param) in entry.function.arguments.iter().zip(&interface.params) {
        args.push(kernel.given(argument, &param.ty, &lane)?);
    }
    args.extend(bindings);
    for private in &globals.privates {
        args.push(kernel.ssa.read(kernel.globals[private]));
    }
    kernel.ssa.call(id, &results, &args);
    let mut function = kernel.ssa.finish(&[]);
    function.span = span;
    let kernel = module.add(function);
    let name = interface.name;
    module.entry_points.push(EntryPoint { name, kernel, group, globals: interface.globals, span });
    Ok(())
}

/// Lanes along each axis.
fn group(origin: &Origin<'_>, entry: &naga::EntryPoint, span: Span) -> Result<[u32; 3], Refused> {
    let mut group = entry.workgroup_size;
    for (size, chosen) in group.iter_mut().zip(entry.workgroup_size_overrides.unwrap_or_default()) {
        let Some(chosen) = chosen else { continue };
        let known = origin.overrides.evaluate(origin.source, &origin.source.global_expressions, chosen);
        *size = known.and_then(|size| u32::try_from(size.as_i64()).ok()).unwrap_or(0);
    }
    let lanes = group.iter().try_fold(1u32, |product, &size| product.checked_mul(size));
    if lanes.is_some_and(|lanes| (1..=MAX_GROUP_LANES).contains(&lanes)) {
        return Ok(group);
    }
    let message = "this workgroup has too many lanes, or none";
    let at_most = format!("1 to {MAX_GROUP_LANES} are possible");
    Err(Box::new(Diagnostic::error(Code::UnsupportedFeature, message).at(span, at_most)))
}

/// Refuses lanes that meet in larger groups than every device can hold at once.
pub fn refuse_large_meetings(module: &mut Module) -> Vec<Diagnostic> {
    let functions = &module.functions;
    let is_large = |entry: &EntryPoint| functions[entry.kernel].group_lanes > GROUP_LANES;
    let large = module.entry_points.extract_if(.., |entry| is_large(entry));
    large
        .map(|entry| {
            let message = format!("the workgroups of `{}` are too large for lanes that meet", entry.name);
            Diagnostic::error(Code::UnsupportedFeature, message)
                .at(entry.span, format!("has more than {GROUP_LANES} lanes"))
                .help(format!("use at most {GROUP_LANES} lanes"))
        })
        .collect()
}

fn system_value(builtin: BuiltIn) -> Option<SystemValue> {
    Some(match builtin {
        BuiltIn::GlobalInvocationId => SystemValue::DispatchThreadId,
        BuiltIn::LocalInvocationId => SystemValue::GroupThreadId,
        BuiltIn::LocalInvocationIndex => SystemValue::GroupIndex,
        BuiltIn::WorkGroupId => SystemValue::GroupId,
        BuiltIn::WorkGroupSize => SystemValue::GroupSize,
        BuiltIn::NumWorkGroups => SystemValue::GroupCount,
        _ => return None,
    })
}

impl FunctionLowering<'_> {
    /// What an argument of an entry point is given.
    fn given(&mut self, argument: &naga::FunctionArgument, ty: &Type, lane: &Lane) -> Result<Value, Refused> {
        match &self.origin.source.types[argument.ty].inner {
            TypeInner::Struct { members, .. } if argument.binding.is_none() => {
                let mut values = Vec::new();
                for (index, member) in (0..).zip(members) {
                    let ty = ty.element(index).unwrap_or(Type::U32);
                    values.push(self.bound(member.binding.as_ref(), &ty, lane)?);
                }
                Ok(self.ssa.op(Op::Construct(ty.clone()), &values))
            }
            _ => self.bound(argument.binding.as_ref(), ty, lane),
        }
    }

    fn bound(&mut self, binding: Option<&Binding>, ty: &Type, lane: &Lane) -> Result<Value, Refused> {
        match binding {
            Some(Binding::BuiltIn(builtin)) => match system_value(*builtin) {
                Some(system) => Ok(lane.value(&mut self.ssa, system, ty)),
                None => self.refuse(&format!("the built-in input `{builtin:?}`")),
            },
            _ => self.refuse("an input of the pipeline"),
        }
    }

    /// WGSL has what a workgroup shares begin with zero: the lanes write it, each its part, and wait for one another.
    fn start_shared(&mut self, lane: &Lane, group: [u32; 3]) {
        if !self.origin.read.starts_are_values || self.ssa.function().shared.is_empty() {
            return;
        }
        let index = lane.value(&mut self.ssa, SystemValue::GroupIndex, &Type::I64);
        let lanes = group.iter().map(|&size| i64::from(size)).product();
        for (number, slot) in self.ssa.function().shared.clone().iter().enumerate() {
            let at = self.ssa.declare_with(index, None);
            self.ssa.begin_loop(LoopHints::default());
            let (place, count) = (self.ssa.read(at), self.ssa.i64(i64::from(slot.element_count().max(1))));
            let inside = self.ssa.op(Op::Lt, &[place, count]);
            self.ssa.loop_body(Some(inside));
            let zero = self.ssa.zero(&slot_element(slot));
            self.ssa.effect(Effect::SharedStore(SharedId::from_index(number)), &[place, zero]);
            let step = self.ssa.i64(lanes);
            let next = self.ssa.add(place, step);
            self.ssa.write(at, next);
            self.ssa.end_loop();
        }
        self.ssa.effect(Effect::Barrier, &[]);
    }
}
