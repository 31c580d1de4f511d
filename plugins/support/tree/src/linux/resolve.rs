//! From a path to a descriptor, without ever leaving the root.
//!
//! The kernel walks the whole path in one `openat2` beneath the root's descriptor and refuses every link on the way, so
//! there is no moment between a check and a use. Only where it met a link (`ELOOP`) is the path read here, link by link,
//! into one that has none; that path is then opened in the same way. What others do meanwhile can make that fail, and it
//! is tried again, but it cannot lead anywhere else: no path with `..`, a reserved name or a link is ever opened.
//!
//! No directory is kept open from one operation to the next, although that would be faster: it can be moved out of the
//! root meanwhile, and its path can lead to it there by a link, so that comparing the two would tell nothing.

use std::{path::Path, thread, time::Duration};

use f9_plugin_api::{BackendPath, Error, ErrorKind, Result};
use rustix::{
    fd::{AsFd, BorrowedFd, OwnedFd},
    fs::{
        AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, fsync, mkdirat, open, openat, openat2,
        readlinkat, statat,
    },
    io::{self, Errno, retry_on_intr},
};

use super::{
    errors::{contended, failure},
    temp,
};
use crate::Durability;

/// As often as a path is tried that others change meanwhile, with growing pauses: some 30 ms in all.
pub(crate) fn attempts() -> impl Iterator<Item = u64> {
    (0..64).inspect(|attempt| {
        if *attempt > 8 {
            thread::sleep(Duration::from_micros(10 * attempt));
        }
    })
}

/// As many links as the kernel follows (`MAXSYMLINKS`).
const MAX_LINKS: usize = 40;

const RESOLVE: ResolveFlags =
    ResolveFlags::BENEATH.union(ResolveFlags::NO_MAGICLINKS).union(ResolveFlags::NO_SYMLINKS);

/// Opens a directory for use as the place of names.
const FOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY);

/// The directory that everything happens beneath.
#[derive(Debug)]
pub(crate) struct Root {
    fd: OwnedFd,
    reserved: Option<fn(&str) -> bool>,
    /// Whether the kernel has `openat2` (5.6) and no sandbox forbids it; else the path is walked name by name.
    has_openat2: bool,
}

/// A directory that names are used in: the root or one below it.
#[derive(Debug)]
pub(crate) enum Folder<'r> {
    Root(BorrowedFd<'r>),
    Below(OwnedFd),
}

impl AsFd for Folder<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Root(fd) => *fd,
            Self::Below(fd) => fd.as_fd(),
        }
    }
}

impl AsFd for Root {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Root {
    /// Opens the directory at `path`, which is the caller's own: links in it are followed.
    pub(crate) fn open(path: &Path, reserved: Option<fn(&str) -> bool>) -> io::Result<Self> {
        let fd = retry_on_intr(|| open(path, FOLDER | OFlags::CLOEXEC, Mode::empty()))?;
        let has_openat2 = openat2(&fd, c".", FOLDER | OFlags::CLOEXEC, Mode::empty(), RESOLVE).is_ok();
        Ok(Self { fd, reserved, has_openat2 })
    }

    /// The same root as a kernel without `openat2` has it.
    #[cfg(test)]
    pub(crate) fn without_openat2(mut self) -> Self {
        self.has_openat2 = false;
        self
    }

    /// Refuses a path with a name that is out of reach.
    pub(crate) fn check(&self, path: &BackendPath) -> Result<()> {
        let text = path.as_str();
        if self.reserved.is_none() && !text.starts_with('.') && !text.contains("/.") {
            return Ok(()); // the tree's own start with a dot
        }
        match path.segments().find(|segment| self.is_reserved(segment)) {
            Some(segment) => Err(reserved_name(segment)),
            None => Ok(()),
        }
    }

    /// Whether a name is out of reach: the tree's own temporary ones, and those of the options.
    pub(crate) fn is_reserved(&self, name: &str) -> bool {
        temp::is_reserved(name.as_bytes()) || self.is_excluded(name)
    }

    /// Whether the options put a name out of reach.
    pub(crate) fn is_excluded(&self, name: &str) -> bool {
        self.reserved.is_some_and(|reserved| reserved(name))
    }

    /// Opens what `path` leads to, following links inside the root. `doing` completes "cannot …".
    pub(crate) fn open_at(&self, path: &str, flags: OFlags, doing: &str) -> Result<OwnedFd> {
        match self.beneath(path, flags) {
            Err(Errno::LOOP) => self.open_through_links(path, flags, doing),
            opened => opened.map_err(|errno| failure(doing, errno)),
        }
    }

    /// Opens a directory to use names in.
    pub(crate) fn folder(&self, path: &str, doing: &str) -> Result<Folder<'_>> {
        if path.is_empty() {
            return Ok(Folder::Root(self.fd.as_fd()));
        }
        self.open_at(path, FOLDER, doing).map(Folder::Below)
    }

