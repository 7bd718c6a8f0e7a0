//! Wrong programs, each with one mistake that users make: the whole message each gets is a golden text.

#[path = "../../../tests/harness/src/bless.rs"]
mod bless;

use bless::Shelf;
use pullback_base::render::render_all;
use pullback_lang::{GlslReader, Language, Options, compile, compile_glsl};
use std::path::{Path, PathBuf};

/// Modules for `import`, which are no programs of their own.
const IMPORTED: &str = "imported";

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden")
}

fn push_programs(folder: &Path, programs: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for path in entries.flatten().map(|entry| entry.path()) {
        if !path.is_dir() {
            programs.push(path);
        } else if path.file_name().is_some_and(|name| name != IMPORTED) {
            push_programs(&path, programs);
        }
    }
}

/// What a user sees of a program, and how many errors and warnings it gets.
fn messages(program: &Path) -> (String, usize) {
    let text = std::fs::read_to_string(program).unwrap_or_else(|error| panic!("{error}"));
    let imported = program.with_file_name(IMPORTED);
    let read = |name: &str, _: &str| match std::fs::read_to_string(imported.join(name)) {
        Ok(text) => Ok((name.to_owned(), text)),
        Err(_) => Err(format!("`{name}` is in none of the include paths")),
    };
    let options = Options { includes: Some(&read), ..Options::default() };
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    let compiled = match program.extension().and_then(|extension| extension.to_str()) {
        Some("wgsl") => compile(Language::Wgsl, &name, &text, &options),
        // Each reader has its own messages; this one is there in every build.
        Some("glsl") => compile_glsl(GlslReader::Naga, &name, &text, &options),
        _ => compile(Language::Slang, &name, &text, &options),
    };
    let count = compiled.diagnostics.len();
    (render_all(&compiled.diagnostics.into_vec(), &compiled.sources), count)
}

#[test]
fn every_wrong_program_gets_its_message() {
    let root = golden().join("wrong");
    let mut programs = Vec::new();
    push_programs(&root, &mut programs);
    let mut shelf = Shelf::new(golden().join("out/wrong"));
    for program in &programs {
        let name = program.strip_prefix(&root).unwrap_or(program).with_extension("");
        let name = name.to_string_lossy().replace('\\', "/");
        let (text, count) = messages(program);
        if count == 0 {
            shelf.failures.push(format!("{name}: nothing is found wrong"));
        }
        shelf.check(&name, &text);
    }
    let failures = shelf.finish();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    assert!(programs.len() >= 150, "{} wrong programs are left", programs.len());
}
