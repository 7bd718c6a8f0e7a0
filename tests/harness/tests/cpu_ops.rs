//! The CPU device against the interpreter: ops, divergence, arrays, partial chunks, threads, on each instruction set.

use pullback_base::ids::Id;
use pullback_base::{DType, Scalar};
use pullback_device::cpu::CpuDevice;
use pullback_device::{Device, Launch, Submission};
use pullback_interp::{KernelArg, run_kernel};
use pullback_ir::{Constant, FuncId, FunctionBuilder, FunctionKind, Module, Op, Type, Verified};

/// A launch's parameter: a number, or elements of a dtype.
#[derive(Clone)]
enum Arg {
    Number(Constant),
    Elements(DType, Vec<u8>),
}

fn numbers(dtype: DType, values: impl IntoIterator<Item = f64>) -> Arg {
    constants(dtype, values.into_iter().map(|value| Constant::float(dtype, value)))
}

fn constants(dtype: DType, values: impl IntoIterator<Item = Constant>) -> Arg {
    let bytes = values.into_iter().flat_map(|c| c.bits().to_le_bytes()[..dtype.size_bytes()].to_vec());
    Arg::Elements(dtype, bytes.collect())
}

fn zeros(dtype: DType, count: usize) -> Arg {
    Arg::Elements(dtype, vec![0; count * dtype.size_bytes()])
}

fn load(text: &str) -> Verified<Module> {
    let module = pullback_ir::parse::parse(text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    pullback_ir::verify(module).unwrap_or_else(|errors| panic!("{errors:?}\n{text}"))
}

fn elements(dtype: DType, bytes: &[u8]) -> Vec<Constant> {
    let word = |chunk: &[u8]| chunk.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte));
    bytes.chunks(dtype.size_bytes()).map(|chunk| Constant::from_bits(dtype, word(chunk))).collect()
}

/// What the interpreter leaves in the parameters' memory.
fn interpret(module: &Verified<Module>, args: &[Arg], lanes: u64) -> Vec<Vec<Constant>> {
    let mut buffers = Vec::new();
    let mut bound = Vec::new();
    for arg in args {
        match arg {
            Arg::Number(constant) => bound.push(KernelArg::Scalar(*constant)),
            Arg::Elements(_, bytes) => {
                bound.push(KernelArg::Buffer { buffer: buffers.len(), offset_elements: 0 });
                buffers.push(bytes.clone());
            }
        }
    }
    run_kernel(module, FuncId::from_index(0), &bound, lanes, &mut buffers).expect("the interpreter runs it");
    memory(args, buffers)
}

fn memory(args: &[Arg], buffers: Vec<Vec<u8>>) -> Vec<Vec<Constant>> {
    let dtypes = args.iter().filter_map(|arg| match arg {
        Arg::Elements(dtype, _) => Some(*dtype),
        Arg::Number(_) => None,
    });
    dtypes.zip(buffers).map(|(dtype, bytes)| elements(dtype, &bytes)).collect()
}

/// What a device leaves there.
fn execute(device: &CpuDevice, module: &Verified<Module>, args: &[Arg], lanes: u64) -> Vec<Vec<Constant>> {
    let artifact = pullback_codegen::cpu::emit(module).expect("emits");
    let kernel = device.load(&artifact).expect("loads");
    let mut words = Vec::new();
    let mut buffers = Vec::new();
    for arg in args {
        match arg {
            Arg::Number(constant) => words.push(constant.bits()),
            Arg::Elements(_, bytes) => {
                let buffer = device.allocate(bytes.len() as u64).expect("allocates");
                device.upload(&buffer, 0, bytes).expect("uploads");
                words.push(buffer.address);
                buffers.push((buffer, bytes.len()));
            }
        }
    }
    let launches = [Launch { kernel: &kernel, words: &words, lanes }];
    let submission = Submission { launches: &launches, host_ranges: &[], stream: None };
    // SAFETY: the interpreter, which checks every access, has run this launch on buffers of these sizes.
    unsafe { device.submit(&submission) }.expect("runs");
    let download = |(buffer, len): &(pullback_device::Buffer, usize)| {
        let mut bytes = vec![0; *len];
        device.download(buffer, 0, &mut bytes).expect("downloads");
        bytes
    };
    memory(args, buffers.iter().map(download).collect())
}

