//! The module's one kernel as text-like targets see it: parameters, and segments between group sums.

use crate::EmitError;
use pullback_base::{GROUP_LANES, Groups, ParamKind, Scalar, bug};
use pullback_ir::effects::slot_element;
use pullback_ir::visit::{definitions, each_stmt, each_use};
use pullback_ir::{Block, Effect, Function, FunctionKind, Module, Op, Stmt, StmtKind, Type, Value, Verified};
use rustc_hash::FxHashSet;

/// The kernel of a module in scalar form.
pub struct Kernel<'a> {
    pub function: &'a Function,
    pub params: Vec<ParamKind>,
    pub groups: Groups,
    pub segments: Vec<Segment<'a>>,
}

/// Statements of the outermost block that only lanes that exist run, and the group sum after them,
/// in which every lane of the group takes part.
pub struct Segment<'a> {
    pub stmts: &'a [Stmt],
    pub sum: Option<GroupSum>,
    /// Values defined here that the sum or a later segment uses.
    pub escaping: Vec<Value>,
}

/// `group_sum(pointer, element)`
#[derive(Clone, Copy)]
pub struct GroupSum {
    pub pointer: Value,
    pub element: Value,
}

impl<'a> Kernel<'a> {
    /// The module's single function, which must be a kernel in scalar form without calls.
    pub fn of(module: &'a Verified<Module>, target: &'static str) -> Result<Self, EmitError> {
        let mut functions = module.functions.values();
        let (Some(function), None) = (functions.next(), functions.next()) else {
            return Err(EmitError::Limit { target, wanted: "take a module of several functions".into() });
        };
        if function.kind != FunctionKind::Kernel {
            return Err(EmitError::Limit { target, wanted: "take a function that is not a kernel".into() });
        }
        check_scalar_form(function, target)?;
        let params = function.params.iter().map(|&param| param_kind(function.ty(param))).collect();
        Ok(Self { function, params, groups: groups(function), segments: segments(function) })
    }
}

/// Groups of the size asked for where lanes see their group; else of the size devices like best.
fn groups(function: &Function) -> Groups {
    let (mut needed, mut whole) = (false, false);
    each_stmt(&function.body, &mut |stmt| {
        if let StmtKind::Effect { effect, .. } = &stmt.kind {
            needed |= effect.needs_group();
            whole |= effect.needs_group() && *effect != Effect::GroupSum;
        }
    });
    Groups { lanes: if needed { function.group_lanes } else { GROUP_LANES }, whole }
}

fn param_kind(ty: &Type) -> ParamKind {
    match ty {
        Type::Scalar(scalar) => ParamKind::Scalar(*scalar),
        Type::Pointer(_) => ParamKind::Pointer(element_scalar(ty)),
        other => bug!("emit", "a kernel parameter of type {other}"),
    }
}

/// The scalar a pointer points to or an array is made of; an address in memory is a u64.
pub fn element_scalar(ty: &Type) -> Scalar {
    match ty {
        Type::Scalar(scalar) => *scalar,
        Type::Pointer(element) | Type::Array(element, _) => match &**element {
            Type::Pointer(_) => Scalar::U64,
            scalar => element_scalar(scalar),
        },
        other => bug!("emit", "{other} is not in scalar form"),
    }
}

/// The scalar that an element of a shared slot is in memory.
pub fn slot_scalar(slot: &Type) -> Scalar {
    element_scalar(&Type::pointer(slot_element(slot)))
}

fn is_scalar_or_pointer(ty: &Type) -> bool {
    match ty {
        Type::Pointer(element) => is_scalar_or_pointer(element),
        other => other.is_scalar(),
    }
}

fn check_scalar_form(function: &Function, target: &'static str) -> Result<(), EmitError> {
    for decl in function.values.values() {
        let fits = match &decl.ty {
            Type::Scalar(_) => true,
            Type::Pointer(element) => is_scalar_or_pointer(element),
            Type::Array(element, len) => is_scalar_or_pointer(element) && *len > 0,
            _ => false,
        };
        if !fits {
            return Err(EmitError::Limit { target, wanted: format!("hold a value of type {}", decl.ty) });
        }
    }
    let mut refused = None;
    each_stmt(&function.body, &mut |stmt| match &stmt.kind {
        StmtKind::Call { .. } => refused = Some("call"),
        StmtKind::Let {
            op:
                op @ (Op::Detach | Op::Cut | Op::Unpaired | Op::Swizzle(_) | Op::Dot | Op::MatMul | Op::Transpose),
            ..
        } => {
            refused = Some(op.name());
        }
        _ => {}
    });
    match refused {
        Some(op) => Err(EmitError::NoOp { target, op, scalar: None }),
        None => Ok(()),
    }
}

fn segments(function: &Function) -> Vec<Segment<'_>> {
    let mut segments = Vec::new();
    let mut rest = function.body.stmts.as_slice();
    loop {
        let found = rest.iter().enumerate().find_map(|(index, stmt)| match &stmt.kind {
            StmtKind::Effect { effect: Effect::GroupSum, args, .. } => {
                Some((index, GroupSum { pointer: args[0], element: args[1] }))
            }
            _ => None,
        });
        let Some((index, sum)) = found else {
            segments.push(Segment { stmts: rest, sum: None, escaping: Vec::new() });
            break;
        };
        segments.push(Segment { stmts: &rest[..index], sum: Some(sum), escaping: Vec::new() });
        rest = &rest[index + 1..];
    }
    find_escaping(&mut segments);
    segments
}

fn find_escaping(segments: &mut [Segment<'_>]) {
    let mut wanted = FxHashSet::default();
    for segment in segments.iter_mut().rev() {
        if let Some(GroupSum { pointer, element }) = segment.sum {
            wanted.extend([pointer, element]);
        }
        let block = Block { stmts: segment.stmts.to_vec(), yields: Vec::new() };
        let defined = definitions(&block);
        let mut escaping: Vec<Value> =
            defined.iter().copied().filter(|value| wanted.contains(value)).collect();
        escaping.sort_unstable();
        segment.escaping = escaping;
        each_use(&block, &mut |value| {
            wanted.insert(value);
        });
    }
}
