//! SPIR-V for Vulkan: one entry point `main`, buffers by 64-bit address, structured control flow.
//!
//! Push constants are `{ u64 args_address; u64 lanes; u64 first_lane }`; `args_address` points to one 8-byte word
//! per parameter. A workgroup is a group of lanes, and lane ids are `first_lane` and the global invocation
//! id added. What the target lacks (f64 `sin`, 8-bit arithmetic, ...) must have been legalized.

mod aggregates;
mod assemble;
mod control;
mod convert;
mod effects;
mod math;
mod ops;
mod shared;
mod types;

use crate::EmitError;
use crate::arrays::Slots;
use crate::kernel::Kernel;
use crate::uniform::divergent_wave;
use assemble::Assembler;
use pullback_base::{Artifact, ArtifactFormat, Groups, ParamKind, Scalar, bug};
use pullback_ir::{Constant, Function, Module, Type, Value, Verified};
use rspirv::spirv::{BuiltIn, Capability, Decoration, ExecutionMode, Op, StorageClass, Word};
use rustc_hash::FxHashMap;
use std::collections::BTreeSet;

/// The target's name in messages.
pub const TARGET: &str = "SPIR-V";

/// Choices that do not follow from the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Options {
    /// Ask the driver to keep NaN, infinity and the sign of zero
    /// (`shaderSignedZeroInfNanPreserve*`). Without it a driver may assume that there are none.
    pub preserve_special_floats: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { preserve_special_floats: true }
    }
}

/// The binary module of the single, legalized kernel in `module`.
///
/// # Errors
/// When the kernel has an op that the target lacks and that was not legalized.
pub fn emit(module: &Verified<Module>, options: &Options) -> Result<Artifact, EmitError> {
    let kernel = Kernel::of(module, TARGET)?;
    if let Some((op, span)) = divergent_wave(kernel.function) {
        return Err(EmitError::DivergentWave { target: TARGET, op, span });
    }
    let mut emitter = Emitter::new(kernel.function, kernel.groups);
    let args_address = emitter.begin();
    emitter.load_params(args_address, &kernel.params);
    emitter.segments(&kernel.segments)?;
    emitter.asm.effect(Op::Return, &[]);
    let words = emitter.finish(options);
    Ok(Artifact {
        format: ArtifactFormat::ShaderBinary,
        entry: "main".to_owned(),
        params: kernel.params,
        groups: kernel.groups,
        bytes: Artifact::bytes_of_words(&words),
    })
}

struct Emitter<'a> {
    asm: Assembler,
    function: &'a Function,
    /// Ids of scalars and addresses.
    ids: FxHashMap<Value, Word>,
    /// Values that are constants, to leave out checks that they pass.
    constants: FxHashMap<Value, Constant>,
    slots: Slots,
    /// The variable of each slot.
    slot_variables: Vec<Word>,
    groups: Groups,
    /// The variable of each slot of shared memory.
    shared: Vec<Word>,
    /// One element per lane of the group, to show to the others, by element type.
    sums: FxHashMap<Scalar, Word>,
    float_widths: BTreeSet<u32>,
    /// How many lanes there are, u64.
    lanes: Word,
    /// The lane's number, u64.
    lane: Word,
    /// The lane's number within its group, u32.
    local: Word,
    /// Whether the lane exists.
    active: Word,
}

impl<'a> Emitter<'a> {
    fn new(function: &'a Function, groups: Groups) -> Self {
        let mut asm = Assembler::new();
        asm.capability(Capability::Shader);
        asm.capability(Capability::PhysicalStorageBufferAddresses);
        Self {
            asm,
            function,
            ids: FxHashMap::default(),
            constants: FxHashMap::default(),
            slots: Slots::plan(function),
            slot_variables: Vec::new(),
            groups,
            shared: Vec::new(),
            sums: FxHashMap::default(),
            float_widths: BTreeSet::new(),
            lanes: 0,
            lane: 0,
            local: 0,
            active: 0,
        }
    }

