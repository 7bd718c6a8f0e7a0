//! The committed names of tests that pass: one that stops passing is seen.

use crate::outcome::{Outcome, Row};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::{fs, io};

/// The file of a folder's names.
fn list_of(lists: &Path, folder: &str) -> PathBuf {
    lists.join(format!("passing-{folder}.txt"))
}

fn read(path: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

fn by_folder(rows: &[Row]) -> BTreeMap<&str, Vec<(&str, &Outcome)>> {
    let mut folders: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for row in rows {
        if let Some((folder, test)) = row.name.split_once('/') {
            folders.entry(folder).or_default().push((test, &row.outcome));
        }
    }
    folders
}

/// Listed tests among these rows that do not pass.
pub fn lost(lists: &Path, rows: &[Row]) -> Vec<String> {
    let mut lost = Vec::new();
    for (folder, tests) in by_folder(rows) {
        let listed = read(&list_of(lists, folder));
        let is_lost =
            |(test, outcome): &&(&str, &Outcome)| listed.contains(*test) && **outcome != Outcome::Pass;
        lost.extend(
            tests.iter().filter(is_lost).map(|(test, outcome)| format!("{folder}/{test}: {outcome}")),
        );
    }
    lost
}

/// Adds the tests that pass to the lists; never takes one away.
pub fn add(lists: &Path, rows: &[Row]) -> io::Result<usize> {
    let mut added = 0;
    for (folder, tests) in by_folder(rows) {
        let path = list_of(lists, folder);
        let mut names = read(&path);
        for (test, outcome) in tests {
            added += usize::from(*outcome == Outcome::Pass && names.insert(test.to_owned()));
        }
        if !names.is_empty() {
            let lines: Vec<String> = names.into_iter().map(|name| name + "\n").collect();
            fs::write(path, lines.concat())?;
        }
    }
    Ok(added)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, outcome: Outcome) -> Row {
        Row { name: name.into(), buffers_only: true, outcome }
    }

    #[test]
    fn a_listed_test_that_fails_is_lost_and_stays_listed() {
        let lists = tempfile::tempdir().expect("a folder");
        let good = [row("a/x", Outcome::Pass), row("a/y", Outcome::Fail("no".into()))];
        assert_eq!(add(lists.path(), &good).expect("written"), 1);
        let bad = [row("a/x", Outcome::Fail("worse".into())), row("a/y", Outcome::Pass)];
        let lost = lost(lists.path(), &bad);
        assert!(lost.len() == 1 && lost[0].starts_with("a/x: FAIL"), "{lost:?}");
        assert_eq!(add(lists.path(), &bad).expect("written"), 1);
        assert_eq!(fs::read_to_string(lists.path().join("passing-a.txt")).expect("there"), "x\ny\n");
    }
}
