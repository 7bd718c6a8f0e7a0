//! `cargo xtask lint`: formatters, linters and the project's own rules.

use anyhow::Result;

use crate::checkout::Checkout;
use crate::python::Environment;
use crate::tally::{Report, Tally};
use crate::{child, python, tidy};

pub fn run(checkout: &Checkout) -> Result<bool> {
    let environment = python::environment(checkout)?;
    let mut report = Report::new();
    stages(checkout, Some(&environment), &mut report)?;
    report.print();
    Ok(report.total().failed == 0)
}

/// All checks, each a row of `report`; without a Python environment those that need it count as failed.
pub fn stages(checkout: &Checkout, environment: Option<&Environment>, report: &mut Report) -> Result<()> {
    let format = child::succeeds(&mut checkout.cargo(&["fmt", "--all", "--check"]))?;
    report.stage("rustfmt", Tally::of(format));
    let clippy = ["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"];
    report.stage("clippy", Tally::of(child::succeeds(&mut checkout.cargo(&clippy))?));
    for (name, arguments) in
        [("ruff check", &["check", "--quiet"][..]), ("ruff format", &["format", "--check", "--quiet"])]
    {
        let good = environment.map(|environment| {
            child::succeeds(environment.command(checkout).args(["-m", "ruff"]).args(arguments).arg("."))
        });
        report.stage(name, Tally::of(good.transpose()?.unwrap_or(false)));
    }
    report.stage("tidy", Tally::of(tidy::run(checkout)?));
    Ok(())
}
