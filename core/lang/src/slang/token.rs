//! Tokens, and the interned texts they carry. A token is 20 bytes and `Copy`.

use pullback_base::Span;
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// An interned text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Symbol(u32);

/// Gives equal texts equal symbols. The words of [`word`] are in it from the start.
pub struct Interner {
    symbols: FxHashMap<Arc<str>, Symbol>,
    texts: Vec<Arc<str>>,
}

impl Interner {
    pub fn new() -> Self {
        let mut interner = Self { symbols: FxHashMap::default(), texts: Vec::new() };
        for text in word::ALL {
            interner.intern(text);
        }
        interner
    }

    pub fn intern(&mut self, text: &str) -> Symbol {
        if let Some(&symbol) = self.symbols.get(text) {
            return symbol;
        }
        let symbol = Symbol(self.texts.len() as u32);
        let text: Arc<str> = text.into();
        self.texts.push(text.clone());
        self.symbols.insert(text, symbol);
        symbol
    }

    pub fn text(&self, symbol: Symbol) -> &Arc<str> {
        &self.texts[symbol.0 as usize]
    }
}

/// The words the preprocessor and the parser know, as symbols: comparing a word is comparing an integer.
pub mod word {
    use super::Symbol;

    macro_rules! words {
        ($($name:ident $text:literal)*) => {
            #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
            enum Index { $($name,)* }
            $(pub const $name: Symbol = Symbol(Index::$name as u32);)*
            pub const ALL: &[&str] = &[$($text,)*];
        };
    }

    words! {
        EMPTY ""
        // Preprocessor.
        DEFINE "define" UNDEF "undef" INCLUDE "include" IFDEF "ifdef" IFNDEF "ifndef" ELIF "elif"
        ENDIF "endif" ERROR "error" WARNING "warning" PRAGMA "pragma" LINE_DIRECTIVE "line"
        ONCE "once" PACK_MATRIX "pack_matrix" LANG "lang" LANGUAGE "language" VERSION "version"
        DISABLE "disable" PUSH "push" POP "pop"
        DEFINED "defined" VA_ARGS "__VA_ARGS__" LINE "__LINE__" FILE "__FILE__"
        // Statements.
        IF "if" ELSE "else" FOR "for" WHILE "while" DO "do" SWITCH "switch" CASE "case" DEFAULT "default"
        BREAK "break" CONTINUE "continue" RETURN "return" DISCARD "discard"
        GOTO "goto" TRY "try" CATCH "catch" THROW "throw" DEFER "defer"
        INTRINSIC_ASM "__intrinsic_asm" ASM_BLOCK "spirv_asm"
        RANGE "Range" TARGET_SWITCH "__target_switch" STAGE_SWITCH "__stage_switch"
        // Declarations.
        STRUCT "struct" CLASS "class" INTERFACE "interface" EXTENSION "extension" EXTENSION2 "__extension" FUNC_EXTENSION "__func_extension" ENUM "enum"
        TYPEDEF "typedef" TYPEALIAS "typealias" ASSOCIATEDTYPE "associatedtype" PROPERTY "property"
        SUBSCRIPT "__subscript" INIT "__init" FUNC "func" LET "let" VAR "var" NAMESPACE "namespace"
        USING "using" IMPORT "import" INCLUDE_MODULE "__include" MODULE "module" IMPLEMENTING "implementing"
        CBUFFER "cbuffer" TBUFFER "tbuffer" OPERATOR "operator" GENERIC "__generic" WHERE "where"
        TYPENAME "typename" EACH "each" EXPAND "expand" COUNTOF "countof" NONEMPTY "nonempty" FIRST "__first" LAST "__last" TRIM_FIRST "__trimFirst" TRIM_LAST "__trimLast" PACK_BRANCH "__packBranch" GET "get" SET "set" THROWS "throws"
        IMPLICIT_CONVERSION "__implicit_conversion" STATIC_ASSERT "static_assert" IGNORED_BLOCK "__ignored_block" TRANSPARENT_BLOCK "__transparent_block" FILE_DECL "__file_decl"
        // Modifiers.
        IN "in" OUT "out" INOUT "inout" REF "ref" REF2 "__ref" CONSTREF "constref" CONSTREF2 "__constref"
        NO_DIFF "no_diff" UNIFORM "uniform" CONST "const" STATIC "static" GROUPSHARED "groupshared"
        PUBLIC "public" INTERNAL "internal" PRIVATE "private" EXTERN "extern" EXPORT "export"
        EXPORTED "__exported" INLINE "inline" OVERRIDE "override" PREFIX "__prefix" POSTFIX "__postfix"
        ROW_MAJOR "row_major" COLUMN_MAJOR "column_major" PRECISE "precise" VOLATILE "volatile"
        COHERENT "globallycoherent" NOINTERPOLATION "nointerpolation" NOPERSPECTIVE "noperspective"
        LINEAR "linear" CENTROID "centroid" SAMPLE "sample"
        // Expressions.
        TRUE "true" FALSE "false" THIS "this" SIZEOF "sizeof" IS "is" AS "as" NEW "new"
        FWD_DIFF "fwd_diff" FWD_DIFF2 "__fwd_diff" BWD_DIFF "bwd_diff" BWD_DIFF2 "__bwd_diff" APPLY "__apply"
        // Types.
        UNSIGNED "unsigned" SIGNED "signed" FUNCTYPE "functype" SOME "some" DYN "dyn"
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// A name or a word of the language.
    Word,
    /// A number, suffix included; `symbol` is its text.
    Number,
    /// A string; `symbol` is its text with the quotes.
    String,
    /// A `///` or `/** */` comment; gone after the preprocessor.
    Doc,
    LParen,
    RParen,
    LBracket,
    RBracket,
    LBrace,
    RBrace,
    Comma,
    Semicolon,
    Colon,
    ColonColon,
    Dot,
    Ellipsis,
    Question,
    Arrow,
    FatArrow,
    Dollar,
    Plus,
    Minus,
    Star,
    Slash,
    Percent,
    PlusPlus,
    MinusMinus,
    Not,
    Tilde,
    Amp,
    Pipe,
    Caret,
    AmpAmp,
    PipePipe,
    Eq,
    EqEq,
    NotEq,
    Less,
    LessEq,
    Shl,
    /// `>` is always alone, so that `A<B<C>>` needs no splitting; the parser joins `>` `>`, `>` `=`.
    Greater,
    PlusEq,
    MinusEq,
    StarEq,
    SlashEq,
    PercentEq,
    AmpEq,
    PipeEq,
    CaretEq,
    ShlEq,
    Hash,
    HashHash,
    /// What is no token: reported when (and only when) it reaches the parser.
    BadCharacter,
    BadString,
    BadComment,
    Eof,
}

#[derive(Clone, Copy, Debug)]
pub struct Token {
    pub kind: TokenKind,
    flags: u8,
    pub symbol: Symbol,
    /// What the user wrote; for a token out of a macro, the place that names the macro.
    pub span: Span,
}

impl Token {
    const LINE_START: u8 = 1;
    const SPACED: u8 = 2;
    const PAINTED: u8 = 4;

