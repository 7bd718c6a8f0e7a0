//! Emitted CUDA C++ compiles with the run-time compiler, for two architectures. No GPU is needed.

use pullback_base::{Artifact, ArtifactFormat};
use pullback_codegen::cuda;
use pullback_device::DeviceError;
use pullback_device::cuda::compile_to_cubin;
use pullback_passes::legalize::Limits;
use pullback_passes::legalized;
use pullback_tests::op_cases;

/// Compiles each kernel; the complaints, or `None` without the compiler.
fn complaints(kernels: &[Artifact], arch: &str) -> Option<Vec<String>> {
    let mut complaints = Vec::new();
    for kernel in kernels {
        let text = std::str::from_utf8(&kernel.bytes).expect("kernel text is UTF-8");
        match compile_to_cubin(&kernel.entry, text, arch) {
            Ok(binary) => assert!(!binary.is_empty()),
            Err(DeviceError::NoDriver { reason, .. }) => {
                println!("SKIPPED-DEVICE: nvrtc: {reason}");
                return None;
            }
            Err(error) => complaints.push(format!("{error}\n{text}")),
        }
    }
    Some(complaints)
}

/// Many kernels as one text, each in a namespace, to compile at once.
fn together(kernels: &[Artifact]) -> Artifact {
    let mut text = String::new();
    for (index, kernel) in kernels.iter().enumerate() {
        let body = std::str::from_utf8(&kernel.bytes).expect("kernel text is UTF-8");
        let unique = body.replace(&format!("{}(", kernel.entry), &format!("{}_{index}(", kernel.entry));
        text += &format!("namespace k{index} {{\n{unique}\n}}\n");
    }
    Artifact { bytes: text.into_bytes(), ..kernels[0].clone() }
}

#[test]
fn every_op_compiles() {
    let kernels: Vec<Artifact> = op_cases::all()
        .iter()
        .map(|case| {
            let module = legalized(case.module.clone(), Limits::of(ArtifactFormat::KernelText));
            cuda::emit(&module, &cuda::Options::default()).unwrap_or_else(|error| panic!("{error}"))
        })
        .collect();
    let batches: Vec<Artifact> = kernels.chunks(80).map(together).collect();
    for arch in ["sm_80", "sm_90"] {
        let Some(found) = complaints(&batches, arch) else { return };
        assert!(found.is_empty(), "{arch}: {}", found.join("\n"));
    }
}

#[test]
fn sums_atomics_and_arrays_compile() {
    let kernels: Vec<Artifact> = ["i8", "u16", "i32", "i64", "u64", "f16", "bf16", "f32", "f64"]
        .iter()
        .map(|ty| {
            let text = format!(
                "kernel @k(%x: ptr<{ty}>, %y: ptr<{ty}>) -> () {{
                    %i: i64 = lane_id
                    %px: ptr<{ty}> = pointer_offset %x, %i
                    %a: {ty} = load %px
                    %s: [{ty}; 3] = splat [{ty}; 3] %a
                    %t: [{ty}; 3] = element_set %s, %i, %a
                    %b: {ty} = element_get %t, %i
                    atomic_add %px, %b
                    group_sum %y, %a
                    yield
                }}"
            );
            let module = pullback_ir::parse::parse(&text).unwrap_or_else(|error| panic!("{error}"));
            let module = pullback_ir::verify(module).unwrap_or_else(|errors| panic!("{errors:?}"));
            cuda::emit(&module, &cuda::Options::default()).unwrap_or_else(|error| panic!("{error}"))
        })
        .collect();
    for arch in ["sm_80", "sm_90"] {
        let Some(found) = complaints(&kernels, arch) else { return };
        assert!(found.is_empty(), "{arch}: {}", found.join("\n"));
    }
}
