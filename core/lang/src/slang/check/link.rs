//! Link-time constants: `extern static const`, whose values other modules export or whoever compiles gives.

use super::Checker;
use super::constant::Tree;
use super::context::Context;
use super::hir::{Expr, Literal};
use super::program::{ConstId, Constant, LinkValue, Linkage};
use super::request::Requests;
use super::suggest::nearest;
use super::types::Ty;
use crate::slang::ast;
use pullback_base::{Code, Diagnostic, Scalar, Span, ids::Id};

impl<'a> Checker<'a> {
    /// What a module declares `extern` has the value that another exports.
    pub fn link_constants(&mut self, first: usize) {
        let own = || (first..).map(ConstId::from_index);
        let declared: Vec<(ConstId, &Constant<'_>)> =
            own().zip(self.program.constants.values().skip(first)).collect();
        let mut links: Vec<(ConstId, ConstId)> = Vec::new();
        let mut twice: Vec<[&ast::Name; 2]> = Vec::new();
        for (id, wanted) in declared.iter().filter(|(_, it)| it.linkage == Linkage::Extern) {
            let exports = |it: &&(ConstId, &Constant<'_>)| {
                it.1.linkage == Linkage::Export && it.1.ast.name.text == wanted.ast.name.text
            };
            match declared.iter().filter(exports).collect::<Vec<_>>()[..] {
                [] => {}
                [(export, _)] => links.push((*id, *export)),
                [(_, first), (_, second), ..] => twice.push([&first.ast.name, &second.ast.name]),
            }
        }
        for [first, second] in twice {
            self.duplicate(&first.text, second.span, first.span);
        }
        for (id, export) in links {
            self.program.constants[id].linked = Some(LinkValue::Export(export));
        }
    }

    /// Notes the values that whoever compiles gives.
    pub fn give_constants(&mut self, asked: &'a Requests, first: usize) {
        for var in &asked.constants {
            let (name, Some(value)) = (&var.name, &var.init) else { continue };
            let constants = self.program.constants.ids().skip(first);
            let named: Vec<ConstId> =
                constants.filter(|&id| self.program.constants[id].ast.name.text == name.text).collect();
            let (linked, fixed): (Vec<ConstId>, Vec<ConstId>) =
                named.into_iter().partition(|&id| self.program.constants[id].linkage != Linkage::Own);
            for &id in &linked {
                self.program.constants[id].linked = Some(LinkValue::Option(value));
            }
            if linked.is_empty() {
                self.report_no_link(name, fixed.first().copied(), first);
            }
        }
    }

    fn report_no_link(&mut self, name: &ast::Name, fixed: Option<ConstId>, first: usize) {
        let diagnostic = match fixed {
            Some(id) => {
                Diagnostic::error(Code::NotConstant, format!("`{}` is no link-time constant", name.text))
                    .at(name.span, "given a value")
                    .also(self.program.constants[id].ast.name.span, "has this value for good")
                    .help("declare it `extern static const`")
            }
            None => {
                let linked =
                    self.program.constants.values().skip(first).filter(|it| it.linkage != Linkage::Own);
                let near = nearest(&name.text, linked.map(|it| &*it.ast.name.text));
                let message = format!("no link-time constant is named `{}`", name.text);
                let diagnostic = Diagnostic::error(Code::UnknownName, message).at(name.span, "given a value");
                match near {
                    Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                    None => diagnostic.help("declare it: `extern static const int N = 1;`"),
                }
            }
        };
        self.diagnostics.push(diagnostic);
    }
}

impl<'a> Context<'_, 'a> {
    /// The value of a link-time constant that something else than its declaration tells.
    pub fn linked_constant(&mut self, declared: &'a ast::Var, linked: LinkValue<'a>) -> Expr {
        match linked {
            LinkValue::Option(value) => {
                let ty = declared.ty.as_ref().map(|ty| self.resolve_value_type(ty));
                let scalar = ty.as_ref().and_then(Ty::known_scalar);
                if scalar.is_some_and(|scalar| !self.keeps_its_value(value, scalar, declared)) {
                    return self.silent_error(value.span);
                }
                self.initializer(declared.ty.as_ref(), value, declared.name.span)
            }
            LinkValue::Export(export) => {
                let value = Expr::clone(&self.checker.constant(export, declared.name.span));
                let Some(ty) = &declared.ty else { return value };
                let wanted = self.resolve_value_type(ty);
                if wanted == value.ty || wanted.is_error() || value.is_error() {
                    return value;
                }
                let (name, exported) = (&declared.name, &self.checker.program.constants[export].ast.name);
                let (shown, given) = (self.show(&wanted), self.show(&value.ty));
                let message = format!("`{}` is declared as `{shown}` and exported as `{given}`", name.text);
                let diagnostic = Diagnostic::error(Code::TypeMismatch, message)
                    .at(name.span, format!("declared as `{shown}`"))
                    .also(exported.span, format!("exported as `{given}`"))
                    .help("give both the same type");
                self.report(diagnostic);
                Expr::error(name.span)
            }
        }
    }

    /// `extern static const int N;`
    pub fn no_value(&mut self, declared: &ast::Var) -> Expr {
        let name = &declared.name;
        self.error_advised(
            Code::NotConstant,
            format!("`{}` has no value", name.text),
            name.span,
            "no module that is linked exports it",
            "give it a default, or link a module that exports it",
        )
    }

    /// Whether a number, or each number of a list, is one of that scalar's; an error where not.
    fn keeps_its_value(&mut self, value: &ast::Expr, to: Scalar, declared: &ast::Var) -> bool {
        if let ast::ExprKind::InitList(items) = &value.kind {
            return items.iter().all(|item| self.keeps_its_value(item, to, declared));
        }
        let number = self.expr(value);
        let Some(from) = number.ty.known_scalar() else { return !number.is_error() };
        let kind_fits =
            to.is_float() || from == to || (from == Scalar::Bool || from.is_integer()) && to.is_integer();
        let fits = match self.checker.value_of(&number) {
            Ok(Tree::Leaf(constant)) if kind_fits && to.is_integer() && from.is_integer() => {
                let wide = Literal::of(constant);
                Literal::of(wide.constant(to)) == wide
            }
            _ => kind_fits,
        };
        if !fits {
            self.report_misfit(value.span, &number.ty, declared);
        }
        fits
    }

    fn report_misfit(&mut self, span: Span, from: &Ty, declared: &ast::Var) {
        let (name, from) = (&declared.name, self.show(from));
        let ty = declared.ty.as_ref().map_or(Ty::Error, |ty| self.resolve_type(ty));
        let message = format!("`{}` is `{}`, and cannot have this value", name.text, self.show(&ty));
        let diagnostic = Diagnostic::error(Code::TypeMismatch, message)
            .at(span, format!("is `{from}`"))
            .also(name.span, "declared here")
            .help("give a value of its type");
        self.report(diagnostic);
    }
}
