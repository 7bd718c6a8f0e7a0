//! Number literals: text to value and suffix.

use super::ast::{FloatSuffix, IntSuffix};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    Int(u64, IntSuffix),
    Float(f64, FloatSuffix),
}

/// The value of a number token. The error says what is wrong with it, as a label.
pub fn parse(text: &str) -> Result<Number, &'static str> {
    let radix = match text.get(..2) {
        Some("0x" | "0X") => Some(16),
        Some("0b" | "0B") => Some(2),
        Some("0o" | "0O") => Some(8),
        _ => None,
    };
    if radix == Some(16) && text.contains(['p', 'P']) {
        return hexadecimal_float(&text[2..]);
    }
    if let Some(radix) = radix {
        return int(&text[2..], radix);
    }
    let digits = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let is_float =
        matches!(text.as_bytes().get(digits), Some(b'.' | b'e' | b'E' | b'f' | b'F' | b'h' | b'H'))
            || text[digits..].eq_ignore_ascii_case("lf");
    if is_float {
        return float(text);
    }
    // C reads a leading zero as octal; a kernel that means it writes `0o`.
    if digits > 1 && text.starts_with('0') && text[..digits].bytes().any(|byte| byte != b'0') {
        return Err("write octal numbers with `0o`, decimal ones without a leading 0");
    }
    int(text, 10)
}

fn int(text: &str, radix: u32) -> Result<Number, &'static str> {
    let digits = text.bytes().position(|byte| !(byte as char).is_digit(radix)).unwrap_or(text.len());
    let suffix = match text[digits..].to_ascii_lowercase().as_str() {
        "" => IntSuffix::None,
        "u" => IntSuffix::U,
        "l" | "ll" => IntSuffix::L,
        "ul" | "ull" | "lu" | "llu" => IntSuffix::UL,
        _ if digits == 0 => return Err("expected digits"),
        rest if rest.starts_with(|c: char| c.is_ascii_digit()) => return Err("not a digit of this base"),
        _ => return Err("not a suffix of an integer; there are `u`, `l`, `ll`, `ul`, `ull`"),
    };
    if digits == 0 {
        return Err("expected digits");
    }
    let value = u64::from_str_radix(&text[..digits], radix).map_err(|_| "does not fit 64 bits")?;
    Ok(Number::Int(value, suffix))
}

fn float(text: &str) -> Result<Number, &'static str> {
    let bytes = text.as_bytes();
    let digits_from = |at: usize| at + bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut end = digits_from(0);
    if bytes.get(end) == Some(&b'.') {
        end = digits_from(end + 1);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let exponent = digits_from((end + 1 + sign).min(bytes.len()));
        if exponent == end + 1 + sign {
            return Err("the exponent has no digits");
        }
        end = exponent;
    }
    let suffix = float_suffix(&text[end..])?;
    let value: f64 = text[..end].parse().map_err(|_| "not a number")?;
    if value.is_finite() { Ok(Number::Float(value, suffix)) } else { Err("too large for any float type") }
}

fn float_suffix(text: &str) -> Result<FloatSuffix, &'static str> {
    match text.to_ascii_lowercase().as_str() {
        "" => Ok(FloatSuffix::None),
        "f" => Ok(FloatSuffix::F32),
        "h" | "hf" | "fh" => Ok(FloatSuffix::F16),
        "l" | "lf" | "fl" => Ok(FloatSuffix::F64),
        _ => Err("not a suffix of a float; there are `f`, `h`, `l`, `lf`"),
    }
}

/// `1.8p-3`: a mantissa in base 16, times a power of two.
fn hexadecimal_float(text: &str) -> Result<Number, &'static str> {
    let Some((mantissa, rest)) = text.split_once(['p', 'P']) else { return Err("expected an exponent") };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err("expected digits");
    }
    let significant = digits.trim_start_matches('0');
    // All that is below the 53 bits of a double must be zero, so no digit is rounded away.
    let mantissa = match significant.trim_end_matches('0') {
        "" => 0,
        short => u64::from_str_radix(short, 16).map_err(|_| "has more digits than a double")?,
    };
    let dropped = significant.len() - significant.trim_end_matches('0').len();
    if mantissa.checked_ilog2().is_some_and(|top| top - mantissa.trailing_zeros() > 52) {
        return Err("has more digits than a double");
    }
    let sign = usize::from(rest.starts_with(['+', '-']));
    let end = sign + rest[sign..].bytes().take_while(u8::is_ascii_digit).count();
    if end == sign {
        return Err("the exponent has no digits");
    }
    let exponent: i32 = rest[..end].parse().map_err(|_| "the exponent is too large")?;
    let places = 4 * (dropped as i64 - fraction.len() as i64) + i64::from(exponent);
    let suffix = float_suffix(&rest[end..])?;
    // Two factors: one alone may leave the range that both together are in.
    let half = places.clamp(-2200, 2200) as i32 / 2;
    let value = mantissa as f64 * 2f64.powi(half) * 2f64.powi(places.clamp(-2200, 2200) as i32 - half);
    if value.is_finite() { Ok(Number::Float(value, suffix)) } else { Err("too large for any float type") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_value_and_suffix() {
        use Number::{Float, Int};
        let cases = [
            ("0", Int(0, IntSuffix::None)),
            ("3u", Int(3, IntSuffix::U)),
            ("3L", Int(3, IntSuffix::L)),
            ("3ULL", Int(3, IntSuffix::UL)),
            ("0xFFu", Int(255, IntSuffix::U)),
            ("0b101", Int(5, IntSuffix::None)),
            ("0o17", Int(15, IntSuffix::None)),
            ("18446744073709551615", Int(u64::MAX, IntSuffix::None)),
            ("1.0f", Float(1.0, FloatSuffix::F32)),
            ("1f", Float(1.0, FloatSuffix::F32)),
            ("1.5h", Float(1.5, FloatSuffix::F16)),
            ("1.0lf", Float(1.0, FloatSuffix::F64)),
            ("1.0L", Float(1.0, FloatSuffix::F64)),
            (".25", Float(0.25, FloatSuffix::None)),
            ("2.", Float(2.0, FloatSuffix::None)),
            ("1e-3", Float(1e-3, FloatSuffix::None)),
            ("0x1.8p1", Float(3.0, FloatSuffix::None)),
            ("0xAp-2f", Float(2.5, FloatSuffix::F32)),
            ("0x1.fffffffffffffp1023l", Float(f64::MAX, FloatSuffix::F64)),
            ("0x0.0p0", Float(0.0, FloatSuffix::None)),
            ("1.5fh", Float(1.5, FloatSuffix::F16)),
        ];
        for (text, number) in cases {
            assert_eq!(parse(text), Ok(number), "{text}");
        }
    }

    #[test]
    fn wrong_numbers_say_what_is_wrong() {
        for (text, part) in [
            ("0x", "digits"),
            ("0b12", "digit of this base"),
            ("012", "octal"),
            ("1q", "suffix of an integer"),
            ("1.0q", "suffix of a float"),
            ("1.0e", "exponent"),
            ("99999999999999999999", "64 bits"),
            ("1e999", "too large"),
            ("0x1p9999", "too large"),
            ("0x1p", "exponent"),
            ("0x1.00000000000001p0", "more digits"),
        ] {
            let message = parse(text).expect_err(text);
            assert!(message.contains(part), "{text}: {message}");
        }
    }
}
