//! `cargo xtask test`: every check there is; all of them run before the table says what failed.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::checkout::Checkout;
use crate::python::{self, Environment};
use crate::tally::{self, Report, Tally};
use crate::{child, conformance, fuzz, fuzz_front_end, lint, samples, shaderc, system, wheel};

const WHEEL_LIMIT_BYTES: u64 = 10 << 20;
const IMPORT_LIMIT_MS: f64 = 100.0;
/// What `tests/gpu/run.py` answers where there is no GPU.
const NO_DEVICE_EXIT_CODE: i32 = 77;
/// Where `.config/nextest.toml` puts what every test printed.
const NEXTEST_REPORT: &str = "target/nextest/xtask/junit.xml";
/// Extension modules have no Python to link tests against; `tests/python` tests them.
const EXTENSION_PACKAGES: [&str; 2] = ["pullback-py", "pullback-torch-bridge"];

pub fn run(checkout: &Checkout) -> Result<bool> {
    let mut report = Report::new();
    let environment = set_up(checkout, &mut report)?;
    let environment = environment.as_ref();
    lint::stages(checkout, environment, &mut report)?;
    rust_tests(checkout, environment, &mut report)?;
    doc_tests(checkout, &mut report)?;
    shaderc::test(checkout, &mut report)?;
    report.stage("seeded bugs in differentiation", Tally::of(fuzz::mutations(checkout)?));
    report.stage("2,000 random programs' gradients", Tally::of(fuzz::run(checkout, &fuzz::IN_TESTS)?));
    fuzz_front_end::test(checkout, &mut report)?;
    conformance::test(checkout, &mut report)?;
    let has_package = match environment {
        Some(environment) => package(checkout, environment, &mut report)?,
        None => false,
    };
    match environment {
        Some(environment) if has_package => {
            python_tests(checkout, environment, &mut report)?;
            samples::test(checkout, environment, &mut report)?;
            gpu_run(checkout, environment, &mut report)?;
        }
        _ => report.stage("Python tests and samples", Tally::FAIL),
    }
    report.print();
    Ok(report.total().failed == 0)
}

fn set_up(checkout: &Checkout, report: &mut Report) -> Result<Option<Environment>> {
    let missing = system::install()?;
    for sentence in &missing {
        report.reason(sentence);
    }
    let environment = report_error(python::environment(checkout));
    let mut tally = Tally::of(environment.is_some());
    tally.skipped = missing.len();
    report.stage("set-up", tally);
    Ok(environment)
}

/// Device tests run with validation layers on, and find NVRTC in the pinned package.
pub fn set_device_environment(command: &mut Command, environment: &Environment) {
    command.env("PULLBACK_VULKAN_VALIDATION", "1");
    if let Some(folder) = environment.nvrtc_folder() {
        command.env("PULLBACK_NVRTC_PATH", folder);
    }
}

fn rust_tests(checkout: &Checkout, environment: Option<&Environment>, report: &mut Report) -> Result<()> {
    let has_nextest = has_nextest(checkout);
    let mut command = if has_nextest {
        checkout.cargo(&["nextest", "run", "--profile", "xtask", "--no-tests", "pass", "--workspace"])
    } else {
        checkout.cargo(&["test", "--no-fail-fast", "--workspace", "--all-targets"])
    };
    exclude_extensions(&mut command);
    if !has_nextest {
        command.args(["--", "--show-output"]);
    }
    if let Some(environment) = environment {
        set_device_environment(&mut command, environment);
    }
    // nextest shows the output of failed tests only; the others' is in its report.
    let junit = checkout.root.join(NEXTEST_REPORT);
    let _ = fs::remove_file(&junit);
    let mut reasons = Vec::new();
    let mut tally = run_tests(&mut command, |line| reasons.extend(tally::device_skip(line)))?;
    if has_nextest {
        reasons =
            fs::read_to_string(junit).unwrap_or_default().lines().filter_map(tally::device_skip).collect();
    }
    tally.skipped += reasons.len();
    for reason in reasons {
        report.reason(&reason);
    }
    report.stage("Rust tests", tally);
    Ok(())
}

pub fn has_nextest(checkout: &Checkout) -> bool {
    child::capture(&mut checkout.cargo(&["nextest", "--version"])).is_ok()
}