/// Equal bits, any NaN for NaN; floats within so many units in the last place.
fn agree(want: Constant, got: Constant, ulps: u64) -> bool {
    let scalar = want.scalar();
    if !scalar.is_float() || want.as_f64().is_nan() {
        return want == got || (scalar.is_float() && got.as_f64().is_nan());
    }
    if got.as_f64().is_nan() {
        return false;
    }
    // The bits of floats of one sign are in the order of their values.
    let sign = 1u64 << (scalar.bits() - 1);
    let same_sign = want.bits() & sign == got.bits() & sign;
    want == got || (ulps > 0 && same_sign && want.bits().abs_diff(got.bits()) <= ulps)
}

#[track_caller]
fn check_within(module: &Verified<Module>, args: &[Arg], lanes: u64, ulps: u64) {
    let want = interpret(module, args, lanes);
    for device in CpuDevice::of_each_instruction_set() {
        let got = execute(&device, module, args, lanes);
        for (buffer, (want, got)) in want.iter().zip(&got).enumerate() {
            for (at, (&want, &got)) in want.iter().zip(got).enumerate() {
                let input = args.iter().map(|arg| match arg {
                    Arg::Elements(dtype, bytes) => elements(*dtype, bytes).get(at).copied(),
                    Arg::Number(constant) => Some(*constant),
                });
                assert!(
                    agree(want, got, ulps),
                    "{}: buffer {buffer}, element {at}: {got}, not {want}, of {:?}\n{}",
                    device.name(),
                    input.collect::<Vec<_>>(),
                    &**module
                );
            }
        }
    }
}

#[track_caller]
fn check(text: &str, args: &[Arg], lanes: u64) {
    check_within(&load(text), args, lanes, 0);
}

/// Edges and ordinary numbers of a type; operand number `operand` has them in another order.
fn operands(scalar: Scalar, lanes: usize, operand: usize) -> Arg {
    let mut edges: Vec<Constant> =
        [0.0, -0.0, 1.0, -1.0, 2.0, 3.0, 0.5, -0.5, -7.0, 10.0, 100.0, 1e4, 1e-3, 1e9, 3e38]
            .into_iter()
            .map(|value| Constant::float(scalar, value))
            .collect();
    if scalar.is_float() {
        let special = [f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 1e-7, 65_504.0, -1e20, 127.5, 255.9];
        edges.extend(special.map(|value| Constant::float(scalar, value)));
        edges.push(Constant::from_bits(scalar, 1));
    } else {
        let special =
            [u64::MAX, 1 << 63, 1 << 31, 1 << 15, 1 << 7, 0x7fff_ffff, 0x7f, i64::MAX as u64, 31, 33];
        edges.extend(special.map(|bits| Constant::from_bits(scalar, bits)));
    }
    let mut state = 0x1234_5678_9abc_def1u64.wrapping_mul(operand as u64 + 1);
    let values = (0..lanes).map(|lane| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // Every pair of edges is met: one operand counts fast, the next slowly.
        let turn = if operand == 0 { lane } else { lane / edges.len().pow(operand as u32) + operand * lane };
        match lane < edges.len() * edges.len() {
            true => edges[turn % edges.len()],
            false if scalar.is_float() => Constant::float(scalar, (state >> 40) as f64 / 1e6 - 8.0),
            false => Constant::from_bits(scalar, state >> (state & 31)),
        }
    });
    constants(scalar, values)
}

