//! The Python package: built once per content of its sources, installed into an environment when it changed.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::cache;
use crate::checkout::Checkout;
use crate::child;
use crate::python::Environment;

/// Everything that the wheel is made from.
const SOURCES: [&str; 8] = [
    "Cargo.toml",
    "Cargo.lock",
    "core",
    "kernels",
    "torch-bridge",
    "py/Cargo.toml",
    "py/pyproject.toml",
    "py/src",
];
const PYTHON_SOURCES: &str = "py/python";

/// The wheel of the sources as they are now, from the cache or built.
pub fn build(checkout: &Checkout, environment: &Environment) -> Result<PathBuf> {
    let mut places = SOURCES.to_vec();
    places.push(PYTHON_SOURCES);
    let key =
        cache::key_of_files(&checkout.root, &checkout.files(&places)?, &[checkout.rustc_version.as_bytes()])?;
    let entry = checkout.cache.family("wheel")?.touch(&key)?;
    if let Some(wheel) = wheel_in(&entry)? {
        return Ok(wheel);
    }
    let _lock = checkout.cache.lock()?;
    if let Some(wheel) = wheel_in(&entry)? {
        return Ok(wheel);
    }
    // Built beside its place and moved there whole: a build that is stopped leaves no wheel behind.
    let unfinished = entry.join("unfinished");
    let mut maturin = environment.command(checkout);
    maturin.args(["-m", "maturin", "build", "--quiet", "--release", "--strip"]);
    maturin.args(["--manifest-path", "py/Cargo.toml", "--interpreter"]).arg(environment.python());
    maturin.arg("--out").arg(&unfinished);
    checkout.set_target_dir(&mut maturin);
    child::run(&mut maturin)?;
    let built = wheel_in(&unfinished)?.context("maturin built no wheel")?;
    let wheel = entry.join(built.file_name().unwrap_or_default());
    fs::rename(&built, &wheel)?;
    fs::remove_dir_all(&unfinished)?;
    Ok(wheel)
}

/// Makes sure that `environment` holds this very wheel.
pub fn install(checkout: &Checkout, environment: &Environment, wheel: &Path) -> Result<()> {
    let stamp = environment.folder.join("installed-wheel");
    let wanted = wheel.display().to_string();
    if cache::holds(&stamp, &wanted) {
        return Ok(());
    }
    let _lock = checkout.cache.lock()?;
    if cache::holds(&stamp, &wanted) {
        return Ok(());
    }
    let mut pip = environment.command(checkout);
    pip.args(["-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--force-reinstall"]);
    child::run(pip.arg("--no-deps").arg(wheel))?;
    cache::write_whole(&stamp, wanted.as_bytes())
}

fn wheel_in(folder: &Path) -> Result<Option<PathBuf>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "whl") {
            return Ok(Some(path));
        }
    }
    Ok(None)
}
