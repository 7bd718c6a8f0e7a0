//! WGSL types as ours.

use super::overrides::Overrides;
use naga::{ArraySize, Handle, ScalarKind, TypeInner, proc::TypeResolution};
use pullback_ir::{Field, Scalar, Type};

/// Scalars in one value. Passes take values apart into scalars, so that larger ones would not compile in any
/// reasonable time.
const MAX_LEAVES: u64 = 1 << 16;
/// Arrays and structs within one another.
const MAX_NESTING: u32 = 64;

struct Converted {
    ty: Type,
    leaves: u64,
    nesting: u32,
}

/// All types of a text, by handle: the type, or what it is that we lack.
pub struct Types(Vec<Result<Converted, String>>);

impl Types {
    pub fn new(source: &naga::Module, overrides: &Overrides) -> Self {
        let mut types = Types(Vec::with_capacity(source.types.len()));
        // Types are listed after those they are made of.
        for (handle, ty) in source.types.iter() {
            let converted = types.convert(source, overrides, handle, ty).and_then(|converted| {
                if converted.leaves > MAX_LEAVES {
                    return Err(format!("a type of more than {MAX_LEAVES} scalars"));
                }
                if converted.nesting > MAX_NESTING {
                    return Err(format!("a type nested deeper than {MAX_NESTING} levels"));
                }
                Ok(converted)
            });
            types.0.push(converted);
        }
        types
    }

    /// The error is a noun phrase: what we lack.
    pub fn get(&self, handle: Handle<naga::Type>) -> Result<Type, String> {
        self.element(handle).map(|converted| converted.ty.clone())
    }

    pub fn resolved(&self, resolution: &TypeResolution) -> Result<Type, String> {
        match resolution {
            TypeResolution::Handle(handle) => self.get(*handle),
            TypeResolution::Value(inner) => numeric(inner),
        }
    }

    fn element(&self, handle: Handle<naga::Type>) -> Result<&Converted, String> {
        self.0[handle.index()].as_ref().map_err(String::clone)
    }

    fn convert(
        &self,
        source: &naga::Module,
        overrides: &Overrides,
        handle: Handle<naga::Type>,
        ty: &naga::Type,
    ) -> Result<Converted, String> {
        match &ty.inner {
            TypeInner::Array { base, size: ArraySize::Dynamic, .. } => {
                let element = self.element(*base)?;
                Ok(Converted {
                    ty: super::memory::buffer(element.ty.clone()),
                    leaves: 2,
                    nesting: element.nesting + 1,
                })
            }
            TypeInner::Array { base, size, .. } => {
                let element = self.element(*base)?;
                let len = length(overrides, *size).ok_or("an array whose size is not known")?;
                let leaves = element.leaves.saturating_mul(u64::from(len));
                let ty = Type::array(element.ty.clone(), len);
                Ok(Converted { ty, leaves, nesting: element.nesting + 1 })
            }
            TypeInner::Struct { members, .. } => {
                let (mut fields, mut leaves, mut nesting) = (Vec::new(), 0u64, 0);
                for (index, member) in members.iter().enumerate() {
                    let element = self.element(member.ty)?;
                    leaves = leaves.saturating_add(element.leaves);
                    nesting = nesting.max(element.nesting + 1);
                    fields.push(field(source, handle, index, element.ty.clone()));
                }
                let ty = Type::structure(ty.name.as_deref().unwrap_or(""), fields);
                Ok(Converted { ty, leaves, nesting })
            }
            inner => numeric(inner).map(|ty| {
                let leaves = ty.leaves().len() as u64;
                Converted { ty, leaves, nesting: 0 }
            }),
        }
    }
}

/// The number of elements of an array that has a size.
pub fn length(overrides: &Overrides, size: ArraySize) -> Option<u32> {
    match size {
        ArraySize::Constant(len) => Some(len.get()),
        ArraySize::Pending(handle) => {
            overrides.get(handle).and_then(|size| u32::try_from(size.as_i64()).ok())
        }
        ArraySize::Dynamic => None,
    }
    .filter(|&len| len > 0)
}

/// A member of a struct, as that type.
pub fn field(source: &naga::Module, structure: Handle<naga::Type>, index: usize, ty: Type) -> Field {
    let name = match &source.types[structure].inner {
        TypeInner::Struct { members, .. } => members[index].name.as_deref().unwrap_or(""),
        _ => "",
    };
    Field { name: name.into(), ty, no_diff: super::interface::member_is_no_diff(source, structure, index) }
}

fn numeric(inner: &TypeInner) -> Result<Type, String> {
    match *inner {
        TypeInner::Scalar(from) | TypeInner::Atomic(from) => Ok(Type::Scalar(scalar(from)?)),
        TypeInner::Vector { size, scalar: from } => Ok(Type::Vector(scalar(from)?, size as u8)),
        // Transposed: see the head of the module.
        TypeInner::Matrix { columns, rows, scalar: from } => {
            Ok(Type::matrix(scalar(from)?, columns as u8, rows as u8))
        }
        ref other => Err(described(other).into()),
    }
}

fn described(inner: &TypeInner) -> &'static str {
    match inner {
        TypeInner::Pointer { .. } | TypeInner::ValuePointer { .. } => "a pointer here",
        TypeInner::Image { .. } => "a texture",
        TypeInner::Sampler { .. } => "a sampler",
        TypeInner::AccelerationStructure { .. } | TypeInner::RayQuery { .. } => "ray tracing",
        TypeInner::BindingArray { .. } => "an array of resources",
        TypeInner::CooperativeMatrix { .. } => "a cooperative matrix",
        _ => "this type",
    }
}

pub fn scalar(from: naga::Scalar) -> Result<Scalar, String> {
    use ScalarKind::*;
    Ok(match (from.kind, from.width) {
        (Bool, _) => Scalar::Bool,
        (Sint, 2) => Scalar::I16,
        (Sint, 4) => Scalar::I32,
        (Sint, 8) => Scalar::I64,
        (Uint, 2) => Scalar::U16,
        (Uint, 4) => Scalar::U32,
        (Uint, 8) => Scalar::U64,
        (Float, 2) => Scalar::F16,
        (Float, 4) => Scalar::F32,
        (Float, 8) => Scalar::F64,
        _ => return Err("a number without a concrete type".into()),
    })
}
