//! Device memory: numbered byte buffers, each access checked.

use crate::{InterpError, Number, Value};
use pullback_base::ids::Id;
use pullback_ir::layout::{layout, leaf_offsets};
use pullback_ir::{AtomicOp, Constant, Effect, Scalar, SharedId, Type, eval, ops::Op, position};

/// A byte of a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pointer {
    pub buffer: usize,
    pub offset_bytes: i64,
}

impl Pointer {
    /// Points into no buffer; as a word it is zero.
    pub const NULL: Pointer = Pointer { buffer: usize::MAX, offset_bytes: 0 };

    /// The address as a number and in memory: buffers lie `2^40` bytes apart, the first at `2^40`.
    pub fn to_word(self) -> u64 {
        let base = (self.buffer as u64).wrapping_add(1) << ADDRESS_BITS;
        base.wrapping_add(self.offset_bytes as u64)
    }

    /// The pointer that [`Pointer::to_word`] made a word of, if it points less than half a terabyte out of its buffer.
    pub fn from_word(word: u64) -> Self {
        let number = word.wrapping_add(1 << (ADDRESS_BITS - 1)) >> ADDRESS_BITS;
        let offset_bytes = word.wrapping_sub(number << ADDRESS_BITS) as i64;
        Self { buffer: (number as usize).wrapping_sub(1), offset_bytes }
    }
}

const ADDRESS_BITS: u32 = 40;

/// The buffers a program may touch. Elements lie as [`pullback_ir::layout`] says.
#[derive(Debug, Default)]
pub struct Memory<'a> {
    buffers: Vec<&'a mut [u8]>,
    /// What the running group shares: the words of each slot's elements.
    shared: Vec<Vec<u64>>,
}

/// Bytes an element takes.
pub(crate) fn size_bytes(ty: &Type) -> usize {
    layout(ty).size_bytes as usize
}

impl<'a> Memory<'a> {
    pub fn new(buffers: impl IntoIterator<Item = &'a mut [u8]>) -> Self {
        Self { buffers: buffers.into_iter().collect(), shared: Vec::new() }
    }

    /// Gives the group that runs next its shared memory, zeroed.
    pub(crate) fn share(&mut self, slots: &[Type]) {
        let words = |slot: &Type| match slot {
            Type::Array(_, n) => vec![0; *n as usize],
            _ => vec![0],
        };
        self.shared = slots.iter().map(words).collect();
    }

    /// The word of a slot's element; `None` when the index is out of range.
    fn shared_word(&mut self, slot: SharedId, index: Constant) -> Option<&mut u64> {
        let words = self.shared.get_mut(slot.index())?;
        let at = position(index, words.len() as u32)?;
        words.get_mut(at as usize)
    }

    pub(crate) fn shared_load<N: Number>(&mut self, slot: SharedId, index: Constant, ty: &Type) -> Value<N> {
        let word = self.shared_word(slot, index).map_or(0, |word| *word);
        match ty {
            Type::Scalar(scalar) => Value::constant(Constant::from_bits(*scalar, word)),
            _ => Value::Pointer(Pointer::from_word(word)),
        }
    }

    pub(crate) fn shared_store<N: Number>(&mut self, slot: SharedId, index: Constant, value: &Value<N>) {
        if let Some(word) = self.shared_word(slot, index) {
            *word = match value {
                Value::Pointer(pointer) => pointer.to_word(),
                value => value.as_constant().map_or(0, Constant::bits),
            };
        }
    }

    pub(crate) fn shared_atomic(
        &mut self,
        slot: SharedId,
        op: AtomicOp,
        index: Constant,
        values: &[Constant],
    ) -> Constant {
        let scalar = values[0].scalar();
        let Some(word) = self.shared_word(slot, index) else { return Constant::zero(scalar) };
        let old = Constant::from_bits(scalar, *word);
        *word = op.updated(old, values).bits();
        old
    }

    /// Updates a scalar; gives the old one.
    pub(crate) fn atomic(
        &mut self,
        op: AtomicOp,
        at: Pointer,
        values: &[Constant],
    ) -> Result<Constant, InterpError> {
        let effect = Effect::Atomic(op);
        let old = self.read(effect, at, values[0].scalar())?;
        self.write(effect, at, op.updated(old, values))?;
        Ok(old)
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

    /// The element of that type.
    pub(crate) fn load<N: Number>(&mut self, at: Pointer, element: &Type) -> Result<Value<N>, InterpError> {
        let mut failure = None;
        let mut offsets = leaf_offsets(element).into_iter();
        let value = Value::from_leaves(element, &mut |leaf| {
            let offset_bytes = offsets.next().map_or(0, |(offset_bytes, _)| offset_bytes as i64);
            let at = Pointer { offset_bytes: at.offset_bytes.wrapping_add(offset_bytes), ..at };
            let scalar = leaf.scalar().unwrap_or(Scalar::U64);
            let loaded = self.read(Effect::Load, at, scalar).unwrap_or_else(|error| {
                failure.get_or_insert(error);
                Constant::zero(scalar)
            });
            match leaf {
                Type::Pointer(_) => Value::Pointer(Pointer::from_word(loaded.bits())),
                _ => Value::constant(loaded),
            }
        });
        failure.map_or(Ok(value), Err)
    }

    pub(crate) fn store<N: Number>(
        &mut self,
        effect: Effect,
        at: Pointer,
        element: &Type,
        value: &Value<N>,
    ) -> Result<(), InterpError> {
        for ((offset_bytes, leaf), value) in leaf_offsets(element).into_iter().zip(value.leaves()) {
            let stored = match (leaf, value) {
                (_, Value::Pointer(pointer)) => Constant::from_bits(Scalar::U64, pointer.to_word()),
                (Type::Scalar(scalar), value) => match value.as_constant() {
                    Some(constant) => convert(constant, scalar),
                    None => continue,
                },
                _ => continue,
            };
            let at = Pointer { offset_bytes: at.offset_bytes.wrapping_add(offset_bytes as i64), ..at };
            self.write(effect, at, stored)?;
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
