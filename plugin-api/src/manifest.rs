//! The manifest, put together at compile time so that it lies in the library's file as plain bytes.

use f9_plugin_abi::{MANIFEST_FORMAT, VERSION};

use crate::{Capabilities, boundary::TARGET};

/// What the author's crate contributes to the manifest.
#[derive(Debug, Clone, Copy)]
pub struct ManifestParts {
    /// [`Plugin::NAME`](crate::Plugin::NAME).
    pub name: &'static str,
    /// The author's package's.
    pub version: &'static str,
    /// The author's package's.
    pub description: &'static str,
    /// Bits of [`Capabilities`].
    pub capabilities: u64,
}

impl ManifestParts {
    /// The length of the JSON text.
    #[allow(clippy::len_without_is_empty, reason = "it is never empty")]
    pub const fn len(&self) -> usize {
        let mut counter = JsonWriter::<0> { bytes: [], len: 0 };
        self.write(&mut counter);
        counter.len
    }

    /// The JSON text and a NUL: `N` is [`len`](Self::len) + 1.
    pub const fn to_bytes<const N: usize>(&self) -> [u8; N] {
        assert!(is_name(self.name), "the NAME of a plugin must match [a-z][a-z0-9_]{{0,31}}");
        let mut writer = JsonWriter { bytes: [0; N], len: 0 };
        self.write(&mut writer);
        assert!(writer.len + 1 == N, "the manifest ends with a NUL");
        writer.bytes
    }

    const fn write<const N: usize>(&self, out: &mut JsonWriter<N>) {
        out.raw("{\"format\":");
        out.number(MANIFEST_FORMAT);
        out.raw(",\"abi\":");
        out.string(VERSION);
        out.raw(",\"name\":");
        out.string(self.name);
        out.raw(",\"version\":");
        out.string(self.version);
        out.raw(",\"description\":");
        out.string(self.description);
        out.raw(",\"target\":");
        out.string(TARGET);
        out.raw(",\"capabilities\":[");
        let (mut i, mut first) = (0, true);
        while i < Capabilities::NAMED.len() {
            let (name, bit) = Capabilities::NAMED[i];
            if self.capabilities & bit.bits() != 0 {
                out.raw(if first { "" } else { "," });
                out.string(name);
                first = false;
            }
            i += 1;
        }
        out.raw("]}");
    }
}

/// `[a-z][a-z0-9_]{0,31}`
const fn is_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    if bytes.is_empty() || bytes.len() > 32 || !bytes[0].is_ascii_lowercase() {
        return false;
    }
    let mut i = 0;
    while i < bytes.len() {
        if !(bytes[i].is_ascii_lowercase() || bytes[i].is_ascii_digit() || bytes[i] == b'_') {
            return false;
        }
        i += 1;
    }
    true
}

/// Writes JSON in const context; one without room only counts.
struct JsonWriter<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> JsonWriter<N> {
    const fn push(&mut self, byte: u8) {
        if N > 0 {
            self.bytes[self.len] = byte;
        }
        self.len += 1;
    }

    const fn raw(&mut self, text: &str) {
        let bytes = text.as_bytes();
        let mut i = 0;
        while i < bytes.len() {
            self.push(bytes[i]);
            i += 1;
        }
    }

    const fn number(&mut self, number: u32) {
        if number >= 10 {
            self.number(number / 10);
        }
        self.push(b'0' + (number % 10) as u8);
    }

    const fn string(&mut self, text: &str) {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let bytes = text.as_bytes();
        self.push(b'"');
        let mut i = 0;
        while i < bytes.len() {
            match bytes[i] {
                byte @ (b'"' | b'\\') => {
                    self.push(b'\\');
                    self.push(byte);
                }
                byte @ 0..0x20 => {
                    self.raw("\\u00");
                    self.push(HEX[(byte >> 4) as usize]);
                    self.push(HEX[(byte & 15) as usize]);
                }
                byte => self.push(byte),
            }
            i += 1;
        }
        self.push(b'"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARTS: ManifestParts = ManifestParts {
        name: "mem_2",
        version: "1.2.3-rc.1",
        description: "Says \"é\" \\ \n and \u{1}",
        capabilities: Capabilities::COPY.union(Capabilities::SYNC).bits(),
    };
    static BYTES: [u8; PARTS.len() + 1] = PARTS.to_bytes();

    #[test]
    fn is_json_ended_by_a_nul() {
        let (nul, text) = BYTES.split_last().unwrap();
        assert_eq!(*nul, 0);
        assert_eq!(
            serde_json::from_slice::<serde_json::Value>(text).unwrap(),
            serde_json::json!({
                "format": MANIFEST_FORMAT, "abi": VERSION, "name": "mem_2", "version": "1.2.3-rc.1",
                "description": PARTS.description, "target": TARGET, "capabilities": ["copy", "sync"],
            })
        );
    }

    #[test]
    fn names() {
        for (name, good) in
            [("a", true), ("git", true), ("s3_v2", true), ("", false), ("Git", false), ("9p", false)]
        {
            assert_eq!(is_name(name), good, "{name}");
        }
        assert!(!is_name("../evil") && !is_name(&"a".repeat(33)) && is_name(&"a".repeat(32)));
    }
}
