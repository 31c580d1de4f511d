//! A store that others write to as well, with f9 or without.

use std::{
    io::Write,
    time::{Duration, Instant},
};

use f9_openai_server::{Fault, Plan, Route, Server, Settings};
use f9_plugin_api::{DeleteOptions, ErrorKind, FileBackend, ListOptions, UpdateMode};
use serde_json::{Map, Value, json};

use super::{noise, open, open_with, overwriting, path, put, read};
use crate::{api::MAX_PAGES, backend::OpenAi};

fn names(backend: &OpenAi) -> Vec<String> {
    let entries = backend.list(&path("/"), ListOptions::default().recursive(true)).unwrap();
    entries.map(|entry| entry.unwrap().path.as_str().to_owned()).collect()
}

#[test]
fn changes_of_others_are_seen_at_the_next_look() {
    let mut settings = Settings::default();
    settings.index_delay = Duration::from_millis(5);
    let server = Server::with(settings);
    let (one, two) = (open(&server), open(&server));
    put(&one, "a/file", b"one").unwrap();
    assert_eq!(read(&two, "a/file").unwrap(), b"one");
    put(&two, "a/file", b"two").unwrap();
    assert_eq!(read(&one, "a/file").unwrap(), b"two");
    two.delete(&path("a/file"), DeleteOptions::default()).unwrap();
    assert_eq!(read(&one, "a/file").unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(names(&one), ["a"], "the directory stays");
}

#[test]
fn own_changes_are_seen_at_once_however_far_listings_lag_behind() {
    let mut settings = Settings::default();
    settings.list_lag = Duration::from_secs(3600);
    let server = Server::with(settings);
    let backend = open(&server);
    put(&backend, "file", &noise(5000)).unwrap();
    assert_eq!(read(&backend, "file").unwrap(), noise(5000));
    backend.update(&path("file"), "more".into(), UpdateMode::Append).unwrap();
    assert_eq!(backend.info(&path("file")).unwrap().size, 5004);
    put(&backend, "gone", b"x").unwrap();
    backend.delete(&path("gone"), DeleteOptions::default()).unwrap();
    assert_eq!(names(&backend), ["file"]);
    server.configure(|settings| settings.list_lag = Duration::ZERO);
    assert_eq!(names(&open(&server)), ["file"]);
}

#[test]
fn a_cached_listing_finds_the_way_to_a_version_that_took_its_place() {
    let server = Server::start();
    let (writer, reader) =
        (open(&server), open_with(&server, server.vector_store(), json!({"cache_ttl": 3600})));
    put(&writer, "file", &noise(5000)).unwrap();
    assert_eq!(read(&reader, "file").unwrap(), noise(5000));
    put(&writer, "file", &noise(6000)).unwrap();
    assert_eq!(read(&reader, "file").unwrap(), noise(6000));
}

#[test]
fn a_file_that_was_deleted_by_other_means_is_told_of() {
    let server = Server::start();
    let backend = open_with(&server, server.vector_store(), json!({"cache_ttl": 3600}));
    put(&backend, "file", &noise(5000)).unwrap();
    server.remove(&server.files()[0].id);
    assert_eq!(read(&backend, "file").unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn files_that_are_not_ours_are_not_shown_and_not_touched() {
    let server = Server::start();
    let attributes = |pairs: &[(&str, &str)]| -> Map<String, Value> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), Value::from(*value))).collect()
    };
    server.put("plain.txt", b"x", Map::new());
    server.put("path.txt", b"x", attributes(&[("path", "looks/like/ours")]));
    server.put("evil.txt", b"x", attributes(&[("f9", "1 x"), ("path", "../../etc/passwd")]));
    let backend = open(&server);
    assert_eq!(names(&backend), [""; 0]);
    put(&backend, "looks/like/ours", b"mine").unwrap();
    backend.delete(&path("looks"), DeleteOptions::default().recursive(true)).unwrap();
    assert_eq!(server.files().len(), 3);
}

