//! A strict backend in memory.

use std::{
    collections::BTreeMap,
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    io::{self, Read, Write},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use crate::{
    BackendPath, ByteRange, Bytes, Capabilities, Content, CopyOptions, CreateOptions, DeleteOptions, Entries,
    Error, ErrorKind, FileBackend, FileInfo, FileKind, FileWriter, ListOptions, Reader, Result, UpdateMode,
};

/// Files in memory, kept by the letter of the contract: a model to compare with, and a stand-in for tests of code that
/// uses backends.
///
/// Where the contract leaves a choice, it takes the one that code is least prepared for: listings are in no sensible
/// order, and in another at each call; readers give short pieces; what is wrong with a stream comes out at its commit;
/// no two changes have the same time, and attributes change with each. It has every capability that concerns files but
/// checksums.
pub struct StrictMemory(Arc<Mutex<Tree>>);

struct Tree {
    entries: BTreeMap<BackendPath, Entry>,
    /// Counts listings.
    listings: u64,
    last_change: SystemTime,
}

#[derive(Clone)]
struct Entry {
    /// `None` for a directory.
    content: Option<Bytes>,
    created: SystemTime,
    modified: SystemTime,
}

impl StrictMemory {
    /// An empty root.
    pub fn new() -> Self {
        let now = SystemTime::now();
        let root = Entry { content: None, created: now, modified: now };
        let entries = BTreeMap::from([(BackendPath::root(), root)]);
        Self(Arc::new(Mutex::new(Tree { entries, listings: 0, last_change: now })))
    }

    fn tree(&self) -> MutexGuard<'_, Tree> {
        lock(&self.0)
    }
}

/// No method leaves a change half done when it panics, so a poisoned lock is as good as another.
fn lock(tree: &Mutex<Tree>) -> MutexGuard<'_, Tree> {
    tree.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Default for StrictMemory {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for StrictMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StrictMemory").field("entries", &self.tree().entries.len()).finish()
    }
}

impl FileBackend for StrictMemory {
    fn capabilities(&self) -> Capabilities {
        Capabilities::COPY | Capabilities::RENAME | Capabilities::OPEN_WRITE
    }

    fn create(&self, path: &BackendPath, content: Content<'_>, options: CreateOptions) -> Result<FileInfo> {
        path.split()?;
        let content = content.into_bytes()?;
        self.tree().put_file(path, content, options.overwrite)
    }

    fn create_dir(&self, path: &BackendPath, options: CreateOptions) -> Result<FileInfo> {
        path.split()?;
        let mut tree = self.tree();
        match tree.look_up(path)? {
            Some(_) if !options.overwrite => return Err(taken(path)),
            Some(Entry { content: Some(_), .. }) => return Err(not_a_directory(path)),
            Some(_) => {}
            None => tree.make_dirs(path),
        }
        tree.describe(path)
    }

    fn read(&self, path: &BackendPath) -> Result<Bytes> {
        path.split()?;
        self.tree().file(path).cloned()
    }

    fn update(&self, path: &BackendPath, content: Content<'_>, mode: UpdateMode) -> Result<FileInfo> {
        path.split()?;
        let new = content.into_bytes()?;
        let mut tree = self.tree();
        let old = tree.file(path)?;
        let content = match mode {
            UpdateMode::Replace => new,
            UpdateMode::Append => [&old[..], &new].concat().into(),
        };
        tree.put_file(path, content, true)
    }

    fn delete(&self, path: &BackendPath, options: DeleteOptions) -> Result<()> {
        path.split()?;
        let mut tree = self.tree();
        tree.get(path)?;
        if !options.recursive && tree.below(path).next().is_some() {
            let error = Error::new(ErrorKind::DirectoryNotEmpty, "the directory has entries").at(path);
            return Err(error.hint("ask for a recursive delete"));
        }
        tree.entries.retain(|other, _| !other.starts_with(path));
        Ok(())
    }

    fn info(&self, path: &BackendPath) -> Result<FileInfo> {
        self.tree().describe(path)
    }

