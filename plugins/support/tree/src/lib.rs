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
//! - **Mounts**: a file that is mounted by itself, as in containers, cannot be replaced, so it is written in place: not in one
//!   step, and readers can meet a mixture. Its new content is on the disk beside it first, as `NAME.f9-…`, which stays if that
//!   breaks off. Space is taken before anything is overwritten.
//! - **Reading** yields one length: that of the file when it was opened; a file that others cut short meanwhile is `Busy`.
//!   The kernel's own files in /proc and /sys, whose size says nothing, are read to their end. What
//!   is no regular file is refused: a pipe or a device is opened for a moment, without waiting, to see what it is. On Linux, a
//!   content of 4 MiB and more is read into huge pages, of which the process keeps up to 32 MiB for the next such content.
//! - **Appending** is one `write` with `O_APPEND`, of at most 2,147,479,552 bytes. If the storage takes only a part of
//!   it, that part is taken back. Only if the process is killed inside that call, a beginning of the appended bytes can
//!   be in the file. What comes from a reader is gathered in memory first. A success says that the bytes are in a file that
//!   had a name when they were there: if it was replaced meanwhile, they are appended to the one that is there now; if it
//!   was deleted, that is `NotFound`; if it was moved, they have moved along.
//! - **Temporary files** lie in `.f9-tmp` at the root, which is there only while something needs it. Names that start so
//!   are never listed and cannot be reached, and nobody but the owner may read the files. What a killed process left there
//!   is removed when the root is next opened. A file on another file system than the root (a mount inside it), and every
//!   file where `.f9-tmp` cannot be made, belongs to another user or can be written to by others, has its temporary name
//!   beside its own instead. What a killed process left so is removed when the directory is listed or deleted, and when the
//!   next such name is made in it by a tree for the first time; not before. What belongs to a live process is left alone:
//!   its lock (`flock`) says so. Where the file system has no such locks, what is beside other files stays, and so does
//!   what the process that meets it may not open or remove.
//! - **Durability** is [`Durability::None`] by default: a success says that every process sees the change, and the system
//!   writes it to the disk in its own time, so that a power failure can take back the last seconds.
//! - **Names** that are not UTF-8, and those with a backslash, have no path: a listing tells of each with an error in its
//!   place.
//!
//! - **Permissions** are the system's. Replacing a file needs the right to write into its directory, as with `mv` and editors
//!   that save safely: a read-only file in such a directory can be replaced, and keeps its permissions; a writable file in a
//!   directory that is not cannot. Appending needs the right to write into the file itself.
//! - **Copying** shares blocks or copies inside the file system where it can, and leaves holes holes. A copy may be run by
//!   those who may run the original. A source that is written to meanwhile is copied again, and at last `Busy`.
//! - **Moving** one hard link of a file over another one changes nothing, as POSIX has it.
//!
//! # Other systems
//!
//! The above is how it is on Linux. Elsewhere the tree stands on [`cap-std`](https://docs.rs/cap-std), with the same names
//! and the same contract. This was compiled for macOS and run on Linux only, where the tests run it as well.
//!
//! What holds there too: every path is opened beneath one open directory, and a link that leads out, or is absolute, is
//! `OutsideRoot`; new content has a temporary name until it is whole, and replaces a file with its permission bits; an
//! append is one `write`; a stream yields no more than the file had when it was opened; of racing creators one succeeds.
//!
//! What does not:
//!
//! - Temporary files, `.f9-tmp-<process>-<number>`, lie in the directory of the file or the nearest one above it. What a
//!   killed process left there is hidden, and stays until that directory is deleted recursively.
//! - Some things are looked at first, and another process can be quicker: that nothing is at the destination of a
//!   directory or link that is moved without overwriting (`rename` can then replace an empty directory or a file); that a
//!   file which is updated is still there; that a name on the way or below a deleted directory is not reserved; that what
//!   is opened is no pipe, and what is listed no link. None of this leads out of the root.
//! - Moving a file without overwriting gives it the new name before it takes the old one: a crash between the two leaves
//!   both. Where there are no hard links it looks first, and a new file's name is taken by an empty file for a moment.
//! - What is appended to a file that is deleted or replaced at that moment can be lost with it.
//! - The owner and group of a replaced file are not kept. A loop of links is `Io`. A directory is as deep as the process
//!   may open files, when it is listed or deleted recursively.
//! - [`Durability::Fsync`] synchronises files everywhere, and directories on Unix alone.

#![forbid(unsafe_code)]

#[cfg(target_os = "linux")]
mod linux;

/// Tested on Linux too, so that it is not only compiled where nothing else is.
#[cfg(any(not(target_os = "linux"), test))]
#[cfg_attr(target_os = "linux", expect(unreachable_pub, reason = "it is public on the systems it is for"))]
mod portable;

use std::path::Path;

use f9_plugin_api::{Error, ErrorKind};

#[cfg(target_os = "linux")]
pub use crate::linux::Tree;
#[cfg(not(target_os = "linux"))]
pub use crate::portable::Tree;

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

fn describe_root_error(error: std::io::Error, path: &Path) -> Error {
    let kind = Error::from(std::io::Error::from(error.kind())).kind();
    let (message, hint) = match kind {
        ErrorKind::NotFound => ("the root directory does not exist", "make it, or let it be made on opening"),
        ErrorKind::NotADirectory => ("the root is no directory", "name a directory"),
        ErrorKind::PermissionDenied => (
            "the root directory cannot be opened or made",
            "change the permissions there, or run as a user who has them",
        ),
        _ => ("the root directory cannot be opened", "look at the cause, and at the directory"),
    };
    Error::new(kind, message).at(path.display()).hint(hint).caused_by(error)
}
