//! From the working tree to a commit.

use std::{os::unix::ffi::OsStrExt as _, path::Path};

use f9_plugin_api::{Error, ErrorKind, Result, log};
use git2::{ErrorCode, IndexAddOption, ObjectType, Oid, StatusOptions, Tree};

use crate::{
    conflicts::as_path,
    dotgit::leads_into_dot_git,
    errors::{Context as _, name_some},
    index_file::{IndexFile, is_ordered, unordered},
    left_out::LeftOut,
    repository::{Repo, count},
    touched::{disguised, link_to_modules},
};

/// How the names begin that the tree keeps for its temporary files. Should somebody else have committed such a one, it is
/// left as it is in the repository, whatever becomes of it here.
pub(crate) const TEMPORARY: &str = ".f9-tmp";

impl Repo {
    /// What differs from the last commit, ordered by path.
    fn pending(&self, index: Option<&IndexFile>) -> Result<Vec<String>> {
        if let (Some(index), Some(head)) = (index, self.head()?) {
            let head = self.tree_of(head)?.id();
            if let Some(paths) = self.touched(index, Some(head))? {
                return Ok(paths.iter().map(|path| String::from_utf8_lossy(path).into_owned()).collect());
            }
        }
        self.check_index_order()?;
        self.check_rules_are_files()?;
        let mut options = StatusOptions::new();
        options
            .include_untracked(true)
            .recurse_untracked_dirs(true)
            .include_ignored(false)
            .exclude_submodules(true)
            .update_index(true);
        let statuses = self.git.statuses(Some(&mut options)).context("look for changes")?;
        let paths = statuses.iter().map(|entry| String::from_utf8_lossy(entry.path_bytes()).into_owned());
        // What ends in a slash is a repository of its own.
        let paths = paths.filter(|path| !path.ends_with('/') && !path.starts_with(TEMPORARY));
        let mut pending = Vec::new();
        for path in paths {
            if self.why_left_out(path.as_bytes())?.is_none() {
                pending.push(path);
            }
        }
        Ok(pending)
    }

    /// The index, unless only libgit2 can read it. Refuses to go on while conflicts are open or files are hidden from git.
    fn index_without_conflicts(&self) -> Result<Option<IndexFile>> {
        let index = self.index_file()?;
        if index.is_none() {
            self.check_no_conflicts()?;
        }
        Ok(index)
    }

    /// Refuses to go on if conflicts are open or there are changes that were not committed, naming them.
    pub(crate) fn check_nothing_pending(&self) -> Result<()> {
        let index = self.index_without_conflicts()?;
        if !self.merge_heads()?.is_empty() {
            let message = "a merge whose conflicts are settled waits to be concluded";
            return Err(Error::new(ErrorKind::PendingChanges, message).hint("push (or sync) concludes it"));
        }
        let pending = self.pending(index.as_ref())?;
        if pending.is_empty() {
            return Ok(());
        }
        let names = name_some(pending.iter().map(String::as_str));
        let message = format!(
            "{}: {names}",
            count(pending.len(), "local change is pending", "local changes are pending")
        );
        Err(Error::new(ErrorKind::PendingChanges, message)
            .hint("push them first, or use sync, which does both"))
    }

    /// Commits whatever differs from the last commit, and concludes a merge under way. Returns the commit, if one was
    /// needed.
    ///
    /// # Errors
    ///
    /// `Conflict` while conflicts are open.
    pub(crate) fn commit_all(&self, message: Option<&str>) -> Result<Option<Oid>> {
        let touched = match self.index_without_conflicts()? {
            Some(index) => self.stage_touched(&index)?,
            None => None,
        };
        let tree = match touched {
            Some(tree) => tree,
            None => self.stage_whole()?,
        };
        let (head, merge_heads) = (self.head()?, self.merge_heads()?);
        let parents: Vec<_> = head.into_iter().chain(merge_heads.iter().copied()).collect();
        let tree = self.git.find_tree(tree).context("read a tree")?;
        let unchanged = match head {
            Some(head) => self.tree_of(head)?.id() == tree.id(),
            None => tree.is_empty(),
        };
        if unchanged && merge_heads.is_empty() {
            self.git.cleanup_state().context("tidy up")?;
            return Ok(None);
        }
        let message = match message.map(str::trim).filter(|text| !text.is_empty()) {
            Some(text) => text.to_owned(),
            None if merge_heads.is_empty() => self.default_message(head, &tree)?,
            None => self.merge_message(),
        };
        let commit = self.commit_tree(&tree, &message, &parents)?;
        let log = format!("commit: {}", message.lines().next().unwrap_or_default());
        self.git.reference(&self.settings.branch_ref(), commit, true, &log).context("move the branch")?;
        self.git.cleanup_state().context("tidy up")?;
        Ok(Some(commit))
    }

