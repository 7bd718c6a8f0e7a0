//! Scalar ops as expressions. Signed arithmetic goes through unsigned types, where it wraps.

use super::text::{literal, scalar_name, type_name};
use super::{Emitter, TARGET};
use crate::EmitError;
use pullback_base::{Scalar, bug};
use pullback_ir::{Constant, Op, Type, Value};

impl Emitter<'_> {
    pub fn let_op(&mut self, result: Value, op: &Op, args: &[Value]) -> Result<(), EmitError> {
        if self.is_array(result) {
            self.array_op(result, op, args);
            return Ok(());
        }
        if let Op::Const(constant) = op
            && !self.declared.contains(&result)
        {
            self.names.insert(result, literal(*constant));
            return Ok(());
        }
        let expression = self.expression(result, op, args)?;
        self.define(result, expression);
        Ok(())
    }

    fn scalar(&self, value: Value) -> Scalar {
        match self.function.ty(value) {
            Type::Scalar(scalar) => *scalar,
            other => bug!("cuda", "{value} of type {other} is not a scalar"),
        }
    }

    fn expression(&self, result: Value, op: &Op, args: &[Value]) -> Result<String, EmitError> {
        let refused = |scalar| EmitError::NoOp { target: TARGET, op: op.name(), scalar: Some(scalar) };
        let name = |index: usize| self.name(args[index]);
        Ok(match op {
            Op::Const(constant) => literal(*constant),
            Op::LaneId => "lane".to_owned(),
            Op::Detach | Op::Cut | Op::Unpaired => name(0),
            Op::Select => format!("{} ? {} : {}", name(0), name(1), name(2)),
            Op::PointerCast(_) => format!("({}){}", type_name(self.function.ty(result)), name(0)),
            Op::Bitcast(_) if matches!(self.function.ty(args[0]), Type::Pointer(_)) => {
                format!("(u64){}", name(0))
            }
            Op::PointerOffset => format!("{} + {}", name(0), name(1)),
            Op::Extract(index) => format!("{}[{index}]", self.array(args[0])),
            Op::ElementGet => {
                let zero = format!("({})0", type_name(self.function.ty(result)));
                let array = self.array(args[0]);
                let index = name(1);
                format!("{} ? {array}[{index}] : {zero}", self.in_range(args[0], &index))
            }
            Op::Convert(to) => {
                let from = self.scalar(args[0]);
                convert(&name(0), from, *to).ok_or_else(|| refused(from))?
            }
            Op::Bitcast(to) => bitcast(&name(0), self.scalar(args[0]), *to),
            _ => {
                let scalar = self.scalar(args[0]);
                let names: Vec<String> = (0..args.len()).map(name).collect();
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                arithmetic(op, scalar, &names).ok_or_else(|| refused(scalar))?
            }
        })
    }

    /// The variable of an array.
    pub fn array(&self, value: Value) -> String {
        match self.slots.get(value) {
            Some(slot) => format!("array{}", slot.0),
            None => bug!("cuda", "{value} is not an array"),
        }
    }

    /// Whether an index is within an array; a negative one is a large unsigned number.
    pub fn in_range(&self, array: Value, index: &str) -> String {
        format!("(u64)({index}) < {}ull", self.function.ty(array).element_count())
    }
}

/// An op on numbers; `None` when the target lacks it.
pub fn arithmetic(op: &Op, scalar: Scalar, args: &[&str]) -> Option<String> {
    if let Some(mark) = comparison(op) {
        let fits = scalar.bits() >= 32 || scalar == Scalar::Bool;
        return fits.then(|| format!("{} {mark} {}", args[0], args[1]));
    }
    match scalar {
        Scalar::Bool => on_bools(op, args),
        Scalar::F32 | Scalar::F64 => on_floats(op, scalar, args),
        Scalar::I32 | Scalar::I64 | Scalar::U32 | Scalar::U64 => on_integers(op, scalar, args),
        _ => None,
    }
}

fn comparison(op: &Op) -> Option<&'static str> {
    Some(match op {
        Op::Eq => "==",
        Op::Ne => "!=",
        Op::Lt => "<",
        Op::Le => "<=",
        Op::Gt => ">",
        Op::Ge => ">=",
        _ => return None,
    })
}

