//! Every op, for every type it takes: SPIR-V and CUDA C++ against the interpreter.

use pullback_base::{Artifact, ArtifactFormat, Scalar};
use pullback_codegen::{cuda, spirv};
use pullback_interp::KernelArg;
use pullback_ir::{Constant, Module, Op, Verified};
use pullback_passes::legalize::Limits;
use pullback_passes::legalized;
use pullback_tests::launch::{interpret, on_device, on_host};
use pullback_tests::op_cases::{OpCase, all};
use pullback_tests::tolerance::{Target, is_promised, tolerance};
use pullback_tests::{cuda_host, spirv_val};

fn emit_cuda(module: &Verified<Module>) -> Artifact {
    let module = legalized(module.clone(), Limits::of(ArtifactFormat::KernelText));
    cuda::emit(&module, &cuda::Options::default()).unwrap_or_else(|error| panic!("{error}"))
}

fn emit_spirv(module: &Verified<Module>) -> Artifact {
    let module = legalized(module.clone(), Limits::of(ArtifactFormat::ShaderBinary));
    spirv::emit(&module, &spirv::Options::default()).unwrap_or_else(|error| panic!("{error}"))
}

/// One buffer per operand, then one for the results.
fn buffers(case: &OpCase) -> Vec<Vec<u8>> {
    let column = |index: usize, scalar: Scalar| {
        let bits = case.lanes.iter().map(|lane| lane[index].bits().to_le_bytes());
        bits.flat_map(|bytes| bytes[..scalar.size_bytes()].to_vec()).collect()
    };
    let mut buffers: Vec<Vec<u8>> = case.operands.iter().enumerate().map(|(i, &s)| column(i, s)).collect();
    buffers.push(vec![0; case.result.size_bytes() * case.lanes.len()]);
    buffers
}

fn args(case: &OpCase) -> Vec<KernelArg> {
    (0..=case.operands.len()).map(|buffer| KernelArg::Buffer { buffer, offset_elements: 0 }).collect()
}

fn results(case: &OpCase, buffers: &[Vec<u8>]) -> Vec<Constant> {
    let bytes = buffers.last().expect("there is a buffer of results");
    let constant = |chunk: &[u8]| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        Constant::from_bits(case.result, u64::from_le_bytes(word))
    };
    bytes.chunks_exact(case.result.size_bytes()).map(constant).collect()
}

fn expected(case: &OpCase) -> Vec<Constant> {
    let mut memory = buffers(case);
    interpret(&case.module, &args(case), case.lanes.len() as u64, &mut memory)
        .unwrap_or_else(|error| panic!("{error}"));
    results(case, &memory)
}

/// What differs by more than the op's tolerance: at most a few lines per case.
fn differences(case: &OpCase, found: &[Constant], target: Target) -> Vec<String> {
    let allowed = tolerance(case.op.name(), case.result, target);
    let mut lines = Vec::new();
    for ((operands, expected), found) in case.lanes.iter().zip(expected(case)).zip(found) {
        let numbers: Vec<f64> = operands.iter().map(|operand| operand.as_f64()).collect();
        let fits = if case.result.is_float() {
            !is_promised(case.op.name(), case.result, target, &numbers, expected.as_f64())
                || allowed.accepts(case.result, expected.as_f64(), found.as_f64())
        } else {
            expected == *found
        };
        if !fits && flushes(case, operands, target) {
            continue;
        }
        if !fits {
            lines.push(format!("{} {operands:?}: {expected} expected, {found} found", case.op.name()));
        }
    }
    let more = lines.len().saturating_sub(3);
    lines.truncate(3);
    if more > 0 {
        lines.push(format!("  and {more} more of {} of {}", case.op.name(), case.scalar));
    }
    lines
}

/// Vulkan drivers may take subnormal operands for zero.
fn flushes(case: &OpCase, operands: &[Constant], target: Target) -> bool {
    let smallest = match case.scalar {
        Scalar::F32 | Scalar::BF16 => f64::from(f32::MIN_POSITIVE),
        Scalar::F16 => 6.2e-5,
        _ => 0.0,
    };
    target == Target::Vulkan && operands.iter().any(|x| x.as_f64() != 0.0 && x.as_f64().abs() < smallest)
}

