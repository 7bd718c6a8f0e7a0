//! The call layer: arguments to launches. Knows argument *kinds*, never Python or torch.
//!
//! A call's life: arguments -> `signature` -> \[`bind` -> `vectorize` -> `plan` -> `kernel` (the call kernel,
//! built in IR) -> compile\]* -> `launch` -> results. The bracketed part runs once per signature.

pub mod args;
mod bind;
mod cache;
pub mod call;
pub mod context;
mod derive;
mod edit_distance;
pub mod error;
mod exact_sums;
mod explain;
pub mod function;
mod globals;
mod groups;
mod held;
mod kernel;
mod launch;
mod layout;
mod memory;
mod misfit;
pub mod mode;
pub mod module;
mod overload;
mod packed;
mod plan;
mod ports;
pub mod prepare;
mod record;
mod reduce;
mod seeds;
mod signature;
mod slot;
mod source;
mod strided;
pub mod tensor;
mod variant;
mod vectorize;
mod whole;
mod words;

pub use args::{Arg, ArgValue, ArrayView, Location, Number, Numbers};
pub use call::{Args, Gradients, Value};
pub use context::Context;
pub use derive::Derivation;
pub use error::Error;
pub use explain::{Accumulation, GradientExplanation, LoopReport};
pub use function::Function;
pub use held::Held;
pub use mode::Mode;
pub use module::{LoadOptions, Module};
pub use prepare::{OutputSpec, Prepared};
pub use pullback_autodiff::Convention;
pub use record::{FieldType, Record, RecordField, RecordLeaf};
pub use seeds::Seeds;
pub use slot::Slot;
pub use tensor::Tensor;
pub use whole::Form;
