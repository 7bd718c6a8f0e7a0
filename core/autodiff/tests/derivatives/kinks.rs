//! What derivatives are taken to be at ties, kinks and singular points.

use crate::run::{doubles, exact, function_of, gradient, gradient_by, jvp, parse_one, rounded};
use pullback_autodiff::Convention::{Slang, Torch};
use pullback_base::DType::{F16, F32, F64};
use pullback_base::Scalar;
use pullback_ir::Op;

const INF: f64 = f64::INFINITY;
const NAN: f64 = f64::NAN;

fn alike(a: f64, b: f64) -> bool {
    a == b || (a.is_nan() && b.is_nan())
}

/// Both modes give these partial derivatives, up to rounding, in every type that has the operands.
fn check(op: &Op, x: &[f64], expected: &[f64]) {
    for (scalar, unit) in [(F16, 1e-3), (F32, 1.2e-7), (F64, 2.3e-16)] {
        if x.iter().all(|&x| alike(rounded(scalar, x), x)) {
            check_in(scalar, 8.0 * unit, op, x, expected);
        }
    }
}

fn check_in(scalar: Scalar, tolerance: f64, op: &Op, x: &[f64], expected: &[f64]) {
    let f = function_of(op.clone(), scalar, x.len());
    let reverse = exact(&gradient(&f), &[x, &[1.0]].concat());
    for (i, &expected) in expected.iter().enumerate() {
        let mut tangents = vec![0.0; x.len()];
        tangents[i] = 1.0;
        let forward = exact(&jvp(&f), &[x, &tangents].concat())[1];
        let near = |a: f64| alike(a, expected) || (a - expected).abs() <= tolerance * expected.abs();
        assert!(
            near(reverse[i]),
            "{op:?} in {scalar} at {x:?}: reverse {reverse:?}, operand {i} should have {expected}"
        );
        assert!(
            near(forward),
            "{op:?} in {scalar} at {x:?}: forward {forward}, operand {i} should have {expected}"
        );
    }
}

#[test]
fn ties_of_min_and_max_share_in_halves() {
    for op in [Op::Min, Op::Max] {
        check(&op, &[1.5, 1.5], &[0.5, 0.5]);
        check(&op, &[0.0, -0.0], &[0.5, 0.5]);
        check(&op, &[NAN, 1.0], &[0.0, 1.0]);
        check(&op, &[1.0, NAN], &[1.0, 0.0]);
    }
    check(&Op::Min, &[1.0, 1.0 + 1e-15], &[1.0, 0.0]);
    check(&Op::Max, &[1.0, 1.0 + 1e-15], &[0.0, 1.0]);
    check(&Op::Max, &[INF, INF], &[0.5, 0.5]);
}

#[test]
fn clamp_is_inclusive_and_bounds_are_strict() {
    let cases = [
        ([0.5, 0.0, 1.0], [1.0, 0.0, 0.0]),
        ([0.0, 0.0, 1.0], [1.0, 0.0, 0.0]),
        ([1.0, 0.0, 1.0], [1.0, 0.0, 0.0]),
        ([-1e-9, 0.0, 1.0], [0.0, 1.0, 0.0]),
        ([1.0 + 1e-9, 0.0, 1.0], [0.0, 0.0, 1.0]),
        ([0.5, 1.0, 0.0], [0.0, 0.0, 1.0]),
        ([-3.0, 1.0, 0.0], [0.0, 0.0, 1.0]),
        ([3.0, 1.0, 0.0], [0.0, 0.0, 1.0]),
    ];
    for (x, expected) in cases {
        check(&Op::Clamp, &x, &expected);
    }
}

#[test]
fn kinks_follow_pytorch() {
    check(&Op::Abs, &[0.0], &[0.0]);
    check(&Op::Abs, &[-1e-300], &[-1.0]);
    check(&Op::Copysign, &[0.0, -1.0], &[0.0, 0.0]);
    check(&Op::Copysign, &[2.0, -1.0], &[-1.0, 0.0]);
    check(&Op::Copysign, &[-2.0, -0.0], &[1.0, 0.0]);
    check(&Op::Rem, &[7.5, 2.0], &[1.0, -3.0]);
    check(&Op::Rem, &[-7.5, 2.0], &[1.0, 3.0]);
    check(&Op::Fract, &[2.0], &[1.0]);
}

#[test]
fn singular_points_follow_pytorch() {
    check(&Op::Sqrt, &[0.0], &[INF]);
    check(&Op::Rsqrt, &[0.0], &[-INF]);
    check(&Op::Rcp, &[1e-4], &[-1e8]);
    check(&Op::Rcp, &[0.0], &[-INF]);
    check(&Op::Log, &[0.0], &[INF]);
    check(&Op::Asin, &[1.0], &[INF]);
    check(&Op::Acos, &[-1.0], &[-INF]);
    check(&Op::Acosh, &[1.0], &[INF]);
    check(&Op::Atanh, &[1.0], &[INF]);
    check(&Op::Div, &[1.0, 0.0], &[INF, -INF]);
    check(&Op::Atan2, &[0.0, 0.0], &[NAN, NAN]);
    check(&Op::Tanh, &[400.0], &[0.0]);
}

