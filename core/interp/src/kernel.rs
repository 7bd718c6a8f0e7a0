//! Runs kernels: groups of lanes in step, so that `group_sum` sees a whole group.

use crate::aggregate::add;
use crate::memory::size_bytes;
use crate::run::{Frame, Machine, check_args};
use crate::{Exact, InterpError, Memory, Pointer, Value};
use pullback_base::{GROUP_LANES, bug};
use pullback_ir::{Constant, Effect, FuncId, Function, FunctionKind, Module, StmtKind, Type, Verified};

/// One parameter of a launch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum KernelArg {
    Scalar(Constant),
    /// An element of a buffer.
    Buffer {
        buffer: usize,
        offset_elements: i64,
    },
}

/// Runs a kernel for lane ids `0..lanes` on these buffers. Lanes of a group take each statement of the kernel's body
/// together, groups run one after the other.
pub fn run_kernel(
    module: &Verified<Module>,
    id: FuncId,
    args: &[KernelArg],
    lanes: u64,
    buffers: &mut [Vec<u8>],
) -> Result<(), InterpError> {
    let kernel = &module.functions[id];
    if kernel.kind != FunctionKind::Kernel {
        return Err(InterpError::NotInKernel);
    }
    let types = kernel.param_types();
    let args: Vec<Value<Exact>> = args.iter().enumerate().map(|(i, arg)| bind(*arg, types.get(i))).collect();
    check_args(kernel, &args)?;
    let mut memory = Memory::new(buffers.iter_mut().map(Vec::as_mut_slice));
    let group_lanes = GROUP_LANES as u64;
    for group in 0..lanes.div_ceil(group_lanes) {
        let first = group * group_lanes;
        run_group(module, kernel, &args, first..lanes.min(first + group_lanes), &mut memory)?;
    }
    Ok(())
}

fn bind(arg: KernelArg, ty: Option<&Type>) -> Value<Exact> {
    match arg {
        KernelArg::Scalar(constant) => Value::constant(constant),
        KernelArg::Buffer { buffer, offset_elements } => {
            let element_bytes = match ty {
                Some(Type::Pointer(element)) => size_bytes(element),
                _ => 0,
            };
            Value::Pointer(Pointer { buffer, offset_bytes: offset_elements * element_bytes as i64 })
        }
    }
}

fn run_group(
    module: &Module,
    kernel: &Function,
    args: &[Value<Exact>],
    lanes: std::ops::Range<u64>,
    memory: &mut Memory<'_>,
) -> Result<(), InterpError> {
    let group = (lanes.start / GROUP_LANES as u64) as i64;
    let mut frames: Vec<Frame<'_, Exact>> = lanes.clone().map(|_| Frame::new(kernel, args)).collect();
    let mut steps = vec![0; frames.len()];
    for stmt in &kernel.body.stmts {
        if let StmtKind::Effect { effect: Effect::GroupSum, args, .. } = &stmt.kind {
            let (Value::Pointer(at), Type::Pointer(element)) = (frames[0].get(args[0]), kernel.ty(args[0]))
            else {
                bug!("interp", "group_sum of no pointer")
            };
            let step_bytes = group * size_bytes(element) as i64;
            let at = Pointer { offset_bytes: at.offset_bytes + step_bytes, ..*at };
            let values = frames.iter().map(|frame| frame.get(args[1]).clone()).collect();
            memory.store(Effect::GroupSum, at, element, &group_sum(values, kernel.ty(args[1])))?;
            continue;
        }
        for ((frame, steps), lane) in frames.iter_mut().zip(&mut steps).zip(lanes.clone()) {
            let mut machine = Machine { module, memory, lane: Some(lane as i64), steps: *steps, depth: 0 };
            machine.stmt(frame, stmt)?;
            *steps = machine.steps;
        }
    }
    Ok(())
}

