//! The contract.

use std::io::{Cursor, Read, Write};

use bytes::Bytes;
use serde_json::Value;

use crate::{
    BackendPath, ByteRange, Capabilities, Content, CopyOptions, CreateOptions, DeleteOptions, Error,
    ErrorKind, FileInfo, ListOptions, Result, SearchBackend, SyncFileBackend, UpdateMode,
};

/// The entries of a listing; each is what [`info`](FileBackend::info) answers for its path, or as much of it as was asked
/// for, or why it cannot be told.
pub type Entries = Box<dyn Iterator<Item = Result<FileInfo>> + Send>;

/// The content of a file, read piece by piece.
pub type Reader = Box<dyn Read + Send>;

/// A storage of files and directories, seen from its root.
///
/// Plugin authors implement it; the handle that a host gives out implements it too, by calling the plugin. What holds
/// of one holds of the other, and the suite in `conformance` (a feature of this crate) checks every sentence below.
///
/// # What holds of every operation
///
/// - **Paths** are parsed ([`BackendPath`]), so `..` does not occur. Only `info` and `list` accept the root; everything
///   else answers [`InvalidPath`](ErrorKind::InvalidPath) ([`BackendPath::split`] does that).
/// - **Confinement**: nothing outside the root is read, changed or told of, whatever links or other processes do. A link
///   that stays inside is followed, but for the last component of a path that is deleted, moved or overwritten: then the
///   link itself is meant. A link that leads out is [`OutsideRoot`](ErrorKind::OutsideRoot).
/// - **Missing** paths are [`NotFound`](ErrorKind::NotFound); a file where a directory is needed on the way is
///   [`NotADirectory`](ErrorKind::NotADirectory).
/// - **Atomicity**: a reader, another writer, a crash or a failed upload meets the old content or the new, never half,
///   never neither. An operation that fails has changed nothing, but for parent directories it may have made.
/// - **Threads**: every method may be called from many threads at once, without any order between them.
/// - **Panics** become [`Panicked`](ErrorKind::Panicked) at the plugin boundary.
/// - **Optional** operations answer [`Unsupported`](ErrorKind::Unsupported) unless declared in
///   [`capabilities`](Self::capabilities).
///
/// Besides the errors listed with a method, any can fail with a kind that tells of the storage itself
/// ([`PermissionDenied`](ErrorKind::PermissionDenied), [`StorageFull`](ErrorKind::StorageFull),
/// [`Network`](ErrorKind::Network), …).
pub trait FileBackend: Send + Sync {
    /// Which optional operations work. Does no I/O and answers the same at each call.
    fn capabilities(&self) -> Capabilities {
        Capabilities::empty()
    }

    /// Creates a file with its parent directories and describes it.
    ///
    /// Of several racing creators without [`overwrite`](CreateOptions::overwrite), exactly one succeeds. Content from a
    /// reader that fails is not stored. An empty file is a file.
    ///
    /// # Errors
    ///
    /// [`AlreadyExists`](ErrorKind::AlreadyExists) if there is something at `path` and overwriting was not asked for;
    /// [`IsADirectory`](ErrorKind::IsADirectory) if a directory is to be overwritten: that never happens.
    fn create(&self, path: &BackendPath, content: Content<'_>, options: CreateOptions) -> Result<FileInfo>;

    /// Creates a directory with its parents and describes it.
    ///
    /// [`overwrite`](CreateOptions::overwrite) accepts a directory that exists, with all it holds.
    ///
    /// # Errors
    ///
    /// [`AlreadyExists`](ErrorKind::AlreadyExists) if there is something at `path` and overwriting was not asked for;
    /// [`NotADirectory`](ErrorKind::NotADirectory) if a file is to be overwritten: that never happens.
    fn create_dir(&self, path: &BackendPath, options: CreateOptions) -> Result<FileInfo>;

    /// The whole content of a file, byte for byte as it was stored.
    ///
    /// # Errors
    ///
    /// [`IsADirectory`](ErrorKind::IsADirectory) for a directory, [`InvalidOperation`](ErrorKind::InvalidOperation) for
    /// what is neither (a pipe, a device).
    fn read(&self, path: &BackendPath) -> Result<Bytes>;

    /// Part of a file's content. What the range covers beyond the end is left out, so the answer may be shorter or
    /// empty.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    fn read_range(&self, path: &BackendPath, range: ByteRange) -> Result<Bytes> {
        let content = self.read(path)?;
        let part = range.within(content.len() as u64);
        // Both ends are at most the length, which is a usize.
        Ok(content.slice(part.start as usize..part.end as usize))
    }

