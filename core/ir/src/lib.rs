//! The IR: typed, structured SSA, and nothing else.
//!
//! # What a program is
//!
//! A [`Module`] is a list of [`Function`]s. A function has parameters, and a [`Block`] that yields its
//! results. A block is a list of statements over immutable [`Value`]s; each value is defined once, and is
//! visible in the rest of its block and in the blocks nested there. There is no control-flow graph: the
//! regions of [`StmtKind::If`], [`StmtKind::Switch`] and [`StmtKind::Loop`] are blocks with results of their
//! own. `break`, `continue` and early `return` are gone: front ends turn them into flags. There are no
//! variables either: an assignment makes a new value, and what a region assigns is one of its results. So
//! *the value at that time* is a name look-up, which is what reverse-mode differentiation needs.
//!
//! # Effects
//!
//! Operations ([`Op`]) are pure and total: every op gives a defined result for every input (integer
//! division by zero and out-of-range indices included; the rules are in [`ops`]), so passes may move,
//! merge, drop and speculate them. Memory is touched by [`StmtKind::Effect`] alone, and effects keep their order;
//! [`effects`] says what passes may do with them, [`layout`] how values lie in memory.
//!
//! # Aggregates
//!
//! Vectors, matrices, arrays and structs are values. `inout` is a parameter and an extra result. Front ends
//! produce aggregates; the `scalarize` pass rewrites a function into *scalar form*: scalars, pointers, and
//! arrays of scalars that are indexed dynamically. Differentiation and code generation take scalar form.
//!
//! # Kernels
//!
//! A function of kind [`FunctionKind::Kernel`] has no results; its parameters are scalars and pointers, the
//! same for every lane; [`Op::LaneId`] tells lanes apart. It runs once per lane id in `0..lanes`. Lanes of a group (there are
//! [`Function::group_lanes`]) may share memory ([`Function::shared`]), wait for one another and compute together.

pub mod build;
pub mod constant;
pub mod derivative;
pub mod effects;
pub mod entry;
pub mod eval;
pub mod function;
pub mod layout;
pub mod ops;
pub mod parse;
pub mod print;
pub mod roots;
pub mod types;
pub mod verify;
pub mod visit;

pub use build::FunctionBuilder;
pub use constant::Constant;
pub use derivative::{DerivativeMode, DerivativeParam, Derivatives, Derived, Differentiable, Tangent};
pub use effects::{AtomicOp, Effect, SharedId, WaveOp};
pub use entry::{EntryPoint, Global};
pub use eval::{eval, position};
pub use function::{
    Block, Direction, FuncId, Function, FunctionKind, Interface, InterfaceParam, LoopHints, Module, Stmt,
    StmtKind, Value, ValueDecl,
};
pub use ops::Op;
pub use pullback_base::Scalar;
pub use roots::Roots;
pub use types::{Field, MatrixOrder, StructType, Type};
pub use verify::{Verified, VerifyError, verify};
