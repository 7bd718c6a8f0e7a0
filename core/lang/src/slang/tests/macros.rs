//! The preprocessor, seen through the trees it leads to.

use super::{check, run, run_with};
use crate::slang::ParseOptions;
use crate::slang::print::print;
use expect_test::expect;
use pullback_base::render::render_all;

#[test]
fn macros_expand_as_in_c() {
    for (text, expected) in [
        ("#define N 4\nint x = N;", "typed x : int = 4"),
        ("#define F(a, b) a * (b)\nint x = F(1, F(2, 3));", "typed x : int = (1 * (2 * 3))"),
        ("#define F(a) a\nint F = F (F)(2);", "typed F : int = F(2)"),
        ("#define CAT(a, b) a ## b\nint CAT(x, 1) = CAT(, y) + CAT(z, );", "typed x1 : int = (y + z)"),
        ("#define S(a) #a\nint x = f(S(a + \"b\"));", r#"typed x : int = f("a + \"b\"")"#),
        ("#define V(f, ...) f(__VA_ARGS__)\nint x = V(g, 1, 2);", "typed x : int = g(1, 2)"),
        (
            "#define V(f, ...) f(0, ## __VA_ARGS__)\nint x = V(g) + V(g, 1, 2);",
            "typed x : int = (g(0) + g(0, 1, 2))",
        ),
        ("#define A B\n#define B A\nint x = A + B;", "typed x : int = (A + B)"),
        ("#define A a\n#undef A\nint x = A;", "typed x : int = A"),
        ("#define BODY(x) \\\n int x = \\\n 1;\nBODY(y)", "typed y : int = 1"),
        ("\nint x = __LINE__, y = f(__FILE__);", "typed x : int = 2\ntyped y : int = f(\"t.slang\")"),
        ("#define E()\nint x E() = 1 E();", "typed x : int = 1"),
    ] {
        let (module, diagnostics, _) = run(text);
        let shown = print(&module);
        let messages: Vec<&str> = diagnostics.iter().map(|diagnostic| diagnostic.message.as_str()).collect();
        assert!(messages.is_empty(), "{text}: {messages:?}");
        assert_eq!(shown.trim(), expected, "{text}");
    }
}

#[test]
fn conditions_choose_text() {
    for (condition, holds) in [
        ("#if 1", true),
        ("#if 0", false),
        ("#if defined(N) && N == 4", true),
        ("#if defined N && !defined(M)", true),
        ("#if UNKNOWN", false),
        ("#if 1 + 2 * 3 == 7 && (1 << 3) >= 8 && 9 >> 1 == 4", true),
        ("#if 0 && 1 / 0", false),
        ("#if 0 ? 1 / 0 : ~0 == -1", true),
        ("#if 0xFFu > 254 || 1 / 0", true),
        ("#ifdef N", true),
        ("#ifndef N", false),
        ("#if 0\n#elif N", true),
        ("#if 0\n#elif 0", false),
    ] {
        let text = format!("#define N 4\n{condition}\nint yes;\n#else\nint no;\n#endif\n");
        let (module, diagnostics, _) = run(&text);
        let expected = if holds { "typed yes : int\n" } else { "typed no : int\n" };
        assert!(diagnostics.is_empty(), "{condition}");
        assert_eq!(print(&module), expected, "{condition}");
    }
}

#[test]
fn a_branch_after_the_one_taken_is_not_evaluated() {
    check(
        "#if 1\nint a;\n#elif 1 / 0\nint b;\n#elif nonsense +\n#else\nint c;\n#endif\n",
        expect![[r#"
        typed a : int
    "#]],
    );
}

#[test]
fn skipped_text_may_be_anything() {
    check(
        "#if 0\nit's \" @ # not a /* program */\n#foo\n#if 1\n#endif\n#endif\nint x;\n",
        expect![[r#"
        typed x : int
    "#]],
    );
}

#[test]
fn wrong_directives_are_located() {
    check(
        "#define\n#define F(a, a)\n#if 1 +\n#endif\n#if 1 / 0\n#endif\n#foo\n#include \"x\"\n#error no luck here\n#else\n#define G(a) a\nint x = G(1, 2);\nint y = G(1;\n#define G 2\n#ifdef Q\n",
        expect![[r#"
            error[preprocessor-error]: `#define` needs a name
              ┌─ t.slang:1:1
              │
            1 │ #define
              │ ^^^^^^^ no name follows
              │
              = help: mend the directive at the mark

            error[preprocessor-error]: a macro's parameters are distinct names
              ┌─ t.slang:2:14
              │
            2 │ #define F(a, a)
              │              ^ expected a new name, or `...` last
              │
              = help: mend the directive at the mark

            error[preprocessor-error]: the condition is not an integer expression
              ┌─ t.slang:3:8
              │
            3 │ #if 1 +
              │        ^ expected a number or a name
              │
              = help: mend the directive at the mark

            error[preprocessor-error]: the condition is not an integer expression
              ┌─ t.slang:5:7
              │
            5 │ #if 1 / 0
              │       ^ division by zero
              │
              = help: mend the directive at the mark

            error[preprocessor-error]: there is no directive `#foo`
              ┌─ t.slang:7:1
              │
            7 │ #foo
              │ ^^^^ not a directive
              │
              = help: mend the directive at the mark

            error[preprocessor-error]: cannot include `x`
              ┌─ t.slang:8:10
              │
            8 │ #include "x"
              │          ^^^ this text has no include path
              │
              = help: files are looked for beside the one that names them, then in `include_paths`

            error[preprocessor-error]: #error: no luck here
              ┌─ t.slang:9:1
              │
            9 │ #error no luck here
              │ ^^^^^^ the text asks for this message
              │
              = help: mend the directive at the mark

            error[preprocessor-error]: `#else` without `#if`
               ┌─ t.slang:10:1
               │
            10 │ #else
               │ ^^^^^ nothing is open here
               │
               = help: mend the directive at the mark

            error[preprocessor-error]: the macro `G` takes 1 argument, not 2
               ┌─ t.slang:12:9
               │
            11 │ #define G(a) a
               │         - defined here
            12 │ int x = G(1, 2);
               │         ^^^^^^^ called here
               │
               = help: mend the directive at the mark

            error[preprocessor-error]: the arguments of `G` have no `)`
               ┌─ t.slang:13:9
               │
            13 │ int y = G(1;
               │         ^ this macro is called here
               │
               = help: mend the directive at the mark

            warning[preprocessor-error]: `G` is defined again, differently
               ┌─ t.slang:14:9
               │
            11 │ #define G(a) a
               │         - first defined here
               ·
            14 │ #define G 2
               │         ^ this definition holds from here on

            error[preprocessor-error]: this `#if` has no `#endif`
               ┌─ t.slang:15:1
               │
            15 │ #ifdef Q
               │ ^^^^^^ opened here
               │
               = help: mend the directive at the mark
        "#]],
    );
}

#[test]
fn included_files_keep_their_names_and_are_read_once_when_they_ask() {
    let resolve = |path: &str, from: &str| match path {
        "a.h" => Ok(("lib/a.h".to_owned(), "#pragma once\n#include <b.h>\nint a;\n".to_owned())),
        "b.h" => Ok(("lib/b.h".to_owned(), format!("// from {from}\n#include \"a.h\"\nint b = N +;\n"))),
        _ => Err(format!("no file `{path}` beside `{from}`")),
    };
    let defines = [("N".to_owned(), "7".to_owned())];
    let options = ParseOptions { defines: &defines, includes: Some(&resolve), ..ParseOptions::default() };
    let text = "#include \"a.h\"\n#include \"a.h\"\n#include \"c.h\"\nint c = N;\n";
    let (module, diagnostics, sources) = run_with(text, &options);
    assert_eq!(print(&module), "typed b : int = ?\ntyped a : int\ntyped c : int = 7\n");
    expect![[r#"
        error[preprocessor-error]: cannot include `c.h`
          ┌─ t.slang:3:10
          │
        3 │ #include "c.h"
          │          ^^^^^ no file `c.h` beside `t.slang`
          │
          = help: files are looked for beside the one that names them, then in `include_paths`

        error[syntax-error]: expected an expression, found `;`
          ┌─ lib/b.h:3:12
          │
        3 │ int b = N +;
          │            ^ expected an expression
          │
          = help: mend the text at the mark; what follows it may be fine
    "#]]
    .assert_eq(&render_all(&diagnostics.into_vec(), &sources));
}

#[test]
fn a_macros_errors_point_at_its_call() {
    check(
        "#define BAD(x) (x +)\nint a = 1;\nint y = BAD(a);\n",
        expect![[r#"
            error[syntax-error]: expected an expression, found `)`
              ┌─ t.slang:3:9
              │
            3 │ int y = BAD(a);
              │         ^^^^^^ expected an expression
              │
              = help: mend the text at the mark; what follows it may be fine
        "#]],
    );
}
