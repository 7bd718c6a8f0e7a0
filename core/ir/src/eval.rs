//! What each op gives on scalar constants: the one definition of op semantics in code.
//!
//! Constant folding and the interpreter's exact mode both call [`eval`]. Floats round once per op, to their own
//! type; transcendental functions are the pure Rust ones of `libm`, so that folding is the same on every machine.
//! A NaN that an op computes has the canonical bits.

use crate::{Constant, Op};
use pullback_base::Scalar;

/// The result of an op on scalars; `None` for ops that are not over scalar numbers (`lane_id`, aggregates, pointers)
/// and for operands of wrong number or type.
pub fn eval(op: &Op, args: &[Constant]) -> Option<Constant> {
    match (op, args) {
        (Op::Const(constant), []) => Some(*constant),
        (Op::Detach | Op::Cut | Op::Unpaired, [x]) => Some(*x),
        (Op::Select, [condition, if_true, if_false]) => {
            Some(if condition.as_bool() { *if_true } else { *if_false })
        }
        (Op::Convert(to), [x]) => Some(convert(*x, *to)),
        (Op::Bitcast(to), [x]) => Some(Constant::from_bits(*to, x.bits())),
        (_, [first, ..]) => {
            let scalar = first.scalar();
            if args.iter().any(|arg| arg.scalar() != scalar) || op.arity() != Some(args.len()) {
                None
            } else if scalar == Scalar::Bool {
                on_bools(op, args)
            } else if scalar.is_float() {
                on_floats(op, scalar, args)
            } else {
                on_integers(op, scalar, args)
            }
        }
        _ => None,
    }
}

/// The element of `len` that an index of any integer type names; `None` when it is out of range.
pub fn position(index: Constant, len: u32) -> Option<u32> {
    let at = if index.scalar().is_signed() { u64::try_from(index.as_i64()).ok()? } else { index.bits() };
    u32::try_from(at).ok().filter(|&at| at < len)
}

/// Truncates and saturates floats to integers, wraps integers, rounds once to floats.
fn convert(x: Constant, to: Scalar) -> Constant {
    let from = x.scalar();
    if from == to {
        x
    } else if to == Scalar::Bool {
        Constant::bool(if from.is_float() { x.as_f64() != 0.0 } else { x.bits() != 0 })
    } else if from.is_float() {
        float(to, x.as_f64())
    } else if to == Scalar::F32 {
        // Straight from the integer: through f64 would round twice.
        let value = if from == Scalar::U64 { x.bits() as f32 } else { x.as_i64() as f32 };
        Constant::float(to, f64::from(value))
    } else if to.is_float() {
        Constant::float(to, x.as_f64())
    } else {
        Constant::from_bits(to, x.as_i64() as u64)
    }
}

/// A computed float: rounded to its type, NaN canonical. For integer types as [`Constant::float`].
fn float(scalar: Scalar, value: f64) -> Constant {
    Constant::float(scalar, if value.is_nan() { f64::NAN } else { value })
}

fn on_bools(op: &Op, args: &[Constant]) -> Option<Constant> {
    let value = match (op, args) {
        (Op::Not, [a]) => !a.as_bool(),
        (Op::And, [a, b]) => a.as_bool() & b.as_bool(),
        (Op::Or, [a, b]) => a.as_bool() | b.as_bool(),
        (Op::Xor | Op::Ne, [a, b]) => a.as_bool() ^ b.as_bool(),
        (Op::Eq, [a, b]) => a.as_bool() == b.as_bool(),
        _ => return None,
    };
    Some(Constant::bool(value))
}

fn compare<T: PartialOrd>(op: &Op, a: T, b: T) -> Option<Constant> {
    let holds = match op {
        Op::Eq => a == b,
        Op::Ne => a != b,
        Op::Lt => a < b,
        Op::Le => a <= b,
        Op::Gt => a > b,
        Op::Ge => a >= b,
        _ => return None,
    };
    Some(Constant::bool(holds))
}

