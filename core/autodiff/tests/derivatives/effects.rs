//! Writes to memory in differentiated functions: run once with the results, or not at all, never again.

use crate::run::{close, floats, parse_one};
use pullback_autodiff::{LoopOptions, VjpRequest, vjp};
use pullback_base::Diagnostics;
use pullback_interp::{Memory, Pointer, Value, run_with};
use pullback_ir::{Function, Module, StmtKind, verify, visit};

/// Sines of sines of `x`; of each trip a number is added to the memory at `p`.
fn noted_sines(condition: &str, note: &str) -> Function {
    noted(condition, note, "sin %8")
}

/// `for (i = 0, y = x; condition; i++) { note; y = next; }` gives `x y`.
fn noted(condition: &str, note: &str, next: &str) -> Function {
    parse_one(&format!(
        "func @f(%0 x: f64, %1 n: i32, %2 p: ptr<i32>) -> (f64) {{
          %3: i32 = const i32 0
          %4: i32 = const i32 1
          %20: f64 = const f64 0.05
          %5: i32, %6: f64 = loop (%7: i32 = %3, %8: f64 = %0) while {{
            {condition}
            yield %9
          }} do {{
            %10: i32 = add %7, %4
            {note}
            %11: f64 = {next}
            yield %10, %11
          }}
          %12: f64 = mul %6, %0
          yield %12
        }}"
    ))
}

const COUNTED: &str = "%9: bool = lt %7, %1";
const DATA_DEPENDENT: &str = "%13: bool = lt %7, %1
    %14: bool = lt %20, %8
    %9: bool = and %13, %14";
const EACH: &str = "atomic_add %2, %10";
const EVERY_OTHER: &str = "%15: i32 = and %10, %4
    %16: bool = eq %15, %4
    %17: i32 = if %16 { atomic_add %2, %10
      yield %4 } else { yield %3 }";

fn derived(f: &Function, keep_results: bool, slots: Option<u32>) -> Result<Function, Diagnostics> {
    let (active, seeded) = floats(f);
    let loops = LoopOptions { slots, reversed: true };
    vjp(f, &VjpRequest { keep_results, loops, ..VjpRequest::new(active, seeded) })
}

/// The results, and what is in memory after the run.
fn run_on_memory(f: &Function, args: &[f64], trips: i32) -> (Vec<f64>, i32) {
    let mut module = Module::new();
    let id = module.add(f.clone());
    let module = verify(module).unwrap_or_else(|errors| panic!("{}\n{f}", errors[0]));
    let pointer = Value::Pointer(Pointer { buffer: 0, offset_bytes: 0 });
    let mut values = vec![Value::<f64>::f64(args[0]), Value::i32(trips), pointer];
    values.extend(args[1..].iter().map(|&arg| Value::f64(arg)));
    let mut buffer = vec![0u8; 4];
    let results = run_with(&module, id, &values, &mut Memory::new([buffer.as_mut_slice()]));
    let results = results.unwrap_or_else(|error| panic!("{error}\n{f}"));
    let results = results.iter().map(|value| value.as_f64().expect("a number")).collect();
    (results, i32::from_le_bytes(buffer.try_into().expect("four bytes")))
}

fn has_write(f: &Function) -> bool {
    let mut found = false;
    visit::each_stmt(&f.body, &mut |stmt| {
        found |= matches!(&stmt.kind, StmtKind::Effect { effect, .. } if effect.writes());
    });
    found
}

#[test]
fn writes_run_once_with_the_results_and_never_without() {
    for condition in [COUNTED, DATA_DEPENDENT] {
        for note in [EACH, EVERY_OTHER] {
            let f = noted_sines(condition, note);
            for slots in [None, Some(3)] {
                let alone = derived(&f, false, slots).expect("has a gradient");
                assert!(!has_write(&alone), "{alone}");
                let both = derived(&f, true, slots).expect("has a gradient");
                for trips in [0, 1, 7, 150] {
                    let (value, written) = run_on_memory(&f, &[0.7], trips);
                    let (gradient, nothing) = run_on_memory(&alone, &[0.7, 1.0], trips);
                    let (kept, once) = run_on_memory(&both, &[0.7, 1.0], trips);
                    assert_eq!(nothing, 0);
                    assert_eq!(once, written, "{trips} trips\n{both}");
                    assert_eq!(kept, [value[0], gradient[0]]);
                    let h = 1e-5;
                    let at = |x: f64| run_on_memory(&f, &[x], trips).0[0];
                    let slope = (at(0.7 + h) - at(0.7 - h)) / (2.0 * h);
                    assert!(close(gradient[0], slope, 1e-7), "{trips} trips: {} for {slope}", gradient[0]);
                }
            }
        }
    }
}

#[test]
fn a_write_in_a_loop_that_is_not_reversed_runs_once_with_the_results() {
    let f = parse_one(
        "func @f(%0 x: f64, %1 n: i32, %2 p: ptr<i32>) -> (f64) {
          %3: i32 = const i32 0
          %4: i32 = const i32 1
          %5: i32 = loop (%6: i32 = %3) while {
            %7: bool = lt %6, %1
            yield %7
          } do {
            %8: i32 = atomic.add %2, %4
            %9: i32 = add %6, %4
            yield %9
          }
          %10: f64 = mul %0, %0
          yield %10
        }",
    );
    assert_eq!(run_on_memory(&derived(&f, false, None).expect("derives"), &[3.0, 1.0], 5), (vec![6.0], 0));
    let both = derived(&f, true, None).expect("derives");
    assert_eq!(run_on_memory(&both, &[3.0, 1.0], 5), (vec![9.0, 6.0], 5));
}

/// Messages of the refusals.
fn refusals(f: &Function) -> Vec<String> {
    let found = derived(f, true, None).expect_err("refused");
    assert_eq!(derived(f, false, None).expect_err("refused").len(), found.len());
    found.iter().map(|diagnostic| diagnostic.message.to_string()).collect()
}

#[test]
fn a_write_whose_result_the_sweep_needs_is_refused() {
    let note = "%18: i32 = atomic.add %2, %10
        %19: f64 = convert.f64 %18";
    assert!(derived(&noted_sines(COUNTED, note), true, None).is_ok(), "the number is not used");
    let f = noted(COUNTED, note, "mul %19, %8");
    assert_eq!(refusals(&f), ["reverse mode needs this value again, and does not write twice"]);
}

#[test]
fn a_write_that_may_change_what_is_loaded_again_is_refused() {
    let note = "store %2, %10
        %18: i32 = load %2
        %19: bool = lt %18, %1";
    let f = noted_sines(COUNTED, note);
    assert!(derived(&f, true, None).is_ok(), "what is loaded is not used");
    let in_condition = noted_sines(
        "%18: i32 = load %2
         %9: bool = lt %18, %1",
        "store %2, %10",
    );
    assert_eq!(refusals(&in_condition), ["reverse mode loads again from memory, which this may change"]);
}

#[test]
fn a_write_in_the_condition_of_a_reversed_loop_is_refused() {
    let condition = "atomic_add %2, %4
        %9: bool = lt %7, %1";
    let f = noted_sines(condition, "");
    assert_eq!(refusals(&f), ["reverse mode does not go through a write in a loop's condition"]);
}
