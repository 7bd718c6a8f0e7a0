//! The rules that no compiler holds: first lines, file lengths, which words and crates may stand where.

use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::checkout::Checkout;

const PLACES: [&str; 6] = ["core", "kernels", "torch-bridge", "py", "tests", "samples"];
const LINES_AIMED_AT: usize = 600;
const LINES_ALLOWED: usize = 800;

/// Words that say what is not done; split here so that this file may hold them.
const UNFINISHED: [&str; 4] =
    [concat!("todo", "!"), concat!("unimplemented", "!"), concat!("FIX", "ME"), concat!("XX", "X")];

/// No word of a target in the layers that know none, comments included.
const TARGET_WORDS: [&str; 3] = ["spirv", "cuda", "vulkan"];
const TARGET_FREE: [&str; 4] = ["core/base/", "core/ir/", "core/lang/", "core/autodiff/"];
/// Foreign formats, and the tables of words and attribute names that a language itself has.
const TARGET_FREE_EXCEPT: [&str; 3] =
    ["core/lang/src/import/", "core/lang/src/slang/check/attribute.rs", "core/lang/src/slang/token.rs"];

/// Crates, and the only places that may use them.
const RESERVED_CRATES: [(&str, &[&str]); 3] = [
    ("pyo3", &["py/", "torch-bridge/"]),
    ("ash", &["core/device/src/vulkan"]),
    ("cudarc", &["core/device/src/cuda"]),
];
/// The two files of dispatch hand `Device::submit`'s promise on to the caller, and keep it for tensors of our own.
/// The tests call devices as those two do.
const UNSAFE_PLACES: [&str; 6] = [
    "core/device/",
    "torch-bridge/",
    "py/",
    "core/dispatch/src/launch.rs",
    "core/dispatch/src/call.rs",
    "tests/harness/",
];

/// One breach of a rule, or a remark.
#[derive(Debug, PartialEq, Eq)]
pub struct Finding {
    pub place: String,
    pub message: String,
    /// A remark does not fail the check.
    pub is_remark: bool,
}

/// Checks every Rust and Python file; prints what it finds, and says whether all rules hold.
pub fn run(checkout: &Checkout) -> Result<bool> {
    let mut good = true;
    for file in checkout.files(&PLACES)? {
        if !is_source(&file) {
            continue;
        }
        let path = checkout.relative(&file).to_string();
        for finding in check_file(&path, &fs::read_to_string(&file)?) {
            let kind = if finding.is_remark { "remark" } else { "tidy" };
            println!("{kind}: {}: {}", finding.place, finding.message);
            good &= finding.is_remark;
        }
    }
    Ok(good)
}

fn is_source(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "rs" || extension == "py")
}

/// All findings in one file; `path` reads from the root.
pub fn check_file(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let is_rust = path.ends_with(".rs");
    let mut find = |line_number: usize, message: String| {
        findings.push(Finding { place: format!("{path}:{line_number}"), message, is_remark: false });
    };
    if is_rust && !text.starts_with("//! ") {
        find(1, "a Rust file starts with `//!` and its one job".to_owned());
    }
    if !is_rust && !starts_with_docstring(text) {
        find(1, "a Python file starts with a docstring that says its one job".to_owned());
    }
    let is_target_free = TARGET_FREE.iter().any(|place| path.starts_with(place))
        && !TARGET_FREE_EXCEPT.iter().any(|place| path.starts_with(place));
    for (line, number) in text.lines().zip(1..) {
        for word in UNFINISHED.into_iter().filter(|word| has_word(line, word)) {
            find(number, format!("`{word}` has no place in finished code"));
        }
        if is_rust && is_target_free {
            let lower = line.to_lowercase();
            for word in TARGET_WORDS.into_iter().filter(|word| lower.contains(word)) {
                find(number, format!("`{word}`: this layer knows no target"));
            }
        }
        if is_rust {
            check_code(path, code_of(line), |message| find(number, message));
        }
    }
    let lines = text.lines().count();
    if lines > LINES_AIMED_AT {
        let message = format!("{lines} lines; aim for {LINES_AIMED_AT}, at most {LINES_ALLOWED}");
        findings.push(Finding { place: path.to_owned(), message, is_remark: lines <= LINES_ALLOWED });
    }
    findings
}

