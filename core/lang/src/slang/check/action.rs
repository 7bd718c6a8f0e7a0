//! What the language has built in around memory: methods of buffers, atomics, barriers, wave intrinsics.

use super::context::Context;
use super::hir::{Access, Action, Expr, ExprKind, Pick};
use super::member::Item;
use super::memory::BufferForm;
use super::program::GlobalKind;
use super::types::{Arg, Count, Elem, Shape, Ty};
use crate::slang::ast;
use pullback_base::{Code, Diagnostic, Scalar, Span};
use pullback_ir::{AtomicOp, WaveOp};
use std::sync::Arc;

/// A function or method that is no declaration, to be called.
pub struct Builtin {
    pub name: Arc<str>,
    /// `object` of `object.name(...)`.
    pub object: Option<Expr>,
    /// `name<...>(...)`
    pub generics: Vec<Arg>,
}

/// The atomic functions by what follows `Interlocked`.
const ATOMICS: [(&str, AtomicOp); 8] = [
    ("Add", AtomicOp::Add),
    ("Min", AtomicOp::Min),
    ("Max", AtomicOp::Max),
    ("And", AtomicOp::And),
    ("Or", AtomicOp::Or),
    ("Xor", AtomicOp::Xor),
    ("Exchange", AtomicOp::Exchange),
    ("CompareExchange", AtomicOp::CompareExchange),
];

/// The wave intrinsics that are one operation.
const WAVES: [(&str, WaveOp); 11] = [
    ("WaveActiveSum", WaveOp::Sum),
    ("WaveActiveProduct", WaveOp::Product),
    ("WaveActiveMin", WaveOp::Min),
    ("WaveActiveMax", WaveOp::Max),
    ("WaveActiveBitAnd", WaveOp::And),
    ("WaveActiveBitOr", WaveOp::Or),
    ("WaveActiveBitXor", WaveOp::Xor),
    ("WavePrefixSum", WaveOp::PrefixSum),
    ("WavePrefixProduct", WaveOp::PrefixProduct),
    ("WaveReadLaneAt", WaveOp::ReadLane),
    ("WaveReadLaneFirst", WaveOp::ReadFirst),
];

const BARRIERS: [&str; 3] =
    ["GroupMemoryBarrierWithGroupSync", "DeviceMemoryBarrierWithGroupSync", "AllMemoryBarrierWithGroupSync"];

/// Fences without a meeting of lanes, which nothing here has.
const FENCES: [&str; 3] = ["GroupMemoryBarrier", "DeviceMemoryBarrier", "AllMemoryBarrier"];

/// The operation of `InterlockedAdd` and its kin; `CompareStore` is an exchange whose old value nobody asks for.
fn atomic(name: &str) -> Option<AtomicOp> {
    let rest = name.strip_prefix("Interlocked")?;
    if rest == "CompareStore" {
        return Some(AtomicOp::CompareExchange);
    }
    // `InterlockedAddF32`, `InterlockedAdd64`: the operand tells the type.
    let rest = rest.trim_end_matches("64").trim_end_matches("F32");
    ATOMICS.iter().find(|(known, _)| *known == rest).map(|(_, op)| *op)
}

impl Context<'_, '_> {
    /// The built-in function of that name.
    pub fn builtin_function(&self, name: &Arc<str>) -> Option<Item> {
        let known = BARRIERS.contains(&&**name)
            || FENCES.contains(&&**name)
            || atomic(name).is_some()
            || WAVES.iter().any(|(wave, _)| *wave == &**name);
        let builtin = Builtin { name: name.clone(), object: None, generics: Vec::new() };
        known.then_some(Item::Builtin(builtin))
    }

