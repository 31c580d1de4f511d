//! Listing: entry by entry, however many there are.

use f9_plugin_api::{BackendPath, Error, ErrorKind, FileBackend, FileInfo, FileKind, ListOptions, Result};
use rustix::{
    fs::{FileType, Mode, OFlags, openat},
    io::{Errno, retry_on_intr},
};

use super::{
    directory::Directory,
    errors::failure,
    stat::{Stat, kind_of},
    temp,
};
use crate::Tree;

const DOING: &str = "list the directory";

/// How many directories of a listing are open at a time. Those above are opened again when it comes back to them.
const MAX_OPEN: usize = 32;

const OPEN: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// The entries of a directory, and of those in it if they are asked for.
#[derive(Debug)]
pub(crate) struct Listing {
    tree: Tree,
    options: ListOptions,
    /// From the directory that is listed down to the one that is being read.
    levels: Vec<Level>,
}

#[derive(Debug)]
struct Level {
    path: BackendPath,
    state: State,
}

#[derive(Debug)]
enum State {
    /// To be opened when its turn comes, in the directory above, under its name.
    New,
    Open(Directory),
    /// Closed for the time being; it is the same if it looks like this.
    Closed {
        seen: Box<Stat>,
        position: u64,
    },
}

impl Listing {
    pub(crate) fn open(tree: Tree, path: &BackendPath, options: ListOptions) -> Result<Self> {
        let fd = tree.root().open_at(path.as_str(), OPEN, DOING)?;
        let state = State::Open(Directory::new(fd));
        Ok(Self { tree, options, levels: vec![Level { path: path.clone(), state }] })
    }

    /// The next entry of the directory that is being read; `None` at its end.
    fn advance(&mut self) -> Option<Result<FileInfo>> {
        loop {
            if let Err(error) = self.open_last() {
                self.levels.pop();
                return Some(Err(error));
            }
            let level = self.levels.last_mut()?;
            let State::Open(directory) = &mut level.state else { return None };
            match directory.advance() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(errno) => {
                    let error = failure(DOING, errno).at(&level.path);
                    self.levels.pop();
                    return Some(Err(error));
                }
            }
            if let Some(found) = self.entry() {
                return Some(found);
            }
        }
    }

    /// What there is to say of the entry that was read; nothing of one that is hidden or gone.
    fn entry(&mut self) -> Option<Result<FileInfo>> {
        let level = self.levels.last()?;
        let State::Open(directory) = &level.state else { return None };
        let entry = directory.entry()?;
        if matches!(entry.name(), b"." | b"..") {
            return None;
        }
        if temp::is_reserved(entry.name()) {
            temp::sweep_if_left(directory, entry.c_name());
            return None;
        }
        let path = match str::from_utf8(entry.name()) {
            Ok(name) if self.tree.root().is_excluded(name) => return None,
            Ok(name) => child(&level.path, name),
            Err(_) => Err(not_utf8()),
        };
        let path = match path {
            Ok(path) => path,
            Err(error) => {
                return Some(Err(located(error, &level.path, &String::from_utf8_lossy(entry.name()))));
            }
        };
        let info = match kind_without_a_look(self.options, entry.file_type) {
            Some(kind) => FileInfo::new(path, kind, 0),
            None => match Stat::at(directory, entry.c_name()) {
                Ok(stat) => stat.info(path),
                Err(Errno::NOENT) => return None,
                Err(errno) => return Some(Err(failure("describe the entry", errno).at(path))),
            },
        };
        if info.kind == FileKind::Symlink {
            return match self.tree.info(&info.path) {
                Err(error) if error.is_not_found() => None,
                info => Some(info),
            };
        }
        if self.options.recursive && info.is_dir() {
            self.levels.push(Level { path: info.path.clone(), state: State::New });
        }
        Some(Ok(info))
    }

    /// Opens the directory whose turn it is, if it is not open.
    fn open_last(&mut self) -> Result<()> {
        let Some((last, above)) = self.levels.split_last_mut() else { return Ok(()) };
        let opened = match &last.state {
            State::Open(_) => return Ok(()),
            State::New => open_below(above.last(), &last.path),
            State::Closed { seen, position } => self.tree.reopen(&last.path, seen, *position).map(Some),
        };
        match opened.map_err(|error| error.at(&last.path))? {
            Some(directory) => last.state = State::Open(directory),
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
        if let State::Open(directory) = &level.state {
            let stat = Stat::of(directory).map_err(|errno| failure(DOING, errno).at(&level.path))?;
            level.state = State::Closed { seen: Box::new(stat), position: directory.position() };
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
    fn reopen(&self, path: &BackendPath, seen: &Stat, position: u64) -> Result<Directory> {
        let fd = self.root().open_at(path.as_str(), OPEN, DOING)?;
        let stat = Stat::of(&fd).map_err(|errno| failure(DOING, errno))?;
        if !stat.is_same_as(seen) {
            return Err(Error::new(
                ErrorKind::Busy,
                "cannot list the rest of the directory: another took its place",
            )
            .hint("list it again"));
        }
        Directory::at(fd, position).map_err(|errno| failure(DOING, errno))
    }
}

/// Opens a directory by its name in the one above, without following a link that took its place.
fn open_below(above: Option<&Level>, path: &BackendPath) -> Result<Option<Directory>> {
    let (Some(Level { state: State::Open(above), .. }), Some(name)) = (above, path.name()) else {
        return Ok(None);
    };
    match retry_on_intr(|| openat(above, name, OPEN | OFlags::NOFOLLOW, Mode::empty())) {
        Ok(fd) => Ok(Some(Directory::new(fd))),
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
        Err(errno) => Err(failure(DOING, errno)),
    }
}

/// What the directory itself tells of an entry, if that will do. Not every file system tells.
fn kind_without_a_look(options: ListOptions, told: FileType) -> Option<FileKind> {
    (options.names_only && told != FileType::Unknown).then(|| kind_of(told))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_that_the_directory_does_not_tell_is_looked_up() {
        let (all, names) = (ListOptions::default(), ListOptions::default().names_only(true));
        assert_eq!(kind_without_a_look(names, FileType::RegularFile), Some(FileKind::File));
        assert_eq!(kind_without_a_look(names, FileType::Unknown), None);
        assert_eq!(kind_without_a_look(all, FileType::RegularFile), None);
    }
}
