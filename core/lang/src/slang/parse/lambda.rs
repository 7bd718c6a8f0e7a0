//! Lambdas: `(float x) => a * x`, and `(float x) => { ... }`.

use super::{Parsed, Parser, Reported};
use crate::slang::ast::{
    Aggregate, Block, Decl, DeclKind, Expr, ExprKind, Function, FunctionRole, Generics, Lambda, Modifiers,
    Name, Stmt, StmtKind,
};
use crate::slang::token::TokenKind;
use pullback_base::Span;

impl Parser<'_> {
    /// Reads what may have lambdas, as those of a function of its own.
    pub(super) fn with_lambdas<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Parsed<T>,
    ) -> Parsed<(T, Vec<Lambda>)> {
        let outer = self.lambdas.replace(Vec::new());
        let result = read(self);
        let own = std::mem::replace(&mut self.lambdas, outer).unwrap_or_default();
        Ok((result?, own))
    }

    /// Whether the `(` here begins the parameters of a lambda.
    pub(super) fn begins_lambda(&self) -> bool {
        self.scan_brackets(self.at).is_some_and(|end| self.token_at(end).kind == TokenKind::FatArrow)
    }

    /// A lambda, the cursor at its `(`.
    pub(super) fn lambda(&mut self) -> Parsed<Expr> {
        let start = self.span();
        let outer = self.lambdas.take();
        let params = self.params();
        self.lambdas = outer;
        let params = params?;
        let arrow = self.expect(TokenKind::FatArrow, "and what the lambda gives")?.span;
        let (body, lambdas) = self.with_lambdas(|parser| parser.lambda_body(arrow))?;
        let span = self.since(start);
        let Some(lambdas_around) = &mut self.lambdas else {
            return Err(self.unsupported(span, "lambdas outside of functions", "write a function"));
        };
        let named = |text: &str| Name { text: text.into(), span };
        let call = Function {
            role: FunctionRole::Operator,
            name: named("operator()"),
            generics: Generics::default(),
            params,
            result: None,
            semantics: Vec::new(),
            body: Some(body),
            lambdas,
        };
        let (kind, modifiers) = (DeclKind::Function(call), Modifiers::default());
        let call = Decl { kind, modifiers, attributes: Vec::new(), doc: None, span };
        let (name, generics) = (named("lambda"), Generics::default());
        let shape = Aggregate { name, generics, bases: Vec::new(), members: Vec::new(), has_body: true };
        lambdas_around.push(Lambda { shape, call });
        let number = lambdas_around.len() - 1;
        self.height = 1;
        Ok(Expr { kind: ExprKind::Lambda(number), span })
    }

    /// A block, or an expression, which is what the block returns.
    fn lambda_body(&mut self, arrow: Span) -> Parsed<Block> {
        if self.is(TokenKind::LBrace) {
            return self.block();
        }
        let value = self.nested(Self::assignment)?;
        let span = value.span;
        let kind = StmtKind::Return(Some(value));
        Ok(Block { stmts: vec![Stmt { kind, attributes: Vec::new(), span }], span: arrow.to(span) })
    }

    /// `x => ...`, the cursor at the arrow.
    pub(super) fn stray_arrow(&mut self) -> Reported {
        let message = "a lambda's parameters stand in parentheses, with their types";
        self.syntax_error(self.span(), message, "as in `(float x) => 2 * x`")
    }
}
