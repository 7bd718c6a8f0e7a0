//! Random programs against oracles: generate, check, shrink what fails, replay what failed once.

pub mod generate;
mod memory;
pub mod oracle;
pub mod program;
mod second;
pub mod shrink;
pub mod tables;

use crate::corpus::{Case, Subject, tests_folder};
use crate::jobs::{Job, check_on_device, reverse_job};
use crate::lanes::{self, Lane};
use crate::random::Random;
use crate::tolerance::Target;
use oracle::{DOMAIN, Depth, Failure, Verdict};
use program::{ENTRY, Program, Real};
use pullback_device::Device;
use pullback_lang::Language;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;
use tables::Flavour;

/// Candidates that a shrinker may try, and for how long.
const SHRINK_TRIES: usize = 3000;
const SHRINK_SECONDS: u64 = 30;
/// One program in so many is differentiated twice.
const SECOND_ONCE_IN: u64 = 16;
/// Enough for masks to matter; the interpreter runs each of them.
const DEVICE_LANES: usize = 24;

/// A device, and what it is held to.
pub struct Executor {
    pub target: Target,
    pub device: Box<dyn Device>,
    /// One program in so many runs there.
    pub once_in: u64,
}

/// What came of many programs.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub programs: u64,
    /// How many ended how, but for those that agreed and those that failed.
    pub others: BTreeMap<String, u64>,
    /// Shrunk.
    pub mismatches: Vec<Mismatch>,
}

/// A failure of a program, and its text.
#[derive(Clone, Debug)]
pub struct Mismatch {
    pub seed: u64,
    pub failure: Failure,
    pub text: String,
}

impl Report {
    pub fn merge(&mut self, other: Report) {
        self.programs += other.programs;
        self.mismatches.extend(other.mismatches);
        for (why, count) in other.others {
            *self.others.entry(why).or_default() += count;
        }
    }

    /// Checks the program of a seed.
    pub fn check(&mut self, seed: u64, executors: &[Executor]) {
        self.programs += 1;
        let program = generate::program(seed, Flavour::Smooth);
        match check(&program, seed, executors) {
            Ok(Verdict::Agreed) => {}
            Ok(Verdict::Refused(code)) => *self.others.entry(format!("refused: {code}")).or_default() += 1,
            Ok(Verdict::RefusedByBuffers(code)) => {
                *self.others.entry(format!("refused by buffers: {code}")).or_default() += 1;
            }
            Ok(Verdict::Skipped(why)) => *self.others.entry(format!("skipped: {why}")).or_default() += 1,
            Err(failure) => {
                let kind = failure.kind.clone();
                let start = Instant::now();
                let fails = |program: &Program| {
                    start.elapsed().as_secs() < SHRINK_SECONDS
                        && check(program, seed, executors).is_err_and(|failure| failure.kind == kind)
                };
                let shrunk = shrink::shrink(program, SHRINK_TRIES, fails);
                let failure = check(&shrunk, seed, executors).err().unwrap_or(failure);
                self.mismatches.push(Mismatch { seed, failure, text: shrunk.text(Real::Double) });
            }
        }
    }
}

/// How the program of a seed fails without executors, if it does.
pub fn fails(seed: u64) -> Option<String> {
    check(&generate::program(seed, Flavour::Smooth), seed, &[]).err().map(|failure| failure.kind)
}

/// All that a run checks of a program; a panic is a failure.
fn check(program: &Program, seed: u64, executors: &[Executor]) -> Result<Verdict, Failure> {
    guarded(|| {
        let depth = Depth { second: seed.is_multiple_of(SECOND_ONCE_IN) };
        let verdict = oracle::check(&program.text(Real::Double), seed, depth)?;
        for executor in executors.iter().filter(|executor| seed.is_multiple_of(executor.once_in)) {
            check_executor(&program.text(Real::Float), seed, executor)?;
        }
        Ok(verdict)
    })
}

/// Checks a text with every oracle of derivatives.
pub fn check_text(text: &str) -> Result<Verdict, Failure> {
    guarded(|| oracle::check(text, 0, Depth { second: true }))
}

fn guarded<T>(run: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let text = match panic.downcast_ref::<String>() {
            Some(text) => text.clone(),
            None => (*panic.downcast_ref::<&str>().unwrap_or(&"of unknown kind")).to_owned(),
        };
        // Numbers of values differ between a program and its shrunk form.
        let kind: String = text.chars().take(60).filter(|c| !c.is_ascii_digit()).collect();
        Err(Failure::new(format!("panic: {}", kind.lines().next().unwrap_or_default()), text))
    })
}

/// The interpreter's results, of the function and its reverse derivative in single precision, on a device.
fn check_executor(text: &str, seed: u64, executor: &Executor) -> Result<(), Failure> {
    let kind = format!("{:?}", executor.target).to_lowercase();
    let failed = |why: String| Failure::new(kind.clone(), why);
    for mut job in jobs(text, seed).map_err(failed)? {
        job.excuses_undecided = true;
        let mut failures = crate::failures::Failures::default();
        check_on_device(executor.target, &*executor.device, std::slice::from_ref(&job), &mut failures);
        if let Some(why) = failures.first() {
            return Err(failed(why.to_owned()));
        }
    }
    Ok(())
}

/// A program's kernels: itself, and its reverse derivative unless that is refused.
pub fn jobs(text: &str, seed: u64) -> Result<Vec<Job>, String> {
    jobs_of(text, seed, DEVICE_LANES)
}

/// As [`jobs`], on so many lanes.
pub fn jobs_of(text: &str, seed: u64, lanes: usize) -> Result<Vec<Job>, String> {
    let case = Case::compile("", "program.slang", text, Language::Slang)?;
    let subject = Subject::of(&case.module, &case.sources, ENTRY, DOMAIN)?;
    let mut random = Random::new(seed);
    let scalars = subject.param_scalars();
    let lanes: Vec<Lane> = (0..lanes).map(|_| lanes::random_lane(&scalars, DOMAIN, &mut random)).collect();
    let name = format!("program {seed}\n{text}");
    let mut jobs = vec![Job::new(name.clone(), &subject.flat, (&case.module, subject.id), lanes.clone())?];
    if let Ok(reverse) = lanes::reverse_derivative(&subject.flat, &subject.params, &subject.results) {
        jobs.push(reverse_job(&name, &reverse, &lanes, &mut random)?);
    }
    Ok(jobs)
}

/// The texts of programs that failed once, by file name.
pub fn corpus() -> Vec<(String, String)> {
    let folder = tests_folder().join("harness/corpus");
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut out: Vec<(String, String)> = entries
        .flatten()
        .filter_map(|entry| {
            let text = std::fs::read_to_string(entry.path()).ok()?;
            Some((entry.file_name().to_string_lossy().into_owned(), text))
        })
        .collect();
    out.sort();
    out
}
