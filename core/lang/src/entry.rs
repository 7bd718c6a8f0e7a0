//! Entry points of any language: what a kernel's parameters stand for, what a lane knows of its place in the launch, and the
//! size of groups.

use crate::ssa::Ssa;
use pullback_base::{Scalar, bug};
use pullback_ir::{Constant, FuncId, Module, Op, StmtKind, Type, Value, visit::each_stmt};
use rustc_hash::FxHashSet;

/// Lanes of a workgroup, in all.
pub const MAX_GROUP_LANES: u32 = 1024;

/// What a lane knows of its place in the launch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SystemValue {
    DispatchThreadId,
    GroupId,
    GroupThreadId,
    /// The number of the lane in its workgroup.
    GroupIndex,
    GroupSize,
    /// Workgroups of the launch along each axis.
    GroupCount,
}

/// A value from one parameter for each leaf of its type.
pub fn leaf_params(ssa: &mut Ssa, ty: &Type, name: &str) -> Value {
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

/// The last parameters of a kernel: the numbers of workgroups along each axis.
pub fn groups_params(ssa: &mut Ssa) -> [Value; 3] {
    ["groups.x", "groups.y", "groups.z"].map(|name| ssa.param(Type::U32, name))
}

/// Where a lane is in its launch, all in u32.
pub struct Lane {
    group: [Value; 3],
    in_group: [Value; 3],
    index: Value,
    group_size: [Value; 3],
    groups: [Value; 3],
}

impl Lane {
    pub fn of(ssa: &mut Ssa, group: [u32; 3], groups: [Value; 3]) -> Lane {
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
            groups,
        }
    }

    /// The value as that type: one number where three are known is the first; three where one is known repeat it.
    pub fn value(&self, ssa: &mut Ssa, system: SystemValue, ty: &Type) -> Value {
        let parts = self.parts(ssa, system);
        let count = ty.element_count().max(1) as usize;
        let Some(scalar) = ty.scalar() else { bug!("entry", "{ty} is no system value") };
        let parts: Vec<Value> = (0..count).map(|i| ssa.convert(parts[i % parts.len()], scalar)).collect();
        if ty.is_scalar() { parts[0] } else { ssa.op(Op::Construct(ty.clone()), &parts) }
    }

    fn parts(&self, ssa: &mut Ssa, system: SystemValue) -> Vec<Value> {
        match system {
            SystemValue::GroupIndex => vec![self.index],
            SystemValue::GroupId => self.group.to_vec(),
            SystemValue::GroupThreadId => self.in_group.to_vec(),
            SystemValue::GroupSize => self.group_size.to_vec(),
            SystemValue::GroupCount => self.groups.to_vec(),
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
