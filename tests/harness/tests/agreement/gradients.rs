//! Gradients: the `grad` and `kink` lines, complex steps at random points, and reverse mode as the transpose of
//! forward mode.

use crate::runs::{arguments, compare};
use pullback_interp::{Complex64, Exact, Number, Value};
use pullback_ir::{Constant, Function, Module, Op, Scalar, StmtKind, Verified, visit};
use pullback_tests::corpus::{self, Case, Subject};
use pullback_tests::directive::{Call, Expected, Kind};
use pullback_tests::failures::Failures;
use pullback_tests::lanes::{self, Lane};
use pullback_tests::random::Random;

const POINTS: usize = 20;
/// Complex steps have no cancellation, so this may be as small as one likes.
const STEP: f64 = 1e-30;
/// Both sides are computed in double precision, but the constants of a derived f32 function are f32 numbers.
const AGREEMENT: f64 = 1e-7;
/// Two derived functions have the same constants.
const TRANSPOSED: f64 = 1e-9;

/// A subject's derivatives, and itself, as modules of one function.
struct Derived<'a> {
    subject: &'a Subject,
    plain: Verified<Module>,
    reverse: Verified<Module>,
}

impl<'a> Derived<'a> {
    fn of(case: &Case, subject: &'a Subject) -> Result<Self, String> {
        let reverse = lanes::reverse_derivative(subject.primal(), &subject.params, &subject.results)
            .map_err(|refusal| pullback_base::render::render_all(&refusal.into_vec(), &case.sources))?;
        Ok(Self { subject, plain: lanes::alone(&subject.flat), reverse: lanes::alone(&reverse) })
    }

    /// The cotangents of the differentiable parameters, those of all results being 1.
    fn gradient<N: Number>(
        &self,
        lane: &[Constant],
        of: impl Fn(Constant) -> N,
    ) -> Result<Vec<Value<N>>, String> {
        let seeds = self.seeded().map(|scalar| Constant::float(scalar, 1.0));
        let inputs: Vec<Value<N>> = values(lane.iter().copied().chain(seeds), of);
        lanes::evaluate(&self.reverse, lanes::first(&self.reverse), inputs).map_err(|error| error.to_string())
    }

    fn seeded(&self) -> impl Iterator<Item = Scalar> {
        let results = self.subject.flat.results.iter().zip(&self.subject.results);
        results.filter(|(_, seeded)| **seeded).filter_map(|(ty, _)| ty.scalar())
    }

    /// The same by one complex step per parameter.
    fn by_complex_steps(&self, lane: &[Constant]) -> Result<Vec<f64>, String> {
        let active = (0..lane.len()).filter(|&place| self.subject.params[place]);
        let slope = |place: usize| {
            let mut inputs: Vec<Value<Complex64>> = values(lane.iter().copied(), Complex64::from_constant);
            inputs[place] = Value::Float(Complex64::new(lane[place].as_f64(), STEP));
            let results = lanes::evaluate(&self.plain, lanes::first(&self.plain), inputs);
            let results = results.map_err(|error| error.to_string())?;
            let counted = results.iter().zip(&self.subject.results).filter(|(_, counts)| **counts);
            Ok(counted.filter_map(|(result, _)| result.number()).map(|number| number.im / STEP).sum())
        };
        active.map(slope).collect()
    }

    fn check_by_complex_steps(&self, lane: &[Constant]) -> Result<(), String> {
        let wanted = self.by_complex_steps(lane)?;
        let found: Vec<f64> = numbers(&self.gradient(lane, |constant| constant.as_f64())?);
        let size = wanted.iter().fold(1.0, |size: f64, slope| size.max(slope.abs()));
        let close = |(a, b): (&f64, &f64)| (a - b).abs() <= AGREEMENT * size || a.is_nan() && b.is_nan();
        if wanted.len() == found.len() && wanted.iter().zip(&found).all(close) {
            return Ok(());
        }
        Err(format!("at {lane:?}: complex steps give {wanted:?}, reverse mode {found:?}"))
    }
}

/// Constants as values; floats by `of`.
fn values<N: Number>(
    constants: impl IntoIterator<Item = Constant>,
    of: impl Fn(Constant) -> N,
) -> Vec<Value<N>> {
    let value = |constant: Constant| {
        if constant.scalar().is_float() { Value::Float(of(constant)) } else { Value::Integer(constant) }
    };
    constants.into_iter().map(value).collect()
}

fn numbers<N: Number>(values: &[Value<N>]) -> Vec<f64> {
    values.iter().map(|value| value.as_f64().unwrap_or(f64::NAN)).collect()
}

/// Whether the gradient is what the line says, and what complex steps give.
pub fn check_grad_line(
    case: &Case,
    call: &Call,
    expected: Option<&Expected>,
    smooth: bool,
) -> Result<(), String> {
    let derived = Derived::of(case, case.subject(&call.function))?;
    let lane = arguments(case, call)?;
    if let Some(expected) = expected {
        let found = derived.gradient(&lane, Exact::from_constant)?;
        let found: Lane = found.iter().filter_map(Value::as_constant).collect();
        compare(expected, &found)?;
    }
    if smooth { derived.check_by_complex_steps(&lane) } else { Ok(()) }
}

