//! What is asked.

use std::{fmt, io::Read, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use f9_plugin_api::{Error, ErrorKind, Result, Secret};
use reqwest::{
    Method, Url,
    header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue},
};

use crate::{Pace, RetryPolicy};

/// A request in the making. Its `Debug` shows method and address, nothing else.
pub struct Request<'a> {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body<'a>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) retry: RetryPolicy,
    pub(crate) pace: Option<Pace>,
    /// What must not be seen in an error about this request.
    pub(crate) secrets: Vec<String>,
    /// What is wrong with a header; told when the request is sent.
    pub(crate) defect: Option<Error>,
}

/// What a request carries.
pub enum Body<'a> {
    /// Bytes in memory: these can be sent again by a retry.
    Bytes(Bytes),
    /// A stream, with its length if it is known. It is read once, so such a request is never retried.
    Reader(&'a mut (dyn Read + Send), Option<u64>),
}

impl<'a> Request<'a> {
    /// A request without a body.
    pub fn new(method: Method, url: Url) -> Self {
        Self {
            method,
            url,
            headers: HeaderMap::new(),
            body: Body::Bytes(Bytes::new()),
            timeout: None,
            retry: RetryPolicy::none(),
            pace: None,
            secrets: Vec::new(),
            defect: None,
        }
    }

    /// A GET request.
    pub fn get(url: Url) -> Self {
        Self::new(Method::GET, url)
    }

    /// A POST request with a body of this media type.
    pub fn post(url: Url, content_type: &str, body: Body<'a>) -> Self {
        Self { body, ..Self::new(Method::POST, url) }.header("content-type", content_type)
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        match HeaderValue::from_str(value) {
            Ok(value) => self.insert(HeaderName::from_static(name), value),
            Err(_) => self.note_defect(name),
        }
        self
    }

    /// Authenticates with a bearer token.
    #[must_use]
    pub fn bearer(self, token: &Secret) -> Self {
        self.authorize(format!("Bearer {}", token.expose()), [token.expose().to_owned()])
    }

    /// Authenticates with a name and a password (RFC 7617), without waiting to be asked.
    #[must_use]
    pub fn basic(self, user: &str, password: &Secret) -> Self {
        let encoded = STANDARD.encode(format!("{user}:{}", password.expose()));
        self.authorize(format!("Basic {encoded}"), [password.expose().to_owned(), encoded])
    }

    /// The method.
    pub const fn method(&self) -> &Method {
        &self.method
    }

    /// Where to.
    pub const fn url(&self) -> &Url {
        &self.url
    }

    /// Bounds the request in total: connecting, retries with the pauses between them, and reading the response.
    #[must_use]
    pub const fn timeout(mut self, timeout: Option<Duration>) -> Self {
        self.timeout = timeout;
        self
    }

    /// Chooses when the request is sent again. Default: never.
    #[must_use]
    pub const fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// Waits for its turn before it is sent, each time. That is not counted by [`timeout`](Self::timeout).
    #[must_use]
    pub fn pace(mut self, pace: Option<Pace>) -> Self {
        self.pace = pace;
        self
    }

    fn authorize<const N: usize>(mut self, value: String, secrets: [String; N]) -> Self {
        self.secrets.extend(secrets);
        match HeaderValue::from_str(&value) {
            Ok(mut value) => {
                value.set_sensitive(true);
                self.insert(AUTHORIZATION, value);
            }
            Err(_) => self.note_defect("authorization"),
        }
        self
    }

    fn insert(&mut self, name: HeaderName, value: HeaderValue) {
        self.headers.insert(name, value);
    }

    fn note_defect(&mut self, name: &str) {
        let message =
            format!("the value for the HTTP header `{name}` has characters that no header can hold");
        let error = Error::new(ErrorKind::InvalidConnection, message);
        self.defect = Some(error.hint("look for a line break or a control character in it"));
    }

    pub(crate) fn take_defect(&mut self) -> Result<()> {
        self.defect.take().map_or(Ok(()), Err)
    }
}

impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Request({} {})", self.method, crate::error::address(&self.url))
    }
}

impl fmt::Debug for Body<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "Body({} bytes)", bytes.len()),
            Self::Reader(_, length) => write!(f, "Body(reader, {length:?})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_secret() {
        let url = crate::parse_url("https://host/path?token=canary").unwrap();
        let request = Request::get(url).bearer(&Secret::new("canary")).header("x-api-key", "canary");
        assert_eq!(format!("{request:?}"), "Request(GET https://host/path)");
    }
}
