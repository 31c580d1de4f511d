//! The names that new content has before it gets its own, and their removal when a process died over them.
//!
//! They lie in one directory at the root, `.f9-tmp`, so that finding what a killed process left behind costs one look and
//! no walk through the tree. Each open tree that needs such names has a lock file there, held with `flock`, which ends
//! with the process however it ends, in any container and across PID namespaces; its names start with the lock's. The
//! directory is made when it is first needed and goes with the last tree that used it.
//!
//! Where a file cannot come from there (it is on another file system, or `.f9-tmp` cannot be made, belongs to somebody else
//! or can be written to by others), its temporary name is beside its own, and the file itself is locked. What a killed
//! process left so is removed when it is met. Nothing is written or removed in a `.f9-tmp` that is not ours alone.

use std::{
    collections::HashSet,
    ffi::CStr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};

use rustix::{
    fd::{AsFd, BorrowedFd, OwnedFd},
    fs::{AtFlags, Dir, FlockOperation, Mode, OFlags, flock, mkdirat, openat, unlinkat},
    io::{self, Errno},
    process::geteuid,
};

use super::stat::{Device, Stat};

/// No name that starts so, in upper or lower case, can be reached or is listed.
const PREFIX: &[u8] = b".f9-tmp";
const DIRECTORY: &CStr = c".f9-tmp";
/// How names beside others start; an id and a number follow.
const BESIDE: &str = ".f9-tmp-";

const OPEN_DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
const MAKE_FILE: OFlags =
    OFlags::RDWR.union(OFlags::CREATE).union(OFlags::EXCL).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Who may open a temporary file.
const OWNER_ONLY: Mode = Mode::RUSR.union(Mode::WUSR);

const OPEN_LOCK: OFlags = OFlags::RDWR.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

/// What follows the name of a temporary file in that of the empty one beside it that shows the mode of new files.
const MODE_PROBE: &str = "-mode";

/// Whether a name is kept for temporary files. Case does not matter, because to some file systems it does not.
pub(crate) fn is_reserved(name: &[u8]) -> bool {
    name.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}

/// The temporary names of one open tree.
#[derive(Debug, Default)]
pub(crate) struct Temps {
    session: Mutex<Option<Arc<Session>>>,
    /// The directories that were searched for temporary names beside others, by file system and inode.
    searched: Mutex<HashSet<(Device, u64)>>,
}

/// How many directories are remembered to have been searched, before they are forgotten and searched again.
const MAX_SEARCHED: usize = 4096;

/// A lock file and the names that go with it.
#[derive(Debug)]
struct Session {
    directory: OwnedFd,
    device: Device,
    /// Nobody else may enter the directory.
    is_private: bool,
    id: String,
    /// Open for as long as the lock is to be held.
    _lock: OwnedFd,
}

/// A temporary file that is removed when this is dropped, unless it has got its own name.
#[derive(Debug)]
pub(crate) struct Temp {
    place: Place,
    name: String,
    is_there: bool,
}

#[derive(Debug, Clone)]
enum Place {
    Session(Arc<Session>),
    /// Beside the file it is to become: where `.f9-tmp` is on another file system or cannot be made.
    Beside(Arc<OwnedFd>),
}

impl Temps {
    /// Makes an empty file with a temporary name on `device`, the file system of `beside`. Nobody else may read it until it
    /// takes its place: `mode`, which spares setting the mode later, is only for the directory that nobody else may enter.
    pub(crate) fn make(
        &self,
        root: BorrowedFd<'_>,
        beside: impl AsFd,
        device: Device,
        mode: Mode,
    ) -> io::Result<(Temp, OwnedFd)> {
        self.with_name(root, beside, device, |folder, name, is_private| {
            let mode = if is_private { mode } else { OWNER_ONLY };
            openat(folder, name, MAKE_FILE, mode)
        })
    }

