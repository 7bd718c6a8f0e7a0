//! `fuzz --programs N [--seed S] [--device cpu|vulkan|interp] [--threads T]`: random programs, until all are checked.

use pullback_device::{cpu::CpuDevice, vulkan::VulkanDevice};
use pullback_tests::fuzz::{Executor, Report};
use pullback_tests::tolerance::Target;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// How often what is known so far is printed.
const PROGRESS_SECONDS: f64 = 10.0;

struct Options {
    programs: u64,
    seed: u64,
    device: String,
    threads: usize,
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(why) => {
            eprintln!("error: {why}");
            return ExitCode::from(2);
        }
    };
    // What panics is caught, shrunk and shown once.
    std::panic::set_hook(Box::new(|_| {}));
    let report = run(&options);
    for (why, count) in &report.others {
        println!("{count} {why}");
    }
    println!(
        "fuzz: {} programs, {} mismatches, seed {}",
        report.programs,
        report.mismatches.len(),
        options.seed
    );
    if report.mismatches.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn options() -> Result<Options, String> {
    let mut options = Options { programs: 2000, seed: 0, device: "cpu".into(), threads: 1 };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("`{name}` takes a value"))?;
        let number = || value.parse::<u64>().map_err(|_| format!("`{value}` is no number"));
        match name.as_str() {
            "--programs" => options.programs = number()?,
            "--seed" => options.seed = number()?,
            "--threads" => options.threads = number()?.max(1) as usize,
            "--device" if ["cpu", "vulkan", "interp"].contains(&value.as_str()) => options.device = value,
            "--device" => return Err(format!("no device `{value}`: cpu, vulkan or interp")),
            _ => return Err(format!("no option `{name}`")),
        }
    }
    Ok(options)
}

/// The devices beside the interpreter: vulkan means both.
fn executors(device: &str) -> Vec<Executor> {
    let mut out = Vec::new();
    if device != "interp" {
        out.push(Executor { target: Target::Cpu, device: Box::new(CpuDevice::new()), once_in: 8 });
    }
    if device == "vulkan" {
        match VulkanDevice::new() {
            Ok(device) => out.push(Executor { target: Target::Vulkan, device: Box::new(device), once_in: 4 }),
            Err(error) => println!("SKIPPED-DEVICE: vulkan: {error}"),
        }
    }
    out
}

fn run(options: &Options) -> Report {
    let (next, total, start) = (AtomicU64::new(0), Mutex::new(Report::default()), Instant::now());
    let shown_seconds = Mutex::new(0.0);
    let lock = |total: &Mutex<Report>, report| total.lock().unwrap_or_else(|e| e.into_inner()).merge(report);
    std::thread::scope(|scope| {
        for _ in 0..options.threads {
            scope.spawn(|| {
                let executors = executors(&options.device);
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= options.programs {
                        break;
                    }
                    let mut report = Report::default();
                    report.check(options.seed.wrapping_add(index), &executors);
                    for mismatch in &report.mismatches {
                        let failure = &mismatch.failure;
                        println!("MISMATCH seed {}: {}\n{}", mismatch.seed, failure.kind, failure.detail);
                        println!("{}", mismatch.text);
                    }
                    lock(&total, report);
                    let seconds = start.elapsed().as_secs_f64();
                    let mut shown = shown_seconds.lock().unwrap_or_else(|e| e.into_inner());
                    if seconds - *shown > PROGRESS_SECONDS {
                        *shown = seconds;
                        let done = total.lock().unwrap_or_else(|e| e.into_inner());
                        let (programs, bad) = (done.programs, done.mismatches.len());
                        println!("{programs} programs, {:.0}/s, {bad} mismatches", programs as f64 / seconds);
                    }
                }
            });
        }
    });
    total.into_inner().unwrap_or_else(|e| e.into_inner())
}