#[test]
fn pow_follows_pytorch() {
    check(&Op::Pow, &[-2.0, 3.0], &[12.0, NAN]);
    check(&Op::Pow, &[0.0, 0.0], &[0.0, 0.0]);
    check(&Op::Pow, &[0.0, 2.0], &[0.0, 0.0]);
    check(&Op::Pow, &[0.0, 1.0], &[1.0, 0.0]);
    check(&Op::Pow, &[3.0, 0.0], &[0.0, 3f64.ln()]);
    check(&Op::Pow, &[-3.0, 0.0], &[0.0, NAN]);
    check(&Op::Pow, &[0.0, 0.5], &[INF, 0.0]);
    check(&Op::Pow, &[1e-7, 0.5], &[0.5 * 1e-7f64.powf(-0.5), 1e-7f64.sqrt() * 1e-7f64.ln()]);
}

#[test]
fn slangs_convention_keeps_away_from_singular_points() {
    let at = |op: Op, x: &[f64]| {
        let f = function_of(op, F64, x.len());
        doubles(&gradient_by(&f, Slang), &[x, &[1.0]].concat())
    };
    assert_eq!(at(Op::Sqrt, &[0.0]), [0.5 / 1e-7f64.sqrt()]);
    assert_eq!(at(Op::Sqrt, &[4.0]), [0.25]);
    assert_eq!(at(Op::Rcp, &[1e-4]), [-1.0 / 1e-7]);
    assert_eq!(at(Op::Rcp, &[2.0]), [-0.25]);
    assert_eq!(at(Op::Pow, &[-2.0, 3.0]), [0.0, 0.0]);
    assert_eq!(at(Op::Pow, &[1e-7, 0.5]), [0.0, 0.0]);
    assert_eq!(at(Op::Pow, &[2.0, 3.0]), [12.0, 8.0 * 2f64.ln()]);
    assert_eq!(at(Op::Rem, &[7.5, 2.0]), [1.0, 0.0]);
}

/// The gradient of a function of one f64, at a point.
fn gradient_at(text: &str, x: f64) -> f64 {
    doubles(&gradient_by(&parse_one(text), Torch), &[x, 1.0])[0]
}

#[test]
fn an_arm_not_taken_does_not_spoil_the_gradient() {
    // With a select, an arm is computed even where it is not taken.
    let select = |arm: &str| {
        format!(
            "func @f(%0 x: f64) -> (f64) {{
               %1: f64 = const f64 0.0
               %2: bool = gt %0, %1
               %3: f64 = const f64 3.0
               {arm}
               %9: f64 = select %2, %8, %3
               yield %9
             }}"
        )
    };
    let arms = [
        "%8: f64 = sqrt %0",
        "%8: f64 = log %0",
        "%8: f64 = rsqrt %0",
        "%8: f64 = rcp %0",
        "%8: f64 = div %3, %0",
        "%4: f64 = const f64 0.5\n %8: f64 = pow %0, %4",
        "%8: f64 = pow %0, %0",
        "%8: f64 = atan2 %0, %0",
        "%8: f64 = rem %3, %0",
        "%4: f64 = sqrt %0\n %5: f64 = log %4\n %8: f64 = mul %5, %4",
        // Infinite factors of ops that are smooth.
        "%4: f64 = rcp %0\n %8: f64 = mul %4, %0",
        "%4: f64 = rcp %0\n %5: f64 = exp %4\n %6: f64 = sin %5\n %8: f64 = mul %6, %5",
        "%4: f64 = rcp %0\n %8: f64 = fma %4, %4, %4",
    ];
    for arm in arms {
        assert_eq!(gradient_at(&select(arm), 0.0), 0.0, "{arm}");
        let first = gradient(&parse_one(&select(arm)));
        assert_eq!(doubles(&jvp(&first), &[0.0, 1.0, 1.0, 0.0])[1], 0.0, "{arm}");
        assert_eq!(doubles(&gradient(&first), &[0.0, 1.0, 1.0])[0], 0.0, "{arm}");
        assert!(gradient_at(&select(arm), 0.7).is_finite(), "{arm}");
    }
    for (arm, x) in [("%8: f64 = asin %0", -1.0), ("%8: f64 = acos %0", -1.0), ("%8: f64 = atanh %0", -1.0)] {
        assert_eq!(gradient_at(&select(arm), x), 0.0, "{arm}");
    }
    // Not finite input that the condition was written to keep out.
    assert_eq!(gradient_at(&select("%8: f64 = mul %0, %0"), -INF), 0.0);
    assert_eq!(gradient_at(&select("%8: f64 = cos %0"), NAN), 0.0);
}

