//! Whether a plugin's file keeps the contract: the conformance suite on the binary, in a process of its own.
//!
//! What a plugin does to its process is part of the result: a check that crashes, exits or hangs is told as that, and the
//! checks after it run in a new process. So a program that verifies starts itself anew, with arguments that lead to
//! [`serve`]; the plugin is never loaded into the program that asks.
//!
//! ```no_run
//! use std::process::Command;
//!
//! use f9_host::{serde_json::json, verify::{self, Verifier}};
//!
//! let mut arguments = std::env::args_os().skip(1);
//! if arguments.next().is_some_and(|word| word == "serve-plugin") {
//!     verify::serve(arguments)?;
//!     return Ok(());
//! }
//! let this = std::env::current_exe()?;
//! let start = || {
//!     let mut command = Command::new(&this);
//!     command.arg("serve-plugin");
//!     command
//! };
//! let file = "target/debug/libf9_backend_memory.so";
//! let report = Verifier::new(file, json!({"backend": "memory"}))?.run(start, |check| println!("{check:?}"))?;
//! assert!(report.conforms());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # A fresh root for each check
//!
//! Every check opens the connection anew and needs an empty root. `{dir}` in any of the connection's strings, also in
//! those of its references, stands for a new temporary directory: `{"backend": "local", "root": "{dir}"}`. What else has
//! to be there is made by a [setup](Verifier::setup) command that runs in that directory before each check: for a git
//! remote `git init --bare remote.git`, for a service whatever makes a new store and writes its name to a file that the
//! connection takes it from (`{"$file": "{dir}/store"}`). A server that it starts in the background ends with the check.
//! Where the root is not empty, nothing is run: files that somebody needs are safe.

mod checks;
mod child;
mod junit;
mod options;
mod process;
mod report;
mod run;
mod setup;
mod surroundings;
mod wire;

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use f9_plugin_api::{Error, ErrorKind, Result};

use crate::{CancelToken, Connection, PluginName, discovery};

pub use child::serve;
pub use report::{Check, Outcome, Verification};

/// How a plugin's file is verified.
#[derive(Debug, Clone)]
pub struct Verifier {
    file: PathBuf,
    connection: Connection,
    setup: Option<String>,
    only: Vec<String>,
    check_timeout: Duration,
    timeout: Duration,
    cancel: CancelToken,
}

impl Verifier {
    /// Verifies the plugin in `file` as the connection opens it.
    ///
    /// # Errors
    ///
    /// [`InvalidConnection`](ErrorKind::InvalidConnection) for what is no connection.
    pub fn new(
        file: impl Into<PathBuf>,
        connection: impl TryInto<Connection, Error: Into<Error>>,
    ) -> Result<Self> {
        Ok(Self {
            // The system's loader would look for a path without a directory in places of its own.
            file: std::path::absolute(file.into())?,
            connection: connection.try_into().map_err(Into::into)?,
            setup: None,
            only: Vec::new(),
            check_timeout: Duration::from_secs(30),
            timeout: Duration::from_secs(15 * 60),
            cancel: CancelToken::new(),
        })
    }

    /// Runs a command of the shell in the fresh directory before each check. It has as long as a check; what it leaves
    /// running in its process group ends with the check.
    #[must_use]
    pub fn setup(mut self, command: impl Into<String>) -> Self {
        self.setup = Some(command.into());
        self
    }

    /// Runs only the checks whose name begins so, such as `create` or `create::makes_parents`; can be repeated. A name that
    /// no check begins with is an error of [`run`](Self::run).
    #[must_use]
    pub fn only(mut self, name: impl Into<String>) -> Self {
        self.only.push(name.into());
        self
    }

    /// How long one check may take: 30 seconds, unless this says otherwise.
    #[must_use]
    pub fn check_timeout(mut self, timeout: Duration) -> Self {
        self.check_timeout = timeout;
        self
    }

    /// How long all of them may take: 15 minutes, unless this says otherwise.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Lets `token` end the run.
    #[must_use]
    pub fn cancel_token(mut self, token: CancelToken) -> Self {
        self.cancel = token;
        self
    }

    /// Runs the checks. `start` is a command that leads to [`serve`], which adds what it needs; `each` is told every
    /// check as it ends.
    ///
    /// # Errors
    ///
    /// What keeps the checks from being run: [`InvalidConnection`](ErrorKind::InvalidConnection) for a setup that fails or
    /// does not end, or for a name that no check begins with, or [`Cancelled`](ErrorKind::Cancelled). Whatever the plugin
    /// does is no error, but in the report.
    pub fn run(&self, start: impl Fn() -> Command, each: impl FnMut(&Check)) -> Result<Verification> {
        run::run(self, &start, each)
    }
}

/// The name of the plugin in a file that is called as a plugin's, `libf9_backend_NAME.so`.
///
/// # Errors
///
/// [`InvalidConnection`](ErrorKind::InvalidConnection) for a file that is called otherwise.
pub fn plugin_name(file: &Path) -> Result<PluginName> {
    let name = file.file_name().and_then(|name| discovery::name_of_file(name.to_str()?));
    name.ok_or_else(|| {
        let message = format!("{} is not called as a plugin is", file.display());
        Error::new(ErrorKind::InvalidConnection, message)
            .hint("name the plugin in a connection, as its \"backend\"")
    })
}
