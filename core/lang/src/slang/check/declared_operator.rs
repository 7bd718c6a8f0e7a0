//! Operators that users declare: `S operator+(S a, S b)` and their kin.

use super::call::FunctionSet;
use super::context::Context;
use super::hir::{Expr, ExprKind};
use super::program::{FnId, Symbol};
use super::types::Elem;
use crate::slang::ast::{self, BinaryOp, ModifierKind, UnaryOp};
use pullback_base::Span;

impl Context<'_, '_> {
    pub fn declared_binary(&mut self, op: BinaryOp, left: &Expr, right: &Expr, span: Span) -> Option<Expr> {
        let args = [left.clone(), right.clone()];
        self.call_operator(op.text(), args.to_vec(), None, span)
    }

    pub fn declared_unary(&mut self, op: UnaryOp, value: &Expr, span: Span) -> Option<Expr> {
        self.call_operator(op.text(), vec![value.clone()], None, span)
    }

    /// `place op= value`: by `operator op=` where there is one, else by `operator op`.
    pub fn declared_modify(
        &mut self,
        op: BinaryOp,
        place: &Expr,
        value: &Expr,
        op_span: Span,
        span: Span,
        gives_old: bool,
    ) -> Option<Expr> {
        let args = vec![place.clone(), value.clone()];
        if let Some(call) = self.call_operator(&format!("{}=", op.text()), args, None, span) {
            return Some(call);
        }
        let both_numbers = place.ty.number().is_some() && value.ty.number().is_some();
        if both_numbers && !self.declares_operator(op.text()) {
            return None;
        }
        let old = self.temporary(place.ty.clone(), place.span);
        let read = Expr { kind: ExprKind::Local(old), ty: place.ty.clone(), span: place.span };
        let result = match self.declared_binary(op, &read, value, span) {
            Some(result) => result,
            None => match self.enum_binary(op, &read, value, op_span, span) {
                Some(result) => result,
                None => self.pointer_binary(op, &read, value, span)?,
            },
        };
        Some(self.update(place.clone(), old, result, gives_old, span))
    }

    /// `++x` and `x++`
    pub fn declared_step(
        &mut self,
        op: ast::StepOp,
        fix: ast::Fix,
        place: &Expr,
        span: Span,
    ) -> Option<Expr> {
        let name = match op {
            ast::StepOp::Increment => "++",
            ast::StepOp::Decrement => "--",
        };
        let takes_place = |context: &mut Self, id: FnId| {
            let signature = context.checker.signature(id);
            signature.params.first().is_some_and(|param| param.direction.writes())
        };
        let candidates = self.operators(name, Some(fix));
        if candidates.iter().any(|&id| takes_place(self, id)) {
            return self.call_operator(name, vec![place.clone()], Some(fix), span);
        }
        if candidates.is_empty() {
            return None;
        }
        let old = self.temporary(place.ty.clone(), place.span);
        let read = Expr { kind: ExprKind::Local(old), ty: place.ty.clone(), span: place.span };
        let result = self.call_operator(name, vec![read], Some(fix), span)?;
        Some(self.update(place.clone(), old, result, fix == ast::Fix::Postfix, span))
    }

    fn update(
        &mut self,
        place: Expr,
        old: super::hir::LocalId,
        result: Expr,
        gives_old: bool,
        span: Span,
    ) -> Expr {
        let ty = place.ty.clone();
        let value = Box::new(self.coerce(result, &ty, "the assignment"));
        let kind = ExprKind::Update { place: Box::new(place), old, value, gives_old };
        Expr { kind, ty, span }
    }

    fn declares_operator(&self, text: &str) -> bool {
        matches!(self.lookup(&format!("operator{text}")), Some(Symbol::Functions(_)))
    }

    /// The operators of that text in scope; `fix` tells `++x` from `x++`.
    fn operators(&self, text: &str, fix: Option<ast::Fix>) -> Vec<FnId> {
        let Some(Symbol::Functions(found)) = self.lookup(&format!("operator{text}")) else {
            return Vec::new();
        };
        let program = &self.checker.program;
        let fits = |id: &FnId| {
            let postfix = program.functions[*id].decl.modifiers.has(ModifierKind::Postfix);
            fix.is_none_or(|fix| postfix == (fix == ast::Fix::Postfix))
        };
        found.into_iter().filter(fits).collect()
    }

    /// The declared operator that takes these operands. Operators on numbers alone keep their meaning, unless one is
    /// declared for exactly these types; where none fits, the language's own are tried.
    fn call_operator(
        &mut self,
        text: &str,
        args: Vec<Expr>,
        fix: Option<ast::Fix>,
        span: Span,
    ) -> Option<Expr> {
        let candidates = self.operators(text, fix);
        if candidates.is_empty() {
            return None;
        }
        // A generic type is one where its bounds say so.
        let program = &self.checker.program;
        let numbers = args.iter().all(|arg| match arg.ty.number() {
            Some((Elem::Param(param), _)) => program.bound(param).scalars.is_some(),
            number => number.is_some(),
        });
        let fitting: Vec<FnId> = candidates
            .into_iter()
            .filter(|&id| {
                let signature = self.checker.signature(id);
                signature.params.len() == args.len()
                    && if numbers {
                        signature.params.iter().zip(&args).all(|(param, arg)| param.ty == arg.ty)
                    } else {
                        self.takes(id, &args)
                    }
            })
            .collect();
        if fitting.is_empty() {
            return None;
        }
        let name = format!("operator{text}").into();
        let set = FunctionSet { candidates: fitting, ..FunctionSet::named(name) };
        let Some((function, subst)) = self.choose(&set, &args, span) else {
            return Some(self.silent_error(span));
        };
        Some(self.call_of(function, &subst, None, args, span))
    }

    /// `value(args)` of a struct that declares `operator()`.
    pub fn call_operator_of(&mut self, value: &Expr) -> Option<FunctionSet> {
        let found = self.checker.program.member_of(&value.ty, "operator()");
        let Some(Symbol::Functions(candidates)) = found else { return None };
        let receiver = Some(Box::new(value.clone()));
        Some(FunctionSet {
            candidates: candidates.to_vec(),
            receiver,
            of: Some(value.ty.clone()),
            ..FunctionSet::named("operator()".into())
        })
    }
}
