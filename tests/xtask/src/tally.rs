//! Counting: what test runners say in their closing lines, and the table at the end of `cargo xtask test`.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::AddAssign;
use std::time::{Duration, Instant};

/// Starts a line that a test prints when it leaves out a device that is not there.
pub const DEVICE_SKIP: &str = "SKIPPED-DEVICE:";

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub passed: usize,
    pub failed: usize,
    pub skipped: usize,
}

impl Tally {
    pub const PASS: Tally = Tally { passed: 1, failed: 0, skipped: 0 };
    pub const FAIL: Tally = Tally { passed: 0, failed: 1, skipped: 0 };
    pub const SKIP: Tally = Tally { passed: 0, failed: 0, skipped: 1 };

    pub fn of(good: bool) -> Tally {
        if good { Tally::PASS } else { Tally::FAIL }
    }

    /// A runner that failed without a failed test did not get as far as its tests.
    pub fn with_exit_code(mut self, code: i32) -> Tally {
        self.failed = self.failed.max(usize::from(code != 0));
        self
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

/// Reads the closing line of cargo-nextest, `cargo test` or pytest; any other line is `None`.
pub fn closing_line(line: &str) -> Option<Tally> {
    let line = line.trim().trim_matches('=').trim();
    let of_rust = line.starts_with("test result: ") || line.starts_with("Summary [");
    let of_pytest = line.starts_with(|first: char| first.is_ascii_digit())
        && line.rsplit_once(" in ").is_some_and(|(_, time)| time.contains('s'));
    if !of_rust && !of_pytest {
        return None;
    }
    let words: Vec<&str> =
        line.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let mut tally = Tally::default();
    for pair in words.windows(2) {
        let Ok(count) = pair[0].parse::<usize>() else { continue };
        match pair[1] {
            "passed" => tally.passed += count,
            "failed" | "error" | "errors" | "xpassed" | "timed" | "exec" => tally.failed += count,
            // A test that is known to fail has not passed.
            "skipped" | "ignored" | "xfailed" => tally.skipped += count,
            _ => {}
        }
    }
    Some(tally)
}

/// The reason in a line that leaves out a device, wherever in the line a runner has put it; nextest's
/// report is XML.
pub fn device_skip(line: &str) -> Option<String> {
    let (_, reason) = line.split_once(DEVICE_SKIP)?;
    let reason = reason.split("</").next().unwrap_or(reason).trim();
    Some(reason.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&"))
}

/// What was run, in order, and why something was not.
pub struct Report {
    rows: Vec<(String, Tally, Duration)>,
    reasons: BTreeMap<String, usize>,
    since: Instant,
}

impl Report {
    pub fn new() -> Report {
        Report { rows: Vec::new(), reasons: BTreeMap::new(), since: Instant::now() }
    }

    /// Ends a stage; its time counts from the end of the one before.
    pub fn stage(&mut self, name: &str, tally: Tally) {
        self.rows.push((name.to_owned(), tally, self.since.elapsed()));
        self.since = Instant::now();
    }

    pub fn reason(&mut self, why_skipped: &str) {
        *self.reasons.entry(why_skipped.to_owned()).or_default() += 1;
    }

    pub fn total(&self) -> Tally {
        let mut total = Tally::default();
        for (_, tally, _) in &self.rows {
            total += *tally;
        }
        total
    }

    /// The table, the reasons, and the sum alone on the last line.
    pub fn print(&self) {
        println!("\n{:<28} {:>7} {:>7} {:>8} {:>9}", "stage", "passed", "failed", "skipped", "seconds");
        for (name, tally, time) in &self.rows {
            let seconds = time.as_secs_f64();
            println!(
                "{name:<28} {:>7} {:>7} {:>8} {seconds:>9.1}",
                tally.passed, tally.failed, tally.skipped
            );
        }
        if !self.reasons.is_empty() {
            println!("\nskipped:");
        }
        for (reason, times) in &self.reasons {
            println!("  {times:>4} x {reason}");
        }
        println!("\n{}", self.total());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, passed: usize, failed: usize, skipped: usize) {
        assert_eq!(closing_line(line), Some(Tally { passed, failed, skipped }), "{line}");
    }

    #[test]
    fn closing_lines_of_every_runner_are_read() {
        check("     Summary [   0.022s] 12 tests run: 12 passed, 0 skipped", 12, 0, 0);
        check("Summary [ 1.3s] 9/12 tests run: 6 passed (1 slow), 2 failed, 1 timed out, 3 skipped", 6, 3, 3);
        check("test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out", 3, 0, 1);
        check("===== 1 failed, 22 passed, 3 skipped, 1 xfailed in 0.12s =====", 22, 1, 4);
        check("22 passed, 2 errors in 72.20s (0:01:12)", 22, 2, 0);
    }

    #[test]
    fn other_lines_are_not_counted() {
        for line in
            ["running 3 tests", "test a_passed ... ok", "3 lines were read", "no tests ran in 0.01s", ""]
        {
            assert_eq!(closing_line(line), None, "{line}");
        }
    }

    #[test]
    fn a_runner_that_failed_before_its_tests_counts_as_one_failure() {
        assert_eq!(Tally::default().with_exit_code(101), Tally::FAIL);
        assert_eq!(Tally { passed: 3, failed: 2, skipped: 0 }.with_exit_code(1).failed, 2);
    }

    #[test]
    fn reasons_are_found_inside_what_runners_wrap_around_them() {
        let reason = |line| device_skip(line).unwrap_or_default();
        assert_eq!(reason("<system-out>SKIPPED-DEVICE: no &lt;x&gt;</system-out>"), "no <x>");
        assert_eq!(reason("SKIPPED [2] test_x.py:3: SKIPPED-DEVICE: no GPU"), "no GPU");
        assert_eq!(device_skip("skipped: nothing"), None);
    }
}
