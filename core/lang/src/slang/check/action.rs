//! What the language has built in around memory: methods of buffers, barriers, and the way to atomics and wave intrinsics.

use super::atomic::{self, Word};
use super::context::Context;
use super::count::Count;
use super::hir::{Access, Action, Expr, ExprKind, Pick};
use super::member::Item;
use super::memory::BufferForm;
use super::reinterpret;
use super::tuple::TUPLE_MAKERS;
use super::types::{Arg, Elem, Ty};
use crate::slang::ast;
use pullback_base::{Code, Scalar, Span};
use std::sync::Arc;

/// A function or method that is no declaration, to be called.
pub struct Builtin {
    pub name: Arc<str>,
    /// `object` of `object.name(...)`.
    pub object: Option<Expr>,
    /// `name<...>(...)`
    pub generics: Vec<Arg>,
}

const BARRIERS: [&str; 3] =
    ["GroupMemoryBarrierWithGroupSync", "DeviceMemoryBarrierWithGroupSync", "AllMemoryBarrierWithGroupSync"];

/// Fences without a meeting of lanes, which nothing here has.
const FENCES: [&str; 3] = ["GroupMemoryBarrier", "DeviceMemoryBarrier", "AllMemoryBarrier"];

impl Context<'_, '_> {
    /// The built-in function of that name.
    pub fn builtin_function(&self, name: &Arc<str>) -> Option<Item> {
        let known = BARRIERS.contains(&&**name)
            || FENCES.contains(&&**name)
            || &**name == "__getAddress"
            || atomic::function(name).is_some()
            || TUPLE_MAKERS.contains(&&**name)
            || super::wave::is_wave(name)
            || reinterpret::is_known(name);
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
            if atomic::function(name).is_some() {
                return self.interlocked(name, args, span);
            }
            if TUPLE_MAKERS.contains(&name) {
                return self.make_tuple(name, args, span);
            }
            if reinterpret::is_known(name) {
                return self.reinterpreted(name, &builtin.generics, args, span);
            }
            if FENCES.contains(&name) {
                return self.unsupported(&format!("fences like `{name}`"), span);
            }
            if name == "__getAddress" {
                return match <[Expr; 1]>::try_from(args) {
                    Ok([place]) => self.address_of(place, span),
                    Err(_) => self.wrong_count(name, "one place", span),
                };
            }
            if super::wave::is_wave(name) {
                return self.wave(name, args, span);
            }
            if !args.is_empty() {
                return self.wrong_count(name, "no arguments", span);
            }
            return Expr { kind: ExprKind::Action(Action::Barrier, args), ty: Ty::Void, span };
        };
        match object.ty.clone() {
            Ty::Buffer(kind, _) if kind.form == BufferForm::Bytes => {
                self.byte_method(object, name, &builtin.generics, args, span)
            }
            Ty::Atomic(_) => self.atomic_method(object, name, args, span),
            _ => self.buffer_method(object, name, args, span),
        }
    }

    pub fn wrong_count(&mut self, name: &str, wanted: &str, span: Span) -> Expr {
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
        let ty = self.refuse_atomic(place.ty.clone(), span);
        let value = self.coerce(value, &ty, "what is stored");
        let assign = ExprKind::Assign { place: Box::new(place), value: Box::new(value) };
        self.without_value(Expr { kind: assign, ty, span })
    }

    /// The expression for what it does alone.
    pub fn without_value(&self, done: Expr) -> Expr {
        let span = done.span;
        Expr { kind: ExprKind::Comma(vec![done, nothing(span)]), ty: Ty::Void, span }
    }

    /// Writes an `out` argument.
    pub fn write_out(&mut self, place: Expr, value: Expr, span: Span) -> Expr {
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
        if let Some((_, word)) = atomic::function(name) {
            let signed = rest.first().is_some_and(|value| is_signed(&value.ty));
            let place = at(Ty::scalar(match word {
                Word::Of(scalar) => scalar,
                Word::Wide if signed => Scalar::I64,
                Word::Wide => Scalar::U64,
                Word::Plain if signed => Scalar::I32,
                Word::Plain => Scalar::U32,
            }));
            let args = [place].into_iter().chain(rest.iter().cloned()).collect();
            return self.interlocked(name, args, span);
        }
        let access = |verb: &str| {
            let rest = name.strip_prefix(verb)?;
            words(rest.strip_suffix("Aligned").unwrap_or(rest))
        };
        if let Some(ty) = access("Load") {
            let ([] | [_]) = rest else { return self.wrong_count(name, "an offset in bytes", span) };
            if !self.is_alignment(rest.first()) {
                return self.silent_error(span);
            }
            let place = at(chosen.unwrap_or(ty));
            return self.read(place);
        }
        if let Some(ty) = access("Store") {
            let ([value] | [value, _]) = rest else {
                return self.wrong_count(name, "an offset in bytes and a value", span);
            };
            if !self.is_alignment(rest.get(1)) {
                return self.silent_error(span);
            }
            // `Store(offset, value)` stores the value as it is, whatever its type.
            let own = if ty == Ty::UINT { value.ty.clone() } else { ty };
            let place = at(chosen.unwrap_or(own));
            return self.store(place, value.clone(), span);
        }
        self.no_method(&buffer, name, span)
    }

    /// Whether the last argument, where there is one, tells an alignment: nothing follows from it here.
    fn is_alignment(&mut self, arg: Option<&Expr>) -> bool {
        let Some(arg) = arg else { return true };
        if matches!(self.checker.value_of(arg), Ok(super::constant::Tree::Leaf(_))) {
            return true;
        }
        let message = "an alignment must be known at compile time";
        self.error(Code::NotConstant, message, arg.span, "is not");
        false
    }
}

/// How many elements or bytes a buffer has.
fn size_of_buffer(buffer: Expr) -> Expr {
    let span = buffer.span;
    let pick = Pick::Element { index: 1, detached: false };
    Expr { kind: ExprKind::Pick(Box::new(buffer), pick), ty: Ty::scalar(Scalar::I64), span }
}

fn is_signed(ty: &Ty) -> bool {
    ty.known_scalar().is_some_and(|scalar| scalar.is_signed() && scalar.is_integer())
}

/// An expression without a value.
fn nothing(span: Span) -> Expr {
    Expr { kind: ExprKind::Comma(Vec::new()), ty: Ty::Void, span }
}

fn in_turn(first: Expr, second: Expr, span: Span) -> Expr {
    Expr { kind: ExprKind::Comma(vec![first, second, nothing(span)]), ty: Ty::Void, span }
}
