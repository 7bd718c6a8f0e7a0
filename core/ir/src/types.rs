//! The types of values. Memory layout is computed apart from them.

use pullback_base::Scalar;
use std::sync::Arc;

/// A value's type. Cheap to clone; equal when structurally equal.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Type {
    Scalar(Scalar),
    /// 2 to 4 components (1 is allowed: `vector<float, 1>`).
    Vector(Scalar, u8),
    /// Rows of vectors: element `i` is row `i`.
    Matrix {
        scalar: Scalar,
        rows: u8,
        columns: u8,
        order: MatrixOrder,
    },
    Array(Arc<Type>, u32),
    Struct(Arc<StructType>),
    /// A 64-bit address of elements in device memory.
    Pointer(Arc<Type>),
}

/// Which components of a matrix lie together in memory. A matter of memory alone: rows are the elements of both.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum MatrixOrder {
    #[default]
    Rows,
    Columns,
}

/// A struct: its name is for messages and for telling apart structs with equal fields.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct StructType {
    pub name: Arc<str>,
    pub fields: Vec<Field>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Field {
    pub name: Arc<str>,
    pub ty: Type,
    /// `no_diff`: carries no derivative.
    pub no_diff: bool,
}

impl Type {
    pub const BOOL: Type = Type::Scalar(Scalar::Bool);
    pub const I32: Type = Type::Scalar(Scalar::I32);
    pub const U32: Type = Type::Scalar(Scalar::U32);
    pub const I64: Type = Type::Scalar(Scalar::I64);
    pub const F16: Type = Type::Scalar(Scalar::F16);
    pub const F32: Type = Type::Scalar(Scalar::F32);
    pub const F64: Type = Type::Scalar(Scalar::F64);

    pub fn array(element: Type, len: u32) -> Type {
        Type::Array(Arc::new(element), len)
    }

    pub fn pointer(element: Type) -> Type {
        Type::Pointer(Arc::new(element))
    }

    /// A matrix as operations take it.
    pub fn matrix(scalar: Scalar, rows: u8, columns: u8) -> Type {
        Type::Matrix { scalar, rows, columns, order: MatrixOrder::Rows }
    }

    pub fn structure(name: &str, fields: Vec<Field>) -> Type {
        Type::Struct(Arc::new(StructType { name: name.into(), fields }))
    }

    /// The scalar of a scalar, vector or matrix.
    pub fn scalar(&self) -> Option<Scalar> {
        match self {
            Type::Scalar(scalar) | Type::Vector(scalar, _) | Type::Matrix { scalar, .. } => Some(*scalar),
            _ => None,
        }
    }

    /// The same shape (scalar, vector or matrix) over another scalar.
    pub fn with_scalar(&self, scalar: Scalar) -> Option<Type> {
        match self {
            Type::Scalar(_) => Some(Type::Scalar(scalar)),
            Type::Vector(_, n) => Some(Type::Vector(scalar, *n)),
            Type::Matrix { rows, columns, order, .. } => {
                Some(Type::Matrix { scalar, rows: *rows, columns: *columns, order: *order })
            }
            _ => None,
        }
    }

    /// A matrix, or an array of matrices, that lies in that order; other types as they are.
    pub fn in_order(&self, order: MatrixOrder) -> Type {
        match self {
            Type::Matrix { scalar, rows, columns, .. } => {
                Type::Matrix { scalar: *scalar, rows: *rows, columns: *columns, order }
            }
            Type::Array(element, n) => Type::array(element.in_order(order), *n),
            other => other.clone(),
        }
    }

    pub fn is_scalar(&self) -> bool {
        matches!(self, Type::Scalar(_))
    }

    pub fn is_float(&self) -> bool {
        self.scalar().is_some_and(Scalar::is_float)
    }

    /// How many elements [`Type::element`] can give: components, rows, array elements or fields; 0 for a scalar or pointer.
    pub fn element_count(&self) -> u32 {
        match self {
            Type::Scalar(_) | Type::Pointer(_) => 0,
            Type::Vector(_, n) => u32::from(*n),
            Type::Matrix { rows, .. } => u32::from(*rows),
            Type::Array(_, n) => *n,
            Type::Struct(structure) => structure.fields.len() as u32,
        }
    }

