//! The one error type: a kind to act on, words to read, facts to search, causes to chain.

use std::{
    error::Error as StdError,
    fmt::{self, Write as _},
    io,
};

/// The result of everything that can fail here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Defines the kinds once: name, code on the boundary, name in JSON.
macro_rules! error_kinds {
    ($($(#[doc = $doc:literal])+ $kind:ident = $code:literal, $name:literal;)+) => {
        /// What went wrong, as far as a program can act on it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorKind {
            $($(#[doc = $doc])+ $kind,)+
        }

        impl ErrorKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)+];

            /// The name in JSON output, such as `not_found`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$kind => $name,)+ }
            }

            /// The code on the boundary: frozen with it.
            pub(crate) const fn code(self) -> u16 {
                match self { $(Self::$kind => $code,)+ }
            }

            /// The kind of a code; one from a newer version is `Other`.
            pub(crate) const fn from_code(code: u16) -> Self {
                match code { $($code => Self::$kind,)+ _ => Self::Other }
            }
        }
    };
}

error_kinds! {
    /// None of the others; the message is for a person.
    Other = 0, "other";
    /// The backend does not have this operation or option. Ask [`capabilities`](crate::FileBackend::capabilities) first.
    Unsupported = 1, "unsupported";
    /// The plugin's code panicked: a bug in the plugin. Open the backend anew before going on with it.
    Panicked = 2, "panicked";
    /// There is nothing at this path. Create it, or correct the path.
    NotFound = 3, "not_found";
    /// There is something at this path. Ask to overwrite it, or choose another path.
    AlreadyExists = 4, "already_exists";
    /// The path is malformed, too long, or the root where the root is not allowed. Correct it.
    InvalidPath = 5, "invalid_path";
    /// A link on the way leads out of the root. Such links are never followed.
    OutsideRoot = 6, "outside_root";
    /// The operation needs a file, and this is a directory.
    IsADirectory = 7, "is_a_directory";
    /// The operation needs a directory, here or on the way, and this is not one.
    NotADirectory = 8, "not_a_directory";
    /// The directory has entries. Ask for a recursive delete.
    DirectoryNotEmpty = 9, "directory_not_empty";
    /// The operation makes no sense here or now; the message says why.
    InvalidOperation = 10, "invalid_operation";
    /// The connection dictionary is wrong; the message names the key.
    InvalidConnection = 11, "invalid_connection";
    /// The content is not UTF-8 text. Read it as bytes.
    NotUtf8 = 12, "not_utf8";
    /// The storage denies access. Change its permissions, or connect as somebody else.
    PermissionDenied = 13, "permission_denied";
    /// The storage cannot be written to.
    ReadOnly = 14, "read_only";
    /// There is no space left, or a size limit is reached. Make room.
    StorageFull = 15, "storage_full";
    /// The process is out of memory or descriptors. Close some and try again.
    ResourceExhausted = 16, "resource_exhausted";
    /// Somebody else holds what is needed. Try again later.
    Busy = 17, "busy";
    /// The caller asked to stop.
    Cancelled = 18, "cancelled";
    /// The storage failed to read or write. Look at the cause.
    Io = 19, "io";
    /// Content did not come back as it was stored. It is refused instead of altered.
    Integrity = 20, "integrity";
    /// Local and remote changes contradict each other. Read `conflict_report` and resolve each.
    Conflict = 21, "conflict";
    /// The remote has moved on since the last pull. Pull (or sync) and push again.
    RemoteMoved = 22, "remote_moved";
    /// There are local changes that the operation would run over. Push (or sync) first.
    PendingChanges = 23, "pending_changes";
    /// The remote understood and said no; its words are in the message.
    RemoteRefused = 24, "remote_refused";
    /// The remote does not accept the credentials, or wants some.
    Authentication = 25, "authentication";
    /// The remote cannot be reached or broke off. Try again later.
    Network = 26, "network";
    /// There was no answer in time. Try again later, or allow more time.
    Timeout = 27, "timeout";
    /// The remote wants fewer requests. Wait and try again.
    RateLimited = 28, "rate_limited";
    /// The account's quota is used up: waiting does not help.
    QuotaExceeded = 29, "quota_exceeded";
    /// No plugin of this name was found; the message lists where it was looked for.
    PluginNotFound = 30, "plugin_not_found";
    /// A plugin file was found and not used; the message says why.
    PluginRefused = 31, "plugin_refused";
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What went wrong: a [kind](Self::kind), a message, and where they are known the path, a hint what to do, facts by
/// name, and the cause.
///
/// `Display` is one line that never repeats the cause, `source` walks the causes (also those that came across the plugin
/// boundary, as text), `Debug` shows everything.
///
/// ```
/// use f9_plugin_api::{Error, ErrorKind};
///
/// let cause = std::io::Error::other("connection reset");
/// let error = Error::new(ErrorKind::Network, "cannot fetch the list")
///     .at("reports")
///     .with("request", "req-17")
///     .hint("try again later")
///     .caused_by(cause);
/// assert_eq!(error.to_string(), "reports: cannot fetch the list [request=req-17]");
/// assert!(error.is_retryable());
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    path: Option<String>,
    hint: Option<String>,
    context: Vec<(String, String)>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of this kind; `message` says what could not be done and why, without the path. It must do without the
    /// cause, which is shown on demand.
    #[cold]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let (path, hint, context, source) = (None, None, Vec::new(), None);
        Self(Box::new(Inner { kind, message: message.into(), path, hint, context, source }))
    }

    /// The operation is not one this backend has.
    pub fn unsupported(operation: &str) -> Self {
        Self::new(ErrorKind::Unsupported, format!("this backend does not support {operation}"))
    }

    /// Says which path it was about. The first to say so knows best: a later call changes nothing.
    #[must_use]
    #[cold]
    pub fn at(mut self, path: impl fmt::Display) -> Self {
        self.0.path.get_or_insert_with(|| path.to_string());
        self
    }

    /// Says what the caller can do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Adds a fact by name.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl fmt::Display) -> Self {
        self.0.context.push((name.into(), value.to_string()));
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(cause.into());
        self
    }

    /// What a program can act on.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What went wrong, without path, facts and cause.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The path it was about.
    pub fn path(&self) -> Option<&str> {
        self.0.path.as_deref()
    }

    /// What the caller can do.
    pub fn advice(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// The facts by name, in the order they were added.
    pub fn context(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.context.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The causes as text, nearest first.
    pub fn causes(&self) -> impl Iterator<Item = String> {
        std::iter::successors(self.source(), |&cause| cause.source()).map(ToString::to_string)
    }

    /// Whether there is nothing at the path.
    pub fn is_not_found(&self) -> bool {
        self.kind() == ErrorKind::NotFound
    }

    /// Whether there is something at the path already.
    pub fn is_already_exists(&self) -> bool {
        self.kind() == ErrorKind::AlreadyExists
    }

    /// Whether the request itself is at fault: repeating it unchanged cannot succeed.
    pub fn is_invalid_operation(&self) -> bool {
        use ErrorKind::*;
        matches!(
            self.kind(),
            Unsupported
                | InvalidPath
                | OutsideRoot
                | IsADirectory
                | NotADirectory
                | DirectoryNotEmpty
                | InvalidOperation
                | NotUtf8
        )
    }

    /// Whether local and remote state have to be brought together first.
    pub fn is_conflict(&self) -> bool {
        matches!(self.kind(), ErrorKind::Conflict | ErrorKind::RemoteMoved | ErrorKind::PendingChanges)
    }

    /// Whether the same request may succeed later, unchanged.
    pub fn is_retryable(&self) -> bool {
        use ErrorKind::*;
        matches!(self.kind(), Busy | Network | Timeout | RateLimited | ResourceExhausted)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.0.path {
            write_line(f, path)?;
            f.write_str(": ")?;
        }
        write_line(f, &self.0.message)?;
        for (i, (name, value)) in self.0.context.iter().enumerate() {
            write!(f, "{}{name}=", if i == 0 { " [" } else { ", " })?;
            write_line(f, value)?;
        }
        f.write_str(if self.0.context.is_empty() { "" } else { "]" })
    }
}

/// Writes text that came from anywhere on one line: what would move a terminal's cursor is escaped.
fn write_line(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    for c in text.chars() {
        if c.is_control() { write!(f, "{}", c.escape_default())? } else { f.write_char(c)? }
    }
    Ok(())
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Error");
        debug.field("kind", &self.kind()).field("message", &self.message());
        if let Some(path) = self.path() {
            debug.field("path", &path);
        }
        if let Some(hint) = self.advice() {
            debug.field("hint", &hint);
        }
        if !self.0.context.is_empty() {
            debug.field("context", &self.0.context);
        }
        let causes: Vec<_> = self.causes().collect();
        if !causes.is_empty() {
            debug.field("causes", &causes);
        }
        debug.finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

/// Conversions that cannot fail are welcome where those that can are expected.
impl From<std::convert::Infallible> for Error {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

/// An `io::Error` that carries an [`Error`] gives it back; others get the nearest kind.
impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(inner) => inner,
            Err(error) => Self::new(kind_of_io(error.kind()), io_text(&error)),
        }
    }
}

