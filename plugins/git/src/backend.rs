//! The contract over the working tree: the tree does the work, and a lock keeps it and synchronisation apart.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use f9_plugin_api::{
    BackendPath, ByteRange, Bytes, Capabilities, Content, Context, CopyOptions, CreateOptions, DeleteOptions,
    Entries, Error, ErrorKind, FileBackend, FileInfo, FileWriter, ListOptions, Reader, Result,
    SyncFileBackend, UpdateMode, log, serde_json::Value,
};
use f9_tree::{Tree, TreeOptions};
use git2::Oid;

use crate::{
    commands,
    converted::{Attributes, Conversion, MAX_POINTER, pointer_size},
    damage,
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
    attributes: Arc<Mutex<Option<Attributes>>>,
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
        let attributes = repo.as_ref().map(Repo::attributes).transpose()?;
        let attributes = Arc::new(Mutex::new(attributes));
        Ok(Self { tree, settings, repo: Mutex::new(repo), guard, attributes })
    }

    /// Opens a clone that could not be opened before.
    fn open_again(&self) -> Result<Repo> {
        let repo = open_repo(&self.settings, &self.guard.context)?;
        let attributes = repo.attributes()?;
        *self.attributes.lock().unwrap_or_else(PoisonError::into_inner) = Some(attributes);
        Ok(repo)
    }

    /// Refuses content for a path whose files git keeps in another form. `None` is content that is not known yet.
    fn check_storable(&self, path: &BackendPath, content: Option<&[u8]>) -> Result<()> {
        check_storable(&self.attributes, path, content)
    }

    /// As [`check_storable`](Self::check_storable), for the content of another file.
    fn check_copy_storable(&self, from: &BackendPath, to: &BackendPath) -> Result<()> {
        let Some(conversion) = conversion_of(&self.attributes, to)? else { return Ok(()) };
        let is_file = self.tree.info(from).is_ok_and(|info| info.is_file());
        let is_stored_form = conversion.has_stored_form()
            && is_file
            && self
                .tree
                .read_range(from, ByteRange::from(0..MAX_POINTER as u64))
                .is_ok_and(|content| conversion.is_stored_form(&content));
        // What is missing, or a directory, is the tree's to tell.
        if is_file && !is_stored_form { Err(conversion.refusal(to.as_str().as_bytes())) } else { Ok(()) }
    }

    /// Adds the real size of a file of which there is only the pointer of Git LFS.
    fn with_lfs_size(&self, path: &BackendPath, info: FileInfo) -> Result<FileInfo> {
        if !info.is_file() || info.size == 0 || info.size >= MAX_POINTER as u64 {
            return Ok(info);
        }
        let is_lfs = match &*self.attributes.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(attributes) => attributes
                .conversion(path.as_str().as_bytes())?
                .is_some_and(|conversion| conversion.has_stored_form()),
            None => false,
        };
        if !is_lfs {
            return Ok(info);
        }
        let size = pointer_size(&self.tree.read(path)?);
        Ok(size.map_or(info.clone(), |size| info.attribute("lfs_size", size.to_string())))
    }

    /// Runs one operation of this clone at a time, here and in other processes, on a tree that is whole.
    pub(crate) fn operate<T>(&self, work: impl FnOnce(&Repo) -> Result<T>) -> Result<T> {
        let mut repo = self.lock()?;
        if repo.is_none() {
            *repo = Some(self.open_again()?);
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
        *repo = Some(self.open_again()?);
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
            Content::Bytes(bytes) => {
                self.check_storable(path, Some(bytes))?;
                self.change(|tree| tree.create(path, content, options))
            }
            // The content may take its time to come, and nobody is to wait for it.
            Content::Reader(mut reader) => {
                let mut writer = self.open_write(path, options)?;
                io::copy(&mut reader, &mut writer)?;
                writer.commit()
            }
        }
    }

    fn create_dir(&self, path: &BackendPath, options: CreateOptions) -> Result<FileInfo> {
        conversion_of(&self.attributes, path)?;
        self.change(|tree| tree.create_dir(path, options))
    }

    fn read(&self, path: &BackendPath) -> Result<Bytes> {
        self.tree.read(path)
    }

    fn read_range(&self, path: &BackendPath, range: ByteRange) -> Result<Bytes> {
        self.tree.read_range(path, range)
    }

    fn update(&self, path: &BackendPath, content: Content<'_>, mode: UpdateMode) -> Result<FileInfo> {
        let bytes = match (&content, mode) {
            (Content::Bytes(bytes), UpdateMode::Replace) => Some(&**bytes),
            _ => None,
        };
        self.check_storable(path, bytes)?;
        self.change(|tree| tree.update(path, content, mode))
    }

    fn delete(&self, path: &BackendPath, options: DeleteOptions) -> Result<()> {
        conversion_of(&self.attributes, path)?;
        self.change(|tree| tree.delete(path, options))
    }

    fn info(&self, path: &BackendPath) -> Result<FileInfo> {
        let info = self.tree.info(path)?;
        self.with_lfs_size(path, info)
    }

    fn list(&self, path: &BackendPath, options: ListOptions) -> Result<Entries> {
        self.tree.list(path, options)
    }

    fn open_read(&self, path: &BackendPath, range: ByteRange) -> Result<Reader> {
        self.tree.open_read(path, range)
    }

    fn open_write(&self, path: &BackendPath, options: CreateOptions) -> Result<Box<dyn FileWriter>> {
        let conversion = conversion_of(&self.attributes, path)?;
        if let Some(conversion) = conversion.filter(|conversion| !conversion.has_stored_form()) {
            return Err(conversion.refusal(path.as_str().as_bytes()));
        }
        let writer = self.tree.open_write(path, options)?;
        Ok(Box::new(Writer {
            writer,
            guard: self.guard.clone(),
            path: path.clone(),
            attributes: Arc::clone(&self.attributes),
            beginning: Vec::new(),
        }))
    }

    fn copy(&self, from: &BackendPath, to: &BackendPath, options: CopyOptions) -> Result<FileInfo> {
        self.check_copy_storable(from, to)?;
        self.change(|tree| tree.copy(from, to, options))
    }

    fn rename(&self, from: &BackendPath, to: &BackendPath, options: CopyOptions) -> Result<FileInfo> {
        conversion_of(&self.attributes, from)?;
        self.check_copy_storable(from, to)?;
        self.change(|tree| tree.rename(from, to, options))
    }

    fn command(&self, name: &str, arguments: &Value) -> Result<Value> {
        commands::run(self, name, arguments)
    }

    fn as_sync(&self) -> Option<&dyn SyncFileBackend> {
        Some(self)
    }
}

