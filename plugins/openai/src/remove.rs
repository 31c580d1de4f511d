//! Deleting.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use f9_plugin_api::{BackendPath, Error, ErrorKind, Result};

use crate::{
    index::{Entry, Node},
    present::Present,
    store::{Store, find},
    write::Upload,
};

/// How many paths are worked on at the same time.
const PARALLEL: usize = 8;

/// Removes a file or a directory.
pub(crate) fn remove(store: &Arc<Store>, path: &BackendPath, recursive: bool) -> Result<()> {
    path.split()?;
    let parent = path.parent().filter(|parent| !parent.is_root());
    // The parent stays, be it empty, which what happens beside must not decide at the same time.
    let _lock = store.locks.lock(parent.as_ref().unwrap_or(path));
    let entries = {
        let index = store.catalog.look(&store.api, path)?;
        let node = find(&index, path)?;
        if matches!(node, Node::Directory(_)) && !recursive && index.has_children(path) {
            return Err(Error::new(ErrorKind::DirectoryNotEmpty, "the directory is not empty")
                .at(path)
                .hint("delete what is in it, or ask for a recursive delete"));
        }
        in_order(index.committed(path, true))
    };
    if let Some(parent) = parent {
        keep_directory(store, &parent, path)?;
    }
    discard(store, &entries)
}

/// Takes entries away: those of a path in their order, several paths at a time.
fn discard(store: &Store, entries: &[Entry]) -> Result<()> {
    let paths: Vec<&[Entry]> = entries.chunk_by(|a, b| a.record.path == b.record.path).collect();
    let (next, failure) = (AtomicUsize::new(0), Mutex::new(None));
    let worker = || {
        while let Some(entries) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(error) = discard_path(store, entries) {
                next.store(paths.len(), Ordering::Relaxed);
                failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            }
        }
    };
    thread::scope(|scope| {
        // One worker is this thread: others may not be to be had.
        let others = 1..PARALLEL.min(paths.len());
        others.for_each(|_| drop(thread::Builder::new().spawn_scoped(scope, worker)));
        worker();
    });
    failure.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
}

fn discard_path(store: &Store, entries: &[Entry]) -> Result<()> {
    for entry in entries {
        store.context.check_cancelled()?;
        store.discard(&entry.id).map_err(|failure| Error::from(failure).at(&entry.record.path))?;
    }
    Ok(())
}

/// Gives a directory an entry of its own if only what is about to go made it exist.
fn keep_directory(store: &Arc<Store>, parent: &BackendPath, going: &BackendPath) -> Result<()> {
    {
        let index = store.catalog.index();
        let mut others = index
            .descendants(parent)
            .filter(|(path, _)| BackendPath::parse(path).is_ok_and(|path| !path.starts_with(going)));
        if !matches!(index.node(parent), Some(Node::Directory(None))) || others.next().is_some() {
            return Ok(());
        }
    }
    let present = Present::default();
    Upload::new(Arc::clone(store), parent.clone(), &present).commit_directory(present).map(drop)
}

/// Each path's old versions before its newest, and of each version the commit first: at no moment does an old one come
/// back or half of one exist. What is deeper comes first.
fn in_order(mut entries: Vec<Entry>) -> Vec<Entry> {
    entries.sort_by(|a, b| {
        let (a, b) = (&a.record, &b.record);
        (&b.path, &a.generation, a.commit.is_none()).cmp(&(&a.path, &b.generation, b.commit.is_none()))
    });
    entries
}
