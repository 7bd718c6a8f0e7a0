//! Memory as what a function reads and leaves: its tangents and cotangents are memory too.

use crate::run::parse_one;
use pullback_autodiff::{VjpRequest, jvp, vjp};
use pullback_base::Diagnostics;
use pullback_interp::{Memory, Pointer, Value, run_with};
use pullback_ir::{Constant, Function, Module, Scalar, Type, verify};

fn marks(types: &[Type]) -> Vec<bool> {
    types.iter().map(|ty| ty.is_float() || matches!(ty, Type::Pointer(_))).collect()
}

fn pullback(f: &Function, keep_results: bool) -> Result<Function, Diagnostics> {
    let plain = VjpRequest::new(marks(&f.param_types()), marks(&f.results));
    let distinct_params = vec![true; f.params.len()];
    vjp(f, &VjpRequest { keep_results, distinct_params, ..plain })
}

/// Runs on numbers for scalar parameters, and on the arrays for pointers in order, which it changes.
fn run(f: &Function, numbers: &[f64], arrays: &mut [Vec<f64>]) -> Vec<f64> {
    let mut module = Module::new();
    let id = module.add(f.clone());
    let module = verify(module).unwrap_or_else(|errors| panic!("{}\n{f}", errors[0]));
    let mut buffers: Vec<Vec<u8>> =
        arrays.iter().map(|array| array.iter().flat_map(|x| x.to_le_bytes()).collect()).collect();
    let (mut numbers, mut buffer) = (numbers.iter().copied(), 0);
    let args: Vec<Value<f64>> = f
        .param_types()
        .iter()
        .map(|ty| match ty {
            Type::Pointer(_) => {
                buffer += 1;
                Value::Pointer(Pointer { buffer: buffer - 1, offset_bytes: 0 })
            }
            ty if ty.is_float() => Value::f64(numbers.next().expect("a number")),
            _ => Value::constant(Constant::int(Scalar::I64, numbers.next().expect("a number") as i64)),
        })
        .collect();
    let mut memory = Memory::new(buffers.iter_mut().map(|buffer| &mut buffer[..]));
    let results = run_with(&module, id, &args, &mut memory).unwrap_or_else(|error| panic!("{error}\n{f}"));
    for (array, buffer) in arrays.iter_mut().zip(&buffers) {
        *array = buffer.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect();
    }
    results.iter().map(|value| value.as_f64().expect("a scalar result")).collect()
}

/// `(x, p, q, n)`: reads `p`, writes `q`.
fn program(body: &str) -> Function {
    parse_one(&format!(
        "func @f(%0 x: f64, %1 p: ptr<f64>, %2 q: ptr<f64>, %3 n: i64) -> (f64) {{
           %4: i64 = const i64 0
           %5: i64 = const i64 1
           %6: ptr<f64> = pointer_offset %1, %5
           %7: ptr<f64> = pointer_offset %2, %5
           %8: f64 = const f64 3
           {body}
         }}"
    ))
}

/// `q[0] = p[1]^2 x; return p[1]`
const STORED: &str = "%9: f64 = load %6
    %10: f64 = mul %9, %9
    %11: f64 = mul %10, %0
    store %2, %11
    yield %9";
/// `q[0] = x^2; q[1] = x; q[0] = 3 p[0]; return x`
const OVERWRITTEN: &str = "%9: f64 = mul %0, %0
    store %2, %9
    store %7, %0
    %10: f64 = load %1
    %11: f64 = mul %10, %8
    store %2, %11
    yield %0";
/// `for i < n { if (i < 1) q[1] = s; else q[i] += sin(s); s = s p[i] }; return s`
const LOOPED: &str = "%9: i64, %10: f64 = loop (%11: i64 = %4, %12: f64 = %0) while {
      %13: bool = lt %11, %3
      yield %13
    } do {
      %14: bool = lt %11, %5
      %15: ptr<f64> = pointer_offset %2, %11
      %16: ptr<f64> = pointer_offset %1, %11
      if %14 {
        store %7, %12
        yield
      } else {
        %17: f64 = sin %12
        atomic_add %15, %17
        yield
      }
      %18: f64 = load %16
      %19: f64 = mul %12, %18
      %20: i64 = add %11, %5
      yield %20, %19
    }
    yield %10";
