//! Atomics: `InterlockedAdd` and its kin, and `Atomic<T>`, a number in memory that is reached by such operations alone.

use super::constant::Tree;
use super::context::Context;
use super::hir::{Action, Expr, ExprKind, Literal, Pick};
use super::program::{GlobalKind, Program};
use super::types::{Arg, Ty};
use crate::slang::ast::{BinaryOp, GenericArg, StepOp};
use pullback_base::{Code, Diagnostic, Scalar, Span};
use pullback_ir::{AtomicOp, Op};

/// The atomic functions by what follows `Interlocked`.
const FUNCTIONS: [(&str, AtomicOp); 8] = [
    ("Add", AtomicOp::Add),
    ("Min", AtomicOp::Min),
    ("Max", AtomicOp::Max),
    ("And", AtomicOp::And),
    ("Or", AtomicOp::Or),
    ("Xor", AtomicOp::Xor),
    ("Exchange", AtomicOp::Exchange),
    ("CompareExchange", AtomicOp::CompareExchange),
];

/// The methods of `Atomic<T>`.
const METHODS: [&str; 13] = [
    "load",
    "store",
    "exchange",
    "compareExchange",
    "add",
    "sub",
    "min",
    "max",
    "and",
    "or",
    "xor",
    "increment",
    "decrement",
];

/// How deep a struct is searched for atomics; deeper ones do not end.
const MAX_DEPTH: u32 = 32;

/// The word of memory that an atomic function's name tells.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Word {
    /// Of 32 bits.
    Plain,
    /// Of 64 bits: `InterlockedAdd64`.
    Wide,
    Of(Scalar),
}

/// The operation of `InterlockedAdd` and its kin; `CompareStore` is an exchange whose old value nobody asks for.
pub fn function(name: &str) -> Option<(AtomicOp, Word)> {
    const SUFFIXES: [(&str, Word); 6] = [
        ("F32", Word::Of(Scalar::F32)),
        ("F64", Word::Of(Scalar::F64)),
        ("I64", Word::Of(Scalar::I64)),
        ("U64", Word::Of(Scalar::U64)),
        ("64", Word::Wide),
        ("", Word::Plain),
    ];
    let rest = name.strip_prefix("Interlocked")?;
    let (stem, word) =
        SUFFIXES.iter().find_map(|(suffix, word)| Some((rest.strip_suffix(suffix)?, *word)))?;
    if stem == "CompareStore" {
        return Some((AtomicOp::CompareExchange, word));
    }
    FUNCTIONS.iter().find(|(known, _)| *known == stem).map(|(_, op)| (*op, word))
}

/// What a method does, and whether it gives the old value.
struct Method {
    op: AtomicOp,
    operand: Operand,
    gives_old: bool,
}

enum Operand {
    Given,
    /// The number given, taken away.
    Negated,
    /// None is given: this one is added.
    Added(f64),
}

fn method(name: &str) -> Option<Method> {
    use Operand::{Added, Given, Negated};
    let (op, operand) = match name {
        // Of all numbers, adding a negative zero alone leaves every number as it is.
        "load" => (AtomicOp::Add, Added(-0.0)),
        "store" | "exchange" => (AtomicOp::Exchange, Given),
        "compareExchange" => (AtomicOp::CompareExchange, Given),
        "add" => (AtomicOp::Add, Given),
        "sub" => (AtomicOp::Add, Negated),
        "increment" => (AtomicOp::Add, Added(1.0)),
        "decrement" => (AtomicOp::Add, Added(-1.0)),
        "min" => (AtomicOp::Min, Given),
        "max" => (AtomicOp::Max, Given),
        "and" => (AtomicOp::And, Given),
        "or" => (AtomicOp::Or, Given),
        "xor" => (AtomicOp::Xor, Given),
        _ => return None,
    };
    Some(Method { op, operand, gives_old: name != "store" })
}

impl Program<'_> {
    /// Whether an `Atomic` is part of the type's values, which then stand in memory and nowhere else.
    pub fn holds_atomic(&self, ty: &Ty) -> bool {
        self.holds_atomic_within(ty, MAX_DEPTH)
    }

    fn holds_atomic_within(&self, ty: &Ty, depth: u32) -> bool {
        match ty {
            Ty::Atomic(_) => true,
            Ty::Array(element, _) => self.holds_atomic_within(element, depth),
            Ty::Struct(..) if depth > 0 => {
                self.fields_of(ty).iter().any(|field| self.holds_atomic_within(&field.ty, depth - 1))
            }
            _ => false,
        }
    }
}

