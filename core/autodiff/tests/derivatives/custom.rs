//! Calls of functions whose derivatives their authors gave: those are used, once per call, and nothing else.

use crate::run::{close, doubles};
use pullback_autodiff::{Primal, VjpRequest, jvp, vjp};
use pullback_base::Diagnostics;
use pullback_interp::{Memory, Pointer, Value, run_with};
use pullback_ir::{Function, Module, Type, parse, verify};
use pullback_passes::{expand_calls, has_custom, primal};

/// `g(x) = x^2`, whose given derivatives are those of `100 x^2`, so that they are told apart.
const SQUARE: &str = "
func @g(%0 x: f64) -> (f64) {
  derivatives (in f64 ~ f64 [0]) -> f64 ~ f64 [0] GIVEN
  %1: f64 = mul %0, %0
  yield %1
}
func @g_forward(%0: struct DifferentialPair { p: f64, d: f64 }) -> (struct DifferentialPair { p: f64, d: f64 }) {
  %1: f64 = extract.0 %0
  %2: f64 = extract.1 %0
  %3: f64 = call @g %1
  %4: f64 = const f64 200
  %5: f64 = mul %1, %4
  %6: f64 = mul %5, %2
  %7: struct DifferentialPair { p: f64, d: f64 } = construct struct DifferentialPair { p: f64, d: f64 } %3, %6
  yield %7
}
func @g_backward(%0: struct DifferentialPair { p: f64, d: f64 }, %1: f64) -> (struct DifferentialPair { p: f64, d: f64 }) {
  %2: f64 = extract.0 %0
  %3: f64 = extract.1 %0
  %4: f64 = const f64 200
  %5: f64 = mul %2, %4
  %6: f64 = mul %5, %1
  %7: f64 = add %6, %3
  %8: struct DifferentialPair { p: f64, d: f64 } = construct struct DifferentialPair { p: f64, d: f64 } %2, %7
  yield %8
}
func @g_substitute(%0: f64) -> (f64) {
  %1: f64 = mul %0, %0
  %2: f64 = mul %1, %0
  yield %2
}
func @once(%0 x: f64) -> (f64) {
  %1: f64 = call @g %0
  yield %1
}
func @twice(%0 x: f64) -> (f64) {
  %1: f64 = call @g %0
  %2: f64 = call @g %1
  yield %2
}
func @looped(%0 x: f64, %1 n: i32) -> (f64) {
  %2: i32 = const i32 0
  %3: i32 = const i32 1
  %4: f64 = const f64 0.5
  %5: i32, %6: f64 = loop (%7: i32 = %2, %8: f64 = %0) while {
    %9: bool = lt %7, %1
    yield %9
  } do {
    %10: i32 = add %7, %3
    %11: f64 = call @g %8
    %12: bool = lt %4, %11
    %13: f64 = if %12 {
      %14: f64 = call @g %11
      yield %14
    } else {
      yield %11
    }
    yield %10, %13
  }
  yield %6
}
";

const BOTH: &str = "forward @g_forward backward @g_backward";

fn module(text: &str) -> Module {
    let module = parse::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(parse::parse(&module.to_string()).expect("parses").to_string(), module.to_string());
    verify(module).unwrap_or_else(|errors| panic!("{errors:?}")).into_inner()
}

fn given(words: &str) -> Module {
    module(&SQUARE.replace("GIVEN", words))
}

/// What differentiation takes of a function.
fn taken(module: &Module, name: &str) -> Function {
    primal(module, module.find(name).expect("the function")).expect("flattens")
}

fn floats(types: &[Type]) -> Vec<bool> {
    types.iter().map(Type::is_float).collect()
}

fn forward(module: &Module, function: &Function) -> Result<Function, Diagnostics> {
    jvp(Primal { function, module: Some(module) }, &floats(&function.param_types()))
}

fn backward(module: &Module, function: &Function) -> Result<Function, Diagnostics> {
    let request = VjpRequest::new(floats(&function.param_types()), floats(&function.results));
    vjp(Primal { function, module: Some(module) }, &request)
}

/// Without its calls.
fn closed(module: &Module, function: Function) -> Function {
    expand_calls(function, module, &|_| false).expect("expands")
}

/// To be differentiated again.
fn again(module: &Module, function: Function) -> Function {
    expand_calls(function, module, &has_custom).expect("expands")
}

