//! Directives: includes, conditions and macro definitions; out comes the token stream of a module.

mod condition;
mod expand;
mod packing;
mod pragma;

pub use self::packing::MatrixPacking;
pub use self::pragma::WarningLevels;

use super::check::suggest::nearest;
use super::lex::lex;
use super::token::{Interner, Symbol, Token, TokenKind, word};
use pullback_base::{Code, Diagnostic, Diagnostics, FileId, SourceMap, Span};
use pullback_ir::MatrixOrder;
use rustc_hash::{FxHashMap, FxHashSet};
use std::rc::Rc;
use std::sync::Arc;

/// Finds an included file: (the path as written, the including file's name) to (its name, its text), or why not.
pub type IncludeResolver<'a> = dyn Fn(&str, &str) -> Result<(String, String), String> + 'a;

/// What surrounds the text to parse.
#[derive(Clone, Copy, Default)]
pub struct ParseOptions<'a> {
    /// Macros defined before the first line: name, replacement.
    pub defines: &'a [(String, String)],
    /// Without one, every `#include` is an error.
    pub includes: Option<&'a IncludeResolver<'a>>,
    /// The numbers by which `createDynamicObject` knows types.
    pub type_conformances: &'a [TypeConformance],
    /// Instances of generic functions to make, like `f<float>`.
    pub instances: &'a [String],
    /// Values of link-time constants (`extern static const`), as they are written in the module: `("N", "4")`.
    pub constants: &'a [(String, String)],
    /// Modules that define what this one declares `extern`.
    pub links: &'a [Linked],
    /// The names by which `__target_switch` knows where the program will run; without any, that is anywhere.
    pub targets: &'a [&'a str],
    /// How matrices that do not say it themselves lie in memory.
    pub matrix_order: MatrixOrder,
}

/// A module to link, by its file's name and text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Linked {
    pub name: String,
    pub text: String,
}

/// The number of a type among those behind an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeConformance {
    /// As it is written in the module: `Ball<float>`.
    pub ty: String,
    pub interface: String,
    pub id: u32,
}

/// How deep files may include one another.
const MAX_INCLUDE_DEPTH: usize = 64;
/// How many tokens includes and macros may make in all: past it the text is growing without end.
const MAX_TOKENS: usize = 1 << 21;

/// Where included files and modules are looked for.
pub const WHERE_FILES_ARE: &str =
    "files are looked for beside the one that names them, then in `include_paths`";

/// After so many errors of one module the rest is not worth reading.
pub const MAX_ERRORS: usize = 100;

/// A module's tokens after preprocessing, `Eof` last.
pub struct TokenStream {
    pub tokens: Vec<Token>,
    /// Doc comments: the index of the token that follows, and the text. Ascending.
    pub docs: Vec<(usize, Arc<str>)>,
    pub levels: WarningLevels,
    pub packing: MatrixPacking,
}

pub fn preprocess(
    sources: &mut SourceMap,
    file: FileId,
    options: &ParseOptions<'_>,
    interner: &mut Interner,
    diagnostics: &mut Diagnostics,
) -> TokenStream {
    let mut preprocessor = Preprocessor {
        sources,
        interner,
        diagnostics,
        includes: options.includes,
        macros: FxHashMap::default(),
        files: FxHashMap::default(),
        once: FxHashSet::default(),
        out: TokenStream {
            tokens: Vec::new(),
            docs: Vec::new(),
            levels: WarningLevels::default(),
            packing: MatrixPacking::default(),
        },
        pending_doc: Vec::new(),
        open_macros: Vec::new(),
        argument_depth: 0,
        include_depth: 0,
        tokens_made: 0,
        errors: 0,
        stopped: false,
    };
    if !options.defines.is_empty() {
        let lines = options.defines.iter().map(|(name, value)| format!("#define {name} {value}\n"));
        let file = preprocessor.sources.add("<defines>", &lines.collect::<String>());
        preprocessor.file(file);
    }
    let name = preprocessor.sources.file(file).name.to_string();
    preprocessor.files.insert(name, file);
    preprocessor.out.packing.change(file, 0, options.matrix_order);
    preprocessor.file(file);
    let end = preprocessor.sources.file(file).text.len() as u32;
    let mut out = preprocessor.out;
    out.tokens
        .push(Token::new(TokenKind::Eof, word::EMPTY, Span::new(file, end, end)).with_layout(true, true));
    out
}

