//! Making one directory the same as another, of the same backend or not.

pub(crate) mod listing;
pub(crate) mod work;

use std::{
    fmt,
    num::NonZeroUsize,
    thread::{self, ScopedJoinHandle},
};

use f9_plugin_api::{BackendPath, Error, ErrorKind, FileBackend, Result};

use crate::{CancelToken, Filter};

use listing::Listing;
use work::Run;

/// Brings what is below `source` to `destination`, one way.
///
/// Files that are the same on both sides are left alone, so what an earlier run has done is not done again. A file appears
/// at the destination at once and whole, or not at all. Several are on their way at the same time. The files below the
/// destination that are not below the source stay, unless [`delete`](MirrorOptions::delete) is asked for. The lists of both
/// sides are kept in memory. What changes on either side meanwhile may or may not be seen; the next run sees it.
///
/// Links that lead to files are copied as files. Those that lead to directories, or nowhere within the root, are failures, as
/// their content would be missing at the destination, unless [`links`](MirrorOptions::links) has them skipped. A file that is
/// written to while it is read is read again, and at last a failure: what arrives was in the file at one time.
///
/// What the [`filter`](MirrorOptions::filter) leaves out is neither copied nor, on the other side, deleted. What fails does not keep the rest from being done, but for
/// failures that all the rest would share, such as a full storage.
///
/// # Errors
///
/// What keeps anything from being done: a side that cannot be listed; [`InvalidOperation`](ErrorKind::InvalidOperation) if
/// one lies within the other, or if everything at the destination was to be deleted because the source is empty, which is
/// more often a mistake in its path. All else is counted in the report, and told by events.
pub fn mirror(
    source: Tree<'_>,
    destination: Tree<'_>,
    options: &MirrorOptions,
    on_event: &(dyn Fn(MirrorEvent<'_>) + Sync),
) -> Result<MirrorReport> {
    check_apart(source, destination)?;
    let (wanted, present) = list_both(source, destination, options)?;
    if options.delete && wanted.is_empty() && wanted.left_out.is_empty() && !present.is_empty() {
        let message = "the source is empty, so everything at the destination would be deleted; nothing was";
        return Err(Error::new(ErrorKind::InvalidOperation, message)
            .at(source.path)
            .with("side", Side::Source)
            .hint("correct the source; if that is what you want, delete the destination's files yourself"));
    }
    let mut run = Run::new(source, destination, options, on_event, &present);
    let jobs = run.plan(&wanted);
    run.work(&jobs);
    if options.delete {
        run.delete_extras(&wanted);
    }
    Ok(run.into_report())
}

/// A directory of a backend.
#[derive(Clone, Copy)]
pub struct Tree<'a> {
    /// The backend.
    pub backend: &'a dyn FileBackend,
    /// The directory in it.
    pub path: &'a BackendPath,
}

impl fmt::Debug for Tree<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tree").field("path", self.path).finish_non_exhaustive()
    }
}

/// How [`mirror`] does its work. Starts from `default()`, which deletes nothing.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct MirrorOptions {
    /// What happens to a file that is at the destination already.
    pub existing: Existing,
    /// Deletes at the destination what is not at the source, last of all, and only if the source was listed completely and
    /// nothing failed. Also replaces a directory by a file of its name, and the other way round.
    pub delete: bool,
    /// With [`delete`](Self::delete): deletes at the destination also what the filter leaves out.
    pub delete_excluded: bool,
    /// With [`delete`](Self::delete): deletes although something failed, but for what a failure leaves unsure.
    pub ignore_errors: bool,
    /// What takes part.
    pub filter: Filter,
    /// What becomes of links that cannot be copied as files.
    pub links: Links,
    /// Changes nothing; events and report tell what would be done.
    pub dry_run: bool,
    /// How many files are worked on at the same time; 8 by default.
    pub parallel: NonZeroUsize,
    /// Ends the work: what is whole stays, what is on its way is dropped.
    pub cancel: CancelToken,
}

impl MirrorOptions {
    /// Sets [`existing`](Self::existing).
    #[must_use]
    pub fn existing(mut self, existing: Existing) -> Self {
        self.existing = existing;
        self
    }

    /// Sets [`delete`](Self::delete).
    #[must_use]
    pub fn delete(mut self, delete: bool) -> Self {
        self.delete = delete;
        self
    }

    /// Sets [`delete_excluded`](Self::delete_excluded).
    #[must_use]
    pub fn delete_excluded(mut self, delete_excluded: bool) -> Self {
        self.delete_excluded = delete_excluded;
        self
    }

    /// Sets [`ignore_errors`](Self::ignore_errors).
    #[must_use]
    pub fn ignore_errors(mut self, ignore_errors: bool) -> Self {
        self.ignore_errors = ignore_errors;
        self
    }

    /// Sets [`filter`](Self::filter).
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }

    /// Sets [`links`](Self::links).
    #[must_use]
    pub fn links(mut self, links: Links) -> Self {
        self.links = links;
        self
    }

    /// Sets [`dry_run`](Self::dry_run).
    #[must_use]
    pub fn dry_run(mut self, dry_run: bool) -> Self {
        self.dry_run = dry_run;
        self
    }

    /// Sets [`parallel`](Self::parallel).
    #[must_use]
    pub fn parallel(mut self, parallel: NonZeroUsize) -> Self {
        self.parallel = parallel;
        self
    }

    /// Sets [`cancel`](Self::cancel).
    #[must_use]
    pub fn cancel(mut self, cancel: CancelToken) -> Self {
        self.cancel = cancel;
        self
    }
}

