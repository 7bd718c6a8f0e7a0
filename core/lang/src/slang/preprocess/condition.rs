//! The integer expression after `#if`.

use super::Preprocessor;
use crate::slang::number;
use crate::slang::token::{Token, TokenKind, after, word};
use pullback_base::Span;

/// How deep parentheses and signs may nest in a condition.
const MAX_DEPTH: usize = 100;

impl Preprocessor<'_> {
    /// The truth of a condition; false, and a diagnostic, when it has none.
    pub(super) fn evaluate(&mut self, directive: Span, line: &[Token]) -> bool {
        let Some(last) = line.last() else {
            self.error(directive, "the condition is missing", "expected an integer expression");
            return false;
        };
        let end = after(last.span);
        let replaced = self.replace_defined(line);
        let tokens = self.expand_all(&replaced);
        let mut condition = Condition { preprocessor: self, tokens: &tokens, at: 0, depth: 0, end };
        let value = condition.ternary(true).and_then(|value| match condition.tokens.get(condition.at) {
            Some(extra) => Err((extra.span, "the condition ends before this")),
            None => Ok(value),
        });
        match value {
            Ok(value) => value != 0,
            Err((span, label)) => {
                self.error(span, "the condition is not an integer expression", label);
                false
            }
        }
    }

    /// `defined X` and `defined(X)` become 1 or 0 before macros are expanded.
    fn replace_defined(&mut self, line: &[Token]) -> Vec<Token> {
        let mut out = Vec::with_capacity(line.len());
        let mut at = 0;
        while at < line.len() {
            use TokenKind::{LParen, RParen, Word};
            let kinds: Vec<TokenKind> = line[at..].iter().take(4).map(|token| token.kind).collect();
            let (name, length) = match kinds.as_slice() {
                [Word, Word, ..] => (at + 1, 2),
                [Word, LParen, Word, RParen] => (at + 2, 4),
                _ => (at, 1),
            };
            if line[at].is_word(word::DEFINED) && length > 1 {
                let text = if self.is_defined(line[name].symbol) { "1" } else { "0" };
                let symbol = self.interner.intern(text);
                out.push(Token::new(TokenKind::Number, symbol, line[name].span));
                at += length;
            } else {
                out.push(line[at]);
                at += 1;
            }
        }
        out
    }
}

struct Condition<'p, 'a> {
    preprocessor: &'p Preprocessor<'a>,
    tokens: &'p [Token],
    at: usize,
    depth: usize,
    end: Span,
}

