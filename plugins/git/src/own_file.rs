//! Files that this plugin keeps for itself, inside `.git/f9` and beside a remote's branches.
//!
//! Whoever made the clone, or may write to the remote, can have put anything at their places: a link to a file of the
//! user's, a second name of such a file, a pipe, a directory. So none of them is opened through a link, waited for, or
//! changed before it is known to be a plain file; what is written is written to a new file that takes the old one's place.

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    os::unix::fs::MetadataExt as _,
    path::Path,
};

use f9_plugin_api::{Error, ErrorKind, Result};
use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
};

use crate::errors::Context as _;

/// Without following a link at the end, and without waiting for whoever is at the other end of a pipe.
const CAREFULLY: OFlags = OFlags::NOFOLLOW.union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

/// None of our files is longer.
const MAX_BYTES: u64 = 64 << 10;

/// The content of a file; `None` if there is nothing at its place.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    let file = match open(path, OFlags::RDONLY) {
        Err(error) if error.is_not_found() => return Ok(None),
        other => other?,
    };
    let mut content = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut content).context("read a file inside .git")?;
    if content.len() as u64 > MAX_BYTES {
        return Err(foreign(path, "longer than any that f9 writes"));
    }
    Ok(Some(content))
}

/// Puts a new file in place of what is there, in one step.
pub(crate) fn replace(path: &Path, content: &[u8]) -> Result<()> {
    let new = path.with_extension("new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(error).context("remove an incomplete file inside .git");
        }
        _ => {}
    }
    let file = File::options().write(true).create_new(true).open(&new);
    file.and_then(|mut file| file.write_all(content))
        .and_then(|()| fs::rename(&new, path))
        .context("write a file inside .git")
}

/// Opens a file to lock it, and makes it if it is missing.
pub(crate) fn open_lock(path: &Path) -> Result<File> {
    let file = match open(path, OFlags::RDWR | OFlags::CREATE) {
        // Nobody has made the directory yet, or somebody has removed it.
        Err(error) if error.is_not_found() => {
            path.parent().map(make_directory).transpose()?;
            open(path, OFlags::RDWR | OFlags::CREATE)?
        }
        opened => opened?,
    };
    match file.metadata().context("look at a lock file")?.nlink() {
        0 | 1 => Ok(file),
        _ => Err(foreign(path, "another name of some other file")),
    }
}

/// Makes a directory, unless it is there.
pub(crate) fn make_directory(path: &Path) -> Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        other => return other.context("make a directory inside .git"),
    }
    let metadata = fs::symlink_metadata(path).context("look into .git")?;
    if metadata.is_dir() { Ok(()) } else { Err(foreign(path, "no directory")) }
}

/// Whether anything is at this place, be it a link that leads nowhere.
pub(crate) fn is_there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// The error for what f9 did not put where one of its files belongs.
pub(crate) fn foreign(path: &Path, what: &str) -> Error {
    let message =
        format!("f9 keeps a file of its own here, and what is there is {what}; nothing of it was changed");
    Error::new(ErrorKind::Integrity, message)
        .at(path.display())
        .hint("find out who put it there; then move it away")
}

fn open(path: &Path, flags: OFlags) -> Result<File> {
    let file = match rustix::fs::open(path, flags | CAREFULLY, Mode::from_raw_mode(0o666)) {
        Ok(file) => File::from(file),
        Err(Errno::LOOP) => return Err(foreign(path, "a link")),
        Err(Errno::ISDIR) => return Err(foreign(path, "a directory")),
        Err(Errno::NXIO) => return Err(foreign(path, "no regular file")),
        Err(error) => {
            return Err(error).context("open a file of f9's own").map_err(|error| error.at(path.display()));
        }
    };
    let metadata = file.metadata().context("look at a file of f9's own")?;
    if metadata.is_file() { Ok(file) } else { Err(foreign(path, "no regular file")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever is planted at `path`, `victim` beside it stays as it is.
    fn with_planted(plant: impl Fn(&Path, &Path), act: impl Fn(&Path) -> Result<()>) -> Result<()> {
        let directory = tempfile::tempdir().unwrap();
        let (path, victim) = (directory.path().join("own"), directory.path().join("victim"));
        fs::write(&victim, "precious\n").unwrap();
        plant(&path, &victim);
        let result = act(&path);
        assert_eq!(fs::read(&victim).unwrap(), b"precious\n");
        result
    }

    fn link(path: &Path, victim: &Path) {
        std::os::unix::fs::symlink(victim, path).unwrap();
    }

    fn second_name(path: &Path, victim: &Path) {
        fs::hard_link(victim, path).unwrap();
    }

    fn pipe(path: &Path, _: &Path) {
        rustix::fs::mkfifoat(rustix::fs::CWD, path, Mode::from_raw_mode(0o600)).unwrap();
    }

    fn directory(path: &Path, _: &Path) {
        fs::create_dir(path).unwrap();
    }

    #[test]
    fn nothing_is_read_or_locked_that_is_no_plain_file() {
        for plant in [link, pipe, directory] {
            let read = with_planted(plant, |path| read(path).map(drop));
            assert_eq!(read.unwrap_err().kind(), ErrorKind::Integrity);
        }
        for plant in [link, second_name, pipe, directory] {
            let locked = with_planted(plant, |path| open_lock(path).map(drop));
            assert_eq!(locked.unwrap_err().kind(), ErrorKind::Integrity);
        }
        for plant in [link, second_name, pipe] {
            let made = with_planted(plant, make_directory);
            assert_eq!(made.unwrap_err().kind(), ErrorKind::Integrity);
        }
    }

    #[test]
    fn what_is_in_the_way_of_a_new_file_is_replaced_and_never_written_through() {
        for plant in [link, second_name, pipe] {
            with_planted(plant, |path| {
                let new = path.with_extension("new");
                fs::rename(path, &new).unwrap();
                replace(path, b"ours")?;
                assert_eq!(read(path)?.unwrap(), b"ours");
                Ok(())
            })
            .unwrap();
        }
    }
}