struct Macro {
    /// The parameters' names; `None` for an object-like macro. A variadic one ends with `__VA_ARGS__`.
    params: Option<Vec<Symbol>>,
    body: Vec<Token>,
    span: Span,
}

struct Preprocessor<'a> {
    sources: &'a mut SourceMap,
    interner: &'a mut Interner,
    diagnostics: &'a mut Diagnostics,
    includes: Option<&'a IncludeResolver<'a>>,
    macros: FxHashMap<Symbol, Rc<Macro>>,
    /// Included files by name: each is read into the source map once.
    files: FxHashMap<String, FileId>,
    once: FxHashSet<FileId>,
    out: TokenStream,
    pending_doc: Vec<Span>,
    /// The macros whose expansions are being read, innermost last: these are not expanded again.
    open_macros: Vec<Symbol>,
    argument_depth: usize,
    include_depth: usize,
    tokens_made: usize,
    errors: usize,
    /// A limit was crossed (and reported): nothing more is read.
    stopped: bool,
}

const DIRECTIVES: [&str; 12] = [
    "define", "undef", "include", "if", "ifdef", "ifndef", "elif", "else", "endif", "error", "warning",
    "pragma",
];

/// One open `#if`.
struct Conditional {
    /// Text here is read.
    active: bool,
    /// Some branch was active, or none may be because the surrounding text is skipped.
    settled: bool,
    has_else: bool,
    span: Span,
}

