//! How a case says what it saw, and the contents it works with.

use std::io::{self, Read};

use crate::{Error, ErrorKind};

/// What a case answers.
pub(super) type Checked<T = ()> = Result<T, Failure>;

/// A broken rule.
pub(super) struct Failure {
    /// What was seen, in words.
    pub(super) seen: String,
}

/// Ends a case whose rule does not hold with what was seen.
macro_rules! ensure {
    ($holds:expr, $($seen:tt)+) => {
        if !$holds {
            return Err($crate::conformance::check::Failure { seen: format!($($seen)+) });
        }
    };
}

/// A table of cases: the function's name and the rule it checks.
macro_rules! cases {
    ($group:literal, $applies:expr; $($check:ident: $rule:literal;)+) => {
        &[$($crate::conformance::Case {
            name: concat!($group, "::", stringify!($check)),
            rule: $rule,
            applies: $applies,
            check: $check,
        },)+]
    };
}

pub(super) use {cases, ensure};

/// Compares contents, and says where they part.
pub(super) fn same(what: &str, found: &[u8], expected: &[u8]) -> Checked {
    let parted = found.iter().zip(expected).position(|(a, b)| a != b);
    let offset = parted.unwrap_or(found.len().min(expected.len()));
    ensure!(
        found == expected,
        "{what}: {} bytes instead of {}, from byte {offset} on \"{}\" instead of \"{}\"",
        found.len(),
        expected.len(),
        excerpt(found, offset),
        excerpt(expected, offset)
    );
    Ok(())
}

fn excerpt(bytes: &[u8], offset: usize) -> String {
    bytes.iter().skip(offset).take(24).copied().collect::<Vec<_>>().escape_ascii().to_string()
}

/// Contents that something between here and the storage might alter, each with a name for a file.
pub(super) fn samples() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("empty", Vec::new()),
        ("one", b"x".to_vec()),
        ("nul", b"\0a\0\0".to_vec()),
        ("all-bytes", (0..=255).collect()),
        ("not-utf8", b"\xff\xfe\xc3\x28 \xed\xa0\x80".to_vec()),
        ("crlf-and-bom", b"\xef\xbb\xbfline\r\nline\n\rline\r\n\x1a".to_vec()),
        ("blanks", b" \n\t leading and trailing \n\n".to_vec()),
        ("json", br#"{"a": [1, 2.50, "\u00e9"],  "a": null}"#.to_vec()),
        ("1-mib", noise(1 << 20)),
    ]
}

/// Bytes without a pattern, the same at each call.
pub(super) fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let step = || {
        // xorshift64
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    std::iter::repeat_with(step).take(length).collect()
}

/// Yields its content in pieces of uneven length, with interruptions in between, as a `Read` may.
pub(super) struct Stutter<'a> {
    content: &'a [u8],
    turn: usize,
}

impl<'a> Stutter<'a> {
    pub(super) fn new(content: &'a [u8]) -> Self {
        Self { content, turn: 0 }
    }
}

impl Read for Stutter<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.turn += 1;
        if self.turn.is_multiple_of(5) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let length = (self.turn * 977 % 4099).max(1).min(buffer.len()).min(self.content.len());
        let (now, later) = self.content.split_at(length);
        buffer[..length].copy_from_slice(now);
        self.content = later;
        Ok(length)
    }
}

/// What [`Broken`] answers.
pub(super) const BROKEN: ErrorKind = ErrorKind::QuotaExceeded;

/// Yields some content and then an error of a kind that no backend comes up with itself.
pub(super) struct Broken {
    left: usize,
}

impl Broken {
    pub(super) fn after(left: usize) -> Self {
        Self { left }
    }
}

impl Read for Broken {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(Error::new(BROKEN, "the content broke off").into());
        }
        let length = self.left.min(buffer.len());
        buffer[..length].fill(b'!');
        self.left -= length;
        Ok(length)
    }
}
