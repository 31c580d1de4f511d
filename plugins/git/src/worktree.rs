//! The files of the working tree, changed one by one, each in one step.
//!
//! libgit2's own checkout writes into the files in place: readers would see halves, and so would the next commit after a
//! crash. Here it writes into a spool directory inside `.git`, and each file is renamed into its place from there.
//! Every directory on the way is opened by its name alone, so a link among them leads nowhere.

use std::{
    ffi::OsStr,
    fs::{self, File},
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::{Path, PathBuf},
};

use f9_plugin_api::Result;
use rustix::{
    fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat},
    io::Errno,
};

use crate::{errors::Context as _, stage::TEMPORARY};

pub(crate) struct Worktree {
    root_fd: OwnedFd,
    spool: PathBuf,
}

/// A directory for files on their way into the working tree; gone with everything in it when dropped.
pub(crate) struct Spool(PathBuf);

/// A look at one path after the other: quick where these are ordered, because a directory stays open until it is the turn of
/// another.
pub(crate) struct Look<'w> {
    worktree: &'w Worktree,
    directory: Option<(Vec<u8>, Option<OwnedFd>)>,
}

/// Puts one file after the other into the working tree, as quickly as [`Look`] looks.
pub(crate) struct Mover<'w> {
    worktree: &'w Worktree,
    directory: Option<(Vec<u8>, OwnedFd)>,
}

/// What is at a path of the working tree, without following links.
pub(crate) enum Found {
    Nothing,
    Directory,
    /// A file, a link, or something that git does not store.
    Leaf(Box<Stat>),
    /// A file or link is where the path needs a directory; this is its own path.
    Blocked(Vec<u8>),
}

