//! What the cross-crate tests share.

pub mod cuda_host;
pub mod launch;
pub mod op_cases;
pub mod spirv_val;
pub mod tolerance;
