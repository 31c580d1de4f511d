//! A tree for systems other than Linux: `cap-std` opens every path beneath one open directory.

mod draft;
mod files;
mod listing;
mod rename;
#[cfg(test)]
mod tests;

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use cap_std::{
    ambient_authority,
    fs::{Dir, FileType, Metadata},
};
use f9_plugin_api::{
    BackendPath, ByteRange, Bytes, Capabilities, Content, CopyOptions, CreateOptions, DeleteOptions, Entries,
    Error, ErrorKind, FileBackend, FileInfo, FileKind, FileWriter, ListOptions, Reader, Result, UpdateMode,
};

use self::{
    draft::{Draft, Rule, Writer},
    listing::Listing,
};
use crate::{Durability, TreeOptions, describe_root_error};

/// What every temporary name begins with.
const TEMPORARY: &str = ".f9-tmp";

/// How often an operation starts anew because a directory went away meanwhile.
const ATTEMPTS: u32 = 8;

/// An open directory tree. Clones share it, streams and listings keep it open.
#[derive(Clone)]
pub struct Tree {
    root: Arc<Dir>,
    options: TreeOptions,
}

impl Tree {
    /// What every tree can do beyond the basic operations.
    pub const CAPABILITIES: Capabilities =
        Capabilities::COPY.union(Capabilities::RENAME).union(Capabilities::OPEN_WRITE);

    /// Opens the directory at `root`, which may be relative to the working directory and may be reached through links.
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) if it is missing and is not to be made,
    /// [`NotADirectory`](ErrorKind::NotADirectory) if it is something else.
    pub fn open(root: impl AsRef<Path>, options: TreeOptions) -> Result<Self> {
        let path = root.as_ref();
        let root = open_root(path, options.create_root).map_err(|error| describe_root_error(error, path))?;
        Ok(Self { root: Arc::new(root), options })
    }
}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tree")
            .field("root", &self.root)
            .field("durability", &self.options.durability)
            .finish()
    }
}

fn open_root(path: &Path, create: bool) -> io::Result<Dir> {
    match Dir::open_ambient_dir(path, ambient_authority()) {
        Err(error) if create && error.kind() == io::ErrorKind::NotFound => {
            std::fs::create_dir_all(path)?;
            Dir::open_ambient_dir(path, ambient_authority())
        }
        opened => opened,
    }
}

impl FileBackend for Tree {
    fn capabilities(&self) -> Capabilities {
        Self::CAPABILITIES
    }

    fn create(&self, path: &BackendPath, content: Content<'_>, options: CreateOptions) -> Result<FileInfo> {
        self.on(path, "create the file", || self.put(path, content, Rule::creating(options.overwrite)))
    }

    fn create_dir(&self, path: &BackendPath, options: CreateOptions) -> Result<FileInfo> {
        self.on(path, "create the directory", || self.make_dir(path, options.overwrite))
    }

    fn read(&self, path: &BackendPath) -> Result<Bytes> {
        self.read_range(path, ByteRange::ALL)
    }

    fn read_range(&self, path: &BackendPath, range: ByteRange) -> Result<Bytes> {
        self.on(path, "read the file", || self.read_part(path, range))
    }

    fn update(&self, path: &BackendPath, content: Content<'_>, mode: UpdateMode) -> Result<FileInfo> {
        match mode {
            UpdateMode::Replace => {
                self.on(path, "update the file", || self.put(path, content, Rule::Replace))
            }
            UpdateMode::Append => self.on(path, "append to the file", || self.append(path, content)),
        }
    }

    fn delete(&self, path: &BackendPath, options: DeleteOptions) -> Result<()> {
        self.on(path, "delete", || self.remove(path, options.recursive))
    }

    fn info(&self, path: &BackendPath) -> Result<FileInfo> {
        self.on(path, "describe it", || self.describe(path))
    }

    fn list(&self, path: &BackendPath, options: ListOptions) -> Result<Entries> {
        self.on(path, "list the directory", || {
            Ok(Box::new(Listing::open(self.clone(), path, options)?) as Entries)
        })
    }

    fn open_read(&self, path: &BackendPath, range: ByteRange) -> Result<Reader> {
        self.on(path, "read the file", || Ok(Box::new(self.reader(path, range)?) as Reader))
    }

    fn open_write(&self, path: &BackendPath, options: CreateOptions) -> Result<Box<dyn FileWriter>> {
        self.on(path, "write the file", || {
            let writer = Writer::open(self.clone(), path, Rule::creating(options.overwrite))?;
            Ok(Box::new(writer) as Box<dyn FileWriter>)
        })
    }

