//! The pages of `tests/spec/errors`: each error code has one, and each page's example gives the message it shows.
//!
//! A page holds a kernel (```slang, ```wgsl or ```glsl), a ```call where loading it is not what fails, and the rendered message
//! as ```text: what refuses the kernel or the call, or the warning that loading gives. A page that cannot be executed everywhere says why in a ```not-executed block.

use pullback_base::{Code, ErrorClass};
use pullback_device::DeviceType;
use pullback_dispatch::{Context, Error, LoadOptions, Module};
use pullback_tests::bless::compare;
use pullback_tests::calls;
use pullback_tests::corpus::tests_folder;
use pullback_tests::failures::Failures;
use std::path::{Path, PathBuf};

fn pages() -> PathBuf {
    tests_folder().join("spec/errors")
}

/// The content of the first fenced block of that kind.
fn block<'a>(page: &'a str, kind: &str) -> Option<&'a str> {
    let (_, after) = page.split_once(&format!("```{kind}\n"))?;
    after.split_once("```").map(|(content, _)| content)
}

/// The code of what the example is told, and the message.
fn execute(code: Code, page: &str) -> Result<(Code, String), String> {
    let refused = |error: Error| Ok((error.code(), error.to_string()));
    let context = Context::open(DeviceType::Cpu).map_err(|error| error.to_string())?;
    let options = LoadOptions::default();
    let languages = ["slang", "wgsl", "glsl"];
    let text = languages.into_iter().find_map(|language| Some((language, block(page, language)?)));
    let loaded = match (text, block(page, "load")) {
        (Some((language, text)), _) => {
            Module::load_from_source(&context, &format!("example.{language}"), text, &options)
        }
        (_, Some(path)) => Module::load_from_file(&context, Path::new(path.trim()), &options),
        _ => return Err("the page has no kernel".into()),
    };
    let module = match loaded {
        Ok(module) => module,
        Err(error) => return refused(error),
    };
    if code.class() == ErrorClass::Warning {
        let text = module.warnings();
        let found = Code::ALL.iter().find(|code| text.starts_with(&format!("warning[{code}]")));
        return Ok((*found.ok_or("the module loads without a warning")?, text));
    }
    let call = calls::parse(block(page, "call").ok_or("the module loads, and the page has no call")?)?;
    match module.function(call.function).and_then(|function| call.prepare(&function)) {
        Err(error) => refused(error),
        Ok(()) => Err("the call is accepted".into()),
    }
}

fn check_page(code: Code, not_executed: &mut Vec<String>) -> Result<(), String> {
    let file = pages().join(format!("{code}.md"));
    let page = std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    if !page.starts_with(&format!("# {code}\n\n{}", code.meaning())) {
        return Err(format!("does not begin with `# {code}` and «{}»", code.meaning()));
    }
    if !page.contains("\n## What to do\n") {
        return Err("does not say what to do".into());
    }
    if let Some(why) = block(&page, "not-executed") {
        not_executed.push(format!("{code}: {}", why.trim()));
        return Ok(());
    }
    let (found, text) = execute(code, &page)?;
    if found != code {
        return Err(format!("the example gives {found}\n{text}"));
    }
    let folder = std::env::current_dir().unwrap_or_default().display().to_string();
    let text = text.replace(&folder, "/home/you/project");
    let shown = block(&page, "text").ok_or("the page shows no message")?;
    compare(
        &file,
        &page.replace(&format!("```text\n{shown}```"), &format!("```text\n{}\n```", text.trim_end())),
    )
}

#[test]
fn every_error_code_has_a_page_that_is_true() {
    let mut failures = Failures::default();
    let mut not_executed = Vec::new();
    for &code in Code::ALL {
        failures.check(code.text(), || check_page(code, &mut not_executed));
    }
    println!(
        "{} of {} pages are executed; not these:",
        Code::ALL.len() - not_executed.len(),
        Code::ALL.len()
    );
    not_executed.iter().for_each(|why| println!("  {why}"));
    failures.finish();
}

#[test]
fn every_page_is_of_a_code() {
    let entries = std::fs::read_dir(pages()).unwrap_or_else(|error| panic!("{}: {error}", pages().display()));
    for path in entries.flatten().map(|entry| entry.path()) {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        assert!(Code::ALL.iter().any(|code| code.text() == stem), "{} is of no code", path.display());
    }
}
