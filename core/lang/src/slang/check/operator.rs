//! Operators: the type both sides meet in, and the operation.

use super::call::FunctionSet;
use super::context::Context;
use super::count::Count;
use super::hir::{Expr, ExprKind, Literal};
use super::program::Symbol;
use super::types::{Elem, Shape, Ty};
use crate::slang::ast::{self, BinaryOp, UnaryOp};
use pullback_base::{Code, Diagnostic, Scalar, Span};
use pullback_ir::Op;

/// What an operator asks of its operands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Group {
    Arithmetic,
    Bits,
    Shift,
    Equality,
    Order,
}

impl Group {
    /// The interface whose types the operators take and give.
    fn asked(self) -> Option<&'static str> {
        match self {
            Group::Arithmetic => Some("IArithmetic"),
            Group::Bits => Some("ILogical"),
            Group::Shift => Some("IInteger"),
            Group::Equality | Group::Order => None,
        }
    }
}

fn group(op: BinaryOp) -> Group {
    use BinaryOp::*;
    match op {
        Add | Sub | Mul | Div | Rem => Group::Arithmetic,
        BitAnd | BitOr | BitXor => Group::Bits,
        Shl | Shr => Group::Shift,
        Eq | Ne => Group::Equality,
        Lt | Le | Gt | Ge => Group::Order,
        // On vectors; single bools are told apart before.
        And | Or => Group::Bits,
    }
}

fn ir_op(op: BinaryOp) -> Op {
    match op {
        BinaryOp::Add => Op::Add,
        BinaryOp::Sub => Op::Sub,
        BinaryOp::Mul => Op::Mul,
        BinaryOp::Div => Op::Div,
        BinaryOp::Rem => Op::Rem,
        BinaryOp::Shl => Op::Shl,
        BinaryOp::Shr => Op::Shr,
        BinaryOp::BitAnd | BinaryOp::And => Op::And,
        BinaryOp::BitOr | BinaryOp::Or => Op::Or,
        BinaryOp::BitXor => Op::Xor,
        BinaryOp::Eq => Op::Eq,
        BinaryOp::Ne => Op::Ne,
        BinaryOp::Lt => Op::Lt,
        BinaryOp::Le => Op::Le,
        BinaryOp::Gt => Op::Gt,
        BinaryOp::Ge => Op::Ge,
    }
}

/// The operator that an op is written with.
pub fn symbol(op: &Op) -> Option<&'static str> {
    BinaryOp::ALL.into_iter().find(|&written| ir_op(written) == *op).map(BinaryOp::text)
}

impl Context<'_, '_> {
    pub fn binary(&mut self, op: BinaryOp, left: Expr, right: Expr, op_span: Span, span: Span) -> Expr {
        if left.is_error() || right.is_error() {
            return self.silent_error(span);
        }
        if let Some(result) = self.declared_binary(op, &left, &right, span) {
            return result;
        }
        if let Some(result) = self.none_comparison(op, &left, &right, span) {
            return result;
        }
        if let Some(result) = self.tuple_comparison(op, &left, &right, op_span, span) {
            return result;
        }
        if let Some(result) = self.enum_binary(op, &left, &right, op_span, span) {
            return result;
        }
        if let Some(result) = self.pointer_binary(op, &left, &right, span) {
            return result;
        }
        if matches!(op, BinaryOp::And | BinaryOp::Or) {
            return self.logical(op, left, right, op_span, span);
        }
        let Some(ty) = self.operand_type(op, &left, &right) else {
            return match self.promised_comparison(op, &left, &right, span) {
                Some(compared) => compared,
                None => self.wrong_operands(op.text(), &left, Some(&right), op_span),
            };
        };
        let result = match group(op) {
            Group::Equality | Group::Order => ty.as_bool(),
            _ => ty.clone(),
        };
        let right_ty = ty.clone();
        let args = vec![self.converted(left, &ty), self.converted(right, &right_ty)];
        Expr { kind: ExprKind::Op(ir_op(op), args), ty: result, span }
    }

