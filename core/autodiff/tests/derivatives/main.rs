//! Derivatives against independent evaluations: complex steps, differences, and each other.

mod custom;
mod derived;
mod effects;
mod explanations;
mod golden;
mod kinks;
mod memory;
mod near_kinks;
mod ops;
mod programs;
mod refusals;
mod regions;
mod run;