fn check(failures: Vec<String>) {
    assert!(failures.is_empty(), "{} failures\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn legalized_ops_mean_the_same() {
    let mut failures = Vec::new();
    for mut case in all() {
        let wanted = expected(&case);
        case.module = legalized(case.module.clone(), Limits::of(ArtifactFormat::ShaderBinary));
        let found = expected(&case);
        // The expansions alone, computed exactly as written: the bound is that of f64 expansions for all.
        for ((operands, wanted), found) in case.lanes.iter().zip(wanted).zip(found) {
            let numbers: Vec<f64> = operands.iter().map(|operand| operand.as_f64()).collect();
            let mut allowed = tolerance(case.op.name(), Scalar::F64, Target::Vulkan);
            if matches!(case.result, Scalar::F16 | Scalar::BF16) {
                allowed = tolerance(case.op.name(), case.result, Target::Cpu);
            }
            let fits = if case.result.is_float() {
                !is_promised(case.op.name(), case.result, Target::Vulkan, &numbers, wanted.as_f64())
                    || allowed.accepts(case.result, wanted.as_f64(), found.as_f64())
            } else {
                wanted == found
            };
            if !fits {
                failures.push(format!("{} {operands:?}: {wanted} expected, {found} found", case.op.name()));
            }
        }
    }
    check(failures);
}

#[test]
fn cuda_text_on_the_host_computes_what_the_interpreter_does() {
    let cases = all();
    let artifacts: Vec<Artifact> = cases.iter().map(|case| emit_cuda(&case.module)).collect();
    let kernels = cuda_host::compile(&artifacts).unwrap_or_else(|log| panic!("{log}"));
    let mut failures = Vec::new();
    for (index, (case, artifact)) in cases.iter().zip(&artifacts).enumerate() {
        let mut memory = buffers(case);
        on_host(&kernels, index, artifact, &args(case), case.lanes.len() as u64, &mut memory);
        failures.extend(differences(case, &results(case, &memory), Target::Cuda));
    }
    check(failures);
}

#[test]
fn spirv_of_every_op_is_valid() {
    let failures = all().into_iter().filter_map(|case| spirv_val::check(&emit_spirv(&case.module)).err());
    check(failures.collect());
}

#[test]
fn spirv_on_vulkan_computes_what_the_interpreter_does() {
    let device = match pullback_device::vulkan::VulkanDevice::new() {
        Ok(device) => device,
        Err(error) => return println!("SKIPPED-DEVICE: vulkan: {error}"),
    };
    let mut failures = Vec::new();
    for case in all() {
        let artifact = emit_spirv(&case.module);
        let mut memory = buffers(&case);
        match on_device(&device, &artifact, &args(&case), case.lanes.len() as u64, &mut memory) {
            Ok(()) => failures.extend(differences(&case, &results(&case, &memory), Target::Vulkan)),
            Err(error) => failures.push(format!("{} of {}: {error}", case.op.name(), case.scalar)),
        }
    }
    check(failures);
}

#[test]
fn every_op_of_the_table_is_tested_or_has_a_reason_not_to_be() {
    let cases = all();
    for op in pullback_ir::ops::samples() {
        let elsewhere = matches!(
            op,
            // In every kernel here, or in the tests of programs.
            Op::Const(_) | Op::LaneId | Op::PointerOffset | Op::PointerCast(_)
                | Op::Splat(_) | Op::Construct(_) | Op::Extract(_) | Op::Insert(_) | Op::ElementGet | Op::ElementSet
                // Not in scalar form.
                | Op::Swizzle(_) | Op::Dot | Op::MatMul | Op::Transpose | Op::Detach | Op::Cut | Op::Unpaired
        );
        let tested = cases.iter().any(|case| case.op.name() == op.name());
        assert!(tested != elsewhere, "`{}`", op.name());
    }
}
