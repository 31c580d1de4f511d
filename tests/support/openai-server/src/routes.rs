//! Which request is which, and what is asked of all of them.

use serde_json::Value;

use crate::{answer::Answer, contract, faults::Fault, files, http::Request, search, state::State, stores};

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Route {
    /// `POST /files`
    Upload,
    /// `GET /files`
    ListFiles,
    /// `GET /files/{file}`
    RetrieveFile,
    /// `DELETE /files/{file}`
    DeleteFile,
    /// `GET /files/{file}/content`
    Download,
    /// `GET /vector_stores/{store}`
    RetrieveStore,
    /// `POST /vector_stores/{store}/files`
    Attach,
    /// `GET /vector_stores/{store}/files`
    ListAttached,
    /// `GET /vector_stores/{store}/files/{file}`
    RetrieveAttached,
    /// `POST /vector_stores/{store}/files/{file}`
    UpdateAttributes,
    /// `DELETE /vector_stores/{store}/files/{file}`
    Detach,
    /// `GET /vector_stores/{store}/files/{file}/content`
    ParsedContent,
    /// `POST /vector_stores/{store}/search`
    Search,
    /// Anything else.
    Unknown,
}

impl Route {
    /// Every route that is served.
    pub const ALL: [Self; 13] = [
        Self::Upload,
        Self::ListFiles,
        Self::RetrieveFile,
        Self::DeleteFile,
        Self::Download,
        Self::RetrieveStore,
        Self::Attach,
        Self::ListAttached,
        Self::RetrieveAttached,
        Self::UpdateAttributes,
        Self::Detach,
        Self::ParsedContent,
        Self::Search,
    ];

    /// The schemas of the request's JSON and of the answer's, where they have one.
    const fn schemas(self) -> (Option<&'static str>, Option<&'static str>) {
        match self {
            Self::Upload | Self::RetrieveFile => (None, Some("OpenAIFile")),
            Self::ListFiles => (None, Some("ListFilesResponse")),
            Self::DeleteFile => (None, Some("DeleteFileResponse")),
            Self::RetrieveStore => (None, Some("VectorStoreObject")),
            Self::Attach => (Some("CreateVectorStoreFileRequest"), Some("VectorStoreFileObject")),
            Self::ListAttached => (None, Some("ListVectorStoreFilesResponse")),
            Self::RetrieveAttached => (None, Some("VectorStoreFileObject")),
            Self::UpdateAttributes => {
                (Some("UpdateVectorStoreFileAttributesRequest"), Some("VectorStoreFileObject"))
            }
            Self::Detach => (None, Some("DeleteVectorStoreFileResponse")),
            Self::Search => (Some("VectorStoreSearchRequest"), Some("VectorStoreSearchResultsPage")),
            // Of parsed content one shape is described and two are known; a download is bytes.
            Self::ParsedContent | Self::Download | Self::Unknown => (None, None),
        }
    }
}

pub(crate) fn of(request: &Request) -> Route {
    let segments: Vec<_> = segments(request).collect();
    match (request.method.as_str(), &segments[..]) {
        ("POST", ["v1", "files"]) => Route::Upload,
        ("GET", ["v1", "files"]) => Route::ListFiles,
        ("GET", ["v1", "files", _]) => Route::RetrieveFile,
        ("DELETE", ["v1", "files", _]) => Route::DeleteFile,
        ("GET", ["v1", "files", _, "content"]) => Route::Download,
        ("GET", ["v1", "vector_stores", _]) => Route::RetrieveStore,
        ("POST", ["v1", "vector_stores", _, "files"]) => Route::Attach,
        ("GET", ["v1", "vector_stores", _, "files"]) => Route::ListAttached,
        ("GET", ["v1", "vector_stores", _, "files", _]) => Route::RetrieveAttached,
        ("POST", ["v1", "vector_stores", _, "files", _]) => Route::UpdateAttributes,
        ("DELETE", ["v1", "vector_stores", _, "files", _]) => Route::Detach,
        ("GET", ["v1", "vector_stores", _, "files", _, "content"]) => Route::ParsedContent,
        ("POST", ["v1", "vector_stores", _, "search"]) => Route::Search,
        _ => Route::Unknown,
    }
}