    /// Changes the content of a file that exists, and describes it.
    ///
    /// [`Replace`](UpdateMode::Replace) is atomic. [`Append`](UpdateMode::Append) adds after what is there at that
    /// moment: of several racing appends each one's bytes stay together, and none is lost.
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) if there is nothing at `path`: updating does not create.
    /// [`IsADirectory`](ErrorKind::IsADirectory) for a directory.
    fn update(&self, path: &BackendPath, content: Content<'_>, mode: UpdateMode) -> Result<FileInfo>;

    /// Removes a file (and never the directory it is in), an empty directory, or with [`recursive`](DeleteOptions::recursive) a directory with all it
    /// holds. A link is removed, not what it leads to.
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) if there is nothing at `path`;
    /// [`DirectoryNotEmpty`](ErrorKind::DirectoryNotEmpty) if the directory has entries and `recursive` was not asked
    /// for.
    fn delete(&self, path: &BackendPath, options: DeleteOptions) -> Result<()>;

    /// Describes what is at `path`. The root is a directory.
    ///
    /// [`FileInfo::path`] is the path that was asked for. A link is described as what it leads to; one that leads to
    /// nothing inside the root is a [`Symlink`](crate::FileKind::Symlink).
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) if there is nothing at `path`.
    fn info(&self, path: &BackendPath) -> Result<FileInfo>;

    /// The children of a directory or, with [`recursive`](ListOptions::recursive), everything below it.
    ///
    /// Entries come in the storage's order, which may change from call to call, but a directory comes before what it
    /// holds. Links are not walked into. The directory itself is not among the entries. A listing is no snapshot: what
    /// changes meanwhile may or may not be seen. Temporary files of the backend are never listed. An entry that cannot be
    /// described is an error in its place, and the listing goes on.
    ///
    /// With [`names_only`](ListOptions::names_only) an entry need tell no more than its path and kind, which is far
    /// quicker where a storage has to look at each file for the rest.
    ///
    /// # Errors
    ///
    /// [`NotADirectory`](ErrorKind::NotADirectory) for what is no directory.
    fn list(&self, path: &BackendPath, options: ListOptions) -> Result<Entries>;

    /// Part of a file's content as a stream, without holding all of it in memory where the storage allows.
    ///
    /// What it yields is one version of the file or an error, not a mixture of two.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read); the stream carries an [`Error`] inside its `io::Error`s.
    fn open_read(&self, path: &BackendPath, range: ByteRange) -> Result<Reader> {
        Ok(Box::new(Cursor::new(self.read_range(path, range)?)))
    }

    /// A stream whose content becomes the file's when it is [committed](FileWriter::commit), and not before; until then
    /// nothing of it is visible, and if it is dropped nothing remains. Needs [`Capabilities::OPEN_WRITE`]; a host stands
    /// in for backends that lack it.
    ///
    /// # Errors
    ///
    /// As [`create`](Self::create), here or at `commit`.
    fn open_write(&self, path: &BackendPath, options: CreateOptions) -> Result<Box<dyn FileWriter>> {
        let _ = (path, options);
        Err(Error::unsupported("writing as a stream"))
    }

    /// Copies the file at `from` to `to`, with parent directories. Needs [`Capabilities::COPY`]; a host stands in for
    /// backends that lack it.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read) for `from` and [`create`](Self::create) for `to`.
    fn copy(&self, from: &BackendPath, to: &BackendPath, options: CopyOptions) -> Result<FileInfo> {
        let _ = (from, to, options);
        Err(Error::unsupported("copying"))
    }

    /// Moves a file, or a directory with all it holds, from `from` to `to` in one step, with parent directories. Needs
    /// [`Capabilities::RENAME`].
    ///
    /// Moving something onto itself changes nothing.
    ///
    /// # Errors
    ///
    /// [`AlreadyExists`](ErrorKind::AlreadyExists) if there is something at `to` and
    /// [`overwrite`](CopyOptions::overwrite) was not asked for; [`IsADirectory`](ErrorKind::IsADirectory) if a directory
    /// is to be overwritten, [`NotADirectory`](ErrorKind::NotADirectory) if a file is to be overwritten with a directory;
    /// [`InvalidOperation`](ErrorKind::InvalidOperation) for a directory that is to move below itself.
    fn rename(&self, from: &BackendPath, to: &BackendPath, options: CopyOptions) -> Result<FileInfo> {
        let _ = (from, to, options);
        Err(Error::unsupported("renaming"))
    }

    /// A file's checksum in lower-case hexadecimal, where the storage knows it or computes it where the content is.
    /// Needs [`Capabilities::CHECKSUM`]; a host computes it for all others.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](ErrorKind::Unsupported) for an algorithm that the storage does not offer; else as
    /// [`read`](Self::read).
    fn checksum(&self, path: &BackendPath, algorithm: ChecksumAlgorithm) -> Result<String> {
        let _ = (path, algorithm);
        Err(Error::unsupported("checksums"))
    }

    /// Runs one of the plugin's own commands, which its documentation describes (maintenance, for instance). Needs
    /// [`Capabilities::COMMAND`].
    ///
    /// One name means the same for all: `sweep` removes what interrupted operations have left and nobody needs, as `f9
    /// sweep` asks for. Its arguments are `{"min_age": SECONDS, "dry_run": BOOLEAN}`, both optional; without an age the plugin
    /// knows from which on nobody can still be at work on a leftover. It answers `{"removed": […], "failed": [{"orphan": …,
    /// "error": TEXT}]}`, or if it is only to tell `{"found": […]}`; each leftover is an object with a `reason` and a `path`,
    /// `filename` or `name`.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](ErrorKind::Unsupported) for a name that the plugin does not know.
    fn command(&self, name: &str, arguments: &Value) -> Result<Value> {
        let _ = arguments;
        Err(Error::unsupported(&format!("the command `{name}`")))
    }

    /// Synchronisation, where a remote exists. `Some` if and only if [`Capabilities::SYNC`] is declared.
    fn as_sync(&self) -> Option<&dyn SyncFileBackend> {
        None
    }

    /// Search, where the storage offers it. `Some` if and only if [`Capabilities::SEARCH`] is declared.
    fn as_search(&self) -> Option<&dyn SearchBackend> {
        None
    }
}

