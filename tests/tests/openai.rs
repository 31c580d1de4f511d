//! The openai plugin as a host loads it, and as the command line uses it, on the strict stand-in for the service.

use std::{
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use f9_host::FileBackend;
use f9_openai_server::{API_KEY, Fault, Plan, Route, Server};
use f9_plugin_api::conformance;
use f9_tests::{f9, f9_on, host, text};
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
