//! Doubles with exponents that nothing overflows: what grows beyond a double on its way to a result that does not.

use pullback_interp::Number;
use pullback_ir::{Constant, Op, Scalar};

/// `mantissa * 2^exponent`. Arithmetic keeps the wide range; all else is of the double nearest to the number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wide {
    /// Of size 1 to 2; or zero, infinite or not a number, with the exponent 0.
    mantissa: f64,
    exponent: i64,
}

/// The bits of a double's exponent, and what they say of 1.
const EXPONENT_BITS: u64 = 0x7ff << 52;
const BIAS: i64 = 1023;
/// Beyond as many binary digits apart, the smaller of two numbers is lost in their sum.
const DIGITS: i64 = 60;

impl Wide {
    fn new(mantissa: f64, exponent: i64) -> Self {
        if mantissa == 0.0 || !mantissa.is_finite() {
            return Self { mantissa, exponent: 0 };
        }
        if mantissa.is_subnormal() {
            return Self::new(mantissa * 2f64.powi(64), exponent - 64);
        }
        let bits = mantissa.to_bits();
        let own = ((bits & EXPONENT_BITS) >> 52) as i64 - BIAS;
        let mantissa = f64::from_bits(bits & !EXPONENT_BITS | (BIAS as u64) << 52);
        Self { mantissa, exponent: exponent + own }
    }

    fn to_f64(self) -> f64 {
        // In two steps, each of which is in range.
        let half = self.exponent.clamp(-2200, 2200) / 2;
        let rest = self.exponent.clamp(-2200, 2200) - half;
        self.mantissa * 2f64.powi(half as i32) * 2f64.powi(rest as i32)
    }

    fn add(self, other: Self) -> Self {
        let (large, small) = if self.size() < other.size() { (other, self) } else { (self, other) };
        let apart = large.exponent - small.exponent;
        if small.mantissa == 0.0 || large.mantissa.is_finite() && apart > DIGITS {
            return large;
        }
        // Beside what is not finite the digits of the other do not matter.
        let small = small.mantissa * 2f64.powi(-(apart.clamp(0, DIGITS) as i32));
        Self::new(large.mantissa + small, large.exponent)
    }

    /// What tells the larger of two numbers by their exponents.
    fn size(self) -> (bool, bool, i64) {
        (!self.mantissa.is_finite(), self.mantissa != 0.0, self.exponent)
    }

    fn mul(self, other: Self) -> Self {
        Self::new(self.mantissa * other.mantissa, self.exponent + other.exponent)
    }

    fn div(self, other: Self) -> Self {
        Self::new(self.mantissa / other.mantissa, self.exponent - other.exponent)
    }

    fn neg(self) -> Self {
        Self { mantissa: -self.mantissa, ..self }
    }
}

impl Number for Wide {
    fn from_constant(constant: Constant) -> Self {
        Self::new(constant.as_f64(), 0)
    }

    fn real(&self) -> Constant {
        Constant::float(Scalar::F64, self.to_f64())
    }

    fn computed(_: Scalar) -> Scalar {
        Scalar::F64
    }

    fn apply(op: &Op, args: &[Self]) -> Option<Self> {
        Some(match (op, args) {
            (Op::Convert(_), [x]) => *x,
            (Op::Neg, [x]) => x.neg(),
            (Op::Add, [x, y]) => x.add(*y),
            (Op::Sub, [x, y]) => x.add(y.neg()),
            (Op::Mul, [x, y]) => x.mul(*y),
            (Op::MulOrZero, [x, _]) if x.mantissa == 0.0 => *x,
            (Op::MulOrZero, [x, y]) => x.mul(*y),
            (Op::Div, [x, y]) => x.div(*y),
            (Op::Fma, [x, y, z]) => x.mul(*y).add(*z),
            _ => {
                let args: Vec<f64> = args.iter().map(|x| x.to_f64()).collect();
                Self::new(f64::apply(op, &args)?, 0)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wide(x: f64) -> Wide {
        Wide::new(x, 0)
    }

    #[test]
    fn arithmetic_is_that_of_doubles_where_these_do_not_overflow() {
        let numbers = [0.0, 1.0, -1.5, 3e-310, 1e300, -7e-200, 0.1, f64::INFINITY];
        for x in numbers {
            for y in numbers {
                let pairs = [(Op::Add, x + y), (Op::Sub, x - y), (Op::Mul, x * y), (Op::Div, x / y)];
                for (op, expected) in pairs {
                    let found = Wide::apply(&op, &[wide(x), wide(y)]).expect("an op").to_f64();
                    let same = found == expected || found.is_nan() && expected.is_nan();
                    // A double has fewer digits below the least normal one.
                    assert!(same || (found - expected).abs() < 1e-320, "{op:?} {x} {y}: {found} {expected}");
                }
            }
        }
    }

    #[test]
    fn what_grows_beyond_a_double_comes_back() {
        let (mut x, factor) = (wide(0.75), wide(1.9));
        (0..3000).for_each(|_| x = x.mul(factor));
        assert_eq!(x.to_f64(), f64::INFINITY);
        assert_eq!(x.mul(wide(0.0)).to_f64(), 0.0);
        (0..3000).for_each(|_| x = x.div(factor));
        assert!((x.to_f64() - 0.75).abs() < 1e-12);
    }
}
