//! The one table of derivatives: for each op, what a derivative `t` of one operand gives to the result.
//!
//! A scalar op has a 1 x 1 Jacobian for each operand, so `t -> t * p` is both rules at once: `t` is the operand's
//! tangent in forward mode, and the result's cotangent in reverse mode. Ops on arrays are linear: forward mode
//! applies the op itself to tangents, reverse mode applies its transpose.
//!
//! In the laws `x`, `y`, `w` are the operands and `z` is the result.

use crate::Convention;
use pullback_base::bug;
use pullback_ir::{FunctionBuilder, Op, Scalar, Type, Value};
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
    Linear { reads: Reads, transpose: Transpose },
    /// Does not occur in scalar form.
    Aggregate,
}

/// Gives `t * p` from `t`.
type Apply = fn(&mut Site, Value) -> Value;
/// From the result's cotangent, what goes to the active operands.
type Transpose = fn(&mut Site, &Op, Value) -> Vec<Contribution>;

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

/// Which of `x`, `y`, `w`, `z` a rule reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Reads(u8);

impl Reads {
    pub const NOTHING: Reads = Reads(0);
    const RESULT: usize = 3;

    /// The values read, of a statement's operands and result.
    pub fn of(self, args: &[Value], result: Value) -> impl Iterator<Item = Value> {
        let operands = args.iter().take(Self::RESULT).enumerate().filter(move |(i, _)| self.has(*i));
        operands.map(|(_, arg)| *arg).chain(self.has(Self::RESULT).then_some(result))
    }

    pub const fn and(self, other: Reads) -> Reads {
        Reads(self.0 | other.0)
    }

    fn has(self, slot: usize) -> bool {
        self.0 & (1 << slot) != 0
    }
}

/// What reverse mode adds to an operand's adjoint.
pub(crate) enum Contribution {
    Whole(usize, Value),
    /// To one element of an array.
    Element(usize, Index, Value),
}

#[derive(Clone, Copy)]
pub(crate) enum Index {
    Constant(u32),
    Dynamic(Value),
}

/// Where a rule is applied: the builder, and the values the rule may read.
pub(crate) struct Site<'a> {
    pub b: &'a mut FunctionBuilder,
    pub convention: Convention,
    /// Operands, then the result; `None` where the rule does not read.
    slots: [Option<Value>; 4],
    /// The operands known at compile time.
    constants: [Option<f64>; 3],
    /// Which operands have a derivative.
    active: &'a [bool],
}

impl<'a> Site<'a> {
    /// `copy` gives the value in the derived function of a value that the rule reads.
    pub fn new(
        b: &'a mut FunctionBuilder,
        convention: Convention,
        reads: Reads,
        (args, result): (&[Value], Value),
        active: &'a [bool],
        copy: impl Fn(Value) -> Value,
        constant: impl Fn(Value) -> Option<f64>,
    ) -> Self {
        let mut slots = [None; 4];
        let mut constants = [None; 3];
        for (i, &arg) in args.iter().take(Reads::RESULT).enumerate() {
            slots[i] = reads.has(i).then(|| copy(arg));
            constants[i] = constant(arg);
        }
        slots[Reads::RESULT] = reads.has(Reads::RESULT).then(|| copy(result));
        Self { b, convention, slots, constants, active }
    }

    fn slot(&self, slot: usize) -> Value {
        match self.slots[slot] {
            Some(value) => value,
            None => bug!("autodiff", "a rule reads slot {slot} without saying so"),
        }
    }

    fn x(&self) -> Value {
        self.slot(0)
    }
    fn y(&self) -> Value {
        self.slot(1)
    }
    fn w(&self) -> Value {
        self.slot(2)
    }
    fn z(&self) -> Value {
        self.slot(Reads::RESULT)
    }

    fn is_slang(&self) -> bool {
        self.convention == Convention::Slang
    }

