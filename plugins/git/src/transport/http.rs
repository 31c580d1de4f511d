//! A remote behind HTTP or HTTPS, spoken as git's smart protocol over the project's one HTTP client.

use std::{
    fs::File,
    io::{self, Read, Seek as _, SeekFrom, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use f9_http::{Body, Client, ClientOptions, Request, ResponseReader, Url, parse_url};
use f9_plugin_api::{Context, Error, ErrorKind, Result};
use git2::transport::{Service, SmartSubtransport, SmartSubtransportStream};

use super::{
    advertised::Advertised,
    smart::{Connection, Failure, Pace},
};
use crate::{errors::clean, options::Settings, remote_url::Credentials};

/// A request of up to so many bytes is kept in memory; a larger one, such as a big pack, waits in a file.
const IN_MEMORY: usize = 1 << 20;

/// For how long the end of an answer is waited for after its last word, so that the connection can be used again.
const END: Duration = Duration::from_millis(100);

/// One configured remote.
#[derive(Clone)]
pub(crate) struct Http {
    client: Client,
    url: Url,
    credentials: Credentials,
    /// Where big requests wait, in files without a name.
    spool: PathBuf,
    timeout: Duration,
}

impl Http {
    pub(crate) fn new(url: &Url, settings: &Settings, context: Context) -> Result<Self> {
        let mut options = ClientOptions::default();
        options.ca_bundle.clone_from(&settings.ca_bundle);
        options.connect_timeout = settings.timeout;
        options.inactivity_timeout = settings.timeout;
        let client = Client::new(&options, context)?;
        Ok(Self {
            client,
            url: parse_url(url.as_str())?,
            credentials: settings.credentials.clone(),
            spool: settings.path.clone(),
            timeout: settings.timeout,
        })
    }

    /// The address of one of the remote's services. It is made of the connection's URL: what libgit2 passes may have been
    /// rewritten by the clone's configuration, and must not get the password.
    fn endpoint(&self, path: &str) -> Url {
        let mut url = self.url.clone();
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        url.set_path(&format!("{}/{path}", self.url.path().trim_end_matches('/')));
        url.set_query(query);
        url
    }

    fn authorize<'a>(&self, request: Request<'a>) -> Request<'a> {
        match (&self.credentials.username, &self.credentials.password) {
            (Some(user), Some(password)) => request.basic(user, password),
            _ => request,
        }
    }

    fn send(&self, request: Request<'_>, expected: &str) -> Result<ResponseReader> {
        let response =
            self.client.send(self.authorize(request))?.error_for_status().map_err(|e| self.explain(e))?;
        let found = response.header("content-type").unwrap_or_default();
        if found != expected {
            let message = format!(
                "this is no git server that speaks the smart protocol: found {:?}",
                clean(&self.credentials.redact(found))
            );
            return Err(Error::new(ErrorKind::RemoteRefused, message).hint("check `remote_url`"));
        }
        Ok(response.into_reader())
    }

    fn explain(&self, error: Error) -> Error {
        match error.kind() {
            ErrorKind::Authentication if self.credentials.password.is_none() => {
                error.hint("give `username` and `password` (or a token as password) in the connection")
            }
            ErrorKind::Authentication => error.hint("check `username` and `password`"),
            ErrorKind::PermissionDenied => error.hint("this user may not do that at the remote"),
            // Not the kind for a path of the backend that is not there.
            ErrorKind::NotFound => Error::new(ErrorKind::RemoteRefused, error.message())
                .hint("check `remote_url`; some servers say so to users without access")
                .caused_by(error),
            _ => error,
        }
    }
}

impl Connection for Http {
    const RPC: bool = true;

    fn subtransport(&self, failed: Failure) -> impl SmartSubtransport {
        Subtransport { http: self.clone(), failed }
    }

    fn redact(&self, text: &str) -> String {
        self.credentials.redact(text)
    }
}

struct Subtransport {
    http: Http,
    failed: Failure,
}

