//! Tensors of our own: device memory with a dtype and a shape.

use crate::args::{ArgValue, ArrayView, Location};
use crate::context::Context;
use crate::error::Error;
use pullback_base::{Code, DType, Diagnostic, Shape};
use pullback_device::Buffer;

/// A C-contiguous array in a device's memory, freed with its last clone.
#[derive(Clone)]
pub struct Tensor {
    context: Context,
    buffer: Buffer,
    dtype: DType,
    shape: Shape,
}

/// A Rust number type that is a dtype.
pub trait Element: bytemuck::Pod {
    const DTYPE: DType;
}

macro_rules! elements {
    ($($ty:ty => $dtype:ident),*) => { $(impl Element for $ty { const DTYPE: DType = DType::$dtype; })* };
}

elements!(i8 => I8, i16 => I16, i32 => I32, i64 => I64, u8 => U8, u16 => U16, u32 => U32, u64 => U64, f32 => F32, f64 => F64, half::f16 => F16, half::bf16 => BF16);

impl Tensor {
    /// Uninitialized.
    ///
    /// # Errors
    /// `out-of-memory`.
    pub fn empty(context: &Context, dtype: DType, shape: impl Into<Shape>) -> Result<Self, Error> {
        let shape = shape.into();
        let Some(count) = shape.checked_count() else {
            return Err(Diagnostic::error(
                Code::OutOfMemory,
                format!("no memory holds a tensor of shape {shape}"),
            )
            .help("give non-negative sizes with a smaller product")
            .into());
        };
        let size_bytes = count as u64 * dtype.size_bytes() as u64;
        let buffer = context.device().allocate(size_bytes)?;
        Ok(Self { context: context.clone(), buffer, dtype, shape })
    }

    /// All zero.
    ///
    /// # Errors
    /// `out-of-memory`.
    pub fn zeros(context: &Context, dtype: DType, shape: impl Into<Shape>) -> Result<Self, Error> {
        let tensor = Self::empty(context, dtype, shape)?;
        tensor.write_bytes(&vec![0; tensor.size_bytes()])?;
        Ok(tensor)
    }

    /// From elements in C order.
    ///
    /// # Errors
    /// `element-shape` when there are not as many elements as the shape has; `out-of-memory`.
    pub fn from_slice<T: Element>(
        context: &Context,
        elements: &[T],
        shape: impl Into<Shape>,
    ) -> Result<Self, Error> {
        let tensor = Self::empty(context, T::DTYPE, shape)?;
        tensor.check_count(elements.len())?;
        tensor.write_bytes(bytemuck::cast_slice(elements))?;
        Ok(tensor)
    }

    fn check_count(&self, count: usize) -> Result<(), Error> {
        if count as i64 == self.shape.count() {
            return Ok(());
        }
        let message = format!("{count} elements do not fill shape {}", self.shape);
        Err(Diagnostic::error(Code::ElementShape, message)
            .help("pass as many elements as the shape has")
            .into())
    }

    /// The elements in C order, after all launches that write them.
    ///
    /// # Errors
    /// `dtype-mismatch` when `T` is not the tensor's dtype.
    pub fn to_vec<T: Element>(&self) -> Result<Vec<T>, Error> {
        if T::DTYPE != self.dtype {
            let message = format!("the tensor is {}, not {}", self.dtype.numpy_name(), T::DTYPE.numpy_name());
            return Err(Diagnostic::error(Code::DtypeMismatch, message).help("ask for its own dtype").into());
        }
        let mut out = vec![T::zeroed(); self.shape.count() as usize];
        self.read_bytes(bytemuck::cast_slice_mut(&mut out))?;
        Ok(out)
    }

    /// Copies in; `bytes` must be as long as the tensor.
    ///
    /// # Errors
    /// `launch-failed`.
    pub fn write_bytes(&self, bytes: &[u8]) -> Result<(), Error> {
        Ok(self.context.device().upload(&self.buffer, 0, bytes)?)
    }

    /// Copies out; `bytes` must be as long as the tensor.
    ///
    /// # Errors
    /// `launch-failed`.
    pub fn read_bytes(&self, bytes: &mut [u8]) -> Result<(), Error> {
        Ok(self.context.device().download(&self.buffer, 0, bytes)?)
    }

    pub fn context(&self) -> &Context {
        &self.context
    }

    pub fn dtype(&self) -> DType {
        self.dtype
    }

    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    pub fn size_bytes(&self) -> usize {
        self.shape.count() as usize * self.dtype.size_bytes()
    }

    /// As an argument or output of a call on the same device.
    pub fn view(&self) -> ArrayView {
        ArrayView::contiguous(self.buffer.address, self.dtype, self.shape.clone(), Location::Device)
    }
}

impl From<&Tensor> for ArgValue<'_> {
    fn from(tensor: &Tensor) -> Self {
        ArgValue::Array(tensor.view())
    }
}

impl std::fmt::Debug for Tensor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Tensor({}, {}, {})",
            self.dtype.numpy_name(),
            self.shape,
            self.context.device().device_type().name()
        )
    }
}
