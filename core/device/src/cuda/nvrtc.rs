//! NVRTC, the run-time compiler: finding its library and compiling kernel text to machine code.
//!
//! No GPU is needed. The library is looked for by absolute path first, since its pip package is not
//! where the system's loader looks.

use crate::DeviceError;
use libloading::Library;
use parking_lot::Mutex;
use std::ffi::{CStr, CString, c_char, c_int};
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::OnceLock;

/// Names the library's file (or its folder) where it is in none of the usual places.
const PATH_VARIABLE: &str = "PULLBACK_NVRTC_PATH";
const INSTALL: &str =
    "install NVRTC (pip install nvidia-cuda-nvrtc), or name its library in PULLBACK_NVRTC_PATH";
const INVALID_OPTION: c_int = 5;
/// For the system's own loader, when no folder has the library.
const BARE_NAMES: [&str; 4] = ["libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so", "nvrtc64_130_0.dll"];

static ADDED_PATHS: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());
static LOADED: OnceLock<Nvrtc> = OnceLock::new();

/// Adds a folder in which NVRTC is looked for: one with the library itself, or a Python
/// `site-packages` with NVIDIA's packages in it.
pub fn add_library_path(folder: impl Into<PathBuf>) {
    let folder = folder.into();
    let mut paths = ADDED_PATHS.lock();
    if !paths.contains(&folder) {
        paths.push(folder);
    }
}

/// Compiles CUDA C++ to machine code for an architecture such as `sm_90`.
///
/// # Errors
/// `NoDriver` when NVRTC is not found; `CompilerFailed` with its log when it refuses the text.
pub fn compile_to_cubin(entry: &str, source: &str, arch: &str) -> Result<Vec<u8>, DeviceError> {
    let nvrtc = Nvrtc::get()?;
    let architecture = format!("--gpu-architecture={arch}");
    // `--minimal` leaves out what kernels do not use (textures, the runtime API), for half the
    // compile time. Older versions do not know it.
    match nvrtc.compile(entry, source, &[&architecture, "--std=c++17", "--minimal"]) {
        Err(Refusal { result: INVALID_OPTION, .. }) => {
            nvrtc.compile(entry, source, &[&architecture, "--std=c++17"])
        }
        other => other,
    }
    .map_err(|refusal| DeviceError::CompilerFailed { entry: entry.to_owned(), log: refusal.log })
}

/// The architecture to compile for: the device's own, else the newest of the same major version that
/// this NVRTC knows, whose code runs there too.
pub fn architecture_for(capability: (u32, u32)) -> Result<String, DeviceError> {
    let (major, minor) = capability;
    let known = Nvrtc::get()?.architectures();
    best_architecture(&known, major * 10 + minor).map(|version| format!("sm_{version}")).ok_or_else(|| {
        DeviceError::Unsupported {
            device: "this version of NVRTC".to_owned(),
            wanted: format!("compile for compute capability {major}.{minor}"),
        }
    })
}

fn best_architecture(known: &[u32], wanted: u32) -> Option<u32> {
    known.iter().copied().filter(|&version| version <= wanted && version / 10 == wanted / 10).max()
}

/// An opaque `nvrtcProgram`.
type Program = *mut std::ffi::c_void;
type Create = unsafe extern "C" fn(
    *mut Program,
    *const c_char,
    *const c_char,
    c_int,
    *const *const c_char,
    *const *const c_char,
) -> c_int;
type Compile = unsafe extern "C" fn(Program, c_int, *const *const c_char) -> c_int;
type Destroy = unsafe extern "C" fn(*mut Program) -> c_int;
type Size = unsafe extern "C" fn(Program, *mut usize) -> c_int;
type Bytes = unsafe extern "C" fn(Program, *mut c_char) -> c_int;
type Count = unsafe extern "C" fn(*mut c_int) -> c_int;
type ErrorText = unsafe extern "C" fn(c_int) -> *const c_char;

/// The library's functions that we use, and the library itself, never closed.
struct Nvrtc {
    create: Create,
    compile: Compile,
    destroy: Destroy,
    log_size: Size,
    log: Bytes,
    cubin_size: Size,
    cubin: Bytes,
    architecture_count: Count,
    architectures: Count,
    error_text: ErrorText,
    _libraries: Vec<Library>,
}

/// Why NVRTC refused.
struct Refusal {
    result: c_int,
    log: String,
}

/// A program, destroyed when dropped.
struct OwnedProgram<'n> {
    nvrtc: &'n Nvrtc,
    handle: Program,
}

impl Drop for OwnedProgram<'_> {
    fn drop(&mut self) {
        // SAFETY: the handle is from `create`, and this is its last use.
        let _ = unsafe { (self.nvrtc.destroy)(&mut self.handle) };
    }
}

