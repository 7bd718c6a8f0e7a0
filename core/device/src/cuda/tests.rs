//! The CUDA device: kernels compile without a GPU; with one, every path gives the same results.

use super::launch::grid_size;
use super::nvrtc::{add_library_path, architecture_for, compile_to_cubin};
use super::{CudaDevice, memory};
use crate::{Access, Device, DeviceError, HostRange, Launch, LoadedKernel, Submission};
use pullback_base::{Artifact, ArtifactFormat, Code, DType, ParamKind};
use std::path::Path;

/// `y[i] = 2 * x[i]` by the kernel ABI, for all lanes but each eighth from the fourth on.
const SCALE: &str = r#"
struct PbArgs { unsigned long long w[2]; };
extern "C" __global__ void scale(const PbArgs args, unsigned long long lanes) {
    const float* x = (const float*)args.w[0];
    float* y = (float*)args.w[1];
    for (unsigned long long g = blockIdx.x; g * 256 < lanes; g += gridDim.x) {
        unsigned long long lane = g * 256 + threadIdx.x;
        if (lane < lanes && lane % 8 != 3) y[lane] = 2.0f * x[lane];
    }
}
"#;

fn scale() -> Artifact {
    Artifact {
        format: ArtifactFormat::KernelText,
        entry: "scale".to_owned(),
        groups: pullback_base::Groups::default(),
        params: vec![ParamKind::Pointer(DType::F32); 2],
        bytes: SCALE.as_bytes().to_vec(),
    }
}

/// Looks in the virtual environment of the checkout; without NVRTC, says that the test is skipped.
fn has_nvrtc() -> bool {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.venv/lib");
    if let Ok(pythons) = std::fs::read_dir(root) {
        pythons.flatten().for_each(|python| add_library_path(python.path().join("site-packages")));
    }
    match architecture_for((9, 0)) {
        Err(error @ DeviceError::NoDriver { .. }) => {
            println!("SKIPPED-DEVICE: nvrtc: {error}");
            false
        }
        _ => true,
    }
}

fn device() -> Option<CudaDevice> {
    match CudaDevice::new(0) {
        Ok(device) if has_nvrtc() => Some(device),
        Ok(_) => None,
        Err(error) => {
            println!("SKIPPED-DEVICE: cuda: {error}");
            None
        }
    }
}

#[test]
fn kernel_text_compiles_to_machine_code_without_a_gpu() {
    if !has_nvrtc() {
        return;
    }
    for arch in ["sm_80", "sm_90"] {
        let cubin = compile_to_cubin("scale", SCALE, arch).unwrap();
        assert_eq!(&cubin[..4], b"\x7fELF", "{arch}");
    }
}

#[test]
fn a_refused_kernel_comes_with_the_compilers_log() {
    if !has_nvrtc() {
        return;
    }
    let error =
        compile_to_cubin("broken", "extern \"C\" __global__ void broken() { x = 1; }", "sm_90").unwrap_err();
    assert_eq!(error.code(), Code::CompilerFailed);
    let text = error.to_string();
    assert!(
        text.starts_with("the driver's compiler refused kernel `broken`:\nbroken.cu(1): error"),
        "{text}"
    );
    assert!(text.contains("\"x\" is undefined"), "{text}");
}

#[test]
fn an_architecture_the_compiler_does_not_know_is_refused() {
    if !has_nvrtc() {
        return;
    }
    assert_eq!(architecture_for((9, 0)).unwrap(), "sm_90");
    let error = architecture_for((3, 5)).unwrap_err();
    assert_eq!(error.to_string(), "this version of NVRTC cannot compile for compute capability 3.5");
    let error = compile_to_cubin("scale", SCALE, "sm_1").unwrap_err();
    assert!(error.to_string().contains("invalid value for --gpu-architecture"), "{error}");
}

#[test]
fn the_grid_fills_the_device_and_is_never_larger_than_the_launch() {
    assert_eq!(grid_size(1, 256, 132), 1);
    assert_eq!(grid_size(257, 256, 132), 2);
    assert_eq!(grid_size(u64::MAX, 256, 132), 132 * 32);
}

#[test]
fn a_missing_driver_is_told_with_what_to_do() {
    match CudaDevice::new(0) {
        Ok(device) => {
            let error = CudaDevice::new(10_000).map(|_| ()).unwrap_err();
            assert_eq!(error.code(), Code::NoDevice, "{error}");
            assert!(!device.name().is_empty());
        }
        Err(error) => {
            assert!(matches!(error.code(), Code::NoDriver | Code::NoDevice), "{error}");
            assert!(error.to_string().contains("CUDA"), "{error}");
            assert!(error.help().unwrap().contains("nvidia-smi"));
        }
    }
}

fn host_range(word: usize, elements: &mut [f32], access: Access) -> HostRange {
    let start = elements.as_mut_ptr().cast();
    HostRange { launch: 0, word, start, size_bytes: size_of_val(elements), access }
}

