//! The openai plugin against a storage that asks the service for each file, doing the same in the same run, on the strict
//! stand-in for the service with 20 ms for each answer: `cargo bench -p f9-benches --bench openai`.
//!
//! The other side is the usual pattern of the vendor's SDK, request by request: list the store in pages of 100, retrieve the
//! File of every entry to learn its name, download what is read; upload and attach what is written, one file after the
//! other, and trust that it works. Prints seconds, requests and their ratios. It is allowed what the real service refuses:
//! to download the files of a store.

use std::{
    num::NonZeroU32,
    time::{Duration, Instant},
};

use f9_host::{Backend, BackendPath, MirrorOptions, Tree, mirror};
use f9_http::{Body, Client, ClientOptions, Method, Request, RetryPolicy, Url, parse_url};
use f9_openai_server::{API_KEY, Server};
use f9_plugin_api::{Context, Secret};
use f9_tests::host;
use serde_json::{Value, json};
use tempfile::TempDir;

const LATENCY: Duration = Duration::from_millis(20);
const STORED: usize = 1000;
const MIRRORED: usize = 500;
const WRITES_PER_MINUTE: u32 = 300;

fn main() {
    println!(
        "{:<44} {:>9} {:>9} {:>9} {:>9} {:>7}",
        "", "each (s)", "requests", "f9 (s)", "requests", "ratio"
    );
    let server = store();
    let row = |name: &str, theirs: &mut dyn FnMut(&mut PerFile), ours: &mut dyn FnMut(&Backend), ttl: u32| {
        let mut client = PerFile::new(&server, ttl > 0);
        let backend = open(&server, json!({"cache_ttl": ttl}));
        if ttl > 0 {
            client.list();
            backend.list("/").unwrap().for_each(drop);
        }
        print_row(name, measure(&server, || theirs(&mut client)), measure(&server, || ours(&backend)));
    };
    row(
        "read one of 1,000 files",
        &mut |client| assert_eq!(client.read("file 500.txt"), b"content 500"),
        &mut |backend| assert_eq!(backend.read("file 500.txt").unwrap(), "content 500"),
        0,
    );
    row(
        "read one of 1,000 files, listing cached",
        &mut |client| assert_eq!(client.read("file 501.txt"), b"content 501"),
        &mut |backend| assert_eq!(backend.read("file 501.txt").unwrap(), "content 501"),
        3600,
    );
    row(
        "create a file beside 1,000",
        &mut |client| client.create("theirs.txt", b"new"),
        &mut |backend| drop(backend.create("ours.txt", "new").unwrap()),
        0,
    );
    row(
        "create a file beside 1,000, listing cached",
        &mut |client| client.create("theirs, too.txt", b"new"),
        &mut |backend| drop(backend.create("ours, too.txt", "new").unwrap()),
        3600,
    );
    drop(server);
    mirroring("mirror 500 files, listing cached", None);
    mirroring("the same at 300 writes a minute", NonZeroU32::new(WRITES_PER_MINUTE));
}

/// Brings 500 files to an empty store: one after the other, and as f9 does.
fn mirroring(name: &str, limit: Option<NonZeroU32>) {
    let served = || {
        let server = Server::start();
        server.configure(|settings| {
            settings.latency = LATENCY;
            settings.writes_per_minute = limit.map(NonZeroU32::get);
        });
        server
    };
    let server = served();
    let mut client = PerFile::new(&server, true);
    let theirs = measure(&server, || {
        (0..MIRRORED).for_each(|i| client.create(&format!("{i}.txt"), format!("content {i}").as_bytes()));
    });
    let refused = |server: &Server| server.requests().iter().filter(|(_, status)| *status == 429).count();
    let refused_theirs = refused(&server);

    let server = served();
    let source = TempDir::new().unwrap();
    for i in 0..MIRRORED {
        std::fs::write(source.path().join(format!("{i}.txt")), format!("content {i}")).unwrap();
    }
    let source = host().open(json!({"backend": "local", "root": source.path()})).unwrap();
    let backend = open(&server, json!({"cache_ttl": 3600, "writes_per_minute": limit}));
    let root = BackendPath::root();
    let tree = |backend| Tree { backend, path: &root };
    let ours = measure(&server, || {
        let report = mirror(tree(&source), tree(&backend), &MirrorOptions::default(), &|_| {}).unwrap();
        assert_eq!((report.copied, report.failed), (MIRRORED as u64, 0), "{:?}", report.first_error);
    });
    print_row(name, theirs, ours);
    if limit.is_some() {
        println!("  refused with 429: {refused_theirs}, f9 {}", refused(&server));
    }
}

