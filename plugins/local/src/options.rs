//! The keys of a connection.

use f9_plugin_api::{schemars, serde};

/// Files in a directory of this machine.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(crate = "f9_plugin_api::serde")]
#[schemars(crate = "f9_plugin_api::schemars")]
pub(crate) struct LocalOptions {
    /// The directory that all paths are relative to.
    #[schemars(extend("format" = "path"))]
    pub(crate) root: String,
    /// Whether the root is made if it is missing.
    #[serde(default = "yes")]
    pub(crate) create_root: bool,
    /// What a success promises.
    #[serde(default)]
    pub(crate) durability: Durability,
}

/// What a success promises.
#[derive(Debug, Default, Clone, Copy, serde::Deserialize, schemars::JsonSchema)]
#[serde(crate = "f9_plugin_api::serde", rename_all = "lowercase")]
#[schemars(crate = "f9_plugin_api::schemars")]
pub(crate) enum Durability {
    /// Every process sees the change; a power failure within the next seconds can take it back.
    #[default]
    None,
    /// The file and its name have reached the disk.
    Fsync,
}

fn yes() -> bool {
    true
}