impl Worktree {
    pub(crate) fn open(root: &Path, spool: PathBuf) -> Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root_fd = rustix::fs::open(root, flags, Mode::empty()).context("open the working tree")?;
        Ok(Self { root_fd, spool })
    }

    pub(crate) const fn root_fd(&self) -> &OwnedFd {
        &self.root_fd
    }

    /// An empty spool. Only one is in use at a time: who makes it holds the working tree's lock.
    pub(crate) fn spool(&self) -> Result<Spool> {
        self.clear_spool()?;
        let spool = Spool(self.spool.clone());
        let made = fs::create_dir(&spool.0).and_then(|()| fs::create_dir(spool.files()));
        made.context("make the spool directory")?;
        Ok(spool)
    }

    /// Removes what an interrupted process left in the spool.
    pub(crate) fn clear_spool(&self) -> Result<()> {
        match fs::remove_dir_all(&self.spool) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).context("clear the spool directory")
            }
            _ => Ok(()),
        }
    }

    /// What is at `path` now.
    pub(crate) fn find(&self, path: &[u8]) -> Result<Found> {
        let (parents, name) = split(path);
        let mut directory = self.root()?;
        let mut end = 0;
        for segment in segments(parents) {
            end += segment.len() + usize::from(end > 0);
            directory = match open_directory(&directory, segment) {
                Ok(next) => next,
                Err(Errno::NOENT) => return Ok(Found::Nothing),
                Err(Errno::NOTDIR | Errno::LOOP) => return Ok(Found::Blocked(path[..end].to_vec())),
                Err(error) => return Err(error).context("look into the working tree"),
            };
        }
        find_in(&directory, name)
    }

    /// To put many files there.
    pub(crate) const fn mover(&self) -> Mover<'_> {
        Mover { worktree: self, directory: None }
    }

    /// To look at many paths.
    pub(crate) const fn look(&self) -> Look<'_> {
        Look { worktree: self, directory: None }
    }

    /// Whether there is nothing in it but what is git's or ours.
    pub(crate) fn is_empty(&self) -> Result<bool> {
        let names = names(&self.root_fd).context("look into the working tree")?;
        Ok(names.iter().all(|name| name == b".git" || name.starts_with(TEMPORARY.as_bytes())))
    }

    /// The file at `path`, to be read; `None` if there is none, or no longer. No link is followed, on the way or at its end.
    pub(crate) fn open_file(&self, path: &[u8]) -> Result<Option<File>> {
        let (parents, name) = split(path);
        let Some(directory) = self.open_directories(parents)? else { return Ok(None) };
        // Not blocking, in case somebody has put a pipe there.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match rustix::fs::openat(&directory, OsStr::from_bytes(name), flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(Errno::NOENT | Errno::LOOP | Errno::NXIO) => return Ok(None),
            Err(error) => return Err(error).context("open a file"),
        };
        let is_file = file.metadata().context("look at a file")?.is_file();
        Ok(is_file.then_some(file))
    }

    /// Where the link at `path` leads to; `None` if there is none, or no longer.
    pub(crate) fn read_link(&self, path: &[u8]) -> Result<Option<Vec<u8>>> {
        let (parents, name) = split(path);
        let Some(directory) = self.open_directories(parents)? else { return Ok(None) };
        match rustix::fs::readlinkat(&directory, OsStr::from_bytes(name), Vec::new()) {
            Ok(target) => Ok(Some(target.into_bytes())),
            Err(Errno::NOENT | Errno::INVAL) => Ok(None),
            Err(error) => Err(error).context("read a link"),
        }
    }

    /// Everything below the directory `path` that is no directory.
    pub(crate) fn leaves_below(&self, path: &[u8]) -> Result<Vec<Vec<u8>>> {
        let mut found = Vec::new();
        let mut open = vec![path.to_vec()];
        while let Some(directory) = open.pop() {
            for (name, is_directory) in self.entries(&directory)? {
                let below = [&*directory, b"/", &name].concat();
                if is_directory { open.push(below) } else { found.push(below) }
            }
        }
        Ok(found)
    }

    /// The names in a directory, and which of them are directories; nothing if it is no directory, or no longer. No link is
    /// followed on the way.
    pub(crate) fn entries(&self, path: &[u8]) -> Result<Vec<(Vec<u8>, bool)>> {
        let Some(directory) = self.open_directories(path)? else { return Ok(Vec::new()) };
        let mut entries = Vec::new();
        for name in names(&directory).context("look into the working tree")? {
            match find_in(&directory, &name)? {
                Found::Nothing => {} // gone meanwhile
                found => entries.push((name, matches!(found, Found::Directory))),
            }
        }
        Ok(entries)
    }

    /// Removes the file or link at `path`, and the directories that are empty without it.
    pub(crate) fn remove(&self, path: &[u8]) -> Result<()> {
        let (parents, name) = split(path);
        let Some(directory) = self.open_directories(parents)? else { return Ok(()) };
        match rustix::fs::unlinkat(&directory, OsStr::from_bytes(name), AtFlags::empty()) {
            // A directory has taken its place: then the file is gone already.
            Ok(()) | Err(Errno::NOENT | Errno::ISDIR) => {}
            Err(error) => return Err(error).context("remove a file from the working tree"),
        }
        self.remove_if_empty(parents)
    }

    /// Removes a directory if it is empty, and then those above it.
    fn remove_if_empty(&self, mut parents: &[u8]) -> Result<()> {
        while !parents.is_empty() {
            let (above, name) = split(parents);
            let Some(directory) = self.open_directories(above)? else { return Ok(()) };
            if rustix::fs::unlinkat(&directory, OsStr::from_bytes(name), AtFlags::REMOVEDIR).is_err() {
                return Ok(()); // not empty, or somebody works in it
            }
            parents = above;
        }
        Ok(())
    }

    /// Removes an empty directory, and those that are empty without it. One that is not empty stays.
    pub(crate) fn remove_directory(&self, path: &[u8]) -> Result<()> {
        let (parents, name) = split(path);
        let Some(directory) = self.open_directories(parents)? else { return Ok(()) };
        match rustix::fs::unlinkat(&directory, OsStr::from_bytes(name), AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT | Errno::NOTDIR | Errno::NOTEMPTY | Errno::EXIST) => {
                self.remove_if_empty(parents)
            }
            Err(error) => Err(error).context("remove a directory from the working tree"),
        }
    }

    /// Makes a directory, as git does for a submodule that it does not fetch.
    pub(crate) fn make_directory(&self, path: &[u8]) -> Result<()> {
        self.make_directories(path).map(drop)
    }

    fn root(&self) -> Result<OwnedFd> {
        self.root_fd.try_clone().context("open the working tree")
    }

    fn make_directories(&self, path: &[u8]) -> Result<OwnedFd> {
        let mut directory = self.root()?;
        for segment in segments(path) {
            let next = match open_directory(&directory, segment) {
                Err(Errno::NOENT) => {
                    match rustix::fs::mkdirat(
                        &directory,
                        OsStr::from_bytes(segment),
                        Mode::from_raw_mode(0o777),
                    ) {
                        Ok(()) | Err(Errno::EXIST) => open_directory(&directory, segment),
                        Err(error) => Err(error),
                    }
                }
                other => other,
            };
            directory = next.context("make a directory in the working tree")?;
        }
        Ok(directory)
    }

    fn open_directories(&self, path: &[u8]) -> Result<Option<OwnedFd>> {
        open_directories(&self.root_fd, path)
    }
}

