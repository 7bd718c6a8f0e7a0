//! What must hold of a program's derivatives, whatever the program: complex steps, the transpose, other requests.

use super::program::ENTRY;
use crate::corpus::{Case, Domain, Subject};
use crate::derivatives::{along, dot, dot_size, evaluate, marked};
use crate::lanes::{self, Lane};
use crate::random::Random;
use crate::wide::Wide;
use pullback_autodiff::{LoopOptions, Primal, VjpRequest};
use pullback_base::Diagnostics;
use pullback_interp::InterpError;
use pullback_ir::{Constant, Function, Module, Scalar, Verified};
use pullback_lang::Language;

/// The random inputs of programs.
pub const DOMAIN: Domain = Domain { floats: (-2.0, 2.0), ints: (-4, 9) };
const POINTS: usize = 2;
/// How many states of a loop are stored must not matter.
const SLOTS: [u32; 4] = [1, 2, 3, 8];
/// Both sides are computed in double precision.
const AGREEMENT: f64 = 1e-9;
/// Where a program magnifies rounding errors, both sides may differ by as much as this change of the inputs makes.
const NUDGE: f64 = 1e-13;
/// Larger derivatives may have been larger still on their way, where a complex step of them was no small one.
const MOST_SLOPE: f64 = 1e100;
/// Above this size second derivatives take longer than they are worth.
const MAX_VALUES_OF_SECOND: usize = 4000;

/// The kind of a derivative that does not come to an end.
const TOO_LONG: &str = "too many steps";

/// What is checked of a program beside first derivatives.
#[derive(Clone, Copy, Debug, Default)]
pub struct Depth {
    /// Second derivatives, by all pairs of modes.
    pub second: bool,
}

/// How a check of a program ended, if nothing is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Agreed,
    /// The code of the refusal; of the form with buffers, all else agreed.
    Refused(String),
    RefusedByBuffers(String),
    /// No point to compare at, and why.
    Skipped(&'static str),
}

/// What is wrong: shrinking keeps the kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub kind: String,
    pub detail: String,
}

impl Failure {
    pub fn new(kind: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { kind: kind.into(), detail: detail.into() }
    }
}

/// A compiled program and the derivatives of its entry.
pub(super) struct Program {
    case: Case,
    pub subject: Subject,
    pub forward: Verified<Module>,
    pub reverse: Verified<Module>,
}

/// Where derivatives are compared, and along what.
pub(super) struct Point {
    pub lane: Lane,
    /// The same, a little off.
    pub nudged: Lane,
    /// A direction of the active inputs.
    pub v: Vec<f64>,
    /// A direction of the counted results.
    pub w: Vec<f64>,
    /// Each result, and its derivative along `v` by a complex step.
    pub values: Vec<f64>,
    pub slopes: Vec<f64>,
}

/// Checks the program of a text, in which `real` should be double.
pub fn check(text: &str, seed: u64, depth: Depth) -> Result<Verdict, Failure> {
    let (case, subject) = compiled(text)?;
    let forward = derived("forward", lanes::forward_derivative(subject.primal(), &subject.params))?;
    let reverse =
        derived("reverse", lanes::reverse_derivative(subject.primal(), &subject.params, &subject.results))?;
    let refused = reverse.as_ref().err().or(forward.as_ref().err()).cloned();
    // What is refused is not looked at below.
    let module =
        |function: Result<Function, String>| lanes::alone(&function.unwrap_or_else(|_| subject.flat.clone()));
    let (has_forward, forward, reverse) = (forward.is_ok(), module(forward), module(reverse));
    let program = Program { case, subject, forward, reverse };
    let mut random = Random::new(seed ^ 0xfeed);
    let mut points = Vec::new();
    for _ in 0..POINTS {
        points.extend(program.point(&mut random)?);
    }
    if points.is_empty() {
        return Ok(Verdict::Skipped("no point with finite derivatives in time"));
    }
    if has_forward {
        points.iter().try_for_each(|point| program.check_forward(point))?;
    }
    if let Some(code) = refused {
        return Ok(Verdict::Refused(code));
    }
    points.iter().try_for_each(|point| program.check_reverse(&program.reverse, "reverse", point))?;
    program.check_linear(&points[0])?;
    program.check_variations(seed, &points[0])?;
    if depth.second && lanes::only(&program.reverse).values.len() < MAX_VALUES_OF_SECOND {
        in_time(super::second::check(&program, &points[0], text.contains("detach(")))?;
    }
    if text.contains("#ifdef BUFFERS")
        && let Some(code) = super::memory::check(&program, text, seed, &points)?
    {
        return Ok(Verdict::RefusedByBuffers(code));
    }
    Ok(Verdict::Agreed)
}