    /// The type of component, row, array element or field `index`.
    pub fn element(&self, index: u32) -> Option<Type> {
        if index >= self.element_count() {
            return None;
        }
        match self {
            Type::Scalar(_) | Type::Pointer(_) => None,
            Type::Vector(scalar, _) => Some(Type::Scalar(*scalar)),
            Type::Matrix { scalar, columns, .. } => Some(Type::Vector(*scalar, *columns)),
            Type::Array(element, _) => Some(Type::clone(element)),
            Type::Struct(structure) => Some(structure.fields[index as usize].ty.clone()),
        }
    }

    /// The scalars and pointers a value of this type is made of, depth first.
    pub fn leaves(&self) -> Vec<Type> {
        let mut out = Vec::new();
        self.push_leaves(&mut out);
        out
    }

    fn push_leaves(&self, out: &mut Vec<Type>) {
        match self {
            Type::Scalar(_) | Type::Pointer(_) => out.push(self.clone()),
            _ => {
                for index in 0..self.element_count() {
                    if let Some(element) = self.element(index) {
                        element.push_leaves(out);
                    }
                }
            }
        }
    }

    /// What a scalar, or a pointer to values of any type, is in scalar form: there, memory behind pointers is scalars,
    /// pointers, or bytes.
    pub fn leaf_in_scalar_form(&self) -> Type {
        match self {
            Type::Pointer(element) => match &**element {
                Type::Scalar(_) | Type::Pointer(_) => Type::pointer(element.leaf_in_scalar_form()),
                _ => Type::pointer(Type::Scalar(Scalar::U8)),
            },
            other => other.clone(),
        }
    }

    /// The type of a tangent or cotangent: the floats alone, structs without the fields that have none. `None` where
    /// nothing is left.
    pub fn differential(&self) -> Option<Type> {
        match self {
            Type::Pointer(_) => None,
            Type::Array(element, n) => Some(Type::array(element.differential()?, *n)),
            Type::Struct(structure) => {
                let fields = structure.fields.iter().filter(|field| !field.no_diff);
                let fields: Vec<Field> = fields
                    .filter_map(|field| Some(Field { ty: field.ty.differential()?, ..field.clone() }))
                    .collect();
                if fields == structure.fields {
                    return Some(self.clone());
                }
                let name = format!("{}.Differential", structure.name);
                (!fields.is_empty()).then(|| Type::structure(&name, fields))
            }
            _ => self.is_float().then(|| self.clone()),
        }
    }

    /// Whether any leaf is a float (so that the type can carry a derivative).
    pub fn has_float(&self) -> bool {
        match self {
            Type::Pointer(_) => false,
            Type::Array(element, n) => *n > 0 && element.has_float(),
            Type::Struct(structure) => structure.fields.iter().any(|f| !f.no_diff && f.ty.has_float()),
            _ => self.is_float(),
        }
    }
}

impl std::fmt::Display for Type {
    /// `f32`, `vec<f32, 3>`, `mat<f32, 2, 3>`, `mat<f32, 2, 3, columns>`, `[f32; 4]`, `struct Ray { o: vec<f32, 3>, no_diff t: f32 }`, `ptr<f32>`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Type::Scalar(scalar) => write!(f, "{scalar}"),
            Type::Vector(scalar, n) => write!(f, "vec<{scalar}, {n}>"),
            Type::Matrix { scalar, rows, columns, order: MatrixOrder::Rows } => {
                write!(f, "mat<{scalar}, {rows}, {columns}>")
            }
            Type::Matrix { scalar, rows, columns, order: MatrixOrder::Columns } => {
                write!(f, "mat<{scalar}, {rows}, {columns}, columns>")
            }
            Type::Array(element, n) => write!(f, "[{element}; {n}]"),
            Type::Pointer(element) => write!(f, "ptr<{element}>"),
            Type::Struct(structure) => {
                write!(f, "struct {} {{", structure.name)?;
                for (i, field) in structure.fields.iter().enumerate() {
                    let comma = if i == 0 { "" } else { "," };
                    let no_diff = if field.no_diff { "no_diff " } else { "" };
                    write!(f, "{comma} {no_diff}{}: {}", field.name, field.ty)?;
                }
                f.write_str(" }")
            }
        }
    }
}

impl std::fmt::Debug for Type {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}
