//! Values from the bytes of others: `bit_cast`, `reinterpret` and `createDynamicObject`.

use super::context::Context;
use super::hir::{Expr, ExprKind};
use super::program::{InterfaceRef, Program};
use super::types::{Arg, Ty};
use pullback_base::{Code, Diagnostic, Span};

const BIT_CAST: &str = "bit_cast";
const REINTERPRET: &str = "reinterpret";
const CREATE_OBJECT: &str = "createDynamicObject";

/// Whether a name is one of the functions here.
pub fn is_known(name: &str) -> bool {
    [BIT_CAST, REINTERPRET, CREATE_OBJECT].contains(&name)
}

impl Context<'_, '_> {
    /// A call of one of these functions: `bit_cast<To>(value)`, `createDynamicObject<Interface>(id, value)`. A second generic
    /// argument is the type of the value.
    pub fn reinterpreted(&mut self, name: &str, generics: &[Arg], args: Vec<Expr>, span: Span) -> Expr {
        let wanted = if name == CREATE_OBJECT { 2 } else { 1 };
        if args.len() != wanted {
            let takes = if wanted == 2 { "a number and a value" } else { "one value" };
            return self.error(Code::NoOverload, format!("`{name}` takes {takes}"), span, "here");
        }
        let (to, from) = match generics {
            [Arg::Type(to)] => (to.clone(), None),
            [Arg::Type(to), Arg::Type(from)] => (to.clone(), Some(from.clone())),
            _ => {
                let message = format!("`{name}` needs the type to make");
                return self.error(Code::TypeMismatch, message, span, format!("write `{name}<...>`"));
            }
        };
        let mut args = args.into_iter();
        let id = if wanted == 2 { args.next() } else { None };
        let Some(mut value) = args.next() else { return self.silent_error(span) };
        if let Some(from) = from {
            value = self.coerce(value, &from, "what is given");
        }
        if value.is_error() || to.is_error() {
            return self.silent_error(span);
        }
        match id {
            Some(id) => self.object(&to, id, value, span),
            None => self.same_bytes(name, &to, value, span),
        }
    }

    fn same_bytes(&mut self, name: &str, to: &Ty, value: Expr, span: Span) -> Expr {
        let (Some(wanted), Some(given)) =
            (self.plain_bytes(name, to, span), self.plain_bytes(name, &value.ty, span))
        else {
            return self.silent_error(span);
        };
        if name == BIT_CAST && wanted != given {
            let (from, shown) = (self.show(&value.ty), self.show(to));
            self.report(
                Diagnostic::error(
                    Code::TypeMismatch,
                    format!("`{from}` and `{shown}` have not the same size"),
                )
                .at(span, format!("{given} bytes for {wanted}"))
                .help("`reinterpret` cuts off what is too much, and adds zeros"),
            );
            return Expr::error(span);
        }
        Expr { kind: ExprKind::Reinterpret(Box::new(value)), ty: to.clone(), span }
    }

    fn object(&mut self, to: &Ty, id: Expr, value: Expr, span: Span) -> Expr {
        let Ty::Interface(interface) = to else {
            let shown = self.show(to);
            let message = format!("`{CREATE_OBJECT}` makes values of interfaces' types");
            return self.error(Code::TypeMismatch, message, span, format!("`{shown}` is no interface"));
        };
        if self.plain_bytes(CREATE_OBJECT, &value.ty, value.span).is_none() {
            return self.silent_error(span);
        }
        let id = self.coerce(id, &Ty::UINT, "the number of a type");
        if id.is_error() {
            return self.silent_error(span);
        }
        let numbered = self.checker.program.numbered(interface);
        if numbered.is_empty() {
            let shown = self.checker.program.show_interface(interface);
            self.report(
                Diagnostic::error(Code::UnsupportedFeature, format!("no type has a number behind `{shown}`"))
                    .at(span, "which types these numbers mean is not known")
                    .help("give the types' numbers where the module is compiled: `type_conformances`"),
            );
            return Expr::error(span);
        }
        for (ty, _) in numbered {
            if self.plain_bytes(CREATE_OBJECT, &ty, span).is_none() {
                return self.silent_error(span);
            }
        }
        let (id, bytes) = (Box::new(id), Box::new(value));
        Expr { kind: ExprKind::Object { id, bytes }, ty: to.clone(), span }
    }

    /// The size of a type that is numbers through and through; an error where it is not.
    fn plain_bytes(&mut self, name: &str, ty: &Ty, span: Span) -> Option<u64> {
        let bytes = self.checker.program.used_bytes(ty);
        if bytes.is_none() {
            let shown = self.show(ty);
            let what = if ty.is_open() { "generic types" } else { "types that hold more than numbers" };
            let message = format!("`{name}` of {what} is not supported yet");
            self.error(Code::UnsupportedFeature, message, span, format!("`{shown}` is here"));
        }
        bytes
    }
}

impl Program<'_> {
    /// The types behind an interface that have a number, which whoever compiles gave them.
    pub fn numbered(&self, interface: &InterfaceRef) -> Vec<(Ty, u32)> {
        let of = self.numbers.iter().filter(|number| number.interface == *interface);
        of.map(|number| (number.ty.clone(), number.id)).collect()
    }
}
