//! Runs kernels: launches of groups over buffers.

use crate::group::run_group;
use crate::memory::size_bytes;
use crate::run::check_args;
use crate::{Exact, InterpError, Memory, Pointer, Value};
use pullback_ir::{Constant, FuncId, FunctionKind, Module, Type, Verified};

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
    let group_lanes = u64::from(kernel.group_lanes);
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
    fn bf16_results_are_rounded_once() {
        let module = load(
            "kernel @half(%0: ptr<bf16>) -> () {
                %1: bf16 = load %0
                %2: bf16 = const bf16 0.00390625
                %3: bf16 = add %1, %2
                store %0, %3
                %4: bf16 = const bf16 1.0078125
                atomic_add %0, %4
                yield
            }",
        );
        let mut buffers = vec![vec![0x80, 0x3f]];
        run_kernel(&module, first(), &[at(0, 0)], 1, &mut buffers).expect("runs");
        assert_eq!(buffers[0], [0x00, 0x40]); // 1 + 2^-8 ties to 1, then 2 + 2^-7 to 2
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
