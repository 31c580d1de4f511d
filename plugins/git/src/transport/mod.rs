//! How commits travel to and from the remote.

mod advertised;
mod hooks;
mod http;
mod objects;
mod packs;
mod path;
pub(crate) mod smart;
mod ssh;

use std::time::{Duration, Instant};

use f9_plugin_api::{Context, Error, ErrorKind, Result};
use git2::{Oid, Repository};

use self::{http::Http, path::PathTransport, smart::Smart, ssh::Ssh};
use crate::{errors::clean, options::Settings, remote_url::Address};

/// A way to reach the remote. One per clone; every call is an operation of its own.
pub(crate) trait Transport: Send {
    /// Brings the objects of a branch (`refs/heads/…`) here; moves nothing.
    ///
    /// # Errors
    ///
    /// `Authentication`, `Network`, `Timeout`, `RemoteRefused`, `Cancelled`. That there is no repository is `RemoteRefused`.
    fn fetch(
        &self,
        into: &Repository,
        branch: &str,
        wanted: Wanted,
        context: &Context,
    ) -> Result<Option<Tip>>;

    /// The names of the remote's branches, without `refs/heads/`.
    ///
    /// # Errors
    ///
    /// As [`fetch`](Self::fetch).
    fn branches(&self, near: &Repository, context: &Context) -> Result<Vec<String>>;

    /// Moves the remote's branch forward to `tip`, with all that it lacks. Returns where the branch was.
    ///
    /// # Errors
    ///
    /// As [`fetch`](Self::fetch); `RemoteMoved` if the branch has commits that `tip` lacks; what `check` says of where the
    /// branch is, which is asked before anything is sent.
    fn push(
        &self,
        from: &Repository,
        branch: &str,
        tip: Oid,
        check: &dyn Fn(Option<Oid>) -> Result<()>,
        context: &Context,
    ) -> Result<Option<Oid>>;
}

/// A branch of the remote and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tip {
    /// `refs/heads/…`, or `HEAD` if the remote is on no branch.
    pub(crate) branch: String,
    pub(crate) id: Oid,
}

/// Which of the remote's branches is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// The named one and no other.
    Branch,
    /// If there is none of the name, the one the remote's HEAD is on.
    BranchOrDefault,
}

/// The transport for the remote's address. Nothing is connected yet.
pub(crate) fn open(settings: &Settings, context: &Context) -> Result<Box<dyn Transport>> {
    Ok(match settings.remote.address() {
        Address::Path(path) => Box::new(PathTransport::new(path.clone(), settings.trust_other_owner)),
        Address::Http(url) => Box::new(Smart::new(Http::new(url, settings, context.clone())?)),
        Address::Ssh(address) => Box::new(Smart::new(Ssh::new(address, settings, context.clone())?)),
    })
}

/// Tells the host how far a fetch or push has come, a few times a second.
pub(crate) struct Progress<'a> {
    context: &'a Context,
    operation: &'static str,
    /// What is counted.
    unit: &'static str,
    last: Option<(Instant, u64)>,
}

impl<'a> Progress<'a> {
    const EVERY: Duration = Duration::from_millis(200);

    pub(crate) const fn new(context: &'a Context, operation: &'static str, unit: &'static str) -> Self {
        Self { context, operation, unit, last: None }
    }

    /// So many are through; false if the host wants no more of it.
    pub(crate) fn tell(&mut self, done: u64, total: u64) -> bool {
        let due = self
            .last
            .is_none_or(|(at, told)| at.elapsed() >= Self::EVERY || (done == total && told != total));
        if due && total > 0 {
            self.last = Some((Instant::now(), done));
            self.context.progress(self.operation, self.unit, done, Some(total));
        }
        !due || !self.context.is_cancelled()
    }
}

/// The error of a push that came too late.
fn remote_moved() -> Error {
    let message = "the remote has commits that are not here; yours are kept";
    Error::new(ErrorKind::RemoteMoved, message).hint("pull (or sync), then push again")
}

/// The error of a push that the remote does not want: its answer, and what its hooks said.
fn remote_refused(status: &str, words: &str) -> Error {
    let mut message = format!("the remote refused the push: {}", clean(status));
    let words = clean(words);
    if !words.is_empty() {
        message.push_str(&format!(": {words}"));
    }
    Error::new(ErrorKind::RemoteRefused, message)
        .hint(
            "the commit is kept here; push again when it is allowed. `git reset --soft HEAD~1` in the clone takes it back \
             and keeps the files, so that what the remote does not want can be left out of the next",
        )
}
