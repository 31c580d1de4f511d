//! What the store knows of a file: the attributes of its entries.
//!
//! A version of a file is one or more entries of the store (its *parts*), which share a [`Generation`]. One of them, the
//! last, carries the [`Commit`]: without it the version does not exist. Attributes are limited to 16 keys with values of 256
//! characters (the smaller of the two documented limits), so what is longer continues in `path1`, `path2`, … and `d0`, `d1`, ….
//!
//! | key | value |
//! |---|---|
//! | `f9` | format version `1`, generation, number of the part, its length in bytes, its SHA-256 |
//! | `commit` | `f` or `d` (file, directory), how many parts, size in bytes, SHA-256 of the whole, modified and created in nanoseconds since 1970 |
//! | `path` | the path |
//! | `enc` | `inline`, `armor`, `raw` or `copy` |
//! | `text` | `1` if what the search sees of this entry is the file's text |
//! | `d0` … | inline: the content in base64; raw: what was around the text |

use std::{
    fmt::{self, Write as _},
    str::SplitWhitespace,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use f9_plugin_api::{BackendPath, Error, ErrorKind, Result};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::{api::Attributes, codec::Frame, random};

const FORMAT: &str = "1";
const KEYS_MAX: usize = 16;
const VALUE_MAX: usize = 256;

/// Which version of a file is newer: time in microseconds, then chance. Ordered as text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Generation(String);

/// SHA-256.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Digest(pub(crate) [u8; 32]);

/// The attributes of one entry.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Record {
    pub(crate) path: BackendPath,
    pub(crate) generation: Generation,
    pub(crate) part: u32,
    /// Of this part's content.
    pub(crate) length: u64,
    pub(crate) digest: Digest,
    pub(crate) storage: Storage,
    /// Whether the search sees text of the file here.
    pub(crate) text: bool,
    pub(crate) commit: Option<Commit>,
}

/// How the content of a part is stored.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Storage {
    /// In the attributes.
    Inline(Vec<u8>),
    /// In the file, as lines with checksums.
    Armor,
    /// In the file, as the text that it is.
    Raw(Frame),
    /// Not at all: the file is a copy of the text for the search, and the content is in another part.
    Copy,
}

/// What makes a version of a file exist.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Commit {
    pub(crate) directory: bool,
    pub(crate) parts: u32,
    pub(crate) size: u64,
    pub(crate) digest: Digest,
    pub(crate) modified: SystemTime,
    pub(crate) created: SystemTime,
}

impl Generation {
    /// A new one, newer than `present` whatever this machine's clock says.
    pub(crate) fn after(present: Option<&Self>) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = u64::try_from(now.as_micros()).unwrap_or(u64::MAX);
        let least = present.map_or(0, |present| present.micros().saturating_add(1));
        Self(format!("{:016x}{:08x}", now.max(least), random() as u32))
    }

    fn parse(text: &str) -> Option<Self> {
        let lower_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (text.len() == 24 && text.bytes().all(lower_hex)).then(|| Self(text.to_owned()))
    }

    fn micros(&self) -> u64 {
        u64::from_str_radix(&self.0[..16], 16).unwrap_or(0) // hexadecimal by construction
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Digest {
    pub(crate) fn of(content: &[u8]) -> Self {
        Self(Sha256::digest(content).into())
    }

    fn parse(text: &str) -> Option<Self> {
        let mut digest = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return None;
        }
        for (i, byte) in digest.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * i..2 * i + 2], 16).ok()?;
        }
        Some(Self(digest))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How much content the attributes can hold beside a path.
pub(crate) fn inline_capacity(path: &BackendPath) -> usize {
    let taken = 4 + pieces(path.as_str()).len(); // f9, commit, enc, text, and the path
    KEYS_MAX.saturating_sub(taken) * VALUE_MAX / 4 * 3
}

/// Refuses a path that the attributes cannot hold.
pub(crate) fn check_path(path: &BackendPath) -> Result<()> {
    let most = KEYS_MAX - 5; // f9, commit, enc, text, and d0 of raw text
    if pieces(path.as_str()).len() <= most {
        return Ok(());
    }
    let message = format!(
        "the path is too long for this service: it takes at most about {} characters",
        most * VALUE_MAX
    );
    Err(Error::new(ErrorKind::InvalidPath, message))
}

