//! The list of branches with which a remote begins, as git2 can bear it.
//!
//! git takes any bytes for the name of a branch, and git2 panics at one that is not UTF-8, whatever branch is asked for. Such
//! names are changed on their way: their length stays, and nobody can ask for them.

use f9_plugin_api::Result;

/// Where in a remote's answer the list is.
#[derive(Default)]
pub(super) struct Advertised {
    /// How many ends of lists are still to come; after the last one, all is passed on as it is.
    ends: u8,
    /// A line on its way.
    line: Vec<u8>,
    passed: usize,
}

impl Advertised {
    /// For an answer that has so many lists, each of which ends with a flush packet (gitprotocol-pack(5)).
    pub(super) fn new(ends: u8) -> Self {
        Self { ends, ..Self::default() }
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
        let header = std::str::from_utf8(&self.line).ok().filter(|hex| hex.len() == 4);
        match header.and_then(|hex| usize::from_str_radix(hex, 16).ok()) {
            Some(0) => self.ends -= 1,
            Some(length @ 4..) => {
                self.extend(length - 4, &mut source)?;
                make_utf8(&mut self.line);
            }
            // Not git's protocol: libgit2 says what is wrong with it.
            _ => self.ends = 0,
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
    fn what_is_no_list_is_passed_on() {
        for odd in [&b"<html>\xff"[..], b"", b"00", b"0003x\xff", b"ffffshort\n", b"zzzz"] {
            assert_eq!(read(odd, 2, 3).len(), odd.len());
        }
        assert_eq!(read(b"<html>\xff", 2, 3), b"<html>\xff");
    }
}
