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
    "module shapes;\npublic struct Ball { public float r; }\npublic float area(Ball b) { return b.r * b.r; }\n\
     float unused() { return 1; }",
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

/// A module that keeps some of what it declares to itself.
const GUARDED: (&str, &str) = (
    "guarded.slang",
    "module guarded;
     public struct Safe
     {
         public float open;
         float half;
         private float secret;
         public __init(float x) { open = x; half = x / 2; secret = this.twice(x); }
         __init(float x, float y) { open = x; half = y; secret = y; }
         private float twice(float x) { return 2 * x; }
         public property float shown { get { return secret + half; } }
         private property float kept { get { return secret; } }
         private static const float K = 3;
         struct Key { float opens(Safe s) { return s.secret + Safe.K; } }
     }
     extension Safe { float peek() { return kept + twice(K); } public float look() { return peek(); } }
     float helper(float x) { return x; }
     public float helper(int x) { return helper(float(x)); }
     float hidden(Safe s) { return s.half + s.peek(); }
     struct Inner { float x; }
     interface IInner { float x(); }
     static const int N = 3;
     public interface IOpen { float of(); }
     namespace deep { float inside() { return 1; } public float outside() { return inside(); } }",
);

#[test]
fn a_module_and_a_type_name_all_that_is_theirs() {
    let main = "import guarded;\nfloat f(int x) { Safe s = Safe(2); return s.open + s.shown + s.look() + helper(x) + deep::outside(); }\n\
                struct Mine : IOpen { float v; float of() { return v; } }\nfloat g(Mine m) { return m.of(); }";
    check(
        &[GUARDED],
        main,
        expect![
            "f Mine.of g Safe.__init Safe.shown.get Safe.look helper deep.outside Safe.twice Safe.peek helper.1 deep.inside Safe.kept.get"
        ],
    );
}

