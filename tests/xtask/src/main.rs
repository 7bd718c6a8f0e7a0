//! The project's own commands: `cargo xtask setup | test | demo | lint | bench | fuzz | conformance | shaderc | doctor`.

mod bench;
mod cache;
mod checkout;
mod child;
mod conformance;
mod demo;
mod doctor;
mod fuzz;
mod fuzz_front_end;
mod lint;
mod mesa;
mod python;
mod samples;
mod setup;
mod shaderc;
mod system;
mod tally;
mod test;
mod tidy;
mod wheel;

use std::process::ExitCode;

use anyhow::Result;
use checkout::Checkout;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  setup            everything the others need: system packages, .venv, the built package
  test             Rust tests, Python tests, golden checks, samples, lint; one table at the end
  demo             the samples on each device that is there; pictures in out/
  lint             rustfmt, clippy, ruff, and the rules of tidy.rs
  bench [--peers]  tests/bench/bench.py, beside other frameworks with --peers; other arguments go to it
  fuzz [--programs N] [--seed S] [--device cpu|vulkan|interp] [--threads T]
                   random programs against the oracles of their gradients; what fails is shrunk and shown
  conformance DIR  the Slang compiler's own tests, from a copy of them; other arguments go to tests/conformance
  shaderc          builds the reference compiler of GLSL, once, and runs the tests that need it
  doctor           what is installed, what is missing, and the one thing to do about it
";

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let command = if arguments.is_empty() { String::new() } else { arguments.remove(0) };
    match dispatch(&command, &arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs one command; `false` means that it ran to its end and found something wrong.
fn dispatch(command: &str, arguments: &[String]) -> Result<bool> {
    if !arguments.is_empty() && !["bench", "fuzz", "conformance"].contains(&command) {
        anyhow::bail!("`cargo xtask {command}` takes no arguments, got `{}`", arguments.join(" "));
    }
    match command {
        "setup" => setup::run(&Checkout::open()?),
        "test" => test::run(&Checkout::open()?),
        "demo" => demo::run(&Checkout::open()?),
        "lint" => lint::run(&Checkout::open()?),
        "bench" => bench::run(&Checkout::open()?, arguments),
        "fuzz" => {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            fuzz::run(&Checkout::open()?, &arguments)
        }
        "conformance" => conformance::run(&Checkout::open()?, arguments),
        "shaderc" => shaderc::run(&Checkout::open()?),
        "doctor" => doctor::run(&Checkout::open()?),
        "" | "help" | "-h" | "--help" => {
            print!("{USAGE}");
            Ok(true)
        }
        unknown => anyhow::bail!("no command `{unknown}`\n\n{USAGE}"),
    }
}
