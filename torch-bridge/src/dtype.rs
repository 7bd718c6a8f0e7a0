//! Dtypes between DLPack's codes and ours.

use crate::abi::DlDataType;
use pullback_base::DType;

const INT: u8 = 0;
const UINT: u8 = 1;
const FLOAT: u8 = 2;
const BFLOAT: u8 = 4;
const BOOL: u8 = 6;

/// Our dtype; `None` for complex, quantized, sub-byte and fp8 types.
pub fn from_dlpack(dtype: DlDataType) -> Option<DType> {
    DType::ALL.into_iter().find(|&known| to_dlpack(known) == dtype)
}

pub fn to_dlpack(dtype: DType) -> DlDataType {
    let code = match dtype {
        DType::Bool => BOOL,
        DType::BF16 => BFLOAT,
        _ if dtype.is_float() => FLOAT,
        _ if dtype.is_signed() => INT,
        _ => UINT,
    };
    DlDataType { code, bits: 8 * dtype.size_bytes() as u8, lanes: 1 }
}
