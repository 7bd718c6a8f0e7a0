//! One program, one meaning: golden texts, and every executor against the interpreter.

mod golden;
mod gradients;
mod runs;
mod targets;
