//! Differentiable array functions from shader code.
//!
//! Load a module written in Slang or WGSL, call its functions on tensors, and differentiate them:
//!
//! ```
//! use pullback::{Device, DeviceType, Module, Tensor, args};
//!
//! # fn main() -> Result<(), pullback::Error> {
//! let device = Device::new(DeviceType::Cpu)?;
//! let module = Module::load_from_source(
//!     &device,
//!     "example.slang",
//!     "float polynomial(float a, float b, float c, float x) { return a * x * x + b * x + c; }",
//! )?;
//! let polynomial = module.function("polynomial")?;
//! let x = Tensor::from_slice(&device, &[1.0f32, 2.0, 3.0, 4.0], [4])?;
//! let y = polynomial.call(args![a: 2.0, b: 8.0, c: -1.0, x: &x])?;
//! assert_eq!(y.to_vec::<f32>()?, [9.0, 23.0, 41.0, 63.0]);
//!
//! let dy = Tensor::from_slice(&device, &[1.0f32; 4], [4])?;
//! let gradients = polynomial.backward(args![a: 2.0, b: 8.0, c: -1.0, x: &x], &dy)?;
//! assert_eq!(gradients["x"].to_vec::<f32>()?, [12.0, 16.0, 20.0, 24.0]); // 4 x + 8
//! # Ok(())
//! # }
//! ```

use std::path::Path;
use std::sync::Arc;

pub use pullback_base::{Code, DType, Diagnostic, Shape};
pub use pullback_device::DeviceType;
pub use pullback_dispatch::{Args, Error, Function, Gradients, LoadOptions, Record, Tensor, Value};

/// A device to load modules and make tensors on. Clones share it.
#[derive(Clone)]
pub struct Device(pullback_dispatch::Context);

impl Device {
    /// Opens a device of that kind.
    ///
    /// # Errors
    /// `no-driver` or `no-device` when it is not there; [`DeviceType::Automatic`] always finds one.
    pub fn new(device_type: DeviceType) -> Result<Self, Error> {
        pullback_dispatch::Context::open(device_type).map(Self)
    }

    pub fn device_type(&self) -> DeviceType {
        self.0.device().device_type()
    }

    /// What the driver calls it.
    pub fn name(&self) -> String {
        self.0.device().name().to_owned()
    }

    /// Waits until all work submitted is done.
    ///
    /// # Errors
    /// `launch-failed` when the device was lost.
    pub fn synchronize(&self) -> Result<(), Error> {
        Ok(self.0.device().synchronize()?)
    }
}

impl std::ops::Deref for Device {
    type Target = pullback_dispatch::Context;
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

/// A compiled source file. Clones share it.
#[derive(Clone)]
pub struct Module(pullback_dispatch::Module);

impl Module {
    /// Reads and compiles a `.slang`, `.hlsl` or `.wgsl` file.
    ///
    /// # Errors
    /// `file-not-found`, or every diagnostic of the file at once.
    pub fn load_from_file(device: &Device, path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::load_with(device, path, &LoadOptions::default())
    }

    /// As [`Module::load_from_file`], with include paths and definitions.
    ///
    /// # Errors
    /// As [`Module::load_from_file`].
    pub fn load_with(device: &Device, path: impl AsRef<Path>, options: &LoadOptions) -> Result<Self, Error> {
        pullback_dispatch::Module::load_from_file(&device.0, path.as_ref(), options).map(Self)
    }

    /// As [`Module::load_from_source`], with include paths, definitions and linked modules.
    ///
    /// # Errors
    /// As [`Module::load_from_source`].
    pub fn load_source_with(
        device: &Device,
        name: &str,
        text: &str,
        options: &LoadOptions,
    ) -> Result<Self, Error> {
        pullback_dispatch::Module::load_from_source(&device.0, name, text, options).map(Self)
    }

    /// Compiles a text; `name` is shown in messages and its extension names the language.
    ///
    /// # Errors
    /// Every diagnostic of the text at once.
    pub fn load_from_source(device: &Device, name: &str, text: &str) -> Result<Self, Error> {
        Self::load_source_with(device, name, text, &LoadOptions::default())
    }

    /// A function, with all its overloads. `f<float>` is the instance of a generic function, compiled at the first request.
    ///
    /// # Errors
    /// `unknown-function`, with the nearest name; what keeps a generic function from having the instance.
    pub fn function(&self, name: &str) -> Result<Function, Error> {
        self.0.function(name)
    }

    /// How a struct lies in memory that functions take, by value or in arrays: `S`, `N.S` in a namespace, `Pair<float>`.
    /// Tensors are made of it: [`Tensor::from_structs`], [`Tensor::zeros_of`].
    ///
    /// # Errors
    /// `unknown-name`, with the names that there are.
    pub fn record(&self, name: &str) -> Result<Arc<Record>, Error> {
        self.0.record(name)
    }

    pub fn function_names(&self) -> impl Iterator<Item = &str> {
        self.0.function_names()
    }
}

/// To be linked: see [`LoadOptions::link`].
impl From<&Module> for pullback_dispatch::Module {
    fn from(module: &Module) -> Self {
        module.0.clone()
    }
}

/// Arguments by name: `args![a: 2.0, direction: [0.0, 1.0, 0.0], x: &tensor]`.
#[macro_export]
macro_rules! args {
    ($($name:ident : $value:expr),* $(,)?) => {
        ::std::vec![$((::core::stringify!($name), $crate::Value::from($value))),*] as $crate::Args<'_>
    };
}