/// The entry of a text.
pub(super) fn compiled(text: &str) -> Result<(Case, Subject), Failure> {
    let case = Case::compile("", "program.slang", text, Language::Slang)
        .map_err(|why| Failure::new(format!("compile: {}", first_code(&why)), why))?;
    let subject = Subject::of(&case.module, &case.sources, ENTRY, DOMAIN)
        .map_err(|why| Failure::new(format!("flatten: {}", first_code(&why)), why))?;
    Ok((case, subject))
}

impl Program {
    /// A random point at which derivatives are finite, and known.
    fn point(&self, random: &mut Random) -> Result<Option<Point>, Failure> {
        let subject = &self.subject;
        let lane = lanes::generic_lane(&subject.param_scalars(), DOMAIN, random);
        let nudge = |&constant: &Constant| {
            if !constant.scalar().is_float() {
                return constant;
            }
            Constant::float(Scalar::F64, constant.as_f64() * (1.0 + NUDGE))
        };
        let nudged = lane.iter().map(nudge).collect();
        let mut direction = |marks: &[bool]| -> Vec<f64> {
            marks.iter().filter(|mark| **mark).map(|_| random.float(-1.0, 1.0)).collect()
        };
        let (v, w) = (direction(&subject.params), direction(&subject.results));
        let (values, slopes) = match along(&self.case.module, subject.id, &lane, &[], &subject.params, &v) {
            Ok((values, slopes))
                if values.iter().all(|x| x.is_finite()) && slopes.iter().all(|x| x.abs() < MOST_SLOPE) =>
            {
                (values, slopes)
            }
            Ok(_) | Err(InterpError::StepLimit) => return Ok(None),
            Err(error) => return Err(Failure::new("primal: does not run", error.to_string())),
        };
        Ok(Some(Point { lane, nudged, v, w, values, slopes }))
    }

    /// How much a nudge of the inputs moves the slopes.
    pub fn noise(&self, point: &Point) -> f64 {
        let moved =
            along(&self.case.module, self.subject.id, &point.nudged, &[], &self.subject.params, &point.v);
        let Ok((_, moved)) = moved else { return f64::INFINITY };
        moved.iter().zip(&point.slopes).map(|(a, b)| (a - b).abs()).sum()
    }

    /// J v
    fn check_forward(&self, point: &Point) -> Result<(), Failure> {
        let results = &self.subject.flat.results;
        let found = run(&self.forward, "forward", &point.lane, &point.v)?;
        let floats: Vec<bool> = results.iter().map(|ty| ty.is_float()).collect();
        let expected = marked(&point.slopes, &floats);
        let tangents = &found[results.len()..];
        let size = 1.0 + expected.iter().fold(0.0, |size: f64, slope| size.max(slope.abs()));
        for (place, (&expected, &found)) in expected.iter().zip(tangents).enumerate() {
            let counts = marked(&self.subject.results, &floats)[place];
            agree("forward", point, size, || self.noise(point), (counts, expected, found))?;
        }
        Ok(())
    }

    /// <v, J^T w> = <J v, w>
    fn check_reverse(&self, reverse: &Verified<Module>, kind: &str, point: &Point) -> Result<(), Failure> {
        let pulled = run(reverse, kind, &point.lane, &point.w)?;
        let slopes = marked(&point.slopes, &self.subject.results);
        let size = 1.0 + dot_size(&slopes, &point.w) + dot_size(&pulled, &point.v);
        let pair = (true, dot(&slopes, &point.w), dot(&pulled, &point.v));
        agree(kind, point, size, || self.noise(point), pair)
    }

    /// J^T (3 w) = 3 J^T w, each
    fn check_linear(&self, point: &Point) -> Result<(), Failure> {
        let triple: Vec<f64> = point.w.iter().map(|w| 3.0 * w).collect();
        let once = run(&self.reverse, "linear", &point.lane, &point.w)?;
        let thrice = run(&self.reverse, "linear", &point.lane, &triple)?;
        for (once, thrice) in once.iter().zip(&thrice) {
            agree("linear", point, 1.0 + thrice.abs(), || 0.0, (true, 3.0 * once, *thrice))?;
        }
        Ok(())
    }

