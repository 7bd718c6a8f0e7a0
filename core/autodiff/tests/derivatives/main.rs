//! Derivatives against independent evaluations: complex steps, differences, and each other.

mod derived;
mod effects;
mod explanations;
mod golden;
mod kinks;
mod ops;
mod programs;
mod refusals;
mod regions;
mod run;