    /// Lets libgit2 look at the whole working tree, stages what differs, and returns the tree that the index stands for then.
    fn stage_whole(&self) -> Result<Oid> {
        self.check_index_order()?;
        self.check_rules_are_files()?;
        let mut index = self.index()?;
        let (mut bad, mut left_out) = (None, Vec::new());
        let mut skip = |path: &Path, _: &[u8]| {
            if leads_into_dot_git(path.as_os_str().as_bytes()) {
                bad = Some(disguised(path.as_os_str().as_bytes()));
                return -1;
            }
            if path == Path::new(".gitmodules")
                && matches!(self.worktree.read_link(b".gitmodules"), Ok(Some(_)))
            {
                bad = Some(link_to_modules());
                return -1;
            }
            let nested = path.as_os_str().as_bytes().ends_with(b"/");
            if nested {
                log::warn!("{} is a repository of its own and is not committed", path.display());
            }
            if nested || path.as_os_str().as_bytes().starts_with(TEMPORARY.as_bytes()) {
                return 1;
            }
            match self.why_left_out(path.as_os_str().as_bytes()) {
                Ok(None) => 0,
                Ok(Some(why)) => {
                    left_out.push((path.as_os_str().as_bytes().to_vec(), why));
                    1
                }
                Err(error) => {
                    bad = Some(error);
                    -1
                }
            }
        };
        let added = index.add_all(["*"], IndexAddOption::DEFAULT, Some(&mut skip));
        match bad {
            Some(bad) => return Err(bad),
            None => added.context("stage the changes")?,
        }
        self.warn_of_left_out(&left_out);
        self.warn_of_submodules(&index)?;
        let tree = index.write_tree().context("write a tree")?;
        // After `write_tree`, so that the trees it computed are remembered and the next commit is cheap.
        index.write().context("write the index")?;
        Ok(tree)
    }

    /// Why what the working tree has at `path` is not stored; `None` also for what is no file there.
    fn why_left_out(&self, path: &[u8]) -> Result<Option<LeftOut>> {
        if self.worktree.open_file(path)?.is_none() {
            return Ok(None);
        }
        if let Some(conversion) = self.unstorable(path)? {
            return Ok(Some(LeftOut::Converted(conversion)));
        }
        let differs_in_line_ends = match self.committed_file(path)? {
            Some(committed) => self.differs_in_line_ends(path, committed)?,
            None => false,
        };
        Ok(differs_in_line_ends.then_some(LeftOut::LineEnds))
    }

    /// What the last commit has at `path`, if that is a file.
    fn committed_file(&self, path: &[u8]) -> Result<Option<Oid>> {
        let Some(head) = self.head()? else { return Ok(None) };
        match self.tree_of(head)?.get_path(as_path(path)) {
            Ok(entry) => Ok((entry.kind() == Some(ObjectType::Blob)).then(|| entry.id())),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(error) => Err(error).context("read a tree"),
        }
    }

    fn check_index_order(&self) -> Result<()> {
        let index = self.git.index().context("read the index")?;
        if is_ordered(&index) { Ok(()) } else { Err(unordered(&self.index_path())) }
    }

    /// Writes a commit; no branch moves.
    pub(crate) fn commit_tree(&self, tree: &Tree<'_>, message: &str, parents: &[Oid]) -> Result<Oid> {
        if message.contains('\0') {
            return Err(Error::new(ErrorKind::InvalidOperation, "a message cannot contain a NUL character"));
        }
        let parents = parents.iter().map(|id| self.git.find_commit(*id)).collect::<Result<Vec<_>, _>>();
        let parents = parents.context("read a commit")?;
        let author = self.author()?;
        let parents: Vec<_> = parents.iter().collect();
        self.git.commit(None, &author, &author, message, tree, &parents).context("commit")
    }

    /// Says what a commit changes, as far as a line can.
    fn default_message(&self, head: Option<Oid>, tree: &Tree<'_>) -> Result<String> {
        let old = head.map(|head| self.tree_of(head)).transpose()?;
        let changes = self.changes(old.as_ref(), tree)?;
        let [change] = &*changes else { return Ok(format!("Change {} files", changes.len())) };
        let verb = match (change.old, change.new) {
            (None, _) => "Add",
            (_, None) => "Delete",
            _ => "Change",
        };
        Ok(format!("{verb} {}", crate::errors::clean(&String::from_utf8_lossy(&change.path))))
    }
}