    /// Other ways to the same gradient, two of them for each program: some number of slots, and either every loop reversed,
    /// also those with few inputs, or given derivatives left out, or nothing unrolled and simplified before.
    fn check_variations(&self, seed: u64, point: &Point) -> Result<(), Failure> {
        let subject = &self.subject;
        let slots = SLOTS[(seed / 2) as usize % SLOTS.len()];
        let stored = LoopOptions { slots: Some(slots), reversed: true };
        self.check_variation(&format!("{slots} slots"), subject.primal(), stored, point)?;
        if seed.is_multiple_of(2) {
            let reversed = LoopOptions { slots: None, reversed: true };
            return self.check_variation("all loops reversed", subject.primal(), reversed, point);
        }
        if subject.has_custom_derivatives() {
            return self.check_variation(
                "inlined",
                Primal::from(&subject.flat),
                LoopOptions::default(),
                point,
            );
        }
        let kind = "as written";
        let failed = |why: Diagnostics| Failure::new(format!("{kind}: does not flatten"), format!("{why:?}"));
        let inlined = pullback_passes::inline(&self.case.module, self.subject.id).map_err(failed)?;
        let written = pullback_passes::scalarize(&inlined).map_err(failed)?;
        self.check_variation(kind, Primal::from(&written), LoopOptions::default(), point)
    }

    fn check_variation(
        &self,
        kind: &str,
        primal: Primal<'_>,
        loops: LoopOptions,
        point: &Point,
    ) -> Result<(), Failure> {
        let Subject { params, results, .. } = &self.subject;
        let request = VjpRequest { loops, ..VjpRequest::new(params.clone(), results.clone()) };
        match derived(kind, lanes::requested_derivative(primal, &request))? {
            Ok(other) => in_time(self.check_reverse(&lanes::alone(&other), kind, point)),
            Err(_) => Ok(()),
        }
    }
}

/// The results of a derived function.
pub(super) fn run(
    module: &Verified<Module>,
    kind: &str,
    lane: &[Constant],
    behind: &[f64],
) -> Result<Vec<f64>, Failure> {
    let id = lanes::first(module);
    in_range(
        || ran(kind, evaluate::<f64>(module, id, lane, behind)),
        || ran(kind, evaluate::<Wide>(module, id, lane, behind)),
    )
}

/// What a derivative gives in doubles, or where that is not finite, in numbers that do not overflow: on the way through a long
/// loop cotangents may, and be NaN times zero, where the gradient itself does not.
pub(super) fn in_range(
    doubles: impl FnOnce() -> Result<Vec<f64>, Failure>,
    wide: impl FnOnce() -> Result<Vec<f64>, Failure>,
) -> Result<Vec<f64>, Failure> {
    let found = doubles()?;
    if found.iter().all(|x| x.is_finite()) { Ok(found) } else { wide() }
}

/// What a run gave, or how it failed.
pub(super) fn ran<T>(kind: &str, results: Result<T, InterpError>) -> Result<T, Failure> {
    results.map_err(|error| match error {
        InterpError::StepLimit => Failure::new(TOO_LONG, kind),
        error => Failure::new(format!("{kind}: does not run"), error.to_string()),
    })
}

/// Passes what took too long: few slots and second derivatives run loops of thousands of trips very often.
pub(super) fn in_time(result: Result<(), Failure>) -> Result<(), Failure> {
    result.or_else(|failure| if failure.kind == TOO_LONG { Ok(()) } else { Err(failure) })
}

/// Holds two numbers, if they count, to the same value.
pub(super) fn agree(
    kind: &str,
    point: &Point,
    size: f64,
    noise: impl FnOnce() -> f64,
    (counts, expected, found): (bool, f64, f64),
) -> Result<(), Failure> {
    let distance = (expected - found).abs();
    if !counts || distance <= AGREEMENT * size {
        return Ok(());
    }
    // Negated, so that NaN fails.
    let noise = noise();
    if distance <= AGREEMENT * size + noise {
        return Ok(());
    }
    let Point { lane, v, w, .. } = point;
    let at = lane.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let detail =
        format!("expected {expected:e}, found {found:e} (noise {noise:e})\nat ({at})\nv = {v:?}\nw = {w:?}");
    Err(Failure::new(format!("{kind}: mismatch"), detail))
}

/// The code of a rendered diagnostic, `error[code]: ...`.
fn first_code(rendered: &str) -> &str {
    rendered.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map_or("", |(code, _)| code)
}

/// A derived function, or the code of its refusal; a refusal without a place is a failure.
pub(super) fn derived(
    mode: &str,
    result: Result<Function, Diagnostics>,
) -> Result<Result<Function, String>, Failure> {
    let refusal = match result {
        Ok(function) => return Ok(Ok(function)),
        Err(refusal) => refusal,
    };
    match refusal.iter().find(|d| d.span().is_none()) {
        Some(lost) => Err(Failure::new(format!("{mode}: refused without a place"), format!("{lost:?}"))),
        None => Ok(Err(refusal.iter().next().map_or(String::new(), |d| d.code.text().to_owned()))),
    }
}
