//! Languages that another project reads for us: its IR to ours.

pub mod naga;
