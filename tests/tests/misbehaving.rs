//! Plugins that panic, and streams that do, meet a host that goes on.

use std::io::{self, Read};

use f9_host::{Backend, Content, Error, ErrorKind, Result};
use f9_tests::{example_dir, host_of};
use serde_json::json;

fn open(at: &str) -> Result<Backend> {
    host_of(&[example_dir()]).open(json!({"backend": "panicking", "at": at}))
}

#[track_caller]
fn assert_panicked<T: std::fmt::Debug>(result: Result<T>, message: &str) {
    let error = result.unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::Panicked, message));
}

#[test]
fn a_panic_in_open_is_an_error_of_open() {
    assert_panicked(open("open"), "panicked in open: this is the end of open");
    open("nowhere").unwrap();
}

#[test]
fn a_panic_in_an_operation_is_an_error_of_that_operation() {
    let backend = open("read").unwrap();
    assert_panicked(backend.read("x"), "panicked in read: this is the end of read");
    assert_eq!(backend.info("x").unwrap().size, 0);
    let backend = open("nowhere").unwrap();
    assert_eq!(backend.read("x").unwrap(), "fine");
}

#[test]
fn a_panic_whose_payload_panics_when_dropped_is_contained() {
    assert_panicked(open("nowhere").unwrap().create_dir("d"), "panicked in create_dir: (no message)");
}

#[test]
fn a_panic_while_a_backend_closes_is_contained() {
    let backend = open("drop").unwrap();
    backend.info("x").unwrap();
    drop(backend);
}

#[test]
fn a_panic_while_asked_for_capabilities_means_none() {
    assert!(open("capabilities").unwrap().own_capabilities().is_empty());
}

#[test]
fn a_panic_in_a_stream_or_a_listing_is_an_error_of_the_read() {
    let backend = open("next").unwrap();
    let mut reader = backend.open_read("x").unwrap();
    let error = Error::from(reader.read(&mut [0; 8]).unwrap_err());
    assert_panicked::<()>(Err(error), "panicked in read of a stream: this is the end of the stream");
    drop(reader);
    let mut entries = backend.list("/").unwrap();
    assert_panicked(entries.next().unwrap(), "panicked in next of a listing: this is the end of next");
    assert!(entries.next().is_none());
}

#[test]
fn a_panic_in_the_callers_own_reader_does_not_end_the_plugin() {
    struct Bad;

    impl Read for Bad {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            panic!("the caller's fault")
        }
    }

    let backend = open("nowhere").unwrap();
    let result = backend.create("x", Content::reader(&mut Bad));
    assert_panicked(result, "panicked in read of a stream: the caller's fault");
}

#[test]
fn an_error_of_the_callers_reader_comes_back_as_it_was() {
    struct Bad;

    impl Read for Bad {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(Error::new(ErrorKind::Integrity, "half of it is missing").with("part", 3).into())
        }
    }

    let error = open("nowhere").unwrap().create("x", Content::reader(&mut Bad)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Integrity);
    assert_eq!(error.to_string(), "x: half of it is missing [part=3]");
}
