//! Functions that are derivatives of others, with the signatures of the language.

use crate::run::doubles;
use pullback_autodiff::{Convention, expand};
use pullback_ir::{parse, verify};
use pullback_passes::flatten;

/// The results of a function of a module whose derivatives are derived.
fn run(text: &str, name: &str, args: &[f64]) -> Vec<f64> {
    let module = parse::parse(text).unwrap_or_else(|error| panic!("{error}"));
    let module = verify(module).unwrap_or_else(|errors| panic!("{errors:?}")).into_inner();
    assert_eq!(parse::parse(&module.to_string()).expect("parses").to_string(), module.to_string());
    let (module, _) = expand(module, Convention::Torch).unwrap_or_else(|problems| panic!("{problems:?}"));
    let module = verify(module).unwrap_or_else(|errors| panic!("{errors:?}")).into_inner();
    let flat = flatten(&module, module.find(name).expect("the function")).expect("flattens");
    doubles(&flat, args)
}

/// `f(p, k, inout acc) = p.a * p.a * k + acc`, then `acc *= p.v.x`; `n` carries no derivative.
const AGGREGATES: &str = "
func @f(%0 p: struct P { a: f32, n: i32, v: vec<f32, 2> }, %1 k: f32, %2 acc: f32) -> (f32, f32) {
  derivatives (in struct P { a: f32, n: i32, v: vec<f32, 2> } ~ struct PD { a: f32, v: vec<f32, 2> } [0, _, 1, 2], in f32, inout f32 ~ f32 [0]) -> f32 ~ f32 [0]
  %3: f32 = extract.0 %0
  %4: vec<f32, 2> = extract.2 %0
  %5: f32 = extract.0 %4
  %6: f32 = mul %3, %3
  %7: f32 = mul %6, %1
  %8: f32 = add %7, %2
  %9: f32 = mul %2, %5
  yield %8, %9
}
func @fwd(%0: struct DifferentialPair { p: struct P { a: f32, n: i32, v: vec<f32, 2> }, d: struct PD { a: f32, v: vec<f32, 2> } }, %1: f32, %2: struct DifferentialPair { p: f32, d: f32 }) -> (struct DifferentialPair { p: f32, d: f32 }, struct DifferentialPair { p: f32, d: f32 }) {
  derived forward @f
}
func @bwd(%0: struct DifferentialPair { p: struct P { a: f32, n: i32, v: vec<f32, 2> }, d: struct PD { a: f32, v: vec<f32, 2> } }, %1: f32, %2: struct DifferentialPair { p: f32, d: f32 }, %3: f32) -> (struct DifferentialPair { p: struct P { a: f32, n: i32, v: vec<f32, 2> }, d: struct PD { a: f32, v: vec<f32, 2> } }, struct DifferentialPair { p: f32, d: f32 }) {
  derived backward @f
}
";

#[test]
fn forward_derivatives_take_and_give_pairs() {
    // p = (3, 7, (2, 5)), dp = (1, (10, 100)), k = 4, acc = 6, dacc = 0.5
    let got = run(AGGREGATES, "fwd", &[3.0, 7.0, 2.0, 5.0, 1.0, 10.0, 100.0, 4.0, 6.0, 0.5]);
    assert_eq!(got, [42.0, 24.5, 12.0, 61.0]);
}

#[test]
fn backward_derivatives_replace_the_cotangents_of_their_pairs() {
    // The cotangents that come in with `p` are ignored, that of `acc` (0.5) is of its last value; dOut = 2.
    let got = run(AGGREGATES, "bwd", &[3.0, 7.0, 2.0, 5.0, 9.0, 9.0, 9.0, 4.0, 6.0, 0.5, 2.0]);
    assert_eq!(got, [3.0, 7.0, 2.0, 5.0, 48.0, 3.0, 0.0, 6.0, 3.0]);
}

#[test]
fn a_derivative_that_needs_itself_is_refused() {
    let module = parse::parse(
        "func @f(%0: f32) -> (f32) {
           derivatives (in f32 ~ f32 [0]) -> f32 ~ f32 [0]
           %1: struct DifferentialPair { p: f32, d: f32 } = construct struct DifferentialPair { p: f32, d: f32 } %0, %0
           %2: struct DifferentialPair { p: f32, d: f32 } = call @fwd %1
           %3: f32 = extract.1 %2
           yield %3
         }
         func @fwd(%0: struct DifferentialPair { p: f32, d: f32 }) -> (struct DifferentialPair { p: f32, d: f32 }) {
           derived forward @f
         }",
    );
    let module = verify(module.expect("parses")).expect("verifies").into_inner();
    let problems = expand(module, Convention::Torch).unwrap_err().into_vec();
    assert_eq!(problems[0].message, "a derivative of `f` needs itself");
}
