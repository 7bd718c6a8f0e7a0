//! Complex numbers as analytic continuations of the real ops, for derivatives by a complex step.
//!
//! Where a formula of textbooks would add a tiny imaginary step to a number near 1, and so lose it, Kahan's formulas
//! ("Branch Cuts for Complex Elementary Functions", 1987) are used: they never mix the two parts.

use crate::Number;
use num_complex::Complex64;
use pullback_ir::{Constant, Op, Scalar, eval};
use std::f64::consts::{FRAC_PI_2, LN_2, LN_10, PI};

const NAN: Complex64 = Complex64::new(f64::NAN, f64::NAN);

impl Number for Complex64 {
    fn from_constant(constant: Constant) -> Self {
        Complex64::new(constant.as_f64(), 0.0)
    }

    fn real(&self) -> Constant {
        Constant::float(Scalar::F64, self.re)
    }

    fn computed(_: Scalar) -> Scalar {
        Scalar::F64
    }

    fn apply(op: &Op, args: &[Self]) -> Option<Self> {
        match *args {
            [x] => unary(op, x),
            [x, y] => binary(op, x, y),
            [x, y, z] => match op {
                Op::Fma => Some(x * y + z),
                // The bounds are inclusive: at them the value is what moves.
                Op::Clamp if y.re <= x.re && x.re <= z.re => Some(x),
                Op::Clamp => binary(&Op::Min, binary(&Op::Max, x, y)?, z),
                _ => None,
            },
            _ => None,
        }
    }
}

fn unary(op: &Op, z: Complex64) -> Option<Complex64> {
    Some(match op {
        Op::Convert(_) => z,
        Op::Neg => -z,
        Op::Abs if z.re < 0.0 => -z,
        Op::Abs => z,
        Op::Fract => z - z.re.floor(),
        Op::Sqrt => sqrt(z),
        Op::Rsqrt => sqrt(z).inv(),
        Op::Rcp => z.inv(),
        Op::Exp => z.exp(),
        Op::Exp2 => (z * LN_2).exp(),
        Op::Log => log(z),
        Op::Log2 => log(z) / LN_2,
        Op::Log10 => log(z) / LN_10,
        Op::Sin => z.sin(),
        Op::Cos => z.cos(),
        Op::Tan => z.sin() / z.cos(),
        Op::Asin => asin(z),
        Op::Acos => acos(z),
        Op::Atan => atan(z),
        Op::Sinh => z.sinh(),
        Op::Cosh => z.cosh(),
        Op::Tanh => tanh(z),
        // asinh z = i asin(-iz)
        Op::Asinh => {
            let w = kahan_asin(Complex64::new(z.im, -z.re));
            Complex64::new(-w.im, w.re)
        }
        Op::Acosh => acosh(z),
        Op::Atanh => atanh(z),
        // Constant between jumps, or cut from the derivative: only the real part goes on.
        Op::Sign | Op::Floor | Op::Ceil | Op::Round | Op::Trunc | Op::Detach | Op::Cut | Op::Unpaired => {
            Complex64::new(eval(op, &[z.real()])?.as_f64(), 0.0)
        }
        _ => return None,
    })
}

fn binary(op: &Op, x: Complex64, y: Complex64) -> Option<Complex64> {
    Some(match op {
        Op::Add => x + y,
        Op::Sub => x - y,
        Op::Mul => x * y,
        Op::Div => x / y,
        Op::Rem => Complex64::new(x.re % y.re, x.im - y.im * (x.re / y.re).trunc()),
        // At a tie any direction between the two may be taken: the middle one.
        Op::Min | Op::Max if x.re == y.re => Complex64::new(x.re, (x.im + y.im) / 2.0),
        Op::Min if x.re < y.re || y.re.is_nan() => x,
        Op::Max if x.re > y.re || y.re.is_nan() => x,
        Op::Min | Op::Max => y,
        Op::Pow => pow(x, y),
        Op::Atan2 => atan2(x, y),
        Op::Copysign if x.re.is_sign_negative() == y.re.is_sign_negative() => x,
        Op::Copysign => -x,
        Op::MulOrZero if x.re == 0.0 && !y.is_finite() => Complex64::new(x.re, 0.0),
        Op::MulOrZero => x * y,
        _ => return None,
    })
}

