//! The vocabulary every layer shares: ids, spans, diagnostics, dtypes, shapes, artifacts. No I/O.

pub mod artifact;
pub mod bytecode;
pub mod codes;
pub mod diagnostic;
pub mod dtype;
pub mod ids;
pub mod render;
pub mod shape;
pub mod span;

pub use artifact::{Artifact, ArtifactFormat, GROUP_LANES, Groups, ParamKind};
pub use codes::{Code, ErrorClass};
pub use diagnostic::{Diagnostic, Diagnostics, Label, Severity};
pub use dtype::{DType, Scalar};
pub use ids::IdVec;
pub use shape::{Shape, broadcast_shapes};
pub use span::{FileId, SourceFile, SourceMap, Span};

/// Stops on a broken invariant of our own (never on bad input): names the stage and what was seen.
///
/// The Python rim catches the panic once and turns it into `InternalError`.
#[macro_export]
macro_rules! bug {
    ($stage:literal, $($arg:tt)*) => {
        panic!("internal error in {}: {}", $stage, format_args!($($arg)*))
    };
}