    pub fn call_builtin(&mut self, builtin: Builtin, args: &[ast::Expr], span: Span) -> Expr {
        let args: Vec<Expr> = args.iter().map(|arg| self.expr(arg)).collect();
        let broken = builtin.object.as_ref().is_some_and(Expr::is_error);
        if broken || args.iter().any(Expr::is_error) {
            return self.silent_error(span);
        }
        let name = &*builtin.name;
        let Some(object) = builtin.object else {
            if let Some(op) = atomic(name) {
                return self.interlocked(name, op, args, span);
            }
            if FENCES.contains(&name) {
                return self.unsupported(&format!("fences like `{name}`"), span);
            }
            return match WAVES.iter().find(|(wave, _)| *wave == name) {
                Some((_, op)) => self.wave(name, *op, args, span),
                None if args.is_empty() => {
                    Expr { kind: ExprKind::Action(Action::Barrier, args), ty: Ty::Void, span }
                }
                None => self.wrong_count(name, "no arguments", span),
            };
        };
        match object.ty.clone() {
            Ty::Buffer(kind, _) if kind.form == BufferForm::Bytes => {
                self.byte_method(object, name, &builtin.generics, args, span)
            }
            _ => self.buffer_method(object, name, args, span),
        }
    }

    fn wrong_count(&mut self, name: &str, wanted: &str, span: Span) -> Expr {
        let message = format!("`{name}` takes {wanted}");
        self.error(Code::NoOverload, message, span, "here")
    }

    // ---- Buffers of elements ----

    fn buffer_method(&mut self, buffer: Expr, name: &str, args: Vec<Expr>, span: Span) -> Expr {
        match (name, &args[..]) {
            ("Load", [index]) => {
                let index = index.clone();
                let element = self.buffer_element(buffer, index, span);
                self.read(element)
            }
            ("Store", [index, value]) => {
                let (index, value) = (index.clone(), value.clone());
                let place = self.buffer_element(buffer, index, span);
                self.store(place, value, span)
            }
            ("GetDimensions", [count]) => self.write_out(count.clone(), size_of_buffer(buffer), span),
            ("GetDimensions", [count, stride]) => {
                let Ty::Buffer(_, element) = &buffer.ty else { return self.silent_error(span) };
                let bytes = Expr { kind: ExprKind::SizeOf(Ty::clone(element)), ty: Ty::UINT, span };
                let (count, stride) = (count.clone(), stride.clone());
                let first = self.write_out(count, size_of_buffer(buffer), span);
                let second = self.write_out(stride, bytes, span);
                in_turn(first, second, span)
            }
            ("Load" | "Store" | "GetDimensions", _) => self.wrong_count(name, "other arguments", span),
            _ => self.no_method(&buffer, name, span),
        }
    }

    fn no_method(&mut self, object: &Expr, name: &str, span: Span) -> Expr {
        let shown = self.show(&object.ty);
        let counted = matches!(name, "Append" | "Consume" | "IncrementCounter" | "DecrementCounter");
        if counted {
            return self.unsupported(&format!("counters of buffers, as `{name}` needs,"), span);
        }
        const METHODS: [&str; 12] = [
            "Load",
            "Load2",
            "Load3",
            "Load4",
            "Store",
            "Store2",
            "Store3",
            "Store4",
            "GetDimensions",
            "InterlockedAdd",
            "InterlockedMin",
            "InterlockedMax",
        ];
        let help = match super::suggest::nearest(name, METHODS.into_iter()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "read and write its elements by `[...]`, `Load` and `Store`".into(),
        };
        let message = format!("`{shown}` has no method `{name}`");
        self.error_advised(Code::UnknownName, message, span, "not a method of this buffer", help)
    }

    /// What is at a place, as a value: it cannot be assigned.
    fn read(&mut self, place: Expr) -> Expr {
        let (ty, span) = (place.ty.clone(), place.span);
        Expr { kind: ExprKind::Comma(vec![place]), ty, span }
    }

    fn store(&mut self, place: Expr, value: Expr, span: Span) -> Expr {
        if place.is_error() || !self.assignable(&place) {
            return self.silent_error(span);
        }
        let ty = place.ty.clone();
        let value = self.coerce(value, &ty, "what is stored");
        let assign = ExprKind::Assign { place: Box::new(place), value: Box::new(value) };
        let stored = Expr { kind: assign, ty, span };
        Expr { kind: ExprKind::Comma(vec![stored, nothing(span)]), ty: Ty::Void, span }
    }

