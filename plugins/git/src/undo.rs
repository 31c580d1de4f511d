//! Going back to before a pull: one that was interrupted, or one that met conflicts.

use f9_plugin_api::{Error, ErrorKind, Result};
use git2::Oid;

use crate::{
    checkout::{Before, Entry},
    errors::Context as _,
    journal::Step,
    merge::Merged,
    repository::Repo,
};

impl Repo {
    /// Goes back, and tells to which commit. What somebody has written since stays as it is. The caller holds both locks.
    pub(crate) fn undo(&self) -> Result<Oid> {
        let step = match self.journal.read()? {
            Some(step) => Some(step),
            None => match (self.head()?, &*self.merge_heads()?) {
                (Some(ours), [their]) => Some(Step::Conflict { ours, their: *their }),
                _ => None,
            },
        };
        self.worktree.clear_spool()?;
        match step {
            Some(Step::Advance { from: Some(from), to }) => {
                self.advance(Some(to), from, Before::Interrupted)?;
                Ok(from)
            }
            Some(Step::Conflict { ours, their }) => self.undo_merge(ours, their),
            Some(Step::Advance { from: None, .. }) => {
                let message = "the clone is just being made: there is nothing to go back to";
                Err(Error::new(ErrorKind::InvalidOperation, message)
                    .hint("`f9 pull NAME:` goes on; or delete the directory, and begin anew"))
            }
            None => {
                Err(Error::new(ErrorKind::InvalidOperation, "no pull is under way, and no conflict is open"))
            }
        }
    }

    fn undo_merge(&self, ours: Oid, their: Oid) -> Result<Oid> {
        let new = self.tree_of(ours)?;
        let Merged::Conflicts(merged) = self.merge_in_memory(ours, their)? else {
            let message = "the merge that is under way has no conflicts: it was begun by somebody else";
            return Err(Error::new(ErrorKind::InvalidOperation, message)
                .hint("push (or sync) concludes it, `git merge --abort` goes back"));
        };
        let mut changes = self.changes(Some(&merged.files), &new)?;
        for conflict in &merged.conflicts {
            let Some(marked) = self.with_markers(conflict)? else { continue };
            let Some((content, mode)) = marked.content.as_ref().zip(marked.new.map(|new| new.mode)) else {
                continue;
            };
            let old = Some(Entry { id: crate::checkout::blob_id(content)?, mode });
            changes.retain(|change| change.path != marked.path);
            let new = conflict.our.as_ref().map(|our| Entry { id: our.id, mode: our.mode });
            changes.push(crate::checkout::Change { path: marked.path, old, new, content: None });
        }
        let plan = self.plan(changes, Before::Interrupted)?;
        // Should this be interrupted, the merge is there again.
        self.journal.write(Step::Conflict { ours, their })?;
        let placed = self.execute(&plan, Some(&merged.files), &new)?;
        self.note_tree(None, &new, &plan, placed)?;
        self.git.cleanup_state().context("forget the merge")?;
        self.journal.clear()?;
        Ok(ours)
    }
}
