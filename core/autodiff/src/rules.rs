//! The one table of derivatives: for each op, what a derivative `t` of one operand gives to the result.
//!
//! A scalar op has a 1 x 1 Jacobian for each operand, so `t -> t * p` is both rules at once: `t` is the operand's
//! tangent in forward mode, and the result's cotangent in reverse mode. Ops on arrays are linear: forward mode
//! applies the op itself to tangents, reverse mode applies its transpose.
//!
//! In the laws `x`, `y`, `w` are the operands and `z` is the result.

use crate::mutation::{Bug, on};
use crate::site::{Reads, Site, Term};
use pullback_base::bug;
use pullback_ir::{Op, Scalar, Type, Value};
use std::f64::consts::{LN_2, LN_10};

/// One row of the table.
pub(crate) enum Rule {
    /// The result, or all that it depends on, is no float: there is nothing to differentiate.
    Discrete,
    /// Floats to floats with derivative zero, at its jumps by convention; or declared so, as `detach`.
    Flat,
    /// `t * p` for each operand.
    Partials(&'static [Partial]),
    /// Linear in its float operands, all else fixed.
    Linear(Reads, Transpose),
    /// Does not occur in scalar form.
    Aggregate,
}

/// Gives `t * p` from `t`.
type Apply = for<'s, 'b> fn(Term<'s, 'b>, &'s Site<'b>) -> Term<'s, 'b>;
/// From the result's cotangent, what goes to the operand of that number.
type Transpose = for<'s, 'b> fn(Term<'s, 'b>, &'s Site<'b>, &Op, usize) -> Contribution;

/// The derivative with respect to one operand.
pub(crate) struct Partial {
    pub reads: Reads,
    finite: Finite,
    /// `None`: zero.
    apply: Option<Apply>,
}

/// Whether a partial derivative is finite.
#[derive(Clone, Copy)]
enum Finite {
    Always,
    /// If the operands are.
    Mostly,
    /// Not at some finite operands, unless what is known of the operands excludes them.
    Unless(fn(&Site) -> bool),
    /// Not at some finite operands.
    Singular,
}

/// What reverse mode adds to the adjoint of an operand.
pub(crate) enum Contribution {
    Whole(Value),
    /// To one element of an array.
    Element(Index, Value),
}

#[derive(Clone, Copy)]
pub(crate) enum Index {
    Constant(u32),
    Dynamic(Value),
}

impl Partial {
    /// `t * p`, guarded where `p` may not be finite. `masked`: whether `t` may be zero because a branch was not taken.
    pub fn apply(&self, t: Value, site: &Site, masked: bool) -> Option<Value> {
        let (apply, t) = (self.apply?, site.term(t));
        let guarded = match self.finite {
            Finite::Always => false,
            Finite::Mostly => masked,
            Finite::Unless(is_safe) => masked || !is_safe(site),
            Finite::Singular => true,
        };
        let product = if guarded { t.times_or_zero(apply(t.number(1.0), site)) } else { apply(t, site) };
        Some(product.value)
    }
}

const NOTHING: Reads = Reads::NOTHING;
const X: Reads = Reads::X;
const Y: Reads = Reads::Y;
const Z: Reads = Reads::Z;
const XY: Reads = X.and(Y);
const XZ: Reads = X.and(Z);
const YZ: Reads = Y.and(Z);
const XYW: Reads = XY.and(Reads::W);
const XYZ: Reads = XY.and(Z);

/// No derivative with respect to this operand.
const ZERO: Partial = Partial { reads: NOTHING, finite: Finite::Always, apply: None };
const ONE: Partial = constant(|t, _| t);
const MINUS_ONE: Partial = constant(|t, _| -t);

const fn partial(reads: Reads, finite: Finite, apply: Apply) -> Partial {
    Partial { reads, finite, apply: Some(apply) }
}

/// The partial derivative is a number.
const fn constant(apply: Apply) -> Partial {
    partial(NOTHING, Finite::Always, apply)
}

/// The partial derivative is -1, 0, 1/2 or 1, by comparison.
const fn routed(reads: Reads, apply: Apply) -> Partial {
    partial(reads, Finite::Always, apply)
}

const fn smooth(reads: Reads, apply: Apply) -> Partial {
    partial(reads, Finite::Mostly, apply)
}

const fn singular(reads: Reads, apply: Apply) -> Partial {
    partial(reads, Finite::Singular, apply)
}

const fn singular_unless(is_safe: fn(&Site) -> bool, reads: Reads, apply: Apply) -> Partial {
    partial(reads, Finite::Unless(is_safe), apply)
}

/// Divided by a known number, or raised to a known power of at least one.
const BY_NUMBER: fn(&Site) -> bool = |s| s.y_is(|y| y != 0.0);
const NO_POLE: fn(&Site) -> bool = |s| s.y_is(|y| y >= 1.0);

macro_rules! partials {
    ($($partial:expr),* $(,)?) => { Rule::Partials(const { &[$($partial),*] }) };
}

/// The table: the row of an op.
pub(crate) fn rule(op: &Op) -> Rule {
    use Op::*;
    match op {
        Const(_) | LaneId | PointerOffset | PointerCast(_) | Bitcast(_) => Rule::Discrete,
        Not | And | Or | Xor | Shl | Shr => Rule::Discrete,
        CountBits | ReverseBits | FirstBitHigh | FirstBitLow => Rule::Discrete,
        Eq | Ne | Lt | Le | Gt | Ge | IsNan | IsInf => Rule::Discrete,
        Sign | Floor | Ceil | Round | Trunc | Detach | Cut | Unpaired => Rule::Flat,

        Neg => partials![MINUS_ONE],
        Add => partials![ONE, ONE],
        Sub => partials![ONE, MINUS_ONE],
        Mul => partials![
            smooth(Y, |t, s| t * s.y()),
            smooth(X, |t, s| if on(Bug::WrongFactor) { t * t } else { t * s.x() }),
        ],
        Fma => partials![smooth(Y, |t, s| t * s.y()), smooth(X, |t, s| t * s.x()), ONE],
        // d(x/y) = (dx - z dy) / y
        Div => partials![
            singular_unless(BY_NUMBER, Y, |t, s| t / s.y()),
            singular(YZ, |t, s| {
                let ratio = t / s.y();
                -(if on(Bug::DivisorWithoutResult) { ratio } else { ratio * s.z() })
            }),
        ],
        Rem => partials![ONE, singular(XYZ, remainder_by_divisor)],
        Min | Max => {
            partials![routed(XYZ, |t, s| winner(t, s, s.x())), routed(XYZ, |t, s| winner(t, s, s.y()))]
        }
        // The value is inclusive; the bounds are strict, the lower one gives way where they cross.
        Clamp => partials![
            routed(XYW, |t, s| t.only_where(s.y().at_most(s.x()) & s.x().at_most(s.w()))),
            routed(XYW, |t, s| t.only_where(s.x().less(s.y()) & s.y().less(s.w()))),
            routed(XYW, |t, s| t.only_where(s.w().less(s.x()) | s.w().less(s.y()))),
        ],
        // sign(0) = 0, the least of the subgradients.
        Abs => partials![routed(X, |t, s| t * s.x().sign())],
        MulOrZero => partials![
            singular(XY, finite_at_zero),
            // A zero x cancels what comes from y, even infinities.
            routed(X, |t, s| t.only_where(s.x().op(Op::Ne, &[s.x().zero()])).times_or_zero(s.x())),
        ],
        // 0 at x = 0.
        Copysign => partials![routed(XZ, |t, s| t * (s.x().sign() * s.z().sign())), ZERO],
        Fract => partials![ONE],

        // d sqrt(x) = dx / 2z
        Sqrt => partials![singular(XZ, |t, s| t * 0.5 / root_apart_from_zero(s))],
        // d x^(-1/2) = -1/2 x^(-3/2) dx = -1/2 z^3 dx
        Rsqrt => partials![singular(Z, |t, s| t * -0.5 * (s.z().squared() * s.z()))],
        // d(1/x) = -z^2 dx
        Rcp => partials![singular(XZ, reciprocal)],
        Exp => partials![smooth(Z, |t, s| t * s.z())],
        Exp2 => partials![smooth(Z, |t, s| t * s.z() * LN_2)],
        Log => partials![singular(X, |t, s| t / s.x())],
        Log2 => partials![singular(X, |t, s| t / (s.x() * LN_2))],
        Log10 => partials![singular(X, |t, s| t / (s.x() * LN_10))],
        Pow => partials![singular_unless(NO_POLE, XY, power_by_base), singular(XYZ, power_by_exponent)],

        Sin => partials![smooth(X, |t, s| t * s.x().op(Op::Cos, &[]))],
        Cos => partials![smooth(X, |t, s| {
            let slope = t * s.x().op(Op::Sin, &[]);
            if on(Bug::CosineSign) { slope } else { -slope }
        })],
        Tan => partials![smooth(Z, |t, s| t * (1.0 + s.z().squared()))],
        Asin => partials![singular(X, |t, s| t / one_minus_square(s.x()).sqrt())],
        Acos => partials![singular(X, |t, s| -(t / one_minus_square(s.x()).sqrt()))],
        Atan => partials![smooth(X, |t, s| t / (1.0 + s.x().squared()))],
        // z = atan(x / y): dz = (y dx - x dy) / (x^2 + y^2)
        Atan2 => partials![
            singular(XY, |t, s| t / (s.x().squared() + s.y().squared()) * s.y()),
            singular(XY, |t, s| -(t / (s.x().squared() + s.y().squared()) * s.x())),
        ],
        Sinh => partials![smooth(X, |t, s| t * s.x().op(Op::Cosh, &[]))],
        Cosh => partials![smooth(X, |t, s| t * s.x().op(Op::Sinh, &[]))],
        Tanh => partials![smooth(Z, |t, s| {
            if on(Bug::TanhNotSquared) { t * (1.0 - s.z()) } else { t * one_minus_square(s.z()) }
        })],
        Asinh => partials![smooth(X, |t, s| t / (1.0 + s.x().squared()).sqrt())],
        Acosh => partials![singular(X, |t, s| t / ((s.x() - 1.0) * (s.x() + 1.0)).sqrt())],
        Atanh => partials![singular(X, |t, s| t / one_minus_square(s.x()))],

        // Between floats the derivative is converted too. From an integer none comes, to an integer none goes.
        Convert(_) => Rule::Linear(NOTHING, |g, _, _, _| Contribution::Whole(g.value)),
        Select => Rule::Linear(X, transpose_select),
        Splat(_) => Rule::Linear(NOTHING, transpose_splat),
        Construct(_) => Rule::Linear(NOTHING, transpose_construct),
        Extract(_) => Rule::Linear(NOTHING, transpose_extract),
        Insert(_) => Rule::Linear(NOTHING, transpose_insert),
        ElementGet => Rule::Linear(Y, transpose_element_get),
        ElementSet => Rule::Linear(Y, transpose_element_set),

        Swizzle(_) | Dot | MatMul | Transpose => Rule::Aggregate,
    }
}

/// `z = x - n y` with an integer `n`, so `dz = dx - n dy`. `n` is `trunc(x / y)`; taken from `z` it is right even
/// where `x / y` rounds up to an integer. Slang's library has no derivative by `y`.
fn remainder_by_divisor<'s, 'b>(t: Term<'s, 'b>, s: &'s Site<'b>) -> Term<'s, 'b> {
    if s.is_slang() {
        return t.zero();
    }
    let n = ((s.x() - s.z()) / s.y()).op(Op::Round, &[]);
    -(t * n)
}

/// `y`, but 0 where `x = 0` cancels one that is not finite.
fn finite_at_zero<'s, 'b>(t: Term<'s, 'b>, s: &'s Site<'b>) -> Term<'s, 'b> {
    let cancelled = s.x().equals(s.x().zero()) & (s.x() * s.y()).op(Op::IsNan, &[]);
    t * s.y().zero().where_else(cancelled, s.y())
}

/// The operand that is the result takes all; at a tie each takes half. A NaN is never the result.
fn winner<'s, 'b>(t: Term<'s, 'b>, s: &'s Site<'b>, operand: Term<'s, 'b>) -> Term<'s, 'b> {
    let share = (t * 0.5).where_else(s.x().equals(s.y()), t);
    share.only_where(s.z().equals(operand))
}

/// `1 - a^2`, without the cancellation near 1.
fn one_minus_square<'s, 'b>(a: Term<'s, 'b>) -> Term<'s, 'b> {
    (1.0 - a) * (1.0 + a)
}

/// `sqrt(x)`; in Slang's library that of `1e-7` at least.
fn root_apart_from_zero<'s, 'b>(s: &'s Site<'b>) -> Term<'s, 'b> {
    if s.is_slang() { s.x().op(Op::Max, &[s.x().number(1e-7)]).sqrt() } else { s.z() }
}

/// `-t z^2`; in Slang's library `-t / max(x^2, 1e-7)`.
fn reciprocal<'s, 'b>(t: Term<'s, 'b>, s: &'s Site<'b>) -> Term<'s, 'b> {
    if !s.is_slang() {
        return -(t * s.z().squared());
    }
    let square = s.x().squared();
    -(t / square.op(Op::Max, &[square.number(1e-7)]))
}

/// `d x^y = y x^(y-1) dx`, 0 for `y = 0`.
fn power_by_base<'s, 'b>(t: Term<'s, 'b>, s: &'s Site<'b>) -> Term<'s, 'b> {
    let exponent = if on(Bug::ExponentKept) { s.y() } else { s.y() - 1.0 };
    let power = s.x().op(Op::Pow, &[exponent]);
    // 0 * x^-1 is 0 of itself unless x is 0. A condition `y = 0` would cut off the derivative by y, 1/x.
    let p = if s.y_is(|y| y != 0.0) { s.y() * power } else { s.y().times_or_zero(power) };
    apart_from_zero(t * p, s)
}

/// `d x^y = z log(x) dy`, 0 for `x = 0` and `y >= 0`.
fn power_by_exponent<'s, 'b>(t: Term<'s, 'b>, s: &'s Site<'b>) -> Term<'s, 'b> {
    let zero = t.zero();
    let is_flat = s.x().equals(zero) & zero.at_most(s.y());
    let p = s.z() * s.x().op(Op::Log, &[]);
    apart_from_zero(t * zero.where_else(is_flat, p), s)
}

/// Slang's library gives `pow` no derivative for `x < 1e-6`.
fn apart_from_zero<'s, 'b>(product: Term<'s, 'b>, s: &'s Site<'b>) -> Term<'s, 'b> {
    if s.is_slang() { product.only_where(product.number(1e-6).at_most(s.x())) } else { product }
}

/// Each arm gets the cotangent where it was chosen, and zero where not: never a product with zero.
fn transpose_select<'s, 'b>(g: Term<'s, 'b>, s: &'s Site<'b>, _: &Op, operand: usize) -> Contribution {
    let operand = if on(Bug::SelectSwapped) { 3 - operand } else { operand };
    let share = if operand == 1 { g.only_where(s.x()) } else { g.zero().where_else(s.x(), g) };
    Contribution::Whole(share.value)
}

/// The sum over the copies.
fn transpose_splat<'s, 'b>(g: Term<'s, 'b>, _: &'s Site<'b>, _: &Op, _: usize) -> Contribution {
    let copies: Vec<Term> =
        (u32::from(on(Bug::SplatForgetsOne))..g.element_count()).map(|i| g.op(Op::Extract(i), &[])).collect();
    let sum = copies.into_iter().reduce(|a, b| a + b);
    Contribution::Whole(sum.unwrap_or_else(|| g.element_zero()).value)
}

fn transpose_construct<'s, 'b>(g: Term<'s, 'b>, _: &'s Site<'b>, _: &Op, operand: usize) -> Contribution {
    Contribution::Whole(g.op(Op::Extract(operand as u32), &[]).value)
}

fn transpose_extract<'s, 'b>(g: Term<'s, 'b>, _: &'s Site<'b>, op: &Op, _: usize) -> Contribution {
    Contribution::Element(Index::Constant(number_of(op)), g.value)
}

/// The element gets its own cotangent; what it replaced gets none.
fn transpose_insert<'s, 'b>(g: Term<'s, 'b>, _: &'s Site<'b>, op: &Op, operand: usize) -> Contribution {
    let number = number_of(op);
    let share = match operand {
        0 if on(Bug::InsertKeepsOld) => g,
        0 => g.op(Op::Insert(number), &[g.element_zero()]),
        _ => g.op(Op::Extract(number), &[]),
    };
    Contribution::Whole(share.value)
}

/// Out of range the result is zero, and adding to no element changes nothing.
fn transpose_element_get<'s, 'b>(g: Term<'s, 'b>, s: &'s Site<'b>, _: &Op, _: usize) -> Contribution {
    Contribution::Element(Index::Dynamic(s.y().value), g.value)
}

/// As [`transpose_insert`]. Out of range the array passes whole and the element gets zero: just what the ops give.
fn transpose_element_set<'s, 'b>(g: Term<'s, 'b>, s: &'s Site<'b>, _: &Op, operand: usize) -> Contribution {
    let share = match operand {
        0 if on(Bug::SetKeepsOld) => g,
        0 => g.op(Op::ElementSet, &[s.y(), g.element_zero()]),
        _ => g.op(Op::ElementGet, &[s.y()]),
    };
    Contribution::Whole(share.value)
}

fn number_of(op: &Op) -> u32 {
    match op {
        Op::Extract(number) | Op::Insert(number) => *number,
        _ => bug!("autodiff", "`{}` has no element number", op.name()),
    }
}

/// The type of a value's adjoint: contributions to a half are summed in f32.
pub(crate) fn adjoint_type(ty: &Type) -> Type {
    match ty {
        Type::Scalar(Scalar::F16 | Scalar::BF16) => Type::F32,
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pullback_ir::ops::{TypeRule, samples};

    #[test]
    fn every_op_has_a_row_that_fits_its_operands() {
        for op in samples() {
            match rule(&op) {
                Rule::Partials(partials) => assert_eq!(op.arity(), Some(partials.len()), "{op:?}"),
                Rule::Discrete => {
                    let never_float_to_float = matches!(
                        op.rule(),
                        TypeRule::Bits | TypeRule::Integer | TypeRule::Compare | TypeRule::FloatTest
                    );
                    let exempt = matches!(
                        op,
                        Op::Const(_) | Op::LaneId | Op::PointerOffset | Op::PointerCast(_) | Op::Bitcast(_)
                    );
                    assert!(never_float_to_float || exempt, "{op:?} may take floats to floats");
                }
                Rule::Flat => {
                    let marks = [Op::Detach, Op::Cut, Op::Unpaired];
                    let steps = [Op::Sign, Op::Floor, Op::Ceil, Op::Round, Op::Trunc];
                    assert!(steps.contains(&op) || marks.contains(&op), "{op:?}");
                }
                Rule::Aggregate => {
                    assert!(matches!(op, Op::Swizzle(_) | Op::Dot | Op::MatMul | Op::Transpose), "{op:?}");
                }
                Rule::Linear(..) => assert_eq!(op.rule(), TypeRule::Special, "{op:?}"),
            }
        }
    }
}