    /// Writes an `out` argument.
    fn write_out(&mut self, place: Expr, value: Expr, span: Span) -> Expr {
        if !self.assignable(&place) {
            return self.silent_error(span);
        }
        let ty = place.ty.clone();
        if !ty.is_scalar() || value.ty.number().is_none() {
            let shown = self.show(&ty);
            let message = format!("a number cannot be written to a `{shown}`");
            return self.error(Code::TypeMismatch, message, place.span, format!("is `{shown}`"));
        }
        let value = self.converted(value, &ty);
        Expr { kind: ExprKind::Assign { place: Box::new(place), value: Box::new(value) }, ty, span }
    }

    // ---- Buffers of bytes ----

    fn byte_method(
        &mut self,
        buffer: Expr,
        name: &str,
        generics: &[Arg],
        args: Vec<Expr>,
        span: Span,
    ) -> Expr {
        if name == "GetDimensions" {
            let [bytes] = &args[..] else { return self.wrong_count(name, "one argument", span) };
            return self.write_out(bytes.clone(), size_of_buffer(buffer), span);
        }
        let Some((offset, rest)) = args.split_first() else {
            return self.wrong_count(name, "an offset in bytes", span);
        };
        let Some(offset) = self.integer_index(offset.clone()) else { return self.silent_error(span) };
        let at = |ty: Ty| {
            let access = Access::Bytes { buffer: buffer.clone(), offset: offset.clone() };
            Expr { kind: ExprKind::Memory(Box::new(access)), ty, span }
        };
        let words = |digits: &str| match digits {
            "" => Some(Ty::UINT),
            "2" | "3" | "4" => {
                let count = i64::from(digits.as_bytes()[0] - b'0');
                Some(Ty::vector(Elem::Scalar(Scalar::U32), Count::Known(count)))
            }
            _ => None,
        };
        let chosen = match generics {
            [Arg::Type(ty), ..] => Some(ty.clone()),
            _ => None,
        };
        if let Some(op) = atomic(name) {
            let ty = chosen.or_else(|| rest.first().map(|value| atomic_word(&value.ty)));
            let place = at(ty.unwrap_or(Ty::UINT));
            let args = [place].into_iter().chain(rest.iter().cloned()).collect();
            return self.interlocked(name, op, args, span);
        }
        if let Some(digits) = name.strip_prefix("Load")
            && let Some(ty) = words(digits.trim_start_matches("Aligned"))
        {
            // `LoadAligned` may tell the alignment: nothing follows from it here.
            let extra = usize::from(digits.starts_with("Aligned"));
            if rest.len() > extra {
                return self.wrong_count(name, "an offset in bytes", span);
            }
            let place = at(chosen.unwrap_or(ty));
            return self.read(place);
        }
        if let Some(digits) = name.strip_prefix("Store")
            && let Some(ty) = words(digits.trim_start_matches("Aligned"))
        {
            let extra = usize::from(digits.starts_with("Aligned"));
            let ([value] | [value, _]) = rest else {
                return self.wrong_count(name, "an offset in bytes and a value", span);
            };
            if rest.len() > 1 + extra {
                return self.wrong_count(name, "an offset in bytes and a value", span);
            }
            // `Store(offset, value)` stores the value as it is, whatever its type.
            let own = if digits.is_empty() || extra == 1 { value.ty.clone() } else { ty };
            let place = at(chosen.unwrap_or(own));
            return self.store(place, value.clone(), span);
        }
        self.no_method(&buffer, name, span)
    }

    // ---- Atomics ----

    /// `InterlockedAdd(place, value, out old)` and its kin.
    fn interlocked(&mut self, name: &str, op: AtomicOp, args: Vec<Expr>, span: Span) -> Expr {
        let count = op.value_count();
        let stores_only = name == "InterlockedCompareStore";
        let ([place, rest @ ..], true) = (&args[..], args.len() > count) else {
            return self.wrong_count(name, "a place in memory and a value", span);
        };
        let (values, old) = rest.split_at(count);
        if old.len() > usize::from(!stores_only) {
            return self.wrong_count(name, "fewer arguments", span);
        }
        if !self.atomic_place(place, op, name) {
            return self.silent_error(span);
        }
        let ty = place.ty.clone();
        let mut operands = vec![place.clone()];
        for value in values {
            operands.push(self.coerce(value.clone(), &ty, "an atomic operation"));
        }
        if operands.iter().any(Expr::is_error) {
            return self.silent_error(span);
        }
        let action = Expr { kind: ExprKind::Action(Action::Atomic(op), operands), ty, span };
        let done = match old {
            [old] => self.write_out(old.clone(), action, span),
            _ => action,
        };
        Expr { kind: ExprKind::Comma(vec![done, nothing(span)]), ty: Ty::Void, span }
    }

