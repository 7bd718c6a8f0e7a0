//! Programs with regions, arrays, group sums and atomics: emitted code against the interpreter, bit for bit.

use pullback_interp::KernelArg;
use pullback_ir::{Constant, Scalar};
use pullback_tests::everywhere::{Program, buffer, check, module};

fn program(text: &str, args: &[KernelArg], lanes: u64, buffers: &[Vec<u8>]) -> Program {
    Program { kernel: module(text), args: args.to_vec(), lanes, buffers: buffers.to_vec() }
}

/// Numbers that sums and products round.
fn floats(count: usize) -> Vec<u8> {
    (0..count).flat_map(|i| ((i as f32 * 0.37).sin() * 3.0 + 0.1).to_le_bytes()).collect()
}

fn ints(count: usize) -> Vec<u8> {
    (0..count).flat_map(|i| ((i as i32).wrapping_mul(2_654_435) % 23 - 5).to_le_bytes()).collect()
}

const LANES: u64 = 700;

#[test]
fn regions_carry_values() {
    check(&[program(
        "kernel @regions(%x: ptr<f32>, %n: ptr<i32>, %y: ptr<f32>, %limit: i32, %flip: bool) -> () {
            %i: i64 = lane_id
            %px: ptr<f32> = pointer_offset %x, %i
            %pn: ptr<i32> = pointer_offset %n, %i
            %py: ptr<f32> = pointer_offset %y, %i
            %a: f32 = load %px
            %m: i32 = load %pn
            %zero: i32 = const i32 0
            %one: i32 = const i32 1
            %half: f32 = const f32 0.5
            %k: i32, %s: f32, %t: f32 = loop (%p: i32 = %zero, %u: f32 = %a, %v: f32 = %half) while {
                %more: bool = lt %p, %m
                %stop: bool = if %flip { %neg: bool = lt %u, %v
                    yield %neg } else { yield %flip }
                %go: bool = not %stop
                %both: bool = and %more, %go
                yield %both
            } do {
                %q: i32 = add %p, %one
                %w: f32 = switch %p case 1, 4 { %w1: f32 = mul %u, %half
                    yield %w1 } case -3 { yield %half } case 7 {
                    %c: i32, %d: f32 = loop (%e: i32 = %zero, %f: f32 = %v) while {
                        %g: bool = lt %e, %limit
                        yield %g
                    } do {
                        %h: i32 = add %e, %one
                        %l: f32 = fma %f, %half, %u
                        yield %h, %f
                    }
                    yield %d
                } default { %w2: f32 = add %u, %v
                    yield %w2 }
                yield %q, %v, %w
            }
            %sum: f32 = add %s, %t
            %kf: f32 = convert.f32 %k
            %r: f32 = add %sum, %kf
            store %py, %r
            yield
        }",
        &[
            buffer(0),
            buffer(1),
            buffer(2),
            KernelArg::Scalar(Constant::int(Scalar::I32, 5)),
            KernelArg::Scalar(Constant::bool(true)),
        ],
        LANES,
        &[floats(LANES as usize), ints(LANES as usize), vec![0; 4 * LANES as usize]],
    )]);
}

#[test]
fn arrays_keep_old_values_and_ignore_indices_out_of_range() {
    check(&[program(
        "kernel @arrays(%x: ptr<f32>, %n: ptr<i32>, %y: ptr<f32>) -> () {
            %i: i64 = lane_id
            %px: ptr<f32> = pointer_offset %x, %i
            %pn: ptr<i32> = pointer_offset %n, %i
            %py: ptr<f32> = pointer_offset %y, %i
            %a: f32 = load %px
            %m: i32 = load %pn
            %zero: i32 = const i32 0
            %one: i32 = const i32 1
            %three: i32 = const i32 3
            %two: f32 = const f32 2
            %b: f32 = mul %a, %two
            %old: [f32; 4] = construct [f32; 4] %a, %b, %two, %a
            %new: [f32; 4] = element_set %old, %m, %b
            %odd: bool = gt %m, %three
            %picked: [f32; 4] = select %odd, %old, %new
            %r: i32, %s: [f32; 4], %o: [f32; 4], %z: [f32; 4] = loop
                (%p: i32 = %zero, %q: [f32; 4] = %picked, %q2: [f32; 4] = %old, %q3: [f32; 4] = %new) while {
                %c: bool = le %p, %three
                yield %c
            } do {
                %p1: i32 = add %p, %one
                %e: f32 = element_get %q, %p
                %f: f32 = element_get %q2, %p1
                %g: f32 = add %e, %f
                %set: [f32; 4] = element_set %q, %p, %g
                %arm: [f32; 4], %other: [f32; 4] = if %odd {
                    %h: [f32; 4] = insert.2 %q2, %g
                    yield %h, %set
                } else {
                    yield %set, %q2
                }
                yield %p1, %other, %arm, %q3
            }
            %r0: f32 = extract.3 %s
            %r1: f32 = element_get %o, %m
            %r2: f32 = element_get %z, %m
            %r3: f32 = element_get %old, %m
            %r4: f32 = extract.0 %o
            %s0: f32 = add %r0, %r1
            %s1: f32 = add %s0, %r2
            %s2: f32 = add %s1, %r3
            %s3: f32 = add %s2, %r4
            store %py, %s3
            yield
        }",
        &[buffer(0), buffer(1), buffer(2)],
        LANES,
        &[floats(LANES as usize), ints(LANES as usize), vec![0; 4 * LANES as usize]],
    )]);
}

