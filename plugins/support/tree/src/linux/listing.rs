//! Listing: entry by entry, however many there are.

use f9_plugin_api::{BackendPath, Error, ErrorKind, FileBackend, FileInfo, Result};
use rustix::{
    fd::OwnedFd,
    fs::{Dir, DirEntry, FileType, Mode, OFlags, openat},
    io::{Errno, retry_on_intr},
};

use super::{errors::failure, stat::Stat, temp};
use crate::Tree;

const DOING: &str = "list the directory";

/// How many directories of a listing are open at a time. Those above are opened again when it comes back to them.
const MAX_OPEN: usize = 32;

const OPEN: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// The entries of a directory, and of those in it if `recursive`.
#[derive(Debug)]
pub(crate) struct Listing {
    tree: Tree,
    recursive: bool,
    /// From the directory that is listed down to the one that is being read.
    levels: Vec<Level>,
}

#[derive(Debug)]
struct Level {
    path: BackendPath,
    state: State,
    /// Where reading goes on, in the file system's own terms.
    position: i64,
}

#[derive(Debug)]
enum State {
    /// To be opened when its turn comes, in the directory above, under its name.
    New,
    Open(Dir),
    /// Closed for the time being; it is the same if it looks like this.
    Closed(Box<Stat>),
}

impl Listing {
    pub(crate) fn open(tree: Tree, path: &BackendPath, recursive: bool) -> Result<Self> {
        let fd = tree.root().open_at(path.as_str(), OPEN, DOING)?;
        let state = State::Open(dir(fd)?);
        Ok(Self { tree, recursive, levels: vec![Level { path: path.clone(), state, position: 0 }] })
    }

    /// The next entry of the directory that is being read; `None` at its end.
    fn advance(&mut self) -> Option<Result<FileInfo>> {
        loop {
            if let Err(error) = self.open_last() {
                self.levels.pop();
                return Some(Err(error));
            }
            let level = self.levels.last_mut()?;
            let State::Open(dir) = &mut level.state else { return None };
            let entry = match dir.read()? {
                Ok(entry) => entry,
                Err(errno) => {
                    let error = failure(DOING, errno).at(&level.path);
                    self.levels.pop();
                    return Some(Err(error));
                }
            };
            level.position = entry.offset();
            if let Some(found) = self.entry(&entry) {
                return Some(found);
            }
        }
    }

    /// What there is to say of an entry; nothing of one that is hidden or gone.
    fn entry(&mut self, entry: &DirEntry) -> Option<Result<FileInfo>> {
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            return None;
        }
        let level = self.levels.last()?;
        if temp::is_reserved(name.to_bytes()) {
            if let State::Open(dir) = &level.state
                && let Ok(fd) = dir.fd()
            {
                temp::sweep_if_left(fd, name);
            }
            return None;
        }
        let path = match name.to_str() {
            Ok(name) if self.tree.root().is_excluded(name) => return None,
            Ok(name) => child(&level.path, name),
            Err(_) => Err(not_utf8()),
        };
        let path = match path {
            Ok(path) => path,
            Err(error) => return Some(Err(located(error, &level.path, &name.to_string_lossy()))),
        };
        let State::Open(dir) = &level.state else { return None };
        let stat = match dir.fd().and_then(|fd| Stat::at(fd, name)) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return None,
            Err(errno) => return Some(Err(failure("describe the entry", errno).at(&path))),
        };
        if stat.is_link() {
            return match self.tree.info(&path) {
                Err(error) if error.is_not_found() => None,
                info => Some(info),
            };
        }
        if self.recursive && stat.is_dir() {
            self.levels.push(Level { path: path.clone(), state: State::New, position: 0 });
        }
        Some(Ok(stat.info(path)))
    }

    /// Opens the directory whose turn it is, if it is not open.
    fn open_last(&mut self) -> Result<()> {
        let Some((last, above)) = self.levels.split_last_mut() else { return Ok(()) };
        let opened = match &last.state {
            State::Open(_) => return Ok(()),
            State::New => open_below(above.last(), &last.path),
            State::Closed(seen) => self.tree.reopen(&last.path, seen, last.position).map(Some),
        };
        match opened.map_err(|error| error.at(&last.path))? {
            Some(dir) => last.state = State::Open(dir),
            // It is gone, or something else by now: it had its entry, and there is nothing below it.
            None => {
                self.levels.pop();
                return self.open_last();
            }
        }
        self.close_one()
    }

    /// Keeps the number of open directories bounded: closes the uppermost that is open, if there are too many.
    fn close_one(&mut self) -> Result<()> {
        let Some(index) = self.levels.len().checked_sub(MAX_OPEN + 1) else { return Ok(()) };
        let level = &mut self.levels[index];
        if let State::Open(dir) = &level.state {
            let stat = dir.fd().and_then(Stat::of).map_err(|errno| failure(DOING, errno).at(&level.path))?;
            level.state = State::Closed(Box::new(stat));
        }
        Ok(())
    }
}

impl Iterator for Listing {
    type Item = Result<FileInfo>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.levels.is_empty() {
            if let Some(found) = self.advance() {
                return Some(found);
            }
            self.levels.pop();
        }
        None
    }
}

impl Tree {
    /// Opens a directory of a listing again, at the position it had come to.
    fn reopen(&self, path: &BackendPath, seen: &Stat, position: i64) -> Result<Dir> {
        let fd = self.root().open_at(path.as_str(), OPEN, DOING)?;
        let stat = Stat::of(&fd).map_err(|errno| failure(DOING, errno))?;
        if !stat.is_same_as(seen) {
            return Err(Error::new(
                ErrorKind::Busy,
                "cannot list the rest of the directory: another took its place",
            )
            .hint("list it again"));
        }
        let mut dir = dir(fd)?;
        dir.seek(position).map_err(|errno| failure(DOING, errno))?;
        Ok(dir)
    }
}

/// Opens a directory by its name in the one above, without following a link that took its place.
fn open_below(above: Option<&Level>, path: &BackendPath) -> Result<Option<Dir>> {
    let (Some(Level { state: State::Open(above), .. }), Some(name)) = (above, path.name()) else {
        return Ok(None);
    };
    let opened =
        above.fd().and_then(|fd| retry_on_intr(|| openat(fd, name, OPEN | OFlags::NOFOLLOW, Mode::empty())));
    match opened {
        Ok(fd) => dir(fd).map(Some),
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
        Err(errno) => Err(failure(DOING, errno)),
    }
}

fn dir(fd: OwnedFd) -> Result<Dir> {
    Dir::new(fd).map_err(|errno| failure(DOING, errno))
}

fn child(parent: &BackendPath, name: &str) -> Result<BackendPath> {
    parent.join(name).map_err(|error| {
        Error::new(ErrorKind::InvalidPath, format!("an entry cannot be named: {}", error.message()))
    })
}

fn not_utf8() -> Error {
    Error::new(ErrorKind::InvalidPath, "an entry cannot be named: its name is not UTF-8")
}

/// Says where the entry is that no path can name.
fn located(error: Error, parent: &BackendPath, name: &str) -> Error {
    let path = if parent.is_root() { name.to_owned() } else { format!("{parent}/{name}") };
    error.at(path).hint("rename it with other means")
}

/// Whether a directory entry is surely not a directory.
pub(crate) fn is_surely_no_directory(entry: &DirEntry) -> bool {
    !matches!(entry.file_type(), FileType::Directory | FileType::Unknown)
}
