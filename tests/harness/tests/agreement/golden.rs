//! The texts of every stage, kept in files; what is emitted is accepted by validators.

use pullback_base::{Artifact, render};
use pullback_device::DeviceError;
use pullback_device::cuda::compile_to_cubin;
use pullback_ir::{Module, Verified, parse::parse, verify};
use pullback_tests::bless::Shelf;
use pullback_tests::corpus::{self, Case, Subject, tests_folder};
use pullback_tests::emit::emit;
use pullback_tests::failures::Failures;
use pullback_tests::tolerance::Target;
use pullback_tests::{lanes, spirv_val};

fn shelf(stage: &str) -> Shelf {
    Shelf::new(tests_folder().join("golden/out").join(stage))
}

/// Compares what a stage makes of every subject with its file.
fn check_stage(stage: &str, text: impl Fn(&Case, &Subject) -> Result<String, String>) {
    let (cases, _) = corpus::load();
    let mut failures = Failures::default();
    let mut shelf = shelf(stage);
    for case in &cases {
        let parts = case.subjects.iter().map(|subject| text(case, subject));
        let joined = failures.check(&case.name, || parts.collect::<Result<Vec<_>, _>>());
        if let Some(parts) = joined {
            shelf.check(&case.name, &parts.join("\n"));
        }
    }
    failures.extend(shelf.finish());
    failures.finish();
}

#[test]
fn every_case_compiles() {
    let (cases, errors) = corpus::load();
    let mut failures = Failures::default();
    for case in &cases {
        failures
            .check(&case.name, || if case.subjects.is_empty() { Err("no directive".into()) } else { Ok(()) });
    }
    failures.extend(errors);
    failures.finish();
}

#[test]
fn flat_ir_is_as_expected() {
    check_stage("ir", |_, subject| Ok(subject.flat.to_string()));
}

#[test]
fn forward_derivatives_are_as_expected() {
    check_stage("fwd", |case, subject| {
        if !subject.has_gradient() {
            return Ok(format!("{} has no float to differentiate", subject.name));
        }
        match lanes::forward_derivative(subject.primal(), &subject.params) {
            Ok(function) => Ok(function.to_string()),
            Err(refusal) => Ok(render::render_all(&refusal.into_vec(), &case.sources)),
        }
    });
}

#[test]
fn reverse_derivatives_are_as_expected() {
    check_stage("bwd", |case, subject| {
        if !subject.has_gradient() {
            return Ok(format!("{} has no float to differentiate", subject.name));
        }
        match lanes::reverse_derivative(subject.primal(), &subject.params, &subject.results) {
            Ok(function) => Ok(function.to_string()),
            Err(refusal) => Ok(render::render_all(&refusal.into_vec(), &case.sources)),
        }
    });
}

fn emitted(subject: &Subject, target: Target) -> Result<Artifact, String> {
    emit(&lanes::kernel(&subject.flat), target).map_err(|error| error.to_string())
}

#[test]
fn spirv_is_as_expected() {
    check_stage("spirv", |_, subject| {
        let artifact = emitted(subject, Target::Vulkan)?;
        let module = rspirv::dr::load_words(artifact.words()).map_err(|error| error.to_string())?;
        Ok(rspirv::binary::Disassemble::disassemble(&module))
    });
}

#[test]
fn cuda_is_as_expected() {
    check_stage("cuda", |_, subject| {
        String::from_utf8(emitted(subject, Target::Cuda)?.bytes).map_err(|error| error.to_string())
    });
}

/// The kernels of every subject: itself, and its reverse derivative where it has one.
fn all_kernels() -> Vec<(String, Verified<Module>)> {
    let (cases, _) = corpus::load();
    let mut out = Vec::new();
    for (case, subject) in cases.iter().flat_map(|case| case.subjects.iter().map(move |s| (case, s))) {
        let name = format!("{} {}", case.name, subject.name);
        out.push((name.clone(), lanes::kernel(&subject.flat)));
        if subject.has_gradient()
            && let Ok(reverse) =
                lanes::reverse_derivative(subject.primal(), &subject.params, &subject.results)
        {
            out.push((format!("{name} reverse"), lanes::kernel(&reverse)));
        }
    }
    out
}

#[test]
fn every_shader_is_valid() {
    let mut failures = Failures::default();
    for (name, kernel) in all_kernels() {
        failures.check(&name, || {
            spirv_val::check(&emit(&kernel, Target::Vulkan).map_err(|error| error.to_string())?)
        });
    }
    failures.finish();
}

#[test]
fn every_cuda_kernel_compiles_for_sm_80_and_sm_90() {
    let mut failures = Failures::default();
    for (name, kernel) in all_kernels() {
        let artifact =
            failures.check(&name, || emit(&kernel, Target::Cuda).map_err(|error| error.to_string()));
        let Some(artifact) = artifact else { continue };
        let text = String::from_utf8_lossy(&artifact.bytes).into_owned();
        for arch in ["sm_80", "sm_90"] {
            match compile_to_cubin(&artifact.entry, &text, arch) {
                Ok(code) => assert!(!code.is_empty(), "{name}: no code for {arch}"),
                Err(DeviceError::NoDriver { reason, .. }) => {
                    println!("SKIPPED-DEVICE: NVRTC: {reason}");
                    return;
                }
                Err(error) => failures.extend([format!("{name} for {arch}: {error}\n{text}")]),
            }
        }
    }
    failures.finish();
}

#[test]
fn printed_ir_reads_back_to_itself() {
    let (cases, _) = corpus::load();
    let mut failures = Failures::default();
    for case in &cases {
        let mut check = |name: &str, module: &Module| {
            failures.check(&format!("{} {name}", case.name), || {
                let text = module.to_string();
                let read = parse(&text).map_err(|error| format!("{error}\n{text}"))?;
                let read = verify(read).map_err(|errors| format!("{errors:?}\n{text}"))?;
                if read.to_string() == text { Ok(()) } else { Err(format!("{text}\nbecame\n{}", *read)) }
            });
        };
        check("module", &case.module);
        for subject in &case.subjects {
            check(&subject.name, &lanes::alone(&subject.flat));
            check(&format!("{} kernel", subject.name), &lanes::kernel(&subject.flat));
            if let Ok(forward) = lanes::forward_derivative(subject.primal(), &subject.params) {
                check(&format!("{} forward", subject.name), &lanes::alone(&forward));
            }
            if let Ok(reverse) =
                lanes::reverse_derivative(subject.primal(), &subject.params, &subject.results)
            {
                check(&format!("{} reverse", subject.name), &lanes::alone(&reverse));
            }
        }
    }
    failures.finish();
}
