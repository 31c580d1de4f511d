//! The contract over the working tree: the tree does the work, and a lock keeps it and synchronisation apart.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard},
};

use f9_plugin_api::{
    BackendPath, ByteRange, Bytes, Capabilities, Content, Context, CopyOptions, CreateOptions, DeleteOptions,
    Entries, Error, ErrorKind, FileBackend, FileInfo, FileWriter, ListOptions, Reader, Result,
    SyncFileBackend, UpdateMode, log, serde_json::Value,
};
use f9_tree::{Tree, TreeOptions};
use git2::Oid;

use crate::{
    commands, damage,
    dotgit::is_dot_git,
    journal::Journal,
    open,
    options::{Options, Settings},
    repair,
    repository::{Locks, Repo},
};

/// What every backend of this plugin can do beyond the basic operations.
pub(crate) const CAPABILITIES: Capabilities =
    Tree::CAPABILITIES.union(Capabilities::SYNC).union(Capabilities::COMMAND);

/// A working tree and the repository it belongs to.
pub(crate) struct GitBackend {
    tree: Tree,
    settings: Arc<Settings>,
    /// `None` as long as it could not be opened, because it is damaged or a pull is pending: files can be read all the same.
    repo: Mutex<Option<Repo>>,
    guard: TreeGuard,
}

/// What a change of a single file needs to know of the repository: enough to wait for its turn.
#[derive(Debug, Clone)]
struct TreeGuard {
    locks: Locks,
    journal: Journal,
    context: Context,
}

impl GitBackend {
    /// Opens the clone, or makes it.
    pub(crate) fn open(options: Options, context: Context) -> Result<Self> {
        let settings = Arc::new(Settings::from_options(options)?);
        open::make_if_missing(&settings, &context)?;
        let repo = match open_repo(&settings, &context) {
            Err(error) if damage::leaves_files_readable(&error) => {
                let advice = error.advice().unwrap_or_default();
                log::warn!("{}; files can be read: {advice}", error.message());
                None
            }
            repo => Some(repo?),
        };
        let options = TreeOptions::default().create_root(false).reserved(|name| is_dot_git(name.as_bytes()));
        let tree = Tree::open(&settings.path, options)?;
        let (locks, journal) = match &repo {
            Some(repo) => (repo.locks.clone(), repo.journal.clone()),
            None => Repo::keepers(&settings.path.join(".git/f9"), &settings),
        };
        let guard = TreeGuard { locks, journal, context };
        Ok(Self { tree, settings, repo: Mutex::new(repo), guard })
    }

    /// Runs one operation of this clone at a time, here and in other processes, on a tree that is whole.
    pub(crate) fn operate<T>(&self, work: impl FnOnce(&Repo) -> Result<T>) -> Result<T> {
        let mut repo = self.lock()?;
        if repo.is_none() {
            *repo = Some(open_repo(&self.settings, &self.guard.context)?);
        }
        let Some(repo) = &*repo else { return Err(Error::unsupported("a clone that is not open")) };
        let worked = || {
            let operation = repo.locks.operation.hold(&repo.context)?;
            if operation.interrupted().is_some() || repo.needs_recovery() {
                let tree = repo.hold_tree()?;
                repo.recover(operation.interrupted().or(tree.interrupted())).map_err(damage::pending)?;
            }
            repo.check_state()?;
            work(repo).inspect_err(|_| repo.forget_unsaved())
        };
        worked().map_err(|error| damage::explain(error, &self.settings, &self.guard.context))
    }

    /// Goes back to before a pull that was interrupted or met conflicts.
    pub(crate) fn undo(&self) -> Result<Oid> {
        let mut repo = self.lock()?;
        // What is in memory of the repository is none of what will be.
        *repo = None;
        let fresh = Repo::at(&self.settings.path, Arc::clone(&self.settings), self.guard.context.clone());
        let undone = fresh.and_then(|fresh| {
            let _operation = fresh.locks.operation.hold(&fresh.context)?;
            let _tree = fresh.hold_tree()?;
            fresh.undo()
        });
        undone.map_err(|error| damage::explain(error, &self.settings, &self.guard.context))
    }

    /// Mends the clone, and tells in sentences what was done.
    pub(crate) fn repair(&self) -> Result<Vec<String>> {
        let mut repo = self.lock()?;
        *repo = None;
        let done = repair::repair(&self.settings, &self.guard.context)?;
        *repo = Some(open_repo(&self.settings, &self.guard.context)?);
        Ok(done)
    }

