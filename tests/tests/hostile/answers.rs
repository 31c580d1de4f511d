//! Answers that are not what the boundary allows: each is told or mended, in this process, which goes on.

use std::{io::Read, time::SystemTime};

use f9_host::{
    Backend, Capabilities, ChecksumAlgorithm, Content, Error, ErrorKind, FileBackend, FileKind, Result,
    serde_json::Value,
};

use super::hostile_shelf;

fn open(mode: &str) -> Backend {
    hostile_shelf(mode).open("hostile").unwrap()
}

/// What the plugin does, and what is seen of it.
type Kind = (&'static str, fn(&str));

fn kind_of<T>(result: Result<T>) -> ErrorKind {
    result.map(drop).unwrap_err().kind()
}

/// The kind of error that reading a stream ends with.
fn read(mode: &str) -> ErrorKind {
    let answer = open(mode).open_read("x").unwrap().read(&mut [0; 64]);
    Error::from(answer.unwrap_err()).kind()
}

/// The kind of error that writing a stream ends with.
fn written(mode: &str) -> ErrorKind {
    let answer = open(mode).open_write("x").unwrap().write_all(&[0; 64]);
    Error::from(answer.unwrap_err()).kind()
}

const KINDS: [Kind; 30] = [
    ("count_is_one_too_many", |mode| assert_eq!(read(mode), ErrorKind::Integrity)),
    ("count_is_huge", |mode| assert_eq!(read(mode), ErrorKind::Integrity)),
    ("count_is_one_too_many", |mode| assert_eq!(written(mode), ErrorKind::Integrity)),
    ("count_is_huge", |mode| assert_eq!(written(mode), ErrorKind::Integrity)),
    ("writer_takes_nothing", |mode| assert_eq!(written(mode), ErrorKind::Io)),
    ("reader_is_endless", |mode| {
        let mut stream = open(mode).open_read("x").unwrap().take(1 << 20);
        assert_eq!(std::io::copy(&mut stream, &mut std::io::sink()).unwrap(), 1 << 20);
    }),
    ("", |mode| {
        // Three bytes where two were asked for.
        let answer = FileBackend::read_range(&open(mode), &"x".parse().unwrap(), (0..2).into());
        assert_eq!(kind_of(answer), ErrorKind::Integrity);
    }),
    ("", |mode| {
        // It reads into a buffer without room, and then not to the end.
        let mut content = &[7; 100][..];
        open(mode).create("x", Content::reader(&mut content)).unwrap();
        assert_eq!(content.len(), 84);
    }),
    ("content_is_endless", |mode| assert_eq!(kind_of(open(mode).read("x")), ErrorKind::Integrity)),
    ("batch_is_too_long", |mode| assert_eq!(open(mode).list("/").unwrap().take(5000).count(), 5000)),
    ("", |mode| assert_eq!(open(mode).list("/").unwrap().take(5000).count(), 5000)), // without an end
    ("path_leads_out", |mode| assert_eq!(kind_of(open(mode).info("x")), ErrorKind::Other)),
    ("path_is_no_utf8", |mode| assert_eq!(kind_of(open(mode).info("x")), ErrorKind::Other)),
    ("path_is_long", |mode| assert_eq!(kind_of(open(mode).info("x")), ErrorKind::Other)),
    ("attributes_are_no_utf8", |mode| {
        assert_eq!(open(mode).info("x").unwrap().attributes["\u{fffd}\u{fffd}{}"], "\u{fffd}\u{fffd}{}");
    }),
    ("times_are_none", |mode| {
        let info = open(mode).info("x").unwrap();
        assert_eq!(info.created_at, None);
        assert!(info.modified_at.is_none_or(|time| time < SystemTime::UNIX_EPOCH));
    }),
    ("size_is_huge", |mode| {
        let info = open(mode).info("x").unwrap();
        assert_eq!((info.size, info.kind), (u64::MAX, FileKind::Other));
    }),
    ("error_is_no_utf8", |mode| {
        let error = open(mode).delete("x").unwrap_err();
        assert_eq!((error.kind(), error.message()), (ErrorKind::Other, "\u{fffd}\u{fffd}{}"));
        assert_eq!(error.causes().count(), 1);
    }),
    ("error_has_many_causes", |mode| {
        let error = open(mode).delete("x").unwrap_err();
        assert_eq!(error.causes().count(), 64);
        drop(error); // of a chain of a million, this would overflow the stack
    }),
    ("error_is_of_no_kind", |mode| assert_eq!(kind_of(open(mode).delete("x")), ErrorKind::Other)),
    ("open_fails_at_length", |mode| {
        let error = hostile_shelf(mode).open("hostile").unwrap_err();
        assert_eq!(error.message().len(), 8 << 20);
    }),
    ("capabilities_are_all", |mode| {
        let backend = open(mode);
        assert!(backend.own_capabilities().contains(Capabilities::SYNC));
        assert!(backend.as_sync().is_none() && backend.as_search().is_none());
        assert_eq!(backend.checksum("x", ChecksumAlgorithm::Sha256).unwrap(), "\u{fffd}\u{fffd}{}");
    }),
    ("schema_is_no_json", |mode| assert_eq!(kind_of(open(mode).plugin().schema()), ErrorKind::Other)),
    ("schema_is_deep", |mode| assert_eq!(kind_of(open(mode).plugin().schema()), ErrorKind::Other)),
    ("schema_is_no_utf8", |mode| assert_eq!(kind_of(open(mode).plugin().schema()), ErrorKind::Other)),
    ("answer_is_no_utf8", |mode| {
        assert_eq!(kind_of(open(mode).command("x", &Value::Null)), ErrorKind::Other)
    }),
    ("answer_is_deep", |mode| assert_eq!(kind_of(open(mode).command("x", &Value::Null)), ErrorKind::Other)),
    ("log_is_no_utf8", |mode| drop(open(mode))),
    ("open_panics_in_a_thread", |mode| assert_eq!(open(mode).read("x").unwrap(), "abc")),
    ("drop_panics_in_a_thread", |mode| drop(open(mode))),
];

#[test]
fn every_kind_of_wrong_answer_is_told_or_mended() {
    for (mode, check) in KINDS {
        check(mode);
    }
    println!("{} kinds of wrong answers", KINDS.len());
}
