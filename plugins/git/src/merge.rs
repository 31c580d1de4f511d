//! Bringing the remote's commits into the branch and the working tree.

use f9_plugin_api::Result;
use git2::{
    FileMode, Index, IndexConflict, IndexEntry, MergeFileInput, MergeFileOptions, MergeOptions, Oid, Tree,
};

use crate::{
    checkout::{Before, Change, Entry, blob_id},
    conflicts::{as_path, conflict_path, with_stage},
    errors::Context as _,
    journal::Step,
    merge_driver::follows_a_rename,
    own_file,
    repository::Repo,
};

/// What the sides are called in conflict markers.
const LABELS: (&str, &str) = ("local", "remote");

impl Repo {
    /// Brings `their` into the branch: by moving it forward, by a merge commit, or by a merge that leaves conflicts.
    /// Returns whether anything changed.
    ///
    /// The working tree must be clean.
    ///
    /// # Errors
    ///
    /// `Conflict` if conflicts are left; `PendingChanges` if an ignored file is in the way.
    pub(crate) fn integrate(&self, their: Oid) -> Result<bool> {
        let head = self.head()?;
        if self.is_ancestor(their, head)? {
            return Ok(false);
        }
        match head {
            Some(ours) if !self.is_ancestor(ours, Some(their))? => self.merge(ours, their)?,
            _ => self.advance(head, their, Before::Clean)?,
        }
        Ok(true)
    }

    /// Moves the branch and the working tree to a commit.
    pub(crate) fn advance(&self, from: Option<Oid>, to: Oid, before: Before) -> Result<()> {
        let old = from.map(|commit| self.tree_of(commit)).transpose()?;
        let new = self.tree_of(to)?;
        let plan = self.plan(self.changes(old.as_ref(), &new)?, before)?;
        self.journal.write(Step::Advance { from, to })?;
        let placed = self.execute(&plan, old.as_ref(), &new)?;
        self.note_tree(old.as_ref(), &new, &plan, placed)?;
        self.git
            .reference(&self.settings.branch_ref(), to, true, "f9: advance")
            .context("move the branch")?;
        self.journal.clear()
    }

    fn merge(&self, ours: Oid, their: Oid) -> Result<()> {
        let merged = self.merge_in_memory(ours, their)?;
        match merged {
            Merged::Clean(tree) => {
                let commit = self.commit_tree(&tree, &self.merge_message(), &[ours, their])?;
                self.advance(Some(ours), commit, Before::Clean)
            }
            Merged::Conflicts(conflicts) => {
                self.leave_conflicts(ours, their, &conflicts, Before::Clean)?;
                self.check_no_conflicts()
            }
        }
    }

    /// The first line that git itself would write.
    pub(crate) fn merge_message(&self) -> String {
        format!("Merge remote-tracking branch 'origin/{}'", self.settings.branch)
    }

