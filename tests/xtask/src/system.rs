//! System packages: the Vulkan driver, loader and validation layers, and the SPIR-V validator.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::child;

const PACKAGES: [&str; 4] = ["libvulkan1", "mesa-vulkan-drivers", "spirv-tools", "vulkan-validationlayers"];

/// Installs what is missing and can be installed; each thing still missing comes back as a sentence.
pub fn install() -> Result<Vec<String>> {
    let mut wanted: Vec<&str> = PACKAGES.into_iter().filter(|package| !is_installed(package)).collect();
    // Debian keeps `venv` in a package of its own; without it there is a Python, but no environment.
    if crate::python::find().is_err() {
        wanted.push("python3-venv");
    }
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    if !can_install() {
        return Ok(still_missing(&wanted, "needs root and apt-get"));
    }
    let updated = child::succeeds(apt_get().args(["update", "--quiet=2"]))?;
    let mut install = apt_get();
    install.args(["install", "--quiet=2", "--yes", "--no-install-recommends"]).args(&wanted);
    if updated && child::succeeds(&mut install)? {
        return Ok(Vec::new());
    }
    Ok(still_missing(&wanted, "apt-get could not install it"))
}

pub fn is_installed(package: &str) -> bool {
    if child::capture(Command::new("dpkg-query").arg("--version")).is_err() {
        // Not a Debian: the files themselves tell.
        return evidence(package).iter().any(|path| Path::new(path).exists());
    }
    let mut query = Command::new("dpkg-query");
    query.args(["--show", "--showformat=${db:Status-Status}", package]);
    child::capture(&mut query).is_ok_and(|status| status == "installed")
}

pub fn can_install() -> bool {
    let is_root = child::capture(Command::new("id").arg("-u")).is_ok_and(|id| id == "0");
    is_root && child::capture(Command::new("apt-get").arg("--version")).is_ok()
}

pub fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}

/// What a missing package takes away.
pub fn purpose(package: &str) -> &'static str {
    match package {
        "libvulkan1" => "the Vulkan loader: no Vulkan device",
        "mesa-vulkan-drivers" => "a Vulkan driver: no Vulkan device unless the GPU's own is there",
        "spirv-tools" => "spirv-val: SPIR-V goldens are not validated",
        "vulkan-validationlayers" => "Vulkan validation layers: API use is not checked",
        _ => "Python's venv: no environment",
    }
}

pub fn packages() -> impl Iterator<Item = &'static str> {
    PACKAGES.into_iter()
}

fn still_missing(packages: &[&str], reason: &str) -> Vec<String> {
    let left = packages.iter().filter(|package| !is_installed(package));
    left.map(|package| format!("{package} is missing ({reason}); {}", purpose(package))).collect()
}

fn evidence(package: &str) -> &'static [&'static str] {
    match package {
        "libvulkan1" => &["/usr/lib64/libvulkan.so.1", "/usr/lib/libvulkan.so.1"],
        "mesa-vulkan-drivers" => &["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d"],
        "spirv-tools" => &["/usr/bin/spirv-val", "/usr/local/bin/spirv-val"],
        "vulkan-validationlayers" => &["/usr/share/vulkan/explicit_layer.d/VkLayer_khronos_validation.json"],
        _ => &[],
    }
}
