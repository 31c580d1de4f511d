//! Finds a secret in text, in whatever way it is written there.

use std::ops::Range;

use super::{REDACTED, registry::Words};

/// A secret of fewer characters is hidden only as a word of its own.
const ANYWHERE: usize = 6;

/// A secret of fewer characters is not hidden.
const SHORTEST: usize = 3;

/// One way in which a secret can be written.
#[derive(Debug)]
pub(crate) struct Needle {
    chars: Vec<char>,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// As it is, however escaped.
    Anywhere,
    /// As it is, and nothing like a word at either side.
    Word,
    /// The part of base64 that does not depend on what else was encoded.
    Base64,
}

impl Needle {
    /// All ways, or none where the secret is too short. With `only_long`, where it would have to be a word, too.
    pub(crate) fn all(secret: &str, only_long: bool) -> Vec<Self> {
        let chars: Vec<char> = secret.chars().collect();
        match chars.len() {
            ANYWHERE.. => {
                let base64 = (0..3).map(|before| Self { chars: base64(secret, before), kind: Kind::Base64 });
                base64.chain([Self { chars, kind: Kind::Anywhere }]).collect()
            }
            SHORTEST.. if !only_long => vec![Self { chars, kind: Kind::Word }],
            _ => Vec::new(),
        }
    }

    /// The bytes that it can begin with in a text: those of escapes as well.
    pub(crate) fn starts(&self) -> impl Iterator<Item = u8> {
        let first = self.chars.first().copied().unwrap_or_default();
        let other = match (first, self.kind) {
            (' ', _) => b'+',
            ('+', Kind::Base64) => b'-',
            ('/', Kind::Base64) => b'_',
            _ => b'%',
        };
        let mut buffer = [0; 4];
        let literal = first.encode_utf8(&mut buffer).as_bytes()[0];
        [literal, other, b'%', b'\\'].into_iter()
    }

    /// What of the text it takes up, if it begins at `start`.
    fn find_at(&self, text: &str, start: usize, words: Words) -> Option<Range<usize>> {
        let bytes = text.as_bytes();
        let at = self.end(bytes, start)?;
        match self.kind {
            Kind::Anywhere => Some(start..at),
            Kind::Word => {
                let is_word =
                    words == Words::Hidden && !is_word_before(text, start) && !is_word_after(text, at);
                is_word.then_some(start..at)
            }
            // What is encoded with it tells the rest of its bits.
            Kind::Base64 => {
                let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/-_=".contains(byte);
                let before = bytes[..start].iter().rev().take_while(|byte| is_base64(byte)).count();
                let after = bytes[at..].iter().take_while(|byte| is_base64(byte)).count();
                Some(start - before..at + after)
            }
        }
    }
}

impl Needle {
    /// Where it ends in the text, if it begins at `at`.
    fn end(&self, text: &[u8], at: usize) -> Option<usize> {
        match self.kind {
            Kind::Base64 => self.chars.iter().try_fold(at, |at, &c| match c {
                '+' => step(text, at, '+').or_else(|| step(text, at, '-')),
                '/' => step(text, at, '/').or_else(|| step(text, at, '_')),
                c => step(text, at, c),
            }),
            _ => end_of(&self.chars, text, at),
        }
    }
}

/// Where characters end in the text. Backslashes of theirs are as many in the text or more, and the last of those may belong
/// to what is after them.
fn end_of(chars: &[char], text: &[u8], mut at: usize) -> Option<usize> {
    let mut rest = chars.iter();
    while let Some(&c) = rest.next() {
        // `%25` may stand for it, or be itself with what follows.
        if c == '%'
            && let Some(after) = percent(text, at, b"%")
            && let Some(end) = end_of(rest.as_slice(), text, after)
        {
            return Some(end);
        }
        let there = backslashes(text, at);
        if c != '\\' || there == 0 {
            at = step(text, at, c)?;
            continue;
        }
        if let Some(end) = escape(text, at, c).and_then(|after| end_of(rest.as_slice(), text, after)) {
            return Some(end);
        }
        let others = rest.as_slice().iter().take_while(|&&c| c == '\\').count();
        let after = &rest.as_slice()[others..];
        let fewest = (1 + others).max(there.saturating_sub(1));
        return (fewest..=there).rev().find_map(|count| end_of(after, text, at + count));
    }
    Some(at)
}

fn backslashes(text: &[u8], at: usize) -> usize {
    text.get(at..).unwrap_or_default().iter().take_while(|&&byte| byte == b'\\').count()
}

