//! Looking ahead: telling types from expressions by their form, since the parser knows no names.
//!
//! The rules, in the order tried:
//! - A statement that begins `Type name` declares. `a < b > c` declares, as in C#.
//! - `T?` is a type when `= ; ,` follows the name behind it, or `) > ,` the mark itself.
//! - `base < ... >` is a generic application when the part between the angles could be generic arguments and
//!   the token behind cannot go on from a comparison: one of `( ) [ ] { } , ; : . :: ? = == != && || > EOF`.
//! - `(T) e` is a cast when `T` has the form of a type and `e` can begin an operand. Where `T` is certainly a
//!   type (a built-in one, a pointer, or one with generic arguments) any operand will do; else it must be one that cannot
//!   go on from a value: `(a) - b` subtracts, `(a) b`, `(a) 1`, `(a) !b` and `(a)(b)` cast.
//!
//! A scan reads at most [`MAX_SCAN`] tokens, so that parsing stays linear in the text.

use super::{Parser, is_reserved};
use crate::slang::ast::ModifierKind;
use crate::slang::token::{Symbol, TokenKind, word};

const MAX_SCAN: usize = 400;
const MAX_ANGLES: usize = 20;

/// What looks like a type: where it ends, and whether it can be nothing else.
#[derive(Clone, Copy)]
pub(super) struct TypeForm {
    pub end: usize,
    pub certain: bool,
}

