//! Front ends: shader text to IR.

pub mod slang;
