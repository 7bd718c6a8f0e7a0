//! Identities of conversions, bit casts, detachment and pointers.

use super::operand_of;
use crate::rewrite::{Change, Scope};
use pullback_ir::{Op, Scalar, Type, Value, eval};

pub(super) fn simplify(scope: &mut Scope<'_>, op: &Op, args: &[Value]) -> Option<Change> {
    match (op, args) {
        (Op::Convert(to) | Op::Bitcast(to), &[a]) if scope.scalar(a)? == *to => Some(Change::Value(a)),
        (Op::Convert(to), &[a]) => match scope.definition(a)? {
            (Op::Convert(middle), &[x]) if skips(scope.scalar(x)?, *middle, *to) => {
                Change::op(op.clone(), &[x])
            }
            _ => None,
        },
        (Op::Bitcast(_), &[a]) => match scope.definition(a)? {
            (Op::Bitcast(_), &[x]) => Change::op(op.clone(), &[x]),
            _ => None,
        },
        (Op::Detach | Op::Cut, &[a]) => {
            let has_derivative = scope.ty(a).has_float() && scope.constant(a).is_none();
            (!has_derivative || operand_of(scope, a, op).is_some()).then_some(Change::Value(a))
        }
        (Op::PointerCast(element), &[pointer]) => match scope.definition(pointer) {
            _ if matches!(scope.ty(pointer), Type::Pointer(of) if **of == *element) => {
                Some(Change::Value(pointer))
            }
            Some((Op::PointerCast(_), &[address])) => Change::op(op.clone(), &[address]),
            _ => None,
        },
        (Op::PointerOffset, &[pointer, index]) => offset(scope, pointer, index),
        _ => None,
    }
}

/// Whether `from -> middle -> to` gives what `from -> to` gives.
fn skips(from: Scalar, middle: Scalar, to: Scalar) -> bool {
    // Integers wrap at each step: only the narrowest width matters, if it is the last.
    if from.is_integer() && middle.is_integer() && to.is_integer() && to.bits() <= middle.bits() {
        return true;
    }
    // A float middle saturates where the direct way wraps.
    let wraps = from.is_integer() && middle.is_float() && to.is_integer();
    holds_all(middle, from) && (!wraps || holds_all(to, from))
}

/// Whether each value of `narrow` is one of `wide`.
fn holds_all(wide: Scalar, narrow: Scalar) -> bool {
    let significant_bits = |float: Scalar| match float {
        Scalar::F16 => 11,
        Scalar::BF16 => 8,
        Scalar::F32 => 24,
        _ => 53,
    };
    match (wide, narrow) {
        _ if wide == narrow => true,
        (Scalar::Bool, _) => false,
        (_, Scalar::Bool) => true,
        _ if narrow.is_float() => {
            matches!((narrow, wide), (_, Scalar::F64) | (Scalar::F16 | Scalar::BF16, Scalar::F32))
        }
        _ if wide.is_float() => narrow.bits() - u32::from(narrow.is_signed()) <= significant_bits(wide),
        _ if narrow.is_signed() => wide.is_signed() && wide.bits() > narrow.bits(),
        _ => wide.bits() > narrow.bits(),
    }
}

fn offset(scope: &mut Scope<'_>, pointer: Value, index: Value) -> Option<Change> {
    let count = scope.constant(index)?;
    if count.is_zero() {
        return Some(Change::Value(pointer));
    }
    let (base, first) = match scope.definition(pointer)? {
        (Op::PointerOffset, &[base, first]) => (base, scope.constant(first)?),
        _ => return None,
    };
    let sum = eval(&Op::Add, &[first, count])?;
    let sum = scope.emit(Op::Const(sum), &[], Type::I64);
    Change::op(Op::PointerOffset, &[base, sum])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simplify::simplify;
    use crate::testing::check;
    use expect_test::expect;
    use pullback_ir::Constant;

    #[test]
    fn skipped_conversions_give_the_same_value() {
        let numbers = [0.0, 1.0, -1.0, 0.5, 1.0 / 3.0, 255.0, 40000.0, -3e9, 1e20, f64::NAN];
        let integers = [0, 1, -1, 77, -129, 40_000, i64::MAX, i64::MIN, 1 << 40, (1 << 24) + 1];
        for from in Scalar::ALL {
            for middle in Scalar::ALL {
                for to in Scalar::ALL.into_iter().filter(|&to| skips(from, middle, to)) {
                    let floats = numbers.map(|x| Constant::float(from, x));
                    for x in floats.into_iter().chain(integers.map(|i| Constant::int(from, i))) {
                        let convert = |x, to| eval(&Op::Convert(to), &[x]).expect("converts");
                        let (direct, stepwise) = (convert(x, to), convert(convert(x, middle), to));
                        assert!(
                            direct == stepwise || direct.as_f64().is_nan() && stepwise.as_f64().is_nan(),
                            "{x} through {middle} to {to}: {stepwise}, not {direct}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn offsets_by_constants_join_and_vanish() {
        check(
            simplify,
            "func @f(%0: ptr<f32>) -> (ptr<f32>, ptr<f32>) {
                %1: i64 = const i64 0
                %2: ptr<f32> = pointer_offset %0, %1
                %3: i64 = const i64 2
                %4: ptr<f32> = pointer_offset %2, %3
                %5: ptr<f32> = pointer_offset %4, %3
                yield %2, %5
            }",
            expect![[r#"
                func @f(%0: ptr<f32>) -> (ptr<f32>, ptr<f32>) {
                  %1: i64 = const i64 0
                  %2: i64 = const i64 2
                  %3: ptr<f32> = pointer_offset %0, %2
                  %4: i64 = const i64 4
                  %5: ptr<f32> = pointer_offset %0, %4
                  yield %0, %5
                }
            "#]],
        );
    }
}
