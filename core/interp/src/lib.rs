//! Scalar interpreter of the IR, generic over the number type: the oracle of every test.
//!
//! It runs any verified module: aggregates, calls, and kernels with memory. [`Exact`] rounds every float op in its own
//! type, as devices do; `f64` computes every float in double precision; [`Complex64`] evaluates analytic continuations,
//! so that `Im f(x + ih) / h` is the derivative free of cancellation, by other formulas than any derivative rule.
//!
//! ```
//! use pullback_interp::{Exact, Value, run};
//! let text = "func @half(%0: f32) -> (f32) {\n %1: f32 = const f32 0.5\n %2: f32 = mul %0, %1\n yield %2\n}";
//! let module = pullback_ir::verify(pullback_ir::parse::parse(text).unwrap()).unwrap();
//! let half = module.find("half").unwrap();
//! assert_eq!(run::<Exact>(&module, half, &[Value::f32(3.0)]).unwrap()[0].as_f64(), Some(1.5));
//! ```

mod aggregate;
mod complex;
mod group;
mod kernel;
mod memory;
mod number;
mod run;
mod value;

pub use kernel::{KernelArg, run_kernel};
pub use memory::{Memory, Pointer};
pub use num_complex::Complex64;
pub use number::{Exact, Number};
pub use run::{MAX_CALL_DEPTH, MAX_STEPS_PER_LANE, run, run_counted, run_with};
pub use value::Value;

/// Why a program could not be run to its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InterpError {
    #[error("`{function}` takes other arguments: {problem}")]
    Arguments { function: String, problem: String },
    #[error("more than {MAX_STEPS_PER_LANE} steps")]
    StepLimit,
    #[error("calls nest deeper than {MAX_CALL_DEPTH}")]
    CallDepth,
    #[error(
        "{effect} of {size_bytes} bytes at byte {offset_bytes} of buffer {buffer}, which has {buffer_bytes:?}"
    )]
    OutOfBounds {
        effect: &'static str,
        buffer: usize,
        offset_bytes: i64,
        size_bytes: usize,
        /// `None`: there is no such buffer.
        buffer_bytes: Option<usize>,
    },
    #[error("an effect of groups, or `lane_id`, outside a kernel's run")]
    NotInKernel,
    #[error("a barrier to which only {came} of a group's {lanes} lanes come")]
    DivergentBarrier { came: usize, lanes: usize },
    #[error("{lanes} lanes are no whole groups of {group_lanes}, which `{function}` waits for")]
    PartialGroup { function: String, lanes: u64, group_lanes: u64 },
}
