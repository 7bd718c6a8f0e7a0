//! Identities of numbers.

use super::{constant, is_integer, is_number, operand_of};
use crate::rewrite::{Change, Scope};
use pullback_ir::{Constant, Op, Scalar, Value, eval};

pub(super) fn simplify(scope: &mut Scope<'_>, op: &Op, args: &[Value]) -> Option<Change> {
    match (op, args) {
        (Op::Add, &[a, b]) => add(scope, a, b),
        (Op::Sub, &[a, b]) => sub(scope, a, b),
        (Op::Mul, &[a, b]) => mul(scope, a, b),
        (Op::Div, &[a, b]) => div(scope, a, b),
        (Op::Rem, &[a, b]) if is_integer(scope, a) => {
            let scalar = scope.scalar(a)?;
            (is_number(scope, b, 1.0) || is_number(scope, b, 0.0))
                .then(|| constant(Constant::zero(scalar)))?
        }
        (Op::Neg, &[a]) => operand_of(scope, a, &Op::Neg).map(Change::Value),
        (Op::Abs, &[a]) if scope.scalar(a)?.is_unsigned() => Some(Change::Value(a)),
        (Op::Abs, &[a]) => match scope.definition(a)? {
            (Op::Abs, _) => Some(Change::Value(a)),
            (Op::Neg, &[inner]) => Change::op(Op::Abs, &[inner]),
            _ => None,
        },
        (Op::Min | Op::Max, &[a, b]) if a == b => Some(Change::Value(a)),
        (Op::Fma, &[a, b, c]) if is_number(scope, b, 1.0) => Change::op(Op::Add, &[a, c]),
        (Op::Fma, &[a, b, c]) if is_number(scope, a, 1.0) => Change::op(Op::Add, &[b, c]),
        // x * y + (-0) rounds as x * y does, and a zero keeps its sign.
        (Op::Fma, &[a, b, c]) if is_number(scope, c, -0.0) => Change::op(Op::Mul, &[a, b]),
        (Op::Pow, &[a, b]) => pow(scope, a, b),
        (Op::MulOrZero, &[a, b]) => mul_or_zero(scope, a, b),
        _ => None,
    }
}

fn add(scope: &mut Scope<'_>, a: Value, b: Value) -> Option<Change> {
    // The neutral element of float addition is -0: -0 + 0 = 0.
    let neutral = if is_integer(scope, a) { 0.0 } else { -0.0 };
    if is_number(scope, b, neutral) {
        return Some(Change::Value(a));
    }
    if let Some(b) = operand_of(scope, b, &Op::Neg) {
        return Change::op(Op::Sub, &[a, b]);
    }
    if let Some(a) = operand_of(scope, a, &Op::Neg) {
        return Change::op(Op::Sub, &[b, a]);
    }
    reassociate(scope, &Op::Add, a, b)
}

fn sub(scope: &mut Scope<'_>, a: Value, b: Value) -> Option<Change> {
    let integer = is_integer(scope, a);
    if is_number(scope, b, 0.0) {
        return Some(Change::Value(a));
    }
    if let Some(b) = operand_of(scope, b, &Op::Neg) {
        return Change::op(Op::Add, &[a, b]);
    }
    if is_number(scope, a, if integer { 0.0 } else { -0.0 }) {
        return Change::op(Op::Neg, &[b]);
    }
    if integer && a == b {
        return constant(Constant::zero(scope.scalar(a)?));
    }
    // x - c = x + (-c), for integers, so that constants gather.
    let subtracted = scope.constant(b).filter(|_| integer)?;
    let negated = emit_constant(scope, eval(&Op::Neg, &[subtracted])?);
    Change::op(Op::Add, &[a, negated])
}

