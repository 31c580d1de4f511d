//! What the service is asked where its documentation is silent, and that nothing stays.

use std::{collections::BTreeMap, time::Duration};

use f9_openai_server::{Fault, Parts, Plan, Route, Server, Settings};
use f9_plugin_api::{ErrorKind, FileBackend};
use serde_json::{Value, json};

use super::{noise, open, open_with, put};
use crate::backend::OpenAi;

const PROBE: &str = "probe";

/// The answers, by the id of the question; what has none says so.
fn answers(backend: &OpenAi) -> BTreeMap<String, String> {
    let answer = backend.command(PROBE, &json!({"directory": "probes"})).unwrap();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let observations = answer["observations"].as_array().unwrap().iter();
    let told = |observation: &Value| text(&observation["answer"]).or_else(|| text(&observation["error"]));
    observations.map(|observation| (text(&observation["id"]).unwrap(), told(observation).unwrap())).collect()
}

fn served(change: impl FnOnce(&mut Settings)) -> BTreeMap<String, String> {
    let mut settings = Settings::default();
    change(&mut settings);
    let server = Server::with(settings);
    let answers = answers(&open(&server));
    assert!(server.files().is_empty(), "nothing stays");
    answers
}

#[test]
fn a_strict_service_is_described_as_it_is() {
    let answers = served(|_| {});
    for (id, expected) in [
        ("beta_header", "yes"),
        ("download", "no"),
        ("text_parts", "in one part"),
        ("text_pages", "no, all of it comes at once"),
        (
            "text_altered",
            "lost are the byte order mark, carriage returns, blanks at the beginning, blanks at the end",
        ),
        ("attribute_length", "256 characters"),
        ("attribute_numbers", "yes"),
    ] {
        assert_eq!(answers[id], expected, "{id}");
    }
    assert!(answers["purposes"].starts_with("batch: no (the service refused"), "{answers:?}");
    assert!(answers["purposes"].contains("; vision: no (the service refused"), "{answers:?}");
    assert!(answers["largest_part"].starts_with("yes, "), "{answers:?}");
}

#[test]
fn a_service_with_other_habits_is_described_as_it_is() {
    let answers = served(|settings| {
        settings.beta_required = true;
        settings.allow_downloads = true;
        settings.content_parts = Parts::Chunks;
        settings.content_page = 3;
        settings.normalise = false;
        settings.attribute_value_max = 512;
        settings.float_numbers = true;
        settings.token_limit = 100_000;
        settings.index_delay = Duration::from_millis(5);
    });
    for (id, expected) in [
        ("download", "yes"),
        ("text_parts", "in 3 parts on the first page of several"),
        ("text_pages", "yes, `page`"),
        ("text_altered", "none of it"),
        ("attribute_length", "512 characters"),
        ("attribute_numbers", "no: 12304 as 12304.0 when it is stored, as 12304.0 later"),
        ("largest_part", "not indexed (invalid_file: The file could not be parsed because it is too large.)"),
    ] {
        assert_eq!(answers[id], expected, "{id}");
    }
    assert!(answers["beta_header"].starts_with("no ("), "{answers:?}");
    let chunks = served(|settings| settings.content_parts = Parts::Chunks);
    assert!(chunks["text_parts"].contains("which overlap by about 7"), "{chunks:?}");
}

#[test]
fn text_that_comes_in_pages_is_read_to_its_end() {
    let server = Server::start();
    server.configure(|settings| {
        settings.content_parts = Parts::Chunks;
        settings.content_page = 3;
    });
    let backend = open(&server);
    put(&backend, "file", &noise(100_000)).unwrap();
    assert_eq!(super::read(&backend, "file").unwrap(), noise(100_000));
    assert!(server.count(Route::ParsedContent) > 4);
}

#[test]
fn a_question_that_fails_does_not_keep_the_others_from_being_asked() {
    let server = Server::start();
    let backend = open_with(&server, server.vector_store(), json!({"max_retries": 0}));
    server.inject(Plan::once(Route::Upload, Fault::Status(500, "x")));
    let answers = answers(&backend);
    assert!(answers["download"].starts_with("the service failed"), "{answers:?}");
    assert_eq!(answers["beta_header"], "yes");
    assert!(answers["largest_part"].starts_with("yes"), "{answers:?}");
    assert!(server.files().is_empty());
}

#[test]
fn probes_are_no_files_and_what_stays_of_them_is_swept_with_their_directory_alone() {
    let server = Server::start();
    let backend = open_with(&server, server.vector_store(), json!({"max_retries": 0}));
    put(&backend, "kept", b"x").unwrap();
    server.inject(Plan::always(Route::ListFiles, Fault::DropBefore)); // so that nothing is taken back
    server.inject(Plan::once(Route::Upload, Fault::DropAfter));
    put(&backend, "elsewhere/file", b"x").unwrap_err();
    server.inject(Plan::always(Route::Detach, Fault::Status(500, "x")));
    server.inject(Plan { skip: 3, ..Plan::once(Route::Upload, Fault::DropAfter) });
    answers(&backend);
    server.heal();
    let other = open(&server);
    assert_eq!(other.list(&super::path("/"), Default::default()).unwrap().count(), 1, "no probe is a file");
    assert_eq!(server.files().len(), 2 + 4);
    let swept = other.command("sweep", &json!({"min_age": 0, "directory": "probes"})).unwrap();
    assert_eq!(swept["removed"].as_array().unwrap().len(), 4, "{swept}");
    assert_eq!(server.files().len(), 2, "what belongs elsewhere is somebody else's");
    other.command("sweep", &json!({"min_age": 0})).unwrap();
    assert_eq!(server.files().len(), 1);
}

#[test]
fn arguments_that_are_not_understood_are_refused() {
    let server = Server::start();
    let backend = open(&server);
    for wrong in [json!(null), json!({}), json!({"directory": "a/b"}), json!({"directory": "/"})] {
        let error = backend.command(PROBE, &wrong).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidOperation, "{wrong}");
    }
    assert!(server.requests().is_empty());
}
