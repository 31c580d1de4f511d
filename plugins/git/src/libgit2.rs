//! The settings of libgit2 that hold for the whole library, and the only unsafe code.

use std::sync::OnceLock;

use f9_plugin_api::Result;
use git2::{ConfigLevel, opts};

use crate::{errors::from_git, transport::smart};

/// Makes libgit2 independent of the machine: no configuration of the system or the user is read. This plugin has a copy
/// of libgit2 of its own, so nobody else notices.
pub(crate) fn init() -> Result<()> {
    static DONE: OnceLock<Result<(), git2::Error>> = OnceLock::new();
    let done = DONE.get_or_init(configure);
    done.as_ref().map_err(|error| {
        from_git("set up libgit2", git2::Error::new(error.code(), error.class(), error.message()))
    })?;
    Ok(())
}

fn configure() -> Result<(), git2::Error> {
    let levels = [ConfigLevel::System, ConfigLevel::Global, ConfigLevel::XDG, ConfigLevel::ProgramData];
    for level in levels {
        // SAFETY: runs once, and no repository is open yet: `init` comes before the first.
        unsafe { opts::set_search_path(level, "")? };
    }
    // The module `ownership` looks at the clone, with an option to trust it; of a remote only objects and branches are read.
    // SAFETY: as above.
    unsafe { opts::set_verify_owner_validation(false)? };
    // SAFETY: as above: no transport is created meanwhile.
    unsafe { git2::transport::register(smart::SCHEME, smart::create) }
}
