//! Kernels with their inputs and the interpreter's results, and executors held to those.

use crate::bounded::{Bounded, TARGETS};
use crate::corpus::{Domain, scalars};
use crate::cuda_host::{self, HostKernels};
use crate::emit::emit;
use crate::failures::Failures;
use crate::lanes::{self, Lane};
use crate::launch::{on_device, on_host};
use crate::random::Random;
use crate::tolerance::Target;
use pullback_device::{Device, DeviceError};
use pullback_ir::{Function, Module, Verified};
use std::collections::BTreeMap;

/// A kernel, its inputs, and what the interpreter makes of them.
pub struct Job {
    pub name: String,
    function: Function,
    kernel: Verified<Module>,
    lanes: Vec<Lane>,
    pub expected: Vec<Vec<Bounded>>,
    /// For each lane and target, whether it decides as the interpreter does.
    decided: Vec<[bool; TARGETS.len()]>,
    /// Lets a lane pass on which the target may decide otherwise.
    pub excuses_undecided: bool,
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
        let expected: Vec<_> =
            expected.collect::<Result<_, _>>().map_err(|error| format!("interpreter: {error}"))?;
        let (expected, decided) = expected.into_iter().unzip();
        let (function, kernel) = (function.clone(), lanes::kernel(function));
        Ok(Job { name, function, kernel, lanes, expected, decided, excuses_undecided: false })
    }

    fn compare(&self, target: Target, buffers: &[Vec<u8>]) -> Result<(), String> {
        let found = lanes::results(&self.function, buffers, self.lanes.len());
        let index = TARGETS.iter().position(|&known| known == target).unwrap_or(0);
        for (lane, found) in found.iter().enumerate() {
            if self.excuses_undecided && !self.decided[lane][index] {
                continue;
            }
            let (inputs, expected) = (&self.lanes[lane], &self.expected[lane]);
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

/// The reverse derivative on these lanes and random cotangents.
pub fn reverse_job(
    name: &str,
    reverse: &Function,
    lanes: &[Lane],
    random: &mut Random,
) -> Result<Job, String> {
    let module = lanes::alone(reverse);
    let seeds = &scalars(&reverse.param_types())[lanes[0].len()..];
    let domain = Domain { floats: (-2.0, 2.0), ints: (0, 0) };
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
