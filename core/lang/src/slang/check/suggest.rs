//! Did you mean: the known name nearest to one that is not.

/// The candidate nearest to `name`, when it is near enough to be meant.
pub fn nearest<'n>(name: &str, candidates: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let letters = name.chars().count();
    // A short name is near to everything: only a change of case tells.
    let limit = if letters < 3 { 0 } else { (letters / 3).max(1) };
    let own = name.starts_with("__");
    let near = candidates
        .filter(|candidate| *candidate != name && (own || !candidate.starts_with("__")))
        .filter(|candidate| candidate.len().abs_diff(name.len()) <= 2 * limit)
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit);
    near.min().map(|(_, candidate)| candidate)
}

/// How many letters must be added, dropped, changed or swapped with a neighbour to get from `a` to `b`;
/// a change of case alone counts as nothing.
fn distance(a: &str, b: &str) -> usize {
    if a.eq_ignore_ascii_case(b) {
        return 0;
    }
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 0..a.len() {
        let mut row = vec![i + 1];
        for j in 0..b.len() {
            let change = last[j] + usize::from(a[i] != b[j]);
            let mut best = change.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_suggested_and_far_ones_are_not() {
        let names = ["normalize", "length", "lerp", "saturate"];
        let near = |name| nearest(name, names.into_iter());
        assert_eq!(near("normalise"), Some("normalize"));
        assert_eq!(near("lenght"), Some("length"));
        assert_eq!(near("Lerp"), Some("lerp"));
        assert_eq!(near("texture"), None);
    }
}
