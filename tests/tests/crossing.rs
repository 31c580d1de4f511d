//! Everything that the boundary carries arrives on the other side as it was: optional operations, logs, progress,
//! cancellation, synchronisation, search.

use std::sync::{Arc, Mutex};

use f9_host::{
    Backend, BackendPath, CancelToken, Capabilities, ChecksumAlgorithm, Content, CopyOptions, CreateOptions,
    DeleteOptions, ErrorKind, FileBackend, FileInfo, Host, Result, UpdateMode,
    log::LevelFilter,
    serde_json::{Value, json},
};
use f9_tests::{example_dir, host_of};

fn chatty() -> Backend {
    host_of(&[example_dir()]).open(json!({"backend": "chatty"})).unwrap()
}

fn path(text: &str) -> BackendPath {
    BackendPath::parse(text).unwrap()
}

#[track_caller]
fn note(info: Result<FileInfo>) -> String {
    info.unwrap().attributes["note"].clone()
}

#[test]
fn options_arrive() {
    let (backend, at) = (chatty(), path("x"));
    for overwrite in [false, true] {
        let options = CreateOptions::default().overwrite(overwrite);
        let created = FileBackend::create(&backend, &at, "four".into(), options);
        assert_eq!(note(created), format!("create 4 {overwrite}"));
        assert_eq!(note(FileBackend::create_dir(&backend, &at, options)), format!("create_dir {overwrite}"));
        let options = CopyOptions::default().overwrite(overwrite);
        assert_eq!(
            note(FileBackend::copy(&backend, &at, &path("y"), options)),
            format!("copy x {overwrite}")
        );
        assert_eq!(
            note(FileBackend::rename(&backend, &at, &path("y"), options)),
            format!("rename x {overwrite}")
        );
        let error =
            FileBackend::delete(&backend, &at, DeleteOptions::default().recursive(overwrite)).unwrap_err();
        assert_eq!(
            (error.kind(), error.message()),
            (ErrorKind::RemoteRefused, &*format!("delete {overwrite}"))
        );
    }
    for mode in [UpdateMode::Replace, UpdateMode::Append] {
        assert_eq!(note(FileBackend::update(&backend, &at, "".into(), mode)), format!("update {mode:?}"));
    }
    assert_eq!(note(backend.create("x", Content::reader(&mut &b"seven"[..]))), "create 5 false");
}

#[test]
fn the_host_stands_in_for_what_is_missing_and_for_nothing_else() {
    let backend = chatty();
    assert!(!backend.own_capabilities().contains(Capabilities::OPEN_WRITE));
    let mut writer = backend.open_write("x").unwrap();
    writer.write_all(&[0; 3 << 20]).unwrap(); // more than waits in memory
    assert_eq!(note(writer.commit()), "create 3145728 false");
    assert_eq!(writer.commit().unwrap_err().kind(), ErrorKind::InvalidOperation);
    assert_eq!(backend.checksum("x", ChecksumAlgorithm::Sha512).unwrap(), "Sha512");
}

#[test]
fn a_listing_crosses_in_batches_with_its_errors_in_their_places() {
    let entries: Vec<_> = chatty().list("/").unwrap().collect();
    assert_eq!(entries.len(), 600);
    for (i, entry) in entries.iter().enumerate() {
        match entry {
            Ok(info) => assert_eq!(info.path.as_str(), format!("entry{i}")),
            Err(error) => assert_eq!((i, error.message()), (300, "entry 300 is unreadable")),
        }
    }
}

#[test]
fn commands_are_json_both_ways() {
    let backend = chatty();
    assert_eq!(backend.command("echo", &json!([1, null, "é"])).unwrap(), json!({"heard": [1, null, "é"]}));
    assert_eq!(backend.command("shout", &Value::Null).unwrap_err().kind(), ErrorKind::Unsupported);
}

