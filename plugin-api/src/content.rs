//! What is written to a file: bytes, text, or whatever can be read.

use std::{fmt, io::Read};

use bytes::Bytes;

use crate::Result;

/// Content on its way into a backend.
///
/// Made with `into()` from text and bytes, borrowed or not, and with [`Content::reader`] from any `Read`.
pub enum Content<'a> {
    /// All of it, in memory.
    Bytes(&'a [u8]),
    /// A stream, read to its end. An error in it ends the operation and is its answer, and nothing is stored.
    Reader(&'a mut (dyn Read + Send)),
}

impl<'a> Content<'a> {
    /// Content that is read while it is stored.
    pub fn reader(reader: &'a mut (impl Read + Send)) -> Self {
        Self::Reader(reader)
    }

    /// The whole content in memory, for backends that need it so.
    ///
    /// # Errors
    ///
    /// Whatever the reader answers.
    pub fn into_bytes(self) -> Result<Bytes> {
        match self {
            Self::Bytes(bytes) => Ok(Bytes::copy_from_slice(bytes)),
            Self::Reader(reader) => {
                let mut bytes = Vec::new();
                reader.read_to_end(&mut bytes)?;
                Ok(bytes.into())
            }
        }
    }
}

impl fmt::Debug for Content<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "Content({} bytes)", bytes.len()),
            Self::Reader(_) => f.write_str("Content(reader)"),
        }
    }
}

impl<'a> From<&'a [u8]> for Content<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Bytes(bytes)
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Content<'a> {
    fn from(bytes: &'a [u8; N]) -> Self {
        Self::Bytes(bytes)
    }
}

impl<'a> From<&'a str> for Content<'a> {
    fn from(text: &'a str) -> Self {
        Self::Bytes(text.as_bytes())
    }
}

impl<'a> From<&'a String> for Content<'a> {
    fn from(text: &'a String) -> Self {
        Self::Bytes(text.as_bytes())
    }
}

impl<'a> From<&'a Vec<u8>> for Content<'a> {
    fn from(bytes: &'a Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl<'a> From<&'a Bytes> for Content<'a> {
    fn from(bytes: &'a Bytes) -> Self {
        Self::Bytes(bytes)
    }
}
