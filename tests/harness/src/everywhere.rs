//! Runs kernels on every executor and compares all buffers byte for byte with the interpreter's.

use crate::emit::emit;
use crate::launch::{interpret, on_device, on_host};
use crate::tolerance::Target;
use crate::{cuda_host, spirv_val};
use pullback_base::Artifact;
use pullback_device::DeviceError;
use pullback_device::cpu::CpuDevice;
use pullback_device::vulkan::VulkanDevice;
use pullback_interp::KernelArg;
use pullback_ir::{Module, Verified};

/// A kernel alone in its module, in scalar form, and one launch of it.
#[derive(Clone)]
pub struct Program {
    pub kernel: Verified<Module>,
    pub args: Vec<KernelArg>,
    pub lanes: u64,
    pub buffers: Vec<Vec<u8>>,
}

/// The module of a text.
pub fn module(text: &str) -> Verified<Module> {
    let module = pullback_ir::parse::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    pullback_ir::verify(module).unwrap_or_else(|errors| panic!("{errors:?}\n{text}"))
}

/// The whole buffer, from its start.
pub fn buffer(index: usize) -> KernelArg {
    KernelArg::Buffer { buffer: index, offset_elements: 0 }
}

/// Panics where an executor differs from the interpreter.
pub fn check(programs: &[Program]) {
    let emitted = |target: Target| -> Vec<Artifact> {
        let artifact = |program: &Program| {
            emit(&program.kernel, target).unwrap_or_else(|error| panic!("{error}\n{}", *program.kernel))
        };
        programs.iter().map(artifact).collect()
    };
    let [words, binaries, texts] = [Target::Cpu, Target::Vulkan, Target::Cuda].map(emitted);
    let host = cuda_host::compile(&texts).unwrap_or_else(|log| panic!("{log}"));
    let cpus = CpuDevice::of_each_instruction_set();
    let vulkan = VulkanDevice::new();
    if let Err(error) = &vulkan {
        println!("SKIPPED-DEVICE: vulkan: {error}");
    }
    for (index, Program { kernel, args, lanes, buffers }) in programs.iter().enumerate() {
        let mut expected = buffers.clone();
        interpret(kernel, args, *lanes, &mut expected)
            .unwrap_or_else(|error| panic!("{error}\n{}", **kernel));
        for cpu in &cpus {
            let mut found = buffers.clone();
            on_device(cpu, &words[index], args, *lanes, &mut found).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(found, expected, "on the CPU\n{}", **kernel);
        }
        let mut found = buffers.clone();
        on_host(&host, index, &texts[index], args, *lanes, &mut found);
        assert_eq!(found, expected, "CUDA C++ on the host\n{}", String::from_utf8_lossy(&texts[index].bytes));
        spirv_val::check(&binaries[index]).unwrap_or_else(|log| panic!("{log}\n{}", **kernel));
        let Ok(vulkan) = &vulkan else { continue };
        let mut found = buffers.clone();
        match on_device(vulkan, &binaries[index], args, *lanes, &mut found) {
            Ok(()) => assert_eq!(found, expected, "SPIR-V on Vulkan\n{}", **kernel),
            Err(DeviceError::Unsupported { device, wanted }) => {
                println!("SKIPPED-DEVICE: {device} cannot {wanted}");
            }
            Err(error) => panic!("{error}"),
        }
    }
}
