//! The one table of operations: variant, text name, operand count, type rule.
//!
//! Every op is pure and total, and works component-wise on vectors and matrices unless said otherwise.
//! Semantics that languages leave open are fixed here, the same on every device:
//!
//! - Integers wrap. `x / 0 = x`, `x % 0 = 0`, `MIN / -1 = MIN`, `MIN % -1 = 0` (WGSL's rules). `%` has the sign of `x`.
//! - Shift counts are taken modulo the width. `shr` of a signed integer is arithmetic.
//! - Float `rem` is `x - y * trunc(x / y)` computed exactly (C's `fmod`).
//! - `min`/`max`: if one operand is NaN, the other. `clamp(x, lo, hi) = min(max(x, lo), hi)`.
//! - `sign(0) = 0`, `sign(NaN) = 0`. `round` takes ties to even. `fract(x) = x - floor(x)`.
//! - `convert`: float to integer truncates and saturates, NaN gives 0; integer to integer wraps; to bool: `x != 0`.
//! - `pow` is IEEE `pow` (`pow(x, 0) = 1`, `pow(-2, 3) = -8`, `pow(-2, 0.5) = NaN`).
//! - `element_get` outside the range gives zero; `element_set` outside the range gives the aggregate unchanged.
//! - `first_bit_high` of an unsigned integer is the index of the highest set bit, of a signed one the highest bit that
//!   differs from the sign; `first_bit_low` is the index of the lowest set bit; both give -1 when there is none.

use crate::{Constant, Type};
use pullback_base::Scalar;
use smallvec::SmallVec;
use std::sync::Arc;

/// How a result's type follows from the operands'.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TypeRule {
    /// Operands of one numeric type; the result has it.
    Numeric,
    /// Operands of one float type; the result has it.
    Float,
    /// Operands of one integer type; the result has it.
    Integer,
    /// Operands of one integer or bool type; the result has it.
    Bits,
    /// Two operands of one numeric type (for equality also bool); the result is bool of that shape.
    Compare,
    /// A float operand; the result is bool of that shape.
    FloatTest,
    /// Own rule in [`Op::result_type`].
    Special,
}

