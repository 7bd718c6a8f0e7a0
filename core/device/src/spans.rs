//! Spans of host memory: merging those that overlap, the pages that cover one.

use crate::HostRange;
use smallvec::SmallVec;

/// Addresses `start .. end` of host memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub start: usize,
    pub end: usize,
}

impl Span {
    pub fn len(self) -> usize {
        self.end - self.start
    }

    /// The whole pages that cover this span; `page` is a power of two. `None` past the address space.
    pub fn pages(self, page: usize) -> Option<Span> {
        Some(Span { start: self.start & !(page - 1), end: self.end.checked_next_multiple_of(page)? })
    }
}

pub type Spans = SmallVec<[Span; 8]>;

/// The spans in address order, those that overlap made one. Spans that only touch stay apart: they
/// may be separate mappings, which no driver has to import as one.
pub fn merge(mut spans: Spans) -> Spans {
    spans.sort_unstable_by_key(|span| span.start);
    let mut merged = Spans::new();
    for span in spans.into_iter().filter(|span| span.end > span.start) {
        match merged.last_mut() {
            Some(last) if span.start < last.end => last.end = last.end.max(span.end),
            _ => merged.push(span),
        }
    }
    merged
}

/// The spans of host ranges, as the caller gave them.
pub fn spans_of(host_ranges: &[HostRange]) -> Spans {
    let span = |range: &HostRange| {
        // Exposed: devices copy from the addresses of merged spans.
        let start = range.start.expose_provenance();
        Span { start, end: start.saturating_add(range.size_bytes) }
    };
    host_ranges.iter().map(span).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use smallvec::smallvec;

    fn span(start: usize, end: usize) -> Span {
        Span { start, end }
    }

    #[test]
    fn overlapping_spans_become_one_and_touching_ones_stay_apart() {
        let merged = merge(smallvec![span(20, 30), span(0, 10), span(10, 15), span(25, 40), span(27, 28)]);
        assert_eq!(merged.as_slice(), [span(0, 10), span(10, 15), span(20, 40)]);
    }

    #[test]
    fn empty_spans_vanish() {
        assert!(merge(smallvec![span(5, 5)]).is_empty());
    }

    #[test]
    fn pages_cover_a_span() {
        assert_eq!(span(4097, 8192).pages(4096), Some(span(4096, 8192)));
        assert_eq!(span(4095, 4097).pages(4096), Some(span(0, 8192)));
        assert_eq!(span(usize::MAX - 1, usize::MAX).pages(4096), None);
    }
}