/// `result[i] = op(a[i], b[i], ..)`
fn op_kernel(op: &Op, types: &[Scalar]) -> Option<(Verified<Module>, Scalar)> {
    let operand_types: Vec<Type> = types.iter().map(|&scalar| Type::Scalar(scalar)).collect();
    let result = op.result_type(&operand_types.iter().collect::<Vec<_>>()).ok()?.scalar()?;
    let mut b = FunctionBuilder::new(op.name(), FunctionKind::Kernel);
    let params: Vec<_> = operand_types.iter().map(|ty| b.param(Type::pointer(ty.clone()), "x")).collect();
    let out = b.param(Type::pointer(Type::Scalar(result)), "y");
    let lane = b.op(Op::LaneId, &[]);
    let mut args = Vec::new();
    for param in params {
        let at = b.offset(param, lane);
        args.push(b.load(at));
    }
    let value = b.op(op.clone(), &args);
    let at = b.offset(out, lane);
    b.store(at, value);
    let mut module = Module::new();
    module.add(b.finish(Vec::new()));
    Some((pullback_ir::verify(module).expect("verifies"), result))
}

/// Ops of singles that are within their bound rather than exact; of halves they are rounded once more.
fn tolerance(op: &Op, scalar: Scalar) -> u64 {
    use Op::*;
    let approximate =
        matches!(op, Exp | Exp2 | Log | Log2 | Log10 | Pow | Sin | Cos | Tan | Asin | Acos | Atan)
            || matches!(op, Atan2 | Sinh | Cosh | Tanh | Asinh | Acosh | Atanh | Rsqrt);
    if approximate && scalar != Scalar::F64 { 2 } else { 0 }
}

#[test]
fn every_op_of_every_type_agrees_with_the_interpreter() {
    let lanes = 1000;
    let mut checked = 0;
    for op in pullback_ir::ops::samples().into_iter().filter(Op::is_component_wise) {
        for scalar in Scalar::ALL {
            let variants = match op {
                Op::Convert(_) => Scalar::ALL.map(Op::Convert).to_vec(),
                Op::Bitcast(_) => Scalar::ALL.map(Op::Bitcast).to_vec(),
                Op::Detach | Op::Cut | Op::Unpaired => continue,
                _ => vec![op.clone()],
            };
            for op in variants {
                let mut types = vec![scalar; op.arity().unwrap_or(0)];
                if op == Op::Select {
                    types[0] = Scalar::Bool;
                }
                let Some((module, result)) = op_kernel(&op, &types) else { continue };
                let mut args: Vec<Arg> =
                    types.iter().enumerate().map(|(i, &ty)| operands(ty, lanes, i)).collect();
                args.push(zeros(result, lanes));
                check_within(&module, &args, lanes as u64, tolerance(&op, scalar));
                checked += 1;
            }
        }
    }
    assert!(checked > 400, "{checked}");
}

#[test]
fn halves_in_memory_are_computed_as_numbers() {
    for dtype in [DType::F16, DType::BF16] {
        let text = format!(
            "kernel @k(%0: ptr<{dtype}>, %1: ptr<{dtype}>, %2: {dtype}) -> () {{
                %3: i64 = lane_id
                %4: ptr<{dtype}> = pointer_offset %0, %3
                %5: {dtype} = load %4
                %6: {dtype} = mul %5, %2
                %7: ptr<{dtype}> = pointer_offset %1, %3
                store %7, %6
                yield
            }}"
        );
        let x = numbers(dtype, (0..300).map(|i| f64::from(i) * 0.37 - 20.0));
        check(&text, &[x, zeros(dtype, 300), Arg::Number(Constant::float(dtype, 1.1))], 300);
    }
}

