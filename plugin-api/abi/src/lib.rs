//! The binary boundary between an f9 host and its storage plugins.
//!
//! Plugin authors do not need this crate: they implement `FileBackend` of `f9-plugin-api`, which translates
//! to the types here on the plugin's side, as `f9-host` does on the other. It holds types, and two pieces of behaviour that
//! belong to the boundary itself: [`guard`](guard()), which keeps a panic from crossing, and [`check_compatible`], which
//! decides whether a library fits. `abi_stable` is used through this crate only.
//!
//! # What is frozen
//!
//! The version of this crate *is* the version of the ABI, and every type carries it. A host and a plugin with the
//! same major version work together, whichever minor either was built with:
//!
//! | part | within a major version |
//! |---|---|
//! | fields of a struct ([`AbiError`], [`AbiFileInfo`], …) | never change; what is new travels in `attributes` or `extra` |
//! | methods of a trait ([`AbiBackend`], …), fields of [`PluginModule`] | new ones are added *after* the last, with a default |
//! | codes ([`AbiErrorKind`], [`AbiFileKind`], flags, capabilities) | new values may appear; the other side must expect any |
//!
//! An unknown error or file kind is read as "other". An unknown *flag* asks for something the plugin does not know, so
//! the plugin refuses the call as unsupported instead of doing half of it.
//!
//! # How it grows
//!
//! 1. Add the method after the one marked `last_prefix_field`, which stays where it is, with a default body of more than
//!    one statement that answers through the older methods or with "unsupported"; a field of the root module likewise,
//!    which reads as `None` from older plugins.
//!    A flag for a call that is there is a constant, and the host sends it to no plugin whose manifest names an ABI from
//!    before it: what is asked of such a plugin has to be had without it.
//! 2. Raise the *minor* version of this crate: the host compares it to know which of the two sides is the older.
//! 3. Update `tests/layout.rs`, which pins sizes, field counts and method names to the version.
//!
//! What a caller needs to know of a new method is said in the documentation of `FileBackend` in `f9-plugin-api`, which is
//! versioned by itself: a method of the SDK that hosts can do without needs no change here (`command` carries JSON).
//!
//! | version | brought |
//! |---|---|
//! | 1.0 | all that is not named below |
//! | 1.1 | [`flags::NAMES_ONLY`] for `list` |
//!
//! # How it shrinks
//!
//! A method or field is deprecated by saying so in its documentation, with what replaces it. Hosts of the same major version
//! go on calling it for plugins that have nothing else, plugins go on answering it, and the SDK does both for its authors.
//! It is removed with the next major version, never before. A major version is for what cannot be had by growing: a host of
//! the new one that is to load plugins of the old one keeps this crate of the old version beside the new one, with an adapter.
//!
//! # What judges
//!
//! - `tests/layout.rs` holds every type that crosses, and every method with its types, to what was released
//!   (`tests/abi-1.1.txt`).
//! - A golden library of each released minor version is kept as it was built (`tests/golden` of the repository). Every
//!   later host has to load it and run it through the suite. Where a change and a golden library disagree, the library is
//!   right: plugins like it are in use.
//! - Builds of the next minor version, of another major version, with a changed type, and with another layout of Rust's own
//!   types are made from edited copies of the sources, and meet this one.
//! - `abi_stable` is required in one exact version: two builds must check layouts by the same code. Another version of it
//!   is another major version of this crate, unless its author says that its types are the same.
//!
//! # Rules of the boundary
//!
//! - Whatever is allocated on one side is freed by that side: every owned value carries its own destructor.
//! - Every entry, and every `Drop` behind one, runs inside [`guard`](guard()) or [`Guarded`]: a panic becomes
//!   [`AbiErrorKind::PANICKED`]. Where panics abort, plugins do not compile.
//! - A number that the other side reports about a buffer of ours is checked before it is used.
//! - Libraries are never unloaded, so `'static` data of a plugin stays valid.

// The expansion of abi_stable's `#[sabi_trait]`.
#![allow(non_local_definitions)]
// The same expansion leaves generated items undocumented and without `Debug`; what is written here is documented.
#![allow(missing_docs, missing_debug_implementations)]

mod backend;
mod compat;
mod guard;
mod module;
mod services;
mod streams;
mod sync;
mod types;

pub use abi_stable;
pub use abi_stable::{
    erased_types::TD_Opaque,
    library::{AbiHeaderRef, ROOT_MODULE_LOADER_NAME},
    sabi_types::RMut,
    std_types::{RArc, RBox, ROption, RResult, RSlice, RSliceMut, RStr, RString, RVec},
};

pub use backend::{AbiBackend, AbiBackendBox};
pub use compat::{Incompatible, check_compatible};
pub use guard::{Guarded, guard, guard_drop};
pub use module::{MANIFEST_FORMAT, MANIFEST_SYMBOL, PluginModule, PluginModuleRef, VERSION};
pub use services::{AbiHost, AbiHostBox, AbiProgress, log_level};
pub use streams::{
    AbiBuffer, AbiBufferBox, AbiEntries, AbiEntriesBox, AbiReader, AbiReaderBox, AbiReaderMut, AbiWriter,
    AbiWriterBox,
};
pub use sync::{
    AbiConflict, AbiConflictSide, AbiSearch, AbiSearchBox, AbiSearchHit, AbiSync, AbiSyncBox, AbiSyncReport,
};
pub use types::{
    AbiError, AbiErrorKind, AbiFileInfo, AbiFileKind, AbiOptions, AbiPair, AbiRange, AbiResult, AbiTime,
    flags,
};

// Generated by `#[sabi_trait]` beside each trait: the constructors of its objects.
pub use backend::AbiBackend_TO;
pub use services::AbiHost_TO;
pub use streams::{AbiBuffer_TO, AbiEntries_TO, AbiReader_TO, AbiWriter_TO};
pub use sync::{AbiSearch_TO, AbiSync_TO};