#[test]
fn a_value_used_by_one_arm_only_does_not_spoil_the_gradient() {
    let text = "func @f(%0 x: f64) -> (f64) {
        %1: f64 = const f64 0.0
        %2: bool = gt %0, %1
        %3: f64 = sqrt %0
        %4: f64 = exp %3
        %5: f64 = if %2 {
          %6: f64 = mul %4, %3
          yield %6
        } else {
          yield %1
        }
        yield %5
      }";
    assert_eq!(gradient_at(text, 0.0), 0.0);
    assert_eq!(gradient_at(text, -1.0), 0.0);
    assert!((gradient_at(text, 4.0) - 0.75 * 2f64.exp()).abs() < 1e-12);
}

#[test]
fn a_zero_seed_gives_a_zero_gradient_at_a_singular_point() {
    let f = function_of(Op::Sqrt, F64, 1);
    assert_eq!(doubles(&gradient(&f), &[0.0, 0.0]), [0.0]);
    assert_eq!(doubles(&jvp(&f), &[0.0, 0.0])[1], 0.0);
    let text = "func @f(%0 x: f64) -> (f64) {
      %1: f64 = const f64 0.5
      %2: f64 = pow %0, %1
      yield %2
    }";
    let f = parse_one(text);
    assert_eq!(doubles(&gradient(&f), &[0.0, 0.0]), [0.0]);
    assert_eq!(doubles(&gradient(&f), &[0.0, 1.0]), [INF]);
}

#[test]
fn guards_keep_the_second_derivative_where_the_cotangent_is_zero() {
    // f = (x / y)^2: at x = 0 the quotient's cotangent is 0, its derivative 2 dx / y is not: f'' = 2 / y^2.
    let text = "func @f(%0 x: f64, %1 y: f64) -> (f64) {
        %2: f64 = div %0, %1
        %3: f64 = mul %2, %2
        yield %3
      }";
    let first = gradient(&parse_one(text));
    assert_eq!(doubles(&first, &[0.0, 2.0, 1.0]), [0.0, 0.0]);
    assert_eq!(doubles(&jvp(&first), &[0.0, 2.0, 1.0, 1.0, 0.0, 0.0])[2], 0.5);
    assert_eq!(doubles(&gradient(&first), &[0.0, 2.0, 1.0, 1.0, 0.0])[0], 0.5);
    // d2(x^y) / dx dy at y = 0 is 1 / x.
    let first = gradient(&function_of(Op::Pow, F64, 2));
    assert_eq!(doubles(&jvp(&first), &[4.0, 0.0, 1.0, 0.0, 1.0, 0.0])[2], 0.25);
}

#[test]
fn half_precision_adjoints_are_summed_in_single_precision() {
    // 2048 + 1 is 2048 in f16, whose next number is 2050. The product comes last, so its share of 2048 comes first.
    let mut b = pullback_ir::FunctionBuilder::new("f", pullback_ir::FunctionKind::Plain);
    let ty = pullback_ir::Type::F16;
    let x = b.param(ty.clone(), "x");
    let large = b.number(&ty, 2048.0);
    let mut sum = b.add(x, x);
    for _ in 0..2 {
        sum = b.add(sum, x);
    }
    let product = b.mul(x, large);
    let total = b.add(sum, product);
    let f = b.finish(vec![total]);
    assert_eq!(exact(&gradient(&f), &[0.5, 1.0]), [2052.0]);
}

#[test]
fn conversions_between_floats_convert_the_cotangent() {
    let text = "func @f(%0 x: f16, %1 n: i32) -> (f64) {
        %2: f32 = convert.f32 %0
        %3: f32 = convert.f32 %1
        %4: f32 = mul %2, %3
        %5: f64 = convert.f64 %4
        yield %5
      }";
    let f = parse_one(text);
    assert_eq!(exact(&gradient(&f), &[0.5, 3.0, 2.0]), [6.0]);
    assert_eq!(exact(&jvp(&f), &[0.5, 3.0, 2.0])[1], 6.0);
    let integers = "func @f(%0 x: f32) -> (f32) {
        %1: i32 = convert.i32 %0
        %2: f32 = convert.f32 %1
        %3: i32 = bitcast.i32 %0
        %4: f32 = bitcast.f32 %3
        %5: f32 = mul %2, %4
        yield %5
      }";
    assert_eq!(exact(&gradient(&parse_one(integers)), &[2.5, 1.0]), [0.0]);
    let f = function_of(Op::Convert(F32), F64, 1);
    assert_eq!(exact(&gradient(&f), &[2.5, 1.5]), [1.5]);
}
