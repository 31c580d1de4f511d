//! `git http-backend` behind a small HTTP server.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::Authority;

/// The only user and password a server accepts.
pub type Login = (&'static str, &'static str);

/// What a server does with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Passes it to git.
    Serve,
    /// Answers with this status and text.
    Refuse(u16, &'static str),
    /// Sends the client to another address.
    Redirect(String),
    /// Reads it and never answers.
    Silent,
    /// Answers with one byte every tenth of a second, for ever.
    Drip,
    /// Closes the connection in the middle of the answer.
    Cut,
    /// Passes it to git, and holds back what is more than so many bytes of an answer.
    Stall(usize),
}

/// A request that arrived.
#[derive(Clone, Debug)]
pub struct Seen {
    /// `GET /remote.git/info/refs?service=git-upload-pack`.
    pub request: String,
    /// The `Authorization` header, decoded if it is Basic.
    pub authorization: Option<String>,
}

/// An HTTP or HTTPS server.
pub struct HttpServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    scheme: &'static str,
}

struct Shared {
    root: PathBuf,
    login: Option<Login>,
    tls: Option<Arc<ServerConfig>>,
    behaviour: Mutex<Behaviour>,
    seen: Mutex<Vec<Seen>>,
    connections: AtomicUsize,
    stopping: AtomicBool,
}

impl HttpServer {
    /// Serves the repositories in `root`; with an authority by HTTPS, with a login to nobody else.
    pub fn start(root: &Path, authority: Option<&Authority>, login: Option<Login>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            root: root.to_owned(),
            login,
            tls: authority.map(Authority::server),
            behaviour: Mutex::new(Behaviour::Serve),
            seen: Mutex::default(),
            connections: AtomicUsize::new(0),
            stopping: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || accept(&listener, &accepting));
        Self { address, shared, scheme: if authority.is_some() { "https" } else { "http" } }
    }

    /// The address of a repository.
    pub fn url(&self, repository: &str) -> String {
        format!("{}://localhost:{}/{repository}", self.scheme, self.address.port())
    }

    /// The same, with a user and password in it.
    pub fn url_with(&self, login: Login, repository: &str) -> String {
        format!("{}://{}:{}@localhost:{}/{repository}", self.scheme, login.0, login.1, self.address.port())
    }

    /// Changes what the server does from now on.
    pub fn behave(&self, behaviour: Behaviour) {
        *self.shared.behaviour.lock().unwrap() = behaviour;
    }

    /// What has arrived so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// How many connections were made so far.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address); // wakes the listener
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept() {
        if shared.stopping.load(Ordering::Relaxed) {
            return;
        }
        shared.connections.fetch_add(1, Ordering::Relaxed);
        let shared = Arc::clone(shared);
        // A client that goes away is no failure of the server's.
        thread::spawn(move || drop(serve_connection(&shared, stream)));
    }
}

fn serve_connection(shared: &Shared, tcp: TcpStream) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    match &shared.tls {
        None => serve(shared, BufReader::new(tcp.try_clone()?), |answer| (&tcp).write_all(answer))?,
        Some(config) => {
            let connection = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
            // Read and written by turns, never at once.
            let stream = Mutex::new(StreamOwned::new(connection, tcp.try_clone()?));
            let write = |answer: &[u8]| {
                let mut stream = stream.lock().unwrap();
                stream.write_all(answer)?;
                stream.flush()
            };
            serve(shared, BufReader::new(Locked(&stream)), write)?;
            let mut stream = stream.lock().unwrap();
            stream.conn.send_close_notify();
            stream.flush()?;
        }
    }
    tcp.shutdown(Shutdown::Both)
}

struct Locked<'a>(&'a Mutex<StreamOwned<ServerConnection, TcpStream>>);

impl Read for Locked<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.lock().unwrap().read(buffer)
    }
}

/// The head of a request.
struct Head {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
}

impl Head {
    fn read(input: &mut impl BufRead) -> io::Result<Self> {
        let mut line = || {
            let mut line = String::new();
            input.read_line(&mut line)?;
            if line.is_empty() {
                Err(io::ErrorKind::UnexpectedEof.into())
            } else {
                Ok(line.trim_end().to_owned())
            }
        };
        let first: Result<String, io::Error> = line();
        let first = first?;
        let mut words = first.split(' ').map(str::to_owned);
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let mut headers = Vec::new();
        loop {
            let text = line()?;
            let Some((name, value)) = text.split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        Ok(Self { method, target, headers })
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| &**value)
    }

