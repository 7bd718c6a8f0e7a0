//! `cargo xtask bench [--peers]`: what compiling costs, what gradients cost over values, times beside NumPy and torch, and beside other
//! frameworks on request.

use anyhow::Result;

use crate::checkout::Checkout;
use crate::{child, mesa, python, setup, wheel};

const PROGRAM: &str = "tests/bench/bench.py";

/// `arguments` go to the program unchanged, so that it knows of `--peers` too.
pub fn run(checkout: &Checkout, arguments: &[String]) -> Result<bool> {
    let mut has_costs = true;
    for table in ["compile_speed", "derived_cost"] {
        let program = ["run", "--release", "--quiet", "--package", "pullback-tests", "--bin", table];
        has_costs &= child::succeeds(&mut checkout.cargo(&program))?;
    }
    let ready = setup::prepare(checkout)?;
    if !arguments.iter().any(|argument| argument == "--peers") {
        let mut command = ready.environment.command(checkout);
        return Ok(child::succeeds(command.arg(PROGRAM).args(arguments))? && has_costs);
    }
    let (environment, missing) = python::peer_environment(checkout)?;
    wheel::install(checkout, &environment, &ready.wheel)?;
    let mut command = environment.command(checkout);
    command.arg(PROGRAM).args(arguments);
    match mesa::newer_driver(checkout) {
        Ok(Some(driver)) => driver.set(&mut command),
        Ok(None) => {}
        Err(error) => println!("no newer Vulkan driver for the peers: {error:#}"),
    }
    let good = child::succeeds(&mut command)?;
    if !missing.is_empty() {
        println!("{} left out, not installed: {}", missing.len(), missing.join(", "));
    }
    Ok(good && has_costs)
}
