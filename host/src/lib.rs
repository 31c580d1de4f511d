//! Open files in any storage by naming a backend in a connection: a plugin is found, checked and loaded at run time.
//!
//! ```no_run
//! use f9_host::{ErrorKind, Host, serde_json::json};
//!
//! let host = Host::new();
//! let notes = host.open(json!({"backend": "local", "root": "data"}))?;
//! notes.create("example.txt", "hello world")?;
//! notes.append("example.txt", "\nnew line")?;
//! assert_eq!(notes.read_to_string("example.txt")?, "hello world\nnew line");
//! match notes.create("example.txt", "again") {
//!     Err(error) if error.kind() == ErrorKind::AlreadyExists => println!("{error}"),
//!     other => drop(other?),
//! }
//! # Ok::<(), f9_host::Error>(())
//! ```
//!
//! [`Connections`] are dictionaries by name in a file, [`Glob`] finds files by a pattern, and [`mirror`] makes a directory
//! the same as another, of any two backends.
//!
//! For authors of plugins, the feature `author-tools` has `verify`, which runs the contract's suite on a plugin's file, and
//! `NewPlugin`, which begins one.
//!
//! # The way of a call
//!
//! ```text
//! JSON ─ Connection ─ PluginName ─ candidate file ─ Manifest ─ Plugin ─ Backend ─ ABI ─ the author's method
//!        connection.rs             discovery.rs     library.rs host.rs  backend.rs      (in the plugin)
//! ```
//!
//! Each hop hands on a stronger type. Up to the manifest no code of the plugin runs: [`Host::plugins`] and the errors
//! for files that are damaged, foreign or too old are made from their bytes. What is checked is what is loaded: the file
//! is opened once.
//!
//! # What is absent
//!
//! The host names no plugin. It needs no environment variable (the user's data and configuration directories are looked up
//! in some). It never unloads a library. A plugin is native code in this process: there is no sandbox, and the defence is
//! to choose the directories that plugins come from. Panics of a plugin become errors; its aborts, exits and endless loops
//! are the process's.

mod backend;
mod connection;
mod connections;
mod discovery;
mod doctor;
mod everyday;
mod glob;
mod host;
mod inspect;
mod library;
mod load;
mod lock;
mod manifest;
mod mirror;
mod permissions;
mod policy;
mod redaction;
mod refusal;
mod replace;
mod services;
mod stand_in;
mod streams;
#[cfg(feature = "author-tools")]
mod template;
#[cfg(all(feature = "author-tools", unix))]
pub mod verify;

pub use backend::Backend;
pub use connection::{Connection, PluginName};
pub use connections::Connections;
pub use discovery::{PluginDir, PluginFile};
pub use doctor::Diagnosis;
pub use everyday::IntoPath;
pub use glob::Glob;
pub use host::{Host, HostBuilder, Plugin};
pub use inspect::{Inspection, inspect, inspect_bytes};
pub use lock::{LockedPlugin, PluginLock};
pub use manifest::Manifest;
pub use mirror::{Existing, MirrorEvent, MirrorOptions, MirrorReport, Tree, mirror};
pub use refusal::{Refusal, RefusalCode};
pub use services::{CancelToken, Progress};
#[cfg(feature = "author-tools")]
pub use template::NewPlugin;

pub use f9_plugin_api::{
    BackendPath, ByteRange, Bytes, Capabilities, ChecksumAlgorithm, Conflict, ConflictSide, Content,
    CopyOptions, CreateOptions, DeleteOptions, Entries, Error, ErrorKind, FileBackend, FileInfo, FileKind,
    FileWriter, ListOptions, Reader, Result, SearchBackend, SearchHit, SyncFileBackend, SyncReport,
    UpdateMode, nearest,
};
pub use {log, serde_json};
