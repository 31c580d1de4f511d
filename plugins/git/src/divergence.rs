//! A branch that the remote lost, and a history that it rewrote. Neither is followed, nor run over, by itself: one command
//! takes the remote's state and keeps the commits of here under a name, another publishes what is here.

use f9_plugin_api::{Error, ErrorKind, Result, log, nearest};
use git2::{ErrorCode, Oid};

use crate::{
    checkout::Before,
    errors::{Context as _, clean, name_some},
    repository::{Repo, count},
};

/// The fact by which a program tells these errors from others.
const REASON: &str = "reason";
const LOST: &str = "branch-lost";
const REWRITTEN: &str = "history-rewritten";

/// What a person can do about either.
const KEEP: &str = "`f9 push NAME: --keep-local` publishes what is here";
const FOLLOW: &str =
    "`f9 pull NAME: --follow-remote` takes the remote's state and keeps the commits of here under a name";

/// What became of following the remote.
pub(crate) struct Followed {
    /// The reference that has what the remote lacks, and how many commits that are.
    pub(crate) kept: Option<(String, u64)>,
    pub(crate) now: Oid,
}

impl Repo {
    /// Refuses to go on if the remote's branch is gone that was seen before, or lacks commits that were seen in it and are part
    /// of the branch here. `their` is here with all its history.
    pub(crate) fn check_course(&self, their: Option<Oid>) -> Result<()> {
        let Some(seen) = self.tracked() else { return Ok(()) };
        match their {
            None => Err(self.lost(seen)),
            Some(their) if self.is_withdrawn(seen, their)? => Err(self.rewritten(seen, their)?),
            Some(_) => Ok(()),
        }
    }

