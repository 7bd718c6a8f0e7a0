//! What is said of each loop before it is reversed.

use crate::run::{floats, parse_one};
use pullback_autodiff::{LoopOptions, Strategy, TripCount, VjpRequest, explain};

/// `y = start; for (i = 0; i < bound; i++) y = next`
fn repeated(bound: &str, next: &str) -> String {
    format!(
        "func @f(%0 x: f64, %1 n: i32) -> (f64) {{
          %2: i32 = const i32 0
          %3: i32 = const i32 1
          %4: i32 = const i32 12
          %5: i32, %6: f64 = loop (%7: i32 = %2, %8: f64 = %0) while {{
            %9: bool = lt %7, {bound}
            yield %9
          }} do {{
            %10: i32 = add %7, %3
            %11: f64 = {next}
            yield %10, %11
          }}
          yield %6
        }}"
    )
}

fn explained(text: &str, slots: Option<u32>) -> (TripCount, u32, Strategy, u64) {
    explained_by(text, LoopOptions { slots, reversed: true })
}

fn explained_by(text: &str, loops: LoopOptions) -> (TripCount, u32, Strategy, u64) {
    let f = parse_one(text);
    let (active, seeded) = floats(&f);
    let request = VjpRequest { loops, ..VjpRequest::new(active, seeded) };
    let explanation = explain(&f, &request);
    assert!(explanation.refused.is_empty());
    assert_eq!(explanation.loops.len(), 1);
    let one = &explanation.loops[0];
    assert_eq!(explanation.bytes_per_lane(), one.bytes_per_lane);
    (one.trips, one.state_words, one.strategy, one.bytes_per_lane)
}

#[test]
fn a_sum_is_reversed_without_storage() {
    let sum = repeated("%1", "add %8, %0");
    assert_eq!(explained(&sum, None), (TripCount::Beforehand, 0, Strategy::NoStorage, 0));
}

#[test]
fn a_power_stores_some_states_or_all_of_few() {
    let power = repeated("%1", "mul %8, %0");
    let slots = |slots| Strategy::Checkpointed { slots };
    assert_eq!(explained(&power, None), (TripCount::Beforehand, 1, slots(64), 64 * 16));
    assert_eq!(explained(&power, Some(3)), (TripCount::Beforehand, 1, slots(3), 3 * 16));
    let twelfth = repeated("%4", "mul %8, %0");
    assert_eq!(explained(&twelfth, None), (TripCount::Constant(12), 1, Strategy::AllStored, 12 * 8));
}

#[test]
fn a_loop_whose_end_hangs_on_what_it_computes_is_counted() {
    let text = repeated("%1", "sin %8").replace("lt %7, %1", "lt %8, %0");
    let strategy = Strategy::Checkpointed { slots: 64 };
    assert_eq!(explained(&text, None), (TripCount::Counted, 1, strategy, 64 * 16));
}

#[test]
fn a_loop_of_many_trips_known_beforehand_stores_all_states() {
    let text = repeated("%4", "mul %8, %0").replace("const i32 12", "const i32 300");
    assert_eq!(explained(&text, None), (TripCount::Constant(300), 1, Strategy::AllStored, 300 * 8));
    let more = text.replace("const i32 300", "const i32 3000");
    let strategy = Strategy::Checkpointed { slots: 64 };
    assert_eq!(explained(&more, None), (TripCount::Beforehand, 1, strategy, 64 * 16));
}

#[test]
fn a_loop_that_may_end_early_stores_all_states_if_it_has_few_trips() {
    let text = repeated("%4", "sin %8").replace(
        "yield %9\n",
        "%12: bool = lt %8, %0
            %13: bool = and %12, %9
            yield %13\n",
    );
    assert_eq!(explained(&text, None), (TripCount::Counted, 1, Strategy::AllStored, 12 * 8));
    let more = text.replace("const i32 12", "const i32 65");
    let strategy = Strategy::Checkpointed { slots: 64 };
    assert_eq!(explained(&more, None), (TripCount::Counted, 1, strategy, 64 * 16));
}

#[test]
fn forward_mode_goes_through_a_loop_that_few_numbers_enter() {
    let power = repeated("%1", "mul %8, %0");
    let way = Strategy::ForwardMode { inputs: 1 };
    assert_eq!(explained_by(&power, LoopOptions::default()), (TripCount::Beforehand, 0, way, 0));
    // What is free of state costs least reversed.
    let sum = repeated("%1", "add %8, %0");
    assert_eq!(explained_by(&sum, LoopOptions::default()).2, Strategy::NoStorage);
}
