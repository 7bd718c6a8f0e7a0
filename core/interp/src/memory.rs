//! Device memory: numbered byte buffers, each access checked.

use crate::{InterpError, Number, Value};
use pullback_ir::{Constant, Effect, Scalar, Type, eval, ops::Op};

/// A byte of a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pointer {
    pub buffer: usize,
    pub offset_bytes: i64,
}

impl Pointer {
    /// Points into no buffer.
    pub const NULL: Pointer = Pointer { buffer: usize::MAX, offset_bytes: 0 };
}

/// The buffers a program may touch. Elements lie leaf after leaf without padding.
#[derive(Debug, Default)]
pub struct Memory<'a> {
    buffers: Vec<&'a mut [u8]>,
}

/// Bytes an element takes.
pub(crate) fn size_bytes(ty: &Type) -> usize {
    let leaf_bytes = |leaf: &Type| leaf.scalar().map_or(size_of::<u64>(), Scalar::size_bytes);
    ty.leaves().iter().map(leaf_bytes).sum()
}

impl<'a> Memory<'a> {
    pub fn new(buffers: impl IntoIterator<Item = &'a mut [u8]>) -> Self {
        Self { buffers: buffers.into_iter().collect() }
    }

    fn bytes(&mut self, effect: Effect, at: Pointer, size_bytes: usize) -> Result<&mut [u8], InterpError> {
        let error = InterpError::OutOfBounds {
            effect: effect.name(),
            buffer: at.buffer,
            offset_bytes: at.offset_bytes,
            size_bytes,
            buffer_bytes: self.buffers.get(at.buffer).map(|buffer| buffer.len()),
        };
        let Ok(start) = usize::try_from(at.offset_bytes) else { return Err(error) };
        self.buffers
            .get_mut(at.buffer)
            .and_then(|buffer| buffer.get_mut(start..start + size_bytes))
            .ok_or(error)
    }

    fn read(&mut self, effect: Effect, at: Pointer, scalar: Scalar) -> Result<Constant, InterpError> {
        let mut word = [0; 8];
        let bytes = self.bytes(effect, at, scalar.size_bytes())?;
        word[..bytes.len()].copy_from_slice(bytes);
        Ok(Constant::from_bits(scalar, u64::from_le_bytes(word)))
    }

    fn write(&mut self, effect: Effect, at: Pointer, value: Constant) -> Result<(), InterpError> {
        let bytes = self.bytes(effect, at, value.scalar().size_bytes())?;
        let size = bytes.len();
        bytes.copy_from_slice(&value.bits().to_le_bytes()[..size]);
        Ok(())
    }

    /// The element of that type; bf16 is loaded as f32.
    pub(crate) fn load<N: Number>(
        &mut self,
        mut at: Pointer,
        element: &Type,
    ) -> Result<Value<N>, InterpError> {
        let mut failure = None;
        let value = Value::from_leaves(element, &mut |leaf| {
            let Type::Scalar(scalar) = leaf else { return Value::zero(leaf) };
            let loaded = self.read(Effect::Load, at, *scalar).unwrap_or_else(|error| {
                failure.get_or_insert(error);
                Constant::zero(*scalar)
            });
            at.offset_bytes += scalar.size_bytes() as i64;
            let widened = if *scalar == Scalar::BF16 { Scalar::F32 } else { *scalar };
            Value::constant(convert(loaded, widened))
        });
        failure.map_or(Ok(value), Err)
    }

    pub(crate) fn store<N: Number>(
        &mut self,
        effect: Effect,
        mut at: Pointer,
        element: &Type,
        value: &Value<N>,
    ) -> Result<(), InterpError> {
        for (leaf, value) in element.leaves().iter().zip(value.leaves()) {
            let (Type::Scalar(scalar), Some(constant)) = (leaf, value.as_constant()) else { continue };
            self.write(effect, at, convert(constant, *scalar))?;
            at.offset_bytes += scalar.size_bytes() as i64;
        }
        Ok(())
    }

    /// Adds to a scalar element, in the type it is computed in.
    pub(crate) fn atomic_add<N: Number>(
        &mut self,
        at: Pointer,
        element: &Type,
        value: &Value<N>,
    ) -> Result<(), InterpError> {
        let old = self.load::<N>(at, element)?;
        self.store(Effect::AtomicAdd, at, element, &crate::aggregate::add(&old, value))
    }
}

fn convert(value: Constant, to: Scalar) -> Constant {
    eval(&Op::Convert(to), &[value]).unwrap_or(value)
}
