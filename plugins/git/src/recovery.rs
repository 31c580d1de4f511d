//! Finishing what a process began that was ended in the middle.

use std::{path::PathBuf, time::SystemTime};

use f9_plugin_api::{Result, log};

use crate::{checkout::Before, journal::Step, lock::remove_stale, merge::Merged, repository::Repo};

impl Repo {
    /// Whether a change of the working tree was interrupted.
    pub(crate) fn needs_recovery(&self) -> bool {
        self.journal.exists()
    }

    /// Finishes an interrupted change of the working tree, and removes libgit2's locks if the process that held ours
    /// since `interrupted` was ended. The caller holds both of ours.
    pub(crate) fn recover(&self, interrupted: Option<SystemTime>) -> Result<()> {
        if let Some(began) = interrupted {
            remove_stale(self.lock_files().iter().map(PathBuf::as_path), began)?;
        }
        self.worktree.clear_spool()?;
        let Some(step) = self.journal.read()? else { return Ok(()) };
        log::info!("finishing an interrupted operation: {step:?}");
        match step {
            Step::Advance { from, to } => self.advance(from, to, Before::Interrupted),
            Step::Conflict { ours, their } => match self.merge_in_memory(ours, their)? {
                Merged::Conflicts(conflicts) => {
                    self.leave_conflicts(ours, their, &conflicts, Before::Interrupted)
                }
                // The journal says there were conflicts, and merging is the same every time.
                Merged::Clean(_) => self.journal.clear(),
            },
        }
    }

    /// Every lock file that an operation of ours makes.
    fn lock_files(&self) -> Vec<PathBuf> {
        let names = ["index", "HEAD", "config", "packed-refs", "ORIG_HEAD"].map(str::to_owned);
        let refs = [self.settings.branch_ref(), self.settings.tracking_ref()];
        let path = |name: &String| self.git.path().join(format!("{name}.lock"));
        names.iter().chain(&refs).map(path).collect()
    }
}
