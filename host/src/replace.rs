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
    /// Its owner alone.
    Owner,
    /// Everybody whom the `umask` of this process does not exclude.
    Everybody,
}

/// Puts a new file in the place of `file`, or of what it links to, with missing directories: a crash leaves the old file or
/// the new.
pub(crate) fn replace(file: &Path, content: &[u8], readers: Readers) -> Result<()> {
    let (target, dir) = place(file);
    put(&target, &dir, content, readers).map_err(|error| unwritable(file, &dir, error))
}

fn put(target: &Path, dir: &Path, content: &[u8], readers: Readers) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    if readers == Readers::Everybody {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o644));
    }
    let mut new = builder.tempfile_in(dir)?; // readable by its owner alone, unless told otherwise
    new.write_all(content)?;
    new.as_file().sync_all()?;
    new.persist(target).map_err(|failed| failed.error)?;
    Ok(())
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
