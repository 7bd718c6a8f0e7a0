//! Every executor against the interpreter: the corpus and its gradients, over enough lanes for masks and partial groups.

use crate::runs::arguments;
use pullback_device::{cpu::CpuDevice, vulkan::VulkanDevice};
use pullback_tests::corpus::{self, Case, Subject};
use pullback_tests::directive::Kind;
use pullback_tests::failures::Failures;
use pullback_tests::jobs::{Job, check_on_device, check_on_host, reverse_job};
use pullback_tests::lanes::{self, Lane};
use pullback_tests::random::Random;
use pullback_tests::tolerance::Target;

/// More than one group, the last one not full.
pub const LANES: usize = 300;

/// The lanes of a subject: those of its directives, then random ones.
fn lanes_of(case: &Case, subject: &Subject, random: &mut Random) -> Vec<Lane> {
    let calls = case.directives.iter().filter_map(|directive| match &directive.kind {
        Kind::Run { call, .. } | Kind::Grad { call, .. } if call.function == subject.name => Some(call),
        _ => None,
    });
    let mut out: Vec<Lane> = calls.filter_map(|call| arguments(case, call).ok()).collect();
    let scalars = subject.param_scalars();
    while out.len() < LANES {
        out.push(lanes::random_lane(&scalars, subject.domain, random));
    }
    out
}

/// Each subject, and its reverse derivative.
fn corpus_jobs(failures: &mut Failures) -> Vec<Job> {
    let (cases, _) = corpus::load();
    let mut jobs = Vec::new();
    for (case, subject) in cases.iter().flat_map(|case| case.subjects.iter().map(move |s| (case, s))) {
        let mut random = Random::of_name(&case.name);
        let name = format!("{} {}", case.name, subject.name);
        let lanes = lanes_of(case, subject, &mut random);
        let plain = || Job::new(name.clone(), &subject.flat, (&case.module, subject.id), lanes.clone());
        jobs.extend(failures.check(&name, plain));
        if !subject.has_gradient() {
            continue;
        }
        let Ok(reverse) = lanes::reverse_derivative(subject.primal(), &subject.params, &subject.results)
        else {
            continue;
        };
        jobs.extend(
            failures.check(&format!("{name} reverse"), || reverse_job(&name, &reverse, &lanes, &mut random)),
        );
    }
    jobs
}

/// The Vulkan device, or a line that says why there is none.
pub fn vulkan() -> Option<VulkanDevice> {
    match VulkanDevice::new() {
        Ok(device) => Some(device),
        Err(error) => {
            println!("SKIPPED-DEVICE: vulkan: {error}");
            None
        }
    }
}

#[test]
fn cpu_device_agrees_with_the_interpreter() {
    let mut failures = Failures::default();
    let jobs = corpus_jobs(&mut failures);
    check_on_device(Target::Cpu, &CpuDevice::new(), &jobs, &mut failures);
    failures.finish();
}

#[test]
fn vulkan_device_agrees_with_the_interpreter() {
    let Some(device) = vulkan() else { return };
    let mut failures = Failures::default();
    let jobs = corpus_jobs(&mut failures);
    check_on_device(Target::Vulkan, &device, &jobs, &mut failures);
    failures.finish();
}

#[test]
fn emitted_cuda_agrees_with_the_interpreter() {
    let mut failures = Failures::default();
    let jobs = corpus_jobs(&mut failures);
    check_on_host(&jobs, &mut failures);
    failures.finish();
}

#[test]
fn most_bounds_are_tight() {
    let mut failures = Failures::default();
    let jobs = corpus_jobs(&mut failures);
    for (index, target) in pullback_tests::bounded::TARGETS.into_iter().enumerate() {
        let numbers = jobs.iter().flat_map(|job| job.expected.iter().flatten());
        let (mut all, mut loose) = (0, 0);
        for number in numbers {
            let size = number.value.as_f64().abs().max(1.0);
            all += 1;
            loose += usize::from(number.bounds[index] > 0.05 * size);
        }
        println!("{target:?}: {loose} of {all} results are held to no better than 5%");
        failures.check(&format!("{target:?}"), || {
            if loose * 50 < all { Ok(()) } else { Err("too loose".into()) }
        });
    }
    failures.finish();
}