type Value = Result<i64, (Span, &'static str)>;

/// The binary operators, and how tightly they bind.
#[derive(Clone, Copy)]
enum Op {
    Or,
    And,
    BitOr,
    BitXor,
    BitAnd,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    Shl,
    Shr,
    Add,
    Sub,
    Mul,
    Div,
    Rem,
}

impl Condition<'_, '_> {
    fn kind(&self, ahead: usize) -> TokenKind {
        self.tokens.get(self.at + ahead).map_or(TokenKind::Eof, |token| token.kind)
    }

    fn span(&self) -> Span {
        self.tokens.get(self.at).map_or(self.end, |token| token.span)
    }

    fn eat(&mut self, kind: TokenKind) -> bool {
        let found = self.kind(0) == kind;
        self.at += usize::from(found);
        found
    }

    /// `live`: the value counts; where it does not, a division by zero is no error.
    fn ternary(&mut self, live: bool) -> Value {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err((self.span(), "nested too deeply"));
        }
        let condition = self.binary(1, live)?;
        let value = if self.eat(TokenKind::Question) {
            let then = self.ternary(live && condition != 0)?;
            if !self.eat(TokenKind::Colon) {
                return Err((self.span(), "expected `:`"));
            }
            let otherwise = self.ternary(live && condition == 0)?;
            if condition != 0 { then } else { otherwise }
        } else {
            condition
        };
        self.depth -= 1;
        Ok(value)
    }

    /// The operator here, how tightly it binds, and how many tokens it has.
    fn operator(&self) -> Option<(Op, u8, usize)> {
        let joined = self.tokens.get(self.at + 1).is_some_and(|token| !token.is_spaced());
        Some(match self.kind(0) {
            TokenKind::PipePipe => (Op::Or, 1, 1),
            TokenKind::AmpAmp => (Op::And, 2, 1),
            TokenKind::Pipe => (Op::BitOr, 3, 1),
            TokenKind::Caret => (Op::BitXor, 4, 1),
            TokenKind::Amp => (Op::BitAnd, 5, 1),
            TokenKind::EqEq => (Op::Eq, 6, 1),
            TokenKind::NotEq => (Op::Ne, 6, 1),
            TokenKind::Less => (Op::Lt, 7, 1),
            TokenKind::LessEq => (Op::Le, 7, 1),
            TokenKind::Greater if joined && self.kind(1) == TokenKind::Eq => (Op::Ge, 7, 2),
            TokenKind::Greater if joined && self.kind(1) == TokenKind::Greater => (Op::Shr, 8, 2),
            TokenKind::Greater => (Op::Gt, 7, 1),
            TokenKind::Shl => (Op::Shl, 8, 1),
            TokenKind::Plus => (Op::Add, 9, 1),
            TokenKind::Minus => (Op::Sub, 9, 1),
            TokenKind::Star => (Op::Mul, 10, 1),
            TokenKind::Slash => (Op::Div, 10, 1),
            TokenKind::Percent => (Op::Rem, 10, 1),
            _ => return None,
        })
    }

    fn binary(&mut self, tightest: u8, live: bool) -> Value {
        let mut left = self.unary(live)?;
        while let Some((op, tightness, length)) = self.operator().filter(|&(_, t, _)| t >= tightest) {
            let span = self.span();
            self.at += length;
            let live = live
                && match op {
                    Op::Or => left == 0,
                    Op::And => left != 0,
                    _ => true,
                };
            let right = self.binary(tightness + 1, live)?;
            left = match op {
                Op::Div | Op::Rem if right == 0 && live => return Err((span, "division by zero")),
                Op::Div | Op::Rem if right == 0 => 0,
                op => apply(op, left, right),
            };
        }
        Ok(left)
    }

    fn unary(&mut self, live: bool) -> Value {
        let span = self.span();
        let kind = self.kind(0);
        self.at += 1;
        match kind {
            TokenKind::Number => {
                let symbol = self.tokens[self.at - 1].symbol;
                match number::parse(self.preprocessor.interner.text(symbol)) {
                    Ok(number::Number::Int(value, _)) => Ok(value as i64),
                    _ => Err((span, "not an integer")),
                }
            }
            // A name that is no macro counts as 0.
            TokenKind::Word => Ok(i64::from(self.tokens[self.at - 1].symbol == word::TRUE)),
            TokenKind::LParen => {
                let value = self.ternary(live)?;
                if !self.eat(TokenKind::RParen) {
                    return Err((self.span(), "expected `)`"));
                }
                Ok(value)
            }
            TokenKind::Minus | TokenKind::Plus | TokenKind::Not | TokenKind::Tilde => {
                self.depth += 1;
                if self.depth > MAX_DEPTH {
                    return Err((span, "nested too deeply"));
                }
                let value = self.unary(live)?;
                self.depth -= 1;
                Ok(match kind {
                    TokenKind::Minus => value.wrapping_neg(),
                    TokenKind::Not => i64::from(value == 0),
                    TokenKind::Tilde => !value,
                    _ => value,
                })
            }
            TokenKind::Eof => Err((self.end, "expected a number or a name")),
            _ => Err((span, "expected a number or a name")),
        }
    }
}

fn apply(op: Op, left: i64, right: i64) -> i64 {
    match op {
        Op::Or => i64::from(left != 0 || right != 0),
        Op::And => i64::from(left != 0 && right != 0),
        Op::BitOr => left | right,
        Op::BitXor => left ^ right,
        Op::BitAnd => left & right,
        Op::Eq => i64::from(left == right),
        Op::Ne => i64::from(left != right),
        Op::Lt => i64::from(left < right),
        Op::Le => i64::from(left <= right),
        Op::Gt => i64::from(left > right),
        Op::Ge => i64::from(left >= right),
        Op::Shl => left.wrapping_shl(right as u32),
        Op::Shr => left.wrapping_shr(right as u32),
        Op::Add => left.wrapping_add(right),
        Op::Sub => left.wrapping_sub(right),
        Op::Mul => left.wrapping_mul(right),
        Op::Div => left.wrapping_div(right),
        Op::Rem => left.wrapping_rem(right),
    }
}
