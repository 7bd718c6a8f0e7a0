//! What can be assigned: variables, and parts of what can be assigned.

use super::context::Context;
use super::hir::{Access, Expr, ExprKind, Pick};
use super::program::GlobalKind;
use crate::slang::ast;
use pullback_base::{Code, Diagnostic, Span};

impl Context<'_, '_> {
    /// What stands to the left of an assignment. A constant is still a variable there, to be refused by name.
    pub fn target(&mut self, target: &ast::Expr) -> Expr {
        if let ast::ExprKind::Name(name) = &target.kind
            && let Some(id) = self.used_local(&name.text)
        {
            let static_variable = self.locals[id].constant.as_deref();
            if let Some(Expr { kind: ExprKind::Global(_), .. }) = static_variable {
                return self.local_value(id, target.span);
            }
            return Expr { kind: ExprKind::Local(id), ty: self.locals[id].ty.clone(), span: target.span };
        }
        self.expr(target)
    }

    /// Whether the expression can be written; an error where not.
    pub fn assignable(&mut self, place: &Expr) -> bool {
        match &place.kind {
            ExprKind::Error => false,
            ExprKind::Local(id) => {
                let local = &self.locals[*id];
                if local.mutable {
                    return true;
                }
                let (name, span) = (local.name.clone(), local.span);
                let mut diagnostic =
                    Diagnostic::error(Code::NotAssignable, format!("`{name}` cannot be assigned"))
                        .at(place.span, "written here");
                let counts = matches!(local.constant.as_deref(), Some(Expr { kind: ExprKind::Param(_), .. }));
                let is_copy = self.outer.as_ref().is_some_and(|outer| outer.is_copy(*id));
                diagnostic = if is_copy {
                    let diagnostic = diagnostic.also(span, "a lambda has copies of what is outside of it");
                    diagnostic.help("return the new value, and assign it where the lambda is called")
                } else if counts {
                    diagnostic
                        .also(span, "counts the turns of a `$for`")
                        .help("assign to a variable of your own")
                } else if &*name == "this" {
                    diagnostic.help("mark the method `[mutating]`")
                } else {
                    diagnostic.also(span, "declared as a constant").help("declare it with `var` or a type")
                };
                self.report(diagnostic);
                false
            }
            ExprKind::Global(id) => {
                let global = &self.checker.program.globals[*id];
                if global.kind != GlobalKind::Uniform {
                    return true;
                }
                let (name, span) = (global.name.clone(), global.span);
                self.report(
                    Diagnostic::error(Code::NotAssignable, format!("`{name}` cannot be assigned"))
                        .at(place.span, "written here")
                        .also(span, "whoever launches gives its value")
                        .help("declare it `static`, or assign to a copy"),
                );
                false
            }
            ExprKind::Memory(access) => self.writable_memory(access, place.span),
            ExprKind::Pick(base, Pick::Property(accessors)) => {
                self.property_is_assignable(base, accessors, place.span)
            }
            ExprKind::Pick(base, _)
                if self.checker.program.held(&base.ty).is_some() && !self.in_library() =>
            {
                self.report(
                    Diagnostic::error(Code::NotAssignable, "a part of an optional value cannot be assigned")
                        .at(place.span, "written here")
                        .help("assign a value, or `none`, to the whole"),
                );
                false
            }
            ExprKind::Pick(base, pick) => {
                let (repeats, what) = match pick {
                    Pick::Swizzle(picks) => (repeats(picks), "swizzle"),
                    Pick::Components(picks) => (repeats(picks), "swizzle"),
                    _ => (false, ""),
                };
                if repeats {
                    self.error(
                        Code::NotAssignable,
                        format!("a {what} that names a component twice cannot be assigned"),
                        place.span,
                        "written here",
                    );
                    return false;
                }
                self.assignable(base)
            }
            ExprKind::Constant(id) => {
                let name = &self.checker.program.constants[*id].ast.name;
                let diagnostic =
                    Diagnostic::error(Code::NotAssignable, format!("`{}` cannot be assigned", name.text))
                        .at(place.span, "written here")
                        .also(name.span, "declared as a constant");
                self.report(diagnostic.help("assign to a variable that starts with its value"));
                false
            }
            _ => {
                self.report(
                    Diagnostic::error(Code::NotAssignable, "this cannot be assigned")
                        .at(place.span, "a constant or a computed value, not a variable or part of one"),
                );
                false
            }
        }
    }
}

impl Context<'_, '_> {
    fn in_library(&self) -> bool {
        self.function.is_some_and(|id| self.checker.program.functions[id].is_std)
    }

    /// Whether what is in memory there can be written.
    fn writable_memory(&mut self, access: &Access, span: Span) -> bool {
        if !access.is_only_read() {
            return true;
        }
        let (message, help) = match access {
            Access::Element { buffer, .. } | Access::Bytes { buffer, .. } => {
                let shown = self.show(&buffer.ty);
                (format!("elements of a `{shown}` cannot be assigned"), format!("declare it `RW{shown}`"))
            }
            Access::Target { pointer } => {
                let shown = self.show(&pointer.ty);
                let help = "declare the pointer with `Access.ReadWrite`, and take it of what can be written";
                (format!("what a `{shown}` leads to cannot be assigned"), help.into())
            }
        };
        self.report(Diagnostic::error(Code::NotAssignable, message).at(span, "written here").help(help));
        false
    }
}

fn repeats<T: PartialEq>(picks: &[T]) -> bool {
    (1..picks.len()).any(|i| picks[..i].contains(&picks[i]))
}