impl Nvrtc {
    /// The library, loaded once; a failure is not kept, since a folder may be added later.
    fn get() -> Result<&'static Nvrtc, DeviceError> {
        if let Some(loaded) = LOADED.get() {
            return Ok(loaded);
        }
        let added = ADDED_PATHS.lock().clone();
        let loaded = load(&search_folders(&added)).map_err(|reason| DeviceError::NoDriver {
            driver: "NVRTC",
            reason,
            help: INSTALL.to_owned(),
        })?;
        Ok(LOADED.get_or_init(|| loaded))
    }

    fn from_libraries(libraries: Vec<Library>) -> Result<Nvrtc, String> {
        let library = libraries.last().ok_or("no library")?;
        /// A function of the library.
        ///
        /// # Safety
        /// `F` is the function's type.
        unsafe fn find<F: Copy>(library: &Library, name: &str) -> Result<F, String> {
            // SAFETY: as the caller promises.
            unsafe { library.get::<F>(name.as_bytes()) }
                .map(|symbol| *symbol)
                .map_err(|_| format!("the library has no function {name}"))
        }
        // SAFETY: the types are those of nvrtc.h. The library is kept open below.
        unsafe {
            Ok(Nvrtc {
                create: find(library, "nvrtcCreateProgram")?,
                compile: find(library, "nvrtcCompileProgram")?,
                destroy: find(library, "nvrtcDestroyProgram")?,
                log_size: find(library, "nvrtcGetProgramLogSize")?,
                log: find(library, "nvrtcGetProgramLog")?,
                cubin_size: find(library, "nvrtcGetCUBINSize")?,
                cubin: find(library, "nvrtcGetCUBIN")?,
                architecture_count: find(library, "nvrtcGetNumSupportedArchs")?,
                architectures: find(library, "nvrtcGetSupportedArchs")?,
                error_text: find(library, "nvrtcGetErrorString")?,
                _libraries: libraries,
            })
        }
    }

    /// The architectures it compiles for, as 10 * major + minor.
    fn architectures(&self) -> Vec<u32> {
        let mut count = 0;
        // SAFETY: the second function writes as many numbers as the first one says.
        let known = unsafe {
            if (self.architecture_count)(&mut count) != 0 {
                return Vec::new();
            }
            let mut known = vec![0; usize::try_from(count).unwrap_or(0)];
            if known.is_empty() || (self.architectures)(known.as_mut_ptr()) != 0 {
                return Vec::new();
            }
            known
        };
        known.into_iter().filter_map(|version| u32::try_from(version).ok()).collect()
    }

    fn compile(&self, entry: &str, source: &str, options: &[&str]) -> Result<Vec<u8>, Refusal> {
        let c_string = |text: &str| {
            CString::new(text)
                .map_err(|_| Refusal { result: -1, log: "the text contains a zero byte".to_owned() })
        };
        let (source, name) = (c_string(source)?, c_string(&format!("{entry}.cu"))?);
        let options = options.iter().map(|option| c_string(option)).collect::<Result<Vec<_>, _>>()?;
        let option_pointers: Vec<_> = options.iter().map(|option| option.as_ptr()).collect();
        let mut handle = ptr::null_mut();
        // SAFETY: the strings outlive the call, and there are no headers.
        let created = unsafe {
            (self.create)(&mut handle, source.as_ptr(), name.as_ptr(), 0, ptr::null(), ptr::null())
        };
        self.check(created)?;
        let program = OwnedProgram { nvrtc: self, handle };
        // SAFETY: the program is alive, and so are the options.
        let compiled = unsafe {
            (self.compile)(program.handle, option_pointers.len() as c_int, option_pointers.as_ptr())
        };
        self.check(compiled).map_err(|refusal| match self.bytes(&program, self.log_size, self.log) {
            Ok(log) if log.len() > 1 => {
                let text = String::from_utf8_lossy(&log);
                Refusal { log: text.trim_end_matches(['\0', '\n']).to_owned(), ..refusal }
            }
            _ => refusal,
        })?;
        self.bytes(&program, self.cubin_size, self.cubin)
    }

    /// What a pair of functions (one for the size, one for the bytes) tells of a program.
    fn bytes(&self, program: &OwnedProgram<'_>, size: Size, fill: Bytes) -> Result<Vec<u8>, Refusal> {
        let mut count = 0;
        // SAFETY: the program is alive; `fill` writes as many bytes as `size` says.
        unsafe {
            self.check(size(program.handle, &mut count))?;
            let mut bytes = vec![0_u8; count];
            self.check(fill(program.handle, bytes.as_mut_ptr().cast()))?;
            Ok(bytes)
        }
    }

    fn check(&self, result: c_int) -> Result<(), Refusal> {
        if result == 0 {
            return Ok(());
        }
        // SAFETY: the function returns a static C string for every number.
        let text = unsafe { CStr::from_ptr((self.error_text)(result)) };
        Err(Refusal { result, log: text.to_string_lossy().into_owned() })
    }
}