    fn op1(&mut self, op: Op, a: Value) -> Value {
        self.b.op(op, &[a])
    }
    fn op2(&mut self, op: Op, a: Value, b: Value) -> Value {
        self.b.op(op, &[a, b])
    }
    fn add(&mut self, a: Value, b: Value) -> Value {
        self.b.add(a, b)
    }
    fn sub(&mut self, a: Value, b: Value) -> Value {
        self.b.sub(a, b)
    }
    fn mul(&mut self, a: Value, b: Value) -> Value {
        self.b.mul(a, b)
    }
    fn div(&mut self, a: Value, b: Value) -> Value {
        self.b.div(a, b)
    }
    fn neg(&mut self, a: Value) -> Value {
        self.b.neg(a)
    }
    fn square(&mut self, a: Value) -> Value {
        self.b.mul(a, a)
    }

    /// The number in the type of `like`.
    fn number(&mut self, like: Value, value: f64) -> Value {
        let ty = self.b.ty(like).clone();
        self.b.number(&ty, value)
    }

    fn zero(&mut self, like: Value) -> Value {
        let ty = self.b.ty(like).clone();
        self.b.zero(&ty)
    }

    /// `a * number`
    fn scale(&mut self, a: Value, number: f64) -> Value {
        let number = self.number(a, number);
        self.mul(a, number)
    }

    /// `condition ? a : 0`
    fn only_if(&mut self, condition: Value, a: Value) -> Value {
        let zero = self.zero(a);
        self.b.select(condition, a, zero)
    }

    /// `1 - a^2`, without the cancellation near 1.
    fn one_minus_square(&mut self, a: Value) -> Value {
        let one = self.number(a, 1.0);
        let (minus, plus) = (self.sub(one, a), self.add(one, a));
        self.mul(minus, plus)
    }

    /// `1 + a^2`
    fn one_plus_square(&mut self, a: Value) -> Value {
        let (square, one) = (self.square(a), self.number(a, 1.0));
        self.add(one, square)
    }

    /// A product with the factor `t`, made zero where `t` is, even if the other factor is not finite there.
    fn guard(&mut self, t: Value, product: Value) -> Value {
        let zero = self.zero(t);
        let is_zero = self.op2(Op::Eq, t, zero);
        let is_nan = self.op1(Op::IsNan, product);
        let spoiled = self.op2(Op::And, is_zero, is_nan);
        self.b.select(spoiled, zero, product)
    }

    /// `t * p`, guarded where `p` may not be finite. `masked`: whether `t` may be zero because a branch was not taken.
    pub fn apply(&mut self, partial: &Partial, t: Value, masked: bool) -> Option<Value> {
        let product = partial.apply?(self, t);
        let guarded = match partial.finite {
            Finite::Always => false,
            Finite::Mostly => masked,
            Finite::Unless(is_safe) => masked || !is_safe(self),
            Finite::Singular => true,
        };
        Some(if guarded { self.guard(t, product) } else { product })
    }
}

const X: Reads = Reads(1);
const Y: Reads = Reads(2);
const W: Reads = Reads(4);
const Z: Reads = Reads(8);
const XY: Reads = X.and(Y);
const XZ: Reads = X.and(Z);
const YZ: Reads = Y.and(Z);
const XYW: Reads = XY.and(W);
const XYZ: Reads = XY.and(Z);

/// No derivative with respect to this operand.
const FLAT: Partial = Partial { reads: Reads::NOTHING, finite: Finite::Always, apply: None };
const SAME: Partial = constant(|_, t| t);

const fn partial(reads: Reads, finite: Finite, apply: Apply) -> Partial {
    Partial { reads, finite, apply: Some(apply) }
}

/// The partial derivative is a number.
const fn constant(apply: Apply) -> Partial {
    partial(Reads::NOTHING, Finite::Always, apply)
}

/// The partial derivative is 0, 1/2 or 1, by comparison.
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

fn divisor_is_a_number(site: &Site) -> bool {
    site.constants[1].is_some_and(|y| y != 0.0)
}

fn exponent_is_at_least_one(site: &Site) -> bool {
    site.constants[1].is_some_and(|y| y >= 1.0)
}

