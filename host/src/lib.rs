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
//! # What is checked before a plugin runs
//!
//! A plugin is native code in this process, so everything is decided before its code runs; [`RefusalCode`] names the
//! reasons, and [`Host::diagnose`] (`f9 plugins doctor`) tells of every candidate where it was found and which applies.
//!
//! | question | decided by |
//! |---|---|
//! | Where may it come from? | the directories of [`HostBuilder`], in their order; the first file of a name counts |
//! | Who can replace it? | its owner and permissions, those of the directories on the way, and of what links lead to ([`UnsafePermissions`](RefusalCode::UnsafePermissions)) |
//! | Will the system's loader survive it? | its headers and tables: complete, of this machine, and leading where they can be followed (below) |
//! | Is it a plugin, and the one that is asked for? | its [`Manifest`], from the file's bytes |
//! | Is it the very file that somebody approved? | a [`PluginLock`], by the SHA-256 of the open file that is then loaded |
//! | Do its types fit? | the layout of everything that crosses the boundary, after it is mapped and before it is called |
//!
//! For permissions the rule is that of OpenSSH for the files it trusts: the file and every directory on the way belong to
//! root or to the user, and nobody else may write to them. A group that only the user is a member of, by `/etc/group` and
//! `/etc/passwd`, is the user. A directory with the sticky bit, such as `/tmp`, will do on the way, and not as the one that
//! is searched. Whoever can replace the running program need not replace a plugin: the directories that the program lies
//! below are not looked at, its owner is trusted, and what its own permissions give away is not held against a plugin. So a
//! build tree works under any `umask`. Nothing is checked elsewhere than on Unix.
//!
//! # What is checked of a library's bytes
//!
//! Of an ELF library of 64 bits, little-endian, that is what glibc's loader follows. A library tells most of it twice, in
//! sections and in segments or `.dynamic`, and the two have to agree:
//!
//! - segments: in order, within the file and 4 GiB, readable; every loaded section lies in one, at the same place in the file
//!   and in memory, with the permissions it needs; the segments of thread-local data, frames and read-only data are those
//!   of the sections, and nothing that is written to becomes read-only; the table of segments is where it says, notes end
//!   where they should;
//! - `.dynamic`: it ends, has each tag once, and says of every table what its section says;
//! - names end within their table; symbols have a binding and kind that occur, lie in the library, are code if they are
//!   functions, and call for nothing while they are looked up; what is defined elsewhere is not hidden;
//! - versions have the hashes of their names and are of libraries that are needed; every symbol's version is one of them;
//! - tables of hashes are those of the names: buckets, chains, and filter;
//! - relocations are of kinds that occur, of symbols that there are, each for another place, into memory that can be written
//!   to; what is added leads into the library; what the loader calls (`INIT`, `INIT_ARRAY`, indirect functions) is code.
//!
//! Of single flipped bits in the headers, `.dynamic`, the tables of versions, hashes, symbols and names, none ended a process
//! that loaded the library nevertheless (tests/tests/hostile/loaded.rs). What is told once only cannot be checked so: that a
//! relocation leads to the right place within the library, or is of the right symbol. Of single flipped bits in relocations a
//! few in a hundred ended it. Relocations of other machines than x86-64 and AArch64 are checked as to place and symbol
//! alone, and other formats (32 bits, big-endian, Mach-O, PE) only as to whether their segments are complete.
//!
//! Headers do not tell either whether a library's code is what its author built: a flipped bit in it is found by a lock, and
//! by nothing else. Hashing costs time, and is done only where there is a lock.
//!
//! # What a plugin can still do
//!
//! There is no sandbox. A panic in any entry is an error of that call, and answers that break the rules of the boundary
//! (counts longer than a buffer, text that is not UTF-8, paths that lead out) are errors or mended. A plugin that means
//! harm, or is broken beyond that, does what any code of this process can:
//!
//! - end it: by `abort`, `exit`, a signal, a stack overflow, a wild pointer; also while it is being loaded, at the exit of
//!   the process, or in a thread of its own that aborts;
//! - keep it: by not returning. Cancelling and timeouts ask, they do not force; a library that loops while it is being loaded
//!   holds the loader's lock, and with it everything that starts a thread or ends in order;
//! - change it: the working directory, signal handlers, the environment, limits, descriptors, what is printed.
//!
//! Where that matters, the plugin belongs into a process of its own.
//!
//! # What is absent
//!
//! The host names no plugin. It needs no environment variable (the user's home, data and configuration directories are
//! looked up in some). It never unloads a library.

mod backend;
mod check;
mod connection;
mod connections;
mod discovery;
mod doctor;
mod elf;
mod everyday;
mod filter;
mod glob;
mod home;
mod host;
mod inspect;
mod json;
mod library;
mod load;
mod lock;
mod manifest;
mod mirror;
mod overlap;
mod permissions;
mod policy;
mod private;
mod quoted;
mod redaction;
mod refusal;
mod replace;
mod services;
mod stand_in;
mod steady;
mod streams;
#[cfg(feature = "author-tools")]
mod template;
mod threads;
#[cfg(all(feature = "author-tools", unix))]
pub mod verify;

pub use backend::Backend;
pub use check::{CheckEvent, CheckOptions, CheckReport, check};
pub use connection::{Connection, PluginName};
pub use connections::Connections;
pub use discovery::{PluginDir, PluginFile};
pub use doctor::Diagnosis;
pub use everyday::IntoPath;
pub use filter::Filter;
pub use glob::Glob;
pub use host::{Host, HostBuilder, Plugin};
pub use inspect::{Inspection, inspect, inspect_bytes};
pub use lock::{LockedPlugin, PluginLock};
pub use manifest::Manifest;
pub use mirror::{Existing, Links, MirrorEvent, MirrorOptions, MirrorReport, Tree, mirror};
pub use overlap::{lies_within, overlap};
pub use quoted::quoted;
pub use refusal::{Refusal, RefusalCode};
pub use services::{CancelToken, Progress};
pub use steady::SteadyReader;
#[cfg(feature = "author-tools")]
pub use template::NewPlugin;

pub use f9_plugin_api::{
    BackendPath, ByteRange, Bytes, Capabilities, ChecksumAlgorithm, Conflict, ConflictSide, Content,
    CopyOptions, CreateOptions, DeleteOptions, Entries, Error, ErrorKind, FileBackend, FileInfo, FileKind,
    FileWriter, ListOptions, Reader, Result, SearchBackend, SearchHit, SyncFileBackend, SyncReport,
    UpdateMode, nearest,
};
pub use {log, serde_json};
