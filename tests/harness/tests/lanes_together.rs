//! Atomics, shared memory, barriers and wave ops: every executor against the interpreter, bit for bit.

use pullback_base::Scalar;
use pullback_passes::pipeline;
use pullback_tests::everywhere::{Program, buffer, check, module};
use pullback_tests::kernels::{GROUPS, kernel};
use pullback_tests::lanes::alone;
use pullback_tests::launch::interpret;
use pullback_tests::random::Random;

fn program(text: &str, lanes: u64, buffers: &[Vec<u8>]) -> Program {
    let args = (0..buffers.len()).map(buffer).collect();
    Program { kernel: module(text), args, lanes, buffers: buffers.to_vec() }
}

/// Small numbers of a scalar type, positive and negative.
fn numbers(scalar: Scalar, count: usize) -> Vec<u8> {
    let number = |i: usize| {
        let value = (i * 37 % 23) as f64 - if scalar.is_signed() || scalar.is_float() { 9.0 } else { 0.0 };
        let bits = pullback_ir::Constant::float(scalar, value).bits();
        bits.to_le_bytes()[..scalar.size_bytes()].to_vec()
    };
    (0..count).flat_map(number).collect()
}

const WIDE: [Scalar; 6] = [Scalar::I32, Scalar::U32, Scalar::I64, Scalar::U64, Scalar::F32, Scalar::F64];

fn integers() -> impl Iterator<Item = Scalar> {
    WIDE.into_iter().filter(|scalar| scalar.is_integer())
}

#[test]
fn atomics_update_every_place_once_per_lane() {
    // What the last value is, is the same in any order of lanes.
    let updates = ["add", "min", "max", "and", "or", "xor"];
    let of_integers = integers().flat_map(|ty| updates.map(|op| (ty, op)));
    let of_floats = [(Scalar::F32, "add"), (Scalar::F64, "add")];
    let programs = of_integers.chain(of_floats).map(|(ty, op)| {
        let text = format!(
            "kernel @atomics(%0 x: ptr<{ty}>, %1 y: ptr<{ty}>) -> () {{
                %2: i64 = lane_id
                %3: i64 = const i64 3
                %4: i64 = rem %2, %3
                %5: ptr<{ty}> = pointer_offset %0, %2
                %6: {ty} = load %5
                %7: ptr<{ty}> = pointer_offset %1, %4
                %8: {ty} = atomic.{op} %7, %6
                yield
            }}"
        );
        program(&text, 300, &[numbers(ty, 300), numbers(ty, 3)])
    });
    check(&programs.collect::<Vec<_>>());
}

#[test]
fn atomics_give_the_old_value() {
    // Each lane has a place of its own, so that the old value is known.
    let of_integers = integers().flat_map(|ty| {
        ["add", "min", "max", "and", "or", "xor", "exchange", "compare_exchange"].map(|op| (ty, op))
    });
    let of_floats =
        [Scalar::F32, Scalar::F64].into_iter().flat_map(|ty| ["add", "exchange"].map(|op| (ty, op)));
    let programs = of_integers.chain(of_floats).map(|(ty, op)| {
        let expected = if op == "compare_exchange" { ", %10" } else { "" };
        let text = format!(
            "kernel @atomics(%0 x: ptr<{ty}>, %1 y: ptr<{ty}>, %2 z: ptr<{ty}>) -> () {{
                %3: i64 = lane_id
                %4: ptr<{ty}> = pointer_offset %0, %3
                %5: {ty} = load %4
                %6: ptr<{ty}> = pointer_offset %1, %3
                %7: i64 = const i64 40
                %8: bool = lt %3, %7
                %10: {ty} = const {ty} 5
                %11: {ty} = if %8 {{
                    %12: {ty} = atomic.{op} %6, %5{expected}
                    yield %12
                }} else {{
                    yield %10
                }}
                %13: ptr<{ty}> = pointer_offset %2, %3
                store %13, %11
                yield
            }}"
        );
        program(&text, 60, &[numbers(ty, 60), numbers(ty, 60), vec![0; 60 * ty.size_bytes()]])
    });
    check(&programs.collect::<Vec<_>>());
}

