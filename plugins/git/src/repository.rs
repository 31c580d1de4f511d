//! The clone: libgit2's repository with what this plugin keeps beside it.

use std::{
    fs,
    io::{self, Read as _, Seek as _},
    path::Path,
    sync::Arc,
};

use f9_plugin_api::{Context, Error, ErrorKind, Result, log};
use git2::{ErrorCode, Oid, Reference, Repository, RepositoryOpenFlags, RepositoryState, Signature, Tree};

use crate::{
    converted::Attributes,
    errors::{Context as _, clean, name_some},
    journal::Journal,
    lock::LockFile,
    options::Settings,
    own_file, rules,
    transport::Transport,
    worktree::Worktree,
};

/// A clone and its working tree. What it does is spread over the modules `open`, `stage`, `merge`, `conflicts`,
/// `recovery` and `remote`.
pub(crate) struct Repo {
    pub(crate) git: Repository,
    pub(crate) settings: Arc<Settings>,
    pub(crate) context: Context,
    pub(crate) transport: Box<dyn Transport>,
    pub(crate) worktree: Worktree,
    pub(crate) journal: Journal,
    pub(crate) locks: Locks,
}

/// The locks of a clone. Whoever needs both takes `operation` first.
#[derive(Debug, Clone)]
pub(crate) struct Locks {
    /// Held during everything that touches the repository, however long the network takes.
    pub(crate) operation: LockFile,
    /// Held while the working tree is read or changed as a whole, shared while a file of it is written.
    pub(crate) tree: LockFile,
}

impl Repo {
    /// Opens the repository whose working tree is `path`, and nothing above it.
    pub(crate) fn at(path: &Path, settings: Arc<Settings>, context: Context) -> Result<Self> {
        let nothing_above: [&Path; 0] = [];
        let git = Repository::open_ext(path, RepositoryOpenFlags::NO_SEARCH, nothing_above)
            .context("open the repository")
            .map_err(|error| {
                let hint =
                    format!("`git -C {} status` may say more; a new `path` is cloned anew", path.display());
                error.at(path.display()).hint(hint)
            })?;
        if git.is_bare() {
            return Err(Error::new(ErrorKind::InvalidConnection, "this repository has no working tree")
                .at(path.display())
                .hint("`path` is the working tree; name the bare repository as `remote_url`"));
        }
        rules::add_own_rules(&git, settings.excludes_file.as_deref())?;
        let private = git.path().join("f9");
        match own_file::make_directory(&private) {
            // Reading needs none of what is in it.
            Err(error) if matches!(error.kind(), ErrorKind::ReadOnly | ErrorKind::PermissionDenied) => {}
            other => other?,
        }
        let transport = crate::transport::open(&settings, &context)?;
        let worktree = Worktree::open(path, private.join("spool"))?;
        let (locks, journal) = Self::keepers(&private, &settings);
        Ok(Self { git, settings, context, transport, worktree, journal, locks })
    }

    /// What keeps operations apart, inside the clone's private directory.
    pub(crate) fn keepers(private: &Path, settings: &Settings) -> (Locks, Journal) {
        let lock = |name: &str| LockFile::new(private.join(name), settings.timeout);
        let locks = Locks { operation: lock("operation.lock"), tree: lock("tree.lock") };
        (locks, Journal::new(private.join("journal")))
    }

    /// The attributes of this clone, to be asked while it is busy.
    pub(crate) fn attributes(&self) -> Result<Attributes> {
        let git = Repository::open(self.git.path()).context("open the repository")?;
        let worktree = Worktree::open(&self.settings.path, self.git.path().join("f9/spool"))?;
        Attributes::new(git, worktree)
    }

    /// The commit the branch is at; `None` before the first.
    pub(crate) fn head(&self) -> Result<Option<Oid>> {
        match self.git.refname_to_id(&self.settings.branch_ref()) {
            Ok(id) => Ok(Some(id)),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(error) => Err(error).context("read the branch"),
        }
    }

    /// Forgets what an operation that failed has made of the index in memory: libgit2 keeps one per repository.
    pub(crate) fn forget_unsaved(&self) {
        if let Err(error) = self.git.index().and_then(|mut index| index.read(true)) {
            // The next operation reads it again, and says what is wrong with it.
            log::debug!("the index in memory is not forgotten: {}", error.message());
        }
    }