fn check_storable(
    attributes: &Mutex<Option<Attributes>>,
    path: &BackendPath,
    content: Option<&[u8]>,
) -> Result<()> {
    match conversion_of(attributes, path)? {
        Some(conversion) if !content.is_some_and(|content| conversion.is_stored_form(content)) => {
            Err(conversion.refusal(path.as_str().as_bytes()))
        }
        _ => Ok(()),
    }
}

/// The attribute by which git would convert the file at `path`. Refuses what is not of this repository.
fn conversion_of(attributes: &Mutex<Option<Attributes>>, path: &BackendPath) -> Result<Option<Conversion>> {
    if path.is_root() {
        return Ok(None);
    }
    // Nothing is left half done by a panic: it only reads.
    let attributes = attributes.lock().unwrap_or_else(PoisonError::into_inner);
    // Of a clone that is damaged nothing is known, and nothing published: whoever mends it looks at every file again.
    let Some(attributes) = &*attributes else { return Ok(None) };
    attributes.check_is_of_this_repository(path.as_str().as_bytes())?;
    attributes.conversion(path.as_str().as_bytes())
}

fn open_repo(settings: &Arc<Settings>, context: &Context) -> Result<Repo> {
    damage::check_objects(settings, context)?;
    open::open(Arc::clone(settings), context.clone())
        .map_err(|error| damage::explain(error, settings, context))
}

/// A stream into the working tree. Only its end touches the tree, and waits for its turn.
struct Writer {
    writer: Box<dyn FileWriter>,
    guard: TreeGuard,
    path: BackendPath,
    attributes: Arc<Mutex<Option<Attributes>>>,
    /// As much of the content as tells whether it is a pointer of Git LFS.
    beginning: Vec<u8>,
}

impl io::Write for Writer {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.writer.write(buffer)?;
        let wanted = MAX_POINTER.saturating_sub(self.beginning.len()).min(written);
        self.beginning.extend_from_slice(&buffer[..wanted]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

impl FileWriter for Writer {
    fn commit(&mut self) -> Result<FileInfo> {
        check_storable(&self.attributes, &self.path, Some(&self.beginning))?;
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
