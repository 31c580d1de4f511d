//! What interrupted runs leave behind is found and removed, and nothing else.

use f9_openai_server::{Fault, Plan, Route, Server};
use f9_plugin_api::{ErrorKind, FileBackend};
use serde_json::{Map, Value, json};

use super::{noise, open, open_with, put, read};
use crate::backend::OpenAi;

fn orphans(backend: &OpenAi, min_age: u64) -> Vec<String> {
    let answer = backend.command("orphans", &json!({"min_age": min_age})).unwrap();
    let reasons = answer["orphans"].as_array().unwrap().iter();
    reasons.map(|orphan| orphan["reason"].as_str().unwrap().to_owned()).collect()
}

fn sweep(backend: &OpenAi) -> usize {
    let answer = backend.command("sweep", &json!({"min_age": 0})).unwrap();
    assert_eq!(answer["failed"], json!([]));
    answer["removed"].as_array().unwrap().len()
}

/// A backend that gives up at once.
fn hasty(server: &Server) -> OpenAi {
    open_with(server, server.vector_store(), json!({"max_retries": 0}))
}

#[test]
fn an_upload_whose_answer_was_lost_is_taken_back() {
    let server = Server::start();
    for fault in [Fault::DropAfter, Fault::Status(500, "x")] {
        server.inject(Plan::once(Route::Upload, fault));
        put(&hasty(&server), "file", b"x").unwrap_err();
        assert!(server.files().is_empty());
    }
}

#[test]
fn the_next_write_sweeps_what_is_old_and_nothing_that_may_be_under_way() {
    let server = Server::start();
    server.inject(Plan::always(Route::ListFiles, Fault::DropBefore));
    server.inject(Plan::once(Route::Upload, Fault::DropAfter));
    put(&hasty(&server), "unattached", b"x").unwrap_err();
    server.heal();
    let kill = Plan { skip: 3, ..Plan::nth(0, Fault::DropBefore) };
    server.inject(Plan { times: usize::MAX, ..kill });
    put(&hasty(&server), "uncommitted", &noise(5000)).unwrap_err();
    server.heal();
    server.put("foreign.txt", b"x", Map::new());
    assert_eq!(server.files().len(), 3);
    put(&open(&server), "young", b"1").unwrap();
    assert_eq!(server.files().len(), 4, "an hour has not passed");
    server.age(3700);
    // What a running upload has made meanwhile.
    server.inject(Plan { times: usize::MAX, ..Plan { skip: 3, ..Plan::nth(0, Fault::DropBefore) } });
    put(&hasty(&server), "running", &noise(5000)).unwrap_err();
    server.heal();
    let backend = open(&server);
    put(&backend, "next", b"2").unwrap();
    assert_eq!(orphans(&backend, 0), ["uncommitted"], "what runs is left alone");
    assert_eq!(server.files().len(), 4, "foreign, young, running, next");
    for (file, content) in [("young", b"1"), ("next", b"2")] {
        assert_eq!(read(&backend, file).unwrap(), content);
    }
    // Once is enough for a backend.
    server.reset();
    put(&backend, "next", b"3").unwrap();
    assert_eq!(server.count(Route::ListFiles), 0);
}

#[test]
fn what_would_be_swept_is_told_without_sweeping() {
    let server = Server::start();
    server.inject(Plan::always(Route::ListFiles, Fault::DropBefore));
    server.inject(Plan::once(Route::Upload, Fault::DropAfter));
    put(&hasty(&server), "file", b"x").unwrap_err();
    server.heal();
    let backend = open(&server);
    let answer = backend.command("sweep", &json!({"min_age": 0, "dry_run": true})).unwrap();
    assert_eq!(answer["found"][0]["reason"], "unattached");
    assert_eq!((server.files().len(), sweep(&backend)), (1, 1));
}

#[test]
fn an_upload_whose_answer_was_lost_is_found() {
    let server = Server::start();
    server.inject(Plan::always(Route::ListFiles, Fault::DropBefore));
    server.inject(Plan::once(Route::Upload, Fault::DropAfter));
    put(&hasty(&server), "file", b"x").unwrap_err();
    server.heal();
    assert_eq!(server.files().len(), 1);
    let backend = open(&server);
    assert_eq!(orphans(&backend, 0), ["unattached"]);
    assert_eq!(orphans(&backend, 3600), [""; 0], "it may be somebody's who is still at it");
    assert_eq!(sweep(&backend), 1);
    assert!(server.files().is_empty());
}

#[test]
fn parts_of_a_run_that_was_killed_are_found() {
    let server = Server::start();
    // From here on nothing gets through any more, as for a process that is gone.
    let kill = Plan { skip: 3, ..Plan::nth(0, Fault::DropBefore) };
    server.inject(Plan { times: usize::MAX, ..kill });
    put(&hasty(&server), "file", &noise(5000)).unwrap_err();
    server.heal();
    let backend = open(&server);
    assert_eq!(orphans(&backend, 0), ["uncommitted"]);
    assert_eq!(sweep(&backend), 1);
    assert!(server.files().is_empty());
}

#[test]
fn an_old_version_that_could_not_be_removed_is_found() {
    let server = Server::start();
    let backend = hasty(&server);
    put(&backend, "file", b"old").unwrap();
    server.inject(Plan::always(Route::Detach, Fault::Status(500, "x")));
    put(&backend, "file", b"new").unwrap();
    server.heal();
    let other = open(&server);
    assert_eq!(read(&other, "file").unwrap(), b"new");
    assert_eq!(orphans(&other, 0), ["superseded"]);
    assert_eq!(sweep(&other), 1);
    assert_eq!(read(&other, "file").unwrap(), b"new");
}

#[test]
fn files_of_others_and_of_other_stores_are_left_alone() {
    let server = Server::start();
    let other = open_with(&server, &server.create_vector_store(), json!({}));
    put(&other, "theirs", b"x").unwrap();
    put(&other, "theirs too", &noise(5000)).unwrap();
    server.put("foreign.txt", b"x", Map::new());
    // What a newer version of f9 may have written.
    server.put("newer.txt", b"x", Map::from_iter([("f9".to_owned(), Value::from("2 something else"))]));
    let backend = open(&server);
    put(&backend, "ours", &noise(5000)).unwrap();
    assert_eq!(orphans(&backend, 0), [""; 0]);
    assert_eq!(sweep(&backend), 0);
    assert_eq!(server.files().len(), 5);
}

#[test]
fn arguments_that_are_not_understood_are_refused() {
    let server = Server::start();
    let backend = open(&server);
    for wrong in [json!({"min_age": -1}), json!({"min_age": "1 h"}), json!({"age": 1}), json!([])] {
        assert_eq!(
            backend.command("sweep", &wrong).unwrap_err().kind(),
            ErrorKind::InvalidOperation,
            "{wrong}"
        );
    }
}
