//! Writing into a file that nothing can take the place of: something that is mounted by itself, as containers have single
//! files. Renaming over it is refused for good.
//!
//! This is the one way in which a file is not replaced in one step. So its new content is put on the disk beside it first,
//! under a name that is listed; should the machine or the process end in between, it is whole there. The space is taken
//! before anything is overwritten.

use f9_plugin_api::{Error, Result};
use rustix::{
    fd::{AsFd, OwnedFd},
    fs::{
        AtFlags, FallocateFlags, FlockOperation, Mode, OFlags, fallocate, flock, fsync, ftruncate, openat,
        unlinkat,
    },
    io::{self, Errno},
};

use super::{copying::copy_content, errors::failure, resolve::attempts, stat::Stat, temp};

/// Longer names do not exist.
const MAX_NAME: usize = 255;

/// Writes the first `size` bytes of `new` into the file that is mounted at `name`; `None` if that is no longer `old`, and the
/// spot has to be looked at again.
pub(crate) fn replace(
    new: &OwnedFd,
    size: u64,
    folder: impl AsFd,
    name: &str,
    old: &Stat,
    doing: &str,
) -> Result<Option<Stat>> {
    let mounted = match prepare(size, &folder, name, old) {
        Err(Errno::NOENT) => return Ok(None),
        prepared => prepared.map_err(|errno| failure(doing, errno))?,
    };
    let saved = save_beside(new, size, &folder, name).map_err(|errno| failure(doing, errno))?;
    let stat = overwrite(&mounted, new, size).map_err(|errno| broke_off(doing, errno, &saved))?;
    remove(&folder, &saved);
    Ok(Some(stat))
}

/// Opens the mounted file and takes the space, of which nothing shows yet; `ENOENT` if it is no longer `old`.
fn prepare(size: u64, folder: impl AsFd, name: &str, old: &Stat) -> io::Result<OwnedFd> {
    let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let mounted = openat(folder, name, flags, Mode::empty())?;
    let found = Stat::of(&mounted)?;
    if !found.is_file() || !found.is_same_as(old) {
        return Err(Errno::NOENT);
    }
    lock(&mounted)?;
    match fallocate(&mounted, FallocateFlags::KEEP_SIZE, 0, size.max(1)) {
        Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Ok(mounted),
        Err(errno) => Err(errno),
    }
}

fn overwrite(mounted: &OwnedFd, new: &OwnedFd, size: u64) -> io::Result<Stat> {
    copy_content(new, mounted, size)?;
    ftruncate(mounted, size)?;
    fsync(mounted)?;
    Stat::of(mounted)
}

/// Two that write at once would leave a mixture.
fn lock(file: &OwnedFd) -> io::Result<()> {
    for _ in attempts() {
        match flock(file, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::NOLCK) => return Ok(()),
            locked => return locked,
        }
    }
    Err(Errno::AGAIN)
}

/// Puts the first `size` bytes of `new` on the disk, beside the file that they are for, and answers by which name.
fn save_beside(new: &OwnedFd, size: u64, folder: impl AsFd, name: &str) -> io::Result<String> {
    let end = format!(".f9-{}", temp::new_id());
    let begin = &name[..name.floor_char_boundary(MAX_NAME - end.len())];
    let saved = format!("{begin}{end}");
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = openat(&folder, saved.as_str(), flags, Mode::RUSR | Mode::WUSR)?;
    let is_saved = copy_content(new, &file, size).and_then(|()| fsync(&file)).and_then(|()| {
        openat(&folder, c".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
            .and_then(fsync)
    });
    is_saved.inspect_err(|_| remove(&folder, &saved))?;
    Ok(saved)
}

/// Removes what is no longer needed; what cannot be removed is listed.
fn remove(folder: impl AsFd, saved: &str) {
    let _ = unlinkat(folder, saved, AtFlags::empty());
}

/// The mounted file may be neither the old nor the new.
fn broke_off(doing: &str, errno: Errno, saved: &str) -> Error {
    let error = failure(doing, errno).with("saved", saved);
    error.hint(format!("the file is a mount of its own and was written to in place; its new content is whole in `{saved}`, beside it"))
}
