//! Kernels assembled by hand, for tests of the device alone.

use pullback_base::{Artifact, ArtifactFormat, DType, ParamKind};
use rspirv::binary::Assemble;
use rspirv::dr::{Builder, Operand};
use rspirv::spirv::{
    AddressingModel, BuiltIn, Capability, Decoration, ExecutionMode, ExecutionModel, FunctionControl,
    MemoryAccess, MemoryModel, SelectionControl, StorageClass,
};

/// `y[i] = x[i] * factor` over `f32`, for all lanes but those whose number is `skipped` modulo 8.
/// Parameters: x, y.
pub fn scale(factor: f32, skipped: Option<u64>) -> Artifact {
    let mut b = Builder::new();
    b.set_version(1, 3);
    for capability in [Capability::Shader, Capability::Int64, Capability::PhysicalStorageBufferAddresses] {
        b.capability(capability);
    }
    b.extension("SPV_KHR_physical_storage_buffer");
    b.memory_model(AddressingModel::PhysicalStorageBuffer64, MemoryModel::GLSL450);
    let (void, boolean) = (b.type_void(), b.type_bool());
    let (u32_, u64_, f32_) = (b.type_int(32, 0), b.type_int(64, 0), b.type_float(32, None));
    let u32x3 = b.type_vector(u32_, 3);
    let push_block = b.type_struct([u64_, u64_, u64_]);
    b.decorate(push_block, Decoration::Block, []);
    for member in 0..3 {
        b.member_decorate(push_block, member, Decoration::Offset, [Operand::LiteralBit32(member * 8)]);
    }
    let push_pointer = b.type_pointer(None, StorageClass::PushConstant, push_block);
    let push = b.variable(push_pointer, None, StorageClass::PushConstant, None);
    let id_pointer = b.type_pointer(None, StorageClass::Input, u32x3);
    let id = b.variable(id_pointer, None, StorageClass::Input, None);
    b.decorate(id, Decoration::BuiltIn, [Operand::BuiltIn(BuiltIn::GlobalInvocationId)]);
    let push_word = b.type_pointer(None, StorageClass::PushConstant, u64_);
    let word_pointer = b.type_pointer(None, StorageClass::PhysicalStorageBuffer, u64_);
    let element_pointer = b.type_pointer(None, StorageClass::PhysicalStorageBuffer, f32_);
    let index: Vec<_> = (0..3).map(|value| b.constant_bit32(u32_, value)).collect();
    let c4 = b.constant_bit64(u64_, 4);
    let c7 = b.constant_bit64(u64_, 7);
    let c8 = b.constant_bit64(u64_, 8);
    // No lane's number modulo 8 is 8.
    let c_skipped = b.constant_bit64(u64_, skipped.unwrap_or(8));
    let c_factor = b.constant_bit32(f32_, factor.to_bits());

    let function_type = b.type_function(void, []);
    let main = b.begin_function(void, None, FunctionControl::NONE, function_type).unwrap();
    b.entry_point(ExecutionModel::GLCompute, main, "main", [id]);
    b.execution_mode(main, ExecutionMode::LocalSize, [256, 1, 1]);
    let (work, end) = (b.id(), b.id());
    b.begin_block(None).unwrap();
    let mut words = Vec::new();
    for &member in &index {
        let pointer = b.access_chain(push_word, None, push, [member]).unwrap();
        words.push(b.load(u64_, None, pointer, None, []).unwrap());
    }
    let ids = b.load(u32x3, None, id, None, []).unwrap();
    let x_id = b.composite_extract(u32_, None, ids, [0]).unwrap();
    let wide = b.u_convert(u64_, None, x_id).unwrap();
    let lane = b.i_add(u64_, None, words[2], wide).unwrap();
    let in_range = b.u_less_than(boolean, None, lane, words[1]).unwrap();
    let low = b.bitwise_and(u64_, None, lane, c7).unwrap();
    let kept = b.i_not_equal(boolean, None, low, c_skipped).unwrap();
    let active = b.logical_and(boolean, None, in_range, kept).unwrap();
    b.selection_merge(end, SelectionControl::NONE).unwrap();
    b.branch_conditional(active, work, end, []).unwrap();

    b.begin_block(Some(work)).unwrap();
    let aligned = |bytes| [Operand::LiteralBit32(bytes)];
    let mut elements = Vec::new();
    let byte_offset = b.i_mul(u64_, None, lane, c4).unwrap();
    let second = b.i_add(u64_, None, words[0], c8).unwrap();
    for address in [words[0], second] {
        let pointer = b.convert_u_to_ptr(word_pointer, None, address).unwrap();
        let array = b.load(u64_, None, pointer, Some(MemoryAccess::ALIGNED), aligned(8)).unwrap();
        let element = b.i_add(u64_, None, array, byte_offset).unwrap();
        elements.push(b.convert_u_to_ptr(element_pointer, None, element).unwrap());
    }
    let x = b.load(f32_, None, elements[0], Some(MemoryAccess::ALIGNED), aligned(4)).unwrap();
    let y = b.f_mul(f32_, None, x, c_factor).unwrap();
    b.store(elements[1], y, Some(MemoryAccess::ALIGNED), aligned(4)).unwrap();
    b.branch(end).unwrap();
    b.begin_block(Some(end)).unwrap();
    b.ret().unwrap();
    b.end_function().unwrap();
    Artifact {
        format: ArtifactFormat::ShaderBinary,
        entry: "main".to_owned(),
        groups: pullback_base::Groups::default(),
        params: vec![ParamKind::Pointer(DType::F32); 2],
        bytes: Artifact::bytes_of_words(&b.module().assemble()),
    }
}