fn sqrt(z: Complex64) -> Complex64 {
    if z.re < 0.0 { NAN } else { principal_sqrt(z) }
}

/// The root with a real part that is not negative, also of negative numbers; a tiny imaginary part survives.
fn principal_sqrt(z: Complex64) -> Complex64 {
    let half = ((z.re.abs() + z.norm()) / 2.0).sqrt();
    if half == 0.0 || !half.is_finite() {
        return Complex64::new(half, 0.0);
    }
    let other = z.im / (2.0 * half);
    if z.re >= 0.0 { Complex64::new(half, other) } else { Complex64::new(other.abs(), half.copysign(z.im)) }
}

fn log(z: Complex64) -> Complex64 {
    if z.re < 0.0 { NAN } else { Complex64::new(z.norm().ln(), z.arg()) }
}

fn asin(z: Complex64) -> Complex64 {
    if z.re.abs() > 1.0 { NAN } else { kahan_asin(z) }
}

fn kahan_asin(z: Complex64) -> Complex64 {
    let (below, above) = (principal_sqrt(1.0 - z), principal_sqrt(1.0 + z));
    Complex64::new(z.re.atan2((below * above).re), (below.conj() * above).im.asinh())
}

fn acos(z: Complex64) -> Complex64 {
    if z.re.abs() > 1.0 {
        return NAN;
    }
    let (below, above) = (principal_sqrt(1.0 - z), principal_sqrt(1.0 + z));
    Complex64::new(2.0 * below.re.atan2(above.re), (above.conj() * below).im.asinh())
}

fn acosh(z: Complex64) -> Complex64 {
    if z.re < 1.0 {
        return NAN;
    }
    let (below, above) = (principal_sqrt(z - 1.0), principal_sqrt(z + 1.0));
    Complex64::new((below.conj() * above).re.asinh(), 2.0 * below.im.atan2(above.re))
}

fn tanh(z: Complex64) -> Complex64 {
    // (sinh 2a + i sin 2b) / (cosh 2a + cos 2b) overflows where tanh is 1 long since.
    if z.re.abs() > 20.0 {
        return Complex64::new(
            1f64.copysign(z.re),
            4.0 * (2.0 * z.im).sin() * (-2.0 * z.re.abs()).exp() / 2.0,
        );
    }
    z.sinh() / z.cosh()
}

/// Of a number whose real part lies within [-1, 1].
fn atanh(z: Complex64) -> Complex64 {
    if z.re.abs() > 1.0 { NAN } else { wide_atanh(z.re, z.im) }
}

fn wide_atanh(a: f64, b: f64) -> Complex64 {
    // Re = ln(|1 + z|^2 / |1 - z|^2) / 4, and the quotient is 1 + 4a / |1 - z|^2.
    let re = (4.0 * a / ((1.0 - a).powi(2) + b * b)).ln_1p() / 4.0;
    Complex64::new(re, (2.0 * b).atan2((1.0 - a) * (1.0 + a) - b * b) / 2.0)
}

fn atan(z: Complex64) -> Complex64 {
    // atan z = -i atanh(iz)
    let w = wide_atanh(-z.im, z.re);
    Complex64::new(w.im, -w.re)
}

/// The angle of the point (x, y), from the quotient that is at most 1.
fn atan2(y: Complex64, x: Complex64) -> Complex64 {
    if x.re == 0.0 && y.re == 0.0 {
        return Complex64::new(y.re.atan2(x.re), 0.0);
    }
    if x.re.abs() >= y.re.abs() {
        let turn = if x.re < 0.0 { PI.copysign(y.re) } else { 0.0 };
        atan(y / x) + turn
    } else {
        FRAC_PI_2.copysign(y.re) - atan(x / y)
    }
}

