//! A number type for the interpreter that carries, beside the exact result, how far each target's may be from it.
//!
//! Running error analysis: an op's bound is the table's tolerance for the op itself, and how much the result moves
//! when an operand moves by its own bound, found by evaluating the op at both ends. So a whole function is held to
//! what the table says of its ops, and to nothing looser.

use crate::tolerance::{Target, Tolerance, is_promised, tolerance};
use pullback_interp::Number;
use pullback_ir::{Constant, Op, Scalar, eval};
use std::cell::Cell;

pub const TARGETS: [Target; 3] = [Target::Cpu, Target::Cuda, Target::Vulkan];

/// A result, and for each of [`TARGETS`] how far from it theirs may be; infinite when anything may come.
#[derive(Clone, Debug, PartialEq)]
pub struct Bounded {
    pub value: Constant,
    pub bounds: [f64; TARGETS.len()],
}

/// Errors of several operands may add up to a little more than the sum of what each does alone.
const JOINT: f64 = 1.25;

impl Number for Bounded {
    fn from_constant(constant: Constant) -> Self {
        Self { value: constant, bounds: [0.0; TARGETS.len()] }
    }

    fn real(&self) -> Constant {
        self.value
    }

    fn computed(scalar: Scalar) -> Scalar {
        scalar
    }

    fn apply(op: &Op, args: &[Self]) -> Option<Self> {
        let values: Vec<Constant> = args.iter().map(|arg| arg.value).collect();
        let value = eval(op, &values)?;
        let numbers: Vec<f64> = values.iter().map(|value| value.as_f64()).collect();
        let mut bounds = [0.0; TARGETS.len()];
        for (index, target) in TARGETS.into_iter().enumerate() {
            if !is_promised(op.name(), value.scalar(), target, &numbers, value.as_f64()) {
                bounds[index] = f64::INFINITY;
                continue;
            }
            let own = size(tolerance(op.name(), value.scalar(), target), value);
            let moved = moved(op, args, &values, value, index);
            bounds[index] = own + JOINT * moved;
        }
        Some(Self { value, bounds })
    }

    fn decide(op: &Op, args: &[Self]) {
        let values: Vec<Constant> = args.iter().map(|arg| arg.value).collect();
        let Some(value) = eval(op, &values) else { return };
        for index in 0..TARGETS.len() {
            if moved(op, args, &values, value, index) > 0.0 {
                UNDECIDED.with(|undecided| undecided.set(undecided.get() | 1 << index));
            }
        }
    }
}

thread_local! {
    /// A bit for each target that may decide otherwise what branches, indices or integers are.
    static UNDECIDED: Cell<u8> = const { Cell::new(0) };
}

/// Runs a function of bounded numbers; whether each target must have decided all that it decides as it did.
pub fn deciding<T>(run: impl FnOnce() -> T) -> (T, [bool; TARGETS.len()]) {
    UNDECIDED.with(|undecided| undecided.set(0));
    let result = run();
    let undecided = UNDECIDED.with(Cell::get);
    (result, std::array::from_fn(|index| undecided & 1 << index == 0))
}

/// How far an op's result moves when its operands move by their bounds for a target: one after another, or together, since
/// rounding may hide what each does alone.
fn moved(op: &Op, args: &[Bounded], values: &[Constant], value: Constant, target: usize) -> f64 {
    let bound = |place: usize| args[place].bounds[target];
    let uncertain: Vec<usize> = (0..args.len()).filter(|&place| bound(place) > 0.0).collect();
    let at = |moves: &[(usize, f64)]| {
        let mut values = values.to_vec();
        for &(place, offset) in moves {
            let arg = &args[place].value;
            values[place] = Constant::float(arg.scalar(), arg.as_f64() + offset);
        }
        eval(op, &values).map_or(f64::INFINITY, |moved| distance(value, moved))
    };
    let apart =
        uncertain.iter().map(|&place| at(&[(place, bound(place))]).max(at(&[(place, -bound(place))])));
    let apart: f64 = apart.sum();
    let corners = if uncertain.len() <= MOST_TOGETHER { 1 << uncertain.len() } else { 0 };
    let together = (0..corners).map(|corner: u32| {
        let signed = |(bit, &place): (usize, &usize)| {
            let is_down = corner >> bit & 1 == 1;
            (place, if is_down { -bound(place) } else { bound(place) })
        };
        at(&uncertain.iter().enumerate().map(signed).collect::<Vec<_>>())
    });
    together.fold(apart, f64::max)
}

/// Operands that are moved together.
const MOST_TOGETHER: usize = 3;

fn size(tolerance: Tolerance, value: Constant) -> f64 {
    if value.as_f64().is_finite() { tolerance.distance(value.scalar(), value.as_f64()) } else { 0.0 }
}

/// Infinite where one is NaN or infinite and the other is not.
fn distance(a: Constant, b: Constant) -> f64 {
    let (a, b) = (a.as_f64(), b.as_f64());
    if a == b || (a.is_nan() && b.is_nan()) {
        return 0.0;
    }
    let distance = (a - b).abs();
    if distance.is_nan() { f64::INFINITY } else { distance }
}

impl Bounded {
    /// Whether a target's result passes.
    pub fn accepts(&self, target: Target, found: Constant) -> bool {
        let index = TARGETS.iter().position(|&known| known == target).unwrap_or(0);
        let bound = self.bounds[index];
        if bound.is_infinite() {
            return true;
        }
        Tolerance { ulps: 0.0, absolute: bound }.accepts(
            self.value.scalar(),
            self.value.as_f64(),
            found.as_f64(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exact(value: f64) -> Bounded {
        Bounded::from_constant(Constant::float(Scalar::F32, value))
    }

    #[test]
    fn exact_ops_of_exact_operands_have_no_slack() {
        let sum = Bounded::apply(&Op::Add, &[exact(0.1), exact(0.2)]).expect("known");
        assert_eq!(sum.bounds[0], 0.0);
        assert!(!sum.accepts(Target::Cpu, Constant::float(Scalar::F32, sum.value.as_f64() + 1e-6)));
    }

    #[test]
    fn cancellation_makes_an_early_error_matter() {
        let sine = Bounded::apply(&Op::Sin, &[exact(1.0)]).expect("known");
        let rest = Bounded::apply(&Op::Sub, &[sine.clone(), exact(0.8414)]).expect("known");
        assert!(rest.bounds[0] >= sine.bounds[0] && rest.bounds[0] < 1e-5);
    }
}