    fn authorization(&self) -> Option<String> {
        let header = self.get("authorization")?;
        let decoded = header.strip_prefix("Basic ").and_then(|encoded| STANDARD.decode(encoded).ok());
        Some(decoded.map_or_else(|| header.to_owned(), |bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }
}

/// Answers requests until one ends the connection.
fn serve(
    shared: &Shared,
    mut input: impl BufRead,
    mut write: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    // A client that wants no more just closes its connection.
    while !input.fill_buf()?.is_empty() {
        if !answer(shared, &mut input, &mut write)? {
            break;
        }
    }
    Ok(())
}

/// Answers one request, and tells whether another may follow.
fn answer(
    shared: &Shared,
    input: &mut impl BufRead,
    mut write: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<bool> {
    let head = Head::read(input)?;
    let authorization = head.authorization();
    let request = format!("{} {}", head.method, head.target);
    shared.seen.lock().unwrap().push(Seen { request, authorization: authorization.clone() });
    if head.get("expect").is_some() {
        write(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let body = read_body(&head, input)?;
    let behaviour = shared.behaviour.lock().unwrap().clone();
    let mut most = usize::MAX;
    match behaviour {
        Behaviour::Serve => {}
        Behaviour::Stall(bytes) => most = bytes,
        Behaviour::Refuse(status, text) => return write(plain(status, "", text).as_bytes()).map(|()| false),
        Behaviour::Redirect(to) => {
            return write(plain(302, &format!("Location: {to}\r\n"), "").as_bytes()).map(|()| false);
        }
        Behaviour::Silent => return wait_until_stopped(shared).map(|()| false),
        Behaviour::Drip => {
            write(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-advertisement\r\n\r\n")?;
            // A comment that never ends.
            for byte in b"ffffx".iter().chain(std::iter::repeat(&b'x')) {
                write(&[*byte])?;
                thread::sleep(Duration::from_millis(100));
                if shared.stopping.load(Ordering::Relaxed) {
                    break;
                }
            }
            return Ok(false);
        }
        Behaviour::Cut => {
            return write(
                b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\nContent-Type: application/x-git-upload-pack-advertisement\r\n\r\n001e# s",
            )
            .map(|()| false);
        }
    }
    if let Some((user, password)) = shared.login
        && authorization.as_deref() != Some(&*format!("{user}:{password}"))
    {
        let ask = "WWW-Authenticate: Basic realm=\"git\"\r\n";
        return write(plain(401, ask, "who are you?").as_bytes()).map(|()| false);
    }
    let passed_on = |bytes: &[u8]| {
        if bytes.len() > most {
            wait_until_stopped(shared)?;
        }
        most = most.saturating_sub(bytes.len());
        write(bytes)
    };
    run_git(shared, &head, &body, passed_on).map(|()| true)
}

fn plain(status: u16, headers: &str, text: &str) -> String {
    format!(
        "HTTP/1.1 {status} Test\r\n{headers}Content-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
        text.len()
    )
}

fn wait_until_stopped(shared: &Shared) -> io::Result<()> {
    while !shared.stopping.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn read_body(head: &Head, input: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    if head.get("transfer-encoding").is_some_and(|encoding| encoding.eq_ignore_ascii_case("chunked")) {
        loop {
            let mut size = String::new();
            input.read_line(&mut size)?;
            let size = u64::from_str_radix(size.trim(), 16).map_err(io::Error::other)?;
            input.take(size).read_to_end(&mut body)?;
            input.read_line(&mut String::new())?;
            if size == 0 {
                return Ok(body);
            }
        }
    }
    let length = head.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    input.take(length).read_to_end(&mut body)?;
    if (body.len() as u64) < length { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(body) }
}

/// The CGI program that comes with git (git-http-backend(1)).
fn run_git(
    shared: &Shared,
    head: &Head,
    body: &[u8],
    mut write: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let (path, query) = head.target.split_once('?').unwrap_or((&head.target, ""));
    let mut command = Command::new("git");
    command
        .arg("http-backend")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_PROJECT_ROOT", &shared.root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REQUEST_METHOD", &head.method)
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("REMOTE_USER", shared.login.map_or("anybody", |(user, _)| user))
        .env("REMOTE_ADDR", "127.0.0.1")
        .env("CONTENT_LENGTH", body.len().to_string())
        .env("CONTENT_TYPE", head.get("content-type").unwrap_or_default());
    for (header, variable) in
        [("content-encoding", "HTTP_CONTENT_ENCODING"), ("git-protocol", "GIT_PROTOCOL")]
    {
        if let Some(value) = head.get(header) {
            command.env(variable, value);
        }
    }
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let (mut stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let served = thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(body));
        let mut output = BufReader::new(stdout);
        let mut headers = String::new();
        let mut status = "200 OK".to_owned();
        loop {
            let mut line = String::new();
            if output.read_line(&mut line)? == 0 || line.trim().is_empty() {
                break;
            }
            match line.strip_prefix("Status: ") {
                Some(text) => status = text.trim().to_owned(),
                None => headers.push_str(line.trim_end()),
            }
            headers.push_str("\r\n");
        }
        let head = format!("HTTP/1.1 {status}\r\n{}\r\nTransfer-Encoding: chunked\r\n\r\n", headers.trim());
        write(head.as_bytes())?;
        let mut piece = [0; 1 << 16];
        loop {
            let read = output.read(&mut piece)?;
            // The last piece is an empty one.
            write(&[format!("{read:x}\r\n").as_bytes(), &piece[..read], b"\r\n"].concat())?;
            if read == 0 {
                return Ok(());
            }
        }
    });
    child.wait()?;
    served
}