    /// Whether the branch here has commits that were seen at the remote and are no longer there.
    fn is_withdrawn(&self, seen: Oid, their: Oid) -> Result<bool> {
        if self.is_ancestor(seen, Some(their))? {
            return Ok(false);
        }
        let Some(ours) = self.head()? else { return Ok(false) };
        let shared = match self.git.merge_bases(ours, seen) {
            Ok(shared) => shared.to_vec(),
            Err(error) if error.code() == ErrorCode::NotFound => return Ok(false),
            Err(error) => return Err(error).context("compare histories"),
        };
        for commit in shared {
            if !self.is_ancestor(commit, Some(their))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn lost(&self, seen: Oid) -> Error {
        let branch = &self.settings.branch;
        let message = format!(
            "the remote no longer has the branch `{branch}`, which was at {}; nothing was changed",
            short(seen)
        );
        Error::new(ErrorKind::InvalidOperation, message)
            .with(REASON, LOST)
            .with("was", seen)
            .hint(format!(r#"{KEEP} anew; or name another as "branch" in the connection"#))
    }

    /// The same error with the branches that the remote has: whoever renamed it is helped by them.
    pub(crate) fn name_branches(&self, error: Error) -> Error {
        if !error.context().any(|fact| fact == (REASON, LOST)) {
            return error;
        }
        let others = match self.transport.branches(&self.git, &self.context) {
            Ok(others) => others,
            Err(cause) => {
                log::debug!("the remote's branches are not known: {cause}");
                return error;
            }
        };
        let others: Vec<_> = others.iter().map(|name| clean(name)).collect();
        let names = || others.iter().map(String::as_str);
        let likely = nearest(&self.settings.branch, names()).or_else(|| others.first().map(String::as_str));
        match likely {
            None => error,
            Some(likely) => {
                let hint = format!(
                    r#"the remote has {}: "branch": "{likely}" in the connection goes on with that; {KEEP} anew"#,
                    name_some(names())
                );
                error.hint(hint)
            }
        }
    }

    fn rewritten(&self, seen: Oid, their: Oid) -> Result<Error> {
        let (gone, new) = (self.count_commits(seen, Some(their))?, self.count_commits(their, Some(seen))?);
        let message = format!(
            "the remote's history was rewritten: `{}` was at {}, and is now at {}, which lacks {} of those and has {}; \
             nothing was changed",
            self.settings.branch,
            short(seen),
            short(their),
            commits(gone),
            count(usize::try_from(new).unwrap_or(usize::MAX), "other", "others"),
        );
        Ok(Error::new(ErrorKind::InvalidOperation, message)
            .with(REASON, REWRITTEN)
            .with("was", seen)
            .with("now", their)
            .with("gone", gone)
            .with("new", new)
            .hint(format!("{FOLLOW}; {KEEP}, with what was taken away")))
    }

    /// Takes the remote's branch as it is. What the branch here has and the remote lacks is kept under a name.
    ///
    /// # Errors
    ///
    /// `PendingChanges` if there is anything that is not committed.
    pub(crate) fn follow_remote(&self) -> Result<Followed> {
        let pending = |error: Error| match error.kind() {
            ErrorKind::PendingChanges => error.hint(
                "`push` commits them before it tells of the remote; they are kept with the other commits",
            ),
            _ => error,
        };
        {
            let _tree = self.hold_tree()?;
            self.check_nothing_pending().map_err(pending)?;
        }
        let Some(their) = self.bring()? else { return Err(self.no_branch()) };
        let _tree = self.hold_tree()?;
        self.check_nothing_pending().map_err(pending)?;
        let head = self.head()?;
        self.check_tree(head, their)?;
        let mut kept = None;
        if let Some(ours) = head
            && !self.is_ancestor(ours, Some(their))?
        {
            kept = Some((self.keep(ours)?, self.count_commits(ours, Some(their))?));
        }
        if head != Some(their) {
            self.advance(head, their, Before::Clean)?;
        }
        self.remember(their)?;
        Ok(Followed { kept, now: their })
    }

    fn no_branch(&self) -> Error {
        let error = match self.tracked() {
            Some(seen) => self.lost(seen),
            None => {
                let message = format!("the remote has no branch `{}`", self.settings.branch);
                Error::new(ErrorKind::InvalidOperation, message).with(REASON, LOST).hint(KEEP)
            }
        };
        self.name_branches(error)
    }

    /// Publishes what is here, whatever became of the remote's branch: one that is gone is made anew, one that was rewritten is
    /// merged, so that nothing that it has is lost. Returns how many commits were sent.
    pub(crate) fn keep_local(&self, message: Option<&str>) -> Result<u64> {
        let their = self.bring()?;
        {
            let _tree = self.hold_tree()?;
            self.commit_all(message)?;
            if let Some(their) = their {
                self.check_tree(self.head()?, their)?;
                // From here on the remote's state is accepted, also by a push that concludes a merge with conflicts.
                self.remember(their)?;
                self.integrate(their)?;
            }
        }
        self.publish(their.is_none())
    }

    /// Gives a commit a name, so that nothing of its history is ever collected.
    pub(crate) fn keep(&self, commit: Oid) -> Result<String> {
        let name = format!("refs/f9/kept/{}/{}", self.settings.branch, short(commit));
        self.git.reference(&name, commit, true, "f9: kept").context("keep the commits of here")?;
        Ok(name)
    }

    /// Sees to it that a reference of this name can be made: another that is its directory, or lies in it, gives way. The
    /// remote cannot have both, so one that only says what the remote has is out of date; a branch is kept under another name.
    pub(crate) fn make_room_for(&self, name: &str) -> Result<()> {
        let read = || {
            let mut in_the_way = Vec::new();
            for reference in self.git.references()? {
                let reference = reference?;
                let other = reference.name_bytes();
                if is_below(other, name.as_bytes()) || is_below(name.as_bytes(), other) {
                    in_the_way.push(reference);
                }
            }
            Ok::<_, git2::Error>(in_the_way)
        };
        for mut reference in read().context("read the branches")? {
            let other = String::from_utf8_lossy(reference.name_bytes()).into_owned();
            if let Some(branch) = other.strip_prefix("refs/heads/")
                && let Some(tip) = reference.target()
            {
                let kept = format!("refs/f9/kept/{branch}/{}", short(tip));
                self.git.reference(&kept, tip, true, "f9: kept").context("keep a branch")?;
                log::warn!("the branch `{branch}` is in the way of `{name}`, and is now {kept}");
            } else {
                log::info!("{other} is in the way of {name}, and is forgotten");
            }
            reference.delete().context("remove a reference that is in the way")?;
        }
        Ok(())
    }
}

/// Whether one reference lies in the directory that another's name is.
fn is_below(name: &[u8], directory: &[u8]) -> bool {
    name.strip_prefix(directory).is_some_and(|rest| rest.starts_with(b"/"))
}

/// As much of a commit's id as tells it from others.
pub(crate) fn short(id: Oid) -> String {
    id.to_string().chars().take(10).collect()
}

/// "1 commit", "2 commits".
pub(crate) fn commits(n: u64) -> String {
    count(usize::try_from(n).unwrap_or(usize::MAX), "commit", "commits")
}
