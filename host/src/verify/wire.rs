//! What the verifying process and the one with the plugin say to each other: JSON, one object a line.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Outcome;
use crate::Manifest;

/// The first line of the process with the plugin.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Loaded {
    /// What the plugin says of itself.
    Plugin(Manifest),
    /// Why it is not loaded.
    Refused(String),
}

/// What is to be checked next.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Request {
    /// The check's name.
    pub(super) check: String,
    /// To be opened for it.
    pub(super) connection: Value,
    /// The file that it was read from, if others can read it too.
    pub(super) exposed_in: Option<PathBuf>,
    /// Whether to run a case of the suite whatever the backend declares.
    pub(super) regardless: bool,
}

/// What came of it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Answer {
    pub(super) outcome: Outcome,
    pub(super) seen: Option<String>,
    /// Whether that is because of the connection, and no fault of the plugin.
    pub(super) wrong_connection: bool,
    /// What the plugin did to the process meanwhile: the names of the checks about that, and what was seen.
    pub(super) misdeeds: Vec<(String, String)>,
}
