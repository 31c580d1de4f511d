//! Where a file is: the one place that decides what a path may look like.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Error, ErrorKind, Result};

/// The longest path in bytes: Linux's `PATH_MAX` less its NUL.
const MAX_BYTES: usize = 4095;

/// A path inside a backend, relative to its root.
///
/// UTF-8 segments separated by `/`. [`parse`](Self::parse) is the only way to make one of outside text, so whoever
/// holds one knows: no segment is empty, `.` or `..`, none contains NUL or a backslash, and the first is no drive
/// prefix. A leading `/` means the root. Names pass byte for byte: nothing is trimmed, decoded or case-folded.
///
/// What the checks cannot see is a link *stored* in the backend that leads elsewhere: confining links is the
/// backend's work.
///
/// ```
/// use f9_plugin_api::BackendPath;
///
/// let path = BackendPath::parse("/reports//2026/./may.txt")?;
/// assert_eq!(path.as_str(), "reports/2026/may.txt");
/// assert_eq!(path.name(), Some("may.txt"));
/// assert!(BackendPath::parse("reports/../../etc").is_err());
/// assert!(BackendPath::parse("/")?.is_root());
/// # Ok::<(), f9_plugin_api::Error>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BackendPath(Box<str>);

impl BackendPath {
    /// The root itself.
    pub fn root() -> Self {
        Self::default()
    }

    /// Reads a path as a person or program wrote it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidPath`] for a `..` segment, a NUL, a backslash, a drive prefix (`C:`) or more than 4,095
    /// bytes.
    pub fn parse(text: &str) -> Result<Self> {
        if is_plain(text) {
            return Ok(Self(text.into()));
        }
        if let Some(reason) = refusal(text) {
            return Err(Error::new(ErrorKind::InvalidPath, reason).at(text));
        }
        let segments = text.split('/').filter(|segment| !matches!(*segment, "" | "."));
        Ok(Self(segments.collect::<Vec<_>>().join("/").into()))
    }

    /// The path as text, without a leading `/`; empty for the root.
    #[inline]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the root.
    #[inline]
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The segments from the root down.
    pub fn segments(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/').filter(|segment| !segment.is_empty())
    }

    /// The last segment; `None` for the root.
    pub fn name(&self) -> Option<&str> {
        self.segments().next_back()
    }

    /// The directory this is in; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        let (parent, _) = self.split().ok()?;
        Some(Self(parent.into()))
    }

    /// The parent as text (empty for the root) and the last segment: what every operation but `info` and `list`
    /// works with.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidPath`] for the root, which no operation may create, replace, move or remove.
    #[inline]
    pub fn split(&self) -> Result<(&str, &str)> {
        if self.is_root() {
            return Err(only_below_root());
        }
        let slash = self.0.as_bytes().iter().rposition(|byte| *byte == b'/');
        Ok(slash.map_or(("", &self.0), |slash| (&self.0[..slash], &self.0[slash + 1..])))
    }

    /// The path of `relative` below this one.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse).
    pub fn join(&self, relative: &str) -> Result<Self> {
        if self.is_root() {
            return Self::parse(relative);
        }
        let mut joined = String::with_capacity(self.0.len() + 1 + relative.len());
        joined.push_str(&self.0);
        joined.push('/');
        joined.push_str(relative);
        if is_plain(relative) && joined.len() <= MAX_BYTES {
            Ok(Self(joined.into()))
        } else {
            Self::parse(&joined)
        }
    }

    /// Whether this is `ancestor` or lies below it.
    pub fn starts_with(&self, ancestor: &Self) -> bool {
        let rest = self.0.strip_prefix(&*ancestor.0);
        ancestor.is_root() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

#[cold]
fn only_below_root() -> Error {
    Error::new(ErrorKind::InvalidPath, "this is the root itself")
        .at("/")
        .hint("name a file or directory below it")
}

/// Whether `text` is surely a path as it stands. Nearly all are, and each crosses the boundary and is looked at on both
/// sides: so this is quick, and leaves what has a name that begins with a dot, or begins like a drive, to a closer look.
fn is_plain(text: &str) -> bool {
    let bytes = text.as_bytes();
    let ([first, rest @ ..], [.., last]) = (bytes, bytes) else { return false };
    let has_odd_end =
        matches!(first, b'/' | b'.') || matches!(last, b'/' | b'\\' | 0) || rest.first() == Some(&b':');
    !has_odd_end && bytes.len() <= MAX_BYTES && !has_odd_pair(bytes)
}

/// How many bytes the compiler takes at a time.
const WIDTH: usize = 16;

/// Whether a byte that is not the last is one that no path contains, or begins a segment that is empty or starts with a
/// dot.
fn has_odd_pair(bytes: &[u8]) -> bool {
    let is_odd = |byte: u8, next: u8| {
        (byte == 0) | (byte == b'\\') | ((byte == b'/') & ((next == b'/') | (next == b'.')))
    };
    // Without a way out in the middle, and always of the same length, so that it is a handful of instructions.
    let has_odd =
        |piece: &[u8; WIDTH + 1]| (0..WIDTH).fold(false, |odd, at| odd | is_odd(piece[at], piece[at + 1]));
    let Some(last) = bytes.last_chunk() else {
        let mut piece = [b'x'; WIDTH + 1];
        piece[..bytes.len()].copy_from_slice(bytes);
        return has_odd(&piece);
    };
    let mut rest = bytes;
    while let Some(piece) = rest.first_chunk() {
        if has_odd(piece) {
            return true;
        }
        rest = &rest[WIDTH..];
    }
    has_odd(last) // with some bytes once more
}

/// Why `text` is no path, if it is none.
fn refusal(text: &str) -> Option<&'static str> {
    if text.len() > MAX_BYTES {
        return Some("a path has at most 4,095 bytes");
    }
    if text.bytes().any(|b| b == 0) {
        return Some("a path cannot contain a NUL character");
    }
    if text.contains('\\') {
        return Some("a path cannot contain a backslash; separate directories with `/`");
    }
    let mut segments = text.split('/').filter(|segment| !matches!(*segment, "" | "."));
    if segments.clone().any(|segment| segment == "..") {
        return Some("a path cannot contain `..`: nothing above the root can be reached");
    }
    let first = segments.next().unwrap_or_default().as_bytes();
    if matches!(first, [letter, b':', ..] if letter.is_ascii_alphabetic()) {
        return Some("a path cannot start with a drive; paths are relative to the backend's root");
    }
    None
}

