//! Removing: a name, or a directory with all it holds.

use std::ffi::{CStr, CString};

use f9_plugin_api::{Error, ErrorKind, Result};
use rustix::{
    fd::{AsFd, OwnedFd},
    fs::{AtFlags, Dir, FileType, Mode, OFlags, openat, unlinkat},
    io::{self, Errno, retry_on_intr},
};

use super::{errors::failure, resolve::attempts, stat::Stat, temp};
use crate::Tree;

const DOING: &str = "delete";

/// How many directories are open at a time while a tree is removed.
const MAX_OPEN: usize = 32;

const OPEN: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

impl Tree {
    /// Removes `name` from `folder`, without following anything.
    pub(crate) fn remove(&self, folder: impl AsFd, name: &str, recursive: bool) -> Result<()> {
        let mut is_swept = false;
        for _ in attempts() {
            let removed = match unlinkat(&folder, name, AtFlags::empty()) {
                Err(Errno::ISDIR) => unlinkat(&folder, name, AtFlags::REMOVEDIR),
                // POSIX' answer for a directory, on other file systems than Linux' own.
                Err(Errno::PERM) if Stat::at(&folder, name).is_ok_and(|stat| stat.is_dir()) => {
                    unlinkat(&folder, name, AtFlags::REMOVEDIR)
                }
                removed => removed,
            };
            match removed {
                // It was a directory a moment ago, and then something else.
                Err(Errno::NOTDIR) => {}
                Err(Errno::NOTEMPTY | Errno::EXIST) if recursive => self.empty(&folder, name)?,
                // It may be empty but for what a killed process left there, which nobody can see.
                Err(Errno::NOTEMPTY | Errno::EXIST) if !is_swept => {
                    is_swept = true;
                    sweep_below(&folder, name);
                }
                removed => return removed.map_err(|errno| failure(DOING, errno)),
            }
        }
        Err(super::errors::contended(DOING))
    }

    /// Removes all that the directory `name` holds. What cannot be removed does not keep the rest.
    fn empty(&self, folder: impl AsFd, name: &str) -> Result<()> {
        let top = match retry_on_intr(|| openat(&folder, name, OPEN, Mode::empty())) {
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(()), // another looks again
            opened => opened.map_err(|errno| failure(DOING, errno))?,
        };
        let mut removal =
            Removal { tree: self, levels: vec![Level::open(top, CString::default())?], first: None };
        removal.run()?;
        removal.first.map_or(Ok(()), Err)
    }
}

fn sweep_below(folder: impl AsFd, name: &str) {
    // If it cannot be opened, it is simply not empty.
    if let Ok(below) = retry_on_intr(|| openat(&folder, name, OPEN, Mode::empty())) {
        temp::sweep(below.as_fd());
        temp::sweep_beside(&below);
    }
}

/// A walk from a directory down, with an explicit stack: trees can be deeper than a thread's.
struct Removal<'t> {
    tree: &'t Tree,
    levels: Vec<Level>,
    /// The first thing that could not be removed.
    first: Option<Error>,
}

struct Level {
    /// Its name in the directory above.
    name: CString,
    /// Closed for the time being if there are too many; the way back is `..`, if it still is the same.
    dir: Option<Dir>,
    stat: Option<Stat>,
    /// Something in it could not be removed, so it stays.
    stays: bool,
}

impl Level {
    fn open(fd: OwnedFd, name: CString) -> Result<Self> {
        let dir = Dir::new(fd).map_err(|errno| failure(DOING, errno))?;
        Ok(Self { name, dir: Some(dir), stat: None, stays: false })
    }
}

