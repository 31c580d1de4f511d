//! A remote on this machine's file systems.
//!
//! libgit2's own transport for paths moves the remote's branch without comparing it to what it saw before, and so
//! overwrites what others pushed meanwhile. Here the objects are copied first, and the branch moves under its lock, if it
//! is still where the push began. A remote that has hooks is pushed to with the machine's git, which runs them.

use std::{
    collections::HashSet,
    io::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

use f9_plugin_api::{Context, Error, ErrorKind, Result};
use git2::{ErrorCode, ObjectType, Oid, PackBuilderStage, Repository, RepositoryOpenFlags, Sort, Tree};

use super::{Progress, Tip, Transport, Wanted, hooks, remote_moved};
use crate::{
    errors::Context as _,
    lock::{LockFile, remove_stale},
};

/// Up to so many objects are written one by one; more go into a pack. As git's `transfer.unpackLimit`.
const LOOSE_LIMIT: usize = 100;

/// For how long a push waits for another of ours, or for a lock of git's, which are held for milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(crate) struct PathTransport(PathBuf);

impl PathTransport {
    pub(crate) const fn new(path: PathBuf) -> Self {
        Self(path)
    }

    fn open(&self) -> Result<Repository> {
        let nothing_above: [&Path; 0] = [];
        Repository::open_ext(&self.0, RepositoryOpenFlags::NO_SEARCH, nothing_above).map_err(|error| {
            let missing = error.code() == ErrorCode::NotFound;
            let error = crate::errors::from_git("open the remote repository", error);
            // Not the kind for a path of the backend that is not there.
            let kind = if missing { ErrorKind::RemoteRefused } else { error.kind() };
            Error::new(kind, error.message())
                .with("remote", self.0.display())
                .hint("check `remote_url`; `git init --bare` makes a repository there")
        })
    }

    /// The error of a push, which says whose permissions are lacking if it is that.
    fn not_writable(&self, error: Error) -> Error {
        match error.kind() {
            kind @ (ErrorKind::PermissionDenied | ErrorKind::ReadOnly) => {
                let message =
                    format!("this user may not write to the remote repository: {}", error.message());
                Error::new(kind, message)
                    .with("remote", self.0.display())
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
        if let Some(tip) = &tip {
            copy_objects(&remote, into, tip.id, "fetch", context)?;
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

    fn push(&self, from: &Repository, branch: &str, tip: Oid, context: &Context) -> Result<Option<Oid>> {
        let remote = self.open()?;
        let before = branch_tip(&remote, branch)?;
        if before == Some(tip) {
            return Ok(before);
        }
        refuse_checked_out(&remote, branch)?;
        if let Some(before) = before {
            let known = from.odb().context("open the objects")?.exists(before);
            if !known || !from.graph_descendant_of(tip, before).context("compare histories")? {
                return Err(remote_moved());
            }
        }
        if let Some(hook) = hooks::hook_of(&remote) {
            hooks::push(hook, from, &self.0, branch, tip, context)?;
            return Ok(before);
        }
        copy_objects(from, &remote, tip, "push", context).map_err(|error| self.not_writable(error))?;
        context.check_cancelled()?;
        self.move_branch(&remote, branch, before, tip).map_err(|error| self.not_writable(error))?;
        Ok(before)
    }
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

/// Copies what `tip` consists of, as far as `to` lacks it.
fn copy_objects(
    from: &Repository,
    to: &Repository,
    tip: Oid,
    operation: &'static str,
    context: &Context,
) -> Result<()> {
    if is_complete(to, tip)? {
        return Ok(());
    }
    let missing = missing_objects(from, to, tip, context)?;
    if missing.len() <= LOOSE_LIMIT {
        copy_loose(from, to, &missing).context("copy objects")
    } else {
        copy_pack(from, to, &missing, operation, context)
    }
}

/// Whether `to` has a branch that contains `tip`, and with it everything `tip` consists of.
fn is_complete(to: &Repository, tip: Oid) -> Result<bool> {
    let tips = branch_tips(to).context("read the branches")?;
    Ok(tips.contains(&tip))
}

/// The objects reachable from `tip` and not from the branches of `to`; each after those that it refers to.
fn missing_objects(from: &Repository, to: &Repository, tip: Oid, context: &Context) -> Result<Vec<Oid>> {
    let walk = || {
        let mut walk = from.revwalk()?;
        walk.set_sorting(Sort::TOPOLOGICAL | Sort::REVERSE)?;
        walk.push(tip)?;
        let odb = from.odb()?;
        for known in branch_tips(to)?.into_iter().filter(|id| odb.exists(*id)) {
            walk.hide(known)?;
        }
        Ok::<_, git2::Error>(walk)
    };
    let mut missing = Missing { repository: from, seen: HashSet::new(), ordered: Vec::new() };
    for commit in walk().context("compare histories")? {
        context.check_cancelled()?;
        let id = commit.context("compare histories")?;
        missing.add_commit(id).context("list objects")?;
    }
    Ok(missing.ordered)
}

fn branch_tips(repository: &Repository) -> Result<HashSet<Oid>, git2::Error> {
    let mut tips = HashSet::new();
    for reference in repository.references()? {
        let reference = reference?;
        if let Some(id) = reference.target().filter(|_| reference.is_branch() || reference.is_remote()) {
            tips.insert(id);
        }
    }
    Ok(tips)
}

struct Missing<'repo> {
    repository: &'repo Repository,
    seen: HashSet<Oid>,
    ordered: Vec<Oid>,
}

impl Missing<'_> {
    fn add_commit(&mut self, id: Oid) -> Result<(), git2::Error> {
        let commit = self.repository.find_commit(id)?;
        let parent = commit.parents().next().map(|parent| parent.tree()).transpose()?;
        self.add_tree(&commit.tree()?, parent.as_ref())?;
        self.add(id);
        Ok(())
    }

    /// Adds what a tree has and `base`, which is there already, has not at the same place.
    fn add_tree(&mut self, tree: &Tree<'_>, base: Option<&Tree<'_>>) -> Result<(), git2::Error> {
        if base.is_some_and(|base| base.id() == tree.id()) || self.seen.contains(&tree.id()) {
            return Ok(());
        }
        for entry in tree {
            let old = base.and_then(|base| base.get_name_bytes(entry.name_bytes()));
            if old.as_ref().is_some_and(|old| old.id() == entry.id()) {
                continue;
            }
            match entry.kind() {
                Some(ObjectType::Tree) => {
                    let old = old.filter(|old| old.kind() == Some(ObjectType::Tree));
                    let old = old.map(|old| self.repository.find_tree(old.id())).transpose()?;
                    self.add_tree(&self.repository.find_tree(entry.id())?, old.as_ref())?;
                }
                Some(ObjectType::Blob) => self.add(entry.id()),
                _ => {} // a submodule's commit is in another repository
            }
        }
        self.add(tree.id());
        Ok(())
    }

    fn add(&mut self, id: Oid) {
        if self.seen.insert(id) {
            self.ordered.push(id);
        }
    }
}

fn copy_loose(from: &Repository, to: &Repository, ids: &[Oid]) -> Result<(), git2::Error> {
    let (source, target) = (from.odb()?, to.odb()?);
    for id in ids {
        let object = source.read(*id)?;
        target.write(object.kind(), object.data())?;
    }
    Ok(())
}

fn copy_pack<'a>(
    from: &'a Repository,
    to: &Repository,
    ids: &[Oid],
    operation: &'static str,
    context: &'a Context,
) -> Result<()> {
    let total = ids.len();
    let mut progress = Progress::new(context, operation);
    let mut pack = from.packbuilder().context("make a pack")?;
    pack.set_threads(0);
    for id in ids {
        pack.insert_object(*id, None).context("make a pack")?;
    }
    let target = to.odb().context("open the objects")?;
    let mut writer = target.packwriter().context("write a pack")?;
    // Searching for deltas takes the longest, and what follows is soon done.
    let searched = pack.set_progress_callback(move |stage, done, _| match stage {
        PackBuilderStage::AddingObjects => !context.is_cancelled(),
        PackBuilderStage::Deltafication => progress.tell((done as usize).min(total), total),
    });
    searched.context("make a pack")?;
    let mut failure = None;
    let built = pack.foreach(|part| {
        failure = context.check_cancelled().err().or_else(|| writer.write_all(part).err().map(Error::from));
        failure.is_none()
    });
    if let Some(failure) = failure {
        return Err(failure);
    }
    context.check_cancelled()?;
    built.context("make a pack")?;
    writer.commit().context("write a pack").map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remote_that_may_not_be_written_is_named() {
        let transport = PathTransport::new("/srv/notes.git".into());
        let denied = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
        let error = transport.not_writable(Err::<(), _>(denied).context("lock the file").unwrap_err());
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        assert!(error.to_string().contains("may not write to the remote repository"), "{error}");
        assert!(error.to_string().contains("/srv/notes.git"), "{error}");
        let moved = transport.not_writable(remote_moved());
        assert_eq!(moved.kind(), ErrorKind::RemoteMoved);
    }
}
