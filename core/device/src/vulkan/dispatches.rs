//! Splitting a launch into dispatches that the device allows.

/// One dispatch of a launch: its first lane and its number of workgroups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dispatch {
    pub first_lane: u64,
    pub groups: u32,
}

/// The dispatches that cover lanes `0..lanes` in groups of `group_lanes`, none larger than `max_groups`.
pub fn dispatches(lanes: u64, group_lanes: u32, max_groups: u32) -> impl Iterator<Item = Dispatch> {
    let group_lanes = u64::from(group_lanes);
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

    #[test]
    fn dispatches_cover_every_lane_once() {
        for (lanes, max_groups) in [(0, 3), (1, 3), (256, 3), (257, 1), (768, 3), (769, 3), (10_000, 7)] {
            let mut next_lane = 0;
            for dispatch in dispatches(lanes, 256, max_groups) {
                assert_eq!(dispatch.first_lane, next_lane, "{lanes} lanes");
                assert!((1..=max_groups).contains(&dispatch.groups));
                next_lane += u64::from(dispatch.groups) * 256;
            }
            assert!(next_lane >= lanes && next_lane < lanes + 256, "{lanes} lanes end at {next_lane}");
        }
    }

    #[test]
    fn small_groups_follow_one_another() {
        let split: Vec<_> = dispatches(20, 4, 3).collect();
        assert_eq!(split, [Dispatch { first_lane: 0, groups: 3 }, Dispatch { first_lane: 12, groups: 2 }]);
    }

    #[test]
    fn a_launch_past_the_workgroup_limit_is_split() {
        let lanes = 65_535 * 256 + 1;
        let split: Vec<_> = dispatches(lanes, 256, 65_535).collect();
        assert_eq!(
            split,
            [Dispatch { first_lane: 0, groups: 65_535 }, Dispatch { first_lane: 65_535 * 256, groups: 1 }]
        );
    }
}