    fn copy(&self, from: &BackendPath, to: &BackendPath, options: CopyOptions) -> Result<FileInfo> {
        self.on(to, "copy the file here", || Ok(to.split().map(drop)?))?;
        let mut source = self.on(from, "copy the file", || self.reader(from, ByteRange::ALL))?;
        self.on(to, "copy the file here", || {
            self.put(to, Content::reader(&mut source), Rule::creating(options.overwrite))
        })
    }

    fn rename(&self, from: &BackendPath, to: &BackendPath, options: CopyOptions) -> Result<FileInfo> {
        self.on(to, "move it here", || Ok(to.split().map(drop)?))?;
        let source = self.on(from, "move it", || self.source(from))?;
        self.on(to, "move it here", || self.move_to(&source, from, to, options.overwrite))
    }
}

/// What the operations are made of. An [`Error`] passes through their `io::Error`s, and [`Tree::on`] brings it back.
impl Tree {
    /// Refuses what is out of reach, and says of every error what could not be done and which path it is about.
    fn on<T>(&self, path: &BackendPath, doing: &str, work: impl FnOnce() -> io::Result<T>) -> Result<T> {
        let checked = path.segments().try_for_each(|name| self.check(name));
        checked.and_then(|()| work()).map_err(|error| explain(error, doing).at(path))
    }

    fn check(&self, name: &str) -> io::Result<()> {
        if !self.is_reserved(name) {
            return Ok(());
        }
        let message = format!("the name `{name}` is reserved and out of reach");
        Err(Error::new(ErrorKind::InvalidPath, message).hint("choose another name").into())
    }

    /// Whether a name is out of reach: a temporary one, or one of the options.
    fn is_reserved(&self, name: &str) -> bool {
        is_temporary(name) || self.options.reserved.is_some_and(|reserved| reserved(name))
    }

    /// Where `path` leads when every link is followed; nothing on that way is reserved. The root is `.`.
    fn follow(&self, path: &str) -> io::Result<PathBuf> {
        if path.is_empty() {
            return Ok(PathBuf::from("."));
        }
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        let folder = if parent.is_empty() { PathBuf::from(".") } else { self.without_links(parent)? };
        // The last name is looked at in one step, so that a file that is being replaced is never missed.
        let plain = below(&folder, name);
        if self.root.symlink_metadata(&plain)?.is_symlink() { self.without_links(path) } else { Ok(plain) }
    }

    fn without_links(&self, path: &str) -> io::Result<PathBuf> {
        let plain = self.root.canonicalize(path)?;
        plain.iter().try_for_each(|name| self.check(&name.to_string_lossy()))?;
        Ok(if plain.as_os_str().is_empty() { PathBuf::from(".") } else { plain })
    }

    /// Opens a directory to use names in.
    fn folder(&self, path: &str) -> io::Result<Dir> {
        self.root.open_dir(self.follow(path)?)
    }

