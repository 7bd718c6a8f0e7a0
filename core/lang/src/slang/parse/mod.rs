//! Tokens to syntax tree: recursive descent with recovery. This file: the cursor, errors, and where to go on.

pub mod bit_field;
mod decl;
mod expr;
mod function;
mod lambda;
mod pack;
mod scan;
mod stmt;
mod types;

use super::ast::{Decl, GenericArg, Lambda, MAX_NESTING, Module, Name};
use super::preprocess::{MAX_ERRORS, TokenStream};
use super::token::{Interner, Symbol, Token, TokenKind, after, word};
use pullback_base::{Code, Diagnostic, Diagnostics, FileId, Span};
use std::sync::Arc;

/// An error was reported; the caller goes on at the next place it knows.
#[derive(Debug)]
struct Reported;

type Parsed<T> = Result<T, Reported>;

/// Parses a module's tokens. `Eof` is the last.
pub fn parse_tokens(
    file: FileId,
    stream: TokenStream,
    interner: &Interner,
    diagnostics: &mut Diagnostics,
) -> Module {
    let mut parser = Parser {
        tokens: &stream.tokens,
        docs: &stream.docs,
        interner,
        diagnostics,
        at: 0,
        depth: 0,
        height: 0,
        lambdas: None,
        expansions: Vec::new(),
        last_error: None,
        errors: 0,
        stopped: false,
    };
    let mut decls: Vec<Decl> = Vec::new();
    parser.module(&mut decls);
    Module { file, decls, levels: stream.levels, packing: stream.packing }
}

struct Parser<'a> {
    tokens: &'a [Token],
    docs: &'a [(usize, Arc<str>)],
    interner: &'a Interner,
    diagnostics: &'a mut Diagnostics,
    at: usize,
    /// How deep the text nests here.
    depth: usize,
    /// The height of the expression just parsed.
    height: usize,
    /// Those of the function whose body this is.
    lambdas: Option<Vec<Lambda>>,
    /// What `each` names in the expansions around, the innermost last.
    expansions: Vec<Vec<GenericArg>>,
    /// Where the last error was: a second one at the same token says nothing new.
    last_error: Option<usize>,
    errors: usize,
    /// A limit was crossed (and reported): the cursor is at the end, and nothing more is said.
    stopped: bool,
}

// ---- The cursor ----

impl Parser<'_> {
    fn token(&self) -> Token {
        self.tokens[self.at]
    }

    fn token_at(&self, at: usize) -> Token {
        self.tokens[at.min(self.tokens.len() - 1)]
    }

    fn kind(&self) -> TokenKind {
        self.token().kind
    }

    fn kind_ahead(&self, ahead: usize) -> TokenKind {
        self.token_at(self.at + ahead).kind
    }

    fn span(&self) -> Span {
        self.token().span
    }

    /// The span of the token just read.
    fn previous(&self) -> Span {
        match self.at {
            0 => self.token().span,
            at => self.tokens[at - 1].span,
        }
    }

    fn since(&self, start: Span) -> Span {
        start.to(self.previous())
    }

    fn bump(&mut self) -> Token {
        let token = self.token();
        if token.kind != TokenKind::Eof {
            self.at += 1;
        }
        token
    }

    fn is(&self, kind: TokenKind) -> bool {
        self.kind() == kind
    }

    fn is_word(&self, word: Symbol) -> bool {
        self.token().is_word(word)
    }

    fn eat(&mut self, kind: TokenKind) -> bool {
        let found = self.is(kind);
        if found {
            self.bump();
        }
        found
    }

    fn eat_word(&mut self, word: Symbol) -> bool {
        let found = self.is_word(word);
        if found {
            self.bump();
        }
        found
    }

    fn text(&self, token: Token) -> &str {
        token.text(self.interner)
    }

    fn name_of(&self, token: Token) -> Name {
        Name { text: self.interner.text(token.symbol).clone(), span: token.span }
    }

    /// The doc comment in front of the token here.
    fn doc(&self) -> Option<Arc<str>> {
        let found = self.docs.binary_search_by_key(&self.at, |(at, _)| *at).ok()?;
        Some(self.docs[found].1.clone())
    }

    /// Runs `parse` one level deeper; past [`MAX_NESTING`] the parse ends here.
    fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth == MAX_NESTING {
            return Err(self.too_deep());
        }
        self.depth += 1;
        let result = parse(self);
        self.depth -= 1;
        result
    }

    fn too_deep(&mut self) -> Reported {
        let span = self.span();
        self.error(
            Diagnostic::error(Code::SyntaxError, "nested too deeply")
                .at(span, format!("more than {MAX_NESTING} levels deep here"))
                .help("split this into several functions or variables"),
        );
        self.stop()
    }

    fn stop(&mut self) -> Reported {
        self.stopped = true;
        self.at = self.tokens.len() - 1;
        Reported
    }
}

