//! One program, one meaning: golden texts, and every executor against the interpreter.

mod broadcasting;
mod differential;
mod errors;
mod fuzz;
mod gathers;
#[cfg(feature = "shaderc")]
mod glsl_readers;
mod golden;
mod gradients;
mod language;
mod loops;
mod lost_tangents;
mod runs;
mod sums;
mod targets;