    /// A comparison of generic values, by what the interfaces of their type ask for.
    fn promised_comparison(&mut self, op: BinaryOp, left: &Expr, right: &Expr, span: Span) -> Option<Expr> {
        let (name, swaps, negates) = match op {
            BinaryOp::Eq => ("equals", false, false),
            BinaryOp::Ne => ("equals", false, true),
            BinaryOp::Lt => ("lessThan", false, false),
            BinaryOp::Le => ("lessThanOrEquals", false, false),
            BinaryOp::Gt => ("lessThan", true, false),
            BinaryOp::Ge => ("lessThanOrEquals", true, false),
            _ => return None,
        };
        if left.ty != right.ty || !left.ty.is_abstract() {
            return None;
        }
        let Some(Symbol::Functions(candidates)) = self.checker.program.member_of(&left.ty, name) else {
            return None;
        };
        let (object, other) = if swaps { (right, left) } else { (left, right) };
        let set = FunctionSet {
            name: name.into(),
            candidates: candidates.to_vec(),
            receiver: Some(Box::new(object.clone())),
            generics: None,
            of: Some(left.ty.clone()),
            derivatives: Vec::new(),
        };
        let args = vec![other.clone()];
        let (function, subst) = self.choose(&set, &args, span)?;
        let compared = self.call_of(function, &subst, set.receiver, args, span);
        Some(if negates { self.unary(UnaryOp::Not, compared, span) } else { compared })
    }

    /// The type in which an operator computes, if it takes these operands.
    fn operand_type(&self, op: BinaryOp, left: &Expr, right: &Expr) -> Option<Ty> {
        let group = group(op);
        if let Some(interface) = group.asked()
            && left.ty == right.ty
            && matches!(left.ty, Ty::Assoc(..))
        {
            return self.admits(interface, &left.ty).then(|| left.ty.clone());
        }
        let joined = match group {
            // A shift's result has the left side's components, in the shape of both.
            Group::Shift => {
                let ((elem, left_shape), (_, right_shape)) = (left.ty.number()?, right.ty.number()?);
                Ty::Number(elem, left_shape.join(&right_shape)?)
            }
            _ => self.join(&left.ty, &right.ty)?,
        };
        let (elem, shape) = joined.number()?;
        let bool = joined.known_scalar() == Some(Scalar::Bool);
        let as_int = Ty::Number(super::types::Elem::Scalar(Scalar::I32), shape.clone());
        let ty = match group {
            Group::Arithmetic | Group::Order | Group::Shift if bool => as_int,
            _ => Ty::Number(elem, shape.clone()),
        };
        let fits = match group {
            Group::Arithmetic => self.admits("IArithmetic", &ty),
            // The result's shape must be known to be bools of it.
            Group::Order => self.admits("IArithmetic", &ty) && self.has_known_shape(&ty),
            Group::Equality => {
                (bool || self.admits("IArithmetic", &ty) || self.admits("ILogical", &ty))
                    && self.has_known_shape(&ty)
            }
            Group::Bits => self.admits("ILogical", &ty),
            Group::Shift => {
                self.admits("IInteger", &ty) && self.admits("IInteger", &as_shape(&right.ty, shape)?)
            }
        };
        fits.then_some(ty)
    }

    /// A generic type that may be a vector has no shape to make bools of.
    fn has_known_shape(&self, ty: &Ty) -> bool {
        match ty {
            Ty::Number(elem, Shape::Scalar) => super::convert::is_single(&self.checker.program, *elem),
            _ => true,
        }
    }

