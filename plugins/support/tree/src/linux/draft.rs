//! New content on its way to its name: invisible until it is whole.

use std::io::Read;

use f9_plugin_api::{BackendPath, Error, ErrorKind, FileInfo, FileKind, Result};
use rustix::{
    fd::{AsFd, AsRawFd, OwnedFd},
    fs::{
        AtFlags, CWD, Gid, Mode, OFlags, RenameFlags, Uid, fchmod, fchown, fsync, ftruncate, linkat, openat,
        renameat, renameat_with,
    },
    io::{self, Errno, retry_on_intr},
};

use super::{
    copying::copy_content,
    errors::{already_exists, contended, failure},
    in_place,
    resolve::{attempts, sync_folder},
    spot::{Rule, Spot},
    stat::Stat,
    temp::{self, Temp},
};
use crate::{Durability, Tree};

/// What a reader is read with.
const CHUNK: usize = 256 << 10;

/// How often a file is copied that changes meanwhile.
const COPY_ATTEMPTS: u32 = 5;

/// A file without a name, or with a temporary one. Dropped, it is gone.
#[derive(Debug)]
pub(crate) struct Draft {
    fd: OwnedFd,
    temp: Option<Temp>,
    /// Who may run it, as permission bits, if it becomes a new file and those may read it.
    executable: u32,
}

