//! Conversions: which happen by themselves and at what cost, and which a cast asks for.

use super::context::Context;
use super::count::Count;
use super::hir::{Expr, ExprKind, Literal};
use super::pointer::PointerAccess;
use super::program::Program;
use super::types::{Bound, Elem, Shape, Ty, join_scalars, scalar_cost};
use pullback_base::{Code, Diagnostic, Scalar, Span};

/// What it costs an overload to make a value optional.
const WRAP_COST: u32 = 1000;
/// What it costs an overload to forget which type a value has.
const ERASE_COST: u32 = 1000;
/// What it costs an overload to take a scoped enum for its integer.
const SCOPED_ENUM_COST: u32 = 800;
/// What a splat costs an overload: more than any change of a scalar's type.
pub const SPLAT_COST: u32 = 2000;

/// The cost of converting without a cast; `None` where that is not possible.
pub fn implicit_cost(program: &Program<'_>, from: &Ty, to: &Ty) -> Option<u32> {
    match (from, to) {
        _ if from == to => Some(0),
        (Ty::Error, _) | (_, Ty::Error) => Some(0),
        (from, to) if program.conditionally(from).is_some_and(|held| program.held(to) == Some(held)) => {
            Some(1)
        }
        (from, to) if let Some(held) = program.held(to) => match program.is_none(from) {
            true => Some(WRAP_COST),
            false => implicit_cost(program, from, held).map(|cost| cost + WRAP_COST),
        },
        (from, Ty::Interface(interface)) => program.conforms(from, interface).then_some(ERASE_COST),
        (Ty::Number(from_elem, from_shape), Ty::Number(to_elem, to_shape)) => {
            let elem_cost = match (from_elem, to_elem) {
                _ if from_elem == to_elem => 0,
                (Elem::Scalar(from), Elem::Scalar(to)) => scalar_cost(*from, *to),
                _ => return None,
            };
            Some(elem_cost + shape_cost(program, *from_elem, from_shape, to_shape)?)
        }
        // Enums convert to their integers; those of scoped ones only where one is asked for.
        (Ty::Enum(id), Ty::Number(..)) => {
            let cost = if program.enums[*id].unscoped { 10 } else { SCOPED_ENUM_COST };
            implicit_cost(program, &program.as_number(from), to).map(|number| number + cost)
        }
        (Ty::Buffer(kind, element), Ty::Buffer(wanted, wanted_element)) if element == wanted_element => {
            kind.serves_as(*wanted).then_some(1)
        }
        (_, Ty::Struct(..)) => program.implicit_constructor(from, to).map(|_| 1),
        _ => super::pointer::implicit_cost(from, to),
    }
}

fn shape_cost(program: &Program<'_>, from_elem: Elem, from: &Shape, to: &Shape) -> Option<u32> {
    const ONE: &Shape = &Shape::Vector(Count::Known(1));
    match (from, to) {
        _ if from == to => Some(0),
        (Shape::Scalar, ONE) | (ONE, Shape::Scalar) => Some(1),
        (Shape::Scalar, _) if is_single(program, from_elem) => Some(SPLAT_COST),
        _ => None,
    }
}

/// `(S)0` is what a variable of the type holds at first.
fn is_cast_zero(expr: &Expr, to: &Ty) -> bool {
    matches!(expr.kind, ExprKind::Literal(Literal::Int(0))) && !matches!(to, Ty::Number(..) | Ty::Void)
}

/// Whether a scalar-shaped number of this element is one component for sure.
pub fn is_single(program: &Program<'_>, elem: Elem) -> bool {
    match elem {
        Elem::Scalar(_) => true,
        Elem::Param(param) => program.bound(param).scalar_only,
    }
}

impl Context<'_, '_> {
    /// The expression as a value of type `to`, where that needs no cast. `place` says what wants it.
    pub fn coerce(&mut self, expr: Expr, to: &Ty, place: &str) -> Expr {
        if expr.ty == *to {
            return expr;
        }
        if expr.is_error() || to.is_error() {
            return self.silent_error(expr.span);
        }
        if let ExprKind::Literal(Literal::Int(0)) = expr.kind
            && matches!(to, Ty::Struct(..))
        {
            return self.mismatch(&expr, to, place);
        }
        match implicit_cost(&self.checker.program, &expr.ty, to) {
            None => self.mismatch(&expr, to, place),
            Some(_) => {
                self.warn_of_loss(&expr, to);
                let to_enum = self.checker.program.held(to).is_some();
                let expr =
                    if let (Ty::Enum(_), false) = (&expr.ty, to_enum) { self.enum_tag(expr) } else { expr };
                self.converted(expr, to)
            }
        }
    }

