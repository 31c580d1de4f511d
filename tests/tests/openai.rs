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

#[test]
fn the_connection_names_the_proxy_and_the_environment_does_not() {
    let server = Server::start();
    let nobody = "http://127.0.0.1:1";
    let mut connection = connection(&server, server.vector_store());
    let ls = |connection: &Value| {
        let mut command = f9();
        for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"] {
            command.env(name, nobody);
        }
        command.args(["-c", &connection.to_string(), "ls"]).output().unwrap()
    };
    let output = ls(&connection);
    assert!(output.status.success(), "{}", text(&output.stderr));
    server.reset();
    connection["proxy"] = nobody.into();
    assert_eq!(ls(&connection).status.code(), Some(7));
    assert!(server.requests().is_empty());
}

/// The most memory that a process has had, in MiB.
#[cfg(target_os = "linux")]
fn most_memory(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()? >> 10)
}

#[cfg(target_os = "linux")]
#[test]
#[allow(clippy::print_stdout, reason = "a test that skips says so")]
fn a_file_of_any_size_takes_a_little_memory() {
    use std::io::Write;

    const SIZE: usize = 192;
    if std::env::var_os("F9_FULL").is_none() {
        println!("skipped: it stores {SIZE} MiB with unoptimised code; set F9_FULL=1 to run it");
        return;
    }
    let server = Server::start();
    let mut command = f9();
    let mut child = command
        .args(["-q", "-c", &connection(&server, server.vector_store()).to_string(), "create", "large", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let piece: Vec<u8> = (0..1 << 20).map(|i: u32| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    (0..SIZE).for_each(|_| stdin.write_all(&piece).unwrap());
    let most = most_memory(child.id()).unwrap();
    drop(stdin);
    assert!(child.wait().unwrap().success());
    println!("{SIZE} MiB stored with at most {most} MiB of memory");
    assert!(most < SIZE as u64 / 2, "{most} MiB");
    // A range at the end takes no more than the part that it is in.
    let backend = host().open(connection(&server, server.vector_store())).unwrap();
    let end = SIZE as u64 * (1 << 20);
    assert!(backend.read_range("large", end - 10..end).unwrap() == piece[piece.len() - 10..]);
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