fn check_code(path: &str, code: &str, mut find: impl FnMut(String)) {
    for (name, places) in RESERVED_CRATES {
        let is_used = has_word(code, &format!("{name}::")) || has_word(code, &format!("use {name};"));
        if is_used && !places.iter().any(|place| path.starts_with(place)) {
            find(format!("`{name}` is used only in {}", places.join(" and ")));
        }
    }
    if has_word(code, "unsafe") && !UNSAFE_PLACES.iter().any(|place| path.starts_with(place)) {
        find(format!("`unsafe` is allowed only in {}", UNSAFE_PLACES.join(", ")));
    }
}

/// The line without its comment and without what stands in quotes.
fn code_of(line: &str) -> &str {
    let end = line.find("//").into_iter().chain(line.find('"')).min();
    &line[..end.unwrap_or(line.len())]
}

/// Whether `word` stands in `line` and no longer word surrounds it.
fn has_word(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let ends_in_letter = word.ends_with(is_part);
    line.match_indices(word).any(|(at, _)| {
        let follows_letter = line[..at].ends_with(is_part);
        let precedes_letter = ends_in_letter && line[at + word.len()..].starts_with(is_part);
        !follows_letter && !precedes_letter
    })
}

fn starts_with_docstring(text: &str) -> bool {
    let first = text.lines().find(|line| !line.trim().is_empty() && !line.starts_with('#'));
    first.is_none_or(|line| line.starts_with("\"\"\"") || line.starts_with("r\"\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, text: &str, expected: &[&str]) {
        let found: Vec<String> =
            check_file(path, text).iter().map(|f| format!("{}: {}", f.place, f.message)).collect();
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with(expected), "{found}");
        }
    }

    #[test]
    fn files_start_with_their_one_job() {
        check("core/ir/src/lib.rs", "use std::fmt;\n", &["core/ir/src/lib.rs:1: a Rust file"]);
        check("core/ir/src/lib.rs", "//! The IR.\n", &[]);
        check("py/python/a.py", "import os\n", &["py/python/a.py:1: a Python file"]);
        check("py/python/a.py", "#!/usr/bin/env python3\n\"\"\"Prints.\"\"\"\n", &[]);
        check("py/python/empty.py", "", &[]);
    }

    #[test]
    fn layers_without_targets_name_none_even_in_comments() {
        let text = "//! A job.\n// as in SPIR-V\nfn f() {} // like Vulkan\n";
        check("core/base/src/a.rs", text, &["core/base/src/a.rs:3: `vulkan`"]);
        check("core/lang/src/import/a.rs", text, &[]);
        check("core/codegen/src/a.rs", text, &[]);
    }

    #[test]
    fn reserved_crates_and_unchecked_code_stay_in_their_places() {
        let text = format!("//! A job.\nuse {}::vk;\nfn f() {{ {} {{ g() }} }}\n", "ash", "unsafe");
        check(
            "core/dispatch/src/a.rs",
            &text,
            &["core/dispatch/src/a.rs:2: `ash`", "core/dispatch/src/a.rs:3: `unsafe`"],
        );
        check("core/device/src/vulkan/a.rs", &text, &[]);
        check("core/device/src/cuda/a.rs", &text, &["core/device/src/cuda/a.rs:2: `ash`"]);
        check("core/ir/src/a.rs", "//! A job.\nuse rustc_hash::A; // no unsafe here\n", &[]);
    }

    #[test]
    fn unfinished_code_is_found_as_words_only() {
        let text = format!("//! A job.\n// {}: later\n// {}L\n", UNFINISHED[2], UNFINISHED[3]);
        check("core/ir/src/a.rs", &text, &["core/ir/src/a.rs:2:"]);
    }

    #[test]
    fn long_files_are_remarked_on_and_then_refused() {
        let file = |lines: usize| format!("//! A job.\n{}", "\n".repeat(lines - 1));
        let remarks =
            |lines| check_file("a.rs", &file(lines)).iter().map(|f| f.is_remark).collect::<Vec<_>>();
        assert_eq!(remarks(LINES_AIMED_AT), []);
        assert_eq!(remarks(LINES_AIMED_AT + 1), [true]);
        assert_eq!(remarks(LINES_ALLOWED + 1), [false]);
    }
}