/// So that [`Error`] passes through `Read` and `Write`; `Error::from` brings it back unharmed.
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        Self::new(io_kind_of(error.kind()), error)
    }
}

fn kind_of_io(kind: io::ErrorKind) -> ErrorKind {
    use io::ErrorKind as Io;
    match kind {
        Io::NotFound => ErrorKind::NotFound,
        Io::AlreadyExists => ErrorKind::AlreadyExists,
        Io::PermissionDenied => ErrorKind::PermissionDenied,
        Io::IsADirectory => ErrorKind::IsADirectory,
        Io::NotADirectory => ErrorKind::NotADirectory,
        Io::DirectoryNotEmpty => ErrorKind::DirectoryNotEmpty,
        Io::InvalidFilename => ErrorKind::InvalidPath,
        Io::ReadOnlyFilesystem => ErrorKind::ReadOnly,
        Io::StorageFull | Io::QuotaExceeded | Io::FileTooLarge => ErrorKind::StorageFull,
        Io::OutOfMemory => ErrorKind::ResourceExhausted,
        Io::ResourceBusy | Io::WouldBlock => ErrorKind::Busy,
        Io::TimedOut => ErrorKind::Timeout,
        Io::ConnectionRefused
        | Io::ConnectionReset
        | Io::ConnectionAborted
        | Io::HostUnreachable
        | Io::NetworkUnreachable
        | Io::NetworkDown => ErrorKind::Network,
        Io::Unsupported => ErrorKind::Unsupported,
        _ => ErrorKind::Io,
    }
}