// ---- Errors ----

impl Parser<'_> {
    /// Reports, unless something was already said about this token.
    fn error(&mut self, diagnostic: Diagnostic) -> Reported {
        if self.stopped || self.last_error == Some(self.at) {
            return Reported;
        }
        self.last_error = Some(self.at);
        self.diagnostics.push(diagnostic);
        self.errors += 1;
        if self.errors == MAX_ERRORS {
            return self.stop();
        }
        Reported
    }

    fn syntax_error(&mut self, span: Span, message: impl Into<String>, label: impl Into<String>) -> Reported {
        self.error(Diagnostic::error(Code::SyntaxError, message).at(span, label))
    }

    fn unsupported(&mut self, span: Span, what: &str, help: &str) -> Reported {
        let mut diagnostic =
            Diagnostic::error(Code::UnsupportedFeature, format!("{what} are not supported yet"))
                .at(span, "used here");
        if !help.is_empty() {
            diagnostic = diagnostic.help(help);
        }
        self.error(diagnostic)
    }

    /// «expected WHAT, found X», at the token here.
    fn expected(&mut self, what: &str) -> Reported {
        let found = self.found();
        let label = format!("expected {what}");
        self.syntax_error(self.span(), format!("expected {what}, found {found}"), label)
    }

    /// The token here, in words.
    fn found(&self) -> String {
        let token = self.token();
        match token.kind {
            TokenKind::Eof => "the end of the file".into(),
            TokenKind::String => "a string".into(),
            _ => format!("`{}`", self.text(token)),
        }
    }

    fn expect(&mut self, kind: TokenKind, after: &str) -> Parsed<Token> {
        if self.is(kind) {
            return Ok(self.bump());
        }
        Err(self.expected(&format!("`{}` {after}", kind.text())))
    }

    /// A name that is no reserved word. `what` goes on «expected».
    fn name(&mut self, what: &str) -> Parsed<Name> {
        let token = self.token();
        if token.kind == TokenKind::Word && !is_reserved(token.symbol) {
            self.bump();
            return Ok(self.name_of(token));
        }
        if token.kind == TokenKind::Word {
            let text = self.text(token);
            let message = format!("expected {what}, found the keyword `{text}`");
            return Err(self.syntax_error(token.span, message, "a keyword cannot be a name"));
        }
        Err(self.expected(what))
    }

    /// Reads `)`, `]`, `}` or `>`. Where it is missing, reports that and goes on behind the place where it
    /// is found nearby, or as if it had been here.
    fn close(&mut self, kind: TokenKind, open: Span) {
        if self.eat(kind) {
            return;
        }
        let text = kind.text();
        let place = after(self.previous());
        let found = self.found();
        self.error(
            Diagnostic::error(Code::SyntaxError, format!("expected `{text}`, found {found}"))
                .at(place, format!("`{text}` missing here"))
                .also(open, format!("to close this `{}`", opener(kind))),
        );
        let mut ahead = self.at;
        loop {
            match self.token_at(ahead).kind {
                found if found == kind => {
                    self.at = ahead + 1;
                    return;
                }
                TokenKind::Semicolon | TokenKind::LBrace | TokenKind::RBrace | TokenKind::Eof => return,
                TokenKind::LParen | TokenKind::LBracket => ahead = self.skip_balanced(ahead),
                _ => ahead += 1,
            }
        }
    }

    /// Reads `;`. `what` is what it ends, as in «after this expression».
    fn semicolon(&mut self, what: &str) {
        if self.eat(TokenKind::Semicolon) {
            return;
        }
        let place = after(self.previous());
        self.syntax_error(place, format!("expected `;` after {what}"), "`;` missing here");
        if !self.token().is_line_start() && !self.is(TokenKind::RBrace) {
            self.skip_statement();
        }
    }
}

// ---- Where to go on ----

