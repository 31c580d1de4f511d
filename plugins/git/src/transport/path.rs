//! A remote on this machine's file systems.
//!
//! libgit2's own transport for paths moves the remote's branch without comparing it to what it saw before, and so
//! overwrites what others pushed meanwhile. Here the objects are copied first, and the branch moves under its lock, if it
//! is still where the push began. A remote that has hooks is pushed to with the machine's git, which runs them.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use f9_plugin_api::{Context, Error, ErrorKind, Result};
use git2::{ErrorCode, Oid, Repository, RepositoryOpenFlags};

use super::{
    Tip, Transport, Wanted, hooks,
    objects::{copy_objects, fetch_objects},
    remote_moved,
};
use crate::{
    errors::Context as _,
    lock::{LockFile, remove_stale},
    ownership,
};

/// For how long a push waits for another of ours, or for a lock of git's, which are held for milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(crate) struct PathTransport {
    path: PathBuf,
    /// Whether one that belongs to another user may be written to.
    trust_other_owner: bool,
}

impl PathTransport {
    pub(crate) const fn new(path: PathBuf, trust_other_owner: bool) -> Self {
        Self { path, trust_other_owner }
    }

    /// Refuses to write into a repository of another user: its branches, objects and logs can be links to any file of the
    /// user's, and git refuses it as well.
    fn check_owner(&self) -> Result<()> {
        if self.trust_other_owner || ownership::is_ours(&self.path) {
            return Ok(());
        }
        let message = "the remote repository belongs to another user, who may have put links into it that lead to your files";
        Err(Error::new(ErrorKind::RemoteRefused, message).with("remote", self.path.display()).hint(
            "if you trust its owner, add \"trust_other_owner\": true to the connection; else push by ssh:// or https://",
        ))
    }

    fn open(&self) -> Result<Repository> {
        if let Some((setting, value)) = unsupported_format(&self.path) {
            let message =
                format!("the remote is a repository of a format that is not supported: {setting} is {value}");
            return Err(Error::new(ErrorKind::Unsupported, message)
                .with("remote", self.path.display())
                .hint("f9 works with repositories of SHA-1 objects whose branches are files, as `git init --bare` makes them"));
        }
        let nothing_above: [&Path; 0] = [];
        Repository::open_ext(&self.path, RepositoryOpenFlags::NO_SEARCH, nothing_above).map_err(|error| {
            let missing = error.code() == ErrorCode::NotFound;
            let error = crate::errors::from_git("open the remote repository", error);
            // Not the kind for a path of the backend that is not there.
            let kind = if missing { ErrorKind::RemoteRefused } else { error.kind() };
            let hint = match self.path.exists() {
                true => "check `remote_url`: what is there is no repository".to_owned(),
                false => {
                    format!(
                        "check `remote_url`; `git init --bare {}` makes a repository there",
                        self.path.display()
                    )
                }
            };
            Error::new(kind, error.message()).with("remote", self.path.display()).hint(hint)
        })
    }

    /// The error of a fetch, which tells how to find out whose fault it is.
    fn perhaps_damaged(&self, error: Error) -> Error {
        let is_about_objects = ["not found", "corrupt", "mismatch", "inflate", "incorrect data"]
            .iter()
            .any(|words| error.message().contains(words));
        if is_about_objects && error.advice().is_none() {
            return error
                .hint(format!("`git -C {} fsck` says whether the remote is damaged", self.path.display()));
        }
        error
    }

    /// The error of a push, which says whose permissions are lacking if it is that.
    fn not_writable(&self, error: Error) -> Error {
        match error.kind() {
            kind @ (ErrorKind::PermissionDenied | ErrorKind::ReadOnly) => {
                let message =
                    format!("this user may not write to the remote repository: {}", error.message());
                Error::new(kind, message)
                    .with("remote", self.path.display())
                    .hint("the commit is kept here; push again when the remote's files may be written")
                    .caused_by(error)
            }
            _ => error,
        }
    }

    /// Moves the branch under its lock, which every git takes, if nobody moved it since.
    fn move_branch(&self, remote: &Repository, branch: &str, from: Option<Oid>, to: Oid) -> Result<()> {
        let lock = LockFile::new(remote.path().join("f9.lock"), PATIENCE);
        let held = lock.hold(&Context::detached())?;
        if let Some(began) = held.interrupted() {
            remove_stale([remote.path().join(format!("{branch}.lock")).as_path()], began)?;
        }
        let start = std::time::Instant::now();
        loop {
            match compare_and_swap(remote, branch, from, to) {
                Ok(true) => return Ok(()),
                Ok(false) => return Err(remote_moved()),
                Err(error) if error.code() == ErrorCode::Locked && start.elapsed() < PATIENCE => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                Err(error) => return Err(error).context("move the remote's branch"),
            }
        }
    }
}

