//! The CPU device's instruction set: what code generation writes and the device executes.
