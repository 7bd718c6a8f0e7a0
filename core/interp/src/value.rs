//! Values of a running program.

use crate::{Number, Pointer};
use pullback_ir::{Constant, Scalar, Type};
use std::sync::Arc;

/// A value: scalars, pointers, and aggregates of them (vectors, matrices as rows, arrays, structs).
#[derive(Clone, Debug, PartialEq)]
pub enum Value<N> {
    Float(N),
    /// An integer or bool.
    Integer(Constant),
    Pointer(Pointer),
    Aggregate(Arc<Vec<Value<N>>>),
}

impl<N: Number> Value<N> {
    pub fn constant(constant: Constant) -> Self {
        if constant.scalar().is_float() {
            Value::Float(N::from_constant(constant))
        } else {
            Value::Integer(constant)
        }
    }

    pub fn f32(value: f32) -> Self {
        Self::constant(Constant::float(Scalar::F32, value.into()))
    }

    pub fn f64(value: f64) -> Self {
        Self::constant(Constant::float(Scalar::F64, value))
    }

    pub fn i32(value: i32) -> Self {
        Self::constant(Constant::int(Scalar::I32, value.into()))
    }

    pub fn bool(value: bool) -> Self {
        Self::constant(Constant::bool(value))
    }

    pub fn aggregate(elements: Vec<Value<N>>) -> Self {
        Value::Aggregate(Arc::new(elements))
    }

    /// Zero, false, a null pointer, or an aggregate of them.
    pub fn zero(ty: &Type) -> Self {
        match ty {
            Type::Scalar(scalar) => Self::constant(Constant::zero(*scalar)),
            Type::Pointer(_) => Value::Pointer(Pointer::NULL),
            _ => Self::aggregate(
                (0..ty.element_count()).filter_map(|i| ty.element(i)).map(|ty| Self::zero(&ty)).collect(),
            ),
        }
    }

    /// The value of a type whose leaves, in order, `next` gives.
    pub fn from_leaves(ty: &Type, next: &mut impl FnMut(&Type) -> Self) -> Self {
        match ty {
            Type::Scalar(_) | Type::Pointer(_) => next(ty),
            _ => {
                let elements = (0..ty.element_count()).filter_map(|i| ty.element(i));
                Self::aggregate(elements.map(|ty| Self::from_leaves(&ty, next)).collect())
            }
        }
    }

    /// Its scalars and pointers, in the order of [`Type::leaves`].
    pub fn leaves(&self) -> Vec<Self> {
        match self {
            Value::Aggregate(elements) => elements.iter().flat_map(Self::leaves).collect(),
            leaf => vec![leaf.clone()],
        }
    }

    pub fn elements(&self) -> Option<&[Value<N>]> {
        match self {
            Value::Aggregate(elements) => Some(elements),
            _ => None,
        }
    }

    /// The number of a float.
    pub fn number(&self) -> Option<&N> {
        match self {
            Value::Float(number) => Some(number),
            _ => None,
        }
    }

    /// The (real part of the) scalar as a constant; `None` for pointers and aggregates.
    pub fn as_constant(&self) -> Option<Constant> {
        match self {
            Value::Float(number) => Some(number.real()),
            Value::Integer(constant) => Some(*constant),
            _ => None,
        }
    }

    /// The (real part of the) scalar as a double.
    pub fn as_f64(&self) -> Option<f64> {
        self.as_constant().map(Constant::as_f64)
    }

    pub fn as_bool(&self) -> bool {
        matches!(self, Value::Integer(constant) if constant.as_bool())
    }

    /// Whether it is a value of that type.
    pub fn has_type(&self, ty: &Type) -> bool {
        match (self, ty) {
            (Value::Float(number), Type::Scalar(scalar)) => {
                scalar.is_float() && number.real().scalar() == N::computed(*scalar)
            }
            (Value::Integer(constant), Type::Scalar(scalar)) => constant.scalar() == *scalar,
            (Value::Pointer(_), Type::Pointer(_)) => true,
            (Value::Aggregate(elements), _) => {
                elements.len() == ty.element_count() as usize
                    && elements
                        .iter()
                        .enumerate()
                        .all(|(i, element)| ty.element(i as u32).is_some_and(|ty| element.has_type(&ty)))
            }
            _ => false,
        }
    }

    /// Equal bit for bit, all NaNs being alike.
    pub fn same_bits(&self, other: &Self) -> bool {
        match (self, other) {
            (Value::Aggregate(a), Value::Aggregate(b)) => {
                a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| a.same_bits(b))
            }
            (Value::Float(a), Value::Float(b)) => {
                let (a, b) = (a.real(), b.real());
                a == b || (a.as_f64().is_nan() && b.as_f64().is_nan())
            }
            _ => self == other,
        }
    }
}
