//! The text half as a whole.

mod macros;
mod modules;
mod reports;
mod requests;
mod robustness;
mod trees;

use super::print::print;
use super::{ParseOptions, ast, parse};
use expect_test::Expect;
use pullback_base::{Diagnostics, SourceMap, render::render_all};

fn run(text: &str) -> (ast::Module, Diagnostics, SourceMap) {
    run_with(text, &ParseOptions::default())
}

fn run_with(text: &str, options: &ParseOptions<'_>) -> (ast::Module, Diagnostics, SourceMap) {
    let mut sources = SourceMap::new();
    let file = sources.add("t.slang", text);
    let mut diagnostics = Diagnostics::new();
    let module = parse(&mut sources, file, options, &mut diagnostics);
    (module, diagnostics, sources)
}

/// Checks the tree (and that nothing was reported), or the reports.
fn check(text: &str, expected: Expect) {
    let (module, diagnostics, sources) = run(text);
    if diagnostics.is_empty() {
        expected.assert_eq(&print(&module));
    } else {
        expected.assert_eq(&render_all(&diagnostics.into_vec(), &sources));
    }
}

/// Checks one expression: its tree, or the reports' headlines.
fn check_expr(text: &str, expected: &str) {
    let (module, diagnostics, _) = run(&format!("void f() {{ {text}; }}"));
    let messages: Vec<&str> = diagnostics.iter().map(|diagnostic| diagnostic.message.as_str()).collect();
    assert!(messages.is_empty(), "{text}: {messages:?}");
    let shown = print(&module);
    assert_eq!(shown.strip_prefix("fn f() -> void\n").map(str::trim), Some(expected), "{text}");
}
