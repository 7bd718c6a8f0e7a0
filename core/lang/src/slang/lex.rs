//! Text to tokens. Never fails: what is no token becomes a `Bad*` token.

use super::token::{Interner, Token, TokenKind, word};
use pullback_base::{FileId, Span};

/// The tokens of a text, without the end marker.
pub fn lex(file: FileId, text: &str, interner: &mut Interner) -> Vec<Token> {
    let mut lexer = Lexer {
        file,
        text,
        bytes: text.as_bytes(),
        at: 0,
        line_start: true,
        spaced: false,
        tokens: Vec::with_capacity(text.len() / 4),
        interner,
    };
    if text.starts_with('\u{feff}') {
        lexer.at = 3;
    }
    while lexer.skip_blank() {
        lexer.token();
    }
    lexer.tokens
}

struct Lexer<'a> {
    file: FileId,
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    line_start: bool,
    spaced: bool,
    tokens: Vec<Token>,
    interner: &'a mut Interner,
}

/// Longest first among those that share a beginning.
const PUNCTUATORS: &[(&str, TokenKind)] = {
    use TokenKind::*;
    &[
        ("...", Ellipsis),
        ("<<=", ShlEq),
        ("::", ColonColon),
        ("->", Arrow),
        ("=>", FatArrow),
        ("++", PlusPlus),
        ("--", MinusMinus),
        ("&&", AmpAmp),
        ("||", PipePipe),
        ("==", EqEq),
        ("!=", NotEq),
        ("<=", LessEq),
        ("<<", Shl),
        ("+=", PlusEq),
        ("-=", MinusEq),
        ("*=", StarEq),
        ("/=", SlashEq),
        ("%=", PercentEq),
        ("&=", AmpEq),
        ("|=", PipeEq),
        ("^=", CaretEq),
        ("##", HashHash),
    ]
};

fn single(byte: u8) -> Option<TokenKind> {
    use TokenKind::*;
    Some(match byte {
        b'(' => LParen,
        b')' => RParen,
        b'[' => LBracket,
        b']' => RBracket,
        b'{' => LBrace,
        b'}' => RBrace,
        b',' => Comma,
        b';' => Semicolon,
        b':' => Colon,
        b'.' => Dot,
        b'?' => Question,
        b'+' => Plus,
        b'-' => Minus,
        b'*' => Star,
        b'/' => Slash,
        b'%' => Percent,
        b'!' => Not,
        b'~' => Tilde,
        b'&' => Amp,
        b'|' => Pipe,
        b'^' => Caret,
        b'=' => Eq,
        b'<' => Less,
        b'>' => Greater,
        b'#' => Hash,
        b'$' => Dollar,
        _ => return None,
    })
}

pub fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

