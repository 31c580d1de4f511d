//! What the service answers, as leniently as compatible servers need.

use f9_plugin_api::serde::Deserialize;
use serde_json::{Map, Value};

/// A page of a listing. Its `first_id` and `last_id` are not used: they are null on empty pages and absent elsewhere.
#[derive(Debug, Deserialize)]
#[serde(crate = "f9_plugin_api::serde", bound = "T: Deserialize<'de>")]
pub(crate) struct Page<T> {
    pub(crate) data: Vec<T>,
    #[serde(default)]
    pub(crate) has_more: bool,
}

/// A File object.
#[derive(Debug, Deserialize)]
#[serde(crate = "f9_plugin_api::serde")]
pub(crate) struct File {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) filename: String,
    #[serde(default)]
    pub(crate) created_at: f64,
}

/// A file of a vector store. Its id is the File's.
#[derive(Debug, Deserialize)]
#[serde(crate = "f9_plugin_api::serde")]
pub(crate) struct StoreFile {
    pub(crate) id: String,
    pub(crate) status: Status,
    #[serde(default)]
    pub(crate) created_at: f64,
    #[serde(default)]
    pub(crate) attributes: Option<Map<String, Value>>,
    #[serde(default)]
    pub(crate) last_error: Option<LastError>,
}

/// How far the service is with indexing a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(crate = "f9_plugin_api::serde", rename_all = "snake_case")]
pub(crate) enum Status {
    InProgress,
    Completed,
    Failed,
    Cancelled,
    #[serde(other)]
    Unknown,
}

/// Why indexing failed.
#[derive(Debug, Deserialize)]
#[serde(crate = "f9_plugin_api::serde")]
pub(crate) struct LastError {
    #[serde(default)]
    pub(crate) code: String,
    #[serde(default)]
    pub(crate) message: String,
}

/// The parsed text of a file, in either of the shapes that servers answer.
#[derive(Debug, Deserialize)]
#[serde(crate = "f9_plugin_api::serde")]
pub(crate) struct ParsedContent {
    #[serde(alias = "content")]
    pub(crate) data: Vec<TextPart>,
    #[serde(default)]
    pub(crate) has_more: bool,
    #[serde(default)]
    pub(crate) next_page: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(crate = "f9_plugin_api::serde")]
pub(crate) struct TextPart {
    #[serde(default)]
    pub(crate) text: String,
}

/// What a search found.
#[derive(Debug, Deserialize)]
#[serde(crate = "f9_plugin_api::serde")]
pub(crate) struct Hit {
    pub(crate) file_id: String,
    pub(crate) score: f64,
    #[serde(default)]
    pub(crate) content: Vec<TextPart>,
}

/// An error as the service words it.
#[derive(Debug, Deserialize)]
#[serde(crate = "f9_plugin_api::serde")]
pub(crate) struct ErrorResponse {
    pub(crate) error: ErrorBody,
}

#[derive(Debug, Deserialize)]
#[serde(crate = "f9_plugin_api::serde")]
pub(crate) struct ErrorBody {
    #[serde(default)]
    pub(crate) message: String,
    #[serde(default)]
    pub(crate) code: Option<String>,
}
