//! An open vector store: what all operations share.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use f9_plugin_api::{BackendPath, Context, Error, ErrorKind, Result, log};

use crate::{
    api::Api,
    catalog::Catalog,
    failure::Failure,
    index::{Entry, Index, Node, Version},
    locks::PathLocks,
    options::{Encoding, OpenAiOptions},
    record::{Digest, Record},
    types::{Status, StoreFile},
};

/// The shortest and the longest pause between two looks at a file that is being indexed, unless the service asks for
/// another. The SDKs' is the longest.
const POLL_FIRST: Duration = Duration::from_millis(20);
const POLL_LAST: Duration = Duration::from_secs(1);

/// How many looks in a row have to miss a file that was seen before it is taken to be gone: not all of the service knows
/// the same.
const MISSED: u32 = 3;

/// How long what came to nothing is taken back after a cancellation.
const UNDOING: Duration = Duration::from_secs(15);

/// The longest pause that the service is granted.
const POLL_MAX: Duration = Duration::from_secs(10);

/// An open vector store.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) api: Api,
    /// For taking back what came to nothing, also after a cancellation.
    undoing: Api,
    /// Until when that goes on after a cancellation.
    undoing_ends: OnceLock<Instant>,
    /// Whether a write has looked for what interrupted ones have left.
    pub(crate) is_swept: AtomicBool,
    pub(crate) catalog: Catalog,
    pub(crate) locks: PathLocks,
    pub(crate) encoding: Encoding,
    pub(crate) context: Context,
    index_timeout: Duration,
    /// Whether files can be downloaded as they were uploaded; the vendor's own service refuses.
    downloads: AtomicBool,
    /// What the names of this store's uploads begin with.
    name_prefix: String,
}

/// A file that the service is done with, well or not.
#[derive(Debug)]
pub(crate) struct Settled {
    pub(crate) file: StoreFile,
    /// Whether the service knows it by its id: one that was just attached may not be known everywhere.
    pub(crate) known: bool,
}

impl Store {
    pub(crate) fn open(options: &OpenAiOptions, context: Context) -> Result<Self> {
        let cache_ttl = OpenAiOptions::seconds("cache_ttl", options.cache_ttl)?;
        let index_timeout = OpenAiOptions::seconds("index_timeout", options.index_timeout)?;
        let api = Api::new(options, context.clone())?;
        let tag = Digest::of(options.vector_store_id.as_bytes()).to_string();
        Ok(Self {
            downloads: AtomicBool::new(!api.is_original()),
            undoing: api.for_undoing(),
            undoing_ends: OnceLock::new(),
            is_swept: AtomicBool::new(false),
            api,
            catalog: Catalog::new(cache_ttl),
            locks: PathLocks::default(),
            encoding: options.encoding,
            context,
            index_timeout,
            name_prefix: format!("f9-{}-", &tag[..16]),
        })
    }

    /// What the names of this store's uploads begin with: other stores of the account have files as well. With
    /// `directory`, of those that belong below this directory of the root.
    pub(crate) fn name_prefix(&self, directory: Option<&str>) -> String {
        let mut prefix = self.name_prefix.clone();
        if let Some(directory) = directory {
            let tag = Digest::of(directory.as_bytes()).to_string();
            prefix.push_str(&tag[..8]);
            prefix.push('-');
        }
        prefix
    }

    /// The name to upload a part under: a killed run leaves no more behind than this to tell what it belongs to.
    pub(crate) fn upload_name(&self, record: &Record, extension: &str) -> String {
        let top = record.path.as_str().split('/').next();
        format!("{}{}-{}.{extension}", self.name_prefix(top), record.generation, record.part)
    }

    pub(crate) fn downloads_work(&self) -> bool {
        self.downloads.load(Ordering::Relaxed)
    }

    pub(crate) fn downloads_are_refused(&self) {
        self.downloads.store(false, Ordering::Relaxed);
    }

