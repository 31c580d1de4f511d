//! From the kernel's error numbers to errors that a caller can act on.

use std::io;

use f9_plugin_api::{Error, ErrorKind};
use rustix::io::Errno;

/// The error of a system call, where `doing` completes "cannot …".
pub(crate) fn failure(doing: &str, errno: Errno) -> Error {
    let (kind, why, hint) = explain(errno);
    let why = why.map_or_else(|| system_words(errno), str::to_owned);
    let error = Error::new(kind, format!("cannot {doing}: {why}")).caused_by(io::Error::from(errno));
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

/// A directory where only a file will do.
pub(crate) fn is_a_directory(doing: &str) -> Error {
    Error::new(ErrorKind::IsADirectory, format!("cannot {doing}: this is a directory"))
        .hint("name a file in it")
}

/// Something that is neither file nor directory, where only a file will do.
pub(crate) fn not_a_regular_file(doing: &str) -> Error {
    Error::new(ErrorKind::InvalidOperation, format!("cannot {doing}: this is a pipe, a socket or a device"))
        .hint("name a regular file")
}

pub(crate) fn already_exists(doing: &str) -> Error {
    failure(doing, Errno::EXIST)
}

/// Others changed the same place again and again while an operation tried.
pub(crate) fn contended(doing: &str) -> Error {
    Error::new(ErrorKind::Busy, format!("cannot {doing}: the path keeps changing meanwhile"))
        .hint("try again when whoever moves it is done")
}

/// The root was removed while it was open.
pub(crate) fn root_is_gone(symptom: Error) -> Error {
    Error::new(ErrorKind::NotFound, "the root directory was removed while it was open")
        .hint("open the backend anew, which can make the root")
        .caused_by(symptom)
}

type Explanation = (ErrorKind, Option<&'static str>, Option<&'static str>);

fn explain(errno: Errno) -> Explanation {
    use ErrorKind as Kind;
    match errno {
        Errno::NOENT => (Kind::NotFound, Some("there is nothing at this path"), None),
        Errno::NOTDIR => (
            Kind::NotADirectory,
            Some("something that is no directory is where one is needed"),
            Some("look at each directory of the path with `info`"),
        ),
        Errno::EXIST => (
            Kind::AlreadyExists,
            Some("there is something at this path"),
            Some("ask to overwrite it, or choose another path"),
        ),
        Errno::ISDIR => (Kind::IsADirectory, Some("this is a directory"), Some("name a file in it")),
        Errno::NOTEMPTY => (
            Kind::DirectoryNotEmpty,
            Some("the directory is not empty"),
            Some("ask for a recursive delete to remove all it holds"),
        ),
        Errno::LOOP => (
            Kind::InvalidOperation,
            Some("the links on the way form a loop, or there are more than 40"),
            Some("remove one of the links"),
        ),
        Errno::XDEV => (
            Kind::InvalidOperation,
            Some("source and destination are on different file systems"),
            Some("copy the file and delete the original"),
        ),
        Errno::ACCESS | Errno::PERM => (
            Kind::PermissionDenied,
            None,
            Some("change the permissions there, or run as a user who has them"),
        ),
        Errno::ROFS => (Kind::ReadOnly, Some("the file system is read-only"), None),
        Errno::NOSPC => (Kind::StorageFull, None, Some("make room on the file system")),
        Errno::DQUOT => (Kind::StorageFull, Some("the disk quota is used up"), Some("make room")),
        Errno::FBIG => (
            Kind::StorageFull,
            Some("the file would exceed the size limit of the file system or process"),
            None,
        ),
        Errno::MLINK => (Kind::StorageFull, Some("the directory cannot hold more"), Some("use another one")),
        Errno::MFILE => (
            Kind::ResourceExhausted,
            Some("the process has too many open files"),
            Some("close some, or raise its limit (`ulimit -n`)"),
        ),
        Errno::NFILE | Errno::NOMEM | Errno::NOBUFS => {
            (Kind::ResourceExhausted, None, Some("free memory or descriptors and try again"))
        }
        Errno::NAMETOOLONG => (
            Kind::InvalidPath,
            Some("the path or one of its names is too long for the file system"),
            Some("a name has at most 255 bytes on most file systems"),
        ),
        Errno::ILSEQ => (Kind::InvalidPath, Some("the file system does not allow such a name"), None),
        Errno::BUSY => (
            Kind::Busy,
            Some("something is mounted here, or the system is using it"),
            Some(
                "unmount it first; what is mounted by itself can be written to, but neither moved nor deleted",
            ),
        ),
        Errno::TXTBSY | Errno::AGAIN | Errno::DEADLK => (Kind::Busy, None, Some("try again later")),
        Errno::TIMEDOUT => (Kind::Timeout, None, Some("try again later")),
        Errno::NXIO | Errno::NODEV => {
            (Kind::InvalidOperation, Some("this is a socket or a device"), Some("name a regular file"))
        }
        Errno::NOSYS | Errno::OPNOTSUPP => {
            (Kind::Unsupported, Some("the file system or kernel cannot do that"), None)
        }
        Errno::IO => (
            Kind::Io,
            Some("the storage failed to read or write"),
            Some("check the disk and the kernel's log before trusting what it holds"),
        ),
        _ => (Kind::Io, None, None),
    }
}

/// The system's words, in lower case and without the "(os error 13)" that std appends.
fn system_words(errno: Errno) -> String {
    let text = io::Error::from(errno).to_string();
    let words = text.split(" (os error").next().unwrap_or_default();
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_why_and_what_to_do() {
        let error = failure("read the file", Errno::ACCESS);
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        assert_eq!(error.message(), "cannot read the file: permission denied");
        assert!(error.advice().is_some());
        assert_eq!(error.causes().count(), 1);
    }
}
