//! The operations with paths as text and the careful options.

use f9_plugin_api::{
    BackendPath, ByteRange, Bytes, ChecksumAlgorithm, Content, CopyOptions, CreateOptions, DeleteOptions,
    Entries, Error, ErrorKind, FileBackend, FileInfo, FileWriter, ListOptions, Reader, Result,
    SyncFileBackend, UpdateMode,
};

use crate::Backend;

/// Anything that a path can be made of: text, or a [`BackendPath`].
pub trait IntoPath: TryInto<BackendPath, Error: Into<Error>> {
    /// The path.
    ///
    /// # Errors
    ///
    /// As [`BackendPath::parse`].
    fn into_path(self) -> Result<BackendPath> {
        self.try_into().map_err(Into::into)
    }
}

impl<T: TryInto<BackendPath, Error: Into<Error>>> IntoPath for T {}

/// Each fails as the operation of [`FileBackend`] that it stands for, and with
/// [`InvalidPath`](ErrorKind::InvalidPath).
impl Backend {
    /// Creates a file; fails if there is something at `path`.
    pub fn create<'a>(&self, path: impl IntoPath, content: impl Into<Content<'a>>) -> Result<FileInfo> {
        FileBackend::create(self, &path.into_path()?, content.into(), CreateOptions::default())
    }

    /// Creates a file, or replaces the one that is there.
    pub fn write<'a>(&self, path: impl IntoPath, content: impl Into<Content<'a>>) -> Result<FileInfo> {
        FileBackend::create(
            self,
            &path.into_path()?,
            content.into(),
            CreateOptions::default().overwrite(true),
        )
    }

    /// Creates a directory; fails if there is something at `path`.
    pub fn create_dir(&self, path: impl IntoPath) -> Result<FileInfo> {
        FileBackend::create_dir(self, &path.into_path()?, CreateOptions::default())
    }

    /// The content of a file.
    pub fn read(&self, path: impl IntoPath) -> Result<Bytes> {
        FileBackend::read(self, &path.into_path()?)
    }

    /// The content of a file as text.
    ///
    /// # Errors
    ///
    /// [`NotUtf8`](ErrorKind::NotUtf8) with the place of the first byte that is not text.
    pub fn read_to_string(&self, path: impl IntoPath) -> Result<String> {
        let path = path.into_path()?;
        let bytes = FileBackend::read(self, &path)?;
        let text = std::str::from_utf8(&bytes).map_err(|error| {
            Error::new(
                ErrorKind::NotUtf8,
                format!("the content is not UTF-8 text: byte {}", error.valid_up_to()),
            )
            .at(&path)
            .hint("read it as bytes")
        })?;
        Ok(text.to_owned())
    }

    /// Part of the content of a file: `backend.read_range("log.txt", 0..1024)`.
    pub fn read_range(&self, path: impl IntoPath, range: impl Into<ByteRange>) -> Result<Bytes> {
        FileBackend::read_range(self, &path.into_path()?, range.into())
    }

    /// Replaces the content of a file; fails if there is none at `path`.
    pub fn update<'a>(&self, path: impl IntoPath, content: impl Into<Content<'a>>) -> Result<FileInfo> {
        FileBackend::update(self, &path.into_path()?, content.into(), UpdateMode::Replace)
    }

    /// Adds to the end of a file; fails if there is none at `path`.
    pub fn append<'a>(&self, path: impl IntoPath, content: impl Into<Content<'a>>) -> Result<FileInfo> {
        FileBackend::update(self, &path.into_path()?, content.into(), UpdateMode::Append)
    }

    /// Removes a file or an empty directory.
    pub fn delete(&self, path: impl IntoPath) -> Result<()> {
        FileBackend::delete(self, &path.into_path()?, DeleteOptions::default())
    }

    /// Removes a file, or a directory with all it holds.
    pub fn delete_recursive(&self, path: impl IntoPath) -> Result<()> {
        FileBackend::delete(self, &path.into_path()?, DeleteOptions::default().recursive(true))
    }

    /// Describes what is at `path`.
    pub fn info(&self, path: impl IntoPath) -> Result<FileInfo> {
        FileBackend::info(self, &path.into_path()?)
    }

    /// The children of a directory. Where paths and kinds are enough, [`FileBackend::list`] is quicker, with
    /// [`names_only`](ListOptions::names_only).
    pub fn list(&self, path: impl IntoPath) -> Result<Entries> {
        FileBackend::list(self, &path.into_path()?, ListOptions::default())
    }

    /// Everything below a directory.
    pub fn list_recursive(&self, path: impl IntoPath) -> Result<Entries> {
        FileBackend::list(self, &path.into_path()?, ListOptions::default().recursive(true))
    }

    /// The content of a file as a stream.
    pub fn open_read(&self, path: impl IntoPath) -> Result<Reader> {
        FileBackend::open_read(self, &path.into_path()?, ByteRange::ALL)
    }

    /// A stream into a new file, which appears when the stream is [committed](FileWriter::commit).
    pub fn open_write(&self, path: impl IntoPath) -> Result<Box<dyn FileWriter>> {
        FileBackend::open_write(self, &path.into_path()?, CreateOptions::default())
    }

    /// Copies a file; fails if there is something at `to`.
    pub fn copy(&self, from: impl IntoPath, to: impl IntoPath) -> Result<FileInfo> {
        FileBackend::copy(self, &from.into_path()?, &to.into_path()?, CopyOptions::default())
    }

    /// Moves a file or directory; fails if there is something at `to`.
    pub fn rename(&self, from: impl IntoPath, to: impl IntoPath) -> Result<FileInfo> {
        FileBackend::rename(self, &from.into_path()?, &to.into_path()?, CopyOptions::default())
    }

    /// The checksum of a file in hexadecimal.
    pub fn checksum(&self, path: impl IntoPath, algorithm: ChecksumAlgorithm) -> Result<String> {
        FileBackend::checksum(self, &path.into_path()?, algorithm)
    }

    /// Synchronisation with the remote.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](ErrorKind::Unsupported) if this backend has no remote.
    pub fn sync_backend(&self) -> Result<&dyn SyncFileBackend> {
        self.as_sync().ok_or_else(|| {
            let name = &self.plugin().manifest().name;
            Error::new(
                ErrorKind::Unsupported,
                format!("a `{name}` backend has no remote to synchronise with"),
            )
            .hint("use a backend with the capability `sync`, such as git")
        })
    }
}
