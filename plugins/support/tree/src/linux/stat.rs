//! What the file system knows of a file.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use f9_plugin_api::{BackendPath, FileInfo, FileKind};
use rustix::{
    fd::AsFd,
    fs::{AtFlags, FileType, Statx, StatxFlags, StatxTimestamp, fstat, statat, statx},
    io::{Errno, Result},
    path::Arg,
};

/// One look at a file.
#[derive(Debug, Clone)]
pub(crate) struct Stat {
    pub(crate) kind: FileKind,
    pub(crate) size: u64,
    /// The permission bits.
    pub(crate) mode: u32,
    pub(crate) owner: (u32, u32),
    pub(crate) device: Device,
    pub(crate) inode: u64,
    /// It has no name any more.
    pub(crate) is_unlinked: bool,
    pub(crate) modified: Option<SystemTime>,
    pub(crate) created: Option<SystemTime>,
}

/// Major and minor number.
pub(crate) type Device = (u32, u32);

impl Stat {
    /// Looks at what a descriptor is open on.
    pub(crate) fn of(fd: impl AsFd) -> Result<Self> {
        match statx(&fd, c"", AtFlags::EMPTY_PATH, WANTED) {
            Ok(found) => Ok(Self::from_statx(&found)),
            Err(Errno::NOSYS) => Ok(Self::from_stat(&fstat(fd)?)),
            Err(errno) => Err(errno),
        }
    }

    /// Looks at a name in a directory; a link is a link.
    pub(crate) fn at(folder: impl AsFd, name: impl Arg + Copy) -> Result<Self> {
        match statx(&folder, name, AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT, WANTED) {
            Ok(found) => Ok(Self::from_statx(&found)),
            Err(Errno::NOSYS) => Ok(Self::from_stat(&statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?)),
            Err(errno) => Err(errno),
        }
    }

    pub(crate) fn is_file(&self) -> bool {
        self.kind == FileKind::File
    }

    pub(crate) fn is_dir(&self) -> bool {
        self.kind == FileKind::Directory
    }

    pub(crate) fn is_link(&self) -> bool {
        self.kind == FileKind::Symlink
    }

    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }

    /// Describes the file at `path`.
    pub(crate) fn info(&self, path: BackendPath) -> FileInfo {
        let size = if self.is_file() { self.size } else { 0 };
        FileInfo::new(path, self.kind, size).created_at(self.created).modified_at(self.modified)
    }

    fn from_statx(found: &Statx) -> Self {
        let born = found.stx_mask & StatxFlags::BTIME.bits() != 0;
        Self {
            kind: kind_of(FileType::from_raw_mode(found.stx_mode.into())),
            size: found.stx_size,
            mode: u32::from(found.stx_mode) & 0o777,
            owner: (found.stx_uid, found.stx_gid),
            device: (found.stx_dev_major, found.stx_dev_minor),
            inode: found.stx_ino,
            is_unlinked: found.stx_nlink == 0,
            modified: time_of(&found.stx_mtime),
            created: if born { time_of(&found.stx_btime) } else { None },
        }
    }

    /// For kernels without `statx` (before 4.11): there is no time of birth.
    fn from_stat(found: &rustix::fs::Stat) -> Self {
        Self {
            kind: kind_of(FileType::from_raw_mode(found.st_mode)),
            size: u64::try_from(found.st_size).unwrap_or(0),
            mode: found.st_mode & 0o777,
            owner: (found.st_uid, found.st_gid),
            device: (rustix::fs::major(found.st_dev), rustix::fs::minor(found.st_dev)),
            inode: found.st_ino,
            is_unlinked: found.st_nlink == 0,
            modified: u32::try_from(found.st_mtime_nsec).ok().and_then(|nanos| time(found.st_mtime, nanos)),
            created: None,
        }
    }
}

const WANTED: StatxFlags = StatxFlags::BASIC_STATS.union(StatxFlags::BTIME);

pub(crate) fn kind_of(file_type: FileType) -> FileKind {
    match file_type {
        FileType::RegularFile => FileKind::File,
        FileType::Directory => FileKind::Directory,
        FileType::Symlink => FileKind::Symlink,
        _ => FileKind::Other,
    }
}

fn time_of(stamp: &StatxTimestamp) -> Option<SystemTime> {
    time(stamp.tv_sec, stamp.tv_nsec)
}

fn time(seconds: i64, nanos: u32) -> Option<SystemTime> {
    let whole = Duration::from_secs(seconds.unsigned_abs());
    let start = if seconds < 0 { UNIX_EPOCH.checked_sub(whole) } else { UNIX_EPOCH.checked_add(whole) };
    start?.checked_add(Duration::from_nanos(nanos.into()))
}
