//! `cargo xtask conformance`: the Slang compiler's own executable tests, run by `tests/conformance`.

use std::env;

use anyhow::Result;

use crate::checkout::Checkout;
use crate::child;
use crate::tally::{Report, Tally};

const PROGRAM: [&str; 5] = ["run", "--quiet", "--package", "pullback-conformance", "--"];
/// The `tests` folder of a copy of the Slang compiler's repository.
const FOLDER_VARIABLE: &str = "SLANG_TESTS_DIR";

pub fn run(checkout: &Checkout, arguments: &[String]) -> Result<bool> {
    let mut command = checkout.cargo(&PROGRAM);
    Ok(child::stream(command.args(arguments), |line| println!("{line}"))? == 0)
}

/// Holds the committed names of passing tests, where the tests are at hand.
pub fn test(checkout: &Checkout, report: &mut Report) -> Result<()> {
    if env::var_os(FOLDER_VARIABLE).is_none() {
        report.reason(&format!("conformance: {FOLDER_VARIABLE} does not say where the Slang tests are"));
        report.stage("conformance", Tally::SKIP);
        return Ok(());
    }
    let holds = run(checkout, &["--check".to_owned()])?;
    report.stage("conformance", Tally::of(holds));
    Ok(())
}
