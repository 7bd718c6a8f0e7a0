//! A newer software Vulkan driver for `bench --peers`, unpacked beside the system's and seen by that run only.
//!
//! Some of the frameworks measured need Mesa 25; Debian 12 brings 22, and 25 in its backports.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context, Result, ensure};

use crate::checkout::Checkout;
use crate::{cache, child, system};

const MAJOR_WANTED: u32 = 25;
const PACKAGES: [&str; 3] = ["mesa-vulkan-drivers", "libdrm2", "libdrm-amdgpu1"];
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
const SUITE: &str = "bookworm-backports";

/// An unpacked driver.
pub struct Driver {
    manifest: PathBuf,
    libraries: PathBuf,
}

impl Driver {
    /// Makes the Vulkan loader of this child find this driver and no other.
    pub fn set(&self, command: &mut Command) {
        let path = env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
        let path = env::join_paths(std::iter::once(self.libraries.clone()).chain(env::split_paths(&path)));
        command.env("VK_DRIVER_FILES", &self.manifest).env("LD_LIBRARY_PATH", path.unwrap_or_default());
    }
}

/// The driver, from the cache or the archive; `None` where the system's own is new enough.
pub fn newer_driver(checkout: &Checkout) -> Result<Option<Driver>> {
    let mut query = Command::new("dpkg-query");
    query.args(["--show", "--showformat=${Version}", "mesa-vulkan-drivers"]);
    let version = child::capture(&mut query)?;
    let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    if major.is_some_and(|major| major >= MAJOR_WANTED) {
        return Ok(None);
    }
    let release = fs::read_to_string("/etc/os-release")?;
    ensure!(release.contains("VERSION_CODENAME=bookworm"), "Mesa is {version}, and this is not Debian 12");
    let folder =
        checkout.cache.family("mesa")?.touch(&cache::key(&[SUITE.as_bytes(), KEYRING.as_bytes()]))?;
    let complete = folder.join(".complete");
    if !complete.exists() {
        let _lock = checkout.cache.lock()?;
        if !complete.exists() {
            unpack(&folder)?;
            cache::write_whole(&complete, b"")?;
        }
    }
    let manifest = folder.join("root/usr/share/vulkan/icd.d/lvp_icd.json");
    let libraries = library_folder(&folder.join("root/usr/lib"))?;
    Ok(Some(Driver { manifest, libraries }))
}

/// Downloads with package lists of our own, so that the system's sources stay as they are.
fn unpack(folder: &Path) -> Result<()> {
    println!("unpacking a newer Vulkan driver from {SUITE} into {}", folder.display());
    let sources = folder.join("sources.list");
    fs::write(&sources, format!("deb [signed-by={KEYRING}] http://deb.debian.org/debian {SUITE} main\n"))?;
    fs::create_dir_all(folder.join("lists/partial"))?;
    let options = [
        format!("Dir::Etc::SourceList={}", sources.display()),
        "Dir::Etc::SourceParts=/dev/null".to_owned(),
        format!("Dir::State::Lists={}", folder.join("lists").display()),
        "Dir::Cache::pkgcache=".to_owned(),
        "Dir::Cache::srcpkgcache=".to_owned(),
        // The sandbox user may not write into a user's cache.
        "APT::Sandbox::User=root".to_owned(),
    ];
    let apt_get = || {
        let mut command = system::apt_get();
        command.current_dir(folder).arg("--quiet=2");
        for option in &options {
            command.args(["-o", option]);
        }
        command
    };
    child::run(apt_get().arg("update"))?;
    child::run(apt_get().args(["--target-release", SUITE, "download"]).args(PACKAGES))?;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "deb") {
            child::run(Command::new("dpkg-deb").arg("--extract").arg(&path).arg(folder.join("root")))?;
        }
    }
    Ok(())
}

/// The folder of the architecture: the one that holds the driver.
fn library_folder(folder: &Path) -> Result<PathBuf> {
    let folders = fs::read_dir(folder)?.flatten().map(|entry| entry.path());
    folders
        .into_iter()
        .find(|folder| folder.join("libvulkan_lvp.so").exists())
        .context("the packages hold no software Vulkan driver")
}
