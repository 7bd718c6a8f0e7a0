//! Expressions, by precedence climbing.

use super::{Parsed, Parser, is_reserved};
use crate::slang::ast::{
    BinaryOp, DerivativeMode, Expr, ExprKind, Fix, MAX_HEIGHT, Name, StepOp, TypeExpr, UnaryOp,
};
use crate::slang::number::{self, Number};
use crate::slang::token::{Token, TokenKind, word};
use pullback_base::{Code, Diagnostic, Span};

/// Binds tighter: `*` over `+` over `<<` over `<` ... `||` is 1.
type Tightness = u8;
const RELATIONAL: Tightness = 7;
const ADDITIVE: Tightness = 9;

/// An infix operator, and how many tokens it has.
enum Infix {
    Binary(BinaryOp, usize),
    Is,
    As,
}

impl Parser<'_> {
    /// An expression, commas included.
    pub(super) fn expr(&mut self) -> Parsed<Expr> {
        let first = self.assignment()?;
        if !self.is(TokenKind::Comma) {
            return Ok(first);
        }
        let (start, mut height) = (first.span, self.height);
        let mut parts = vec![first];
        while self.eat(TokenKind::Comma) {
            parts.push(self.assignment()?);
            height = height.max(self.height);
        }
        self.higher(height, start, ExprKind::Comma(parts))
    }

    /// An expression without top-level commas: an argument, an initializer.
    pub(super) fn assignment(&mut self) -> Parsed<Expr> {
        self.nested(|parser| {
            let target = parser.conditional()?;
            let Some((op, length)) = parser.assign_op() else { return Ok(target) };
            let (height, op_span) = (parser.height, parser.operator_span(length));
            let value = parser.assignment()?;
            let height = height.max(parser.height);
            let start = target.span;
            let (target, value) = (Box::new(target), Box::new(value));
            parser.higher(height, start, ExprKind::Assign { op, op_span, target, value })
        })
    }

    /// An expression in parentheses of a statement: a wrong one was reported, and stands as `Error`.
    pub(super) fn expr_or_error(&mut self) -> Parsed<Expr> {
        let start = self.span();
        match self.expr() {
            Err(_) if !self.stopped => Ok(self.leaf(start, ExprKind::Error)),
            result => result,
        }
    }

    /// A variable's value: a wrong one stands as `Error`, so that the variable is declared.
    pub(super) fn initializer(&mut self) -> Parsed<Expr> {
        let start = self.span();
        match self.assignment() {
            Err(_) if !self.stopped => {
                self.skip_item();
                Ok(self.leaf(start, ExprKind::Error))
            }
            result => result,
        }
    }

    /// An expression without comparisons and shifts, whose signs close the list: a generic argument.
    pub(super) fn generic_value(&mut self) -> Parsed<Expr> {
        self.nested(|parser| parser.binary(1, true))
    }

    /// A node above one of height `below`, from `start` to the token just read.
    pub(super) fn higher(&mut self, below: usize, start: Span, kind: ExprKind) -> Parsed<Expr> {
        self.height = below + 1;
        if self.height > MAX_HEIGHT {
            let span = self.span();
            self.error(
                Diagnostic::error(Code::SyntaxError, "nested too deeply")
                    .at(span, format!("the expression has more than {MAX_HEIGHT} operators in a chain here"))
                    .help("split it with variables"),
            );
            return Err(self.stop());
        }
        Ok(Expr { kind, span: self.since(start) })
    }

    fn leaf(&mut self, span: Span, kind: ExprKind) -> Expr {
        self.height = 1;
        Expr { kind, span }
    }

    /// Reads an operator of several tokens (`>` `>`); its span.
    fn operator_span(&mut self, length: usize) -> Span {
        let start = self.span();
        for _ in 0..length {
            self.bump();
        }
        self.since(start)
    }

    /// Whether the token `ahead` is of this kind and touches the one before it.
    fn joined(&self, ahead: usize, kind: TokenKind) -> bool {
        let token = self.token_at(self.at + ahead);
        token.kind == kind && !token.is_spaced()
    }

    fn assign_op(&self) -> Option<(Option<BinaryOp>, usize)> {
        let op = match self.kind() {
            TokenKind::Eq => return Some((None, 1)),
            TokenKind::PlusEq => BinaryOp::Add,
            TokenKind::MinusEq => BinaryOp::Sub,
            TokenKind::StarEq => BinaryOp::Mul,
            TokenKind::SlashEq => BinaryOp::Div,
            TokenKind::PercentEq => BinaryOp::Rem,
            TokenKind::AmpEq => BinaryOp::BitAnd,
            TokenKind::PipeEq => BinaryOp::BitOr,
            TokenKind::CaretEq => BinaryOp::BitXor,
            TokenKind::ShlEq => BinaryOp::Shl,
            TokenKind::Greater if self.joined(1, TokenKind::Greater) && self.joined(2, TokenKind::Eq) => {
                return Some((Some(BinaryOp::Shr), 3));
            }
            _ => return None,
        };
        Some((Some(op), 1))
    }

    fn infix(&self) -> Option<(Infix, Tightness)> {
        use BinaryOp::*;
        let one = |op| Infix::Binary(op, 1);
        Some(match self.kind() {
            TokenKind::PipePipe => (one(Or), 1),
            TokenKind::AmpAmp => (one(And), 2),
            TokenKind::Pipe => (one(BitOr), 3),
            TokenKind::Caret => (one(BitXor), 4),
            TokenKind::Amp => (one(BitAnd), 5),
            TokenKind::EqEq => (one(Eq), 6),
            TokenKind::NotEq => (one(Ne), 6),
            TokenKind::Less => (one(Lt), RELATIONAL),
            TokenKind::LessEq => (one(Le), RELATIONAL),
            TokenKind::Greater if self.joined(1, TokenKind::Eq) => (Infix::Binary(Ge, 2), RELATIONAL),
            TokenKind::Greater if self.joined(1, TokenKind::Greater) => {
                if self.joined(2, TokenKind::Eq) {
                    return None;
                }
                (Infix::Binary(Shr, 2), 8)
            }
            TokenKind::Greater => (one(Gt), RELATIONAL),
            TokenKind::Word if self.is_word(word::IS) => (Infix::Is, RELATIONAL),
            TokenKind::Word if self.is_word(word::AS) => (Infix::As, RELATIONAL),
            TokenKind::Shl => (one(Shl), 8),
            TokenKind::Plus => (one(Add), ADDITIVE),
            TokenKind::Minus => (one(Sub), ADDITIVE),
            TokenKind::Star => (one(Mul), 10),
            TokenKind::Slash => (one(Div), 10),
            TokenKind::Percent => (one(Rem), 10),
            _ => return None,
        })
    }

    pub(super) fn conditional(&mut self) -> Parsed<Expr> {
        let condition = self.binary(1, false)?;
        if !self.eat(TokenKind::Question) {
            return Ok(condition);
        }
        let mut height = self.height;
        let then = self.assignment()?;
        height = height.max(self.height);
        self.expect(TokenKind::Colon, "and the other value of `?`")?;
        let otherwise = self.nested(Self::conditional)?;
        height = height.max(self.height);
        let start = condition.span;
        let (condition, then, otherwise) = (Box::new(condition), Box::new(then), Box::new(otherwise));
        self.higher(height, start, ExprKind::Conditional { condition, then, otherwise })
    }

    /// `in_angles`: what is made of `<` and `>` is none of its operators.
    fn binary(&mut self, loosest: Tightness, in_angles: bool) -> Parsed<Expr> {
        let mut left = self.unary()?;
        let goes_on = |tightness: Tightness| {
            tightness >= loosest && !(in_angles && (RELATIONAL..ADDITIVE).contains(&tightness))
        };
        while let Some((infix, tightness)) = self.infix().filter(|&(_, tightness)| goes_on(tightness)) {
            let (start, height) = (left.span, self.height);
            let boxed = Box::new(left);
            match infix {
                Infix::Binary(op, length) => {
                    let op_span = self.operator_span(length);
                    let right = self.nested(|parser| parser.binary(tightness + 1, in_angles))?;
                    let height = height.max(self.height);
                    let kind = ExprKind::Binary { op, op_span, left: boxed, right: Box::new(right) };
                    left = self.higher(height, start, kind)?;
                }
                Infix::Is | Infix::As => {
                    self.bump();
                    let ty = self.ty_in_expr()?;
                    let kind = match infix {
                        Infix::Is => ExprKind::Is { value: boxed, ty },
                        _ => ExprKind::As { value: boxed, ty },
                    };
                    left = self.higher(height, start, kind)?;
                }
            }
        }
        Ok(left)
    }

    fn unary(&mut self) -> Parsed<Expr> {
        let start = self.span();
        let op = match self.kind() {
            TokenKind::Plus => UnaryOp::Plus,
            TokenKind::Minus => UnaryOp::Negate,
            TokenKind::Not => UnaryOp::Not,
            TokenKind::Tilde => UnaryOp::BitNot,
            TokenKind::PlusPlus => return self.prefix_step(StepOp::Increment),
            TokenKind::MinusMinus => return self.prefix_step(StepOp::Decrement),
            TokenKind::Word if self.is_word(word::NO_DIFF) => {
                self.bump();
                let value = Box::new(self.nested(Self::unary)?);
                return self.higher(self.height, start, ExprKind::NoDiff(value));
            }
            TokenKind::Word if self.is_word(word::TRY) && self.kind_ahead(1) == TokenKind::Word => {
                self.bump();
                let call = Box::new(self.nested(Self::unary)?);
                return self.higher(self.height, start, ExprKind::Try(call));
            }
            TokenKind::Word if self.is_each(self.at) => return self.each(),
            TokenKind::Word if self.is_expand(self.at) => return self.expand(),
            TokenKind::LParen if self.begins_lambda() => return self.lambda(),
            TokenKind::LParen if self.begins_cast() => return self.cast(),
            TokenKind::Star | TokenKind::Amp => {
                let deref = self.bump().kind == TokenKind::Star;
                let value = Box::new(self.nested(Self::unary)?);
                let kind = if deref { ExprKind::Deref(value) } else { ExprKind::AddressOf(value) };
                return self.higher(self.height, start, kind);
            }
            _ => {
                let base = self.primary()?;
                return self.postfix(base);
            }
        };
        self.bump();
        let value = Box::new(self.nested(Self::unary)?);
        self.higher(self.height, start, ExprKind::Unary { op, value })
    }

    fn prefix_step(&mut self, op: StepOp) -> Parsed<Expr> {
        let start = self.bump().span;
        let target = Box::new(self.nested(Self::unary)?);
        self.higher(self.height, start, ExprKind::Step { op, fix: Fix::Prefix, target })
    }

    fn cast(&mut self) -> Parsed<Expr> {
        let open = self.bump().span;
        let ty = self.ty("a type")?;
        self.close(TokenKind::RParen, open);
        let value = Box::new(self.nested(Self::unary)?);
        self.higher(self.height, open, ExprKind::Cast { ty, value })
    }

    pub(super) fn postfix(&mut self, mut base: Expr) -> Parsed<Expr> {
        loop {
            let (start, height) = (base.span, self.height);
            let (below, kind) = match self.kind() {
                TokenKind::Dot | TokenKind::ColonColon => {
                    self.bump();
                    let name = self.member_name()?;
                    (0, ExprKind::Member { base: Box::new(base), name })
                }
                TokenKind::LParen => {
                    let args = self.list(TokenKind::RParen)?;
                    (self.height, ExprKind::Call { callee: Box::new(base), args })
                }
                TokenKind::LBracket => {
                    let args = self.list(TokenKind::RBracket)?;
                    (self.height, ExprKind::Index { base: Box::new(base), args })
                }
                TokenKind::Less if is_path(&base) && self.opens_generic_args() => {
                    let args = self.generic_args()?;
                    (self.height, ExprKind::Generic { base: Box::new(base), args })
                }
                TokenKind::PlusPlus | TokenKind::MinusMinus => {
                    let up = self.bump().kind == TokenKind::PlusPlus;
                    let op = if up { StepOp::Increment } else { StepOp::Decrement };
                    (0, ExprKind::Step { op, fix: Fix::Postfix, target: Box::new(base) })
                }
                TokenKind::Arrow => {
                    self.bump();
                    let name = self.member_name()?;
                    let target = self.higher(height, start, ExprKind::Deref(Box::new(base)))?;
                    base =
                        self.higher(self.height, start, ExprKind::Member { base: Box::new(target), name })?;
                    continue;
                }
                TokenKind::FatArrow => return Err(self.stray_arrow()),
                _ => return Ok(base),
            };
            base = self.higher(height.max(below), start, kind)?;
        }
    }

    /// `( a, b )`, `[ a ]`, `{ a, b, }`, a last comma or not, the cursor at the opening; the height becomes the highest's.
    pub(super) fn list(&mut self, closing: TokenKind) -> Parsed<Vec<Expr>> {
        let open = self.bump().span;
        let mut items = Vec::new();
        let mut height = 0;
        let mut is_short_of_a_comma = false;
        while !self.is(closing) {
            items.push(self.assignment()?);
            height = height.max(self.height);
            if !self.eat(TokenKind::Comma) {
                if self.is(closing) || !self.begins_operand() || is_short_of_a_comma {
                    break;
                }
                is_short_of_a_comma = true;
                let message = format!("expected `,` or `{}`, found {}", closing.text(), self.found());
                self.syntax_error(self.span(), message, "a `,` may be missing before this");
                if self.token().is_line_start() {
                    break;
                }
                continue;
            }
        }
        self.close(closing, open);
        self.height = height;
        Ok(items)
    }

    /// The arguments in `( ... )` of an attribute or a semantic, when there are some here.
    pub(super) fn optional_args(&mut self) -> Parsed<Vec<Expr>> {
        if self.is(TokenKind::LParen) { self.list(TokenKind::RParen) } else { Ok(Vec::new()) }
    }

    fn begins_operand(&self) -> bool {
        matches!(self.kind(), TokenKind::Word | TokenKind::Number | TokenKind::String)
    }

    pub(super) fn primary(&mut self) -> Parsed<Expr> {
        self.refuse_pack_query()?;
        let token = self.token();
        match token.kind {
            TokenKind::Number => {
                self.bump();
                Ok(self.number(token))
            }
            TokenKind::String => Ok(self.string()),
            TokenKind::Word => self.word(token),
            TokenKind::LParen => {
                let open = self.bump().span;
                let inner = self.expr()?;
                self.close(TokenKind::RParen, open);
                Ok(Expr { span: self.since(open), ..inner })
            }
            TokenKind::LBrace => {
                let items = self.list(TokenKind::RBrace)?;
                self.higher(self.height, token.span, ExprKind::InitList(items))
            }
            TokenKind::ColonColon => {
                Err(self.unsupported(token.span, "names that begin with `::`", "leave the `::` out"))
            }
            _ => Err(self.expected("an expression")),
        }
    }

    fn word(&mut self, token: Token) -> Parsed<Expr> {
        let kind = match token.symbol {
            word::TRUE => ExprKind::Bool(true),
            word::FALSE => ExprKind::Bool(false),
            word::THIS => ExprKind::This,
            word::SIZEOF => return self.size_of(),
            word::FWD_DIFF | word::FWD_DIFF2 => return self.derivative(DerivativeMode::Forward),
            word::BWD_DIFF | word::BWD_DIFF2 => return self.derivative(DerivativeMode::Backward),
            word::INTRINSIC_ASM | word::ASM_BLOCK => return Ok(self.assembly(token)),
            word::NEW if self.kind_ahead(1) == TokenKind::Word => {
                return Err(self.unsupported(token.span, "class objects", "structs are made by `T(...)`"));
            }
            symbol if is_reserved(symbol) => {
                let text = self.text(token);
                let message = format!("expected an expression, found the keyword `{text}`");
                return Err(self.syntax_error(token.span, message, "expected an expression"));
            }
            _ => ExprKind::Name(self.name_of(token)),
        };
        self.bump();
        Ok(self.leaf(token.span, kind))
    }

    /// `__intrinsic_asm "...", ...`, and such a word before `{ ... }`: what is in them is of another language.
    fn assembly(&mut self, token: Token) -> Expr {
        let name = self.name_of(token);
        self.bump();
        if self.is(TokenKind::LBrace) {
            self.at = self.skip_balanced(self.at);
        } else {
            while !matches!(self.kind(), TokenKind::Semicolon | TokenKind::RBrace | TokenKind::Eof) {
                self.bump();
            }
        }
        self.leaf(self.since(token.span), ExprKind::Assembly(name))
    }

    /// Behind a `.`: `operator()` is a name there too.
    fn member_name(&mut self) -> Parsed<Name> {
        match self.operator_name()? {
            Some(name) => Ok(name),
            None => self.name("a member's name"),
        }
    }

    fn size_of(&mut self) -> Parsed<Expr> {
        let start = self.bump().span;
        let open = self.expect(TokenKind::LParen, "after `sizeof`")?.span;
        self.height = 0;
        let ty: TypeExpr = self.ty("a type")?;
        self.close(TokenKind::RParen, open);
        self.higher(self.height, start, ExprKind::SizeOf(ty))
    }

    fn derivative(&mut self, mode: DerivativeMode) -> Parsed<Expr> {
        let start = self.bump();
        let after = format!("after `{}`", self.text(start));
        let open = self.expect(TokenKind::LParen, &after)?.span;
        let function = Box::new(self.assignment()?);
        self.close(TokenKind::RParen, open);
        self.higher(self.height, start.span, ExprKind::Derivative { mode, function })
    }

    /// A number token's value; a wrong number is reported and stands as `Error`.
    fn number(&mut self, token: Token) -> Expr {
        let kind = match number::parse(self.text(token)) {
            Ok(Number::Int(value, suffix)) => ExprKind::Int { value, suffix },
            Ok(Number::Float(value, suffix)) => ExprKind::Float { value, suffix },
            Err(label) => {
                let message = format!("`{}` is not a number", self.text(token));
                self.syntax_error(token.span, message, label);
                ExprKind::Error
            }
        };
        self.leaf(token.span, kind)
    }

    /// Adjacent strings are one.
    fn string(&mut self) -> Expr {
        let start = self.span();
        let mut text = String::new();
        while self.is(TokenKind::String) {
            let token = self.bump();
            unescape(self.text(token), &mut text);
        }
        let span = self.since(start);
        self.leaf(span, ExprKind::String(text.into()))
    }
}

/// Only `a`, `a.b` and `a<..>.b` take generic arguments.
fn is_path(expr: &Expr) -> bool {
    matches!(expr.kind, ExprKind::Name(_) | ExprKind::Member { .. })
}

/// Adds a string token's value to `out`.
fn unescape(token: &str, out: &mut String) {
    let mut chars = token.trim_start_matches('"').chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => {}
            '\\' => match chars.next() {
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some('r') => out.push('\r'),
                Some('0') => out.push('\0'),
                Some(other) => out.push(other),
                None => {}
            },
            c => out.push(c),
        }
    }
}