impl Parser<'_> {
    /// A type's form at `at`: `a.b<c>[4]`.
    pub(super) fn scan_type(&self, mut at: usize) -> Option<TypeForm> {
        if self.lays_out(at) && self.token_at(at + 1).kind == TokenKind::Word {
            at += 1;
        }
        let expands =
            |at| self.token_at(at).is_word(word::EXPAND) && self.token_at(at + 1).kind == TokenKind::Word;
        while expands(at) || self.is_each(at) {
            at += 1;
        }
        let head = self.token_at(at);
        if head.is_word(word::UNSIGNED) || head.is_word(word::SIGNED) {
            let sized = self.token_at(at + 1).kind == TokenKind::Word && self.is_builtin_type(at + 1);
            return Some(TypeForm { end: at + 1 + usize::from(sized), certain: true });
        }
        let builtin = self.is_builtin_type(at);
        let mut certain;
        loop {
            let token = self.token_at(at);
            if token.kind != TokenKind::Word || is_reserved(token.symbol) {
                return None;
            }
            certain = builtin;
            at += 1;
            if self.token_at(at).kind == TokenKind::Less {
                at = self.scan_generic_args(at)?;
                certain = true;
            }
            let dot = matches!(self.token_at(at).kind, TokenKind::Dot | TokenKind::ColonColon);
            if !dot || self.token_at(at + 1).kind != TokenKind::Word {
                break;
            }
            at += 1;
        }
        while self.token_at(at).kind == TokenKind::LBracket {
            at = self.scan_brackets(at)?;
        }
        let behind_stars = self.scan_stars(at);
        if behind_stars > at {
            // No factor can begin with what is behind the stars, or none can be before them.
            let next = self.token_at(behind_stars).kind;
            let no_product = matches!(next, TokenKind::RParen | TokenKind::Greater | TokenKind::Comma);
            if no_product || certain && next == TokenKind::Word {
                return Some(TypeForm { end: behind_stars, certain: true });
            }
        }
        if self.token_at(at).kind == TokenKind::Question && self.marks_optional(at) {
            return Some(TypeForm { end: at + 1, certain: true });
        }
        Some(TypeForm { end: at, certain })
    }

    /// `row_major` or `column_major`.
    pub(super) fn lays_out(&self, at: usize) -> bool {
        let token = self.token_at(at);
        token.is_word(word::ROW_MAJOR) || token.is_word(word::COLUMN_MAJOR)
    }

    fn scan_stars(&self, mut at: usize) -> usize {
        while self.token_at(at).kind == TokenKind::Star {
            at += 1;
        }
        at
    }

    /// Whether the `?` makes the type before it optional: no condition is chosen on there.
    fn marks_optional(&self, at: usize) -> bool {
        use TokenKind::*;
        let next = self.token_at(at + 1).kind;
        let names = next == Word && matches!(self.token_at(at + 2).kind, Eq | Semicolon | Comma);
        names || matches!(next, RParen | Greater | Comma)
    }

    pub(super) fn scan_brackets(&self, open: usize) -> Option<usize> {
        let mut depth = 0usize;
        for at in open..open + MAX_SCAN {
            match self.token_at(at).kind {
                TokenKind::LParen | TokenKind::LBracket => depth += 1,
                TokenKind::RParen | TokenKind::RBracket => {
                    depth -= 1;
                    if depth == 0 {
                        return Some(at + 1);
                    }
                }
                TokenKind::Semicolon | TokenKind::LBrace | TokenKind::RBrace | TokenKind::Eof => return None,
                _ => {}
            }
        }
        None
    }

    /// Behind the `>` that closes the `<` at `open`, if what lies between could be generic arguments.
    pub(super) fn scan_generic_args(&self, open: usize) -> Option<usize> {
        use TokenKind::*;
        let mut angles = 0usize;
        let mut at = open;
        while at < open + MAX_SCAN {
            match self.token_at(at).kind {
                Less if angles == MAX_ANGLES => return None,
                Less => angles += 1,
                Greater => {
                    angles -= 1;
                    if angles == 0 {
                        return Some(at + 1);
                    }
                }
                LParen | LBracket => {
                    at = self.scan_brackets(at)?;
                    continue;
                }
                Word if is_reserved(self.token_at(at).symbol) => match self.token_at(at).symbol {
                    word::TRUE | word::FALSE | word::SIZEOF => {}
                    _ => return None,
                },
                Question if self.marks_optional(at) => {}
                Word | Number | Comma | Dot | ColonColon | Plus | Minus | Star | Slash | Percent => {}
                _ => return None,
            }
            at += 1;
        }
        None
    }

    /// Whether the `<` here opens generic arguments in an expression.
    pub(super) fn opens_generic_args(&self) -> bool {
        use TokenKind::*;
        let Some(end) = self.scan_generic_args(self.at) else { return false };
        let behind = self.token_at(end);
        // `a < b >> c` shifts and `a < b >= c` compares.
        if matches!(behind.kind, Greater | Eq) && !behind.is_spaced() {
            return false;
        }
        matches!(
            behind.kind,
            LParen
                | RParen
                | LBracket
                | RBracket
                | LBrace
                | RBrace
                | Comma
                | Semicolon
                | Colon
                | Dot
                | ColonColon
                | Question
                | Eq
                | EqEq
                | NotEq
                | AmpAmp
                | PipePipe
                | Greater
                | Eof
        )
    }

    /// Whether the `(` here begins a cast.
    pub(super) fn begins_cast(&self) -> bool {
        use TokenKind::*;
        let Some(form) = self.scan_type(self.at + 1) else { return false };
        if self.token_at(form.end).kind != RParen {
            return false;
        }
        let operand = self.token_at(form.end + 1);
        match operand.kind {
            Word => {
                let goes_on = operand.symbol == word::IS || operand.symbol == word::AS;
                let begins = [word::TRUE, word::FALSE, word::THIS, word::SIZEOF, word::NO_DIFF];
                !goes_on && (!is_reserved(operand.symbol) || begins.contains(&operand.symbol))
            }
            Number | String | Not | Tilde | LParen => true,
            Plus | Minus | PlusPlus | MinusMinus | Star | Amp | LBrace => form.certain,
            _ => false,
        }
    }

    /// Whether a declaration `Type name` begins at `at`.
    pub(super) fn begins_typed_declaration(&self, at: usize) -> bool {
        let Some(form) = self.scan_type(at) else { return false };
        let name = self.token_at(form.end);
        if name.kind == TokenKind::Star {
            // `Node* p;` and `Node* p = ...` declare, as in C: the product would be for nothing.
            let at = self.scan_stars(form.end);
            let behind = self.token_at(at + 1).kind;
            return self.token_at(at).kind == TokenKind::Word
                && matches!(behind, TokenKind::Eq | TokenKind::Semicolon | TokenKind::Comma);
        }
        name.kind == TokenKind::Word && name.symbol != word::IS && name.symbol != word::AS
    }

    /// Whether `Type name(...) {` begins here: a function, which no block can hold.
    pub(super) fn begins_function(&self) -> bool {
        let mut at = self.at;
        while self.token_at(at).kind == TokenKind::LBracket {
            let Some(end) = self.scan_brackets(at) else { return false };
            at = end;
        }
        while self.modifier_at(at).is_some() {
            at += 1;
        }
        let Some(form) = self.scan_type(at) else { return false };
        self.token_at(form.end).kind == TokenKind::Word
            && self.token_at(form.end + 1).kind == TokenKind::LParen
            && self
                .scan_brackets(form.end + 1)
                .is_some_and(|end| self.token_at(end).kind == TokenKind::LBrace)
    }

    /// Whether the statement here is a declaration.
    pub(super) fn begins_declaration(&self) -> bool {
        let mut at = self.at;
        while self.modifier_at(at).is_some() {
            at += 1;
        }
        let token = self.token_at(at);
        if token.kind != TokenKind::Word {
            return false;
        }
        let named = self.token_at(at + 1).kind == TokenKind::Word;
        match token.symbol {
            word::STRUCT | word::CLASS | word::ENUM | word::INTERFACE | word::TYPEDEF => true,
            word::LET | word::VAR | word::TYPEALIAS | word::FUNC | word::EXTENSION | word::EXTENSION2
                if named =>
            {
                true
            }
            _ => self.begins_typed_declaration(at),
        }
    }

    /// The modifier at `at`. Words that are also good names count only before another word.
    pub(super) fn modifier_at(&self, at: usize) -> Option<ModifierKind> {
        let token = self.token_at(at);
        if token.kind != TokenKind::Word {
            return None;
        }
        let kind = modifier(token.symbol)?;
        let next = self.token_at(at + 1);
        let before_word = next.kind == TokenKind::Word && next.symbol != word::IS && next.symbol != word::AS;
        let firm = matches!(kind, ModifierKind::Static | ModifierKind::Const);
        (firm || before_word || next.kind == TokenKind::LBracket && is_reserved(token.symbol)).then_some(kind)
    }

    /// Whether the word at `at` names a type the language has built in.
    pub(super) fn is_builtin_type(&self, at: usize) -> bool {
        let token = self.token_at(at);
        token.kind == TokenKind::Word && is_builtin_type(self.text(token))
    }
}