    /// Reads the push constants and finds the lane; gives the address of the arguments.
    fn begin(&mut self) -> Word {
        let long = self.int_type(64);
        let constants = self.push_constants(long);
        let [args_address, lanes, first_lane] = [0, 1, 2].map(|member| {
            let pointer_type = self.pointer_type(StorageClass::PushConstant, long);
            let member = self.u32(member);
            let pointer = self.asm.value(Op::AccessChain, pointer_type, &[constants, member]);
            self.asm.value(Op::Load, long, &[pointer])
        });
        self.lanes = lanes;
        self.local = self.input(BuiltIn::LocalInvocationId);
        let global = self.input(BuiltIn::GlobalInvocationId);
        let global = self.asm.value(Op::UConvert, long, &[global]);
        self.lane = self.asm.value(Op::IAdd, long, &[first_lane, global]);
        let bool_type = self.bool_type();
        self.active = self.asm.value(Op::ULessThan, bool_type, &[self.lane, lanes]);
        for ty in self.slots.types.clone() {
            let ty = self.value_type(&ty);
            let pointer = self.pointer_type(StorageClass::Function, ty);
            let variable = self.asm.local_variable(pointer, StorageClass::Function as Word);
            self.slot_variables.push(variable);
        }
        self.declare_shared();
        args_address
    }

    fn push_constants(&mut self, long: Word) -> Word {
        let block = self.asm.global(Op::TypeStruct, None, &[long, long, long]);
        self.asm.annotate(Op::Decorate, &[block, Decoration::Block as Word]);
        for member in 0..3 {
            let offset = Decoration::Offset as Word;
            self.asm.annotate(Op::MemberDecorate, &[block, member, offset, 8 * member]);
        }
        let pointer = self.pointer_type(StorageClass::PushConstant, block);
        self.asm.global_variable(pointer, StorageClass::PushConstant as Word)
    }

    /// The x component of a built-in vector of three.
    fn input(&mut self, builtin: BuiltIn) -> Word {
        let uint = self.int_type(32);
        let vector = self.asm.global(Op::TypeVector, None, &[uint, 3]);
        let pointer = self.pointer_type(StorageClass::Input, vector);
        let variable = self.asm.global_variable(pointer, StorageClass::Input as Word);
        self.asm.annotate(Op::Decorate, &[variable, Decoration::BuiltIn as Word, builtin as Word]);
        let loaded = self.asm.value(Op::Load, vector, &[variable]);
        self.asm.value(Op::CompositeExtract, uint, &[loaded, 0])
    }

    /// Reads each parameter's word, and takes the parameter from its low bytes.
    fn load_params(&mut self, args_address: Word, params: &[ParamKind]) {
        let function = self.function;
        for (index, (&param, kind)) in function.params.iter().zip(params).enumerate() {
            let offset = self.u64(8 * index as u64);
            let long = self.int_type(64);
            let address = self.asm.value(Op::IAdd, long, &[args_address, offset]);
            let word = self.load_memory(address, Scalar::U64);
            let id = match kind {
                ParamKind::Pointer(_) => word,
                ParamKind::Scalar(scalar) => self.param_in_word(word, *scalar),
            };
            self.ids.insert(param, id);
        }
    }

    fn param_in_word(&mut self, word: Word, scalar: Scalar) -> Word {
        if scalar == Scalar::Bool {
            let byte = self.convert_int(word, Scalar::U64, Scalar::U8);
            return self.is_nonzero(byte, 8);
        }
        let width = 8 * scalar.size_bytes() as u32;
        let narrowed = if width == 64 {
            word
        } else {
            let ty = self.int_type(width);
            self.asm.value(Op::UConvert, ty, &[word])
        };
        self.bitcast(narrowed, scalar)
    }

    /// The bits of an integer id as another scalar of that size.
    fn bitcast(&mut self, id: Word, to: Scalar) -> Word {
        let ty = self.scalar_type(to);
        let is_number = matches!(to, Scalar::F16 | Scalar::F32 | Scalar::F64);
        if is_number { self.asm.value(Op::Bitcast, ty, &[id]) } else { id }
    }

    fn finish(self, options: &Options) -> Vec<Word> {
        let mut asm = self.asm;
        let mut modes = vec![(ExecutionMode::LocalSize as Word, vec![self.groups.lanes, 1, 1])];
        if options.preserve_special_floats && !self.float_widths.is_empty() {
            asm.capability(Capability::SignedZeroInfNanPreserve);
            let mode = ExecutionMode::SignedZeroInfNanPreserve as Word;
            modes.extend(self.float_widths.iter().map(|&width| (mode, vec![width])));
        }
        asm.finish(&modes)
    }

    /// The id of a scalar or pointer.
    fn id(&self, value: Value) -> Word {
        match self.ids.get(&value) {
            Some(&id) => id,
            None => bug!("spirv", "{value} has no id"),
        }
    }

    fn scalar(&self, value: Value) -> Scalar {
        match self.function.ty(value) {
            Type::Scalar(scalar) => *scalar,
            other => bug!("spirv", "{value} of type {other} is not a scalar"),
        }
    }

    fn is_array(&self, value: Value) -> bool {
        self.slots.get(value).is_some()
    }
}