    pub fn wrong_operands(&mut self, op: &str, left: &Expr, right: Option<&Expr>, span: Span) -> Expr {
        let left_ty = self.show(&left.ty);
        let mut diagnostic = match right {
            None => Diagnostic::error(Code::TypeMismatch, format!("`{op}` does not take `{left_ty}`"))
                .at(span, "cannot be applied")
                .also(left.span, format!("is `{left_ty}`")),
            Some(right) => {
                let right_ty = self.show(&right.ty);
                Diagnostic::error(
                    Code::TypeMismatch,
                    format!("`{op}` does not take `{left_ty}` and `{right_ty}`"),
                )
                .at(span, "cannot be applied")
                .also(left.span, format!("is `{left_ty}`"))
                .also(right.span, format!("is `{right_ty}`"))
            }
        };
        let is_matrix = |expr: &Expr| matches!(expr.ty.number(), Some((_, Shape::Matrix(..))));
        if op == "*" && (is_matrix(left) || right.is_some_and(is_matrix)) {
            diagnostic = diagnostic.help("`*` is component-wise; the matrix product is `mul(a, b)`");
        } else if let Some(help) = operand_help(op, left, right) {
            diagnostic = diagnostic.help(help);
        }
        self.report(diagnostic);
        let end = right.map_or(left.span, |right| right.span);
        Expr::error(left.span.to(end))
    }

    fn logical(&mut self, op: BinaryOp, left: Expr, right: Expr, op_span: Span, span: Span) -> Expr {
        if left.ty.is_scalar() && right.ty.is_scalar() {
            let left = Box::new(self.condition(left));
            let right = Box::new(self.condition(right));
            let kind =
                if op == BinaryOp::And { ExprKind::And(left, right) } else { ExprKind::Or(left, right) };
            return Expr { kind, ty: Ty::BOOL, span };
        }
        // Vectors: component-wise, both sides evaluated.
        match self.join(&left.ty.as_bool(), &right.ty.as_bool()) {
            Some(ty) if !ty.is_error() => {
                let args = vec![self.converted(left, &ty), self.converted(right, &ty)];
                Expr { kind: ExprKind::Op(ir_op(op), args), ty, span }
            }
            _ => self.wrong_operands(op.text(), &left, Some(&right), op_span),
        }
    }

    /// A single bool, for `if`, loops, `!`, `&&`, `||` and `?:`.
    pub fn condition(&mut self, expr: Expr) -> Expr {
        if expr.is_error() || (expr.ty.is_scalar() && expr.ty.known_scalar().is_some()) {
            return self.converted(expr, &Ty::BOOL);
        }
        self.coerce(expr, &Ty::BOOL, "a condition")
    }

    pub fn unary(&mut self, op: UnaryOp, value: Expr, span: Span) -> Expr {
        if value.is_error() {
            return self.silent_error(span);
        }
        if let Some(result) = self.declared_unary(op, &value, span) {
            return result;
        }
        if let ExprKind::Literal(literal) = value.kind
            && let Some(folded) = fold_literal(op, literal)
        {
            // `-2147483648` is an `int`, though `2147483648` is not.
            let least = folded == Literal::Int(i128::from(i32::MIN)) && value.ty == Ty::UINT;
            return Expr::literal(folded, if least { Ty::INT } else { value.ty }, span);
        }
        if let (Ty::Enum(id), UnaryOp::BitNot) = (&value.ty, op) {
            let (id, tag) = (*id, self.enum_tag(value));
            let result = self.unary(op, tag, span);
            return Expr { kind: ExprKind::Convert(Box::new(result)), ty: Ty::Enum(id), span };
        }
        let value = match (op, &value.ty) {
            (UnaryOp::Not, Ty::Pointer(..)) => self.converted(value, &Ty::BOOL),
            _ => value,
        };
        let shape = match (&value.ty, value.ty.number()) {
            (_, Some((_, shape))) => shape,
            (Ty::Assoc(..), None) => Shape::Scalar,
            _ => return self.wrong_operands(op.text(), &value, None, span),
        };
        let bool = value.ty.known_scalar() == Some(Scalar::Bool);
        let int = Ty::Number(super::types::Elem::Scalar(Scalar::I32), shape.clone());
        let (ir, ty) = match op {
            UnaryOp::Not => {
                let ty = value.ty.as_bool();
                let known = value.ty.known_scalar().is_some();
                (Op::Not, known.then_some(ty))
            }
            UnaryOp::BitNot => {
                let ty = if bool { int } else { value.ty.clone() };
                (Op::Not, self.admits("IInteger", &ty).then_some(ty))
            }
            UnaryOp::Plus | UnaryOp::Negate => {
                let ty = if bool { int } else { value.ty.clone() };
                (Op::Neg, self.admits("IArithmetic", &ty).then_some(ty))
            }
        };
        let Some(ty) = ty else { return self.wrong_operands(op.text(), &value, None, span) };
        let value = self.converted(value, &ty);
        if op == UnaryOp::Plus {
            return Expr { span, ..value };
        }
        Expr { kind: ExprKind::Op(ir, vec![value]), ty, span }
    }

