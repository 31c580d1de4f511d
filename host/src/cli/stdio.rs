//! Standard streams that were closed when the program began (`>&-`, `<&-`).
//!
//! Rust's start-up code opens `/dev/null` in their place, so that no file of the program's gets their number; after that,
//! what is printed would vanish and what is read would be empty, both without an error. So they are looked at before it runs.

use std::io;

use f9_host::{Error, ErrorKind, Result};

use super::args::{Args, Command};

/// Refuses what would print to nowhere, before anything is done.
pub(crate) fn check_stdout(args: &Args) -> Result<()> {
    if was_open(1) || prints_nothing(args) { Ok(()) } else { Err(closed_stdout()) }
}

/// What is to be printed has nowhere to go.
pub(crate) fn closed_stdout() -> Error {
    Error::new(ErrorKind::Io, "standard output is closed, so nothing was done")
        .hint("send it to /dev/null if nobody reads it")
}

/// Whether there is a standard output.
pub(crate) fn has_stdout() -> bool {
    was_open(1)
}

/// Refuses to take what was closed for empty.
pub(crate) fn check_stdin() -> io::Result<()> {
    if was_open(0) {
        return Ok(());
    }
    let error = Error::new(ErrorKind::Io, "standard input is closed, and something is to be read from it");
    Err(error.hint("send /dev/null into it if it is to be empty").into())
}

/// What changes something and says so only to those who want to know.
fn prints_nothing(args: &Args) -> bool {
    args.quiet
        && matches!(
            args.command,
            Command::Create(_)
                | Command::Update(_)
                | Command::Delete { .. }
                | Command::Mkdir { .. }
                | Command::Cp(_)
                | Command::Mv(_)
                | Command::Mirror(_)
                | Command::Push { .. }
                | Command::Pull { .. }
                | Command::Sync { .. }
                | Command::Resolve(_)
        )
}

#[cfg(target_os = "linux")]
mod early {
    use std::sync::atomic::{AtomicU8, Ordering};

    /// A bit for each that was closed.
    static CLOSED: AtomicU8 = AtomicU8::new(0);

    extern "C" fn look() {
        use rustix::{io::fcntl_getfd, stdio};

        for (number, stream) in [stdio::stdin(), stdio::stdout(), stdio::stderr()].into_iter().enumerate() {
            if fcntl_getfd(stream).is_err() {
                CLOSED.fetch_or(1 << number, Ordering::Relaxed);
            }
        }
    }

    // SAFETY: the section holds pointers to functions that the system's loader calls, one after the other, before `main`.
    // This one uses nothing that `main` would have to set up first.
    #[used]
    #[unsafe(link_section = ".init_array")]
    static BEFORE_MAIN: extern "C" fn() = look;

    pub(super) fn was_open(number: u8) -> bool {
        CLOSED.load(Ordering::Relaxed) & (1 << number) == 0
    }
}

#[cfg(target_os = "linux")]
use early::was_open;

/// Elsewhere nobody has looked.
#[cfg(not(target_os = "linux"))]
const fn was_open(_: u8) -> bool {
    true
}
