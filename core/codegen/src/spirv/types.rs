//! Types and constants of the binary module. Integers are unsigned words: ops carry the sign.

use super::Emitter;
use pullback_base::Scalar;
use pullback_ir::{Constant, Type};
use rspirv::spirv::{Capability, Op, StorageClass, Word};

impl Emitter<'_> {
    /// The type of a scalar as a value. `bf16` is its 16 bits.
    pub fn scalar_type(&mut self, scalar: Scalar) -> Word {
        match scalar {
            Scalar::Bool => self.asm.global(Op::TypeBool, None, &[]),
            Scalar::F16 => self.float_type(16),
            Scalar::F32 => self.float_type(32),
            Scalar::F64 => self.float_type(64),
            _ => self.int_type(8 * scalar.size_bytes() as u32),
        }
    }

    pub fn float_type(&mut self, bits: u32) -> Word {
        self.float_widths.insert(bits);
        match bits {
            16 => self.asm.capability(Capability::Float16),
            64 => self.asm.capability(Capability::Float64),
            _ => {}
        }
        self.asm.global(Op::TypeFloat, None, &[bits])
    }

    pub fn int_type(&mut self, bits: u32) -> Word {
        match bits {
            8 => self.asm.capability(Capability::Int8),
            16 => self.asm.capability(Capability::Int16),
            64 => self.asm.capability(Capability::Int64),
            _ => {}
        }
        self.asm.global(Op::TypeInt, None, &[bits, 0])
    }

    pub fn bool_type(&mut self) -> Word {
        self.scalar_type(Scalar::Bool)
    }

    /// The type of a scalar, pointer (an address) or array as a value.
    pub fn value_type(&mut self, ty: &Type) -> Word {
        match ty {
            Type::Scalar(scalar) => self.scalar_type(*scalar),
            Type::Array(element, len) => {
                let element = self.value_type(element);
                let len = self.u32(*len);
                self.asm.global(Op::TypeArray, None, &[element, len])
            }
            _ => self.int_type(64),
        }
    }

    pub fn pointer_type(&mut self, storage: StorageClass, pointee: Word) -> Word {
        self.asm.global(Op::TypePointer, None, &[storage as Word, pointee])
    }

    /// The type of an element in memory, as an integer type where the value's type differs.
    pub fn memory_type(&mut self, scalar: Scalar) -> Word {
        match scalar.size_bytes() {
            1 => self.asm.capability(Capability::StorageBuffer8BitAccess),
            2 => self.asm.capability(Capability::StorageBuffer16BitAccess),
            _ => {}
        }
        match scalar {
            Scalar::Bool => self.int_type(8),
            _ => self.scalar_type(scalar),
        }
    }

    pub fn constant(&mut self, constant: Constant) -> Word {
        let ty = self.scalar_type(constant.scalar());
        match constant.scalar() {
            Scalar::Bool => {
                let op = if constant.as_bool() { Op::ConstantTrue } else { Op::ConstantFalse };
                self.asm.global(op, Some(ty), &[])
            }
            scalar => self.bits(ty, scalar.bits(), constant.bits()),
        }
    }

    /// A constant of a number type from its bits.
    pub fn bits(&mut self, ty: Word, width: u32, bits: u64) -> Word {
        let (low, high) = (bits as Word, (bits >> 32) as Word);
        let words = [low, high];
        self.asm.global(Op::Constant, Some(ty), if width == 64 { &words } else { &words[..1] })
    }

    pub fn u32(&mut self, value: u32) -> Word {
        self.uint(32, u64::from(value))
    }

    pub fn u64(&mut self, value: u64) -> Word {
        self.uint(64, value)
    }

    /// An integer of that width.
    pub fn uint(&mut self, width: u32, value: u64) -> Word {
        let ty = self.int_type(width);
        self.bits(ty, width, value)
    }

    pub fn number(&mut self, scalar: Scalar, value: f64) -> Word {
        self.constant(Constant::float(scalar, value))
    }

    /// Zero of a scalar or pointer type.
    pub fn zero(&mut self, ty: &Type) -> Word {
        let ty = self.value_type(ty);
        self.asm.global(Op::ConstantNull, Some(ty), &[])
    }
}