    /// `target op= value`
    pub fn assign(
        &mut self,
        op: Option<BinaryOp>,
        target: &ast::Expr,
        value: &ast::Expr,
        op_span: Span,
        span: Span,
    ) -> Expr {
        let place = self.target(target);
        let wanted = (!place.is_error()).then(|| place.ty.clone());
        let value = match (op, &wanted) {
            (None, Some(ty)) => self.expr_for(value, ty),
            _ => self.expr(value),
        };
        if place.is_error() || value.is_error() || !self.assignable(&place) {
            return self.silent_error(span);
        }
        if let Ty::Atomic(_) = place.ty {
            return self.atomic_assign(op, place, value, op_span, span);
        }
        match op {
            None => {
                let ty = self.refuse_atomic(place.ty.clone(), span);
                let value = Box::new(self.coerce(value, &ty, "the assignment"));
                Expr { kind: ExprKind::Assign { place: Box::new(place), value }, ty, span }
            }
            Some(op) => self.modify(op, place, value, op_span, span, false),
        }
    }

    fn modify(
        &mut self,
        op: BinaryOp,
        place: Expr,
        value: Expr,
        op_span: Span,
        span: Span,
        old: bool,
    ) -> Expr {
        if let Some(result) = self.declared_modify(op, &place, &value, op_span, span, old) {
            return result;
        }
        let logical = matches!(op, BinaryOp::And | BinaryOp::Or);
        let Some(ty) = self.operand_type(op, &place, &value).filter(|_| !logical) else {
            return self.wrong_operands(&format!("{}=", op.text()), &place, Some(&value), op_span);
        };
        if super::convert::implicit_cost(&self.checker.program, &ty, &place.ty).is_none() {
            return self.wrong_operands(&format!("{}=", op.text()), &place, Some(&value), op_span);
        }
        let operand = Box::new(self.converted(value, &ty));
        let result = place.ty.clone();
        let place = Box::new(place);
        let kind = ExprKind::Modify { op: ir_op(op), place, operand, gives_old: old };
        Expr { kind, ty: result, span }
    }

    /// `++x` and `x++`: by one in the place's own type.
    pub fn step(&mut self, op: ast::StepOp, fix: ast::Fix, target: &ast::Expr, span: Span) -> Expr {
        let place = self.target(target);
        if place.is_error() || !self.assignable(&place) {
            return self.silent_error(span);
        }
        if let Ty::Atomic(_) = place.ty {
            return self.atomic_step(op, place, span);
        }
        if let Some(result) = self.declared_step(op, fix, &place, span) {
            return result;
        }
        let (op, text) = match op {
            ast::StepOp::Increment => (BinaryOp::Add, "++"),
            ast::StepOp::Decrement => (BinaryOp::Sub, "--"),
        };
        if let Ty::Pointer(..) = place.ty {
            let one = Expr::literal(Literal::Int(1), Ty::INT, span);
            return self.modify(op, place, one, span, span, fix == ast::Fix::Postfix);
        }
        if !self.admits("IArithmetic", &place.ty) {
            return self.wrong_operands(text, &place, None, span);
        }
        let one = Expr::literal(Literal::Int(1), Ty::INT, span);
        let one = self.converted(one, &place.ty);
        let gives_old = fix == ast::Fix::Postfix;
        let ty = place.ty.clone();
        let kind =
            ExprKind::Modify { op: ir_op(op), place: Box::new(place), operand: Box::new(one), gives_old };
        Expr { kind, ty, span }
    }

