//! The tree on Linux, and as its modules see it: the open root, and what is known of it.

mod append;
mod backend;
mod copying;
mod directory;
mod draft;
mod errors;
mod in_place;
mod large;
mod listing;
mod read;
mod remove;
mod rename;
mod resolve;
mod spot;
mod stat;
mod temp;
mod write;

#[cfg(test)]
mod tests;

use std::{
    fmt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use f9_plugin_api::{Capabilities, Result};
use rustix::fd::AsFd;

use self::{
    resolve::{Root, make_root},
    temp::Temps,
};
use crate::{Durability, TreeOptions, describe_root_error};

/// An open directory tree. Clones share it, streams and listings keep it open.
#[derive(Clone)]
pub struct Tree(Arc<Inner>);

struct Inner {
    root: Root,
    durability: Durability,
    temps: Temps,
    /// Whether the file system offers files without a name, as far as is known.
    offers_unnamed: AtomicBool,
}

impl Tree {
    /// What every tree can do beyond the basic operations.
    pub const CAPABILITIES: Capabilities =
        Capabilities::COPY.union(Capabilities::RENAME).union(Capabilities::OPEN_WRITE);

    /// Opens the directory at `root`, which may be relative to the working directory and may be reached through links,
    /// and removes what killed processes left there.
    ///
    /// # Errors
    ///
    /// [`NotFound`](f9_plugin_api::ErrorKind::NotFound) if it is missing and is not to be made,
    /// [`NotADirectory`](f9_plugin_api::ErrorKind::NotADirectory) if it is something else.
    pub fn open(root: impl AsRef<Path>, options: TreeOptions) -> Result<Self> {
        let path = root.as_ref();
        let root = open_root(path, options).map_err(|error| describe_root_error(error, path))?;
        Ok(Self::with_root(root, options))
    }

    pub(crate) fn with_root(root: Root, options: TreeOptions) -> Self {
        temp::sweep(root.as_fd());
        Self(Arc::new(Inner {
            root,
            durability: options.durability,
            temps: Temps::default(),
            offers_unnamed: AtomicBool::new(true),
        }))
    }

    pub(crate) fn root(&self) -> &Root {
        &self.0.root
    }

    pub(crate) fn temps(&self) -> &Temps {
        &self.0.temps
    }

    pub(crate) fn durability(&self) -> Durability {
        self.0.durability
    }

    pub(crate) fn offers_unnamed(&self) -> bool {
        self.0.offers_unnamed.load(Ordering::Relaxed)
    }

    pub(crate) fn set_no_unnamed(&self) {
        self.0.offers_unnamed.store(false, Ordering::Relaxed);
    }
}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tree").field("root", &self.0.root).field("durability", &self.0.durability).finish()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.temps.close(self.root.as_fd());
    }
}

fn open_root(path: &Path, options: TreeOptions) -> std::io::Result<Root> {
    match Root::open(path, options.reserved) {
        Err(error) if options.create_root && error.kind() == std::io::ErrorKind::NotFound => {
            make_root(path)?;
            Ok(Root::open(path, options.reserved)?)
        }
        opened => Ok(opened?),
    }
}
