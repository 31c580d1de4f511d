//! The service's operations, one method each.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use f9_http::{
    Body, Client, ClientOptions, Method, Request, Response, RetryPolicy, StatusCode, Url, parse_url,
};
use f9_plugin_api::{Bytes, Context, Error, ErrorKind, Result, Secret, log, serde::de::DeserializeOwned};
use serde_json::{Map, Value, json};

use crate::{
    failure::{Failure, Refusal, is_final, request_id},
    options::{OpenAiOptions, Purpose},
    pace::Limits,
    random,
    types::{File, Hit, Page, ParsedContent, StoreFile},
};

pub(crate) type Attributes = Map<String, Value>;

/// The most that one answer may hold: a part is at most 1 MiB, and its armour with overlapping chunks under 4.
const ANSWER_MAX: usize = 64 << 20;

/// The vendor's own server.
const ORIGINAL: &str = "api.openai.com";

/// Entries of one page of the store's listing, which the service allows at most.
const PAGE: &str = "100";

/// Entries of one page of all files, which the service allows at most.
const FILES_PAGE: &str = "10000";

/// Pages of a listing that are followed, 1,000,000 files of a store: a server that always has another one is not followed
/// for ever. Tests do not want to wait for so many.
pub(crate) const MAX_PAGES: usize = if cfg!(test) { 300 } else { 10_000 };

/// How long one request may take that takes back what came to nothing.
const UNDOING: Duration = Duration::from_secs(5);

/// The newest of the uploaded files, which one that was made just now is among.
const NEWEST: &str = "1000";

/// A client of one vector store.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    client: Client,
    base: Url,
    store: String,
    key: Secret,
    organization: Option<String>,
    project: Option<String>,
    purpose: Purpose,
    timeout: Duration,
    retry: RetryPolicy,
    limits: Limits,
}

/// From which end a listing is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    OldestFirst,
    NewestFirst,
}

/// How the service cuts a file for its index.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Chunking {
    /// As the service likes best.
    Auto,
    /// In the largest chunks, which overlap by several lines of armour.
    Large,
}

impl Api {
    pub(crate) fn new(options: &OpenAiOptions, context: Context) -> Result<Self> {
        let timeout = OpenAiOptions::seconds("timeout", options.timeout)?;
        if !is_id(&options.vector_store_id) {
            let message = "wrong value for the key `vector_store_id`: expected letters, digits, `_` and `-`";
            return Err(Error::new(ErrorKind::InvalidConnection, message).with("key", "vector_store_id"));
        }
        let base = parse_url(&options.base_url).map_err(|error| error.with("key", "base_url"))?;
        if base.scheme() == "http" && !matches!(base.host_str(), Some("localhost" | "127.0.0.1" | "[::1]")) {
            log::warn!("`base_url` is not encrypted: everybody on the way can read the API key");
        }
        let mut connecting = ClientOptions::default();
        connecting.ca_bundle.clone_from(&options.ca_bundle);
        connecting.proxy.clone_from(&options.proxy);
        connecting.inactivity_timeout = timeout;
        let is_original = base.host_str() == Some(ORIGINAL);
        Ok(Self {
            client: Client::new(&connecting, context)?,
            limits: Limits::of(options, is_original),
            base,
            store: options.vector_store_id.clone(),
            key: options.api_key.clone(),
            organization: options.organization.clone(),
            project: options.project.clone(),
            purpose: options.purpose,
            timeout,
            retry: RetryPolicy { is_final, ..RetryPolicy::times(options.max_retries) },
        })
    }

    /// The same for taking back what came to nothing: nobody cancels it, and it takes no longer than a moment.
    pub(crate) fn for_undoing(&self) -> Self {
        Self {
            client: self.client.with_context(Context::detached()),
            timeout: self.timeout.min(UNDOING),
            retry: RetryPolicy { is_final, ..RetryPolicy::times(1) },
            ..self.clone()
        }
    }

    /// Whether this is the vendor's own service.
    pub(crate) fn is_original(&self) -> bool {
        self.base.host_str() == Some(ORIGINAL)
    }

    /// Uploads a file. A repetition after a lost answer can leave a second one of the same name, attached to nothing.
    pub(crate) fn upload(&self, filename: &str, content: &[u8]) -> Result<File, Failure> {
        self.upload_as(self.purpose.as_str(), filename, "text/plain", content)
    }

    /// Uploads a file of any purpose.
    pub(crate) fn upload_as(
        &self,
        purpose: &str,
        filename: &str,
        content_type: &str,
        content: &[u8],
    ) -> Result<File, Failure> {
        let boundary = format!("f9-{:016x}{:016x}", random(), random());
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\n{purpose}\r\n\
             --{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{filename}\"\r\n\
             Content-Type: {content_type}\r\n\r\n",
        );
        let form = [head.as_bytes(), content, format!("\r\n--{boundary}--\r\n").as_bytes()].concat();
        let kind = format!("multipart/form-data; boundary={boundary}");
        let url = self.url(&["files"]);
        let request = Request::post(url, &kind, Body::Bytes(form.into()));
        self.json(request.pace(self.limits.uploads.clone()), "a file")
    }

