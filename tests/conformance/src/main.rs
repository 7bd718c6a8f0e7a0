//! The command: `pullback-conformance DIR [--filter S] [--device interp,cpu,vulkan] [--list] [--check] [--update]`.

use anyhow::{Context, Result, bail};
use pullback_conformance::outcome::{Outcome, causes, summary};
use pullback_conformance::run::Executor;
use pullback_conformance::worker::{Workers, serve};
use pullback_conformance::{passing, suite};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

const USAGE: &str = "\
usage: cargo xtask conformance [DIR] [OPTION..]

DIR is the `tests` folder of a copy of the Slang compiler's repository; SLANG_TESTS_DIR without it.

  --filter TEXT    only tests whose name, such as `compute/simple`, contains the text
  --device NAMES   of interp, cpu, vulkan, with commas; all that are there without it
  --list           names only
  --check          fail when a test of tests/conformance/passing-*.txt does not pass
  --update         add the tests that pass to these lists
  --jobs N         child processes; 2 without it
  --seconds N      time limit of a test; 60 without it
";

struct Command {
    folder: PathBuf,
    filter: String,
    devices: Option<String>,
    list: bool,
    check: bool,
    update: bool,
    jobs: usize,
    seconds: u64,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments.split_first() {
        Some((first, names)) if first == WORKER => serve_names(names),
        _ => read_command(&arguments).and_then(|command| run(&command)),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The first argument of a child; the executors' names follow.
const WORKER: &str = "--worker";

fn serve_names(names: &[String]) -> Result<bool> {
    let executors = names.iter().map(|name| Executor::open(name).map_err(anyhow::Error::msg));
    serve(&executors.collect::<Result<Vec<_>>>()?)?;
    Ok(true)
}

fn read_command(arguments: &[String]) -> Result<Command> {
    let mut folder = std::env::var_os("SLANG_TESTS_DIR").map(PathBuf::from);
    let mut command = Command {
        folder: PathBuf::new(),
        filter: String::new(),
        devices: None,
        list: false,
        check: false,
        update: false,
        jobs: 2,
        seconds: 60,
    };
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().with_context(|| format!("`{argument}` needs a value\n\n{USAGE}"));
        match argument.as_str() {
            "--filter" => command.filter = value()?.clone(),
            "--device" => command.devices = Some(value()?.clone()),
            "--jobs" => command.jobs = value()?.parse()?,
            "--seconds" => command.seconds = value()?.parse()?,
            "--list" => command.list = true,
            "--check" => command.check = true,
            "--update" => command.update = true,
            option if option.starts_with('-') => bail!("no option `{option}`\n\n{USAGE}"),
            path => folder = Some(PathBuf::from(path)),
        }
    }
    command.folder = folder.with_context(|| USAGE.to_owned())?;
    Ok(command)
}

fn run(command: &Command) -> Result<bool> {
    let tests = suite::load(&command.folder, &command.filter)
        .with_context(|| format!("cannot read {}", command.folder.display()))?;
    if command.list {
        tests.iter().for_each(|test| println!("{}", test.name));
        return Ok(true);
    }
    let mut arguments = vec![WORKER.to_owned()];
    arguments.extend(executors(command)?);
    let workers =
        Workers { arguments, processes: command.jobs, time_limit: Duration::from_secs(command.seconds) };
    let rows = workers.run(&tests, |row| println!("{:<56} {}", row.name, row.outcome))?;
    println!("\n{}\n{}", causes(&rows), summary(&rows).trim_end());
    let lists = Path::new(env!("CARGO_MANIFEST_DIR"));
    if command.update {
        eprintln!("{} names added", passing::add(lists, &rows)?);
    }
    let lost = if command.check { passing::lost(lists, &rows) } else { Vec::new() };
    lost.iter().for_each(|row| eprintln!("no longer passes: {row}"));
    // Without a list to hold to, a single test's outcome is what the caller wants to know.
    let is_good =
        if command.check { lost.is_empty() } else { rows.iter().all(|row| row.outcome == Outcome::Pass) };
    Ok(is_good || (!command.check && rows.len() > 1))
}

/// The executors that were asked for, or those that are there.
fn executors(command: &Command) -> Result<Vec<String>> {
    let names: Vec<&str> = command.devices.as_deref().unwrap_or("interp,cpu,vulkan").split(',').collect();
    let mut found = Vec::new();
    for name in names {
        match Executor::open(name) {
            Ok(_) => found.push(name.to_owned()),
            Err(why) if command.devices.is_none() => eprintln!("SKIPPED-DEVICE: {name}: {why}"),
            Err(why) => bail!("{why}"),
        }
    }
    Ok(found)
}