/// The folders to look in, in order.
fn search_folders(added: &[PathBuf]) -> Vec<PathBuf> {
    let mut folders = Vec::new();
    if let Some(path) = std::env::var_os(PATH_VARIABLE).map(PathBuf::from) {
        let is_file = path.is_file();
        folders.extend(if is_file { path.parent().map(Path::to_owned) } else { Some(path) });
    }
    for folder in added {
        folders.push(folder.clone());
        let packages = entries(&folder.join("nvidia"));
        folders.extend(packages.into_iter().map(|package| package.join("lib")));
    }
    for variable in ["CUDA_HOME", "CUDA_PATH"] {
        folders.extend(std::env::var_os(variable).map(|home| PathBuf::from(home).join("lib64")));
    }
    folders.push(PathBuf::from("/usr/local/cuda/lib64"));
    folders
}

/// The paths in a folder, in order; none where it cannot be read.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(found) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<_> = found.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    paths
}

/// The newest file of the folder whose name starts so.
fn library_in(folder: &Path, starts: &[&str]) -> Option<PathBuf> {
    entries(folder).into_iter().rfind(|path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        starts.iter().any(|start| name.starts_with(start)) && !name.contains(".alt.")
    })
}

/// Loads the library from the first folder that has one, else by its bare name.
fn load(folders: &[PathBuf]) -> Result<Nvrtc, String> {
    let mut failure = None;
    for folder in folders {
        let Some(path) = library_in(folder, &["libnvrtc.so", "nvrtc64_"]) else { continue };
        match open(folder, &path) {
            Ok(nvrtc) => return Ok(nvrtc),
            Err(reason) => failure = Some(format!("{} does not load: {reason}", path.display())),
        }
    }
    for name in BARE_NAMES {
        // SAFETY: the library's initialization routines are NVIDIA's own.
        if let Ok(library) = unsafe { Library::new(name) } {
            return Nvrtc::from_libraries(vec![library]);
        }
    }
    Err(failure.unwrap_or_else(|| "its library is not found".to_owned()))
}

fn open(folder: &Path, path: &Path) -> Result<Nvrtc, String> {
    let mut libraries = Vec::new();
    // SAFETY: the libraries' initialization routines are NVIDIA's own.
    let open_one = |path: &Path| unsafe { Library::new(path) }.map_err(|error| error.to_string());
    // NVRTC opens its builtins by bare name, which finds them only when they are open already.
    if let Some(builtins) = library_in(folder, &["libnvrtc-builtins.so", "nvrtc-builtins64_"]) {
        libraries.push(open_one(&builtins)?);
    }
    libraries.push(open_one(path)?);
    Nvrtc::from_libraries(libraries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_made_for_the_newest_architecture_the_device_runs() {
        let known = [75, 80, 86, 89, 90, 100, 103, 120];
        assert_eq!(best_architecture(&known, 90), Some(90));
        assert_eq!(best_architecture(&known, 87), Some(86));
        assert_eq!(best_architecture(&known, 121), Some(120));
        assert_eq!(best_architecture(&known, 70), None);
        assert_eq!(best_architecture(&known, 110), None);
    }

    #[test]
    fn the_newest_library_of_a_folder_is_taken() {
        let folder = std::env::temp_dir().join(format!("pullback-nvrtc-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        for name in ["libnvrtc-builtins.so.13.5", "libnvrtc.alt.so.13", "libnvrtc.so.12", "libnvrtc.so.13"] {
            std::fs::write(folder.join(name), "").unwrap();
        }
        let found = library_in(&folder, &["libnvrtc.so"]);
        let builtins = library_in(&folder, &["libnvrtc-builtins.so"]);
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(found, Some(folder.join("libnvrtc.so.13")));
        assert_eq!(builtins, Some(folder.join("libnvrtc-builtins.so.13.5")));
    }

    #[test]
    fn an_added_folder_may_be_site_packages() {
        let site = std::env::temp_dir().join(format!("pullback-site-{}", std::process::id()));
        std::fs::create_dir_all(site.join("nvidia/cu13/lib")).unwrap();
        let folders = search_folders(std::slice::from_ref(&site));
        std::fs::remove_dir_all(&site).unwrap();
        assert!(folders.contains(&site.join("nvidia/cu13/lib")), "{folders:?}");
    }
}