#[test]
fn gradient_lines_hold() {
    let (cases, _) = corpus::load();
    let mut failures = Failures::default();
    for case in &cases {
        for directive in &case.directives {
            let Kind::Grad { call, expected, smooth } = &directive.kind else { continue };
            failures.check(&format!("{}:{}", case.name, directive.line), || {
                check_grad_line(case, call, expected.as_ref(), *smooth)
            });
        }
    }
    failures.finish();
}

/// The subjects that have a reverse derivative.
fn each_differentiable(mut check: impl FnMut(&Case, &Subject)) {
    let (cases, _) = corpus::load();
    for case in &cases {
        for subject in case.subjects.iter().filter(|subject| subject.has_gradient()) {
            if lanes::reverse_derivative(subject.primal(), &subject.params, &subject.results).is_ok() {
                check(case, subject);
            }
        }
    }
}

/// Whether it says that its derivative is another than that of its values.
fn stops_gradients(function: &Function) -> bool {
    let mut found = false;
    visit::each_stmt(&function.body, &mut |stmt| {
        found |= matches!(&stmt.kind, StmtKind::Let { op: Op::Detach | Op::Cut, .. });
    });
    found
}

#[test]
fn gradients_are_what_complex_steps_give_at_random_points() {
    let mut failures = Failures::default();
    each_differentiable(|case, subject| {
        if stops_gradients(&subject.flat) || subject.has_custom_derivatives() {
            return;
        }
        let mut random = Random::of_name(&case.name);
        let scalars = subject.param_scalars();
        failures.check(&format!("{} {}", case.name, subject.name), || {
            let derived = Derived::of(case, subject)?;
            (0..POINTS).try_for_each(|_| {
                derived.check_by_complex_steps(&lanes::generic_lane(&scalars, subject.domain, &mut random))
            })
        });
    });
    failures.finish();
}

#[test]
fn reverse_mode_is_the_transpose_of_forward_mode() {
    let mut failures = Failures::default();
    each_differentiable(|case, subject| {
        // Authors may give one mode alone, or two that differ.
        if !subject.has_custom_derivatives() {
            failures.check(&format!("{} {}", case.name, subject.name), || transposed(case, subject));
        }
    });
    failures.finish();
}

/// <J v, w> = <v, J^T w>
fn transposed(case: &Case, subject: &Subject) -> Result<(), String> {
    let flat: &Function = &subject.flat;
    let reverse = lanes::reverse_derivative(subject.primal(), &subject.params, &subject.results)
        .map_err(|d| format!("{d:?}"))?;
    let forward =
        lanes::forward_derivative(subject.primal(), &subject.params).map_err(|d| format!("{d:?}"))?;
    let (forward, reverse) = (lanes::alone(&forward), lanes::alone(&reverse));
    let mut random = Random::of_name(&case.name);
    let double = |value: f64| Value::<f64>::Float(value);
    for _ in 0..POINTS {
        let lane = lanes::generic_lane(&subject.param_scalars(), subject.domain, &mut random);
        let mut direction = |marks: &[bool]| -> Vec<f64> {
            marks.iter().filter(|mark| **mark).map(|_| random.float(-1.0, 1.0)).collect()
        };
        let (v, w) = (direction(&subject.params), direction(&subject.results));
        let inputs = || values(lane.iter().copied(), |constant| constant.as_f64());
        let with =
            |more: &[f64]| inputs().into_iter().chain(more.iter().map(|&x| double(x))).collect::<Vec<_>>();
        let error = |error: pullback_interp::InterpError| error.to_string();
        let pushed = lanes::evaluate(&forward, lanes::first(&forward), with(&v)).map_err(error)?;
        let pulled = lanes::evaluate(&reverse, lanes::first(&reverse), with(&w)).map_err(error)?;
        // Forward mode gives tangents of all float results; those that are declared to have none count nothing.
        let floats = flat.results.iter().zip(&subject.results).filter(|(ty, _)| ty.is_float());
        let tangents = numbers(&pushed[flat.results.len()..]);
        let counted = floats.zip(tangents).filter(|((_, counts), _)| **counts).map(|(_, tangent)| tangent);
        let (jv_w, v_jtw) = (dot(counted, &w), dot(numbers(&pulled), &v));
        let size = jv_w.abs().max(v_jtw.abs()).max(1.0);
        let same = (jv_w - v_jtw).abs() <= TRANSPOSED * size || jv_w.is_nan() && v_jtw.is_nan();
        if !same {
            return Err(format!("at {lane:?}, v = {v:?}, w = {w:?}: <Jv, w> = {jv_w}, <v, J^T w> = {v_jtw}"));
        }
    }
    Ok(())
}

fn dot(a: impl IntoIterator<Item = f64>, b: &[f64]) -> f64 {
    a.into_iter().zip(b).map(|(x, y)| x * y).sum()
}
