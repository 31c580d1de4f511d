//! How often the service is asked.

use std::time::{Duration, Instant};

use f9_openai_server::{Fault, Plan, Route, Server};
use f9_plugin_api::{ChecksumAlgorithm, CreateOptions, DeleteOptions, FileBackend, ListOptions, UpdateMode};
use serde_json::{Map, json};

use super::{noise, open, open_with, path, put, read};

/// The routes that were asked for since the last reset.
fn routes(server: &Server) -> Vec<Route> {
    server.requests().into_iter().map(|(route, _)| route).collect()
}

#[test]
fn reading_a_small_file_takes_the_listing_and_nothing_else() {
    let server = Server::start();
    for i in 0..999 {
        server.put("other.txt", b"x", Map::from_iter([("number".to_owned(), json!(i))]));
    }
    put(&open(&server), "small", b"content").unwrap();
    let backend = open_with(&server, server.vector_store(), json!({"cache_ttl": 3600}));
    server.reset();
    assert_eq!(read(&backend, "small").unwrap(), b"content");
    assert_eq!(routes(&server), [Route::ListAttached; 10], "1,000 files are 10 pages");
    server.reset();
    assert_eq!(read(&backend, "small").unwrap(), b"content");
    backend.info(&path("small")).unwrap();
    assert_eq!(backend.list(&path("/"), ListOptions::default()).unwrap().count(), 1);
    backend.checksum(&path("small"), ChecksumAlgorithm::Sha256).unwrap();
    assert_eq!(routes(&server), [], "all of it is in the listing");
}

#[test]
fn creating_a_file_takes_an_upload_an_attachment_and_looking_until_it_is_indexed() {
    let server = Server::start();
    let backend = open(&server);
    backend.create(&path("a/b"), "text".into(), CreateOptions::default()).unwrap();
    let first = [Route::ListAttached, Route::Upload, Route::Attach, Route::ListFiles];
    assert_eq!(routes(&server), first, "the first write looks once for what others have left");

    server.configure(|settings| settings.index_delay = Duration::from_millis(5));
    server.reset();
    backend.create(&path("a/c"), "text".into(), CreateOptions::default()).unwrap();
    assert_eq!(routes(&server), [Route::ListAttached, Route::Upload, Route::Attach, Route::RetrieveAttached]);
}

#[test]
fn what_is_too_large_for_attributes_is_read_back_and_committed_too() {
    let server = Server::start();
    let backend = open(&server);
    put(&backend, "noise", &noise(10_000)).unwrap();
    let writing = [
        Route::ListAttached,
        Route::Upload,
        Route::Attach,
        Route::Download,
        Route::ParsedContent,
        Route::UpdateAttributes,
        Route::ListFiles,
    ];
    assert_eq!(routes(&server), writing, "the first time it is tried whether files can be downloaded");
    server.reset();
    read(&backend, "noise").unwrap();
    assert_eq!(routes(&server), [Route::ListAttached, Route::ParsedContent]);
}

#[test]
fn replacing_takes_the_old_away_last() {
    let server = Server::start();
    let backend = open(&server);
    put(&backend, "file", b"old").unwrap();
    server.reset();
    backend.update(&path("file"), "new".into(), UpdateMode::Replace).unwrap();
    let order = [Route::ListAttached, Route::Upload, Route::Attach, Route::Detach, Route::DeleteFile];
    assert_eq!(routes(&server), order);
    assert_eq!(server.files().len(), 1);
}

#[test]
fn a_cached_listing_serves_writes_too() {
    let server = Server::start();
    let backend = open_with(&server, server.vector_store(), json!({"cache_ttl": 3600}));
    for i in 0..10 {
        put(&backend, &format!("dir/{i}"), b"x").unwrap();
    }
    backend.delete(&path("dir"), DeleteOptions::default().recursive(true)).unwrap();
    assert_eq!(server.count(Route::ListAttached), 1);
    assert_eq!(server.files().len(), 0);
}

#[test]
fn callers_at_the_same_time_share_a_listing() {
    let server = Server::start();
    let backend = open(&server);
    put(&backend, "file", b"x").unwrap();
    server.configure(|settings| settings.latency = Duration::from_millis(50));
    server.reset();
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| backend.info(&path("file")).unwrap());
        }
    });
    assert!(
        server.count(Route::ListAttached) <= 4,
        "{} listings for 16 callers",
        server.count(Route::ListAttached)
    );
}

#[test]
fn a_directory_is_deleted_several_files_at_a_time() {
    let server = Server::start();
    let backend = open_with(&server, server.vector_store(), json!({"cache_ttl": 3600}));
    for i in 0..20 {
        put(&backend, &format!("dir/{i}"), b"x").unwrap();
    }
    put(&backend, "dir/noise", &noise(3_000_000)).unwrap();
    server.reset();
    // Were it one after the other, this would end it: a request that waits keeps no other from being answered.
    server.inject(Plan::once(Route::Detach, Fault::Stall(Duration::from_secs(2))));
    let start = Instant::now();
    let other = std::thread::scope(|scope| {
        let deleted = scope.spawn(|| backend.delete(&path("dir"), DeleteOptions::default().recursive(true)));
        while server.count(Route::DeleteFile) < 10 && start.elapsed() < Duration::from_millis(1900) {
            std::thread::sleep(Duration::from_millis(5));
        }
        let other = server.count(Route::DeleteFile);
        deleted.join().unwrap().unwrap();
        other
    });
    assert!(other >= 10, "{other} while one request was waiting");
    assert_eq!((server.count(Route::Detach), server.files().len()), (23, 0));
}
