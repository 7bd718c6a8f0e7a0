//! Tensors as array views, and new tensors, by DLPack's C exchange API: no Python attribute is read.

use crate::abi::{
    DEVICE_CPU, DEVICE_CUDA, DEVICE_CUDA_HOST, DlDevice, DlTensor, DlVersion, ExchangeApi, ManagedTensor,
};
use crate::dtype;
use pullback_base::{DType, Shape};
use pullback_dispatch::{ArrayView, Location};
use pyo3::exceptions::{PyBufferError, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyCapsuleMethods};
use smallvec::SmallVec;
use std::ffi::{CStr, c_char, c_void};
use std::ptr;

const CAPSULE: &CStr = c"dlpack_exchange_api";
const ATTRIBUTE: &str = "__dlpack_c_exchange_api__";
/// The functions used exist since this version.
const OLDEST: DlVersion = DlVersion { major: 1, minor: 3 };

/// Why a tensor is not an array a kernel can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TensorKind {
    /// `complex64`, `float8_e5m2`, ...: a dtype without a counterpart.
    Dtype,
    /// On a device that is neither the CPU nor a CUDA GPU.
    Device,
    /// It has a shape, but no memory: a placeholder of torch's.
    NoMemory,
}

impl TensorKind {
    pub fn reason(self) -> &'static str {
        match self {
            TensorKind::Dtype => "the dtype has no counterpart in kernels",
            TensorKind::Device => "the device is neither the CPU nor a CUDA GPU",
            TensorKind::NoMemory => "it has no memory of its own",
        }
    }
}

/// The exchange functions of one tensor type.
#[derive(Clone, Copy)]
pub struct Exchange(&'static ExchangeApi);

// SAFETY: the table is immutable static data of the library that published it, which is never unloaded.
unsafe impl Send for Exchange {}
// SAFETY: as above; the functions are called with the interpreter attached.
unsafe impl Sync for Exchange {}

impl Exchange {
    /// The functions that a Python type publishes, if it does and they are new enough.
    pub fn of_type(ty: &Bound<'_, PyAny>) -> Option<Exchange> {
        let capsule = ty.getattr(ATTRIBUTE).ok()?;
        let capsule = capsule.cast::<PyCapsule>().ok()?;
        let api = capsule.pointer_checked(Some(CAPSULE)).ok()?.as_ptr().cast::<ExchangeApi>();
        // SAFETY: the capsule's name promises a static `DLPackExchangeAPI`; its header has the same layout in every version.
        let (api, version) = unsafe { (&*api, (*api).header.version) };
        (version.major == OLDEST.major && version >= OLDEST).then_some(Exchange(api))
    }

    /// The tensor's memory. It is read without synchronizing: the caller orders its work by stream.
    pub fn view(&self, object: &Bound<'_, PyAny>) -> PyResult<Result<ArrayView, TensorKind>> {
        let py = object.py();
        let read =
            self.0.view_of_object.ok_or_else(|| PyRuntimeError::new_err("the tensor type gives no views"))?;
        let mut tensor = empty_tensor();
        // SAFETY: the object is of the type that published the function, and alive; `out` is valid for a write.
        if unsafe { read(object.as_ptr().cast(), &mut tensor) } != 0 {
            return Err(PyErr::take(py)
                .unwrap_or_else(|| PyBufferError::new_err("the tensor has no memory to share")));
        }
        let Some(dtype) = dtype::from_dlpack(tensor.dtype) else {
            return Ok(Err(TensorKind::Dtype));
        };
        let location = match tensor.device.device_type {
            DEVICE_CPU | DEVICE_CUDA_HOST => Location::Host,
            DEVICE_CUDA => Location::Gpu(tensor.device.device_id as u32),
            _ => return Ok(Err(TensorKind::Device)),
        };
        let rank = tensor.ndim as usize;
        // SAFETY: the library promises `ndim` sizes and strides that live as long as the tensor.
        let dims = unsafe { slice(tensor.shape, rank) };
        let shape = Shape::from(dims);
        let strides = if tensor.strides.is_null() {
            shape.contiguous_strides()
        } else {
            // SAFETY: as above.
            SmallVec::from_slice(unsafe { slice(tensor.strides, rank) })
        };
        if tensor.data.is_null() && shape.count() > 0 {
            return Ok(Err(TensorKind::NoMemory));
        }
        let address = tensor.data as u64 + tensor.byte_offset;
        Ok(Ok(ArrayView { address, dtype, shape, strides, location, writable: true, record: None }))
    }

    /// A new C-contiguous tensor from the library's own allocator, with its view.
    pub fn empty<'py>(
        &self,
        py: Python<'py>,
        dtype: DType,
        shape: &Shape,
        location: Location,
    ) -> PyResult<(Bound<'py, PyAny>, ArrayView)> {
        let (Some(allocate), Some(to_object)) = (self.0.allocate, self.0.managed_to_object) else {
            return Err(PyRuntimeError::new_err("the tensor type allocates nothing"));
        };
        let mut dims: SmallVec<[i64; 6]> = SmallVec::from_slice(shape.dims());
        let mut prototype = empty_tensor();
        prototype.dtype = dtype::to_dlpack(dtype);
        prototype.ndim = dims.len() as i32;
        prototype.shape = dims.as_mut_ptr();
        if let Location::Gpu(ordinal) = location {
            prototype.device = DlDevice { device_type: DEVICE_CUDA, device_id: ordinal as i32 };
        }
        let mut managed: *mut ManagedTensor = ptr::null_mut();
        let mut message = String::new();
        let context = ptr::from_mut(&mut message).cast::<c_void>();
        // SAFETY: the prototype and both out-pointers live through the call.
        let failed = unsafe { allocate(&mut prototype, &mut managed, context, note_error) } != 0;
        if failed || managed.is_null() {
            return Err(PyErr::take(py).unwrap_or_else(|| PyRuntimeError::new_err(message)));
        }
        // SAFETY: the allocator succeeded, so the tensor is valid.
        let address = unsafe { (*managed).tensor.data as u64 + (*managed).tensor.byte_offset };
        let mut object: *mut c_void = ptr::null_mut();
        // SAFETY: takes ownership of the managed tensor; gives a new reference.
        if unsafe { to_object(managed, &mut object) } != 0 {
            return Err(PyErr::take(py).unwrap_or_else(|| PyRuntimeError::new_err("no tensor could be made")));
        }
        // SAFETY: the function gave an owned reference to a Python object.
        let object = unsafe { Bound::from_owned_ptr(py, object.cast()) };
        if location == Location::Host {
            prefer_huge_pages(address, shape.count() as u64 * dtype.size_bytes() as u64);
        }
        Ok((object, ArrayView::contiguous(address, dtype, shape.clone(), location)))
    }

    /// The library's current stream on a GPU; `None` where it says it has none.
    pub fn current_stream(&self, ordinal: u32) -> Option<u64> {
        let mut stream: *mut c_void = ptr::null_mut();
        // SAFETY: `out` is valid for a write.
        let status = unsafe { self.0.current_stream?(DEVICE_CUDA, ordinal as i32, &mut stream) };
        (status == 0).then_some(stream as u64)
    }
}

