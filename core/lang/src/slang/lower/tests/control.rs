//! Control flow: regions, loops, jumps.

use super::check;
use crate::{Language, Options, compile};
use expect_test::expect;

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
    check(
        "float f(float x) { if (x > 0) { if (x > 1) return 1; x = 2; } return x * 3; }",
        expect![[r#"
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
    "#]],
    );
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
    check(
        "int f(int n) { [MaxIters(8)] while (true) { if (n > 9) return n; n *= 2; } }",
        expect![[r#"
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
    "#]],
    );
}

#[test]
fn a_condition_with_an_effect_runs_in_the_body() {
    check(
        "int f(int n) { int c = 0; while (n-- > 0) c += n; return c; }",
        expect![[r#"
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
    "#]],
    );
}

#[test]
fn do_loops_test_after_a_turn() {
    check(
        "int f(int n) { do { n /= 2; } while (n > 10); return n; }",
        expect![[r#"
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
    "#]],
    );
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
