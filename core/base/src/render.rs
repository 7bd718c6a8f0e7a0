//! Diagnostics as text: the terminal form, with source lines and carets.

use crate::ids::Id;
use crate::{Diagnostic, FileId, Severity, SourceMap};
use codespan_reporting::diagnostic as cs;
use codespan_reporting::files::SimpleFiles;
use codespan_reporting::term::{self, Config};

/// The full text of one diagnostic, with source lines. Ends in a newline.
pub fn render(diagnostic: &Diagnostic, sources: &SourceMap) -> String {
    render_all(std::slice::from_ref(diagnostic), sources)
}

/// The full text of several diagnostics, one blank line between two.
pub fn render_all(diagnostics: &[Diagnostic], sources: &SourceMap) -> String {
    let mut files = SimpleFiles::new();
    for (_, file) in sources.files() {
        files.add(file.name.as_ref(), file.text.as_ref());
    }
    let config = Config { tab_width: 4, ..Config::default() };
    let mut out = String::new();
    for diagnostic in diagnostics {
        let known = |file: FileId| file.index() < sources.files().count();
        let labels = diagnostic.labels.iter().filter_map(|label| {
            let file = label.span.file().filter(|&file| known(file))?;
            let limit = sources.file(file).text.len();
            let range = (label.span.start as usize).min(limit)..(label.span.end as usize).min(limit);
            let style = if label.primary { cs::LabelStyle::Primary } else { cs::LabelStyle::Secondary };
            Some(cs::Label::new(style, file.index(), range).with_message(&label.message))
        });
        let severity = match diagnostic.severity {
            Severity::Error => cs::Severity::Error,
            Severity::Warning => cs::Severity::Warning,
        };
        let help = diagnostic.help.iter().map(|help| format!("help: {help}"));
        let shown = cs::Diagnostic::new(severity)
            .with_code(diagnostic.code.text())
            .with_message(&diagnostic.message)
            .with_labels(labels.collect())
            .with_notes(diagnostic.notes.iter().cloned().chain(help).collect());
        let mut text = String::new();
        if term::emit_to_string(&mut text, &config, &files, &shown).is_err() {
            text = format!("error[{}]: {}\n", diagnostic.code, diagnostic.message);
        }
        out.push_str(text.trim_end());
        out.push_str("\n\n");
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Code, Span};

    #[test]
    fn a_rendered_diagnostic_has_code_place_caret_and_help() {
        let mut sources = SourceMap::new();
        let file = sources.add("shade.slang", "float f(float x) { return y; }\n");
        let diagnostic = Diagnostic::error(Code::UnknownName, "nothing named `y` is in scope")
            .at(Span::new(file, 26, 27), "not declared")
            .help("did you mean `x`?");
        let text = render(&diagnostic, &sources);
        for part in
            ["error[unknown-name]: nothing named `y`", "shade.slang:1:27", "^ not declared", "help: did you"]
        {
            assert!(text.contains(part), "{part:?} is not in\n{text}");
        }
    }
}
