//! The optional parts of a backend: synchronisation with a remote, and search.

use abi_stable::{
    StableAbi, sabi_trait,
    std_types::{RBox, ROption, RSlice, RStr, RString, RVec},
};

use crate::{AbiFileInfo, AbiPair, AbiReaderMut, AbiResult};

/// What a push, pull or sync did.
#[repr(C)]
#[derive(StableAbi, Debug, Clone, PartialEq, Eq)]
pub struct AbiSyncReport {
    /// Changes that went to the remote, in the backend's unit (git: commits).
    pub sent: u64,
    /// Changes that came from the remote, in the same unit.
    pub received: u64,
    /// What both sides have now, in the backend's terms (git: a commit id).
    pub revision: ROption<RString>,
    pub attributes: RVec<AbiPair>,
}

/// One side of a conflict.
#[repr(C)]
#[derive(StableAbi, Debug, Clone, PartialEq, Eq)]
pub struct AbiConflictSide {
    /// The content in the backend's terms (git: a blob id).
    pub id: RString,
    /// In bytes.
    pub size: u64,
}

/// A path whose local and remote changes could not be brought together. A side that is absent deleted the file, or
/// never had it.
#[repr(C)]
#[derive(StableAbi, Debug, Clone, PartialEq, Eq)]
pub struct AbiConflict {
    pub path: RString,
    /// git's two letters: `UU`, `AA`, `UD`, `DU`, `DD`, `AU`, `UA`.
    pub status: RString,
    pub base: ROption<AbiConflictSide>,
    pub local: ROption<AbiConflictSide>,
    pub remote: ROption<AbiConflictSide>,
    pub attributes: RVec<AbiPair>,
}

/// Synchronisation with a remote. What each operation promises is written on `SyncFileBackend` in `f9-plugin-api`.
#[sabi_trait]
pub trait AbiSync: Send + Sync {
    fn push(&self, message: ROption<RStr<'_>>) -> AbiResult<AbiSyncReport>;
    fn pull(&self) -> AbiResult<AbiSyncReport>;
    fn sync(&self, message: ROption<RStr<'_>>) -> AbiResult<AbiSyncReport>;
    fn conflict_report(&self) -> AbiResult<RVec<AbiConflict>>;
    fn conflict_accept_local(&self, path: RStr<'_>) -> AbiResult<()>;
    fn conflict_accept_remote(&self, path: RStr<'_>) -> AbiResult<()>;
    fn conflict_resolve(&self, path: RStr<'_>, content: RSlice<'_, u8>) -> AbiResult<AbiFileInfo>;
    #[sabi(last_prefix_field)]
    fn conflict_resolve_from(&self, path: RStr<'_>, content: AbiReaderMut<'_>) -> AbiResult<AbiFileInfo>;
}

/// Something that a search found.
#[repr(C)]
#[derive(StableAbi, Debug, Clone, PartialEq)]
pub struct AbiSearchHit {
    pub path: RString,
    /// Higher is better; comparable within one answer only.
    pub score: f64,
    /// The text that matched.
    pub snippet: RString,
    pub attributes: RVec<AbiPair>,
}

/// Search by meaning or by words, as the storage understands it.
#[sabi_trait]
pub trait AbiSearch: Send + Sync {
    /// At most `limit` hits, best first; `filters` is a JSON object in the plugin's own terms.
    #[sabi(last_prefix_field)]
    fn search(&self, query: RStr<'_>, limit: u32, filters: RStr<'_>) -> AbiResult<RVec<AbiSearchHit>>;
}

/// Synchronisation, owned by the host.
pub type AbiSyncBox = AbiSync_TO<'static, RBox<()>>;
/// Search, owned by the host.
pub type AbiSearchBox = AbiSearch_TO<'static, RBox<()>>;
