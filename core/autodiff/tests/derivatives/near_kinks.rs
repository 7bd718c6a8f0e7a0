//! Each op in each float type: at random points, and on both sides of its kinks and singular points, where the two sides
//! have derivatives of their own.

use crate::ops::{Random, differentiable, range};
use crate::run::{close, complex_step, differences, doubles, exact, function_of, gradient, jvp, rounded};
use pullback_base::DType::{F16, F32, F64};
use pullback_base::Scalar;
use pullback_ir::{Function, Op};

/// Where an op has a kink, a tie, a jump or a singular point.
fn kinks(op: &Op) -> Vec<Vec<f64>> {
    let points: &[&[f64]] = match op {
        Op::Min | Op::Max => &[&[1.5, 1.5], &[0.0, 0.0], &[-2.0, -2.0]],
        Op::Clamp => &[&[0.0, 0.0, 1.0], &[1.0, 0.0, 1.0], &[-1.0, 0.5, -0.5]],
        Op::Abs | Op::Sqrt | Op::Rsqrt | Op::Rcp | Op::Log | Op::Log2 | Op::Log10 => &[&[0.0]],
        Op::Copysign => &[&[0.0, 1.0], &[0.0, -1.0], &[1.5, 0.0], &[-1.5, 0.0]],
        Op::Fract => &[&[0.0], &[2.0], &[-1.0]],
        Op::Rem => &[&[4.0, 2.0], &[-4.0, 2.0], &[4.0, -2.0], &[0.0, 1.5]],
        Op::Div => &[&[1.0, 0.0], &[-1.5, 0.0], &[0.0, 0.0]],
        Op::Asin | Op::Acos | Op::Atanh => &[&[1.0], &[-1.0]],
        Op::Acosh => &[&[1.0]],
        Op::Pow => &[&[0.0, 0.5], &[0.0, 1.0], &[0.0, 2.0], &[2.0, 0.0], &[0.0, 0.0], &[1.0, -1.5]],
        Op::Atan2 => &[&[0.0, 0.0], &[0.0, -1.0], &[1.0, 0.0], &[0.0, 1.0]],
        _ => &[],
    };
    points.iter().map(|point| point.to_vec()).collect()
}

/// The distance of a type's numbers at 1.
fn unit(scalar: Scalar) -> f64 {
    match scalar {
        F16 => 2f64.powi(-10),
        F32 => 2f64.powi(-23),
        _ => f64::EPSILON,
    }
}

/// The points next to a kink: one operand moved, by as little as tells them apart, and by more.
fn beside(kink: &[f64], scalar: Scalar) -> Vec<Vec<f64>> {
    let near_zero = if scalar == F16 { 2f64.powi(-7) } else { 2f64.powi(-20) };
    let mut points = Vec::new();
    for moved in 0..kink.len() {
        let least = if kink[moved] == 0.0 { near_zero } else { unit(scalar) * kink[moved].abs() };
        for distance in [least, -least, 2f64.powi(-4), -(2f64.powi(-4))] {
            let mut point = kink.to_vec();
            point[moved] = rounded(scalar, point[moved] + distance);
            points.push(point);
        }
    }
    points
}

/// Whether a type's number is the wanted one, but for rounding. A derivative takes few operations; where one is the small
/// difference of rounded numbers (`1 - z^2` of `tanh`), the error is one of the larger number.
fn agrees(scalar: Scalar, found: f64, wanted: f64) -> bool {
    // A factor that only just fits makes the product overflow one or two powers of two early.
    let overflows = rounded(scalar, wanted * 4.0).is_infinite();
    close(found, wanted, 8.0 * unit(scalar)) || overflows && (found / wanted > 0.2 || found == wanted)
}

/// Whether the slopes change right beside the point: one operand was moved, but another one is what makes the kink.
fn is_on_kink(f: &Function, x: &[f64]) -> bool {
    let slopes = |x: &[f64]| -> Vec<f64> { (0..x.len()).map(|i| complex_step(f, x, i)[0]).collect() };
    let here = slopes(x);
    let nudges = (0..x.len()).flat_map(|moved| [(moved, 1e-9), (moved, -1e-9)]);
    nudges.into_iter().any(|(moved, nudge)| {
        let mut beside = x.to_vec();
        beside[moved] += nudge;
        slopes(&beside).iter().zip(&here).any(|(a, b)| !close(*a, *b, 1e-2))
    })
}

/// What both modes give in that type, each op rounded, against complex steps in double precision.
fn check(op: &Op, scalar: Scalar, x: &[f64]) -> usize {
    let f = function_of(op.clone(), scalar, x.len());
    let wide = function_of(op.clone(), F64, x.len());
    if !exact(&f, x)[0].is_finite() || is_on_kink(&wide, x) {
        return 0;
    }
    let reverse = exact(&gradient(&f), &[x, &[1.0]].concat());
    let pushforward = jvp(&f);
    let mut compared = 0;
    for i in 0..x.len() {
        let wanted = complex_step(&wide, x, i)[0];
        if !wanted.is_finite() {
            continue;
        }
        compared += 1;
        let mut tangents = vec![0.0; x.len()];
        tangents[i] = 1.0;
        let forward = exact(&pushforward, &[x, &tangents].concat())[1];
        for (mode, found) in [("reverse", reverse[i]), ("forward", forward)] {
            assert!(
                agrees(scalar, found, wanted),
                "{op:?} in {scalar} at {x:?}: {mode} mode gives {found} for operand {i}, not {wanted}"
            );
        }
    }
    compared
}

#[test]
fn every_op_agrees_with_complex_steps_in_every_type_at_random_points() {
    let mut random = Random(3);
    for op in differentiable() {
        let operands = op.arity().expect("fixed");
        let (low, high) = range(&op);
        for scalar in [F16, F32, F64] {
            let mut compared = 0;
            for _ in 0..40 {
                let x: Vec<f64> = (0..operands).map(|_| rounded(scalar, random.between(low, high))).collect();
                compared += check(&op, scalar, &x);
            }
            assert!(compared >= 40, "only {compared} derivatives of {op:?} in {scalar}");
        }
    }
}

#[test]
fn every_op_agrees_with_complex_steps_in_every_type_beside_its_kinks() {
    let mut compared = 0;
    for op in differentiable() {
        for kink in kinks(&op) {
            for scalar in [F16, F32, F64] {
                for point in beside(&kink, scalar) {
                    compared += check(&op, scalar, &point);
                }
            }
        }
    }
    assert!(compared > 900, "only {compared} derivatives beside kinks");
}

#[test]
fn every_op_agrees_with_differences_beside_its_kinks() {
    let mut compared = 0;
    for op in differentiable() {
        for kink in kinks(&op) {
            for moved in 0..kink.len() {
                for distance in [0.0625, -0.0625] {
                    let mut x = kink.clone();
                    x[moved] += distance;
                    let f = function_of(op.clone(), F64, x.len());
                    // Five points within a tenth of the way to the kink.
                    let slope = differences(&f, &x, moved, 0.003);
                    let reverse = doubles(&gradient(&f), &[x.as_slice(), &[1.0]].concat())[moved];
                    if slope.is_finite() {
                        compared += 1;
                        assert!(close(reverse, slope, 1e-3), "{op:?} at {x:?}: {reverse}, not {slope}");
                    }
                }
            }
        }
    }
    assert!(compared > 80, "only {compared} differences beside kinks");
}
