//! The work on single files and directories.

use std::{
    io::{self, Read},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use f9_plugin_api::{
    BackendPath, ChecksumAlgorithm, Content, CreateOptions, DeleteOptions, Error, ErrorKind, FileInfo,
    FileKind, ListOptions, Result,
};

use crate::{
    CancelToken,
    mirror::{Existing, Links, MirrorEvent, MirrorOptions, MirrorReport, Side, Tree, listing::Listing},
    stand_in,
    steady::SteadyReader,
    threads::on_threads,
};

/// One run of a mirror.
pub(super) struct Run<'a> {
    source: Tree<'a>,
    destination: Tree<'a>,
    options: &'a MirrorOptions,
    on_event: &'a (dyn Fn(MirrorEvent<'_>) + Sync),
    present: &'a Listing,
    report: Mutex<MirrorReport>,
    /// Whether something failed that makes going on pointless.
    halted: AtomicBool,
    source_is_complete: bool,
}

/// Something at the source that has to be at the destination.
pub(super) struct Job<'a> {
    /// From the mirrored directories down.
    path: &'a str,
    info: &'a FileInfo,
    /// Whether something in it is left out: then it is known to be no link, although nothing in it is to be brought.
    has_left_out: bool,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        source: Tree<'a>,
        destination: Tree<'a>,
        options: &'a MirrorOptions,
        on_event: &'a (dyn Fn(MirrorEvent<'_>) + Sync),
        present: &'a Listing,
    ) -> Self {
        let (report, halted) = (Mutex::default(), AtomicBool::new(false));
        Self { source, destination, options, on_event, present, report, halted, source_is_complete: true }
    }

    pub(super) fn into_report(self) -> MirrorReport {
        self.report.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells what could not be listed, clears away what is in the way, and answers what is to be done.
    pub(super) fn plan<'w>(&mut self, wanted: &'w Listing) -> Vec<Job<'w>> {
        let files = || wanted.entries.values().filter(|info| info.is_file());
        self.tell(MirrorEvent::Planned {
            files: files().count() as u64,
            bytes: files().map(|info| info.size).fold(0, u64::saturating_add),
        });
        wanted.errors.iter().for_each(|error| self.fail_listing(error, Side::Source));
        self.present.errors.iter().for_each(|error| self.fail_listing(error, Side::Destination));
        self.source_is_complete = wanted.errors.is_empty();
        self.report().left_out = wanted.left_out.len() as u64;
        if wanted.is_empty() && self.present.is_missing {
            self.settle(self.make_directory(self.destination.path));
        }
        let mut blocked: Vec<String> = Vec::new();
        let mut jobs = Vec::new();
        for (path, info) in &wanted.entries {
            if blocked.iter().any(|dir| path.starts_with(dir)) {
                self.report().left += 1;
            } else if wanted.could_not_list(&info.path) {
                // Has been told.
            } else if !self.make_way(path, info) {
                blocked.push(format!("{path}/"));
            } else if !info.is_dir() || (!wanted.has_below(path) && !self.present.entries.contains_key(path))
            {
                jobs.push(Job { path, info, has_left_out: wanted.leaves_out(path) });
            }
        }
        jobs
    }

    /// Does it all, several at the same time.
    pub(super) fn work(&self, jobs: &[Job<'_>]) {
        let next = AtomicUsize::new(0);
        let worker = || {
            while !self.is_over() {
                let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) else {
                    return;
                };
                self.settle(self.do_job(job));
            }
        };
        let workers = self.options.parallel.get().min(jobs.len());
        on_threads(workers, worker);
        let left = jobs.len().saturating_sub(next.into_inner());
        self.report().left += left as u64;
    }

    /// Deletes what the destination has and the source has not, deepest first, and never more than was listed.
    pub(super) fn delete_extras(&self, wanted: &Listing) {
        let is_extra = |path: &&String| !wanted.entries.contains_key(*path) && self.may_go(path, wanted);
        for path in self.present.entries.keys().rev().filter(is_extra) {
            if !self.may_delete() {
                self.report().deletions_withheld = true;
                return;
            }
            // It may be at the source after all.
            if wanted.is_unsure_of(path, self.source.path) {
                self.report().deletions_withheld = true;
                continue;
            }
            self.settle(self.delete(path, DeleteOptions::default()));
        }
    }

    fn may_delete(&self) -> bool {
        !self.is_over()
            && (self.options.ignore_errors || self.source_is_complete && self.report().failed == 0)
    }

    /// Whether something at the destination is among what this run is about: not left out on either side, nor above such a
    /// thing.
    fn may_go(&self, path: &str, wanted: &Listing) -> bool {
        self.options.delete_excluded || !(wanted.leaves_out(path) || self.keeps(path))
    }

    /// Whether the filter leaves out what the destination has here or below.
    fn keeps(&self, path: &str) -> bool {
        let below = format!("{path}/");
        let at_or_below = |next: &str| next == path || next.starts_with(&below);
        let from =
            self.present.entries.range(path.to_owned()..).take_while(|(next, _)| next.starts_with(path));
        let mut all = from.filter(|(next, _)| at_or_below(next));
        all.any(|(next, info)| !self.options.filter.takes(next, info))
    }

    fn is_over(&self) -> bool {
        if self.options.cancel.is_cancelled() {
            self.report().cancelled = true;
            return true;
        }
        self.halted.load(Ordering::Relaxed)
    }

    /// Where a file is to take the place of a directory, or the other way round, clears the place if that was asked for.
    /// Answers whether the way is free.
    fn make_way(&self, path: &str, info: &FileInfo) -> bool {
        let Some(there) = self.present.entries.get(path).filter(|there| there.is_dir() != info.is_dir())
        else {
            return true;
        };
        let is_kept = !self.options.delete_excluded && self.keeps(path);
        if self.options.delete && self.source_is_complete && !is_kept && info.kind != FileKind::Symlink {
            let cleared = self.delete(path, DeleteOptions::default().recursive(true));
            let is_cleared = cleared.is_ok();
            self.settle(cleared);
            return is_cleared;
        }
        let (kind, what) = match there.is_dir() {
            true => (ErrorKind::IsADirectory, "there is a directory where the source has a file"),
            false => (ErrorKind::NotADirectory, "there is a file where the source has a directory"),
        };
        let error = Error::new(kind, what).at(&there.path).with("side", Side::Destination);
        self.settle(Err(error.hint("delete or rename it, or mirror with deleting")));
        false
    }

    fn do_job(&self, job: &Job<'_>) -> Result<()> {
        let to = self.destination.path.join(job.path)?;
        match job.info.kind {
            FileKind::File => self.bring_file(job, &to),
            FileKind::Directory if !job.has_left_out && self.is_link_to_directory(job.info)? => self
                .refuse_link(
                    job.info,
                    "it is a link to a directory (or was filled just now), and is not followed",
                ),
            FileKind::Directory => self.make_directory(&to),
            FileKind::Symlink => {
                self.refuse_link(job.info, "it is a link that leads to nothing within the root")
            }
            _ => {
                let message = "it is a special file (a pipe, a socket or a device), which cannot be copied";
                Err(Error::new(ErrorKind::InvalidOperation, message)
                    .at(&job.info.path)
                    .with("side", Side::Source)
                    .hint("leave it out by a pattern (exclude)"))
            }
        }
    }

    fn refuse_link(&self, info: &FileInfo, what: &str) -> Result<()> {
        if self.options.links == Links::Skip {
            self.report().skipped += 1;
            self.tell(MirrorEvent::Skipped { path: &info.path, what: "link" });
            return Ok(());
        }
        Err(Error::new(ErrorKind::InvalidOperation, what)
            .at(&info.path)
            .with("side", Side::Source)
            .hint("skip links, or leave it out by a pattern (exclude)"))
    }

    /// A directory in which the whole listing found nothing, and a listing of its own finds something, is a link: its
    /// content would be missing.
    fn is_link_to_directory(&self, info: &FileInfo) -> Result<bool> {
        let mut entries = self
            .source
            .backend
            .list(&info.path, ListOptions::default().names_only(true))
            .map_err(at(&info.path, Side::Source))?;
        Ok(entries.next().is_some())
    }

    fn make_directory(&self, to: &BackendPath) -> Result<()> {
        if !self.options.dry_run && !to.is_root() {
            let options = CreateOptions::default().overwrite(true);
            self.destination.backend.create_dir(to, options).map_err(at(to, Side::Destination))?;
        }
        self.report().directories += 1;
        self.tell(MirrorEvent::DirectoryMade { path: to });
        Ok(())
    }

    fn bring_file(&self, job: &Job<'_>, to: &BackendPath) -> Result<()> {
        let there = self.present.entries.get(job.path);
        if let Some(there) = there.filter(|there| there.is_file())
            && self.is_same(job.info, there)?
        {
            self.report().same += 1;
            self.tell(MirrorEvent::Same { path: to, size: there.size });
            return Ok(());
        }
        if there.is_some() && self.options.existing.refuses() {
            return Err(Error::new(ErrorKind::AlreadyExists, "there is something at this path already")
                .at(to)
                .with("side", Side::Destination));
        }
        let size = if self.options.dry_run { job.info.size } else { self.copy(job.info, to)? };
        let mut report = self.report();
        report.copied += 1;
        report.bytes += size;
        drop(report);
        self.tell(MirrorEvent::Copied { path: to, size, replaced: there.is_some() });
        Ok(())
    }

    fn is_same(&self, here: &FileInfo, there: &FileInfo) -> Result<bool> {
        match self.options.existing {
            Existing::Replace | Existing::Refuse => Ok(false),
            _ if here.size != there.size => Ok(false),
            Existing::CompareSize => Ok(true),
            Existing::CompareChecksum | Existing::RefuseDifferent => {
                let wanted = self.checksum(self.source, here).map_err(at(&here.path, Side::Source))?;
                let present =
                    self.checksum(self.destination, there).map_err(at(&there.path, Side::Destination))?;
                Ok(wanted == present)
            }
        }
    }

    /// What the listing told, or else what the backend or the content tells.
    fn checksum(&self, tree: Tree<'_>, info: &FileInfo) -> Result<String> {
        checksum(tree, info, &self.options.cancel)
    }

    /// Copies a file and answers its size. What is written to meanwhile is read again.
    fn copy(&self, source: &FileInfo, to: &BackendPath) -> Result<u64> {
        let mut source = source.clone();
        for _ in 1..SteadyReader::ATTEMPTS {
            match self.copy_once(&source, to)? {
                Some(size) => return Ok(size),
                None => {
                    let now = self.source.backend.info(&source.path);
                    source = now.map_err(at(&source.path, Side::Source))?;
                }
            }
        }
        match self.copy_once(&source, to)? {
            Some(size) => Ok(size),
            None => {
                let message = "it is written to all the time, and was not copied";
                let error = Error::new(ErrorKind::Busy, message).hint("try again when nobody writes to it");
                Err(at(&source.path, Side::Source)(error))
            }
        }
    }

    /// Copies a file as it was described, and answers its size; `None` if it has changed, and nothing was copied.
    fn copy_once(&self, source: &FileInfo, to: &BackendPath) -> Result<Option<u64>> {
        let from = &source.path;
        let reader = SteadyReader::open_as(self.source.backend, from, source.clone());
        let reader = reader.map_err(at(from, Side::Source))?;
        let mut reader = Passing { reader, count: 0, failed: false, run: self };
        let options = CreateOptions::default().overwrite(!self.options.existing.refuses());
        let stored = self.destination.backend.create(to, Content::reader(&mut reader), options);
        if reader.reader.has_changed() && stored.is_err() {
            return Ok(None);
        }
        let (count, failed) = (reader.count, reader.failed);
        let side = if failed { Side::Source } else { Side::Destination };
        let stored = stored.map_err(at(if failed { from } else { to }, side))?;
        if stored.size != count {
            let message = format!("{count} bytes were sent, and the destination says it has {}", stored.size);
            return Err(Error::new(ErrorKind::Integrity, message).at(to).with("side", Side::Destination));
        }
        Ok(Some(count))
    }

    fn delete(&self, path: &str, options: DeleteOptions) -> Result<()> {
        let path = self.destination.path.join(path)?;
        if !self.options.dry_run {
            match self.destination.backend.delete(&path, options) {
                // It went with what held it.
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                    return Ok(());
                }
                answer => answer.map_err(at(&path, Side::Destination))?,
            }
        }
        self.report().deleted += 1;
        self.tell(MirrorEvent::Deleted { path: &path });
        Ok(())
    }

    /// Counts a failure, if it was one.
    fn settle(&self, outcome: Result<()>) {
        let Err(error) = outcome else { return };
        if error.kind() == ErrorKind::Cancelled {
            let mut report = self.report();
            report.cancelled = true;
            report.left += 1;
            return;
        }
        self.tell(MirrorEvent::Failed { error: &error });
        if all_would_fail(error.kind()) {
            self.halted.store(true, Ordering::Relaxed);
        }
        let mut report = self.report();
        report.failed += 1;
        report.first_error.get_or_insert(error);
    }

    fn fail_listing(&self, error: &Error, side: Side) {
        let mut copy = Error::new(error.kind(), error.message()).with("side", side);
        if let Some(path) = error.path() {
            copy = copy.at(path);
        }
        self.settle(Err(copy));
    }

    fn report(&self) -> MutexGuard<'_, MirrorReport> {
        // Each change is a single step, so a poisoned report is as good as another.
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, event: MirrorEvent<'_>) {
        (self.on_event)(event);
    }
}