    fn mismatch(&mut self, expr: &Expr, to: &Ty, place: &str) -> Expr {
        let (from, wanted) = (self.show(&expr.ty), self.show(to));
        let mut diagnostic =
            Diagnostic::error(Code::TypeMismatch, format!("{place} needs `{wanted}`, not `{from}`"))
                .at(expr.span, format!("is `{from}`"));
        let counts = |ty: &Ty| match ty.number() {
            Some((_, Shape::Vector(count))) => count.known(),
            _ => None,
        };
        if let (Some(from), Some(to)) = (counts(&expr.ty), counts(to)) {
            let letters = ["x", "xy", "xyz", "xyzw"];
            if to > from {
                diagnostic = diagnostic.help(format!("give the missing components: `{wanted}(..., 0)`"));
            } else if let Some(letters) = letters.get(to as usize - 1) {
                diagnostic = diagnostic.help(format!("take the components you mean: `.{letters}`"));
            }
        } else if *to == Ty::BOOL && counts(&expr.ty).is_some() {
            diagnostic = diagnostic.help("reduce it to one `bool`: `any(...)` or `all(...)`");
        } else if (expr.ty.number().is_some() && to.number().is_some()) || self.can_cast_enum(&expr.ty, to) {
            diagnostic = diagnostic.help(format!("convert it: `{wanted}(...)`"));
        }
        self.report(diagnostic);
        Expr::error(expr.span)
    }

    fn warn_of_loss(&mut self, expr: &Expr, to: &Ty) {
        let is_float = |scalar: Option<Scalar>| scalar.is_some_and(|scalar| scalar.is_float());
        let to_integer = to.known_scalar().is_some_and(|scalar| scalar.is_integer());
        let whole = matches!(expr.kind, ExprKind::Literal(Literal::Float(value)) if value.fract() == 0.0);
        if is_float(expr.ty.known_scalar()) && to_integer && !whole {
            let (from, to) = (self.show(&expr.ty), self.show(to));
            self.report(
                Diagnostic::warning(
                    Code::TypeMismatch,
                    format!("`{from}` becomes `{to}`: the fraction is lost"),
                )
                .at(expr.span, "converted here")
                .help(format!("write `{to}(...)` if that is meant")),
            );
        }
    }

    /// The number in another type, whether implicit or asked for. Literals are rounded once, from what was written.
    pub fn converted(&mut self, expr: Expr, to: &Ty) -> Expr {
        if expr.ty == *to {
            return expr;
        }
        let span = expr.span;
        if self.checker.program.conditionally(&expr.ty).is_some() {
            return self.if_there(expr, span);
        }
        if self.checker.program.held(to).is_some() {
            return self.wrapped(expr, to);
        }
        if let Some(constructor) = self.checker.program.implicit_constructor(&expr.ty, to) {
            let subst = self.checker.program.outer_subst(constructor, Some(to)).unwrap_or_default();
            return self.call_of(constructor, &subst, None, vec![expr], span);
        }
        if let Ty::Interface(_) = to {
            return Expr { kind: ExprKind::Erase(Box::new(expr)), ty: to.clone(), span };
        }
        let mut expr = expr;
        if let (ExprKind::Literal(literal), Ty::Number(Elem::Scalar(scalar), shape)) = (&expr.kind, to) {
            let literal = Literal::of(literal.constant(*scalar));
            expr = Expr::literal(literal, Ty::scalar(*scalar), span);
            if *shape == Shape::Scalar {
                return expr;
            }
        }
        Expr { kind: ExprKind::Convert(Box::new(expr)), ty: to.clone(), span }
    }

    /// `(T)e` and `T(e)`
    pub fn cast(&mut self, expr: Expr, to: &Ty, span: Span) -> Expr {
        if expr.ty == *to || expr.is_error() || to.is_error() {
            return Expr { span, ..expr };
        }
        if is_cast_zero(&expr, to) {
            return self.default_of(to, span);
        }
        if self.casts(&expr, to) {
            return Expr { span, ..self.converted(expr, to) };
        }
        let (from, wanted) = (self.show(&expr.ty), self.show(to));
        self.error_advised(
            Code::TypeMismatch,
            format!("no conversion from `{from}` to `{wanted}`"),
            expr.span,
            format!("is `{from}`"),
            format!("build the `{wanted}` from parts of it"),
        )
    }