fn print_row(name: &str, theirs: (f64, usize), ours: (f64, usize)) {
    let ratio = theirs.0 / ours.0.max(1e-4);
    println!("{name:<44} {:>9.2} {:>9} {:>9.2} {:>9} {ratio:>6.1}x", theirs.0, theirs.1, ours.0, ours.1);
}

/// Seconds and requests.
fn measure(server: &Server, work: impl FnOnce()) -> (f64, usize) {
    server.reset();
    let start = Instant::now();
    work();
    (start.elapsed().as_secs_f64(), server.requests().len())
}

/// A server with 1,000 files, half of them of each side.
fn store() -> Server {
    let server = Server::start();
    let backend = open(&server, json!({"cache_ttl": 3600}));
    let mut client = PerFile::new(&server, true);
    for i in STORED / 2..STORED {
        let (name, content) = (format!("file {i}.txt"), format!("content {i}"));
        backend.create(&*name, &content).unwrap();
        client.create(&name, content.as_bytes());
    }
    server.configure(|settings| {
        settings.latency = LATENCY;
        settings.allow_downloads = true;
    });
    server
}

fn open(server: &Server, more: Value) -> Backend {
    let mut connection = json!({
        "backend": "openai", "api_key": API_KEY, "vector_store_id": server.vector_store(),
        "base_url": server.base_url(),
    });
    connection.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    host().open(connection).unwrap()
}

/// A storage that asks for each file. The name of a File is the path.
struct PerFile {
    client: Client,
    base: Url,
    store: String,
    cached: bool,
    /// Names and ids, while they are believed.
    index: Option<Vec<(String, String)>>,
}

impl PerFile {
    fn new(server: &Server, cached: bool) -> Self {
        let client = Client::new(&ClientOptions::default(), Context::detached()).unwrap();
        let (base, store) = (parse_url(&server.base_url()).unwrap(), server.vector_store().to_owned());
        Self { client, base, store, cached, index: None }
    }

    fn list(&mut self) -> &Vec<(String, String)> {
        if self.index.is_none() || !self.cached {
            let mut index = Vec::new();
            let mut after = String::new();
            loop {
                let page = self.get(&format!("vector_stores/{}/files?limit=100{after}", self.store));
                for entry in page["data"].as_array().unwrap() {
                    let id = entry["id"].as_str().unwrap();
                    let file = self.get(&format!("files/{id}"));
                    index.push((file["filename"].as_str().unwrap().to_owned(), id.to_owned()));
                }
                if page["has_more"] != true {
                    break;
                }
                after = format!("&after={}", page["last_id"].as_str().unwrap());
            }
            self.index = Some(index);
        }
        self.index.as_ref().unwrap()
    }

    fn read(&mut self, name: &str) -> Vec<u8> {
        let found = self.list().iter().find(|(other, _)| other == name).unwrap().1.clone();
        let request = Request::get(self.url(&format!("files/{found}/content")));
        self.send(request)
    }

    fn create(&mut self, name: &str, content: &[u8]) {
        assert!(!self.list().iter().any(|(other, _)| other == name));
        let form = [
            b"--x\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nassistants\r\n".as_slice(),
            format!("--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n")
                .as_bytes(),
            b"Content-Type: text/plain\r\n\r\n",
            content,
            b"\r\n--x--\r\n",
        ]
        .concat();
        let body = Body::Bytes(form.into());
        let file = self.send(Request::post(self.url("files"), "multipart/form-data; boundary=x", body));
        let file: Value = serde_json::from_slice(&file).unwrap();
        let id = file["id"].as_str().unwrap().to_owned();
        let body = json!({"file_id": id, "attributes": {"path": name}}).to_string();
        let url = self.url(&format!("vector_stores/{}/files", self.store));
        self.send(Request::post(url, "application/json", Body::Bytes(body.into())));
        if let Some(index) = &mut self.index {
            index.push((name.to_owned(), id));
        }
    }

    fn get(&self, path: &str) -> Value {
        serde_json::from_slice(&self.send(Request::new(Method::GET, self.url(path)))).unwrap()
    }

    /// Repeats twice, as the SDK does.
    fn send(&self, request: Request<'_>) -> Vec<u8> {
        let request = request.bearer(&Secret::new(API_KEY)).retry(RetryPolicy::times(2));
        let response = self.client.send(request).unwrap().error_for_status().unwrap();
        response.bytes(1 << 20).unwrap().to_vec()
    }

    fn url(&self, path: &str) -> Url {
        parse_url(&format!("{}/{path}", self.base)).unwrap()
    }
}
