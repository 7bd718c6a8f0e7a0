//! Overrides: the constants of a text whose values callers may choose. GLSL and SPIR-V call them specialization constants.

use super::expression::{literal_constant, operation};
use super::math::single_op;
use super::places::Places;
use super::types;
use naga::{Arena, Expression, Handle, Override, TypeInner, UnaryOperator};
use pullback_base::{Code, Diagnostic};
use pullback_ir::{Constant, Op, Scalar, eval};

/// The value of each, or that it has none.
pub struct Overrides(Vec<Option<Constant>>);

impl Overrides {
    /// `given` are names and numbers.
    ///
    /// # Errors
    /// Names of no override, and values that are not of its type.
    pub fn new(
        source: &naga::Module,
        places: &Places,
        given: &[(String, String)],
    ) -> Result<Overrides, Vec<Diagnostic>> {
        let mut faults: Vec<Diagnostic> = given
            .iter()
            .filter(|(name, _)| !is_one(source, name))
            .map(|(name, _)| unknown(source, name))
            .collect();
        let mut overrides = Overrides(Vec::new());
        // Each is listed after those that its value is made of.
        for (handle, declared) in source.overrides.iter() {
            let name = declared.name.as_deref().unwrap_or("");
            let value = match (given.iter().find(|(given, _)| given == name), scalar_of(source, declared)) {
                (Some((_, text)), Some(scalar)) => {
                    let value = number(text, scalar);
                    if value.is_none() {
                        let message = format!("`{name}` is of type {scalar}, and cannot be {text}");
                        let place = places.span(source.overrides.get_span(handle));
                        faults
                            .push(Diagnostic::error(Code::TypeMismatch, message).at(place, "declared here"));
                    }
                    value
                }
                (_, scalar) => declared
                    .init
                    .and_then(|init| overrides.evaluate(source, &source.global_expressions, init))
                    .filter(|value| Some(value.scalar()) == scalar),
            };
            overrides.0.push(value);
        }
        if faults.is_empty() { Ok(overrides) } else { Err(faults) }
    }

    /// `None` without a value: nobody gave one, and the text has none.
    pub fn get(&self, handle: Handle<Override>) -> Option<Constant> {
        self.0.get(handle.index()).copied().flatten()
    }

    /// A constant expression of scalars.
    pub fn evaluate(
        &self,
        source: &naga::Module,
        arena: &Arena<Expression>,
        handle: Handle<Expression>,
    ) -> Option<Constant> {
        let operand = |handle: Handle<Expression>| self.evaluate(source, arena, handle);
        match &arena[handle] {
            Expression::Literal(literal) => literal_constant(*literal),
            Expression::Constant(constant) => {
                self.evaluate(source, &source.global_expressions, source.constants[*constant].init)
            }
            Expression::Override(handle) => self.get(*handle),
            Expression::ZeroValue(ty) => match source.types[*ty].inner {
                TypeInner::Scalar(scalar) => types::scalar(scalar).ok().map(Constant::zero),
                _ => None,
            },
            Expression::Unary { op: UnaryOperator::Negate, expr } => eval(&Op::Neg, &[operand(*expr)?]),
            Expression::Unary { expr, .. } => eval(&Op::Not, &[operand(*expr)?]),
            Expression::Binary { op, left, right } => {
                let (left, mut right) = (operand(*left)?, operand(*right)?);
                let op = operation(*op);
                if let Op::Shl | Op::Shr = op {
                    right = eval(&Op::Convert(left.scalar()), &[right])?;
                }
                eval(&op, &[left, right])
            }
            Expression::Select { condition, accept, reject } => {
                eval(&Op::Select, &[operand(*condition)?, operand(*accept)?, operand(*reject)?])
            }
            Expression::As { expr, kind, convert: Some(width) } => {
                let to = types::scalar(naga::Scalar { kind: *kind, width: *width }).ok()?;
                eval(&Op::Convert(to), &[operand(*expr)?])
            }
            Expression::Math { fun, arg, arg1, arg2, arg3 } => {
                let args = [Some(*arg), *arg1, *arg2, *arg3].into_iter().flatten();
                eval(&single_op(*fun)?, &args.map(operand).collect::<Option<Vec<_>>>()?)
            }
            _ => None,
        }
    }
}

fn is_one(source: &naga::Module, name: &str) -> bool {
    source.overrides.iter().any(|(_, declared)| declared.name.as_deref() == Some(name))
}

fn unknown(source: &naga::Module, name: &str) -> Diagnostic {
    let known: Vec<&str> = source.overrides.iter().filter_map(|(_, it)| it.name.as_deref()).collect();
    let help = match known.is_empty() {
        true => "declare it: `override N: i32 = 1;`, `layout(constant_id = 0) const int N = 1;`".to_owned(),
        false => format!("there are: {}", known.join(", ")),
    };
    Diagnostic::error(Code::UnknownName, format!("no link-time constant is named `{name}`")).help(help)
}

fn scalar_of(source: &naga::Module, declared: &Override) -> Option<Scalar> {
    match source.types[declared.ty].inner {
        TypeInner::Scalar(scalar) => types::scalar(scalar).ok(),
        _ => None,
    }
}

/// A number as that type, without loss but for the rounding of floats.
fn number(text: &str, scalar: Scalar) -> Option<Constant> {
    match scalar {
        Scalar::Bool => text.parse().ok().map(Constant::bool),
        _ if scalar.is_float() => text.parse().ok().map(|value| Constant::float(scalar, value)),
        _ => {
            let value: i64 = text.parse().ok()?;
            let constant = Constant::int(scalar, value);
            (constant.as_i64() == value && (value >= 0 || scalar.is_signed())).then_some(constant)
        }
    }
}