fn io_kind_of(kind: ErrorKind) -> io::ErrorKind {
    use io::ErrorKind as Io;
    match kind {
        ErrorKind::NotFound => Io::NotFound,
        ErrorKind::AlreadyExists => Io::AlreadyExists,
        ErrorKind::PermissionDenied => Io::PermissionDenied,
        ErrorKind::IsADirectory => Io::IsADirectory,
        ErrorKind::NotADirectory => Io::NotADirectory,
        ErrorKind::DirectoryNotEmpty => Io::DirectoryNotEmpty,
        ErrorKind::ReadOnly => Io::ReadOnlyFilesystem,
        ErrorKind::StorageFull => Io::StorageFull,
        ErrorKind::Timeout => Io::TimedOut,
        ErrorKind::Unsupported => Io::Unsupported,
        ErrorKind::InvalidPath | ErrorKind::InvalidOperation => Io::InvalidInput,
        ErrorKind::Integrity | ErrorKind::NotUtf8 => Io::InvalidData,
        _ => Io::Other,
    }
}

/// The system's words, without the "(os error 2)" that std appends.
fn io_text(error: &io::Error) -> String {
    let text = error.to_string();
    let cut = text.rfind(" (os error ").filter(|_| error.raw_os_error().is_some());
    match cut {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_names_are_unique_and_lead_back() {
        for (i, &kind) in ErrorKind::ALL.iter().enumerate() {
            assert_eq!(ErrorKind::from_code(kind.code()), kind);
            assert!(ErrorKind::ALL[..i].iter().all(|other| other.as_str() != kind.as_str()), "{kind}");
        }
        assert_eq!(ErrorKind::from_code(u16::MAX), ErrorKind::Other);
    }

    #[test]
    fn display_is_one_line_and_leaves_the_cause_to_source() {
        let cause = io::Error::from_raw_os_error(2);
        let error =
            Error::new(ErrorKind::Other, "bad\r\nthing").at("a\u{1b}[2J").with("k", "v\n").caused_by(cause);
        assert_eq!(error.to_string(), "a\\u{1b}[2J: bad\\r\\nthing [k=v\\n]");
        assert_eq!(error.causes().collect::<Vec<_>>(), ["No such file or directory (os error 2)"]);
    }

    #[test]
    fn io_errors_there_and_back() {
        let original = Error::new(ErrorKind::Integrity, "checksum differs").at("x").hint("restore it");
        let back = Error::from(io::Error::from(original));
        assert_eq!(
            (back.kind(), back.path(), back.advice()),
            (ErrorKind::Integrity, Some("x"), Some("restore it"))
        );
        let plain = Error::from(io::Error::from_raw_os_error(28));
        assert_eq!((plain.kind(), plain.message()), (ErrorKind::StorageFull, "No space left on device"));
    }
}
