//! The checker's types: IR types with generic parameters still in them, and what follows from types alone.

use super::count::Count;
use super::memory::BufferKind;
use super::pointer::PointerAccess;
use super::program::{EnumId, InterfaceRef, Program, RequirementId, StructId};
use pullback_base::{Scalar, id_type};
use rustc_hash::FxHashMap;
use smallvec::{SmallVec, smallvec};
use std::sync::Arc;

id_type! {
    /// A generic parameter, of a type or of a number.
    pub struct ParamId("param");
}

/// A type. Equal when structurally equal; structs by identity and arguments.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Ty {
    /// Something wrong that was reported: fits everywhere.
    Error,
    Void,
    /// Scalars, vectors and matrices, bools included; `T` is a scalar-shaped number of element `T`.
    Number(Elem, Shape),
    Array(Arc<Ty>, Count),
    /// With what its generic parameters stand for: those of the structs around it first.
    Struct(StructId, Arc<[Arg]>),
    Enum(EnumId),
    /// A value of any type that conforms.
    Interface(InterfaceRef),
    /// `DifferentialPair<T>` and `DifferentialPtrPair<T>`
    Pair(Pairing, Arc<Ty>),
    /// The tangents' type that a struct gets, or that a generic type has: fields with tangents, each as its tangent.
    Differential(Arc<Ty>),
    /// `T.Name`: what the conformance of a type that is not known yet says of an associated type.
    Assoc(Arc<Ty>, RequirementId),
    /// Elements in device memory, and how many there are.
    Buffer(BufferKind, Arc<Ty>),
    /// `Atomic<T>`: a number that stands in memory only.
    Atomic(Scalar),
    /// The address of a value in device memory; `Void` where nothing is told of what is there.
    Pointer(PointerAccess, Arc<Ty>),
}

/// What stands beside a value in a pair.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Pairing {
    /// Its tangent or cotangent.
    Tangent,
    /// Where the derivatives are of what a pointer leads to.
    Pointer,
}

/// What a number's components are.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Elem {
    Scalar(Scalar),
    /// A generic type; where the shape is `Scalar`, it may stand for any type its bounds allow.
    Param(ParamId),
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Shape {
    Scalar,
    Vector(Count),
    /// Rows, columns.
    Matrix(Count, Count),
}

/// What a generic parameter stands for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Arg {
    Type(Ty),
    Count(Count),
}

/// Generic parameters replaced by what they stand for.
pub type Subst = FxHashMap<ParamId, Arg>;

impl Ty {
    pub const BOOL: Ty = Ty::scalar(Scalar::Bool);
    pub const INT: Ty = Ty::scalar(Scalar::I32);
    pub const UINT: Ty = Ty::scalar(Scalar::U32);

    pub const fn scalar(scalar: Scalar) -> Ty {
        Ty::Number(Elem::Scalar(scalar), Shape::Scalar)
    }

    pub fn vector(elem: Elem, count: Count) -> Ty {
        Ty::Number(elem, Shape::Vector(count))
    }

    pub fn is_error(&self) -> bool {
        *self == Ty::Error
    }

    pub fn number(&self) -> Option<(Elem, Shape)> {
        match self {
            Ty::Number(elem, shape) => Some((*elem, shape.clone())),
            _ => None,
        }
    }

    pub fn param(param: ParamId) -> Ty {
        Ty::Number(Elem::Param(param), Shape::Scalar)
    }

    /// The scalar of a scalar, vector or matrix of a known one.
    pub fn known_scalar(&self) -> Option<Scalar> {
        match self {
            Ty::Number(Elem::Scalar(scalar), _) => Some(*scalar),
            _ => None,
        }
    }

    pub fn is_scalar(&self) -> bool {
        matches!(self, Ty::Number(_, Shape::Scalar))
    }

    /// The same shape with bool components.
    pub fn as_bool(&self) -> Ty {
        match self {
            Ty::Number(_, shape) => Ty::Number(Elem::Scalar(Scalar::Bool), shape.clone()),
            _ => Ty::Error,
        }
    }

    /// The type of an element picked by an index: component, row or array element.
    pub fn element(&self) -> Option<Ty> {
        match self {
            Ty::Number(elem, Shape::Vector(_)) => Some(Ty::Number(*elem, Shape::Scalar)),
            Ty::Number(elem, Shape::Matrix(_, columns)) => Some(Ty::vector(*elem, columns.clone())),
            Ty::Array(element, _) => Some(Ty::clone(element)),
            _ => None,
        }
    }