/// `for s in [128, 64, .., 1]: v[i] += v[i + s]`, missing lanes being zero.
fn group_sum(mut values: Vec<Value<Exact>>, ty: &Type) -> Value<Exact> {
    values.resize(GROUP_LANES as usize, Value::zero(ty));
    let mut half = values.len() / 2;
    while half > 0 {
        for i in 0..half {
            values[i] = add(&values[i], &values[i + half]);
        }
        half /= 2;
    }
    values.swap_remove(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pullback_ir::{Scalar, parse::parse, verify};

    fn first() -> FuncId {
        pullback_base::ids::Id::from_index(0)
    }

    fn load(text: &str) -> Verified<Module> {
        verify(parse(text).expect("parses")).expect("verifies")
    }

    const SQUARE: &str = "kernel @square(%0: ptr<f32>, %1: ptr<f32>) -> () {
        %2: i64 = lane_id
        %3: ptr<f32> = pointer_offset %0, %2
        %4: f32 = load %3
        %5: f32 = mul %4, %4
        %6: ptr<f32> = pointer_offset %1, %2
        store %6, %5
        yield
    }";

    fn floats(values: impl IntoIterator<Item = f32>) -> Vec<u8> {
        values.into_iter().flat_map(f32::to_le_bytes).collect()
    }

    const fn at(buffer: usize, offset_elements: i64) -> KernelArg {
        KernelArg::Buffer { buffer, offset_elements }
    }

    #[test]
    fn each_lane_runs_on_its_own_element() {
        let module = load(SQUARE);
        let mut buffers = vec![floats((0..300).map(|i| i as f32)), floats([0.0; 302])];
        run_kernel(&module, first(), &[at(0, 0), at(1, 2)], 300, &mut buffers).expect("runs");
        let want = [0.0, 0.0].into_iter().chain((0..300).map(|i| (i * i) as f32));
        assert_eq!(buffers[1], floats(want));
    }

    #[test]
    fn an_access_out_of_bounds_is_an_error() {
        let module = load(SQUARE);
        let mut buffers = vec![floats([1.0; 4]), floats([0.0; 4])];
        let error = run_kernel(&module, first(), &[at(0, 0), at(1, 1)], 4, &mut buffers).unwrap_err();
        assert_eq!(error.to_string(), "store of 4 bytes at byte 16 of buffer 1, which has Some(16)");
        let error = run_kernel(&module, first(), &[at(0, -1), at(1, 0)], 4, &mut buffers).unwrap_err();
        assert!(matches!(error, InterpError::OutOfBounds { offset_bytes: -4, .. }));
    }

    #[test]
    fn group_sums_come_one_per_group_and_absent_lanes_add_zero() {
        let module = load(
            "kernel @sum(%0: ptr<f32>, %1: f32) -> () {
                %2: i64 = lane_id
                %3: f32 = convert.f32 %2
                %4: f32 = mul %3, %1
                group_sum %0, %4
                yield
            }",
        );
        let mut buffers = vec![floats([0.0; 2])];
        let scale = KernelArg::Scalar(Constant::float(Scalar::F32, 2.0));
        run_kernel(&module, first(), &[at(0, 0), scale], 258, &mut buffers).expect("runs");
        assert_eq!(buffers[0], floats([255.0 * 256.0, 2.0 * (256.0 + 257.0)]));
    }

    #[test]
    fn the_order_of_a_group_sum_is_the_fixed_one() {
        // 1 and -1 are 128 apart and cancel first; any other order loses the small number.
        let mut values = vec![Value::f32(0.0); 256];
        values[0] = Value::f32(1e9);
        values[128] = Value::f32(-1e9);
        values[1] = Value::f32(1e-3);
        assert_eq!(group_sum(values, &Type::F32), Value::f32(1e-3));
    }

    #[test]
    fn bf16_elements_are_f32_values_rounded_on_store() {
        let module = load(
            "kernel @half(%0: ptr<bf16>) -> () {
                %1: f32 = load %0
                %2: f32 = const f32 1.00390625
                %3: f32 = mul %1, %2
                store %0, %3
                atomic_add %0, %2
                yield
            }",
        );
        let mut buffers = vec![vec![0x80, 0x3f]];
        run_kernel(&module, first(), &[at(0, 0)], 1, &mut buffers).expect("runs");
        assert_eq!(buffers[0], [0x00, 0x40]); // 1 * (1 + 2^-8) ties to 1, then 2 + 2^-8 rounds to 2
    }

    #[test]
    fn plain_functions_are_no_kernels_and_arguments_are_checked() {
        let module = load("func @f() -> () { yield }");
        let result = run_kernel(&module, first(), &[], 1, &mut []);
        assert_eq!(result, Err(InterpError::NotInKernel));
        let result = run_kernel(&load(SQUARE), first(), &[at(0, 0)], 1, &mut []);
        assert!(matches!(result, Err(InterpError::Arguments { .. })));
    }
}
