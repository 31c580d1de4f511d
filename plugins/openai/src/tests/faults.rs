//! Whatever goes wrong at whatever request: what was there stays, what was acknowledged is there, and the error is clear.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use f9_openai_server::{Fault, Plan, Route, Server};
use f9_plugin_api::{
    ChecksumAlgorithm, CreateOptions, DeleteOptions, Error, ErrorKind, FileBackend, Result, UpdateMode,
};
use serde_json::json;

use super::{in_parallel, noise, open, open_with, overwriting, path, read};
use crate::{backend::OpenAi, record::Digest};

fn faults() -> Vec<Fault> {
    let mut faults = vec![
        Fault::DropBefore,
        Fault::DropAfter,
        Fault::Truncate,
        Fault::Nonsense,
        Fault::Garbage,
        Fault::Corrupt,
        Fault::Stall(Duration::from_secs(3)),
        Fault::FailIndexing("server_error"),
        Fault::FailIndexing("unsupported_file"),
        Fault::FailIndexing("invalid_file"),
        Fault::NeverIndex,
        Fault::RetryAfter(429, 5),
        Fault::RetryAfter(503, 5),
        Fault::Page(403),
        Fault::Page(502),
    ];
    for (status, code) in [
        (400, "invalid_value"),
        (400, "unsupported_file"),
        (401, "invalid_api_key"),
        (403, "unsupported_country"),
        (404, "not_found"),
        (408, "timeout"),
        (409, "conflict"),
        (413, "too_large"),
        (415, "unsupported"),
        (418, "teapot"),
        (422, "unprocessable"),
        (429, "rate_limit_exceeded"),
        (429, "insufficient_quota"),
        (500, "server_error"),
        (503, "overloaded"),
        (504, "gateway_timeout"),
    ] {
        faults.push(Fault::Status(status, code));
    }
    faults
}

/// An operation, and what may be at `dir/file` after it failed or succeeded.
struct Case {
    name: &'static str,
    run: fn(&OpenAi) -> Result<()>,
    after: fn() -> Option<Vec<u8>>,
}

fn old() -> Vec<u8> {
    noise(4000)
}

fn new() -> Vec<u8> {
    noise(9000)
}

const CASES: [Case; 8] = [
    Case {
        name: "overwrite, large",
        run: |backend| backend.create(&path("dir/file"), (&new()).into(), overwriting()).map(drop),
        after: || Some(new()),
    },
    Case {
        name: "overwrite, small",
        run: |backend| backend.create(&path("dir/file"), "small".into(), overwriting()).map(drop),
        after: || Some(b"small".to_vec()),
    },
    Case {
        name: "append",
        run: |backend| backend.update(&path("dir/file"), "more".into(), UpdateMode::Append).map(drop),
        after: || Some([old(), b"more".to_vec()].concat()),
    },
    Case {
        name: "delete",
        run: |backend| backend.delete(&path("dir/file"), DeleteOptions::default()),
        after: || None,
    },
    Case {
        name: "stream",
        run: |backend| {
            let mut writer = backend.open_write(&path("dir/file"), overwriting())?;
            std::io::Write::write_all(&mut writer, &new())?;
            writer.commit().map(drop)
        },
        after: || Some(new()),
    },
    Case {
        name: "make a directory",
        run: |backend| backend.create_dir(&path("dir/sub"), CreateOptions::default()).map(drop),
        after: || Some(old()),
    },
    Case {
        name: "delete the directory",
        run: |backend| backend.delete(&path("dir"), DeleteOptions::default().recursive(true)),
        after: || None,
    },
    Case {
        name: "create beside",
        run: |backend| backend.create(&path("dir/other"), "x".into(), CreateOptions::default()).map(drop),
        after: || Some(old()),
    },
];

/// A backend that does not wait long.
fn hasty(server: &Server, retries: u32, fault: &Fault) -> OpenAi {
    // Only a server that is silent is waited for so long.
    let timeout = if matches!(fault, Fault::Stall(_)) { 0.5 } else { 10.0 };
    let options = json!({"max_retries": retries, "timeout": timeout, "index_timeout": 0.2});
    open_with(server, server.vector_store(), options)
}

