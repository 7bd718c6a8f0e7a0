//! Every executor against the interpreter: the corpus and its gradients, over enough lanes for masks and partial groups.

use crate::runs::arguments;
use pullback_device::{Device, DeviceError, cpu::CpuDevice, vulkan::VulkanDevice};
use pullback_ir::{Function, Module, Verified};
use pullback_tests::bounded::Bounded;
use pullback_tests::corpus::{self, Case, Subject, scalars};
use pullback_tests::cuda_host::{self, HostKernels};
use pullback_tests::directive::Kind;
use pullback_tests::emit::emit;
use pullback_tests::failures::Failures;
use pullback_tests::lanes::{self, Lane};
use pullback_tests::launch::{on_device, on_host};
use pullback_tests::random::Random;
use pullback_tests::tolerance::Target;
use std::collections::BTreeMap;

/// More than one group, the last one not full.
pub const LANES: usize = 300;

/// A kernel, its inputs, and what the interpreter makes of them.
pub struct Job {
    pub name: String,
    function: Function,
    kernel: Verified<Module>,
    lanes: Vec<Lane>,
    expected: Vec<Vec<Bounded>>,
}

impl Job {
    /// The oracle is function `id` of `module`, of which `function` is a flat form.
    pub fn new(
        name: String,
        function: &Function,
        oracle: (&Verified<Module>, pullback_ir::FuncId),
        lanes: Vec<Lane>,
    ) -> Result<Job, String> {
        let expected = lanes.iter().map(|lane| lanes::oracle(oracle.0, oracle.1, lane));
        let expected = expected.collect::<Result<_, _>>().map_err(|error| format!("interpreter: {error}"))?;
        Ok(Job { name, function: function.clone(), kernel: lanes::kernel(function), lanes, expected })
    }

    fn compare(&self, target: Target, buffers: &[Vec<u8>]) -> Result<(), String> {
        let found = lanes::results(&self.function, buffers, self.lanes.len());
        for ((inputs, expected), found) in self.lanes.iter().zip(&self.expected).zip(&found) {
            let wrong =
                expected.iter().zip(found).position(|(expected, &found)| !expected.accepts(target, found));
            if let Some(place) = wrong {
                let Bounded { value, bounds } = &expected[place];
                return Err(format!(
                    "{target:?} at {inputs:?}: result {place} is {}, the interpreter's {value} (bounds {bounds:?})\n{}",
                    found[place], self.function,
                ));
            }
        }
        Ok(())
    }
}

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
        let Ok(reverse) = lanes::reverse_derivative(&subject.flat, &subject.params, &subject.results) else {
            continue;
        };
        jobs.extend(
            failures.check(&format!("{name} reverse"), || reverse_job(&name, &reverse, &lanes, &mut random)),
        );
    }
    jobs
}

pub fn reverse_job(
    name: &str,
    reverse: &Function,
    lanes: &[Lane],
    random: &mut Random,
) -> Result<Job, String> {
    let module = lanes::alone(reverse);
    let seeds = &scalars(&reverse.param_types())[lanes[0].len()..];
    let domain = corpus::Domain { floats: (-2.0, 2.0), ints: (0, 0) };
    let lanes = lanes
        .iter()
        .map(|lane| lane.iter().copied().chain(lanes::random_lane(seeds, domain, random)).collect());
    Job::new(format!("{name} reverse"), reverse, (&module, lanes::first(&module)), lanes.collect())
}

/// Runs jobs on a device; those that it lacks a capability for are counted.
pub fn check_on_device(target: Target, device: &dyn Device, jobs: &[Job], failures: &mut Failures) {
    let mut skipped: BTreeMap<String, usize> = BTreeMap::new();
    for job in jobs {
        failures.check(&job.name, || {
            let artifact = emit(&job.kernel, target).map_err(|error| error.to_string())?;
            let (args, mut buffers) = lanes::buffers(&job.function, &job.lanes);
            match on_device(device, &artifact, &args, job.lanes.len() as u64, &mut buffers) {
                Ok(()) => job.compare(target, &buffers),
                Err(DeviceError::Unsupported { device, wanted }) => {
                    *skipped.entry(format!("{device} cannot {wanted}")).or_default() += 1;
                    Ok(())
                }
                Err(error) => Err(error.to_string()),
            }
        });
    }
    for (why, count) in skipped {
        println!("SKIPPED-DEVICE: {why} ({count} kernels)");
    }
}

/// Runs jobs as host C++, compiled in a few batches.
pub fn check_on_host(jobs: &[Job], failures: &mut Failures) {
    for batch in jobs.chunks(60) {
        let emitted = batch.iter().filter_map(|job| {
            let emit = || emit(&job.kernel, Target::Cuda).map_err(|error| error.to_string());
            failures.check(&job.name, emit).map(|artifact| (job, artifact))
        });
        let emitted: Vec<(&Job, _)> = emitted.collect();
        let artifacts: Vec<_> = emitted.iter().map(|(_, artifact)| artifact.clone()).collect();
        let kernels: HostKernels = match cuda_host::compile(&artifacts) {
            Ok(kernels) => kernels,
            Err(why) => {
                failures.extend([format!("host C++: {why}")]);
                continue;
            }
        };
        for (index, (job, artifact)) in emitted.iter().enumerate() {
            failures.check(&job.name, || {
                let (args, mut buffers) = lanes::buffers(&job.function, &job.lanes);
                on_host(&kernels, index, artifact, &args, job.lanes.len() as u64, &mut buffers);
                job.compare(Target::Cuda, &buffers)
            });
        }
    }
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
