//! Who may touch a working tree: locks that hold across threads and processes.

use std::{
    fs::{self, File, TryLockError},
    io::{Read as _, Seek as _, Write as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime},
};

use f9_plugin_api::{Context, Error, ErrorKind, Result};

use crate::{errors::Context as _, own_file};

/// What a lock file says while the lock is held alone; otherwise it is empty. Only such a file is ever written to.
const MARK: &[u8] = b"held\n";

/// One lock, which is a file. The system releases it when its holder ends, however that comes about.
#[derive(Debug, Clone)]
pub(crate) struct LockFile {
    path: PathBuf,
    patience: Duration,
    open: fn(&Path) -> Result<File>,
}

/// Several may hold it at once, while nobody holds it alone.
#[derive(Debug)]
pub(crate) struct Shared(#[expect(dead_code, reason = "closing it releases the lock")] File);

/// Held alone.
#[derive(Debug)]
pub(crate) struct Exclusive {
    file: File,
    interrupted: Option<SystemTime>,
}

impl LockFile {
    /// A lock on the file `path`, for which callers wait up to `patience`.
    pub(crate) const fn new(path: PathBuf, patience: Duration) -> Self {
        Self { path, patience, open: own_file::open_lock }
    }

    /// Waits until nobody else holds the lock on the directory `path`, which is left as it is.
    pub(crate) fn hold_directory(path: PathBuf, patience: Duration, context: &Context) -> Result<Shared> {
        let lock = Self { path, patience, open: |path| File::open(path).context("open a directory") };
        Ok(Shared(lock.wait(context, File::try_lock)?))
    }

    pub(crate) fn share(&self, context: &Context) -> Result<Shared> {
        Ok(Shared(self.wait(context, File::try_lock_shared)?))
    }

    /// Waits until nobody else holds the lock. While it is held, the file says so.
    pub(crate) fn hold(&self, context: &Context) -> Result<Exclusive> {
        let mut file = self.wait(context, File::try_lock)?;
        let mut mark = Vec::new();
        (&file).take(MARK.len() as u64 + 1).read_to_end(&mut mark).context("read the lock file")?;
        if !MARK.starts_with(&mark) {
            return Err(own_file::foreign(&self.path, "a file with other content"));
        }
        let interrupted =
            if mark.is_empty() { None } else { file.metadata().and_then(|m| m.modified()).ok() };
        write_mark(&mut file, MARK).context("write the lock file")?;
        Ok(Exclusive { file, interrupted })
    }

    fn wait(&self, context: &Context, lock: fn(&File) -> Result<(), TryLockError>) -> Result<File> {
        let mut file = (self.open)(&self.path)?;
        let start = Instant::now();
        let mut pause = Duration::from_micros(200);
        loop {
            match lock(&file) {
                Ok(()) if self.is_in_place(&file)? => return Ok(file),
                Ok(()) => file = (self.open)(&self.path)?,
                Err(TryLockError::Error(error)) => return Err(error).context("lock the working tree"),
                Err(TryLockError::WouldBlock) if start.elapsed() > self.patience => return Err(self.busy()),
                Err(TryLockError::WouldBlock) => context.check_cancelled()?,
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(20));
        }
    }

    /// Whether the file was not removed or replaced while we waited for it.
    fn is_in_place(&self, file: &File) -> Result<bool> {
        let held = file.metadata().context("look at the lock file")?;
        let there = fs::symlink_metadata(&self.path);
        Ok(there.is_ok_and(|there| (there.dev(), there.ino()) == (held.dev(), held.ino())))
    }

    fn busy(&self) -> Error {
        let message =
            format!("another operation on this working tree has not ended within {:?}", self.patience);
        Error::new(ErrorKind::Busy, message).with("lock", self.path.display()).hint("try again later")
    }
}

impl Exclusive {
    /// When the last holder began, if it was ended before it could release the lock.
    pub(crate) const fn interrupted(&self) -> Option<SystemTime> {
        self.interrupted
    }
}

impl Drop for Exclusive {
    fn drop(&mut self) {
        // Fails only with the disk; then the next holder looks for remains and finds none.
        let _ = write_mark(&mut self.file, b"");
    }
}

fn write_mark(file: &mut File, mark: &[u8]) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(mark)
}

/// Deletes the lock files among `candidates` that a process left behind which was ended in the middle of an operation it
/// had begun at `began`. Older ones are somebody else's, and so are those of another user and what is no file.
pub(crate) fn remove_stale<'a>(
    candidates: impl IntoIterator<Item = &'a Path>,
    began: SystemTime,
) -> Result<()> {
    for path in candidates {
        let Ok(metadata) = path.symlink_metadata() else { continue };
        let is_ours = metadata.is_file() && metadata.uid() == rustix::process::geteuid().as_raw();
        if is_ours && metadata.modified().is_ok_and(|modified| modified >= began) {
            fs::remove_file(path).context("remove a lock file that was left behind")?;
            f9_plugin_api::log::info!("removed {}, left behind by an interrupted operation", path.display());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_by_one_or_shared_by_many() {
        let dir = tempfile::tempdir().unwrap();
        let lock = LockFile::new(dir.path().join("lock"), Duration::from_millis(20));
        let context = Context::detached();
        let shared = (lock.share(&context).unwrap(), lock.share(&context).unwrap());
        assert_eq!(lock.hold(&context).unwrap_err().kind(), ErrorKind::Busy);
        drop(shared);
        let held = lock.hold(&context).unwrap();
        assert!(held.interrupted().is_none());
        assert_eq!(lock.share(&context).unwrap_err().kind(), ErrorKind::Busy);
        drop(held);
        assert!(lock.hold(&context).unwrap().interrupted().is_none());
    }

    #[test]
    fn a_file_that_says_something_else_is_no_lock() {
        let dir = tempfile::tempdir().unwrap();
        for content in ["a note of mine\n", "held\nand more", "h e l d"] {
            let path = dir.path().join("lock");
            std::fs::write(&path, content).unwrap();
            let lock = LockFile::new(path.clone(), Duration::from_millis(20));
            let error = lock.hold(&Context::detached()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Integrity);
            assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
        }
    }

    #[test]
    fn an_interrupted_holder_is_noticed_and_its_locks_alone_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        let (foreign, own) = (dir.path().join("foreign.lock"), dir.path().join("own.lock"));
        std::fs::write(&foreign, "").unwrap();
        std::thread::sleep(Duration::from_millis(20));
        let lock = LockFile::new(dir.path().join("lock"), Duration::from_millis(20));
        let context = Context::detached();
        let mut held = lock.hold(&context).unwrap();
        std::fs::write(&own, "").unwrap();
        // As the system does when the process is killed: the lock goes, the mark stays.
        held.file = File::open("/dev/null").unwrap();
        drop(held);
        let began = lock.hold(&context).unwrap().interrupted().unwrap();
        remove_stale([foreign.as_path(), own.as_path()], began).unwrap();
        assert!(foreign.exists() && !own.exists());
    }
}
