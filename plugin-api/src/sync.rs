//! The optional parts of the contract: synchronisation with a remote, and search.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::{BackendPath, Content, FileInfo, Result};

/// A backend whose files live in two places: here, where the operations of [`FileBackend`](crate::FileBackend) work, and
/// at a remote.
///
/// Nothing is ever lost in between: a change that loses against another stays reachable in the history of the remote
/// or of the local copy.
pub trait SyncFileBackend: Send + Sync {
    /// Publishes every local change. `message` describes it, for remotes that keep a history; the backend has a default.
    ///
    /// With nothing to publish this succeeds and reports 0 sent. After all conflicts are resolved, it concludes them.
    ///
    /// # Errors
    ///
    /// [`Conflict`](crate::ErrorKind::Conflict) while conflicts are open, naming them;
    /// [`RemoteMoved`](crate::ErrorKind::RemoteMoved) if the remote has changes that are not here (local ones are kept);
    /// [`RemoteRefused`](crate::ErrorKind::RemoteRefused) with the remote's words;
    /// [`Authentication`](crate::ErrorKind::Authentication), [`Network`](crate::ErrorKind::Network),
    /// [`Timeout`](crate::ErrorKind::Timeout).
    fn push(&self, message: Option<&str>) -> Result<SyncReport>;

    /// Brings the remote's changes here.
    ///
    /// # Errors
    ///
    /// [`PendingChanges`](crate::ErrorKind::PendingChanges) if there are local changes that were not pushed or
    /// committed, naming them: nothing is touched. [`Conflict`](crate::ErrorKind::Conflict) if both sides changed the same
    /// thing: it is described by [`conflict_report`](Self::conflict_report). Else as [`push`](Self::push).
    fn pull(&self) -> Result<SyncReport>;

    /// Brings both sides together: local changes are recorded, the remote's brought here, and the result published. If the
    /// remote moves meanwhile, it is tried again a few times.
    ///
    /// # Errors
    ///
    /// As [`pull`](Self::pull), but for pending changes, and as [`push`](Self::push).
    fn sync(&self, message: Option<&str>) -> Result<SyncReport>;

    /// The open conflicts, ordered by path; none is an empty list.
    fn conflict_report(&self) -> Result<Vec<Conflict>>;

    /// Settles a conflict with the local side: its content, or its absence if it was deleted here.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) if there is no open conflict at `path`.
    fn conflict_accept_local(&self, path: &BackendPath) -> Result<()>;

    /// Settles a conflict with the remote side: its content, or its absence if it was deleted there.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) if there is no open conflict at `path`.
    fn conflict_accept_remote(&self, path: &BackendPath) -> Result<()>;

    /// Settles a conflict with new content.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) if there is no open conflict at `path`.
    fn conflict_resolve(&self, path: &BackendPath, content: Content<'_>) -> Result<FileInfo>;
}

/// What a push, pull or sync did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SyncReport {
    /// Changes that went to the remote, in the backend's unit (git: commits).
    pub sent: u64,
    /// Changes that came from the remote, in the same unit.
    pub received: u64,
    /// What both sides have now, in the backend's terms (git: a commit id).
    pub revision: Option<String>,
}

impl SyncReport {
    /// A report of these numbers.
    pub const fn new(sent: u64, received: u64, revision: Option<String>) -> Self {
        Self { sent, received, revision }
    }
}

/// A path whose local and remote changes contradict each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Conflict {
    /// Relative to the root.
    pub path: BackendPath,
    /// git's two letters, local side first: `UU` both changed, `AA` both added, `UD` deleted at the remote, `DU` deleted
    /// here, `DD` deleted on both sides, `AU` added here, `UA` added at the remote.
    pub status: String,
    /// What both sides started from.
    pub base: Option<ConflictSide>,
    /// What is here; `None` if it is not.
    pub local: Option<ConflictSide>,
    /// What is at the remote; `None` if it is not.
    pub remote: Option<ConflictSide>,
}

impl Conflict {
    /// A conflict with no side known yet.
    pub fn new(path: BackendPath, status: impl Into<String>) -> Self {
        Self { path, status: status.into(), base: None, local: None, remote: None }
    }
}

/// One side of a conflict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ConflictSide {
    /// The content in the backend's terms (git: a blob id).
    pub id: String,
    /// In bytes.
    pub size: u64,
}

impl ConflictSide {
    /// A side with this content.
    pub fn new(id: impl Into<String>, size: u64) -> Self {
        Self { id: id.into(), size }
    }
}

/// A backend that can find files by what is in them.
pub trait SearchBackend: Send + Sync {
    /// At most `limit` hits for `query`, best first. `filters` is a JSON object in the plugin's own terms; null means
    /// none.
    ///
    /// # Errors
    ///
    /// [`InvalidOperation`](crate::ErrorKind::InvalidOperation) for filters that the plugin does not understand.
    fn search(&self, query: &str, limit: u32, filters: &Value) -> Result<Vec<SearchHit>>;
}

/// Something that a search found.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SearchHit {
    /// Relative to the root.
    pub path: BackendPath,
    /// Higher is better; comparable within one answer only.
    pub score: f64,
    /// The text that matched.
    pub snippet: String,
    /// Whatever else the backend tells, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
}

impl SearchHit {
    /// A hit without attributes.
    pub fn new(path: BackendPath, score: f64, snippet: impl Into<String>) -> Self {
        Self { path, score, snippet: snippet.into(), attributes: BTreeMap::new() }
    }
}
