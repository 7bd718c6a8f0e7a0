//! The samples: every `samples/NN_name/main.py` and `main.rs`, run, and compared with what it should print.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::checkout::Checkout;
use crate::python::Environment;
use crate::tally::{self, Report, Tally};
use crate::test::set_device_environment;

pub struct Sample {
    pub name: String,
    folder: PathBuf,
    is_rust: bool,
}

/// Every sample, in the order of their names, Python before Rust.
pub fn list(checkout: &Checkout) -> Result<Vec<Sample>> {
    let mut samples = Vec::new();
    for entry in fs::read_dir(checkout.root.join("samples"))? {
        let folder = entry?.path();
        for (file, is_rust) in [("main.py", false), ("main.rs", true)] {
            if folder.join(file).is_file() {
                let name = format!("{}/{file}", folder.file_name().unwrap_or_default().to_string_lossy());
                samples.push(Sample { name, folder: folder.clone(), is_rust });
            }
        }
    }
    samples.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(samples)
}

impl Sample {
    /// Runs it from the root of the clone; a Rust sample is the binary named like its folder.
    pub fn command(&self, checkout: &Checkout, environment: &Environment) -> Command {
        let mut command;
        if self.is_rust {
            let binary = self.folder.file_name().unwrap_or_default().to_string_lossy();
            command = checkout.cargo(&["run", "--quiet", "-p", "pullback-samples", "--bin", &binary]);
        } else {
            command = environment.command(checkout);
            command.arg(self.folder.join("main.py"));
        }
        command
    }

    /// What it should print: a file for its language, or the one for both.
    fn expected(&self) -> Result<String> {
        let own = self.folder.join(if self.is_rust { "expected.rust.txt" } else { "expected.python.txt" });
        let path = if own.is_file() { own } else { self.folder.join("expected.txt") };
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    }
}

/// Runs all of them and compares; a difference is shown as the first line that is not as expected.
pub fn test(checkout: &Checkout, environment: &Environment, report: &mut Report) -> Result<()> {
    for sample in list(checkout)? {
        let mut command = sample.command(checkout, environment);
        set_device_environment(&mut command, environment);
        println!("$ {}", crate::child::shown(&command));
        let output = command.stdin(std::process::Stdio::null()).output()?;
        let printed = String::from_utf8_lossy(&output.stdout);
        let mut tally = Tally::default();
        for reason in printed.lines().filter_map(tally::device_skip) {
            report.reason(&reason);
            tally.skipped += 1;
        }
        let verdict = if output.status.success() {
            sample.expected().map_err(|error| format!("{error:#}")).and_then(|text| compare(&printed, &text))
        } else {
            Err(format!("{}\n{printed}{}", output.status, String::from_utf8_lossy(&output.stderr)))
        };
        if let Err(message) = &verdict {
            println!("sample {} failed: {message}", sample.name);
        }
        tally += Tally::of(verdict.is_ok());
        report.stage(&format!("sample {}", sample.name), tally);
    }
    Ok(())
}

/// Line by line; where a device was left out, expected lines may be left out, but none changed or moved.
fn compare(printed: &str, expected: &str) -> Result<(), String> {
    let may_leave_out = printed.contains(tally::DEVICE_SKIP);
    let mut expected = expected.lines().map(str::trim_end);
    for line in printed.lines().map(str::trim_end).filter(|line| tally::device_skip(line).is_none()) {
        let wanted = expected.next();
        let is_wanted = wanted == Some(line) || may_leave_out && expected.any(|wanted| wanted == line);
        if !is_wanted {
            return Err(format!("printed `{line}`, expected `{}`", wanted.unwrap_or("the end")));
        }
    }
    match expected.next() {
        Some(line) if !may_leave_out => Err(format!("ended before the expected `{line}`")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_must_match_line_by_line() {
        assert_eq!(compare("a\nb \n", "a\nb\n"), Ok(()));
        assert!(compare("a\n", "a\nb\n").is_err());
        assert!(compare("a\nb\n", "a\n").is_err());
        assert!(compare("a\nc\n", "a\nb\n").is_err());
    }

    #[test]
    fn a_device_left_out_may_leave_out_lines_but_not_change_them() {
        let expected = "cpu: 1\nvulkan: 1\ndone\n";
        assert_eq!(compare("cpu: 1\nSKIPPED-DEVICE: no driver\ndone\n", expected), Ok(()));
        assert!(compare("cpu: 2\nSKIPPED-DEVICE: no driver\ndone\n", expected).is_err());
    }
}
