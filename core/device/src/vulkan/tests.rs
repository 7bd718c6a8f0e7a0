//! The Vulkan device at work: every path gives the same results, and the driver has no complaint.

use super::gpu::Gpu;
use super::submit::{self, HostPath};
use super::{VulkanDevice, instance, test_kernels};
use crate::{Access, Device, DeviceError, HostRange, Launch, LoadedKernel, Submission};
use pullback_base::{ArtifactFormat, Code, DType};
use std::sync::Arc;

/// The device under the validation layer; without one, says that the test is skipped.
pub fn device() -> Option<VulkanDevice> {
    match instance::load_entry().and_then(|entry| Gpu::open(entry, true)) {
        Ok(gpu) => Some(VulkanDevice { gpu: Arc::new(gpu) }),
        Err(error) => {
            println!("SKIPPED-DEVICE: vulkan: {error}");
            None
        }
    }
}

fn host_range(word: usize, elements: &mut [f32], access: Access) -> HostRange {
    let start = elements.as_mut_ptr().cast();
    HostRange { launch: 0, word, start, size_bytes: size_of_val(elements), access }
}

/// `y = x * factor` by `kernel` over host memory.
fn scale_on_host(
    device: &VulkanDevice,
    kernel: &LoadedKernel,
    x: &mut [f32],
    y: &mut [f32],
    path: HostPath,
) -> Result<(), DeviceError> {
    let words = [x.as_ptr().addr() as u64, y.as_ptr().addr() as u64];
    let host_ranges = [host_range(0, x, Access::Read), host_range(1, y, Access::Write)];
    let launches = [Launch { kernel, words: &words, lanes: x.len() as u64 }];
    let submission = Submission { launches: &launches, host_ranges: &host_ranges, stream: None };
    // SAFETY: both slices are valid and as long as the number of lanes.
    unsafe { submit::submit(&device.gpu, &submission, path) }
}

fn bytes_of(elements: &[f32]) -> Vec<u8> {
    elements.iter().flat_map(|element| element.to_ne_bytes()).collect()
}

#[test]
fn imported_and_staged_host_memory_give_equal_results() {
    let Some(device) = device() else { return };
    let kernel = device.load(&test_kernels::scale(2.0, None)).unwrap();
    for count in [1, 255, 256, 257, 5000, 100_000] {
        let mut x: Vec<f32> = (0..count).map(|i| i as f32 * 0.5).collect();
        let expected: Vec<f32> = x.iter().map(|x| x * 2.0).collect();
        let mut paths = vec![HostPath::Best, HostPath::Staged];
        if device.imports_host_memory() {
            paths.push(HostPath::Imported);
        }
        for path in paths {
            let mut y = vec![f32::NAN; count];
            scale_on_host(&device, &kernel, &mut x, &mut y, path).unwrap();
            assert_eq!(y, expected, "{count} elements, {path:?}");
        }
    }
}

#[test]
fn elements_that_no_lane_writes_keep_their_value() {
    let Some(device) = device() else { return };
    let kernel = device.load(&test_kernels::scale(2.0, Some(3))).unwrap();
    for path in [HostPath::Staged, HostPath::Best] {
        let mut x = vec![1.0; 40_000];
        let mut y: Vec<f32> = (0..40_000).map(|i| i as f32).collect();
        scale_on_host(&device, &kernel, &mut x, &mut y, path).unwrap();
        for (i, &y) in y.iter().enumerate() {
            assert_eq!(y, if i % 8 == 3 { i as f32 } else { 2.0 }, "element {i}, {path:?}");
        }
    }
}