#[test]
fn the_derivatives_that_are_given_are_used() {
    let module = given(BOTH);
    for (name, args, value, derivative) in [
        ("g", vec![3.0], 9.0, 600.0),
        ("once", vec![3.0], 9.0, 600.0),
        // 200 x^2 * 200 x
        ("twice", vec![3.0], 81.0, 1_800.0 * 600.0),
        // x = 0.5: 0.25, 0.0625, each below the limit
        ("looped", vec![0.5, 2.0], 0.0625, 50.0 * 100.0),
        // x = 2: 4, 16, in one trip
        ("looped", vec![2.0, 1.0], 16.0, 800.0 * 400.0),
        ("looped", vec![2.0, 0.0], 2.0, 1.0),
    ] {
        let f = taken(&module, name);
        let with = |more: f64| [&args[..], &[more]].concat();
        assert_eq!(doubles(&closed(&module, f.clone()), &args), [value], "{name}");
        let pushforward = closed(&module, forward(&module, &f).expect("has a JVP"));
        assert_eq!(doubles(&pushforward, &with(1.0)), [value, derivative], "{name}");
        let pullback = closed(&module, backward(&module, &f).expect("has a VJP"));
        assert_eq!(doubles(&pullback, &with(1.0)), [derivative], "{name}");
    }
}

#[test]
fn given_derivatives_have_derivatives_themselves() {
    let module = given(BOTH);
    let f = taken(&module, "twice");
    // d/dx of 200 g(x) * 200 x, by the given derivative of g: 40000 (g(x) + x * 200 x).
    let wanted = 40_000.0 * (9.0 + 3.0 * 600.0);
    let first = again(&module, backward(&module, &f).expect("has a VJP"));
    let over = closed(&module, forward(&module, &first).expect("has a JVP"));
    assert!(close(doubles(&over, &[3.0, 1.0, 1.0, 0.0])[1], wanted, 1e-12));
    let over = closed(&module, backward(&module, &first).expect("has a VJP"));
    assert!(close(doubles(&over, &[3.0, 1.0, 1.0])[0], wanted, 1e-12));
    let first = again(&module, forward(&module, &f).expect("has a JVP"));
    let over = closed(&module, forward(&module, &first).expect("has a JVP"));
    assert!(close(doubles(&over, &[3.0, 1.0, 1.0, 0.0])[3], wanted, 1e-12));
}

#[test]
fn a_mode_that_is_not_given_comes_from_the_body() {
    let module = given("forward @g_forward");
    let f = taken(&module, "twice");
    let pullback = closed(&module, backward(&module, &f).expect("has a VJP"));
    assert_eq!(doubles(&pullback, &[3.0, 1.0]), [108.0]);
    let pushforward = closed(&module, forward(&module, &f).expect("has a JVP"));
    assert_eq!(doubles(&pushforward, &[3.0, 1.0]), [81.0, 1_800.0 * 600.0]);
}

#[test]
fn a_mode_that_is_not_given_is_refused_where_nothing_else_is_to_be() {
    let module = given("backward @g_backward only");
    let f = taken(&module, "looped");
    let found = forward(&module, &f).expect_err("refused").into_vec();
    assert_eq!(found.len(), 2, "each call");
    assert_eq!(found[0].message, "`g` has no forward derivative");
    assert!(backward(&module, &f).is_ok());
}

#[test]
fn a_substitute_is_differentiated_in_the_functions_place() {
    let module = given("substitute @g_substitute");
    let f = taken(&module, "once");
    assert_eq!(doubles(&closed(&module, f.clone()), &[3.0]), [9.0]);
    let pullback = closed(&module, backward(&module, &f).expect("has a VJP"));
    assert_eq!(doubles(&pullback, &[3.0, 1.0]), [27.0]);
    let pushforward = closed(&module, forward(&module, &f).expect("has a JVP"));
    assert_eq!(doubles(&pushforward, &[3.0, 1.0]), [27.0, 27.0]);
}

#[test]
fn a_substitute_that_calls_what_it_stands_for_is_refused() {
    let module = module(
        "func @g(%0 x: f64) -> (f64) {
           derivatives (in f64 ~ f64 [0]) -> f64 ~ f64 [0] substitute @s
           yield %0
         }
         func @s(%0: f64) -> (f64) {
           %1: f64 = call @g %0
           yield %1
         }",
    );
    let found = backward(&module, &taken(&module, "g")).expect_err("refused").into_vec();
    assert_eq!(found[0].message, "what is differentiated for `g` calls itself");
}