    /// Puts an uploaded file into the store. Doing so again replaces.
    pub(crate) fn attach(
        &self,
        file: &str,
        attributes: &Attributes,
        chunking: Chunking,
    ) -> Result<StoreFile, Failure> {
        let mut body = json!({"file_id": file, "attributes": attributes});
        if let Chunking::Large = chunking {
            let sizes = json!({"max_chunk_size_tokens": 4096, "chunk_overlap_tokens": 512});
            body["chunking_strategy"] = json!({"type": "static", "static": sizes});
        }
        let request = self.post(&["vector_stores", &self.store, "files"], &body);
        self.json(request.pace(self.limits.writes.clone()), "a file of the store")
    }

    /// A file of the store, and how long the service wants to be left alone before it is asked again.
    pub(crate) fn retrieve(&self, file: &str) -> Result<(StoreFile, Option<Duration>), Failure> {
        let response = self.send(self.get(&["vector_stores", &self.store, "files", file]))?;
        let pause = response.header("openai-poll-after-ms").and_then(|ms| ms.parse().ok());
        Ok((self.parse(response, "a file of the store")?, pause.map(Duration::from_millis)))
    }

    /// Replaces all attributes of a file of the store.
    pub(crate) fn update(&self, file: &str, attributes: &Attributes) -> Result<StoreFile, Failure> {
        let body = json!({"attributes": attributes});
        self.json(self.post(&["vector_stores", &self.store, "files", file], &body), "a file of the store")
    }

    /// Takes a file out of the store. One that is not in it is fine: a repetition finds it gone.
    pub(crate) fn detach(&self, file: &str) -> Result<(), Failure> {
        self.remove(&["vector_stores", &self.store, "files", file])
    }

    /// Deletes an uploaded file. One that is not there is fine.
    pub(crate) fn delete_file(&self, file: &str) -> Result<(), Failure> {
        self.remove(&["files", file])
    }

    /// Up to 100 files of the store, after the one that a page ended with.
    pub(crate) fn list(&self, order: Order, after: Option<&str>) -> Result<Page<StoreFile>, Failure> {
        let order = if order == Order::OldestFirst { "asc" } else { "desc" };
        let url = self.url(&["vector_stores", &self.store, "files"]);
        let request =
            self.get_url(with_query(url, &[("limit", Some(PAGE)), ("order", Some(order)), ("after", after)]));
        self.json(request, "a page of the store's files").map_err(|failure| match failure {
            failure if failure.is_missing() => {
                let message =
                    format!("the service knows no vector store `{}` that this API key may use", self.store);
                let error = Error::new(ErrorKind::InvalidConnection, message).with("key", "vector_store_id");
                error.hint("check `vector_store_id`, `base_url`, `organization` and `project`").into()
            }
            other => other,
        })
    }

    /// Uploaded files of a purpose, attached or not.
    pub(crate) fn list_files(&self, purpose: &str, after: Option<&str>) -> Result<Page<File>, Failure> {
        let query = [("purpose", Some(purpose)), ("limit", Some(FILES_PAGE)), ("after", after)];
        self.json(self.get_url(with_query(self.url(&["files"]), &query)), "a page of the uploaded files")
    }

    /// The newest of the uploaded files of the purpose that uploads have.
    pub(crate) fn newest_files(&self) -> Result<Page<File>, Failure> {
        let purpose = self.purpose.as_str();
        let query = [("purpose", Some(purpose)), ("limit", Some(NEWEST)), ("order", Some("desc"))];
        self.json(self.get_url(with_query(self.url(&["files"]), &query)), "a page of the uploaded files")
    }

    /// A file as it was uploaded; `None` if the service does not hand out files of this kind.
    pub(crate) fn download(&self, file: &str) -> Result<Option<Bytes>, Failure> {
        let request = self.get(&["files", file, "content"]).header("accept", "application/binary");
        match self.send(request) {
            Ok(response) => Ok(Some(response.bytes(ANSWER_MAX)?)),
            Err(Failure::Refused(refusal))
                if matches!(refusal.status, StatusCode::BAD_REQUEST | StatusCode::FORBIDDEN)
                    && refusal.message.contains("Not allowed to download") =>
            {
                Ok(None)
            }
            Err(failure) => Err(failure),
        }
    }

    /// What the service made of a file's text, in parts that may overlap.
    pub(crate) fn parsed_content(&self, file: &str) -> Result<Vec<String>, Failure> {
        let mut page = self.parsed_page(file, None)?;
        let mut parts = page.data;
        // How to ask for the next page is not documented. Whether this is right the checksum tells.
        let mut tokens = HashSet::new();
        while page.has_more
            && let Some(token) = page.next_page.take()
            && tokens.insert(token.clone())
        {
            if tokens.len() >= MAX_PAGES {
                return Err(endless("the parsed content of a file").into());
            }
            page = self.parsed_page(file, Some(("page", &token)))?;
            parts.append(&mut page.data);
            if parts.iter().map(|part| part.text.len()).sum::<usize>() > ANSWER_MAX {
                return Err(endless("the parsed content of a file").into());
            }
        }
        Ok(parts.into_iter().map(|part| part.text).collect())
    }