/// Asks for huge pages under a large new tensor, as NumPy does for its arrays: a kernel that fills 40 MB of 4 KiB pages
/// spends half of its time in page faults.
#[cfg(target_os = "linux")]
fn prefer_huge_pages(address: u64, size_bytes: u64) {
    const LARGE_BYTES: u64 = 4 << 20;
    const PAGE_BYTES: u64 = 4096;
    if size_bytes >= LARGE_BYTES {
        let start = address.next_multiple_of(PAGE_BYTES);
        let length = address + size_bytes - start;
        // SAFETY: advice on memory of the new tensor alone; it changes no byte, and its failure nothing.
        unsafe { libc::madvise(start as *mut c_void, length as usize, libc::MADV_HUGEPAGE) };
    }
}

#[cfg(not(target_os = "linux"))]
fn prefer_huge_pages(_address: u64, _size_bytes: u64) {}

fn empty_tensor() -> DlTensor {
    DlTensor {
        data: ptr::null_mut(),
        device: DlDevice { device_type: DEVICE_CPU, device_id: 0 },
        ndim: 0,
        dtype: dtype::to_dlpack(DType::F32),
        shape: ptr::null_mut(),
        strides: ptr::null_mut(),
        byte_offset: 0,
    }
}

/// # Safety
/// `data` must point to `len` numbers unless `len` is 0.
unsafe fn slice<'a>(data: *const i64, len: usize) -> &'a [i64] {
    // SAFETY: the caller's promise.
    if len == 0 { &[] } else { unsafe { std::slice::from_raw_parts(data, len) } }
}

unsafe extern "C" fn note_error(context: *mut c_void, _kind: *const c_char, message: *const c_char) {
    // SAFETY: `context` is the `String` that `empty` passed, and `message` a C string for the length of this call.
    unsafe {
        if let Some(out) = context.cast::<String>().as_mut() {
            *out = CStr::from_ptr(message).to_string_lossy().into_owned();
        }
    }
}
