//! The key is seen by the service and by nobody else.

use std::sync::Mutex;

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use f9_openai_server::{API_KEY, Fault, Plan, Server};
use f9_plugin_api::{ErrorKind, log, parse_options};
use serde_json::{Value, json};

use super::{open_with, put, read};
use crate::options::OpenAiOptions;

/// Everything that an error could show.
fn shown(error: &f9_plugin_api::Error) -> String {
    format!("{error} {error:?} {:?} {:?}", error.advice(), error.causes().collect::<Vec<_>>())
}

#[test]
fn no_error_shows_the_key() {
    let server = Server::start();
    let backend = open_with(&server, server.vector_store(), json!({"max_retries": 0, "timeout": 2}));
    let faults = [
        Fault::Status(400, API_KEY),
        Fault::Status(401, "invalid_api_key"),
        Fault::Status(403, "x"),
        Fault::Status(429, "insufficient_quota"),
        Fault::Status(500, API_KEY),
        Fault::Page(502),
        Fault::DropBefore,
        Fault::Truncate,
        Fault::Garbage,
        Fault::Nonsense,
    ];
    for fault in faults {
        server.inject(Plan { times: usize::MAX, ..Plan::nth(0, fault.clone()) });
        let error = put(&backend, "file", b"x").unwrap_err();
        let text = shown(&error);
        assert!(!text.contains(API_KEY) && !text.contains("canary"), "{fault:?}: {text}");
        server.heal();
    }
}

#[test]
fn a_wrong_key_is_said_to_be_wrong_and_not_shown() {
    let server = Server::start();
    let wrong = "sk-wrong-canary-0123456789abcdef";
    let backend = open_with(&server, server.vector_store(), json!({"api_key": wrong}));
    let error = read(&backend, "file").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Authentication);
    let text = shown(&error);
    assert!(!text.contains("canary") && !text.contains("cdef"), "not even its end: {text}");
    assert!(text.contains("request"), "the request id is in the context: {text}");
}

/// What is logged by all tests of this process, at every level.
struct Log(Mutex<Vec<String>>);

static LOG: Log = Log(Mutex::new(Vec::new()));

impl log::Log for Log {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        self.0.lock().unwrap().push(record.args().to_string());
    }

    fn flush(&self) {}
}

#[test]
fn a_server_that_sends_the_key_back_does_not_get_it_into_the_log_or_an_error() {
    log::set_logger(&LOG).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    let (plain, url) = (STANDARD.encode(API_KEY), URL_SAFE_NO_PAD.encode(API_KEY));
    let filler = "x".repeat(290); // the cut comes in the midst of the key
    for (number, id) in [API_KEY, &plain, &url, &format!("{filler}{API_KEY}")].into_iter().enumerate() {
        let id = format!("echo{number}-{id}");
        let server = Server::start();
        server.configure(|settings| settings.request_id = Some(id));
        let backend = open_with(&server, server.vector_store(), json!({"max_retries": 0}));
        put(&backend, "file", b"x").unwrap();
        for fault in [Fault::Status(400, "x"), Fault::Nonsense] {
            server.inject(Plan { times: usize::MAX, ..Plan::nth(0, fault) });
            let text = shown(&put(&backend, "file", b"y").unwrap_err());
            assert!(!text.contains(&plain[..12]) && !text.contains("sk-test"), "{text}");
            server.heal();
        }
    }
    let logged = LOG.0.lock().unwrap().join("\n");
    for number in 0..4 {
        assert!(logged.contains(&format!("request echo{number}-")), "{logged}");
    }
    let keys = [&API_KEY[..8], &plain[..12], &url[..12]];
    assert!(!keys.iter().any(|key| logged.contains(key)), "{logged}");
}

#[test]
fn a_key_that_cannot_be_sent_is_refused_and_not_shown() {
    let server = Server::start();
    let backend = open_with(&server, server.vector_store(), json!({"api_key": "sk-canary\r\nx: y"}));
    let error = read(&backend, "file").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConnection);
    assert!(!shown(&error).contains("canary"), "{error:?}");
}

#[test]
fn options_do_not_show_the_key() {
    let options = json!({"api_key": "canary", "vector_store_id": "vs_1"});
    let Value::Object(options) = options else { unreachable!("it is an object") };
    let options: OpenAiOptions = parse_options(options).unwrap();
    assert!(!format!("{options:?}").contains("canary"));
}

#[test]
fn what_is_uploaded_does_not_hold_the_key() {
    let server = Server::start();
    let backend = open_with(&server, server.vector_store(), json!({}));
    put(&backend, "file", &[7; 5000]).unwrap();
    for file in server.files() {
        let all =
            format!("{} {} {:?}", file.filename, String::from_utf8_lossy(&file.content), file.attributes);
        assert!(!all.contains("canary"));
    }
}
