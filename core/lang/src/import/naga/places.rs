//! Where the spans that `naga` gives lie in what the user wrote.

use super::Input;
use pullback_base::{FileId, Span};

pub enum Places {
    /// Offsets into the text itself; a compiled module has an empty one.
    Text { file: FileId, text: String, word_before_name: Option<&'static str> },
    /// Offsets into a module that was compiled from text, and says of each instruction which line it is from.
    #[cfg_attr(not(feature = "shaderc"), expect(dead_code, reason = "only GLSL is compiled for `naga`"))]
    Lines(Lines),
}

/// Lines of texts, by offset into a module.
#[derive(Default)]
pub struct Lines {
    pub files: Vec<(FileId, String)>,
    /// From this offset on: an index of `files` and a line, counted from 1. Sorted.
    pub marks: Vec<(u32, Option<(usize, u32)>)>,
}

impl Places {
    pub fn of(file: FileId, input: Input<'_>) -> Places {
        let word_before_name = matches!(input, Input::Wgsl(_)).then_some("fn");
        Places::Text { file, text: input.text().to_owned(), word_before_name }
    }

    pub fn span(&self, span: naga::Span) -> Span {
        let Some(range) = span.to_range() else { return Span::NONE };
        match self {
            Places::Text { file, text, .. } => {
                let end = range.end.min(text.len());
                Span::new(*file, range.start.min(end) as u32, end as u32)
            }
            Places::Lines(lines) => lines.at(range.start).map_or(Span::NONE, |(file, line)| {
                let (start, text) = lines.line(file, line);
                trimmed(lines.files[file].0, start, text)
            }),
        }
    }

    /// The first place of a word in the text itself.
    pub fn word(&self, word: &str) -> Span {
        match self {
            Places::Text { file, text, .. } => words(text, 0, word)
                .next()
                .map_or(Span::NONE, |at| Span::new(*file, at as u32, (at + word.len()) as u32)),
            Places::Lines(_) => Span::NONE,
        }
    }

    /// The name of a function where it is declared, at or after that place.
    pub fn name(&self, from: naga::Span, name: &str) -> Span {
        // The functions of a compiled module may have no name.
        if name.is_empty() {
            return Span::NONE;
        }
        match self {
            Places::Text { file, text, word_before_name } => {
                let from = from.to_range().map_or(0, |range| range.start);
                let at = words(text, from, name).find(|&at| match word_before_name {
                    Some(word) => {
                        let gap = text[..at].trim_end();
                        gap.len() < at && gap.ends_with(word)
                    }
                    None => text[at + name.len()..].trim_start().starts_with('('),
                });
                at.map_or(Span::NONE, |at| Span::new(*file, at as u32, (at + name.len()) as u32))
            }
            Places::Lines(lines) => {
                let Some((file, line)) = from.to_range().and_then(|range| lines.at_or_after(range.start))
                else {
                    return Span::NONE;
                };
                lines.word(file, line, name)
            }
        }
    }
}

impl Lines {
    fn at(&self, offset: usize) -> Option<(usize, u32)> {
        let after = self.marks.partition_point(|&(start, _)| start as usize <= offset);
        self.marks.get(after.checked_sub(1)?)?.1
    }

    /// As [`Lines::at`]; where nothing is said, the next line that is.
    fn at_or_after(&self, offset: usize) -> Option<(usize, u32)> {
        let after = self.marks.partition_point(|&(start, _)| start as usize <= offset);
        self.at(offset).or_else(|| self.marks[after..].iter().find_map(|&(_, line)| line))
    }

    /// A line without its end, and where it begins. One past the end is the last.
    fn line(&self, file: usize, line: u32) -> (usize, &str) {
        let text = &self.files[file].1;
        let mut start = 0;
        let mut found = (0, "");
        for (index, content) in text.split_inclusive('\n').enumerate() {
            found = (start, content.trim_end_matches(['\n', '\r']));
            if index + 1 == line as usize {
                break;
            }
            start += content.len();
        }
        found
    }

    /// A word in a line, or the whole line where that has it not.
    pub fn word(&self, file: usize, line: u32, word: &str) -> Span {
        let (start, text) = self.line(file, line);
        let id = self.files[file].0;
        match words(text, 0, word).next() {
            Some(at) => Span::new(id, (start + at) as u32, (start + at + word.len()) as u32),
            None => trimmed(id, start, text),
        }
    }
}

fn trimmed(file: FileId, start: usize, text: &str) -> Span {
    let indent = text.len() - text.trim_start().len();
    Span::new(file, (start + indent) as u32, (start + indent + text.trim().len()) as u32)
}

/// Where a word stands, at or after an offset.
fn words<'t>(text: &'t str, from: usize, word: &'t str) -> impl Iterator<Item = usize> + 't {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    text.get(from..).unwrap_or("").match_indices(word).map(move |(at, _)| from + at).filter(move |&at| {
        !word.is_empty() && !text[..at].ends_with(is_word) && !text[at + word.len()..].starts_with(is_word)
    })
}