#[test]
fn host_ranges_may_overlap_and_share_pages() {
    let Some(device) = device() else { return };
    let kernel = device.load(&test_kernels::scale(3.0, None)).unwrap();
    for path in [HostPath::Staged, HostPath::Best] {
        // Elements 0..n are read, n..2n written: one allocation, the boundary within a page.
        let n = 20_001;
        let mut both: Vec<f32> = (0..2 * n).map(|i| i as f32).collect();
        let (x, y) = both.split_at_mut(n);
        scale_on_host(&device, &kernel, x, y, path).unwrap();
        assert!((0..n).all(|i| both[i] == i as f32 && both[n + i] == 3.0 * i as f32), "{path:?}");

        // In place: the same elements are read and written.
        let address = both.as_ptr().addr() as u64;
        let ranges = [host_range(0, &mut both, Access::Read), host_range(1, &mut both[..n], Access::Write)];
        let launches = [Launch { kernel: &kernel, words: &[address, address], lanes: n as u64 }];
        let submission = Submission { launches: &launches, host_ranges: &ranges, stream: None };
        // SAFETY: the elements are valid, and each lane touches its own alone.
        unsafe { submit::submit(&device.gpu, &submission, path) }.unwrap();
        assert!((0..n).all(|i| both[i] == 3.0 * i as f32 && both[n + i] == 3.0 * i as f32), "{path:?}");
    }
}

#[test]
fn a_word_may_point_into_the_middle_of_its_range() {
    let Some(device) = device() else { return };
    let kernel = device.load(&test_kernels::scale(2.0, None)).unwrap();
    let (mut x, mut y) = (vec![1.0_f32; 100], vec![0.0_f32; 100]);
    let ranges = [host_range(0, &mut x, Access::Read), host_range(1, &mut y, Access::ReadWrite)];
    let words = [x[50..].as_ptr().addr() as u64, y[90..].as_ptr().addr() as u64];
    let launches = [Launch { kernel: &kernel, words: &words, lanes: 10 }];
    let submission = Submission { launches: &launches, host_ranges: &ranges, stream: None };
    // SAFETY: ten elements from each word on are within their ranges.
    unsafe { device.submit(&submission) }.unwrap();
    assert_eq!((y[89], y[90], y[99]), (0.0, 2.0, 2.0));
}

#[test]
fn launches_run_in_order_and_see_earlier_writes() {
    let Some(device) = device() else { return };
    let kernel = device.load(&test_kernels::scale(2.0, None)).unwrap();
    let n = 10_000;
    let (a, b) = (device.allocate(4 * n).unwrap(), device.allocate(4 * n).unwrap());
    device.upload(&a, 0, &bytes_of(&vec![1.0; n as usize])).unwrap();
    let (there, back) = ([a.address, b.address], [b.address, a.address]);
    let launches = [
        Launch { kernel: &kernel, words: &there, lanes: n },
        Launch { kernel: &kernel, words: &back, lanes: n },
        Launch { kernel: &kernel, words: &there, lanes: n },
    ];
    let submission = Submission { launches: &launches, host_ranges: &[], stream: None };
    for _ in 0..2 {
        // SAFETY: both buffers hold `n` elements.
        unsafe { device.submit(&submission) }.unwrap();
    }
    // The first submission leaves a = 4, b = 8; the second starts from that: 8, 16, 32.
    let mut result = vec![0; 4 * n as usize];
    device.download(&b, 0, &mut result).unwrap();
    assert!(result == bytes_of(&vec![32.0; n as usize]));
}

#[test]
fn a_buffer_dropped_while_in_use_is_not_used_again_too_early() {
    let Some(device) = device() else { return };
    let kernel = device.load(&test_kernels::scale(2.0, None)).unwrap();
    let n = 200_000;
    let result = device.allocate(4 * n).unwrap();
    for round in 0..10 {
        let input = device.allocate(4 * n).unwrap();
        device.upload(&input, 0, &bytes_of(&vec![round as f32; n as usize])).unwrap();
        let words = [input.address, result.address];
        let launches = [Launch { kernel: &kernel, words: &words, lanes: n }];
        // SAFETY: both buffers hold `n` elements.
        unsafe { device.submit(&Submission { launches: &launches, host_ranges: &[], stream: None }) }
            .unwrap();
        drop(input);
        let other = device.allocate(4 * n).unwrap();
        device.upload(&other, 0, &bytes_of(&vec![-1.0; n as usize])).unwrap();
        let mut bytes = vec![0; 4 * n as usize];
        device.download(&result, 0, &mut bytes).unwrap();
        assert!(bytes == bytes_of(&vec![2.0 * round as f32; n as usize]), "round {round}");
    }
}