    /// How many elements an index can pick.
    pub fn count(&self) -> Option<Count> {
        match self {
            Ty::Number(_, Shape::Vector(count) | Shape::Matrix(count, _)) | Ty::Array(_, count) => {
                Some(count.clone())
            }
            _ => None,
        }
    }

    pub fn subst(&self, program: &Program<'_>, subst: &Subst) -> Ty {
        if subst.is_empty() { self.clone() } else { self.rebuilt(program, subst) }
    }

    /// The type with the associated types that can be told by now.
    pub fn normalized(&self, program: &Program<'_>) -> Ty {
        self.rebuilt(program, &Subst::default())
    }

    fn rebuilt(&self, program: &Program<'_>, subst: &Subst) -> Ty {
        match self {
            Ty::Number(Elem::Param(param), shape) => match (subst.get(param), shape) {
                (Some(Arg::Type(ty)), Shape::Scalar) => ty.clone(),
                (Some(Arg::Type(Ty::Number(elem, Shape::Scalar))), shape) => {
                    Ty::Number(*elem, shape.subst(program, subst))
                }
                (Some(_), _) => Ty::Error,
                (None, shape) => Ty::Number(Elem::Param(*param), shape.subst(program, subst)),
            },
            Ty::Number(elem, shape) => Ty::Number(*elem, shape.subst(program, subst)),
            Ty::Array(element, count) => {
                Ty::Array(Arc::new(element.rebuilt(program, subst)), count.subst(program, subst))
            }
            Ty::Struct(id, args) if !args.is_empty() => {
                Ty::Struct(*id, args.iter().map(|arg| arg.subst(program, subst)).collect())
            }
            Ty::Interface(interface) => Ty::Interface(interface.subst(program, subst)),
            Ty::Assoc(base, requirement) => program.project(base.rebuilt(program, subst), *requirement),
            Ty::Buffer(kind, element) => Ty::Buffer(*kind, Arc::new(element.rebuilt(program, subst))),
            Ty::Pair(pairing, of) => Ty::Pair(*pairing, of.rebuilt(program, subst).into()),
            Ty::Differential(of) => {
                let of = of.rebuilt(program, subst);
                if of.is_error() { Ty::Error } else { program.any_differential(&of).unwrap_or(Ty::Error) }
            }
            Ty::Pointer(access, target) => Ty::Pointer(*access, Arc::new(target.rebuilt(program, subst))),
            Ty::Error | Ty::Void | Ty::Struct(..) | Ty::Enum(_) | Ty::Atomic(_) => self.clone(),
        }
    }
}

impl Shape {
    fn subst(&self, program: &Program<'_>, subst: &Subst) -> Shape {
        match self {
            Shape::Scalar => Shape::Scalar,
            Shape::Vector(n) => Shape::Vector(n.subst(program, subst)),
            Shape::Matrix(rows, columns) => {
                Shape::Matrix(rows.subst(program, subst), columns.subst(program, subst))
            }
        }
    }

    /// The sizes in it.
    pub fn counts(&self) -> SmallVec<[&Count; 2]> {
        match self {
            Shape::Scalar => SmallVec::new(),
            Shape::Vector(n) => smallvec![n],
            Shape::Matrix(rows, columns) => smallvec![rows, columns],
        }
    }

    /// How many components, where that is known.
    pub fn components(&self) -> Option<i64> {
        match self {
            Shape::Scalar => Some(1),
            Shape::Vector(n) => n.known(),
            Shape::Matrix(rows, columns) => rows.known()?.checked_mul(columns.known()?),
        }
    }

    /// The shape both broadcast to.
    pub fn join(&self, other: &Shape) -> Option<Shape> {
        match (self, other) {
            (Shape::Scalar, shape) | (shape, Shape::Scalar) => Some(shape.clone()),
            (a, b) => (a == b).then(|| a.clone()),
        }
    }
}

impl Arg {
    pub fn subst(&self, program: &Program<'_>, subst: &Subst) -> Arg {
        match self {
            Arg::Type(ty) => Arg::Type(ty.rebuilt(program, subst)),
            Arg::Count(count) => Arg::Count(count.subst(program, subst)),
        }
    }
}

/// A set of scalar types.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ScalarSet(u16);

impl ScalarSet {
    pub fn of(fits: impl Fn(Scalar) -> bool) -> Self {
        let bits = Scalar::ALL.iter().filter(|&&scalar| fits(scalar));
        Self(bits.fold(0, |set, &scalar| set | 1 << scalar as u16))
    }
}

