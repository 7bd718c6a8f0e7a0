//! Tensors of our own: device memory with a dtype and a shape.

use crate::args::{ArgValue, ArrayView, Location};
use crate::context::Context;
use crate::error::Error;
use crate::prepare::OutputSpec;
use crate::record::Record;
use pullback_base::{Code, DType, Diagnostic, Shape};
use pullback_device::Buffer;
use std::sync::Arc;

/// A C-contiguous array in a device's memory, freed with its last clone.
#[derive(Clone)]
pub struct Tensor {
    context: Context,
    buffer: Buffer,
    dtype: DType,
    shape: Shape,
    /// Of structs: how one lies in memory. The dtype is then that of bytes.
    record: Option<Arc<Record>>,
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
        Self::allocate(context, dtype, None, shape.into())
    }

    /// Uninitialized, of structs.
    ///
    /// # Errors
    /// `out-of-memory`.
    pub fn empty_of(context: &Context, record: &Arc<Record>, shape: impl Into<Shape>) -> Result<Self, Error> {
        Self::allocate(context, DType::U8, Some(record.clone()), shape.into())
    }

    /// What a call writes an output to.
    ///
    /// # Errors
    /// `out-of-memory`.
    pub fn of_output(context: &Context, spec: &OutputSpec) -> Result<Self, Error> {
        match &spec.record {
            Some(record) => Self::empty_of(context, record, spec.shown_shape()),
            None => Self::empty(context, spec.dtype, spec.shape.clone()),
        }
    }

    /// All zero, of structs.
    ///
    /// # Errors
    /// `out-of-memory`.
    pub fn zeros_of(context: &Context, record: &Arc<Record>, shape: impl Into<Shape>) -> Result<Self, Error> {
        let tensor = Self::empty_of(context, record, shape)?;
        tensor.write_bytes(&vec![0; tensor.size_bytes()])?;
        Ok(tensor)
    }

    fn allocate(
        context: &Context,
        dtype: DType,
        record: Option<Arc<Record>>,
        shape: Shape,
    ) -> Result<Self, Error> {
        let Some(count) = shape.checked_count() else {
            return Err(Diagnostic::error(
                Code::OutOfMemory,
                format!("no memory holds a tensor of shape {shape}"),
            )
            .help("give non-negative sizes with a smaller product")
            .into());
        };
        let item = record.as_ref().map_or(dtype.size_bytes() as u64, |record| record.size_bytes);
        let buffer = context.device().allocate((count as u64).saturating_mul(item))?;
        Ok(Self { context: context.clone(), buffer, dtype, shape, record })
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

    /// Of structs, from values that lie in memory as the record says, in C order.
    ///
    /// # Errors
    /// `element-shape` when there are not as many structs as the shape has, or `T` has another size; `out-of-memory`.
    pub fn from_structs<T: bytemuck::NoUninit>(
        context: &Context,
        record: &Arc<Record>,
        structs: &[T],
        shape: impl Into<Shape>,
    ) -> Result<Self, Error> {
        let tensor = Self::empty_of(context, record, shape)?;
        tensor.check_struct_size::<T>()?;
        tensor.check_count(structs.len())?;
        tensor.write_bytes(bytemuck::cast_slice(structs))?;
        Ok(tensor)
    }

    /// The structs in C order, after all launches that write them.
    ///
    /// # Errors
    /// `element-shape` when `T` has another size than the tensor's structs.
    pub fn to_structs<T: bytemuck::Pod>(&self) -> Result<Vec<T>, Error> {
        self.check_struct_size::<T>()?;
        let mut out = vec![T::zeroed(); self.shape.count() as usize];
        self.read_bytes(bytemuck::cast_slice_mut(&mut out))?;
        Ok(out)
    }

    fn check_struct_size<T>(&self) -> Result<(), Error> {
        let wanted = self.record.as_ref().map_or(0, |record| record.size_bytes);
        if size_of::<T>() as u64 == wanted {
            return Ok(());
        }
        let of = self.record.as_ref().map_or_else(|| self.dtype.numpy_name().to_owned(), |it| it.shown());
        let message = format!("the tensor is of {of}, but the Rust type has {} bytes", size_of::<T>());
        let found = Diagnostic::error(Code::ElementShape, message);
        let found = self.record.iter().fold(found, |found, record| found.note(format!("wanted: {record}")));
        Err(found.help("give a #[repr(C)] type with the same fields in the same places").into())
    }

    /// The elements in C order, after all launches that write them.
    ///
    /// # Errors
    /// `dtype-mismatch` when `T` is not the tensor's dtype.
    pub fn to_vec<T: Element>(&self) -> Result<Vec<T>, Error> {
        if T::DTYPE != self.dtype || self.record.is_some() {
            let of = self.record.as_ref().map_or_else(|| self.dtype.numpy_name().to_owned(), |it| it.shown());
            let message = format!("the tensor is {of}, not {}", T::DTYPE.numpy_name());
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

    /// How a struct lies in memory, if it is of structs: their bytes are then its elements.
    pub fn record(&self) -> Option<&Arc<Record>> {
        self.record.as_ref()
    }

    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    pub fn size_bytes(&self) -> usize {
        let item = self.record.as_ref().map_or(self.dtype.size_bytes(), |record| record.size_bytes as usize);
        self.shape.count() as usize * item
    }

    /// As an argument or output of a call on the same device.
    pub fn view(&self) -> ArrayView {
        let address = self.buffer.address;
        match &self.record {
            Some(record) => ArrayView::of_records(address, record, &self.shape, Location::Device),
            None => ArrayView::contiguous(address, self.dtype, self.shape.clone(), Location::Device),
        }
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
            self.record.as_ref().map_or_else(|| self.dtype.numpy_name().to_owned(), |it| it.shown()),
            self.shape,
            self.context.device().device_type().name()
        )
    }
}
