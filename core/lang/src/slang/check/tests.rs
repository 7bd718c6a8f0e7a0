//! What wrong programs get: the reports, as users see them.

use crate::{Language, Options, compile};
use expect_test::{Expect, expect};
use pullback_base::render::render_all;

pub fn check(text: &str, expected: Expect) {
    let compiled = compile(Language::Slang, "t.slang", text, &Options::default());
    expected.assert_eq(&render_all(&compiled.diagnostics.into_vec(), &compiled.sources));
}

/// Codes, messages and suggestions alone, one a line.
pub fn check_messages(text: &str, expected: Expect) {
    let compiled = compile(Language::Slang, "t.slang", text, &Options::default());
    let lines = compiled.diagnostics.iter().map(|found| {
        let suggestion = found.help.as_deref().filter(|help| help.starts_with("did you mean"));
        let suggestion = suggestion.map_or_else(String::new, |help| format!(" ({help})"));
        format!("{}: {}{suggestion}\n", found.code, found.message)
    });
    expected.assert_eq(&lines.collect::<String>());
}

#[test]
fn all_errors_of_a_file_are_reported_and_right_functions_are_kept() {
    let text = "float a(float x) { return y + normalise(x); }\nfloat ok(float x) { return x; }\n\
                float c(float3 v) { float2 w = v; return w.z; }\nfloat d(float x) { return a(x); }\n";
    check(
        text,
        expect![[r#"
            error[unknown-name]: nothing named `y` is in scope
              ┌─ t.slang:1:27
              │
            1 │ float a(float x) { return y + normalise(x); }
              │                           ^ not declared
              │
              = help: declare it, or check its spelling

            error[unknown-name]: nothing named `normalise` is in scope
              ┌─ t.slang:1:31
              │
            1 │ float a(float x) { return y + normalise(x); }
              │                               ^^^^^^^^^ not declared
              │
              = help: did you mean `normalize`?

            error[type-mismatch]: the initializer needs `float2`, not `float3`
              ┌─ t.slang:3:32
              │
            3 │ float c(float3 v) { float2 w = v; return w.z; }
              │                                ^ is `float3`
              │
              = help: take the components you mean: `.xy`
        "#]],
    );
    let compiled = compile(Language::Slang, "t.slang", text, &Options::default());
    let names: Vec<String> = compiled.module.functions.values().map(|f| f.name.to_string()).collect();
    assert_eq!(names, ["ok"], "what calls a wrong function is left out too");
}

#[test]
fn overload_failures_list_the_candidates() {
    check(
        "float amb(float a, int b) { return 1; }\nfloat amb(int a, float b) { return 2; }\n\
         float k() { return amb(1, 1) + amb(1.0, 2.0, 3.0) + dot(float3(1), float2(1)); }\n",
        expect![[r#"
            error[ambiguous-overload]: several functions `amb` take (int, int) equally well
              ┌─ t.slang:3:20
              │
            1 │ float amb(float a, int b) { return 1; }
              │       --- `amb(float a, int b)`
            2 │ float amb(int a, float b) { return 2; }
              │       --- `amb(int a, float b)`
            3 │ float k() { return amb(1, 1) + amb(1.0, 2.0, 3.0) + dot(float3(1), float2(1)); }
              │                    ^^^^^^^^^ called here
              │
              = help: convert an argument to the type you mean

            error[no-overload]: no `amb` takes (float, float, float)
              ┌─ t.slang:3:32
              │
            1 │ float amb(float a, int b) { return 1; }
              │       --- `amb(float a, int b)`: takes 2 arguments
            2 │ float amb(int a, float b) { return 2; }
              │       --- `amb(int a, float b)`: takes 2 arguments
            3 │ float k() { return amb(1, 1) + amb(1.0, 2.0, 3.0) + dot(float3(1), float2(1)); }
              │                                ^^^^^^^^^^^^^^^^^^ called here
              │
              = help: convert the arguments, or declare a function that takes them

            error[no-overload]: no `dot` takes (float3, float2)
              ┌─ t.slang:3:53
              │
            3 │ float k() { return amb(1, 1) + amb(1.0, 2.0, 3.0) + dot(float3(1), float2(1)); }
              │                                                     ^^^^^^^^^^^^^^^^^^^^^^^^^ called here
              │
              = `dot(vector<T, N> x, vector<T, N> y)`: `N` would be both 3 and 2
              = `dot(T x, T y)`: `T` would be both `float3` and `float2`
              = help: convert the arguments, or declare a function that takes them
        "#]],
    );
}

#[test]
fn circles_are_refused_where_they_begin() {
    check(
        "float f(float x) { return g(x); }\nfloat g(float x) { return f(x); }\nint e(int n) { return e(n - 1); }\n\
         struct Q { Q q; }\nstatic const int C = D; static const int D = C;\n",
        expect![[r#"
            error[recursive-call]: `f` calls itself through `g`
              ┌─ t.slang:1:7
              │
            1 │ float f(float x) { return g(x); }
              │       ^                   ---- through this call
              │       │                    
              │       kernels cannot recurse
            2 │ float g(float x) { return f(x); }
              │                           ---- through this call
              │
              = help: write it as a loop

            error[recursive-call]: `e` calls itself
              ┌─ t.slang:3:5
              │
            3 │ int e(int n) { return e(n - 1); }
              │     ^                 -------- through this call
              │     │                  
              │     kernels cannot recurse
              │
              = help: write it as a loop

            error[recursive-call]: struct `Q` depends on itself
              ┌─ t.slang:4:8
              │
            4 │ struct Q { Q q; }
              │        ^   - through this
              │        │    
              │        needs its own value
              │
              = help: break the circle

            error[recursive-call]: constant `C` depends on itself
              ┌─ t.slang:5:18
              │
            5 │ static const int C = D; static const int D = C;
              │                  ^                           - through this
              │                  │                            
              │                  needs its own value
              │
              = help: break the circle
        "#]],
    );
}

#[test]
fn names_near_to_known_ones_are_suggested() {
    check_messages(
        "struct Sphere { float radius; }\nfloat f(Sphere s) { return s.radus; }\nfloat g(Spere s, flaot x) { return lenght(x); }\n",
        expect![[r#"
            unknown-name: `Sphere` has no member `radus` (did you mean `radius`?)
            unknown-name: no type named `Spere` is in scope (did you mean `Sphere`?)
            unknown-name: no type named `flaot` is in scope (did you mean `float`?)
            unknown-name: nothing named `lenght` is in scope (did you mean `length`?)
        "#]],
    );
}

#[test]
fn what_cannot_be_assigned_is_refused() {
    check_messages(
        "struct S { float x; void set() { x = 2; } [mutating] void put() { x = 1; } S copy() { return this; } }\n\
         void out_of(out float y) { y = 1; }\n\
         void f(S s, float3 v) { let k = 1; k = 2; v.xx = 1; 1 = 2; out_of(v.x + 1); s.copy().put(); const float c = 1; c++; }\n",
        expect![[r#"
            not-assignable: `this` cannot be assigned
            not-assignable: `k` cannot be assigned
            not-assignable: a swizzle that names a component twice cannot be assigned
            not-assignable: this cannot be assigned
            not-assignable: this cannot be assigned
            not-assignable: `put` changes its object
            not-assignable: `c` cannot be assigned
        "#]],
    );
}

#[test]
fn control_flow_must_mean_something() {
    check_messages(
        "void f() { break; }\nint g(int n) { if (n > 2) return 1; }\nvoid h() { while (true) {} }\n\
         int i(int x) { switch (x) { case 1: x = 2; case 2: return 2; case 2: return 3; default: return 0; } return 1; }\n\
         void j() { return 1; }\nfloat k() { return; }\n",
        expect![[r#"
            invalid-control-flow: `break` outside of a loop
            missing-return: `g` can end without a value
            invalid-control-flow: this loop never ends
            invalid-control-flow: `case 2` is listed twice
            type-mismatch: a function without a result returns a value
            type-mismatch: `return` without a `float`
        "#]],
    );
}

#[test]
fn a_switch_whose_copies_would_swell_is_refused() {
    // Each level holds three copies of the one below.
    let mut inner = "x += 1;".to_owned();
    for _ in 0..12 {
        inner = format!("switch (x) {{ case 0: x += 2; case 1: x += 3; case 2: {inner} }}");
    }
    let text = format!("int f(int x) {{ {inner} return x; }}");
    let compiled = compile(Language::Slang, "t.slang", &text, &Options::default());
    let refused = compiled.diagnostics.iter().any(|found| found.message.contains("falls through"));
    assert!(refused && compiled.diagnostics.len() < 20);
}

#[test]
fn what_is_not_supported_is_named() {
    check_messages(
        "interface I { float m(); }\nenum E { A, B }\nstruct G<T> { T x; }\nstruct S : I { float x; }\nstruct F { float x = 1; }\n\
         [PyExport(\"a\")] float a(float x) { return x; }\n[shader(\"compute\")] void b(uint3 id : SV_DispatchThreadID) {}\n\
         float c(Texture2D t) { return 0; }\nfloat d(float x) { return fwd_diff(c)(x); }\nfloat e(float x[]) { return x[0]; }\n\
         float global;\nfloat f(float x);\nfloat h() { return global + A; }\n[Unknown] float i(float x) { discard; return x; }\n",
        expect![[r#"
            type-mismatch: `S` does not conform to `I`
            unsupported-feature: entry points are not supported yet
            unsupported-feature: types like `Texture2D` are not supported yet
            unsupported-feature: `f` has no body
            unknown-name: nothing named `A` is in scope (did you mean `a`?)
            unknown-name: attribute `Unknown` is not known, and ignored
            unsupported-feature: `discard` statements are not supported yet
        "#]],
    );
}

#[test]
fn constants_must_be_known() {
    check_messages(
        "float f(int n) { float a[n]; return a[0]; }\nfloat g(float x = sin(1.0)) { return x; }\nfloat h(float3 v, float a[4]) { return v[3] + a[-1]; }\n\
         float i(float a[100000]) { return 0; }\nfloat j(float a[300][300]) { return 0; }\n",
        expect![[r#"
            not-constant: this must be known at compile time
            not-constant: a default argument must be known at compile time
            type-mismatch: index 3 is outside of the 3 elements
            type-mismatch: index -1 is outside of the 4 elements
            type-mismatch: an array cannot have 100000 elements
            unsupported-feature: this array is too large for a value
        "#]],
    );
}

#[test]
fn operands_that_do_not_fit_are_shown() {
    check(
        "float j(float4x4 m, float3 v) { return m * v; }\nint k(float x) { return x << 1; }\nfloat l(float x) { int i = x; return i; }\n",
        expect![[r#"
            error[type-mismatch]: `*` does not take `float4x4` and `float3`
              ┌─ t.slang:1:42
              │
            1 │ float j(float4x4 m, float3 v) { return m * v; }
              │                                        - ^ - is `float3`
              │                                        │ │  
              │                                        │ cannot be applied
              │                                        is `float4x4`
              │
              = help: `*` is component-wise; the matrix product is `mul(a, b)`

            error[type-mismatch]: `<<` does not take `float` and `int`
              ┌─ t.slang:2:27
              │
            2 │ int k(float x) { return x << 1; }
              │                         - ^^ - is `int`
              │                         │ │   
              │                         │ cannot be applied
              │                         is `float`
              │
              = help: `int(...)` gives the whole number, `asuint(...)` the bits

            warning[type-mismatch]: `float` becomes `int`: the fraction is lost
              ┌─ t.slang:3:28
              │
            3 │ float l(float x) { int i = x; return i; }
              │                            ^ converted here
              │
              = help: write `int(...)` if that is meant
        "#]],
    );
}

#[test]
fn a_generic_body_may_use_only_what_its_bounds_give() {
    check_messages(
        "T a<T>(T x) { return x + x; }\nT b<T : IFloat>(T x) { return x < x ? x : x; }\nT c<T : __BuiltinFloatingPointType>(T x) { return x * 2.0; }\n\
         T d<T : __BuiltinFloatingPointType>(T x) { return x * T(2.0) + sin(x); }\nbool e(bool x) { return d(x) > 0; }\nfloat f(float3 v) { return d(v).x; }\n",
        expect![[r#"
            type-mismatch: `+` does not take `T` and `T`
            type-mismatch: `*` does not take `T` and `float`
            no-overload: no `d` takes (float3)
        "#]],
    );
}
