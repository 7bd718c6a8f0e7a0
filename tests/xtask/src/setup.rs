//! `cargo xtask setup`: everything that the other commands need, done once and kept.

use anyhow::Result;

use crate::checkout::Checkout;
use crate::python::{self, Environment};
use crate::{system, wheel};

/// What set-up found and made.
pub struct Ready {
    pub environment: Environment,
    pub wheel: std::path::PathBuf,
    /// What could not be had, one sentence each.
    pub missing: Vec<String>,
}

pub fn run(checkout: &Checkout) -> Result<bool> {
    let ready = prepare(checkout)?;
    println!("ready: {} with {}", checkout.relative(&ready.environment.folder), ready.wheel_name());
    Ok(true)
}

/// System packages, `.venv`, and the package built and installed in it.
pub fn prepare(checkout: &Checkout) -> Result<Ready> {
    let missing = system::install()?;
    for sentence in &missing {
        println!("skipped: {sentence}");
    }
    let environment = python::environment(checkout)?;
    let wheel = wheel::build(checkout, &environment)?;
    wheel::install(checkout, &environment, &wheel)?;
    Ok(Ready { environment, wheel, missing })
}

impl Ready {
    pub fn wheel_name(&self) -> String {
        self.wheel.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}
