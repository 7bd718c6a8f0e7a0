//! Random programs: the interpreter on what the front end made, and every executor on what is left of it.

use crate::targets::{LANES, vulkan};
use pullback_device::cpu::CpuDevice;
use pullback_tests::failures::Failures;
use pullback_tests::fuzz::generate::program;
use pullback_tests::fuzz::program::Real;
use pullback_tests::fuzz::{self, tables::Flavour};
use pullback_tests::jobs::{Job, check_on_device, check_on_host};
use pullback_tests::tolerance::Target;

/// How many programs a run makes, unless `PULLBACK_FUZZ_PROGRAMS` says otherwise.
const PROGRAMS: u64 = 200;
/// The host's compiler takes most of a minute for so many.
const PROGRAMS_ON_HOST: u64 = 60;

fn jobs_of(seed: u64) -> Result<Vec<Job>, String> {
    let text = program(seed, Flavour::Exact).text(Real::Float);
    fuzz::jobs_of(&text, seed, LANES).map_err(|why| format!("{why}\n{text}"))
}

fn check(programs: u64, run: impl Fn(&[Job], &mut Failures)) {
    let count = std::env::var("PULLBACK_FUZZ_PROGRAMS").ok().and_then(|n| n.parse().ok()).unwrap_or(programs);
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
    check(PROGRAMS, |jobs, failures| check_on_device(Target::Cpu, &CpuDevice::new(), jobs, failures));
}

#[test]
fn random_programs_agree_on_vulkan() {
    let Some(device) = vulkan() else { return };
    check(PROGRAMS, |jobs, failures| check_on_device(Target::Vulkan, &device, jobs, failures));
}

#[test]
fn random_programs_agree_as_emitted_cuda() {
    check(PROGRAMS_ON_HOST, check_on_host);
}
