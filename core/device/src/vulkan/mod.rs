//! The vulkan device.