macro_rules! partials {
    ($($partial:expr),* $(,)?) => { Rule::Partials(const { &[$($partial),*] }) };
}

/// The table: the row of an op.
#[rustfmt::skip]
pub(crate) fn rule(op: &Op) -> Rule {
    use Op::*;
    match op {
        Const(_) | LaneId | PointerOffset => Rule::Discrete,
        Not | And | Or | Xor | Shl | Shr | CountBits | ReverseBits | FirstBitHigh | FirstBitLow => Rule::Discrete,
        Eq | Ne | Lt | Le | Gt | Ge | IsNan | IsInf => Rule::Discrete,
        Bitcast(_) => Rule::Discrete,
        Sign | Floor | Ceil | Round | Trunc | Detach => Rule::Flat,

        Neg => partials![constant(|s, t| s.neg(t))],
        Add => partials![SAME, SAME],
        Sub => partials![SAME, constant(|s, t| s.neg(t))],
        Mul => partials![smooth(Y, |s, t| s.mul(t, s.y())), smooth(X, |s, t| s.mul(t, s.x()))],
        Fma => partials![smooth(Y, |s, t| s.mul(t, s.y())), smooth(X, |s, t| s.mul(t, s.x())), SAME],
        // d(x/y) = (dx - z dy) / y
        Div => partials![
            singular_unless(divisor_is_a_number, Y, |s, t| s.div(t, s.y())),
            singular(YZ, |s, t| { let q = s.div(t, s.y()); let p = s.mul(q, s.z()); s.neg(p) }),
        ],
        // z = x - n y with the integer n = trunc(x / y)
        Rem => partials![SAME, singular(XYZ, remainder_by_divisor)],
        Min | Max => partials![routed(XYZ, |s, t| winner(s, t, s.x())), routed(XYZ, |s, t| winner(s, t, s.y()))],
        Clamp => partials![routed(XYW, clamp_value), routed(XYW, clamp_low), routed(XYW, clamp_high)],
        // sign(0) = 0: the least of the subgradients
        Abs => partials![smooth(X, |s, t| { let p = s.op1(Sign, s.x()); s.mul(t, p) })],
        // |dz/dx| = 1, in the sense of the sign; 0 at x = 0
        Copysign => partials![smooth(XZ, copysign_by_magnitude), FLAT],
        Fract => partials![SAME],

        Sqrt => partials![singular(XZ, square_root)],
        // d x^(-1/2) = -1/2 x^(-3/2) = -1/2 z^3
        Rsqrt => partials![singular(Z, |s, t| { let z2 = s.square(s.z()); let z3 = s.mul(z2, s.z()); let h = s.scale(t, -0.5); s.mul(h, z3) })],
        Rcp => partials![singular(XZ, reciprocal)],
        Exp => partials![smooth(Z, |s, t| s.mul(t, s.z()))],
        Exp2 => partials![smooth(Z, |s, t| { let p = s.mul(t, s.z()); s.scale(p, LN_2) })],
        Log => partials![singular(X, |s, t| s.div(t, s.x()))],
        Log2 => partials![singular(X, |s, t| { let d = s.scale(s.x(), LN_2); s.div(t, d) })],
        Log10 => partials![singular(X, |s, t| { let d = s.scale(s.x(), LN_10); s.div(t, d) })],
        Pow => partials![
            singular_unless(exponent_is_at_least_one, XY, power_by_base),
            singular(XYZ, power_by_exponent),
        ],

        Sin => partials![smooth(X, |s, t| { let p = s.op1(Cos, s.x()); s.mul(t, p) })],
        Cos => partials![smooth(X, |s, t| { let p = s.op1(Sin, s.x()); let p = s.mul(t, p); s.neg(p) })],
        Tan => partials![smooth(Z, |s, t| { let p = s.one_plus_square(s.z()); s.mul(t, p) })],
        Asin => partials![singular(X, inverse_sine)],
        Acos => partials![singular(X, |s, t| { let p = inverse_sine(s, t); s.neg(p) })],
        Atan => partials![smooth(X, |s, t| { let d = s.one_plus_square(s.x()); s.div(t, d) })],
        // atan2(y, x), here (x, y): dz = (y dx - x dy) / (x^2 + y^2)
        Atan2 => partials![
            singular(XY, |s, t| { let q = over_square_of_radius(s, t); s.mul(q, s.y()) }),
            singular(XY, |s, t| { let q = over_square_of_radius(s, t); let p = s.mul(q, s.x()); s.neg(p) }),
        ],
        Sinh => partials![smooth(X, |s, t| { let p = s.op1(Cosh, s.x()); s.mul(t, p) })],
        Cosh => partials![smooth(X, |s, t| { let p = s.op1(Sinh, s.x()); s.mul(t, p) })],
        Tanh => partials![smooth(Z, |s, t| { let p = s.one_minus_square(s.z()); s.mul(t, p) })],
        Asinh => partials![smooth(X, |s, t| { let d = s.one_plus_square(s.x()); let d = s.op1(Sqrt, d); s.div(t, d) })],
        Acosh => partials![singular(X, inverse_hyperbolic_cosine)],
        Atanh => partials![singular(X, |s, t| { let d = s.one_minus_square(s.x()); s.div(t, d) })],

        // Between floats: the derivative is converted too. From an integer nothing flows.
        Convert(_) => Rule::Linear { reads: Reads::NOTHING, transpose: |_, _, g| vec![Contribution::Whole(0, g)] },
        Select => Rule::Linear { reads: X, transpose: transpose_select },
        Splat(_) => Rule::Linear { reads: Reads::NOTHING, transpose: transpose_splat },
        Construct(_) => Rule::Linear { reads: Reads::NOTHING, transpose: transpose_construct },
        Extract(_) => Rule::Linear { reads: Reads::NOTHING, transpose: |_, op, g| vec![Contribution::Element(0, Index::Constant(number_of(op)), g)] },
        Insert(_) => Rule::Linear { reads: Reads::NOTHING, transpose: transpose_insert },
        // Out of range: the result is zero, and adding to no element changes nothing.
        ElementGet => Rule::Linear { reads: Y, transpose: |s, _, g| vec![Contribution::Element(0, Index::Dynamic(s.y()), g)] },
        ElementSet => Rule::Linear { reads: Y, transpose: transpose_element_set },

        Swizzle(_) | Dot | MatMul | Transpose => Rule::Aggregate,
    }
}

