//! Languages that another project reads for us: text to its IR, and that to ours.

pub mod wgsl;