    /// `condition ? then : otherwise`
    pub fn conditional(&mut self, condition: Expr, then: Expr, otherwise: Expr, span: Span) -> Expr {
        if condition.is_error() || then.is_error() || otherwise.is_error() {
            return self.silent_error(span);
        }
        let joined = self.join(&then.ty, &otherwise.ty).filter(|ty| *ty != Ty::Void);
        let Some(mut ty) = joined else {
            let (a, b) = (self.show(&then.ty), self.show(&otherwise.ty));
            self.report(
                Diagnostic::error(Code::TypeMismatch, format!("`?:` chooses between `{a}` and `{b}`"))
                    .at(otherwise.span, format!("is `{b}`"))
                    .also(then.span, format!("is `{a}`"))
                    .help("convert one to the type of the other"),
            );
            return Expr::error(span);
        };
        if let Some((_, shape @ Shape::Vector(_))) = condition.ty.number() {
            // Component by component: both sides are evaluated, as by `select`.
            let bools = condition.ty.as_bool();
            if let Some((elem, Shape::Scalar)) = ty.number() {
                ty = Ty::Number(elem, shape);
            }
            if ty.as_bool() != bools {
                let shown = self.show(&condition.ty);
                return self.error(
                    Code::TypeMismatch,
                    format!("`{shown}` does not choose between values of another size"),
                    condition.span,
                    "the condition",
                );
            }
            let args = vec![
                self.converted(condition, &bools),
                self.converted(then, &ty),
                self.converted(otherwise, &ty),
            ];
            return Expr { kind: ExprKind::Op(Op::Select, args), ty, span };
        }
        let condition = Box::new(self.condition(condition));
        let then = Box::new(self.converted(then, &ty));
        let otherwise = Box::new(self.converted(otherwise, &ty));
        Expr { kind: ExprKind::Conditional { condition, then, otherwise }, ty, span }
    }
}

fn as_shape(ty: &Ty, shape: Shape) -> Option<Ty> {
    Some(Ty::Number(ty.number()?.0, shape))
}

fn fold_literal(op: UnaryOp, literal: Literal) -> Option<Literal> {
    match (op, literal) {
        (UnaryOp::Negate, Literal::Int(value)) => Some(Literal::Int(-value)),
        (UnaryOp::Negate, Literal::Float(value)) => Some(Literal::Float(-value)),
        (UnaryOp::Not, Literal::Bool(value)) => Some(Literal::Bool(!value)),
        _ => None,
    }
}

/// What to do where an operator does not take its operands.
fn operand_help(op: &str, left: &Expr, right: Option<&Expr>) -> Option<String> {
    let operands = || std::iter::once(left).chain(right);
    let is_generic = |expr: &Expr| matches!(expr.ty, Ty::Number(Elem::Param(_), _) | Ty::Assoc(..));
    let is_float = |expr: &Expr| expr.ty.known_scalar().is_some_and(Scalar::is_float);
    if operands().any(is_generic) {
        return Some(format!("give the generic parameter a bound that has `{op}`, such as `IFloat`"));
    }
    if operands().any(|expr| matches!(expr.ty, Ty::Struct(..))) {
        let is_compound = op.ends_with('=') && !matches!(op, "==" | "!=" | "<=" | ">=");
        let op = if is_compound { op.trim_end_matches('=') } else { op };
        return Some(format!("declare a function `operator{op}` that takes them"));
    }
    if matches!(op.trim_end_matches('='), "&" | "|" | "^" | "~" | "<<" | ">>") && operands().any(is_float) {
        return Some("`int(...)` gives the whole number, `asuint(...)` the bits".into());
    }
    let counts = |expr: &Expr| expr.ty.number().map(|(_, shape)| shape);
    match (counts(left), right.and_then(counts)) {
        (Some(Shape::Vector(Count::Known(a))), Some(Shape::Vector(Count::Known(b)))) if a != b => {
            Some(format!("take {} components of both", a.min(b)))
        }
        _ => None,
    }
}
