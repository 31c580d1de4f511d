//! What of a remote's files can be here: found out before anything is written down.

use std::os::fd::AsFd;

use f9_plugin_api::{Error, ErrorKind, Result};
use git2::{FileMode, Oid, Repository};

use crate::{
    bounds,
    checkout::{Change, Entry},
    dotgit::is_dot_gitmodules,
    errors::Context as _,
    repository::Repo,
};

/// Linux's `PATH_MAX` less its NUL.
const MAX_TARGET: usize = 4095;

impl Repo {
    /// Refuses a commit of the remote whose files cannot be here, or are more than the connection allows. `from` is what the branch is at.
    pub(crate) fn check_tree(&self, from: Option<Oid>, to: Oid) -> Result<()> {
        let old = from.map(|commit| self.tree_of(commit)).transpose()?;
        let new = self.tree_of(to)?;
        bounds::check(&self.git, old.as_ref(), &new, &self.settings, &self.context)?;
        let changes = self.changes(old.as_ref(), &new)?;
        self.check_changes(&changes)
    }
}

/// How many bytes a name may have there; a file system that does not tell has Linux's usual limit.
pub(crate) fn longest_name(directory: impl AsFd) -> usize {
    rustix::fs::fstatvfs(directory)
        .map_or(255, |limits| usize::try_from(limits.f_namemax).unwrap_or(usize::MAX))
}

/// Refuses names and links that the file system of the working tree, or git's index, does not take.
pub(crate) fn check_representable(changes: &[Change], git: &Repository, longest_name: usize) -> Result<()> {
    for change in changes {
        let Some(new) = change.new else { continue };
        if change.path.split(|&byte| byte == b'/').any(|name| name.len() > longest_name) {
            let message = format!(
                "the remote has a name that is longer than this file system takes ({longest_name} bytes)"
            );
            return Err(refused(&message, &change.path));
        }
        if new.mode == u32::from(FileMode::Link) {
            check_link(&change.path, new, git)?;
        }
    }
    Ok(())
}

fn check_link(path: &[u8], link: Entry, git: &Repository) -> Result<()> {
    let blob = git.find_blob(link.id).context("read an object")?;
    let target = blob.content();
    if target.is_empty() || target.len() > MAX_TARGET || target.contains(&0) {
        return Err(refused("the remote has a link that leads to no possible place", path));
    }
    if is_dot_gitmodules(path) {
        return Err(refused("the remote has a link by a name that git itself reads", path));
    }
    Ok(())
}

fn refused(message: &str, path: &[u8]) -> Error {
    Error::new(ErrorKind::Integrity, format!("{message}; nothing was changed"))
        .with("reason", "not-representable")
        .at(String::from_utf8_lossy(path))
        .hint("have it renamed or removed at the remote, then try again")
}