/// A stream into a file that takes effect all at once.
///
/// `flush` has no part in that: it may do nothing.
pub trait FileWriter: Write + Send {
    /// Makes what was written the content of the file and describes it. Nothing can be written afterwards; a second call
    /// is an [`InvalidOperation`](ErrorKind::InvalidOperation).
    ///
    /// # Errors
    ///
    /// As [`create`](FileBackend::create). After an error nothing of the stream remains.
    fn commit(&mut self) -> Result<FileInfo>;
}

/// How a checksum is computed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChecksumAlgorithm {
    /// SHA-256 (FIPS 180-4).
    #[default]
    Sha256,
    /// SHA-512 (FIPS 180-4).
    Sha512,
    /// BLAKE3.
    Blake3,
    /// MD5 (RFC 1321): against accidents only, not against intent.
    Md5,
}

impl ChecksumAlgorithm {
    /// Every algorithm.
    pub const ALL: [Self; 4] = [Self::Sha256, Self::Sha512, Self::Blake3, Self::Md5];

    /// The name, such as `sha256`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
            Self::Blake3 => "blake3",
            Self::Md5 => "md5",
        }
    }
}

impl std::str::FromStr for ChecksumAlgorithm {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == name);
        found.ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, format!("unknown checksum algorithm `{name}`"))
                .hint("choose sha256, sha512, blake3 or md5")
        })
    }
}
