//! Random sequences of operations, compared with the contract's model in memory.

use std::time::Duration;

use f9_openai_server::{Fault, Parts, Plan, Route, Server, Settings};
use f9_plugin_api::{
    BackendPath, CreateOptions, DeleteOptions, ErrorKind, FileBackend, ListOptions, Result, UpdateMode,
    conformance::StrictMemory,
};
use serde_json::json;

use super::{Random, noise, open_with, path};

const PATHS: [&str; 8] = ["a", "a/b", "a/b/c", "a/d", "e", "e/f", "g.txt", "h h/é"];

/// One operation of many; the same numbers make the same operation.
fn step(backend: &dyn FileBackend, number: u64) -> Result<String> {
    let mut random = Random(number | 1);
    random.next();
    let at = path(PATHS[random.below(PATHS.len())]);
    let content = match random.below(4) {
        0 => Vec::new(),
        1 => "some text\n".repeat(random.below(600)).into_bytes(),
        2 => noise(random.below(3000)),
        _ => b"small".to_vec(),
    };
    let overwrite = CreateOptions::default().overwrite(random.below(2) == 0);
    let told = |info: f9_plugin_api::FileInfo| format!("{:?} {}", info.kind, info.size);
    match random.below(10) {
        0 | 1 => backend.create(&at, (&content).into(), overwrite).map(told),
        2 => backend.create_dir(&at, overwrite).map(told),
        3 => backend.update(&at, (&content).into(), UpdateMode::Replace).map(told),
        4 => backend.update(&at, (&content).into(), UpdateMode::Append).map(told),
        5 => backend.delete(&at, DeleteOptions::default()).map(|()| String::new()),
        6 => backend.delete(&at, DeleteOptions::default().recursive(true)).map(|()| String::new()),
        7 => backend.read(&at).map(|content| format!("{content:?}")),
        8 => backend.info(&at).map(told),
        _ => Ok(listing(backend, &at)),
    }
}

/// Everything below a path, in order.
fn listing(backend: &dyn FileBackend, at: &BackendPath) -> String {
    let listed = backend.list(at, ListOptions::default().recursive(true));
    let entries = match listed {
        Ok(entries) => {
            entries.map(|entry| entry.map(|info| format!("{} {:?} {}", info.path, info.kind, info.size)))
        }
        Err(error) => return error.kind().to_string(),
    };
    let mut entries: Vec<_> =
        entries.map(|entry| entry.unwrap_or_else(|error| panic!("{error:?}"))).collect();
    entries.sort();
    entries.join("\n")
}

fn outcome(result: Result<String>) -> Result<String, ErrorKind> {
    result.map_err(|error| error.kind())
}

fn everything(backend: &dyn FileBackend) -> String {
    let contents = PATHS.map(|at| match backend.read(&path(at)) {
        Ok(content) => format!("{content:?}"),
        Err(error) => error.kind().to_string(),
    });
    format!("{}\n{}", listing(backend, &BackendPath::root()), contents.join("\n"))
}

fn steps() -> u64 {
    if std::env::var_os("F9_FULL").is_some() { 5000 } else { 300 }
}

fn agrees_with_the_model(change: impl Fn(&mut Settings), options: serde_json::Value, seed: u64) {
    let mut settings = Settings::default();
    change(&mut settings);
    let server = Server::with(settings);
    let backend = open_with(&server, server.vector_store(), options);
    let model = StrictMemory::new();
    for number in 0..steps() {
        let number = seed.wrapping_add(number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let (here, there) = (outcome(step(&backend, number)), outcome(step(&model, number)));
        assert_eq!(here, there, "step {number}, seed {seed}");
    }
    assert_eq!(everything(&backend), everything(&model));
    let other = open_with(&server, server.vector_store(), json!({}));
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(everything(&other), everything(&model), "as somebody else sees it");
}

#[test]
fn agrees_with_the_model_on_a_strict_service() {
    agrees_with_the_model(|_| {}, json!({}), 1);
}

#[test]
fn agrees_with_the_model_while_listings_lag_behind() {
    agrees_with_the_model(
        |settings| {
            settings.list_lag = Duration::from_millis(50);
            settings.content_parts = Parts::Chunks;
            settings.repeat_on_page_boundary = true;
        },
        json!({"encoding": "searchable"}),
        2,
    );
}

#[test]
fn agrees_with_the_model_while_requests_fail_and_are_repeated() {
    let server = Server::start();
    let backend = open_with(&server, server.vector_store(), json!({"max_retries": 3}));
    let model = StrictMemory::new();
    let mut random = Random(7);
    for number in 0..steps() {
        let number = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let route = Route::ALL[random.below(Route::ALL.len())];
        let fault = [Fault::RetryAfter(503, 1), Fault::RetryAfter(429, 1), Fault::RetryAfter(409, 1)]
            [random.below(3)]
        .clone();
        server.inject(Plan { skip: random.below(3), ..Plan::once(route, fault) });
        let (here, there) = (outcome(step(&backend, number)), outcome(step(&model, number)));
        assert_eq!(here, there, "step {number}");
        server.heal();
    }
    assert_eq!(everything(&backend), everything(&model));
}