impl Transport for PathTransport {
    fn fetch(
        &self,
        into: &Repository,
        branch: &str,
        wanted: Wanted,
        context: &Context,
    ) -> Result<Option<Tip>> {
        let remote = self.open()?;
        let mut tip = branch_tip(&remote, branch)?.map(|id| Tip { branch: branch.to_owned(), id });
        if tip.is_none() && wanted == Wanted::BranchOrDefault {
            tip = remote.head().ok().and_then(|head| {
                let name = std::str::from_utf8(head.name_bytes()).unwrap_or("HEAD");
                Some(Tip { branch: name.to_owned(), id: head.target()? })
            });
        }
        if remote.is_shallow() {
            let message = "the remote is a shallow clone: it lacks part of its history";
            let remedy = format!("`git -C {} fetch --unshallow` brings it", self.path.display());
            return Err(Error::new(ErrorKind::RemoteRefused, message).hint(remedy));
        }
        if let Some(tip) = &tip {
            fetch_objects(&remote, into, tip.id, context).map_err(|error| self.perhaps_damaged(error))?;
        }
        Ok(tip)
    }

    fn branches(&self, _near: &Repository, _context: &Context) -> Result<Vec<String>> {
        let remote = self.open()?;
        let references = remote.references_glob("refs/heads/*").context("read the remote's branches")?;
        let names = references.filter_map(Result::ok);
        let name =
            |name: &[u8]| Some(std::str::from_utf8(name).ok()?.strip_prefix("refs/heads/")?.to_owned());
        Ok(names.filter_map(|reference| name(reference.name_bytes())).collect())
    }

    fn push(
        &self,
        from: &Repository,
        branch: &str,
        tip: Oid,
        check: &dyn Fn(Option<Oid>) -> Result<()>,
        context: &Context,
    ) -> Result<Option<Oid>> {
        let remote = self.open()?;
        let before = branch_tip(&remote, branch)?;
        if before == Some(tip) {
            return Ok(before);
        }
        self.check_owner()?;
        refuse_checked_out(&remote, branch)?;
        if let Some(before) = before {
            let known = from.odb().context("open the objects")?.exists(before);
            if !known || !from.graph_descendant_of(tip, before).context("compare histories")? {
                return Err(remote_moved());
            }
        }
        check(before)?;
        if let Some(hook) = hooks::hook_of(&remote) {
            hooks::push(hook, from, &self.path, branch, tip, context)?;
            return Ok(before);
        }
        copy_objects(from, &remote, tip, "push", context).map_err(|error| self.not_writable(error))?;
        context.check_cancelled()?;
        self.move_branch(&remote, branch, before, tip).map_err(|error| self.not_writable(error))?;
        Ok(before)
    }
}

/// The setting by which a repository is of a format that libgit2 does not know (git-config(1), `extensions`).
fn unsupported_format(repository: &Path) -> Option<(&'static str, String)> {
    let usual = [("extensions.objectformat", "sha1"), ("extensions.refstorage", "files")];
    for directory in [repository.to_owned(), repository.join(".git")] {
        let Ok(config) = git2::Config::open(&directory.join("config")) else { continue };
        for (setting, usual) in usual {
            match config.get_string(setting) {
                Ok(value) if !value.eq_ignore_ascii_case(usual) => {
                    return Some((setting, crate::errors::clean(&value)));
                }
                _ => {}
            }
        }
    }
    None
}

/// Whether the branch was at `from`, and then moved.
fn compare_and_swap(
    remote: &Repository,
    branch: &str,
    from: Option<Oid>,
    to: Oid,
) -> Result<bool, git2::Error> {
    let mut transaction = remote.transaction()?;
    transaction.lock_ref(branch)?;
    let now = match remote.refname_to_id(branch) {
        Ok(id) => Some(id),
        Err(error) if error.code() == ErrorCode::NotFound => None,
        Err(error) => return Err(error),
    };
    if now != from {
        return Ok(false);
    }
    transaction.set_target(branch, to, None, "push")?;
    transaction.commit()?;
    Ok(true)
}

fn branch_tip(repository: &Repository, branch: &str) -> Result<Option<Oid>> {
    match repository.refname_to_id(branch) {
        Ok(id) => Ok(Some(id)),
        Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
        Err(error) => Err(error).context("read the remote's branch"),
    }
}

/// As `receive.denyCurrentBranch`: moving a branch under somebody's working tree makes it look as if they had reverted
/// what was pushed.
fn refuse_checked_out(remote: &Repository, branch: &str) -> Result<()> {
    let head = remote.find_reference("HEAD").context("read the remote's HEAD")?;
    if remote.is_bare() || head.symbolic_target_bytes() != Some(branch.as_bytes()) {
        return Ok(());
    }
    let setting = remote.config().and_then(|config| config.get_string("receive.denyCurrentBranch"));
    if matches!(setting.as_deref(), Ok("ignore" | "warn" | "false")) {
        return Ok(());
    }
    let message = "the remote is somebody's working tree and has this branch checked out";
    Err(Error::new(ErrorKind::RemoteRefused, message)
        .hint("use a bare repository (git init --bare) as remote, or check out another branch there"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remote_that_may_not_be_written_is_named() {
        let transport = PathTransport::new("/srv/notes.git".into(), false);
        let denied = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
        let error = transport.not_writable(Err::<(), _>(denied).context("lock the file").unwrap_err());
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        assert!(error.to_string().contains("may not write to the remote repository"), "{error}");
        assert!(error.to_string().contains("/srv/notes.git"), "{error}");
        let moved = transport.not_writable(remote_moved());
        assert_eq!(moved.kind(), ErrorKind::RemoteMoved);
    }
}