fn segments(request: &Request) -> impl Iterator<Item = &str> {
    request.path.split('/').skip(1)
}

/// Carries a request out.
pub(crate) fn answer(state: &mut State, route: Route, request: &Request, fault: Option<&Fault>) -> Answer {
    let answer = authorize(request).unwrap_or_else(|| dispatch(state, route, request, fault));
    let schema = if answer.status == 200 { route.schemas().1 } else { Some("ErrorResponse") };
    if let Some(schema) = schema {
        let body = serde_json::from_slice(&answer.body).expect("answers are JSON");
        state.violations.extend(contract::violations(schema, &body));
    }
    let numbered = || format!("req_{:08}", state.requests.len());
    let id = state.settings.request_id.clone().unwrap_or_else(numbered);
    answer.header("x-request-id", &id).header("openai-version", "2020-10-01")
}

fn authorize(request: &Request) -> Option<Answer> {
    let refusal = |message: String, code| Some(Answer::error(401, &message, None, code));
    let Some(key) = request.header("authorization").and_then(|value| value.strip_prefix("Bearer ")) else {
        return refusal("You didn't provide an API key.".into(), None);
    };
    if key == crate::API_KEY {
        return None;
    }
    // As the service does: the middle is hidden, both ends are not.
    let end = &key[key.len().saturating_sub(4)..];
    refusal(
        format!("Incorrect API key provided: {}***{end}.", &key[..key.len().min(6)]),
        Some("invalid_api_key"),
    )
}

fn check_beta(state: &State, request: &Request) -> Option<Answer> {
    if !state.settings.beta_required || request.header("openai-beta") == Some("assistants=v2") {
        return None;
    }
    let message = "You must provide the 'OpenAI-Beta' header to access the Assistants API.";
    Some(Answer::error(400, message, None, Some("invalid_beta")))
}

fn dispatch(state: &mut State, route: Route, request: &Request, fault: Option<&Fault>) -> Answer {
    let body = match json_body(state, route, request) {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    let (first, second) = {
        let mut ids = segments(request).skip(2);
        (ids.next().unwrap_or_default(), ids.nth(1).unwrap_or_default())
    };
    if request.path.starts_with("/v1/vector_stores/")
        && let Some(refusal) = check_beta(state, request).or_else(|| stores::check_usable(state, first))
    {
        return refusal;
    }
    match route {
        Route::Upload => files::upload(state, request),
        Route::ListFiles => files::list(state, request),
        Route::RetrieveFile => files::retrieve(state, first),
        Route::DeleteFile => files::delete(state, first),
        Route::Download => files::download(state, first),
        Route::RetrieveStore => stores::retrieve(state, first),
        Route::Attach => stores::attach(state, first, &body, fault),
        Route::ListAttached => stores::list(state, first, request),
        Route::RetrieveAttached => stores::retrieve_file(state, first, second),
        Route::UpdateAttributes => stores::update(state, first, second, &body),
        Route::Detach => stores::detach(state, first, second),
        Route::ParsedContent => stores::content(state, first, second, request),
        Route::Search => search::search(state, first, &body),
        Route::Unknown => {
            state.violations.push(format!("unknown request {} {}", request.method, request.path));
            let message = format!("Unknown request URL: {} {}.", request.method, request.path);
            Answer::error(404, &message, None, Some("unknown_url"))
        }
    }
}

/// The JSON of a request that has some, if it keeps to the description.
fn json_body(state: &mut State, route: Route, request: &Request) -> Result<Value, Answer> {
    let Some(schema) = route.schemas().0 else { return Ok(Value::Null) };
    if request.header("content-type") != Some("application/json") {
        return Err(Answer::error(415, "Unsupported content type", None, Some("unsupported_content_type")));
    }
    let body: Value = serde_json::from_slice(&request.body)
        .map_err(|_| Answer::error(400, "We could not parse the JSON body of your request.", None, None))?;
    match contract::violations(schema, &body) {
        found if found.is_empty() => Ok(body),
        found => {
            let message = found.join("; ");
            state.violations.extend(found);
            Err(Answer::error(400, &message, None, Some("invalid_value")))
        }
    }
}
