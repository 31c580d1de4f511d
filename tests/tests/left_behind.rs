//! What interrupted commands leave in a vector store, and the command that removes it.

use std::{
    fs,
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use f9_openai_server::{API_KEY, Fault, Plan, Route, Server};
use f9_tests::{f9, text};
use serde_json::{Value, json};
use tempfile::TempDir;

fn connections(server: &Server, dir: &TempDir) -> std::path::PathBuf {
    let file = dir.path().join("connections.json");
    let all = json!({
        "docs": {
            "backend": "openai", "api_key": {"$env": "KEY"}, "vector_store_id": server.vector_store(),
            "base_url": server.base_url(), "max_retries": 0,
        },
        "here": {"backend": "local", "root": dir.path().join("files")},
    });
    fs::write(&file, all.to_string()).unwrap();
    file
}

fn command(server: &Server, dir: &TempDir, arguments: &[&str]) -> Command {
    let mut command = f9();
    command.arg("--config").arg(connections(server, dir)).args(arguments).env("KEY", API_KEY);
    command.stdin(Stdio::null());
    command
}

fn run(server: &Server, dir: &TempDir, arguments: &[&str]) -> Output {
    command(server, dir, arguments).output().unwrap()
}

/// Sends a signal to a command when the service has been asked for this so often.
fn interrupted(server: &Server, mut command: Command, signal: &str, route: Route, times: usize) -> Output {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let start = Instant::now();
    while server.count(route) < times {
        assert!(start.elapsed() < Duration::from_secs(60), "{route:?} was never asked for so often");
        thread::sleep(Duration::from_millis(5));
    }
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
    child.wait_with_output().unwrap()
}

#[test]
fn an_interrupted_mirror_leaves_nothing_that_belongs_to_no_file() {
    let dir = TempDir::new().unwrap();
    fs::create_dir(dir.path().join("files")).unwrap();
    for i in 0..30 {
        fs::write(dir.path().join(format!("files/{i}")), vec![i; 3000 + usize::from(i)]).unwrap();
    }
    for (signal, code, route, times) in [
        ("-INT", 130, Route::Upload, 9),
        ("-TERM", 143, Route::Attach, 9),
        ("-HUP", 129, Route::ParsedContent, 5),
    ] {
        let server = Server::start();
        server.configure(|settings| {
            settings.latency = Duration::from_millis(20);
            settings.index_delay = Duration::from_millis(100);
        });
        let mirror = command(&server, &dir, &["mirror", "here:", "docs:"]);
        let output = interrupted(&server, mirror, signal, route, times);
        assert_eq!(output.status.code(), Some(code), "{}", text(&output.stderr));
        server.configure(|settings| settings.latency = Duration::ZERO);
        thread::sleep(Duration::from_millis(200)); // what was on its way arrives
        let output = run(&server, &dir, &["--json", "sweep", "docs:", "--older-than", "0"]);
        let summary: Value = serde_json::from_str(text(&output.stdout).lines().last().unwrap()).unwrap();
        // Only what was under way at that moment and arrived too late to be seen.
        assert!(summary["summary"]["removed"].as_u64().unwrap() <= 2, "{signal}: {}", text(&output.stdout));
        let listed = run(&server, &dir, &["ls", "-R", "docs:"]);
        assert_eq!(server.files().len(), text(&listed.stdout).lines().count(), "{signal}");
    }
}

#[test]
fn a_command_tells_and_removes_what_was_left() {
    let (server, dir) = (Server::start(), TempDir::new().unwrap());
    server.inject(Plan::always(Route::ListFiles, Fault::DropBefore)); // so that nothing is taken back
    server.inject(Plan::once(Route::Upload, Fault::DropAfter));
    let failed = run(&server, &dir, &["create", "docs:x", "1"]);
    assert_eq!(failed.status.code(), Some(7));
    assert!(text(&failed.stderr).contains("`f9 sweep`"), "{}", text(&failed.stderr));
    server.heal();
    assert_eq!(server.files().len(), 1);
    let young = run(&server, &dir, &["sweep", "docs:"]);
    assert_eq!(text(&young.stdout), "0 leftovers removed\n");
    let told = run(&server, &dir, &["sweep", "--dry-run", "docs:", "--older-than", "0"]);
    assert!(text(&told.stdout).starts_with("would remove  unattached  f9-"), "{}", text(&told.stdout));
    assert!(text(&told.stdout).ends_with("1 leftover to remove\n"));
    assert_eq!(server.files().len(), 1);
    server.inject(Plan::always(Route::DeleteFile, Fault::Status(403, "x")));
    let fails = run(&server, &dir, &["sweep", "docs:", "--older-than", "0"]);
    assert_eq!((fails.status.code(), text(&fails.stdout)), (Some(9), "0 leftovers removed\n"));
    server.heal();
    let swept = run(&server, &dir, &["--json", "sweep", "docs:", "--older-than", "0"]);
    let lines: Vec<Value> =
        text(&swept.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["action"], &lines[0]["reason"]), (&"removed".into(), &"unattached".into()));
    assert_eq!(lines[1]["summary"], json!({"dry_run": false, "found": 1, "removed": 1, "failed": 0}));
    assert!(server.files().is_empty());
    let nothing = run(&server, &dir, &["sweep", "here:"]);
    assert!(text(&nothing.stderr).contains("has nothing to sweep"), "{}", text(&nothing.stderr));
}

#[test]
fn a_key_that_the_service_echoes_in_another_shape_is_not_shown() {
    let (server, dir) = (Server::start(), TempDir::new().unwrap());
    // No answer of the service's, and the key is where a parser quotes what it did not expect.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        use std::io::{Read, Write};
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]).unwrap();
            let body =
                json!({"data": [{"id": "file-1", "status": API_KEY}], "has_more": API_KEY}).to_string();
            let head =
                format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
        }
    });
    let given = json!({
        "backend": "openai", "api_key": API_KEY, "vector_store_id": server.vector_store(), "max_retries": 0,
        "base_url": format!("http://127.0.0.1:{port}/v1"),
    });
    for arguments in [&["-vv", "ls"][..], &["--json", "ls"], &["--log", "trace", "ls"]] {
        let output = f9().args(["-c", &given.to_string()]).args(arguments).output().unwrap();
        let printed = format!("{}{}", text(&output.stdout), text(&output.stderr));
        assert!(output.status.code() == Some(7) && !printed.contains(API_KEY), "{printed}");
        assert!(printed.contains("the service's answer is not a page"), "{printed}");
    }
    // Of the log only what was asked for.
    let logged = |log: &str| {
        let output = run(&server, &dir, &["--log", log, "ls", "docs:"]);
        text(&output.stderr).contains("GET /v1/vector_stores")
    };
    assert!(
        logged("openai=debug") && logged("debug") && !logged("git=debug") && !logged("debug,openai=warn")
    );
}
