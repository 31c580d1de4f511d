//! Files that are replaced as a whole.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use f9_plugin_api::Result;

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
    let (target, dir) = place(file)?;
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    if readers == Readers::Everybody {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o644));
    }
    let mut new = builder.tempfile_in(&dir)?; // readable by its owner alone, unless told otherwise
    new.write_all(content)?;
    new.as_file().sync_all()?;
    new.persist(&target).map_err(|failed| failed.error)?;
    Ok(())
}

/// Reads a file, changes it and writes it again in `work`, while nobody else does so: of two that did, the second would
/// undo what the first has done. The directory is what is locked, for a lock on a file that is replaced would bar nobody.
pub(crate) fn exclusively<T>(file: &Path, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let (_, dir) = place(file)?;
    // Elsewhere a directory cannot be opened as a file.
    let locked = if cfg!(unix) { Some(fs::File::open(dir)?) } else { None };
    locked.as_ref().map(fs::File::lock).transpose()?;
    work()
}

/// What `file` is or links to, and the directory of that, which is made if it is missing.
fn place(file: &Path) -> Result<(PathBuf, PathBuf)> {
    let target = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let dir = target.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned();
    fs::create_dir_all(&dir)?;
    Ok((target, dir))
}
