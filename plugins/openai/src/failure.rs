//! Why a request failed: the service's refusal, or anything else.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use f9_http::{Response, StatusCode};
use f9_plugin_api::{Error, ErrorKind, Secret};

use crate::types::ErrorResponse;

/// How much of a refusal is read, and how much of its message is shown.
const READ: usize = 64 << 10;
const SHOWN: usize = 300;

/// Why a request failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The service answered, and not with success.
    Refused(Refusal),
    /// There was no answer to make sense of.
    Other(Error),
}

/// The service's answer other than success.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) message: String,
    pub(crate) code: Option<String>,
    request_id: Option<String>,
    /// For a redirect: where it leads.
    redirect: Option<Error>,
}

impl Refusal {
    /// Reads a refusal; `key` is hidden in its message.
    pub(crate) fn read(response: Response, key: &Secret) -> Self {
        let status = response.status();
        let request_id = request_id(&response, key);
        if status.is_redirection() {
            let redirect = response.error_for_status().err();
            return Self { status, message: String::new(), code: None, request_id, redirect };
        }
        // Without a readable message the status must do.
        let body = response.bytes(READ).unwrap_or_default();
        let body = serde_json::from_slice::<ErrorResponse>(&body).ok().map(|body| body.error);
        let (message, code) = body.map_or((String::new(), None), |body| (body.message, body.code));
        Self { status, message: excerpt(&message, key), code, request_id, redirect: None }
    }

    pub(crate) fn has_code(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }

    fn into_error(self) -> Error {
        let error = match self.redirect {
            Some(error) => error,
            None => explain(self.status.as_u16(), self.code.as_deref(), &self.message),
        };
        match self.request_id {
            Some(id) => error.with("request", id),
            None => error,
        }
    }
}

/// Whether an answer says that waiting does not help.
pub(crate) fn is_final(body: &[u8]) -> bool {
    let body = serde_json::from_slice::<ErrorResponse>(body);
    body.is_ok_and(|body| body.error.code.as_deref() == Some("insufficient_quota"))
}

fn explain(status: u16, code: Option<&str>, message: &str) -> Error {
    let says = |kind, what: &str| {
        let words = if message.is_empty() { String::new() } else { format!(": {message}") };
        Error::new(kind, format!("{what} (HTTP {status}){words}"))
    };
    match (status, code) {
        // The service's message shows the ends of the key.
        (401, _) => {
            Error::new(ErrorKind::Authentication, "the service does not accept the API key (HTTP 401)")
                .hint("check `api_key`, and `organization` and `project` if they are given")
        }
        (403, _) => says(ErrorKind::PermissionDenied, "the service denies access")
            .hint("check what the API key is allowed to do, and `organization` and `project`"),
        (429, Some("insufficient_quota")) => says(ErrorKind::QuotaExceeded, "the account's quota is used up")
            .hint("waiting does not help: check the plan and billing of the account"),
        (429, _) => {
            says(ErrorKind::RateLimited, "the service wants fewer requests").hint("wait and try again")
        }
        (404, _) => says(ErrorKind::RemoteRefused, "the service does not know what was asked for"),
        (408 | 504, _) => {
            says(ErrorKind::Timeout, "the service did not answer in time").hint("try again later")
        }
        (413, _) => says(ErrorKind::StorageFull, "the service does not take so much"),
        (500.., _) => says(ErrorKind::Network, "the service failed").hint("try again later"),
        (400, _) if message.contains("has expired") => {
            says(ErrorKind::RemoteRefused, "the vector store cannot be used")
                .hint("create a vector store without an expiry and name it in `vector_store_id`")
        }
        _ => says(ErrorKind::RemoteRefused, "the service refused the request"),
    }
}

/// What the service calls a request, for its support.
pub(crate) fn request_id(response: &Response, key: &Secret) -> Option<String> {
    response.header("x-request-id").map(|id| excerpt(id, key))
}

/// Text from outside as it may be shown: without the key, as it is or in base64, and not longer than anybody reads.
fn excerpt(text: &str, key: &Secret) -> String {
    let key = key.expose();
    let forms = [key.to_owned(), STANDARD_NO_PAD.encode(key), URL_SAFE_NO_PAD.encode(key)];
    let forms = forms.iter().filter(|form| !form.is_empty());
    // Before it is cut: part of the key is as secret.
    let shown = forms.fold(text.trim().to_owned(), |text, form| text.replace(form, "[redacted]"));
    shown.chars().take(SHOWN).collect()
}

impl Failure {
    /// Whether the service may have done what it was asked for all the same.
    pub(crate) fn leaves_open(&self) -> bool {
        match self {
            Self::Refused(refusal) => refusal.status.is_server_error(),
            Self::Other(_) => true,
        }
    }

    /// Whether the service says that what the request named is not there.
    pub(crate) fn is_missing(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.status == StatusCode::NOT_FOUND)
    }

    /// Whether the service refuses a file for what it is.
    pub(crate) fn is_unsupported_file(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.has_code("unsupported_file"))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(refusal) => refusal.into_error(),
            Failure::Other(error) => error,
        }
    }
}
