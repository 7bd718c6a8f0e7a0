//! What goes wrong in a load or a call, ready to be shown: diagnostics and the texts they point into.

use pullback_base::{Code, Diagnostic, Diagnostics, SourceMap, render};
use pullback_device::DeviceError;

/// One or more diagnostics. `Display` gives the whole rendered text.
#[derive(Clone, Debug)]
pub struct Error(Box<Reported>);

#[derive(Clone, Debug)]
struct Reported {
    diagnostics: Vec<Diagnostic>,
    sources: SourceMap,
}

impl Error {
    /// From diagnostics of which at least one is an error; warnings go along.
    pub fn new(diagnostics: Diagnostics, sources: SourceMap) -> Self {
        Self(Box::new(Reported { diagnostics: diagnostics.into_vec(), sources }))
    }

    /// The code of the first error.
    pub fn code(&self) -> Code {
        self.first().map_or(Code::LaunchFailed, |diagnostic| diagnostic.code)
    }

    fn first(&self) -> Option<&Diagnostic> {
        self.0.diagnostics.iter().find(|d| d.is_error()).or(self.0.diagnostics.first())
    }

    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.0.diagnostics
    }

    pub fn sources(&self) -> &SourceMap {
        &self.0.sources
    }

    /// The first error's one thing to do.
    pub fn help(&self) -> Option<&str> {
        self.first().and_then(|diagnostic| diagnostic.help.as_deref())
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(render::render_all(&self.0.diagnostics, &self.0.sources).trim_end())
    }
}

impl std::error::Error for Error {}

impl From<Diagnostic> for Error {
    fn from(diagnostic: Diagnostic) -> Self {
        Self::new(diagnostic.into(), SourceMap::new())
    }
}

impl From<DeviceError> for Error {
    fn from(error: DeviceError) -> Self {
        let mut diagnostic = Diagnostic::error(error.code(), error.to_string());
        if let Some(help) = error.help() {
            diagnostic = diagnostic.help(help);
        }
        diagnostic.into()
    }
}
