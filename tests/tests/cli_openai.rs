//! The command line on a vector store, whose server is as strict as the real one.

use std::{process::Stdio, thread, time::Duration};

use f9_openai_server::{API_KEY, Route, Server};
use f9_tests::{shell::Shell, text};
use serde_json::{Value, json};

/// `plain:` is a directory, `docs:` a vector store.
fn shell_on(server: &Server) -> Shell {
    let shell = Shell::new(&[]);
    let docs = json!({
        "backend": "openai", "base_url": server.base_url(), "vector_store_id": server.vector_store(),
        "api_key": {"$file": shell.path("key")},
    });
    let connections = json!({"docs": docs, "plain": {"backend": "local", "root": shell.path("plain")}});
    shell.write_secret("key", format!("{API_KEY}\n"));
    shell.write("connections.json", connections.to_string());
    shell
}

fn how_many() -> usize {
    // Without a cache every operation lists the store, which is what takes the time here.
    if std::env::var_os("F9_FULL").is_some() { 300 } else { 40 }
}

#[test]
fn a_directory_is_mirrored_into_a_vector_store_and_nothing_is_uploaded_twice() {
    let server = Server::start();
    let shell = shell_on(&server);
    let count = how_many();
    (0..count).for_each(|i| shell.write(&format!("plain/{}/{i}.txt", i % 5), format!("number {i}\n")));
    shell.write("plain/empty", "");
    shell.write("plain/bytes.bin", [0, 159, 146, 150]);
    let mirror = || -> Value {
        let printed = shell.ok(["--json", "mirror", "plain:", "docs:copy"]);
        serde_json::from_str(printed.lines().last().unwrap()).unwrap()
    };
    assert_eq!(mirror()["copied"], count + 2);
    let uploads = server.count(Route::Upload);
    assert_eq!((mirror()["same"].clone(), server.count(Route::Upload)), (json!(count + 2), uploads));
    shell.write("plain/0/0.txt", "another");
    assert_eq!(mirror()["copied"], 1);
    assert_eq!(server.count(Route::Upload), uploads + 1);
    shell.ok(["-q", "mirror", "docs:copy", "plain:back"]);
    for name in ["0/0.txt", "1/1.txt", "empty", "bytes.bin"] {
        let (here, back) = (shell.path(&format!("plain/{name}")), shell.path(&format!("plain/back/{name}")));
        assert_eq!(std::fs::read(here).unwrap(), std::fs::read(back).unwrap(), "{name}");
    }
    assert_eq!(server.violations(), Vec::<String>::new());
}

#[test]
fn a_mirror_that_is_killed_is_completed_and_repeats_no_more_than_was_on_its_way() {
    const JOBS: usize = 3;
    let server = Server::start();
    let shell = shell_on(&server);
    let count = how_many();
    (0..count).for_each(|i| shell.write(&format!("plain/{i}.txt"), format!("number {i}\n")));
    let arguments = ["--json", "mirror", "-j", &JOBS.to_string(), "plain:", "docs:"];
    let mut kills = 0;
    for millis in [40, 80, 120] {
        let mut child = shell.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        thread::sleep(Duration::from_millis(millis));
        child.kill().unwrap();
        kills += usize::from(!child.wait().unwrap().success());
    }
    let before = shell.ok(["ls", "docs:"]).lines().count();
    let printed = shell.ok(arguments);
    let last: Value = serde_json::from_str(printed.lines().last().unwrap()).unwrap();
    assert_eq!((last["outcome"].as_str(), &last["same"]), (Some("complete"), &json!(before)));
    assert!(server.count(Route::Upload) <= count + kills * JOBS, "{} uploads", server.count(Route::Upload));
    for i in 0..count.min(50) {
        assert_eq!(shell.ok(["read", &format!("docs:{i}.txt")]), format!("number {i}\n"));
    }
    assert_eq!(shell.ok(["ls", "docs:"]).lines().count(), count);
}

#[test]
fn a_vector_store_is_searched() {
    let server = Server::start();
    let shell = shell_on(&server);
    shell.ok(["create", "docs:rent.txt", "the rent is due on the first day of the month"]);
    shell.ok(["create", "docs:cats.txt", "cats sleep most of the day"]);
    let found = shell.ok(["search", "docs:", "when is the rent due"]);
    assert!(found.starts_with("rent.txt  "), "{found}");
    let hit: Value =
        serde_json::from_str(shell.ok(["--json", "search", "-n", "1", "docs:", "rent"]).trim()).unwrap();
    assert!(hit["snippet"].as_str().unwrap().contains("first day"));
}

#[test]
fn the_key_is_shown_nowhere() {
    let server = Server::start();
    let shell = shell_on(&server);
    for arguments in [["-vv", "connections", "show", "docs"], ["-vv", "connections", "check", "docs"]] {
        let output = shell.run(arguments);
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert!(!text(&output.stdout).contains(API_KEY) && !text(&output.stderr).contains(API_KEY));
    }
}
