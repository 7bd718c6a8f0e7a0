//! Verified IR to bytes: vector bytecode, SPIR-V, CUDA C++. Pure functions; one folder per target.

pub mod arrays;
pub mod cpu;
pub mod cuda;
pub mod error;
pub mod kernel;
pub mod spirv;
pub mod uniform;

pub use error::EmitError;