macro_rules! ops {
    ($($(#[$meta:meta])* $variant:ident $(($payload:ty))? $text:literal $arity:tt $rule:ident;)*) => {
        /// An operation.
        #[derive(Clone, PartialEq, Eq, Hash, Debug)]
        pub enum Op { $($(#[$meta])* $variant $(($payload))?,)* }

        impl Op {
            /// Text names of all ops, in the order of the table.
            pub const NAMES: &'static [&'static str] = &[$($text,)*];

            /// The name in the text form, in diagnostics and in every table keyed by op.
            pub fn name(&self) -> &'static str {
                match self { $(ops!(@pattern $variant $(($payload))?) => $text,)* }
            }

            /// How many operands; `None` when it depends on the payload.
            pub fn arity(&self) -> Option<usize> {
                match self { $(ops!(@pattern $variant $(($payload))?) => ops!(@arity $arity),)* }
            }

            pub fn rule(&self) -> TypeRule {
                match self { $(ops!(@pattern $variant $(($payload))?) => TypeRule::$rule,)* }
            }

            /// The op of a text name, for those without a payload.
            pub fn from_name(name: &str) -> Option<Op> {
                match name { $($text => ops!(@plain $variant $(($payload))?),)* _ => None }
            }
        }
    };
    (@pattern $variant:ident) => { Op::$variant };
    (@pattern $variant:ident ($payload:ty)) => { Op::$variant(_) };
    (@plain $variant:ident) => { Some(Op::$variant) };
    (@plain $variant:ident ($payload:ty)) => { None };
    (@arity many) => { None };
    (@arity $n:literal) => { Some($n) };
}

ops! {
    Const(Constant) "const" 0 Special;
    /// The lane's number, `i64`; kernels only.
    LaneId "lane_id" 0 Special;

    Neg "neg" 1 Numeric;
    Add "add" 2 Numeric;
    Sub "sub" 2 Numeric;
    Mul "mul" 2 Numeric;
    Div "div" 2 Numeric;
    Rem "rem" 2 Numeric;
    /// `x * y + z`, rounded once.
    Fma "fma" 3 Float;
    Min "min" 2 Numeric;
    Max "max" 2 Numeric;
    /// `clamp(x, low, high)`.
    Clamp "clamp" 3 Numeric;
    Abs "abs" 1 Numeric;
    Sign "sign" 1 Numeric;

    Not "not" 1 Bits;
    And "and" 2 Bits;
    Or "or" 2 Bits;
    Xor "xor" 2 Bits;
    Shl "shl" 2 Integer;
    Shr "shr" 2 Integer;
    CountBits "count_bits" 1 Integer;
    ReverseBits "reverse_bits" 1 Integer;
    FirstBitHigh "first_bit_high" 1 Integer;
    FirstBitLow "first_bit_low" 1 Integer;

    Eq "eq" 2 Compare;
    Ne "ne" 2 Compare;
    Lt "lt" 2 Compare;
    Le "le" 2 Compare;
    Gt "gt" 2 Compare;
    Ge "ge" 2 Compare;
    IsNan "is_nan" 1 FloatTest;
    IsInf "is_inf" 1 FloatTest;
    /// `select(condition, if_true, if_false)`: the condition is one bool, or bools of the operands' shape.
    Select "select" 3 Special;

    Floor "floor" 1 Float;
    Ceil "ceil" 1 Float;
    Round "round" 1 Float;
    Trunc "trunc" 1 Float;
    Fract "fract" 1 Float;
    Sqrt "sqrt" 1 Float;
    Rsqrt "rsqrt" 1 Float;
    Rcp "rcp" 1 Float;
    Exp "exp" 1 Float;
    Exp2 "exp2" 1 Float;
    Log "log" 1 Float;
    Log2 "log2" 1 Float;
    Log10 "log10" 1 Float;
    Pow "pow" 2 Float;
    Sin "sin" 1 Float;
    Cos "cos" 1 Float;
    Tan "tan" 1 Float;
    Asin "asin" 1 Float;
    Acos "acos" 1 Float;
    Atan "atan" 1 Float;
    /// `atan2(y, x)`.
    Atan2 "atan2" 2 Float;
    Sinh "sinh" 1 Float;
    Cosh "cosh" 1 Float;
    Tanh "tanh" 1 Float;
    Asinh "asinh" 1 Float;
    Acosh "acosh" 1 Float;
    Atanh "atanh" 1 Float;
    /// `copysign(magnitude, sign)`.
    Copysign "copysign" 2 Float;
    /// `x * y`, and `x` where that is zero, whatever `y` is.
    MulOrZero "mul_or_zero" 2 Float;

    /// The same number in another scalar type, shape kept.
    Convert(Scalar) "convert" 1 Special;
    /// The same bits in another scalar type of the same size, shape kept. A pointer's are u64.
    Bitcast(Scalar) "bitcast" 1 Special;
    /// The same value with no derivative.
    Detach "detach" 1 Special;
    /// The same, where not the author asks for it but a type that has no tangents: differentiation warns of it.
    Cut "cut" 1 Special;
    /// The same value, which stands where the derivatives of a pointer's target would be told, and tells nothing:
    /// differentiation refuses to use it.
    Unpaired "unpaired" 1 Special;

    /// All elements equal to the operand, which has the aggregate's element type (for a matrix: its scalar).
    Splat(Type) "splat" 1 Special;
    /// An aggregate from its elements (components, rows, array elements, fields).
    Construct(Type) "construct" many Special;
    /// Component, row, array element or field number n.
    Extract(u32) "extract" 1 Special;
    /// `insert.n(aggregate, element)`: the aggregate with element n replaced.
    Insert(u32) "insert" 2 Special;
    /// Components of a vector picked by number.
    Swizzle(SmallVec<[u8; 4]>) "swizzle" 1 Special;
    /// `element_get(aggregate, index)`: vector, matrix or array; any integer index.
    ElementGet "element_get" 2 Special;
    /// `element_set(aggregate, index, element)`.
    ElementSet "element_set" 3 Special;
    /// Sum of products of two vectors.
    Dot "dot" 2 Special;
    /// Matrix times matrix, matrix times column vector, or row vector times matrix.
    MatMul "matmul" 2 Special;
    Transpose "transpose" 1 Special;

    /// `pointer_offset(pointer, index: i64)`: the address of that many elements further.
    PointerOffset "pointer_offset" 2 Special;
    /// The same address (of a pointer, or given as u64), of elements of another type.
    PointerCast(Type) "pointer_cast" 1 Special;
}

impl Op {
    /// Whether the op applies to each component of a vector or matrix on its own.
    pub fn is_component_wise(&self) -> bool {
        self.rule() != TypeRule::Special
            || matches!(
                self,
                Op::Convert(_) | Op::Bitcast(_) | Op::Select | Op::Detach | Op::Cut | Op::Unpaired
            )
    }

    pub fn is_commutative(&self) -> bool {
        use Op::*;
        matches!(self, Add | Mul | Min | Max | And | Or | Xor | Eq | Ne | Dot)
    }

    /// The result's type, or what is wrong with the operands.
    pub fn result_type(&self, args: &[&Type]) -> Result<Type, String> {
        if let Op::Construct(ty) = self {
            return construct_type(ty, args);
        }
        if self.arity() != Some(args.len()) {
            return Err(format!("`{}` got {} operands", self.name(), args.len()));
        }
        let wrong = || Err(format!("`{}` does not take {args:?}", self.name()));
        let same = || args.windows(2).all(|pair| pair[0] == pair[1]);
        let Some(&first) = args.first() else {
            return match self {
                Op::Const(constant) => Ok(Type::Scalar(constant.scalar())),
                _ => Ok(Type::I64), // lane_id
            };
        };
        let scalar = first.scalar();
        let fits = |allowed: fn(Scalar) -> bool| same() && scalar.is_some_and(allowed);
        let as_bool = || first.with_scalar(Scalar::Bool).map_or_else(wrong, Ok);
        match self.rule() {
            TypeRule::Numeric if fits(is_numeric) => Ok(first.clone()),
            TypeRule::Float if fits(Scalar::is_float) => Ok(first.clone()),
            TypeRule::Integer if fits(Scalar::is_integer) => Ok(first.clone()),
            TypeRule::Bits if fits(|s| s.is_integer() || s == Scalar::Bool) => Ok(first.clone()),
            TypeRule::Compare if fits(is_numeric) => as_bool(),
            TypeRule::Compare if fits(|s| s == Scalar::Bool) && matches!(self, Op::Eq | Op::Ne) => as_bool(),
            TypeRule::FloatTest if fits(Scalar::is_float) => as_bool(),
            TypeRule::Special => special_type(self, args).map_or_else(wrong, Ok),
            _ => wrong(),
        }
    }
}

fn is_numeric(scalar: Scalar) -> bool {
    scalar != Scalar::Bool
}

fn construct_type(ty: &Type, args: &[&Type]) -> Result<Type, String> {
    let fits = args.len() == ty.element_count() as usize
        && args.iter().enumerate().all(|(i, arg)| ty.element(i as u32).as_ref() == Some(*arg));
    if fits { Ok(ty.clone()) } else { Err(format!("`construct` of {ty} does not take {args:?}")) }
}

fn special_type(op: &Op, args: &[&Type]) -> Option<Type> {
    let first = args[0];
    match op {
        Op::Select => {
            let condition = first.scalar() == Some(Scalar::Bool)
                && (first.is_scalar() || args[1].with_scalar(Scalar::Bool).as_ref() == Some(first));
            (condition && args[1] == args[2]).then(|| args[1].clone())
        }
        Op::Convert(to) => first.with_scalar(*to),
        Op::Bitcast(Scalar::U64) if matches!(first, Type::Pointer(_)) => Some(Type::Scalar(Scalar::U64)),
        Op::Bitcast(to) => {
            first.with_scalar(*to).filter(|_| first.scalar().is_some_and(|from| from.bits() == to.bits()))
        }
        Op::Detach | Op::Cut | Op::Unpaired => Some(first.clone()),
        Op::Splat(ty) => {
            let element = match ty {
                Type::Matrix { scalar, .. } => Some(Type::Scalar(*scalar)),
                Type::Vector(..) | Type::Array(..) => ty.element(0),
                _ => None,
            };
            (element.as_ref() == Some(first)).then(|| ty.clone())
        }
        Op::Extract(index) => first.element(*index),
        Op::Insert(index) => (first.element(*index).as_ref() == Some(args[1])).then(|| first.clone()),
        Op::Swizzle(picks) => match first {
            Type::Vector(scalar, n)
                if picks.iter().all(|pick| pick < n) && (1..=4).contains(&picks.len()) =>
            {
                Some(Type::Vector(*scalar, picks.len() as u8))
            }
            _ => None,
        },
        Op::ElementGet if is_indexed(first, args[1]) => first.element(0),
        Op::ElementSet if is_indexed(first, args[1]) => {
            (first.element(0).as_ref() == Some(args[2])).then(|| first.clone())
        }
        Op::Dot => match first {
            Type::Vector(scalar, _) if first == args[1] && is_numeric(*scalar) => Some(Type::Scalar(*scalar)),
            _ => None,
        },
        Op::MatMul => matmul_type(first, args[1]),
        Op::Transpose => match first {
            Type::Matrix { scalar, rows, columns, .. } => Some(Type::matrix(*scalar, *columns, *rows)),
            _ => None,
        },
        Op::PointerCast(element) => {
            let address = matches!(first, Type::Pointer(_)) || *first == Type::Scalar(Scalar::U64);
            address.then(|| Type::pointer(element.clone()))
        }
        Op::PointerOffset => {
            (matches!(first, Type::Pointer(_)) && *args[1] == Type::I64).then(|| first.clone())
        }
        _ => None,
    }
}

fn is_indexed(aggregate: &Type, index: &Type) -> bool {
    let integer = matches!(index, Type::Scalar(scalar) if scalar.is_integer());
    integer
        && matches!(aggregate, Type::Vector(..) | Type::Matrix { .. } | Type::Array(..))
        && aggregate.element_count() > 0
}

fn matmul_type(a: &Type, b: &Type) -> Option<Type> {
    if a.scalar() != b.scalar() || !a.scalar().is_some_and(is_numeric) {
        return None;
    }
    match (a, b) {
        (Type::Matrix { scalar, rows, columns, .. }, Type::Matrix { rows: inner, columns: out, .. })
            if columns == inner =>
        {
            Some(Type::matrix(*scalar, *rows, *out))
        }
        (Type::Matrix { scalar, rows, columns, .. }, Type::Vector(_, n)) if columns == n => {
            Some(Type::Vector(*scalar, *rows))
        }
        (Type::Vector(scalar, n), Type::Matrix { rows, columns, .. }) if n == rows => {
            Some(Type::Vector(*scalar, *columns))
        }
        _ => None,
    }
}

/// One instance of every op of the table, in its order: for completeness tests.
pub fn samples() -> Vec<Op> {
    let vector = Type::Vector(Scalar::F32, 2);
    Op::NAMES
        .iter()
        .map(|&name| match name {
            "const" => Op::Const(Constant::float(Scalar::F32, 1.0)),
            "convert" => Op::Convert(Scalar::F32),
            "bitcast" => Op::Bitcast(Scalar::F32),
            "splat" => Op::Splat(Type::Array(Arc::new(Type::F32), 2)),
            "construct" => Op::Construct(vector.clone()),
            "pointer_cast" => Op::PointerCast(Type::F32),
            "extract" => Op::Extract(0),
            "insert" => Op::Insert(0),
            "swizzle" => Op::Swizzle(SmallVec::from_slice(&[1, 0])),
            _ => Op::from_name(name).unwrap_or_else(|| pullback_base::bug!("ops", "no sample of `{name}`")),
        })
        .collect()
}