    /// Finds a free temporary name on `device` and lets `fill` give it to a file. The last it is told is whether nobody
    /// else can enter the directory.
    pub(crate) fn with_name<T: AsFd>(
        &self,
        root: BorrowedFd<'_>,
        beside: impl AsFd,
        device: Device,
        fill: impl Fn(BorrowedFd<'_>, &str, bool) -> io::Result<T>,
    ) -> io::Result<(Temp, T)> {
        // The directory may have been removed by somebody who cleaned the root: once, a new one is made.
        for _ in 0..2 {
            let Some(session) = self.session(root) else { break };
            if session.device != device {
                break;
            }
            let name = numbered(&session.id, next_number());
            match fill(session.directory.as_fd(), &name, session.is_private) {
                Ok(made) => return Ok((Temp { place: Place::Session(session), name, is_there: true }, made)),
                Err(Errno::NOENT) => self.forget(&session),
                Err(errno) => return Err(errno),
            }
        }
        self.make_beside(beside, fill)
    }

    fn make_beside<T: AsFd>(
        &self,
        beside: impl AsFd,
        fill: impl Fn(BorrowedFd<'_>, &str, bool) -> io::Result<T>,
    ) -> io::Result<(Temp, T)> {
        let folder =
            openat(&beside, c".", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        if self.is_first_in(&folder)? {
            sweep_beside(&folder);
        }
        let folder = Arc::new(folder);
        for _ in 0..16 {
            let name = format!("{BESIDE}{}-{:x}", new_id(), next_number());
            let made = fill(folder.as_fd(), &name, false)?;
            let temp = Temp { place: Place::Beside(Arc::clone(&folder)), name, is_there: true };
            // It may have been swept before it was locked.
            if hold(&made) && !Stat::of(&made)?.is_unlinked {
                return Ok((temp, made));
            }
        }
        Err(Errno::AGAIN)
    }

    /// Whether no temporary name was made in this directory yet, as far as is remembered.
    fn is_first_in(&self, folder: &OwnedFd) -> io::Result<bool> {
        let stat = Stat::of(folder)?;
        let mut searched = self.searched.lock().unwrap_or_else(PoisonError::into_inner);
        if searched.len() >= MAX_SEARCHED {
            searched.clear();
        }
        Ok(searched.insert((stat.device, stat.inode)))
    }

    /// Removes what this tree no longer needs, and the directory if nobody else does.
    pub(crate) fn close(&mut self, root: BorrowedFd<'_>) {
        let session = self.session.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(session) = session {
            // Whatever cannot be removed is hidden, and swept when the root is next opened.
            let _ = unlinkat(&session.directory, session.id.as_str(), AtFlags::empty());
            let _ = unlinkat(root, DIRECTORY, AtFlags::REMOVEDIR);
        }
    }

    /// The session of this tree, begun if need be; `None` where the root does not allow one.
    fn session(&self, root: BorrowedFd<'_>) -> Option<Arc<Session>> {
        let mut current = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        if current.is_none() {
            *current = Session::begin(root).ok().map(Arc::new);
        }
        current.clone()
    }

    fn forget(&self, session: &Arc<Session>) {
        let mut current = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        if current.as_ref().is_some_and(|current| Arc::ptr_eq(current, session)) {
            *current = None;
        }
    }
}

impl Session {
    fn begin(root: BorrowedFd<'_>) -> io::Result<Self> {
        // Others may remove the directory or sweep the lock between two of these steps.
        for _ in 0..16 {
            match Self::try_begin(root) {
                Err(Errno::NOENT | Errno::EXIST | Errno::AGAIN) => {}
                begun => return begun,
            }
        }
        Err(Errno::AGAIN)
    }

    fn try_begin(root: BorrowedFd<'_>) -> io::Result<Self> {
        match mkdirat(root, DIRECTORY, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno),
        }
        let directory = openat(root, DIRECTORY, OPEN_DIRECTORY, Mode::empty())?;
        let Stat { device, mode, owner, .. } = Stat::of(&directory)?;
        if !is_ours(mode, owner) {
            return Err(Errno::PERM);
        }
        let id = new_id();
        let lock = openat(&directory, id.as_str(), MAKE_FILE, OWNER_ONLY)?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        if Stat::of(&lock)?.is_unlinked {
            return Err(Errno::AGAIN); // swept before it was locked
        }
        // Another program may have made it, for others to look into.
        let is_private = mode & 0o077 == 0;
        Ok(Self { directory, device, is_private, id, _lock: lock })
    }
}

/// Whether a directory belongs to this user and nobody else can change what is in it. In any other one, whoever can write
/// there can put a file of theirs in the place of a temporary one, and it would be given the name of what was written.
fn is_ours(mode: u32, owner: (u32, u32)) -> bool {
    owner.0 == geteuid().as_raw() && mode & 0o022 == 0
}

impl Temp {
    pub(crate) fn folder(&self) -> BorrowedFd<'_> {
        match &self.place {
            Place::Session(session) => session.directory.as_fd(),
            Place::Beside(folder) => folder.as_fd(),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The mode that a new file gets there from the umask or the directory's default access list. Both are the kernel's to
    /// apply, and the umask cannot be asked for without changing it for every thread: so an empty file is made to see.
    pub(crate) fn mode_of_new(&self) -> io::Result<Mode> {
        let name = format!("{}{MODE_PROBE}", self.name);
        let fd = openat(self.folder(), name.as_str(), MAKE_FILE, Mode::from_raw_mode(0o666))?;
        let probe = Self { place: self.place.clone(), name, is_there: true };
        let mode = Stat::of(&fd)?.mode;
        drop(probe);
        Ok(Mode::from_raw_mode(mode))
    }

    /// The file has got its own name: there is nothing to remove any more.
    pub(crate) fn keep(mut self) {
        self.is_there = false;
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        if self.is_there {
            // If this fails, the name stays hidden until it is swept.
            let _ = unlinkat(self.folder(), self.name.as_str(), AtFlags::empty());
        }
    }
}

/// Removes what processes that are gone have left behind. Whatever cannot be removed stays hidden.
pub(crate) fn sweep(root: BorrowedFd<'_>) {
    if let Ok(directory) = openat(root, DIRECTORY, OPEN_DIRECTORY, Mode::empty())
        && Stat::of(&directory).is_ok_and(|stat| is_ours(stat.mode, stat.owner))
    {
        // A failure here is no reason to refuse the tree: nothing depends on the leftovers.
        let _ = sweep_sessions(&directory);
        let _ = unlinkat(root, DIRECTORY, AtFlags::REMOVEDIR);
    }
}

fn sweep_sessions(directory: &OwnedFd) -> io::Result<()> {
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        if let Ok(name) = entry.file_name().to_str() {
            // What is not the tree's own, or cannot be removed, does not keep the rest.
            let _ = sweep_session_name(directory, name);
        }
    }
    Ok(())
}

fn sweep_session_name(directory: &OwnedFd, name: &str) -> io::Result<()> {
    match name.split_once('-') {
        None if name.bytes().all(|byte| byte.is_ascii_hexdigit()) && is_lock(directory, name)? => {
            sweep_session(directory, name)
        }
        // The lock is made before the names that go with it and removed after them.
        Some((id, _)) if !is_lock(directory, id)? => remove(directory, name),
        _ => Ok(()),
    }
}

/// Removes a lock file and what goes with it, if nobody holds it.
fn sweep_session(directory: &OwnedFd, id: &str) -> io::Result<()> {
    let lock = match openat(directory, id, OPEN_LOCK, Mode::empty()) {
        Err(Errno::NOENT | Errno::ACCESS) => return Ok(()),
        opened => opened?,
    };
    if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
        return Ok(());
    }
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name.strip_prefix(id.as_bytes()).is_some_and(|rest| rest.starts_with(b"-")) {
            match remove(directory, entry.file_name()) {
                Err(Errno::ISDIR) => {} // none of ours
                removed => removed?,
            }
        }
    }
    remove(directory, id)
}