fn on_bools(op: &Op, args: &[&str]) -> Option<String> {
    Some(match op {
        Op::Not => format!("!{}", args[0]),
        Op::And => format!("{} && {}", args[0], args[1]),
        Op::Or => format!("{} || {}", args[0], args[1]),
        Op::Xor => format!("{} != {}", args[0], args[1]),
        _ => return None,
    })
}

fn on_integers(op: &Op, scalar: Scalar, args: &[&str]) -> Option<String> {
    let x = args[0];
    let y = args.get(1).copied().unwrap_or_default();
    let (bits, signed, ty) = (scalar.bits(), scalar.is_signed(), scalar.name());
    let unsigned = if bits == 64 { "u64" } else { "u32" };
    let long = if bits == 64 { "ll" } else { "" };
    let wrapped = |expression: String| if signed { format!("({ty})({expression})") } else { expression };
    let as_unsigned = |name: &str| if signed { format!("({unsigned}){name}") } else { name.to_owned() };
    let binary = |mark: &str| wrapped(format!("{} {mark} {}", as_unsigned(x), as_unsigned(y)));
    let negated = wrapped(format!("0u - {}", as_unsigned(x)));
    Some(match op {
        Op::Neg => negated,
        Op::Add => binary("+"),
        Op::Sub => binary("-"),
        Op::Mul => binary("*"),
        Op::Div => format!("pb_div<{ty}>({x}, {y})"),
        Op::Rem => format!("pb_rem<{ty}>({x}, {y})"),
        Op::Min => format!("pb_min<{ty}>({x}, {y})"),
        Op::Max => format!("pb_max<{ty}>({x}, {y})"),
        Op::Clamp => format!("pb_min<{ty}>(pb_max<{ty}>({x}, {y}), {})", args[2]),
        Op::Abs if signed => format!("{x} < 0 ? {negated} : {x}"),
        Op::Abs => x.to_owned(),
        Op::Sign => format!("pb_sign<{ty}>({x})"),
        Op::Not => format!("~{x}"),
        Op::And => format!("{x} & {y}"),
        Op::Or => format!("{x} | {y}"),
        Op::Xor => format!("{x} ^ {y}"),
        Op::Shl => wrapped(format!("{} << ({y} & {})", as_unsigned(x), bits - 1)),
        Op::Shr => format!("{x} >> ({y} & {})", bits - 1),
        Op::CountBits => format!("({ty})__popc{long}({x})"),
        Op::ReverseBits => format!("({ty})__brev{long}({x})"),
        // The highest bit that differs from the sign: of x ^ sign, the highest set.
        Op::FirstBitHigh if signed => format!("({ty}){0} - __clz{long}({x} ^ ({x} >> {0}))", bits - 1),
        Op::FirstBitHigh => format!("({ty})({} - __clz{long}((i{bits}){x}))", bits - 1),
        Op::FirstBitLow => format!("({ty})(__ffs{long}((i{bits}){x}) - 1)"),
        _ => return None,
    })
}

