//! Macro expansion: C's rules for `#`, `##`, `__VA_ARGS__` and self-reference.

use super::{Macro, Preprocessor};
use crate::slang::lex::lex;
use crate::slang::token::{Symbol, Token, TokenKind, word};
use pullback_base::{Code, Diagnostic, FileId, Span, ids::Id};
use std::rc::Rc;

/// How many macros may stand in one another's bodies.
const MAX_OPEN: usize = 500;
/// How deep a macro's arguments may hold macro calls.
const MAX_ARGUMENT_DEPTH: usize = 60;

/// Where the next token comes from: the innermost expansion, at last the text itself.
struct Cursor<'t> {
    text: &'t [Token],
    frames: Vec<(Vec<Token>, usize)>,
}

impl Preprocessor<'_> {
    /// Expands a stretch of text between two directives, and keeps the result.
    pub(super) fn text(&mut self, tokens: &[Token]) {
        let plain = |token: &Token| token.kind != TokenKind::Word || !self.is_defined(token.symbol);
        let tokens = if tokens.iter().all(plain) { tokens.to_vec() } else { self.expand_all(tokens) };
        for token in tokens {
            self.emit(token);
        }
    }

    pub(super) fn expand_all(&mut self, text: &[Token]) -> Vec<Token> {
        let mut cursor = Cursor { text, frames: Vec::new() };
        let mut out = Vec::with_capacity(text.len());
        while let Some(token) = self.next(&mut cursor) {
            if self.stopped {
                break;
            }
            if token.kind != TokenKind::Word || token.is_painted() {
                out.push(token);
            } else if token.symbol == word::LINE || token.symbol == word::FILE {
                out.push(self.builtin(token));
            } else if let Some(found) = self.macros.get(&token.symbol).cloned() {
                if self.open_macros.contains(&token.symbol) {
                    out.push(token.painted());
                } else if let Some(body) = self.invoke(token, &found, &mut cursor, &mut out) {
                    self.enter(token, body, &mut cursor);
                }
            } else {
                out.push(token);
            }
        }
        self.open_macros.truncate(self.open_macros.len() - cursor.frames.len());
        out
    }

    fn next(&mut self, cursor: &mut Cursor<'_>) -> Option<Token> {
        while let Some((tokens, at)) = cursor.frames.last_mut() {
            if let Some(&token) = tokens.get(*at) {
                *at += 1;
                return Some(token);
            }
            cursor.frames.pop();
            self.open_macros.pop();
        }
        let (&token, rest) = cursor.text.split_first()?;
        cursor.text = rest;
        Some(token)
    }

    /// Starts reading a macro's expansion.
    fn enter(&mut self, name: Token, body: Vec<Token>, cursor: &mut Cursor<'_>) {
        if !self.afford(body.len() + 1, name.span) {
            return;
        }
        if self.open_macros.len() == MAX_OPEN {
            self.stopped = true;
            return self.error(name.span, "macros stand in one another too deeply", "expanding this");
        }
        self.open_macros.push(name.symbol);
        cursor.frames.push((body, 0));
    }

    /// What a macro's name (and arguments) stand for; `None` when nothing is to be expanded.
    fn invoke(
        &mut self,
        name: Token,
        found: &Rc<Macro>,
        cursor: &mut Cursor<'_>,
        out: &mut Vec<Token>,
    ) -> Option<Vec<Token>> {
        let Some(params) = &found.params else {
            let body = self.substitute(found, &[], &[], name.span);
            return Some(with_layout_of(name, body));
        };
        let follows =
            cursor.frames.iter().rev().find_map(|(tokens, at)| tokens.get(*at)).or(cursor.text.first());
        if follows.is_none_or(|token| token.kind != TokenKind::LParen) {
            out.push(name);
            return None;
        }
        let Some((mut args, close)) = self.arguments(name, params, cursor) else {
            out.push(self.placeholder(name));
            return None;
        };
        if params.is_empty() && args.len() == 1 && args[0].is_empty() {
            args.clear();
        }
        if params.last() == Some(&word::VA_ARGS) && args.len() + 1 == params.len() {
            args.push(Vec::new());
        }
        if args.len() != params.len() {
            let macro_name = self.interner.text(name.symbol);
            let message =
                format!("the macro `{macro_name}` takes {}, not {}", count(params.len()), args.len());
            self.report(
                Diagnostic::error(Code::PreprocessorError, message)
                    .at(name.span.to(close), "called here")
                    .also(found.span, "defined here"),
            );
            out.push(self.placeholder(name));
            return None;
        }
        let body = self.substitute(found, params, &args, name.span.to(close));
        Some(with_layout_of(name, body))
    }

    /// Reads `( ... )` behind a macro's name: the arguments' tokens, and the span of `)`.
    fn arguments(
        &mut self,
        name: Token,
        params: &[Symbol],
        cursor: &mut Cursor<'_>,
    ) -> Option<(Vec<Vec<Token>>, Span)> {
        let variadic = params.last() == Some(&word::VA_ARGS);
        let mut args = vec![Vec::new()];
        let mut depth = 0usize;
        let behind_name = cursor.text;
        while let Some(token) = self.next(cursor) {
            match token.kind {
                TokenKind::Doc => continue,
                TokenKind::LParen => depth += 1,
                TokenKind::RParen if depth == 1 => return Some((args, token.span)),
                TokenKind::RParen => depth -= 1,
                TokenKind::Comma if depth == 1 && !(variadic && args.len() >= params.len()) => {
                    args.push(Vec::new());
                    continue;
                }
                _ => {}
            }
            // The opening parenthesis itself is no part of an argument.
            let opening = depth == 1 && token.kind == TokenKind::LParen;
            if let (false, Some(arg)) = (opening, args.last_mut()) {
                arg.push(token);
            }
        }
        let message = format!("the arguments of `{}` have no `)`", self.interner.text(name.symbol));
        self.error(name.span, message, "this macro is called here");
        // The call ends with its statement: what follows is read as if the call had been right.
        let end = behind_name.iter().position(|token| token.kind == TokenKind::Semicolon);
        cursor.text = end.map_or(&[], |end| &behind_name[end..]);
        None
    }

    /// Stands for a wrong macro call, so that the text around it is no further error.
    fn placeholder(&mut self, name: Token) -> Token {
        let zero = self.interner.intern("0");
        Token::new(TokenKind::Number, zero, name.span).with_layout(name.is_line_start(), name.is_spaced())
    }

    /// The body with arguments in place of parameters.
    fn substitute(
        &mut self,
        found: &Macro,
        params: &[Symbol],
        args: &[Vec<Token>],
        site: Span,
    ) -> Vec<Token> {
        let body = &found.body;
        let param = |token: Option<&Token>| {
            let token = token.filter(|token| token.kind == TokenKind::Word)?;
            params.iter().position(|&param| param == token.symbol)
        };
        let is_paste = |at: usize| body.get(at).is_some_and(|token| token.kind == TokenKind::HashHash);
        let mut expanded: Vec<Option<Vec<Token>>> = vec![None; args.len()];
        let mut out: Vec<Token> = Vec::with_capacity(body.len());
        // Whether the piece before this one gave any token: nothing pasted to something is that something.
        let mut left_empty = true;
        let mut at = 0;
        while at < body.len() {
            let token = body[at];
            let pasted = at > 0 && is_paste(at - 1);
            let piece = if is_paste(at) && at > 0 && at + 1 < body.len() {
                // `, ## __VA_ARGS__` drops the comma before nothing, and pastes nothing.
                let comma = out.last().is_some_and(|token| token.kind == TokenKind::Comma);
                let rest = param(body.get(at + 1)).filter(|&index| comma && params[index] == word::VA_ARGS);
                if let Some(index) = rest {
                    if args[index].is_empty() {
                        out.pop();
                    }
                    out.extend_from_slice(&args[index]);
                    at += 1;
                }
                at += 1;
                continue;
            } else if let (TokenKind::Hash, Some(index)) = (token.kind, param(body.get(at + 1))) {
                at += 1;
                vec![self.stringize(&args[index], token.with_span(site))]
            } else if let Some(index) = param(Some(&token)) {
                if pasted || is_paste(at + 1) {
                    args[index].clone()
                } else {
                    if expanded[index].is_none() {
                        expanded[index] = Some(self.expand_argument(&args[index], site));
                    }
                    with_layout_of(token, expanded[index].clone().unwrap_or_default())
                }
            } else {
                vec![token.with_span(site)]
            };
            if !self.afford(piece.len(), site) {
                return Vec::new();
            }
            let piece_empty = piece.is_empty();
            match (out.last().copied(), piece.split_first()) {
                (Some(left), Some((&right, rest))) if pasted && !left_empty => {
                    out.pop();
                    let joined = self.paste(left, right, site);
                    out.extend(joined);
                    out.extend_from_slice(rest);
                }
                _ => out.extend(piece),
            }
            left_empty = piece_empty && (!pasted || left_empty);
            at += 1;
        }
        out
    }

    fn expand_argument(&mut self, arg: &[Token], site: Span) -> Vec<Token> {
        if self.argument_depth == MAX_ARGUMENT_DEPTH {
            if !self.stopped {
                self.stopped = true;
                self.error(site, "macro calls nest too deeply", "expanding the arguments of this");
            }
            return Vec::new();
        }
        self.argument_depth += 1;
        let out = self.expand_all(arg);
        self.argument_depth -= 1;
        out
    }

    /// `#param`: the argument's text as a string.
    fn stringize(&mut self, arg: &[Token], hash: Token) -> Token {
        let mut text = String::from("\"");
        for (index, token) in arg.iter().enumerate() {
            if index > 0 && token.is_spaced() {
                text.push(' ');
            }
            for c in token.text(self.interner).chars() {
                if matches!(c, '"' | '\\') && token.kind == TokenKind::String {
                    text.push('\\');
                }
                text.push(c);
            }
        }
        text.push('"');
        let symbol = self.interner.intern(&text);
        Token::new(TokenKind::String, symbol, hash.span).with_layout(false, hash.is_spaced())
    }

    /// `left ## right`: both texts read as one token.
    fn paste(&mut self, left: Token, right: Token, site: Span) -> Vec<Token> {
        let text = format!("{}{}", left.text(self.interner), right.text(self.interner));
        let tokens = lex(FileId::from_index(0), &text, self.interner);
        match tokens.as_slice() {
            [token] if !is_bad(token.kind) => {
                vec![token.with_layout(left.is_line_start(), left.is_spaced()).with_span(site)]
            }
            _ => {
                self.error(
                    site,
                    format!("`##` makes `{text}`, which is not a token"),
                    "in the expansion of this",
                );
                vec![left, right]
            }
        }
    }

    fn builtin(&mut self, token: Token) -> Token {
        let Some(file) = token.span.file() else { return token };
        let source = self.sources.file(file);
        let (kind, text) = if token.symbol == word::LINE {
            (TokenKind::Number, source.line_column(token.span.start).0.to_string())
        } else {
            (TokenKind::String, format!("\"{}\"", source.name.replace('\\', "\\\\").replace('"', "\\\"")))
        };
        let symbol = self.interner.intern(&text);
        Token::new(kind, symbol, token.span).with_layout(token.is_line_start(), token.is_spaced())
    }
}

fn count(arguments: usize) -> String {
    format!("{arguments} argument{}", if arguments == 1 { "" } else { "s" })
}

fn is_bad(kind: TokenKind) -> bool {
    use TokenKind::{BadCharacter, BadComment, BadString, Doc};
    matches!(kind, BadCharacter | BadString | BadComment | Doc)
}

/// An expansion stands where its name stood: first of the line if that was.
fn with_layout_of(name: Token, mut body: Vec<Token>) -> Vec<Token> {
    if let Some(first) = body.first_mut() {
        *first = first.with_layout(name.is_line_start(), name.is_spaced());
    }
    body
}