/// Locks a file with a temporary name beside others, so that it is not taken for a leftover; whether nobody else has the
/// lock. Where files cannot be locked, none is taken for one: that takes the lock as well.
pub(crate) fn hold(file: impl AsFd) -> bool {
    flock(file, FlockOperation::NonBlockingLockExclusive) != Err(Errno::AGAIN)
}

/// Removes what killed processes left in a directory under temporary names beside others; whether there was anything.
pub(crate) fn sweep_beside(folder: impl AsFd) -> bool {
    let Ok(mut entries) = openat(&folder, c".", OPEN_DIRECTORY, Mode::empty()).and_then(Dir::new) else {
        return false; // it cannot be read: then it cannot be swept
    };
    let mut found = false;
    while let Some(Ok(entry)) = entries.read() {
        found |= sweep_if_left(&folder, entry.file_name());
    }
    found
}

/// Removes `name` if it is a temporary one beside others, and nobody holds it any more; whether it was.
pub(crate) fn sweep_if_left(folder: impl AsFd, name: &CStr) -> bool {
    is_beside(name.to_bytes()) && remove_left(folder, name) == Ok(true)
}

fn remove_left(folder: impl AsFd, name: &CStr) -> io::Result<bool> {
    if !Stat::at(&folder, name)?.is_file() {
        return Ok(false);
    }
    let file = openat(&folder, name, OPEN_LOCK, Mode::empty())?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    if !Stat::at(&folder, name)?.is_same_as(&Stat::of(&file)?) {
        return Ok(false);
    }
    unlinkat(&folder, name, AtFlags::empty()).map(|()| true)
}

