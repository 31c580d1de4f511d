//! A directory tree that nothing gets out of, with atomic writes: the part of a storage backend that is a directory of
//! this machine. [`Tree`] implements the whole contract ([`FileBackend`](f9_plugin_api::FileBackend)) but for what needs
//! a remote.
//!
//! ```
//! use f9_plugin_api::{BackendPath, CreateOptions, FileBackend};
//! use f9_tree::{Tree, TreeOptions};
//!
//! # let directory = tempfile::tempdir()?;
//! let tree = Tree::open(directory.path().join("data"), TreeOptions::default())?;
//! let path = BackendPath::parse("notes/may.txt")?;
//! tree.create(&path, "hello".into(), CreateOptions::default())?;
//! assert_eq!(&tree.read(&path)?[..], b"hello");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What holds
//!
//! - **Confinement** is the kernel's: one descriptor of the root is kept, and every path is opened beneath it with
//!   `openat2(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS)`, parents as well. There is no check that something could happen
//!   after. Kernels before 5.6, and sandboxes that forbid the call, are served by a walk with `O_NOFOLLOW`, which is as
//!   safe and slower.
//! - **Links** are followed if they are relative and stay inside the root. An absolute link is refused
//!   ([`OutsideRoot`](f9_plugin_api::ErrorKind::OutsideRoot)) also where it leads back inside: what it means depends on
//!   where the root lies. Updating the content of a link to a file replaces that file. Reading a link to nothing is
//!   `NotFound`; a loop, or more than 40 links, is `InvalidOperation`. Nothing is followed while deleting.
//! - **Whole or not at all**: new content has no name (`O_TMPFILE`) or a temporary one until it is complete. What
//!   replaces a file keeps its permission bits and, where the process may give files away, its owner and group (else the
//!   group may no more than others); other hard links
//!   to the old file keep the old content; extended attributes are not carried over.
//! - **Appending** is one `write` with `O_APPEND`, of at most 2,147,479,552 bytes. If the storage takes only a part of
//!   it, that part is taken back. Only if the process is killed inside that call, a beginning of the appended bytes can
//!   be in the file.
//! - **Temporary files** lie in `.f9-tmp` at the root, which is there only while something needs it. Names that start so
//!   are never listed and cannot be reached. What a killed process left behind is removed when the root is next opened;
//!   what belongs to a live one is left alone.
//! - **Durability** is [`Durability::None`] by default: a success says that every process sees the change, and the system
//!   writes it to the disk in its own time, so that a power failure can take back the last seconds.
//! - **Names** that are not UTF-8, and those with a backslash, have no path: a listing tells of each with an error in its
//!   place.
//!
//! It runs on Linux only. What waits for its name on another file system than the root's (a mount inside the root that has
//! no `O_TMPFILE`) has its temporary name beside its own: hidden as well, but not swept when a process is killed over it.
//!
//! Moving one hard link of a file over another one changes nothing, as POSIX has it.

#![forbid(unsafe_code)]

#[cfg(not(target_os = "linux"))]
compile_error!("f9-tree needs Linux: it stands on openat2, O_TMPFILE and renameat2");

mod append;
mod backend;
mod draft;
mod errors;
mod listing;
mod read;
mod remove;
mod rename;
mod resolve;
mod stat;
mod temp;
mod write;

#[cfg(test)]
mod tests;

use std::{
    fmt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use f9_plugin_api::{Capabilities, Error, ErrorKind, Result};
use rustix::fd::AsFd;

use crate::{
    resolve::{Root, make_root},
    temp::Temps,
};

/// An open directory tree. Clones share it, streams and listings keep it open.
#[derive(Clone)]
pub struct Tree(Arc<Inner>);

struct Inner {
    root: Root,
    durability: Durability,
    temps: Temps,
    /// Whether the file system offers files without a name, as far as is known.
    offers_unnamed: AtomicBool,
}

/// How a tree is opened.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct TreeOptions {
    /// Makes the root, with its parents, if it is missing. Default: true.
    pub create_root: bool,
    /// What a success promises.
    pub durability: Durability,
    /// Which names are out of reach, wherever they are in a path and whatever link leads there: they are
    /// [`InvalidPath`](ErrorKind::InvalidPath) in every operation, are not listed, and are spared when the directory that
    /// they are in is deleted, which then fails. Default: none.
    pub reserved: Option<fn(&str) -> bool>,
}