    fn lock(&self) -> Result<MutexGuard<'_, Option<Repo>>> {
        self.repo.lock().map_err(|_| {
            Error::new(ErrorKind::Panicked, "an earlier operation panicked").hint("open the connection anew")
        })
    }

    /// Changes files while no synchronisation reads or changes them.
    fn change<T>(&self, work: impl FnOnce(&Tree) -> Result<T>) -> Result<T> {
        let _shared = loop {
            let shared = self.guard.locks.tree.share(&self.guard.context)?;
            if !self.guard.journal.exists() {
                break shared;
            }
            drop(shared);
            self.operate(|_| Ok(()))?; // which finishes what was interrupted
        };
        work(&self.tree)
    }
}

impl FileBackend for GitBackend {
    fn capabilities(&self) -> Capabilities {
        CAPABILITIES
    }

    fn create(&self, path: &BackendPath, content: Content<'_>, options: CreateOptions) -> Result<FileInfo> {
        match content {
            Content::Bytes(_) => self.change(|tree| tree.create(path, content, options)),
            // The content may take its time to come, and nobody is to wait for it.
            Content::Reader(mut reader) => {
                let mut writer = self.open_write(path, options)?;
                io::copy(&mut reader, &mut writer)?;
                writer.commit()
            }
        }
    }

    fn create_dir(&self, path: &BackendPath, options: CreateOptions) -> Result<FileInfo> {
        self.change(|tree| tree.create_dir(path, options))
    }

    fn read(&self, path: &BackendPath) -> Result<Bytes> {
        self.tree.read(path)
    }

    fn read_range(&self, path: &BackendPath, range: ByteRange) -> Result<Bytes> {
        self.tree.read_range(path, range)
    }

    fn update(&self, path: &BackendPath, content: Content<'_>, mode: UpdateMode) -> Result<FileInfo> {
        self.change(|tree| tree.update(path, content, mode))
    }

    fn delete(&self, path: &BackendPath, options: DeleteOptions) -> Result<()> {
        self.change(|tree| tree.delete(path, options))
    }

    fn info(&self, path: &BackendPath) -> Result<FileInfo> {
        self.tree.info(path)
    }

    fn list(&self, path: &BackendPath, options: ListOptions) -> Result<Entries> {
        self.tree.list(path, options)
    }

    fn open_read(&self, path: &BackendPath, range: ByteRange) -> Result<Reader> {
        self.tree.open_read(path, range)
    }

    fn open_write(&self, path: &BackendPath, options: CreateOptions) -> Result<Box<dyn FileWriter>> {
        let writer = self.tree.open_write(path, options)?;
        Ok(Box::new(Writer { writer, guard: self.guard.clone() }))
    }

    fn copy(&self, from: &BackendPath, to: &BackendPath, options: CopyOptions) -> Result<FileInfo> {
        self.change(|tree| tree.copy(from, to, options))
    }

    fn rename(&self, from: &BackendPath, to: &BackendPath, options: CopyOptions) -> Result<FileInfo> {
        self.change(|tree| tree.rename(from, to, options))
    }

    fn command(&self, name: &str, arguments: &Value) -> Result<Value> {
        commands::run(self, name, arguments)
    }

    fn as_sync(&self) -> Option<&dyn SyncFileBackend> {
        Some(self)
    }
}

fn open_repo(settings: &Arc<Settings>, context: &Context) -> Result<Repo> {
    open::open(Arc::clone(settings), context.clone())
        .map_err(|error| damage::explain(error, settings, context))
}

/// A stream into the working tree. Only its end touches the tree, and waits for its turn.
struct Writer {
    writer: Box<dyn FileWriter>,
    guard: TreeGuard,
}

impl io::Write for Writer {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.writer.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

impl FileWriter for Writer {
    fn commit(&mut self) -> Result<FileInfo> {
        let _shared = self.guard.locks.tree.share(&self.guard.context)?;
        if self.guard.journal.exists() {
            let message = "an interrupted synchronisation has to be finished first";
            return Err(
                Error::new(ErrorKind::Busy, message).hint("pull, or write another file, then try again")
            );
        }
        self.writer.commit()
    }
}
