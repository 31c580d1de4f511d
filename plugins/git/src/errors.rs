//! libgit2's errors in the contract's words.

use f9_plugin_api::{Error, ErrorKind, Result};
use git2::ErrorCode;

/// Says what could not be done when libgit2 failed.
pub(crate) trait Context<T> {
    /// `what` completes "cannot …".
    fn context(self, what: &str) -> Result<T>;
}

impl<T> Context<T> for Result<T, git2::Error> {
    fn context(self, what: &str) -> Result<T> {
        self.map_err(|error| from_git(what, error))
    }
}

impl<T> Context<T> for std::io::Result<T> {
    fn context(self, what: &str) -> Result<T> {
        self.map_err(|error| from_io(what, error))
    }
}

impl<T> Context<T> for rustix::io::Result<T> {
    fn context(self, what: &str) -> Result<T> {
        self.map_err(|error| from_io(what, error.into()))
    }
}

pub(crate) fn from_git(what: &str, error: git2::Error) -> Error {
    // libgit2 was told by the system why, and forgot it: the system still knows.
    if matches!(error.message(), "" | "no error") {
        let last = std::io::Error::last_os_error();
        if last.raw_os_error().is_some_and(|code| code != 0) {
            return from_io(what, last);
        }
    }
    let message = format!("cannot {what}: {}", clean(error.message()));
    let kind = kind_of(&error);
    let answer = Error::new(kind, message);
    if error.message().contains(ODD_DATE) {
        return answer
            .hint("a commit has a date beyond all calendars, which libgit2 does not read; `git fsck` there names it");
    }
    if kind == ErrorKind::Busy {
        return answer.hint("if no other git runs there, delete the file that ends in `.lock`");
    }
    answer
}

fn from_io(what: &str, error: std::io::Error) -> Error {
    let error = Error::from(error);
    Error::new(error.kind(), format!("cannot {what}: {}", error.message()))
}

/// libgit2's words for a date of more than 63 bits.
const ODD_DATE: &str = "invalid Unix timestamp";

fn kind_of(error: &git2::Error) -> ErrorKind {
    let says = |text: &str| error.message().contains(text);
    match error.code() {
        ErrorCode::Locked => ErrorKind::Busy,
        ErrorCode::Timeout => ErrorKind::Timeout,
        ErrorCode::Auth => ErrorKind::Authentication,
        // libgit2 keeps the errno to itself; strerror's words are all there is.
        _ if says("No space left on device") || says("Disk quota exceeded") => ErrorKind::StorageFull,
        _ if says("Permission denied") => ErrorKind::PermissionDenied,
        _ if says("Read-only file system") => ErrorKind::ReadOnly,
        _ if says(ODD_DATE) => ErrorKind::Integrity,
        _ if says("does not match the type") || says("object hash mismatch") || says("corrupt") => {
            ErrorKind::Integrity
        }
        _ => ErrorKind::Io,
    }
}

/// One line of text that came from elsewhere: no control characters, and not without end.
pub(crate) fn clean(text: &str) -> String {
    const MAX_CHARS: usize = 1000;
    let line = text.split(|c: char| c.is_control()).map(str::trim).filter(|part| !part.is_empty());
    line.collect::<Vec<_>>().join(" ").chars().take(MAX_CHARS).collect()
}

/// The paths as a sentence has them: some of them, and how many more there are.
pub(crate) fn name_some<'a>(paths: impl ExactSizeIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 20;
    let more = paths.len().saturating_sub(SHOWN);
    let shown = paths.take(SHOWN).map(|path| format!("`{path}`")).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{shown} and {more} more") } else { shown }
}
