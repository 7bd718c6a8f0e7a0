//! Scalar constants, compared and hashed by their bits.

use half::{bf16, f16};
use pullback_base::Scalar;

/// A scalar constant: its type and its bits in the low end, the rest zero. NaNs and -0 keep their bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Constant {
    scalar: Scalar,
    bits: u64,
}

impl Constant {
    /// Bits above the type's width are cut.
    pub fn from_bits(scalar: Scalar, bits: u64) -> Self {
        let width = scalar.bits();
        let mask = if width == 64 { u64::MAX } else { (1 << width) - 1 };
        Self { scalar, bits: bits & mask }
    }

    pub fn bool(value: bool) -> Self {
        Self::from_bits(Scalar::Bool, u64::from(value))
    }

    /// An integer, wrapped to the type; for a float or bool type, converted.
    pub fn int(scalar: Scalar, value: i64) -> Self {
        match scalar {
            Scalar::Bool => Self::bool(value != 0),
            _ if scalar.is_float() => Self::float(scalar, value as f64),
            _ => Self::from_bits(scalar, value as u64),
        }
    }

    /// A float, rounded to the type; for an integer or bool type, converted (truncated, saturated).
    pub fn float(scalar: Scalar, value: f64) -> Self {
        let bits = match scalar {
            Scalar::F16 => u64::from(f16::from_f32(round_to_odd(value)).to_bits()),
            Scalar::BF16 => u64::from(bf16::from_f32(round_to_odd(value)).to_bits()),
            Scalar::F32 => u64::from((value as f32).to_bits()),
            Scalar::F64 => value.to_bits(),
            Scalar::Bool => u64::from(value != 0.0),
            Scalar::I8 => value as i8 as u64,
            Scalar::I16 => value as i16 as u64,
            Scalar::I32 => value as i32 as u64,
            Scalar::I64 => value as i64 as u64,
            Scalar::U8 => u64::from(value as u8),
            Scalar::U16 => u64::from(value as u16),
            Scalar::U32 => u64::from(value as u32),
            Scalar::U64 => value as u64,
        };
        Self::from_bits(scalar, bits)
    }

    pub fn zero(scalar: Scalar) -> Self {
        Self::from_bits(scalar, 0)
    }

    pub fn scalar(self) -> Scalar {
        self.scalar
    }

    pub fn bits(self) -> u64 {
        self.bits
    }

    /// The value as a double: exact for floats and for integers up to 53 bits.
    pub fn as_f64(self) -> f64 {
        match self.scalar {
            Scalar::F16 => f16::from_bits(self.bits as u16).to_f64(),
            Scalar::BF16 => bf16::from_bits(self.bits as u16).to_f64(),
            Scalar::F32 => f64::from(f32::from_bits(self.bits as u32)),
            Scalar::F64 => f64::from_bits(self.bits),
            Scalar::U64 => self.bits as f64,
            _ => self.as_i64() as f64,
        }
    }

    /// The value of an integer or bool, sign-extended; `u64` wraps; floats truncate.
    pub fn as_i64(self) -> i64 {
        match self.scalar {
            Scalar::I8 => i64::from(self.bits as i8),
            Scalar::I16 => i64::from(self.bits as i16),
            Scalar::I32 => i64::from(self.bits as i32),
            _ if self.scalar.is_float() => self.as_f64() as i64,
            _ => self.bits as i64,
        }
    }

    pub fn as_bool(self) -> bool {
        self.scalar == Scalar::Bool && self.bits != 0
    }

    /// Whether it is positive zero, the integer 0, or `false`.
    pub fn is_zero(self) -> bool {
        self.bits == 0
    }
}

/// The f32 next to `value`, the one with an odd last bit when inexact: rounding it again to 22 bits or fewer gives
/// what rounding `value` once would (the conversions of `half` from f64 round twice).
fn round_to_odd(value: f64) -> f32 {
    let nearest = value as f32;
    let back = f64::from(nearest);
    if back == value || value.is_nan() || nearest.to_bits() & 1 == 1 {
        return nearest;
    }
    // Bits of floats of one sign count away from zero; an even infinity steps back to the odd MAX.
    let away = back.abs() < value.abs();
    f32::from_bits(if away { nearest.to_bits() + 1 } else { nearest.to_bits() - 1 })
}

impl std::fmt::Display for Constant {
    /// `f32 0.5`, `i32 -3`, `bool true`; a float that has no exact decimal form short enough prints as
    /// `f32 0x7fc00000`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scalar = self.scalar;
        match scalar {
            Scalar::Bool => write!(f, "bool {}", self.as_bool()),
            Scalar::U64 => write!(f, "u64 {}", self.bits),
            _ if scalar.is_float() => {
                let value = self.as_f64();
                let text = match scalar {
                    Scalar::F64 => format!("{value:?}"),
                    _ => format!("{:?}", value as f32),
                };
                let exact =
                    value.is_finite() && text.parse().is_ok_and(|v: f64| Constant::float(scalar, v) == *self);
                if exact { write!(f, "{scalar} {text}") } else { write!(f, "{scalar} {:#x}", self.bits) }
            }
            _ => write!(f, "{scalar} {}", self.as_i64()),
        }
    }
}

impl std::fmt::Debug for Constant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_precision_rounds_once() {
        let f16_bits = |value| Constant::float(Scalar::F16, value).bits();
        let tie = 1.0 + 2f64.powi(-11); // halfway between 1 and the next f16
        assert_eq!(f16_bits(tie), 0x3c00);
        assert_eq!(f16_bits(tie + 2f64.powi(-40)), 0x3c01);
        assert_eq!(f16_bits(tie - 2f64.powi(-40)), 0x3c00);
        assert_eq!(f16_bits(-tie - 2f64.powi(-40)), 0xbc01);
        assert_eq!(f16_bits(1e300), 0x7c00);
        assert_eq!(f16_bits(-1e-300), 0x8000);
        assert_eq!(f16_bits(65519.99999999), 0x7bff);
        assert_eq!(f16_bits(2f64.powi(-25)), 0);
        assert_eq!(f16_bits(2f64.powi(-25) * 1.0000000001), 1);
    }
}