fn scale_on_host(
    device: &CudaDevice,
    kernel: &LoadedKernel,
    x: &mut [f32],
    y: &mut [f32],
    stream: Option<u64>,
) {
    let words = [x.as_ptr().addr() as u64, y.as_ptr().addr() as u64];
    let host_ranges = [host_range(0, x, Access::Read), host_range(1, y, Access::Write)];
    let launches = [Launch { kernel, words: &words, lanes: x.len() as u64 }];
    // SAFETY: both slices are valid and as long as the number of lanes.
    unsafe { device.submit(&Submission { launches: &launches, host_ranges: &host_ranges, stream }) }.unwrap();
}

fn check_scaled(x: &[f32], y: &[f32], kept: f32) {
    for (i, (&x, &y)) in x.iter().zip(y).enumerate() {
        assert_eq!(y, if i % 8 == 3 { kept } else { 2.0 * x }, "element {i}");
    }
}

#[test]
fn host_memory_is_copied_and_unwritten_elements_keep_their_value() {
    let Some(device) = device() else { return };
    let kernel = device.load(&scale()).unwrap();
    for (count, stream) in [(0, None), (1, None), (257, Some(0)), (3_000_001, None), (3_000_001, Some(0))] {
        let mut x: Vec<f32> = (0..count).map(|i| i as f32).collect();
        let mut y = vec![-7.0; count];
        scale_on_host(&device, &kernel, &mut x, &mut y, stream);
        check_scaled(&x, &y, -7.0);
    }
}

fn bytes_of(elements: &[f32]) -> Vec<u8> {
    elements.iter().flat_map(|element| element.to_ne_bytes()).collect()
}

#[test]
fn launches_run_in_order_on_device_memory() {
    let Some(device) = device() else { return };
    let kernel = device.load(&scale()).unwrap();
    let n = 1_000_000_u64;
    let (a, b) = (device.allocate(4 * n).unwrap(), device.allocate(4 * n).unwrap());
    for buffer in [&a, &b] {
        device.upload(buffer, 0, &bytes_of(&vec![1.0; n as usize])).unwrap();
    }
    let (there, back) = ([a.address, b.address], [b.address, a.address]);
    let launches = [
        Launch { kernel: &kernel, words: &there, lanes: n },
        Launch { kernel: &kernel, words: &back, lanes: n },
        Launch { kernel: &kernel, words: &there, lanes: n },
    ];
    // SAFETY: both buffers hold `n` elements.
    unsafe { device.submit(&Submission { launches: &launches, host_ranges: &[], stream: None }) }.unwrap();
    let mut bytes = vec![0; 4 * n as usize];
    device.download(&b, 0, &mut bytes).unwrap();
    let expected: Vec<f32> = (0..n).map(|i| if i % 8 == 3 { 1.0 } else { 8.0 }).collect();
    assert!(bytes == bytes_of(&expected));
}

#[test]
fn freed_memory_is_used_again_after_a_wait() {
    let Some(device) = device() else { return };
    let first = device.allocate(5000).unwrap().address;
    assert_ne!(device.allocate(6000).unwrap().address, first, "a launch may still use it");
    memory::synchronize(&device.context).unwrap();
    let again = [device.allocate(6000).unwrap(), device.allocate(6000).unwrap()];
    assert!(again.iter().any(|buffer| buffer.address == first));
}

#[test]
fn several_threads_submit_at_once() {
    let Some(device) = device() else { return };
    let kernel = device.load(&scale()).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (device, kernel) = (&device, &kernel);
            scope.spawn(move || {
                for round in 0..20 {
                    let count = 1000 + 12_345 * (round % 3);
                    let mut x = vec![(thread * 100 + round) as f32; count];
                    let mut y = vec![0.0; count];
                    scale_on_host(device, kernel, &mut x, &mut y, None);
                    check_scaled(&x, &y, 0.0);
                }
            });
        }
    });
}

#[test]
fn what_cannot_be_run_is_refused() {
    let Some(device) = device() else { return };
    let mut binary = scale();
    binary.format = ArtifactFormat::ShaderBinary;
    let error = device.load(&binary).map(|_| ()).unwrap_err();
    assert!(error.to_string().ends_with("the artifact is ShaderBinary, not KernelText"));
    let mut wide = scale();
    wide.params = vec![ParamKind::Pointer(DType::F32); 512];
    assert_eq!(device.load(&wide).map(|_| ()).unwrap_err().code(), Code::Unsupported);
    let kernel = device.load(&scale()).unwrap();
    let launches = [Launch { kernel: &kernel, words: &[0], lanes: 1 }];
    // SAFETY: the device refuses before it follows a pointer.
    let error = unsafe { device.submit(&Submission { launches: &launches, host_ranges: &[], stream: None }) }
        .unwrap_err();
    assert_eq!(error.to_string(), "submit failed: 1 argument words for 2 parameters");
    let error = device.allocate(1 << 60).map(|_| ()).unwrap_err();
    assert_eq!(error.code(), Code::OutOfMemory, "{error}");
}
