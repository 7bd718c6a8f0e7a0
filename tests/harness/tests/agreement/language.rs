//! The pages of `tests/spec/language`: each example's `run` and `grad` lines hold on the interpreter and the CPU, and
//! each wrong program, and each call that is refused, gives the code its block names. Blocks are of Slang, or begin with
//! the name of their language.

use crate::gradients::check_grad_line;
use crate::runs::{arguments, compare, run};
use pullback_autodiff::{Convention, expand};
use pullback_device::DeviceType;
use pullback_device::cpu::CpuDevice;
use pullback_dispatch::{Context, LoadOptions, Module};
use pullback_lang::{Language, Options, compile};
use pullback_tests::calls;
use pullback_tests::corpus::{Case, tests_folder};
use pullback_tests::directive::Kind;
use pullback_tests::failures::Failures;
use pullback_tests::jobs::{Job, check_on_device};
use pullback_tests::lanes::Lane;
use pullback_tests::tolerance::Target;
use std::path::PathBuf;

/// The names and texts of the pages.
fn pages() -> Vec<(String, String)> {
    let folder = tests_folder().join("spec/language");
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    let read = |file: PathBuf| {
        let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{error}"));
        (file.file_stem().unwrap_or_default().to_string_lossy().into_owned(), text)
    };
    files.into_iter().map(read).collect()
}

/// The fenced blocks of a page: what stands behind the opening fence, and the content.
fn blocks(page: &str) -> Vec<(&str, &str)> {
    let mut out = Vec::new();
    let mut rest = page;
    while let Some((_, after)) = rest.split_once("```") {
        let Some((kind, after)) = after.split_once('\n') else { break };
        let Some((content, after)) = after.split_once("```") else { break };
        out.push((kind, content));
        rest = after;
    }
    out
}

/// The language of a block, and what is to become of it: nothing for an example.
fn language_and_kind(fence: &str) -> (Language, &str) {
    let (first, rest) = fence.split_once(' ').unwrap_or((fence, ""));
    match first {
        "slang" => (Language::Slang, rest),
        "wgsl" => (Language::Wgsl, rest),
        "glsl" => (Language::Glsl, rest),
        _ => (Language::Slang, fence),
    }
}

fn check_example(language: Language, name: &str, text: &str, jobs: &mut Vec<Job>) -> Result<(), String> {
    let case = Case::compile(name, name, text, language)?.without_warnings()?;
    for directive in &case.directives {
        match &directive.kind {
            Kind::Run { call, expected } => {
                let lane = arguments(&case, call)?;
                compare(expected, &run(&case, &call.function, &lane, false)?)
                    .map_err(|why| format!("line {}: {why}", directive.line))?;
            }
            Kind::Grad { call, expected, smooth } => {
                check_grad_line(&case, call, expected.as_ref(), *smooth)
                    .map_err(|why| format!("line {}: {why}", directive.line))?;
            }
            Kind::Floats(..) | Kind::Ints(..) => {}
        }
    }
    for subject in &case.subjects {
        let calls = case.directives.iter().filter_map(|directive| match &directive.kind {
            Kind::Run { call, .. } | Kind::Grad { call, .. } if call.function == subject.name => Some(call),
            _ => None,
        });
        let lanes: Vec<Lane> = calls.map(|call| arguments(&case, call)).collect::<Result<_, _>>()?;
        let oracle = (&case.module, subject.id);
        jobs.push(Job::new(format!("{name} {}", subject.name), &subject.flat, oracle, lanes)?);
    }
    Ok(())
}

fn check_wrong(language: Language, code: &str, text: &str) -> Result<(), String> {
    let compiled = compile(language, "wrong", text, &Options::default());
    let mut diagnostics = compiled.diagnostics;
    if diagnostics.is_empty()
        && let Err(underivable) = expand(compiled.module, Convention::default())
    {
        diagnostics = underivable;
    }
    let found: Vec<&str> = diagnostics.iter().map(|diagnostic| diagnostic.code.text()).collect();
    if found.is_empty() || found.iter().any(|&found| found != code) {
        return Err(format!("is to be refused with {code}, and gives {found:?}:\n{text}"));
    }
    Ok(())
}

/// The program is right, and there is one warning, of that code.
fn check_warned(language: Language, code: &str, text: &str) -> Result<(), String> {
    let compiled = compile(language, "warned", text, &Options::default());
    let (_, cut) = expand(compiled.module, Convention::default()).map_err(|found| format!("{found:?}"))?;
    let diagnostics = compiled.diagnostics.iter().chain(cut.iter());
    let found: Vec<(&str, bool)> = diagnostics.map(|it| (it.code.text(), it.is_error())).collect();
    if found == [(code, false)] {
        Ok(())
    } else {
        Err(format!("is to be warned of with {code}, and gives {found:?}:\n{text}"))
    }
}

/// The module loads, and the call is refused.
fn check_refused(code: &str, call: &str, text: &str) -> Result<(), String> {
    let context = Context::open(DeviceType::Cpu).map_err(|error| error.to_string())?;
    let module = Module::load_from_source(&context, "example.slang", text, &LoadOptions::default())
        .map_err(|error| error.to_string())?;
    let call = calls::parse(call)?;
    let found = module.function(call.function).and_then(|function| call.prepare(&function));
    match found {
        Err(error) if error.code().text() == code => Ok(()),
        Err(error) => Err(format!("is to be refused with {code}, and gives\n{error}")),
        Ok(()) => Err(format!("is to be refused with {code}, and is accepted:\n{text}")),
    }
}

#[test]
fn every_page_of_the_language_is_true() {
    let mut failures = Failures::default();
    let mut jobs = Vec::new();
    for (name, page) in pages() {
        let blocks = blocks(&page);
        if name != "index" && blocks.is_empty() {
            failures.extend([format!("{name}: the page has no example")]);
        }
        for (kind, content) in blocks {
            let (language, kind) = language_and_kind(kind);
            let call = kind.strip_prefix("refused ").and_then(|kind| kind.split_once(' '));
            if let Some(code) = kind.strip_prefix("warned ") {
                failures.check(&name, || check_warned(language, code, content));
                continue;
            }
            match kind.strip_prefix("wrong ") {
                Some(code) => failures.check(&name, || check_wrong(language, code, content)),
                None if let Some((code, call)) = call => {
                    failures.check(&name, || check_refused(code, call, content))
                }
                None if kind.is_empty() => {
                    failures.check(&name, || check_example(language, &name, content, &mut jobs))
                }
                None => failures.check(&name, || Err(format!("there are no blocks of `{kind}`"))),
            };
        }
    }
    check_on_device(Target::Cpu, &CpuDevice::new(), &jobs, &mut failures);
    failures.finish();
}

#[test]
fn the_index_lists_every_page() {
    let pages = pages();
    let index = pages.iter().find(|(name, _)| name == "index").map_or("", |(_, text)| text.as_str());
    for (name, _) in pages.iter().filter(|(name, _)| name != "index") {
        assert!(index.contains(&format!("({name}.md)")), "the index leaves out {name}");
    }
}