impl fmt::Display for BackendPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_root() { "/" } else { &self.0 })
    }
}

impl fmt::Debug for BackendPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl FromStr for BackendPath {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text)
    }
}

impl TryFrom<&str> for BackendPath {
    type Error = Error;

    fn try_from(text: &str) -> Result<Self> {
        Self::parse(text)
    }
}

impl TryFrom<&String> for BackendPath {
    type Error = Error;

    fn try_from(text: &String) -> Result<Self> {
        Self::parse(text)
    }
}

impl TryFrom<String> for BackendPath {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        Self::parse(&text)
    }
}

impl From<BackendPath> for String {
    fn from(path: BackendPath) -> Self {
        path.0.into()
    }
}

impl From<&Self> for BackendPath {
    fn from(path: &Self) -> Self {
        path.clone()
    }
}

impl Serialize for BackendPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for BackendPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_to_write_one_path() {
        for text in ["a/b", "/a/b", "//a//b//", "./a/./b/.", "a/b/"] {
            assert_eq!(BackendPath::parse(text).unwrap().as_str(), "a/b", "{text:?}");
        }
        for text in ["", "/", ".", "/.//./"] {
            assert!(BackendPath::parse(text).unwrap().is_root(), "{text:?}");
        }
    }

    #[test]
    fn names_pass_byte_for_byte() {
        for text in [
            " a ", "a.", "...", "..a", "%2e%2e", "é", "e\u{301}", "a\nb", "-rf", "~", "ab:c/d:", "C",
            "\u{2025}",
        ] {
            assert_eq!(BackendPath::parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn the_quick_look_lets_nothing_through_that_the_closer_one_refuses_or_mends() {
        let parts = ["a", ".", "..", "", "c:", "a:b", "\\", "\0", ".a", "a.", "é", &"x".repeat(4095)];
        let mut plain = 0;
        for first in parts {
            for second in parts {
                for third in parts {
                    let text = [first, second, third].join("/");
                    for text in [&text, first, text.get(1..).unwrap_or_default()] {
                        let clean = text.split('/').all(|segment| !matches!(segment, "" | "."));
                        assert!(!is_plain(text) || (refusal(text).is_none() && clean), "{text:?}");
                        plain += usize::from(is_plain(text));
                    }
                }
            }
        }
        assert!(plain > 0);
    }

    #[test]
    fn what_is_refused() {
        let long = "a/".repeat(2048);
        for text in
            ["..", "../a", "a/../b", "/a/..", "a\0b", "a\\b", "\\\\server\\x", "C:", "c:/x", "/C:/x", &long]
        {
            let error = BackendPath::parse(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidPath, "{text:?}");
        }
    }

    #[test]
    fn parts() {
        let path = BackendPath::parse("a/b/c").unwrap();
        assert_eq!(path.split().unwrap(), ("a/b", "c"));
        assert_eq!(path.parent().unwrap().as_str(), "a/b");
        assert_eq!(path.segments().collect::<Vec<_>>(), ["a", "b", "c"]);
        assert!(path.starts_with(&BackendPath::parse("a/b").unwrap()));
        assert!(!path.starts_with(&BackendPath::parse("a/").unwrap().join("bb").unwrap()));
        assert!(BackendPath::root().parent().is_none() && BackendPath::root().name().is_none());
        assert_eq!(BackendPath::root().split().unwrap_err().kind(), ErrorKind::InvalidPath);
    }
}
