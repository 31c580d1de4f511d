//! Whose files these are. The configuration of a repository names programs and other files, and its hooks are programs: git
//! refuses to use one of another user ("dubious ownership"), and so does f9.

use std::{fs, os::unix::fs::MetadataExt as _, path::Path};

use f9_plugin_api::{Error, ErrorKind, Result};

use crate::errors::Context as _;

/// Refuses a clone whose working tree or `.git` belongs to another user than the one this process acts for.
///
/// # Errors
///
/// `PermissionDenied`, which names the place, its owner, and the option that trusts it.
pub(crate) fn check_clone(tree: &Path) -> Result<()> {
    // `.git` itself, be it a link or the file of a linked working tree, and what it stands for.
    let git = tree.join(".git");
    for (place, metadata) in
        [(tree, fs::metadata(tree)), (&git, fs::symlink_metadata(&git)), (&git, fs::metadata(&git))]
    {
        let owner = metadata.context("look at the clone")?.uid();
        if !is_us(owner) {
            let message = format!(
                "the clone belongs to another user (user id {owner}, this is {}), who may have prepared it; nothing was \
                 changed",
                rustix::process::geteuid().as_raw()
            );
            return Err(Error::new(ErrorKind::PermissionDenied, message).at(place.display()).hint(
                "if you trust its owner, add \"trust_other_owner\": true to the connection; else name another `path`",
            ));
        }
    }
    Ok(())
}

/// Whether a remote repository, and with it its hooks, belongs to the user this process acts for.
pub(crate) fn is_ours(repository: &Path) -> bool {
    fs::metadata(repository).is_ok_and(|metadata| is_us(metadata.uid()))
}

fn is_us(owner: u32) -> bool {
    owner == rustix::process::geteuid().as_raw()
}
