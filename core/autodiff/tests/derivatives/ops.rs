//! Each op of the table on its own.

use crate::run::{close, complex_step, differences, doubles, function_of, gradient, jvp};
use pullback_base::DType::F64;
use pullback_ir::Op;
use pullback_ir::ops::{TypeRule, samples};

/// A small generator of numbers (SplitMix64), the same on each run.
pub struct Random(pub u64);

impl Random {
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.bits() % n as u64) as usize
    }

    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub fn chance(&mut self, probability: f64) -> bool {
        self.between(0.0, 1.0) < probability
    }

    pub fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }
}

/// Ops from floats to a float that are not zero almost everywhere.
pub fn differentiable() -> Vec<Op> {
    let flat = [Op::Sign, Op::Floor, Op::Ceil, Op::Round, Op::Trunc];
    samples()
        .into_iter()
        .filter(|op| matches!(op.rule(), TypeRule::Numeric | TypeRule::Float) && !flat.contains(op))
        .collect()
}

/// Where an op is smooth: a range that each operand is drawn from.
pub fn range(op: &Op) -> (f64, f64) {
    match op {
        Op::Sqrt | Op::Rsqrt | Op::Log | Op::Log2 | Op::Log10 | Op::Pow => (0.2, 3.0),
        Op::Asin | Op::Acos | Op::Atanh => (-0.95, 0.95),
        Op::Acosh => (1.1, 4.0),
        Op::Tan => (-1.3, 1.3),
        Op::Rcp => (0.3, 2.0),
        _ => (-2.0, 2.0),
    }
}

#[test]
fn every_op_agrees_with_complex_steps_and_differences() {
    let mut random = Random(1);
    let mut compared = 0;
    for op in differentiable() {
        let operands = op.arity().expect("fixed");
        let f = function_of(op.clone(), F64, operands);
        let (pullback, pushforward) = (gradient(&f), jvp(&f));
        for _ in 0..60 {
            let (low, high) = range(&op);
            let x: Vec<f64> = (0..operands).map(|_| random.between(low, high)).collect();
            let g = random.between(-2.0, 2.0);
            let from_reverse = doubles(&pullback, &[x.clone(), vec![g]].concat());
            for i in 0..operands {
                let expected = complex_step(&f, &x, i)[0];
                let mut tangents = vec![0.0; operands];
                tangents[i] = 1.0;
                let from_forward = doubles(&pushforward, &[x.clone(), tangents].concat())[1];
                assert!(
                    close(from_forward, expected, 1e-12),
                    "{op:?}' {i} of {x:?}: {from_forward}, {expected}"
                );
                let expected = g * expected;
                assert!(close(from_reverse[i], expected, 1e-12), "{op:?}' {i} of {x:?}: {from_reverse:?}");
                let rough = g * differences(&f, &x, i, 1e-3);
                // A jump or kink within the five points changes with the distance; those points say nothing.
                let is_smooth = close(rough, g * differences(&f, &x, i, 4e-4), 1e-6);
                if is_smooth {
                    compared += 1;
                    assert!(
                        close(from_reverse[i], rough, 1e-5),
                        "{op:?}' {i} of {x:?}: {from_reverse:?}, {rough}"
                    );
                }
            }
        }
    }
    assert!(compared > 2500, "only {compared} comparisons with differences");
}

#[test]
fn second_derivatives_of_every_op_agree_with_complex_steps_of_the_first() {
    let mut random = Random(2);
    for op in differentiable() {
        let operands = op.arity().expect("fixed");
        let f = function_of(op.clone(), F64, operands);
        let first = gradient(&f);
        let (forward, reverse) = (jvp(&first), gradient(&first));
        for _ in 0..20 {
            let (low, high) = range(&op);
            let x: Vec<f64> = (0..operands).map(|_| random.between(low, high)).collect();
            let at = [x.clone(), vec![1.0]].concat();
            for i in 0..operands {
                let expected = complex_step(&first, &at, i);
                let mut tangents = vec![0.0; operands + 1];
                tangents[i] = 1.0;
                let tangent =
                    doubles(&forward, &[at.clone(), tangents.clone()].concat())[operands..].to_vec();
                tangents.pop();
                // The Hessian is symmetric, so row i is column i.
                let row = doubles(&reverse, &[at.clone(), tangents].concat())[..operands].to_vec();
                for k in 0..operands {
                    assert!(
                        close(tangent[k], expected[k], 1e-10),
                        "{op:?}'' {i} {k} of {x:?}: {tangent:?} {expected:?}"
                    );
                    assert!(
                        close(row[k], expected[k], 1e-10),
                        "{op:?}'' {i} {k} of {x:?}: {row:?} {expected:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn steps_have_gradient_zero() {
    for op in [Op::Sign, Op::Floor, Op::Ceil, Op::Round, Op::Trunc, Op::Detach] {
        let f = function_of(op, F64, 1);
        for x in [-1.5, 0.0, 0.3, 2.0] {
            assert_eq!(doubles(&gradient(&f), &[x, 1.0]), [0.0]);
            assert_eq!(doubles(&jvp(&f), &[x, 1.0])[1], 0.0);
        }
    }
}
