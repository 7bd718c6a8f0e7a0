//! Second derivatives by every pair of modes: all must agree, and the Hessian be symmetric.

use super::oracle::{Failure, Point, Program, agree, derived, run};
use crate::derivatives::{along, dot, dot_size};
use crate::lanes;
use pullback_ir::{Function, Module, Verified};

/// With `H` the Hessian of `<w, f>`: complex steps through `J^T w`, forward over reverse, reverse over reverse and
/// reverse over forward must give the same `H v`.
pub(super) fn check(program: &Program, point: &Point, detaches: bool) -> Result<(), Failure> {
    let (first, params) = (lanes::only(&program.reverse), &program.subject.params);
    let seeds = point.w.len();
    let active: Vec<bool> = params.iter().copied().chain(vec![false; seeds]).collect();
    let pulled_back = vec![true; first.results.len()];

    let by_steps =
        |lane| along(&program.reverse, lanes::first(&program.reverse), lane, &point.w, params, &point.v);
    let Ok((_, expected)) = by_steps(&point.lane) else { return Ok(()) };
    if !expected.iter().all(|slope| slope.is_finite()) {
        return Ok(());
    }
    let noise = || match by_steps(&point.nudged) {
        Ok((_, moved)) => moved.iter().zip(&expected).map(|(a, b)| (a - b).abs()).sum(),
        Err(_) => f64::INFINITY,
    };
    let size = 1.0 + expected.iter().fold(0.0, |size: f64, slope| size.max(slope.abs()));

    if let Some(over) = module("forward over reverse", lanes::forward_derivative(first, &active))? {
        let behind: Vec<f64> = point.w.iter().chain(&point.v).copied().collect();
        let found = run(&over, "forward over reverse", &point.lane, &behind)?;
        for (&expected, &found) in expected.iter().zip(&found[first.results.len()..]) {
            agree("forward over reverse", point, size, noise, (true, expected, found))?;
        }
    }
    if let Some(over) =
        module("reverse over reverse", lanes::reverse_derivative(first, &active, &pulled_back))?
    {
        // <u, H v> = <H^T u, v>, for a u that is as good as random: v the other way round.
        let u: Vec<f64> = point.v.iter().rev().map(|v| v - 0.3).collect();
        let behind: Vec<f64> = point.w.iter().chain(&u).copied().collect();
        let found = run(&over, "reverse over reverse", &point.lane, &behind)?;
        let size = 1.0 + dot_size(&u, &expected) + dot_size(&found, &point.v);
        let pair = (true, dot(&u, &expected), dot(&found, &point.v));
        agree("reverse over reverse", point, size, noise, pair)?;
    }
    // A detached value makes the first derivative that of no function: there is no symmetry to hold.
    if !detaches {
        reverse_over_forward(program, point, &expected, size, &noise)?;
    }
    Ok(())
}

fn reverse_over_forward(
    program: &Program,
    point: &Point,
    expected: &[f64],
    size: f64,
    noise: &dyn Fn() -> f64,
) -> Result<(), Failure> {
    const KIND: &str = "reverse over forward";
    let subject = &program.subject;
    let first = lanes::only(&program.forward);
    let active: Vec<bool> = subject.params.iter().copied().chain(vec![false; point.v.len()]).collect();
    // The function's results, then the tangents of those that are floats.
    let mut seeded = vec![false; subject.flat.results.len()];
    let floats = subject.flat.results.iter().zip(&subject.results).filter(|(ty, _)| ty.is_float());
    seeded.extend(floats.map(|(_, counts)| *counts));
    let Some(over) = module(KIND, lanes::reverse_derivative(first, &active, &seeded))? else { return Ok(()) };
    let behind: Vec<f64> = point.v.iter().chain(&point.w).copied().collect();
    let found = run(&over, KIND, &point.lane, &behind)?;
    for (&expected, &found) in expected.iter().zip(&found) {
        agree(KIND, point, size, noise, (true, expected, found))?;
    }
    Ok(())
}

/// A derived function as a module; nothing if it is refused.
fn module(
    kind: &str,
    result: Result<Function, pullback_base::Diagnostics>,
) -> Result<Option<Verified<Module>>, Failure> {
    Ok(derived(kind, result)?.ok().map(|function| lanes::alone(&function)))
}
