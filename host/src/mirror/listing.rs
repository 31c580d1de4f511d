//! Everything below a directory, by its path from there.

use std::collections::BTreeMap;

use f9_plugin_api::{BackendPath, Error, ErrorKind, FileInfo, ListOptions, Result};

use crate::{CancelToken, Tree};

/// What could be listed, and why the rest could not.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// Whether there is no such directory yet.
    pub(super) is_missing: bool,
    pub(super) entries: BTreeMap<String, FileInfo>,
    pub(super) errors: Vec<Error>,
}

impl Listing {
    /// Of a directory that is yet to be made.
    pub(super) fn missing() -> Self {
        Self { is_missing: true, ..Self::default() }
    }

    /// # Errors
    ///
    /// If nothing could be listed.
    pub(super) fn of(tree: Tree<'_>, cancel: &CancelToken) -> Result<Self> {
        let mut listing = Self::default();
        for entry in tree.backend.list(tree.path, ListOptions::default().recursive(true))? {
            cancel.check()?;
            match entry.and_then(|info| Ok((relative(&info.path, tree.path)?, info))) {
                Ok((path, info)) => drop(listing.entries.insert(path, info)),
                Err(error) => listing.errors.push(error),
            }
        }
        Ok(listing)
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

fn relative(path: &BackendPath, root: &BackendPath) -> Result<String> {
    let below = match root.is_root() {
        true => Some(path.as_str()),
        false => path.as_str().strip_prefix(root.as_str()).and_then(|rest| rest.strip_prefix('/')),
    };
    let below = below.filter(|below| !below.is_empty());
    below.map(str::to_owned).ok_or_else(|| {
        Error::new(ErrorKind::Other, format!("the backend listed this below {root}, where it is not"))
            .at(path)
    })
}
