//! Files that are replaced as a whole.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use f9_plugin_api::{Error, ErrorKind, Result};

use crate::quoted;

/// Who may read a file that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Readers {
    /// Of a new file its owner alone; of one that there was, whoever could read that.
    OwnerOfNew,
    /// Its owner alone, whoever could read the old one.
    Owner,
    /// Of a new file everybody whom the `umask` of this process does not exclude; of one that there was, whoever could read
    /// that.
    Everybody,
}

/// Puts a new file in the place of `file`, or of what it links to, with missing directories: a crash leaves the old file or
/// the new. Owner and permissions stay those of the old one.
///
/// A file that nothing can take the place of, because it is mounted by itself or would change hands, is written in place,
/// after the new content has reached the disk beside it.
pub(crate) fn replace(file: &Path, content: &[u8], readers: Readers) -> Result<()> {
    let (target, dir) = place(file);
    put(&target, &dir, content, readers).map_err(|error| unwritable(file, &dir, error))
}

fn put(target: &Path, dir: &Path, content: &[u8], readers: Readers) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".f9-new-");
    #[cfg(unix)]
    if readers == Readers::Everybody {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o644));
    }
    let mut new = builder.tempfile_in(dir)?; // readable by its owner alone, unless told otherwise
    new.write_all(content)?;
    let can_take_its_place = keep_owner_and_mode(target, dir, new.as_file(), readers)?;
    new.as_file().sync_all()?;
    if !can_take_its_place {
        return write_in_place(target, content, new, readers);
    }
    match new.persist(target) {
        Err(failed) if failed.error.kind() == io::ErrorKind::ResourceBusy => {
            write_in_place(target, content, failed.file, readers)
        }
        persisted => persisted.map(drop).map_err(|failed| failed.error),
    }
}

/// Makes the new file as accessible as the old one; `false` if it cannot belong to whom that belongs.
#[cfg(unix)]
fn keep_owner_and_mode(target: &Path, dir: &Path, new: &fs::File, readers: Readers) -> io::Result<bool> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};

    let mine = new.metadata()?;
    let old = match fs::symlink_metadata(target) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // What root makes in a user's directory is that user's: else it is locked out of its own file.
            let dir = fs::metadata(dir)?;
            if mine.uid() == 0 && dir.uid() != 0 && dir.mode() & 0o022 == 0 {
                fchown(new, Some(dir.uid()), Some(dir.gid()))?;
            }
            return Ok(true);
        }
        old => old?,
    };
    if mine.uid() != old.uid() && fchown(new, Some(old.uid()), None).is_err() {
        return Ok(false);
    }
    if mine.gid() != old.gid() && fchown(new, None, Some(old.gid())).is_err() {
        return Ok(false);
    }
    if readers != Readers::Owner {
        new.set_permissions(fs::Permissions::from_mode(old.mode() & 0o777))?;
    }
    Ok(true)
}

#[cfg(not(unix))]
fn keep_owner_and_mode(_: &Path, _: &Path, _: &fs::File, _: Readers) -> io::Result<bool> {
    Ok(true)
}

/// Overwrites a file, whose new content is in `copy` as well: that stays if this breaks off.
fn write_in_place(
    target: &Path,
    content: &[u8],
    copy: tempfile::NamedTempFile,
    readers: Readers,
) -> io::Result<()> {
    let mut file = open_without_links(target)?;
    #[cfg(unix)]
    if readers == Readers::Owner {
        use std::os::unix::fs::PermissionsExt;
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
    }
    #[cfg(not(unix))]
    let _ = readers;
    let written = file
        .write_all(content)
        .and_then(|()| file.set_len(content.len() as u64))
        .and_then(|()| file.sync_all());
    let Err(error) = written else { return Ok(()) };
    let error = Error::from(error);
    let message = format!("the file was not written to its end: {}", error.message().to_lowercase());
    let error = Error::new(error.kind(), message).at(target.display());
    Err(match copy.keep() {
        Ok((_, path)) => error.hint(format!("its new content is whole in {}", quoted(path.display()))),
        Err(_) => error,
    }
    .into())
}

/// Where the file led was found out before.
fn open_without_links(target: &Path) -> io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
    }
    options.open(target)
}

/// Reads a file, changes it and writes it again in `work`, while nobody else does so: of two that did, the second would
/// undo what the first has done. The directory is what is locked, for a lock on a file that is replaced would bar nobody.
pub(crate) fn exclusively<T>(file: &Path, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let (_, dir) = place(file);
    let _locked = lock(&dir).map_err(|error| unwritable(file, &dir, error))?;
    work()
}

fn lock(dir: &Path) -> io::Result<Option<fs::File>> {
    fs::create_dir_all(dir)?;
    if cfg!(not(unix)) {
        return Ok(None); // there a directory cannot be opened as a file
    }
    let opened = fs::File::open(dir)?;
    opened.lock()?;
    Ok(Some(opened))
}

/// What `file` is or links to, and the directory of that.
fn place(file: &Path) -> (PathBuf, PathBuf) {
    let target = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let dir = target.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned();
    (target, dir)
}