/// What a builtin interface admits. Interfaces of users come as members here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bound {
    /// `None`: any type at all.
    pub scalars: Option<ScalarSet>,
    /// Only scalars, so that vectors can be made of it.
    pub scalar_only: bool,
    /// Only types with tangents.
    pub differentiable: bool,
    /// And `void`: it is what a function gives.
    pub or_void: bool,
    /// Only types of differentiable pointers.
    pub pointer: bool,
}

impl Bound {
    pub const ANY: Bound =
        Bound { scalars: None, scalar_only: false, differentiable: false, or_void: false, pointer: false };
    const DIFFERENTIABLE: Bound = Bound { differentiable: true, ..Bound::ANY };
    const POINTER: Bound = Bound { pointer: true, ..Bound::ANY };

    /// The builtin interface of that name.
    pub fn from_name(name: &str) -> Option<Bound> {
        let number = |scalar: Scalar| scalar != Scalar::Bool;
        let signed = |scalar: Scalar| scalar.is_float() || scalar.is_signed();
        let integer_or_bool = |scalar: Scalar| !scalar.is_float();
        let (scalars, scalar_only) = match name {
            "__BuiltinType" => (ScalarSet::of(|_| true), true),
            "__BuiltinArithmeticType" | "__BuiltinRealType" => (ScalarSet::of(number), true),
            "__BuiltinSignedArithmeticType" => (ScalarSet::of(signed), true),
            "__BuiltinIntegerType" => (ScalarSet::of(Scalar::is_integer), true),
            "__BuiltinFloatingPointType" => (ScalarSet::of(Scalar::is_float), true),
            "__BuiltinLogicalType" => (ScalarSet::of(integer_or_bool), true),
            // Names ending in `s` admit vectors and matrices of the same scalars: the standard library's own.
            "__Numbers" | "IArithmetic" => (ScalarSet::of(number), false),
            "__SignedNumbers" => (ScalarSet::of(signed), false),
            "__Floats" | "IFloat" => (ScalarSet::of(Scalar::is_float), false),
            "__Integers" | "IInteger" => (ScalarSet::of(Scalar::is_integer), false),
            "ILogical" => (ScalarSet::of(integer_or_bool), false),
            // The library's own.
            "__Result" => return Some(Bound { or_void: true, ..Bound::ANY }),
            "IDifferentiable" => return Some(Bound::DIFFERENTIABLE),
            "IDifferentiablePtrType" => return Some(Bound::POINTER),
            "IDefaultInitializable" => return Some(Bound::ANY),
            _ => return None,
        };
        Some(Bound { scalars: Some(scalars), ..Bound { scalar_only, ..Bound::ANY } })
    }

    pub fn and(self, other: Bound) -> Bound {
        let scalars = match (self.scalars, other.scalars) {
            (Some(a), Some(b)) => Some(ScalarSet(a.0 & b.0)),
            (a, b) => a.or(b),
        };
        Bound {
            scalars,
            scalar_only: self.scalar_only || other.scalar_only,
            differentiable: self.differentiable || other.differentiable,
            or_void: self.or_void || other.or_void,
            pointer: self.pointer || other.pointer,
        }
    }

    /// Whether it admits floats alone.
    pub fn is_float(self) -> bool {
        let floats = ScalarSet::of(Scalar::is_float);
        self.scalars.is_some_and(|scalars| scalars.0 & !floats.0 == 0)
    }

    pub fn admits(self, program: &Program<'_>, ty: &Ty) -> bool {
        if self.differentiable && program.differential(ty).is_none() {
            return false;
        }
        if self.pointer && program.pointer_differential(ty).is_none() {
            return false;
        }
        let Some(allowed) = self.scalars else {
            return (self.or_void || *ty != Ty::Void) && !program.holds_atomic(ty);
        };
        match ty {
            Ty::Error => true,
            Ty::Number(Elem::Scalar(scalar), shape) => {
                allowed.0 & 1 << *scalar as u16 != 0 && (!self.scalar_only || *shape == Shape::Scalar)
            }
            Ty::Number(Elem::Param(param), shape) => {
                let own = program.bound(*param);
                let shape_fits = !self.scalar_only || (*shape == Shape::Scalar && own.scalar_only);
                own.scalars.is_some_and(|set| set.0 & !allowed.0 == 0) && shape_fits
            }
            Ty::Assoc(_, requirement) => {
                let own = program.requirement_bound(*requirement);
                let shape_fits = !self.scalar_only || own.scalar_only;
                own.scalars.is_some_and(|set| set.0 & !allowed.0 == 0) && shape_fits
            }
            _ => false,
        }
    }
}

