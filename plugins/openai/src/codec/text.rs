//! Text that is stored as what it is, so that the search can see it.
//!
//! The service removes a byte order mark, blanks around the text and carriage returns, so these are kept in the attributes
//! ([`Frame`]) and only what is between them is uploaded.

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};

/// What was around a text, and how its lines end.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Frame {
    pub(crate) before: Vec<u8>,
    pub(crate) after: Vec<u8>,
    /// Whether every line ends with CR LF.
    pub(crate) crlf: bool,
}

/// A text without its frame.
#[derive(Debug, PartialEq)]
pub(crate) struct Text {
    pub(crate) core: String,
    pub(crate) frame: Frame,
}

impl Text {
    /// Takes content apart, if it is text whose line ends can be restored and which is not blank.
    pub(crate) fn of(content: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(content).ok().filter(|text| !text.contains('\0'))?;
        let core = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
        let before = &text[..text.len() - core.len()];
        let core = core.trim_end();
        let after = &text[before.len() + core.len()..];
        let crlf = core.contains('\r');
        let unix = core.replace("\r\n", "\n");
        if core.is_empty() || crlf && (unix.contains('\r') || unix.replace('\n', "\r\n") != core) {
            return None;
        }
        let frame = Frame { before: before.into(), after: after.into(), crlf };
        Some(Self { core: unix, frame })
    }
}

impl Frame {
    /// The text with what was around it.
    pub(super) fn around(&self, core: &str) -> Vec<u8> {
        let core = if self.crlf { core.replace('\n', "\r\n") } else { core.to_owned() };
        [&self.before, core.as_bytes(), &self.after].concat()
    }

    /// As an attribute.
    pub(crate) fn to_text(&self) -> String {
        let ends = if self.crlf { "crlf" } else { "lf" };
        format!("{ends}.{}.{}", STANDARD_NO_PAD.encode(&self.before), STANDARD_NO_PAD.encode(&self.after))
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut words = text.split('.');
        let crlf = match words.next()? {
            "crlf" => true,
            "lf" => false,
            _ => return None,
        };
        let mut bytes = || STANDARD_NO_PAD.decode(words.next()?).ok();
        Some(Self { crlf, before: bytes()?, after: bytes()? })
    }
}

/// What the whole text may be, given its parts: put end to end, or laid over each other where they overlap.
pub(crate) fn candidates(texts: &[&str]) -> impl Iterator<Item = String> {
    let several = texts.len() > 1;
    std::iter::once_with(|| texts.concat())
        .chain(std::iter::once_with(|| overlay(texts)).filter(move |_| several))
}

fn overlay(texts: &[&str]) -> String {
    let mut whole = String::new();
    for text in texts {
        let tail = &whole[floor_boundary(&whole, whole.len().saturating_sub(text.len()))..];
        whole.push_str(&text[overlap(tail, text)..]);
    }
    whole
}

/// The length of the longest end of `a` that `b` begins with (Knuth, Morris, Pratt).
fn overlap(a: &str, b: &str) -> usize {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    // borders[i]: the longest beginning of b that b[..=i] also ends with.
    let mut borders = vec![0; b.len()];
    let mut matched = 0;
    for i in 1..b.len() {
        while matched > 0 && b[i] != b[matched] {
            matched = borders[matched - 1];
        }
        matched += usize::from(b[i] == b[matched]);
        borders[i] = matched;
    }
    matched = 0;
    for &byte in a {
        while matched > 0 && (matched == b.len() || byte != b[matched]) {
            matched = borders[matched - 1];
        }
        matched += usize::from(b.get(matched) == Some(&byte));
    }
    matched
}

fn floor_boundary(text: &str, at: usize) -> usize {
    (0..=at).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_its_core_in_its_frame() {
        for content in [
            "a",
            "a\n",
            "\u{feff}a b\n\n",
            "  a\r\nb\r\n",
            "\r\n a",
            "é\u{1f600}\u{a0}\n",
            "\u{feff}\u{feff} x\t",
        ] {
            let text = Text::of(content.as_bytes()).unwrap();
            assert_eq!(text.core, text.core.trim());
            assert!(!text.core.contains('\r'));
            assert_eq!(text.frame.around(&text.core), content.as_bytes());
            assert_eq!(Frame::parse(&text.frame.to_text()), Some(text.frame));
        }
    }

    #[test]
    fn what_cannot_be_restored_is_no_text() {
        for content in [&b""[..], b" \n", b"a\0b", b"\xff\xfe", b"a\r\nb\nc", b"a\rb", "\u{feff}".as_bytes()]
        {
            assert_eq!(Text::of(content), None, "{content:?}");
        }
    }

    #[test]
    fn overlapping_parts_are_laid_over_each_other() {
        let whole = "It was a bright cold day in April, and the clocks were striking thirteen. é ü 😀 ends.";
        let characters: Vec<char> = whole.chars().collect();
        for (size, step) in [(10, 5), (20, 19), (30, 7)] {
            let mut parts = Vec::new();
            let mut start = 0;
            loop {
                let end = (start + size).min(characters.len());
                parts.push(characters[start..end].iter().collect::<String>());
                if end == characters.len() {
                    break;
                }
                start += step;
            }
            let parts: Vec<_> = parts.iter().map(String::as_str).collect();
            assert!(candidates(&parts).any(|text| text == whole), "{size} {step}");
        }
        assert_eq!(overlap("abcab", "abcd"), 2);
        assert_eq!(overlap("aaa", "aaaa"), 3);
        assert_eq!(overlap("", "x"), 0);
        assert_eq!(overlap("x", ""), 0);
        assert_eq!(overlap("xaa", "aa"), 2);
    }
}