    /// As [`folder`](Self::folder), and makes what is missing.
    pub(crate) fn make_folder(&self, path: &str, durability: Durability, doing: &str) -> Result<Folder<'_>> {
        match self.folder(path, doing) {
            Err(error) if error.is_not_found() => {}
            found => return found,
        }
        // One that somebody removes meanwhile is made again, within reason.
        for _ in attempts() {
            match self.make_folders(path, durability, doing) {
                Err(error) if error.is_not_found() => {}
                made => return made,
            }
        }
        Err(failure(doing, Errno::NOENT).hint("a link on the way leads to nothing, or the root is gone"))
    }

    /// Goes up to the first directory that is there, and makes the others on the way down.
    fn make_folders(&self, path: &str, durability: Durability, doing: &str) -> Result<Folder<'_>> {
        let (mut end, mut missing) = (path.len(), Vec::new());
        let mut folder = loop {
            match self.folder(&path[..end], doing) {
                Err(error) if error.is_not_found() && end > 0 => {
                    let start = path[..end].rfind('/').map_or(0, |slash| slash + 1);
                    missing.push(start..end);
                    end = start.saturating_sub(1);
                }
                found => break found?,
            }
        };
        for name in missing.into_iter().rev() {
            make_in(&folder, &path[name.clone()], durability, doing)?;
            // What was made a moment ago is most likely still there, and no link.
            let flags = FOLDER | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            folder = match openat(&folder, &path[name.clone()], flags, Mode::empty()) {
                Ok(made) => Folder::Below(made),
                Err(_) => self.folder(&path[..name.end], doing)?,
            };
        }
        Ok(folder)
    }

    /// Writes `path` without links, as far as others leave it alone. Opening the result can meet a new link, never
    /// follow one.
    pub(crate) fn without_links(&self, path: &str, doing: &str) -> Result<String> {
        for _ in attempts() {
            if let Some(plain) = self.read_links(path, doing)? {
                return Ok(plain);
            }
        }
        Err(contended(doing))
    }

    fn open_through_links(&self, path: &str, flags: OFlags, doing: &str) -> Result<OwnedFd> {
        for _ in attempts() {
            let plain = self.without_links(path, doing)?;
            match self.beneath(&plain, flags) {
                Err(Errno::LOOP) => {}
                opened => return opened.map_err(|errno| failure(doing, errno)),
            }
        }
        Err(contended(doing))
    }

    /// One try at [`without_links`](Self::without_links); `None` if the path changed meanwhile.
    fn read_links(&self, path: &str, doing: &str) -> Result<Option<String>> {
        let mut left: Vec<String> = path.split('/').rev().map(str::to_owned).collect();
        let (mut plain, mut link, mut links) = (String::new(), String::new(), 0);
        while let Some(name) = left.pop() {
            match name.as_str() {
                "" | "." => continue,
                ".." => {
                    if plain.is_empty() {
                        return Err(leads_out(&link, "it climbs above the root"));
                    }
                    let Some(parent) = self.parent_of(&plain, doing)? else { return Ok(None) };
                    plain.truncate(parent);
                    continue;
                }
                name if self.is_reserved(name) => return Err(reserved_name(name)),
                name => push(&mut plain, name),
            }
            let target = match self.read_link(&plain) {
                Ok(Some(target)) => target,
                Ok(None) => continue,
                Err(Errno::LOOP) => return Ok(None),
                Err(errno) => return Err(failure(doing, errno)),
            };
            links += 1;
            if links > MAX_LINKS {
                return Err(failure(doing, Errno::LOOP));
            }
            let target = str::from_utf8(&target).map_err(|_| unreadable_link(&plain))?;
            if target.starts_with('/') {
                return Err(leads_out(&plain, "it is absolute"));
            }
            link.clone_from(&plain);
            plain.truncate(plain.rfind('/').unwrap_or(0));
            left.extend(target.split('/').rev().map(str::to_owned));
        }
        Ok(Some(plain))
    }

    /// The length of what is left when `..` follows `plain`, which must be a directory.
    fn parent_of(&self, plain: &str, doing: &str) -> Result<Option<usize>> {
        match self.beneath(plain, FOLDER) {
            Ok(_) => Ok(Some(plain.rfind('/').unwrap_or(0))),
            Err(Errno::LOOP) => Ok(None),
            Err(errno) => Err(failure(doing, errno)),
        }
    }

    /// Where the link at `plain` points; `None` if it is no link.
    fn read_link(&self, plain: &str) -> io::Result<Option<Vec<u8>>> {
        let fd = self.beneath(plain, OFlags::PATH | OFlags::NOFOLLOW)?;
        match readlinkat(fd, c"", Vec::new()) {
            Ok(target) => Ok(Some(target.into_bytes())),
            Err(Errno::NOENT | Errno::INVAL) => Ok(None), // what the kernel answers for anything but a link
            Err(errno) => Err(errno),
        }
    }

    /// Opens a path that has no link in it; `ELOOP` if it does. A link at its end can be opened itself, with `PATH` and
    /// `NOFOLLOW`.
    fn beneath(&self, path: &str, flags: OFlags) -> io::Result<OwnedFd> {
        let path = if path.is_empty() { "." } else { path };
        let flags = flags | OFlags::CLOEXEC;
        if !self.has_openat2 {
            return self.walk(path, flags);
        }
        for _ in attempts() {
            // EAGAIN: something was renamed meanwhile and the kernel could not tell whether that mattered.
            match openat2(&self.fd, path, flags, Mode::empty(), RESOLVE) {
                Err(Errno::AGAIN | Errno::INTR) => {}
                // A name that crosses out of the root by other means than a link: there is none without `..`.
                Err(Errno::XDEV) => return Err(Errno::LOOP),
                opened => return opened,
            }
        }
        Err(Errno::AGAIN)
    }

    /// What `openat2` does, name by name.
    fn walk(&self, path: &str, flags: OFlags) -> io::Result<OwnedFd> {
        let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
        let mut below: Option<OwnedFd> = None;
        for folder in folders.split('/').filter(|folder| !folder.is_empty()) {
            let at = below.as_ref().map_or(self.fd.as_fd(), OwnedFd::as_fd);
            below = Some(open_no_link(at, folder, FOLDER | OFlags::CLOEXEC)?);
        }
        open_no_link(below.as_ref().map_or(self.fd.as_fd(), OwnedFd::as_fd), name, flags)
    }
}

