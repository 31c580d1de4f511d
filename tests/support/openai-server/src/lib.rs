//! A strict stand-in for the OpenAI Files and Vector Stores API, for tests.
//!
//! An HTTP server inside the test's process, on 127.0.0.1 and a free port, which ends when it is dropped. It is kinder than
//! the real service in nothing: by default it refuses to hand back the files of a store, normalises the text that it does
//! return, refuses empty uploads and most extensions, and demands the limits of the vendor's description. Every request and
//! every answer is checked against that description ([`contract`](Server::violations)); where the live service is known to
//! differ, one list in `contract.rs` says so.
//!
//! [`Settings`] switches how it behaves, [`Plan`]s make single requests fail, and it counts what it was asked
//! ([`Server::count`]). The Uploads API and file batches are not served.
//!
//! ```
//! use f9_openai_server::{Route, Server};
//!
//! let server = Server::start();
//! assert!(server.base_url().starts_with("http://127.0.0.1:"));
//! assert_eq!(server.count(Route::Upload), 0);
//! ```
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "it runs in tests only, where a panic is an answer"
)]

mod answer;
mod contract;
mod faults;
mod files;
mod http;
mod multipart;
mod routes;
mod search;
mod settings;
mod state;
mod stores;
mod text;

use std::{
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use serde_json::{Map, Value};

pub use faults::{Fault, Plan};
pub use routes::Route;
pub use settings::{Parts, Settings, Shape};

use state::State;

/// The key that the server accepts.
pub const API_KEY: &str = "sk-test-canary-5e884898da28047151d0e56f8dc62927";

/// A running server with one vector store. It ends when it is dropped.
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
    port: u16,
    vector_store: String,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    ended: AtomicBool,
    connections: Mutex<Vec<TcpStream>>,
}

/// A file that the server holds, as a test may want to look at it.
#[derive(Debug, Clone)]
pub struct StoredFile {
    /// `file-…`
    pub id: String,
    /// As it was uploaded.
    pub filename: String,
    /// What was uploaded.
    pub content: Vec<u8>,
    /// The attributes it is attached to the server's first vector store with, if it is.
    pub attributes: Option<Map<String, Value>>,
}

impl Server {
    /// A server as strict as the service.
    pub fn start() -> Self {
        Self::with(Settings::default())
    }

    /// A server that behaves as `settings` say.
    pub fn with(settings: Settings) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let mut state = State::new(settings);
        let vector_store = state.create_store();
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            ended: AtomicBool::new(false),
            connections: Mutex::default(),
        });
        let acceptor = thread::spawn({
            let shared = Arc::clone(&shared);
            move || shared.accept(&listener)
        });
        Self { shared, port, vector_store, acceptor: Some(acceptor) }
    }

    /// What goes into a connection as `base_url`.
    pub fn base_url(&self) -> String {
        format!("http://127.0.0.1:{}/v1", self.port)
    }

    /// The id of the vector store that is there from the start.
    pub fn vector_store(&self) -> &str {
        &self.vector_store
    }

    /// Makes another vector store.
    pub fn create_vector_store(&self) -> String {
        self.state().create_store()
    }

    /// Makes all that is there older by so many seconds.
    pub fn age(&self, seconds: u64) {
        self.state().age(seconds);
    }

    /// Changes how the server behaves from now on.
    pub fn configure(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.state().settings);
    }

    /// Makes requests fail as planned, besides those planned already.
    pub fn inject(&self, plan: Plan) {
        self.state().plans.push(plan);
    }

    /// Forgets all plans.
    pub fn heal(&self) {
        self.state().plans.clear();
    }

    /// How often a route was asked for since the last [`reset`](Self::reset), failures included.
    pub fn count(&self, route: Route) -> usize {
        self.state().requests.iter().filter(|(asked, _)| *asked == route).count()
    }

    /// All requests since the last [`reset`](Self::reset), in order, with the status they were answered with (0: none).
    pub fn requests(&self) -> Vec<(Route, u16)> {
        self.state().requests.clone()
    }

    /// Starts counting anew.
    pub fn reset(&self) {
        self.state().requests.clear();
    }

    /// Every file that was uploaded and not deleted, attached or not.
    pub fn files(&self) -> Vec<StoredFile> {
        self.state().stored_files(&self.vector_store)
    }

    /// Puts a file into the store as another client of the service would.
    pub fn put(&self, filename: &str, content: &[u8], attributes: Map<String, Value>) -> String {
        self.state().put(&self.vector_store, filename, content, attributes)
    }

    /// Takes a file away as another client of the service would.
    pub fn remove(&self, file_id: &str) {
        self.state().delete_file(file_id);
    }

    /// Where requests or answers did not keep to the vendor's description. A test that ends with any fails.
    pub fn violations(&self) -> Vec<String> {
        self.state().violations.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state()
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        for stream in listener.incoming() {
            if self.ended.load(Ordering::SeqCst) {
                return;
            }
            let Ok(stream) = stream else { continue };
            let mut connections = self.connections.lock().unwrap();
            connections.extend(stream.try_clone());
            let shared = Arc::clone(self);
            thread::spawn(move || http::serve(&shared, stream));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port)); // wakes the acceptor
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
        for connection in self.shared.connections.lock().unwrap().drain(..) {
            let _ = connection.shutdown(Shutdown::Both);
        }
        let violations = self.violations();
        if !thread::panicking() {
            assert!(violations.is_empty(), "the contract was not kept: {violations:#?}");
        }
    }
}