fn doc_tests(checkout: &Checkout, report: &mut Report) -> Result<()> {
    let mut command = checkout.cargo(&["test", "--quiet", "--doc", "--no-fail-fast", "--workspace"]);
    exclude_extensions(&mut command);
    let tally = run_tests(&mut command, |_| {})?;
    report.stage("Rust doc tests", tally);
    Ok(())
}

fn exclude_extensions(command: &mut Command) {
    for package in EXTENSION_PACKAGES {
        command.args(["--exclude", package]);
    }
}

/// Builds, installs and weighs the Python package; `false` if there is none to test.
fn package(checkout: &Checkout, environment: &Environment, report: &mut Report) -> Result<bool> {
    let built = wheel::build(checkout, environment)
        .and_then(|wheel| wheel::install(checkout, environment, &wheel).map(|()| wheel));
    let Some(wheel) = report_error(built) else {
        report.stage("wheel", Tally::FAIL);
        return Ok(false);
    };
    let size_bytes = wheel.metadata()?.len();
    println!("{}: {:.2} MB", wheel.display(), size_bytes as f64 / 1e6);
    report.stage("wheel, at most 10 MB", Tally::of(size_bytes <= WHEEL_LIMIT_BYTES));
    let import_ms = report_error(import_time_ms(checkout, environment));
    if let Some(import_ms) = import_ms {
        println!("import pullback: {import_ms:.0} ms");
    }
    let is_fast = import_ms.is_some_and(|import_ms| import_ms <= IMPORT_LIMIT_MS);
    report.stage("import, at most 100 ms", Tally::of(is_fast));
    Ok(true)
}

/// The best of several: what a quiet machine needs, on a machine that may not be quiet.
fn import_time_ms(checkout: &Checkout, environment: &Environment) -> Result<f64> {
    const PROGRAM: &str = "import time; start = time.perf_counter(); import pullback; \
                           print((time.perf_counter() - start) * 1e3)";
    let mut best_ms = f64::INFINITY;
    for _ in 0..7 {
        let printed = child::capture(environment.command(checkout).args(["-c", PROGRAM]))?;
        best_ms = best_ms.min(printed.parse::<f64>().context("unexpected output of the import program")?);
    }
    Ok(best_ms)
}

fn python_tests(checkout: &Checkout, environment: &Environment, report: &mut Report) -> Result<()> {
    let mut command = environment.command(checkout);
    command.args(["-m", "pytest", "-q", "-rs", "tests/python"]);
    set_device_environment(&mut command, environment);
    // pytest folds equal reasons into one line, and has counted them already.
    let mut reasons = Vec::new();
    let tally = run_tests(&mut command, |line| reasons.extend(tally::device_skip(line)))?;
    for reason in reasons {
        report.reason(&reason);
    }
    report.stage("Python tests", tally);
    Ok(())
}

fn gpu_run(checkout: &Checkout, environment: &Environment, report: &mut Report) -> Result<()> {
    let program = Path::new("tests/gpu/run.py");
    if !checkout.root.join(program).is_file() {
        return Ok(());
    }
    let mut command = environment.command(checkout);
    command.arg(program).arg("--out").arg("out/gpu");
    set_device_environment(&mut command, environment);
    let code = child::stream(&mut command, |line| println!("{line}"))?;
    if code == NO_DEVICE_EXIT_CODE {
        report.reason("tests/gpu/run.py: no GPU here");
        report.stage("GPU run", Tally::SKIP);
    } else {
        report.stage("GPU run", Tally::of(code == 0));
    }
    Ok(())
}

/// Runs a test runner with its output shown, and sums its closing lines.
pub fn run_tests(command: &mut Command, mut on_line: impl FnMut(&str)) -> Result<Tally> {
    let mut tally = Tally::default();
    let code = child::stream(command, |line| {
        if !is_about_no_tests(line) {
            println!("{line}");
        }
        if let Some(closing) = tally::closing_line(line) {
            tally += closing;
        }
        on_line(line);
    })?;
    Ok(tally.with_exit_code(code))
}

/// What `cargo test` says of each crate without tests.
fn is_about_no_tests(line: &str) -> bool {
    line.is_empty() || line == "running 0 tests" || line.starts_with("test result: ok. 0 passed")
}

/// Prints an error and goes on without the value: later stages still have something to say.
fn report_error<T>(result: Result<T>) -> Option<T> {
    result.inspect_err(|error| eprintln!("error: {error:#}")).ok()
}
