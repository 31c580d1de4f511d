//! What is answered.

use std::{
    fmt,
    io::{self, Read},
    time::Duration,
};

use bytes::{Buf, Bytes, BytesMut};
use f9_plugin_api::{Error, ErrorKind, Result};
use reqwest::{StatusCode, header::HeaderMap};

use crate::{
    error::status_error,
    exchange::{Answer, Incoming},
};

/// How much of a refusal's body is read, and how much of it is shown.
const REFUSAL_READ: usize = 64 << 10;
const REFUSAL_SHOWN: usize = 300;

/// An answer of any status, whose body is read on demand.
pub struct Response {
    status: StatusCode,
    headers: HeaderMap,
    reader: ResponseReader,
}

/// The body of an answer as a stream. Its errors carry an [`Error`]. Dropping it ends the exchange.
pub struct ResponseReader {
    /// What has arrived and was not read.
    piece: Bytes,
    rest: Incoming,
}

impl Response {
    pub(crate) fn new(answer: Answer) -> Self {
        let reader = ResponseReader { piece: Bytes::new(), rest: answer.body };
        Self { status: answer.status, headers: answer.headers, reader }
    }

    /// The status, success or not.
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// A header, if it is there once at least and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(crate) const fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The answer, if it is a success (2xx).
    ///
    /// # Errors
    ///
    /// [`Authentication`](ErrorKind::Authentication) for 401 and 407, [`PermissionDenied`](ErrorKind::PermissionDenied)
    /// for 403, [`NotFound`](ErrorKind::NotFound) for 404 and 410, [`Timeout`](ErrorKind::Timeout) for 408 and 504,
    /// [`RateLimited`](ErrorKind::RateLimited) for 429, [`Network`](ErrorKind::Network) for other 5xx,
    /// [`RemoteRefused`](ErrorKind::RemoteRefused) for all else, redirects included. Plain text in the body is quoted.
    pub fn error_for_status(mut self) -> Result<Self> {
        if self.status.is_success() {
            return Ok(self);
        }
        let text = self.header("content-type").is_some_and(|kind| kind.starts_with("text/plain"));
        let location = self.header("location").map(|to| to.split(['?', '#']).next().unwrap_or_default());
        let location = location.map(|to| self.reader.rest.watch().scrubber.clean(&without_userinfo(to)));
        let words = if text { self.reader.excerpt() } else { String::new() };
        let address = &self.reader.rest.watch().address;
        Err(status_error(self.status, address, &words, location.as_deref()))
    }

    /// The whole body.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::RemoteRefused`] if it has more than `limit` bytes.
    pub fn bytes(mut self, limit: usize) -> Result<Bytes> {
        self.reader.read_all(limit)
    }

    /// The body as a stream.
    pub fn into_reader(self) -> ResponseReader {
        self.reader
    }

    /// The body of a refusal, which stays to be read again; `None` if it broke off.
    pub(crate) fn refusal(&mut self) -> Option<&[u8]> {
        self.reader.piece = self.reader.read_all(REFUSAL_READ).ok()?;
        Some(&self.reader.piece)
    }
}

impl ResponseReader {
    /// Waits for the end of a body of which all that matters has been read, for `patience` at most. A connection whose
    /// answer is left before its end is closed; only one that came to the end serves the next request.
    pub fn finish(self, patience: Duration) {
        self.rest.finish(patience);
    }

    fn read_all(&mut self, limit: usize) -> Result<Bytes> {
        let first = std::mem::take(&mut self.piece);
        let Some(second) = self.rest.next()? else { return Ok(first) };
        let mut all = BytesMut::from(first);
        all.extend_from_slice(&second);
        while let Some(piece) = self.rest.next()? {
            all.extend_from_slice(&piece);
            if all.len() > limit {
                let message = format!("{} answers with more than {limit} bytes", self.rest.watch().address);
                return Err(Error::new(ErrorKind::RemoteRefused, message));
            }
        }
        Ok(all.freeze())
    }

    /// The beginning of a body that is text, as it may be shown.
    fn excerpt(&mut self) -> String {
        let body = self.read_all(REFUSAL_READ).unwrap_or_default(); // the status says enough without it
        let text = String::from_utf8_lossy(&body);
        let text = self.rest.watch().scrubber.clean(text.trim());
        text.chars().take(REFUSAL_SHOWN).collect()
    }
}

impl Read for ResponseReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.rest.next()? {
                Some(piece) => self.piece = piece,
                None => return Ok(0),
            }
        }
        let read = self.piece.len().min(buffer.len());
        self.piece.copy_to_slice(&mut buffer[..read]);
        Ok(read)
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Response({})", self.status)
    }
}

impl fmt::Debug for ResponseReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResponseReader")
    }
}

/// `scheme://user:password@host/…` without the part before the `@`.
fn without_userinfo(location: &str) -> String {
    let Some((scheme, rest)) = location.split_once("://") else { return location.to_owned() };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}
