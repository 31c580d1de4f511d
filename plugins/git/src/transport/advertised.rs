//! The list of branches with which a remote begins, as git2 can bear it.
//!
//! git takes any bytes for the name of a branch, and git2 panics at one that is not UTF-8, whatever branch is asked for. Such
//! names are changed on their way: their length stays, and nobody can ask for them.

use f9_plugin_api::{Error, ErrorKind, Result};

use crate::errors::clean;

/// A list may be so many bytes. libgit2 keeps it in memory: this is room for millions of branches, and an end to a server that
/// does not end.
const MAX_LIST: usize = 256 << 20;

/// Where in a remote's answer the list is.
#[derive(Default)]
pub(super) struct Advertised {
    /// How many ends of lists are still to come; after the last one, all is passed on as it is.
    ends: u8,
    /// A line on its way.
    line: Vec<u8>,
    passed: usize,
    /// How much of the list has come.
    taken: usize,
}

impl Advertised {
    /// For an answer that has so many lists, each of which ends with a flush packet (gitprotocol-pack(5)).
    pub(super) fn new(ends: u8) -> Self {
        Self { ends, ..Self::default() }
    }

    /// Whether the list has not come to its end.
    pub(super) const fn is_open(&self) -> bool {
        self.ends > 0
    }

    /// Reads on, from `source`.
    pub(super) fn read(
        &mut self,
        buffer: &mut [u8],
        mut source: impl FnMut(&mut [u8]) -> Result<usize>,
    ) -> Result<usize> {
        if self.passed == self.line.len() {
            if self.ends == 0 {
                return source(buffer);
            }
            self.next_line(source)?;
        }
        let rest = &self.line[self.passed..];
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        self.passed += length;
        Ok(length)
    }

    fn next_line(&mut self, mut source: impl FnMut(&mut [u8]) -> Result<usize>) -> Result<()> {
        self.passed = 0;
        self.line.clear();
        self.extend(4, &mut source)?;
        if self.line.len() < 4 {
            return Ok(()); // libgit2 says that the answer broke off
        }
        let header = std::str::from_utf8(&self.line).ok();
        match header.filter(|hex| !hex.starts_with('+')).and_then(|hex| usize::from_str_radix(hex, 16).ok()) {
            Some(0) => self.ends -= 1,
            Some(length @ 4..) => {
                self.extend(length - 4, &mut source)?;
                make_utf8(&mut self.line);
            }
            _ => return Err(not_git(&self.line)),
        }
        self.taken += self.line.len();
        if self.taken > MAX_LIST {
            let message = format!("the remote's list of branches is longer than {} MiB", MAX_LIST >> 20);
            return Err(Error::new(ErrorKind::RemoteRefused, message)
                .hint("check `remote_url`; delete branches and tags at the remote that nobody needs"));
        }
        Ok(())
    }

    /// Reads `more` bytes, or what there is.
    fn extend(&mut self, more: usize, mut source: impl FnMut(&mut [u8]) -> Result<usize>) -> Result<()> {
        let mut end = self.line.len();
        self.line.resize(end + more, 0);
        while end < self.line.len() {
            match source(&mut self.line[end..])? {
                0 => {
                    self.line.truncate(end);
                    self.ends = 0;
                }
                read => end += read,
            }
        }
        Ok(())
    }
}

fn not_git(header: &[u8]) -> Error {
    let found = clean(&String::from_utf8_lossy(header));
    let message =
        format!("the remote's answer is not git's protocol: found {found:?} for the length of a line");
    Error::new(ErrorKind::RemoteRefused, message)
        .hint("check `remote_url`; behind SSH, see that the account's shell prints nothing by itself")
}

/// Puts a question mark for each byte that is not UTF-8.
fn make_utf8(line: &mut [u8]) {
    let mut start = 0;
    while let Err(error) = std::str::from_utf8(&line[start..]) {
        let bad = start + error.valid_up_to();
        let end = error.error_len().map_or(line.len(), |length| bad + length);
        line[bad..end].fill(b'?');
        start = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read from `bytes`, which come so many at a time.
    fn read(bytes: &[u8], ends: u8, at_once: usize) -> Vec<u8> {
        let (mut source, mut advertised, mut all) = (bytes, Advertised::new(ends), Vec::new());
        let mut buffer = [0; 7];
        loop {
            let read = advertised.read(&mut buffer, |into| {
                let length = source.len().min(into.len()).min(at_once);
                into[..length].copy_from_slice(&source[..length]);
                source = &source[length..];
                Ok(length)
            });
            match read.unwrap() {
                0 => return all,
                read => all.extend_from_slice(&buffer[..read]),
            }
        }
    }

    #[test]
    fn names_become_utf8_and_what_follows_stays_as_it_is() {
        for at_once in 1..20 {
            let list = b"0009caf\xe9\n000acaf\xc3\xa9\n0000PACK\xff\xfe";
            assert_eq!(read(list, 1, at_once), b"0009caf?\n000acaf\xc3\xa9\n0000PACK\xff\xfe");
            assert_eq!(read(b"0005\xff00000005\xff00000005\xff", 2, at_once), b"0005?00000005?00000005\xff");
        }
    }

    #[test]
    fn what_breaks_off_is_passed_on() {
        for odd in [&b""[..], b"00", b"ffffshort\n"] {
            assert_eq!(read(odd, 2, 3), odd);
        }
    }

    /// The error of reading lines of which `next` gives one after the other, and how many were read.
    fn refusal(mut next: impl FnMut() -> &'static [u8]) -> (Error, usize) {
        let (mut advertised, mut line, mut lines) = (Advertised::new(1), &b""[..], 0);
        let mut buffer = vec![0; 1 << 16];
        loop {
            let read = advertised.read(&mut buffer, |into| {
                if line.is_empty() {
                    line = next();
                    lines += 1;
                }
                let length = line.len().min(into.len());
                into[..length].copy_from_slice(&line[..length]);
                line = &line[length..];
                Ok(length)
            });
            if let Err(error) = read {
                return (error, lines);
            }
        }
    }

    #[test]
    fn what_is_no_list_is_told() {
        for odd in [&b"<html>\xff"[..], b"0001", b"0002", b"0003zzzz", b"zzzz", b"\xff\xff\xff\xff", b"+123"]
        {
            let (error, _) = refusal(|| odd);
            assert_eq!(error.kind(), ErrorKind::RemoteRefused, "{error:?}");
            assert!(error.message().contains("not git's protocol"), "{error:?}");
        }
    }

    #[test]
    fn a_list_without_end_is_given_up() {
        let line: &'static [u8] = Vec::leak([&b"fff0"[..], &[b'a'; 0xfff0 - 4]].concat());
        let (error, lines) = refusal(|| line);
        assert_eq!(error.kind(), ErrorKind::RemoteRefused, "{error:?}");
        assert!(error.message().contains("longer than 256 MiB"), "{error:?}");
        assert_eq!(lines, MAX_LIST / line.len() + 1);
    }
}
