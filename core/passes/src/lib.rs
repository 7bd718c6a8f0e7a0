//! IR to IR passes, one per file. [`pipeline`] alone orders them; the rest of the project calls it.
//!
//! A pass keeps `verify` and every result, bit for bit (payloads of NaNs aside; [`mod@widen`] computes in f64 instead). All but [`mod@inline`] work on one
//! function without calls; all after [`scalarize`](scalarize()) on scalar form. Passes that run in rounds tell
//! whether they changed anything.

pub mod arrays;
pub mod branch_facts;
pub mod compact;
mod copy;
pub mod dce;
pub mod fold;
pub mod gvn;
pub mod inline;
pub mod legalize;
pub mod licm;
pub mod pipeline;
pub mod regions;
mod rewrite;
pub mod scalarize;
pub mod simplify;
pub mod strip_detach;
mod substitution;
pub mod unroll;
mod wide_layout;
mod widen;

#[cfg(test)]
mod testing;

pub use inline::{inline, inline_except, inline_into};
pub use pipeline::{expand_calls, flatten, has_custom, kernel, legalized, optimize, primal};
pub use scalarize::scalarize;
pub use widen::widen;
