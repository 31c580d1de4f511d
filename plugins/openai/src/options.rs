//! The connection's keys.

use std::{num::NonZeroU32, path::PathBuf, time::Duration};

use f9_plugin_api::{Error, ErrorKind, Result, Secret, schemars::JsonSchema, serde::Deserialize};

/// The connection's keys.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(crate = "f9_plugin_api::serde")]
#[schemars(crate = "f9_plugin_api::schemars")]
pub(crate) struct OpenAiOptions {
    /// The API key.
    pub(crate) api_key: Secret,
    /// The vector store that holds the files: `vs_…`. It must have no expiry.
    pub(crate) vector_store_id: String,
    /// Where the API is, for self-hosted and compatible servers. Default: `https://api.openai.com/v1`.
    #[serde(default = "default_base_url")]
    pub(crate) base_url: String,
    /// The organization that requests are counted for.
    #[serde(default)]
    pub(crate) organization: Option<String>,
    /// The project that requests are counted for.
    #[serde(default)]
    pub(crate) project: Option<String>,
    /// For how many seconds a listing of the store is believed. Default 0: each operation looks afresh. Changes made
    /// through this connection are seen at once in any case.
    #[serde(default)]
    pub(crate) cache_ttl: f64,
    /// The purpose that files are uploaded with. Default: `assistants`.
    #[serde(default)]
    pub(crate) purpose: Purpose,
    /// How content is stored. Default: `auto`.
    #[serde(default)]
    pub(crate) encoding: Encoding,
    /// How many seconds one request may take, its retries included. Default: 600.
    #[serde(default = "default_timeout")]
    pub(crate) timeout: f64,
    /// How many seconds the service may take to index what was written. Default: 300.
    #[serde(default = "default_index_timeout")]
    pub(crate) index_timeout: f64,
    /// How often a failed request is repeated, where a repetition can help. Default: 2.
    #[serde(default = "default_max_retries")]
    pub(crate) max_retries: u32,
    /// How many new entries a minute the service takes for this store; all connections of the process to it keep to that
    /// together. Default: 300 at `api.openai.com`, elsewhere no limit.
    #[serde(default)]
    pub(crate) writes_per_minute: Option<NonZeroU32>,
    /// A PEM file with certificates of authorities to trust besides the public ones.
    #[serde(default)]
    #[schemars(extend("format" = "path"))]
    pub(crate) ca_bundle: Option<PathBuf>,
    /// The URL of an HTTP proxy, without credentials. Default: none; the environment has no say.
    #[serde(default)]
    pub(crate) proxy: Option<String>,
}

/// The purpose of uploaded files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(crate = "f9_plugin_api::serde", rename_all = "snake_case")]
#[schemars(crate = "f9_plugin_api::schemars")]
pub(crate) enum Purpose {
    /// Files for assistants and search.
    #[default]
    Assistants,
    /// Files of any use.
    UserData,
}

impl Purpose {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Assistants => "assistants",
            Self::UserData => "user_data",
        }
    }
}

/// How content is stored. Every choice reads back byte for byte.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(crate = "f9_plugin_api::serde", rename_all = "snake_case")]
#[schemars(crate = "f9_plugin_api::schemars")]
pub(crate) enum Encoding {
    /// Text is searchable if the service returns it exactly, which is tried; all else is armoured.
    #[default]
    Auto,
    /// Everything is armoured: nothing is searchable, and nothing has to be tried.
    Exact,
    /// As `auto`, and text that the service alters is stored a second time for the search to find.
    Searchable,
}

impl OpenAiOptions {
    /// A number of seconds from the connection.
    pub(crate) fn seconds(key: &str, seconds: f64) -> Result<Duration> {
        Duration::try_from_secs_f64(seconds).map_err(|_| {
            let message = format!("wrong value for the key `{key}`: expected seconds, 0 or more");
            Error::new(ErrorKind::InvalidConnection, message).with("key", key)
        })
    }
}

fn default_base_url() -> String {
    "https://api.openai.com/v1".to_owned()
}

const fn default_timeout() -> f64 {
    600.0
}

const fn default_index_timeout() -> f64 {
    300.0
}

const fn default_max_retries() -> u32 {
    2
}
