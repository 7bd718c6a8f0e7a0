//! Packs: `each` and `expand` before types and expressions.

use super::{Parsed, Parser, Reported};
use crate::slang::ast::{Expansion, Expr, ExprKind, GenericArg, TypeExpr, TypeExprKind};
use crate::slang::token::{Symbol, TokenKind, word};
use pullback_base::{Code, Diagnostic, Span};

/// So many `expand`s may be within one another.
const MAX_LEVELS: usize = 2;

impl Parser<'_> {
    /// Whether the word at `at` is `each` before what it picks of a pack.
    pub(super) fn is_each(&self, at: usize) -> bool {
        self.token_at(at).is_word(word::EACH) && self.token_at(at + 1).kind == TokenKind::Word
    }

    /// Whether the word at `at` is `expand` before what it writes out; a function may have that name too.
    pub(super) fn is_expand(&self, at: usize) -> bool {
        if !self.token_at(at).is_word(word::EXPAND) {
            return false;
        }
        match self.token_at(at + 1).kind {
            TokenKind::Word | TokenKind::LBrace | TokenKind::Not | TokenKind::Tilde => true,
            TokenKind::Minus => self.is_each(at + 2),
            TokenKind::LParen => {
                let end = self.scan_brackets(at + 1).unwrap_or(at);
                (at + 1..end).any(|at| self.is_each(at))
            }
            _ => false,
        }
    }

    /// `each args`, the cursor at `each`.
    pub(super) fn each(&mut self) -> Parsed<Expr> {
        let start = self.bump().span;
        let operand = self.primary()?;
        let operand = self.postfix(operand)?;
        let height = self.height;
        self.note_each(start, GenericArg::Value(operand.clone()))?;
        self.higher(height, start, ExprKind::Each(Box::new(operand)))
    }

    /// `expand f(each args)`, the cursor at `expand`.
    pub(super) fn expand(&mut self) -> Parsed<Expr> {
        let start = self.bump().span;
        let expansion = self.expansion(start, Self::assignment)?;
        self.higher(self.height, start, ExprKind::Expand(expansion.into()))
    }

    /// The same among generic arguments, where `>` ends it.
    pub(super) fn expand_in_angles(&mut self) -> Parsed<Expr> {
        let start = self.bump().span;
        let expansion = self.expansion(start, Self::generic_value)?;
        self.higher(self.height, start, ExprKind::Expand(expansion.into()))
    }

    /// `each T` and `expand S<each T>`, when there is one of them here.
    pub(super) fn pack_type(&mut self, what: &str) -> Parsed<Option<TypeExpr>> {
        self.refuse_pack_query()?;
        let (each, expand) = (self.is_each(self.at), self.is_word(word::EXPAND));
        if !(each || expand && self.kind_ahead(1) == TokenKind::Word) {
            return Ok(None);
        }
        let start = self.bump().span;
        let kind = if each {
            let ty = self.ty(what)?;
            self.note_each(start, GenericArg::Type(ty.clone()))?;
            TypeExprKind::Each(Box::new(ty))
        } else {
            TypeExprKind::Expand(self.expansion(start, |parser| parser.ty(what))?.into())
        };
        Ok(Some(TypeExpr { kind, span: self.since(start) }))
    }

    /// Refuses `__first(T)` and its kin.
    pub(super) fn refuse_pack_query(&mut self) -> Parsed<()> {
        const QUERIES: [Symbol; 5] =
            [word::FIRST, word::LAST, word::TRIM_FIRST, word::TRIM_LAST, word::PACK_BRANCH];
        let is_query = QUERIES.into_iter().any(|query| self.is_word(query));
        if is_query && self.kind_ahead(1) == TokenKind::LParen {
            return Err(self.unsupported(
                self.span(),
                "`__first` and its kin",
                "take the first element as a parameter before the pack",
            ));
        }
        Ok(())
    }

    fn expansion<T>(
        &mut self,
        start: Span,
        parse: impl FnOnce(&mut Self) -> Parsed<T>,
    ) -> Parsed<Expansion<T>> {
        // Each level has as many turns as its packs have elements.
        if self.expansions.len() == MAX_LEVELS {
            return Err(self.unsupported(
                start,
                "more than two levels of `expand`",
                "name the inner ones first",
            ));
        }
        self.expansions.push(Vec::new());
        let of = parse(self);
        let each = self.expansions.pop().unwrap_or_default();
        let of = of?;
        if each.is_empty() {
            return Err(self.misplaced(
                Diagnostic::error(Code::SyntaxError, "`expand` without `each`")
                    .at(self.since(start), "names no pack to write this out for")
                    .help("put `each` before the pack: `expand f(each args)`"),
            ));
        }
        Ok(Expansion { of, each })
    }

    fn note_each(&mut self, each: Span, pack: GenericArg) -> Parsed<()> {
        let span = self.since(each);
        match self.expansions.last_mut() {
            Some(packs) => {
                packs.push(pack);
                Ok(())
            }
            None => Err(self.misplaced(
                Diagnostic::error(Code::SyntaxError, "`each` outside of `expand`")
                    .at(span, "one element of a pack, but nothing says of which turn")
                    .help("write `expand` before what is to be written out: `expand f(each args)`"),
            )),
        }
    }

    fn misplaced(&mut self, diagnostic: Diagnostic) -> Reported {
        self.error(diagnostic);
        Reported
    }
}
