//! Tuples: `Tuple<A, B>`, `makeTuple(a, b)`, their swizzles and comparisons.
//!
//! The standard library declares a struct for each number of elements.

use super::context::Context;
use super::hir::{Expr, ExprKind, Literal, Pick};
use super::program::Program;
use super::types::{Arg, Ty};
use crate::slang::ast::{BinaryOp, GenericArg};
use pullback_base::{Code, Span};

/// The functions that make tuples.
pub const TUPLE_MAKERS: [&str; 2] = ["makeTuple", "concat"];
/// The most elements that the standard library declares a tuple of.
const MAX_ELEMENTS: usize = 8;

impl Program<'_> {
    /// The types of a tuple's elements.
    pub fn tuple_elements(&self, ty: &Ty) -> Option<Vec<Ty>> {
        let Ty::Struct(id, args) = ty else { return None };
        if self.std_struct(&format!("__Tuple{}", args.len())) != Some(*id) {
            return None;
        }
        let element = |arg: &Arg| match arg {
            Arg::Type(ty) => Some(ty.clone()),
            Arg::Count(_) => None,
        };
        args.iter().map(element).collect()
    }
}

impl Context<'_, '_> {
    /// `Tuple<A, B>`
    pub fn tuple_type(&mut self, args: &[GenericArg], span: Span) -> Ty {
        let mut elements = Vec::with_capacity(args.len());
        for arg in args {
            match self.declared_arg(arg) {
                Some(Arg::Type(ty)) => elements.push(ty),
                Some(Arg::Count(_)) => {
                    return self
                        .error(Code::TypeMismatch, "a tuple is made of types", span, "not of numbers")
                        .ty;
                }
                None => return Ty::Error,
            }
        }
        self.tuple_of(elements, span)
    }

    fn tuple_of(&mut self, elements: Vec<Ty>, span: Span) -> Ty {
        if elements.iter().any(Ty::is_error) {
            return self.silent_error(span).ty;
        }
        if elements.contains(&Ty::Void) {
            return self.error(Code::TypeMismatch, "no tuple holds `void`", span, "here").ty;
        }
        match self.checker.program.std_struct(&format!("__Tuple{}", elements.len())) {
            Some(id) => Ty::Struct(id, elements.into_iter().map(Arg::Type).collect()),
            None => self.unsupported(&format!("tuples of more than {MAX_ELEMENTS} elements"), span).ty,
        }
    }

    /// `makeTuple(a, b)`, and `concat(s, t)` of tuples.
    pub fn make_tuple(&mut self, name: &str, args: Vec<Expr>, span: Span) -> Expr {
        if name == "makeTuple" {
            return self.tuple_from(args, span);
        }
        let (mut holds, mut elements) = (Vec::new(), Vec::new());
        for arg in args {
            let Some(types) = self.checker.program.tuple_elements(&arg.ty) else {
                let shown = self.show(&arg.ty);
                let message = format!("`concat` takes tuples, not `{shown}`");
                return self.error(Code::TypeMismatch, message, arg.span, format!("is `{shown}`"));
            };
            let (hold, whole) = self.held_once(arg);
            holds.push(hold);
            elements.extend((0..).zip(types).map(|(index, ty)| element(&whole, index, ty, span)));
        }
        let tuple = self.tuple_from(elements, span);
        after(holds, tuple)
    }

    pub fn tuple_from(&mut self, elements: Vec<Expr>, span: Span) -> Expr {
        let ty = self.tuple_of(elements.iter().map(|element| element.ty.clone()).collect(), span);
        if ty.is_error() {
            return self.silent_error(span);
        }
        Expr { kind: ExprKind::Construct(elements), ty, span }
    }

