//! The C structs of DLPack 1.3, as far as the exchange API uses them.

use std::ffi::{c_char, c_int, c_void};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct DlDevice {
    pub device_type: i32,
    pub device_id: i32,
}

pub const DEVICE_CPU: i32 = 1;
pub const DEVICE_CUDA: i32 = 2;
pub const DEVICE_CUDA_HOST: i32 = 3;

#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DlDataType {
    pub code: u8,
    pub bits: u8,
    pub lanes: u16,
}

#[repr(C)]
pub struct DlTensor {
    pub data: *mut c_void,
    pub device: DlDevice,
    pub ndim: i32,
    pub dtype: DlDataType,
    pub shape: *mut i64,
    pub strides: *mut i64,
    pub byte_offset: u64,
}

#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DlVersion {
    pub major: u32,
    pub minor: u32,
}

/// Opaque here: made by the allocator, handed back to the same library.
#[repr(C)]
pub struct ManagedTensor {
    pub version: DlVersion,
    pub manager: *mut c_void,
    pub deleter: Option<unsafe extern "C" fn(*mut ManagedTensor)>,
    pub flags: u64,
    pub tensor: DlTensor,
}

#[repr(C)]
pub struct ExchangeHeader {
    pub version: DlVersion,
    pub previous: *mut ExchangeHeader,
}

pub type SetError = unsafe extern "C" fn(context: *mut c_void, kind: *const c_char, message: *const c_char);

#[repr(C)]
pub struct ExchangeApi {
    pub header: ExchangeHeader,
    pub allocate: Option<
        unsafe extern "C" fn(
            prototype: *mut DlTensor,
            out: *mut *mut ManagedTensor,
            error_context: *mut c_void,
            set_error: SetError,
        ) -> c_int,
    >,
    pub managed_from_object:
        Option<unsafe extern "C" fn(object: *mut c_void, out: *mut *mut ManagedTensor) -> c_int>,
    pub managed_to_object:
        Option<unsafe extern "C" fn(tensor: *mut ManagedTensor, out: *mut *mut c_void) -> c_int>,
    pub view_of_object: Option<unsafe extern "C" fn(object: *mut c_void, out: *mut DlTensor) -> c_int>,
    pub current_stream:
        Option<unsafe extern "C" fn(device_type: i32, device_id: i32, out: *mut *mut c_void) -> c_int>,
}
