//! `cargo xtask doctor`: what is installed, what is missing, and the one thing to do about it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::checkout::Checkout;
use crate::python::Environment;
use crate::{child, python, system};

/// Always ends well: it describes the machine, it does not judge it.
pub fn run(checkout: &Checkout) -> Result<bool> {
    row("rustc", &checkout.rustc_version);
    found("cargo-nextest", first_line(&mut checkout.cargo(&["nextest", "--version"])), NEXTEST);
    found("C compiler", first_line(Command::new("cc").arg("--version")), "apt-get install gcc libc6-dev");
    match python::find() {
        Ok(python) => row("Python", &format!("{} {}", python.path.display(), python.version)),
        Err(error) => row("Python", &format!("MISSING: {error}")),
    }
    let environment = python::existing(checkout);
    found(".venv", environment.as_ref().map(|found| found.folder.display().to_string()), SETUP);
    for package in ["torch", "numpy", "pullback", "maturin", "pytest", "ruff"] {
        found(package, environment.as_ref().and_then(|found| version_of(checkout, found, package)), SETUP);
    }
    let nvrtc = environment.as_ref().and_then(Environment::nvrtc_folder);
    found("NVRTC", nvrtc.map(|folder| folder.display().to_string()), SETUP);
    for package in system::packages() {
        let missing = format!("{} (as root: apt-get install {package})", system::purpose(package));
        found(package, system::is_installed(package).then(|| "installed".to_owned()), &missing);
    }
    let drivers = vulkan_drivers();
    found("Vulkan drivers", (!drivers.is_empty()).then(|| drivers.join(", ")), "install mesa-vulkan-drivers");
    found("CUDA driver", cuda_driver(), "needs an NVIDIA GPU and its driver; without one CUDA is skipped");
    println!("\ncache {}", checkout.cache.root.display());
    for entry in fs::read_dir(&checkout.cache.root)?.flatten().filter(|entry| entry.path().is_dir()) {
        row(&entry.file_name().to_string_lossy(), &size(&entry.path()));
    }
    Ok(true)
}

const SETUP: &str = "run `cargo xtask setup`";
const NEXTEST: &str = "optional; faster tests with `cargo install cargo-nextest --locked`";

fn row(name: &str, value: &str) {
    println!("{name:<24} {value}");
}

fn found(name: &str, value: Option<String>, to_do: &str) {
    row(name, &value.unwrap_or_else(|| format!("MISSING: {to_do}")));
}

fn first_line(command: &mut Command) -> Option<String> {
    child::capture(command).ok()?.lines().next().map(str::to_owned)
}

fn version_of(checkout: &Checkout, environment: &Environment, package: &str) -> Option<String> {
    let program = format!("import importlib.metadata as m; print(m.version({package:?}))");
    first_line(environment.command(checkout).args(["-c", &program]))
}

/// The names of the manifests that the Vulkan loader reads.
fn vulkan_drivers() -> Vec<String> {
    let mut names = Vec::new();
    for folder in ["/usr/share/vulkan/icd.d", "/usr/local/share/vulkan/icd.d", "/etc/vulkan/icd.d"] {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            names.push(name.split("_icd").next().unwrap_or(&name).to_owned());
        }
    }
    names.sort();
    names.dedup();
    names
}

fn cuda_driver() -> Option<String> {
    let mut query = Command::new("nvidia-smi");
    if let Some(gpu) = first_line(query.args(["--query-gpu=name,driver_version", "--format=csv,noheader"])) {
        return Some(gpu);
    }
    let libraries = child::capture(Command::new("/sbin/ldconfig").arg("-p")).ok()?;
    libraries.lines().find(|line| line.contains("libcuda.so.1")).map(|line| line.trim().to_owned())
}

fn size(folder: &Path) -> String {
    let mut total_bytes = 0;
    let mut folders: Vec<PathBuf> = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(found) if found.is_dir() => folders.push(entry.path()),
                Ok(found) => total_bytes += found.len(),
                Err(_) => {}
            }
        }
    }
    format!("{:.1} MB", total_bytes as f64 / 1e6)
}