#[test]
fn shared_memory_is_seen_behind_barriers_in_groups_of_any_size() {
    let programs = [1, 7, 32, 64, 100, 256].into_iter().flat_map(|n: u32| {
        let types = [Scalar::Bool, Scalar::F16, Scalar::I32, Scalar::F32, Scalar::U64, Scalar::F64];
        types.map(|ty| {
            let text = format!(
                "kernel @reverse(%0 x: ptr<{ty}>, %1 y: ptr<{ty}>) -> () {{
                    group_lanes {n}
                    shared.0 [{ty}; {n}]
                    shared.1 i64
                    %2: i64 = lane_id
                    %3: i64 = const i64 {n}
                    %4: i64 = rem %2, %3
                    %5: ptr<{ty}> = pointer_offset %0, %2
                    %6: {ty} = load %5
                    shared_store.0 %4, %6
                    %7: i64 = const i64 0
                    %8: bool = eq %4, %7
                    if %8 {{
                        shared_store.1 %7, %2
                        yield
                    }} else {{
                        yield
                    }}
                    barrier
                    %9: i64 = shared_load.1 %7
                    %10: i64 = sub %3, %4
                    %11: {ty} = shared_load.0 %10
                    shared_store.0 %3, %11
                    %12: i64 = add %9, %4
                    %13: ptr<{ty}> = pointer_offset %1, %12
                    store %13, %11
                    yield
                }}"
            );
            let lanes = 5 * n as usize;
            let x = match ty {
                Scalar::Bool => (0..lanes).map(|i| u8::from(i % 3 == 0)).collect(),
                _ => numbers(ty, lanes),
            };
            program(&text, lanes as u64, &[x, vec![0; lanes * ty.size_bytes()]])
        })
    });
    check(&programs.collect::<Vec<_>>());
}

#[test]
fn barriers_hold_in_uniform_loops() {
    // A tree of sums: half of the lanes add in each turn.
    let text = "kernel @tree(%0 x: ptr<f32>, %1 y: ptr<f32>) -> () {
            group_lanes 64
            shared.0 [f32; 64]
            %2: i64 = lane_id
            %3: i64 = const i64 64
            %4: i64 = rem %2, %3
            %5: ptr<f32> = pointer_offset %0, %2
            %6: f32 = load %5
            shared_store.0 %4, %6
            %7: i64 = const i64 32
            %8: i64 = const i64 1
            %9: i64 = const i64 0
            %10: i64 = loop (%11: i64 = %7) while {
                %12: bool = gt %11, %9
                yield %12
            } do {
                barrier
                %13: bool = lt %4, %11
                if %13 {
                    %14: i64 = add %4, %11
                    %15: f32 = shared_load.0 %14
                    %16: f32 = shared_load.0 %4
                    %17: f32 = add %16, %15
                    shared_store.0 %4, %17
                    yield
                } else {
                    yield
                }
                %18: i64 = shr %11, %8
                yield %18
            }
            barrier
            %19: f32 = shared_load.0 %9
            %20: ptr<f32> = pointer_offset %1, %2
            store %20, %19
            yield
        }";
    check(&[program(text, 256, &[numbers(Scalar::F32, 256), vec![0; 1024]])]);
}

#[test]
fn shared_atomics_lose_nothing() {
    let programs = integers().flat_map(|ty| ["add", "min", "max", "and", "or", "xor"].map(|op| (ty, op)));
    let of_floats = [(Scalar::F32, "add"), (Scalar::F64, "add")];
    let programs = programs.chain(of_floats).map(|(ty, op)| {
        let text = format!(
            "kernel @shared(%0 x: ptr<{ty}>, %1 y: ptr<{ty}>) -> () {{
                group_lanes 48
                shared.0 [{ty}; 4]
                %2: i64 = lane_id
                %3: i64 = const i64 48
                %4: i64 = rem %2, %3
                %5: i64 = const i64 4
                %6: bool = lt %4, %5
                %7: {ty} = const {ty} 6
                if %6 {{
                    shared_store.0 %4, %7
                    yield
                }} else {{
                    yield
                }}
                barrier
                %8: ptr<{ty}> = pointer_offset %0, %2
                %9: {ty} = load %8
                %10: i64 = const i64 5
                %11: i64 = rem %2, %10
                %12: {ty} = shared_atomic.0.{op} %11, %9
                barrier
                %13: {ty} = shared_load.0 %4
                %14: ptr<{ty}> = pointer_offset %1, %2
                store %14, %13
                yield
            }}"
        );
        program(&text, 96, &[numbers(ty, 96), vec![0; 96 * ty.size_bytes()]])
    });
    check(&programs.collect::<Vec<_>>());
}

