//! The reference compiler of GLSL: its native library, built once and kept, and the tests that need it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::checkout::Checkout;
use crate::tally::{Report, Tally};
use crate::{cache, child, python, test};

const REQUIREMENTS: &str = "py/requirements-shaderc.txt";
const LIBRARY: &str = "libshaderc_combined.a";
/// The crate whose build script builds the library; its version is that of the library.
const PACKAGE: &str = "shaderc-sys";
const FEATURES: &str = "pullback-lang/shaderc,pullback-tests/shaderc";
/// What the build script takes a library from; an empty folder makes it build one.
const LIBRARY_FOLDER: &str = "SHADERC_LIB_DIR";

pub fn run(checkout: &Checkout) -> Result<bool> {
    let mut report = Report::new();
    test(checkout, &mut report)?;
    report.print();
    Ok(report.total().failed == 0)
}

/// Lints and runs the tests of GLSL with the feature on: those that have `glsl` in their names.
pub fn test(checkout: &Checkout, report: &mut Report) -> Result<()> {
    const STAGE: &str = "GLSL by shaderc";
    let library = match needs(checkout) {
        Ok(tools) => library(checkout, &tools)?,
        Err(missing) => {
            report.reason(&format!("GLSL by shaderc: {missing:#}"));
            report.stage(STAGE, Tally::SKIP);
            return Ok(());
        }
    };
    let packages = ["-p", "pullback-lang", "-p", "pullback-tests", "--features", FEATURES];
    let tests = ["--lib", "--test", "agreement", "--test", "imported_memory"];
    let mut clippy = checkout.cargo(&["clippy", "--quiet"]);
    clippy.args(packages).args(tests).args(["--", "-D", "warnings"]).env(LIBRARY_FOLDER, &library);
    let mut tally = Tally::of(child::succeeds(&mut clippy)?);
    let mut command = match test::has_nextest(checkout) {
        true => checkout.cargo(&["nextest", "run", "--profile", "xtask"]),
        false => checkout.cargo(&["test", "--no-fail-fast"]),
    };
    command.args(packages).args(tests).arg("glsl").env(LIBRARY_FOLDER, &library);
    let run = test::run_tests(&mut command, |_| {})?;
    // The runner counts as skipped what has another name.
    tally += Tally { skipped: 0, ..run };
    report.stage(STAGE, tally);
    Ok(())
}

/// What a build takes.
struct Tools {
    interpreter: python::Interpreter,
    /// How the compiler describes itself: another one may make another library.
    compiler: String,
}

/// # Errors
/// What this machine lacks.
fn needs(checkout: &Checkout) -> Result<Tools> {
    child::capture(Command::new("git").arg("--version")).context("no git on PATH")?;
    let compiler = child::capture(Command::new("c++").arg("--version")).context("no C++ compiler on PATH")?;
    let tools = Tools { interpreter: python::find()?, compiler };
    let family = checkout.cache.family("shaderc")?;
    let entry = family.entry(&key(checkout, &tools)?);
    if !entry.join(LIBRARY).is_file() {
        let _lock = family.lock()?;
        if !entry.join(LIBRARY).is_file() {
            // Installed before anything is built: what cannot be installed is missing, what does not build is a failure.
            python::install(checkout, &tools.interpreter, &entry.join("tools"), REQUIREMENTS)?;
        }
    }
    Ok(tools)
}

/// The folder with the library of the version in `Cargo.lock`, from the cache or built: minutes.
fn library(checkout: &Checkout, tools: &Tools) -> Result<PathBuf> {
    let family = checkout.cache.family("shaderc")?;
    let entry = family.touch(&key(checkout, tools)?)?;
    if entry.join(LIBRARY).is_file() {
        return Ok(entry);
    }
    let _lock = family.lock()?;
    if entry.join(LIBRARY).is_file() {
        return Ok(entry);
    }
    let unfinished = entry.join("unfinished");
    let nothing = unfinished.join("nothing");
    fs::create_dir_all(&nothing)?;
    let mut build =
        checkout.cargo(&["build", "--quiet", "--package", "pullback-lang", "--features", "shaderc"]);
    build.env("CARGO_TARGET_DIR", &unfinished).env(LIBRARY_FOLDER, &nothing);
    build.env("PATH", python::path_with(&entry.join("tools"))?);
    println!("building shaderc, which takes minutes and is done once");
    child::run(&mut build)?;
    let built = find(&unfinished)?.with_context(|| format!("{PACKAGE} built no {LIBRARY}"))?;
    // Moved to its place whole: a build that is stopped leaves no library behind.
    fs::rename(built, entry.join(LIBRARY))?;
    fs::remove_dir_all(&unfinished)?;
    fs::remove_dir_all(entry.join("tools"))?;
    Ok(entry)
}

fn key(checkout: &Checkout, tools: &Tools) -> Result<String> {
    let lock_file = fs::read_to_string(checkout.root.join("Cargo.lock")).context("cannot read Cargo.lock")?;
    let package = format!("name = \"{PACKAGE}\"\n");
    let Some((_, locked)) = lock_file.split_once(&package) else { bail!("{PACKAGE} is not in Cargo.lock") };
    let locked = locked.split("\n\n").next().unwrap_or_default();
    Ok(cache::key(&[locked.as_bytes(), tools.compiler.as_bytes(), std::env::consts::ARCH.as_bytes()]))
}

/// The library, somewhere below a folder.
fn find(folder: &Path) -> Result<Option<PathBuf>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let found = match path.is_dir() {
            true => find(&path)?,
            false => path.file_name().is_some_and(|name| name == LIBRARY).then_some(path),
        };
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}
