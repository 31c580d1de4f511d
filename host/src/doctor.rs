//! Why a plugin is found or not, and used or not.

use std::path::PathBuf;

use f9_plugin_abi::VERSION;
use f9_plugin_api::{boundary::TARGET, nearest};
use serde::{Serialize, Serializer};

use crate::{PluginDir, PluginFile, PluginName, Refusal, RefusalCode, discovery, policy::Gate};

/// Why plugins are found or not, and used or not: what [`Host::diagnose`](crate::Host::diagnose) answers, without running
/// any of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Diagnosis {
    /// The platform of this host, as a target triple.
    pub target: &'static str,
    /// The version of the plugin ABI that this host speaks.
    pub abi: &'static str,
    /// The file of what may be loaded, if there is a lock.
    #[serde(serialize_with = "lossy_option")]
    pub lock: Option<PathBuf>,
    /// Why the lock cannot be used, so that nothing is loaded.
    pub lock_refusal: Option<Refusal>,
    /// The directories, in the order in which they are searched.
    pub dirs: Vec<PluginDir>,
    /// Every candidate with its [refusal](PluginFile::refusal), if it has one: those of one name in the order in which
    /// they were found, and what is [misnamed](crate::RefusalCode::Misnamed) after them.
    pub candidates: Vec<PluginFile>,
    /// The name that was asked for.
    pub name: Option<String>,
    /// If there is no file of that name: what it may have been meant to be.
    pub nearest: Option<String>,
}

impl Diagnosis {
    pub(crate) fn new(dirs: &[PathBuf], gate: &Gate<'_>, name: Option<&PluginName>) -> Self {
        let mut candidates = match name {
            Some(name) => discovery::inspect_files(name, &discovery::find(name, dirs), gate),
            None => discovery::plugin_files(dirs, gate),
        };
        let misnamed = discovery::misnamed_files(dirs);
        candidates
            .extend(misnamed.into_iter().filter(|file| name.is_none_or(|name| file.name == name.as_str())));
        let present = discovery::names(dirs);
        let near = name.filter(|name| !present.contains(name)).and_then(|name| {
            nearest(name.as_str(), present.iter().map(PluginName::as_str)).map(str::to_owned)
        });
        Self {
            target: TARGET,
            abi: VERSION,
            lock: gate.lock_file(),
            lock_refusal: gate.lock_refusal(),
            dirs: discovery::inspect_dirs(dirs),
            candidates,
            name: name.map(ToString::to_string),
            nearest: near,
        }
    }

    /// Whether there is nothing against loading the plugin that was asked for; without a name, any of those that were found.
    /// What only shows when it is loaded, such as a library that it needs and that is missing, is not known here.
    pub fn is_healthy(&self) -> bool {
        let code = |file: &PluginFile| file.refusal.as_ref().map(|refusal| refusal.code);
        let besides = |code| matches!(code, Some(RefusalCode::Misnamed | RefusalCode::Shadowed));
        let mut used = self.candidates.iter().map(code).filter(|code| !besides(*code)).peekable();
        let found = self.name.is_none() || used.peek().is_some();
        found && self.lock_refusal.is_none() && used.all(|code| code.is_none())
    }
}

fn lossy_option<S: Serializer>(path: &Option<PathBuf>, serializer: S) -> Result<S::Ok, S::Error> {
    match path {
        Some(path) => discovery::lossy(path, serializer),
        None => serializer.serialize_none(),
    }
}
