//! What programs become in IR.

use crate::{Language, Options, compile};
use expect_test::{Expect, expect};
use pullback_base::render::render_all;

fn check(text: &str, expected: Expect) {
    let compiled = compile(Language::Slang, "t.slang", text, &Options::default());
    if compiled.diagnostics.has_errors() {
        panic!("{}", render_all(&compiled.diagnostics.into_vec(), &compiled.sources));
    }
    expected.assert_eq(&compiled.module.to_string());
    assert!(pullback_ir::verify(compiled.module).is_ok(), "the module verifies");
}

#[test]
fn straight_line_code_stays_straight() {
    check(
        "/// A parabola.\n[Differentiable]\nfloat polynomial(float a, float b, float c, float x) { return a * x * x + b * x + c; }",
        expect![[r#"
            func @polynomial(%0 a: f32, %1 b: f32, %2 c: f32, %3 x: f32) -> (f32) {
              differentiable interface polynomial(in a: f32, in b: f32, in c: f32, in x: f32) -> f32
              %4: f32 = mul %0, %3
              %5: f32 = mul %4, %3
              %6: f32 = mul %1, %3
              %7: f32 = add %5, %6
              %8: f32 = add %7, %2
              yield %8
            }
        "#]],
    );
}

#[test]
fn an_early_return_holds_the_rest_in_the_other_arm() {
    check(
        "float f(float x) { if (x < 0) return 0; float y = x * 2; if (y > 1) return 1; return y; }",
        expect![[r#"
            func @f(%0 x: f32) -> (f32) {
              interface f(in x: f32) -> f32
              %1: f32 = const f32 0.0
              %2: bool = lt %0, %1
              %3: f32 = if %2 {
                %4: f32 = const f32 0.0
                yield %4
              } else {
                %5: f32 = const f32 2.0
                %6: f32 = mul %0, %5
                %7: f32 = const f32 1.0
                %8: bool = gt %6, %7
                %9: f32 = if %8 {
                  %10: f32 = const f32 1.0
                  yield %10
                } else {
                  yield %6
                }
                yield %9
              }
              yield %3
            }
        "#]],
    );
}

#[test]
fn paths_that_meet_after_a_return_are_told_apart_by_a_bool() {
    check("float f(float x) { if (x > 0) { if (x > 1) return 1; x = 2; } return x * 3; }", expect![[r#"
        func @f(%0 x: f32) -> (f32) {
          interface f(in x: f32) -> f32
          %1: f32 = const f32 0.0
          %2: bool = gt %0, %1
          %3: f32 = const f32 0.0
          %4: bool = const bool false
          %5: f32, %6: f32, %7: bool = if %2 {
            %8: f32 = const f32 1.0
            %9: bool = gt %0, %8
            %10: f32 = const f32 0.0
            %11: f32, %12: f32 = if %9 {
              %13: f32 = const f32 1.0
              yield %13, %0
            } else {
              %14: f32 = const f32 2.0
              yield %10, %14
            }
            yield %11, %12, %9
          } else {
            yield %3, %0, %4
          }
          %15: f32 = if %7 {
            yield %5
          } else {
            %16: f32 = const f32 3.0
            %17: f32 = mul %6, %16
            yield %17
          }
          yield %15
        }
    "#]]);
}

#[test]
fn a_plain_loop_carries_only_what_it_assigns() {
    check(
        "float f(float x, int n) { float s = 0; for (int i = 0; i < n; i++) s += x; return s; }",
        expect![[r#"
            func @f(%0 x: f32, %1 n: i32) -> (f32) {
              interface f(in x: f32, in n: i32) -> f32
              %2: f32 = const f32 0.0
              %3: i32 = const i32 0
              %4 i: i32, %5 s: f32 = loop (%6 i: i32 = %3, %7 s: f32 = %2) while {
                %8: bool = lt %6, %1
                yield %8
              } do {
                %9: f32 = add %7, %0
                %10: i32 = const i32 1
                %11: i32 = add %6, %10
                yield %11, %9
              }
              yield %5
            }
        "#]],
    );
}

#[test]
fn break_and_continue_become_bools() {
    check(
        "int f(int n) { int s = 0; for (int i = 0; i < n; ++i) { if (i == 2) continue; if (s > 9) break; s += i; } return s; }",
        expect![[r#"
            func @f(%0 n: i32) -> (i32) {
              interface f(in n: i32) -> i32
              %1: i32 = const i32 0
              %2: i32 = const i32 0
              %3: bool = const bool true
              %4 i: i32, %5 s: i32, %6: bool = loop (%7 i: i32 = %2, %8 s: i32 = %1, %9: bool = %3) while {
                %10: bool = lt %7, %0
                %11: bool = and %9, %10
                yield %11
              } do {
                %12: i32 = const i32 2
                %13: bool = eq %7, %12
                %14: bool = const bool false
                %15: i32, %16: bool = if %13 {
                  yield %8, %14
                } else {
                  %17: i32 = const i32 9
                  %18: bool = gt %8, %17
                  %19: i32 = if %18 {
                    yield %8
                  } else {
                    %20: i32 = add %8, %7
                    yield %20
                  }
                  yield %19, %18
                }
                %21: bool = const bool false
                %22: i32, %23: bool = if %16 {
                  yield %7, %16
                } else {
                  %24: i32 = const i32 1
                  %25: i32 = add %7, %24
                  yield %25, %21
                }
                %26: bool = not %23
                yield %22, %15, %26
              }
              yield %5
            }
        "#]],
    );
}

#[test]
fn a_return_in_a_loop_leaves_it_and_what_follows() {
    check("int f(int n) { [MaxIters(8)] while (true) { if (n > 9) return n; n *= 2; } }", expect![[r#"
        func @f(%0 n: i32) -> (i32) {
          interface f(in n: i32) -> i32
          %1: i32 = const i32 0
          %2: bool = const bool true
          %3 n: i32, %4: i32, %5: bool = loop max_trips 8 (%6 n: i32 = %0, %7: i32 = %1, %8: bool = %2) while {
            yield %8
          } do {
            %9: i32 = const i32 9
            %10: bool = gt %6, %9
            %11: i32, %12: i32 = if %10 {
              yield %6, %6
            } else {
              %13: i32 = const i32 2
              %14: i32 = mul %6, %13
              yield %7, %14
            }
            %15: bool = not %10
            yield %12, %11, %15
          }
          yield %4
        }
    "#]]);
}

#[test]
fn a_condition_with_an_effect_runs_in_the_body() {
    check("int f(int n) { int c = 0; while (n-- > 0) c += n; return c; }", expect![[r#"
        func @f(%0 n: i32) -> (i32) {
          interface f(in n: i32) -> i32
          %1: i32 = const i32 0
          %2: bool = const bool true
          %3 n: i32, %4 c: i32, %5: bool = loop (%6 n: i32 = %0, %7 c: i32 = %1, %8: bool = %2) while {
            yield %8
          } do {
            %9: i32 = const i32 1
            %10: i32 = sub %6, %9
            %11: i32 = const i32 0
            %12: bool = gt %6, %11
            %13: bool = not %12
            %14: i32 = if %12 {
              %15: i32 = add %7, %10
              yield %15
            } else {
              yield %7
            }
            yield %10, %14, %12
          }
          yield %4
        }
    "#]]);
}

#[test]
fn do_loops_test_after_a_turn() {
    check("int f(int n) { do { n /= 2; } while (n > 10); return n; }", expect![[r#"
        func @f(%0 n: i32) -> (i32) {
          interface f(in n: i32) -> i32
          %1: bool = const bool true
          %2 n: i32, %3: bool = loop (%4 n: i32 = %0, %5: bool = %1) while {
            yield %5
          } do {
            %6: i32 = const i32 2
            %7: i32 = div %4, %6
            %8: i32 = const i32 10
            %9: bool = gt %7, %8
            %10: bool = not %9
            yield %7, %9
          }
          yield %2
        }
    "#]]);
}

#[test]
fn switches_join_their_cases() {
    check(
        "int f(int k) { switch (k) { case 0: case 1: return 4; case 2: k = 7; break; default: if (k == 9) break; k = 1; } return k; }",
        expect![[r#"
            func @f(%0 k: i32) -> (i32) {
              interface f(in k: i32) -> i32
              %1: i32 = const i32 0
              %2: i32 = const i32 0
              %3: bool = const bool true
              %4: bool = const bool false
              %5: i32, %6: i32, %7: bool = switch %0 case 0, 1 {
                %8: i32 = const i32 4
                yield %8, %0, %3
              } case 2 {
                %9: i32 = const i32 7
                yield %1, %9, %4
              } default {
                %10: i32 = const i32 9
                %11: bool = eq %0, %10
                %12: i32 = if %11 {
                  yield %0
                } else {
                  %13: i32 = const i32 1
                  yield %13
                }
                yield %2, %12, %4
              }
              %14: i32 = if %7 {
                yield %5
              } else {
                yield %6
              }
              yield %14
            }
        "#]],
    );
}

#[test]
fn places_are_written_through_fields_swizzles_and_indices() {
    check(
        "struct S { float3 v; float a[4]; }\n\
         void f(inout S s, float2 p, int i) { s.v.zx = p; s.a[i] += 1; s.a[2] = s.v.y; }",
        expect![[r#"
            func @f(%0 s: struct S { v: vec<f32, 3>, a: [f32; 4] }, %1 p: vec<f32, 2>, %2 i: i32) -> (struct S { v: vec<f32, 3>, a: [f32; 4] }) {
              interface f(inout s: struct S { v: vec<f32, 3>, a: [f32; 4] }, in p: vec<f32, 2>, in i: i32)
              %3: vec<f32, 3> = extract.0 %0
              %4: f32 = extract.0 %1
              %5: vec<f32, 3> = insert.2 %3, %4
              %6: f32 = extract.1 %1
              %7: vec<f32, 3> = insert.0 %5, %6
              %8: struct S { v: vec<f32, 3>, a: [f32; 4] } = insert.0 %0, %7
              %9: [f32; 4] = extract.1 %8
              %10: f32 = element_get %9, %2
              %11: f32 = const f32 1.0
              %12: f32 = add %10, %11
              %13: [f32; 4] = extract.1 %8
              %14: [f32; 4] = element_set %13, %2, %12
              %15: struct S { v: vec<f32, 3>, a: [f32; 4] } = insert.1 %8, %14
              %16: vec<f32, 3> = extract.0 %15
              %17: f32 = extract.1 %16
              %18: [f32; 4] = extract.1 %15
              %19: [f32; 4] = insert.2 %18, %17
              %20: struct S { v: vec<f32, 3>, a: [f32; 4] } = insert.1 %15, %19
              yield %20
            }
        "#]],
    );
}

#[test]
fn arguments_are_copied_in_and_out() {
    check(
        "void swap(inout float a, inout float b) { float t = a; a = b; b = t; }\n\
         float f(float2 v, out float z) { swap(v.x, v.y); z = v.x; return v.y; }",
        expect![[r#"
            func @swap(%0 a: f32, %1 b: f32) -> (f32, f32) {
              interface swap(inout a: f32, inout b: f32)
              yield %1, %0
            }

            func @f(%0 v: vec<f32, 2>) -> (f32, f32) {
              interface f(in v: vec<f32, 2>, out z: f32) -> f32
              %1: f32 = extract.0 %0
              %2: f32 = extract.1 %0
              %3: f32, %4: f32 = call @swap %1, %2
              %5: vec<f32, 2> = insert.0 %0, %3
              %6: vec<f32, 2> = insert.1 %5, %4
              %7: f32 = extract.0 %6
              %8: f32 = extract.1 %6
              yield %8, %7
            }
        "#]],
    );
}

#[test]
fn methods_take_this_and_constructors_make_it() {
    check(
        "struct C { float n; __init(float x) { n = x; } [mutating] void add(float d) { n += d; } float twice() { return n * 2; } }\n\
         float f(float x) { C c = C(x); c.add(1); return c.twice(); }",
        expect![[r#"
            func @C.__init(%0 x: f32) -> (struct C { n: f32 }) {
              interface C.__init(in x: f32) -> struct C { n: f32 }
              %1: f32 = const f32 0.0
              %2: struct C { n: f32 } = construct struct C { n: f32 } %1
              %3: struct C { n: f32 } = insert.0 %2, %0
              yield %3
            }

            func @C.add(%0 this: struct C { n: f32 }, %1 d: f32) -> (struct C { n: f32 }) {
              interface C.add(inout this: struct C { n: f32 }, in d: f32)
              %2: f32 = extract.0 %0
              %3: f32 = add %2, %1
              %4: struct C { n: f32 } = insert.0 %0, %3
              yield %4
            }

            func @C.twice(%0 this: struct C { n: f32 }) -> (f32) {
              interface C.twice(in this: struct C { n: f32 }) -> f32
              %1: f32 = extract.0 %0
              %2: f32 = const f32 2.0
              %3: f32 = mul %1, %2
              yield %3
            }

            func @f(%0 x: f32) -> (f32) {
              interface f(in x: f32) -> f32
              %1: struct C { n: f32 } = call @C.__init %0
              %2: f32 = const f32 1.0
              %3: struct C { n: f32 } = call @C.add %1, %2
              %4: f32 = call @C.twice %3
              yield %4
            }
        "#]],
    );
}

#[test]
fn choices_branch_unless_both_sides_are_at_hand() {
    check(
        "float f(float x, float y) { return x > 0 ? y : x == 0 ? sqrt(y) : 1; }\n\
         bool g(float3 v, int n) { return n > 2 && v.x < 1 || length(v) > 2; }",
        expect![[r#"
            func @f(%0 x: f32, %1 y: f32) -> (f32) {
              interface f(in x: f32, in y: f32) -> f32
              %2: f32 = const f32 0.0
              %3: bool = gt %0, %2
              %4: f32 = if %3 {
                yield %1
              } else {
                %5: f32 = const f32 0.0
                %6: bool = eq %0, %5
                %7: f32 = if %6 {
                  %8: f32 = sqrt %1
                  yield %8
                } else {
                  %9: f32 = const f32 1.0
                  yield %9
                }
                yield %7
              }
              yield %4
            }

            func @g(%0 v: vec<f32, 3>, %1 n: i32) -> (bool) {
              interface g(in v: vec<f32, 3>, in n: i32) -> bool
              %2: i32 = const i32 2
              %3: bool = gt %1, %2
              %4: f32 = extract.0 %0
              %5: f32 = const f32 1.0
              %6: bool = lt %4, %5
              %7: bool = and %3, %6
              %8: bool = if %7 {
                %9: bool = const bool true
                yield %9
              } else {
                %10: f32 = call @length.f32.3 %0
                %11: f32 = const f32 2.0
                %12: bool = gt %10, %11
                yield %12
              }
              yield %8
            }

            func @length.f32.3(%0 x: vec<f32, 3>) -> (f32) {
              %1: f32 = dot %0, %0
              %2: f32 = const f32 0.0
              %3: bool = eq %1, %2
              %4: f32 = if %3 {
                %5: f32 = const f32 0.0
                yield %5
              } else {
                %6: f32 = sqrt %1
                yield %6
              }
              yield %4
            }
        "#]],
    );
}

#[test]
fn generic_functions_are_made_once_for_each_type() {
    check(
        "T square<T : IFloat>(T x) { return x * x; }\n\
         T total<T : __BuiltinFloatingPointType, let N : int>(T a[N]) { T s = T(0); for (int i = 0; i < N; i++) s += a[i]; return s; }\n\
         float f(float x, float2 v, float a[3]) { return square(x) + square(v).y + square<float>(x) + total(a); }",
        expect![[r#"
            func @f(%0 x: f32, %1 v: vec<f32, 2>, %2 a: [f32; 3]) -> (f32) {
              interface f(in x: f32, in v: vec<f32, 2>, in a: [f32; 3]) -> f32
              %3: f32 = call @square.f32 %0
              %4: vec<f32, 2> = call @square.vec.f32.2 %1
              %5: f32 = extract.1 %4
              %6: f32 = add %3, %5
              %7: f32 = call @square.f32 %0
              %8: f32 = add %6, %7
              %9: f32 = call @total.f32.3 %2
              %10: f32 = add %8, %9
              yield %10
            }

            func @square.f32(%0 x: f32) -> (f32) {
              %1: f32 = mul %0, %0
              yield %1
            }

            func @square.vec.f32.2(%0 x: vec<f32, 2>) -> (vec<f32, 2>) {
              %1: vec<f32, 2> = mul %0, %0
              yield %1
            }

            func @total.f32.3(%0 a: [f32; 3]) -> (f32) {
              %1: f32 = const f32 0.0
              %2: i32 = const i32 0
              %3 i: i32, %4 s: f32 = loop (%5 i: i32 = %2, %6 s: f32 = %1) while {
                %7: i32 = const i32 3
                %8: bool = lt %5, %7
                yield %8
              } do {
                %9: f32 = element_get %0, %5
                %10: f32 = add %6, %9
                %11: i32 = const i32 1
                %12: i32 = add %5, %11
                yield %12, %10
              }
              yield %4
            }
        "#]],
    );
}

#[test]
fn no_diff_detaches_arguments_results_and_fields() {
    check(
        "struct S { float a; no_diff float b; }\n\
         no_diff float g(no_diff float x, float y) { return x * y; }\n\
         float f(S s, float x) { return s.a + s.b + g(x, x) + no_diff cos(x) + detach(x); }",
        expect![[r#"
            func @g(%0 x: f32, %1 y: f32) -> (f32) {
              interface g(no_diff in x: f32, in y: f32) -> no_diff f32
              %2: f32 = detach %0
              %3: f32 = mul %2, %1
              %4: f32 = detach %3
              yield %4
            }

            func @f(%0 s: struct S { a: f32, no_diff b: f32 }, %1 x: f32) -> (f32) {
              interface f(in s: struct S { a: f32, no_diff b: f32 }, in x: f32) -> f32
              %2: f32 = extract.0 %0
              %3: f32 = extract.1 %0
              %4: f32 = detach %3
              %5: f32 = add %2, %4
              %6: f32 = call @g %1, %1
              %7: f32 = add %5, %6
              %8: f32 = cos %1
              %9: f32 = detach %8
              %10: f32 = add %7, %9
              %11: f32 = detach %1
              %12: f32 = add %10, %11
              yield %12
            }
        "#]],
    );
}

#[test]
fn conversions_and_constructors_of_vectors_and_matrices() {
    check(
        "float3 f(float4 v, float2x3 m, int i, bool b) { return v.xyz + float3(v.x, m[1].yz) + mul(v.xy, m) + float3(i) + b; }\n\
         float2x2 g(float3x3 m) { float2x2 r = { 1, 2, 3, 4 }; return r * (float2x2)m + r._m11_m00.x; }",
        expect![[r#"
            func @f(%0 v: vec<f32, 4>, %1 m: mat<f32, 2, 3>, %2 i: i32, %3 b: bool) -> (vec<f32, 3>) {
              interface f(in v: vec<f32, 4>, in m: mat<f32, 2, 3>, in i: i32, in b: bool) -> vec<f32, 3>
              %4: vec<f32, 3> = swizzle.xyz %0
              %5: f32 = extract.0 %0
              %6: vec<f32, 3> = extract.1 %1
              %7: vec<f32, 2> = swizzle.yz %6
              %8: f32 = extract.0 %7
              %9: f32 = extract.1 %7
              %10: vec<f32, 3> = construct vec<f32, 3> %5, %8, %9
              %11: vec<f32, 3> = add %4, %10
              %12: vec<f32, 2> = swizzle.xy %0
              %13: vec<f32, 3> = matmul %12, %1
              %14: vec<f32, 3> = add %11, %13
              %15: f32 = convert.f32 %2
              %16: vec<f32, 3> = splat vec<f32, 3> %15
              %17: vec<f32, 3> = add %14, %16
              %18: f32 = convert.f32 %3
              %19: vec<f32, 3> = splat vec<f32, 3> %18
              %20: vec<f32, 3> = add %17, %19
              yield %20
            }

            func @g(%0 m: mat<f32, 3, 3>) -> (mat<f32, 2, 2>) {
              interface g(in m: mat<f32, 3, 3>) -> mat<f32, 2, 2>
              %1: f32 = const f32 1.0
              %2: f32 = const f32 2.0
              %3: f32 = const f32 3.0
              %4: f32 = const f32 4.0
              %5: vec<f32, 2> = construct vec<f32, 2> %1, %2
              %6: vec<f32, 2> = construct vec<f32, 2> %3, %4
              %7: mat<f32, 2, 2> = construct mat<f32, 2, 2> %5, %6
              %8: vec<f32, 3> = extract.0 %0
              %9: vec<f32, 2> = swizzle.xy %8
              %10: vec<f32, 3> = extract.1 %0
              %11: vec<f32, 2> = swizzle.xy %10
              %12: mat<f32, 2, 2> = construct mat<f32, 2, 2> %9, %11
              %13: mat<f32, 2, 2> = mul %7, %12
              %14: vec<f32, 2> = extract.1 %7
              %15: f32 = extract.1 %14
              %16: vec<f32, 2> = extract.0 %7
              %17: f32 = extract.0 %16
              %18: vec<f32, 2> = construct vec<f32, 2> %15, %17
              %19: f32 = extract.0 %18
              %20: mat<f32, 2, 2> = splat mat<f32, 2, 2> %19
              %21: mat<f32, 2, 2> = add %13, %20
              yield %21
            }
        "#]],
    );
}

#[test]
fn constants_and_defaults_are_known_values() {
    check(
        "static const int N = 2 + 1; static const float W[] = { 1, 2.5, N };\n\
         float f(float x, int i = N - 1, float2 v = { 0.5, N }) { const float k = 2; return x * W[i] + v.y * k; }\n\
         float g() { return f(1); }",
        expect![[r#"
            func @f(%0 x: f32, %1 i: i32, %2 v: vec<f32, 2>) -> (f32) {
              interface f(in x: f32, in i: i32 = (i32 2), in v: vec<f32, 2> = (f32 0.5, f32 3.0)) -> f32
              %3: f32 = const f32 2.0
              %4: f32 = const f32 1.0
              %5: f32 = const f32 2.5
              %6: f32 = const f32 3.0
              %7: [f32; 3] = construct [f32; 3] %4, %5, %6
              %8: f32 = element_get %7, %1
              %9: f32 = mul %0, %8
              %10: f32 = extract.1 %2
              %11: f32 = const f32 2.0
              %12: f32 = mul %10, %11
              %13: f32 = add %9, %12
              yield %13
            }

            func @g() -> (f32) {
              interface g() -> f32
              %0: f32 = const f32 1.0
              %1: i32 = const i32 2
              %2: f32 = const f32 0.5
              %3: f32 = const f32 3.0
              %4: vec<f32, 2> = construct vec<f32, 2> %2, %3
              %5: f32 = call @f %0, %1, %4
              yield %5
            }
        "#]],
    );
}

#[test]
fn literals_are_rounded_once_to_their_final_type() {
    check(
        "double f(double x) { return x * 0.1 + radians(x); }\nhalf g(half x) { return x + 0.1; }",
        expect![[r#"
            func @f(%0 x: f64) -> (f64) {
              interface f(in x: f64) -> f64
              %1: f64 = const f64 0.1
              %2: f64 = mul %0, %1
              %3: f64 = call @radians.f64 %0
              %4: f64 = add %2, %3
              yield %4
            }

            func @g(%0 x: f16) -> (f16) {
              interface g(in x: f16) -> f16
              %1: f32 = convert.f32 %0
              %2: f32 = const f32 0.1
              %3: f32 = add %1, %2
              %4: f16 = convert.f16 %3
              yield %4
            }

            func @radians.f64(%0 x: f64) -> (f64) {
              %1: f64 = const f64 0.017453292519943295
              %2: f64 = mul %0, %1
              yield %2
            }
        "#]],
    );
}

#[test]
fn overloads_get_names_of_their_own() {
    check(
        "float f(float x) { return x; } float f(float2 v) { return v.x; } float f(int i) { return f(float2(i)) + f(1.0); }",
        expect![[r#"
            func @f(%0 x: f32) -> (f32) {
              interface f(in x: f32) -> f32
              yield %0
            }

            func @f.1(%0 v: vec<f32, 2>) -> (f32) {
              interface f(in v: vec<f32, 2>) -> f32
              %1: f32 = extract.0 %0
              yield %1
            }

            func @f.2(%0 i: i32) -> (f32) {
              interface f(in i: i32) -> f32
              %1: f32 = convert.f32 %0
              %2: vec<f32, 2> = splat vec<f32, 2> %1
              %3: f32 = call @f.1 %2
              %4: f32 = const f32 1.0
              %5: f32 = call @f %4
              %6: f32 = add %3, %5
              yield %6
            }
        "#]],
    );
}

#[test]
fn length_has_a_branch_at_zero() {
    check("float f(float3 v) { return length(v); }", expect![[r#"
        func @f(%0 v: vec<f32, 3>) -> (f32) {
          interface f(in v: vec<f32, 3>) -> f32
          %1: f32 = call @length.f32.3 %0
          yield %1
        }

        func @length.f32.3(%0 x: vec<f32, 3>) -> (f32) {
          %1: f32 = dot %0, %0
          %2: f32 = const f32 0.0
          %3: bool = eq %1, %2
          %4: f32 = if %3 {
            %5: f32 = const f32 0.0
            yield %5
          } else {
            %6: f32 = sqrt %1
            yield %6
          }
          yield %4
        }
    "#]]);
}

#[test]
fn a_thousand_early_returns_stay_flat() {
    let returns: String =
        (0..1000).map(|i| format!("if (x == {i}) return {i}; float y{i} = x + 1; x = y{i};\n")).collect();
    let text = format!("float f(float x) {{ {returns} return x; }}");
    let compiled = compile(Language::Slang, "t.slang", &text, &Options::default());
    assert!(compiled.diagnostics.is_empty());
    fn height(block: &pullback_ir::Block) -> usize {
        let inner = block.stmts.iter().flat_map(|stmt| stmt.kind.blocks()).map(height).max();
        inner.unwrap_or(0) + 1
    }
    let body = &compiled.module.functions.values().next().expect("one function").body;
    assert!(height(body) < 60, "height {}", height(body));
    assert!(pullback_ir::verify(compiled.module).is_ok());
}
