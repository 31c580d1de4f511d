//! Comparing two directories, of the same backend or not, without changing either.

use std::{
    collections::BTreeSet,
    num::NonZeroUsize,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use f9_plugin_api::{ChecksumAlgorithm, Error, ErrorKind, FileInfo, Result};

use crate::{
    CancelToken, Filter, Tree,
    mirror::{listing::Listing, work::checksum},
    stand_in,
    threads::on_threads,
};

/// How [`check`] compares.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CheckOptions {
    /// What takes part; the rest is left out on both sides.
    pub filter: Filter,
    /// Reads the content of both sides, and believes no checksum that a backend tells.
    pub download: bool,
    /// How many files are compared at the same time; 8 by default.
    pub parallel: NonZeroUsize,
    /// Ends the work.
    pub cancel: CancelToken,
}

impl Default for CheckOptions {
    fn default() -> Self {
        const PARALLEL: NonZeroUsize = NonZeroUsize::new(8).unwrap();
        Self { filter: Filter::default(), download: false, parallel: PARALLEL, cancel: CancelToken::new() }
    }
}

impl CheckOptions {
    /// Sets [`filter`](Self::filter).
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }

    /// Sets [`download`](Self::download).
    #[must_use]
    pub fn download(mut self, download: bool) -> Self {
        self.download = download;
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

/// What a comparison tells of a path, from the compared directories down, from whichever thread it happens on.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum CheckEvent<'a> {
    /// It is the same on both sides.
    Same(&'a str),
    /// It is another on either side.
    Different(&'a str),
    /// Only the first directory has it.
    OnlyFirst(&'a str),
    /// Only the second directory has it.
    OnlySecond(&'a str),
    /// It could not be compared: where it could not be listed, not even its path may be known.
    Unreadable {
        /// From the compared directories down.
        path: Option<&'a str>,
        /// Whether it is the first directory's that cannot be read.
        is_first: bool,
        /// Why.
        error: &'a Error,
    },
}

/// What a comparison has found. Each path that takes part is counted once.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckReport {
    /// Files with the same content, directories on both sides, and links or special files that are such on both.
    pub same: u64,
    /// Files with other content, and what is of another kind.
    pub different: u64,
    /// What only the first directory has.
    pub only_first: u64,
    /// What only the second directory has.
    pub only_second: u64,
    /// What could not be compared.
    pub unreadable: u64,
    /// What the filter left out, on either side.
    pub left_out: u64,
}

impl CheckReport {
    /// Whether all that takes part is the same on both sides.
    pub const fn is_same(&self) -> bool {
        self.different == 0 && self.only_first == 0 && self.only_second == 0 && self.unreadable == 0
    }
}

/// Compares what is below two directories: by size, then by SHA-256 checksum, or by content.
///
/// # Errors
///
/// What keeps anything from being compared: a directory that cannot be listed (the fact `side` says which: `first` or `second`),
/// [`Cancelled`](ErrorKind::Cancelled). All else is
/// counted in the report, and told by events.
pub fn check(
    first: Tree<'_>,
    second: Tree<'_>,
    options: &CheckOptions,
    on_event: &(dyn Fn(CheckEvent<'_>) + Sync),
) -> Result<CheckReport> {
    let list = |tree: Tree<'_>| {
        Listing::of(tree, &options.filter, &options.cancel).map_err(|error| error.at(tree.path))
    };
    let (here, there) = (list(first)?, list(second)?);
    let left_out = here.left_out.union(&there.left_out).count() as u64;
    let report = Mutex::new(CheckReport { left_out, ..CheckReport::default() });
    let run = Run { sides: [first, second], options, on_event, report };
    for (listing, is_first) in [(&here, true), (&there, false)] {
        for error in &listing.errors {
            run.tell(CheckEvent::Unreadable { path: None, is_first, error });
        }
    }
    // What one side leaves out, for its size, is not told as missing there.
    let is_left_out = |path: &String| here.left_out.contains(path) || there.left_out.contains(path);
    let paths: BTreeSet<_> =
        here.entries.keys().chain(there.entries.keys()).filter(|path| !is_left_out(path)).collect();
    let paths: Vec<_> = paths.into_iter().collect();
    let next = AtomicUsize::new(0);
    on_threads(options.parallel.get().min(paths.len()), || {
        while !options.cancel.is_cancelled() {
            let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) else { return };
            run.compare(path, here.entries.get(*path), there.entries.get(*path));
        }
    });
    options.cancel.check()?;
    Ok(run.report.into_inner().unwrap_or_else(PoisonError::into_inner))
}

struct Run<'a> {
    sides: [Tree<'a>; 2],
    options: &'a CheckOptions,
    on_event: &'a (dyn Fn(CheckEvent<'_>) + Sync),
    report: Mutex<CheckReport>,
}

impl Run<'_> {
    fn compare(&self, path: &str, here: Option<&FileInfo>, there: Option<&FileInfo>) {
        let event = match (here, there) {
            (Some(_), None) => CheckEvent::OnlyFirst(path),
            (None, Some(_)) => CheckEvent::OnlySecond(path),
            (Some(here), Some(there)) if here.kind != there.kind || here.size != there.size => {
                CheckEvent::Different(path)
            }
            (Some(here), Some(there)) if here.is_file() => return self.compare_content(path, [here, there]),
            _ => CheckEvent::Same(path),
        };
        self.tell(event);
    }

    fn compare_content(&self, path: &str, files: [&FileInfo; 2]) {
        let mut sums = Vec::new();
        for (side, file) in files.into_iter().enumerate() {
            match self.checksum(self.sides[side], file) {
                Ok(sum) => sums.push(sum),
                Err(error) if error.kind() == ErrorKind::Cancelled => return,
                Err(error) => {
                    let (path, is_first) = (Some(path), side == 0);
                    return self.tell(CheckEvent::Unreadable { path, is_first, error: &error });
                }
            }
        }
        let is_same = sums.windows(2).all(|pair| pair[0] == pair[1]);
        self.tell(if is_same { CheckEvent::Same(path) } else { CheckEvent::Different(path) });
    }

    fn checksum(&self, tree: Tree<'_>, file: &FileInfo) -> Result<String> {
        if self.options.download {
            return stand_in::checksum(
                tree.backend,
                &file.path,
                ChecksumAlgorithm::Sha256,
                &self.options.cancel,
            );
        }
        checksum(tree, file, &self.options.cancel)
    }

    fn tell(&self, event: CheckEvent<'_>) {
        {
            // Each change is a single step, so a poisoned report is as good as another.
            let mut report = self.report.lock().unwrap_or_else(PoisonError::into_inner);
            let count = match event {
                CheckEvent::Same(_) => &mut report.same,
                CheckEvent::Different(_) => &mut report.different,
                CheckEvent::OnlyFirst(_) => &mut report.only_first,
                CheckEvent::OnlySecond(_) => &mut report.only_second,
                CheckEvent::Unreadable { .. } => &mut report.unreadable,
            };
            *count += 1;
        }
        (self.on_event)(event);
    }
}