    /// Whether a cast is a conversion of the value itself.
    pub fn casts(&self, expr: &Expr, to: &Ty) -> bool {
        let program = &self.checker.program;
        let wraps = program.held(to).is_some() && implicit_cost(program, &expr.ty, to).is_some();
        wraps
            || expr.ty == *to
            || is_cast_zero(expr, to)
            || self.can_cast(&expr.ty, to)
            || self.can_cast_enum(&expr.ty, to)
    }

    fn can_cast(&self, from: &Ty, to: &Ty) -> bool {
        if super::pointer::casts(from, to) {
            return true;
        }
        let program = &self.checker.program;
        let (Some((from_elem, from_shape)), Some((to_elem, to_shape))) = (from.number(), to.number()) else {
            return false;
        };
        // A generic type converts where all it may stand for do.
        let convertible = |elem: Elem| match elem {
            Elem::Scalar(_) => true,
            Elem::Param(param) => program.bound(param).scalars.is_some(),
        };
        let shape_fits = match (from_shape, to_shape) {
            (a, b) if a == b => match (from_elem, to_elem) {
                (Elem::Param(param), Elem::Scalar(_)) => {
                    program.bound(param).scalar_only || a != Shape::Scalar
                }
                (Elem::Param(a), Elem::Param(b)) => a == b || program.bound(a).scalar_only,
                _ => true,
            },
            (Shape::Scalar, _) => is_single(program, from_elem),
            (Shape::Vector(Count::Known(from)), Shape::Vector(Count::Known(to))) => to <= from,
            (Shape::Vector(Count::Known(1)), Shape::Scalar) => true,
            (Shape::Vector(_), Shape::Scalar) => is_single(program, to_elem),
            (Shape::Matrix(r, c), Shape::Matrix(to_r, to_c)) => {
                matches!((r.known(), to_r.known()), (Some(a), Some(b)) if b <= a)
                    && matches!((c.known(), to_c.known()), (Some(a), Some(b)) if b <= a)
            }
            _ => false,
        };
        convertible(from_elem) && convertible(to_elem) && shape_fits
    }

    /// The type both operands of an operator are converted to.
    pub fn join(&self, a: &Ty, b: &Ty) -> Option<Ty> {
        join(&self.checker.program, a, b)
    }

    /// Whether all that a type may stand for lies within a builtin interface.
    pub fn admits(&self, interface: &str, ty: &Ty) -> bool {
        Bound::from_name(interface).is_some_and(|bound| bound.admits(&self.checker.program, ty))
    }
}

/// The type both convert to, for operators and for generic parameters that several arguments tell.
pub fn join(program: &Program<'_>, a: &Ty, b: &Ty) -> Option<Ty> {
    if a == b {
        return Some(a.clone());
    }
    // `nullptr` is of any pointer's type.
    if let (Ty::Pointer(a_access, a_target), Ty::Pointer(_, b_target)) = (a, b) {
        return match (&**a_target, &**b_target) {
            (Ty::Void, _) => Some(b.clone()),
            (_, Ty::Void) => Some(a.clone()),
            (target, other) if target == other => {
                Some(if *a_access == PointerAccess::Read { a.clone() } else { b.clone() })
            }
            _ => None,
        };
    }
    if let Some(optional) = program.join_optional(a, b) {
        return Some(optional);
    }
    let ((a_elem, a_shape), (b_elem, b_shape)) = (a.number()?, b.number()?);
    let elem = match (a_elem, b_elem) {
        (Elem::Scalar(a), Elem::Scalar(b)) => Elem::Scalar(join_scalars(a, b)),
        _ if a_elem == b_elem => a_elem,
        _ => return None,
    };
    const ONE: &Shape = &Shape::Vector(Count::Known(1));
    let shape = match (&a_shape, &b_shape) {
        (ONE, Shape::Scalar) | (Shape::Scalar, ONE) => Shape::Scalar,
        _ => a_shape.join(&b_shape)?,
    };
    let splats = |elem, from| from == shape || is_single(program, elem);
    (splats(a_elem, a_shape) && splats(b_elem, b_shape)).then_some(Ty::Number(elem, shape))
}