    fn list(&self, path: &BackendPath, options: ListOptions) -> Result<Entries> {
        let mut tree = self.tree();
        if tree.get(path)?.content.is_some() {
            return Err(not_a_directory(path));
        }
        tree.listings += 1;
        let inside =
            tree.below(path).filter(|(other, _)| options.recursive || other.parent().as_ref() == Some(path));
        let mut found: Vec<_> = inside.map(|(other, entry)| entry.describe(other)).collect();
        // By depth, so that a directory comes before what it holds.
        found.sort_by_cached_key(|info| (info.path.segments().count(), scrambled(&info.path, tree.listings)));
        // Whoever wants names alone is not to rely on more.
        let told = move |info: FileInfo| match options.names_only {
            true => FileInfo::new(info.path, info.kind, 0),
            false => info,
        };
        Ok(Box::new(found.into_iter().map(move |info| Ok(told(info)))))
    }

    fn open_read(&self, path: &BackendPath, range: ByteRange) -> Result<Reader> {
        Ok(Box::new(ShortReads { content: self.read_range(path, range)?, turn: 0 }))
    }

    fn open_write(&self, path: &BackendPath, options: CreateOptions) -> Result<Box<dyn FileWriter>> {
        path.split()?;
        let (tree, path) = (Arc::clone(&self.0), path.clone());
        Ok(Box::new(Staged { tree, path, overwrite: options.overwrite, content: Some(Vec::new()) }))
    }

    fn copy(&self, from: &BackendPath, to: &BackendPath, options: CopyOptions) -> Result<FileInfo> {
        from.split()?;
        to.split()?;
        let mut tree = self.tree();
        let content = tree.file(from)?.clone();
        tree.put_file(to, content, options.overwrite)
    }

    fn rename(&self, from: &BackendPath, to: &BackendPath, options: CopyOptions) -> Result<FileInfo> {
        from.split()?;
        to.split()?;
        let mut tree = self.tree();
        let is_dir = tree.get(from)?.content.is_none();
        if from == to {
            return tree.describe(to);
        }
        if is_dir && to.starts_with(from) {
            return Err(
                Error::new(ErrorKind::InvalidOperation, "a directory cannot move below itself").at(to)
            );
        }
        match tree.look_up(to)? {
            Some(_) if !options.overwrite => return Err(taken(to)),
            Some(Entry { content: None, .. }) => return Err(is_a_directory(to)),
            Some(_) if is_dir => return Err(not_a_directory(to)),
            _ => tree.rename(from, to)?,
        }
        tree.describe(to)
    }
}

impl Tree {
    /// What is at `path`, if the way there is one of directories.
    fn look_up(&self, path: &BackendPath) -> Result<Option<&Entry>> {
        let on_the_way = std::iter::successors(path.parent(), BackendPath::parent);
        let file = on_the_way.into_iter().find(|parent| self.entries.get(parent).is_some_and(Entry::is_file));
        match file {
            Some(file) => Err(not_a_directory(&file)),
            None => Ok(self.entries.get(path)),
        }
    }

    fn get(&self, path: &BackendPath) -> Result<&Entry> {
        self.look_up(path)?.ok_or_else(|| Error::new(ErrorKind::NotFound, "there is nothing here").at(path))
    }

    fn file(&self, path: &BackendPath) -> Result<&Bytes> {
        self.get(path)?.content.as_ref().ok_or_else(|| is_a_directory(path))
    }

    fn describe(&self, path: &BackendPath) -> Result<FileInfo> {
        Ok(self.get(path)?.describe(path))
    }