impl Default for TreeOptions {
    fn default() -> Self {
        Self { create_root: true, durability: Durability::None, reserved: None }
    }
}

impl TreeOptions {
    /// Sets [`create_root`](Self::create_root).
    #[must_use]
    pub const fn create_root(mut self, create_root: bool) -> Self {
        self.create_root = create_root;
        self
    }

    /// Sets [`durability`](Self::durability).
    #[must_use]
    pub const fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Sets [`reserved`](Self::reserved).
    #[must_use]
    pub const fn reserved(mut self, reserved: fn(&str) -> bool) -> Self {
        self.reserved = Some(reserved);
        self
    }
}

/// What holds of a change when the operation that made it has succeeded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Durability {
    /// Every process sees it, and it outlives them all. It does not outlive a power failure within the next seconds.
    #[default]
    None,
    /// It has reached the disk: the file is synchronised, and so is each directory whose names changed. An error in that
    /// is the operation's error and is never tried again, because the system forgets what it could not write.
    Fsync,
}

impl Tree {
    /// What every tree can do beyond the basic operations.
    pub const CAPABILITIES: Capabilities =
        Capabilities::COPY.union(Capabilities::RENAME).union(Capabilities::OPEN_WRITE);

    /// Opens the directory at `root`, which may be relative to the working directory and may be reached through links,
    /// and removes what killed processes left there.
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) if it is missing and is not to be made,
    /// [`NotADirectory`](ErrorKind::NotADirectory) if it is something else.
    pub fn open(root: impl AsRef<Path>, options: TreeOptions) -> Result<Self> {
        let path = root.as_ref();
        let root = open_root(path, options).map_err(|error| describe_root_error(error, path))?;
        Ok(Self::with_root(root, options))
    }

    fn with_root(root: Root, options: TreeOptions) -> Self {
        temp::sweep(root.as_fd());
        Self(Arc::new(Inner {
            root,
            durability: options.durability,
            temps: Temps::default(),
            offers_unnamed: AtomicBool::new(true),
        }))
    }

    pub(crate) fn root(&self) -> &Root {
        &self.0.root
    }

    pub(crate) fn temps(&self) -> &Temps {
        &self.0.temps
    }

    pub(crate) fn durability(&self) -> Durability {
        self.0.durability
    }

    pub(crate) fn offers_unnamed(&self) -> bool {
        self.0.offers_unnamed.load(Ordering::Relaxed)
    }

    pub(crate) fn set_no_unnamed(&self) {
        self.0.offers_unnamed.store(false, Ordering::Relaxed);
    }
}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tree").field("root", &self.0.root).field("durability", &self.0.durability).finish()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.temps.close(self.root.as_fd());
    }
}

fn open_root(path: &Path, options: TreeOptions) -> std::io::Result<Root> {
    match Root::open(path, options.reserved) {
        Err(error) if options.create_root && error.kind() == std::io::ErrorKind::NotFound => {
            make_root(path)?;
            Ok(Root::open(path, options.reserved)?)
        }
        opened => Ok(opened?),
    }
}

fn describe_root_error(error: std::io::Error, path: &Path) -> Error {
    let kind = Error::from(std::io::Error::from(error.kind())).kind();
    let (message, hint) = match kind {
        ErrorKind::NotFound => ("the root directory does not exist", "make it, or let it be made on opening"),
        ErrorKind::NotADirectory => ("the root is no directory", "name a directory"),
        ErrorKind::PermissionDenied => {
            ("the root directory cannot be opened", "change its permissions, or run as a user who has them")
        }
        _ => ("the root directory cannot be opened", "look at the cause, and at the directory"),
    };
    Error::new(kind, message).at(path.display()).hint(hint).caused_by(error)
}
