//! Lines of C++, names of types, literals.

use crate::kernel::element_scalar;
use pullback_base::Scalar;
use pullback_ir::{Constant, Type};

/// Indented lines.
#[derive(Default)]
pub struct Text {
    out: String,
    depth: usize,
}

impl Text {
    pub fn line(&mut self, line: impl AsRef<str>) {
        if !line.as_ref().is_empty() {
            self.out.extend(std::iter::repeat_n("    ", self.depth));
            self.out.push_str(line.as_ref());
        }
        self.out.push('\n');
    }

    /// A line that opens a block.
    pub fn open(&mut self, line: impl AsRef<str>) {
        self.line(line);
        self.depth += 1;
    }

    /// A line that closes a block.
    pub fn close(&mut self, line: impl AsRef<str>) {
        self.depth -= 1;
        self.line(line);
    }

    /// Goes on within a block after a line like `} else {`.
    pub fn reopen(&mut self) {
        self.depth += 1;
    }

    pub fn finish(self) -> String {
        self.out
    }
}

/// The type of a scalar value. 16-bit floats are held as their bits.
pub fn scalar_name(scalar: Scalar) -> &'static str {
    match scalar {
        Scalar::F16 | Scalar::BF16 => "u16",
        other => other.name(),
    }
}

/// The type of an element in memory: a bool is a byte.
pub fn memory_name(scalar: Scalar) -> &'static str {
    if scalar == Scalar::Bool { "u8" } else { scalar_name(scalar) }
}

/// The type of a scalar or pointer value, or of an array's elements.
pub fn type_name(ty: &Type) -> String {
    match ty {
        Type::Pointer(element) => match &**element {
            Type::Pointer(_) => format!("{}*", type_name(element)),
            element => format!("{}*", memory_name(element_scalar(element))),
        },
        Type::Array(element, _) => type_name(element),
        other => scalar_name(element_scalar(other)).to_owned(),
    }
}

pub fn literal(constant: Constant) -> String {
    let scalar = constant.scalar();
    match scalar {
        Scalar::Bool => constant.as_bool().to_string(),
        Scalar::F32 | Scalar::F64 => float_literal(constant),
        Scalar::F16 | Scalar::BF16 | Scalar::U8 | Scalar::U16 => {
            format!("({})0x{:x}", scalar_name(scalar), constant.bits())
        }
        Scalar::U32 => format!("{}u", constant.bits()),
        Scalar::U64 => format!("{}ull", constant.bits()),
        // The lowest number has no literal: its digits alone overflow.
        Scalar::I32 if constant.as_i64() == i64::from(i32::MIN) => "(-2147483647 - 1)".to_owned(),
        Scalar::I64 if constant.as_i64() == i64::MIN => "(-9223372036854775807ll - 1)".to_owned(),
        Scalar::I64 => signed(constant.as_i64(), "ll"),
        Scalar::I32 => signed(constant.as_i64(), ""),
        _ => format!("({})({})", scalar.name(), constant.as_i64()),
    }
}

fn signed(value: i64, suffix: &str) -> String {
    if value < 0 { format!("({value}{suffix})") } else { format!("{value}{suffix}") }
}

fn float_literal(constant: Constant) -> String {
    let value = constant.as_f64();
    let single = constant.scalar() == Scalar::F32;
    if !value.is_finite() {
        return match single {
            true => format!("__uint_as_float(0x{:x}u)", constant.bits()),
            false => format!("__longlong_as_double(0x{:x}ll)", constant.bits()),
        };
    }
    let digits = if single { format!("{:?}f", value as f32) } else { format!("{value:?}") };
    if value.is_sign_negative() { format!("({digits})") } else { digits }
}