#[test]
fn two_creators_at_once_leave_one_version_that_everybody_sees() {
    let server = Server::start();
    let mut settings = Settings::default();
    settings.list_lag = Duration::from_millis(100);
    server.configure(|present| *present = settings);
    let (one, two) = (open(&server), open(&server));
    // Neither sees the other's yet, so both succeed.
    put(&one, "file", b"one").unwrap();
    put(&two, "file", b"two").unwrap();
    std::thread::sleep(Duration::from_millis(150));
    assert_eq!(read(&one, "file").unwrap(), b"two");
    assert_eq!(read(&two, "file").unwrap(), b"two");
    assert_eq!(read(&open(&server), "file").unwrap(), b"two");
    one.delete(&path("file"), DeleteOptions::default()).unwrap();
    assert_eq!(server.files().len(), 0, "all versions go");
}

#[test]
fn writers_at_the_same_time_leave_one_version_of_each_file_that_everybody_sees() {
    const FILES: [&str; 3] = ["a", "dir/b", "dir/c"];
    let mut settings = Settings::default();
    settings.list_lag = Duration::from_millis(30);
    settings.index_delay = Duration::from_millis(2);
    let server = Server::with(settings);
    // Each is a process of its own as far as the service can tell. Larger ones are armour, smaller ones inline.
    let content =
        |writer: usize, round: usize| format!("{writer} {round} ").into_bytes().repeat(1 + 800 * (round % 2));
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let (server, content) = (&server, &content);
            scope.spawn(move || {
                let backend = open_with(server, server.vector_store(), json!({"encoding": "exact"}));
                for round in 0..8 {
                    match put(&backend, FILES[(writer + round) % 3], &content(writer, round)) {
                        Ok(()) => {}
                        // Somebody's newer version came before this one was seen to be indexed.
                        Err(error) => assert_eq!(error.kind(), ErrorKind::Busy, "{error:?}"),
                    }
                }
            });
        }
    });
    std::thread::sleep(Duration::from_millis(60));
    let all: Vec<_> = (0..4).flat_map(|writer| (0..8).map(move |round| (writer, round))).collect();
    let seen = FILES.map(|file| read(&open(&server), file).unwrap());
    for (file, seen) in FILES.iter().zip(&seen) {
        assert!(all.iter().any(|&(writer, round)| content(writer, round) == *seen), "{file} is a mixture");
    }
    let other = open(&server);
    other.command("sweep", &json!({"min_age": 0})).unwrap();
    assert_eq!(
        FILES.map(|file| read(&open(&server), file).unwrap()),
        seen,
        "for everybody, and after a sweep"
    );
    assert_eq!(server.files().len(), FILES.len(), "older versions are gone");
}

/// Writes `one` to `file`, which stays unindexed for a while, and does something else meanwhile.
fn while_it_is_written(server: &Server, meanwhile: impl FnOnce()) -> f9_plugin_api::Result<()> {
    let one = open_with(server, server.vector_store(), json!({"index_timeout": 600}));
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| put(&one, "file", b"one"));
        while server.count(Route::RetrieveAttached) == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
        meanwhile();
        writing.join().unwrap()
    })
}

#[test]
fn a_version_that_somebody_is_still_writing_is_not_taken_away() {
    let server = Server::start();
    server.configure(|settings| settings.index_delay = Duration::from_millis(300));
    while_it_is_written(&server, || put(&open(&server), "file", b"two").unwrap()).unwrap();
    assert_eq!(read(&open(&server), "file").unwrap(), b"two", "the newer one is the file");
}

#[test]
fn a_version_that_is_gone_before_it_was_indexed_is_told_of_and_not_waited_for() {
    let server = Server::start();
    server.inject(Plan::once(Route::Attach, Fault::NeverIndex));
    let start = Instant::now();
    let written = while_it_is_written(&server, || {
        let first = server.files()[0].id.clone();
        put(&open(&server), "file", b"two").unwrap();
        server.remove(&first);
    });
    assert_eq!(written.unwrap_err().kind(), ErrorKind::Busy);
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
    assert_eq!(read(&open(&server), "file").unwrap(), b"two");
}

