//! The `run` lines of the corpus, on the interpreter; and the passes keep every result.

use pullback_interp::{Exact, Value};
use pullback_ir::{Constant, Scalar};
use pullback_tests::corpus::{self, Case, scalars};
use pullback_tests::directive::{Call, Expected, Kind, as_f64, constant};
use pullback_tests::failures::Failures;
use pullback_tests::lanes::{self, Lane};
use pullback_tests::random::Random;

/// The leaves of a call's arguments, in the types of the flat parameters.
pub fn arguments(case: &Case, call: &Call) -> Result<Lane, String> {
    let scalars = case.subject(&call.function).param_scalars();
    if scalars.len() != call.args.len() {
        return Err(format!("{} takes {} numbers, got {}", call.function, scalars.len(), call.args.len()));
    }
    call.args.iter().zip(scalars).map(|(&number, scalar)| constant(number, scalar)).collect()
}

/// Compares leaves with what a directive says.
pub fn compare(expected: &Expected, found: &[Constant]) -> Result<(), String> {
    if expected.leaves.len() != found.len() {
        return Err(format!("expected {} numbers, found {found:?}", expected.leaves.len()));
    }
    for (&number, &found_one) in expected.leaves.iter().zip(found) {
        let same = match expected.within {
            Some(within) => {
                let (a, b) = (as_f64(number), found_one.as_f64());
                (a - b).abs() <= within * a.abs().max(1.0)
            }
            None => alike(constant(number, found_one.scalar())?, found_one),
        };
        if !same {
            return Err(format!("expected {:?}, found {found:?}", expected.leaves));
        }
    }
    Ok(())
}

/// Equal, zeros of either sign and NaNs of any payload being alike.
pub fn alike(a: Constant, b: Constant) -> bool {
    a == b || a.as_f64() == b.as_f64() && a.scalar().is_float() || a.as_f64().is_nan() && b.as_f64().is_nan()
}

/// A call on the interpreter, of the function as written or in scalar form.
pub fn run(case: &Case, function: &str, lane: &[Constant], flat: bool) -> Result<Lane, String> {
    let subject = case.subject(function);
    let inputs = lane.iter().map(|&number| Value::<Exact>::constant(number));
    let results = if flat {
        let module = lanes::alone(&subject.flat);
        lanes::evaluate(&module, lanes::first(&module), inputs)
    } else {
        lanes::evaluate(&case.module, subject.id, inputs)
    };
    let results = results.map_err(|error| error.to_string())?;
    results
        .iter()
        .map(|value| value.as_constant().ok_or_else(|| "a result is no number".to_owned()))
        .collect()
}

#[test]
fn run_lines_hold_on_the_interpreter() {
    let (cases, _) = corpus::load();
    let mut failures = Failures::default();
    for case in &cases {
        for directive in &case.directives {
            let Kind::Run { call, expected } = &directive.kind else { continue };
            failures.check(&format!("{}:{}", case.name, directive.line), || {
                compare(expected, &run(case, &call.function, &arguments(case, call)?, false)?)
            });
        }
    }
    failures.finish();
}

#[test]
fn flattening_and_optimizing_keep_every_bit() {
    let (cases, _) = corpus::load();
    let mut failures = Failures::default();
    for case in &cases {
        for subject in &case.subjects {
            let mut random = Random::of_name(&case.name);
            let scalars = subject.param_scalars();
            failures.check(&format!("{} {}", case.name, subject.name), || {
                for _ in 0..100 {
                    let lane = lanes::random_lane(&scalars, subject.domain, &mut random);
                    let plain = run(case, &subject.name, &lane, false)?;
                    let flat = run(case, &subject.name, &lane, true)?;
                    let same =
                        plain.len() == flat.len() && plain.iter().zip(&flat).all(|(&a, &b)| alike(a, b));
                    if !same {
                        return Err(format!("at {lane:?}: as written {plain:?}, flat {flat:?}"));
                    }
                }
                Ok(())
            });
        }
    }
    failures.finish();
}

#[test]
fn every_function_says_how_its_flat_form_is_called() {
    let (cases, _) = corpus::load();
    for subject in cases.iter().flat_map(|case| &case.subjects) {
        let (params, results) = (scalars(&subject.flat.param_types()), scalars(&subject.flat.results));
        let fits = |marks: &[bool], scalars: &[Scalar]| {
            marks.len() == scalars.len() && marks.iter().zip(scalars).all(|(&mark, s)| !mark || s.is_float())
        };
        assert!(fits(&subject.params, &params) && fits(&subject.results, &results), "{}", subject.name);
    }
}
