//! Files that are replaced as a whole.

use std::{fs, io::Write, path::Path};

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
    let target = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let dir = target.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
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
    new.persist(&target).map_err(|failed| failed.error)?;
    Ok(())
}
