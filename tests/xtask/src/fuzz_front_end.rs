//! The fuzz targets of `tests/fuzz`: any bytes for the lexer, the parser and the checker, led by coverage.
//!
//! `cargo fuzz run --fuzz-dir tests/fuzz -s none TARGET` does the same for as long as one likes; here they run for seconds, with what is in
//! the repository as seeds.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::checkout::Checkout;
use crate::child;
use crate::tally::{Report, Tally};

const TARGETS: [&str; 3] = ["lexer", "parser", "checker"];
const SEEDS: [&str; 3] = ["tests/golden/in", "tests/golden/wrong", "tests/spec"];
const PACKAGE: &str = "tests/fuzz/Cargo.toml";

/// What counts the edges that a run takes: as `cargo fuzz` asks for it, without a sanitizer, which stable compilers have not.
const COVERAGE: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";

/// Seconds per target; a text that takes ten, or two gigabytes, is a failure as a panic is.
const LIMITS: [&str; 3] = ["-max_total_time=20", "-timeout=10", "-rss_limit_mb=2048"];

/// A line that libFuzzer ends with, and how it begins.
const COUNT: &str = "stat::number_of_executed_units:";

/// Builds the targets and runs each for a short time.
pub fn test(checkout: &Checkout, report: &mut Report) -> Result<()> {
    let version = child::capture(Command::new("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc has no host")?;
    let folder = checkout.target_folder().join("fuzz");
    let mut build = checkout.cargo(&["build", "--release", "--quiet", "--manifest-path", PACKAGE]);
    // With a target named, build scripts and macros are built without the counters.
    build.args(["--target", host, "--target-dir"]).arg(&folder).env("RUSTFLAGS", COVERAGE);
    if !child::succeeds(&mut build)? {
        report.stage("fuzz targets of the front end", Tally::FAIL);
        return Ok(());
    }
    let (mut tally, mut inputs) = (Tally::default(), 0);
    for target in TARGETS {
        let found = folder.join("corpus").join(target);
        let ran = run(checkout, &folder.join(host).join("release").join(target), &found)?;
        tally += Tally::of(ran.is_some());
        inputs += ran.unwrap_or(0);
    }
    report.stage(&format!("front end on {inputs} fuzzed texts"), tally);
    Ok(())
}

/// How many texts the target was given; `None` when one of them broke it. That text is in `out/fuzz`.
fn run(checkout: &Checkout, program: &Path, found: &Path) -> Result<Option<u64>> {
    let failures = checkout.root.join("out/fuzz");
    for folder in [found, &failures] {
        fs::create_dir_all(folder)?;
    }
    let mut command = Command::new(program);
    command.current_dir(&checkout.root).args(LIMITS).args(["-print_final_stats=1", "-verbosity=0"]);
    command.arg(format!("-artifact_prefix={}/", failures.display())).arg(found).args(SEEDS);
    let mut inputs = None;
    let code = child::stream(&mut command, |line| {
        println!("{line}");
        inputs = line.strip_prefix(COUNT).and_then(|count| count.trim().parse().ok()).or(inputs);
    })?;
    Ok(inputs.filter(|_| code == 0))
}
