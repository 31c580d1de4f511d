//! The store that is checked: a directory of it that nobody else uses.

use std::{
    collections::BTreeMap,
    hash::{BuildHasher, RandomState},
    io::Read,
    num::NonZeroUsize,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use f9_host::{
    Backend, BackendPath, CancelToken, ChecksumAlgorithm, Connection, Error, ErrorKind, FileBackend,
    FileInfo, Host, MirrorEvent, MirrorOptions, Result, Tree, mirror,
    serde_json::{Value, json},
};

use crate::cli::{progress::Progress, sizes::human};

/// What the directories of all checks begin with.
const PREFIX: &str = "f9-live-check-";

/// How long listings and the search may lag behind.
const PATIENCE: Duration = Duration::from_secs(300);

/// How often it is looked again meanwhile.
const PAUSE: Duration = Duration::from_secs(1);

/// How often it is swept at most: a listing of uploads may lag behind, too.
const SWEEPS: usize = 10;

/// A store, and the directory in it.
pub(super) struct Vault {
    connection: Connection,
    directory: String,
    jobs: NonZeroUsize,
    cancel: CancelToken,
    pub(super) progress: Progress,
}

impl Vault {
    pub(super) fn new(
        connection: Connection,
        jobs: NonZeroUsize,
        cancel: CancelToken,
        progress: Progress,
    ) -> Self {
        let directory = format!("{PREFIX}{:016x}", RandomState::new().hash_one(0));
        Self { connection, directory, jobs, cancel, progress }
    }

    /// The name of the directory.
    pub(super) fn directory(&self) -> &str {
        &self.directory
    }

    /// Whether the store can be listed, and whether an earlier check has left something.
    pub(super) fn look(&self, host: &Host) -> Result<String> {
        let mut names = Vec::new();
        for entry in self.open(host)?.list("/")? {
            names.push(entry?.path.as_str().to_owned());
        }
        let earlier: Vec<_> = names.iter().filter(|name| name.starts_with(PREFIX)).cloned().collect();
        let mut detail = format!("{} entries at its root", names.len());
        if !earlier.is_empty() {
            let are = "to be deleted unless such a check is running";
            detail.push_str(&format!("; of other checks {are}: {}", earlier.join(", ")));
        }
        Ok(detail)
    }

    /// What the service does where its documentation is silent.
    pub(super) fn observe(&self, host: &Host) -> Result<Vec<Value>> {
        let backend = self.open(host)?;
        let arguments = json!({"directory": self.directory});
        let mut answer = backend.command("probe", &arguments)?;
        match answer["observations"].take() {
            Value::Array(observations) => Ok(observations),
            _ => {
                Err(Error::new(ErrorKind::Other, "the plugin's command `probe` did not answer observations"))
            }
        }
    }

    /// Brings all files of a tree to the store.
    pub(super) fn mirror(&self, host: &Host, source: &Backend) -> Result<String> {
        let Mirrored { copied, bytes, same, left_out } = self.bring(host, source)?;
        let mut detail = format!("{copied} files ({}), {same} unchanged", human(bytes));
        if left_out > 0 {
            let links = if left_out == 1 { "link" } else { "links" };
            detail.push_str(&format!(", {left_out} {links} left out"));
        }
        Ok(detail)
    }

    /// Finds everything the same.
    pub(super) fn mirror_again(&self, host: &Host, source: &Backend) -> Result<String> {
        let Mirrored { copied, same, .. } = self.bring(host, source)?;
        if copied > 0 {
            let message = format!("{copied} files were stored again although nothing has changed");
            return Err(Error::new(ErrorKind::Integrity, message));
        }
        Ok(format!("{same} unchanged"))
    }

    fn bring(&self, host: &Host, source: &Backend) -> Result<Mirrored> {
        let (root, path) = (BackendPath::root(), self.path("files")?);
        let options = MirrorOptions::default().parallel(self.jobs).cancel(self.cancel.clone());
        let store = self.open(host)?;
        let seen = Mutex::new(Seen::default());
        let report = mirror(
            Tree { backend: source, path: &root },
            Tree { backend: &store, path: &path },
            &options,
            &|event| seen.lock().unwrap_or_else(PoisonError::into_inner).take(event, &self.progress),
        )?;
        self.cancel.check()?;
        let seen = seen.into_inner().unwrap_or_else(PoisonError::into_inner);
        match seen.failure {
            Some(failure) => Err(failure),
            None => Ok(Mirrored {
                copied: report.copied,
                bytes: report.bytes,
                same: report.same,
                left_out: seen.left_out,
            }),
        }
    }

    /// Waits until a connection that has nothing but the listing to go by sees every file as it is.
    pub(super) fn wait_for_listing(&self, host: &Host, source: &Backend) -> Result<String> {
        let mut expected = BTreeMap::new();
        for info in files(source)? {
            self.cancel.check()?;
            let checksum = source.checksum(info.path.as_str(), ChecksumAlgorithm::Sha256)?;
            expected.insert(self.stored(&info.path)?, checksum);
        }
        let other = self.open_caching(host, 0)?;
        let start = Instant::now();
        loop {
            let listed = match other.list_recursive(self.directory.as_str()) {
                Ok(entries) => entries.collect::<Result<Vec<_>>>()?,
                Err(error) if error.is_not_found() => Vec::new(),
                Err(error) => return Err(error),
            };
            let listed: BTreeMap<_, _> = listed
                .into_iter()
                .map(|info| (info.path, info.attributes.get("sha256").cloned().unwrap_or_default()))
                .collect();
            let missing = expected.iter().find(|(path, checksum)| listed.get(path) != Some(checksum));
            let Some((path, _)) = missing else {
                let lag = start.elapsed().as_secs_f64();
                return Ok(format!("{} files, complete after {lag:.1} s", expected.len()));
            };
            self.be_patient(start, "the listing does not show what was stored").map_err(|e| e.at(path))?;
        }
    }

    /// Reads every file from the store, with a connection that has written none of them, and compares it.
    pub(super) fn compare(&self, host: &Host, source: &Backend) -> Result<String> {
        let store = self.open(host)?;
        let files = files(source)?;
        let (next, bytes) = (AtomicUsize::new(0), AtomicU64::new(0));
        let failure = Mutex::new(None);
        let worker = || {
            while let Some(info) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                match self.cancel.check().and_then(|()| self.compare_file(source, &store, info)) {
                    Ok(size) => {
                        bytes.fetch_add(size, Ordering::Relaxed);
                        let done = next.load(Ordering::Relaxed).min(files.len());
                        self.progress.show(|_| format!("compare: {done} of {} files", files.len()));
                    }
                    Err(error) => {
                        next.store(files.len(), Ordering::Relaxed);
                        failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                    }
                }
            }
        };
        thread::scope(|scope| {
            // One worker is this thread: others may not be to be had.
            (1..self.jobs.get()).for_each(|_| drop(thread::Builder::new().spawn_scoped(scope, worker)));
            worker();
        });
        match failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(error) => Err(error),
            None => {
                Ok(format!("{} files, {}, all the same", files.len(), human(bytes.load(Ordering::Relaxed))))
            }
        }
    }

    fn compare_file(&self, source: &Backend, store: &Backend, info: &FileInfo) -> Result<u64> {
        let stored = self.stored(&info.path)?;
        let mut expected = source.open_read(info.path.as_str())?;
        let mut found = store.open_read(stored.as_str())?;
        let (mut one, mut other) = (vec![0; 64 << 10], vec![0; 64 << 10]);
        let mut offset = 0;
        loop {
            let length = fill(&mut expected, &mut one)?;
            if fill(&mut found, &mut other)? != length || one[..length] != other[..length] {
                let message = format!("other bytes came back, from byte {offset} on at the latest");
                return Err(Error::new(ErrorKind::Integrity, message).at(&stored));
            }
            offset += length as u64;
            if length < one.len() {
                return Ok(offset);
            }
        }
    }

    /// Stores a text, and finds it by what is in it.
    pub(super) fn search(&self, host: &Host) -> Result<String> {
        let store = self.open(host)?;
        let path = self.path("lighthouse.txt")?;
        store.create(path.as_str(), "The lighthouse keeper writes a letter to the sea every evening.\n")?;
        let search = store
            .as_search()
            .ok_or_else(|| Error::new(ErrorKind::Unsupported, "the plugin cannot search"))?;
        let filters = json!({"type": "eq", "key": "path", "value": path.as_str()});
        let start = Instant::now();
        loop {
            let hits = search.search("what does the lighthouse keeper write?", 5, &filters)?;
            if let Some(hit) = hits.iter().find(|hit| hit.path == path) {
                return Ok(format!(
                    "found after {:.1} s, score {:.2}",
                    start.elapsed().as_secs_f64(),
                    hit.score
                ));
            }
            self.be_patient(start, "the search does not find what was stored").map_err(|e| e.at(&path))?;
        }
    }

    /// Takes everything away that the check has stored, complete or not.
    pub(super) fn clean(&self, host: &Host) -> Result<String> {
        let store = self.open_caching(host, 0)?;
        let arguments = json!({"min_age": 0, "directory": self.directory});
        let mut swept = 0;
        for round in 0..SWEEPS {
            let deleted = match store.delete_recursive(self.directory.as_str()) {
                Ok(()) => true,
                Err(error) if error.is_not_found() => false,
                Err(error) => return Err(error),
            };
            let answer = store.command("sweep", &arguments)?;
            let count = |key: &str| answer[key].as_array().map_or(0, Vec::len);
            swept += count("removed");
            if count("failed") > 0 {
                let message = format!("{} orphans could not be removed", count("failed"));
                return Err(Error::new(ErrorKind::Other, message).with("answer", &answer));
            }
            if round > 0 && !deleted && count("removed") == 0 {
                let of = if swept > 0 { format!(", {swept} orphans swept") } else { String::new() };
                return Ok(format!("`{}` deleted{of}", self.directory));
            }
            thread::sleep(if round == 0 { Duration::ZERO } else { PAUSE });
        }
        let message = format!("there was still something to remove after {SWEEPS} times");
        Err(Error::new(ErrorKind::Other, message).at(&self.directory))
    }

    fn be_patient(&self, start: Instant, otherwise: &str) -> Result<()> {
        if start.elapsed() >= PATIENCE {
            let message = format!("{otherwise} within {} s", PATIENCE.as_secs());
            return Err(Error::new(ErrorKind::Timeout, message));
        }
        let waited = start.elapsed().as_secs();
        self.progress.show(|_| format!("waiting: {otherwise}; {waited} s of {} s", PATIENCE.as_secs()));
        let end = Instant::now() + PAUSE;
        while Instant::now() < end {
            self.cancel.check()?;
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// A connection of its own, which has nothing but the store to go by.
    fn open(&self, host: &Host) -> Result<Backend> {
        self.open_caching(host, 3600)
    }

    fn open_caching(&self, host: &Host, seconds: u32) -> Result<Backend> {
        host.open(self.connection.clone().with_option("cache_ttl", seconds))
    }

    fn path(&self, below: &str) -> Result<BackendPath> {
        BackendPath::parse(&format!("{}/{below}", self.directory))
    }

    /// Where a file of the tree is in the store.
    fn stored(&self, path: &BackendPath) -> Result<BackendPath> {
        self.path(&format!("files/{path}"))
    }
}

/// What mirroring has done.
struct Mirrored {
    copied: u64,
    bytes: u64,
    same: u64,
    /// Links that lead to no file, which have no content to store.
    left_out: u64,
}

/// What was told while mirroring.
#[derive(Default)]
struct Seen {
    planned: u64,
    done: u64,
    left_out: u64,
    failure: Option<Error>,
}

impl Seen {
    fn take(&mut self, event: MirrorEvent<'_>, progress: &Progress) {
        match event {
            MirrorEvent::Planned { files, .. } => self.planned = files,
            MirrorEvent::Copied { .. } | MirrorEvent::Same { .. } => self.done += 1,
            MirrorEvent::Failed { error } if is_of_source(error) => self.left_out += 1,
            MirrorEvent::Failed { error } if self.failure.is_none() => self.failure = Some(copy(error)),
            _ => {}
        }
        progress.show(|_| format!("mirror: {} of {} files", self.done, self.planned));
    }
}

fn is_of_source(error: &Error) -> bool {
    error.context().any(|(name, value)| name == "side" && value == "source")
}

/// An error that is needed in two places.
fn copy(error: &Error) -> Error {
    let mut copy = Error::new(error.kind(), error.message());
    if let Some(path) = error.path() {
        copy = copy.at(path);
    }
    copy = error.context().fold(copy, |copy, (name, value)| copy.with(name, value));
    match error.advice() {
        Some(advice) => copy.hint(advice),
        None => copy,
    }
}

/// All files of a tree.
pub(super) fn files(tree: &Backend) -> Result<Vec<FileInfo>> {
    let entries = tree.list_recursive("/")?.collect::<Result<Vec<_>>>()?;
    Ok(entries.into_iter().filter(FileInfo::is_file).collect())
}

/// Reads until the buffer is full or nothing more comes.
fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match reader.read(&mut buffer[length..])? {
            0 => break,
            read => length += read,
        }
    }
    Ok(length)
}