impl Record {
    /// Of a part of a version of a file that is not committed by it, and whose text is not searched there.
    pub(crate) fn of_part(
        path: &BackendPath,
        generation: &Generation,
        part: u32,
        content: &[u8],
        storage: Storage,
    ) -> Self {
        Self {
            path: path.clone(),
            generation: generation.clone(),
            part,
            length: content.len() as u64,
            digest: Digest::of(content),
            storage,
            text: false,
            commit: None,
        }
    }

    /// The attributes of the entry.
    pub(crate) fn to_attributes(&self) -> Attributes {
        let mut attributes = Attributes::new();
        let mut put = |key: String, value: String| attributes.insert(key, Value::String(value));
        put(
            "f9".into(),
            format!("{FORMAT} {} {} {} {}", self.generation, self.part, self.length, self.digest),
        );
        if let Some(commit) = &self.commit {
            put("commit".into(), commit.to_text());
        }
        for (i, piece) in pieces(self.path.as_str()).into_iter().enumerate() {
            put(if i == 0 { "path".into() } else { format!("path{i}") }, piece.to_owned());
        }
        let (name, data) = match &self.storage {
            Storage::Inline(content) => ("inline", STANDARD_NO_PAD.encode(content)),
            Storage::Armor => ("armor", String::new()),
            Storage::Raw(frame) => ("raw", frame.to_text()),
            Storage::Copy => ("copy", String::new()),
        };
        put("enc".into(), name.into());
        for (i, piece) in pieces(&data).into_iter().enumerate() {
            put(format!("d{i}"), piece.to_owned());
        }
        if self.text {
            put("text".into(), "1".into());
        }
        attributes
    }

    /// The record in an entry's attributes; `None` if they are not ours.
    pub(crate) fn parse(attributes: &Attributes) -> Option<Self> {
        let text = |key: &str| attributes.get(key)?.as_str();
        let mut words = text("f9")?.split_whitespace();
        if words.next()? != FORMAT {
            return None;
        }
        let generation = Generation::parse(words.next()?)?;
        let (part, length) = (number(&mut words)?, number(&mut words)?);
        let digest = Digest::parse(words.next()?)?;
        let joined = |first: &str, prefix: &str, start: usize| {
            let mut whole = text(first).unwrap_or_default().to_owned();
            (start..KEYS_MAX)
                .map_while(|i| text(&format!("{prefix}{i}")))
                .for_each(|piece| whole.push_str(piece));
            whole
        };
        let path = joined("path", "path", 1);
        let path =
            BackendPath::parse(&path).ok().filter(|parsed| parsed.as_str() == path && !parsed.is_root())?;
        let data = joined("d0", "d", 1);
        let storage = match text("enc")? {
            "inline" => Storage::Inline(STANDARD_NO_PAD.decode(data).ok()?),
            "armor" => Storage::Armor,
            "raw" => Storage::Raw(Frame::parse(&data)?),
            "copy" => Storage::Copy,
            _ => return None,
        };
        let commit = match attributes.get("commit") {
            Some(commit) => Some(Commit::parse(commit.as_str()?)?),
            None => None,
        };
        let text = text("text").is_some();
        Some(Self { path, generation, part, length, digest, storage, text, commit })
    }

    /// Whether the content is here, and not only a copy of it for the search.
    pub(crate) const fn is_content(&self) -> bool {
        !matches!(self.storage, Storage::Copy)
    }

    /// How the content is stored, as users are told.
    pub(crate) const fn encoding(&self) -> &'static str {
        match self.storage {
            Storage::Inline(_) => "inline",
            Storage::Armor => "armor",
            Storage::Raw(_) => "raw",
            Storage::Copy => "copy",
        }
    }
}

/// Whether attributes belong to f9, be it to a version that this one cannot read.
pub(crate) fn is_ours(attributes: &Attributes) -> bool {
    attributes.contains_key("f9")
}