/// The cost of an implicit conversion between scalars. Lower is better; sums over arguments rank overloads.
pub fn scalar_cost(from: Scalar, to: Scalar) -> u32 {
    const BOOL: Scalar = Scalar::Bool;
    let rank = |scalar: Scalar| scalar.bits();
    match (from, to) {
        _ if from == to => 0,
        (BOOL, _) if to.is_integer() => 100 + rank(to),
        (BOOL, _) => 500 + rank(to),
        (_, BOOL) => 1000,
        _ if from.is_float() && to.is_float() && rank(to) > rank(from) => 150,
        _ if from.is_float() && to.is_float() => 900,
        _ if from.is_float() => 1200,
        // Any integer prefers `float` among the floats.
        _ if to.is_float() => 400 + u32::from(to != Scalar::F32) * 20,
        _ if from.is_signed() == to.is_signed() && rank(to) > rank(from) => 150,
        _ if from.is_unsigned() && to.is_signed() && rank(to) > rank(from) => 200,
        _ if rank(to) == rank(from) => 250,
        _ if rank(to) > rank(from) => 300,
        _ => 900,
    }
}

/// The scalar both operands of an operator are converted to.
pub fn join_scalars(a: Scalar, b: Scalar) -> Scalar {
    // Neither half has all the numbers of the other.
    if matches!((a, b), (Scalar::F16, Scalar::BF16) | (Scalar::BF16, Scalar::F16)) {
        return Scalar::F32;
    }
    let rank = |scalar: Scalar| match scalar {
        Scalar::Bool => 0,
        _ => 2 * scalar.bits() + u32::from(scalar.is_unsigned()) + 1000 * u32::from(scalar.is_float()),
    };
    if rank(a) >= rank(b) { a } else { b }
}

pub fn scalar_name(scalar: Scalar) -> &'static str {
    match scalar {
        Scalar::Bool => "bool",
        Scalar::I8 => "int8_t",
        Scalar::I16 => "int16_t",
        Scalar::I32 => "int",
        Scalar::I64 => "int64_t",
        Scalar::U8 => "uint8_t",
        Scalar::U16 => "uint16_t",
        Scalar::U32 => "uint",
        Scalar::U64 => "uint64_t",
        Scalar::F16 => "half",
        Scalar::BF16 => "bfloat16_t",
        Scalar::F32 => "float",
        Scalar::F64 => "double",
    }
}

fn scalar_from_name(name: &str) -> Option<Scalar> {
    Some(match name {
        "bool" => Scalar::Bool,
        "int8_t" => Scalar::I8,
        "int16_t" | "min16int" | "min12int" => Scalar::I16,
        "int" | "int32_t" => Scalar::I32,
        "int64_t" | "intptr_t" => Scalar::I64,
        "uint8_t" => Scalar::U8,
        "uint16_t" | "min16uint" => Scalar::U16,
        "uint" | "uint32_t" | "dword" | "unsigned" => Scalar::U32,
        "uint64_t" | "uintptr_t" => Scalar::U64,
        "half" | "float16_t" | "min16float" | "min10float" => Scalar::F16,
        "bfloat16_t" | "BFloat16" => Scalar::BF16,
        "float" | "float32_t" => Scalar::F32,
        "double" | "float64_t" => Scalar::F64,
        _ => return None,
    })
}

/// `float`, `int8_t`, `float3`, `half2x4`, `void`: the builtin types that are a word.
pub fn type_from_name(name: &str) -> Option<Ty> {
    if name == "void" {
        return Some(Ty::Void);
    }
    if let Some(scalar) = scalar_from_name(name) {
        return Some(Ty::scalar(scalar));
    }
    let digit = |byte: u8| (b'1'..=b'4').contains(&byte).then(|| Count::Known(i64::from(byte - b'0')));
    let bytes = name.as_bytes();
    let number = |stem: usize, shape: Shape| {
        let scalar = scalar_from_name(name.get(..stem)?)?;
        Some(Ty::Number(Elem::Scalar(scalar), shape))
    };
    if let [.., rows, b'x', columns] = *bytes
        && let (Some(rows), Some(columns)) = (digit(rows), digit(columns))
    {
        return number(name.len() - 3, Shape::Matrix(rows, columns));
    }
    number(name.len().checked_sub(1)?, Shape::Vector(digit(*bytes.last()?)?))
}