    pub fn new(kind: TokenKind, symbol: Symbol, span: Span) -> Self {
        Self { kind, flags: 0, symbol, span }
    }

    #[must_use]
    pub fn with_layout(mut self, line_start: bool, spaced: bool) -> Self {
        self.flags = (self.flags & Self::PAINTED)
            | if line_start { Self::LINE_START } else { 0 }
            | if spaced { Self::SPACED } else { 0 };
        self
    }

    #[must_use]
    pub fn with_span(self, span: Span) -> Self {
        Self { span, ..self }
    }

    /// Marks a macro's name found in its own expansion: it is never expanded again.
    #[must_use]
    pub fn painted(mut self) -> Self {
        self.flags |= Self::PAINTED;
        self
    }

    pub fn is_painted(self) -> bool {
        self.flags & Self::PAINTED != 0
    }

    /// First of its line.
    pub fn is_line_start(self) -> bool {
        self.flags & Self::LINE_START != 0
    }

    /// Has white space, a comment or a line break before it.
    pub fn is_spaced(self) -> bool {
        self.flags & (Self::SPACED | Self::LINE_START) != 0
    }

    /// The token's text.
    pub fn text(self, interner: &Interner) -> &str {
        if self.symbol == word::EMPTY { self.kind.text() } else { interner.text(self.symbol) }
    }

    pub fn is_word(self, symbol: Symbol) -> bool {
        self.kind == TokenKind::Word && self.symbol == symbol
    }
}

impl TokenKind {
    /// The text of a punctuator; empty for the kinds whose text varies.
    pub fn text(self) -> &'static str {
        use TokenKind::*;
        match self {
            Word | Number | String | Doc | BadCharacter | BadString | BadComment | Eof => "",
            LParen => "(",
            RParen => ")",
            LBracket => "[",
            RBracket => "]",
            LBrace => "{",
            RBrace => "}",
            Comma => ",",
            Semicolon => ";",
            Colon => ":",
            ColonColon => "::",
            Dot => ".",
            Ellipsis => "...",
            Question => "?",
            Arrow => "->",
            FatArrow => "=>",
            Dollar => "$",
            Plus => "+",
            Minus => "-",
            Star => "*",
            Slash => "/",
            Percent => "%",
            PlusPlus => "++",
            MinusMinus => "--",
            Not => "!",
            Tilde => "~",
            Amp => "&",
            Pipe => "|",
            Caret => "^",
            AmpAmp => "&&",
            PipePipe => "||",
            Eq => "=",
            EqEq => "==",
            NotEq => "!=",
            Less => "<",
            LessEq => "<=",
            Shl => "<<",
            Greater => ">",
            PlusEq => "+=",
            MinusEq => "-=",
            StarEq => "*=",
            SlashEq => "/=",
            PercentEq => "%=",
            AmpEq => "&=",
            PipeEq => "|=",
            CaretEq => "^=",
            ShlEq => "<<=",
            Hash => "#",
            HashHash => "##",
        }
    }
}

/// The empty place right behind a span.
pub fn after(mut span: Span) -> Span {
    span.start = span.end;
    span
}