#[test]
fn what_is_internal_or_private_is_refused_elsewhere() {
    let main = "import guarded;
float a(Safe s) { return s.half; }
float b(Safe s) { return s.secret; }
float c(Safe s) { return s.twice(1) + s.kept; }
float d() { return Safe.K; }
float e(Safe s) { return hidden(s); }
float g(float x) { return helper(x) + deep::inside(); }
float h(Inner i) { return 1; }
float i<T : IInner>(T t) { return 1; }
float j(float x[N]) { return 1; }
float k() { return Safe(1, 2).open; }
extension Safe { float mine() { return secret; } }
";
    check(
        &[GUARDED],
        main,
        expect![[r#"
        error[unknown-name]: `half` is internal to its module
          ┌─ main.slang:2:26
          │
        2 │ float a(Safe s) { return s.half; }
          │                          ^^^^^^ cannot be named here
          │
          ┌─ guarded.slang:5:16
          │
        5 │          float half;
          │                ---- declared here
          │
          = help: declare it `public`, if it is for other modules

        error[unknown-name]: `secret` is private to `Safe`
          ┌─ main.slang:3:26
          │
        3 │ float b(Safe s) { return s.secret; }
          │                          ^^^^^^^^ cannot be named here
          │
          ┌─ guarded.slang:6:24
          │
        6 │          private float secret;
          │                        ------ declared here
          │
          = help: use what the type offers to others, or declare it `internal`

        error[unknown-name]: `twice` is private to `Safe`
          ┌─ main.slang:4:26
          │
        4 │ float c(Safe s) { return s.twice(1) + s.kept; }
          │                          ^^^^^^^^^^ cannot be named here
          │
          ┌─ guarded.slang:9:24
          │
        9 │          private float twice(float x) { return 2 * x; }
          │                        ----- declared here
          │
          = help: use what the type offers to others, or declare it `internal`

        error[unknown-name]: `Safe.kept` is private to `Safe`
           ┌─ main.slang:4:39
           │
         4 │ float c(Safe s) { return s.twice(1) + s.kept; }
           │                                       ^^^^^^ cannot be named here
           │
           ┌─ guarded.slang:11:40
           │
        11 │          private property float kept { get { return secret; } }
           │                                        --- declared here
           │
           = help: use what the type offers to others, or declare it `internal`

        error[unknown-name]: `K` is private to `Safe`
           ┌─ main.slang:5:20
           │
         5 │ float d() { return Safe.K; }
           │                    ^^^^^^ cannot be named here
           │
           ┌─ guarded.slang:12:37
           │
        12 │          private static const float K = 3;
           │                                     - declared here
           │
           = help: use what the type offers to others, or declare it `internal`

        error[unknown-name]: `hidden` is internal to its module
           ┌─ main.slang:6:26
           │
         6 │ float e(Safe s) { return hidden(s); }
           │                          ^^^^^^^^^ cannot be named here
           │
           ┌─ guarded.slang:18:12
           │
        18 │      float hidden(Safe s) { return s.half + s.peek(); }
           │            ------ declared here
           │
           = help: declare it `public`, if it is for other modules

        warning[type-mismatch]: `float` becomes `int`: the fraction is lost
          ┌─ main.slang:7:34
          │
        7 │ float g(float x) { return helper(x) + deep::inside(); }
          │                                  ^ converted here
          │
          = help: write `int(...)` if that is meant

        error[unknown-name]: `inside` is internal to its module
           ┌─ main.slang:7:39
           │
         7 │ float g(float x) { return helper(x) + deep::inside(); }
           │                                       ^^^^^^^^^^^^^^ cannot be named here
           │
           ┌─ guarded.slang:23:29
           │
        23 │      namespace deep { float inside() { return 1; } public float outside() { return inside(); } }
           │                             ------ declared here
           │
           = help: declare it `public`, if it is for other modules

        error[unknown-name]: `Inner` is internal to its module
           ┌─ main.slang:8:9
           │
         8 │ float h(Inner i) { return 1; }
           │         ^^^^^ cannot be named here
           │
           ┌─ guarded.slang:19:13
           │
        19 │      struct Inner { float x; }
           │             ----- declared here
           │
           = help: declare it `public`, if it is for other modules

        error[unknown-name]: `IInner` is internal to its module
           ┌─ main.slang:9:13
           │
         9 │ float i<T : IInner>(T t) { return 1; }
           │             ^^^^^^ cannot be named here
           │
           ┌─ guarded.slang:20:16
           │
        20 │      interface IInner { float x(); }
           │                ------ declared here
           │
           = help: declare it `public`, if it is for other modules

        error[unknown-name]: `N` is internal to its module
           ┌─ main.slang:10:17
           │
        10 │ float j(float x[N]) { return 1; }
           │                 ^ cannot be named here
           │
           ┌─ guarded.slang:21:23
           │
        21 │      static const int N = 3;
           │                       - declared here
           │
           = help: declare it `public`, if it is for other modules

        error[no-overload]: no `Safe` takes (int, int)
           ┌─ main.slang:11:20
           │
        11 │ float k() { return Safe(1, 2).open; }
           │                    ^^^^^^^^^^ called here
           │
           ┌─ guarded.slang:7:17
           │
         7 │          public __init(float x) { open = x; half = x / 2; secret = this.twice(x); }
           │                 ------ `Safe.__init(float x)`: takes 1 argument
         8 │          __init(float x, float y) { open = x; half = y; secret = y; }
           │          ------ `Safe.__init(float x, float y)`: is internal to its module
           │
           = help: convert the arguments, or declare a function that takes them
    "#]],
    );
}

#[test]
fn private_is_for_members_and_holds_in_one_module_too() {
    let main = "private float f() { return 1; }
struct S { private float x; float get() { return x; } }
interface I { private float of(); }
float g(S s) { return s.x + s.get(); }
float h() { S s = { 1 }; return s.get(); }
";
    check(
        &[],
        main,
        expect![[r#"
        error[syntax-error]: what is no member of a type cannot be `private`
          ┌─ main.slang:1:1
          │
        1 │ private float f() { return 1; }
          │ ^^^^^^^ for members of structs and extensions
          │
          = help: write `internal`: this module's own

        error[syntax-error]: what an interface asks for cannot be `private`
          ┌─ main.slang:3:15
          │
        3 │ interface I { private float of(); }
          │               ^^^^^^^ for members of structs and extensions
          │
          = help: write `internal`: this module's own

        error[unknown-name]: `x` is private to `S`
          ┌─ main.slang:4:23
          │
        2 │ struct S { private float x; float get() { return x; } }
          │                          - declared here
        3 │ interface I { private float of(); }
        4 │ float g(S s) { return s.x + s.get(); }
          │                       ^^^ cannot be named here
          │
          = help: use what the type offers to others, or declare it `internal`

        error[unknown-name]: `x` is private to `S`
          ┌─ main.slang:5:19
          │
        2 │ struct S { private float x; float get() { return x; } }
          │                          - declared here
          ·
        5 │ float h() { S s = { 1 }; return s.get(); }
          │                   ^^^^^ cannot be named here
          │
          = help: use what the type offers to others, or declare it `internal`
    "#]],
    );
}

#[test]
fn a_module_that_says_nothing_of_visibility_shows_all() {
    let file = ("plain.slang", "struct P { float x; }\nfloat of(P p) { return p.x; }");
    check(&[file], "import plain;\nfloat f(P p) { return of(p) + p.x; }", expect!["f of"]);
}

#[test]
fn an_internal_name_of_one_import_leaves_that_of_another_to_be_named() {
    let kept = ("kept.slang", "module kept;\nstruct P { float x; }");
    let shown = ("shown.slang", "module shown;\npublic struct P { public float y; }");
    check(&[kept, shown], "import kept;\nimport shown;\nfloat f(P p) { return p.y; }", expect!["f"]);
}