#[test]
fn synchronisation_arrives() {
    let backend = chatty();
    let sync = backend.sync_backend().unwrap();
    let report = sync.push(Some("why")).unwrap();
    assert_eq!((report.sent, report.received, report.revision.as_deref()), (1, 0, Some("why")));
    assert_eq!(sync.sync(None).unwrap().revision, None);
    let error = sync.pull().unwrap_err();
    assert!(error.is_conflict());
    assert_eq!(error.to_string(), "pull [paths=a, b]");
    let conflict = sync.conflict_report().unwrap().remove(0);
    assert_eq!(
        serde_json::to_value(&conflict).unwrap(),
        json!({"path": "a b/é", "status": "UD", "base": {"id": "base", "size": 1},
               "local": {"id": "local", "size": 2}, "remote": null})
    );
    sync.conflict_accept_local(&conflict.path).unwrap();
    let error = sync.conflict_accept_remote(&conflict.path).unwrap_err();
    assert_eq!(error.path(), Some("a b/é"));
    assert_eq!(note(sync.conflict_resolve(&conflict.path, "bytes".into())), "bytes");
    assert_eq!(note(sync.conflict_resolve(&conflict.path, Content::reader(&mut &b"stream"[..]))), "stream");
}

#[test]
fn search_arrives() {
    let backend = chatty();
    let hits = backend.as_search().unwrap().search("what", 5, &json!({"kind": "a"})).unwrap();
    assert_eq!((hits[0].path.as_str(), hits[0].score), ("hit", 0.25));
    assert_eq!(hits[0].snippet, r#"what 5 {"kind":"a"}"#);
}

/// In a process of its own would be better still: a library has one logger for its lifetime, so this host has to be the
/// first to open the plugin, which is why the file is a copy.
#[test]
fn logs_progress_and_cancellation_reach_their_other_end() {
    let directory = tempfile::TempDir::new().unwrap();
    let library = "libf9_backend_chatty.so";
    std::fs::copy(example_dir().join(library), directory.path().join(library)).unwrap();
    let records = Arc::new(Mutex::new(Vec::new()));
    let progress = Arc::new(Mutex::new(Vec::new()));
    let cancel = CancelToken::new();

    let (record_to, progress_to, token) = (Arc::clone(&records), Arc::clone(&progress), cancel.clone());
    let host = Host::builder()
        .no_default_dirs()
        .plugin_dir(directory.path())
        .on_log(LevelFilter::Info, move |record| {
            let line = format!("{} {}: {}", record.level(), record.target(), record.args());
            record_to.lock().unwrap().push(line);
        })
        .on_progress(move |step| {
            progress_to.lock().unwrap().push((
                step.operation.to_owned(),
                step.unit.to_owned(),
                step.done,
                step.total,
            ));
            if step.done == 3 {
                token.cancel();
            }
        })
        .cancel_token(cancel)
        .build();

    let backend = host.open(json!({"backend": "chatty"})).unwrap();
    backend.update("x", "").unwrap();
    assert_eq!(
        *records.lock().unwrap(),
        ["INFO f9_backend_chatty: opened", "WARN chatty::update: updating\nx"]
    );
    assert_eq!(backend.read("x").unwrap_err().kind(), ErrorKind::Cancelled);
    let progress = progress.lock().unwrap();
    assert_eq!(progress.len(), 4);
    assert_eq!(progress[3], ("read".to_owned(), "bytes".to_owned(), 3, Some(100)));
}

#[test]
fn a_handle_is_shared_by_threads_and_outlives_its_host() {
    let backend = {
        let host = host_of(&[example_dir()]);
        host.open(json!({"backend": "memory"})).unwrap()
    };
    std::thread::scope(|scope| {
        for i in 0..8 {
            let backend = backend.clone();
            scope.spawn(move || {
                for j in 0..50 {
                    backend.create(format!("{i}/{j}"), "x").unwrap();
                }
            });
        }
    });
    assert_eq!(backend.list_recursive("/").unwrap().count(), 8 * 51);
}

#[test]
fn bytes_are_handed_over_without_a_copy() {
    let backend = host_of(&[example_dir()]).open(json!({"backend": "memory"})).unwrap();
    backend.create("x", &vec![7; 1 << 20]).unwrap();
    let (first, second) = (backend.read("x").unwrap(), backend.read("x").unwrap());
    assert_eq!(first.as_ptr(), second.as_ptr()); // both are the plugin's own memory
    drop(backend);
    assert!(first.iter().all(|&byte| byte == 7));
}
