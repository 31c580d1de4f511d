//! What is under way, written down before the working tree is touched.

use std::{fs, path::PathBuf};

use f9_plugin_api::{Error, ErrorKind, Result};
use git2::Oid;

use crate::{errors::Context as _, own_file};

/// The journal of a clone: at most one entry, which an interrupted process leaves for the next to finish.
#[derive(Debug, Clone)]
pub(crate) struct Journal(PathBuf);

/// A change of the working tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// From one commit (none: the empty tree) to another; the branch follows.
    Advance { from: Option<Oid>, to: Oid },
    /// A merge of `their` into `ours` that leaves conflicts.
    Conflict { ours: Oid, their: Oid },
}

impl Step {
    /// The commits between which it leads.
    pub(crate) fn commits(self) -> Vec<Oid> {
        match self {
            Self::Advance { from, to } => from.into_iter().chain([to]).collect(),
            Self::Conflict { ours, their } => vec![ours, their],
        }
    }
}

impl Journal {
    pub(crate) const fn new(path: PathBuf) -> Self {
        Self(path)
    }

    pub(crate) fn exists(&self) -> bool {
        own_file::is_there(&self.0)
    }

    pub(crate) fn write(&self, step: Step) -> Result<()> {
        let text = match step {
            Step::Advance { from, to } => format!("advance {} {to}\n", from.unwrap_or(Oid::ZERO_SHA1)),
            Step::Conflict { ours, their } => format!("conflict {ours} {their}\n"),
        };
        own_file::replace(&self.0, text.as_bytes())
    }

    pub(crate) fn read(&self) -> Result<Option<Step>> {
        let Some(text) = own_file::read(&self.0)? else { return Ok(None) };
        let text = String::from_utf8(text).map_err(|_| self.unreadable())?;
        parse(&text).map(Some).ok_or_else(|| self.unreadable())
    }

    /// The step is done.
    pub(crate) fn clear(&self) -> Result<()> {
        fs::remove_file(&self.0).context("remove the journal")
    }

    fn unreadable(&self) -> Error {
        Error::new(ErrorKind::Integrity, "the journal of an interrupted operation is unreadable")
            .with("journal", self.0.display())
            .hint("`f9 repair NAME:` finishes it from what was seen at the remote")
    }
}

fn parse(text: &str) -> Option<Step> {
    let mut words = text.strip_suffix('\n')?.split(' ');
    let (kind, first, second) = (words.next()?, words.next()?, words.next()?);
    let (first, second) = (Oid::from_str(first).ok()?, Oid::from_str(second).ok()?);
    match kind {
        "advance" => Some(Step::Advance { from: Some(first).filter(|id| !id.is_zero()), to: second }),
        "conflict" => Some(Step::Conflict { ours: first, their: second }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::new(dir.path().join("journal"));
        let (a, b) = (Oid::from_str(&"a".repeat(40)).unwrap(), Oid::from_str(&"b".repeat(40)).unwrap());
        assert_eq!(journal.read().unwrap(), None);
        for step in [
            Step::Advance { from: None, to: a },
            Step::Advance { from: Some(a), to: b },
            Step::Conflict { ours: b, their: a },
        ] {
            journal.write(step).unwrap();
            assert_eq!(journal.read().unwrap(), Some(step));
        }
        journal.clear().unwrap();
        assert!(!journal.exists());
    }

    #[test]
    fn a_torn_journal_is_an_error_that_says_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::new(dir.path().join("journal"));
        std::fs::write(dir.path().join("journal"), "advance 00").unwrap();
        let error = journal.read().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Integrity);
        assert!(error.advice().unwrap().contains("f9 repair"));
    }
}