fn open_no_link(at: BorrowedFd<'_>, name: &str, flags: OFlags) -> io::Result<OwnedFd> {
    let is = |kind: FileType, found: rustix::fs::Stat| FileType::from_raw_mode(found.st_mode) == kind;
    let is_link = |found| is(FileType::Symlink, found);
    match retry_on_intr(|| openat(at, name, flags | OFlags::NOFOLLOW, Mode::empty())) {
        // A link that is opened as a directory is "not a directory", like a file.
        // And if it is a directory by now, somebody put that in its place this moment: the path is looked at again.
        Err(Errno::NOTDIR) => {
            let found = statat(at, name, AtFlags::SYMLINK_NOFOLLOW)?;
            let changed =
                is_link(found) || (flags.contains(OFlags::DIRECTORY) && is(FileType::Directory, found));
            Err(if changed { Errno::LOOP } else { Errno::NOTDIR })
        }
        Ok(fd) if flags.contains(OFlags::PATH) && !flags.contains(OFlags::NOFOLLOW) => {
            if is_link(rustix::fs::fstat(&fd)?) { Err(Errno::LOOP) } else { Ok(fd) }
        }
        opened => opened,
    }
}

/// Makes a directory in another one; that somebody else was faster is as well.
fn make_in(folder: &Folder<'_>, name: &str, durability: Durability, doing: &str) -> Result<()> {
    match mkdirat(folder, name, Mode::from_raw_mode(0o777)) {
        Ok(()) => sync_folder(folder, durability, doing),
        Err(Errno::EXIST) => Ok(()),
        Err(errno) => Err(failure(doing, errno)),
    }
}

/// Where durability was asked for, waits until the names in `folder` have reached the disk.
pub(crate) fn sync_folder(folder: impl AsFd, durability: Durability, doing: &str) -> Result<()> {
    if durability == Durability::None {
        return Ok(());
    }
    // A descriptor that only names a directory cannot be synchronised.
    openat(folder, c".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .and_then(fsync)
        .map_err(|errno| not_durable(doing, errno))
}

/// The change is made, and may not outlive a power failure.
pub(crate) fn not_durable(doing: &str, errno: Errno) -> Error {
    failure(&format!("{doing} durably"), errno)
        .hint("the change may be lost if the machine fails now; check the disk before trying again")
}

/// Makes the directory at `path`, anywhere, with its parents.
pub(crate) fn make_root(path: &Path) -> std::io::Result<()> {
    match mkdirat(CWD, path, Mode::from_raw_mode(0o777)) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(Errno::NOENT) => std::fs::create_dir_all(path),
        Err(errno) => Err(errno.into()),
    }
}

fn push(plain: &mut String, name: &str) {
    if !plain.is_empty() {
        plain.push('/');
    }
    plain.push_str(name);
}

fn reserved_name(name: &str) -> Error {
    Error::new(ErrorKind::InvalidPath, format!("the name `{name}` is reserved and out of reach"))
        .hint("choose another name")
}

fn leads_out(link: &str, why: &str) -> Error {
    let message = format!("a link on the way leads out of the root: {why}");
    Error::new(ErrorKind::OutsideRoot, message)
        .hint("links are followed if they are relative and stay inside the root")
        .with("link", link)
}

fn unreadable_link(link: &str) -> Error {
    Error::new(ErrorKind::InvalidPath, "a link on the way leads through a name that is not UTF-8")
        .with("link", link)
}
