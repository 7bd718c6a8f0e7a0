//! What wrong text gets: the reports, as users see them.

use super::{check, run};
use crate::slang::print::print;
use expect_test::expect;

#[test]
fn a_missing_semicolon_is_placed_behind_the_expression() {
    check(
        "float f(float x) {\n    float y = x + 1\n    return y * 2\n}\n",
        expect![[r#"
            error[syntax-error]: expected `;` after this declaration
              ┌─ t.slang:2:20
              │
            2 │     float y = x + 1
              │                    ^ `;` missing here
              │
              = help: mend the text at the mark; what follows it may be fine

            error[syntax-error]: expected `;` after this expression
              ┌─ t.slang:3:17
              │
            3 │     return y * 2
              │                 ^ `;` missing here
              │
              = help: mend the text at the mark; what follows it may be fine
        "#]],
    );
}

#[test]
fn a_missing_parenthesis_is_placed_and_the_rest_is_read() {
    check(
        "float f(float x {\n    return g((x, 1;\n}\nfloat h(float y) { return max(y 1) + ; }\n",
        expect![[r#"
            error[syntax-error]: expected `)`, found `{`
              ┌─ t.slang:1:16
              │
            1 │ float f(float x {
              │        -       ^ `)` missing here
              │        │        
              │        to close this `(`
              │
              = help: mend the text at the mark; what follows it may be fine

            error[syntax-error]: expected `)`, found `;`
              ┌─ t.slang:2:19
              │
            2 │     return g((x, 1;
              │              -    ^ `)` missing here
              │              │     
              │              to close this `(`
              │
              = help: mend the text at the mark; what follows it may be fine

            error[syntax-error]: expected `,` or `)`, found `1`
              ┌─ t.slang:4:33
              │
            4 │ float h(float y) { return max(y 1) + ; }
              │                                 ^ a `,` may be missing before this
              │
              = help: mend the text at the mark; what follows it may be fine

            error[syntax-error]: expected an expression, found `;`
              ┌─ t.slang:4:38
              │
            4 │ float h(float y) { return max(y 1) + ; }
              │                                      ^ expected an expression
              │
              = help: mend the text at the mark; what follows it may be fine
        "#]],
    );
}

#[test]
fn a_missing_brace_ends_before_the_next_function() {
    check(
        "float f(float x) {\n    if (x > 0) {\n        return 1;\n    return x;\n}\n\nfloat g(float y) {\n    return y;\n}\n",
        expect![[r#"
            error[syntax-error]: expected `}`, found a new function
              ┌─ t.slang:1:18
              │
            1 │ float f(float x) {
              │                  ^ this `{` is never closed
              ·
            5 │ }
              │  - `}` missing here, or before
              │
              = help: mend the text at the mark; what follows it may be fine
        "#]],
    );
}

#[test]
fn a_missing_brace_ends_before_the_attributes_of_the_next_function() {
    let (module, diagnostics, _) =
        run("void f() {\n    if (a) {\n}\n[Differentiable]\nfloat g(float y) { return y; }\n");
    assert_eq!(diagnostics.len(), 1);
    assert_eq!(module.decls.len(), 2);
}

#[test]
fn all_errors_of_a_file_are_reported() {
    check(
        "float f(float, int 3x) { return 1.0q; }\nstruct S { float a float b; int if; }\nvoid g() { x = ; y = 3 +; else z; case 1: 4 = 5 5; }\n}\nfoo;\n@ int k = 012;",
        expect![[r#"
            error[syntax-error]: expected a parameter's name, found `3x`
              ┌─ t.slang:1:20
              │
            1 │ float f(float, int 3x) { return 1.0q; }
              │                    ^^ expected a parameter's name
              │
              = help: mend the text at the mark; what follows it may be fine

            error[syntax-error]: `1.0q` is not a number
              ┌─ t.slang:1:33
              │
            1 │ float f(float, int 3x) { return 1.0q; }
              │                                 ^^^^ not a suffix of a float; there are `f`, `h`, `l`, `lf`
              │
              = help: mend the text at the mark; what follows it may be fine

            error[syntax-error]: expected `;` after this declaration
              ┌─ t.slang:2:19
              │
            2 │ struct S { float a float b; int if; }
              │                   ^ `;` missing here
              │
              = help: mend the text at the mark; what follows it may be fine

            error[syntax-error]: expected a name after this type, found the keyword `if`
              ┌─ t.slang:2:33
              │
            2 │ struct S { float a float b; int if; }
              │                                 ^^ a keyword cannot be a name
              │
              = help: mend the text at the mark; what follows it may be fine

            error[syntax-error]: expected an expression, found `;`
              ┌─ t.slang:3:16
              │
            3 │ void g() { x = ; y = 3 +; else z; case 1: 4 = 5 5; }
              │                ^ expected an expression
              │
              = help: mend the text at the mark; what follows it may be fine

            error[syntax-error]: expected an expression, found `;`
              ┌─ t.slang:3:25
              │
            3 │ void g() { x = ; y = 3 +; else z; case 1: 4 = 5 5; }
              │                         ^ expected an expression
              │
              = help: mend the text at the mark; what follows it may be fine

            error[syntax-error]: `else` without `if`
              ┌─ t.slang:3:27
              │
            3 │ void g() { x = ; y = 3 +; else z; case 1: 4 = 5 5; }
              │                           ^^^^ no `if` ends right before
              │
              = help: mend the text at the mark; what follows it may be fine

            error[syntax-error]: `case` stands in no `switch`
              ┌─ t.slang:3:35
              │
            3 │ void g() { x = ; y = 3 +; else z; case 1: 4 = 5 5; }
              │                                   ^^^^ only a `switch` has cases
              │
              = help: mend the text at the mark; what follows it may be fine

            error[syntax-error]: this `}` closes nothing
              ┌─ t.slang:4:1
              │
            4 │ }
              │ ^ no `{` is open here
              │
              = help: mend the text at the mark; what follows it may be fine

            error[syntax-error]: expected a name after this type, found `;`
              ┌─ t.slang:5:4
              │
            5 │ foo;
              │    ^ expected a name after this type
              │
              = help: mend the text at the mark; what follows it may be fine

            error[syntax-error]: `@` means nothing here
              ┌─ t.slang:6:1
              │
            6 │ @ int k = 012;
              │ ^ not part of the language
              │
              = help: mend the text at the mark; what follows it may be fine

            error[syntax-error]: `012` is not a number
              ┌─ t.slang:6:11
              │
            6 │ @ int k = 012;
              │           ^^^ write octal numbers with `0o`, decimal ones without a leading 0
              │
              = help: mend the text at the mark; what follows it may be fine
        "#]],
    );
}

#[test]
fn what_is_not_supported_yet_is_refused_by_name() {
    check(
        "void f(float *p) { x => 1; defer { } }\nvoid g() { p->x = *q; goto outer; float *r; int y; }\nfunctype(int) -> int h();\nvoid i(float? x, some IFoo y) {}\nstruct S { int a; } s;",
        expect![[r#"
            error[syntax-error]: a lambda's parameters stand in parentheses, with their types
              ┌─ t.slang:1:22
              │
            1 │ void f(float *p) { x => 1; defer { } }
              │                      ^^ as in `(float x) => 2 * x`
              │
              = help: mend the text at the mark; what follows it may be fine

            error[unsupported-feature]: `goto` statements are not supported yet
              ┌─ t.slang:2:23
              │
            2 │ void g() { p->x = *q; goto outer; float *r; int y; }
              │                       ^^^^ used here
              │
              = help: write it without this construct

            error[unsupported-feature]: function types are not supported yet
              ┌─ t.slang:3:1
              │
            3 │ functype(int) -> int h();
              │ ^^^^^^^^ used here
              │
              = help: take a generic parameter `<F : IFunc<R, A>>`

            error[unsupported-feature]: variables declared along with their struct are not supported yet
              ┌─ t.slang:5:21
              │
            5 │ struct S { int a; } s;
              │                     ^ used here
              │
              = help: declare the variable in a statement of its own
        "#]],
    );
}

#[test]
fn a_wrong_part_leaves_the_rest_of_its_statement_and_its_names() {
    let text = "int f(int a, int 3, int c) { int x = 3 +, y = (1; if (a b) { x = 1; } for (int i = 0; i < ; i++) { y = }\n for (a b; c; d) { = } while () { return 1 } int z = ; }\n";
    let (module, diagnostics, _) = run(text);
    expect![[r#"
        fn f(a : int, _ : ?, c : int) -> int
          typed x : int = ?
          typed y : int = 1
          if a
            block
              (x = 1)
          error
          for c; d
            typed b : a
            block
              error
          while ?
            block
              return 1
          typed z : int = ?
    "#]]
    .assert_eq(&print(&module));
    let messages: Vec<&str> = diagnostics.iter().map(|diagnostic| diagnostic.message.as_str()).collect();
    expect![[r#"
        expected a parameter's name, found `3`
        expected an expression, found `,`
        expected `)`, found `;`
        expected `)`, found `b`
        expected an expression, found `;`
        expected an expression, found `}`
        expected an expression, found `=`
        expected an expression, found `)`
        expected `;` after this expression
        expected an expression, found `;`"#]]
    .assert_eq(&messages.join("\n"));
}

#[test]
fn a_text_of_nothing_but_errors_ends_early() {
    let (_, diagnostics, _) = run(&"int x = ;\n".repeat(1000));
    assert_eq!(diagnostics.len(), 100);
    let (_, diagnostics, _) = run(&("#define G(a) a\n".to_owned() + &"G(;".repeat(50_000)));
    assert!(diagnostics.len() <= 200);
}

#[test]
fn a_parameter_list_that_ends_in_a_body_does_not_hide_the_next_function() {
    check(
        "int g( { return 1.0; }\nfloat h(float x) { return x + ; }\n",
        expect![[r#"
            error[syntax-error]: expected a parameter, found `{`
              ┌─ t.slang:1:8
              │
            1 │ int g( { return 1.0; }
              │        ^ expected a parameter
              │
              = help: mend the text at the mark; what follows it may be fine

            error[syntax-error]: expected an expression, found `;`
              ┌─ t.slang:2:31
              │
            2 │ float h(float x) { return x + ; }
              │                               ^ expected an expression
              │
              = help: mend the text at the mark; what follows it may be fine
        "#]],
    );
}
