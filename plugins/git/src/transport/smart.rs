//! git's smart protocol, which libgit2 speaks, over connections of our own.
//!
//! libgit2 finds a transport by the scheme of a URL. Here it knows one scheme, which stands for whatever connection the
//! calling thread has chosen for the length of a call: so it needs to know no address, and no password.

use std::{
    cell::RefCell,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use f9_plugin_api::{Context, Error, ErrorKind, Result};
use git2::{
    AutotagOption, Direction, FetchOptions, Oid, PushOptions, Remote, RemoteCallbacks, RemoteConnection,
    Repository,
    transport::{SmartSubtransport, Transport as GitTransport},
};

use super::{Progress, Tip, Transport, Wanted, remote_moved, remote_refused};
use crate::errors::{clean, from_git};

/// The scheme that libgit2 knows.
pub(crate) const SCHEME: &str = "f9";
const URL: &str = "f9://remote/";

/// How much of what the remote's programs say is kept.
const MAX_WORDS: usize = 8 << 10;

/// What a remote answers when its branch was not where the push said; each git version has its own words.
const MOVED: [&str; 6] = [
    "failed to update ref",
    "cannot lock ref",
    "fetch first",
    "non-fast-forward",
    "stale info",
    "reference already exists",
];

/// A way to reach git's programs at the remote.
pub(super) trait Connection: Send + 'static {
    /// Whether each request is a conversation of its own, as with HTTP.
    const RPC: bool;

    /// Makes what libgit2 talks to. What fails there is to be noted in `failed`: libgit2 passes on text alone.
    fn subtransport(&self, failed: Failure) -> impl SmartSubtransport;

    /// The remote's words without what must not be shown.
    fn redact(&self, text: &str) -> String {
        text.to_owned()
    }
}

/// The transport over some connection.
pub(super) struct Smart<C>(C);

impl<C: Connection> Smart<C> {
    pub(super) const fn new(connection: C) -> Self {
        Self(connection)
    }
}

impl<C: Connection + Clone> Transport for Smart<C> {
    fn fetch(
        &self,
        into: &Repository,
        branch: &str,
        wanted: Wanted,
        context: &Context,
    ) -> Result<Option<Tip>> {
        let redact = |text: &str| self.0.redact(text);
        let call = Call::new(context, "fetch", &redact);
        call.run(&self.0, || {
            let mut remote = call.remote(into)?;
            let mut connection = remote.connect_auth(Direction::Fetch, Some(call.callbacks()), None)?;
            let Some(tip) = find(&connection, branch, wanted)? else { return Ok(None) };
            let mut options = FetchOptions::new();
            options.remote_callbacks(call.callbacks()).download_tags(AutotagOption::None);
            options.update_fetchhead(false);
            connection.remote().download(&[&*tip.branch], Some(&mut options))?;
            Ok(Some(tip))
        })
    }

    fn branches(&self, near: &Repository, context: &Context) -> Result<Vec<String>> {
        let redact = |text: &str| self.0.redact(text);
        let call = Call::new(context, "list the branches", &redact);
        call.run(&self.0, || {
            let mut remote = call.remote(near)?;
            let connection = remote.connect_auth(Direction::Fetch, Some(call.callbacks()), None)?;
            let names = connection.list()?.iter().filter_map(|head| head.name().strip_prefix("refs/heads/"));
            Ok(names.map(str::to_owned).collect())
        })
    }

    fn push(
        &self,
        from: &Repository,
        branch: &str,
        tip: Oid,
        check: &dyn Fn(Option<Oid>) -> Result<()>,
        context: &Context,
    ) -> Result<Option<Oid>> {
        let redact = |text: &str| self.0.redact(text);
        let call = Call::new(context, "push", &redact);
        let before = call.run(&self.0, || {
            let mut remote = call.remote(from)?;
            let mut connection = remote.connect_auth(Direction::Push, Some(call.callbacks()), None)?;
            let before = find(&connection, branch, Wanted::Branch)?.map(|tip| tip.id);
            let lacks = |id: Oid| {
                Ok::<_, git2::Error>(!from.odb()?.exists(id) || !from.graph_descendant_of(tip, id)?)
            };
            match before {
                Some(before) if before == tip => {}
                Some(before) if lacks(before)? => call.failed.set(remote_moved()),
                _ => {
                    if let Err(error) = check(before) {
                        call.failed.set(error);
                        return Ok(before);
                    }
                    let mut options = PushOptions::new();
                    options.remote_callbacks(call.callbacks()).packbuilder_parallelism(0);
                    connection.remote().push(&[&*format!("{branch}:{branch}")], Some(&mut options))?;
                }
            }
            Ok(before)
        })?;
        match call.refusal() {
            None => Ok(before),
            Some(status) if MOVED.iter().any(|words| status.contains(words)) => {
                // Moved, or may the branch not be written at all?
                let now = self.fetch(from, branch, Wanted::Branch, context)?.map(|tip| tip.id);
                Err(if now == before { call.refused(&status) } else { remote_moved() })
            }
            Some(status) => Err(call.refused(&status)),
        }
    }
}

