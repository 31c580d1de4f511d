//! No secret of a connection leaves a plugin, whoever tells it and however.

use std::{
    fs,
    io::{Read, Write},
    os::unix::fs::PermissionsExt,
    sync::Mutex,
};

use f9_host::{
    Backend, ErrorKind, FileBackend, Host, Result,
    log::LevelFilter,
    serde_json::{Value, json},
};
use f9_tests::{example_dir, f9, text};

/// What the secrets of these tests have in common.
const CANARY: &str = "canary";

fn connection() -> Value {
    json!({
        "backend": "telling", "url": "https://canary-user:canary-pass@host/?sig=canary-sig&a=b",
        "keys": ["canary key 1", "canary\"key\\2"],
        "login": {"kind": "person", "name": "ann", "password": "canary-person"},
    })
}

/// All that the host of these tests is told. A process has one logger: whichever backend is opened first decides which.
static HEARD: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn listening() -> Host {
    Host::builder()
        .no_default_dirs()
        .plugin_dir(example_dir())
        .on_log(LevelFilter::Trace, |record| {
            HEARD.lock().unwrap().push(format!("{} {}", record.target(), record.args()));
        })
        .on_progress(|progress| HEARD.lock().unwrap().push(format!("{progress:?}")))
        .build()
}

#[track_caller]
fn told<T: std::fmt::Debug>(result: Result<T>) -> String {
    let error = result.unwrap_err();
    let all = format!("{error} {error:?} {:?}", error.advice());
    assert!(!all.contains(CANARY), "{all}");
    assert!(all.contains("[redacted]"), "{all}");
    all
}

fn try_everything(backend: &Backend) {
    told(backend.create("x", "1"));
    let panicked = backend.create_dir("x");
    assert_eq!(panicked.as_ref().unwrap_err().kind(), ErrorKind::Panicked);
    told(panicked);
    told(backend.write("x", "1"));
    told(backend.list("/").and_then(Iterator::collect::<Result<Vec<_>>>));
    told(backend.open_read("x").and_then(|mut reader| Ok(reader.read(&mut [0])?)));
    told(backend.open_read("panic").and_then(|mut reader| Ok(reader.read(&mut [0])?)));
    let mut writer = backend.open_write("x").unwrap();
    told(writer.write(b"1").map_err(Into::into));
    told(writer.commit());
    told(backend.command("error", &Value::Null));
    let answer = backend.command("answer", &Value::Null).unwrap().to_string();
    assert!(!answer.contains(CANARY) && answer.contains("[redacted]"), "{answer}");
    backend.delete("x").unwrap();
}

#[test]
fn whatever_a_plugin_tells_holds_no_secret() {
    let host = listening();
    let backend = host.open(connection()).unwrap();
    try_everything(&backend);
    let mut fails = connection();
    fails["fails"] = true.into();
    told(host.open(fails));
    // A second backend has other secrets; those of the first still count, as long as it or a stream of it lives.
    let other = host
        .open(json!({"backend": "telling", "login": {"kind": "token", "token": "canary-other"}}))
        .unwrap();
    try_everything(&other);
    try_everything(&backend);
    let reader = backend.open_read("x").unwrap();
    drop(backend);
    let mut reader = reader;
    told(reader.read(&mut [0]).map_err(Into::into));
    let heard = HEARD.lock().unwrap().join("\n");
    assert!(!heard.contains(CANARY), "{heard}");
    assert!(heard.contains("dependency::module logged") && heard.contains("Progress"), "{heard}");
}

#[test]
fn wrong_options_quote_no_secret_of_any_depth() {
    let host = listening();
    let wrong =
        json!({"backend": "telling", "login": {"kind": "canary-person", "password": "canary-person"}});
    let error = host.open(wrong).unwrap_err();
    assert!(!format!("{error:?}").contains(CANARY), "{error:?}");
}

#[test]
fn references_work_at_any_depth_and_what_is_wrong_names_its_place() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("key");
    fs::write(&file, "canary-in-file\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let deep = |key: Value| json!({"backend": "telling", "keys": ["canary-one", key.clone()], "login": {"kind": "token", "token": key}});
    let host = listening();
    let backend = host.open(deep(json!({"$file": file}))).unwrap();
    assert_eq!(
        backend.command("answer", &Value::Null).unwrap()["all"][0],
        "[redacted] [redacted] [redacted]"
    );
    for (key, place, words) in [
        (json!({"$env": "F9_NO_SUCH_VARIABLE"}), "keys[1]", "F9_NO_SUCH_VARIABLE"),
        (json!({"$evn": "X"}), "keys[1]", "does not say either where to get it"),
    ] {
        let error = host.open(deep(key.clone())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConnection);
        assert!(
            error.message().contains(&format!("`{place}`")) && error.message().contains(words),
            "{error}"
        );
        if key.get("$evn").is_some() {
            let plugin = host.plugin(&"telling".parse().unwrap()).unwrap();
            plugin.check(&deep(key).try_into().unwrap()).unwrap_err();
        }
    }
    // A file that others can read is refused for a secret at any depth.
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let error = host.open(deep(json!({"$file": file}))).unwrap_err();
    assert!(error.advice().unwrap().contains("chmod 600"), "{error:?}");
}

