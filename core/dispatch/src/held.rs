//! What a caller lets go of while a plan is built.

/// Something the caller holds that other threads wait for, like Python's interpreter.
pub trait Held {
    /// Runs `build`, which may take long, with it let go.
    fn released<T: Send>(&self, build: impl FnOnce() -> T + Send) -> T;
}

/// Nothing is held.
pub struct Nothing;

impl Held for Nothing {
    fn released<T: Send>(&self, build: impl FnOnce() -> T + Send) -> T {
        build()
    }
}