/// `float`, `float3`, `float4x4`, `uint64_t`, `void` ...
fn is_builtin_type(text: &str) -> bool {
    const SCALARS: &[&str] = &[
        "bool",
        "int",
        "uint",
        "float",
        "half",
        "double",
        "int8_t",
        "int16_t",
        "int32_t",
        "int64_t",
        "uint8_t",
        "uint16_t",
        "uint32_t",
        "uint64_t",
        "float16_t",
        "float32_t",
        "float64_t",
    ];
    if text == "void" || SCALARS.contains(&text) {
        return true;
    }
    let bytes = text.as_bytes();
    let dim = |byte: u8| (b'1'..=b'4').contains(&byte);
    let scalar = match bytes {
        [.., rows, b'x', columns] if dim(*rows) && dim(*columns) => &text[..text.len() - 3],
        [.., rows] if dim(*rows) => &text[..text.len() - 1],
        _ => return false,
    };
    SCALARS.contains(&scalar)
}

fn modifier(symbol: Symbol) -> Option<ModifierKind> {
    use ModifierKind as M;
    Some(match symbol {
        word::IN => M::In,
        word::OUT => M::Out,
        word::INOUT => M::InOut,
        word::REF | word::REF2 => M::Ref,
        word::CONSTREF | word::CONSTREF2 => M::ConstRef,
        word::NO_DIFF => M::NoDiff,
        word::UNIFORM => M::Uniform,
        word::CONST => M::Const,
        word::STATIC => M::Static,
        word::GROUPSHARED => M::GroupShared,
        word::PUBLIC => M::Public,
        word::INTERNAL => M::Internal,
        word::PRIVATE => M::Private,
        word::EXTERN => M::Extern,
        word::EXPORT | word::EXPORTED => M::Export,
        word::INLINE => M::Inline,
        word::OVERRIDE => M::Override,
        word::PREFIX => M::Prefix,
        word::POSTFIX => M::Postfix,
        word::ROW_MAJOR => M::RowMajor,
        word::COLUMN_MAJOR => M::ColumnMajor,
        word::PRECISE => M::Precise,
        word::VOLATILE => M::Volatile,
        word::COHERENT => M::Coherent,
        word::NOINTERPOLATION | word::NOPERSPECTIVE | word::LINEAR | word::CENTROID | word::SAMPLE => {
            M::Interpolation
        }
        _ => return None,
    })
}
