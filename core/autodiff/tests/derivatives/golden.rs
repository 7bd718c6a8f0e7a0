//! How derived functions read.

use crate::run::{gradient, jvp, parse_one};
use expect_test::{Expect, expect};
use pullback_autodiff::{Convention, LoopOptions, VjpRequest, vjp};
use pullback_ir::{Function, Module, parse};

const POLYNOMIAL: &str = "func @polynomial(%0 a: f32, %1 b: f32, %2 c: f32, %3 x: f32) -> (f32) {
  %4: f32 = mul %0, %3
  %5: f32 = mul %4, %3
  %6: f32 = mul %1, %3
  %7: f32 = add %5, %6
  %8: f32 = add %7, %2
  yield %8
}";

/// Compares the text, which must read back to the same function.
fn check(function: &Function, expected: &Expect) {
    let text = function.to_string();
    expected.assert_eq(&text);
    let mut module = Module::new();
    module.add(function.clone());
    assert_eq!(parse::parse(&text).expect("reads back").to_string(), module.to_string());
}

#[test]
fn the_gradient_of_a_polynomial_reads_like_hand_written_code() {
    check(
        &gradient(&parse_one(POLYNOMIAL)),
        &expect![[r#"
        func @polynomial$vjp(%0 a: f32, %1 b: f32, %2 c: f32, %3 x: f32, %4 d_result: f32) -> (f32, f32, f32, f32) {
          %5: f32 = mul %0, %3
          %6: f32 = mul %4, %3
          %7: f32 = mul %4, %1
          %8: f32 = mul %4, %3
          %9: f32 = mul %4, %5
          %10: f32 = add %7, %9
          %11: f32 = mul %8, %3
          %12: f32 = mul %8, %0
          %13: f32 = add %10, %12
          yield %11, %6, %4, %13
        }
    "#]],
    );
}

#[test]
fn the_optimizer_leaves_the_gradient_of_a_polynomial_without_waste() {
    check(
        &pullback_passes::optimize(gradient(&parse_one(POLYNOMIAL))),
        &expect![[r#"
        func @polynomial$vjp(%0 a: f32, %1 b: f32, %2 c: f32, %3 x: f32, %4 d_result: f32) -> (f32, f32, f32, f32) {
          %5: f32 = mul %0, %3
          %6: f32 = mul %4, %3
          %7: f32 = mul %4, %1
          %8: f32 = mul %4, %5
          %9: f32 = add %7, %8
          %10: f32 = mul %6, %3
          %11: f32 = mul %6, %0
          %12: f32 = add %9, %11
          yield %10, %6, %4, %12
        }
    "#]],
    );
}

#[test]
fn only_what_one_gradient_needs_is_computed() {
    let request = VjpRequest {
        active_params: vec![false, false, false, true],
        seeded_results: vec![true],
        keep_results: true,
        convention: Convention::Torch,
        loops: LoopOptions::default(),
        constant_memory: false,
        distinct_params: vec![false; 4],
    };
    check(
        &vjp(&parse_one(POLYNOMIAL), &request).expect("has a VJP"),
        &expect![[r#"
        func @polynomial$vjp(%0 a: f32, %1 b: f32, %2 c: f32, %3 x: f32, %4 d_result: f32) -> (f32, f32) {
          %5: f32 = mul %0, %3
          %6: f32 = mul %5, %3
          %7: f32 = mul %1, %3
          %8: f32 = add %6, %7
          %9: f32 = add %8, %2
          %10: f32 = mul %4, %1
          %11: f32 = mul %4, %3
          %12: f32 = mul %4, %5
          %13: f32 = add %10, %12
          %14: f32 = mul %11, %0
          %15: f32 = add %13, %14
          yield %9, %15
        }
    "#]],
    );
    let request =
        VjpRequest { active_params: vec![false, false, true, false], keep_results: false, ..request };
    check(
        &vjp(&parse_one(POLYNOMIAL), &request).expect("has a VJP"),
        &expect![[r#"
        func @polynomial$vjp(%0 a: f32, %1 b: f32, %2 c: f32, %3 x: f32, %4 d_result: f32) -> (f32) {
          yield %4
        }
    "#]],
    );
}

#[test]
fn the_tangent_of_a_polynomial_follows_its_statements() {
    check(
        &jvp(&parse_one(POLYNOMIAL)),
        &expect![[r#"
        func @polynomial$jvp(%0 a: f32, %1 b: f32, %2 c: f32, %3 x: f32, %4 d_a: f32, %5 d_b: f32, %6 d_c: f32, %7 d_x: f32) -> (f32, f32) {
          %8: f32 = mul %0, %3
          %9: f32 = mul %4, %3
          %10: f32 = mul %7, %0
          %11: f32 = add %9, %10
          %12: f32 = mul %8, %3
          %13: f32 = mul %11, %3
          %14: f32 = mul %7, %8
          %15: f32 = add %13, %14
          %16: f32 = mul %1, %3
          %17: f32 = mul %5, %3
          %18: f32 = mul %7, %1
          %19: f32 = add %17, %18
          %20: f32 = add %12, %16
          %21: f32 = add %15, %19
          %22: f32 = add %20, %2
          %23: f32 = add %21, %6
          yield %22, %23
        }
    "#]],
    );
}

#[test]
fn a_branch_is_reversed_by_a_branch() {
    let text = "func @f(%0 x: f32, %1 y: f32) -> (f32) {
      %2: bool = lt %0, %1
      %3: f32 = if %2 {
        %4: f32 = sin %0
        %5: f32 = mul %4, %1
        yield %5
      } else {
        yield %0
      }
      yield %3
    }";
    check(
        &gradient(&parse_one(text)),
        &expect![[r#"
        func @f$vjp(%0 x: f32, %1 y: f32, %2 d_result: f32) -> (f32, f32) {
          %3: bool = lt %0, %1
          %4: f32, %5: f32 = if %3 {
            %6: f32 = sin %0
            %7: f32 = mul %2, %1
            %8: f32 = mul %2, %6
            %9: f32 = cos %0
            %10: f32 = mul %7, %9
            yield %10, %8
          } else {
            %11: f32 = const f32 0.0
            yield %2, %11
          }
          yield %4, %5
        }
    "#]],
    );
}

#[test]
fn a_division_is_guarded_unless_by_a_number() {
    let text = "func @f(%0 x: f32, %1 y: f32) -> (f32) {
      %2: f32 = const f32 3.0
      %3: f32 = div %0, %2
      %4: f32 = div %3, %1
      yield %4
    }";
    check(
        &gradient(&parse_one(text)),
        &expect![[r#"
            func @f$vjp(%0 x: f32, %1 y: f32, %2 d_result: f32) -> (f32, f32) {
              %3: f32 = const f32 3.0
              %4: f32 = div %0, %3
              %5: f32 = div %4, %1
              %6: f32 = const f32 1.0
              %7: f32 = div %6, %1
              %8: f32 = mul_or_zero %2, %7
              %9: f32 = const f32 1.0
              %10: f32 = div %9, %1
              %11: f32 = mul %10, %5
              %12: f32 = neg %11
              %13: f32 = mul_or_zero %2, %12
              %14: f32 = div %8, %3
              yield %14, %13
            }
        "#]],
    );
}
