//! Diagnostics as users see them.

use super::read;
use expect_test::{Expect, expect};

fn check(text: &str, expected: Expect) {
    expected.assert_eq(&read(text).1);
}

#[test]
fn a_syntax_error_points_at_its_token() {
    check(
        "fn f(x: f32) -> f32 { return x + ; }",
        expect![[r#"
            error[invalid-wgsl]: expected expression, found ";"
              ┌─ shade.wgsl:1:34
              │
            1 │ fn f(x: f32) -> f32 { return x + ; }
              │                                  ^ expected expression
              │
              = help: mend the text at the mark
        "#]],
    );
}

#[test]
fn an_unknown_name_points_at_it() {
    check(
        "fn f(x: f32) -> f32 {\n    return y;\n}",
        expect![[r#"
            error[invalid-wgsl]: no definition in scope for identifier: `y`
              ┌─ shade.wgsl:2:12
              │
            2 │     return y;
              │            ^ unknown identifier
              │
              = help: mend the text at the mark
        "#]],
    );
}

#[test]
fn a_fault_found_by_the_validator_points_at_the_expression() {
    check(
        "fn f(x: f32, n: i32) -> f32 {\n    return x * n;\n}",
        expect![[r#"
            error[invalid-wgsl]: operation Multiply can't work with `f32` and `i32`
              ┌─ shade.wgsl:2:12
              │
            2 │     return x * n;
              │            ^^^^^
              │
              = help: mend the text at the mark
        "#]],
    );
}

#[test]
fn types_in_messages_are_those_of_wgsl() {
    check(
        "fn f(m: mat2x3<f32>, v: vec3<f32>, b: bool) -> vec3<f32> { return m * v; }",
        expect![[r#"
            error[invalid-wgsl]: operation Multiply can't work with `mat2x3<f32>` and `vec3<f32>`
              ┌─ shade.wgsl:1:67
              │
            1 │ fn f(m: mat2x3<f32>, v: vec3<f32>, b: bool) -> vec3<f32> { return m * v; }
              │                                                                   ^^^^^
              │
              = help: mend the text at the mark
        "#]],
    );
    check(
        "fn f(b: bool) -> bool { return -b; }",
        expect![[r#"
            error[invalid-wgsl]: operation Negate can't work with this operand
              ┌─ shade.wgsl:1:32
              │
            1 │ fn f(b: bool) -> bool { return -b; }
              │                                ^^
              │
              = help: mend the text at the mark
        "#]],
    );
    check(
        "fn f(b: bool) -> f32 { return b; }",
        expect![[r#"
            error[invalid-wgsl]: the `return` expression does not match the declared return type
              ┌─ shade.wgsl:1:6
              │
            1 │ fn f(b: bool) -> f32 { return b; }
              │      ^
              │
              = help: mend the text at the mark
        "#]],
    );
    check(
        "fn f(x: f32) -> f32 { if x { return x; } return 1.0; }",
        expect![[r#"
            error[invalid-wgsl]: the `if` condition is not a boolean scalar
              ┌─ shade.wgsl:1:6
              │
            1 │ fn f(x: f32) -> f32 { if x { return x; } return 1.0; }
              │      ^
              │
              = help: mend the text at the mark
        "#]],
    );
}

#[test]
fn entry_points_of_graphics_are_skipped_with_a_warning() {
    let text = "fn f(x: f32) -> f32 { return x; }\n@vertex fn main() -> @builtin(position) vec4<f32> { return vec4(0.0); }";
    check(
        text,
        expect![[r#"
        warning[unsupported-feature]: the entry point `main` is left out
          ┌─ shade.wgsl:2:12
          │
        2 │ @vertex fn main() -> @builtin(position) vec4<f32> { return vec4(0.0); }
          │            ^^^^ runs in a graphics pipeline
          │
          = help: functions without a stage attribute can be called
    "#]],
    );
    assert!(read(text).0.find("f").is_some());
}

#[test]
fn a_refused_function_is_left_out_with_its_callers() {
    let text = "
override scale: f32;
fn scaled(x: f32) -> f32 { return x * scale; }
fn caller(x: f32) -> f32 { return scaled(x) + 1.0; }
fn plain(x: f32) -> f32 { return x; }";
    check(
        text,
        expect![[r#"
            error[unsupported-feature]: an `override` without a value is not supported in functions
              ┌─ shade.wgsl:3:35
              │
            3 │ fn scaled(x: f32) -> f32 { return x * scale; }
              │                                   ^^^^^^^^^ used here
              │
              = help: write it without this construct
        "#]],
    );
    let module = read(text).0;
    let names: Vec<&str> = module.functions.values().map(|function| &*function.name).collect();
    assert_eq!(names, ["plain"]);
}

#[test]
fn what_needs_a_pipeline_is_refused_by_name() {
    let text = "
override gain: f32;
@group(0) @binding(0) var image: texture_2d<f32>;
var<workgroup> tile: array<f32, 4>;
var<private> seed: u32;
fn a(x: f32) -> f32 { return x * gain; }
fn b(x: f32) -> f32 { return textureLoad(image, vec2(0, 0), 0).x; }
fn c(x: f32) -> f32 { if x > 0.0 { discard; } return x; }
fn d(x: f32) -> f32 { return tile[0]; }
fn e(x: f32) -> f32 { seed += 1u; return x; }
fn g(x: f32) -> f32 { return dpdx(x); }
fn h(image: texture_2d<f32>) -> f32 { return 1.0; }
fn k() { workgroupBarrier(); }";
    check(
        text,
        expect![[r#"
            error[unsupported-feature]: an `override` without a value is not supported in functions
              ┌─ shade.wgsl:6:30
              │
            6 │ fn a(x: f32) -> f32 { return x * gain; }
              │                              ^^^^^^^^ used here
              │
              = help: write it without this construct

            error[unsupported-feature]: a texture is not supported in functions
              ┌─ shade.wgsl:7:30
              │
            7 │ fn b(x: f32) -> f32 { return textureLoad(image, vec2(0, 0), 0).x; }
              │                              ^^^^^^^^^^^ used here
              │
              = help: write it without this construct

            error[unsupported-feature]: `discard` is not supported in functions
              ┌─ shade.wgsl:8:36
              │
            8 │ fn c(x: f32) -> f32 { if x > 0.0 { discard; } return x; }
              │                                    ^^^^^^^^ used here
              │
              = help: write it without this construct

            error[unsupported-feature]: a derivative across pixels is not supported in functions
               ┌─ shade.wgsl:11:30
               │
            11 │ fn g(x: f32) -> f32 { return dpdx(x); }
               │                              ^^^^ used here
               │
               = help: write it without this construct

            error[unsupported-feature]: a texture is not supported in functions
               ┌─ shade.wgsl:12:6
               │
            12 │ fn h(image: texture_2d<f32>) -> f32 { return 1.0; }
               │      ^^^^^ used here
               │
               = help: write it without this construct
        "#]],
    );
}

#[test]
fn two_pointers_to_one_variable_are_refused() {
    let text = "
fn both(a: ptr<function, f32>, b: ptr<function, f32>) { *a = 1.0; *b = 2.0; }
fn f() -> f32 { var v: array<f32, 2>; both(&v[0], &v[1]); return v[0]; }";
    check(
        text,
        expect![[r#"
            error[unsupported-feature]: two pointers to one variable are not supported in a call
              ┌─ shade.wgsl:3:39
              │
            3 │ fn f() -> f32 { var v: array<f32, 2>; both(&v[0], &v[1]); return v[0]; }
              │                                       ^^^^^^^^^^^^^^^^^^ both may be written here
              │
              = help: pass the variable once, or copies of its parts
        "#]],
    );
}

#[test]
fn a_mark_of_no_parameter_is_an_error() {
    check(
        "/// @no_diff y\nfn f(x: f32) -> f32 { return x; }",
        expect![[r#"
            error[unknown-name]: `@no_diff y` names no parameter of `f`
              ┌─ shade.wgsl:2:4
              │
            2 │ fn f(x: f32) -> f32 { return x; }
              │    ^ has no such parameter
              │
              = help: declare it, or check its spelling
        "#]],
    );
}

#[test]
fn a_recursive_function_is_refused() {
    check(
        "fn f(x: f32) -> f32 { return f(x); }",
        expect![[r#"
            error[invalid-wgsl]: declaration of `f` is recursive
              ┌─ shade.wgsl:1:4
              │
            1 │ fn f(x: f32) -> f32 { return f(x); }
              │    ^                         - uses itself here
              │
              = help: mend the text at the mark
        "#]],
    );
}

#[test]
fn a_huge_type_is_refused() {
    check(
        "fn f() -> f32 { var a: array<f32, 100000>; return a[3]; }",
        expect![[r#"
            error[unsupported-feature]: a type of more than 65536 scalars is not supported in functions
              ┌─ shade.wgsl:1:17
              │
            1 │ fn f() -> f32 { var a: array<f32, 100000>; return a[3]; }
              │                 ^^^^^^^^^^^^^^^^^^^^^^^^^ used here
              │
              = help: write it without this construct
        "#]],
    );
}
