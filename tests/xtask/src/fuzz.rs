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

/// Seeds bugs into differentiation, each of which random programs must find.
pub fn mutations(checkout: &Checkout) -> Result<bool> {
    let package = ["run", "--release", "--quiet", "--package", "pullback-tests"];
    let binary = ["--features", "mutations", "--bin", "mutations"];
    child::succeeds(&mut checkout.cargo(&[&package[..], &binary].concat()))
}
