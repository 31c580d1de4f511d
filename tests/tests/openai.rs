//! The openai plugin as a host loads it, and as the command line uses it, on the strict stand-in for the service.

use std::{
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use f9_host::{Backend, CancelToken, Error, ErrorKind, FileBackend, Host, Result};
use f9_openai_server::{API_KEY, Fault, Plan, Route, Server};
use f9_plugin_api::conformance;
use f9_tests::{f9, f9_on, host, plugin_dir, text};
use serde_json::{Value, json};

fn connection(server: &Server, store: &str) -> Value {
    json!({
        "backend": "openai", "api_key": API_KEY, "vector_store_id": store, "base_url": server.base_url(),
        "cache_ttl": 3600, "max_retries": 0,
    })
}

/// Runs the command line on the server's first store; gives back what it printed.
fn run<const N: usize>(server: &Server, arguments: [&str; N]) -> (bool, String, String) {
    let output = f9_on(&connection(server, server.vector_store()), arguments);
    (output.status.success(), text(&output.stdout).to_owned(), text(&output.stderr).to_owned())
}

#[test]
fn the_plugin_conforms_when_loaded() {
    let (server, host) = (Server::start(), host());
    conformance::run(|| -> Box<dyn FileBackend> {
        Box::new(host.open(connection(&server, &server.create_vector_store())).unwrap())
    })
    .assert();
}

#[test]
fn the_command_line_writes_reads_finds_and_deletes() {
    let server = Server::start();
    let (done, _, errors) =
        run(&server, ["create", "notes/sea.md", "The lighthouse keeper writes letters.\n"]);
    assert!(done, "{errors}");
    assert_eq!(run(&server, ["read", "notes/sea.md"]).1, "The lighthouse keeper writes letters.\n");
    assert_eq!(run(&server, ["ls", "-R", "/"]).1, "notes/\nnotes/sea.md\n");
    assert!(run(&server, ["search", "lighthouse"]).1.contains("notes/sea.md"));
    assert!(run(&server, ["delete", "-r", "notes"]).0);
    assert!(server.files().is_empty());
}

#[test]
fn the_key_is_in_nothing_that_is_printed() {
    let server = Server::start();
    for fault in [
        Fault::Status(401, "invalid_api_key"),
        Fault::Status(400, API_KEY),
        Fault::Status(500, API_KEY),
        Fault::DropBefore,
        Fault::Garbage,
    ] {
        server.inject(Plan::always(Route::ListAttached, fault.clone()));
        for arguments in [["--json", "read", "file"], ["-vv", "read", "file"]] {
            let (done, printed, errors) = run(&server, arguments);
            assert!(!done, "{fault:?}");
            assert!(
                !printed.contains("canary") && !errors.contains("canary"),
                "{fault:?}: {printed}{errors}"
            );
        }
        server.heal();
    }
}

#[test]
fn a_run_that_is_killed_leaves_the_old_version_and_what_the_sweep_finds() {
    let server = Server::start();
    let old = "old ".repeat(2000);
    assert!(run(&server, ["create", "file", &old]).0);
    for (route, uploads) in
        [(Route::Upload, 2), (Route::Attach, 2), (Route::ParsedContent, 2), (Route::UpdateAttributes, 2)]
    {
        server.reset();
        server.inject(Plan::once(route, Fault::Stall(Duration::from_secs(60))));
        let mut child = f9()
            .args(["-c", &connection(&server, server.vector_store()).to_string()])
            .args(["create", "--overwrite", "file", &"new ".repeat(3000)])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let start = Instant::now();
        while server.count(route) == 0 {
            assert!(start.elapsed() < Duration::from_secs(60), "{route:?} was never asked for");
            thread::sleep(Duration::from_millis(10));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(server.files().len(), uploads, "{route:?}");
        let found = run(&server, ["read", "file"]).1;
        if route == Route::UpdateAttributes {
            assert_eq!(found, "new ".repeat(3000), "the commit was carried out");
        } else {
            assert_eq!(found, old, "{route:?}");
        }
        let backend = host().open(connection(&server, server.vector_store())).unwrap();
        backend.command("sweep", &json!({"min_age": 0})).unwrap();
        assert_eq!(server.files().len(), 1, "{route:?}");
        assert_eq!(run(&server, ["read", "file"]).1, found, "{route:?}: the sweep took a part of the file");
    }
}

/// A backend whose operations stop when the token says so.
fn stoppable(connection: Value) -> (Backend, CancelToken) {
    let cancel = CancelToken::new();
    let host =
        Host::builder().no_default_dirs().plugin_dir(plugin_dir()).cancel_token(cancel.clone()).build();
    (host.open(connection).unwrap(), cancel)
}

/// Cancels an operation once `begun`, and gives back what it answered.
fn cancelled<T: Send>(
    cancel: &CancelToken,
    begun: impl Fn() -> bool,
    work: impl FnOnce() -> Result<T> + Send,
) -> Error {
    thread::scope(|scope| {
        let worker = scope.spawn(work);
        let start = Instant::now();
        while !begun() {
            assert!(
                start.elapsed() < Duration::from_secs(30) && !worker.is_finished(),
                "it never came so far"
            );
            thread::sleep(Duration::from_millis(5));
        }
        // So that it is certainly waiting.
        thread::sleep(Duration::from_millis(100));
        let start = Instant::now();
        cancel.cancel();
        let error = worker.join().unwrap().err().expect("it was cancelled");
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
        error
    })
}

#[test]
fn whatever_an_operation_waits_for_it_can_be_cancelled_and_what_it_leaves_is_swept() {
    let new = "new ".repeat(2000);
    let stall = Fault::Stall(Duration::from_secs(60));
    let retry = Fault::RetryAfter(429, 60_000);
    for (waiting_for, route, fault) in [
        ("the listing", Route::ListAttached, stall.clone()),
        ("an upload", Route::Upload, stall.clone()),
        ("an attachment", Route::Attach, stall.clone()),
        ("the index", Route::RetrieveAttached, Fault::NeverIndex),
        ("what was written", Route::ParsedContent, stall.clone()),
        ("the commit", Route::UpdateAttributes, stall),
        ("the time of Retry-After", Route::ListAttached, retry.clone()),
        ("the time of Retry-After of an upload", Route::Upload, retry.clone()),
        ("the time of Retry-After of an attachment", Route::Attach, retry),
    ] {
        let server = Server::start();
        assert!(run(&server, ["create", "file", "old"]).0);
        server.reset();
        let at = if fault == Fault::NeverIndex { Route::Attach } else { route };
        server.inject(Plan::once(at, fault));
        let mut connection = connection(&server, server.vector_store());
        connection["max_retries"] = 2.into();
        let (backend, cancel) = stoppable(connection);
        let error = cancelled(&cancel, || server.count(route) > 0, || backend.write("file", &new));
        assert_eq!(error.kind(), ErrorKind::Cancelled, "{waiting_for}: {error:?}");
        server.heal();
        let found = run(&server, ["read", "file"]).1;
        // A request that was sent may be carried out.
        let committed = route == Route::UpdateAttributes && found == new;
        assert!(committed || found == "old", "{waiting_for}");
        let other = host().open(self::connection(&server, server.vector_store())).unwrap();
        other.command("sweep", &json!({"min_age": 0})).unwrap();
        assert_eq!(server.files().len(), 1, "{waiting_for}");
        assert_eq!(
            run(&server, ["read", "file"]).1,
            found,
            "{waiting_for}: the sweep took a part of the file"
        );
    }
}

#[test]
fn connections_to_a_store_keep_its_write_limit_together_and_waiting_for_it_can_be_cancelled() {
    let server = Server::start();
    server.configure(|settings| settings.writes_per_minute = Some(5));
    let mut connection = connection(&server, server.vector_store());
    connection["writes_per_minute"] = 5.into();
    let (one, cancel) = stoppable(connection.clone());
    let (two, _) = stoppable(connection.clone());
    (0..3).for_each(|i| drop(one.create(format!("one/{i}"), "x").unwrap()));
    (0..2).for_each(|i| drop(two.create(format!("two/{i}"), "x").unwrap()));
    server.reset();
    let error = cancelled(&cancel, || server.count(Route::Upload) > 0, || one.create("late", "x"));
    assert_eq!(error.kind(), ErrorKind::Cancelled, "{error:?}");
    assert_eq!(server.count(Route::Attach), 0, "the service is not asked before it is time");
    // Another store has a limit of its own.
    connection["vector_store_id"] = server.create_vector_store().into();
    server.configure(|settings| settings.writes_per_minute = None);
    host().open(connection).unwrap().create("file", "x").unwrap();
    two.command("sweep", &json!({"min_age": 0})).unwrap();
    assert_eq!(server.files().len(), 6);
}

#[test]
#[allow(clippy::print_stdout, reason = "a test that skips says so")]
fn writers_use_the_write_limit_and_are_never_told_to_slow_down() {
    const LIMIT: usize = 30;
    if std::env::var_os("F9_FULL").is_none() {
        println!("skipped: it takes a minute; set F9_FULL=1 to run it");
        return;
    }
    let server = Server::start();
    server.configure(|settings| settings.writes_per_minute = Some(LIMIT as u32));
    let mut connection = connection(&server, server.vector_store());
    connection["writes_per_minute"] = LIMIT.into();
    let backends = [(); 4].map(|()| host().open(connection.clone()).unwrap());
    let start = Instant::now();
    thread::scope(|scope| {
        for (number, backend) in backends.iter().enumerate() {
            scope.spawn(move || {
                (0..10).for_each(|i| drop(backend.create(format!("{number}/{i}"), "x").unwrap()));
            });
        }
    });
    let (requests, seconds) = (server.requests(), start.elapsed().as_secs_f32());
    assert!(requests.iter().all(|(_, status)| *status == 200), "{requests:?}");
    assert_eq!(server.count(Route::Attach), 40);
    assert!((60.0..90.0).contains(&seconds), "{seconds}");
    println!("40 files at {LIMIT} a minute over 4 connections: {seconds:.1} s, no request refused");
}
