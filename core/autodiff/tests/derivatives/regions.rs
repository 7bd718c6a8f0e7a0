//! Branches and arrays, one trap each.

use crate::run::{complex_step, doubles, exact, gradient, jvp, parse_one};

/// Gradient at a point, which both modes and the complex step agree on.
fn gradient_of(text: &str, args: &[f64]) -> Vec<f64> {
    let f = parse_one(text);
    assert_eq!(f.results.len(), 1);
    let (floats, _) = crate::run::floats(&f);
    let active: Vec<usize> = (0..args.len()).filter(|&i| floats[i]).collect();
    let found = doubles(&gradient(&f), &[args, &[1.0]].concat());
    for (k, &i) in active.iter().enumerate() {
        assert_eq!(found[k], complex_step(&f, args, i)[0], "parameter {i} at {args:?}");
        let tangents: Vec<f64> = active.iter().map(|&j| f64::from(u8::from(i == j))).collect();
        assert_eq!(found[k], doubles(&jvp(&f), &[args, &tangents].concat())[1]);
    }
    found
}

#[test]
fn a_switch_is_reversed_case_by_case() {
    let text = "func @f(%0 x: f64, %1 y: f64, %2 n: i32) -> (f64) {
      %3: f64 = mul %0, %1
      %4: f64 = switch %2 case 0 {
        yield %3
      } case 1, 5 {
        %5: f64 = mul %3, %0
        yield %5
      } default {
        %6: f64 = const f64 7.0
        yield %6
      }
      yield %4
    }";
    assert_eq!(gradient_of(text, &[2.0, 3.0, 0.0]), [3.0, 2.0]);
    assert_eq!(gradient_of(text, &[2.0, 3.0, 1.0]), [12.0, 4.0]);
    assert_eq!(gradient_of(text, &[2.0, 3.0, 5.0]), [12.0, 4.0]);
    assert_eq!(gradient_of(text, &[2.0, 3.0, 2.0]), [0.0, 0.0]);
}

#[test]
fn a_value_yielded_twice_gets_both_cotangents() {
    let text = "func @f(%0 x: f64, %1 c: bool) -> (f64) {
      %2: f64, %3: f64 = if %1 {
        %4: f64 = mul %0, %0
        yield %4, %4
      } else {
        yield %0, %0
      }
      %5: f64 = mul %2, %3
      yield %5
    }";
    assert_eq!(gradient_of(text, &[3.0, 1.0]), [108.0]);
    assert_eq!(gradient_of(text, &[3.0, 0.0]), [6.0]);
}

#[test]
fn nested_arms_reach_the_same_outer_value() {
    let text = "func @f(%0 x: f64, %1 a: bool, %2 b: bool) -> (f64) {
      %3: f64 = mul %0, %0
      %4: f64 = if %1 {
        %5: f64 = mul %3, %0
        %6: f64 = if %2 {
          %7: f64 = mul %5, %3
          yield %7
        } else {
          yield %5
        }
        %8: f64 = add %6, %3
        yield %8
      } else {
        yield %3
      }
      %9: f64 = mul %4, %3
      yield %9
    }";
    // (x^5 + x^2) x^2, (x^3 + x^2) x^2, x^4
    assert_eq!(gradient_of(text, &[2.0, 1.0, 1.0]), [7.0 * 64.0 + 4.0 * 8.0]);
    assert_eq!(gradient_of(text, &[2.0, 1.0, 0.0]), [5.0 * 16.0 + 4.0 * 8.0]);
    assert_eq!(gradient_of(text, &[2.0, 0.0, 1.0]), [4.0 * 8.0]);
}

#[test]
fn a_replaced_array_element_passes_no_gradient() {
    let text = "func @f(%0 x: f64, %1 i: i32, %2 j: i32) -> (f64) {
      %3: [f64; 3] = splat [f64; 3] %0
      %4: f64 = mul %0, %0
      %5: f64 = element_get %3, %2
      %6: [f64; 3] = element_set %3, %1, %4
      %7: f64 = element_get %6, %2
      %8: f64 = add %5, %7
      yield %8
    }";
    assert_eq!(gradient_of(text, &[5.0, 1.0, 1.0]), [11.0]);
    assert_eq!(gradient_of(text, &[5.0, 1.0, 2.0]), [2.0]);
    // Out of range: nothing is read, nothing is replaced.
    assert_eq!(gradient_of(text, &[5.0, 1.0, 3.0]), [0.0]);
    assert_eq!(gradient_of(text, &[5.0, -1.0, 1.0]), [2.0]);
}

#[test]
fn arrays_flow_through_construct_insert_extract_and_select() {
    let text = "func @f(%0 x: f64, %1 y: f64, %2 c: bool) -> (f64) {
      %3: [f64; 2] = construct [f64; 2] %0, %1
      %4: f64 = mul %0, %1
      %5: [f64; 2] = insert.1 %3, %4
      %6: [f64; 2] = select %2, %3, %5
      %7: f64 = extract.0 %6
      %8: f64 = extract.1 %6
      %9: f64 = mul %7, %8
      yield %9
    }";
    assert_eq!(gradient_of(text, &[2.0, 3.0, 1.0]), [3.0, 2.0]);
    assert_eq!(gradient_of(text, &[2.0, 3.0, 0.0]), [12.0, 4.0]);
}

#[test]
fn parameters_may_be_results_and_unused_ones_get_zero() {
    let text = "func @f(%0 x: f64, %1 y: f64) -> (f64, f64, f64) {\n yield %0, %0, %0\n}";
    let f = parse_one(text);
    assert_eq!(doubles(&gradient(&f), &[1.0, 2.0, 3.0, 4.0, 5.0]), [12.0, 0.0]);
    assert_eq!(doubles(&jvp(&f), &[1.0, 2.0, 3.0, 4.0]), [1.0, 1.0, 1.0, 3.0, 3.0, 3.0]);
}

#[test]
fn half_precision_adjoints_pass_through_a_branch() {
    let text = "func @f(%0 x: f16, %1 c: bool) -> (f16) {
      %2: f16 = add %0, %0
      %3: f16 = if %1 {
        %4: f16 = mul %2, %0
        yield %4
      } else {
        yield %2
      }
      yield %3
    }";
    let derived = gradient(&parse_one(text));
    assert_eq!(exact(&derived, &[1.5, 1.0, 2.0]), [12.0]);
    assert_eq!(exact(&derived, &[1.5, 0.0, 2.0]), [4.0]);
}