/// The remote's branch and where it is.
fn find(
    connection: &RemoteConnection<'_, '_, '_>,
    branch: &str,
    wanted: Wanted,
) -> Result<Option<Tip>, git2::Error> {
    let heads = connection.list()?;
    let named = |name: &str| heads.iter().find(|head| head.name() == name);
    let mut found = named(branch);
    if found.is_none() && wanted == Wanted::BranchOrDefault {
        let default = named("HEAD");
        let target = default.and_then(|head| head.symref_target());
        found = target.and_then(named).or(default);
    }
    Ok(found.map(|head| Tip { branch: head.name().to_owned(), id: head.oid() }))
}

/// One fetch or push, and what is learned in its course.
struct Call<'a> {
    operation: &'static str,
    context: &'a Context,
    redact: &'a dyn Fn(&str) -> String,
    failed: Failure,
    said: RefCell<Said>,
    progress: RefCell<Progress<'a>>,
}

/// What the remote says of a push.
#[derive(Default)]
struct Said {
    words: Vec<u8>,
    refusal: Option<String>,
}

impl<'a> Call<'a> {
    fn new(context: &'a Context, operation: &'static str, redact: &'a dyn Fn(&str) -> String) -> Self {
        let progress = RefCell::new(Progress::new(context, operation, "objects"));
        Self { operation, context, redact, failed: Failure::default(), said: RefCell::default(), progress }
    }

    /// Lets `work` talk to the remote over the connection, and finds out what its error was.
    fn run<C: Connection + Clone, T>(
        &self,
        connection: &C,
        work: impl FnOnce() -> Result<T, git2::Error>,
    ) -> Result<T> {
        let (connection, failed) = (connection.clone(), self.failed.clone());
        let worked = with_factory(
            Rc::new(move |remote| {
                GitTransport::smart(remote, C::RPC, connection.subtransport(failed.clone()))
            }),
            // git2 panics at an answer that is not UTF-8.
            || catch_unwind(AssertUnwindSafe(work)),
        );
        match (self.failed.take(), worked) {
            (Some(error), _) => Err(error),
            (None, Ok(Ok(value))) => Ok(value),
            (None, Err(_)) => {
                let message = "the remote's answer is not UTF-8, so that it is not known how it went";
                Err(Error::new(ErrorKind::RemoteRefused, message).hint("pull shows what the remote has now"))
            }
            (None, Ok(Err(error))) => {
                self.context.check_cancelled()?;
                Err(self.protocol_error(error))
            }
        }
    }

    /// The remote, unless the clone's configuration has libgit2 go elsewhere.
    fn remote<'repo>(&self, repository: &'repo Repository) -> Result<Remote<'repo>, git2::Error> {
        let remote = repository.remote_anonymous(URL)?;
        if remote.url_bytes() == URL.as_bytes() {
            return Ok(remote);
        }
        let message = "the clone's configuration rewrites every address (url.*.insteadOf)";
        self.failed
            .set(Error::new(ErrorKind::InvalidOperation, message).hint("remove that from .git/config"));
        Err(git2::Error::from_str(message))
    }

    fn callbacks(&self) -> RemoteCallbacks<'_> {
        let mut callbacks = RemoteCallbacks::new();
        callbacks
            .transfer_progress(|progress| {
                let come = progress.received_bytes() + progress.indexed_deltas() + progress.local_objects();
                self.failed.0.pack.store(come as u64, Ordering::Relaxed);
                self.progress
                    .borrow_mut()
                    .tell(progress.received_objects() as u64, progress.total_objects() as u64)
            })
            .push_transfer_progress(|done, total, _| {
                self.progress.borrow_mut().tell(done as u64, total as u64);
            })
            .sideband_progress(|text| {
                self.failed.0.words.fetch_add(1, Ordering::Relaxed);
                let words = &mut self.said.borrow_mut().words;
                let room = MAX_WORDS.saturating_sub(words.len());
                words.extend_from_slice(&text[..text.len().min(room)]);
                !self.context.is_cancelled()
            })
            .push_update_reference(|_, status| {
                self.said.borrow_mut().refusal = status.map(str::to_owned);
                Ok(())
            });
        callbacks
    }

    fn refusal(&self) -> Option<String> {
        self.said.borrow_mut().refusal.take()
    }

    /// The remote's own words, with what its hooks said.
    fn refused(&self, status: &str) -> Error {
        let words = (self.redact)(&String::from_utf8_lossy(&self.said.borrow().words));
        remote_refused(&(self.redact)(status), &words)
    }

    fn protocol_error(&self, error: git2::Error) -> Error {
        if error.message().contains("on the remote") {
            return self.refused(error.message());
        }
        let network = matches!(error.class(), git2::ErrorClass::Net | git2::ErrorClass::Http);
        if error.class() == git2::ErrorClass::NoMemory {
            let message = "the remote announces more than fits into memory";
            return Error::new(ErrorKind::RemoteRefused, message)
                .hint("check `remote_url`; `git fsck` at the remote shows whether it is sound");
        }
        let words = (self.redact)(error.message()).replace('\0', " ");
        let error = from_git(self.operation, git2::Error::new(error.code(), error.class(), words));
        if network { Error::new(ErrorKind::Network, error.message()).hint("try again later") } else { error }
    }
}