/// Nested divergence: arms that store, loops that each lane leaves at its own time.
const COLLATZ: &str = "kernel @k(%0: ptr<i32>, %1: ptr<i32>, %2: ptr<f32>) -> () {
    %3: i64 = lane_id
    %4: ptr<i32> = pointer_offset %0, %3
    %5: i32 = load %4
    %6: i32 = const i32 1
    %7: i32 = const i32 0
    %8: i32 = const i32 2
    %9: i32 = const i32 3
    %10: i32, %11: i32 = loop (%12: i32 = %5, %13: i32 = %7) while {
        %14: bool = gt %12, %6
        yield %14
    } do {
        %15: i32 = rem %12, %8
        %16: bool = eq %15, %7
        %17: i32 = if %16 {
            %18: i32 = div %12, %8
            yield %18
        } else {
            %19: i32 = mul %12, %9
            %20: i32 = add %19, %6
            yield %20
        }
        %21: i32 = add %13, %6
        yield %17, %21
    }
    %22: ptr<i32> = pointer_offset %1, %3
    store %22, %11
    %23: bool = gt %11, %9
    %24: ptr<f32> = pointer_offset %2, %3
    %25: f32 = if %23 {
        %26: f32 = load %24
        %27: f32 = add %26, %26
        store %24, %27
        yield %26
    } else {
        %28: f32 = const f32 -1
        yield %28
    }
    %29: bool = lt %11, %6
    if %29 {
        store %24, %25
        yield
    } else {
        yield
    }
    yield
}";

#[test]
fn lanes_take_their_own_ways_through_loops_and_arms() {
    for lanes in [1, 5, 64, 255, 256, 257, 700] {
        let starts = numbers(DType::I32, (0..lanes).map(|i| (i % 97) as f64));
        let floats = numbers(DType::F32, (0..lanes).map(|i| i as f64 * 0.5));
        check(COLLATZ, &[starts, zeros(DType::I32, lanes), floats], lanes as u64);
    }
}

#[test]
fn lanes_that_do_not_exist_touch_no_memory() {
    // The buffers are longer than the launch: what lies beyond keeps its value, as in the interpreter.
    for lanes in [0, 1, 63, 64, 65, 256, 300] {
        let text = "kernel @k(%0: ptr<i8>, %1: ptr<f64>) -> () {
            %2: i64 = lane_id
            %3: ptr<i8> = pointer_offset %0, %2
            %4: i8 = load %3
            %5: f64 = convert.f64 %4
            %6: ptr<f64> = pointer_offset %1, %2
            store %6, %5
            %7: i8 = neg %4
            store %3, %7
            yield
        }";
        let x = numbers(DType::I8, (0..400).map(|i| f64::from(i % 256 - 128)));
        check(text, &[x, numbers(DType::F64, (0..400).map(f64::from))], lanes);
    }
}

#[test]
fn addresses_may_be_strided_shared_reversed_or_arbitrary() {
    let text = "kernel @k(%0: ptr<f32>, %1: ptr<f32>, %2: ptr<i64>, %3: i64) -> () {
        %4: i64 = lane_id
        %5: i64 = mul %4, %3
        %6: i64 = const i64 1
        %7: i64 = add %5, %6
        %8: ptr<f32> = pointer_offset %0, %7
        %9: f32 = load %8
        %10: ptr<f32> = pointer_offset %0, %3
        %11: f32 = load %10
        %12: f32 = add %9, %11
        %13: i64 = const i64 499
        %14: i64 = sub %13, %4
        %15: ptr<f32> = pointer_offset %1, %14
        store %15, %12
        %16: ptr<i64> = pointer_offset %2, %4
        %17: i64 = load %16
        %18: ptr<f32> = pointer_offset %0, %17
        %19: f32 = load %18
        %20: ptr<f32> = pointer_offset %15, %13
        store %20, %19
        yield
    }";
    let x = numbers(DType::F32, (0..2000).map(|i| f64::from(i) * 0.25));
    let picks = numbers(DType::I64, (0..500).map(|i| f64::from(i * 37 % 2000)));
    for stride in [0, 1, 3] {
        let stride = Arg::Number(Constant::int(DType::I64, stride));
        check(text, &[x.clone(), zeros(DType::F32, 1000), picks.clone(), stride], 500);
    }
}

