//! What is refused, and where.

use crate::run::{doubles, gradient, jvp, parse_one};
use pullback_autodiff::{VjpRequest, vjp};
use pullback_base::{Code, Diagnostics, FileId, Span, ids::Id};
use pullback_ir::{Effect, Function, FunctionBuilder, FunctionKind, LoopHints, Op, Type};

fn place(at: u32) -> Span {
    Span::new(FileId::from_index(0), at, at + 1)
}

fn reverse(function: &Function, active_params: &[bool]) -> Result<Function, Diagnostics> {
    let request = VjpRequest::new(active_params.to_vec(), vec![true; function.results.len()]);
    vjp(function, &request)
}

/// Code and place of the only refusal.
fn refusal(result: Result<Function, Diagnostics>) -> (Code, Span) {
    let found = result.expect_err("refused").into_vec();
    assert_eq!(found.len(), 1, "{found:?}");
    (found[0].code, found[0].span())
}

/// `x^2n` by a loop over `n`.
fn power() -> Function {
    let mut b = FunctionBuilder::new("power", FunctionKind::Plain);
    let (x, n) = (b.param(Type::F64, "x"), b.param(Type::I32, "n"));
    let (one, first) = (b.number(&Type::F64, 1.0), b.number(&Type::I32, 0.0));
    let results = b.loop_(
        &[first, one],
        LoopHints::default(),
        |b, p| b.op(Op::Lt, &[p[0], n]),
        |b, p| {
            let one = b.number(&Type::I32, 1.0);
            vec![b.add(p[0], one), b.mul(p[1], x)]
        },
    );
    let square = b.mul(results[1], results[1]);
    b.finish(vec![square])
}

#[test]
fn both_modes_go_through_a_loop() {
    // d (x^3)^2 = 6 x^5
    assert_eq!(doubles(&gradient(&power()), &[2.0, 3.0, 1.0]), [192.0]);
    assert_eq!(doubles(&gradient(&power()), &[2.0, 0.0, 1.0]), [0.0]);
    assert_eq!(doubles(&jvp(&power()), &[2.0, 3.0, 1.0]), [64.0, 192.0]);
    assert_eq!(doubles(&jvp(&power()), &[2.0, 0.0, 1.0]), [1.0, 0.0]);
}

#[test]
fn a_loop_without_a_derivative_is_run_again() {
    // The loop computes a coefficient from `n` alone.
    let text = "func @f(%0 x: f64, %1 n: i32) -> (f64) {
      %2: i32 = const i32 0
      %3: f64 = const f64 1.0
      %4: i32, %5: f64 = loop (%6: i32 = %2, %7: f64 = %3) while {
        %8: bool = lt %6, %1
        yield %8
      } do {
        %9: i32 = const i32 1
        %10: i32 = add %6, %9
        %11: f64 = add %7, %7
        yield %10, %11
      }
      %12: f64 = mul %0, %5
      %13: f64 = mul %12, %0
      yield %13
    }";
    let f = parse_one(text);
    assert_eq!(doubles(&gradient(&f), &[3.0, 4.0, 1.0]), [96.0]);
}

#[test]
fn a_loop_whose_result_is_detached_or_unused_is_not_reversed() {
    let mut b = FunctionBuilder::new("f", FunctionKind::Plain);
    let x = b.param(Type::F64, "x");
    let stop = b.number(&Type::F64, 10.0);
    let grown = b.loop_(
        &[x],
        LoopHints::default(),
        |b, p| b.op(Op::Lt, &[p[0], stop]),
        |b, p| vec![b.add(p[0], p[0])],
    )[0];
    let detached = b.op(Op::Detach, &[grown]);
    let product = b.mul(detached, x);
    let f = b.finish(vec![product]);
    assert_eq!(doubles(&gradient(&f), &[3.0, 1.0]), [12.0]);
    let mut unused = power();
    unused.body.yields = vec![unused.params[0]];
    assert_eq!(doubles(&gradient(&unused), &[3.0, 2.0, 1.0]), [1.0]);
}

/// `x * load(p)` at place 3; with a store of `x` at place 5 if asked.
fn memory(detach: bool, store: bool) -> Function {
    let mut b = FunctionBuilder::new("memory", FunctionKind::Plain);
    let (x, p) = (b.param(Type::F32, "x"), b.param(Type::pointer(Type::F32), "p"));
    b.set_span(place(3));
    let mut loaded = b.load(p);
    if detach {
        loaded = b.op(Op::Detach, &[loaded]);
    }
    b.set_span(place(5));
    if store {
        b.write(Effect::Store, p, x);
    }
    let z = b.mul(x, loaded);
    b.finish(vec![z])
}

#[test]
fn memory_that_hides_a_derivative_is_refused_at_its_place() {
    assert_eq!(refusal(reverse(&memory(false, false), &[true, false])), (Code::NoDerivative, place(3)));
    let forward = pullback_autodiff::jvp(&memory(false, false), &[true, false]);
    assert_eq!(refusal(forward), (Code::NoDerivative, place(3)));
    assert!(reverse(&memory(true, false), &[true, false]).is_ok());
    assert!(pullback_autodiff::jvp(&memory(true, false), &[true, false]).is_ok());
    assert_eq!(refusal(reverse(&memory(true, true), &[true, false])), (Code::NoDerivative, place(5)));
    let forward = pullback_autodiff::jvp(&memory(true, true), &[true, false]);
    assert_eq!(refusal(forward), (Code::NoDerivative, place(5)));
}

#[test]
fn memory_read_before_a_loop_or_in_a_branch_is_refused_too() {
    let mut b = FunctionBuilder::new("f", FunctionKind::Plain);
    let (x, p) = (b.param(Type::F32, "x"), b.param(Type::pointer(Type::F32), "p"));
    b.set_span(place(3));
    let loaded = b.load(p);
    let results = b.loop_(
        &[loaded],
        LoopHints::default(),
        |b, p| b.op(Op::Lt, &[p[0], x]),
        |b, p| vec![b.add(p[0], x)],
    );
    b.set_span(place(5));
    let condition = b.bool(true);
    let chosen = b.if_(condition, |b| vec![b.load(p)], |_| vec![results[0]]);
    let f = b.finish(chosen);
    let found = pullback_autodiff::jvp(&f, &[true, false]).expect_err("refused");
    let places: Vec<Span> = found.iter().map(|diagnostic| diagnostic.span()).collect();
    assert_eq!(places, [place(3), place(5)]);
}

#[test]
fn a_gradient_of_an_integer_is_refused() {
    let (code, _) = refusal(reverse(&power(), &[true, true]));
    assert_eq!(code, Code::NotDifferentiable);
    let (code, _) = refusal(pullback_autodiff::jvp(&power(), &[false, true]));
    assert_eq!(code, Code::NotDifferentiable);
}

#[test]
fn derived_statements_keep_the_places_of_what_they_come_from() {
    let text = "func @f(%0 x: f32) -> (f32) {\n %1: f32 = sin %0\n yield %1\n}";
    let mut f = parse_one(text);
    f.body.stmts[0].span = place(4);
    for derived in [gradient(&f), jvp(&f)] {
        assert!(derived.body.stmts.iter().all(|stmt| stmt.span == place(4)), "{derived}");
    }
}