/// The SHA-256 checksum of a file: what the listing told, or else what the backend or the content tells.
pub(crate) fn checksum(tree: Tree<'_>, info: &FileInfo, cancel: &CancelToken) -> Result<String> {
    if let Some(told) = info.attributes.get("sha256") {
        return Ok(told.clone());
    }
    match tree.backend.checksum(&info.path, ChecksumAlgorithm::Sha256) {
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            stand_in::checksum(tree.backend, &info.path, ChecksumAlgorithm::Sha256, cancel)
        }
        answer => answer,
    }
}

fn at(path: &BackendPath, side: Side) -> impl FnOnce(Error) -> Error {
    let path = path.clone();
    move |error| error.at(path).with("side", side)
}

/// What has nothing to do with the one file that met it.
fn all_would_fail(kind: ErrorKind) -> bool {
    use ErrorKind::*;
    matches!(kind, Authentication | QuotaExceeded | ReadOnly | StorageFull)
}

/// Content on its way: counted, told of, and ended when somebody asks to stop.
struct Passing<'r, 'a, R> {
    reader: R,
    count: u64,
    /// Whether the source failed.
    failed: bool,
    run: &'r Run<'a>,
}

impl<R: Read> Read for Passing<'_, '_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.run.options.cancel.check()?;
        let count = self.reader.read(buffer).inspect_err(|_| self.failed = true)?;
        self.count += count as u64;
        self.run.tell(MirrorEvent::Sent { bytes: count as u64 });
        Ok(count)
    }
}