#[test]
fn switch_arms_serve_the_lanes_that_chose_them() {
    let text = "kernel @k(%0: ptr<i32>, %1: ptr<i32>) -> () {
        %2: i64 = lane_id
        %3: ptr<i32> = pointer_offset %0, %2
        %4: i32 = load %3
        %5: ptr<i32> = pointer_offset %1, %2
        %6: i32 = switch %4 case 0, 4 {
            %7: i32 = const i32 10
            yield %7
        } case -1 {
            store %5, %4
            %8: i32 = mul %4, %4
            yield %8
        } default {
            %9: i32 = add %4, %4
            yield %9
        }
        atomic_add %5, %6
        yield
    }";
    let x = numbers(DType::I32, (0..300).map(|i| f64::from(i % 7 - 2)));
    check(text, &[x, numbers(DType::I32, (0..300).map(f64::from))], 300);
}

/// An array that a loop carries and one arm changes; an old version stays in use.
const HISTOGRAM: &str = "kernel @k(%0: ptr<i32>, %1: ptr<i32>, %2: ptr<i32>) -> () {
    %3: i64 = lane_id
    %4: ptr<i32> = pointer_offset %0, %3
    %5: i32 = load %4
    %6: i32 = const i32 0
    %7: i32 = const i32 1
    %8: [i32; 4] = splat [i32; 4] %6
    %9: [i32; 4] = insert.2 %8, %5
    %10: [i32; 4], %11: i32 = loop (%12: [i32; 4] = %9, %13: i32 = %6) while {
        %14: bool = lt %13, %5
        yield %14
    } do {
        %15: i32 = const i32 5
        %16: i32 = rem %13, %15
        %17: i32 = element_get %12, %16
        %18: i32 = add %17, %13
        %19: bool = gt %17, %16
        %20: [i32; 4] = if %19 {
            yield %12
        } else {
            %21: [i32; 4] = element_set %12, %16, %18
            yield %21
        }
        %22: i32 = add %13, %7
        yield %20, %22
    }
    %23: bool = lt %5, %7
    %24: [i32; 4] = select %23, %8, %10
    %25: i32 = extract.1 %24
    %26: i32 = element_get %9, %5
    %27: i32 = add %25, %26
    %28: i32 = extract.3 %10
    %29: ptr<i32> = pointer_offset %1, %3
    store %29, %27
    %30: ptr<i32> = pointer_offset %2, %3
    store %30, %28
    yield
}";

#[test]
fn arrays_keep_their_values_through_loops_and_arms() {
    let x = numbers(DType::I32, (0..520).map(|i| f64::from(i % 23 - 3)));
    check(HISTOGRAM, &[x, zeros(DType::I32, 520), zeros(DType::I32, 520)], 520);
}

#[test]
fn parameters_that_swap_in_a_loop_are_assigned_at_once() {
    let text = "kernel @k(%0: ptr<i32>, %1: ptr<i32>, %2: i32) -> () {
        %3: i64 = lane_id
        %4: i32 = convert.i32 %3
        %5: i32 = const i32 1
        %6: i32, %7: i32, %8: i32 = loop (%9: i32 = %4, %10: i32 = %2, %11: i32 = %5) while {
            %12: bool = lt %11, %2
            yield %12
        } do {
            %13: i32 = add %11, %5
            yield %10, %9, %13
        }
        %14: ptr<i32> = pointer_offset %0, %3
        store %14, %6
        %15: ptr<i32> = pointer_offset %1, %3
        store %15, %7
        yield
    }";
    for trips in [0, 4, 5] {
        let trips = Arg::Number(Constant::int(DType::I32, trips));
        check(text, &[zeros(DType::I32, 70), zeros(DType::I32, 70), trips], 70);
    }
}