    pub(crate) fn tree_of(&self, commit: Oid) -> Result<Tree<'_>> {
        self.git.find_commit(commit).and_then(|commit| commit.tree()).context("read a commit")
    }

    /// Where the remote's branch was when we last saw it.
    pub(crate) fn tracked(&self) -> Option<Oid> {
        self.git.refname_to_id(&self.settings.tracking_ref()).ok()
    }

    /// Notes where the remote's branch is now.
    pub(crate) fn remember(&self, tip: Oid) -> Result<()> {
        if self.tracked() == Some(tip) {
            return Ok(());
        }
        let name = self.settings.tracking_ref();
        let note = || self.git.reference(&name, tip, true, "f9: seen at the remote").map(drop);
        if note().is_ok() {
            return Ok(());
        }
        // Most often because of what the remote had before.
        self.make_room_for(&name)?;
        note().context("note the remote's state")
    }

    /// Whether the remote's branch has a commit in common with ours.
    ///
    /// # Errors
    ///
    /// `InvalidOperation` if it has none and ours was in step with a remote before: then this is another one. Two clones of an
    /// empty remote begin apart, and may meet.
    pub(crate) fn is_related(&self, their: Oid) -> Result<bool> {
        let Some(ours) = self.head()? else { return Ok(false) };
        let met_a_remote = || {
            let mut known = self.git.references_glob("refs/remotes/*").context("read the branches")?;
            Ok::<_, Error>(known.names().next().is_some())
        };
        match self.git.merge_base(ours, their) {
            Ok(_) => Ok(true),
            Err(error) if error.code() == ErrorCode::NotFound && !met_a_remote()? => Ok(false),
            Err(error) if error.code() == ErrorCode::NotFound => {
                let message = "the branch at the remote has no commit in common with the clone: it is that of \
                               another repository, or was begun anew; nothing was changed";
                Err(Error::new(ErrorKind::InvalidOperation, message)
                    .with("reason", "history-unrelated")
                    .with("remote", &self.settings.remote)
                    .with("branch", &self.settings.branch)
                    .with("ours", ours)
                    .with("theirs", their)
                    .hint(
                        "check `remote_url` and `path`; to take the remote's files, name a new directory as `path`, or, if its \
                         history was begun anew, `f9 pull NAME: --follow-remote` keeps the commits of here under a name",
                    ))
            }
            Err(error) => Err(error).context("compare histories"),
        }
    }

    pub(crate) fn author(&self) -> Result<Signature<'static>> {
        Signature::now(&self.settings.author_name, &self.settings.author_email).context("sign a commit")
    }

    /// The commits that a merge under way brings in, as long as the branch lacks them.
    pub(crate) fn merge_heads(&self) -> Result<Vec<Oid>> {
        let text = match fs::read_to_string(self.git.path().join("MERGE_HEAD")) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error).context("read MERGE_HEAD"),
        };
        let heads =
            text.lines().map(Oid::from_str).collect::<Result<Vec<_>, _>>().context("read MERGE_HEAD")?;
        let head = self.head()?;
        let mut missing = Vec::new();
        for id in heads {
            if !self.is_ancestor(id, head)? {
                missing.push(id);
            }
        }
        Ok(missing)
    }

    /// Whether `commit` is `of` or in its history.
    pub(crate) fn is_ancestor(&self, commit: Oid, of: Option<Oid>) -> Result<bool> {
        let Some(of) = of else { return Ok(false) };
        Ok(commit == of || self.git.graph_descendant_of(of, commit).context("compare histories")?)
    }

    /// How many commits `tip` has that `known` lacks, or else all branches of the remote that were seen.
    pub(crate) fn count_commits(&self, tip: Oid, known: Option<Oid>) -> Result<u64> {
        let count = || {
            let mut walk = self.git.revwalk()?;
            walk.push(tip)?;
            match known {
                Some(known) => walk.hide(known)?,
                None => walk.hide_glob("refs/remotes/origin/*")?,
            }
            Ok::<_, git2::Error>(walk.count() as u64)
        };
        count().context("count commits")
    }

    /// Refuses to go on where somebody else left the clone in the middle of something, on another branch, or with files
    /// hidden from git.
    pub(crate) fn check_state(&self) -> Result<()> {
        self.check_no_other_operation()?;
        self.check_not_sparse()?;
        let head = self.git.find_reference("HEAD").context("read HEAD")?;
        if head.symbolic_target_bytes() != Some(self.settings.branch_ref().as_bytes()) {
            return Err(self.elsewhere(&head));
        }
        self.check_references()
    }

    /// Refuses to go on where it is not known what was published, or what is here: all would look new.
    fn check_references(&self) -> Result<()> {
        // libgit2 takes what was cut off of it for what never was.
        if !ends_with_line(&self.git.commondir().join("packed-refs")).context("read the references")? {
            return Err(Error::new(ErrorKind::Integrity, "the references are gone")
                .hint("`f9 repair NAME:` finds them"));
        }
        match self.git.refname_to_id(&self.settings.tracking_ref()) {
            Ok(_) if self.head()?.is_none() => {
                Err(Error::new(ErrorKind::Integrity, "the branch is gone").hint("`f9 repair NAME:` finds it"))
            }
            Err(error) if error.code() != ErrorCode::NotFound => {
                Err(error).context("read what was seen at the remote")
            }
            _ if self.head()?.is_some() && !self.git.path().join("index").exists() => {
                Err(Error::new(ErrorKind::Integrity, "the index is gone")
                    .hint("`f9 repair NAME:` makes it anew"))
            }
            _ => Ok(()),
        }
    }

    /// Refuses to go on while git itself is in the middle of something that is none of ours.
    pub(crate) fn check_no_other_operation(&self) -> Result<()> {
        let state = self.git.state();
        let name = match state {
            RepositoryState::Clean | RepositoryState::Merge => return Ok(()),
            RepositoryState::Rebase | RepositoryState::RebaseInteractive | RepositoryState::RebaseMerge => {
                "rebase"
            }
            RepositoryState::CherryPick | RepositoryState::CherryPickSequence => "cherry-pick",
            RepositoryState::Revert | RepositoryState::RevertSequence => "revert",
            RepositoryState::ApplyMailbox | RepositoryState::ApplyMailboxOrRebase => "am",
            RepositoryState::Bisect => "bisect",
        };
        let at = format!("git -C {}", self.settings.path.display());
        let remedy = match state {
            RepositoryState::Bisect => format!("end it with `{at} bisect reset`, then try again"),
            _ => format!("finish it with `{at} {name} --continue`, or `--abort` it, then try again"),
        };
        let message = format!("a `git {name}` is under way in the clone");
        Err(Error::new(ErrorKind::InvalidOperation, message).hint(remedy))
    }

    /// The error for a clone whose HEAD is not the connection's branch.
    pub(crate) fn elsewhere(&self, head: &Reference<'_>) -> Error {
        let (path, branch) = (self.settings.path.display(), &self.settings.branch);
        let exists = self.git.refname_to_id(&self.settings.branch_ref()).is_ok() || self.tracked().is_some();
        let create = if exists { "" } else { "--create " };
        let switch = format!("`git -C {path} switch {create}{branch}`");
        let (place, remedy) = match head.symbolic_target_bytes().map(String::from_utf8_lossy) {
            Some(name) => {
                let name = clean(name.strip_prefix("refs/heads/").unwrap_or(&name));
                (
                    format!("on the branch `{name}`"),
                    format!(r#"{switch}, or "branch": "{name}" in the connection"#),
                )
            }
            None => {
                let commit = head.target().map(|id| id.to_string()[..10].to_owned()).unwrap_or_default();
                let keep = "`git switch --create NAME` there keeps what was committed";
                (
                    format!("at commit {commit} of no branch (detached)"),
                    format!("{switch}; before that, {keep}"),
                )
            }
        };
        let message = format!("the clone is {place}, the connection's is `{branch}`; nothing was changed");
        Error::new(ErrorKind::InvalidOperation, message).at(path).hint(remedy)
    }

    /// Refuses to go on while conflicts are open, naming them.
    pub(crate) fn check_no_conflicts(&self) -> Result<()> {
        let open = self.conflict_paths()?;
        if open.is_empty() {
            return Ok(());
        }
        let message = format!("{} open: {}", count(open.len(), "conflict is", "conflicts are"), {
            name_some(open.iter().map(String::as_str))
        });
        Err(Error::new(ErrorKind::Conflict, message).hint(
            "settle each as local, as remote or with new content (conflict_accept_local, conflict_accept_remote, \
             conflict_resolve; `f9 resolve NAME:PATH`), then push",
        ))
    }
}

/// Whether a file, if it is there, ends as one of lines does.
fn ends_with_line(file: &Path) -> io::Result<bool> {
    let mut file = match fs::File::open(file) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(error),
    };
    let mut last = [0];
    Ok(file.metadata()?.len() > 0 && {
        file.seek(io::SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        last == *b"\n"
    })
}

/// "1 conflict is", "2 conflicts are".
pub(crate) fn count(n: usize, one: &str, many: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {many}") }
}
