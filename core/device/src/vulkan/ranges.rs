//! Address arithmetic without a driver: merging host ranges, splitting launches into dispatches.

use pullback_base::GROUP_LANES;
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

/// One dispatch of a launch: its first lane and its number of workgroups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dispatch {
    pub first_lane: u64,
    pub groups: u32,
}

/// The dispatches that cover lanes `0..lanes`, none larger than `max_groups`.
pub fn dispatches(lanes: u64, max_groups: u32) -> impl Iterator<Item = Dispatch> {
    let group_lanes = u64::from(GROUP_LANES);
    let groups = lanes.div_ceil(group_lanes);
    (0..groups.div_ceil(u64::from(max_groups))).map(move |index| {
        let first_group = index * u64::from(max_groups);
        Dispatch {
            first_lane: first_group * group_lanes,
            groups: (groups - first_group).min(u64::from(max_groups)) as u32,
        }
    })
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

    #[test]
    fn dispatches_cover_every_lane_once() {
        for (lanes, max_groups) in [(0, 3), (1, 3), (256, 3), (257, 1), (768, 3), (769, 3), (10_000, 7)] {
            let mut next_lane = 0;
            for dispatch in dispatches(lanes, max_groups) {
                assert_eq!(dispatch.first_lane, next_lane, "{lanes} lanes");
                assert!((1..=max_groups).contains(&dispatch.groups));
                next_lane += u64::from(dispatch.groups) * 256;
            }
            assert!(next_lane >= lanes && next_lane < lanes + 256, "{lanes} lanes end at {next_lane}");
        }
    }

    #[test]
    fn a_launch_past_the_workgroup_limit_is_split() {
        let lanes = 65_535 * 256 + 1;
        let split: Vec<_> = dispatches(lanes, 65_535).collect();
        assert_eq!(
            split,
            [Dispatch { first_lane: 0, groups: 65_535 }, Dispatch { first_lane: 65_535 * 256, groups: 1 }]
        );
    }
}
