//! The tests of the plugin in the crate docs.

#[path = "../examples/memory.rs"]
mod memory;
