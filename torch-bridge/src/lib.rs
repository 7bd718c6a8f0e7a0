//! Everything that knows torch: its tensors as array views, its streams, its grad mode.
//!
//! Torch is never linked or imported here: tensors are reached through the C functions of DLPack's exchange API,
//! which torch publishes on its tensor type, and through a handful of Python attributes.

mod abi;
mod dtype;
pub mod exchange;
pub mod state;

pub use exchange::{Exchange, TensorKind};
pub use state::Torch;
