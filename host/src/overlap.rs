//! Whether two storages of this machine lie one within the other.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use f9_plugin_api::Result;

use crate::{Connection, Plugin, home};

impl Plugin {
    /// The directories of this machine that a connection names: the options that the plugin marks as paths, where there is
    /// such a directory. With [`overlap`] they tell whether two connections lie one within the other.
    ///
    /// # Errors
    ///
    /// As [`schema`](Self::schema); [`InvalidConnection`](crate::ErrorKind::InvalidConnection) for references that lead nowhere.
    pub fn directories(&self, connection: &Connection) -> Result<Vec<PathBuf>> {
        let schema = self.schema()?;
        let mut options = connection.resolved_options(|| self.schema())?;
        home::expand_paths(&mut options, || self.schema())?;
        let is_path = |key: &str| schema["properties"][key]["format"] == "path";
        let named = options.iter().filter(|(key, _)| is_path(key)).filter_map(|(_, value)| value.as_str());
        let paths = named.map(|name| PathBuf::from(name.strip_prefix("file://").unwrap_or(name)));
        Ok(paths.filter(|path| path.is_dir()).collect())
    }
}

/// The first two directories of which one is the other, or lies within it, by device and inode: links and mounts on the way
/// do not matter.
pub fn overlap<'a>(one: &'a [PathBuf], other: &'a [PathBuf]) -> Option<(&'a Path, &'a Path)> {
    let pairs = one.iter().flat_map(|a| other.iter().map(move |b| (a.as_path(), b.as_path())));
    pairs.into_iter().find(|(a, b)| lies_within(a, b) || lies_within(b, a))
}

/// Whether a file or directory is another one, or lies within it, by device and inode. What cannot be looked at is within
/// nothing.
pub fn lies_within(inner: &Path, outer: &Path) -> bool {
    let (Ok(outer), Ok(inner)) = (identity(outer), fs::canonicalize(inner)) else { return false };
    inner.ancestors().any(|above| identity(above).is_ok_and(|above| above == outer))
}

#[cfg(unix)]
fn identity(path: &Path) -> io::Result<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata(path).map(|metadata| (metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn identity(path: &Path) -> io::Result<PathBuf> {
    fs::canonicalize(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_within_each_other_are_found_through_links() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        fs::create_dir_all(at("a/b")).unwrap();
        fs::create_dir(at("c")).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(at("a/b"), at("link")).unwrap();
        let of = |one: &str, other: &str| overlap(&[at(one)], &[at(other)]).is_some();
        assert!(of("a", "a/b") && of("a/b", "a") && of("a", "a"));
        assert!(!of("a", "c") && !of("a", "missing"));
        #[cfg(unix)]
        assert!(of("a", "link"));
    }
}