/// Lets request number `n` of an operation go wrong; says whether the operation makes so many.
fn strike(case: &Case, n: usize, fault: &Fault, retries: u32) -> bool {
    let server = Server::start();
    open(&server).create(&path("dir/file"), (&old()).into(), CreateOptions::default()).unwrap();
    let backend = hasty(&server, retries, fault);
    server.reset();
    server.inject(Plan::nth(n, fault.clone()));
    let start = Instant::now();
    let result = (case.run)(&backend);
    let struck = server.requests().len() > n;
    let what = format!("{}, request {n}, {fault:?}, {retries} retries: {result:?}", case.name);
    assert!(start.elapsed() < Duration::from_secs(20), "too long: {what}");
    server.heal();
    // Whoever looks now, here or elsewhere, sees one and the same: old or new.
    let elsewhere = open(&server);
    let found = there(read(&elsewhere, "dir/file"), &what);
    let expected = match &result {
        Ok(()) => vec![(case.after)()],
        Err(error) => {
            check_clear(error, &what);
            // A delete that was carried out without an answer cannot be taken back.
            if case.name.starts_with("delete") { vec![Some(old()), None] } else { vec![Some(old())] }
        }
    };
    assert!(expected.contains(&found), "neither old nor new: {what}");
    assert_eq!(
        there(read(&backend, "dir/file"), &what),
        found,
        "the same backend sees something else: {what}"
    );
    // Nothing is left but what the sweep finds.
    elsewhere.command("sweep", &json!({"min_age": 0})).unwrap_or_else(|error| panic!("{error:?}: {what}"));
    let all = f9_plugin_api::ListOptions::default().recursive(true);
    let entries = elsewhere.list(&path("dir"), all).map_or(0, Iterator::count);
    // A directory is given an entry of its own before the last file in it goes.
    let directory = usize::from(case.name == "delete");
    assert!(
        server.files().len() <= entries + directory,
        "left behind: {:?} {what}",
        server.files().iter().map(|file| &file.filename).collect::<Vec<_>>()
    );
    assert_eq!(there(read(&open(&server), "dir/file"), &what), found, "the sweep took it: {what}");
    struck
}

fn there(result: Result<Vec<u8>>, what: &str) -> Option<Vec<u8>> {
    match result {
        Ok(content) => Some(content),
        Err(error) if error.is_not_found() => None,
        Err(error) => panic!("unreadable: {error:?} after {what}"),
    }
}

fn check_clear(error: &Error, what: &str) {
    assert!(!error.is_not_found() && error.kind() != ErrorKind::Panicked, "{what}");
    assert!(!error.message().is_empty(), "{what}");
}

/// All of it if asked for; else every fault with some of the operations, and every operation with some of the faults.
#[allow(clippy::print_stdout, reason = "how much was tried")]
fn every_fault_at_every_request(retries: u32) {
    let full = std::env::var_os("F9_FULL").is_some();
    let faults = faults();
    let chosen = |(i, number): &(usize, usize)| full || (number + i) % CASES.len() == retries as usize;
    let pairs = (0..CASES.len()).flat_map(|i| (0..faults.len()).map(move |number| (i, number)));
    let pairs: Vec<_> = pairs.filter(chosen).collect();
    let strikes = AtomicUsize::new(0);
    in_parallel(&pairs, |&(i, number)| {
        let (case, fault) = (&CASES[i], &faults[number]);
        let struck = (0..).take_while(|n| strike(case, *n, fault, retries)).count();
        assert!(struck >= 3, "{} with {fault:?} made {struck} requests only", case.name);
        strikes.fetch_add(struck, Ordering::Relaxed);
    });
    println!(
        "{} kinds of faults, {} operations, {} pairs of them, each request struck once: {} runs, {retries} retries",
        faults.len(),
        CASES.len(),
        pairs.len(),
        strikes.into_inner()
    );
}

#[test]
fn nothing_is_lost_whatever_happens_at_any_request() {
    every_fault_at_every_request(0);
}