    /// One page of the text that the service made of a file.
    pub(crate) fn parsed_page(
        &self,
        file: &str,
        next: Option<(&str, &str)>,
    ) -> Result<ParsedContent, Failure> {
        let mut url = self.url(&["vector_stores", &self.store, "files", file, "content"]);
        if let Some((parameter, token)) = next {
            url = with_query(url, &[(parameter, Some(token))]);
        }
        self.json(self.get_url(url), "the parsed content of a file")
    }

    /// Asks for the store without saying which version of the API is meant.
    pub(crate) fn ask_without_beta(&self) -> Result<(), Failure> {
        let url = with_query(self.url(&["vector_stores", &self.store, "files"]), &[("limit", Some("1"))]);
        self.send_plain(self.get_url(url)).map(drop)
    }

    /// What of the store fits a query best.
    pub(crate) fn search(&self, query: &str, limit: u32, filters: &Value) -> Result<Vec<Hit>, Failure> {
        let body = json!({"query": query, "max_num_results": limit, "filters": filters});
        let page: Page<Hit> =
            self.json(self.post(&["vector_stores", &self.store, "search"], &body), "search results")?;
        Ok(page.data)
    }

    fn url(&self, segments: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    fn get(&self, segments: &[&str]) -> Request<'static> {
        self.get_url(self.url(segments))
    }

    fn get_url(&self, url: Url) -> Request<'static> {
        Request::get(url)
    }

    fn post(&self, segments: &[&str], body: &Value) -> Request<'static> {
        Request::post(self.url(segments), "application/json", Body::Bytes(body.to_string().into()))
    }

    fn remove(&self, segments: &[&str]) -> Result<(), Failure> {
        match self.send(Request::new(Method::DELETE, self.url(segments))) {
            Ok(_) => Ok(()),
            Err(failure) if failure.is_missing() => Ok(()),
            Err(failure) => Err(failure),
        }
    }

    fn json<T: DeserializeOwned>(&self, request: Request<'_>, what: &str) -> Result<T, Failure> {
        self.parse(self.send(request)?, what)
    }

    fn parse<T: DeserializeOwned>(&self, response: Response, what: &str) -> Result<T, Failure> {
        let request_id = request_id(&response, &self.key);
        let body = response.bytes(ANSWER_MAX)?;
        serde_json::from_slice(&body).map_err(|error| {
            let message = format!("the service's answer is not {what}");
            let error = Error::new(ErrorKind::Network, message).caused_by(error);
            let error = error.hint("check that `base_url` leads to an OpenAI-compatible API");
            match request_id {
                Some(id) => error.with("request", id).into(),
                None => error.into(),
            }
        })
    }

    fn send(&self, mut request: Request<'_>) -> Result<Response, Failure> {
        if request.url().path().contains("/vector_stores") {
            request = request.header("openai-beta", "assistants=v2");
        }
        self.send_plain(request)
    }

    fn send_plain(&self, mut request: Request<'_>) -> Result<Response, Failure> {
        request = request.bearer(&self.key).timeout(Some(self.timeout)).retry(self.retry);
        if let Some(organization) = &self.organization {
            request = request.header("openai-organization", organization);
        }
        if let Some(project) = &self.project {
            request = request.header("openai-project", project);
        }
        let start = Instant::now();
        let call = format!("{} {}", request.method(), request.url().path());
        let response = self.client.send(request)?;
        let (status, took) = (response.status().as_u16(), start.elapsed());
        let id = || request_id(&response, &self.key);
        log::debug!("{call}: {status} in {took:.0?}, request {}", id().as_deref().unwrap_or("-"));
        if response.status().is_success() {
            return Ok(response);
        }
        Err(Failure::Refused(Refusal::read(response, &self.key)))
    }
}

/// What was still not at its end where everything there can be would have been.
pub(crate) fn endless(what: &str) -> Error {
    Error::new(ErrorKind::RemoteRefused, format!("{what} has no end: the service always says that there is more"))
        .hint("check that `base_url` leads to an OpenAI-compatible API; a store of more than 1,000,000 files has to be divided")
}

/// Whether text can be the id of an object of the service.
pub(crate) fn is_id(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    !text.is_empty() && text.len() <= 128 && text.bytes().all(allowed)
}

fn with_query(mut url: Url, query: &[(&str, Option<&str>)]) -> Url {
    let given = query.iter().filter_map(|(name, value)| Some((name, (*value)?)));
    url.query_pairs_mut().extend_pairs(given);
    url
}