#[test]
fn a_version_that_was_replaced_before_anybody_knew_of_it_is_not_waited_for_either() {
    let server = Server::start();
    server.configure(|settings| settings.retrieve_lag = Duration::from_secs(3600));
    server.inject(Plan::once(Route::Attach, Fault::NeverIndex));
    let start = Instant::now();
    let written = while_it_is_written(&server, || put(&open(&server), "file", b"two").unwrap());
    assert_eq!(written.unwrap_err().kind(), ErrorKind::Busy);
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
    assert_eq!(read(&open(&server), "file").unwrap(), b"two");
    assert_eq!(server.files().len(), 1, "what came too late is taken back");
}

#[test]
fn the_last_of_two_streams_to_be_committed_is_the_file() {
    let server = Server::start();
    let backend = open(&server);
    let (first, second) = (noise(3_000_000), noise(2_000_000));
    let mut one = backend.open_write(&path("file"), overwriting()).unwrap();
    one.write_all(&first).unwrap();
    let mut two = backend.open_write(&path("file"), overwriting()).unwrap();
    two.write_all(&second).unwrap();
    two.commit().unwrap();
    assert!(read(&open(&server), "file").unwrap() == second);
    one.commit().unwrap();
    assert!(read(&backend, "file").unwrap() == first);
    assert!(read(&open(&server), "file").unwrap() == first);
    assert_eq!(server.files().len(), 3, "the parts of the other are gone");
}

#[test]
fn a_delete_does_not_take_the_parts_of_a_stream_that_is_still_written() {
    let server = Server::start();
    let (backend, other) = (open(&server), open(&server));
    put(&backend, "dir/file", b"old").unwrap();
    let mut writer = backend.open_write(&path("dir/file"), overwriting()).unwrap();
    writer.write_all(&noise(3_000_000)).unwrap();
    other.delete(&path("dir"), DeleteOptions::default().recursive(true)).unwrap();
    writer.commit().unwrap();
    assert!(read(&open(&server), "dir/file").unwrap() == noise(3_000_000));
}

#[test]
fn a_stream_that_is_dropped_leaves_nothing() {
    let server = Server::start();
    let backend = open(&server);
    let mut writer = backend.open_write(&path("file"), overwriting()).unwrap();
    writer.write_all(&noise(3_000_000)).unwrap();
    assert!(!server.files().is_empty());
    drop(writer);
    assert!(server.files().is_empty());
}

#[test]
fn a_page_that_fails_for_good_is_gone_round_or_told_of() {
    let server = Server::start();
    let mut ids = Vec::new();
    for i in 0..250 {
        ids.push(server.put("other.txt", b"x", Map::from_iter([("number".to_owned(), json!(i))])));
    }
    put(&open(&server), "file", b"x").unwrap();
    let backend = open_with(&server, server.vector_store(), json!({"max_retries": 0}));
    server.configure(|settings| settings.poison = Some(ids[120].clone()));
    let error = read(&backend, "file").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network);
    assert!(error.context().any(|(name, value)| name == "after" && value.starts_with("file-")), "{error:?}");

    server.configure(|settings| settings.poison = None);
    // The third page from the one end fails; from the other end all is there.
    server.inject(Plan { skip: 2, ..Plan::once(Route::ListAttached, Fault::Status(500, "x")) });
    assert_eq!(read(&backend, "file").unwrap(), b"x");
}

#[test]
fn a_listing_without_end_is_told_of() {
    let server = Server::start();
    let backend = open(&server);
    put(&backend, "file", b"x").unwrap();
    server.configure(|settings| settings.endless = true);
    let asked = server.count(Route::ListAttached);
    let listing = read(&open(&server), "other").unwrap_err();
    assert_eq!(server.count(Route::ListAttached) - asked, MAX_PAGES);
    let files = backend.command("orphans", &json!({"min_age": 0})).unwrap_err();
    for (error, what) in [(listing, "the store's listing"), (files, "the listing of the uploaded files")] {
        assert_eq!(error.kind(), ErrorKind::RemoteRefused);
        assert_eq!(error.message(), format!("{what} has no end: the service always says that there is more"));
    }
}

#[test]
fn a_store_that_is_missing_or_expired_is_told_of() {
    let server = Server::start();
    let error = read(&open_with(&server, "vs_00000000", json!({})), "file").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConnection, "not that the file is missing: {error}");
    server.configure(|settings| settings.expired = true);
    let error = read(&open(&server), "file").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RemoteRefused);
    assert!(error.message().contains("expired"), "{error}");
}