    /// `t._2_0`: a tuple of elements of another. A single element is a field.
    pub fn tuple_swizzle(&mut self, value: &Expr, name: &str, span: Span) -> Option<Expr> {
        let types = self.checker.program.tuple_elements(&value.ty)?;
        let picks: Option<Vec<usize>> =
            name.strip_prefix('_')?.split('_').map(|digits| digits.parse().ok()).collect();
        let picks = picks.filter(|picks| picks.len() > 1)?;
        if picks.iter().any(|&pick| pick >= types.len()) {
            return None;
        }
        let (hold, whole) = self.held_once(value.clone());
        let elements = picks.iter().map(|&pick| element(&whole, pick as u32, types[pick].clone(), span));
        let tuple = self.tuple_from(elements.collect(), span);
        Some(after(vec![hold], tuple))
    }

    /// `s == t`, and `s < t` by the first elements that differ.
    pub fn tuple_comparison(
        &mut self,
        op: BinaryOp,
        left: &Expr,
        right: &Expr,
        op_span: Span,
        span: Span,
    ) -> Option<Expr> {
        use BinaryOp::{Eq, Ge, Gt, Le, Lt, Ne};
        let types = self.checker.program.tuple_elements(&left.ty).filter(|_| left.ty == right.ty)?;
        if !matches!(op, Eq | Ne | Lt | Le | Gt | Ge) {
            return None;
        }
        let (hold_left, left) = self.held_once(left.clone());
        let (hold_right, right) = self.held_once(right.clone());
        // What decides between equal tuples.
        let mut result = Expr::literal(Literal::Bool(matches!(op, Eq | Le | Ge)), Ty::BOOL, span);
        let strict = match op {
            Le => Lt,
            Ge => Gt,
            op => op,
        };
        for (index, ty) in types.into_iter().enumerate().rev() {
            let index = index as u32;
            let pair = |context: &mut Self, op| {
                let (a, b) =
                    (element(&left, index, ty.clone(), span), element(&right, index, ty.clone(), span));
                let compared = context.binary(op, a, b, op_span, span);
                context.single(compared)
            };
            let decided = pair(self, strict);
            result = match op {
                Eq => Expr { kind: ExprKind::And(Box::new(decided), Box::new(result)), ty: Ty::BOOL, span },
                Ne => Expr { kind: ExprKind::Or(Box::new(decided), Box::new(result)), ty: Ty::BOOL, span },
                _ => {
                    let same = pair(self, Eq);
                    let rest =
                        Expr { kind: ExprKind::And(Box::new(same), Box::new(result)), ty: Ty::BOOL, span };
                    Expr { kind: ExprKind::Or(Box::new(decided), Box::new(rest)), ty: Ty::BOOL, span }
                }
            };
        }
        Some(if self.broken { self.silent_error(span) } else { after(vec![hold_left, hold_right], result) })
    }

    /// A comparison of elements, which must be one bool.
    fn single(&mut self, compared: Expr) -> Expr {
        if compared.is_error() || compared.ty == Ty::BOOL {
            return compared;
        }
        self.unsupported("comparisons of tuples that hold vectors", compared.span)
    }

    /// An expression evaluated once, to be read several times: what does that, and what reads it.
    fn held_once(&mut self, value: Expr) -> (Expr, Expr) {
        let (ty, span) = (value.ty.clone(), value.span);
        let local = self.temporary(ty.clone(), span);
        let read = Expr { kind: ExprKind::Local(local), ty: ty.clone(), span };
        let hold = ExprKind::Hold { local, value: Box::new(value) };
        (Expr { kind: hold, ty, span }, read)
    }
}

pub fn element(tuple: &Expr, index: u32, ty: Ty, span: Span) -> Expr {
    let pick = Pick::Element { index, detached: false };
    Expr { kind: ExprKind::Pick(Box::new(tuple.clone()), pick), ty, span }
}

/// The last of several expressions, evaluated in turn.
fn after(first: Vec<Expr>, last: Expr) -> Expr {
    let (ty, span) = (last.ty.clone(), last.span);
    Expr { kind: ExprKind::Comma(first.into_iter().chain([last]).collect()), ty, span }
}
