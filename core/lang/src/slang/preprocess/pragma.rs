//! `#pragma warning`: which warnings are given, and which refuse the program, from a place on.

use super::{Preprocessor, nearest};
use crate::slang::token::{Token, TokenKind, word};
use pullback_base::{Code, Diagnostic, Diagnostics, FileId, Severity, Span};
use rustc_hash::FxHashMap;
use std::rc::Rc;

#[derive(Clone, Copy, Debug)]
enum Level {
    Silent,
    Error,
}

/// What was said of some warnings; others are given.
type Levels = FxHashMap<Code, Level>;

/// What is said of warnings, by place. An included file begins with what is said where it is included, and what it says
/// itself ends with it.
#[derive(Clone, Debug, Default)]
pub struct WarningLevels {
    here: State,
    /// From where on which holds, in the order of reading.
    changes: Vec<(FileId, u32, Rc<Levels>)>,
}

#[derive(Clone, Debug, Default)]
pub struct State {
    levels: Rc<Levels>,
    pushed: Vec<Rc<Levels>>,
}

impl WarningLevels {
    fn change(&mut self, file: FileId, from: u32, levels: Rc<Levels>) {
        self.here.levels = levels.clone();
        self.changes.push((file, from, levels));
    }

    /// Enters a file; gives what [`WarningLevels::leave`] goes back to.
    pub fn enter(&mut self, file: FileId) -> State {
        let levels = self.here.levels.clone();
        if !levels.is_empty() {
            self.changes.push((file, 0, levels.clone()));
        }
        std::mem::replace(&mut self.here, State { levels, pushed: Vec::new() })
    }

    pub fn leave(&mut self, outer: State) {
        self.here = outer;
    }

    fn at(&self, place: Span, code: Code) -> Option<Level> {
        let file = place.file()?;
        let holds = |change: &&(FileId, u32, Rc<Levels>)| change.0 == file && change.1 <= place.start;
        self.changes.iter().rev().find(holds)?.2.get(&code).copied()
    }

    /// The diagnostics without the warnings that are silent at their places.
    pub fn applied(&self, diagnostics: Diagnostics) -> Diagnostics {
        let mut kept = Diagnostics::new();
        for mut diagnostic in diagnostics.into_vec() {
            match self.at(diagnostic.span(), diagnostic.code).filter(|_| !diagnostic.is_error()) {
                Some(Level::Silent) => continue,
                Some(Level::Error) => diagnostic.severity = Severity::Error,
                None => {}
            }
            kept.push(diagnostic);
        }
        kept
    }
}

impl Preprocessor<'_> {
    /// `#pragma warning (disable : a, b; error : c)`, and `(push)` and `(pop)`; the tokens behind `warning`.
    pub(super) fn pragma_warning(&mut self, file: FileId, span: Span, tokens: &[Token]) {
        let [open, inner @ .., close] = tokens else { return self.pragma_form(span) };
        if open.kind != TokenKind::LParen || close.kind != TokenKind::RParen {
            return self.pragma_form(span);
        }
        let from = close.span.end;
        for part in inner.split(|token| token.kind == TokenKind::Semicolon) {
            match part {
                [token] if token.is_word(word::PUSH) => {
                    let here = &mut self.out.levels.here;
                    here.pushed.push(here.levels.clone());
                }
                [token] if token.is_word(word::POP) => match self.out.levels.here.pushed.pop() {
                    Some(levels) => self.out.levels.change(file, from, levels),
                    None => self.error(token.span, "`pop` without `push`", "nothing to go back to"),
                },
                [what, colon, names @ ..] if colon.kind == TokenKind::Colon => {
                    let level = match what.symbol {
                        word::DISABLE => Some(Level::Silent),
                        word::ERROR => Some(Level::Error),
                        word::DEFAULT => None,
                        _ => return self.pragma_form(what.span),
                    };
                    self.set_levels(file, from, level, names);
                }
                _ => return self.pragma_form(span),
            }
        }
    }

    fn set_levels(&mut self, file: FileId, from: u32, level: Option<Level>, names: &[Token]) {
        let mut levels = Levels::clone(&self.out.levels.here.levels);
        for name in names.split(|token| token.kind == TokenKind::Comma) {
            let (Some(first), Some(last)) = (name.first(), name.last()) else { continue };
            // The numbers are those of another compiler's warnings.
            if name.iter().all(|token| token.kind == TokenKind::Number) {
                continue;
            }
            let place = first.span.to(last.span);
            let text = self.sources.snippet(place).trim_matches('"').to_owned();
            let Some(&code) = Code::ALL.iter().find(|code| code.text() == text) else {
                let message = format!("no warning is called `{text}`");
                let mut diagnostic =
                    Diagnostic::error(Code::PreprocessorError, message).at(place, "not a warning's name");
                if let Some(near) = nearest(&text, Code::ALL.iter().map(|code| code.text())) {
                    diagnostic = diagnostic.help(format!("did you mean `{near}`?"));
                }
                self.report(diagnostic);
                continue;
            };
            match level {
                Some(level) => levels.insert(code, level),
                None => levels.remove(&code),
            };
        }
        self.out.levels.change(file, from, Rc::new(levels));
    }

    fn pragma_form(&mut self, span: Span) {
        let message = "this is no `#pragma warning`";
        let help =
            "write `#pragma warning (disable : unused-name)`, `error`, `default`, or `(push)` and `(pop)`";
        let diagnostic = Diagnostic::error(Code::PreprocessorError, message).at(span, "not understood");
        self.report(diagnostic.help(help));
    }
}