impl Look<'_> {
    /// What is at `path` now.
    pub(crate) fn find(&mut self, path: &[u8]) -> Result<Found> {
        let (parents, name) = split(path);
        if self.directory.as_ref().is_none_or(|(open, _)| open != parents) {
            self.directory = Some((parents.to_vec(), self.worktree.open_directories(parents)?));
        }
        match &self.directory {
            Some((_, Some(directory))) => find_in(directory, name),
            // It is not there, or something else is.
            _ => self.worktree.find(path),
        }
    }
}

impl Mover<'_> {
    /// Moves the file or link `name` of the directory `from` to `path`, over whatever file or link is there.
    pub(crate) fn place(&mut self, from: &OwnedFd, name: &OsStr, path: &[u8]) -> Result<()> {
        let (parents, new_name) = split(path);
        let directory = match &self.directory {
            Some((open, directory)) if open == parents => directory,
            _ => {
                let directory = self.worktree.make_directories(parents)?;
                &self.directory.insert((parents.to_vec(), directory)).1
            }
        };
        let place = || rustix::fs::renameat(from, name, directory, OsStr::from_bytes(new_name));
        let placed = match place() {
            // Directories that are empty but for other such directories are nothing to git.
            Err(Errno::ISDIR) => {
                remove_empty_directories(directory, new_name);
                place()
            }
            other => other,
        };
        placed
            .context("put a file into the working tree")
            .map_err(|error| error.at(String::from_utf8_lossy(path)))
    }
}

impl Spool {
    /// The spool itself, for files that are known by a number.
    pub(crate) fn open(&self) -> Result<OwnedFd> {
        open_root(&self.0)
    }

    /// The directory in it that has the file or link for `path` under its own name, if it is there. Nothing on the way is
    /// followed: what is in it may be a link that somebody else made.
    pub(crate) fn directory_of(&self, path: &[u8]) -> Result<Option<OwnedFd>> {
        let (parents, name) = split(path);
        let Some(directory) = open_directories(&open_root(&self.files())?, parents)? else { return Ok(None) };
        Ok(match find_in(&directory, name)? {
            Found::Leaf(_) => Some(directory),
            _ => None,
        })
    }

    /// The directory for files under their own paths.
    pub(crate) fn files(&self) -> PathBuf {
        self.0.join("files")
    }

    /// A place for content that has no path yet.
    pub(crate) fn content(&self, number: usize) -> PathBuf {
        self.0.join(number.to_string())
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        // What cannot be removed now is removed when the next spool is made.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Removes a directory that is empty but for other such directories. What is not empty stays, and so does what a link has
/// taken the place of.
fn remove_empty_directories(parent: &OwnedFd, name: &[u8]) {
    let Ok(directory) = open_directory(parent, name) else { return };
    for child in names(&directory).unwrap_or_default() {
        if matches!(find_in(&directory, &child), Ok(Found::Directory)) {
            remove_empty_directories(&directory, &child);
        }
    }
    // Whoever is to have its place finds out whether it is gone.
    let _ = rustix::fs::unlinkat(parent, OsStr::from_bytes(name), AtFlags::REMOVEDIR);
}

fn find_in(directory: &OwnedFd, name: &[u8]) -> Result<Found> {
    match rustix::fs::statat(directory, OsStr::from_bytes(name), AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => Ok(Found::Directory),
        Ok(stat) => Ok(Found::Leaf(Box::new(stat))),
        Err(Errno::NOENT) => Ok(Found::Nothing),
        Err(error) => Err(error).context("look into the working tree"),
    }
}

fn open_root(directory: &Path) -> Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(directory, flags, Mode::empty()).context("open the spool directory")
}

/// The directory at `path` below `root`, if it is there and no link is on the way.
fn open_directories(root: &OwnedFd, path: &[u8]) -> Result<Option<OwnedFd>> {
    let mut directory = root.try_clone().context("open a directory")?;
    for segment in segments(path) {
        directory = match open_directory(&directory, segment) {
            Ok(next) => next,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(None),
            Err(error) => return Err(error).context("look into the working tree"),
        };
    }
    Ok(Some(directory))
}

fn open_directory(parent: &OwnedFd, name: &[u8]) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(parent, OsStr::from_bytes(name), flags, Mode::empty())
}

/// The names in a directory that may be open for nothing but its place.
fn names(directory: &OwnedFd) -> rustix::io::Result<Vec<Vec<u8>>> {
    let mut names = Vec::new();
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    for entry in Dir::new(rustix::fs::openat(directory, ".", flags, Mode::empty())?)? {
        let name = entry?.file_name().to_bytes().to_vec();
        if name != b"." && name != b".." {
            names.push(name);
        }
    }
    Ok(names)
}

/// The directory part, empty for the root, and the name.
fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|&byte| byte == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (&[], path),
    }
}

fn segments(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|&byte| byte == b'/').filter(|segment| !segment.is_empty())
}
