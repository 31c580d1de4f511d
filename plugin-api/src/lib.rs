//! Write a storage plugin for f9: implement one trait, export it, ship the library.
//!
//! A plugin is a `cdylib` that a host finds by name and loads at run time. This crate is all that it depends on, and no
//! type of the binary boundary is in sight. This is a whole one:
//!
#![doc = "```no_run"]
#![doc = include_str!("../examples/memory.rs")]
#![doc = "```"]
//!
//! Its `Cargo.toml` says `crate-type = ["cdylib"]` and names the library `f9_backend_memory`: the file
//! `libf9_backend_memory.so` is what a connection `{"backend": "memory"}` looks for. Put it into a directory that the host
//! searches, and `f9 plugins` shows it.
//!
//! # What the SDK does for you
//!
//! - **Options** come parsed into your struct; unknown, missing and wrong keys are refused with an error that names them
//!   and says what to write instead ([`parse_options`]). Their JSON Schema is published from the same struct. A
//!   [`Secret`] is hidden everywhere.
//! - **Paths** come parsed ([`BackendPath`]): there is no `..` to look for.
//! - **Panics** in any of your methods, your streams or your `Drop` become an error of the call, not the end of the host.
//! - **Logging** with the `log` crate arrives in the host's logger; [`Context`] has progress and cancellation.
//! - **Versions**: a plugin works with every host of the same major version of the boundary, older or newer, whatever
//!   compiler either was built with.
//!
//! What you promise in return is written on [`FileBackend`], and the module `conformance` checks it sentence by sentence; the
//! test at the end of the plugin above is all it takes. The module comes with the feature of the same name, which belongs
//! in your `[dev-dependencies]`:
//!
//! ```toml
//! f9-plugin-api = { version = "0.1", features = ["conformance"] }
//! ```
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
mod info;
mod manifest;
mod options;
mod path;
mod plugin;
mod secret;
mod shim;
mod sync;
mod wire;

pub use backend::{ChecksumAlgorithm, Entries, FileBackend, FileWriter, Reader};
pub use capabilities::Capabilities;
pub use config::{nearest, options_schema, parse_options};
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

#[doc(hidden)]
pub mod __private {
    //! For the expansion of [`export_plugin!`](crate::export_plugin).
    pub use crate::entry::{Exported, LibHeader, ManifestParts, lib_header};
}
