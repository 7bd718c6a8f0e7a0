//! Python environments: a heavy one in the cache holds the pinned packages, a thin one in the clone borrows
//! them and holds this clone's `pullback`, so that two clones never overwrite each other's build.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context, Result, bail};

use crate::cache;
use crate::checkout::Checkout;
use crate::child;

pub const REQUIREMENTS: &str = "py/requirements-dev.txt";
pub const PEER_REQUIREMENTS: &str = "py/requirements-peers.txt";

/// The file by which Python finds the borrowed packages.
const LINKS: &str = "borrowed.pth";

const CANDIDATES: [&str; 5] = ["python3.13", "python3.12", "python3.11", "python3.10", "python3"];

/// A Python environment in this clone.
pub struct Environment {
    pub folder: PathBuf,
    /// The environments in the cache that it borrows from, first one first.
    pub borrowed: Vec<PathBuf>,
}

/// A Python interpreter of this machine, found on PATH.
pub struct Interpreter {
    pub path: PathBuf,
    /// Version, machine and ABI: what binary packages depend on.
    pub version: String,
}

impl Environment {
    pub fn python(&self) -> PathBuf {
        self.folder.join("bin/python")
    }

    /// A Python run in this environment, from the root of the clone, whatever environment we were called in.
    pub fn command(&self, checkout: &Checkout) -> Command {
        let mut command = Command::new(self.python());
        command.current_dir(&checkout.root).env("VIRTUAL_ENV", &self.folder);
        command.env("PIP_CACHE_DIR", checkout.cache.root.join("pip"));
        command.env_remove("PYTHONPATH").env_remove("PYTHONHOME");
        if let Ok(path) = path_with(&self.folder) {
            command.env("PATH", path);
        }
        command
    }

    /// The folder with `libnvrtc.so.*`, from the pinned package: compiles CUDA without a GPU or a toolkit.
    pub fn nvrtc_folder(&self) -> Option<PathBuf> {
        let mut found = None;
        for borrowed in &self.borrowed {
            let nvidia = site_packages(borrowed).ok()?.join("nvidia");
            for package in fs::read_dir(nvidia).into_iter().flatten().flatten() {
                let lib = package.path().join("lib");
                let has_nvrtc = fs::read_dir(&lib)
                    .into_iter()
                    .flatten()
                    .flatten()
                    .any(|file| file.file_name().to_string_lossy().starts_with("libnvrtc.so"));
                if has_nvrtc {
                    found = Some(lib);
                }
            }
        }
        found
    }
}

/// PATH with the programs of an environment first.
pub fn path_with(environment: &Path) -> Result<OsString> {
    let path = env::var_os("PATH").unwrap_or_default();
    let bin = environment.join("bin");
    Ok(env::join_paths(std::iter::once(bin).chain(env::split_paths(&path)))?)
}

/// Makes an environment that holds what a file of requirements lists.
pub fn install(
    checkout: &Checkout,
    interpreter: &Interpreter,
    folder: &Path,
    requirements: &str,
) -> Result<()> {
    create(interpreter, folder, &["--clear"])?;
    child::run(pip(checkout, folder).args(["install", "--quiet", "-r", requirements]))
}

/// The newest Python 3.10+ on PATH that can make environments.
pub fn find() -> Result<Interpreter> {
    const PROBE: &str = "import sys, sysconfig, venv, ensurepip; assert sys.version_info >= (3, 10); \
                         print(sys.executable); print(sys.version.split()[0], sysconfig.get_platform(), \
                         sys.implementation.cache_tag)";
    for candidate in CANDIDATES {
        // A name on PATH may be a launcher for a version that is not there, so it must run.
        if let Ok(answer) = child::capture(Command::new(candidate).args(["-I", "-c", PROBE])) {
            let (path, version) = answer.split_once('\n').context("unexpected answer from Python")?;
            return Ok(Interpreter { path: path.into(), version: version.to_owned() });
        }
    }
    bail!("no Python 3.10 or newer with `venv` on PATH: install one (Debian: apt-get install python3-venv)")
}

/// `.venv`: what building and testing need.
pub fn environment(checkout: &Checkout) -> Result<Environment> {
    let interpreter = find()?;
    let borrowed = pinned_packages(checkout, &interpreter)?;
    thin(checkout, ".venv", &interpreter, vec![borrowed])
}

/// `.venv-peers`: the same and the other frameworks that are measured; also how many did not install.
pub fn peer_environment(checkout: &Checkout) -> Result<(Environment, Vec<String>)> {
    let interpreter = find()?;
    let pinned = pinned_packages(checkout, &interpreter)?;
    let (peers, missing) = peer_packages(checkout, &interpreter)?;
    Ok((thin(checkout, ".venv-peers", &interpreter, vec![peers, pinned])?, missing))
}

/// `.venv` as it is now, without making anything.
pub fn existing(checkout: &Checkout) -> Option<Environment> {
    let folder = checkout.root.join(".venv");
    let links = fs::read_to_string(site_packages(&folder).ok()?.join(LINKS)).ok()?;
    let borrowed = links
        .lines()
        .filter_map(|line| line.split('"').nth(1))
        .filter_map(|packages| Path::new(packages).ancestors().nth(3).map(Path::to_owned));
    Some(Environment { folder, borrowed: borrowed.collect() })
}