/// `h(s, out o, inout a, k)`: a struct whose tangent has its fields in another order, and all directions.
const DIRECTIONS: &str = "
func @h(%0 s: struct S { a: f64, n: i32, b: f64 }, %1 a: f64, %2 k: f64) -> (f64, f64, f64) {
  derivatives (in struct S { a: f64, n: i32, b: f64 } ~ struct D { b: f64, a: f64 } [1, _, 0], out f64 ~ f64 [0], inout f64 ~ f64 [0], in f64) -> f64 ~ f64 [0] backward @h_backward
  %3: f64 = extract.0 %0
  %4: f64 = extract.2 %0
  yield %3, %4, %1
}
func @h_backward(%0: struct DifferentialPair { p: struct S { a: f64, n: i32, b: f64 }, d: struct D { b: f64, a: f64 } }, %1: f64, %2: struct DifferentialPair { p: f64, d: f64 }, %3: f64, %4: f64) -> (struct DifferentialPair { p: struct S { a: f64, n: i32, b: f64 }, d: struct D { b: f64, a: f64 } }, struct DifferentialPair { p: f64, d: f64 }) {
  %5: struct S { a: f64, n: i32, b: f64 } = extract.0 %0
  %6: f64 = extract.0 %2
  %7: f64 = extract.1 %2
  %8: f64 = mul %7, %3
  %9: struct D { b: f64, a: f64 } = construct struct D { b: f64, a: f64 } %1, %4
  %10: struct DifferentialPair { p: struct S { a: f64, n: i32, b: f64 }, d: struct D { b: f64, a: f64 } } = construct struct DifferentialPair { p: struct S { a: f64, n: i32, b: f64 }, d: struct D { b: f64, a: f64 } } %5, %9
  %11: struct DifferentialPair { p: f64, d: f64 } = construct struct DifferentialPair { p: f64, d: f64 } %6, %8
  yield %10, %11
}
func @f(%0 a: f64, %1 b: f64, %2 c: f64, %3 k: f64) -> (f64, f64, f64) {
  %4: i32 = const i32 7
  %5: struct S { a: f64, n: i32, b: f64 } = construct struct S { a: f64, n: i32, b: f64 } %0, %4, %1
  %6: f64, %7: f64, %8: f64 = call @h %5, %2, %3
  yield %6, %7, %8
}";

#[test]
fn directions_and_parts_find_their_cotangents() {
    let module = module(DIRECTIONS);
    let pullback = closed(&module, backward(&module, &taken(&module, "f")).expect("has a VJP"));
    // Cotangents 3 of the result, 5 of `out`, 7 of `inout`; the derivative scales the last by k = 11.
    assert_eq!(doubles(&pullback, &[1.0, 2.0, 4.0, 11.0, 3.0, 5.0, 7.0]), [3.0, 5.0, 77.0, 0.0]);
}

/// A function without float arguments, whose backward derivative adds its cotangent to memory.
const PARAMETER: &str = "
func @weight(%0 p: ptr<f64>, %1 i: i64) -> (f64) {
  derivatives (in ptr<f64>, in i64) -> f64 ~ f64 [0] backward @weight_backward
  %2: f64 = const f64 2
  yield %2
}
func @weight_backward(%0: ptr<f64>, %1: i64, %2: f64) -> () {
  %3: ptr<f64> = pointer_offset %0, %1
  atomic_add %3, %2
  yield
}
func @f(%0 x: f64, %1 p: ptr<f64>) -> (f64) {
  %2: i64 = const i64 0
  %3: i64 = const i64 3
  %4: i64 = const i64 1
  %5: i64, %6: f64 = loop (%7: i64 = %2, %8: f64 = %0) while {
    %9: bool = lt %7, %3
    yield %9
  } do {
    %10: f64 = call @weight %1, %7
    %11: f64 = mul %8, %10
    %12: i64 = add %7, %4
    yield %12, %11
  }
  yield %6
}";

#[test]
fn a_given_derivative_runs_once_per_call_even_without_an_active_argument() {
    let module = module(PARAMETER);
    let f = taken(&module, "f");
    let pullback = closed(&module, backward(&module, &f).expect("has a VJP"));
    let mut alone = Module::new();
    let id = alone.add(pullback);
    let alone = verify(alone).expect("verifies");
    let pointer = Value::Pointer(Pointer { buffer: 0, offset_bytes: 0 });
    let args = vec![Value::<f64>::f64(5.0), pointer, Value::f64(1.0)];
    let mut buffer = [0u8; 24];
    let results = run_with(&alone, id, &args, &mut Memory::new([&mut buffer[..]])).expect("runs");
    assert_eq!(results[0].as_f64(), Some(8.0));
    let sums: Vec<f64> = buffer.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect();
    // d(x w0 w1 w2)/dw_i = x * 4
    assert_eq!(sums, [20.0, 20.0, 20.0]);
}

