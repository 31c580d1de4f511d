//! A backend whose operations can be exchanged one by one.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::sleep,
    time::Duration,
};

use f9_plugin_api::{
    BackendPath, ByteRange, Bytes, Capabilities, ChecksumAlgorithm, Content, CopyOptions, CreateOptions,
    DeleteOptions, Entries, Error, ErrorKind, FileBackend, FileInfo, FileWriter, ListOptions, Reader, Result,
    SearchBackend, SyncFileBackend, UpdateMode, conformance::StrictMemory, serde_json::Value,
};

/// A conforming backend (`inner`) behind exchangeable operations.
pub(crate) struct Mutant {
    pub(crate) inner: Arc<StrictMemory>,
    /// Whatever a mutant wants to remember.
    pub(crate) memory: Mutex<Vec<FileInfo>>,
    ops: Ops,
}

impl Mutant {
    pub(crate) fn new(ops: Ops) -> Self {
        Self { inner: Arc::new(StrictMemory::new()), memory: Mutex::new(Vec::new()), ops }
    }

    pub(crate) fn memory(&self) -> MutexGuard<'_, Vec<FileInfo>> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is wrong with a mutant, the case that has to notice, and its operations.
pub(crate) type Row = (&'static str, &'static str, Ops);

/// A row with some operations changed.
pub(crate) fn mutant(wrong: &'static str, case: &'static str, change: impl FnOnce(&mut Ops)) -> Row {
    let mut ops = RIGHT;
    change(&mut ops);
    (wrong, case, ops)
}

/// The operations of the contract, each called with the mutant that it belongs to.
#[derive(Clone, Copy)]
pub(crate) struct Ops {
    pub(crate) capabilities: fn(&Mutant) -> Capabilities,
    pub(crate) create: fn(&Mutant, &BackendPath, Content<'_>, CreateOptions) -> Result<FileInfo>,
    pub(crate) create_dir: fn(&Mutant, &BackendPath, CreateOptions) -> Result<FileInfo>,
    pub(crate) read: fn(&Mutant, &BackendPath) -> Result<Bytes>,
    pub(crate) read_range: fn(&Mutant, &BackendPath, ByteRange) -> Result<Bytes>,
    pub(crate) update: fn(&Mutant, &BackendPath, Content<'_>, UpdateMode) -> Result<FileInfo>,
    pub(crate) delete: fn(&Mutant, &BackendPath, DeleteOptions) -> Result<()>,
    pub(crate) info: fn(&Mutant, &BackendPath) -> Result<FileInfo>,
    pub(crate) list: fn(&Mutant, &BackendPath, ListOptions) -> Result<Entries>,
    pub(crate) open_read: fn(&Mutant, &BackendPath, ByteRange) -> Result<Reader>,
    pub(crate) open_write: fn(&Mutant, &BackendPath, CreateOptions) -> Result<Box<dyn FileWriter>>,
    pub(crate) copy: fn(&Mutant, &BackendPath, &BackendPath, CopyOptions) -> Result<FileInfo>,
    pub(crate) rename: fn(&Mutant, &BackendPath, &BackendPath, CopyOptions) -> Result<FileInfo>,
    pub(crate) checksum: fn(&Mutant, &BackendPath, ChecksumAlgorithm) -> Result<String>,
    pub(crate) command: fn(&Mutant, &str, &Value) -> Result<Value>,
    pub(crate) sync: fn(&Mutant) -> Option<&dyn SyncFileBackend>,
    pub(crate) search: fn(&Mutant) -> Option<&dyn SearchBackend>,
}

/// Every operation as it should be.
pub(crate) const RIGHT: Ops = Ops {
    capabilities: |m| m.inner.capabilities(),
    create: |m, path, content, options| m.inner.create(path, content, options),
    create_dir: |m, path, options| m.inner.create_dir(path, options),
    read: |m, path| m.inner.read(path),
    read_range: |m, path, range| m.inner.read_range(path, range),
    update: |m, path, content, mode| m.inner.update(path, content, mode),
    delete: |m, path, options| m.inner.delete(path, options),
    info: |m, path| m.inner.info(path),
    list: |m, path, options| m.inner.list(path, options),
    open_read: |m, path, range| m.inner.open_read(path, range),
    open_write: |m, path, options| m.inner.open_write(path, options),
    copy: |m, from, to, options| m.inner.copy(from, to, options),
    rename: |m, from, to, options| m.inner.rename(from, to, options),
    checksum: |m, path, algorithm| m.inner.checksum(path, algorithm),
    command: |m, name, arguments| m.inner.command(name, arguments),
    sync: |_| None,
    search: |_| None,
};

impl FileBackend for Mutant {
    fn capabilities(&self) -> Capabilities {
        (self.ops.capabilities)(self)
    }

    fn create(&self, path: &BackendPath, content: Content<'_>, options: CreateOptions) -> Result<FileInfo> {
        (self.ops.create)(self, path, content, options)
    }

    fn create_dir(&self, path: &BackendPath, options: CreateOptions) -> Result<FileInfo> {
        (self.ops.create_dir)(self, path, options)
    }

    fn read(&self, path: &BackendPath) -> Result<Bytes> {
        (self.ops.read)(self, path)
    }

    fn read_range(&self, path: &BackendPath, range: ByteRange) -> Result<Bytes> {
        (self.ops.read_range)(self, path, range)
    }

    fn update(&self, path: &BackendPath, content: Content<'_>, mode: UpdateMode) -> Result<FileInfo> {
        (self.ops.update)(self, path, content, mode)
    }

    fn delete(&self, path: &BackendPath, options: DeleteOptions) -> Result<()> {
        (self.ops.delete)(self, path, options)
    }

    fn info(&self, path: &BackendPath) -> Result<FileInfo> {
        (self.ops.info)(self, path)
    }

    fn list(&self, path: &BackendPath, options: ListOptions) -> Result<Entries> {
        (self.ops.list)(self, path, options)
    }

    fn open_read(&self, path: &BackendPath, range: ByteRange) -> Result<Reader> {
        (self.ops.open_read)(self, path, range)
    }

    fn open_write(&self, path: &BackendPath, options: CreateOptions) -> Result<Box<dyn FileWriter>> {
        (self.ops.open_write)(self, path, options)
    }

    fn copy(&self, from: &BackendPath, to: &BackendPath, options: CopyOptions) -> Result<FileInfo> {
        (self.ops.copy)(self, from, to, options)
    }

    fn rename(&self, from: &BackendPath, to: &BackendPath, options: CopyOptions) -> Result<FileInfo> {
        (self.ops.rename)(self, from, to, options)
    }

    fn checksum(&self, path: &BackendPath, algorithm: ChecksumAlgorithm) -> Result<String> {
        (self.ops.checksum)(self, path, algorithm)
    }

    fn command(&self, name: &str, arguments: &Value) -> Result<Value> {
        (self.ops.command)(self, name, arguments)
    }

    fn as_sync(&self) -> Option<&dyn SyncFileBackend> {
        (self.ops.sync)(self)
    }

    fn as_search(&self) -> Option<&dyn SearchBackend> {
        (self.ops.search)(self)
    }
}

pub(crate) fn overwrite() -> CreateOptions {
    CreateOptions::default().overwrite(true)
}

pub(crate) fn everything() -> ListOptions {
    ListOptions::default().recursive(true)
}

/// Long enough for another thread to get in between.
pub(crate) fn meanwhile() {
    sleep(Duration::from_millis(2));
}

pub(crate) fn wrong_kind<T>(result: Result<T>, kind: ErrorKind, instead: ErrorKind) -> Result<T> {
    result.map_err(|error| if error.kind() == kind { Error::new(instead, "mutated") } else { error })
}
