//! One program, one meaning: golden texts, and every executor against the interpreter.

mod differential;
mod golden;
mod gradients;
mod runs;
mod targets;
