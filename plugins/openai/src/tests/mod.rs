//! The backend against the strict stand-in for the service.

mod conforms;
mod faults;
mod model;
mod others;
mod probing;
mod requests;
mod round_trips;
mod search;
mod secrets;
mod sweeping;

use std::sync::atomic::{AtomicUsize, Ordering};

use f9_openai_server::{API_KEY, Server};
use f9_plugin_api::{BackendPath, Context, FileBackend, Result, parse_options};
use serde_json::{Value, json};

use crate::backend::OpenAi;

/// A backend on the server's first store, with default options but for short waits.
fn open(server: &Server) -> OpenAi {
    open_with(server, server.vector_store(), json!({}))
}

/// A backend on one of the server's stores, with more options.
fn open_with(server: &Server, store: &str, more: Value) -> OpenAi {
    let mut options = json!({
        "api_key": API_KEY, "vector_store_id": store, "base_url": server.base_url(), "index_timeout": 5,
    });
    options.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let Value::Object(options) = options else { unreachable!("it was made an object") };
    OpenAi::open(&parse_options(options).unwrap(), Context::detached()).unwrap()
}

fn path(text: &str) -> BackendPath {
    BackendPath::parse(text).unwrap()
}

/// Writes content, whatever is there.
fn put(backend: &OpenAi, at: &str, content: &[u8]) -> Result<()> {
    backend.create(&path(at), content.into(), overwriting()).map(drop)
}

fn read(backend: &OpenAi, at: &str) -> Result<Vec<u8>> {
    backend.read(&path(at)).map(|content| content.to_vec())
}

fn overwriting() -> f9_plugin_api::CreateOptions {
    f9_plugin_api::CreateOptions::default().overwrite(true)
}

/// Works on all items, several at the same time: most of the work is waiting.
fn in_parallel<T: Sync>(items: &[T], work: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    let worker = || {
        while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
            work(item);
        }
    };
    std::thread::scope(|scope| (0..8).for_each(|_| drop(scope.spawn(worker))));
}

/// Bytes without a pattern, the same at each run.
fn noise(length: usize) -> Vec<u8> {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    (0..length).map(|_| random.next() as u8).collect()
}

/// Numbers that are the same at each run (Marsaglia's xorshift).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 16
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}
