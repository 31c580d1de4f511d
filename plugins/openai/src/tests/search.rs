//! The search.

use f9_openai_server::{Parts, Server, Settings};
use f9_plugin_api::{DeleteOptions, ErrorKind, FileBackend};
use serde_json::{Value, json};

use super::{noise, open, open_with, path, put};
use crate::backend::OpenAi;

fn found(backend: &OpenAi, query: &str, filters: &Value) -> Vec<String> {
    let search = backend.as_search().unwrap();
    let hits = search.search(query, 10, filters).unwrap();
    hits.into_iter().map(|hit| hit.path.as_str().to_owned()).collect()
}

#[test]
fn finds_text_of_any_size_and_says_where() {
    let server = Server::start();
    let backend = open(&server);
    put(&backend, "notes/short.md", b"The lighthouse keeper writes letters.\n").unwrap();
    put(&backend, "notes/long.md", "Nothing about boats here.\n".repeat(500).as_bytes()).unwrap();
    put(&backend, "noise.bin", &noise(5000)).unwrap();
    assert_eq!(found(&backend, "lighthouse", &Value::Null), ["notes/short.md"]);
    assert_eq!(found(&backend, "boats", &Value::Null), ["notes/long.md"]);
    assert_eq!(found(&backend, "f9 armor", &Value::Null), [""; 0], "armour and stubs are left out");
    let hit = &backend.as_search().unwrap().search("lighthouse", 1, &Value::Null).unwrap()[0];
    assert!(hit.snippet.contains("lighthouse keeper") && hit.score > 0.0);
}

#[test]
fn finds_the_present_version_alone() {
    let server = Server::start();
    let backend = open(&server);
    put(&backend, "file", b"zebra").unwrap();
    put(&backend, "file", b"giraffe").unwrap();
    assert_eq!(found(&backend, "zebra giraffe", &Value::Null), ["file"]);
    assert_eq!(found(&backend, "zebra", &Value::Null), [""; 0]);
    backend.delete(&path("file"), DeleteOptions::default()).unwrap();
    assert_eq!(found(&backend, "giraffe", &Value::Null), [""; 0]);
}

#[test]
fn files_of_others_are_not_found() {
    let server = Server::start();
    server.put("foreign.txt", b"zebra", serde_json::Map::new());
    assert_eq!(found(&open(&server), "zebra", &Value::Null), [""; 0]);
}

#[test]
fn filters_are_the_services() {
    let server = Server::start();
    let backend = open(&server);
    put(&backend, "a", b"zebra").unwrap();
    put(&backend, "b", b"zebra").unwrap();
    assert_eq!(found(&backend, "zebra", &json!({"type": "eq", "key": "path", "value": "b"})), ["b"]);
    let either = json!({"type": "or", "filters": [
        {"type": "eq", "key": "path", "value": "a"}, {"type": "in", "key": "path", "value": ["x"]},
    ]});
    assert_eq!(found(&backend, "zebra", &either), ["a"]);
    for wrong in [
        json!({}),
        json!("x"),
        json!({"type": "like", "key": "a", "value": "b"}),
        json!({"type": "eq", "key": 1, "value": 2}),
    ] {
        let error = backend.as_search().unwrap().search("zebra", 1, &wrong).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidOperation, "{wrong}");
    }
}

/// Text that this service does not return as it was.
const TORN: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

#[test]
fn text_that_the_service_alters_is_found_if_that_is_wanted() {
    let mut settings = Settings::default();
    settings.content_parts = Parts::Chunks;
    let server = Server::with(settings);
    let content = format!("zebra {}", TORN.repeat(100));
    for (encoding, expected) in [("auto", &[][..]), ("exact", &[]), ("searchable", &["file"])] {
        let store = server.create_vector_store();
        let backend = open_with(&server, &store, json!({"encoding": encoding}));
        put(&backend, "file", content.as_bytes()).unwrap();
        assert_eq!(super::read(&backend, "file").unwrap(), content.as_bytes());
        assert_eq!(backend.info(&path("file")).unwrap().attributes["encoding"], "armor");
        assert_eq!(found(&backend, "zebra", &Value::Null), expected, "{encoding}");
        backend.delete(&path("file"), DeleteOptions::default()).unwrap();
        assert!(server.files().is_empty(), "the copy goes with the file");
    }
}

#[test]
fn nothing_is_asked_for_nothing() {
    let server = Server::start();
    let backend = open(&server);
    let search = backend.as_search().unwrap();
    assert!(search.search("", 5, &Value::Null).unwrap().is_empty());
    assert!(search.search("x", 0, &Value::Null).unwrap().is_empty());
    assert!(server.requests().is_empty());
}
