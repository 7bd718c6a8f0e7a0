//! Element types of arrays, which are also the scalar types of the IR.

/// A number format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DType {
    Bool,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    F16,
    BF16,
    F32,
    F64,
}

/// The name of [`DType`] where it types a single value.
pub type Scalar = DType;

impl DType {
    pub const ALL: [DType; 13] = [
        DType::Bool,
        DType::I8,
        DType::I16,
        DType::I32,
        DType::I64,
        DType::U8,
        DType::U16,
        DType::U32,
        DType::U64,
        DType::F16,
        DType::BF16,
        DType::F32,
        DType::F64,
    ];

    /// Size in bytes in memory. A bool takes one byte: 0 or 1.
    pub const fn size_bytes(self) -> usize {
        match self {
            DType::Bool | DType::I8 | DType::U8 => 1,
            DType::I16 | DType::U16 | DType::F16 | DType::BF16 => 2,
            DType::I32 | DType::U32 | DType::F32 => 4,
            DType::I64 | DType::U64 | DType::F64 => 8,
        }
    }

    pub const fn is_float(self) -> bool {
        matches!(self, DType::F16 | DType::BF16 | DType::F32 | DType::F64)
    }

    pub const fn is_signed(self) -> bool {
        matches!(self, DType::I8 | DType::I16 | DType::I32 | DType::I64)
    }

    pub const fn is_unsigned(self) -> bool {
        matches!(self, DType::U8 | DType::U16 | DType::U32 | DType::U64)
    }

    pub const fn is_integer(self) -> bool {
        self.is_signed() || self.is_unsigned()
    }

    pub const fn bits(self) -> u32 {
        match self {
            DType::Bool => 1,
            _ => 8 * self.size_bytes() as u32,
        }
    }

    /// The short name the IR prints: `f32`, `i64`, `bool`.
    pub const fn name(self) -> &'static str {
        match self {
            DType::Bool => "bool",
            DType::I8 => "i8",
            DType::I16 => "i16",
            DType::I32 => "i32",
            DType::I64 => "i64",
            DType::U8 => "u8",
            DType::U16 => "u16",
            DType::U32 => "u32",
            DType::U64 => "u64",
            DType::F16 => "f16",
            DType::BF16 => "bf16",
            DType::F32 => "f32",
            DType::F64 => "f64",
        }
    }

    /// The name NumPy and torch users know: `float32`, `int64`, `bool`.
    pub const fn numpy_name(self) -> &'static str {
        match self {
            DType::Bool => "bool",
            DType::I8 => "int8",
            DType::I16 => "int16",
            DType::I32 => "int32",
            DType::I64 => "int64",
            DType::U8 => "uint8",
            DType::U16 => "uint16",
            DType::U32 => "uint32",
            DType::U64 => "uint64",
            DType::F16 => "float16",
            DType::BF16 => "bfloat16",
            DType::F32 => "float32",
            DType::F64 => "float64",
        }
    }

    /// Whether every value of this dtype is a value of the other (NumPy's «safe» casting).
    pub const fn converts_safely_to(self, to: DType) -> bool {
        match (self, to) {
            (DType::Bool, _) => true,
            _ if self.is_float() => {
                let exponent_fits =
                    !matches!((self, to), (DType::F16, DType::BF16) | (DType::BF16, DType::F16));
                to.is_float() && self.mantissa_bits() <= to.mantissa_bits() && exponent_fits
            }
            _ if to.is_float() => self.bits() <= to.mantissa_bits(),
            _ if self.is_unsigned() && to.is_signed() => self.bits() < to.bits(),
            _ => to.is_integer() && self.is_unsigned() == to.is_unsigned() && self.bits() <= to.bits(),
        }
    }

    /// Binary digits of a float's fraction, the hidden one included.
    const fn mantissa_bits(self) -> u32 {
        match self {
            DType::BF16 => 8,
            DType::F16 => 11,
            DType::F32 => 24,
            _ => 53,
        }
    }

    pub fn from_name(name: &str) -> Option<DType> {
        DType::ALL.into_iter().find(|dtype| dtype.name() == name)
    }
}

impl std::fmt::Display for DType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dtypes_convert_safely_only_without_loss() {
        use DType::*;
        let yes = [
            (F16, F32),
            (BF16, F32),
            (F32, F64),
            (Bool, F32),
            (I8, F16),
            (U8, I16),
            (I16, F32),
            (I32, F64),
            (I32, I64),
        ];
        let no = [
            (F64, F32),
            (I32, F32),
            (F32, I32),
            (U32, I32),
            (I32, U32),
            (F16, BF16),
            (BF16, F16),
            (I64, F64),
            (I8, Bool),
        ];
        for (from, to) in yes {
            assert!(from.converts_safely_to(to), "{from} to {to}");
        }
        for (from, to) in no {
            assert!(!from.converts_safely_to(to), "{from} to {to}");
        }
        assert!(DType::ALL.iter().all(|&dtype| dtype.converts_safely_to(dtype)));
    }
}
