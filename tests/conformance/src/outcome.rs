//! What became of a test, and the summary of many.

use std::collections::BTreeMap;
use std::fmt;

/// What became of one test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Pass,
    /// It ran and gave something else, or did not come to an end: the first difference.
    Fail(String),
    /// It was refused: a diagnostic's code and message, or what the runner does not know; and where.
    Unsupported {
        cause: String,
        place: String,
    },
}

impl Outcome {
    pub fn unsupported(cause: impl Into<String>) -> Outcome {
        Outcome::Unsupported { cause: cause.into(), place: String::new() }
    }

    /// As one line of text, for another process.
    pub fn to_line(&self) -> String {
        let (kind, first, second) = match self {
            Outcome::Pass => ("pass", "", ""),
            Outcome::Fail(why) => ("fail", why.as_str(), ""),
            Outcome::Unsupported { cause, place } => ("unsupported", cause.as_str(), place.as_str()),
        };
        serde_json::json!([kind, first, second]).to_string()
    }

    pub fn from_line(line: &str) -> Option<Outcome> {
        let (kind, first, second): (String, String, String) = serde_json::from_str(line).ok()?;
        match kind.as_str() {
            "pass" => Some(Outcome::Pass),
            "fail" => Some(Outcome::Fail(first)),
            "unsupported" => Some(Outcome::Unsupported { cause: first, place: second }),
            _ => None,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Pass => write!(f, "pass"),
            Outcome::Fail(why) => write!(f, "FAIL         {why}"),
            Outcome::Unsupported { cause, place } if place.is_empty() => write!(f, "unsupported  {cause}"),
            Outcome::Unsupported { cause, place } => write!(f, "unsupported  {cause}  ({place})"),
        }
    }
}

/// One test's result.
#[derive(Clone, Debug)]
pub struct Row {
    /// `folder/test`, without the ending.
    pub name: String,
    /// It needs no textures, samplers or stages other than compute.
    pub buffers_only: bool,
    pub outcome: Outcome,
}

impl Row {
    fn folder(&self) -> &str {
        self.name.split('/').next().unwrap_or("")
    }
}

/// The causes of failures and refusals, the most frequent first, each with the tests it keeps.
pub fn causes(rows: &[Row]) -> String {
    let mut by_cause: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for row in rows {
        let cause = match &row.outcome {
            Outcome::Pass => continue,
            Outcome::Fail(why) => format!("FAIL {}", kind_of_failure(why)),
            Outcome::Unsupported { cause, .. } => cause.clone(),
        };
        by_cause.entry(cause).or_default().push(&row.name);
    }
    let mut sorted: Vec<_> = by_cause.into_iter().collect();
    sorted.sort_by_key(|(_, names)| std::cmp::Reverse(names.len()));
    let mut text = String::new();
    for (cause, names) in sorted {
        let more = if names.len() > SHOWN_NAMES { ", …" } else { "" };
        let shown = names[..names.len().min(SHOWN_NAMES)].join(", ");
        text.push_str(&format!("{:>4}  {cause}\n      {shown}{more}\n", names.len()));
    }
    text
}

const SHOWN_NAMES: usize = 8;

/// A failure without its numbers.
fn kind_of_failure(why: &str) -> &str {
    if why.contains("panic") || why.contains("ended") || why.contains("limit") { why } else { "other values" }
}

/// The share of tests that pass, by folder, of all and of those that need buffers only; and a last line for all.
pub fn summary(rows: &[Row]) -> String {
    let mut folders: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    rows.iter().for_each(|row| folders.entry(row.folder()).or_default().push(row));
    let passed = |rows: &[&Row]| rows.iter().filter(|row| row.outcome == Outcome::Pass).count();
    let mut text = String::new();
    for (folder, rows) in folders {
        let buffers_only: Vec<&Row> = rows.iter().copied().filter(|row| row.buffers_only).collect();
        text.push_str(&format!(
            "{folder}: {} of {} pass; with buffers only: {} of {} ({:.1} %)\n",
            passed(&rows),
            rows.len(),
            passed(&buffers_only),
            buffers_only.len(),
            100.0 * passed(&buffers_only) as f64 / buffers_only.len().max(1) as f64,
        ));
    }
    let count = |is: fn(&Outcome) -> bool| rows.iter().filter(|row| is(&row.outcome)).count();
    text.push_str(&format!(
        "conformance: {} passed, {} failed, {} unsupported of {} executable\n",
        count(|outcome| *outcome == Outcome::Pass),
        count(|outcome| matches!(outcome, Outcome::Fail(_))),
        count(|outcome| matches!(outcome, Outcome::Unsupported { .. })),
        rows.len(),
    ));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Row> {
        let row = |name: &str, buffers_only, outcome| Row { name: name.into(), buffers_only, outcome };
        vec![
            row("a/one", true, Outcome::Pass),
            row("a/two", true, Outcome::unsupported("E: no texture")),
            row("a/three", false, Outcome::unsupported("E: no texture")),
            row("b/four", true, Outcome::Fail("line 1: expected 1, found 2".into())),
        ]
    }

    #[test]
    fn outcomes_survive_the_way_between_processes() {
        for row in rows() {
            assert_eq!(Outcome::from_line(&row.outcome.to_line()), Some(row.outcome));
        }
        assert_eq!(Outcome::from_line("warning: something"), None);
    }

    #[test]
    fn frequent_causes_come_first() {
        let text = causes(&rows());
        assert!(text.starts_with("   2  E: no texture\n      a/two, a/three\n"), "{text}");
        assert!(text.contains("   1  FAIL other values\n      b/four"), "{text}");
    }

    #[test]
    fn the_last_line_counts_all_and_folders_count_what_needs_buffers_only() {
        let text = summary(&rows());
        assert!(text.contains("a: 1 of 3 pass; with buffers only: 1 of 2 (50.0 %)"), "{text}");
        assert!(text.ends_with("conformance: 1 passed, 1 failed, 2 unsupported of 4 executable\n"), "{text}");
    }
}
