//! This clone of the repository: where it lies, where its builds go, and how its cargo is called.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;
use std::{env, fs};

use anyhow::{Context, Result};

use crate::cache::Cache;
use crate::child;

pub struct Checkout {
    pub root: PathBuf,
    pub cache: Cache,
    /// The full version line of rustc: part of every key that compiled code depends on.
    pub rustc_version: String,
    /// Where child cargo runs build; `None` leaves the choice to cargo.
    target_dir: Option<PathBuf>,
}

impl Checkout {
    pub fn open() -> Result<Checkout> {
        // `cargo run` sets the variable for this clone; the compiled-in value may be another clone's.
        let package = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let root = Path::new(&package).join("../..").canonicalize().context("the repository root is gone")?;
        let cache = Cache::open()?;
        let rustc_version = child::capture(Command::new("rustc").arg("--version"))?;
        let mut checkout = Checkout { root, cache, rustc_version, target_dir: None };
        if env::var("CI").is_ok_and(|value| value == "true") {
            checkout.target_dir = Some(checkout.shared_target_dir()?);
        }
        Ok(checkout)
    }

    /// Cargo in the root of this clone, building where this clone builds.
    pub fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("cargo");
        command.args(arguments).current_dir(&self.root);
        self.set_target_dir(&mut command);
        command
    }

    pub fn set_target_dir(&self, command: &mut Command) {
        if let Some(target_dir) = &self.target_dir {
            command.env("CARGO_TARGET_DIR", target_dir);
        }
    }

    /// Where this clone builds.
    pub fn target_folder(&self) -> PathBuf {
        self.target_dir.clone().unwrap_or_else(|| self.root.join("target"))
    }

    /// CI clones afresh each time, so what cargo built is kept outside the clone.
    fn shared_target_dir(&self) -> Result<PathBuf> {
        let lock_file = fs::read(self.root.join("Cargo.lock")).context("cannot read Cargo.lock")?;
        let key = crate::cache::key(&[self.rustc_version.as_bytes(), &lock_file]);
        let family = self.cache.family("target")?;
        let target_dir = family.touch(&key)?;
        // Cargo judges freshness by time alone, and the last build may be of another, younger clone.
        let stamp = target_dir.join("built-from");
        let root = self.root.display().to_string();
        if !crate::cache::holds(&stamp, &root) {
            let now = SystemTime::now();
            for file in self.files(&["core", "kernels", "torch-bridge", "py", "tests", "samples"])? {
                fs::File::options().append(true).open(file)?.set_modified(now)?;
            }
            crate::cache::write_whole(&stamp, root.as_bytes())?;
        }
        Ok(target_dir)
    }

    /// Every file under these folders or files of the root, sorted; hidden and generated ones left out.
    pub fn files(&self, places: &[&str]) -> Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        for place in places {
            let path = self.root.join(place);
            if path.exists() {
                collect(&path, &mut files)?;
            }
        }
        files.sort();
        Ok(files)
    }

    /// A path as it reads from the root.
    pub fn relative<'p>(&self, path: &'p Path) -> std::path::Display<'p> {
        path.strip_prefix(&self.root).unwrap_or(path).display()
    }
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if name.starts_with('.') || name == "__pycache__" || name == "target" || name.ends_with(".so") {
        return Ok(());
    }
    if path.is_dir() {
        for entry in fs::read_dir(path).with_context(|| format!("cannot list {}", path.display()))? {
            collect(&entry?.path(), files)?;
        }
    } else if path.is_file() {
        files.push(path.to_path_buf());
    }
    Ok(())
}
