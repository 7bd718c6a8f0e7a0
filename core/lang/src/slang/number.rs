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
    let suffix = match text[end..].to_ascii_lowercase().as_str() {
        "" => FloatSuffix::None,
        "f" => FloatSuffix::F32,
        "h" | "hf" => FloatSuffix::F16,
        "l" | "lf" => FloatSuffix::F64,
        _ => return Err("not a suffix of a float; there are `f`, `h`, `l`, `lf`"),
    };
    let value: f64 = text[..end].parse().map_err(|_| "not a number")?;
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
        ] {
            let message = parse(text).expect_err(text);
            assert!(message.contains(part), "{text}: {message}");
        }
    }
}