impl SmartSubtransport for Subtransport {
    fn action(&self, _: &str, service: Service) -> Result<Box<dyn SmartSubtransportStream>, git2::Error> {
        let (name, advertise) = match service {
            Service::UploadPackLs => ("git-upload-pack", true),
            Service::UploadPack => ("git-upload-pack", false),
            Service::ReceivePackLs => ("git-receive-pack", true),
            Service::ReceivePack => ("git-receive-pack", false),
        };
        let state = if advertise { State::Advertise } else { State::Asking(Outgoing::default()) };
        let stream = Stream { http: self.http.clone(), failed: self.failed.clone(), service: name, state };
        Ok(Box::new(stream))
    }

    fn close(&self) -> Result<(), git2::Error> {
        Ok(())
    }
}

/// One request and its answer. libgit2 writes all of the first before it reads the second.
struct Stream {
    http: Http,
    failed: Failure,
    service: &'static str,
    state: State,
}

enum State {
    /// The list of branches is to be asked for.
    Advertise,
    /// A request is being written.
    Asking(Outgoing),
    /// The answer is being read.
    Answering(Box<Answer>),
    /// It was, or failed.
    Over,
}

/// An answer, as far as it was not read.
struct Answer {
    reader: ResponseReader,
    pace: Pace,
    advertised: Advertised,
}

impl Stream {
    fn answer(&mut self) -> Result<&mut Answer> {
        let service = self.service;
        // The name of the service is a list of its own.
        let lists = if matches!(self.state, State::Advertise) { 2 } else { 0 };
        let reader = match &mut self.state {
            State::Advertise => {
                let url = self.http.endpoint(&format!("info/refs?service={service}"));
                let expected = format!("application/x-{service}-advertisement");
                Some(self.http.send(Request::get(url), &expected)?)
            }
            State::Asking(outgoing) => {
                let url = self.http.endpoint(service);
                let kind = format!("application/x-{service}-request");
                let request = Request::post(url, &kind, outgoing.body()?);
                Some(self.http.send(request, &format!("application/x-{service}-result"))?)
            }
            State::Answering(_) | State::Over => None,
        };
        if let Some(reader) = reader {
            let (pace, advertised) = (Pace::new(self.http.timeout), Advertised::new(lists));
            self.state = State::Answering(Box::new(Answer { reader, pace, advertised }));
        }
        match &mut self.state {
            State::Answering(answer) => Ok(answer),
            _ => Err(Error::new(ErrorKind::Other, "no answer was begun")),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let signs = self.failed.clone();
        let read = self.answer().and_then(|answer| {
            let Answer { reader, pace, advertised } = answer;
            let list = advertised.is_open();
            advertised.read(buffer, |buffer| {
                let read = reader.read(buffer)?;
                pace.note(read, list, &signs)?;
                Ok(read)
            })
        });
        read.map_err(|error| {
            self.state = State::Over;
            self.failed.note(error)
        })
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // libgit2 reads no further than git's protocol goes.
        if let State::Answering(answer) = std::mem::replace(&mut self.state, State::Over) {
            answer.reader.finish(END);
        }
    }
}

impl Write for Stream {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = match &mut self.state {
            State::Asking(outgoing) => outgoing.write(buffer, &self.http.spool),
            _ => Err(Error::new(ErrorKind::Other, "this request has no body")),
        };
        written.map_err(|error| self.failed.note(error))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A request's body, as far as it is written.
#[derive(Default)]
struct Outgoing {
    memory: Vec<u8>,
    /// What did not fit, in a file without a name.
    file: Option<File>,
    reader: Option<io::Chain<io::Cursor<Vec<u8>>, File>>,
}

impl Outgoing {
    fn write(&mut self, buffer: &[u8], spool: &Path) -> Result<usize> {
        if self.file.is_none() && self.memory.len() + buffer.len() <= IN_MEMORY {
            self.memory.extend_from_slice(buffer);
            return Ok(buffer.len());
        }
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(tempfile::tempfile_in(spool)?),
        };
        file.write_all(buffer)?;
        Ok(buffer.len())
    }

    fn body(&mut self) -> Result<Body<'_>> {
        let memory = std::mem::take(&mut self.memory);
        let Some(mut file) = self.file.take() else { return Ok(Body::Bytes(memory.into())) };
        let length = memory.len() as u64 + file.stream_position()?;
        file.seek(SeekFrom::Start(0))?;
        let reader = self.reader.insert(io::Cursor::new(memory).chain(file));
        Ok(Body::Reader(reader, Some(length)))
    }
}
