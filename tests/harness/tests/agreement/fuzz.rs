//! Random programs have right gradients, and those that once had not have them still.

use pullback_tests::failures::Failures;
use pullback_tests::fuzz::oracle::Verdict;
use pullback_tests::fuzz::{Report, check_text, corpus};

/// `cargo xtask test` runs many more, in a release build.
const PROGRAMS: u64 = 100;

#[test]
fn programs_that_failed_once_are_right() {
    let mut failures = Failures::default();
    for (name, text) in corpus() {
        failures.check(&name, || match check_text(&text) {
            Ok(Verdict::Agreed) => Ok(()),
            Ok(other) => Err(format!("{other:?}")),
            Err(failure) => Err(format!("{}\n{}", failure.kind, failure.detail)),
        });
    }
    failures.finish();
}

#[test]
fn random_programs_have_right_gradients() {
    let mut report = Report::default();
    (0..PROGRAMS).for_each(|seed| report.check(seed, &[]));
    let shown = |m: &pullback_tests::fuzz::Mismatch| format!("{}: {}\n{}", m.seed, m.failure.detail, m.text);
    assert!(report.mismatches.is_empty(), "{}", report.mismatches.iter().map(shown).collect::<String>());
    let compared = PROGRAMS - report.others.values().sum::<u64>();
    assert!(2 * compared > PROGRAMS, "most programs are compared with nothing: {:?}", report.others);
}