    fn below<'a>(&'a self, path: &'a BackendPath) -> impl Iterator<Item = (&'a BackendPath, &'a Entry)> {
        self.entries.iter().filter(move |(other, _)| *other != path && other.starts_with(path))
    }

    fn put_file(&mut self, path: &BackendPath, content: Bytes, overwrite: bool) -> Result<FileInfo> {
        let created = match self.look_up(path)? {
            Some(_) if !overwrite => return Err(taken(path)),
            Some(Entry { content: None, .. }) => return Err(is_a_directory(path)),
            Some(old) => Some(old.created),
            None => None,
        };
        self.make_dirs(&path.parent().unwrap_or_default());
        let now = self.tick();
        let entry = Entry { content: Some(content), created: created.unwrap_or(now), modified: now };
        let info = entry.describe(path);
        self.entries.insert(path.clone(), entry);
        Ok(info)
    }

    /// Makes `path` a directory, and all above it that is missing.
    fn make_dirs(&mut self, path: &BackendPath) {
        let now = self.tick();
        let entry = Entry { content: None, created: now, modified: now };
        for dir in std::iter::successors(Some(path.clone()), BackendPath::parent) {
            self.entries.entry(dir).or_insert_with(|| entry.clone());
        }
    }

    /// The time of a change: no two are the same.
    fn tick(&mut self) -> SystemTime {
        self.last_change = SystemTime::now().max(self.last_change + Duration::from_nanos(100));
        self.last_change
    }

    fn rename(&mut self, from: &BackendPath, to: &BackendPath) -> Result<()> {
        let moving: Vec<_> = self.entries.keys().filter(|path| path.starts_with(from)).cloned().collect();
        let moved = moving.iter().map(|path| to.join(&path.as_str()[from.as_str().len()..]));
        let moved = moved.collect::<Result<Vec<_>>>()?; // fails for a path that gets too long
        self.make_dirs(&to.parent().unwrap_or_default());
        for (old, new) in moving.iter().zip(moved) {
            if let Some(entry) = self.entries.remove(old) {
                self.entries.insert(new, entry);
            }
        }
        Ok(())
    }
}

impl Entry {
    fn is_file(&self) -> bool {
        self.content.is_some()
    }

    fn describe(&self, path: &BackendPath) -> FileInfo {
        let Some(content) = &self.content else {
            return FileInfo::new(path.clone(), FileKind::Directory, 0);
        };
        FileInfo::new(path.clone(), FileKind::File, content.len() as u64)
            .created_at(Some(self.created))
            .modified_at(Some(self.modified))
            .attribute("fingerprint", format!("{:016x}", hash((content, self.modified))))
    }
}

/// A place in no order that means anything, and another one at each turn.
fn scrambled(path: &BackendPath, turn: u64) -> u64 {
    hash((path, turn))
}

/// The same in every run.
fn hash(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// A stream that yields pieces of uneven length, the first of one byte.
struct ShortReads {
    content: Bytes,
    turn: usize,
}

impl Read for ShortReads {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.turn += 1;
        let length = (self.turn * self.turn % 8191).max(1).min(buffer.len()).min(self.content.len());
        buffer[..length].copy_from_slice(&self.content.split_to(length));
        Ok(length)
    }
}

/// What was written so far; `None` after a commit.
struct Staged {
    tree: Arc<Mutex<Tree>>,
    path: BackendPath,
    overwrite: bool,
    content: Option<Vec<u8>>,
}

impl Write for Staged {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let content = self.content.as_mut().ok_or_else(|| committed(&self.path))?;
        content.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl FileWriter for Staged {
    fn commit(&mut self) -> Result<FileInfo> {
        let content = self.content.take().ok_or_else(|| committed(&self.path))?;
        lock(&self.tree).put_file(&self.path, content.into(), self.overwrite)
    }
}

fn taken(path: &BackendPath) -> Error {
    let error = Error::new(ErrorKind::AlreadyExists, "there is something here already").at(path);
    error.hint("ask to overwrite it, or choose another path")
}

fn is_a_directory(path: &BackendPath) -> Error {
    Error::new(ErrorKind::IsADirectory, "this is a directory").at(path)
}

fn not_a_directory(path: &BackendPath) -> Error {
    Error::new(ErrorKind::NotADirectory, "this is not a directory").at(path)
}

fn committed(path: &BackendPath) -> Error {
    Error::new(ErrorKind::InvalidOperation, "the stream is committed already").at(path)
}
