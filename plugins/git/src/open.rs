//! Opening a clone.

use std::{fs, io, path::Path, sync::Arc};

use f9_plugin_api::{Context, Error, ErrorKind, Result, log};
use git2::{ErrorCode, Oid};

use crate::{
    checkout::Before, clone, damage::pending, errors::Context as _, new_branch, options::Settings, own_file,
    ownership, remote_url::RemoteUrl, repository::Repo,
};

/// Opens the clone at `settings.path`; makes it if there is none.
pub(crate) fn open(settings: Arc<Settings>, context: Context) -> Result<Repo> {
    make_if_missing(&settings, &context)?;
    let path = settings.path.clone();
    if !settings.trust_other_owner {
        ownership::check_clone(&path)?;
    }
    let repo = Repo::at(&path, settings, context)?;
    match repo.locks.operation.hold(&repo.context) {
        Ok(operation) => {
            let tree = repo.locks.tree.hold(&repo.context)?;
            repo.recover(operation.interrupted().or(tree.interrupted())).map_err(pending)?;
            repo.check_configured()?;
            repo.point_at_remote()?;
            repo.switch_to_branch()?;
        }
        // On a read-only file system, or as another user, who may not write to it.
        Err(error) if matches!(error.kind(), ErrorKind::ReadOnly | ErrorKind::PermissionDenied) => {
            repo.warn_of_reading_alone(&error)
        }
        Err(error) => return Err(error),
    }
    Ok(repo)
}

/// Sees to it that there is a clone.
pub(crate) fn make_if_missing(settings: &Settings, context: &Context) -> Result<()> {
    crate::libgit2::init()?;
    let path = &settings.path;
    if !is_clone(path)? {
        clone::make(settings, context)?;
    }
    Ok(())
}

/// Whether there is a clone. Refuses whatever else is there, but for an empty directory.
fn is_clone(path: &Path) -> Result<bool> {
    match fs::symlink_metadata(path.join(".git")) {
        Ok(_) => return Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            return Err(Error::new(ErrorKind::NotADirectory, "a file is where the working tree is to be")
                .at(path.display())
                .hint("name another `path`"));
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(error).context("look for the clone");
        }
        Err(_) => {}
    }
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error).context("look into `path`"),
    };
    if ["HEAD", "objects", "refs"].iter().all(|name| path.join(name).exists()) {
        let message = "a bare repository is where the working tree is to be; nothing was changed";
        return Err(Error::new(ErrorKind::AlreadyExists, message)
            .at(path.display())
            .hint("name another `path`; a bare repository can be the `remote_url`"));
    }
    for entry in entries {
        if !clone::may_be_remains(&entry.context("look into `path`")?.path()) {
            // Another one that made the clone may have been done meanwhile.
            if path.join(".git").symlink_metadata().is_ok() {
                return Ok(true);
            }
            return Err(clone::not_empty(path));
        }
    }
    Ok(false)
}

impl Repo {
    fn warn_of_reading_alone(&self, error: &Error) {
        log::warn!("the clone at {} can be read, and not changed: {error}", self.settings.path.display());
        if self.needs_recovery() {
            log::warn!(
                "an interrupted operation is not finished there: files may be older or newer than their commit"
            );
        }
    }

