//! Prints buffers as expected files have them: a word or a number per line.

use pullback_ir::{Constant, Scalar, Type};

/// A buffer that is compared, after the run.
#[derive(Clone, Debug)]
pub struct Output {
    pub bytes: Vec<u8>,
    /// What the global says that the buffer holds, if it is bound to one.
    pub element: Option<Type>,
}

/// One text for all buffers. Typed, the scalars of a buffer are printed as such under a line that names their type;
/// otherwise, and where elements are structs, each four bytes are a hexadecimal word.
pub fn print(outputs: &[Output], typed: bool) -> String {
    let mut text = String::new();
    for output in outputs {
        let scalar = output.element.as_ref().and_then(element_scalar).filter(|_| typed);
        match scalar {
            Some(scalar) => {
                text.push_str(&format!("type: {}\n", type_name(scalar)));
                for bytes in output.bytes.chunks_exact(scalar.size_bytes()) {
                    let mut word = [0; 8];
                    word[..bytes.len()].copy_from_slice(bytes);
                    text.push_str(&number(Constant::from_bits(scalar, u64::from_le_bytes(word))));
                    text.push('\n');
                }
            }
            None => {
                for bytes in output.bytes.chunks(4) {
                    let mut word = [0; 4];
                    word[..bytes.len()].copy_from_slice(bytes);
                    text.push_str(&format!("{:X}\n", u32::from_le_bytes(word)));
                }
            }
        }
    }
    text
}

/// Of scalars, vectors, matrices and arrays of them.
fn element_scalar(ty: &Type) -> Option<Scalar> {
    match ty {
        Type::Array(element, _) => element_scalar(element),
        _ => ty.scalar(),
    }
}

fn type_name(scalar: Scalar) -> &'static str {
    match scalar {
        Scalar::Bool => "bool",
        Scalar::I8 => "int8_t",
        Scalar::I16 => "int16_t",
        Scalar::I32 => "int32_t",
        Scalar::I64 => "int64_t",
        Scalar::U8 => "uint8_t",
        Scalar::U16 => "uint16_t",
        Scalar::U32 => "uint32_t",
        Scalar::U64 => "uint64_t",
        Scalar::F16 | Scalar::BF16 => "half",
        Scalar::F32 => "float",
        Scalar::F64 => "double",
    }
}

/// As C's `%f` and `%d` do.
fn number(constant: Constant) -> String {
    if constant.scalar().is_float() {
        let value = constant.as_f64();
        return match (value.is_nan(), value.is_infinite()) {
            (true, _) => "nan".to_owned(),
            (_, true) => if value > 0.0 { "inf" } else { "-inf" }.to_owned(),
            _ => format!("{value:.6}"),
        };
    }
    match constant.scalar() {
        Scalar::U64 => constant.bits().to_string(),
        _ => constant.as_i64().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(words: &[u32], element: Option<Type>) -> Output {
        Output { bytes: words.iter().flat_map(|word| word.to_le_bytes()).collect(), element }
    }

    #[test]
    fn words_are_hexadecimal() {
        assert_eq!(print(&[output(&[255, 0], Some(Type::F32))], false), "FF\n0\n");
    }

    #[test]
    fn typed_buffers_say_their_type_and_print_numbers() {
        let floats = output(&[1.5f32.to_bits(), (-0.25f32).to_bits()], Some(Type::Vector(Scalar::F32, 2)));
        let integers = output(&[u32::MAX], Some(Type::I32));
        assert_eq!(print(&[floats, integers], true), "type: float\n1.500000\n-0.250000\ntype: int32_t\n-1\n");
    }

    #[test]
    fn what_is_of_no_one_type_is_printed_as_words() {
        let mixed = Type::structure("S", Vec::new());
        assert_eq!(print(&[output(&[16], Some(mixed)), output(&[17], None)], true), "10\n11\n");
    }
}