#[test]
fn nothing_is_lost_when_requests_are_repeated() {
    every_fault_at_every_request(1);
}

/// What is asked of a store with `file` in it, and whether the answer is right.
type Question = (&'static str, fn(&OpenAi) -> Result<bool>);

const QUESTIONS: [Question; 6] = [
    ("read", |backend| Ok(read(backend, "file")? == new())),
    ("read a range", |backend| Ok(backend.read_range(&path("file"), (10..20).into())? == new()[10..20])),
    ("info", |backend| Ok(backend.info(&path("file"))?.size == new().len() as u64)),
    ("list", |backend| Ok(backend.list(&path("/"), Default::default())?.count() == 1)),
    ("checksum", |backend| {
        Ok(backend.checksum(&path("file"), ChecksumAlgorithm::Sha256)? == Digest::of(&new()).to_string())
    }),
    ("search", |backend| {
        Ok(backend.as_search().unwrap().search("nothing", 5, &serde_json::Value::Null)?.is_empty())
    }),
];

#[test]
fn a_fault_while_asking_never_yields_a_wrong_answer() {
    in_parallel(&faults(), |fault| {
        let server = Server::start();
        open(&server).create(&path("file"), (&new()).into(), CreateOptions::default()).unwrap();
        for (name, ask) in QUESTIONS {
            for n in 0..3 {
                let backend = hasty(&server, 0, fault);
                server.inject(Plan::nth(n, fault.clone()));
                let what = format!("{name}: {fault:?} at request {n}");
                match ask(&backend) {
                    Ok(right) => assert!(right, "{what}"),
                    Err(error) => check_clear(&error, &format!("{what}: {error:?}")),
                }
                server.heal();
            }
        }
    });
}

#[test]
fn content_that_is_always_altered_is_refused() {
    let server = Server::start();
    let backend = open(&server);
    backend.create(&path("file"), (&new()).into(), CreateOptions::default()).unwrap();
    server.inject(Plan::always(Route::ParsedContent, Fault::Corrupt));
    assert_eq!(read(&backend, "file").unwrap_err().kind(), ErrorKind::Integrity);
    let error = backend.create(&path("other"), (&new()).into(), CreateOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Integrity, "what cannot be read back is not acknowledged");
    server.heal();
    assert!(backend.info(&path("other")).unwrap_err().is_not_found());
    assert_eq!(server.files().len(), 1);
}

#[test]
fn kinds_tell_what_to_do() {
    let server = Server::start();
    for (fault, kind) in [
        (Fault::Status(401, "invalid_api_key"), ErrorKind::Authentication),
        (Fault::Status(403, "x"), ErrorKind::PermissionDenied),
        (Fault::Status(429, "rate_limit_exceeded"), ErrorKind::RateLimited),
        (Fault::Status(429, "insufficient_quota"), ErrorKind::QuotaExceeded),
        (Fault::Status(500, "x"), ErrorKind::Network),
        (Fault::Status(504, "x"), ErrorKind::Timeout),
        (Fault::Status(404, "x"), ErrorKind::InvalidConnection),
        (Fault::Page(502), ErrorKind::Network),
        (Fault::Garbage, ErrorKind::Network),
        (Fault::DropBefore, ErrorKind::Network),
        (Fault::Stall(Duration::from_secs(3)), ErrorKind::Timeout),
    ] {
        server.inject(Plan::always(Route::ListAttached, fault.clone()));
        assert_eq!(read(&hasty(&server, 0, &fault), "file").unwrap_err().kind(), kind, "{fault:?}");
        server.heal();
    }
}

#[test]
fn a_quota_that_is_used_up_is_not_asked_for_again() {
    let server = Server::start();
    let backend = open_with(&server, server.vector_store(), json!({"max_retries": 5}));
    server.inject(Plan::always(Route::ListAttached, Fault::Status(429, "insufficient_quota")));
    assert_eq!(read(&backend, "file").unwrap_err().kind(), ErrorKind::QuotaExceeded);
    assert_eq!(server.requests().len(), 1);
}
