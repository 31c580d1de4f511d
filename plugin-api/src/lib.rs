//! Write a storage plugin for f9: implement one trait, export it, ship the library.
//!
//! A plugin is a `cdylib` that a host finds by name and loads at run time. This crate is all that it depends on, and no
//! type of the binary boundary is in sight. This is a whole one:
//!
#![doc = "```no_run"]
#![doc = include_str!("../examples/memory.rs")]
#![doc = "```"]
//!
//! with this `Cargo.toml`:
//!
//! ```toml
//! [package]
//! name = "f9-plugin-memory"
//! description = "Files in memory, gone when the backend is closed" # shown by `f9 plugins`
//! version = "0.1.0"
//! edition = "2024"
//!
//! [lib]
//! name = "f9_backend_memory" # `f9_backend_` and the plugin's NAME
//! crate-type = ["cdylib"]
//!
//! [dependencies]
//! f9-plugin-api = "0.1"
//!
//! [dev-dependencies]
//! f9-plugin-api = { version = "0.1", features = ["conformance"] }
//! ```
//!
//! `cargo build` makes `libf9_backend_memory.so` (the platform's prefix and suffix), which is what a connection
//! `{"backend": "memory"}` looks for. Put it into a directory that the host searches, and `f9 plugins` shows it. Nothing can
//! link a `cdylib`, so tests stand inside it, as the one above does.
//!
//! `f9 plugins new NAME` writes such a crate, and the [guide] leads from there to a library that others install.
//!
//! # Options
//!
//! The keys of a connection are the fields of a struct, with their documentation for the user and their defaults. The two
//! `crate` lines stand at every type, enums included; they spare you dependencies of your own.
//!
//! ```
//! use f9_plugin_api::{ErrorKind, Secret, parse_options, schemars, serde, serde_json::{Value, json}};
//!
//! #[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
//! #[serde(crate = "f9_plugin_api::serde")]
//! #[schemars(crate = "f9_plugin_api::schemars")]
//! struct Options {
//!     /// Where the service is.
//!     url: String,
//!     /// The service's key, if it wants one.
//!     key: Option<Secret>,
//!     /// How much of a file is sent at once.
//!     #[serde(default)]
//!     pieces: Pieces,
//! }
//!
//! #[derive(Debug, Default, PartialEq, serde::Deserialize, schemars::JsonSchema)]
//! #[serde(crate = "f9_plugin_api::serde", rename_all = "lowercase")]
//! #[schemars(crate = "f9_plugin_api::schemars")]
//! enum Pieces {
//!     #[default]
//!     Whole,
//!     Small,
//! }
//!
//! // In your tests, as a host has it done:
//! let options = |json: Value| parse_options::<Options>(json.as_object().unwrap().clone());
//! assert_eq!(options(json!({"url": "https://example.com"}))?.pieces, Pieces::Whole);
//! let error = options(json!({"url": "https://example.com", "pieces": "tiny"})).unwrap_err();
//! assert_eq!(error.kind(), ErrorKind::InvalidConnection);
//! assert_eq!(error.message(), r#"wrong value for the key `pieces`: expected one of "whole", "small", found "tiny""#);
//! # Ok::<(), f9_plugin_api::Error>(())
//! ```
//!
//! An option that is a path of the user's machine is marked `#[schemars(extend("format" = "path"))]`, also where it may be
//! something else, such as a URL. Hosts put the user's home in the place of a `~` at its start, and refuse variables there; a
//! plugin gets what a system call takes.
//!
//! # Capabilities
//!
//! They are told twice: [`Plugin::CAPABILITIES`] stands in the manifest, where hosts read it without running anything;
//! [`FileBackend::capabilities`] is what this very backend can do, and defaults to nothing. Where every backend of the
//! plugin can do the same, answer `MyPlugin::CAPABILITIES`.
//!
//! # What the SDK does for you
//!
//! - **Options** come parsed into your struct; unknown, missing and wrong keys are refused with an error that names them
//!   and says what to write instead ([`parse_options`]). Their JSON Schema is published from the same struct. A
//!   [`Secret`] is hidden everywhere.
//! - **Paths** come parsed ([`BackendPath`]): there is no `..` to look for.
//! - **Errors** need not name the path: one that names none gets the path that the operation was called with.
//! - **Secrets** of the connection appear in no error, log record or progress that leaves your library, whoever said them and
//!   however they are encoded ([`secrets`]).
//! - **Panics** in any of your methods, your streams or your `Drop` become an error of the call, not the end of the host.
//! - **Logging** with the `log` crate arrives in the host's logger; [`Context`] has progress and cancellation.
//! - **Versions**: a plugin works with every host of the same major version of the boundary, older or newer, whatever
//!   compiler either was built with.
//!
//! What you promise in return is written on [`FileBackend`]. The module `conformance`, which comes with the feature of the
//! same name, checks it sentence by sentence; the test at the end of the plugin above is all it takes. Its `StrictMemory`
//! stands in for a backend in tests of code that uses one.
//!
//! # What a plugin must not do
//!
//! It lives in somebody else's process: it does not write to stdout or stderr, read the environment, change the working
//! directory, install signal handlers or exit. Everything it needs is in its connection. Libraries are never unloaded, so
//! threads may outlive a backend, but they should end with it.
//!
//! # Modules
//!
//! The contract is [`FileBackend`] with its optional parts [`SyncFileBackend`] and [`SearchBackend`]; [`Plugin`] and
//! [`export_plugin!`] make a library of it. This crate does no I/O.

mod backend;
pub mod boundary;
mod capabilities;
mod config;
#[cfg(feature = "conformance")]
pub mod conformance;
mod content;
mod context;
mod entry;
mod error;
pub mod guide;
mod info;
mod manifest;
mod options;
mod path;
mod plugin;
mod secret;
pub mod secrets;
mod shim;
mod sync;
mod wire;

pub use backend::{ChecksumAlgorithm, Entries, FileBackend, FileWriter, Reader};
pub use capabilities::Capabilities;
pub use config::{check_options, nearest, options_schema, parse_options};
pub use content::Content;
pub use context::Context;
pub use error::{Error, ErrorKind, Result};
pub use info::{FileInfo, FileKind};
pub use options::{ByteRange, CopyOptions, CreateOptions, DeleteOptions, ListOptions, UpdateMode};
pub use path::BackendPath;
pub use plugin::Plugin;
pub use secret::Secret;
pub use sync::{Conflict, ConflictSide, SearchBackend, SearchHit, SyncFileBackend, SyncReport};

pub use {bytes, bytes::Bytes, log, schemars, serde, serde_json};

/// The source of the plugin on the front page: what `f9 plugins new` begins with.
#[doc(hidden)]
pub const EXAMPLE: &str = include_str!("../examples/memory.rs");

#[doc(hidden)]
pub mod __private {
    //! For the expansion of [`export_plugin!`](crate::export_plugin).
    pub use crate::entry::{Exported, LibHeader, ManifestParts, lib_header};
}