fn is_word_before(text: &str, at: usize) -> bool {
    text[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_')
}

fn is_word_after(text: &str, at: usize) -> bool {
    text[at..].chars().next().is_some_and(|c| c.is_alphanumeric() || c == '_')
}

/// Where the text goes on after a character, written in any way; `None` if it is another.
fn step(text: &[u8], at: usize, c: char) -> Option<usize> {
    let mut buffer = [0; 4];
    let encoded = c.encode_utf8(&mut buffer).as_bytes();
    let rest = text.get(at..)?;
    if rest.starts_with(encoded) {
        return Some(at + encoded.len());
    }
    match rest.first()? {
        b'+' if c == ' ' => Some(at + 1),
        b'%' => percent(text, at, encoded),
        b'\\' => escape(text, at, c),
        _ => None,
    }
}

/// `%C3%A9`, in large or small letters, encoded once more or not.
fn percent(text: &[u8], mut at: usize, encoded: &[u8]) -> Option<usize> {
    for &byte in encoded {
        at = text.get(at).filter(|&&found| found == b'%').map(|_| at + 1)?;
        while byte != b'%' && text.get(at..)?.starts_with(b"25") {
            at += 2;
        }
        (hex(text.get(at..at + 2)?)? == u32::from(byte)).then_some(())?;
        at += 2;
    }
    Some(at)
}

/// As JSON, Rust and others escape it, once or several times.
fn escape(text: &[u8], at: usize, c: char) -> Option<usize> {
    let after = at + backslashes(text, at);
    let rest = text.get(after..)?;
    match (*rest.first()?, c) {
        (b'n', '\n') | (b'r', '\r') | (b't', '\t') | (b'0', '\0') | (b'b', '\u{8}') | (b'f', '\u{c}') => {
            return Some(after + 1);
        }
        (b'u', _) if rest.get(1) == Some(&b'{') => {
            let end = rest.iter().take(10).position(|&byte| byte == b'}')?;
            return (hex(&rest[2..end])? == u32::from(c)).then_some(after + end + 1);
        }
        (b'u', _) if rest.len() >= 5 => {
            let mut units = [0; 2];
            let units = c.encode_utf16(&mut units);
            if let Some(end) = utf16(text, after, units) {
                return Some(end);
            }
        }
        (b'x', _) if rest.len() >= 3 && c.is_ascii() && hex(&rest[1..3]) == Some(u32::from(c)) => {
            return Some(after + 3);
        }
        _ => {}
    }
    let mut buffer = [0; 4];
    let encoded = c.encode_utf8(&mut buffer).as_bytes();
    (c.is_ascii_punctuation() && rest.starts_with(encoded)).then_some(after + encoded.len())
}

/// `u00e9`, and after backslashes another one where the character has two units.
fn utf16(text: &[u8], mut at: usize, units: &[u16]) -> Option<usize> {
    for (i, &unit) in units.iter().enumerate() {
        if i > 0 {
            at += backslashes(text, at);
        }
        (text.get(at) == Some(&b'u')).then_some(())?;
        (hex(text.get(at + 1..at + 5)?)? == u32::from(unit)).then_some(())?;
        at += 5;
    }
    Some(at)
}

fn hex(digits: &[u8]) -> Option<u32> {
    let digit = |value: Option<u32>, &byte: &u8| Some(value? << 4 | char::from(byte).to_digit(16)?);
    if digits.is_empty() || digits.len() > 6 { None } else { digits.iter().fold(Some(0), digit) }
}

/// What of the base64 of a secret stays the same, whatever stands after it and the `before` bytes ahead of it.
fn base64(secret: &str, before: usize) -> Vec<char> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bytes: Vec<u8> = std::iter::repeat_n(0, before).chain(secret.bytes()).collect();
    let bit = |at: usize| bytes[at / 8] >> (7 - at % 8) & 1;
    let first = (before * 8).div_ceil(6);
    let last = bytes.len() * 8 / 6;
    let letter = |letter: usize| (0..6).fold(0, |value, at| value << 1 | bit(letter * 6 + at));
    (first..last).map(|at| char::from(ALPHABET[usize::from(letter(at))])).collect()
}

/// The text with every needle replaced; `None` if there is none in it. `may_start` tells where one can begin.
pub(crate) fn replace<'n>(
    text: &str,
    may_start: &[bool; 256],
    words: Words,
    needles: impl Iterator<Item = &'n Needle> + Clone,
) -> Option<String> {
    let mut hidden: Option<String> = None;
    let (mut at, mut copied) = (0, 0);
    let bytes = text.as_bytes();
    while at < bytes.len() {
        if !may_start[usize::from(bytes[at])] || !text.is_char_boundary(at) {
            at += 1;
            continue;
        }
        let all = needles.clone().filter_map(|needle| needle.find_at(text, at, words));
        let longest = all.max_by_key(|found| found.end);
        let Some(found) = longest else {
            at += 1;
            continue;
        };
        let hidden = hidden.get_or_insert_with(String::new);
        if found.start > copied {
            hidden.push_str(&text[copied..found.start]);
        }
        if !hidden.ends_with(REDACTED) || found.start > copied {
            hidden.push_str(REDACTED);
        }
        (at, copied) = (found.end, found.end);
    }
    hidden.map(|mut hidden| {
        hidden.push_str(&text[copied..]);
        hidden
    })
}
