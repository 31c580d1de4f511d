//! The `openai` plugin: files in an OpenAI vector store.
//!
//! ```json
//! {"backend": "openai", "api_key": {"$env": "OPENAI_API_KEY"}, "vector_store_id": "vs_…"}
//! ```
//!
//! The service does not hand back the files of a vector store, only the text that it parsed them to, normalised and
//! perhaps cut. So what is stored is self-describing: every read is compared with the length and the SHA-256 of what was
//! written, and what the service does not return exactly is an `integrity` error, never altered bytes.
//!
//! # What a path means
//!
//! A path is in the attributes of the store's files, byte for byte; the service knows no directories. A directory has an
//! entry of its own, or exists because something is in it. Files of the store that were not written by f9 are not shown and
//! not touched.
//!
//! # Options
//!
//! | key | type | default | meaning |
//! |---|---|---|---|
//! | `api_key` | string, secret | required | The API key. |
//! | `vector_store_id` | string | required | The vector store that holds the files. It must have no expiry. |
//! | `base_url` | string | `https://api.openai.com/v1` | Where the API is, for self-hosted and compatible servers. |
//! | `organization`, `project` | string | none | Whom requests are counted for. |
//! | `cache_ttl` | seconds | 0 | For how long a listing of the store is believed. At 0 each operation looks afresh, which takes a request for every 100 files of the store. Changes made through this connection are seen at once in any case. |
//! | `purpose` | `"assistants"` or `"user_data"` | `"assistants"` | The purpose that files are uploaded with. |
//! | `encoding` | `"auto"`, `"exact"` or `"searchable"` | `"auto"` | See below. |
//! | `timeout` | seconds | 600 | How long one request may take, its retries included. |
//! | `index_timeout` | seconds | 300 | How long the service may take to index what was written. |
//! | `max_retries` | number | 2 | How often a failed request is repeated, where a repetition can help. |
//! | `writes_per_minute` | number | 300 at `api.openai.com`, elsewhere none | How many new entries a minute the service takes for this store. |
//! | `ca_bundle` | string | none | A PEM file with certificates of authorities to trust besides the public ones. |
//! | `proxy` | string | none | The URL of an HTTP proxy, without credentials. |
//!
//! # How content is stored
//!
//! - **Inline**, up to about 2 KiB (less with a long path), directories and empty files: in the attributes. Reading takes
//!   the listing and no other request. Of text, the search sees a copy.
//! - **Raw**, text: as it is, without byte order mark, outer blanks and carriage returns, which are kept in the attributes.
//!   Written, it is read back; text that does not come back exactly is armoured instead.
//! - **Armoured**, all else: as lines of base64 with a number and a checksum each, which survive normalising and overlapping
//!   chunks.
//!
//! `encoding` chooses: `exact` leaves out raw text (nothing is searchable, writing is faster); `searchable` stores text
//! that had to be armoured a second time, for the search alone. Content of more than 1 MiB is stored in parts of that size;
//! four are on their way at a time, and no more of it is in memory.
//!
//! # What is safe against what
//!
//! - A new version is uploaded, indexed and read back before one request commits it, and the old one goes after that. A
//!   failure or a kill at any moment leaves the old version or the new. What it leaves behind belongs to no file; the commands
//!   `orphans` and `sweep` list and remove it: `{"min_age": SECONDS}`, 3,600 by default, spares what others may be uploading.
//! - Within one open backend creators, writers and appends on the same path take turns. Between processes the service has
//!   nothing to compare and swap with: of versions that were written at the same time the newest wins for everybody, so of two
//!   creators both can succeed, and of two appends one can be lost. A version that another process took away before it was
//!   indexed is a `busy` error.
//! - Listings of the service lag behind. What was written or removed through this connection is remembered until they
//!   show it; changes of other processes are seen when the service lists them.
//!
//! # Limits
//!
//! A path has at most 2,816 characters. The service takes 300 new entries a minute and store (a small file is one, a large
//! one is one for each part) and 1,000 uploads a minute and user: all connections of a process keep to that together, and
//! writers wait for their turn. In total a store takes 10,000 entries or 100,000,000, depending on when it was made; of
//! one with more than 1,000,000 the listing is an error, as is one of a server that has no end.
//!
//! # Commands
//!
//! | command | arguments | answer |
//! |---|---|---|
//! | `orphans` | `{"min_age": SECONDS, "directory": NAME}`, both optional | `{"orphans": […]}`: what interrupted runs left behind; with `directory`, only what was to be in this directory of the root |
//! | `sweep` | the same | `{"removed": […], "failed": […]}` |
//! | `probe` | `{"directory": NAME}` | `{"observations": […]}`: how the service behaves where its documentation is silent, found out with a few files that are deleted again (some two minutes); what an interruption leaves is an orphan of this directory |
//!
//! Capabilities: checksum (SHA-256, as it was stored), open_write, search, command. Search filters are the service's own
//! (`{"type": "eq", "key": "path", "value": "…"}`, `and`, `or`); the attributes are described in `record.rs`.

#![forbid(unsafe_op_in_unsafe_fn)]

mod api;
mod backend;
mod catalog;
mod codec;
mod failure;
mod index;
mod info;
mod locks;
mod options;
mod pace;
mod place;
mod present;
mod probe;
mod read;
mod record;
mod remove;
mod search;
mod store;
mod sweep;
mod types;
mod write;

#[cfg(test)]
mod tests;

use std::hash::{BuildHasher, RandomState};

use f9_plugin_api::{Capabilities, Context, Plugin, Result, export_plugin};

use crate::{backend::OpenAi, options::OpenAiOptions};

struct OpenAiPlugin;

impl Plugin for OpenAiPlugin {
    const NAME: &'static str = "openai";
    const CAPABILITIES: Capabilities = OpenAi::CAPABILITIES;
    type Options = OpenAiOptions;
    type Backend = OpenAi;

    fn open(options: OpenAiOptions, context: Context) -> Result<OpenAi> {
        OpenAi::open(&options, context)
    }
}

export_plugin!(OpenAiPlugin);

/// A number that nobody else is likely to have drawn: std seeds its hashers at random.
fn random() -> u64 {
    RandomState::new().hash_one(0)
}
