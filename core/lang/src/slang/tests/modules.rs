//! Programs of several files.

use crate::{Language, Options, compile};
use expect_test::{Expect, expect};
use pullback_base::render::render_all;

/// Compiles `main` with these other files: the functions made, or the reports.
fn check(files: &[(&str, &str)], main: &str, expected: Expect) {
    let resolve = |path: &str, from: &str| match files.iter().find(|(name, _)| *name == path) {
        Some((name, text)) => Ok((name.to_string(), text.to_string())),
        None => Err(format!("no file `{path}` beside `{from}`")),
    };
    let options = Options { includes: Some(&resolve), ..Options::default() };
    let compiled = compile(Language::Slang, "main.slang", main, &options);
    if compiled.diagnostics.is_empty() {
        let names: Vec<&str> = compiled.module.functions.values().map(|f| &*f.name).collect();
        expected.assert_eq(&names.join(" "));
    } else {
        expected.assert_eq(&render_all(&compiled.diagnostics.into_vec(), &compiled.sources));
    }
}

const SHAPES: (&str, &str) = (
    "lib/shapes.slang",
    "module shapes;\nstruct Ball { float r; }\nfloat area(Ball b) { return b.r * b.r; }\nfloat unused() { return 1; }",
);

#[test]
fn imported_declarations_are_in_scope_and_lowered_when_used() {
    let main = "import lib.shapes;\nfloat area(float side) { return side; }\n\
                float f(Ball b) { return area(b) + area(2.0f); }";
    check(&[SHAPES], main, expect!["area f area.1"]);
}

#[test]
fn what_an_import_imports_is_seen_only_when_exported() {
    let inner = ("inner.slang", "float one() { return 1; }");
    let main = "import outer;\nfloat f() { return one(); }";
    check(&[inner, ("outer.slang", "__exported import inner;")], main, expect!["f one"]);
    check(
        &[inner, ("outer.slang", "import inner;")],
        main,
        expect![[r#"
            error[unknown-name]: nothing named `one` is in scope
              ┌─ main.slang:2:20
              │
            2 │ float f() { return one(); }
              │                    ^^^ not declared
              │
              = help: did you mean `none`?
        "#]],
    );
}

#[test]
fn a_file_name_may_have_hyphens_and_stand_in_quotes() {
    let file = ("two-words.slang", "float two() { return 2; }");
    check(&[file], "import two_words;\nfloat f() { return two(); }", expect!["f two"]);
    check(&[file], "import \"two-words\";\nfloat f() { return two(); }", expect!["f two"]);
}

#[test]
fn included_files_belong_to_the_module() {
    let part = ("part.slang", "implementing main;\nfloat half(float x) { return x * scale; }");
    let main = "module main;\n__include part;\nstatic const float scale = 0.5;\nfloat f(float x) { return half(x); }";
    check(&[part], main, expect!["half f"]);
}

#[test]
fn macros_do_not_cross_an_import() {
    let file = ("lib.slang", "#define N 1\nint n() { return N; }");
    let main = "#define N 2\nimport lib;\nint f() { return n() + N; }";
    check(&[file], main, expect!["f n"]);
}

#[test]
fn circles_and_missing_modules_are_refused() {
    check(
        &[("a.slang", "import c;\nfloat one() { return 1; }"), ("c.slang", "import a;")],
        "import a;\nimport b;\nfloat f() { return one(); }",
        expect![[r#"
            error[preprocessor-error]: cannot find module `b`
              ┌─ main.slang:2:8
              │
            2 │ import b;
              │        ^ no file `b.slang` beside `main.slang`
              │
              = help: files are looked for beside the one that names them, then in `include_paths`

            error[preprocessor-error]: `a` imports what imports it
              ┌─ c.slang:1:8
              │
            1 │ import a;
              │        ^ closes a circle of imports
              │
              = help: move what both need into a third module
        "#]],
    );
}
