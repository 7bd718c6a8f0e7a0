//! What the fuzz targets share: texts out of bytes, and what holds of every diagnostic.

use pullback_base::{Diagnostics, SourceMap, Span};

/// A text of any bytes.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Panics unless the place is a part of a known text.
pub fn check_place(span: Span, sources: &SourceMap) {
    let Some(file) = span.file() else { return };
    let text = &sources.file(file).text;
    assert!(text.get(span.start as usize..span.end as usize).is_some(), "{span:?} lies outside of its text");
}

/// Panics unless every diagnostic is located, and its text can be shown.
pub fn check_diagnostics(diagnostics: Diagnostics, sources: &SourceMap) {
    for diagnostic in diagnostics.iter() {
        assert!(!diagnostic.span().is_none(), "{:?} is nowhere", diagnostic.message);
        diagnostic.labels.iter().for_each(|label| check_place(label.span, sources));
    }
    pullback_base::render::render_all(&diagnostics.into_vec(), sources);
}