/// Names the file that was to be written, and not the one that was to take its place.
fn unwritable(file: &Path, dir: &Path, error: io::Error) -> Error {
    let error = match error.downcast::<Error>() {
        Ok(told) => return told,
        Err(error) => error,
    };
    let (kind, known) = (error.kind(), error.raw_os_error().is_some());
    let error = Error::from(error);
    let why = match error.kind() {
        ErrorKind::Io => error.message().to_owned(),
        _ if known => error.message().to_lowercase(),
        _ => kind.to_string(), // without the path of the new file
    };
    let hint = match error.kind() {
        ErrorKind::PermissionDenied => {
            let dir = quoted(dir.display());
            format!("let yourself write to the directory {dir}: a new file takes the place of the old")
        }
        _ => format!("see to what is the matter with {}, or name another file", quoted(dir.display())),
    };
    Error::new(error.kind(), format!("the file cannot be written: {why}")).at(file.display()).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    fn mode(file: &Path) -> u32 {
        use std::os::unix::fs::MetadataExt;

        fs::metadata(file).unwrap().mode() & 0o777
    }

    #[cfg(unix)]
    #[test]
    fn what_is_rewritten_keeps_its_permissions_unless_they_are_to_be_taken_away() {
        use std::os::unix::fs::PermissionsExt;

        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        replace(&file, b"1", Readers::OwnerOfNew).unwrap();
        assert_eq!(mode(&file), 0o600);
        for kept in [0o640, 0o644, 0o400, 0o666] {
            fs::set_permissions(&file, fs::Permissions::from_mode(kept)).unwrap();
            for readers in [Readers::OwnerOfNew, Readers::Everybody] {
                replace(&file, b"2", readers).unwrap();
                assert_eq!(mode(&file), kept);
            }
        }
        replace(&file, b"3", Readers::Owner).unwrap();
        assert_eq!((mode(&file), fs::read(&file).unwrap()), (0o600, b"3".to_vec()));
    }

    #[cfg(unix)]
    #[test]
    fn what_root_writes_for_a_user_belongs_to_the_user() {
        use std::os::unix::fs::{MetadataExt, chown};

        let directory = tempfile::tempdir().unwrap();
        let (old, new) = (directory.path().join("old"), directory.path().join("new"));
        fs::write(&old, "").unwrap();
        if chown(&old, Some(65_534), Some(65_533)).is_err() {
            println!("SKIPPED: only root can write for somebody else");
            return;
        }
        let owner = |file: &Path| fs::metadata(file).map(|found| (found.uid(), found.gid())).unwrap();
        replace(&old, b"1", Readers::OwnerOfNew).unwrap();
        assert_eq!(owner(&old), (65_534, 65_533));
        chown(directory.path(), Some(65_534), Some(65_533)).unwrap();
        replace(&new, b"1", Readers::OwnerOfNew).unwrap();
        assert_eq!((owner(&new), mode(&new)), ((65_534, 65_533), 0o600));
    }

    #[cfg(unix)]
    #[test]
    fn what_is_written_in_place_keeps_its_inode_and_leaves_no_copy() {
        use std::os::unix::fs::MetadataExt;

        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "something longer").unwrap();
        let inode = fs::metadata(&file).unwrap().ino();
        let copy = tempfile::NamedTempFile::new_in(directory.path()).unwrap();
        write_in_place(&file, b"new", copy, Readers::OwnerOfNew).unwrap();
        assert_eq!((fs::metadata(&file).unwrap().ino(), fs::read(&file).unwrap()), (inode, b"new".to_vec()));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);

        let link = directory.path().join("link");
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let copy = tempfile::NamedTempFile::new_in(directory.path()).unwrap();
        write_in_place(&link, b"x", copy, Readers::OwnerOfNew).unwrap_err();
        assert_eq!(fs::read(&file).unwrap(), b"new");
    }

    #[test]
    fn what_cannot_be_written_is_named_with_what_to_do() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("file"), "").unwrap();
        for (file, kind) in [("file/x", ErrorKind::AlreadyExists), ("file/d/x", ErrorKind::NotADirectory)] {
            let file = directory.path().join(file);
            let replaced = replace(&file, b"x", Readers::Owner);
            for error in [replaced.unwrap_err(), exclusively(&file, || Ok(())).unwrap_err()] {
                assert_eq!((error.kind(), error.path()), (kind, file.to_str()), "{error}");
                assert!(error.message().starts_with("the file cannot be written: "), "{error}");
            }
        }
        let (file, dir) = (Path::new("d/connections.json"), Path::new("d"));
        let of_tempfile = io::Error::new(io::ErrorKind::PermissionDenied, "at path \"d/.tmpX\"");
        let error = unwritable(file, dir, of_tempfile);
        assert_eq!(error.message(), "the file cannot be written: permission denied");
        let hint = "let yourself write to the directory d: a new file takes the place of the old";
        assert_eq!((error.path(), error.advice()), (file.to_str(), Some(hint)));
    }
}