/// Every command that takes a connection, on one in a file that others can read.
#[test]
fn a_secret_that_others_can_read_is_refused_by_every_command() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let library = example_dir().join("libf9_backend_telling.so");
    for secret in [
        json!({"backend": "telling", "keys": ["canary-open"]}),
        json!({"backend": "telling", "login": {"kind": "token", "token": "canary-open"}}),
        json!({"backend": "telling", "url": "https://canary-open@host/"}),
        json!({"backend": "telling", "url": "https://host/?X-Amz-Signature=canary-open"}),
    ] {
        fs::write(path("given.json"), secret.to_string()).unwrap();
        fs::write(path("all.json"), json!({"kept": secret}).to_string()).unwrap();
        for file in ["given.json", "all.json"] {
            fs::set_permissions(path(file), fs::Permissions::from_mode(0o644)).unwrap();
        }
        let given = format!("@{}", path("given.json").display());
        let run = |arguments: &[&str]| {
            let mut command = f9();
            command.arg("--plugin-dir").arg(example_dir()).arg("--config").arg(path("all.json"));
            command.args(arguments).output().unwrap()
        };
        let library = library.to_str().unwrap();
        let by_connection = [
            &["create", "x", "1"][..],
            &["read", "x"],
            &["update", "x", "1"],
            &["delete", "x"],
            &["info", "x"],
            &["ls"],
            &["tree"],
            &["glob", "*"],
            &["du"],
            &["checksum", "x"],
            &["mkdir", "x"],
            &["cp", "x", "y"],
            &["mv", "x", "y"],
            &["mirror", "x", "y"],
            &["search", "x"],
            &["push"],
            &["pull"],
            &["sync"],
            &["conflicts"],
            &["resolve", "x", "--local"],
            &["sweep"],
            &["connections", "add", "new"],
            &["connections", "add", "new", "--no-check"],
            &["plugins", "verify", library],
        ];
        for arguments in by_connection {
            let output = run(&[&["-c", &given], arguments].concat());
            let printed = format!("{}{}", text(&output.stdout), text(&output.stderr));
            assert_eq!(output.status.code(), Some(2), "{arguments:?}: {printed}");
            assert!(printed.contains("chmod 600") && !printed.contains(CANARY), "{arguments:?}: {printed}");
        }
        let by_name = [
            &["create", "kept:x", "1"][..],
            &["read", "kept:x"],
            &["ls", "kept:"],
            &["cp", "kept:x", "kept:y"],
            &["mirror", "kept:x", "kept:y"],
            &["search", "kept:", "x"],
            &["push", "kept:"],
            &["sweep", "kept:"],
            &["connections", "check", "kept"],
        ];
        for arguments in by_name {
            let output = run(arguments);
            let printed = format!("{}{}", text(&output.stdout), text(&output.stderr));
            assert_eq!(output.status.code(), Some(2), "{arguments:?}: {printed}");
            assert!(printed.contains("chmod 600") && !printed.contains(CANARY), "{arguments:?}: {printed}");
        }
        let shown = run(&["connections", "show", "kept"]);
        assert!(!text(&shown.stdout).contains(CANARY), "{}", text(&shown.stdout));
    }
    // `live-check` takes connections of two plugins.
    let store = json!({"backend": "openai", "api_key": "canary-open", "vector_store_id": "vs_1"});
    fs::write(path("given.json"), store.to_string()).unwrap();
    let given = format!("@{}", path("given.json").display());
    let output = f9().args(["-c", &given, "live-check", "nowhere"]).output().unwrap();
    let printed = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(2), "{printed}");
    assert!(printed.contains("chmod 600") && !printed.contains(CANARY), "{printed}");
    let repository = json!({"backend": "git", "remote_url": "https://canary-open@127.0.0.1:1/x"});
    fs::write(path("given.json"), repository.to_string()).unwrap();
    let store = json!({"backend": "openai", "api_key": "canary-x", "vector_store_id": "vs_1"}).to_string();
    let output = f9().args(["-c", &store, "live-check", &given]).output().unwrap();
    let printed = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(2), "{printed}");
    assert!(printed.contains("chmod 600") && !printed.contains(CANARY), "{printed}");
}
