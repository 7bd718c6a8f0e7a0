//! The null device.