    pub(crate) fn merge_in_memory(&self, ours: Oid, their: Oid) -> Result<Merged<'_>> {
        let merge = |find_renames: bool| {
            let mut options = MergeOptions::new();
            options.find_renames(find_renames);
            let (ours, their) = (self.git.find_commit(ours)?, self.git.find_commit(their)?);
            self.git.merge_commits(&ours, &their, Some(&options))
        };
        let mut index = merge(true).context("merge")?;
        let mut blended = self.blended(ours, their, &index)?;
        if follows_a_rename(&blended) {
            index = merge(false).context("merge")?;
            blended = self.blended(ours, their, &index)?;
        }
        self.set_apart(&mut index, &blended, self.git.merge_base(ours, their).ok())?;
        if index.has_conflicts() {
            return Ok(Merged::Conflicts(self.with_conflicts(index)?));
        }
        Ok(Merged::Clean(self.write_tree(&mut index)?))
    }

    /// Puts a merge with conflicts into the working tree and the index, as git does.
    pub(crate) fn leave_conflicts(
        &self,
        ours: Oid,
        their: Oid,
        merged: &WithConflicts<'_>,
        before: Before,
    ) -> Result<()> {
        let old = self.tree_of(ours)?;
        let mut changes = self.changes(Some(&old), &merged.files)?;
        for conflict in &merged.conflicts {
            if let Some(marked) = self.with_markers(conflict)? {
                changes.retain(|change| change.path != marked.path);
                changes.push(marked);
            }
        }
        let plan = self.plan(changes, before)?;
        self.journal.write(Step::Conflict { ours, their })?;
        let placed = self.execute(&plan, Some(&old), &merged.files)?;
        let note = |name: &str, text: String| own_file::replace(&self.git.path().join(name), text.as_bytes());
        note("MERGE_MSG", format!("{}\n", self.merge_message()))?;
        note("MERGE_MODE", String::new())?;
        note("MERGE_HEAD", format!("{their}\n"))?;
        let mut index = self.index_of(&merged.files, &placed)?;
        for conflict in &merged.conflicts {
            add_conflict(&mut index, conflict).context("note a conflict")?;
        }
        index.write().context("write the index")?;
        self.journal.clear()
    }

    /// What the working tree is to have: the clean part of the merge and, where there is a conflict, the local side or
    /// else the remote one. A file that would be where the other side has a directory is left out.
    fn with_conflicts(&self, mut index: Index) -> Result<WithConflicts<'_>> {
        let conflicts = index.conflicts().and_then(Iterator::collect).context("read the conflicts")?;
        let conflicts: Vec<IndexConflict> = conflicts;
        for conflict in &conflicts {
            let path = conflict_path(conflict);
            index.conflict_remove(as_path(path)).context("set a conflict apart")?;
        }
        for conflict in &conflicts {
            let path = conflict_path(conflict);
            if let Some(side) = conflict.our.as_ref().or(conflict.their.as_ref())
                && colliding(&index, path).is_empty()
            {
                index.add(&with_stage(side, path, 0)).context("choose a side")?;
            }
        }
        Ok(WithConflicts { files: self.write_tree(&mut index)?, conflicts })
    }

    pub(crate) fn write_tree(&self, index: &mut Index) -> Result<Tree<'_>> {
        index.write_tree_to(&self.git).and_then(|id| self.git.find_tree(id)).context("write a tree")
    }

    /// The file with both sides marked in it, where both are text.
    pub(crate) fn with_markers(&self, conflict: &IndexConflict) -> Result<Option<Change>> {
        let (Some(our), Some(their)) = (&conflict.our, &conflict.their) else { return Ok(None) };
        if !is_file(our) || !is_file(their) {
            return Ok(None);
        }
        if self.merges_as_a_whole(conflict_path(conflict))? {
            return Ok(None);
        }
        let merge = || {
            let blob = |entry: &IndexEntry| self.git.find_blob(entry.id);
            let base = conflict.ancestor.as_ref().filter(|base| is_file(base)).map(blob).transpose()?;
            let (our_blob, their_blob) = (blob(our)?, blob(their)?);
            if our_blob.is_binary()
                || their_blob.is_binary()
                || base.as_ref().is_some_and(git2::Blob::is_binary)
            {
                return Ok::<_, git2::Error>(None);
            }
            let (mut base_input, mut our_input, mut their_input) =
                (MergeFileInput::new(), MergeFileInput::new(), MergeFileInput::new());
            base_input.content(base.as_ref().map_or(&[][..], git2::Blob::content));
            our_input.content(our_blob.content());
            their_input.content(their_blob.content());
            let mut options = MergeFileOptions::new();
            options.our_label(LABELS.0).their_label(LABELS.1).style_standard(true);
            let merged = git2::merge_file(&base_input, &our_input, &their_input, Some(&mut options))?;
            Ok(Some(merged.content().to_vec()))
        };
        let Some(content): Option<Vec<u8>> = merge().context("merge a file")? else { return Ok(None) };
        let new = Some(Entry { id: blob_id(&content)?, mode: our.mode });
        let old = Some(Entry { id: our.id, mode: our.mode });
        Ok(Some(Change { path: conflict_path(conflict).to_vec(), old, new, content: Some(content) }))
    }
}

/// How a merge came out.
pub(crate) enum Merged<'repo> {
    Clean(Tree<'repo>),
    Conflicts(WithConflicts<'repo>),
}

/// A merge with conflicts.
pub(crate) struct WithConflicts<'repo> {
    /// What the working tree is to have, markers aside.
    pub(crate) files: Tree<'repo>,
    pub(crate) conflicts: Vec<IndexConflict>,
}

/// The entries that stand where `path` needs a directory, or below it.
pub(crate) fn colliding(index: &Index, path: &[u8]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for (end, _) in path.iter().enumerate().filter(|(_, byte)| **byte == b'/') {
        if index.get_path(as_path(&path[..end]), 0).is_some() {
            found.push(path[..end].to_vec());
        }
    }
    let below = [path, b"/"].concat();
    let mut position = index.find_prefix(&*below).unwrap_or(index.len());
    while let Some(entry) = index.get(position).filter(|entry| entry.path.starts_with(&below)) {
        found.push(entry.path);
        position += 1;
    }
    found
}

fn add_conflict(index: &mut Index, conflict: &IndexConflict) -> Result<(), git2::Error> {
    let path = conflict_path(conflict);
    if index.get_path(as_path(path), 0).is_some() {
        index.remove(as_path(path), 0)?;
    }
    for (stage, side) in [(1, &conflict.ancestor), (2, &conflict.our), (3, &conflict.their)] {
        if let Some(side) = side {
            index.add(&with_stage(side, path, stage))?;
        }
    }
    Ok(())
}

fn is_file(entry: &IndexEntry) -> bool {
    entry.mode == u32::from(FileMode::Blob) || entry.mode == u32::from(FileMode::BlobExecutable)
}