fn pow(x: Complex64, y: Complex64) -> Complex64 {
    let value = |re, im| Complex64::new(re, im);
    let real = libm_pow(x.re, y.re);
    if x.im == 0.0 && y.im == 0.0 {
        return value(real, 0.0);
    }
    if x.re > 0.0 {
        return (y * log(x)).exp();
    }
    // Analytic in x alone, for whole exponents: (-x)^n = (-1)^n x^n. In y nothing continues it.
    if y.im != 0.0 {
        return value(real, if x.re == 0.0 && y.re > 0.0 { 0.0 } else { f64::NAN });
    }
    let whole = y.re == y.re.trunc();
    if whole && y.re.abs() <= 64.0 {
        return x.powi(y.re as i32);
    }
    if whole && x.re < 0.0 {
        let odd = if y.re % 2.0 == 0.0 { 1.0 } else { -1.0 };
        return (log(-x) * y.re).exp() * odd;
    }
    if x.re == 0.0 {
        // d(x^y) at 0: 0 for y > 1, infinite below.
        return value(real, if y.re > 1.0 { 0.0 } else { f64::INFINITY.copysign(x.im) });
    }
    NAN
}

fn libm_pow(x: f64, y: f64) -> f64 {
    let args = [x, y].map(|v| Constant::float(Scalar::F64, v));
    eval(&Op::Pow, &args).map_or(f64::NAN, Constant::as_f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: f64 = 1e-30;

    /// Value and derivative at `args` with respect to argument `at`.
    fn step(op: &Op, args: &[f64], at: usize) -> Option<(f64, f64)> {
        let args: Vec<Complex64> = args
            .iter()
            .enumerate()
            .map(|(i, &x)| Complex64::new(x, if i == at { STEP } else { 0.0 }))
            .collect();
        Complex64::apply(op, &args).map(|z| (z.re, z.im / STEP))
    }

    fn exact(op: &Op, args: &[f64]) -> f64 {
        <f64 as Number>::apply(op, args).expect("a float op")
    }

    /// Five-point differences: good to about 1e-10 where the function is smooth.
    fn difference(op: &Op, args: &[f64], at: usize) -> f64 {
        let h = 1e-3 * args[at].abs().max(0.25);
        let shifted = |k: f64| {
            let mut args = args.to_vec();
            args[at] += k * h;
            exact(op, &args)
        };
        (shifted(-2.0) - 8.0 * shifted(-1.0) + 8.0 * shifted(1.0) - shifted(2.0)) / (12.0 * h)
    }

    #[test]
    fn a_tiny_step_gives_value_and_derivative_of_every_float_op() {
        let mut seen = 0;
        for op in pullback_ir::ops::samples() {
            let Some(arity) = op.arity() else { continue };
            if <f64 as Number>::apply(&op, &vec![0.5; arity]).is_none()
                || arity == 0
                || matches!(op, Op::Detach | Op::Cut | Op::Unpaired)
            {
                continue;
            }
            if matches!(op, Op::Select | Op::Bitcast(_)) || op.rule() == pullback_ir::ops::TypeRule::Compare {
                continue;
            }
            if op.rule() == pullback_ir::ops::TypeRule::FloatTest {
                continue;
            }
            seen += 1;
            for args in
                [[0.3, 0.71, 0.55], [-0.62, 0.4, 1.7], [1.83, -0.9, 2.2], [-2.7, 3.0, 0.2], [12.3, 2.0, 1.1]]
            {
                let args = &args[..arity];
                for at in 0..arity {
                    let (value, slope) =
                        step(&op, args, at).unwrap_or_else(|| panic!("{} has no rule", op.name()));
                    let (want, want_slope) = (exact(&op, args), difference(&op, args, at));
                    if !want.is_finite() || !want_slope.is_finite() {
                        continue;
                    }
                    assert!(
                        (value - want).abs() <= 1e-12 * want.abs().max(1.0),
                        "{} {args:?}: {value} {want}",
                        op.name()
                    );
                    assert!(
                        (slope - want_slope).abs() <= 1e-6 * want_slope.abs().max(1.0),
                        "{} {args:?} in {at}: {slope} {want_slope}",
                        op.name()
                    );
                }
            }
        }
        assert!(seen > 40, "{seen} ops");
    }

    #[test]
    fn detach_cuts_the_step() {
        assert_eq!(step(&Op::Detach, &[2.0], 0), Some((2.0, 0.0)));
    }
}
