//! From nothing to a library that others install.
//!
//! # Begin
//!
//! ```console
//! $ f9 plugins new notes
//! $ cd f9-plugin-notes
//! $ cargo test && cargo build
//! $ f9 plugins verify target/debug/libf9_backend_notes.so
//! ```
//!
//! The first command writes a crate with a storage that works: files in memory. Until `f9-plugin-api` is released, or to
//! change it along with your plugin, take it from a clone: `--api-path ~/src/f9/plugin-api`. The last one runs the
//! contract's suite on the library, as hosts load it. From here on both checks tell what is left to do.
//!
//! # Put your storage in the place of the toy
//!
//! Three things are yours: the options, [`Plugin::open`], and [`FileBackend`]. A storage that can put, get, delete and
//! list has all that the seven required methods ask for. This order works well:
//!
//! 1. **Options.** The fields of a struct, each with a sentence for the user; see the [front page](crate#options). Nothing
//!    is opened in `Deserialize`, and everything in [`Plugin::open`], so that a wrong connection is told when it is opened.
//! 2. **Errors.** One function that turns your client's error into an [`Error`] of the nearest [`ErrorKind`]. Hosts act on
//!    the kind, people on the message and the hint; the cause is shown on demand. An error that names no path gets the one
//!    of the call.
//! 3. **Methods.** `create` and `read` first, then `info` and `list`; the suite's names begin with the method's, so that
//!    `f9 plugins verify FILE --only create` tells about one at a time.
//! 4. **Capabilities.** Declare what the storage does better than the host could: a copy without sending the content, a
//!    rename in one step. For whatever you leave out, the host stands in where that is safe.
//!
//! ```
//! use f9_plugin_api::{Error, ErrorKind};
//!
//! /// What the client of some service answers.
//! enum Failure {
//!     Status(u16),
//!     Broken(std::io::Error),
//! }
//!
//! fn error(failure: Failure) -> Error {
//!     match failure {
//!         Failure::Status(404) => Error::new(ErrorKind::NotFound, "the service has no such file"),
//!         Failure::Status(401) => Error::new(ErrorKind::Authentication, "the service does not accept the key")
//!             .hint("check `key` in the connection"),
//!         Failure::Status(429) => Error::new(ErrorKind::RateLimited, "the service wants fewer requests"),
//!         Failure::Status(code) => {
//!             Error::new(ErrorKind::RemoteRefused, "the service refused").with("status", code)
//!         }
//!         Failure::Broken(cause) => {
//!             Error::new(ErrorKind::Network, "the service cannot be reached").caused_by(cause)
//!         }
//!     }
//! }
//!
//! assert!(error(Failure::Status(429)).is_retryable());
//! assert_eq!(error(Failure::Status(500)).to_string(), "the service refused [status=500]");
//! assert_eq!(error(Failure::Broken(std::io::Error::other("reset"))).causes().next().unwrap(), "reset");
//! ```
//!
//! The sentence that costs most is that replacing is atomic: a reader or a crash meets the old content or the new. On
//! disk, write to a temporary file and rename it; on a service, upload the new version before the old one goes. The
//! temporary things must not be listed.
//!
//! # Check it, here and in CI
//!
//! `cargo test` runs the suite on your type, with a debugger if need be. `f9 plugins verify` runs it on the file you ship,
//! and sees what a test inside the crate cannot: that it loads, that its manifest says what is true, that wrong options
//! are refused and secrets told nowhere, that nothing is printed. The library runs in a process of its own, so that a
//! crash, an `exit` or an endless loop is one failed check, which is named.
//!
//! Each check needs an empty root. `{dir}` in the options stands for a new directory, and `--setup` runs a command in it
//! first:
//!
//! ```console
//! $ f9 plugins verify libf9_backend_git.so --setup 'git init --quiet --bare --initial-branch=main remote.git' \
//!     --options '{"remote_url": "{dir}/remote.git", "path": "{dir}/tree"}'
//! ```
//!
//! A test service is handled the same way: the setup makes a new store and writes its name to a file, and the options take
//! it from there: `{"store": {"$file": "{dir}/store"}}`. Where the root is not empty, nothing is run. In CI, `--junit
//! FILE` makes a report; the exit code is 0 if the plugin conforms, and 8 if it does not. The `ci.sh` of a new crate does
//! all of it.
//!
//! # Ship it
//!
//! A release is one file: `cargo build --release`, then `target/release/libf9_backend_NAME` with the platform's prefix and
//! suffix. Its name is how hosts find it, so leave it as it is. Users put it into `~/.local/share/f9/plugins`, or into a
//! directory that the host is told of (`--plugin-dir`), where `f9 plugins doctor NAME` tells whether it is found, and why
//! not. Say in your release notes
//!
//! - for which platforms it is, and for Linux the oldest C library: it runs where glibc is at least as new as where it was
//!   built, so build on an old system;
//! - its sha256. Users who keep a lock (`f9 plugins lock add`) load nothing else under its name;
//! - its version, that of your crate. It is shown and never compared.
//!
//! To replace an installed file, rename the new one into its place: a process that has loaded the old one keeps it.
//!
//! # How it works
//!
//! ## Versions
//!
//! What has to fit is the *ABI*, the version of `f9-plugin-abi` that your build used: any host of the same major version
//! loads your plugin, older or newer, whatever compiler built either. Raising `f9-plugin-api` needs no new host, and a new
//! host needs no new build of yours. A plugin that does not fit is refused with a reason before any of its code runs.
//! Deprecated methods stay callable until the next major version.
//!
//! ## Panics
//!
//! A panic in a method, a stream or a `Drop` becomes [`Panicked`](ErrorKind::Panicked) for the caller, and the process
//! goes on. It is still a bug: a lock that was held is poisoned, and the backend may have to be opened anew. Where it
//! happened is logged. A profile with `panic = "abort"` does not compile. What nobody can catch takes the host along:
//! `abort`, `exit`, a stack that is full, a panic while another one unwinds.
//!
//! ## Threads
//!
//! Every method is called from any thread, many at once; there is no `&mut self`. Hold locks for the data, not for the
//! time of a request. A backend may be dropped on any thread. Threads of your own end when their backend is dropped:
//!
//! ```
//! use std::{
//!     sync::mpsc::{self, RecvTimeoutError},
//!     thread,
//!     time::Duration,
//! };
//!
//! struct Sweeper {
//!     stop: Option<mpsc::Sender<()>>,
//!     thread: Option<thread::JoinHandle<()>>,
//! }
//!
//! impl Sweeper {
//!     fn start() -> Self {
//!         let (stop, stopped) = mpsc::channel();
//!         let thread = thread::spawn(move || {
//!             // Once a minute, until the sender is gone.
//!             while stopped.recv_timeout(Duration::from_secs(60)) == Err(RecvTimeoutError::Timeout) {
//!                 sweep();
//!             }
//!         });
//!         Self { stop: Some(stop), thread: Some(thread) }
//!     }
//! }
//!
//! impl Drop for Sweeper {
//!     fn drop(&mut self) {
//!         drop(self.stop.take());
//!         self.thread.take().map(thread::JoinHandle::join);
//!     }
//! }
//!
//! # fn sweep() {}
//! drop(Sweeper::start());
//! ```
//!
//! The contract is synchronous. An asynchronous client brings its runtime along, one per backend, and each method blocks on
//! it; hosts call from threads that may wait.
//!
//! ## Logging
//!
//! Use the macros of `log` ([`crate::log`] is the crate); the records arrive in the host's logger with your target. What
//! a user should know who did not ask goes at `warn`, and little does. Nothing is printed.
//!
//! ## Progress and cancellation
//!
//! [`Plugin::open`] gets a [`Context`]: keep it. What takes longer than a moment tells how far it has come, a few times a
//! second, and asks between its steps whether the answer is still wanted:
//!
//! ```
//! use f9_plugin_api::{Context, Result};
//!
//! fn send(pieces: &[&[u8]], context: &Context) -> Result<()> {
//!     for (sent, piece) in pieces.iter().enumerate() {
//!         context.check_cancelled()?;
//!         context.progress("upload", "pieces", sent as u64, Some(pieces.len() as u64));
//!         upload(piece)?;
//!     }
//!     Ok(())
//! }
//! # fn upload(_: &[u8]) -> Result<()> { Ok(()) }
//! # send(&[b"a", b"b"], &Context::detached())?;
//! # Ok::<(), f9_plugin_api::Error>(())
//! ```
//!
//! An operation that is cancelled has changed nothing, as any that fails.
//!
//! ## Secrets
//!
//! A password, key or token is a [`Secret`]: hosts hide it, ask for it without showing it, and take it from the environment
//! or a file (`{"$env": "NAME"}`, `{"$file": "/path"}`) before your plugin sees it. [`expose`](Secret::expose) it only where
//! it goes into a request. It must not end up in an error, a log record, an argument list or a file; look out for errors of
//! HTTP clients, which quote URLs.
//!
//! ## Paths of the user's machine
//!
//! An option that is one, or may be one, carries a mark in the schema:
//!
//! ```
//! # use f9_plugin_api::{options_schema, schemars, serde};
//! #[derive(serde::Deserialize, schemars::JsonSchema)]
//! # #[serde(crate = "f9_plugin_api::serde")]
//! # #[schemars(crate = "f9_plugin_api::schemars")]
//! struct Options {
//!     /// The certificates to trust.
//!     #[schemars(extend("format" = "path"))]
//!     ca_bundle: Option<std::path::PathBuf>,
//! }
//! # assert_eq!(options_schema::<Options>()["properties"]["ca_bundle"]["format"], "path");
//! ```
//!
//! Hosts then take `~` and `~/…` at its start for the user's home, also where the value comes from a reference, and refuse
//! `~user` and `$NAME` with what to write instead. Your plugin gets a plain path, which can be relative to the working
//! directory, and reads no environment. Without the mark a connection with `~/notes` makes a directory called `~`.
//!
//! ## Memory
//!
//! What one side allocates, that side frees: each library has an allocator of its own. The [`Bytes`](crate::Bytes) that
//! `read` answers are not copied on their way to the caller, and are freed by your library when the caller is done. Content
//! on its way in is borrowed for the call. A [`Reader`](crate::Reader) and a [`FileWriter`](crate::FileWriter) work in
//! bounded memory, whatever the size of the file; a [listing](crate::Entries) is asked for as it is read. Libraries are
//! never unloaded, so `'static` data is safe, and there once per process, whatever the number of backends.
//!
//! # What never to do
//!
//! The process is somebody else's.
//!
//! - Write to stdout or stderr, or read stdin: they may carry a protocol.
//! - Read or change the environment, the working directory or the umask. All that a plugin needs is in its connection.
//! - Install signal handlers, exit or abort.
//! - Go outside the root, by `..` (the SDK refuses it), by a link, or by a race between looking and opening.
//! - Follow up on a failed replacement by deleting what was there.
//! - Answer success for what was not done. [`Unsupported`](ErrorKind::Unsupported) is an honest answer.
//! - Cache what others can change without an option that says for how long.
//! - Retry for ever: an operation ends, if need be with [`Timeout`](ErrorKind::Timeout).

#[cfg(doc)]
use crate::{Context, Error, ErrorKind, FileBackend, Plugin, Secret};