fn mul(scope: &mut Scope<'_>, a: Value, b: Value) -> Option<Change> {
    if is_number(scope, b, 1.0) {
        return Some(Change::Value(a));
    }
    if is_integer(scope, a) && is_number(scope, b, 0.0) {
        return Some(Change::Value(b));
    }
    if scope.constant(b).is_some_and(|c| c == Constant::int(c.scalar(), -1)) {
        return Change::op(Op::Neg, &[a]);
    }
    if let (Some(a), Some(b)) = (operand_of(scope, a, &Op::Neg), operand_of(scope, b, &Op::Neg)) {
        return Change::op(Op::Mul, &[a, b]);
    }
    reassociate(scope, &Op::Mul, a, b)
}

fn mul_or_zero(scope: &Scope<'_>, a: Value, b: Value) -> Option<Change> {
    if is_number(scope, b, 1.0) {
        return Some(Change::Value(a));
    }
    let known = scope.constant(a)?.as_f64();
    if known == 0.0 { Some(Change::Value(a)) } else { Change::op(Op::Mul, &[a, b]) }
}

/// `(x op c) op d = x op (c op d)`, for integers, which wrap.
fn reassociate(scope: &mut Scope<'_>, op: &Op, a: Value, b: Value) -> Option<Change> {
    let outer = scope.constant(b).filter(|c| c.scalar().is_integer())?;
    let (inner, x) = match scope.definition(a)? {
        (found, &[x, c]) if found == op => (scope.constant(c)?, x),
        _ => return None,
    };
    let joined = emit_constant(scope, eval(op, &[inner, outer])?);
    Change::op(op.clone(), &[x, joined])
}

fn div(scope: &mut Scope<'_>, a: Value, b: Value) -> Option<Change> {
    let scalar = scope.scalar(a)?;
    if is_number(scope, b, 1.0) || (scalar.is_integer() && is_number(scope, b, 0.0)) {
        return Some(Change::Value(a));
    }
    if scalar.is_integer() {
        return None;
    }
    if is_number(scope, b, -1.0) {
        return Change::op(Op::Neg, &[a]);
    }
    if let (Some(a), Some(b)) = (operand_of(scope, a, &Op::Neg), operand_of(scope, b, &Op::Neg)) {
        return Change::op(Op::Div, &[a, b]);
    }
    let reciprocal = exact_reciprocal(scope.constant(b)?)?;
    let reciprocal = emit_constant(scope, reciprocal);
    Change::op(Op::Mul, &[a, reciprocal])
}

/// `1 / c` of a power of two, when both are normal numbers.
fn exact_reciprocal(c: Constant) -> Option<Constant> {
    let (mantissa_bits, least_normal) = match c.scalar() {
        Scalar::F16 => (10, 2f64.powi(-14)),
        Scalar::BF16 => (7, f64::from(f32::MIN_POSITIVE)),
        Scalar::F32 => (23, f64::from(f32::MIN_POSITIVE)),
        Scalar::F64 => (52, f64::MIN_POSITIVE),
        _ => return None,
    };
    let reciprocal = Constant::float(c.scalar(), 1.0 / c.as_f64());
    let normal = |c: Constant| c.as_f64().is_finite() && c.as_f64().abs() >= least_normal;
    (c.bits() & ((1 << mantissa_bits) - 1) == 0 && normal(c) && normal(reciprocal)).then_some(reciprocal)
}

fn pow(scope: &mut Scope<'_>, a: Value, b: Value) -> Option<Change> {
    if is_number(scope, b, 2.0) {
        return Change::op(Op::Mul, &[a, a]);
    }
    if is_number(scope, b, 1.0) {
        return Some(Change::Value(a));
    }
    if is_number(scope, b, 0.0) || is_number(scope, b, -0.0) {
        return constant(Constant::float(scope.scalar(a)?, 1.0));
    }
    None
}

fn emit_constant(scope: &mut Scope<'_>, constant: Constant) -> Value {
    scope.emit(Op::Const(constant), &[], pullback_ir::Type::Scalar(constant.scalar()))
}

#[cfg(test)]
mod tests {
    use crate::simplify::simplify;
    use crate::testing::check;
    use expect_test::expect;