#[test]
fn a_derivative_by_memory_does_not_get_lost_in_a_given_one() {
    let module = module(PARAMETER);
    let function = &taken(&module, "f");
    let request = VjpRequest::new(vec![true, true], vec![true]);
    let found = vjp(Primal { function, module: Some(&module) }, &request).expect_err("refused").into_vec();
    assert_eq!(
        found[0].message,
        "a derivative by a whole array does not flow into a function whose derivative is given"
    );
}

/// The derivative type of `g`'s argument has a part `b` that is of no part of the value.
const PART_OF_NOTHING: &str = "
func @g(%0 x: f64) -> (f64) {
  derivatives (in f64 ~ struct D { a: f64, b: f64 } [0]) -> f64 ~ f64 [0] backward @g_backward
  yield %0
}
func @g_backward(%0: struct DifferentialPair { p: f64, d: struct D { a: f64, b: f64 } }, %1: f64) -> (struct DifferentialPair { p: f64, d: struct D { a: f64, b: f64 } }) {
  %2: f64 = extract.0 %0
  %3: struct D { a: f64, b: f64 } = construct struct D { a: f64, b: f64 } %1, %1
  %4: struct DifferentialPair { p: f64, d: struct D { a: f64, b: f64 } } = construct struct DifferentialPair { p: f64, d: struct D { a: f64, b: f64 } } %2, %3
  yield %4
}
func @f(%0 x: f64) -> (f64) {
  %1: f64 = call @g %0
  yield %1
}";

#[test]
fn a_part_of_a_derivative_that_is_of_no_part_of_its_value_is_refused() {
    let module = module(PART_OF_NOTHING);
    let found = backward(&module, &taken(&module, "f")).expect_err("refused").into_vec();
    assert_eq!(found[0].message, "a part of a derivative belongs to no part of its value, and would be lost");
}

/// `load` takes a pointer, which is a number here, and whose derivative its second half knows. `made` has none.
const POINTER: &str = "
func @load(%0 from: struct Pair { p: i32, d: i32 }, %1 x: f64) -> (f64) {
  derivatives (in struct Pair { p: i32, d: i32 }, in f64 ~ f64 [0]) -> f64 ~ f64 [0] GIVEN
  yield %1
}
func @load_forward(%0: struct Pair { p: i32, d: i32 }, %1: struct DifferentialPair { p: f64, d: f64 }) -> (struct DifferentialPair { p: f64, d: f64 }) {
  %2: i32 = extract.1 %0
  %3: f64 = convert.f64 %2
  %4: f64 = extract.0 %1
  %5: f64 = extract.1 %1
  %6: f64 = mul %3, %5
  %7: struct DifferentialPair { p: f64, d: f64 } = construct struct DifferentialPair { p: f64, d: f64 } %4, %6
  yield %7
}
func @f(%0 x: f64, %1 p: i32, %2 d: i32, %3 n: i32) -> (f64) {
  %4: i32 = const i32 0
  %5: i32 = const i32 1
  %6: i32 = unpaired %4
  %7: i32, %8: i32 = loop (%9: i32 = %4, %10: i32 = STARTS) while {
    %11: bool = lt %9, %3
    yield %11
  } do {
    %12: i32 = add %9, %5
    yield %12, GOES
  }
  %13: struct Pair { p: i32, d: i32 } = construct struct Pair { p: i32, d: i32 } %1, %8
  %14: f64 = call @load %13, %0
  yield %14
}";

#[test]
fn a_pointer_without_a_second_half_is_refused_where_a_derivative_meets_it() {
    let tangents = |given: &str, starts: &str, goes: &str| {
        let text = POINTER.replace("GIVEN", given).replace("STARTS", starts).replace("GOES", goes);
        let module = module(&text);
        let derived = forward(&module, &taken(&module, "f"))?;
        Ok::<_, Diagnostics>(doubles(&closed(&module, derived), &[2.0, 10.0, 7.0, 3.0, 1.0]))
    };
    let message = |found: Diagnostics| found.into_vec()[0].message.clone();
    let given = "forward @load_forward";
    assert_eq!(tangents(given, "%2", "%10").expect("is told"), [2.0, 7.0]);
    // Through a loop, from where it starts or from what a trip makes of it.
    let nowhere = "nothing tells where the derivatives are of what this pointer leads to";
    assert_eq!(tangents(given, "%6", "%10").map_err(message), Err(nowhere.to_owned()));
    assert_eq!(tangents(given, "%2", "%6").map_err(message), Err(nowhere.to_owned()));
    // What is not given meets nothing.
    assert_eq!(tangents("", "%6", "%10").expect("needs none"), [2.0, 1.0]);
    let pairs = "the derivatives given to `load` take differentiable pointers in pairs";
    assert_eq!(tangents("only", "%2", "%10").map_err(message), Err(pairs.to_owned()));
}

