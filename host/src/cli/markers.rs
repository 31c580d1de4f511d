//! Conflict markers, which do not belong into what settles a conflict.

use std::io::{self, Read};

use f9_host::{Error, ErrorKind};

/// The lines that start and end a conflict, in git's way of writing one, begin so.
const START: &[u8; 8] = b"<<<<<<< ";
const END: &[u8; 8] = b">>>>>>> ";

/// A reader that fails at its end if a conflict started and ended in what it has read.
pub(crate) struct WithoutMarkers<R> {
    inner: R,
    /// How the current line begins.
    line: Vec<u8>,
    has_start: bool,
    has_end: bool,
}

impl<R: Read> WithoutMarkers<R> {
    pub(crate) fn new(inner: R) -> Self {
        Self { inner, line: Vec::new(), has_start: false, has_end: false }
    }

    fn look_at(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if byte == b'\n' {
                self.line.clear();
            } else if self.line.len() < START.len() {
                self.line.push(byte);
                self.has_start |= self.line == START;
                self.has_end |= self.line == END;
            }
        }
    }
}

impl<R: Read> Read for WithoutMarkers<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.look_at(&buffer[..count]);
        if count == 0 && !buffer.is_empty() && self.has_start && self.has_end {
            let message = "there are conflict markers left; the conflict stays open";
            return Err(Error::new(ErrorKind::InvalidOperation, message)
                .hint(
                    "take out the lines with <<<<<<<, ======= and >>>>>>>; with --force it is taken as it is",
                )
                .into());
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conflict_is_found_however_it_is_read() {
        let read = |text: &str, step: usize| {
            let chunks = text.as_bytes().chunks(step);
            let mut reader = WithoutMarkers::new(io::empty());
            chunks.for_each(|chunk| reader.look_at(chunk));
            reader.read(&mut [0]).is_err()
        };
        let conflict = "a\n<<<<<<< ours\nb\n=======\nc\n>>>>>>> theirs\n";
        for step in [1, 3, 100] {
            assert!(read(conflict, step));
            assert!(!read("<<<<<<< only a start\n", step));
            assert!(!read(" <<<<<<< a\n =======\n >>>>>>> b\n", step));
            assert!(!read("<<<<<<<\n>>>>>>>\n", step));
        }
    }
}
