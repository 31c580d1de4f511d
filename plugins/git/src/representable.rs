//! What of a remote's files can be here: found out before anything is written down.

use f9_plugin_api::{Error, ErrorKind, Result};
use git2::{FileMode, Index, Oid};

use crate::{
    checkout::{Change, Entry, index_entry},
    errors::Context as _,
    repository::Repo,
};

/// Linux's `PATH_MAX` less its NUL.
const MAX_TARGET: usize = 4095;

impl Repo {
    /// Refuses a commit of the remote whose files cannot be here. `from` is what the branch is at.
    pub(crate) fn check_tree(&self, from: Option<Oid>, to: Oid) -> Result<()> {
        let old = from.map(|commit| self.tree_of(commit)).transpose()?;
        let changes = self.changes(old.as_ref(), &self.tree_of(to)?)?;
        self.check_changes(&changes)
    }

    /// Refuses names and links that the file system of the working tree, or git's index, does not take.
    pub(crate) fn check_representable(&self, changes: &[Change]) -> Result<()> {
        // A file system that does not tell has no limit that anybody could ask about.
        let longest = rustix::fs::fstatvfs(self.worktree.root_fd())
            .map_or(255, |limits| usize::try_from(limits.f_namemax).unwrap_or(usize::MAX));
        for change in changes {
            let Some(new) = change.new else { continue };
            let mut names = change.path.split(|&byte| byte == b'/');
            if names.any(|name| name.len() > longest) {
                let message = format!(
                    "the remote has a name that is longer than this file system takes ({longest} bytes)"
                );
                return Err(refused(&message, &change.path));
            }
            if new.mode == u32::from(FileMode::Link) {
                self.check_link(&change.path, new)?;
            }
        }
        Ok(())
    }

    fn check_link(&self, path: &[u8], link: Entry) -> Result<()> {
        let blob = self.git.find_blob(link.id).context("read an object")?;
        let target = blob.content();
        if target.is_empty() || target.len() > MAX_TARGET || target.contains(&0) {
            return Err(refused("the remote has a link that leads to no possible place", path));
        }
        // libgit2 knows what must not be a link, in all disguises: `.gitmodules`.
        let taken = Index::new().and_then(|mut index| index.add(&index_entry(path, link, None)));
        taken.map_err(|cause| {
            refused("the remote has a link by a name that git itself reads", path).caused_by(cause)
        })
    }
}

fn refused(message: &str, path: &[u8]) -> Error {
    Error::new(ErrorKind::Integrity, format!("{message}; nothing was changed"))
        .with("reason", "not-representable")
        .at(String::from_utf8_lossy(path))
        .hint("have it renamed or removed at the remote, then try again")
}