impl Draft {
    /// Begins new content for the spot that `look` finds, which can go away meanwhile.
    pub(crate) fn start<'t>(
        tree: &'t Tree,
        look: impl Fn() -> Result<Spot<'t>>,
        doing: &str,
    ) -> Result<(Self, Spot<'t>)> {
        for _ in attempts() {
            let spot = look()?;
            match Self::begin(tree, &spot, doing) {
                Err(error) if error.is_not_found() => {}
                begun => return Ok((begun?, spot)),
            }
        }
        Err(contended(doing))
    }

    /// What is to be new can do without a name until it is linked to its own; what replaces something is renamed to it
    /// and needs one before.
    fn begin(tree: &Tree, spot: &Spot<'_>, doing: &str) -> Result<Self> {
        if spot.old.is_none()
            && let Some(draft) = Self::unnamed(tree, &spot.folder, doing)?
        {
            return Ok(draft);
        }
        let (device, mode) = match &spot.old {
            Some(old) if old.is_file() => (old.device, old.mode),
            // The permissions of a link say nothing: what takes its place is a new file.
            Some(old) => (old.device, 0o600),
            None => (Stat::of(&spot.folder).map_err(|errno| failure(doing, errno))?.device, 0o600),
        };
        let mode = Mode::from_raw_mode(mode);
        let made = tree.temps().make(tree.root().as_fd(), &spot.folder, device, mode);
        let (temp, fd) = made.map_err(|errno| failure(doing, errno))?;
        Ok(Self { fd, temp: Some(temp), executable: 0 })
    }

    /// A file that never had a name, if the file system offers it.
    fn unnamed(tree: &Tree, folder: impl AsFd, doing: &str) -> Result<Option<Self>> {
        if !tree.offers_unnamed() {
            return Ok(None);
        }
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        // It gets a name only with its final mode, which for a new file is the one it is made with.
        match retry_on_intr(|| openat(&folder, c".", flags, Mode::from_raw_mode(0o666))) {
            Ok(fd) => Ok(Some(Self { fd, temp: None, executable: 0 })),
            Err(Errno::OPNOTSUPP | Errno::INVAL | Errno::ISDIR | Errno::NOSYS) => {
                tree.set_no_unnamed();
                Ok(None)
            }
            // What ext4 says of a directory that was removed meanwhile.
            Err(Errno::PERM) if Stat::of(&folder).is_ok_and(|stat| stat.is_unlinked) => {
                Err(failure(doing, Errno::NOENT))
            }
            Err(errno) => Err(failure(doing, errno)),
        }
    }

    /// Adds `bytes`.
    pub(crate) fn write(&mut self, mut bytes: &[u8], doing: &str) -> Result<()> {
        while !bytes.is_empty() {
            match retry_on_intr(|| io::write(&self.fd, bytes)) {
                Ok(0) => return Err(failure(doing, Errno::NOSPC)),
                Ok(written) => bytes = &bytes[written..],
                Err(errno) => return Err(failure(doing, errno)),
            }
        }
        Ok(())
    }

    /// Makes the content that of a file, which is `source` now. If it changes meanwhile it is read again, and at last refused:
    /// what is copied was in the file at one time.
    pub(crate) fn copy(&mut self, from: &OwnedFd, mut source: Stat, doing: &str) -> Result<()> {
        let failed = |errno| failure(doing, errno);
        for _ in 0..COPY_ATTEMPTS {
            ftruncate(&self.fd, 0).map_err(failed)?;
            match copy_content(from, &self.fd, source.size) {
                // It was cut short.
                Err(Errno::AGAIN) => {}
                copied => copied.map_err(failed)?,
            }
            let now = Stat::of(from).map_err(failed)?;
            if (now.size, now.modified) == (source.size, source.modified) {
                return self.keep_executable(source.mode).map_err(failed);
            }
            source = now;
        }
        let message = format!("cannot {doing}: the source is written to at the same time");
        Err(Error::new(ErrorKind::Busy, message).hint("try again when nobody writes to it"))
    }

    /// Lets those run it who may run the source, as far as they may read new files at all.
    fn keep_executable(&mut self, source: u32) -> io::Result<()> {
        self.executable = source & 0o111;
        if self.executable == 0 || self.temp.is_some() {
            return Ok(());
        }
        let mode = Stat::of(&self.fd)?.mode;
        self.set_mode(mode, self.with_executable(mode))
    }

    const fn with_executable(&self, mode: u32) -> u32 {
        mode | ((mode & 0o444) >> 2 & self.executable)
    }

    fn set_mode(&self, now: u32, wanted: u32) -> io::Result<()> {
        // Some file systems have one mode for all files, and refuse to set even that.
        if now == wanted { Ok(()) } else { fchmod(&self.fd, Mode::from_raw_mode(wanted)) }
    }

    /// Makes the content that of the file at `path`, in one step. `spot` is where that is, if it was looked at a moment
    /// ago.
    pub(crate) fn commit<'a>(
        mut self,
        tree: &'a Tree,
        path: &'a BackendPath,
        mut spot: Option<Spot<'a>>,
        rule: Rule,
        doing: &str,
    ) -> Result<FileInfo> {
        let (mut stat, mut synced) = (self.look(doing)?, false);
        for _ in attempts() {
            let Spot { folder, name, old } = match spot.take() {
                Some(spot) => spot,
                None => Spot::find(tree, path, rule, doing)?,
            };
            if let Some(old) = &old {
                self.keep_owner_and_mode(&mut stat, old, doing)?;
            }
            if tree.durability() == Durability::Fsync && !std::mem::replace(&mut synced, true) {
                fsync(&self.fd).map_err(|errno| failure(doing, errno))?;
            }
            let placed = match &old {
                Some(old) => self.replace(tree, &folder, &name, old),
                None => self.link(tree, &folder, &name),
            };
            match placed {
                Ok(()) => {
                    sync_folder(&folder, tree.durability(), doing)?;
                    return Ok(stat.info(path.clone()));
                }
                Err(Errno::EXIST) if rule == Rule::New => return Err(already_exists(doing)),
                // A file that is mounted by itself cannot be replaced.
                Err(Errno::BUSY) if let Some(old) = old.as_ref().filter(|old| old.is_file()) => {
                    stat = self.look(doing)?;
                    let written = in_place::replace(&self.fd, stat.size, &folder, &name, old, doing)?;
                    if let Some(written) = written {
                        return Ok(written.info(path.clone()));
                    }
                }
                // Something came or went meanwhile, or the directory did: look again.
                Err(Errno::EXIST | Errno::NOENT) => stat = self.look(doing)?,
                Err(errno) => return Err(failure(doing, errno)),
            }
        }
        Err(contended(doing))
    }

    fn look(&self, doing: &str) -> Result<Stat> {
        let mut stat = Stat::of(&self.fd).map_err(|errno| failure(doing, errno))?;
        stat.kind = FileKind::File;
        Ok(stat)
    }

    /// A file that is replaced stays as accessible as it was. Its owner can be kept only by those who may.
    fn keep_owner_and_mode(&self, stat: &mut Stat, old: &Stat, doing: &str) -> Result<()> {
        if !old.is_file() {
            return Ok(());
        }
        let mut mode = old.mode;
        if stat.owner != old.owner {
            let (user, group) = (Uid::from_raw(old.owner.0), Gid::from_raw(old.owner.1));
            // Without the right to give files away the new content belongs to who wrote it, as with every editor. What
            // one group may do is then not for another one.
            let kept =
                fchown(&self.fd, Some(user), Some(group)).or_else(|_| fchown(&self.fd, None, Some(group)));
            if kept.is_err() && stat.owner.1 != old.owner.1 {
                mode = (mode & 0o707) | ((mode & 0o007) << 3);
            }
        }
        if stat.mode != mode {
            fchmod(&self.fd, Mode::from_raw_mode(mode)).map_err(|errno| failure(doing, errno))?;
            stat.mode = mode;
        }
        Ok(())
    }

    /// Takes the place of what is at `name`.
    fn replace(&mut self, tree: &Tree, folder: impl AsFd, name: &str, old: &Stat) -> io::Result<()> {
        let temp = match self.temp.take() {
            Some(temp) => {
                if !old.is_file()
                    && let Err(errno) = self.open_up(&temp)
                {
                    self.temp = Some(temp);
                    return Err(errno);
                }
                temp
            }
            None => {
                let link = |place: rustix::fd::BorrowedFd<'_>, free: &str, _| {
                    // Once it has a name, it can be taken for a leftover if it is not locked.
                    temp::hold(&self.fd);
                    self.link_unnamed(place, free).map(|()| &self.fd)
                };
                tree.temps().with_name(tree.root().as_fd(), &folder, old.device, link)?.0
            }
        };
        match renameat(temp.folder(), temp.name(), folder, name) {
            Ok(()) => {
                temp.keep();
                Ok(())
            }
            Err(errno) => {
                self.temp = Some(temp);
                Err(errno)
            }
        }
    }

    /// Takes `name` if it is free: `EEXIST` if it is not.
    fn link(&mut self, tree: &Tree, folder: impl AsFd, name: &str) -> io::Result<()> {
        let Some(temp) = self.temp.take() else {
            return match self.link_unnamed(&folder, name) {
                Err(Errno::NOENT) if !Stat::of(&folder)?.is_unlinked => self.get_name(tree, &folder),
                linked => linked,
            };
        };
        match self.open_up(&temp).and_then(|()| rename_new(&temp, folder, name)) {
            Ok(()) => {
                temp.keep();
                Ok(())
            }
            Err(errno) => {
                self.temp = Some(temp);
                Err(errno)
            }
        }
    }

    /// Gives a file with a temporary name, which only its owner may read, the mode of a new one.
    fn open_up(&self, temp: &Temp) -> io::Result<()> {
        let mode = self.with_executable(temp.mode_of_new()?.as_raw_mode());
        self.set_mode(Stat::of(&self.fd)?.mode, mode)
    }

    fn link_unnamed(&self, folder: impl AsFd, name: &str) -> io::Result<()> {
        match linkat(&self.fd, c"", &folder, name, AtFlags::EMPTY_PATH) {
            // Kernels before 6.10 ask for a capability, and say "no such file" without it.
            Err(Errno::NOENT | Errno::PERM | Errno::INVAL) => {
                let path = format!("/proc/self/fd/{}", self.fd.as_raw_fd());
                linkat(CWD, path, folder, name, AtFlags::SYMLINK_FOLLOW)
            }
            linked => linked,
        }
    }

    /// Moves the content to a file with a temporary name, where a file without one cannot get any (an older kernel
    /// without /proc). Answers `ENOENT` to be tried again.
    fn get_name(&mut self, tree: &Tree, folder: impl AsFd) -> io::Result<()> {
        tree.set_no_unnamed();
        let stat = Stat::of(&self.fd)?;
        let mode = Mode::RUSR | Mode::WUSR;
        let (temp, fd) = tree.temps().make(tree.root().as_fd(), folder, stat.device, mode)?;
        copy_content(&self.fd, &fd, stat.size)?;
        if tree.durability() == Durability::Fsync {
            fsync(&fd)?;
        }
        *self = Self { fd, temp: Some(temp), executable: self.executable };
        Err(Errno::NOENT)
    }
}

/// Reads to the end, piece by piece.
pub(crate) fn read_all(reader: &mut dyn Read, mut take: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let mut buffer = vec![0; CHUNK];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => take(buffer.get(..length).ok_or_else(broken_reader)?)?,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::from(error)),
        }
    }
}

fn broken_reader() -> Error {
    Error::new(
        ErrorKind::InvalidOperation,
        "the reader of the content claims more bytes than it was asked for",
    )
}

/// Gives a temporary file its own name if that is free.
fn rename_new(temp: &Temp, folder: impl AsFd, name: &str) -> io::Result<()> {
    match renameat_with(temp.folder(), temp.name(), &folder, name, RenameFlags::NOREPLACE) {
        // The file system has no such rename: a link is as exclusive, and the temporary name goes afterwards.
        Err(Errno::INVAL | Errno::NOSYS) => {
            linkat(temp.folder(), temp.name(), folder, name, AtFlags::empty())?;
            let _ = rustix::fs::unlinkat(temp.folder(), temp.name(), AtFlags::empty());
            Ok(())
        }
        renamed => renamed,
    }
}
