//! Files that git was told to look away from.
//!
//! What a sparse checkout leaves out is missing in the working tree and is not meant to be deleted, and what is assumed
//! unchanged may have been changed through f9: neither can be told from what the tree has. Such a clone is refused.

use f9_plugin_api::{Error, ErrorKind, Result};
use git2::{ErrorClass, Index, IndexEntryExtendedFlag};

use crate::{
    errors::{Context as _, clean, from_git},
    repository::Repo,
};

/// git's flag for "assume unchanged" (gitformat-index(5)).
const ASSUME_VALID: u16 = 0x8000;

impl Repo {
    /// Refuses a clone whose configuration asks for a sparse checkout.
    pub(crate) fn check_not_sparse(&self) -> Result<()> {
        if is_sparse(&self.git)? {
            return Err(self.sparse());
        }
        Ok(())
    }

    /// Refuses an index in which files are hidden from git.
    pub(crate) fn check_none_hidden(&self, index: &Index) -> Result<()> {
        let skip_worktree = IndexEntryExtendedFlag::SKIP_WORKTREE.bits();
        let hidden = index.iter().find_map(|entry| {
            let flag = if entry.flags_extended & skip_worktree != 0 {
                "skip-worktree"
            } else if entry.flags & ASSUME_VALID != 0 {
                "assume-unchanged"
            } else {
                return None;
            };
            Some((clean(&String::from_utf8_lossy(&entry.path)), flag))
        });
        let Some((path, flag)) = hidden else { return Ok(()) };
        // The configuration for this working tree alone may be newer than the open repository.
        let fresh = git2::Repository::open(self.git.path()).context("open the repository")?;
        if flag == "skip-worktree" && is_sparse(&fresh)? {
            return Err(self.sparse());
        }
        let message = format!("git was told to look away from this file ({flag}); nothing was changed");
        Err(self.hidden(&message, &format!("update-index --no-{flag} '{path}'")).at(path))
    }

    /// The index as libgit2 reads it, with nothing hidden in it.
    pub(crate) fn index(&self) -> Result<Index> {
        let read = || {
            let mut index = self.git.index()?;
            index.read(false)?;
            Ok::<_, git2::Error>(index)
        };
        let index = read().map_err(|error| self.unreadable_index(error))?;
        self.check_none_hidden(&index)?;
        Ok(index)
    }

    fn sparse(&self) -> Error {
        let message = "the clone is a sparse checkout (core.sparseCheckout): which files are left out and which were \
                       deleted cannot be told apart; nothing was changed";
        self.hidden(message, "sparse-checkout disable")
    }

    fn unreadable_index(&self, error: git2::Error) -> Error {
        let needs =
            |extension: &str| error.message().contains(&format!("mandatory extension: '{extension}'"));
        if needs("link") {
            let message =
                "the clone's index is split over two files, which f9 does not read; nothing was changed";
            return self.hidden(message, "update-index --no-split-index");
        }
        if needs("sdir") {
            let message = "the clone's index is sparse, which f9 does not read; nothing was changed";
            return self.hidden(message, "sparse-checkout disable");
        }
        let is_corrupt = error.class() == ErrorClass::Index;
        let error = from_git("read the index", error);
        if !is_corrupt {
            return error;
        }
        let (path, index) = (self.settings.path.display(), self.index_path());
        error.hint(format!(
            "if it is damaged, `rm {}` and `git -C {path} reset` make it anew",
            index.display()
        ))
    }

    fn hidden(&self, message: &str, remedy: &str) -> Error {
        let remedy = format!("`git -C {} {remedy}`, then try again", self.settings.path.display());
        Error::new(ErrorKind::Unsupported, message).hint(remedy)
    }
}

fn is_sparse(git: &git2::Repository) -> Result<bool> {
    let config = git.config().context("read the configuration")?;
    Ok(config.get_bool("core.sparseCheckout").unwrap_or(false))
}