#[test]
fn group_sums_are_the_interpreters_to_the_bit() {
    for dtype in [DType::F32, DType::F64, DType::F16, DType::I32, DType::U8] {
        let text = format!(
            "kernel @k(%0: ptr<{dtype}>, %1: ptr<{dtype}>) -> () {{
                %2: i64 = lane_id
                %3: ptr<{dtype}> = pointer_offset %0, %2
                %4: {dtype} = load %3
                group_sum %1, %4
                yield
            }}"
        );
        for lanes in [1, 255, 256, 1000] {
            let x = numbers(dtype, (0..lanes).map(|i| (i * i % 101) as f64 / 7.0));
            check(&text, &[x, zeros(dtype, 4)], lanes as u64);
        }
    }
}

#[test]
fn uniform_loops_read_weights_by_counter() {
    // y[i] = sum over k of w[k] * x[i * n + k]
    let text = "kernel @k(%0: ptr<f32>, %1: ptr<f32>, %2: ptr<f32>, %3: i64) -> () {
        %4: i64 = lane_id
        %5: i64 = mul %4, %3
        %6: ptr<f32> = pointer_offset %0, %5
        %7: i64 = const i64 0
        %8: i64 = const i64 1
        %9: f32 = const f32 0
        %10: i64, %11: f32 = loop (%12: i64 = %7, %13: f32 = %9) while {
            %14: bool = lt %12, %3
            yield %14
        } do {
            %15: ptr<f32> = pointer_offset %6, %12
            %16: f32 = load %15
            %17: ptr<f32> = pointer_offset %1, %12
            %18: f32 = load %17
            %19: f32 = mul %16, %18
            %20: f32 = add %13, %19
            %21: i64 = add %12, %8
            yield %21, %20
        }
        %22: ptr<f32> = pointer_offset %2, %4
        store %22, %11
        yield
    }";
    let x = numbers(DType::F32, (0..3000).map(|i| f64::from(i % 17) * 0.1));
    let w = numbers(DType::F32, (0..10).map(|i| f64::from(i) - 4.5));
    let n = Arg::Number(Constant::int(DType::I64, 10));
    check(text, &[x, w, zeros(DType::F32, 300), n], 300);
}

#[test]
fn many_lanes_on_threads_are_right_and_atomics_lose_nothing() {
    let lanes = 100_000;
    let text = "kernel @k(%0: ptr<i32>, %1: ptr<i32>, %2: ptr<u64>) -> () {
        %3: i64 = lane_id
        %4: ptr<i32> = pointer_offset %0, %3
        %5: i32 = load %4
        %6: i32 = mul %5, %5
        %7: ptr<i32> = pointer_offset %1, %3
        store %7, %6
        %8: u64 = convert.u64 %5
        atomic_add %2, %8
        yield
    }";
    let x = numbers(DType::I32, (0..lanes).map(|i| f64::from(i % 1000)));
    check(text, &[x, zeros(DType::I32, lanes as usize), zeros(DType::U64, 1)], lanes as u64);
}

#[test]
fn words_that_are_no_program_are_refused() {
    let artifact = pullback_codegen::cpu::emit(&load(HISTOGRAM)).expect("emits");
    let device = CpuDevice::new();
    assert!(device.load(&artifact).is_ok());
    let mut refused = 0;
    for at in 0..artifact.bytes.len() / 4 {
        for value in [0, 1, 7, 0x10_0000, u32::MAX - 1, u32::MAX] {
            let mut changed = artifact.clone();
            changed.bytes[4 * at..4 * at + 4].copy_from_slice(&u32::to_le_bytes(value));
            // Either it still is a program, or it is refused by name; it is never read out of bounds.
            if let Err(error) = device.load(&changed) {
                assert!(error.to_string().starts_with("load failed"), "{error}");
                refused += 1;
            }
        }
    }
    assert!(refused > 100, "{refused}");
}