fn on_floats(op: &Op, scalar: Scalar, args: &[&str]) -> Option<String> {
    let x = args[0];
    let y = args.get(1).copied().unwrap_or_default();
    let z = args.get(2).copied().unwrap_or_default();
    let suffix = if scalar == Scalar::F32 { "f" } else { "" };
    let one = literal(Constant::float(scalar, 1.0));
    Some(match op {
        Op::Neg => format!("-{x}"),
        Op::Add => format!("{x} + {y}"),
        Op::Sub => format!("{x} - {y}"),
        Op::Mul => format!("{x} * {y}"),
        Op::Div => format!("{x} / {y}"),
        Op::Rem => format!("fmod{suffix}({x}, {y})"),
        Op::Fma => format!("fma{suffix}({x}, {y}, {z})"),
        Op::Min => format!("fmin{suffix}({x}, {y})"),
        Op::Max => format!("fmax{suffix}({x}, {y})"),
        Op::Clamp => format!("fmin{suffix}(fmax{suffix}({x}, {y}), {z})"),
        Op::Abs => format!("fabs{suffix}({x})"),
        Op::Sign => format!("pb_sign<{}>({x})", scalar.name()),
        Op::IsNan => format!("{x} != {x}"),
        Op::IsInf => format!("fabs{suffix}({x}) == {}", literal(Constant::float(scalar, f64::INFINITY))),
        Op::Round => format!("rint{suffix}({x})"),
        Op::Fract => format!("{x} - floor{suffix}({x})"),
        Op::Rcp => format!("{one} / {x}"),
        Op::MulOrZero => format!("{x} == {} ? {x} : {x} * {y}", literal(Constant::zero(scalar))),
        Op::Copysign | Op::Pow | Op::Atan2 => format!("{}{suffix}({x}, {y})", op.name()),
        Op::Floor
        | Op::Ceil
        | Op::Trunc
        | Op::Sqrt
        | Op::Rsqrt
        | Op::Exp
        | Op::Exp2
        | Op::Log
        | Op::Log2
        | Op::Log10
        | Op::Sin
        | Op::Cos
        | Op::Tan
        | Op::Asin
        | Op::Acos
        | Op::Atan
        | Op::Sinh
        | Op::Cosh
        | Op::Tanh
        | Op::Asinh
        | Op::Acosh
        | Op::Atanh => format!("{}{suffix}({x})", op.name()),
        _ => return None,
    })
}

/// A number in another type; `None` for steps that legalization makes.
fn convert(x: &str, from: Scalar, to: Scalar) -> Option<String> {
    let computes =
        |scalar: Scalar| scalar.is_integer() || matches!(scalar, Scalar::Bool | Scalar::F32 | Scalar::F64);
    Some(match (from, to) {
        _ if from == to => x.to_owned(),
        (Scalar::F16, Scalar::F32) => format!("pb_f16_to_f32({x})"),
        (Scalar::F32, Scalar::F16) => format!("pb_f32_to_f16({x})"),
        (Scalar::BF16, Scalar::F32) => format!("pb_bf16_to_f32({x})"),
        (Scalar::F32, Scalar::BF16) => format!("pb_f32_to_bf16({x})"),
        _ if !computes(from) || !computes(to) => return None,
        (_, Scalar::Bool) => format!("{x} != 0"),
        _ if from.is_float() && to.is_integer() => saturate(x, from, to),
        _ => format!("({}){x}", to.name()),
    })
}

fn saturate(x: &str, from: Scalar, to: Scalar) -> String {
    let digits = to.bits() - u32::from(to.is_signed());
    let float = |value: f64| literal(Constant::float(from, value));
    let int = |bits: u64| literal(Constant::from_bits(to, bits));
    let high = 2f64.powi(digits as i32);
    let (low, lowest) = if to.is_signed() { (-high, 1 << digits) } else { (0.0, 0) };
    let highest = u64::MAX >> (64 - digits);
    format!(
        "pb_saturate<{}>({x}, {}, {}, {}, {})",
        to.name(),
        float(low),
        float(high),
        int(lowest),
        int(highest)
    )
}

fn bitcast(x: &str, from: Scalar, to: Scalar) -> String {
    match (from, to) {
        (Scalar::F32, Scalar::I32) => format!("__float_as_int({x})"),
        (Scalar::F32, Scalar::U32) => format!("__float_as_uint({x})"),
        (Scalar::I32, Scalar::F32) => format!("__int_as_float({x})"),
        (Scalar::U32, Scalar::F32) => format!("__uint_as_float({x})"),
        (Scalar::F64, Scalar::I64) => format!("__double_as_longlong({x})"),
        (Scalar::F64, Scalar::U64) => format!("(u64)__double_as_longlong({x})"),
        (Scalar::I64 | Scalar::U64, Scalar::F64) => format!("__longlong_as_double((i64){x})"),
        _ => format!("({}){x}", scalar_name(to)),
    }
}

/// A scalar parameter in the low bytes of its word.
pub fn of_word(word: &str, scalar: Scalar) -> String {
    match scalar {
        Scalar::Bool => format!("(u8){word} != 0"),
        Scalar::F32 => format!("__uint_as_float((u32){word})"),
        Scalar::F64 => format!("__longlong_as_double((i64){word})"),
        _ => format!("({}){word}", scalar_name(scalar)),
    }
}