#[test]
fn waves_join_their_lanes_in_order() {
    let joins = ["sum", "product", "min", "max", "prefix_sum", "prefix_product", "read_first"];
    let of_all = WIDE.into_iter().flat_map(|ty| joins.map(|op| (ty, op)));
    let of_integers = integers().flat_map(|ty| ["and", "or", "xor"].map(|op| (ty, op)));
    let programs =
        of_all.chain(of_integers).zip([7, 32, 64, 100].into_iter().cycle()).map(|((ty, op), n)| {
            let text = format!(
                "kernel @waves(%0 x: ptr<{ty}>, %1 y: ptr<{ty}>) -> () {{
                group_lanes {n}
                %2: i64 = lane_id
                %3: ptr<{ty}> = pointer_offset %0, %2
                %4: {ty} = load %3
                %5: {ty} = wave.{op} %4
                %6: ptr<{ty}> = pointer_offset %1, %2
                store %6, %5
                yield
            }}"
            );
            let lanes = 2 * n as usize;
            program(&text, lanes as u64, &[numbers(ty, lanes), vec![0; lanes * ty.size_bytes()]])
        });
    check(&programs.collect::<Vec<_>>());
}

#[test]
fn lanes_read_one_another_and_vote() {
    let text = "kernel @votes(%0 x: ptr<i32>, %1 y: ptr<u32>, %2 z: ptr<i32>) -> () {
            group_lanes 40
            %3: i64 = lane_id
            %4: ptr<i32> = pointer_offset %0, %3
            %5: i32 = load %4
            %6: i32 = const i32 3
            %7: bool = gt %5, %6
            %8: u32 = wave.ballot %7
            %9: ptr<u32> = pointer_offset %1, %3
            store %9, %8
            %10: u32 = bitcast.u32 %5
            %11: i32 = wave.read_lane %5, %10
            %12: ptr<i32> = pointer_offset %2, %3
            store %12, %11
            yield
        }";
    check(&[program(text, 80, &[numbers(Scalar::I32, 80), vec![0; 320], vec![0; 320]])]);
}

#[test]
fn aggregates_lie_in_memory_as_their_layout_says() {
    let part = "struct Part { flag: bool, v: vec<f32, 3>, half: f16, m: mat<f32, 2, 2>, k: [i16; 3], big: u64, n: i8 }";
    let text = format!(
        "kernel @parts(%0 x: ptr<{part}>, %1 y: ptr<{part}>, %2 z: ptr<vec<f32, 3>>) -> () {{
            %3: i64 = lane_id
            %4: i64 = const i64 1
            %5: i64 = xor %3, %4
            %6: ptr<{part}> = pointer_offset %0, %5
            %7: {part} = load %6
            %8: vec<f32, 3> = extract.1 %7
            %9: vec<f32, 3> = add %8, %8
            %10: {part} = insert.1 %7, %9
            %11: [i16; 3] = extract.4 %10
            %12: i16 = element_get %11, %3
            %13: [i16; 3] = element_set %11, %3, %12
            %14: {part} = insert.4 %10, %13
            %15: ptr<{part}> = pointer_offset %1, %3
            store %15, %14
            %16: ptr<vec<f32, 3>> = pointer_offset %2, %3
            store %16, %9
            yield
        }}"
    );
    let parsed = pullback_ir::parse::parse(&text).expect("parses");
    let id = pullback_base::ids::Id::from_index(0);
    let bytes = 64 * 20;
    let x: Vec<u8> =
        (0..bytes).map(|i| if i % 64 == 0 { (i / 64 % 2) as u8 } else { (i % 59) as u8 }).collect();
    let mut program = Program {
        kernel: module(&text),
        args: (0..3).map(buffer).collect(),
        lanes: 20,
        buffers: vec![x, vec![0; bytes], vec![0; 12 * 20]],
    };
    let mut expected = program.buffers.clone();
    pullback_tests::launch::interpret(&program.kernel, &program.args, 20, &mut expected).expect("runs");
    program.kernel = pipeline::kernel(&parsed, id);
    let mut found = program.buffers.clone();
    pullback_tests::launch::interpret(&program.kernel, &program.args, 20, &mut found).expect("runs");
    assert_eq!(found, expected, "scalar form differs");
    check(&[program]);
}