    #[test]
    fn neutral_elements_of_floats_respect_the_sign_of_zero() {
        check(
            simplify,
            "func @f(%0 x: f32) -> (f32, f32, f32, f32, f32) {
                %1: f32 = const f32 0
                %2: f32 = const f32 -0.0
                %3: f32 = const f32 1
                %4: f32 = add %0, %1
                %5: f32 = add %2, %0
                %6: f32 = sub %0, %1
                %7: f32 = mul %3, %0
                %8: f32 = mul %0, %1
                yield %4, %5, %6, %7, %8
            }",
            expect![[r#"
                func @f(%0 x: f32) -> (f32, f32, f32, f32, f32) {
                  %1: f32 = const f32 0.0
                  %2: f32 = const f32 -0.0
                  %3: f32 = const f32 1.0
                  %4: f32 = add %0, %1
                  %5: f32 = mul %0, %1
                  yield %4, %0, %0, %0, %5
                }
            "#]],
        );
    }

    #[test]
    fn a_factor_that_is_known_tells_what_a_product_or_zero_is() {
        check(
            simplify,
            "func @f(%0 x: f32) -> (f32, f32, f32, f32) {
                %1: f32 = const f32 -0.0
                %2: f32 = const f32 1
                %3: f32 = const f32 2
                %4: f32 = mul_or_zero %1, %0
                %5: f32 = mul_or_zero %2, %0
                %6: f32 = mul_or_zero %0, %2
                %7: f32 = mul_or_zero %0, %3
                yield %4, %5, %6, %7
            }",
            expect![[r#"
                func @f(%0 x: f32) -> (f32, f32, f32, f32) {
                  %1: f32 = const f32 -0.0
                  %2: f32 = const f32 1.0
                  %3: f32 = const f32 2.0
                  %4: f32 = mul_or_zero %0, %3
                  yield %1, %0, %0, %4
                }
            "#]],
        );
    }

    #[test]
    fn integer_constants_gather() {
        check(
            simplify,
            "func @f(%0 x: i64) -> (i64, i64, i64) {
                %1: i64 = const i64 3
                %2: i64 = const i64 0
                %3: i64 = add %0, %1
                %4: i64 = sub %3, %1
                %5: i64 = mul %0, %2
                %6: i64 = rem %0, %2
                yield %4, %5, %6
            }",
            expect![[r#"
                func @f(%0 x: i64) -> (i64, i64, i64) {
                  %1: i64 = const i64 3
                  %2: i64 = const i64 0
                  %3: i64 = add %0, %1
                  %4: i64 = const i64 -3
                  %5: i64 = const i64 0
                  %6: i64 = const i64 0
                  yield %0, %2, %6
                }
            "#]],
        );
    }

    #[test]
    fn signs_cancel_and_powers_of_two_divide_by_multiplying() {
        check(
            simplify,
            "func @f(%0 x: f32, %1 y: f32) -> (f32, f32, f32, f32, f32) {
                %2: f32 = neg %0
                %3: f32 = neg %2
                %4: f32 = add %1, %2
                %5: f32 = const f32 4
                %6: f32 = div %0, %5
                %7: f32 = const f32 3
                %8: f32 = div %0, %7
                %9: f32 = const f32 2
                %10: f32 = pow %0, %9
                yield %3, %4, %6, %8, %10
            }",
            expect![[r#"
                func @f(%0 x: f32, %1 y: f32) -> (f32, f32, f32, f32, f32) {
                  %2: f32 = neg %0
                  %3: f32 = sub %1, %0
                  %4: f32 = const f32 4.0
                  %5: f32 = const f32 0.25
                  %6: f32 = mul %0, %5
                  %7: f32 = const f32 3.0
                  %8: f32 = div %0, %7
                  %9: f32 = const f32 2.0
                  %10: f32 = mul %0, %0
                  yield %0, %3, %6, %8, %10
                }
            "#]],
        );
    }
}
