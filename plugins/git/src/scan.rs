//! Where the working tree may differ from the index: what the system says of every file, and no look into any.

use std::{
    ops::Range,
    os::fd::OwnedFd,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

use rustix::{
    fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, openat, statat},
    io::Errno,
};

use crate::{
    checkout::git_mode,
    index_file::{IndexFile, Tracked},
    stage::TEMPORARY,
};

/// With fewer files than this, threads take longer to start than to help.
const WORTH_THREADS: usize = 2000;
const MAX_THREADS: usize = 8;

/// The paths that may differ from the index, each once: files that do not look as they did or are gone, and what the index
/// does not know. A directory stands for all that is below it. Nothing else differs.
pub(crate) fn differing(root: &OwnedFd, index: &IndexFile) -> rustix::io::Result<Vec<Vec<u8>>> {
    let scan = Scan { root, index, state: Mutex::default(), wake: Condvar::new() };
    scan.state().open.push(Directory { path: Vec::new(), entries: 0..index.len() });
    let threads = if index.len() < WORTH_THREADS {
        1
    } else {
        thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS)
    };
    thread::scope(|scope| {
        for _ in 1..threads {
            // This thread does what others do not, because they are not to be had.
            let _ = thread::Builder::new().spawn_scoped(scope, || scan.work());
        }
        scan.work();
    });
    let mut state = scan.state.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(error) = state.failed {
        return Err(error);
    }
    state.found.sort_unstable();
    state.found.dedup();
    Ok(state.found)
}

struct Scan<'a> {
    root: &'a OwnedFd,
    index: &'a IndexFile,
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    open: Vec<Directory>,
    /// How many threads look into a directory, and may find more of them.
    busy: usize,
    found: Vec<Vec<u8>>,
    failed: Option<Errno>,
}

/// A directory to look into, and what the index has below it.
struct Directory {
    path: Vec<u8>,
    entries: Range<usize>,
}

/// What one directory brought.
#[derive(Default)]
struct Yield {
    open: Vec<Directory>,
    found: Vec<Vec<u8>>,
}

impl Scan<'_> {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        let mut state = self.state();
        loop {
            if let Some(directory) = state.open.pop() {
                state.busy += 1;
                drop(state);
                let looked = self.look_into(&directory);
                state = self.state();
                state.busy -= 1;
                match looked {
                    Ok(mut brought) => {
                        state.open.append(&mut brought.open);
                        state.found.append(&mut brought.found);
                    }
                    Err(error) => {
                        state.failed = Some(error);
                        state.open.clear();
                    }
                }
                self.wake.notify_all();
            } else if state.busy == 0 {
                return;
            } else {
                state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    /// Goes through what is there and what the index has, both in its order.
    fn look_into(&self, directory: &Directory) -> rustix::io::Result<Yield> {
        let mut brought = Yield::default();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let name: &[u8] = if directory.path.is_empty() { b"." } else { &directory.path };
        let fd = match openat(self.root, name, flags, Mode::empty()) {
            Ok(fd) => fd,
            // Replaced since its name was read.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) if !directory.path.is_empty() => {
                brought.found.push(directory.path.clone());
                return Ok(brought);
            }
            Err(error) => return Err(error),
        };
        let is_root = directory.path.is_empty();
        let prefix = if is_root { Vec::new() } else { [&*directory.path, b"/"].concat() };
        let there = names(&fd)?;
        let mut names = there.iter().filter(|name| !(is_root && is_ours(name))).peekable();
        let mut at = directory.entries.start;
        loop {
            let tracked =
                (at < directory.entries.end).then(|| self.child(&prefix, at, directory.entries.end));
            let order = match (names.peek(), &tracked) {
                (None, None) => return Ok(brought),
                (Some(_), None) => std::cmp::Ordering::Less,
                (None, Some(_)) => std::cmp::Ordering::Greater,
                (Some(name), Some(tracked)) => name.as_slice().cmp(tracked.name),
            };
            let path_of = |name: &[u8]| [&*prefix, name.strip_suffix(b"/").unwrap_or(name)].concat();
            if order.is_le()
                && let Some(name) = names.next()
            {
                match tracked.as_ref().filter(|_| order.is_eq()) {
                    // A repository of its own begins here, or git was told to look away.
                    _ if is_dot_git(name) => brought.found.push(directory.path.clone()),
                    None => brought.found.push(path_of(name)),
                    Some(child) if name.ends_with(b"/") => {
                        brought.open.push(Directory { path: path_of(name), entries: at..child.end });
                    }
                    Some(_) => {
                        let stat = statat(&fd, name.as_slice(), AtFlags::SYMLINK_NOFOLLOW);
                        if !stat.is_ok_and(|stat| looks_the_same(self.index, self.index.get(at), &stat)) {
                            brought.found.push(path_of(name));
                        }
                    }
                }
            } else if let Some(child) = tracked.as_ref().filter(|child| !(is_root && is_ours(child.name))) {
                brought.found.push(path_of(child.name)); // gone
            }
            if order.is_ge()
                && let Some(child) = tracked
            {
                at = child.end;
            }
        }
    }

    /// What the index has next in the directory with this prefix.
    fn child(&self, prefix: &[u8], at: usize, end: usize) -> Child<'_> {
        let path = self.index.get(at).path();
        match path[prefix.len()..].iter().position(|&byte| byte == b'/') {
            None => Child { name: &path[prefix.len()..], end: at + 1 },
            Some(slash) => {
                let below = prefix.len() + slash + 1;
                Child { name: &path[prefix.len()..below], end: self.index.end_of(&path[..below], at, end) }
            }
        }
    }
}

/// A file of the index, or a directory, whose name ends in a slash.
struct Child<'a> {
    name: &'a [u8],
    end: usize,
}

/// The names in a directory in the order of the index, where directories end in a slash.
fn names(directory: &OwnedFd) -> rustix::io::Result<Vec<Vec<u8>>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let mut name = entry.file_name().to_bytes().to_vec();
        if name == b"." || name == b".." {
            continue;
        }
        let mut kind = entry.file_type();
        if kind == FileType::Unknown {
            let stat = statat(directory, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW)?;
            kind = FileType::from_raw_mode(stat.st_mode);
        }
        if kind == FileType::Directory {
            name.push(b'/');
        }
        names.push(name);
    }
    names.sort_unstable();
    Ok(names)
}

/// Whether this, in the root, is git's directory or holds files on their way into the tree.
fn is_ours(name: &[u8]) -> bool {
    is_dot_git(name) || name.starts_with(TEMPORARY.as_bytes())
}

fn is_dot_git(name: &[u8]) -> bool {
    name.strip_suffix(b"/").unwrap_or(name) == b".git"
}

/// As git decides whether to look into a file; of what it stores by other means than a file or link, never.
fn looks_the_same(index: &IndexFile, tracked: Tracked<'_>, stat: &Stat) -> bool {
    let modified = (low(stat.st_mtime), stat.st_mtime_nsec as i64);
    let changed = (low(stat.st_ctime), stat.st_ctime_nsec as i64);
    git_mode(stat) == Some(tracked.mode())
        && tracked.size() == stat.st_size as u32
        && tracked.modified() == modified
        && tracked.changed() == changed
        && tracked.inode() == stat.st_ino as u32
        && tracked.owner() == (stat.st_uid, stat.st_gid)
        && !index.is_racy(modified)
}

/// git keeps the lower 32 bits.
fn low(seconds: i64) -> i64 {
    i64::from(seconds as i32)
}