#[test]
fn a_launch_over_the_workgroup_limit_covers_every_lane() {
    let Ok(mut gpu) = instance::load_entry().and_then(|entry| Gpu::open(entry, true)) else {
        println!("SKIPPED-DEVICE: vulkan");
        return;
    };
    gpu.abilities.max_groups = 3;
    let device = VulkanDevice { gpu: Arc::new(gpu) };
    let kernel = device.load(&test_kernels::scale(2.0, None)).unwrap();
    let mut x: Vec<f32> = (0..10_001).map(|i| i as f32).collect();
    let mut y = vec![0.0; x.len()];
    scale_on_host(&device, &kernel, &mut x, &mut y, HostPath::Best).unwrap();
    assert!((0..x.len()).all(|i| y[i] == 2.0 * i as f32));
}

#[test]
fn several_threads_submit_at_once() {
    let Some(device) = device() else { return };
    let kernel = device.load(&test_kernels::scale(2.0, None)).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (device, kernel) = (&device, &kernel);
            scope.spawn(move || {
                for round in 0..50 {
                    let count = 1000 + 12_345 * (round % 3);
                    let value = (thread * 100 + round) as f32;
                    let (mut x, mut y) = (vec![value; count], vec![0.0; count]);
                    scale_on_host(device, kernel, &mut x, &mut y, HostPath::Best).unwrap();
                    assert!(y.iter().all(|&y| y == 2.0 * value), "thread {thread}, round {round}");
                    let buffer = device.allocate(4 * count as u64).unwrap();
                    device.upload(&buffer, 0, &bytes_of(&y)).unwrap();
                    let mut back = vec![0; 4 * count];
                    device.download(&buffer, 0, &mut back).unwrap();
                    assert!(back == bytes_of(&y));
                }
            });
        }
    });
}

#[test]
fn nothing_is_allowed() {
    let Some(device) = device() else { return };
    let kernel = device.load(&test_kernels::scale(2.0, None)).unwrap();
    let empty = device.allocate(0).unwrap();
    assert_eq!(empty.address % 256, 0);
    device.upload(&empty, 0, &[]).unwrap();
    device.download(&empty, 0, &mut []).unwrap();
    scale_on_host(&device, &kernel, &mut [], &mut [], HostPath::Best).unwrap();
    // SAFETY: there is no launch.
    unsafe { device.submit(&Submission { launches: &[], host_ranges: &[], stream: None }) }.unwrap();
    device.synchronize().unwrap();
}

#[test]
fn what_cannot_be_run_is_refused() {
    let Some(device) = device() else { return };
    let good = test_kernels::scale(2.0, None);
    let refused = |artifact| device.load(&artifact).map(|_| ()).unwrap_err();

    let mut text = good.clone();
    text.format = ArtifactFormat::KernelText;
    assert!(refused(text).to_string().ends_with("the artifact is KernelText, not ShaderBinary"));
    let mut torn = good.clone();
    torn.bytes[0] ^= 1;
    assert!(refused(torn).to_string().ends_with("the artifact's bytes are not a SPIR-V module"));
    let mut odd = good.clone();
    // The first capability (after five header words and one opcode word) becomes an unknown one.
    odd.bytes[24..28].copy_from_slice(&6_u32.to_le_bytes());
    let error = refused(odd);
    assert_eq!(error.code(), Code::Unsupported);
    assert!(error.to_string().ends_with("cannot run kernels of SPIR-V capability 6"), "{error}");

    let kernel = device.load(&good).unwrap();
    let submit = |launch, stream| {
        let submission = Submission { launches: &[launch], host_ranges: &[], stream };
        // SAFETY: the device refuses before it follows a pointer.
        unsafe { device.submit(&submission) }.unwrap_err().to_string()
    };
    let short = Launch { kernel: &kernel, words: &[0], lanes: 1 };
    assert_eq!(submit(short, None), "submit failed: 1 argument words for 2 parameters");
    let foreign: LoadedKernel = Arc::new("another device's kernel");
    let foreign = Launch { kernel: &foreign, words: &[], lanes: 1 };
    assert_eq!(submit(foreign, None), "submit failed: the kernel was loaded by another device");
    assert!(submit(short, Some(0)).ends_with("cannot launch on another library's stream"));
}