#[test]
fn pointers_in_memory_are_followed() {
    // The kernel makes the table of pointers itself, for only it knows the addresses.
    let text = "kernel @chase(%0 table: ptr<ptr<f32>>, %1 x: ptr<f32>, %2 y: ptr<f32>) -> () {
            %3: i64 = lane_id
            %4: i64 = const i64 7
            %5: i64 = mul %3, %4
            %6: i64 = const i64 50
            %7: i64 = rem %5, %6
            %8: ptr<f32> = pointer_offset %1, %7
            %9: ptr<ptr<f32>> = pointer_offset %0, %3
            store %9, %8
            %10: ptr<f32> = load %9
            %11: f32 = load %10
            %12: ptr<f32> = pointer_offset %2, %3
            store %12, %11
            %13: u64 = bitcast.u64 %10
            %14: ptr<u32> = pointer_cast u32 %13
            %15: u32 = load %14
            %16: ptr<u64> = pointer_cast u64 %9
            %17: u64 = convert.u64 %15
            store %16, %17
            yield
        }";
    check(&[program(text, 50, &[vec![0; 400], numbers(Scalar::F32, 50), vec![0; 200]])]);
}

/// A random kernel after the passes, which keep what the interpreter finds.
fn random_program(seed: u64) -> Program {
    let function = kernel(seed);
    let lanes = GROUPS * u64::from(function.group_lanes);
    let mut random = Random::new(seed);
    let mut parts = Vec::new();
    for _ in 0..2 * lanes {
        let mut part = [0; 48];
        part[0] = u8::from(random.once_in(2));
        for word in part[4..].as_chunks_mut::<4>().0.iter_mut().take(3) {
            *word = (random.integer(-8, 8) as f32 / 2.0).to_le_bytes();
        }
        for word in part[16..].as_chunks_mut::<4>().0.iter_mut().take(3) {
            *word = (random.integer(-3, 9) as i32).to_le_bytes();
        }
        part[32..40].copy_from_slice(&random.bits().to_le_bytes());
        part[40..44].copy_from_slice(&(random.bits() as u32 % 40).to_le_bytes());
        parts.push(part);
    }
    let (x, y) = parts.split_at(lanes as usize);
    let buffers = vec![x.concat(), y.concat(), vec![0; 32]];
    let args: Vec<_> = (0..3).map(buffer).collect();
    let source = alone(&function);
    let kernel = pipeline::kernel(&source, pullback_tests::lanes::first(&source));
    let run = |module| {
        let mut buffers = buffers.clone();
        interpret(module, &args, lanes, &mut buffers).unwrap_or_else(|error| panic!("{error}\n{}", **module));
        buffers
    };
    assert_eq!(run(&source), run(&kernel), "seed {seed}: passes change\n{}\nto\n{}", *source, *kernel);
    Program { kernel, args, lanes, buffers }
}

#[test]
fn random_kernels_agree() {
    let count = std::env::var("PULLBACK_FUZZ_PROGRAMS").ok().and_then(|n| n.parse().ok()).unwrap_or(80);
    let first = std::env::var("PULLBACK_FUZZ_SEED").ok().and_then(|n| n.parse().ok()).unwrap_or(0);
    let programs: Vec<Program> = (first..first + count).map(random_program).collect();
    programs.chunks(40).for_each(check);
}