fn on_integers(op: &Op, scalar: Scalar, args: &[Constant]) -> Option<Constant> {
    let width = scalar.bits();
    let signed = scalar.is_signed();
    let of = |value: i64| Some(Constant::from_bits(scalar, value as u64));
    // Unsigned values below 2^64 and signed ones both fit i128, where one order serves both.
    let wide = |c: Constant| if signed { i128::from(c.as_i64()) } else { i128::from(c.bits()) };
    match *args {
        [x] => {
            let (value, bits) = (x.as_i64(), x.bits());
            match op {
                Op::Neg => of(value.wrapping_neg()),
                Op::Abs => of(if signed { value.wrapping_abs() } else { value }),
                Op::Sign => of(if signed { value.signum() } else { i64::from(bits != 0) }),
                Op::Not => of(!value),
                Op::CountBits => of(i64::from(bits.count_ones())),
                Op::ReverseBits => of((bits.reverse_bits() >> (64 - width)) as i64),
                Op::FirstBitHigh => {
                    let seen = if signed && value < 0 { !value as u64 } else { bits };
                    of(63 - i64::from(seen.leading_zeros()))
                }
                Op::FirstBitLow => of(if bits == 0 { -1 } else { i64::from(bits.trailing_zeros()) }),
                _ => None,
            }
        }
        [x, y] => {
            let (a, b) = (x.as_i64(), y.as_i64());
            let count = (y.bits() & u64::from(width - 1)) as u32;
            match op {
                Op::Add => of(a.wrapping_add(b)),
                Op::Sub => of(a.wrapping_sub(b)),
                Op::Mul => of(a.wrapping_mul(b)),
                Op::Div if b == 0 => Some(x),
                Op::Rem if b == 0 => of(0),
                Op::Div if signed => of(a.wrapping_div(b)),
                Op::Rem if signed => of(a.wrapping_rem(b)),
                Op::Div => of((x.bits() / y.bits()) as i64),
                Op::Rem => of((x.bits() % y.bits()) as i64),
                Op::And => of(a & b),
                Op::Or => of(a | b),
                Op::Xor => of(a ^ b),
                Op::Shl => of(a.wrapping_shl(count)),
                Op::Shr if signed => of(a >> count),
                Op::Shr => of((x.bits() >> count) as i64),
                Op::Min => of(wide(x).min(wide(y)) as i64),
                Op::Max => of(wide(x).max(wide(y)) as i64),
                _ => compare(op, wide(x), wide(y)),
            }
        }
        [x, low, high] if *op == Op::Clamp => of(wide(x).max(wide(low)).min(wide(high)) as i64),
        _ => None,
    }
}

fn on_floats(op: &Op, scalar: Scalar, args: &[Constant]) -> Option<Constant> {
    let value = match *args {
        [x] => match op {
            Op::IsNan => return Some(Constant::bool(x.as_f64().is_nan())),
            Op::IsInf => return Some(Constant::bool(x.as_f64().is_infinite())),
            _ => unary(op, x.as_f64())?,
        },
        [x, y] => {
            let (a, b) = (x.as_f64(), y.as_f64());
            if let Some(truth) = compare(op, a, b) {
                return Some(truth);
            }
            binary(op, a, b)?
        }
        [x, y, z] => {
            let (a, b, c) = (x.as_f64(), y.as_f64(), z.as_f64());
            match op {
                Op::Clamp => min(max(a, b), c),
                Op::Fma if scalar == Scalar::F64 => a.mul_add(b, c),
                // The product of two narrower floats is exact in f64.
                Op::Fma => add_to_odd(a * b, c),
                _ => return None,
            }
        }
        _ => return None,
    };
    // Of narrower floats, the f64 result of + - * / sqrt rounds to what one rounding gives: 53 >= 2 * 24 + 2 bits.
    Some(float(scalar, value))
}