    /// Whether lanes share the place and memory there has the operation; an error where not.
    fn atomic_place(&mut self, place: &Expr, op: AtomicOp, name: &str) -> bool {
        if !self.assignable(place) {
            return false;
        }
        if !self.is_shared_place(place) {
            self.report(
                Diagnostic::error(Code::TypeMismatch, format!("`{name}` needs a place that lanes share"))
                    .at(place.span, "each lane has its own")
                    .help("use an element of a `RWStructuredBuffer`, or a `groupshared` variable"),
            );
            return false;
        }
        let scalar = place.ty.known_scalar().filter(|_| place.ty.is_scalar());
        if scalar.is_some_and(|scalar| op.takes(scalar)) {
            return true;
        }
        let shown = self.show(&place.ty);
        let message = format!("`{name}` does not take `{shown}`");
        self.error(Code::TypeMismatch, message, place.span, "needs an integer of 32 or 64 bits");
        false
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

    // ---- Waves ----

    fn wave(&mut self, name: &str, op: WaveOp, args: Vec<Expr>, span: Span) -> Expr {
        let wanted = if op == WaveOp::ReadLane { 2 } else { 1 };
        if args.len() != wanted {
            return self.wrong_count(
                name,
                if wanted == 2 { "a value and a lane" } else { "one value" },
                span,
            );
        }
        let mut args = args;
        if let Some(lane) = args.get(1).cloned() {
            let Some(lane) = self.integer_index(lane) else { return self.silent_error(span) };
            args[1] = self.converted(lane, &Ty::UINT);
        }
        let ty = args[0].ty.clone();
        let scalar = ty.known_scalar();
        let bits = matches!(op, WaveOp::And | WaveOp::Or | WaveOp::Xor);
        let reads = matches!(op, WaveOp::ReadLane | WaveOp::ReadFirst);
        let fits = match scalar {
            Some(Scalar::Bool) => reads,
            Some(scalar) if scalar.is_float() => !bits && scalar != Scalar::BF16,
            Some(_) => true,
            None => false,
        };
        if !fits {
            let shown = self.show(&ty);
            let message = format!("`{name}` does not take `{shown}`");
            return self.error(Code::TypeMismatch, message, args[0].span, format!("is `{shown}`"));
        }
        Expr { kind: ExprKind::Action(Action::Wave(op), args), ty, span }
    }
}

/// How many elements or bytes a buffer has.
fn size_of_buffer(buffer: Expr) -> Expr {
    let span = buffer.span;
    let pick = Pick::Element { index: 1, detached: false };
    Expr { kind: ExprKind::Pick(Box::new(buffer), pick), ty: Ty::scalar(Scalar::I64), span }
}

/// The word of memory that an atomic operation with such a value works on.
fn atomic_word(value: &Ty) -> Ty {
    match value {
        Ty::Number(Elem::Scalar(scalar), Shape::Scalar) if scalar.bits() >= 32 => value.clone(),
        _ => Ty::UINT,
    }
}

/// An expression without a value.
fn nothing(span: Span) -> Expr {
    Expr { kind: ExprKind::Comma(Vec::new()), ty: Ty::Void, span }
}

fn in_turn(first: Expr, second: Expr, span: Span) -> Expr {
    Expr { kind: ExprKind::Comma(vec![first, second, nothing(span)]), ty: Ty::Void, span }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn atomics_are_told_by_name() {
        assert_eq!(atomic("InterlockedAdd64"), Some(AtomicOp::Add));
        assert_eq!(atomic("InterlockedCompareStore"), Some(AtomicOp::CompareExchange));
        assert_eq!(atomic("InterlockedSub"), None);
    }
}
