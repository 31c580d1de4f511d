//! From what can go wrong to errors that hold nothing secret.

use std::{error::Error as StdError, fmt, iter::successors};

use f9_plugin_api::{Error, ErrorKind, Result};
use reqwest::{StatusCode, Url};

/// Reads an `http` or `https` URL from a connection.
///
/// # Errors
///
/// [`ErrorKind::InvalidConnection`] for anything else, and for a URL with credentials in it. The text is not quoted: it
/// may hold some.
pub fn parse_url(text: &str) -> Result<Url> {
    let invalid = |why: &str| Error::new(ErrorKind::InvalidConnection, format!("not a usable URL: {why}"));
    let url = Url::parse(text).map_err(|error| invalid(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(invalid("expected one that starts with `https://` or `http://` and names a host"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid("it contains credentials").hint("give them as options of their own"));
    }
    Ok(url)
}

/// A URL as it may be shown: without credentials, query and fragment.
pub(crate) fn address(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}

/// Hides what a request knows to be secret, in text that came from anywhere.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scrubber(Vec<Hidden>);

#[derive(Clone)]
struct Hidden(String);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl Scrubber {
    pub(crate) fn new(secrets: Vec<String>) -> Self {
        Self(secrets.into_iter().filter(|secret| !secret.is_empty()).map(Hidden).collect())
    }

    pub(crate) fn clean(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| text.replace(&secret.0, "[redacted]"))
    }
}

/// What a failed exchange means. `to` is the address as it may be shown.
pub(crate) fn transport_error(error: &reqwest::Error, to: &str, scrubber: &Scrubber) -> Error {
    let causes: Vec<_> = successors(StdError::source(error), |&cause| cause.source())
        .map(|cause| scrubber.clean(&cause.to_string()))
        .collect();
    let certificate = causes.iter().any(|cause| cause.contains("invalid peer certificate"));
    let tls = certificate || causes.iter().any(|cause| cause.contains("received fatal alert"));
    let failure = if error.is_connect() && error.is_timeout() {
        Error::new(ErrorKind::Timeout, format!("cannot connect to {to} in time"))
            .hint("check the address and the network, or allow more time")
    } else if error.is_timeout() {
        Error::new(ErrorKind::Timeout, format!("no answer from {to} in time"))
    } else if certificate {
        Error::new(ErrorKind::Authentication, format!("the certificate of {to} is not trusted"))
            .hint("if a private authority issued it, name that authority's certificate in `ca_bundle`")
    } else if tls {
        Error::new(ErrorKind::RemoteRefused, format!("{to} refused the TLS connection"))
    } else if error.is_connect() {
        let why = causes.last().map(|cause| format!(": {cause}")).unwrap_or_default();
        Error::new(ErrorKind::Network, format!("cannot connect to {to}{why}"))
            .hint("check the address and the network")
    } else {
        Error::new(ErrorKind::Network, format!("the connection to {to} broke off")).hint("try again later")
    };
    match chain(causes) {
        Some(cause) => failure.caused_by(cause),
        None => failure,
    }
}

/// What an answer other than success means, with the server's words where it has some.
pub(crate) fn status_error(status: StatusCode, to: &str, words: &str, location: Option<&str>) -> Error {
    let failed = |kind, what: &str| Error::new(kind, format!("{what} (HTTP {}) by {to}", status.as_u16()));
    let error = match status.as_u16() {
        300..=399 => {
            let error = failed(ErrorKind::RemoteRefused, "redirected");
            return match location {
                Some(location) => error.hint(format!("redirects are not followed: use {location} instead")),
                None => error.hint("redirects are not followed: use the address it leads to"),
            };
        }
        401 | 407 => failed(ErrorKind::Authentication, "credentials not accepted").hint("check them"),
        403 => failed(ErrorKind::PermissionDenied, "access denied"),
        404 | 410 => failed(ErrorKind::NotFound, "not found"),
        408 | 504 => failed(ErrorKind::Timeout, "not done in time"),
        429 => failed(ErrorKind::RateLimited, "too many requests").hint("wait and try again"),
        500.. => {
            failed(ErrorKind::Network, "not done because of a failure of the server").hint("try again later")
        }
        _ => failed(ErrorKind::RemoteRefused, "refused"),
    };
    if words.is_empty() { error } else { error.with("answer", words) }
}

/// The causes as text, nearest first, as a chain that `source` walks.
#[derive(Debug)]
struct Cause {
    text: String,
    next: Option<Box<Cause>>,
}

fn chain(causes: Vec<String>) -> Option<Box<Cause>> {
    causes.into_iter().rev().fold(None, |next, text| Some(Box::new(Cause { text, next })))
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl StdError for Cause {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.next.as_deref().map(|next| next as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_with_credentials_or_another_scheme_are_refused_unquoted() {
        for text in [
            "https://u:canary@host/",
            "https://canary@host/",
            "ftp://host/canary",
            "canary",
            "https://",
            "file:///canary",
        ] {
            let error = parse_url(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConnection);
            assert!(!format!("{error:?}").contains("canary"), "{error:?}");
        }
        assert_eq!(address(&parse_url("https://host:444/a?b=c#d").unwrap()), "https://host:444/a");
    }

    #[test]
    fn kinds_of_answers() {
        let kind = |status| status_error(StatusCode::from_u16(status).unwrap(), "http://h/", "", None).kind();
        assert_eq!(kind(302), ErrorKind::RemoteRefused);
        assert_eq!(kind(401), ErrorKind::Authentication);
        assert_eq!(kind(403), ErrorKind::PermissionDenied);
        assert_eq!(kind(404), ErrorKind::NotFound);
        assert_eq!(kind(422), ErrorKind::RemoteRefused);
        assert_eq!(kind(429), ErrorKind::RateLimited);
        assert_eq!(kind(503), ErrorKind::Network);
    }
}
