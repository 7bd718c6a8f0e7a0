//! What is wrong with a user's kernel or call, as plain data.

use crate::{Code, Span};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Warning,
    Error,
}

/// A place in a text and what to say of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    pub span: Span,
    pub message: String,
    /// The place the diagnostic is about; others only explain it.
    pub primary: bool,
}

/// One finding: a short sentence, places, facts (`notes`), and one thing to do (`help`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    pub code: Code,
    pub severity: Severity,
    pub message: String,
    pub labels: Vec<Label>,
    pub notes: Vec<String>,
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error. Message: one terse phrase, lower case, names in backticks, no full stop. The help is the code's
    /// advice until [`Diagnostic::help`] gives a better one.
    pub fn error(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            labels: Vec::new(),
            notes: Vec::new(),
            help: Some(code.advice().to_owned()),
        }
    }

    pub fn warning(code: Code, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, help: None, ..Self::error(code, message) }
    }

    /// Points at the place the diagnostic is about. A span of nowhere is left out.
    #[must_use]
    pub fn at(self, span: Span, message: impl Into<String>) -> Self {
        self.label(span, message.into(), true)
    }

    /// Points at a place that explains the diagnostic.
    #[must_use]
    pub fn also(self, span: Span, message: impl Into<String>) -> Self {
        self.label(span, message.into(), false)
    }

    fn label(mut self, span: Span, message: String, primary: bool) -> Self {
        if !span.is_none() {
            self.labels.push(Label { span, message, primary });
        }
        self
    }

    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// The primary place, if it has one.
    pub fn span(&self) -> Span {
        let primary = self.labels.iter().find(|label| label.primary).or(self.labels.first());
        primary.map_or(Span::NONE, |label| label.span)
    }
}

/// Collects what a phase finds; the phase goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics {
    items: Vec<Diagnostic>,
}

impl Diagnostics {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.items.push(diagnostic);
    }

    pub fn extend(&mut self, other: Diagnostics) {
        self.items.extend(other.items);
    }

    /// Keeps the first so many.
    pub fn truncate(&mut self, len: usize) {
        self.items.truncate(len);
    }

    pub fn has_errors(&self) -> bool {
        self.items.iter().any(Diagnostic::is_error)
    }

    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub fn len(&self) -> usize {
        self.items.len()
    }

    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.items.iter()
    }

    pub fn into_vec(self) -> Vec<Diagnostic> {
        self.items
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        Self { items: vec![diagnostic] }
    }
}
