//! What is at a path before something new comes there.

use std::time::SystemTime;

use f9_plugin_api::{BackendPath, Result};

use crate::{
    index::{Entry, Node},
    record::{Generation, check_path},
    store::{Store, already_exists, check_way, is_a_directory},
};

/// What a new version takes the place of.
#[derive(Debug, Default)]
pub(crate) struct Present {
    /// Everything at the path that is to go: of every committed version but those that somebody is still writing.
    pub(crate) entries: Vec<Entry>,
    pub(crate) newest: Option<Generation>,
    pub(crate) created: Option<SystemTime>,
}

impl Present {
    pub(crate) fn of(mut entries: Vec<Entry>, created: Option<SystemTime>) -> Self {
        let newest = entries.iter().map(|entry| entry.record.generation.clone()).max();
        entries.retain(Entry::is_settled);
        Self { entries, newest, created }
    }
}

/// What is at a path that a file is to be created at.
pub(crate) fn check_free(store: &Store, path: &BackendPath, overwrite: bool) -> Result<Present> {
    path.split()?;
    check_path(path).map_err(|error| error.at(path))?;
    let index = store.catalog.look(&store.api, path)?;
    check_way(&index, path)?;
    let created = match index.node(path) {
        Some(Node::File(version)) if overwrite => Some(version.commit.created),
        Some(Node::Directory(_)) if overwrite => return Err(is_a_directory(path)),
        Some(_) => return Err(already_exists(path)),
        None => None,
    };
    Ok(Present::of(index.committed(path, false), created))
}
