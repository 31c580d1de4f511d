//! The secrets of the backends that are alive in this library.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    sync::{
        PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use serde_json::Value;

use super::{
    Found,
    matching::{Needle, replace},
    secrets_in,
};

static KNOWN: RwLock<Known> = RwLock::new(Known { secrets: BTreeMap::new(), may_start: [false; 256] });

/// Whether there is any: most backends have none, and need no lock.
static ANY: AtomicBool = AtomicBool::new(false);

struct Known {
    secrets: BTreeMap<String, Secret>,
    /// What a secret can begin with, in any writing.
    may_start: [bool; 256],
}

struct Secret {
    /// Of how many backends.
    holders: usize,
    needles: Vec<Needle>,
}

/// Whether short secrets are hidden where they stand as words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Words {
    /// They are.
    Hidden,
    /// They are not: in paths they are more likely names.
    Shown,
}

/// The secrets of one backend, which are hidden until this is dropped.
#[derive(Debug, Default)]
pub(crate) struct Lease(Vec<String>);

impl Lease {
    /// Takes note of the secrets in the options.
    pub(crate) fn of(options: &Value, schema: &Value) -> Self {
        let mut held = Vec::new();
        for found in secrets_in(options, schema) {
            let (text, in_url) = match found {
                Found::Whole(text) => (text.to_owned(), false),
                Found::Number(text) => (text, false),
                Found::InUrl(text) => (decoded(text), true),
            };
            // Whoever reads it from a file may have cut its end off, as may who sends it.
            let trimmed = text.trim().to_owned();
            for text in [Some(text).filter(|text| *text != trimmed), Some(trimmed)].into_iter().flatten() {
                let needles = Needle::all(&text, in_url);
                if !needles.is_empty() {
                    held.push((text, needles));
                }
            }
        }
        if held.is_empty() {
            return Self::default();
        }
        let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
        let mut lease = Vec::with_capacity(held.len());
        for (text, needles) in held {
            known.secrets.entry(text.clone()).or_insert(Secret { holders: 0, needles }).holders += 1;
            lease.push(text);
        }
        known.look();
        Self(lease)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.0.is_empty() {
            return;
        }
        let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
        for text in &self.0 {
            if let Some(secret) = known.secrets.get_mut(text) {
                secret.holders -= 1;
                if secret.holders == 0 {
                    known.secrets.remove(text);
                }
            }
        }
        known.look();
    }
}

impl Known {
    fn look(&mut self) {
        self.may_start = [false; 256];
        for start in self.secrets.values().flat_map(|secret| &secret.needles).flat_map(Needle::starts) {
            self.may_start[usize::from(start)] = true;
        }
        ANY.store(!self.secrets.is_empty(), Ordering::Release);
    }
}

/// The text without any secret of a backend that is alive.
pub(crate) fn hide(text: &str, words: Words) -> Cow<'_, str> {
    if !ANY.load(Ordering::Acquire) {
        return Cow::Borrowed(text);
    }
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    let needles = known.secrets.values().flat_map(|secret| &secret.needles);
    replace(text, &known.may_start, words, needles).map_or(Cow::Borrowed(text), Cow::Owned)
}