impl Lexer<'_> {
    fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    /// Skips white space and comments; false at the end of the text.
    fn skip_blank(&mut self) -> bool {
        while self.at < self.bytes.len() {
            match self.peek(0) {
                b'\n' => {
                    self.at += 1;
                    (self.line_start, self.spaced) = (true, true);
                }
                b' ' | b'\t' | b'\r' | 0x0b | 0x0c => {
                    self.at += 1;
                    self.spaced = true;
                }
                // A backslash at the end of a line joins it to the next.
                b'\\' if self.peek(1) == b'\n' => self.at += 2,
                b'\\' if self.peek(1) == b'\r' && self.peek(2) == b'\n' => self.at += 3,
                b'/' if self.peek(1) == b'/' => self.line_comment(),
                b'/' if self.peek(1) == b'*' => self.block_comment(),
                _ => return true,
            }
        }
        false
    }

    fn line_comment(&mut self) {
        let start = self.at;
        while self.at < self.bytes.len() && self.peek(0) != b'\n' {
            self.at += 1;
        }
        let text = &self.bytes[start..self.at];
        if text.starts_with(b"///") && !text.starts_with(b"////") {
            self.push(TokenKind::Doc, start);
        }
        self.spaced = true;
    }

    fn block_comment(&mut self) {
        let start = self.at;
        let Some(length) = self.text[start + 2..].find("*/") else {
            // The label covers the opening alone.
            self.at = start + 2;
            self.push(TokenKind::BadComment, start);
            self.at = self.bytes.len();
            return;
        };
        self.at = start + 2 + length + 2;
        if self.bytes[start..self.at].starts_with(b"/**") && length > 1 {
            self.push(TokenKind::Doc, start);
        }
        self.spaced = true;
    }

    fn push(&mut self, kind: TokenKind, start: usize) {
        let symbol = match kind {
            TokenKind::Word | TokenKind::Number | TokenKind::String => {
                self.interner.intern(&self.text[start..self.at])
            }
            _ => word::EMPTY,
        };
        let span = Span::new(self.file, start as u32, self.at as u32);
        self.tokens.push(Token::new(kind, symbol, span).with_layout(self.line_start, self.spaced));
        if kind != TokenKind::Doc {
            (self.line_start, self.spaced) = (false, false);
        }
    }

    fn token(&mut self) {
        let start = self.at;
        let byte = self.peek(0);
        if byte.is_ascii_digit() || (byte == b'.' && self.peek(1).is_ascii_digit()) {
            self.number();
            return self.push(TokenKind::Number, start);
        }
        if is_word_byte(byte) {
            self.skip_word();
            return self.push(TokenKind::Word, start);
        }
        if byte == b'"' {
            return self.string();
        }
        let rest = &self.bytes[start..];
        let long =
            matches!(self.peek(1), b'.' | b'=' | b':' | b'>' | b'<' | b'+' | b'-' | b'&' | b'|' | b'#');
        let mut longer = PUNCTUATORS.iter().filter(|_| long);
        if let Some((text, kind)) = longer.find(|(text, _)| rest.starts_with(text.as_bytes())) {
            self.at += text.len();
            return self.push(*kind, start);
        }
        if let Some(kind) = single(byte) {
            self.at += 1;
            return self.push(kind, start);
        }
        // One token for a run of strange characters, one error.
        let strange = |c: char| !c.is_ascii() || (c.is_ascii_control() && !c.is_ascii_whitespace());
        let mut chars = self.text[start..].chars();
        let first = chars.next().map_or(1, char::len_utf8);
        self.at += first + chars.take_while(|&c| strange(c)).map(char::len_utf8).sum::<usize>();
        self.push(TokenKind::BadCharacter, start);
    }

    fn skip_word(&mut self) {
        while is_word_byte(self.peek(0)) {
            self.at += 1;
        }
    }

    fn skip_digits(&mut self) {
        while self.peek(0).is_ascii_digit() {
            self.at += 1;
        }
    }

    /// Digits, fraction, exponent, then whatever letters follow: `number` judges them.
    fn number(&mut self) {
        if self.peek(0) == b'0' && matches!(self.peek(1), b'x' | b'X') {
            return self.hexadecimal();
        }
        if self.peek(0) == b'0' && matches!(self.peek(1), b'b' | b'B' | b'o' | b'O') {
            return self.skip_word();
        }
        self.skip_digits();
        if self.peek(0) == b'.' && self.fraction_follows() {
            self.at += 1;
            self.skip_digits();
        }
        if matches!(self.peek(0), b'e' | b'E') {
            let sign = usize::from(matches!(self.peek(1), b'+' | b'-'));
            if self.peek(1 + sign).is_ascii_digit() {
                self.at += 1 + sign;
                self.skip_digits();
            }
        }
        self.skip_word();
    }

    /// `0xFF`, and `0x1.8p-3`: a fraction only where an exponent follows.
    fn hexadecimal(&mut self) {
        let digits = |from: &[u8]| from.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        self.at += 2;
        self.at += digits(&self.bytes[self.at..]);
        if self.peek(0) == b'.' {
            let fraction = digits(&self.bytes[self.at + 1..]);
            if matches!(self.peek(1 + fraction), b'p' | b'P') {
                self.at += 1 + fraction;
            }
        }
        if matches!(self.peek(0), b'p' | b'P') && matches!(self.peek(1), b'+' | b'-') {
            self.at += 2;
        }
        self.skip_word();
    }

    /// `1.`, `1.5`, `1.f`, `1.e5` have a fraction; `1.xxx` is a swizzle of `1`.
    fn fraction_follows(&self) -> bool {
        let rest = &self.bytes[self.at + 1..];
        let letters = rest.iter().position(|&byte| !is_word_byte(byte)).unwrap_or(rest.len());
        match rest[..letters].to_ascii_lowercase().as_slice() {
            [] | [b'0'..=b'9', ..] | b"f" | b"h" | b"l" | b"lf" | b"e" => true,
            [b'e', digits @ ..] => digits[0].is_ascii_digit(),
            _ => false,
        }
    }

    fn string(&mut self) {
        let start = self.at;
        self.at += 1;
        loop {
            match self.peek(0) {
                b'"' => {
                    self.at += 1;
                    return self.push(TokenKind::String, start);
                }
                b'\n' | b'\r' => return self.push(TokenKind::BadString, start),
                0 if self.at >= self.bytes.len() => return self.push(TokenKind::BadString, start),
                b'\\' if !matches!(self.peek(1), b'\n' | b'\r' | 0) => self.at += 2,
                _ => self.at += 1,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use pullback_base::SourceMap;

    fn check(text: &str, expected: Expect) {
        let mut sources = SourceMap::new();
        let file = sources.add("t.slang", text);
        let shown: Vec<String> = lex(file, text, &mut Interner::new())
            .iter()
            .map(|token| {
                let line = if token.is_line_start() { "|" } else { "" };
                let space = if token.is_spaced() { "" } else { "~" };
                format!("{line}{space}{:?} {:?}", token.kind, sources.snippet(token.span))
            })
            .collect();
        expected.assert_eq(&shown.join("\n"));
    }

    #[test]
    fn numbers_end_where_swizzles_begin() {
        check(
            "1.xxx 1.0.xx 1.f 1e-5f .5h 0xFFull 1.e3 2.",
            expect![[r#"
                |Number "1"
                ~Dot "."
                ~Word "xxx"
                Number "1.0"
                ~Dot "."
                ~Word "xx"
                Number "1.f"
                Number "1e-5f"
                Number ".5h"
                Number "0xFFull"
                Number "1.e3"
                Number "2.""#]],
        );
    }

    #[test]
    fn greater_signs_stay_alone() {
        check(
            "a>>=b<<=c",
            expect![[r#"
                |Word "a"
                ~Greater ">"
                ~Greater ">"
                ~Eq "="
                ~Word "b"
                ~ShlEq "<<="
                ~Word "c""#]],
        );
    }

    #[test]
    fn strange_text_becomes_bad_tokens() {
        check(
            "é€ @ \"ab\\\" \n/* x",
            expect![[r#"
                |BadCharacter "é€"
                BadCharacter "@"
                BadString "\"ab\\\" "
                |BadComment "/*""#]],
        );
    }

    #[test]
    fn doc_comments_are_tokens_and_other_comments_are_blank() {
        check(
            "/// one\n//// no\na/* c */b \\\n c",
            expect![[r#"
                |Doc "/// one"
                |Word "a"
                Word "b"
                Word "c""#]],
        );
    }
}