/// `look(table, sums, x) = table[0] * x`; its derivative adds to `sums`, and reads `table` again.
const LOOKED_UP: &str = "
func @look(%0 table: ptr<f64>, %1 sums: ptr<f64>, %2 x: f64) -> (f64) {
  derivatives (in ptr<f64>, in ptr<f64>, in f64 ~ f64 [0]) -> f64 ~ f64 [0] backward @look_backward
  %3: f64 = load %0
  %4: f64 = mul %3, %2
  yield %4
}
func @look_backward(%0: ptr<f64>, %1: ptr<f64>, %2: struct DifferentialPair { p: f64, d: f64 }, %3: f64) -> (struct DifferentialPair { p: f64, d: f64 }) {
  %4: f64 = extract.0 %2
  %5: f64 = load %0
  %6: f64 = mul %5, %3
  %7: f64 = mul %4, %3
  atomic_add %1, %7
  %8: struct DifferentialPair { p: f64, d: f64 } = construct struct DifferentialPair { p: f64, d: f64 } %4, %6
  yield %8
}
func @once(%0 table: ptr<f64>, %1 sums: ptr<f64>, %2 x: f64) -> (f64) {
  %3: f64 = load SUMS
  %4: f64 = mul %3, %2
  %5: f64 = call @look TABLE, SUMS, %4
  yield %5
}
func @looped(%0 table: ptr<f64>, %1 sums: ptr<f64>, %2 x: f64) -> (f64) {
  %3: i32 = const i32 0
  %4: i32 = const i32 1
  %5: i32 = const i32 3
  %6: i32, %7: f64 = loop (%8: i32 = %3, %9: f64 = %2) while {
    %10: bool = lt %8, %5
    yield %10
  } do {
    %11: i32 = add %8, %4
    %12: f64 = load TABLE
    %13: f64 = mul %12, %9
    %14: f64 = sin %13
    %15: f64 = call @look TABLE, SUMS, %14
    yield %11, %15
  }
  yield %7
}
func @overwritten(%0 table: ptr<f64>, %1 sums: ptr<f64>, %2 x: f64) -> (f64) {
  %3: f64 = call @look TABLE, SUMS, %2
  %4: f64 = const f64 0
  store %0, %4
  yield %3
}
";

/// What is said of the gradient of a function whose pointer parameters may be one, or not.
fn said_of_looking_up(name: &str, table: &str, sums: &str, distinct: bool) -> Vec<String> {
    let module = module(&LOOKED_UP.replace("TABLE", table).replace("SUMS", sums));
    let function = taken(&module, name);
    let plain = VjpRequest::new(vec![false, false, true], vec![true]);
    let request = VjpRequest { constant_memory: true, distinct_params: vec![distinct; 3], ..plain };
    let derived = vjp(Primal { function: &function, module: Some(&module) }, &request);
    let found = derived.err().map_or_else(Vec::new, |found| found.into_vec());
    found.iter().map(|diagnostic| diagnostic.message.to_string()).collect()
}

#[test]
fn a_given_derivative_may_write_what_no_later_replay_loads() {
    let changed = "reverse mode loads again from memory, which a derivative that was given may change";
    assert_eq!(said_of_looking_up("looped", "%0", "%1", true), [""; 0]);
    assert_eq!(said_of_looking_up("looped", "%0", "%1", false), [changed]);
    assert_eq!(said_of_looking_up("looped", "%0", "%0", true), [changed]);
    // All is loaded again before the sweep begins.
    assert_eq!(said_of_looking_up("once", "%0", "%0", true), [""; 0]);
}

#[test]
fn a_write_between_a_call_and_its_derivative_is_refused_where_both_read() {
    let between = "a derivative that was given reads memory, which this may change before";
    assert_eq!(said_of_looking_up("overwritten", "%0", "%1", true), [between]);
    assert_eq!(said_of_looking_up("overwritten", "%1", "%0", true), [""; 0]);
    assert_eq!(said_of_looking_up("overwritten", "%1", "%0", false), [between]);
}