#[test]
fn group_sums_are_equal_to_the_last_bit_in_a_partial_group_too() {
    check(&[1, 255, 256, 257, 700].map(|lanes| {
        program(
            "kernel @sums(%x: ptr<f32>, %y: ptr<f32>, %z: ptr<bf16>, %w: ptr<i64>, %v: ptr<f32>) -> () {
                %i: i64 = lane_id
                %px: ptr<f32> = pointer_offset %x, %i
                %a: f32 = load %px
                group_sum %y, %a
                %b: f32 = mul %a, %a
                %c: f32 = const f32 0.1
                %d: bf16 = convert.bf16 %b
                group_sum %z, %d
                group_sum %w, %i
                group_sum %v, %c
                store %px, %b
                yield
            }",
            &[buffer(0), buffer(1), buffer(2), buffer(3), buffer(4)],
            lanes,
            &[floats(700), vec![0; 12], vec![0; 6], vec![0; 24], vec![0; 12]],
        )
    }));
}

#[test]
fn atomic_additions_reach_every_dtype() {
    let numbers = Scalar::ALL.into_iter().filter(|&ty| ty != Scalar::Bool);
    let programs = numbers.map(|ty| {
        // Whole numbers whose sums are exact in any order.
        let lanes = 48;
        program(
            &format!(
                "kernel @atomics(%y: ptr<{ty}>) -> () {{
                    %i: i64 = lane_id
                    %three: i64 = const i64 3
                    %slot: i64 = rem %i, %three
                    %one: {ty} = const {ty} 1
                    %p: ptr<{ty}> = pointer_offset %y, %slot
                    atomic_add %p, %one
                    yield
                }}"
            ),
            &[KernelArg::Buffer { buffer: 0, offset_elements: 1 }],
            lanes,
            &[vec![0; 8 * ty.size_bytes()]],
        )
    });
    check(&programs.collect::<Vec<_>>());
}

#[test]
fn every_dtype_is_loaded_stored_and_passed() {
    let programs = Scalar::ALL.into_iter().map(|ty| {
        let bytes: Vec<u8> = match ty {
            Scalar::Bool => (0..300).map(|i| u8::from(i % 3 == 0)).collect(),
            // Bits of small numbers, positive and negative.
            Scalar::F16 | Scalar::BF16 => {
                (0..300u16).flat_map(|i| (0x3c00 + i * 3 + (i % 2) * 0x8000).to_le_bytes()).collect()
            }
            Scalar::F64 => (0..300).flat_map(|i| (f64::from(i) * 0.3).to_le_bytes()).collect(),
            _ => floats(300 * ty.size_bytes() / 4 + 1),
        };
        program(
            &format!(
                "kernel @moves(%x: ptr<{ty}>, %y: ptr<{ty}>, %p: {ty}) -> () {{
                    %i: i64 = lane_id
                    %limit: i64 = const i64 100
                    %first: bool = lt %i, %limit
                    %px: ptr<{ty}> = pointer_offset %x, %i
                    %py: ptr<{ty}> = pointer_offset %y, %i
                    %a: {ty} = load %px
                    %b: {ty} = select %first, %a, %p
                    store %py, %b
                    yield
                }}"
            ),
            &[buffer(0), buffer(1), KernelArg::Scalar(Constant::int(ty, 1))],
            300,
            &[bytes, vec![0; 300 * ty.size_bytes()]],
        )
    });
    check(&programs.collect::<Vec<_>>());
}

#[test]
fn lanes_that_do_not_exist_touch_nothing() {
    check(&[program(
        "kernel @first(%y: ptr<i64>) -> () {
            %i: i64 = lane_id
            %p: ptr<i64> = pointer_offset %y, %i
            store %p, %i
            yield
        }",
        &[buffer(0)],
        300,
        &[vec![0xff; 8 * 512]],
    )]);
}
