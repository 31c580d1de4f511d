//! A panic in any entry of a plugin is an error of that call; the next call works.

use std::{fs, io::Read};

use f9_host::{
    Backend, ChecksumAlgorithm, Content, Error, ErrorKind, FileBackend, Result, SyncFileBackend,
    serde_json::{Value, json},
};

use super::{Shelf, find, library};

/// What is called, and the name by which the plugin is told to panic there.
type Entry = (&'static str, fn(&Backend) -> Result<()>);

fn sync(backend: &Backend) -> &dyn SyncFileBackend {
    backend.as_sync().unwrap()
}

fn path() -> f9_host::BackendPath {
    "x".parse().unwrap()
}

const ENTRIES: [Entry; 30] = [
    ("create", |backend| backend.create("x", "y").map(drop)),
    ("create", |backend| backend.create("x", Content::reader(&mut &b"y"[..])).map(drop)),
    ("read", |backend| backend.read("x").map(drop)),
    ("read_range", |backend| FileBackend::read_range(backend, &path(), (1..2).into()).map(drop)),
    ("update", |backend| backend.update("x", "y").map(drop)),
    ("update", |backend| backend.update("x", Content::reader(&mut &b"y"[..])).map(drop)),
    ("update", |backend| backend.append("x", "y").map(drop)),
    ("delete", |backend| backend.delete("x")),
    ("info", |backend| backend.info("x").map(drop)),
    ("list", |backend| backend.list("/").map(drop)),
    ("next", |backend| backend.list("/")?.collect::<Result<Vec<_>>>().map(drop)),
    ("open_read", |backend| backend.open_read("x").map(drop)),
    ("stream", |backend| backend.open_read("x")?.read(&mut [0]).map(drop).map_err(Error::from)),
    ("open_write", |backend| backend.open_write("x").map(drop)),
    ("stream", |backend| backend.open_write("x")?.write_all(b"y").map_err(Error::from)),
    ("stream", |backend| backend.open_write("x")?.commit().map(drop)),
    ("copy", |backend| backend.copy("x", "y").map(drop)),
    ("rename", |backend| backend.rename("x", "y").map(drop)),
    ("checksum", |backend| backend.checksum("x", ChecksumAlgorithm::Md5).map(drop)),
    ("command", |backend| backend.command("x", &Value::Null).map(drop)),
    ("push", |backend| sync(backend).push(None).map(drop)),
    ("pull", |backend| sync(backend).pull().map(drop)),
    ("sync", |backend| sync(backend).sync(None).map(drop)),
    ("conflict_report", |backend| sync(backend).conflict_report().map(drop)),
    ("conflict_accept_local", |backend| sync(backend).conflict_accept_local(&path())),
    ("conflict_accept_remote", |backend| sync(backend).conflict_accept_remote(&path())),
    ("conflict_resolve", |backend| sync(backend).conflict_resolve(&path(), "y".into()).map(drop)),
    ("conflict_resolve", |backend| {
        sync(backend).conflict_resolve(&path(), Content::reader(&mut &b"y"[..])).map(drop)
    }),
    ("search", |backend| backend.as_search().unwrap().search("x", 1, &Value::Null).map(drop)),
    ("create_dir", |backend| backend.create_dir("x").map(drop)),
];

fn shelf() -> Shelf {
    let shelf = Shelf::new();
    fs::write(shelf.path("libf9_backend_panicking.so"), library("panicking")).unwrap();
    shelf
}

fn open(shelf: &Shelf, at: &str) -> Result<Backend> {
    shelf.host.open(json!({"backend": "panicking", "at": at}))
}

#[test]
fn a_panic_in_any_entry_is_an_error_of_that_call() {
    let shelf = shelf();
    let mut panics = 0;
    for (at, call) in ENTRIES {
        let backend = open(&shelf, at).unwrap();
        for _ in 0..2 {
            let error = call(&backend).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Panicked, "{at}: {error}");
            panics += 1;
        }
        // The others go on.
        if at != "read" {
            assert_eq!(backend.read("x").unwrap(), "fine", "{at}");
        }
    }
    for at in ["capabilities", "as_sync", "as_search", "drop"] {
        let backend = open(&shelf, at).unwrap();
        assert_eq!(backend.own_capabilities().is_empty(), at == "capabilities");
        assert_eq!(
            (backend.as_sync().is_none(), backend.as_search().is_none()),
            (at == "as_sync", at == "as_search")
        );
        drop(backend);
        panics += 1;
    }
    assert_eq!(open(&shelf, "open").unwrap_err().kind(), ErrorKind::Panicked);
    println!("{} entries panicked {} times", ENTRIES.len() + 5, panics + 1);
}

#[test]
fn a_panic_in_the_description_of_the_options_is_an_error() {
    let shelf = Shelf::new();
    let mut bytes = library("panicking");
    let marker = b"F9-PANICKING-SCHEMA";
    let at = find(&bytes, marker) + marker.len();
    bytes[at] = b'1';
    fs::write(shelf.path("libf9_backend_panicking.so"), bytes).unwrap();
    let plugin = shelf.host.plugin(&"panicking".parse().unwrap()).unwrap();
    assert_eq!(plugin.schema().unwrap_err().kind(), ErrorKind::Panicked);
    // The options are checked against their description.
    assert_eq!(open(&shelf, "nowhere").unwrap_err().kind(), ErrorKind::Panicked);
}
