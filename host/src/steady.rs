//! A file that is read as it was at one time, or not at all.

use std::io::{self, Read};

use f9_plugin_api::{BackendPath, ByteRange, Error, ErrorKind, FileBackend, FileInfo, Reader, Result};

/// Content for a copy: when it comes to its end and the file has another size or time than at its beginning, the end is an
/// error ([`Busy`](ErrorKind::Busy)), so that nobody takes a mixture of two versions for a copy.
///
/// Two changes within one tick of the storage's clock that keep the size cannot be told apart.
pub struct SteadyReader<'a> {
    inner: Reader,
    backend: &'a dyn FileBackend,
    path: &'a BackendPath,
    before: FileInfo,
    count: u64,
    changed: bool,
}

impl<'a> SteadyReader<'a> {
    /// How often a file that changes is worth reading again.
    pub const ATTEMPTS: u32 = 3;

    /// Opens a file.
    ///
    /// # Errors
    ///
    /// As [`info`](FileBackend::info) and [`open_read`](FileBackend::open_read).
    pub fn open(backend: &'a dyn FileBackend, path: &'a BackendPath) -> Result<Self> {
        let before = backend.info(path)?;
        Self::open_as(backend, path, before)
    }

    /// Opens a file that was described a moment ago.
    ///
    /// # Errors
    ///
    /// As [`open_read`](FileBackend::open_read).
    pub fn open_as(backend: &'a dyn FileBackend, path: &'a BackendPath, before: FileInfo) -> Result<Self> {
        let inner = backend.open_read(path, ByteRange::ALL)?;
        Ok(Self { inner, backend, path, before, count: 0, changed: false })
    }

    /// Whether the file was found to have changed.
    pub fn has_changed(&self) -> bool {
        self.changed
    }

    fn check(&mut self) -> Result<()> {
        // The system's own files tell no size, and a time that is always now.
        if self.before.size == 0 && self.count > 0 {
            return Ok(());
        }
        let now = self.backend.info(self.path)?;
        let is_same = now.size == self.before.size && now.modified_at == self.before.modified_at;
        if is_same && self.count == now.size {
            return Ok(());
        }
        self.changed = true;
        Err(Error::new(ErrorKind::Busy, "it changed while it was read, so it was not copied")
            .at(self.path)
            .hint("try again when nobody writes to it"))
    }
}

impl Read for SteadyReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.count += count as u64;
        if count == 0 && !buffer.is_empty() {
            self.check()?;
        }
        Ok(count)
    }
}

impl std::fmt::Debug for SteadyReader<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SteadyReader")
            .field("path", self.path)
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}