/// `dz/dy = -n`, as `round((x - z) / y)`: exact even where `x / y` rounds up to an integer.
fn remainder_by_divisor(s: &mut Site, t: Value) -> Value {
    if s.is_slang() {
        return s.zero(t);
    }
    let multiple = s.sub(s.x(), s.z());
    let n = s.div(multiple, s.y());
    let n = s.op1(Op::Round, n);
    let p = s.mul(t, n);
    s.neg(p)
}

/// The operand that is the result takes all; at a tie each takes half. A NaN is never the result.
fn winner(s: &mut Site, t: Value, operand: Value) -> Value {
    let wins = s.op2(Op::Eq, s.z(), operand);
    let tie = s.op2(Op::Eq, s.x(), s.y());
    let half = s.scale(t, 0.5);
    let share = s.b.select(tie, half, t);
    s.only_if(wins, share)
}

/// Inclusive: all where `low <= x <= high`.
fn clamp_value(s: &mut Site, t: Value) -> Value {
    let (above, below) = (s.op2(Op::Ge, s.x(), s.y()), s.op2(Op::Le, s.x(), s.w()));
    let inside = s.op2(Op::And, above, below);
    s.only_if(inside, t)
}

/// Strict, and none where `low >= high`: there `high` decides.
fn clamp_low(s: &mut Site, t: Value) -> Value {
    let (below, ordered) = (s.op2(Op::Lt, s.x(), s.y()), s.op2(Op::Lt, s.y(), s.w()));
    let taken = s.op2(Op::And, below, ordered);
    s.only_if(taken, t)
}

