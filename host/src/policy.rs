//! Which of the files that are named like a plugin may be loaded.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use f9_plugin_api::Error;

use crate::{PluginLock, PluginName, Refusal, RefusalCode, library::Library, permissions};

/// What the embedder decided.
#[derive(Debug, Default)]
pub(crate) struct Policy {
    /// Plugins whose files may be anybody's.
    pub(crate) unsafe_permissions: BTreeSet<PluginName>,
    /// The file of what may be loaded.
    pub(crate) lock: Option<PathBuf>,
}

impl Policy {
    /// The policy with the lock as it is now.
    pub(crate) fn now(&self) -> Gate<'_> {
        Gate { policy: self, lock: self.lock.as_deref().map(trusted_lock) }
    }
}

/// A lock that others can write to would be none.
fn trusted_lock(file: &Path) -> Result<PluginLock, Refusal> {
    let unusable = |detail: &str| {
        let detail = format!("the lock {} is not usable: {detail}", file.display());
        Refusal::new(RefusalCode::BadLock, detail)
    };
    let lock = PluginLock::load(file).map_err(|error: Error| {
        let refusal = unusable(error.message());
        match error.advice() {
            Some(advice) => refusal.with_remedy(advice),
            None => refusal,
        }
    })?;
    permissions::check(file).map_err(|refusal| unusable(&refusal.detail).with_remedy(refusal.remedy))?;
    Ok(lock)
}

/// Decides on files.
pub(crate) struct Gate<'a> {
    policy: &'a Policy,
    lock: Option<Result<PluginLock, Refusal>>,
}

impl Gate<'_> {
    /// Opens a file that may be loaded as the plugin of this name.
    pub(crate) fn open(&self, path: &Path, name: &PluginName) -> Result<Library, Refusal> {
        if !self.policy.unsafe_permissions.contains(name) {
            permissions::check(path)?;
        }
        let library = Library::open(path, name)?;
        if let Some(lock) = &self.lock {
            let lock = lock.as_ref().map_err(Clone::clone)?;
            let sha256 = library.sha256()?;
            lock.allows(name, &library.manifest.target, &sha256)?;
            log::debug!("{}: sha256 {sha256} is locked for {name}", path.display());
        }
        Ok(library)
    }

    /// Where the lock is, if there is one.
    pub(crate) fn lock_file(&self) -> Option<PathBuf> {
        self.policy.lock.clone()
    }

    /// Why the lock cannot be used.
    pub(crate) fn lock_refusal(&self) -> Option<Refusal> {
        self.lock.as_ref().and_then(|lock| lock.as_ref().err().cloned())
    }
}
