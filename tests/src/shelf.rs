//! A directory of plugins of a test's own, and a host that knows it alone.

use std::{fs, path::PathBuf};

use f9_host::{Backend, Host, Result};
use serde_json::json;
use tempfile::TempDir;

use crate::host_of;

/// A directory of plugins, empty at first, and its host.
#[derive(Debug)]
pub struct Shelf {
    /// Where the plugins are.
    pub dir: TempDir,
    /// It looks for them there and nowhere else.
    pub host: Host,
}

impl Shelf {
    /// An empty one.
    #[expect(clippy::new_without_default, reason = "it makes a directory")]
    pub fn new() -> Self {
        let dir = TempDir::new().expect("a temporary directory");
        let host = host_of(&[dir.path().to_owned()]);
        Self { dir, host }
    }

    /// Where a file of this name is.
    pub fn path(&self, file: &str) -> PathBuf {
        self.dir.path().join(file)
    }

    /// Makes a file beside and renames it into place: a loaded library that is overwritten takes the process along.
    pub fn put(&self, file: &str, content: impl AsRef<[u8]>) {
        let beside = self.path("beside");
        fs::write(&beside, content).expect("the file can be written");
        fs::rename(beside, self.path(file)).expect("the file is in place");
    }

    /// Opens a backend that needs no options.
    pub fn open(&self, backend: &str) -> Result<Backend> {
        self.host.open(json!({"backend": backend}))
    }
}
