//! The IR that WGSL text becomes.

use super::compiled;
use expect_test::{Expect, expect};

fn check(text: &str, expected: Expect) {
    expected.assert_eq(&compiled(text).to_string());
}

#[test]
fn a_polynomial_is_straight_line() {
    check(
        "fn polynomial(a: f32, b: f32, c: f32, x: f32) -> f32 { return a*x*x + b*x + c; }",
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
fn a_for_loop_has_its_condition_in_the_head() {
    check(
        "fn sum(n: i32, x: f32) -> f32 {
            var total = 0.0;
            for (var i = 0; i < n && total < 9.0; i++) { let y = total * x; total = y + 1.0; }
            return total;
        }",
        expect![[r#"
            func @sum(%0 n: i32, %1 x: f32) -> (f32) {
              differentiable interface sum(in n: i32, in x: f32) -> f32
              %2: f32 = const f32 0.0
              %3: i32 = const i32 0
              %4 i: i32, %5 total: f32 = loop (%6 i: i32 = %3, %7 total: f32 = %2) while {
                %8: bool = lt %6, %0
                %9: bool = if %8 {
                  %10: f32 = const f32 9.0
                  %11: bool = lt %7, %10
                  yield %11
                } else {
                  %12: bool = const bool false
                  yield %12
                }
                yield %9
              } do {
                %13 y: f32 = mul %7, %1
                %14: f32 = const f32 1.0
                %15: f32 = add %13, %14
                %16: i32 = const i32 1
                %17: i32 = add %6, %16
                yield %17, %15
              }
              yield %5
            }
        "#]],
    );
}

#[test]
fn a_local_of_a_loop_body_is_not_carried() {
    check(
        "fn sum(n: i32) -> i32 {
            var total = 0;
            for (var i = 0; i < n; i++) { var square: i32; square = i * i; total += square; }
            return total;
        }",
        expect![[r#"
            func @sum(%0 n: i32) -> (i32) {
              differentiable interface sum(in n: i32) -> i32
              %1: i32 = const i32 0
              %2: i32 = const i32 0
              %3 i: i32, %4 total: i32 = loop (%5 i: i32 = %2, %6 total: i32 = %1) while {
                %7: bool = lt %5, %0
                yield %7
              } do {
                %8: i32 = const i32 0
                %9: i32 = mul %5, %5
                %10: i32 = add %6, %9
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
fn an_early_return_puts_the_rest_in_the_other_arm() {
    check(
        "fn relu(x: f32) -> f32 { if x < 0.0 { return 0.0; } return x; }",
        expect![[r#"
        func @relu(%0 x: f32) -> (f32) {
          differentiable interface relu(in x: f32) -> f32
          %1: f32 = const f32 0.0
          %2: bool = lt %0, %1
          %3: f32 = if %2 {
            %4: f32 = const f32 0.0
            yield %4
          } else {
            yield %0
          }
          yield %3
        }
    "#]],
    );
}

#[test]
fn a_pointer_parameter_is_inout() {
    let text = "
        /// Adds in place.
        ///
        /// @no_diff step
        fn advance(x: ptr<function, f32>, step: f32) { *x += step; }
        fn twice(start: f32) -> f32 { var x = start; advance(&x, 1.0); advance(&x, 2.0); return x; }";
    check(
        text,
        expect![[r#"
        func @advance(%0 x: f32, %1 step: f32) -> (f32) {
          differentiable interface advance(inout x: f32, no_diff in step: f32)
          %2: f32 = detach %1
          %3: f32 = add %0, %2
          yield %3
        }

        func @twice(%0 start: f32) -> (f32) {
          differentiable interface twice(in start: f32) -> f32
          %1: f32 = const f32 1.0
          %2: f32 = call @advance %0, %1
          %3: f32 = const f32 2.0
          %4: f32 = call @advance %2, %3
          yield %4
        }
    "#]],
    );
    let module = compiled(text);
    let interface = |name: &str| {
        let id = module.find(name).expect("found");
        format!("{:#?}", module.functions[id].interface)
    };
    expect![[r#"
        Some(
            Interface {
                name: "advance",
                params: [
                    InterfaceParam {
                        name: "x",
                        ty: f32,
                        direction: InOut,
                        no_diff: false,
                        default: None,
                        span: file0:85..86,
                    },
                    InterfaceParam {
                        name: "step",
                        ty: f32,
                        direction: In,
                        no_diff: true,
                        default: None,
                        span: file0:108..112,
                    },
                ],
                result: None,
                result_no_diff: false,
                differentiable: true,
                doc: "Adds in place.",
                globals: [],
            },
        )"#]]
    .assert_eq(&interface("advance"));
}

#[test]
fn matrix_products_swap_their_operands() {
    check(
        "fn f(a: mat2x3<f32>, b: mat3x2<f32>, v: vec2<f32>) -> mat3x3<f32> {
            let moved = a * v;
            return a * b + mat3x3<f32>(moved, moved, 2.0 * moved);
        }",
        expect![[r#"
            func @f(%0 a: mat<f32, 2, 3>, %1 b: mat<f32, 3, 2>, %2 v: vec<f32, 2>) -> (mat<f32, 3, 3>) {
              differentiable interface f(in a: mat<f32, 2, 3>, in b: mat<f32, 3, 2>, in v: vec<f32, 2>) -> mat<f32, 3, 3>
              %3 moved: vec<f32, 3> = matmul %2, %0
              %4: mat<f32, 3, 3> = matmul %1, %0
              %5: f32 = const f32 2.0
              %6: vec<f32, 3> = splat vec<f32, 3> %5
              %7: vec<f32, 3> = mul %6, %3
              %8: mat<f32, 3, 3> = construct mat<f32, 3, 3> %3, %3, %7
              %9: mat<f32, 3, 3> = add %4, %8
              yield %9
            }
        "#]],
    );
}

#[test]
fn statements_have_the_span_of_their_text() {
    let text = "fn f(x: f32) -> f32 {\n  return sin(x) *\n    x;\n}";
    let module = compiled(text);
    let function = &module.functions[module.find("f").expect("found")];
    let texts: Vec<&str> = function
        .body
        .stmts
        .iter()
        .map(|stmt| &text[stmt.span.start as usize..stmt.span.end as usize])
        .collect();
    assert_eq!(texts, ["sin", "sin(x) *\n    x"]);
    assert_eq!(&text[function.span.start as usize..function.span.end as usize], "f");
}

#[test]
fn marks_reach_results_members_and_the_body() {
    check(
        "struct S {
            /// @no_diff
            id: f32,
            x: f32,
        }
        /// @no_diff a return
        fn f(a: f32, s: S) -> f32 { return a * s.id * s.x; }",
        expect![[r#"
            func @f(%0 a: f32, %1 s: struct S { no_diff id: f32, x: f32 }) -> (f32) {
              differentiable interface f(no_diff in a: f32, in s: struct S { no_diff id: f32, x: f32 }) -> no_diff f32
              %2: f32 = detach %0
              %3: f32 = extract.0 %1
              %4: f32 = detach %3
              %5: f32 = mul %2, %4
              %6: f32 = extract.1 %1
              %7: f32 = mul %5, %6
              %8: f32 = detach %7
              yield %8
            }
        "#]],
    );
}
