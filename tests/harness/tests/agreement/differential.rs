//! Random programs: the interpreter on what the front end made, and every executor on what is left of it.

use crate::targets::{Job, LANES, check_on_device, check_on_host, vulkan};
use pullback_device::cpu::CpuDevice;
use pullback_lang::Language;
use pullback_tests::corpus::{Case, Domain, Subject};
use pullback_tests::failures::Failures;
use pullback_tests::lanes::{self, Lane};
use pullback_tests::programs::{ENTRY, program};
use pullback_tests::random::Random;
use pullback_tests::tolerance::Target;

/// How many programs a run makes, unless `PULLBACK_FUZZ_PROGRAMS` says otherwise.
const PROGRAMS: u64 = 200;
const DOMAIN: Domain = Domain { floats: (-2.0, 2.0), ints: (-4, 9) };

fn jobs_of(seed: u64) -> Result<Vec<Job>, String> {
    let text = program(seed);
    let shown = |why: String| format!("{why}\n{text}");
    let case = Case::compile("", "program.slang", &text, Language::Slang).map_err(shown)?;
    let subject = Subject::of(&case.module, &case.sources, ENTRY, DOMAIN).map_err(shown)?;
    let mut random = Random::new(seed);
    let scalars = subject.param_scalars();
    let lanes: Vec<Lane> = (0..LANES).map(|_| lanes::random_lane(&scalars, DOMAIN, &mut random)).collect();
    let name = format!("program {seed}\n{text}");
    let mut jobs = vec![
        Job::new(name.clone(), &subject.flat, (&case.module, subject.id), lanes.clone()).map_err(shown)?,
    ];
    if let Ok(reverse) = lanes::reverse_derivative(&subject.flat, &subject.params, &subject.results) {
        jobs.push(crate::targets::reverse_job(&name, &reverse, &lanes, &mut random).map_err(shown)?);
    }
    Ok(jobs)
}

fn check(run: impl Fn(&[Job], &mut Failures)) {
    let count = std::env::var("PULLBACK_FUZZ_PROGRAMS").ok().and_then(|n| n.parse().ok()).unwrap_or(PROGRAMS);
    let first = std::env::var("PULLBACK_FUZZ_SEED").ok().and_then(|n| n.parse().ok()).unwrap_or(0);
    let mut failures = Failures::default();
    let jobs: Vec<Job> = (first..first + count)
        .filter_map(|seed| failures.check(&format!("program {seed}"), || jobs_of(seed)))
        .flatten()
        .collect();
    println!("{count} programs, {} kernels", jobs.len());
    run(&jobs, &mut failures);
    failures.finish();
}

#[test]
fn random_programs_agree_on_the_cpu_device() {
    check(|jobs, failures| check_on_device(Target::Cpu, &CpuDevice::new(), jobs, failures));
}

#[test]
fn random_programs_agree_on_vulkan() {
    let Some(device) = vulkan() else { return };
    check(|jobs, failures| check_on_device(Target::Vulkan, &device, jobs, failures));
}

#[test]
fn random_programs_agree_as_emitted_cuda() {
    check(check_on_host);
}
