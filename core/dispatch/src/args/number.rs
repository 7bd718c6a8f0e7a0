//! Number arguments: Python scalars, typed scalars, and small groups of them.

use pullback_base::{Code, DType, Diagnostic, Shape};
use pullback_ir::Constant;
use smallvec::SmallVec;

/// One number as the caller wrote it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    Bool(bool),
    Int(i128),
    Float(f64),
}

/// Numbers in the shape of a scalar, vector, matrix or array parameter.
#[derive(Clone, Debug)]
pub struct Numbers {
    pub shape: Shape,
    /// In C order.
    pub values: SmallVec<[Number; 4]>,
    /// The dtype of a typed scalar (NumPy's); Python's own numbers have none and take the parameter's.
    pub dtype: Option<DType>,
}

impl Numbers {
    pub fn one(value: Number) -> Self {
        Self { shape: Shape::scalar(), values: SmallVec::from_elem(value, 1), dtype: None }
    }

    /// Whether every number converts to that dtype by NumPy's «same kind» rule (bool < int < float).
    pub fn converts_to(&self, dtype: DType) -> bool {
        self.values.iter().all(|value| match value {
            Number::Bool(_) => true,
            Number::Int(_) => dtype.is_integer() || dtype.is_float(),
            Number::Float(_) => dtype.is_float(),
        })
    }

    /// Whether it is of that dtype, or of its kind when it has none.
    pub fn matches(&self, dtype: DType) -> bool {
        match self.dtype {
            Some(own) => own == dtype,
            None => self.values.iter().all(|value| match value {
                Number::Bool(_) => dtype == DType::Bool,
                Number::Int(_) => dtype.is_integer(),
                Number::Float(_) => dtype.is_float(),
            }),
        }
    }

    /// `a float`, `an int`, `numpy float32`, `3 floats`.
    pub fn describe(&self) -> String {
        let kind = match (self.dtype, self.values.first()) {
            (Some(dtype), _) => return format!("a {} scalar", dtype.numpy_name()),
            (None, Some(Number::Bool(_))) => "bool",
            (None, Some(Number::Int(_))) => "int",
            (None, _) => "float",
        };
        match (self.values.len(), kind) {
            (1, "int") => "an int".into(),
            (1, kind) => format!("a {kind}"),
            _ => format!("{kind}s in shape {}", self.shape),
        }
    }
}

impl Number {
    /// The number in that dtype. Integers that do not fit are refused; floats round.
    pub fn to_constant(self, dtype: DType, param: &str) -> Result<Constant, Diagnostic> {
        let out_of_range = |value: i128| {
            Diagnostic::error(
                Code::ValueRange,
                format!("{value} does not fit `{param}`, which is {}", dtype.numpy_name()),
            )
            .help("pass a number in the type's range, or give the parameter a wider type")
        };
        match self {
            Number::Bool(value) => Ok(Constant::int(dtype, i64::from(value))),
            Number::Float(value) => Ok(Constant::float(dtype, value)),
            Number::Int(value) if dtype.is_float() => Ok(Constant::float(dtype, value as f64)),
            Number::Int(value) => {
                let bits = dtype.bits();
                let (low, high) = match dtype {
                    DType::Bool => (0, 1),
                    _ if dtype.is_signed() => (-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1),
                    _ => (0, (1i128 << bits) - 1),
                };
                if (low..=high).contains(&value) {
                    Ok(Constant::from_bits(dtype, value as u64))
                } else {
                    Err(out_of_range(value))
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_out_of_range_are_refused() {
        assert_eq!(Number::Int(255).to_constant(DType::U8, "n").map(Constant::bits), Ok(255));
        assert_eq!(Number::Int(-1).to_constant(DType::I8, "n").map(Constant::bits), Ok(255));
        for (value, dtype) in [(300, DType::U8), (-1, DType::U32), (1 << 40, DType::I32)] {
            let error = Number::Int(value).to_constant(dtype, "n").expect_err("refused");
            assert_eq!(error.code, Code::ValueRange);
        }
    }
}