impl Removal<'_> {
    fn run(&mut self) -> Result<()> {
        while let Some(level) = self.levels.last_mut() {
            let Some(dir) = &mut level.dir else { return Ok(()) };
            match dir.read() {
                Some(Ok(entry)) if matches!(entry.file_name().to_bytes(), b"." | b"..") => {}
                Some(Ok(entry)) => {
                    let name = entry.file_name().to_owned();
                    let no_directory = !matches!(entry.file_type(), FileType::Directory | FileType::Unknown);
                    if let Err(error) = self.entry(&name, no_directory) {
                        self.fail(error);
                    }
                }
                Some(Err(errno)) => {
                    self.fail(failure(DOING, errno));
                    self.ascend()?;
                }
                None => self.ascend()?,
            }
        }
        Ok(())
    }

    fn entry(&mut self, name: &CStr, no_directory: bool) -> Result<()> {
        if name.to_str().is_ok_and(|name| self.tree.root().is_excluded(name)) {
            let name = name.to_string_lossy();
            let message =
                format!("cannot delete all of it: the name `{name}` in it is reserved and out of reach");
            return Err(Error::new(ErrorKind::DirectoryNotEmpty, message));
        }
        let Some(fd) = self.levels.last().and_then(|level| level.dir.as_ref()?.fd().ok()) else {
            return Ok(());
        };
        if no_directory && gone(unlinkat(fd, name, AtFlags::empty())).is_ok() {
            return Ok(());
        }
        match retry_on_intr(|| openat(fd, name, OPEN, Mode::empty())) {
            Ok(below) => {
                self.levels.push(Level::open(below, name.to_owned())?);
                self.close_one()
            }
            Err(Errno::NOENT) => Ok(()),
            Err(Errno::NOTDIR | Errno::LOOP) => removed(unlinkat(fd, name, AtFlags::empty())),
            // One that cannot be opened can be removed if it is empty.
            Err(errno) => match gone(unlinkat(fd, name, AtFlags::REMOVEDIR)) {
                Ok(()) => Ok(()),
                Err(_) => Err(failure(DOING, errno)),
            },
        }
    }

    /// Leaves the directory that is done, and removes it from the one above.
    fn ascend(&mut self) -> Result<()> {
        let Some(done) = self.levels.pop() else { return Ok(()) };
        let Some(above) = self.levels.last_mut() else { return Ok(()) };
        if above.dir.is_none() {
            above.dir = Some(above.open_again(&done)?);
        }
        let Some(fd) = above.dir.as_ref().and_then(|dir| dir.fd().ok()) else { return Ok(()) };
        if done.stays {
            above.stays = true;
            return Ok(());
        }
        match unlinkat(fd, done.name.as_c_str(), AtFlags::REMOVEDIR) {
            // Others put something into it meanwhile: the whole is gone over again.
            Err(Errno::NOTEMPTY | Errno::EXIST) => {}
            done => removed(done).unwrap_or_else(|error| self.fail(error)),
        }
        Ok(())
    }

    fn fail(&mut self, error: Error) {
        if let Some(level) = self.levels.last_mut() {
            level.stays = true;
        }
        self.first.get_or_insert(error);
    }

    /// Keeps the number of open directories bounded.
    fn close_one(&mut self) -> Result<()> {
        let Some(index) = self.levels.len().checked_sub(MAX_OPEN + 1) else { return Ok(()) };
        let level = &mut self.levels[index];
        if let Some(dir) = level.dir.take() {
            let stat = dir.fd().and_then(Stat::of).map_err(|errno| failure(DOING, errno))?;
            level.stat = Some(stat);
        }
        Ok(())
    }
}

impl Level {
    /// Goes up from a directory in it, and makes sure to arrive here.
    fn open_again(&self, below: &Self) -> Result<Dir> {
        let moved = || {
            Error::new(ErrorKind::Busy, "cannot delete all of it: a directory in it was moved meanwhile")
                .hint("delete what is left")
        };
        let below = below.dir.as_ref().ok_or_else(moved)?;
        let up = below
            .fd()
            .and_then(|fd| openat(fd, c"..", OPEN, Mode::empty()))
            .map_err(|errno| failure(DOING, errno))?;
        let found = Stat::of(&up).map_err(|errno| failure(DOING, errno))?;
        if !self.stat.as_ref().is_some_and(|stat| stat.is_same_as(&found)) {
            return Err(moved());
        }
        // From the start again: what was read before is gone, but for what stays, which is tried once more.
        Dir::new(up).map_err(|errno| failure(DOING, errno))
    }
}

/// Somebody else having removed it is as good.
fn gone(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(Errno::NOENT) => Ok(()),
        result => result,
    }
}

fn removed(result: io::Result<()>) -> Result<()> {
    gone(result).map_err(|errno| failure(DOING, errno))
}