    /// As [`folder`](Self::folder), and makes what is missing.
    fn make_folder(&self, path: &str) -> io::Result<Dir> {
        match self.folder(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !path.is_empty() => {}
            folder => return folder,
        }
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        let above = self.make_folder(parent)?;
        match above.create_dir(name) {
            Ok(()) => self.sync(&above)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        self.folder(path)
    }

    /// Makes the names in a directory durable, where that was asked for.
    fn sync(&self, folder: &Dir) -> io::Result<()> {
        // Only Unix lets a directory be opened as a file; Windows writes names through in its own way.
        if cfg!(unix) && self.options.durability == Durability::Fsync {
            return folder.open(".")?.sync_all();
        }
        Ok(())
    }

    fn make_dir(&self, path: &BackendPath, overwrite: bool) -> io::Result<FileInfo> {
        let (parent, name) = path.split()?;
        again_if_gone(|| {
            let folder = self.make_folder(parent)?;
            match folder.create_dir(name) {
                Ok(()) => self.sync(&folder)?,
                Err(error) if overwrite && error.kind() == io::ErrorKind::AlreadyExists => {
                    return match self.folder(path.as_str()) {
                        Ok(there) => Ok(info(path, &there.dir_metadata()?)),
                        // A link that leads nowhere.
                        Err(error) if error.kind() == io::ErrorKind::NotFound => {
                            Err(io::ErrorKind::NotADirectory.into())
                        }
                        Err(error) => Err(error),
                    };
                }
                Err(error) => return Err(error),
            }
            Ok(info(path, &folder.symlink_metadata(name)?))
        })
    }

    /// Stores `content` at `path`, where what is there complies with the rule.
    fn put(&self, path: &BackendPath, content: Content<'_>, rule: Rule) -> io::Result<FileInfo> {
        match content {
            Content::Bytes(bytes) => again_if_gone(|| {
                let mut draft = Draft::begin(self, path, rule)?;
                io::Write::write_all(draft.file(), bytes)?;
                draft.commit(self, path, rule)
            }),
            Content::Reader(reader) => {
                let mut draft = Draft::begin(self, path, rule)?;
                io::copy(reader, draft.file())?;
                draft.commit(self, path, rule)
            }
        }
    }

    fn remove(&self, path: &BackendPath, recursive: bool) -> io::Result<()> {
        let (parent, name) = path.split()?;
        let folder = self.folder(parent)?;
        let is_dir = folder.symlink_metadata(name)?.is_dir();
        match (is_dir, recursive) {
            (false, _) => folder.remove_file(name)?,
            (true, false) => folder.remove_dir(name)?,
            (true, true) => {
                self.refuse_reserved_below(&folder.open_dir(name)?)?;
                folder.remove_dir_all(name)?;
            }
        }
        self.sync(&folder)
    }

    /// What the options put out of reach is not deleted with the directory it is in.
    fn refuse_reserved_below(&self, folder: &Dir) -> io::Result<()> {
        let Some(reserved) = self.options.reserved else { return Ok(()) };
        for entry in folder.entries()? {
            let entry = entry?;
            let name = entry.file_name();
            if name.to_str().is_some_and(reserved) {
                let name = name.to_string_lossy();
                let message =
                    format!("cannot delete it: the name `{name}` in it is reserved and out of reach");
                return Err(Error::new(ErrorKind::DirectoryNotEmpty, message).into());
            }
            if entry.file_type()?.is_dir() {
                self.refuse_reserved_below(&folder.open_dir(&name)?)?;
            }
        }
        Ok(())
    }

    fn describe(&self, path: &BackendPath) -> io::Result<FileInfo> {
        if path.is_root() {
            return Ok(info(path, &self.root.dir_metadata()?));
        }
        let (parent, name) = path.split()?;
        let here = self.folder(parent)?.symlink_metadata(name)?;
        if !here.is_symlink() {
            return Ok(info(path, &here));
        }
        // A link that leads nowhere inside the root is described as itself, whatever the reason.
        let there = self.follow(path.as_str()).and_then(|plain| self.root.symlink_metadata(plain));
        Ok(info(path, &there.unwrap_or(here)))
    }
}

/// Case does not matter, because to some file systems it does not.
fn is_temporary(name: &str) -> bool {
    name.as_bytes()
        .get(..TEMPORARY.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(TEMPORARY.as_bytes()))
}

/// The plain path of a name in the directory at a plain path.
fn below(folder: &Path, name: impl AsRef<Path>) -> PathBuf {
    if folder == Path::new(".") { name.as_ref().into() } else { folder.join(name) }
}

/// Describes the file at `path`.
fn info(path: &BackendPath, found: &Metadata) -> FileInfo {
    let size = if found.is_file() { found.len() } else { 0 };
    let created = found.created().ok().map(|time| time.into_std());
    let modified = found.modified().ok().map(|time| time.into_std());
    FileInfo::new(path.clone(), kind(found.file_type()), size).created_at(created).modified_at(modified)
}

fn kind(file_type: FileType) -> FileKind {
    match file_type {
        found if found.is_file() => FileKind::File,
        found if found.is_dir() => FileKind::Directory,
        found if found.is_symlink() => FileKind::Symlink,
        _ => FileKind::Other,
    }
}

/// Starts anew when a directory that was found or made went away before it was used.
fn again_if_gone<T>(mut work: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    for _ in 1..ATTEMPTS {
        match work() {
            Err(error) if is_gone(&error) => {}
            done => return done,
        }
    }
    work()
}

/// What the system says of a missing name; that the contract calls something missing is final.
fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound && error.get_ref().is_none()
}

/// Says what could not be done and why, unless the error says so itself.
fn explain(error: io::Error, doing: &str) -> Error {
    let error = match error.downcast::<Error>() {
        Ok(known) => return known,
        Err(error) => error,
    };
    // This is how cap-std says it: the system's own refusals have a number.
    if error.kind() == io::ErrorKind::PermissionDenied && error.raw_os_error().is_none() {
        let message = format!("cannot {doing}: a link on the way leads out of the root");
        return Error::new(ErrorKind::OutsideRoot, message)
            .hint("name the file by a path without that link")
            .caused_by(error);
    }
    let known = Error::from(error);
    let message = format!("cannot {doing}: {}", known.message());
    let told = Error::new(known.kind(), message).caused_by(known);
    match told.kind() {
        ErrorKind::AlreadyExists => told.hint("ask to overwrite it, or choose another path"),
        ErrorKind::DirectoryNotEmpty => told.hint("ask for a recursive delete to remove all it holds"),
        ErrorKind::IsADirectory => told.hint("name a file in it"),
        ErrorKind::NotADirectory => told.hint("look at each directory of the path with `info`"),
        ErrorKind::PermissionDenied => told.hint("change the permissions there"),
        _ => told,
    }
}
