//! CUDA C++ text: one kernel, structured statements, a short prelude of what it uses.
//!
//! `extern "C" __global__ void ENTRY(const PbArgs args, unsigned long long lanes)`, blocks of one group's threads; each block takes groups of lanes in turn. Numbers of 8 and 16 bits must have been legalized. `f16` and
//! `bf16` values are held as their bits. The text needs no header: it compiles as it is with the run-time compiler,
//! and as host C++ with a small header that stands for the device.

mod control;
mod effects;
mod ops;
mod prelude;
mod shared;
mod text;

use crate::EmitError;
use crate::arrays::Slots;
use crate::kernel::{Kernel, Segment};
use crate::uniform::divergent_wave;
use pullback_base::{Artifact, ArtifactFormat, Groups, ParamKind, bug};
use pullback_ir::{Function, Module, Type, Value, Verified};
use rustc_hash::{FxHashMap, FxHashSet};
use text::{Text, type_name};

/// The target's name in messages.
pub const TARGET: &str = "CUDA C++";

/// Choices that do not follow from the kernel. None yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Options {}

/// The text of the single, legalized kernel in `module`.
///
/// # Errors
/// When the kernel has an op that the target lacks and that was not legalized.
pub fn emit(module: &Verified<Module>, _options: &Options) -> Result<Artifact, EmitError> {
    let kernel = Kernel::of(module, TARGET)?;
    if let Some((op, span)) = divergent_wave(kernel.function) {
        return Err(EmitError::DivergentWave { target: TARGET, op, span });
    }
    let entry = entry_name(&kernel.function.name);
    let mut emitter = Emitter::new(kernel.function);
    emitter.kernel(&entry, &kernel)?;
    let text = prelude::with_prelude(emitter.text.finish());
    Ok(Artifact {
        format: ArtifactFormat::KernelText,
        entry,
        params: kernel.params,
        groups: kernel.groups,
        bytes: text.into_bytes(),
    })
}

/// A C identifier of a kernel's name.
fn entry_name(name: &str) -> String {
    let plain: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    format!("pb_{plain}")
}

struct Emitter<'a> {
    text: Text,
    function: &'a Function,
    /// What each scalar or pointer is called: a variable or a literal.
    names: FxHashMap<Value, String>,
    /// Values whose variable stands before the statement that gives it a value.
    declared: FxHashSet<Value>,
    slots: Slots,
    /// All lanes of every group exist.
    whole_groups: bool,
}

impl<'a> Emitter<'a> {
    fn new(function: &'a Function) -> Self {
        Self {
            text: Text::default(),
            function,
            names: FxHashMap::default(),
            declared: FxHashSet::default(),
            slots: Slots::plan(function),
            whole_groups: false,
        }
    }

    fn kernel(&mut self, entry: &str, kernel: &Kernel<'_>) -> Result<(), EmitError> {
        let words = kernel.params.len().max(1);
        self.text.line(format!("struct PbArgs {{ unsigned long long w[{words}]; }};"));
        self.text.line("");
        let Groups { lanes: group_lanes, whole } = kernel.groups;
        self.whole_groups = whole;
        self.text.open(format!(
            "extern \"C\" __global__ void __launch_bounds__({group_lanes}) {entry}(const PbArgs args, \
             unsigned long long lanes) {{"
        ));
        for (index, (&param, kind)) in kernel.function.params.iter().zip(&kernel.params).enumerate() {
            self.param(index, param, *kind);
        }
        self.text.open(format!(
            "for (u64 group = blockIdx.x; group * {group_lanes} < lanes; group += gridDim.x) {{"
        ));
        self.text.line(format!("const i64 lane = (i64)(group * {group_lanes} + threadIdx.x);"));
        self.text.line("const bool active = (u64)lane < lanes;");
        self.declare_shared();
        for (index, ty) in self.slots.types.iter().enumerate() {
            let element = type_name(ty);
            self.text.line(format!("{element} array{index}[{}];", ty.element_count()));
        }
        for segment in &kernel.segments {
            self.segment(segment)?;
        }
        if whole {
            // The next group may use the shared memory when all lanes are done with it.
            self.text.line("__syncthreads();");
        }
        self.text.close("}");
        self.text.close("}");
        Ok(())
    }

    fn param(&mut self, index: usize, param: Value, kind: ParamKind) {
        let word = format!("args.w[{index}]");
        let read = match kind {
            ParamKind::Pointer(_) => format!("({}){word}", type_name(self.function.ty(param))),
            ParamKind::Scalar(scalar) => ops::of_word(&word, scalar),
        };
        self.define(param, read);
    }

    /// Lanes that exist run the statements; every lane takes part in the sum after them.
    fn segment(&mut self, segment: &Segment<'_>) -> Result<(), EmitError> {
        for &value in &segment.escaping {
            if self.slots.get(value).is_none() {
                let name = self.declare(value);
                self.text.line(format!("{} {name} = 0;", type_name(self.function.ty(value))));
            }
        }
        if self.whole_groups {
            self.stmts(segment.stmts)?;
        } else if !segment.stmts.is_empty() {
            self.text.open("if (active) {");
            self.stmts(segment.stmts)?;
            self.text.close("}");
        }
        if let Some(sum) = segment.sum {
            self.group_sum(sum)?;
        }
        Ok(())
    }

    /// The variable of a value, to be declared by the caller.
    fn declare(&mut self, value: Value) -> String {
        let name = self.variable(value);
        self.names.insert(value, name.clone());
        self.declared.insert(value);
        name
    }

    fn variable(&self, value: Value) -> String {
        let number = pullback_base::ids::Id::index(value);
        let hint = self.function.values[value].name.as_deref().unwrap_or("v");
        let hint: String = hint.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        let letter = hint.starts_with(|c: char| c.is_ascii_alphabetic());
        format!("{}{hint}_{number}", if letter { "" } else { "v" })
    }

    /// Gives a value its expression.
    fn define(&mut self, value: Value, expression: String) {
        if self.declared.contains(&value) {
            let name = self.name(value);
            return self.text.line(format!("{name} = {expression};"));
        }
        let name = self.variable(value);
        let ty = self.function.ty(value);
        let constant = if matches!(ty, Type::Pointer(_)) { "" } else { "const " };
        self.text.line(format!("{constant}{} {name} = {expression};", type_name(ty)));
        self.names.insert(value, name);
    }

    fn name(&self, value: Value) -> String {
        match self.names.get(&value) {
            Some(name) => name.clone(),
            None => bug!("cuda", "{value} has no name"),
        }
    }

    fn is_array(&self, value: Value) -> bool {
        self.slots.get(value).is_some()
    }
}