/// Strict, and all where `low > high`.
fn clamp_high(s: &mut Site, t: Value) -> Value {
    let (above, crossed) = (s.op2(Op::Gt, s.x(), s.w()), s.op2(Op::Gt, s.y(), s.w()));
    let taken = s.op2(Op::Or, above, crossed);
    s.only_if(taken, t)
}

fn copysign_by_magnitude(s: &mut Site, t: Value) -> Value {
    let (from, to) = (s.op1(Op::Sign, s.x()), s.op1(Op::Sign, s.z()));
    let p = s.mul(from, to);
    s.mul(t, p)
}

/// `d sqrt(x) = dx / (2 z)`; Slang's library keeps away from zero.
fn square_root(s: &mut Site, t: Value) -> Value {
    let root = if s.is_slang() {
        let least = s.number(t, 1e-7);
        let x = s.op2(Op::Max, s.x(), least);
        s.op1(Op::Sqrt, x)
    } else {
        s.z()
    };
    let half = s.scale(t, 0.5);
    s.div(half, root)
}

/// `d(1/x) = -z^2 dx`; Slang's library keeps away from zero.
fn reciprocal(s: &mut Site, t: Value) -> Value {
    let p = if s.is_slang() {
        let (square, least) = (s.square(s.x()), s.number(t, 1e-7));
        let square = s.op2(Op::Max, square, least);
        s.div(t, square)
    } else {
        let square = s.square(s.z());
        s.mul(t, square)
    };
    s.neg(p)
}

/// `d x^y = y x^(y-1) dx`, 0 for `y = 0`; in Slang's library 0 for `x < 1e-6`.
fn power_by_base(s: &mut Site, t: Value) -> Value {
    let one = s.number(t, 1.0);
    let less = s.sub(s.y(), one);
    let power = s.op2(Op::Pow, s.x(), less);
    let p = s.mul(s.y(), power);
    let is_zero_exponent_excluded = s.constants[1].is_some_and(|y| y != 0.0);
    let p = if is_zero_exponent_excluded { p } else { s.guard(s.y(), p) };
    let product = s.mul(t, p);
    slang_power(s, product)
}

/// `d x^y = z log(x) dy`, 0 for `x = 0` and `y >= 0`; in Slang's library 0 for `x < 1e-6`.
fn power_by_exponent(s: &mut Site, t: Value) -> Value {
    let log = s.op1(Op::Log, s.x());
    let p = s.mul(s.z(), log);
    let zero = s.zero(t);
    let (at_zero, grows) = (s.op2(Op::Eq, s.x(), zero), s.op2(Op::Ge, s.y(), zero));
    let flat = s.op2(Op::And, at_zero, grows);
    let p = s.b.select(flat, zero, p);
    let product = s.mul(t, p);
    slang_power(s, product)
}

fn slang_power(s: &mut Site, product: Value) -> Value {
    if !s.is_slang() {
        return product;
    }
    let least = s.number(product, 1e-6);
    let is_regular = s.op2(Op::Ge, s.x(), least);
    s.only_if(is_regular, product)
}

/// `d asin(x) = dx / sqrt(1 - x^2)`
fn inverse_sine(s: &mut Site, t: Value) -> Value {
    let d = s.one_minus_square(s.x());
    let d = s.op1(Op::Sqrt, d);
    s.div(t, d)
}

/// `d acosh(x) = dx / sqrt(x^2 - 1)`
fn inverse_hyperbolic_cosine(s: &mut Site, t: Value) -> Value {
    let one = s.number(t, 1.0);
    let (minus, plus) = (s.sub(s.x(), one), s.add(s.x(), one));
    let d = s.mul(minus, plus);
    let d = s.op1(Op::Sqrt, d);
    s.div(t, d)
}

