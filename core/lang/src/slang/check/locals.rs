//! The variables of a function by name: which are in scope, which hide others, which nothing uses.

use super::context::Context;
use super::hir::{Local, LocalId};
use super::types::Ty;
use pullback_base::{Code, Diagnostic, Span};
use std::sync::Arc;

/// The visible variables, innermost last.
#[derive(Default)]
pub struct Names {
    list: Vec<Named>,
    /// Where in the list the innermost block begins.
    block_start: usize,
}

struct Named {
    text: Arc<str>,
    local: LocalId,
    span: Span,
    /// Something names it, or it is there whether or not it is needed, as parameters are.
    used: bool,
}

impl Names {
    fn find(&self, name: &str) -> Option<usize> {
        self.list.iter().rposition(|known| &*known.text == name)
    }
}

/// A name that begins with `_` says that nobody needs it.
fn is_checked(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('_')
}

impl Context<'_, '_> {
    /// Runs `f` in a block of its own: what it declares is gone afterwards.
    pub fn scoped<R>(&mut self, f: impl FnOnce(&mut Self) -> R) -> R {
        let (outer, depth) = (self.names.block_start, self.names.list.len());
        self.names.block_start = depth;
        let result = f(self);
        self.leave(depth);
        self.names.block_start = outer;
        result
    }

    pub fn declare(&mut self, local: Local) -> LocalId {
        self.warn_of_hidden(&local);
        self.enter_name(local, false)
    }

    /// Declares what is there whether or not it is needed.
    pub fn declare_given(&mut self, local: Local) -> LocalId {
        self.enter_name(local, true)
    }

    fn enter_name(&mut self, local: Local, used: bool) -> LocalId {
        let (text, span) = (local.name.clone(), local.span);
        let block = &self.names.list[self.names.block_start..];
        let taken = block.iter().find(|other| other.text == text && !text.is_empty());
        if let Some(first) = taken.map(|first| first.span) {
            self.broken = true;
            // `retrun x;` declares nothing.
            if !local.ty.is_error() {
                self.checker.duplicate(&text, span, first);
            }
        }
        let id = self.locals.push(local);
        self.names.list.push(Named { text, local: id, span, used });
        id
    }

    /// Leaves a block: its variables are gone.
    fn leave(&mut self, depth: usize) {
        for gone in self.names.list.split_off(depth) {
            if !gone.used && is_checked(&gone.text) {
                let message = format!("`{}` is never used", gone.text);
                self.suspect(
                    Diagnostic::warning(Code::UnusedName, message)
                        .at(gone.span, "declared here")
                        .help(format!("remove it, or call it `_{}`", gone.text)),
                );
            }
        }
    }

    /// Leaves the function.
    pub fn leave_all(&mut self) {
        self.leave(0);
    }

    fn warn_of_hidden(&mut self, local: &Local) {
        let Some(hidden) = self.local_span(&local.name).filter(|_| is_checked(&local.name)) else { return };
        let message = format!("`{}` hides another variable of that name", local.name);
        self.suspect(
            Diagnostic::warning(Code::HiddenName, message)
                .at(local.span, "the name means this one to the end of the block")
                .also(hidden, "hidden there")
                .help("rename one of them"),
        );
    }

    fn suspect(&mut self, warning: Diagnostic) {
        let said_elsewhere = self.function.is_some_and(|id| {
            let function = &self.checker.program.functions[id];
            function.is_std || function.sets_through.is_some()
        });
        if !said_elsewhere {
            self.checker.suspicions.push(warning);
        }
    }

    /// A local that no name stands for.
    pub fn temporary(&mut self, ty: Ty, span: Span) -> LocalId {
        self.locals.push(Local { name: "".into(), ty, span, mutable: true, constant: None })
    }

    /// Where the variable of that name is declared.
    pub fn local_span(&self, name: &str) -> Option<Span> {
        let own = self.names.find(name).map(|at| self.names.list[at].span);
        own.or_else(|| self.outer.as_ref()?.span_of(name))
    }

    /// The variable of that name, which is used by that.
    pub fn used_local(&mut self, name: &str) -> Option<LocalId> {
        match self.names.find(name) {
            Some(at) => {
                self.names.list[at].used = true;
                Some(self.names.list[at].local)
            }
            None => self.outer.as_mut()?.local(name, &mut self.locals),
        }
    }

    /// The names of the variables in scope, and they themselves.
    pub fn named_locals(&self) -> impl Iterator<Item = (&str, LocalId)> {
        self.names.list.iter().map(|named| (&*named.text, named.local))
    }
}