fn unary(op: &Op, x: f64) -> Option<f64> {
    Some(match op {
        Op::Neg => -x,
        Op::Abs => x.abs(),
        Op::Sign => f64::from(i8::from(x > 0.0) - i8::from(x < 0.0)),
        Op::Floor => x.floor(),
        Op::Ceil => x.ceil(),
        Op::Round => x.round_ties_even(),
        Op::Trunc => x.trunc(),
        Op::Fract => x - x.floor(),
        Op::Sqrt => x.sqrt(),
        Op::Rsqrt => 1.0 / x.sqrt(),
        Op::Rcp => 1.0 / x,
        Op::Exp => libm::exp(x),
        Op::Exp2 => libm::exp2(x),
        Op::Log => libm::log(x),
        Op::Log2 => libm::log2(x),
        Op::Log10 => libm::log10(x),
        Op::Sin => libm::sin(x),
        Op::Cos => libm::cos(x),
        Op::Tan => libm::tan(x),
        Op::Asin => libm::asin(x),
        Op::Acos => libm::acos(x),
        Op::Atan => libm::atan(x),
        Op::Sinh => libm::sinh(x),
        Op::Cosh => libm::cosh(x),
        Op::Tanh => libm::tanh(x),
        Op::Asinh => libm::asinh(x),
        // `libm::acosh` answers far below its domain.
        Op::Acosh if x < 1.0 => f64::NAN,
        Op::Acosh => libm::acosh(x),
        Op::Atanh => libm::atanh(x),
        _ => return None,
    })
}

fn binary(op: &Op, a: f64, b: f64) -> Option<f64> {
    Some(match op {
        Op::Add => a + b,
        Op::Sub => a - b,
        Op::Mul => a * b,
        Op::Div => a / b,
        Op::Rem => a % b,
        Op::Min => min(a, b),
        Op::Max => max(a, b),
        // Squares round once, as a multiplication does, which passes put in their place.
        Op::Pow if b == 2.0 => a * a,
        Op::Pow => libm::pow(a, b),
        Op::Atan2 => libm::atan2(a, b),
        Op::Copysign => a.copysign(b),
        Op::MulOrZero => {
            if a == 0.0 {
                a
            } else {
                a * b
            }
        }
        _ => return None,
    })
}

/// The lesser; of two zeros the negative one, so that operands commute.
fn min(a: f64, b: f64) -> f64 {
    if a < b || b.is_nan() || (a == b && a.is_sign_negative()) { a } else { b }
}

/// The greater; of two zeros the positive one, so that operands commute.
fn max(a: f64, b: f64) -> f64 {
    if a > b || b.is_nan() || (a == b && a.is_sign_positive()) { a } else { b }
}