/// `q[1] = q[1] + x p[0]; return x`
const ADDED: &str = "%9: f64 = load %1
    %10: f64 = mul %9, %0
    %11: f64 = load %7
    %12: f64 = add %11, %10
    store %7, %12
    yield %0";

#[test]
fn what_is_written_brings_cotangents_to_what_it_is_made_of() {
    // Cotangents 5 of q[0] and 7 of q[1], 11 of the result; p = (2, 4), x = 10.
    let gradient = |body: &str| {
        let derived = pullback(&program(body), false).expect("has a VJP");
        let mut arrays = [vec![2.0, 4.0], vec![0.5, 0.25], vec![0.0, 0.0], vec![5.0, 7.0]];
        let found = run(&derived, &[10.0, 2.0, 11.0], &mut arrays);
        (found, arrays[2].clone(), arrays[3].clone())
    };
    assert_eq!(gradient(STORED), (vec![80.0], vec![0.0, 411.0], vec![0.0, 7.0]));
    assert_eq!(gradient(OVERWRITTEN), (vec![18.0], vec![15.0, 0.0], vec![0.0, 0.0]));
    assert_eq!(gradient(ADDED), (vec![25.0], vec![70.0, 0.0], vec![5.0, 7.0]));
}

#[test]
fn reverse_mode_through_memory_is_the_transpose_of_forward_mode() {
    let (p, q) = (vec![0.7, 1.3, -0.4], vec![0.1, 0.2, 0.3]);
    for body in [STORED, OVERWRITTEN, LOOPED, ADDED] {
        let f = program(body);
        let forward = jvp(&f, &marks(&f.param_types())).expect("has a JVP");
        let reverse = pullback(&f, false).expect("has a VJP");
        // x, n = 3, then the tangent of x, or the cotangent of the result.
        let (dx, dp, dq) = (0.3, vec![0.2, -0.6, 0.9], vec![-0.5, 0.8, 0.15]);
        let mut arrays = [p.clone(), q.clone(), dp.clone(), dq.clone()];
        let pushed = run(&forward, &[0.9, 3.0, dx], &mut arrays);
        let (wz, wp, wq) = (0.45, vec![0.0; 3], vec![0.35, -0.25, 0.55]);
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let along = pushed[1] * wz + dot(&arrays[3], &wq);
        let mut arrays = [p.clone(), q.clone(), wp, wq];
        let pulled = run(&reverse, &[0.9, 3.0, wz], &mut arrays);
        let back = pulled[0] * dx + dot(&arrays[2], &dp) + dot(&arrays[3], &dq);
        assert!((along - back).abs() < 1e-12, "{along} {back}\n{f}");
    }
}

#[test]
fn values_and_cotangents_come_in_one_run() {
    let derived = pullback(&program(STORED), true).expect("has a VJP");
    let mut arrays = [vec![2.0, 4.0], vec![0.5, 0.25], vec![0.0, 0.0], vec![5.0, 7.0]];
    assert_eq!(run(&derived, &[10.0, 2.0, 11.0], &mut arrays), [4.0, 80.0]);
    assert_eq!(arrays[1..], [vec![160.0, 0.25], vec![0.0, 411.0], vec![0.0, 7.0]]);
}

fn refusal(found: Result<Function, Diagnostics>) -> String {
    found.expect_err("refused").into_vec()[0].message.clone()
}

#[test]
fn values_that_a_write_may_have_changed_are_not_read_again() {
    // q[0] = q[0]^2: its derivative is by what q[0] was.
    let f = program("%9: f64 = load %2\n %10: f64 = mul %9, %9\n store %2, %10\n yield %0");
    let message = "reverse mode loads again from memory, which this may change";
    assert_eq!(refusal(pullback(&f, false)), message);
    // p and q may be the same.
    let f = program(STORED);
    let request = VjpRequest::new(marks(&f.param_types()), marks(&f.results));
    assert_eq!(refusal(vjp(&f, &request)), message);
}

#[test]
fn what_has_no_derivative_is_not_written_where_there_are_some() {
    let f = parse_one(
        "func @f(%0 x: f64, %1 p: ptr<f64>) -> (f64) {
           %2: ptr<u64> = pointer_cast u64 %1
           %3: u64 = bitcast.u64 %0
           store %2, %3
           yield %0
         }",
    );
    let message = "numbers that are no floats are written where there are derivatives";
    assert_eq!(refusal(pullback(&f, false)), message);
}
