//! Bytes as lines of ASCII that survive being parsed, normalised and cut.
//!
//! A line is `~`, its number in six hexadecimal digits, `.`, up to 54 bytes in base64, `.`, a CRC-32 of all between `~`
//! and this last dot in eight digits. Nothing depends on what is between the lines, on their order or on how often they come, so
//! chunks may overlap; a line that was altered or cut is not taken. The longest has 89 characters, under 80 tokens, so that
//! chunks which overlap by 512 tokens hold every line whole.

use std::fmt::Write as _;

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};

/// Bytes in one line.
const LINE: usize = 54;

pub(super) fn encode(content: &[u8], salt: u64) -> String {
    let mut text = String::with_capacity(64 + content.len().div_ceil(LINE) * 90);
    let _ = writeln!(text, "f9 armor 1 {salt:016x}"); // a String takes all
    for (number, bytes) in content.chunks(LINE).enumerate() {
        let start = text.len() + 1;
        let _ = write!(text, "~{number:06x}.");
        STANDARD_NO_PAD.encode_string(bytes, &mut text);
        let checksum = crc32(&text.as_bytes()[start..]);
        let _ = writeln!(text, ".{checksum:08x}");
    }
    text
}

/// The content of `length` bytes, if every line of it is in one of the texts or across two that follow each other.
pub(super) fn decode(texts: &[&str], length: usize) -> Option<Vec<u8>> {
    let mut content = Content { bytes: vec![0; length], missing: vec![true; length.div_ceil(LINE)] };
    texts.iter().for_each(|text| content.take(text.as_bytes()));
    if content.missing.contains(&true) && texts.len() > 1 {
        content.take(texts.concat().as_bytes());
    }
    (!content.missing.contains(&true)).then_some(content.bytes)
}

struct Content {
    bytes: Vec<u8>,
    missing: Vec<bool>,
}

impl Content {
    /// Takes every line that is whole.
    fn take(&mut self, text: &[u8]) {
        for (start, _) in text.iter().enumerate().filter(|(_, byte)| **byte == b'~') {
            if let Some((number, data)) = parse_line(&text[start + 1..]) {
                self.put(number, data);
            }
        }
    }

    fn put(&mut self, number: usize, data: &[u8]) {
        let start = number.saturating_mul(LINE);
        let end = (start.saturating_add(LINE)).min(self.bytes.len());
        let Some(missing) = self.missing.get_mut(number) else { return };
        if *missing && STANDARD_NO_PAD.decode_slice(data, &mut self.bytes[start..end]) == Ok(end - start) {
            *missing = false;
        }
    }
}

/// Number and base64 of the line that follows a `~`, if its checksum is right.
fn parse_line(line: &[u8]) -> Option<(usize, &[u8])> {
    let number = hex(line.get(..6)?)?;
    if line[6..].first() != Some(&b'.') {
        return None;
    }
    let data = &line[7..line.len().min(7 + LINE * 4 / 3 + 1)];
    let data = &data[..data.iter().position(|&byte| byte == b'.')?];
    let end = 7 + data.len();
    let checksum = hex(line.get(end + 1..end + 9)?)?;
    (crc32(&line[..end]) == checksum).then_some((number as usize, data))
}

fn hex(digits: &[u8]) -> Option<u32> {
    let lower = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
    let digits = std::str::from_utf8(digits).ok().filter(|digits| digits.as_bytes().iter().all(lower))?;
    u32::from_str_radix(digits, 16).ok()
}

/// CRC-32 as in gzip (RFC 1952, section 8).
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc: u32, &byte| crc >> 8 ^ TABLE[usize::from(crc as u8 ^ byte)])
}

const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        let mut crc = i as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
            bit += 1;
        }
        table[i] = crc;
        i += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes without a pattern, the same at each run.
    fn noise(length: usize) -> Vec<u8> {
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let next = |_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        };
        (0..length).map(next).collect()
    }

    #[test]
    fn crc_of_the_usual_check() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn every_length_survives() {
        for length in (0..200).chain([1023, 10_000]) {
            let content = noise(length);
            let text = encode(&content, 7);
            assert!(text.is_ascii());
            assert_eq!(decode(&[&text], length), Some(content));
        }
    }

    #[test]
    fn blanks_line_breaks_order_and_repetition_do_not_matter() {
        let content = noise(1000);
        let text = encode(&content, 0);
        let mut lines: Vec<_> = text.lines().collect();
        lines.reverse();
        assert_eq!(decode(&[&lines.join("\r\n")], 1000), Some(content.clone()));
        assert_eq!(decode(&[&lines.concat(), &text], 1000), Some(content.clone()));
        assert_eq!(decode(&[text.replace('\n', " ").trim()], 1000), Some(content));
    }

    #[test]
    fn chunks_may_be_cut_anywhere() {
        let content = noise(500);
        let text = encode(&content, 0);
        for at in 0..text.len() {
            let (a, b) = text.split_at(at);
            assert_eq!(decode(&[a, b], 500), Some(content.clone()), "{at}");
        }
    }

    #[test]
    fn what_is_altered_is_never_taken() {
        let content = noise(300);
        let text = encode(&content, 0);
        for at in 0..text.len() {
            for byte in [b'x', b'~', b'.', b'0', b' '] {
                let mut altered = text.clone().into_bytes();
                altered[at] = byte;
                let altered = String::from_utf8(altered).unwrap();
                let decoded = decode(&[&altered], 300);
                assert!(decoded.is_none() || decoded.as_ref() == Some(&content), "{at} {byte}");
            }
        }
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(decode(&[&lines[..lines.len() - 1].join("\n")], 300), None);
        assert_eq!(decode(&[], 300), None);
    }
}
