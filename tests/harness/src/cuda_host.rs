//! Runs emitted CUDA C++ on the host: a batch of kernels becomes one shared library.

use libloading::{Library, Symbol};
use pullback_base::{Artifact, ArtifactFormat};
use std::fmt::Write;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// Kernels compiled for the host.
pub struct HostKernels {
    library: Library,
    /// The header's state is global: one launch at a time.
    one_at_a_time: Mutex<()>,
    /// Each kernel's launcher, in the order given.
    launchers: Vec<String>,
    /// Holds the library's file while it is loaded.
    _folder: tempfile::TempDir,
}

type Launcher = unsafe extern "C" fn(words: *const u64, lanes: u64, grid: u32);

/// Compiles kernels into one library. The error is the compiler's log, or why there is no compiler.
pub fn compile(kernels: &[Artifact]) -> Result<HostKernels, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let source = folder.path().join("kernels.cpp");
    let library = folder.path().join("libkernels.so");
    let (text, launchers) = translation_unit(kernels)?;
    std::fs::write(&source, text).map_err(|error| error.to_string())?;
    let header = Path::new(env!("CARGO_MANIFEST_DIR")).join("cuda_host");
    let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".to_owned());
    let output = Command::new(&compiler)
        .args(["-std=c++17", "-O1", "-ffp-contract=off", "-fno-fast-math", "-w", "-fPIC", "-shared"])
        // Each library keeps its own `threadIdx` and the rest.
        .arg("-fno-gnu-unique")
        .arg("-I")
        .arg(header)
        .arg("-o")
        .arg(&library)
        .arg(&source)
        .output()
        .map_err(|error| format!("{compiler}: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    // SAFETY: the library was just built from our own text; loading it runs no code but C++ static initializers.
    let library = unsafe { Library::new(&library) }.map_err(|error| error.to_string())?;
    Ok(HostKernels { library, one_at_a_time: Mutex::new(()), launchers, _folder: folder })
}

/// Each kernel in a namespace of its own, with a launcher of a unique name after it.
fn translation_unit(kernels: &[Artifact]) -> Result<(String, Vec<String>), String> {
    let mut text = "#include \"pb_cuda_host.h\"\n".to_owned();
    let mut launchers = Vec::new();
    for (index, kernel) in kernels.iter().enumerate() {
        if kernel.format != ArtifactFormat::KernelText {
            return Err(format!("`{}` is not kernel text", kernel.entry));
        }
        let body = std::str::from_utf8(&kernel.bytes).map_err(|error| error.to_string())?;
        // Several kernels may share a name; C linkage would clash.
        let body = body.replace("extern \"C\" __global__", "__global__");
        let has_barriers = body.contains("__syncthreads");
        let group_lanes = kernel.groups.lanes;
        let launcher = format!("pb_launch_{index}");
        let entry = &kernel.entry;
        let _ = write!(
            text,
            "namespace k{index} {{\n{body}\n}}\n\
             extern \"C\" void {launcher}(const unsigned long long* words, unsigned long long lanes, unsigned grid) {{\n\
             \x20   k{index}::PbArgs args;\n\
             \x20   std::memcpy(args.w, words, {bytes});\n\
             \x20   pb_host::launch(grid, {group_lanes}, {has_barriers}, [&] {{ k{index}::{entry}(args, lanes); }});\n}}\n",
            bytes = 8 * kernel.params.len(),
        );
        launchers.push(launcher);
    }
    Ok((text, launchers))
}

impl HostKernels {
    /// Runs kernel `index` of the batch over lanes `0..lanes` with `grid` blocks.
    ///
    /// # Safety
    /// As [`pullback_device::Device::submit`]: pointer words must address memory that the kernel may use so.
    pub unsafe fn launch(&self, index: usize, words: &[u64], lanes: u64, grid: u32) {
        let _guard = self.one_at_a_time.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: `translation_unit` gave the function this name and signature.
        let launcher: Symbol<'_, Launcher> = unsafe { self.library.get(self.launchers[index].as_bytes()) }
            .unwrap_or_else(|error| panic!("the library has no `{}`: {error}", self.launchers[index]));
        // SAFETY: the caller vouches for the words; the launcher reads as many as the kernel has parameters.
        unsafe { launcher(words.as_ptr(), lanes, grid) }
    }
}
