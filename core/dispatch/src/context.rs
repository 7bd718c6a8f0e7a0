//! A device as calls see it: the device, its compiler, and its finishing kernels.

use crate::error::Error;
use parking_lot::Mutex;
use pullback_base::{Artifact, ArtifactFormat, Code, DType, Diagnostic, bug};
use pullback_codegen as codegen;
use pullback_device::{Device, DeviceType, LoadedKernel};
use pullback_ir::{Module, Verified};
use pullback_passes::legalize::Limits;
use pullback_passes::pipeline;
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// An open device. Clones share it.
#[derive(Clone)]
pub struct Context(Arc<Shared>);

struct Shared {
    device: Arc<dyn Device>,
    shares_host_addresses: bool,
    /// Kernels that do not depend on user code, by name.
    library: Mutex<FxHashMap<String, LoadedKernel>>,
}

impl Context {
    /// Opens a device.
    ///
    /// # Errors
    /// `no-driver`, `no-device`.
    pub fn open(device_type: DeviceType) -> Result<Self, Error> {
        Ok(Self::new(pullback_device::open(device_type)?))
    }

    pub fn new(device: Arc<dyn Device>) -> Self {
        let shares_host_addresses = device.shares_host_addresses();
        Self(Arc::new(Shared { device, shares_host_addresses, library: Mutex::default() }))
    }

    pub fn device(&self) -> &Arc<dyn Device> {
        &self.0.device
    }

    /// Whether the device's kernels use host addresses as they are.
    pub fn shares_host_addresses(&self) -> bool {
        self.0.shares_host_addresses
    }

    /// Whether two contexts share one device.
    pub fn same_device(&self, other: &Context) -> bool {
        Arc::ptr_eq(&self.0.device, &other.0.device)
    }

    /// The names by which kernels know the device in a `__target_switch`.
    pub fn target_names(&self) -> &'static [&'static str] {
        match self.0.device.artifact_format() {
            ArtifactFormat::Bytecode => &["cpp", "cpu"],
            ArtifactFormat::ShaderBinary => &["spirv"],
            ArtifactFormat::KernelText => &["cuda"],
        }
    }

    /// Generates code for the module's one kernel.
    ///
    /// # Errors
    /// `unsupported-by-device`.
    pub fn emit(&self, kernel: Verified<Module>) -> Result<Artifact, Error> {
        let format = self.0.device.artifact_format();
        let kernel = pipeline::legalized(kernel, Limits::of(format));
        let emitted = match format {
            ArtifactFormat::Bytecode => codegen::cpu::emit(&kernel),
            ArtifactFormat::ShaderBinary => {
                let preserve_special_floats = self.0.device.preserves_special_floats();
                codegen::spirv::emit(&kernel, &codegen::spirv::Options { preserve_special_floats })
            }
            ArtifactFormat::KernelText => codegen::cuda::emit(&kernel, &codegen::cuda::Options::default()),
        };
        emitted.map_err(|why| {
            let problem = Diagnostic::error(Code::Unsupported, why.to_string());
            match why.span() {
                Some(span) => problem.at(span, "here").into(),
                None => problem.into(),
            }
        })
    }

    /// Generates code and loads it.
    pub fn compile(&self, kernel: Verified<Module>) -> Result<LoadedKernel, Error> {
        Ok(self.0.device.load(&self.emit(kernel)?)?)
    }

    /// A kernel of our own, compiled at first use.
    pub fn library_kernel(
        &self,
        name: &str,
        build: impl FnOnce() -> pullback_ir::Function,
    ) -> Result<LoadedKernel, Error> {
        if let Some(kernel) = self.0.library.lock().get(name) {
            return Ok(kernel.clone());
        }
        let mut module = Module::new();
        let id = module.add(build());
        let kernel = self.compile(pipeline::kernel(&module, id))?;
        Ok(self.0.library.lock().entry(name.to_owned()).or_insert(kernel).clone())
    }

    /// The dtype sums over lanes are taken in: wide where the device has it.
    pub fn sum_dtype(&self, value: DType) -> DType {
        match value {
            DType::F16 | DType::BF16 | DType::F32 | DType::F64 if self.0.device.supports(DType::F64) => {
                DType::F64
            }
            DType::F16 | DType::BF16 | DType::F32 => DType::F32,
            DType::F64 => DType::F64,
            other => bug!("dispatch", "a sum over {other}"),
        }
    }
}