impl Preprocessor<'_> {
    fn error(&mut self, span: Span, message: impl Into<String>, label: impl Into<String>) {
        self.report(Diagnostic::error(Code::PreprocessorError, message).at(span, label));
    }

    fn cannot_include(&mut self, requested: &str, place: Span, reason: String) {
        let message = format!("cannot include `{requested}`");
        let diagnostic = Diagnostic::error(Code::PreprocessorError, message).at(place, reason);
        self.report(diagnostic.help(WHERE_FILES_ARE));
    }

    fn report(&mut self, diagnostic: Diagnostic) {
        self.errors += usize::from(diagnostic.is_error());
        self.stopped |= self.errors == MAX_ERRORS;
        self.diagnostics.push(diagnostic);
    }

    /// Counts tokens against [`MAX_TOKENS`]; false when there are too many.
    fn afford(&mut self, count: usize, span: Span) -> bool {
        self.tokens_made += count;
        if self.tokens_made > MAX_TOKENS && !self.stopped {
            self.stopped = true;
            self.report(
                Diagnostic::error(Code::PreprocessorError, "includes and macros make too much text")
                    .at(span, format!("more than {MAX_TOKENS} tokens when expanding this")),
            );
        }
        !self.stopped
    }

    fn file(&mut self, file: FileId) {
        let text = self.sources.file(file).text.clone();
        let tokens = lex(file, &text, self.interner);
        let mut conditionals: Vec<Conditional> = Vec::new();
        let mut at = 0;
        while at < tokens.len() && !self.stopped {
            let active = conditionals.last().is_none_or(|conditional| conditional.active);
            let token = tokens[at];
            if token.kind == TokenKind::Hash && token.is_line_start() {
                let end = line_end(&tokens, at);
                let line: Vec<Token> = tokens[at + 1..end]
                    .iter()
                    .copied()
                    .filter(|token| token.kind != TokenKind::Doc)
                    .collect();
                self.directive(file, token.span, &line, &mut conditionals);
                at = end;
            } else if active {
                let end = next_directive(&tokens, at);
                self.text(&tokens[at..end]);
                at = end;
            } else {
                at = next_directive(&tokens, at);
            }
        }
        if let (Some(open), false) = (conditionals.first(), self.stopped) {
            self.error(open.span, "this `#if` has no `#endif`", "opened here");
        }
        self.pending_doc.clear();
    }

    /// Reports what is no token, and keeps the rest.
    fn emit(&mut self, token: Token) {
        let code = Code::SyntaxError;
        let diagnostic = match token.kind {
            TokenKind::Doc => {
                // `float a; /// trailing` is not about what follows.
                if token.is_line_start() || self.sources.snippet(token.span).starts_with("/**") {
                    self.pending_doc.push(token.span);
                }
                return;
            }
            TokenKind::BadCharacter => {
                let text: String = self.sources.snippet(token.span).chars().take(8).collect();
                let (shown, label) = match &*text {
                    "'" => (text, "characters are not part of the language; write the number"),
                    _ => (text.escape_debug().to_string(), "not part of the language"),
                };
                Diagnostic::error(code, format!("`{shown}` means nothing here")).at(token.span, label)
            }
            TokenKind::BadString => Diagnostic::error(code, "this string does not end on its line")
                .at(token.span, "opened here")
                .help("close it with `\"`"),
            TokenKind::BadComment => Diagnostic::error(code, "this comment does not end")
                .at(token.span, "opened here")
                .help("close it with `*/`"),
            TokenKind::Hash | TokenKind::HashHash => {
                Diagnostic::error(code, format!("`{}` stands in the middle of a line", token.kind.text()))
                    .at(token.span, "a directive begins its line")
            }
            _ => {
                self.take_doc();
                return self.out.tokens.push(token);
            }
        };
        self.report(diagnostic);
    }

    /// Hands the doc comment just read to the token about to be kept.
    fn take_doc(&mut self) {
        if self.pending_doc.is_empty() {
            return;
        }
        let lines: Vec<String> =
            self.pending_doc.drain(..).map(|span| doc_text(self.sources.snippet(span))).collect();
        self.out.docs.push((self.out.tokens.len(), lines.join("\n").into()));
    }

    fn directive(&mut self, file: FileId, hash: Span, line: &[Token], conditionals: &mut Vec<Conditional>) {
        let Some((&name, rest)) = line.split_first() else { return };
        let span = hash.to(name.span);
        let active = conditionals.last().is_none_or(|conditional| conditional.active);
        match name.symbol {
            _ if name.kind != TokenKind::Word => {
                if active {
                    self.error(name.span, "`#` begins a directive", "expected a directive's name");
                }
            }
            word::IF | word::IFDEF | word::IFNDEF => {
                let holds = active && self.condition(name, rest);
                conditionals.push(Conditional {
                    active: holds,
                    settled: !active || holds,
                    has_else: false,
                    span,
                });
            }
            word::ELIF | word::ELSE => self.other_branch(name, span, rest, conditionals),
            word::ENDIF => {
                if conditionals.pop().is_none() {
                    self.error(span, "`#endif` without `#if`", "nothing is open here");
                }
            }
            _ if !active => {}
            word::DEFINE => self.define(span, rest),
            word::UNDEF => match rest.first() {
                Some(token) if token.kind == TokenKind::Word => {
                    self.macros.remove(&token.symbol);
                }
                _ => self.error(span, "`#undef` needs a name", "no name follows"),
            },
            word::INCLUDE => self.include(file, span, rest),
            word::ERROR | word::WARNING => {
                let text = rest.first().zip(rest.last()).map(|(first, last)| first.span.to(last.span));
                let text = text.map_or("", |span| self.sources.snippet(span));
                let message = format!("#{}: {text}", self.interner.text(name.symbol));
                let diagnostic = match name.symbol {
                    word::ERROR => Diagnostic::error(Code::PreprocessorError, message),
                    _ => Diagnostic::warning(Code::PreprocessorError, message),
                };
                self.report(diagnostic.at(span, "the text asks for this message"));
            }
            word::PRAGMA => match rest {
                [token, ..] if token.is_word(word::ONCE) => drop(self.once.insert(file)),
                [token, rest @ ..] if token.is_word(word::WARNING) => self.pragma_warning(file, span, rest),
                [token, rest @ ..] if token.is_word(word::PACK_MATRIX) => {
                    self.pragma_pack_matrix(file, span, rest);
                }
                _ => {}
            },
            word::LINE_DIRECTIVE | word::LANG | word::LANGUAGE | word::VERSION => {}
            _ => {
                let name = self.interner.text(name.symbol);
                let message = format!("there is no directive `#{name}`");
                let mut diagnostic =
                    Diagnostic::error(Code::PreprocessorError, message).at(span, "not a directive");
                if let Some(near) = nearest(name, DIRECTIVES.into_iter()) {
                    diagnostic = diagnostic.help(format!("did you mean `#{near}`?"));
                }
                self.report(diagnostic);
            }
        }
    }

    fn other_branch(&mut self, name: Token, span: Span, rest: &[Token], conditionals: &mut [Conditional]) {
        let is_else = name.symbol == word::ELSE;
        let Some(open) = conditionals.last_mut() else {
            let name = self.interner.text(name.symbol);
            return self.error(span, format!("`#{name}` without `#if`"), "nothing is open here");
        };
        if open.has_else {
            let name = self.interner.text(name.symbol);
            let opened = open.span;
            self.report(
                Diagnostic::error(Code::PreprocessorError, format!("`#{name}` after `#else`"))
                    .at(span, "the `#else` was the last branch")
                    .also(opened, "of this `#if`"),
            );
            return;
        }
        open.has_else = is_else;
        open.active = false;
        if !open.settled {
            let holds = is_else || self.condition(name, rest);
            // `self.condition` borrows the preprocessor, so the branch is looked up again.
            if let Some(open) = conditionals.last_mut() {
                (open.active, open.settled) = (holds, holds);
            }
        }
    }

    fn condition(&mut self, name: Token, rest: &[Token]) -> bool {
        if name.symbol == word::IF || name.symbol == word::ELIF {
            return self.evaluate(name.span, rest);
        }
        match rest.first() {
            Some(token) if token.kind == TokenKind::Word => {
                self.is_defined(token.symbol) == (name.symbol == word::IFDEF)
            }
            _ => {
                let message = format!("`#{}` needs a name", self.interner.text(name.symbol));
                self.error(name.span, message, "no name follows");
                false
            }
        }
    }

    fn is_defined(&self, name: Symbol) -> bool {
        self.macros.contains_key(&name) || name == word::LINE || name == word::FILE
    }

    fn define(&mut self, span: Span, rest: &[Token]) {
        let Some((&name, rest)) = rest.split_first().filter(|(name, _)| name.kind == TokenKind::Word) else {
            return self.error(span, "`#define` needs a name", "no name follows");
        };
        if [word::DEFINED, word::VA_ARGS, word::LINE, word::FILE].contains(&name.symbol) {
            let message = format!("`{}` cannot be redefined", self.interner.text(name.symbol));
            return self.error(name.span, message, "has a meaning of its own");
        }
        let mut params = None;
        let mut body = rest;
        // `#define F(x)` takes arguments, `#define F (x)` does not.
        if let Some(open) = rest.first().filter(|open| open.kind == TokenKind::LParen && !open.is_spaced()) {
            let Some(close) = rest.iter().position(|token| token.kind == TokenKind::RParen) else {
                return self.error(open.span, "the macro's parameters have no `)`", "opened here");
            };
            let Some(list) = self.macro_params(&rest[1..close]) else { return };
            params = Some(list);
            body = &rest[close + 1..];
        }
        let made = Macro { params, body: body.to_vec(), span: name.span };
        if let Some(old) = self.macros.insert(name.symbol, Rc::new(made))
            && !same_tokens(&old.body, body)
        {
            let message = format!("`{}` is defined again, differently", self.interner.text(name.symbol));
            self.report(
                Diagnostic::warning(Code::PreprocessorError, message)
                    .at(name.span, "this definition holds from here on")
                    .also(old.span, "first defined here"),
            );
        }
    }

    fn macro_params(&mut self, tokens: &[Token]) -> Option<Vec<Symbol>> {
        let mut params = Vec::new();
        let mut pieces = tokens.split(|token| token.kind == TokenKind::Comma).peekable();
        while let Some(piece) = pieces.next() {
            match piece {
                [] if tokens.is_empty() => {}
                [name] if name.kind == TokenKind::Word && !params.contains(&name.symbol) => {
                    params.push(name.symbol);
                }
                [dots] if dots.kind == TokenKind::Ellipsis && pieces.peek().is_none() => {
                    params.push(word::VA_ARGS);
                }
                _ => {
                    let span = piece.first().or(tokens.first()).map_or(Span::NONE, |token| token.span);
                    self.error(
                        span,
                        "a macro's parameters are distinct names",
                        "expected a new name, or `...` last",
                    );
                    return None;
                }
            }
        }
        Some(params)
    }

    fn include(&mut self, file: FileId, span: Span, rest: &[Token]) {
        let expanded;
        let mut path = rest;
        if rest.first().is_some_and(|token| token.kind == TokenKind::Word) {
            expanded = self.expand_all(rest);
            path = &expanded;
        }
        let requested = match path {
            [token] if token.kind == TokenKind::String => {
                self.interner.text(token.symbol).trim_matches('"').to_owned()
            }
            [first, middle @ .., last]
                if first.kind == TokenKind::Less && last.kind == TokenKind::Greater && !middle.is_empty() =>
            {
                let inner = middle[0].span.to(middle[middle.len() - 1].span);
                self.sources.snippet(inner).to_owned()
            }
            _ => return self.error(span, "`#include` needs a path", "write `#include \"path\"`"),
        };
        let place = path.first().map_or(span, |first| first.span.to(path[path.len() - 1].span));
        if self.include_depth == MAX_INCLUDE_DEPTH {
            self.stopped = true;
            let message = format!("files include one another more than {MAX_INCLUDE_DEPTH} deep");
            let circle = Diagnostic::error(Code::PreprocessorError, message)
                .at(place, "probably in a circle")
                .help("begin the included file with `#pragma once`");
            return self.report(circle);
        }
        let Some(resolve) = self.includes else {
            return self.cannot_include(&requested, place, "this text has no include path".into());
        };
        let from = self.sources.file(file).name.clone();
        let included = match resolve(&requested, &from) {
            Err(reason) => return self.cannot_include(&requested, place, reason),
            Ok((name, text)) => match self.files.get(&name) {
                Some(&file) => file,
                None => {
                    let file = self.sources.add(&name, &text);
                    self.files.insert(name, file);
                    file
                }
            },
        };
        // A file costs its length, and something even when empty: that bounds the number of includes.
        let cost = 64 + self.sources.file(included).text.len() / 4;
        if !self.once.contains(&included) && self.afford(cost, place) {
            let outer = self.out.levels.enter(included);
            self.out.packing.go_on(included, 0);
            self.include_depth += 1;
            self.file(included);
            self.include_depth -= 1;
            self.out.packing.go_on(file, span.end);
            self.out.levels.leave(outer);
        }
    }
}

fn line_end(tokens: &[Token], hash: usize) -> usize {
    let rest = &tokens[hash + 1..];
    hash + 1 + rest.iter().position(|token| token.is_line_start()).unwrap_or(rest.len())
}

fn next_directive(tokens: &[Token], from: usize) -> usize {
    let hash = |token: &Token| token.kind == TokenKind::Hash && token.is_line_start();
    tokens[from..].iter().position(hash).map_or(tokens.len(), |ahead| from + ahead)
}

fn same_tokens(a: &[Token], b: &[Token]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a.kind, a.symbol) == (b.kind, b.symbol))
}

/// A doc comment without its markers.
fn doc_text(comment: &str) -> String {
    if let Some(line) = comment.strip_prefix("///") {
        return line.strip_prefix(' ').unwrap_or(line).trim_end().to_owned();
    }
    let inner = comment.trim_start_matches("/**").trim_end_matches("*/");
    let lines = inner.lines().map(|line| line.trim().trim_start_matches('*').trim());
    lines.collect::<Vec<_>>().join("\n").trim().to_owned()
}