    /// Waits until the service has indexed a file, or failed to. While it does not know the file, `replaced` is asked.
    pub(crate) fn settle(
        &self,
        mut file: StoreFile,
        replaced: &dyn Fn() -> Result<bool>,
    ) -> Result<Settled, Failure> {
        let deadline = Instant::now() + self.index_timeout;
        let (mut pause, mut known, mut missed) = (POLL_FIRST, false, 0);
        loop {
            match file.status {
                Status::Completed | Status::Failed | Status::Cancelled => return Ok(Settled { file, known }),
                Status::InProgress | Status::Unknown => {}
            }
            if Instant::now() >= deadline {
                let seconds = self.index_timeout.as_secs_f32();
                let message = format!("the service has not indexed the file within {seconds} s");
                let error = Error::new(ErrorKind::Timeout, message);
                return Err(error.hint("try again later, or raise `index_timeout`").into());
            }
            self.pause(pause)?;
            pause = (pause * 2).min(POLL_LAST);
            match self.api.retrieve(&file.id) {
                Ok((answer, wish)) => {
                    pause = wish.map_or(pause, |wish| wish.min(POLL_MAX));
                    (known, missed) = (true, 0);
                    file.status = answer.status;
                    file.last_error = answer.last_error;
                }
                // A file that was just attached may not be known everywhere yet, or not any more.
                Err(failure) if failure.is_missing() => {
                    missed += 1;
                    if known && missed >= MISSED || pause >= POLL_LAST && replaced()? {
                        let message = "another process removed or replaced this version while it was written";
                        return Err(Error::new(ErrorKind::Busy, message)
                            .hint("look at what is there now")
                            .into());
                    }
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    fn pause(&self, mut pause: Duration) -> Result<()> {
        const TICK: Duration = Duration::from_millis(50);
        while !pause.is_zero() {
            self.context.check_cancelled()?;
            thread::sleep(pause.min(TICK));
            pause = pause.saturating_sub(TICK);
        }
        self.context.check_cancelled()
    }

    /// The service for taking back what came to nothing. After a cancellation there is not much time left for it all.
    pub(crate) fn undoing(&self) -> Result<&Api> {
        if self.context.is_cancelled() {
            let ends = *self.undoing_ends.get_or_init(|| Instant::now() + UNDOING);
            if Instant::now() >= ends {
                return Err(Error::new(
                    ErrorKind::Timeout,
                    "there is no more time for it after the cancellation",
                ));
            }
        }
        Ok(&self.undoing)
    }

    /// Takes an entry out of the store, and deletes its file. What cannot be deleted is left to a sweep.
    pub(crate) fn discard(&self, id: &str) -> Result<(), Failure> {
        self.api.detach(id)?;
        self.catalog.index().remove(id);
        if let Err(failure) = self.api.delete_file(id) {
            log::warn!("the file {id} is left to the next sweep: {}", Error::from(failure));
        }
        Ok(())
    }

    /// Takes away what is no longer needed; what stays is left to a sweep.
    pub(crate) fn tidy(&self, entries: &[Entry]) {
        for entry in entries {
            if let Err(failure) = self.discard(&entry.id) {
                let error = Error::from(failure);
                log::warn!("{}: an old version is left to the next sweep: {error}", entry.record.path);
            }
        }
    }
}

/// What is at a path that is needed as a file or directory.
pub(crate) fn find(index: &Index, path: &BackendPath) -> Result<Node> {
    check_way(index, path)?;
    index.node(path).ok_or_else(|| Error::new(ErrorKind::NotFound, "no such file or directory").at(path))
}

/// The version of a file that must exist.
pub(crate) fn find_file(index: &Index, path: &BackendPath) -> Result<Version> {
    path.split()?;
    match find(index, path)? {
        Node::File(version) => Ok(version),
        Node::Directory(_) => Err(is_a_directory(path)),
    }
}

/// Refuses a path that has a file on the way.
pub(crate) fn check_way(index: &Index, path: &BackendPath) -> Result<()> {
    let above = std::iter::successors(path.parent(), BackendPath::parent);
    for ancestor in above.filter(|ancestor| !ancestor.is_root()) {
        if let Some(Node::File(_)) = index.node(&ancestor) {
            let message = format!("`{ancestor}` is a file, not a directory");
            return Err(Error::new(ErrorKind::NotADirectory, message).at(path));
        }
    }
    Ok(())
}

pub(crate) fn is_a_directory(path: &BackendPath) -> Error {
    Error::new(ErrorKind::IsADirectory, "this is a directory").at(path)
}

pub(crate) fn not_a_directory(path: &BackendPath) -> Error {
    Error::new(ErrorKind::NotADirectory, "this is a file").at(path)
}

pub(crate) fn already_exists(path: &BackendPath) -> Error {
    Error::new(ErrorKind::AlreadyExists, "there is something at this path")
        .at(path)
        .hint("ask to overwrite it, or choose another path")
}