/// The same for every text in an answer.
pub(crate) fn hide_in_answer(answer: &mut Value) {
    if !ANY.load(Ordering::Acquire) {
        return;
    }
    match answer {
        Value::String(text) => {
            if let Cow::Owned(hidden) = hide(text, Words::Hidden) {
                *text = hidden;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(hide_in_answer),
        Value::Object(members) => {
            let all = std::mem::take(members);
            members.extend(all.into_iter().map(|(key, mut value)| {
                hide_in_answer(&mut value);
                (hide(&key, Words::Hidden).into_owned(), value)
            }));
        }
        _ => {}
    }
}

/// A part of a URL as it was before it was encoded, which is found however it is encoded.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = text.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        let (byte, length) = match escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => (byte, 3),
            None => (bytes[at], 1),
        };
        plain.push(byte);
        at += length;
    }
    String::from_utf8(plain).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn lease(secret: &str) -> Lease {
        Lease::of(&json!({"key": secret}), &json!({"properties": {"key": {"writeOnly": true}}}))
    }

    fn hidden(text: &str) -> String {
        hide(text, Words::Hidden).into_owned()
    }

    /// Encodes as the RFC has it, to have something to compare with.
    fn base64(bytes: &[u8], url_safe: bool, padded: bool) -> String {
        let last = if url_safe { ['-', '_'] } else { ['+', '/'] };
        let alphabet: Vec<char> = ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(last).collect();
        let mut text = String::new();
        for chunk in bytes.chunks(3) {
            let word = (0..3).fold(0u32, |word, i| word << 8 | u32::from(chunk.get(i).copied().unwrap_or(0)));
            for i in 0..4 {
                match i <= chunk.len() {
                    true => text.push(alphabet[(word >> (18 - 6 * i)) as usize & 63]),
                    false if padded => text.push('='),
                    false => {}
                }
            }
        }
        text
    }

    #[test]
    fn a_secret_is_hidden_in_every_writing() {
        let secret = "h\"un\\t/é r+2?ÿþ~\n😀";
        let _lease = lease(secret);
        let encode = |plain: &dyn Fn(u8) -> bool, upper: bool, space: &str| -> String {
            let one = |byte: u8| match byte {
                b' ' if !space.is_empty() => space.to_owned(),
                byte if plain(byte) => char::from(byte).to_string(),
                byte if upper => format!("%{byte:02X}"),
                byte => format!("%{byte:02x}"),
            };
            secret.bytes().map(one).collect()
        };
        let letters = |byte: u8| byte.is_ascii_alphanumeric();
        let json = json!(secret).to_string();
        let ascii_json: String = secret.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
        let mut writings = vec![
            secret.to_owned(),
            json.trim_matches('"').to_owned(),
            json!(json).to_string().trim_matches('"').trim_matches(['\\', '"']).to_owned(),
            json.trim_matches('"').replace('/', "\\/"),
            ascii_json,
            format!("{secret:?}").trim_matches('"').to_owned(),
            secret.escape_default().to_string(),
            encode(&letters, true, ""),
            encode(&letters, false, ""),
            encode(&letters, true, "+"),
            encode(&|byte| letters(byte) || byte == b'~' || byte == b'/', true, "+"),
            encode(&|_| false, true, ""),
            encode(&letters, true, "").replace('%', "%25"),
        ];
        for before in ["", "a", "ab", "user:", "x-token:"] {
            for after in ["", "z", "zz"] {
                for (url_safe, padded) in [(false, true), (false, false), (true, true), (true, false)] {
                    let whole = format!("{before}{secret}{after}");
                    writings.push(base64(whole.as_bytes(), url_safe, padded));
                }
            }
        }
        for writing in writings {
            assert_eq!(hidden(&format!("<{writing}>")), "<[redacted]>", "{writing}");
            assert_eq!(hidden(&format!("<{writing}> and <{writing}>")), "<[redacted]> and <[redacted]>");
        }
    }

    #[test]
    fn what_holds_none_is_as_it_was() {
        let _lease = lease("correct horse battery");
        for text in
            ["", "correct", "100% of c\\d", "%", "%2", "\\", "\\u", "\\u{", "co%72rect horse batter", "é%"]
        {
            assert!(matches!(hide(text, Words::Hidden), Cow::Borrowed(_)), "{text}");
        }
    }

    #[test]
    fn short_secrets_are_hidden_as_words_and_the_shortest_not_at_all() {
        let _leases = ["q", "zq", "qzx", "zq9q2"].map(lease);
        assert_eq!(
            hidden("q and zq, qzx; qzxy zq9q2/zq9q2_"),
            "q and zq, [redacted]; qzxy [redacted]/zq9q2_"
        );
        assert_eq!(hide("qzx/zq9q2", Words::Shown), "qzx/zq9q2");
    }

    #[test]
    fn every_living_backend_counts_and_no_dead_one() {
        let (one, other) = (lease("one-living-secret"), lease("another-living-secret"));
        let again = lease("one-living-secret");
        assert_eq!(hidden("one-living-secret another-living-secret"), "[redacted] [redacted]");
        drop(one);
        assert_eq!(hidden("one-living-secret"), "[redacted]");
        drop(again);
        assert_eq!(hidden("one-living-secret another-living-secret"), "one-living-secret [redacted]");
        drop(other);
        assert_eq!(hidden("another-living-secret"), "another-living-secret");
    }

    #[test]
    fn what_a_url_has_encoded_is_found_plain_too() {
        let schema = json!({"properties": {"url": {"type": "string"}}});
        let _lease =
            Lease::of(&json!({"url": "https://ann:a%2fb%c3%a9%-pass@host/?sig=q%3Dw+e%20rty"}), &schema);
        for text in
            ["a/b\u{e9}%-pass", "a%2Fb%C3%A9%25-pass", "q=w+e rty", "https://ann:a%2fb%c3%a9%-pass@host"]
        {
            assert!(hidden(text).contains("[redacted]"), "{text}");
            assert!(!hidden(text).contains("-pass"), "{text}");
        }
        assert!(hidden("ann").contains("ann"));
    }

    #[test]
    fn answers_are_searched_throughout() {
        let _lease = lease("answer-secret");
        let mut answer = json!({"a": ["x answer-secret", 1, null], "answer-secret": {"b": "answer-secret"}});
        hide_in_answer(&mut answer);
        assert_eq!(answer, json!({"a": ["x [redacted]", 1, null], "[redacted]": {"b": "[redacted]"}}));
    }
}