impl Context<'_, '_> {
    /// `Atomic<T>`
    pub fn atomic_type(&mut self, args: &[GenericArg], span: Span) -> Ty {
        let of = match args {
            [of] => self.generic_arg(of),
            _ => Some(Arg::Type(Ty::Void)),
        };
        match of {
            Some(Arg::Type(Ty::Error)) | None => Ty::Error,
            Some(Arg::Type(ty)) if ty.is_open() => self.unsupported("atomics of generic types", span).ty,
            Some(Arg::Type(ty))
                if ty.is_scalar()
                    && let Some(scalar) = ty.known_scalar().filter(|scalar| AtomicOp::Add.takes(*scalar)) =>
            {
                Ty::Atomic(scalar)
            }
            _ => {
                let message = "`Atomic` takes a number of 32 or 64 bits";
                self.error_advised(
                    Code::TypeMismatch,
                    message,
                    span,
                    "not such a number",
                    "write `Atomic<uint>`",
                )
                .ty
            }
        }
    }

    /// Refuses a type with an atomic in it where its values would be copies that lanes do not share.
    pub fn refuse_atomic(&mut self, ty: Ty, span: Span) -> Ty {
        if !self.checker.program.holds_atomic(&ty) {
            return ty;
        }
        let shown = self.show(&ty);
        let message = match ty {
            Ty::Atomic(_) => format!("an `{shown}` is no value"),
            _ => format!("a `{shown}` is no value: an atomic is in it"),
        };
        let help =
            "keep it in a `RWStructuredBuffer` or a `groupshared` variable, and copy what `load()` gives";
        self.error_advised(
            Code::UnsupportedFeature,
            message,
            span,
            "would be a copy of this lane alone",
            help,
        )
        .ty
    }

    // ---- Functions ----

    /// `InterlockedAdd(place, value, out old)` and its kin.
    pub fn interlocked(&mut self, name: &str, args: Vec<Expr>, span: Span) -> Expr {
        let Some((op, word)) = function(name) else { return self.silent_error(span) };
        if let (Some(place), Word::Of(scalar)) = (args.first(), word)
            && place.ty != Ty::scalar(scalar)
        {
            return self.wrong_atomic_type(place, name, super::types::scalar_name(scalar));
        }
        let count = op.value_count();
        let stores_only = name == "InterlockedCompareStore";
        let ([place, rest @ ..], true) = (&args[..], args.len() > count) else {
            return self.wrong_count(name, "a place in memory and a value", span);
        };
        let (values, old) = rest.split_at(count);
        if old.len() > usize::from(!stores_only) {
            return self.wrong_count(name, "fewer arguments", span);
        }
        let ty = place.ty.clone();
        let action = self.atomic(name, op, place.clone(), &ty, values.to_vec(), span);
        if action.is_error() {
            return action;
        }
        let done = match old {
            [old] => self.write_out(old.clone(), action, span),
            _ => action,
        };
        self.without_value(done)
    }

    /// The old value of what stands at a place, whose number has that type.
    fn atomic(
        &mut self,
        name: &str,
        op: AtomicOp,
        place: Expr,
        ty: &Ty,
        values: Vec<Expr>,
        span: Span,
    ) -> Expr {
        if !self.atomic_place(&place, op, ty, name) {
            return self.silent_error(span);
        }
        let mut operands = vec![place];
        for value in values {
            operands.push(self.coerce(value, ty, "an atomic operation"));
        }
        if operands.iter().any(Expr::is_error) {
            return self.silent_error(span);
        }
        Expr { kind: ExprKind::Action(Action::Atomic(op), operands), ty: ty.clone(), span }
    }

    /// Whether lanes share the place and memory there has the operation; an error where not.
    fn atomic_place(&mut self, place: &Expr, op: AtomicOp, ty: &Ty, name: &str) -> bool {
        if !self.is_shared_place(place) {
            self.report(
                Diagnostic::error(Code::TypeMismatch, format!("`{name}` needs a place that lanes share"))
                    .at(place.span, "each lane has its own")
                    .help("use an element of a `RWStructuredBuffer`, or a `groupshared` variable"),
            );
            return false;
        }
        if !self.assignable(place) {
            return false;
        }
        let scalar = ty.known_scalar().filter(|_| ty.is_scalar());
        if scalar.is_some_and(|scalar| op.takes(scalar)) {
            return true;
        }
        self.wrong_atomic_type(place, name, "an integer of 32 or 64 bits");
        false
    }

    fn wrong_atomic_type(&mut self, place: &Expr, name: &str, wanted: &str) -> Expr {
        let shown = self.show(&place.ty);
        let message = format!("`{name}` does not take `{shown}`");
        self.error(Code::TypeMismatch, message, place.span, format!("needs {wanted}"))
    }

    fn is_shared_place(&self, place: &Expr) -> bool {
        match &place.kind {
            ExprKind::Memory(_) => true,
            // A property gives a copy.
            ExprKind::Pick(_, Pick::Property(_)) => false,
            ExprKind::Global(id) => self.checker.program.globals[*id].kind == GlobalKind::Shared,
            ExprKind::Pick(base, _) => self.is_shared_place(base),
            _ => false,
        }
    }