fn pinned_packages(checkout: &Checkout, interpreter: &Interpreter) -> Result<PathBuf> {
    let requirements = fs::read(checkout.root.join(REQUIREMENTS))?;
    let key = cache::key(&[interpreter.version.as_bytes(), &requirements]);
    let folder = checkout.cache.family("venv")?.touch(&key)?;
    let complete = folder.join(".complete");
    if !complete.exists() {
        let _lock = checkout.cache.lock()?;
        if !complete.exists() {
            println!("installing {REQUIREMENTS} for Python {} (torch is large)", interpreter.version);
            install(checkout, interpreter, &folder, REQUIREMENTS)?;
            cache::write_whole(&folder.join(".used"), b"")?;
            cache::write_whole(&complete, b"")?;
        }
    }
    Ok(folder)
}

/// One package at a time, because a framework that has no wheel for this Python must not cost us the others.
fn peer_packages(checkout: &Checkout, interpreter: &Interpreter) -> Result<(PathBuf, Vec<String>)> {
    let (pinned, peers) = (REQUIREMENTS, PEER_REQUIREMENTS);
    let text = fs::read_to_string(checkout.root.join(peers))?;
    let key = cache::key(&[
        interpreter.version.as_bytes(),
        text.as_bytes(),
        &fs::read(checkout.root.join(pinned))?,
    ]);
    let folder = checkout.cache.family("venv-peers")?.touch(&key)?;
    let _lock = checkout.cache.lock()?;
    let created = folder.join(".created");
    if !created.exists() {
        create(interpreter, &folder, &["--clear"])?;
        cache::write_whole(&folder.join(".used"), b"")?;
        cache::write_whole(&created, b"")?;
    }
    let mut missing = Vec::new();
    for peer in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let stamp = folder.join(format!(".has-{}", cache::key(&[peer.as_bytes()])));
        if stamp.exists() {
            continue;
        }
        let mut install = pip(checkout, &folder);
        if child::succeeds(install.args(["install", "--quiet", "-c", pinned, peer]))? {
            cache::write_whole(&stamp, b"")?;
        } else {
            println!("{peer} does not install here; the benchmark goes on without it");
            missing.push(peer.to_owned());
        }
    }
    Ok((folder, missing))
}

fn pip(checkout: &Checkout, folder: &Path) -> Command {
    let environment = Environment { folder: folder.to_owned(), borrowed: Vec::new() };
    let mut command = environment.command(checkout);
    command.args(["-m", "pip", "--disable-pip-version-check", "--no-input"]);
    command
}

fn create(interpreter: &Interpreter, folder: &Path, options: &[&str]) -> Result<()> {
    child::capture(Command::new(&interpreter.path).args(["-I", "-m", "venv"]).args(options).arg(folder))?;
    Ok(())
}

/// An environment in the clone that sees the packages of `borrowed` behind its own.
fn thin(
    checkout: &Checkout,
    name: &str,
    interpreter: &Interpreter,
    borrowed: Vec<PathBuf>,
) -> Result<Environment> {
    let environment = Environment { folder: checkout.root.join(name), borrowed };
    let mut links = String::new();
    for folder in &environment.borrowed {
        // `addsitedir` rather than a bare path: packages there bring `.pth` files of their own.
        links +=
            &format!("import site; site.addsitedir({:?})\n", site_packages(folder)?.display().to_string());
    }
    let stamp = environment.folder.join("borrowed");
    let wanted = format!("{}\n{links}", interpreter.version);
    if cache::holds(&stamp, &wanted) {
        return Ok(environment);
    }
    let _lock = checkout.cache.lock()?;
    // Asked again under the lock: clearing what another run has made meanwhile would break that run.
    if !cache::holds(&stamp, &wanted) {
        create(interpreter, &environment.folder, &["--clear", "--without-pip"])?;
        for folder in &environment.borrowed {
            borrow_scripts(folder, &environment)?;
        }
        cache::write_whole(&site_packages(&environment.folder)?.join(LINKS), links.as_bytes())?;
        cache::write_whole(&stamp, wanted.as_bytes())?;
    }
    Ok(environment)
}

/// Gives the thin environment the programs of the heavy one; scripts must start the thin one's Python.
fn borrow_scripts(from: &Path, to: &Environment) -> Result<()> {
    use std::os::unix::fs::{PermissionsExt, symlink};
    for entry in fs::read_dir(from.join("bin"))? {
        let source = entry?.path();
        let name = source.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let target = to.folder.join("bin").join(&name);
        if target.symlink_metadata().is_ok() || name.starts_with("activate") || name.starts_with("python") {
            continue;
        }
        match fs::read_to_string(&source) {
            Ok(text) if text.starts_with("#!") => {
                let body = text.split_once('\n').map_or("", |(_, body)| body);
                fs::write(&target, format!("#!{}\n{body}", to.python().display()))?;
                fs::set_permissions(&target, fs::Permissions::from_mode(0o755))?;
            }
            _ => symlink(&source, &target)?,
        }
    }
    Ok(())
}

/// `lib/pythonX.Y/site-packages` of an environment.
fn site_packages(environment: &Path) -> Result<PathBuf> {
    for entry in fs::read_dir(environment.join("lib"))? {
        let path = entry?.path().join("site-packages");
        if path.is_dir() {
            return Ok(path);
        }
    }
    bail!("{} is not a Python environment", environment.display())
}
