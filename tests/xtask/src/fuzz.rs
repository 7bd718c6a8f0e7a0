//! `cargo xtask fuzz`: random programs against the oracles of their gradients.

use anyhow::Result;

use crate::checkout::Checkout;
use crate::child;

/// What `cargo xtask test` runs.
pub const IN_TESTS: [&str; 2] = ["--programs", "2000"];

/// `arguments` go to the program unchanged; its last line counts programs and mismatches.
pub fn run(checkout: &Checkout, arguments: &[&str]) -> Result<bool> {
    let mut command = checkout.cargo(&[
        "run",
        "--release",
        "--quiet",
        "--package",
        "pullback-tests",
        "--bin",
        "fuzz",
        "--",
    ]);
    child::succeeds(command.args(arguments))
}