/// Whether a name is one that is made beside others, and not just reserved.
fn is_beside(name: &[u8]) -> bool {
    let Some(rest) = name.strip_prefix(BESIDE.as_bytes()) else { return false };
    let rest = rest.strip_suffix(MODE_PROBE.as_bytes()).unwrap_or(rest);
    let mut parts = rest.split(|byte| *byte == b'-');
    let mut is_hexadecimal =
        || parts.next().is_some_and(|part| !part.is_empty() && part.iter().all(u8::is_ascii_hexdigit));
    is_hexadecimal() && is_hexadecimal() && parts.next().is_none()
}

/// Whether there is a file of this name, which makes it a lock.
fn is_lock(directory: &OwnedFd, name: &str) -> io::Result<bool> {
    match Stat::at(directory, name) {
        Ok(stat) => Ok(stat.is_file()),
        Err(Errno::NOENT) => Ok(false),
        Err(errno) => Err(errno),
    }
}

fn remove(directory: &OwnedFd, name: impl rustix::path::Arg) -> io::Result<()> {
    match unlinkat(directory, name, AtFlags::empty()) {
        Err(Errno::NOENT) => Ok(()), // another sweeper was faster
        removed => removed,
    }
}

/// An id that is most likely free: names are made exclusively, so a clash is seen and another id taken.
pub(crate) fn new_id() -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    format!("{:x}{:08x}{:08x}", now.as_nanos(), std::process::id(), next_number())
}

/// What `{id}-{number:x}` says. Each replaced file needs one, and to format it so takes as long as a system call.
fn numbered(id: &str, number: u64) -> String {
    let mut name = String::with_capacity(id.len() + "-ffffffffffffffff".len());
    name.push_str(id);
    name.push('-');
    let digits = (u64::BITS - number.leading_zeros()).div_ceil(4).max(1);
    let digit = |place| char::from_digit((number >> (4 * place)) as u32 & 0xf, 16);
    name.extend((0..digits).rev().filter_map(digit));
    name
}

fn next_number() -> u64 {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    NUMBER.fetch_add(1, Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_hexadecimal() {
        for number in [0, 9, 10, 15, 16, 0xabc, 0x1000, u64::MAX] {
            assert_eq!(numbered("1f", number), format!("1f-{number:x}"));
        }
    }

    #[test]
    fn reserved_names_are_so_in_any_case() {
        for name in [".f9-tmp", ".F9-TMP", ".f9-tmp-1", ".f9-tmpx"] {
            assert!(is_reserved(name.as_bytes()), "{name}");
        }
        for name in [".f9", "f9-tmp", "x.f9-tmp", ".f9-tm"] {
            assert!(!is_reserved(name.as_bytes()), "{name}");
        }
    }
}
