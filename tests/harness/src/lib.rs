//! What the cross-crate tests share.

pub mod bless;
pub mod bounded;
pub mod calls;
pub mod corpus;
pub mod cuda_host;
pub mod derivatives;
pub mod directive;
pub mod emit;
pub mod entries;
pub mod everywhere;
pub mod failures;
pub mod fuzz;
pub mod jobs;
pub mod kernels;
pub mod lanes;
pub mod launch;
pub mod op_cases;
pub mod random;
pub mod spirv_val;
pub mod tolerance;
pub mod wide;