    /// Refuses a clone whose configuration is gone: what is set below would make it look like one that is whole.
    fn check_configured(&self) -> Result<()> {
        let config = fs::metadata(self.git.commondir().join("config"));
        if config.is_ok_and(|config| config.len() > 0) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Integrity, "the configuration of the clone is gone")
            .hint("`f9 repair NAME:` makes it anew"))
    }

    /// Sees to it that `origin` is the remote of this connection, for whoever uses git by hand. That it is the right one shows
    /// when its history is compared with that of the clone, before anything of it is brought here.
    fn point_at_remote(&self) -> Result<()> {
        let url = self.settings.remote.as_str();
        let branch = &self.settings.branch;
        match self.git.find_remote("origin") {
            Ok(remote) if remote.url_bytes() == url.as_bytes() => return Ok(()),
            Ok(remote) => {
                // What it was may hold a password.
                let was =
                    std::str::from_utf8(remote.url_bytes()).ok().and_then(|url| RemoteUrl::parse(url).ok());
                if was.as_ref().is_some_and(|(was, _)| was.as_str() == url) {
                    return Ok(()); // the same in other words, such as `file://`
                }
                let was = was.map_or_else(|| "another address".to_owned(), |(was, _)| was.to_string());
                log::warn!("`origin` was {was}, and is now {url}, as the connection says");
                self.git.remote_set_url("origin", url).context("set the remote's address")?;
            }
            Err(error) if error.code() == ErrorCode::NotFound => {
                let refspec = format!("+refs/heads/{branch}:refs/remotes/origin/{branch}");
                self.git.remote_with_fetch("origin", url, &refspec).context("set the remote's address")?;
            }
            Err(error) => return Err(error).context("read the remote's address"),
        }
        Ok(())
    }

    /// Sees to it that the clone is on the connection's branch. It is switched there if it is where f9 has put it, or has no
    /// commit yet; where somebody else has put it, it stays. A branch that does not exist yet starts where the remote's is
    /// or else at the commit that is checked out.
    fn switch_to_branch(&self) -> Result<()> {
        self.check_no_other_operation()?;
        let branch = self.settings.branch_ref();
        let head = self.git.find_reference("HEAD").context("read HEAD")?;
        if head.symbolic_target_bytes() == Some(branch.as_bytes()) {
            return Ok(());
        }
        let current = self.git.head().ok().and_then(|head| head.target());
        let known = self.head()?.or(self.tracked());
        if known.or(current).is_some() && head.symbolic_target_bytes() != self.own_branch()?.as_deref() {
            return Err(self.elsewhere(&head));
        }
        if current.is_some() {
            self.check_not_sparse()?;
            self.check_nothing_pending().map_err(|error| {
                let place = self.elsewhere(&head);
                let message = format!("{}: {}", place.message(), error.message());
                Error::new(error.kind(), message).at(self.settings.path.display()).hint(
                    "commit or stash it there with git, or open the connection with that branch as `branch` and push",
                )
            })?;
        }
        let target = match known {
            Some(known) => Some(known),
            // The remote may have it since the clone was made.
            None => self.fetch_branch()?.or(current),
        };
        self.make_room_for(&branch)?;
        if let Some(target) = target.filter(|target| Some(*target) != current) {
            self.check_tree(current, target)?;
            self.advance(current, target, Before::Clean)?;
        }
        if let Some(target) = target.filter(|_| self.head().is_ok_and(|head| head.is_none())) {
            self.git.reference(&branch, target, false, "f9: start a branch").context("make the branch")?;
            clone::set_upstream(
                &mut self.git.config().context("configure the clone")?,
                &self.settings.branch,
            )?;
            if self.tracked().is_none() {
                new_branch::warn(
                    &*self.transport,
                    &self.git,
                    &self.settings,
                    &self.context,
                    "is published by the next push",
                );
            }
        }
        if self.tracked().is_some() {
            self.fetch_by_hand()?;
        }
        log::info!("the clone is now on the branch `{}`", self.settings.branch);
        self.git.set_head(&branch).context("switch to the branch")?;
        clone::note_branch(self.git.path(), &branch)
    }

    /// Brings the connection's branch here, if the remote has it.
    fn fetch_branch(&self) -> Result<Option<Oid>> {
        let tip = self.bring()?;
        if let Some(tip) = tip {
            self.remember(tip)?;
        }
        Ok(tip)
    }

    /// So that a plain `git fetch` by hand brings the branch too. While the remote does not have it, `git fetch` would fail.
    pub(crate) fn fetch_by_hand(&self) -> Result<()> {
        let branch = self.settings.branch_ref();
        let origin = self.git.find_remote("origin").context("configure the clone")?;
        if origin.refspecs().any(|refspec| refspec.src_matches(&branch)) {
            return Ok(());
        }
        let name = &self.settings.branch;
        let refspec = format!("+{branch}:refs/remotes/origin/{name}");
        self.git.remote_add_fetch("origin", &refspec).context("configure the clone")
    }

    /// The branch that f9 has last put the clone on.
    fn own_branch(&self) -> Result<Option<Vec<u8>>> {
        own_file::read(&self.git.path().join(clone::OWN_BRANCH))
    }
}