impl Default for MirrorOptions {
    fn default() -> Self {
        const PARALLEL: NonZeroUsize = NonZeroUsize::new(8).unwrap();
        Self {
            existing: Existing::default(),
            delete: false,
            delete_excluded: false,
            ignore_errors: false,
            filter: Filter::default(),
            links: Links::default(),
            dry_run: false,
            parallel: PARALLEL,
            cancel: CancelToken::new(),
        }
    }
}

/// What becomes of links that lead to directories, or nowhere within the root.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Links {
    /// Each is a failure.
    #[default]
    Error,
    /// Each is left out, told of and counted.
    Skip,
}

/// What happens to a file that is at the destination already.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Existing {
    /// It is left alone if size and SHA-256 checksum are those of the source, else replaced.
    #[default]
    CompareChecksum,
    /// It is left alone if its size is that of the source, else replaced. Reads less, and misses changes that keep the size.
    CompareSize,
    /// It is replaced.
    Replace,
    /// It is left alone if size and SHA-256 checksum are those of the source, else a failure, and stays as it is.
    RefuseDifferent,
    /// It is a failure, and stays as it is.
    Refuse,
}

impl Existing {
    /// Whether nothing at the destination is replaced.
    fn refuses(self) -> bool {
        matches!(self, Self::RefuseDifferent | Self::Refuse)
    }
}

/// Which of the two an error is about; errors carry it as the fact `side`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Source,
    Destination,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Source => "source",
            Self::Destination => "destination",
        })
    }
}

/// What a mirror tells while it works, from whichever thread it happens on. Paths are those at the destination.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum MirrorEvent<'a> {
    /// Both sides are listed: so many files will be looked at, with so many bytes.
    Planned {
        /// How many.
        files: u64,
        /// Their sizes together.
        bytes: u64,
    },
    /// So many bytes more are on their way.
    Sent {
        /// Since the last of these events.
        bytes: u64,
    },
    /// A file was the same on both sides.
    Same {
        /// At the destination.
        path: &'a BackendPath,
        /// In bytes.
        size: u64,
    },
    /// A file was copied.
    Copied {
        /// At the destination.
        path: &'a BackendPath,
        /// In bytes.
        size: u64,
        /// Whether there was something at this path.
        replaced: bool,
    },
    /// A directory was made that no file makes necessary.
    DirectoryMade {
        /// At the destination.
        path: &'a BackendPath,
    },
    /// Something was deleted.
    Deleted {
        /// At the destination.
        path: &'a BackendPath,
    },
    /// Something was not brought along, which was asked for.
    Skipped {
        /// At the source.
        path: &'a BackendPath,
        /// What it is, in a word: `link`.
        what: &'static str,
    },
    /// Something failed. The fact `side` says where: `source` or `destination`.
    Failed {
        /// Why.
        error: &'a Error,
    },
}

/// What a mirror has done.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct MirrorReport {
    /// Files copied.
    pub copied: u64,
    /// Their sizes together.
    pub bytes: u64,
    /// Files that were the same on both sides.
    pub same: u64,
    /// Directories made that no file made necessary.
    pub directories: u64,
    /// Files and directories deleted.
    pub deleted: u64,
    /// What the filter left out at the source, directories included.
    pub left_out: u64,
    /// Links that were skipped.
    pub skipped: u64,
    /// What failed.
    pub failed: u64,
    /// Files and directories that were not looked at, because the work ended before.
    pub left: u64,
    /// Whether deleting was asked for and not done, because something failed before.
    pub deletions_withheld: bool,
    /// Whether somebody asked to stop.
    pub cancelled: bool,
    /// The first failure.
    pub first_error: Option<Error>,
}

impl MirrorReport {
    /// Whether the destination now has all that the source had, and where deleting was asked for, no more.
    pub fn is_complete(&self) -> bool {
        self.failed == 0 && self.left == 0 && !self.deletions_withheld && !self.cancelled
    }

    /// Whether the destination is as it was, and not because everything was there.
    pub fn is_nothing_done(&self) -> bool {
        !self.is_complete() && self.copied + self.directories + self.deleted + self.same == 0
    }
}

fn check_apart(source: Tree<'_>, destination: Tree<'_>) -> Result<()> {
    let same_backend = std::ptr::addr_eq(source.backend, destination.backend);
    let nested = source.path.starts_with(destination.path) || destination.path.starts_with(source.path);
    if same_backend && nested {
        let message = format!("{} and {} are one within the other", source.path, destination.path);
        return Err(Error::new(ErrorKind::InvalidOperation, message)
            .with("source", source.path)
            .with("destination", destination.path)
            .hint("choose directories that do not contain each other"));
    }
    Ok(())
}

/// The source must be there; the destination will be.
fn list_both(source: Tree<'_>, destination: Tree<'_>, options: &MirrorOptions) -> Result<(Listing, Listing)> {
    let (wanted, present) = thread::scope(|scope| {
        let list = || Listing::of(destination, &Filter::default(), &options.cancel);
        let present = thread::Builder::new().spawn_scoped(scope, list);
        let wanted = Listing::of(source, &options.filter, &options.cancel);
        // Where no thread is to be had, one is listed after the other.
        (wanted, present.map_or_else(|_| Ok(list()), ScopedJoinHandle::join))
    });
    let wanted = wanted.map_err(|error| error.at(source.path).with("side", Side::Source))?;
    let present = present.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    match present {
        Err(error) if error.is_not_found() => Ok((wanted, Listing::missing())),
        present => {
            Ok((wanted, present.map_err(|error| error.at(destination.path).with("side", Side::Destination))?))
        }
    }
}
