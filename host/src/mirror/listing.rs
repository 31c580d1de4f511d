//! Everything below a directory, by its path from there.

use std::collections::{BTreeMap, BTreeSet};

use f9_plugin_api::{BackendPath, Error, ErrorKind, FileInfo, ListOptions, Result};

use crate::{CancelToken, Filter, Tree};

/// What could be listed, and why the rest could not.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// Whether there is no such directory yet.
    pub(crate) is_missing: bool,
    pub(crate) entries: BTreeMap<String, FileInfo>,
    pub(crate) errors: Vec<Error>,
    /// What the filter leaves out, files and directories.
    pub(crate) left_out: BTreeSet<String>,
}

impl Listing {
    /// Of a directory that is yet to be made.
    pub(super) fn missing() -> Self {
        Self { is_missing: true, ..Self::default() }
    }

    /// # Errors
    ///
    /// If nothing could be listed.
    pub(crate) fn of(tree: Tree<'_>, filter: &Filter, cancel: &CancelToken) -> Result<Self> {
        let mut listing = Self::default();
        for entry in tree.backend.list(tree.path, ListOptions::default().recursive(true))? {
            cancel.check()?;
            match entry.and_then(|info| Ok((relative(&info.path, tree.path)?, info))) {
                Ok((path, info)) if filter.takes(&path, &info) => drop(listing.entries.insert(path, info)),
                Ok((path, _)) => drop(listing.left_out.insert(path)),
                Err(error) => match below(error.path(), tree.path).filter(|path| !filter.takes_path(path)) {
                    Some(path) => drop(listing.left_out.insert(path.to_owned())),
                    None => listing.errors.push(error),
                },
            }
        }
        Ok(listing)
    }

    /// Whether this path, or something above or below it, is left out.
    pub(super) fn leaves_out(&self, path: &str) -> bool {
        let start = format!("{path}/");
        let is_below =
            self.left_out.range(start.clone()..).next().is_some_and(|next| next.starts_with(&start));
        let mut above = path.match_indices('/').map(|(at, _)| &path[..at]).chain([path]);
        is_below || above.any(|path| self.left_out.contains(path))
    }

    /// Whether something at or below this path could not be listed, or something of which not even the path is known.
    pub(super) fn is_unsure_of(&self, path: &str, root: &BackendPath) -> bool {
        self.errors.iter().any(|error| match below(error.path(), root) {
            Some(failed) => path == failed || starts_below(path, failed) || starts_below(failed, path),
            None => true,
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.errors.is_empty()
    }

    /// Whether this is a directory that could not be listed.
    pub(super) fn could_not_list(&self, path: &BackendPath) -> bool {
        self.errors.iter().any(|error| error.path() == Some(path.as_str()))
    }

    /// Whether something lies below this directory.
    pub(super) fn has_below(&self, path: &str) -> bool {
        let start = format!("{path}/");
        self.entries.range(start.clone()..).next().is_some_and(|(next, _)| next.starts_with(&start))
    }
}

fn starts_below(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'))
}

/// A path from `root` down, as an error or an entry has it.
fn below<'a>(path: Option<&'a str>, root: &BackendPath) -> Option<&'a str> {
    let below = match root.is_root() {
        true => path?,
        false => path?.strip_prefix(root.as_str()).and_then(|rest| rest.strip_prefix('/'))?,
    };
    Some(below).filter(|below| !below.is_empty())
}

fn relative(path: &BackendPath, root: &BackendPath) -> Result<String> {
    below(Some(path.as_str()), root).map(str::to_owned).ok_or_else(|| {
        Error::new(ErrorKind::Other, format!("the backend listed this below {root}, where it is not"))
            .at(path)
    })
}
