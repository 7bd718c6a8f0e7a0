//! GLSL by each reader: the corpus gives the same values and gradients.

use crate::{gradients::check_grad_line, runs};
use pullback_interp::{Exact, Value};
use pullback_lang::{GlslReader, Options, compile_glsl};
use pullback_tests::corpus::{Case, Subject, tests_folder};
use pullback_tests::directive::Kind;
use pullback_tests::failures::Failures;
use pullback_tests::lanes::{self, Lane};
use pullback_tests::random::Random;

/// Random inputs of each function.
const POINTS: usize = 50;

/// Each text of the corpus, by both readers.
fn each_text(mut check: impl FnMut(&Case, &Case)) {
    let folder = tests_folder().join("golden/in/glsl");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).expect("the folder is there").flatten() {
        let text = std::fs::read_to_string(entry.path()).expect("a text");
        let name = entry.file_name().to_string_lossy().into_owned();
        let by = |reader| {
            let compiled = compile_glsl(reader, &name, &text, &Options::default());
            Case::of(&name, &text, compiled).unwrap_or_else(|why| panic!("{name}, {reader:?}: {why}"))
        };
        check(&by(GlslReader::Naga), &by(GlslReader::Shaderc));
        count += 1;
    }
    assert!(count > 1, "there are texts");
}

#[test]
fn lines_of_glsl_hold_by_the_reference_compiler() {
    let mut failures = Failures::default();
    each_text(|_, case| {
        for directive in &case.directives {
            failures.check(&format!("{}:{}", case.name, directive.line), || match &directive.kind {
                Kind::Run { call, expected } => {
                    let lane = runs::arguments(case, call)?;
                    runs::compare(expected, &runs::run(case, &call.function, &lane, false)?)
                }
                Kind::Grad { call, expected, smooth } => {
                    check_grad_line(case, call, expected.as_ref(), *smooth)
                }
                _ => Ok(()),
            });
        }
    });
    failures.finish();
}

#[test]
fn values_and_gradients_of_glsl_are_the_same_by_both_readers() {
    let mut failures = Failures::default();
    each_text(|one, other| {
        for subject in &one.subjects {
            failures.check(&format!("{} {}", one.name, subject.name), || {
                same(subject, other.subject(&subject.name))
            });
        }
    });
    failures.finish();
}

fn same(one: &Subject, other: &Subject) -> Result<(), String> {
    if one.param_scalars() != other.param_scalars() || one.flat.results != other.flat.results {
        return Err("the signatures differ".into());
    }
    let mut random = Random::of_name(&one.name);
    for _ in 0..POINTS {
        let lane = lanes::random_lane(&one.param_scalars(), one.domain, &mut random);
        alike(&lane, &evaluated(&one.flat, &lane, &[])?, &evaluated(&other.flat, &lane, &[])?, 0.0)?;
        if !one.has_gradient() {
            continue;
        }
        let derivative = |subject: &Subject| {
            lanes::reverse_derivative(subject.primal(), &subject.params, &subject.results)
                .map_err(|d| format!("{d:?}"))
        };
        let ones = vec![1.0; one.results.iter().filter(|carries| **carries).count()];
        let (a, b) = (derivative(one)?, derivative(other)?);
        // Sums of contributions may run in another order.
        alike(&lane, &evaluated(&a, &lane, &ones)?, &evaluated(&b, &lane, &ones)?, 1e-5)?;
    }
    Ok(())
}

/// The results on a lane and these numbers behind it.
fn evaluated(function: &pullback_ir::Function, lane: &Lane, behind: &[f64]) -> Result<Vec<f64>, String> {
    let module = lanes::alone(function);
    let inputs = lane.iter().map(|&number| Value::<Exact>::constant(number));
    let behind = behind.iter().map(|&number| Value::f32(number as f32));
    let results = lanes::evaluate(&module, lanes::first(&module), inputs.chain(behind));
    let results = results.map_err(|error| error.to_string())?;
    Ok(results.iter().map(|value| value.as_f64().unwrap_or(f64::NAN)).collect())
}

fn alike(lane: &Lane, one: &[f64], other: &[f64], within: f64) -> Result<(), String> {
    let close = |a: f64, b: f64| {
        a == b || a.is_nan() && b.is_nan() || (a - b).abs() <= within * a.abs().max(b.abs()).max(1.0)
    };
    if one.len() == other.len() && one.iter().zip(other).all(|(&a, &b)| close(a, b)) {
        return Ok(());
    }
    Err(format!("at {lane:?}: {one:?} and {other:?}"))
}