/// `t / (x^2 + y^2)`
fn over_square_of_radius(s: &mut Site, t: Value) -> Value {
    let (x2, y2) = (s.square(s.x()), s.square(s.y()));
    let r2 = s.add(x2, y2);
    s.div(t, r2)
}

/// Each arm gets the cotangent where it was chosen, and zero where not: never a product with zero.
fn transpose_select(s: &mut Site, _: &Op, g: Value) -> Vec<Contribution> {
    let zero = s.zero(g);
    let condition = s.x();
    let mut out = Vec::new();
    if s.active[1] {
        out.push(Contribution::Whole(1, s.b.select(condition, g, zero)));
    }
    if s.active[2] {
        out.push(Contribution::Whole(2, s.b.select(condition, zero, g)));
    }
    out
}

/// The sum over the copies.
fn transpose_splat(s: &mut Site, op: &Op, g: Value) -> Vec<Contribution> {
    let Op::Splat(ty) = op else { bug!("autodiff", "`{}` is no splat", op.name()) };
    let elements: Vec<Value> = (0..ty.element_count()).map(|i| s.b.extract(g, i)).collect();
    let sum = elements.into_iter().reduce(|a, b| s.add(a, b));
    sum.into_iter().map(|sum| Contribution::Whole(0, sum)).collect()
}

fn transpose_construct(s: &mut Site, _: &Op, g: Value) -> Vec<Contribution> {
    let active = (0..s.active.len()).filter(|&i| s.active[i]);
    active.map(|i| Contribution::Whole(i, s.b.extract(g, i as u32))).collect()
}

/// The element gets its own cotangent; what it replaced gets none.
fn transpose_insert(s: &mut Site, op: &Op, g: Value) -> Vec<Contribution> {
    let number = number_of(op);
    let mut out = Vec::new();
    if s.active[1] {
        out.push(Contribution::Whole(1, s.b.extract(g, number)));
    }
    if s.active[0] {
        let zero = element_zero(s, g);
        out.push(Contribution::Whole(0, s.op2(Op::Insert(number), g, zero)));
    }
    out
}

/// As [`transpose_insert`]. Out of range the array passes whole and the element gets zero: just what the ops give.
fn transpose_element_set(s: &mut Site, _: &Op, g: Value) -> Vec<Contribution> {
    let index = s.y();
    let mut out = Vec::new();
    if s.active[2] {
        out.push(Contribution::Whole(2, s.op2(Op::ElementGet, g, index)));
    }
    if s.active[0] {
        let zero = element_zero(s, g);
        out.push(Contribution::Whole(0, s.b.op(Op::ElementSet, &[g, index, zero])));
    }
    out
}

fn element_zero(s: &mut Site, array: Value) -> Value {
    match s.b.ty(array).element(0) {
        Some(element) => s.b.zero(&element),
        None => bug!("autodiff", "an empty array has no element"),
    }
}

fn number_of(op: &Op) -> u32 {
    match op {
        Op::Extract(number) | Op::Insert(number) => *number,
        _ => bug!("autodiff", "`{}` has no element number", op.name()),
    }
}

/// The type of a value's adjoint: contributions to an f16 are summed in f32.
pub(crate) fn adjoint_type(ty: &Type) -> Type {
    if *ty == Type::Scalar(Scalar::F16) { Type::F32 } else { ty.clone() }
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
                    let exempt = matches!(op, Op::Const(_) | Op::LaneId | Op::PointerOffset | Op::Bitcast(_));
                    assert!(never_float_to_float || exempt, "{op:?} may take floats to floats");
                }
                Rule::Flat => {
                    let steps = [Op::Sign, Op::Floor, Op::Ceil, Op::Round, Op::Trunc, Op::Detach];
                    assert!(steps.contains(&op), "{op:?}");
                }
                Rule::Aggregate => {
                    assert!(matches!(op, Op::Swizzle(_) | Op::Dot | Op::MatMul | Op::Transpose), "{op:?}");
                }
                Rule::Linear { .. } => assert_eq!(op.rule(), TypeRule::Special, "{op:?}"),
            }
        }
    }
}