    // ---- `Atomic<T>` ----

    /// `atomic.add(value)`: each method gives the old value.
    pub fn atomic_method(&mut self, place: Expr, name: &str, args: Vec<Expr>, span: Span) -> Expr {
        let Ty::Atomic(scalar) = place.ty else { return self.silent_error(span) };
        let Some(method) = method(name) else {
            let shown = self.show(&place.ty);
            let help = match super::suggest::nearest(name, METHODS.into_iter()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "read and write it by `load()`, `store(...)` and `exchange(...)`".into(),
            };
            let message = format!("`{shown}` has no method `{name}`");
            return self.error_advised(Code::UnknownName, message, span, "not a method of atomics", help);
        };
        let count = if let Operand::Added(_) = method.operand { 0 } else { method.op.value_count() };
        let orders = if method.op == AtomicOp::CompareExchange { 2 } else { 1 };
        if !(count..=count + orders).contains(&args.len()) {
            let wanted = match count {
                0 => "no value",
                1 => "one value",
                _ => "what to expect and what to store",
            };
            return self.wrong_count(name, wanted, span);
        }
        let (values, orders) = args.split_at(count);
        if !orders.iter().all(|order| self.is_relaxed(order)) {
            return self.silent_error(span);
        }
        let ty = Ty::scalar(scalar);
        let values: Vec<Expr> = match method.operand {
            Operand::Given => values.to_vec(),
            Operand::Negated => values.iter().map(|value| self.negated(value.clone(), &ty)).collect(),
            Operand::Added(number) => {
                let literal = Expr::literal(Literal::Float(number), Ty::scalar(Scalar::F64), span);
                vec![self.converted(literal, &ty)]
            }
        };
        let old = self.atomic(name, method.op, place, &ty, values, span);
        if method.gives_old || old.is_error() { old } else { self.without_value(old) }
    }

    fn negated(&mut self, value: Expr, ty: &Ty) -> Expr {
        let value = self.coerce(value, ty, "an atomic operation");
        let (ty, span) = (value.ty.clone(), value.span);
        if value.is_error() {
            return value;
        }
        Expr { kind: ExprKind::Op(Op::Neg, vec![value]), ty, span }
    }

    /// Whether an argument is `MemoryOrder.Relaxed`: nothing here orders other accesses to memory by an atomic one.
    fn is_relaxed(&mut self, order: &Expr) -> bool {
        let shown = self.show(&order.ty);
        if shown != "MemoryOrder" {
            let message = format!("a memory order is needed, not `{shown}`");
            let help = "write `MemoryOrder.Relaxed`, or nothing";
            self.error_advised(Code::TypeMismatch, message, order.span, format!("is `{shown}`"), help);
            return false;
        }
        if matches!(self.checker.value_of(order), Ok(Tree::Leaf(order)) if order.as_i64() == 0) {
            return true;
        }
        self.unsupported("memory orders other than `MemoryOrder.Relaxed`", order.span);
        false
    }

    /// `atomic += value`, which gives no value: the methods give the old one.
    pub fn atomic_assign(
        &mut self,
        op: Option<BinaryOp>,
        place: Expr,
        value: Expr,
        op_span: Span,
        span: Span,
    ) -> Expr {
        let name = match op {
            Some(BinaryOp::Add) => "add",
            Some(BinaryOp::Sub) => "sub",
            Some(BinaryOp::BitAnd) => "and",
            Some(BinaryOp::BitOr) => "or",
            Some(BinaryOp::BitXor) => "xor",
            Some(op) => {
                return self.wrong_operands(&format!("{}=", op.text()), &place, Some(&value), op_span);
            }
            None => {
                let message = format!("an `{}` is not assigned", self.show(&place.ty));
                let help = "write `.store(...)`";
                return self.error_advised(Code::NotAssignable, message, span, "written here", help);
            }
        };
        let done = self.atomic_method(place, name, vec![value], span);
        self.without_value(done)
    }

    /// `atomic++`, likewise.
    pub fn atomic_step(&mut self, op: StepOp, place: Expr, span: Span) -> Expr {
        let name = match op {
            StepOp::Increment => "increment",
            StepOp::Decrement => "decrement",
        };
        let done = self.atomic_method(place, name, Vec::new(), span);
        self.without_value(done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_told_by_name() {
        assert_eq!(function("InterlockedAdd64"), Some((AtomicOp::Add, Word::Wide)));
        assert_eq!(function("InterlockedAddF32"), Some((AtomicOp::Add, Word::Of(Scalar::F32))));
        assert_eq!(function("InterlockedCompareStore"), Some((AtomicOp::CompareExchange, Word::Plain)));
        assert_eq!(function("InterlockedSub"), None);
    }

    #[test]
    fn every_method_is_known() {
        assert!(METHODS.iter().all(|name| method(name).is_some()));
    }
}