/// `a + b` with the last bit odd when inexact, so that rounding again to 51 bits or fewer rounds the true sum.
fn add_to_odd(a: f64, b: f64) -> f64 {
    let sum = a + b;
    // Knuth's two-sum: a + b = sum + error, exactly.
    let b_part = sum - a;
    let error = (a - (sum - b_part)) + (b - b_part);
    if !sum.is_finite() || error == 0.0 || sum.to_bits() & 1 == 1 {
        return sum;
    }
    let away = (error > 0.0) == (sum > 0.0);
    f64::from_bits(if away { sum.to_bits() + 1 } else { sum.to_bits() - 1 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use pullback_base::DType::*;

    fn ints(op: Op, scalar: Scalar, args: &[i64]) -> i64 {
        let args: Vec<Constant> = args.iter().map(|&arg| Constant::int(scalar, arg)).collect();
        eval(&op, &args).map(Constant::as_i64).expect("an integer op")
    }

    fn floats(op: Op, scalar: Scalar, args: &[f64]) -> f64 {
        let args: Vec<Constant> = args.iter().map(|&arg| Constant::float(scalar, arg)).collect();
        eval(&op, &args).map(Constant::as_f64).expect("a float op")
    }

    #[test]
    fn integer_division_is_total() {
        assert_eq!(ints(Op::Div, I32, &[7, 0]), 7);
        assert_eq!(ints(Op::Rem, I32, &[7, 0]), 0);
        for (scalar, least) in [(I8, i8::MIN.into()), (I32, i32::MIN.into()), (I64, i64::MIN)] {
            assert_eq!(ints(Op::Div, scalar, &[least, -1]), least);
            assert_eq!(ints(Op::Rem, scalar, &[least, -1]), 0);
            assert_eq!(ints(Op::Abs, scalar, &[least]), least);
        }
        assert_eq!(ints(Op::Rem, I32, &[-7, 3]), -1);
        assert_eq!(ints(Op::Div, U64, &[-1, 2]), i64::MAX);
    }

    #[test]
    fn integers_wrap_and_shift_counts_are_modular() {
        assert_eq!(ints(Op::Add, I8, &[127, 1]), -128);
        assert_eq!(ints(Op::Mul, U16, &[0xffff, 0xffff]), 1);
        assert_eq!(ints(Op::Shl, U32, &[1, 33]), 2);
        assert_eq!(ints(Op::Shr, I16, &[-4, 17]), -2);
        assert_eq!(ints(Op::Shr, U8, &[0x80, 7]), 1);
        assert_eq!(ints(Op::Shl, I32, &[1, -1]), i32::MIN.into());
    }

    #[test]
    fn bit_searches_give_minus_one_when_there_is_none() {
        assert_eq!(ints(Op::FirstBitHigh, U32, &[0]), 0xffff_ffff);
        assert_eq!(ints(Op::FirstBitHigh, I32, &[-1]), -1);
        assert_eq!(ints(Op::FirstBitHigh, I32, &[-8]), 2);
        assert_eq!(ints(Op::FirstBitHigh, U8, &[0x90]), 7);
        assert_eq!(ints(Op::FirstBitLow, I16, &[0]), -1);
        assert_eq!(ints(Op::FirstBitLow, I16, &[24]), 3);
        assert_eq!(ints(Op::ReverseBits, U8, &[1]), 0x80);
        assert_eq!(ints(Op::CountBits, I8, &[-1]), 8);
    }

    #[test]
    fn unsigned_order_is_unsigned() {
        assert_eq!(ints(Op::Max, U32, &[0xffff_ffff, 1]), 0xffff_ffff);
        assert_eq!(ints(Op::Clamp, U64, &[-1, 3, 5]), 5);
        assert_eq!(ints(Op::Lt, U64, &[-1, 1]), 0);
        assert_eq!(ints(Op::Lt, I64, &[-1, 1]), 1);
    }

    #[test]
    fn float_min_and_max_prefer_the_number_and_commute_on_zeros() {
        assert_eq!(floats(Op::Min, F32, &[f64::NAN, 1.0]), 1.0);
        assert_eq!(floats(Op::Max, F32, &[1.0, f64::NAN]), 1.0);
        assert!(floats(Op::Max, F32, &[f64::NAN, f64::NAN]).is_nan());
        for zeros in [[0.0, -0.0], [-0.0, 0.0]] {
            assert!(floats(Op::Min, F64, &zeros).is_sign_negative());
            assert!(floats(Op::Max, F64, &zeros).is_sign_positive());
        }
        assert_eq!(floats(Op::Clamp, F32, &[5.0, 2.0, 1.0]), 1.0);
    }

    #[test]
    fn float_edges_follow_the_table() {
        assert_eq!(floats(Op::Sign, F32, &[-0.0]).to_bits(), 0);
        assert_eq!(floats(Op::Sign, F32, &[f64::NAN]), 0.0);
        assert_eq!(floats(Op::Round, F32, &[2.5]), 2.0);
        assert_eq!(floats(Op::Fract, F32, &[-0.25]), 0.75);
        assert_eq!(floats(Op::Rem, F32, &[-7.5, 2.0]), -1.5);
        assert_eq!(floats(Op::Pow, F32, &[f64::NAN, 0.0]), 1.0);
        assert_eq!(floats(Op::Pow, F32, &[-2.0, 3.0]), -8.0);
        assert!(floats(Op::Pow, F32, &[-2.0, 0.5]).is_nan());
    }

    #[test]
    fn each_float_op_rounds_in_its_own_type() {
        assert_eq!(floats(Op::Add, F32, &[16_777_216.0, 1.0]), 16_777_216.0);
        assert_eq!(floats(Op::Add, F16, &[2048.0, 1.0]), 2048.0);
        assert_eq!(floats(Op::Mul, F16, &[300.0, 300.0]), f64::INFINITY);
        // 1 + 2^-24 is a tie of f32; the tiny third operand breaks it, which two roundings would miss.
        let (a, tiny) = (1.0 + 2f64.powi(-12), 2f64.powi(-100));
        let tie = floats(Op::Fma, F32, &[a, 2f64.powi(-12), 1.0]);
        assert_eq!(tie, f64::from((2f64.powi(-12) * a + 1.0) as f32));
        assert_eq!(floats(Op::Fma, F32, &[2f64.powi(-12), 2f64.powi(-12), 1.0]), 1.0);
        assert_eq!(floats(Op::Fma, F16, &[2f64.powi(-5), 2f64.powi(-6), 1.0]), 1.0);
        assert_eq!(add_to_odd(1.0 + 2f64.powi(-24), tiny) as f32, 1.0 + f32::EPSILON);
        assert_eq!(add_to_odd(1.0 + 2f64.powi(-24), -tiny) as f32, 1.0);
    }

    #[test]
    fn conversions_truncate_saturate_and_wrap() {
        let convert = |x: Constant, to| eval(&Op::Convert(to), &[x]).expect("converts");
        assert_eq!(convert(Constant::float(F32, -1.9), I32).as_i64(), -1);
        assert_eq!(convert(Constant::float(F32, 1e10), I32).as_i64(), i32::MAX.into());
        assert_eq!(convert(Constant::float(F32, -3.0), U8).as_i64(), 0);
        assert_eq!(convert(Constant::float(F64, f64::NAN), I64).as_i64(), 0);
        assert_eq!(convert(Constant::int(I32, 300), U8).as_i64(), 44);
        assert_eq!(convert(Constant::int(I8, -1), U64).bits(), u64::MAX);
        assert!(convert(Constant::float(F32, f64::NAN), Bool).as_bool());
        assert!(!convert(Constant::float(F32, -0.0), Bool).as_bool());
        // 2^54 + 2^30 + 1 lies above a tie of f32 that f64 cannot tell from the tie.
        let x = Constant::int(I64, (1 << 54) + (1 << 30) + 1);
        assert_eq!(convert(x, F32).as_f64(), (2f64.powi(54) + 2f64.powi(31)));
    }

    #[test]
    fn positions_are_those_within_range() {
        let at = |scalar, index| position(Constant::int(scalar, index), 3);
        assert_eq!(
            [at(I32, 0), at(U8, 2), at(I64, 3), at(I8, -1), at(U64, -1)],
            [Some(0), Some(2), None, None, None]
        );
    }

    #[test]
    fn exactly_the_scalar_number_ops_evaluate() {
        for op in crate::ops::samples() {
            let args = |scalar: Scalar| vec![Constant::int(scalar, 1); op.arity().unwrap_or(0)];
            let by_type = [F32, I32, Bool].map(|scalar| eval(&op, &args(scalar)).is_some());
            let select = [Constant::bool(true), Constant::int(I32, 1), Constant::int(I32, 2)];
            let found = by_type.contains(&true) || eval(&op, &select).is_some();
            assert_eq!(found, op.is_component_wise() || matches!(op, Op::Const(_)), "{}", op.name());
        }
    }
}
