//! Where text came from: files, byte ranges, line and column look-up.

use crate::ids::{Id, IdVec};
use std::sync::Arc;

crate::id_type! {
    /// A file of a [`SourceMap`].
    pub struct FileId("file");
}

/// A byte range of one file. [`Span::NONE`] stands for «made by the compiler».
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Span {
    file: u32,
    pub start: u32,
    pub end: u32,
}

impl Span {
    /// No place in any file.
    pub const NONE: Span = Span { file: u32::MAX, start: 0, end: 0 };

    pub fn new(file: FileId, start: u32, end: u32) -> Self {
        Self { file: file.index() as u32, start, end }
    }

    pub fn file(self) -> Option<FileId> {
        (self.file != u32::MAX).then(|| FileId::from_index(self.file as usize))
    }

    pub fn is_none(self) -> bool {
        self.file == u32::MAX
    }

    /// The smallest span that covers both; spans of different files keep `self`.
    pub fn to(self, other: Span) -> Span {
        if self.is_none() {
            return other;
        }
        if other.file != self.file {
            return self;
        }
        Span { file: self.file, start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

impl std::fmt::Debug for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.file() {
            Some(file) => write!(f, "{file}:{}..{}", self.start, self.end),
            None => write!(f, "nowhere"),
        }
    }
}

/// One text, with the name shown to users.
#[derive(Clone, Debug)]
pub struct SourceFile {
    pub name: Arc<str>,
    pub text: Arc<str>,
    line_starts: Arc<[u32]>,
}

impl SourceFile {
    fn new(name: &str, text: &str) -> Self {
        let line_starts =
            std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at as u32 + 1)).collect();
        Self { name: name.into(), text: text.into(), line_starts }
    }

    /// 1-based line and 1-based column, in characters, of a byte offset.
    pub fn line_column(&self, offset: u32) -> (usize, usize) {
        let line = self.line_starts.partition_point(|&start| start <= offset).max(1);
        let start = self.line_starts[line - 1] as usize;
        let end = (offset as usize).min(self.text.len());
        let column = self.text.get(start..end).map_or(end.saturating_sub(start), |s| s.chars().count());
        (line, column + 1)
    }
}

/// All files a compilation has read. Cheap to clone: texts are shared.
#[derive(Clone, Debug, Default)]
pub struct SourceMap {
    files: IdVec<FileId, SourceFile>,
}

impl SourceMap {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a text under a display name. Texts over 4 GiB are cut by the caller beforehand.
    pub fn add(&mut self, name: &str, text: &str) -> FileId {
        self.files.push(SourceFile::new(name, text))
    }

    pub fn file(&self, id: FileId) -> &SourceFile {
        &self.files[id]
    }

    pub fn files(&self) -> impl Iterator<Item = (FileId, &SourceFile)> {
        self.files.iter()
    }

    /// The text under a span; empty for [`Span::NONE`].
    pub fn snippet(&self, span: Span) -> &str {
        let Some(file) = span.file().and_then(|id| self.files.get(id)) else { return "" };
        file.text.get(span.start as usize..span.end as usize).unwrap_or("")
    }

    /// `name:line:column` of a span's start; empty for [`Span::NONE`].
    pub fn location(&self, span: Span) -> String {
        let Some(file) = span.file().and_then(|id| self.files.get(id)) else { return String::new() };
        let (line, column) = file.line_column(span.start);
        format!("{}:{line}:{column}", file.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_and_column_count_from_one() {
        let mut map = SourceMap::new();
        let file = map.add("a.slang", "ab\ncd\n");
        let at = |offset| map.file(file).line_column(offset);
        assert_eq!([at(0), at(1), at(3), at(4), at(6)], [(1, 1), (1, 2), (2, 1), (2, 2), (3, 1)]);
        assert_eq!(map.location(Span::new(file, 4, 5)), "a.slang:2:2");
        assert_eq!(map.snippet(Span::new(file, 3, 5)), "cd");
    }
}