impl Parser<'_> {
    /// Behind the bracket that matches the one at `at` (or at the end).
    fn skip_balanced(&self, mut at: usize) -> usize {
        let mut depth = 0usize;
        loop {
            match self.token_at(at).kind {
                TokenKind::LParen | TokenKind::LBracket | TokenKind::LBrace => depth += 1,
                TokenKind::RParen | TokenKind::RBracket | TokenKind::RBrace => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        return at + 1;
                    }
                }
                TokenKind::Eof => return self.tokens.len() - 1,
                _ => {}
            }
            at += 1;
        }
    }

    /// Goes to the `,`, `;` or closing bracket that ends a wrong item of a list; its absence is no new error.
    fn skip_item(&mut self) {
        let mut brackets_match = true;
        loop {
            match self.kind() {
                TokenKind::Comma | TokenKind::Semicolon | TokenKind::RBrace | TokenKind::Eof => break,
                TokenKind::RParen | TokenKind::RBracket => break,
                _ if self.token().is_line_start() && self.begins_anew(self.token()) => break,
                TokenKind::LParen | TokenKind::LBracket | TokenKind::LBrace if brackets_match => {
                    let end = self.skip_balanced(self.at);
                    brackets_match = end < self.tokens.len() - 1;
                    self.at = if brackets_match { end } else { self.at + 1 };
                }
                _ => self.at += 1,
            }
        }
        self.last_error = Some(self.at);
    }

    /// Goes behind the next `;` or `{ ... }`, or before a `}` or a line that begins a statement.
    fn skip_statement(&mut self) {
        let from = self.at;
        let mut brackets_match = true;
        loop {
            let token = self.token();
            match token.kind {
                TokenKind::Eof | TokenKind::RBrace => return,
                TokenKind::Semicolon => {
                    self.bump();
                    return;
                }
                TokenKind::LBrace => {
                    self.at = self.skip_balanced(self.at);
                    self.eat(TokenKind::Semicolon);
                    return;
                }
                TokenKind::Word if self.at > from && token.is_line_start() && self.begins_anew(token) => {
                    return;
                }
                TokenKind::LParen | TokenKind::LBracket if brackets_match => {
                    let end = self.skip_balanced(self.at);
                    // A bracket never closed is no reason to leave out the rest of the file.
                    let inside = &self.tokens[self.at..end];
                    brackets_match = inside.iter().all(|token| token.kind != TokenKind::Semicolon);
                    self.at = if brackets_match { end } else { self.at + 1 };
                }
                _ => self.at += 1,
            }
        }
    }

    /// Whether a line that starts with this word starts a statement or a declaration.
    fn begins_anew(&self, token: Token) -> bool {
        is_statement_word(token.symbol)
            || is_declaration_word(token.symbol)
            || self.begins_typed_declaration(self.at)
    }
}

fn opener(close: TokenKind) -> &'static str {
    match close {
        TokenKind::RParen => "(",
        TokenKind::RBracket => "[",
        TokenKind::RBrace => "{",
        _ => "<",
    }
}

fn is_statement_word(symbol: Symbol) -> bool {
    use word::*;
    [IF, ELSE, FOR, WHILE, DO, SWITCH, CASE, DEFAULT, BREAK, CONTINUE, RETURN, DISCARD].contains(&symbol)
}

fn is_declaration_word(symbol: Symbol) -> bool {
    use word::*;
    let words = [
        STRUCT,
        CLASS,
        INTERFACE,
        EXTENSION,
        EXTENSION2,
        FUNC_EXTENSION,
        ENUM,
        TYPEDEF,
        TYPEALIAS,
        ASSOCIATEDTYPE,
        PROPERTY,
        SUBSCRIPT,
        INIT,
        FUNC,
        LET,
        VAR,
        NAMESPACE,
        IMPORT,
        INCLUDE_MODULE,
        CBUFFER,
        TBUFFER,
        GENERIC,
        STATIC,
        CONST,
        PUBLIC,
    ];
    words.contains(&symbol)
}

/// Words that are never names.
fn is_reserved(symbol: Symbol) -> bool {
    use word::*;
    let words = [
        STRUCT, CLASS, ENUM, INTERFACE, TYPEDEF, CBUFFER, TBUFFER, TRUE, FALSE, THIS, STATIC, CONST, NO_DIFF,
        INOUT, IN, OUT, SIZEOF, GENERIC, OPERATOR, GOTO,
    ];
    is_statement_word(symbol) || words.contains(&symbol)
}