#[test]
fn too_much_memory_is_refused_with_what_is_left() {
    let Some(device) = device() else { return };
    let error = device.allocate(1 << 60).map(|_| ()).unwrap_err();
    let DeviceError::OutOfMemory { wanted_bytes, free_bytes } = error else { panic!("{error}") };
    assert!(wanted_bytes >= 1 << 60 && free_bytes > 0);
}

#[test]
fn copies_past_the_end_are_refused() {
    let Some(device) = device() else { return };
    let buffer = device.allocate(10).unwrap();
    let error = device.upload(&buffer, 8, &[0; 3]).unwrap_err();
    assert_eq!(error.to_string(), "upload failed: 3 bytes at offset 8 reach past the end (10 bytes)");
    assert!(device.download(&buffer, u64::MAX, &mut [0; 3]).is_err());
}

#[test]
fn every_dtype_of_four_or_eight_byte_integers_is_supported() {
    let Some(device) = device() else { return };
    for dtype in [DType::F32, DType::I32, DType::U32, DType::I64, DType::U64] {
        assert!(device.supports(dtype), "{dtype:?}");
    }
}

#[test]
fn an_error_of_the_validation_layer_fails_the_call() {
    let Some(device) = device() else { return };
    if !device.gpu.is_validated() {
        println!("SKIPPED-DEVICE: vulkan: the validation layer is not installed");
        return;
    }
    let create = ash::vk::BufferCreateInfo::default().size(0);
    // SAFETY: deliberately wrong (a size of zero), which the layer reports; a software driver and
    // this test's one call bear it, and the buffer is destroyed unused.
    unsafe {
        if let Ok(buffer) = device.gpu.device.create_buffer(&create, None) {
            device.gpu.device.destroy_buffer(buffer, None);
        }
    }
    let error = device.gpu.check_validation("allocate").unwrap_err();
    assert!(error.to_string().contains("VUID-VkBufferCreateInfo-size-00912"), "{error}");
    device.gpu.check_validation("allocate").unwrap();
}

#[test]
fn a_missing_loader_is_told_with_what_to_install() {
    let error = instance::load_entry_from("/nowhere/libvulkan.so.1").map(|_| ()).unwrap_err();
    assert_eq!(error.code(), Code::NoDriver);
    assert!(error.to_string().starts_with("no Vulkan driver: the loader library does not load"), "{error}");
    assert!(error.help().unwrap().contains("apt-get install mesa-vulkan-drivers"));
}

/// Set for the child process of the test below, which has no driver.
const CHILD: &str = "PULLBACK_TEST_WITHOUT_DRIVER";

#[test]
fn a_missing_driver_is_told_with_what_to_install() {
    if std::env::var_os(CHILD).is_some() {
        let error = VulkanDevice::new().map(|_| ()).unwrap_err();
        assert_eq!(error.code(), Code::NoDriver, "{error}");
        assert!(error.help().unwrap().contains("apt-get install mesa-vulkan-drivers"));
        return;
    }
    // The loader reads its environment once per process: hence another one.
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "vulkan::tests::a_missing_driver_is_told_with_what_to_install"])
        .env(CHILD, "1")
        .env("VK_DRIVER_FILES", "/nowhere/driver.json")
        .env("VK_ICD_FILENAMES", "/nowhere/driver.json")
        .output()
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
}
