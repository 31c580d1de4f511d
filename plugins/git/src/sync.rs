//! Synchronisation: push, pull, sync, conflicts.

use f9_plugin_api::{
    BackendPath, Conflict, Content, ErrorKind, FileBackend as _, FileInfo, Result, SyncFileBackend,
    SyncReport,
};

use git2::Oid;

use crate::{backend::GitBackend, conflicts::Side, lock::Exclusive, new_branch, repository::Repo};

/// How often a sync tries again when the remote moves between its pull and its push.
const ATTEMPTS: u32 = 10;

impl SyncFileBackend for GitBackend {
    fn push(&self, message: Option<&str>) -> Result<SyncReport> {
        self.operate(|repo| {
            {
                let _tree = repo.hold_tree()?;
                repo.commit_all(message)?;
            }
            let sent = repo.publish(false)?;
            repo.report(sent, 0)
        })
    }

    fn pull(&self) -> Result<SyncReport> {
        self.operate(|repo| {
            {
                let _tree = repo.hold_tree()?;
                repo.check_nothing_pending()?;
            }
            let received = repo.receive(Pending::Refuse)?;
            repo.report(0, received)
        })
    }

    fn sync(&self, message: Option<&str>) -> Result<SyncReport> {
        self.operate(|repo| {
            let (mut received, mut attempt) = (0, 1);
            loop {
                received += repo.receive(Pending::Commit(message))?;
                match repo.publish(false) {
                    Ok(sent) => return repo.report(sent, received),
                    Err(error) if error.kind() == ErrorKind::RemoteMoved && attempt < ATTEMPTS => {
                        attempt += 1
                    }
                    Err(error) => return Err(error),
                }
            }
        })
    }

    fn conflict_report(&self) -> Result<Vec<Conflict>> {
        self.operate(|repo| repo.conflict_report())
    }

    fn conflict_accept_local(&self, path: &BackendPath) -> Result<()> {
        self.operate(|repo| {
            let _tree = repo.hold_tree()?;
            repo.accept(path, Side::Local)
        })
    }

    fn conflict_accept_remote(&self, path: &BackendPath) -> Result<()> {
        self.operate(|repo| {
            let _tree = repo.hold_tree()?;
            repo.accept(path, Side::Remote)
        })
    }

    fn conflict_resolve(&self, path: &BackendPath, content: Content<'_>) -> Result<FileInfo> {
        let content = content.into_bytes()?;
        self.operate(|repo| {
            let _tree = repo.hold_tree()?;
            repo.resolve(path, content.into())
        })?;
        self.info(path)
    }
}

/// What to do with changes that are not committed.
#[derive(Debug, Clone, Copy)]
enum Pending<'a> {
    Refuse,
    Commit(Option<&'a str>),
}

impl Repo {
    /// The working tree for ourselves: no file of it is written meanwhile.
    pub(crate) fn hold_tree(&self) -> Result<Exclusive> {
        self.locks.tree.hold(&self.context)
    }

    /// Fetches and integrates. The working tree is ours only for the second part, however long the first takes.
    fn receive(&self, pending: Pending<'_>) -> Result<u64> {
        let their = self.bring()?;
        let related = match their {
            Some(their) => self.is_related(their)?,
            None => false,
        };
        if their.is_none() || their != self.tracked() {
            self.check_course(their).map_err(|error| self.name_branches(error))?;
        }
        if let Some(their) = their
            && related
        {
            let head = self.head()?;
            if !self.is_ancestor(their, head)? {
                self.check_tree(head, their)?;
            }
            self.remember(their)?;
        }
        let _tree = self.hold_tree()?;
        match (pending, their) {
            (Pending::Commit(message), _) => drop(self.commit_all(message)?),
            // Nothing is going to be touched.
            (Pending::Refuse, None) => return Ok(0),
            (Pending::Refuse, Some(their)) if self.is_ancestor(their, self.head()?)? => return Ok(0),
            (Pending::Refuse, Some(_)) => self.check_nothing_pending()?,
        }
        let Some(their) = their else { return Ok(0) };
        let received = self.count_commits(their, self.head()?)?;
        self.integrate(their)?;
        self.remember(their)?;
        Ok(received)
    }

    /// Pushes the branch, if it has anything that the remote lacks. One that the remote had and has no longer is made `anew`
    /// only if that is meant.
    pub(crate) fn publish(&self, anew: bool) -> Result<u64> {
        let Some(tip) = self.head()? else { return Ok(0) };
        let branch = self.settings.branch_ref();
        let check = |before: Option<Oid>| match before {
            None if anew => Ok(()),
            before => self.check_course(before),
        };
        let before = self
            .transport
            .push(&self.git, &branch, tip, &check, &self.context)
            .map_err(|error| self.name_branches(error))?;
        if before.is_none() {
            new_branch::warn(&*self.transport, &self.git, &self.settings, &self.context, "is now published");
        }
        let sent = self.count_commits(tip, before)?;
        self.remember(tip)?;
        if before.is_none() {
            self.fetch_by_hand()?;
        }
        Ok(sent)
    }

    pub(crate) fn report(&self, sent: u64, received: u64) -> Result<SyncReport> {
        Ok(SyncReport::new(sent, received, self.head()?.map(|id| id.to_string())))
    }
}