impl Commit {
    fn to_text(&self) -> String {
        let kind = if self.directory { 'd' } else { 'f' };
        let mut text = format!("{kind} {} {} {}", self.parts, self.size, self.digest);
        for time in [self.modified, self.created] {
            let nanos = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
            let _ = write!(text, " {nanos}"); // a String takes all
        }
        text
    }

    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let directory = match words.next()? {
            "d" => true,
            "f" => false,
            _ => return None,
        };
        let (parts, size) = (number(&mut words)?, number(&mut words)?);
        let digest = Digest::parse(words.next()?)?;
        let mut time = || UNIX_EPOCH.checked_add(Duration::from_nanos(number(&mut words)?));
        Some(Self { directory, parts, size, digest, modified: time()?, created: time()? })
    }
}

fn number<N: std::str::FromStr>(words: &mut SplitWhitespace<'_>) -> Option<N> {
    words.next()?.parse().ok()
}

/// Text cut to what one value can hold.
fn pieces(mut text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    while !text.is_empty() {
        let end = text.char_indices().nth(VALUE_MAX).map_or(text.len(), |(end, _)| end);
        let (piece, rest) = text.split_at(end);
        pieces.push(piece);
        text = rest;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(path: &str, storage: Storage) -> Record {
        let time = |nanos| UNIX_EPOCH + Duration::from_nanos(nanos);
        Record {
            path: BackendPath::parse(path).unwrap(),
            generation: Generation::after(None),
            part: u32::MAX,
            length: u64::MAX,
            digest: Digest::of(b"x"),
            storage,
            text: true,
            commit: Some(Commit {
                directory: false,
                parts: u32::MAX,
                size: u64::MAX,
                digest: Digest::of(b"y"),
                modified: time(u64::MAX),
                created: time(1),
            }),
        }
    }

    #[test]
    fn a_record_survives_the_attributes_and_keeps_their_limits() {
        let long = "é".repeat(2000);
        for path in ["a", "dir/name with blanks ", "e\u{301}\n\u{7f}\u{85}", &long] {
            let path = BackendPath::parse(path).unwrap();
            let full = vec![0xff; inline_capacity(&path)];
            let frame = Frame { before: b"\xef\xbb\xbf \n".to_vec(), after: b"\n\n".to_vec(), crlf: true };
            for storage in [
                Storage::Inline(full),
                Storage::Inline(Vec::new()),
                Storage::Armor,
                Storage::Raw(frame),
                Storage::Copy,
            ] {
                let record = record(path.as_str(), storage);
                let attributes = record.to_attributes();
                assert!(attributes.len() <= 16, "{}", attributes.len());
                assert!(attributes.iter().all(|(key, value)| {
                    key.len() <= 64 && value.as_str().is_some_and(|value| value.chars().count() <= 256)
                }));
                assert_eq!(Record::parse(&attributes), Some(record));
            }
        }
    }

    #[test]
    fn attributes_that_are_not_ours_or_hostile_are_no_record() {
        let good = record("a/b", Storage::Armor).to_attributes();
        let with = |key: &str, value: Value| {
            let mut attributes = good.clone();
            attributes.insert(key.to_owned(), value);
            Record::parse(&attributes)
        };
        for path in ["../x", "/a", "", "a//b", "a/../b", "a\0"] {
            assert_eq!(with("path", path.into()), None, "{path}");
        }
        for (key, value) in [("f9", "2 x"), ("f9", ""), ("enc", "zip"), ("commit", "f 1"), ("commit", "")] {
            assert_eq!(with(key, value.into()), None, "{key} {value}");
        }
        assert_eq!(with("f9", 1.into()), None);
        assert_eq!(with("commit", Value::Null), None);
        assert_eq!(Record::parse(&Attributes::new()), None);
    }

    #[test]
    fn a_generation_is_newer_than_the_one_it_replaces() {
        let future = Generation::parse(&format!("{:016x}ffffffff", u64::MAX - 1)).unwrap();
        assert!(Generation::after(Some(&future)) > future);
        let first = Generation::after(None);
        assert!(Generation::after(Some(&first)) > first);
    }

    #[test]
    fn a_path_that_does_not_fit_is_refused() {
        let path = |length| BackendPath::parse(&"a".repeat(length)).unwrap();
        assert!(check_path(&path(11 * 256)).is_ok());
        assert_eq!(check_path(&path(11 * 256 + 1)).unwrap_err().kind(), ErrorKind::InvalidPath);
    }
}