/// What passes between a call and the connection below libgit2, which hands on bytes and text alone.
#[derive(Clone, Default)]
pub(super) struct Failure(Arc<Shared>);

#[derive(Default)]
struct Shared {
    error: Mutex<Option<Error>>,
    /// How far the pack has come, in bytes or objects.
    pack: AtomicU64,
    /// How often the remote's programs have said something.
    words: AtomicU64,
}

impl Failure {
    /// Keeps an error, unless there is one already, and makes one for libgit2 of it.
    pub(super) fn note(&self, error: Error) -> io::Error {
        // A NUL in the text would make git2 panic where nothing may.
        let text = clean(&error.to_string());
        self.set(error);
        io::Error::other(text)
    }

    fn set(&self, error: Error) {
        self.0.error.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }

    fn take(&self) -> Option<Error> {
        self.0.error.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Watches that an answer gets somewhere: neither one byte now and then, nor the same words again and again, may go on for
/// ever.
pub(super) struct Pace {
    timeout: Duration,
    window: Window,
    /// Since when nothing of the pack has come, and how far it was then.
    idle_since: Instant,
    pack: u64,
    words: u64,
}

/// The bytes of the last while.
struct Window {
    since: Instant,
    bytes: usize,
}

impl Pace {
    /// The least that has to come in one window. A server that packs for long says more than that about its progress.
    const LEAST: usize = 1000;

    /// How many times the connection's `timeout` a window is, and how many a server may do nothing but talk about its work.
    const PATIENCE: u32 = 5;

    pub(super) fn new(timeout: Duration) -> Self {
        let now = Instant::now();
        Self { timeout, window: Window { since: now, bytes: 0 }, idle_since: now, pack: 0, words: 0 }
    }

    /// Counts what was read. The `list` of branches has an end of its own.
    pub(super) fn note(&mut self, bytes: usize, list: bool, signs: &Failure) -> Result<()> {
        let (pack, words) = (signs.0.pack.load(Ordering::Relaxed), signs.0.words.load(Ordering::Relaxed));
        if list || pack != self.pack {
            (self.idle_since, self.pack) = (Instant::now(), pack);
        }
        let talks = words != self.words;
        let limit = if talks { self.timeout * Self::PATIENCE } else { self.timeout };
        if self.idle_since.elapsed() > limit {
            let message =
                format!("the remote answers, and has sent nothing of what was asked for in {limit:?}");
            return Err(Error::new(ErrorKind::Timeout, message).hint("try again later, or allow more time"));
        }
        self.note_bytes(bytes)
    }

    fn note_bytes(&mut self, bytes: usize) -> Result<()> {
        let length = self.timeout * Self::PATIENCE;
        self.window.bytes += bytes;
        if self.window.since.elapsed() < length {
            return Ok(());
        }
        if self.window.bytes < Self::LEAST {
            let message = format!("the remote sent only {} bytes in {length:?}", self.window.bytes);
            return Err(Error::new(ErrorKind::Timeout, message).hint("try again later, or allow more time"));
        }
        self.window = Window { since: Instant::now(), bytes: 0 };
        Ok(())
    }
}

type Factory = Rc<dyn Fn(&Remote<'_>) -> Result<GitTransport, git2::Error>>;

thread_local! {
    static FACTORY: RefCell<Option<Factory>> = const { RefCell::new(None) };
}

/// What libgit2 calls for a URL of our scheme, on the thread that fetches or pushes.
pub(crate) fn create(remote: &Remote<'_>) -> Result<GitTransport, git2::Error> {
    let factory = FACTORY.with_borrow(Clone::clone);
    factory.ok_or_else(|| git2::Error::from_str("this scheme is for f9's own use"))?(remote)
}

fn with_factory<T>(factory: Factory, work: impl FnOnce() -> T) -> T {
    struct Reset(Option<Factory>);
    impl Drop for Reset {
        fn drop(&mut self) {
            FACTORY.set(self.0.take());
        }
    }
    let _reset = Reset(FACTORY.replace(Some(factory)));
    work()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libgit2s_words_are_put_into_ours() {
        let context = Context::detached();
        let redact = |text: &str| text.replace("CANARY", "[redacted]");
        let call = Call::new(&context, "fetch", &redact);
        let error = |class, words: &str| {
            call.protocol_error(git2::Error::new(git2::ErrorCode::GenericError, class, words))
        };
        let memory = error(git2::ErrorClass::NoMemory, "Out of memory");
        assert_eq!(memory.kind(), ErrorKind::RemoteRefused);
        assert!(memory.message().contains("more than fits into memory"), "{memory:?}");
        let quoted = error(git2::ErrorClass::Net, "remote error: you said CANARY");
        assert_eq!(quoted.kind(), ErrorKind::Network);
        assert!(quoted.message().ends_with("you said [redacted]"), "{quoted:?}");
    }
}
