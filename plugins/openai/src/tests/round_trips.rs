//! What is written comes back byte for byte.

use f9_openai_server::{Parts, Route, Server, Settings};
use f9_plugin_api::{ByteRange, Content, CreateOptions, ErrorKind, FileBackend};
use serde_json::json;

use super::{noise, open, open_with, path, put, read};
use crate::{backend::OpenAi, codec::PIECE};

/// Names and contents that a service which parses text is likely to alter.
fn delicate() -> Vec<(String, Vec<u8>)> {
    let prose = "It is a truth universally acknowledged, that files want to come back as they were.\n";
    let long = prose.repeat(200);
    let mut cases: Vec<(String, Vec<u8>)> = vec![
        ("empty".into(), Vec::new()),
        ("one".into(), b"x".to_vec()),
        ("nul".into(), b"\0".to_vec()),
        ("blank".into(), b" \n\t \r\n".to_vec()),
        ("bom.txt".into(), format!("\u{feff}{long}").into()),
        ("crlf.txt".into(), long.replace('\n', "\r\n").into()),
        ("mixed.txt".into(), format!("{}\r\n{long}", long.replace('\n', "\r\n")).into()),
        ("cr.txt".into(), long.replace('\n', "\r").into()),
        ("outer.txt".into(), format!("\n\n  {long}\t\n\n\n").into()),
        (
            "emoji.txt".into(),
            "\u{1f600}\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467} é e\u{301}\n".repeat(500).into(),
        ),
        ("nul inside.txt".into(), format!("{long}\0{long}").into()),
        ("latin1.txt".into(), [long.as_bytes(), b"\xe9\xff\xfe"].concat()),
        ("utf16.txt".into(), long.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("looks like armour".into(), "~000000.AAAA.00000000\n".repeat(300).into()),
        ("repeats".into(), "a".repeat(20_000).into()),
        ("blank lines".into(), "\n".repeat(5000).into()),
        ("noise 1 KiB".into(), noise(1 << 10)),
        ("noise 100 KiB".into(), noise(100 << 10)),
    ];
    for size in [1151, 1152, 1153, 2111, 2112, 2113, 3000] {
        cases.push((format!("size {size}"), noise(size)));
    }
    for extension in
        // What the service takes, and what it does not.
        "c cpp cs css doc docx go html java js json md pdf php pptx py rb sh tex ts txt png csv zip PDF Md h xml \
         jsonl svg yaml toml exe tar.gz".split_whitespace().chain([""])
    {
        cases.push((format!("extension.{extension}"), long.clone().into()));
        cases.push((format!("short.{extension}"), prose.into()));
    }
    for name in [
        "a b",
        "é",
        "e\u{301}",
        "\u{1f600}",
        "a\nb",
        "%2e%2e",
        "~",
        "\"",
        "'",
        "#?&=",
        "ab:c",
        "-rf",
        "...",
        " a ",
    ] {
        cases.push((name.into(), long.clone().into()));
    }
    cases.push((format!("deep/{}/x", "d/".repeat(500)), b"deep".to_vec()));
    cases.push(("é".repeat(1300), long.into()));
    cases
}

fn survive(change: impl FnOnce(&mut Settings), encoding: &str) {
    let mut settings = Settings::default();
    change(&mut settings);
    let server = Server::with(settings);
    let options = json!({"encoding": encoding, "cache_ttl": 3600});
    let writer = open_with(&server, server.vector_store(), options.clone());
    for (name, content) in delicate() {
        put(&writer, &name, &content).unwrap_or_else(|error| panic!("{name:?}: {error:?}"));
    }
    // Somebody else, who has nothing but the store to go by.
    let reader = open_with(&server, server.vector_store(), options);
    for (name, content) in delicate() {
        let found = read(&reader, &name).unwrap_or_else(|error| panic!("{name:?}: {error:?}"));
        assert!(
            found == content,
            "{name:?} came back with {} bytes instead of {}",
            found.len(),
            content.len()
        );
    }
}

#[test]
fn delicate_content_survives_normalising() {
    survive(|_| {}, "auto");
}

#[test]
fn delicate_content_survives_overlapping_chunks() {
    survive(|settings| settings.content_parts = Parts::Chunks, "auto");
}

#[test]
fn delicate_content_survives_as_armour_alone() {
    survive(|settings| settings.content_parts = Parts::Chunks, "exact");
}

#[test]
fn delicate_content_survives_being_searchable() {
    survive(|settings| settings.content_parts = Parts::Chunks, "searchable");
}

#[test]
fn delicate_content_survives_where_files_can_be_downloaded() {
    survive(
        |settings| {
            settings.allow_downloads = true;
            settings.normalise = false;
        },
        "auto",
    );
}

fn large(backend: &OpenAi, content: &[u8]) {
    let at = path("large");
    let mut reader = content;
    let info = backend.create(&at, Content::reader(&mut reader), CreateOptions::default()).unwrap();
    assert_eq!(info.size, content.len() as u64);
    assert!(backend.read(&at).unwrap() == content);
}

#[test]
fn large_content_is_stored_in_parts() {
    let server = Server::with({
        let mut settings = Settings::default();
        settings.content_parts = Parts::Chunks;
        settings
    });
    let backend = open_with(&server, server.vector_store(), json!({"cache_ttl": 3600}));
    let mut content = noise(PIECE * 2 + 12_345);
    // Text in the middle, so that parts of one file are stored in different ways.
    content.extend("a line of text, which comes back as it is\n".repeat(60_000).into_bytes());
    large(&backend, &content);
    let (p, length) = (PIECE as u64, content.len() as u64);
    server.reset();
    for range in
        [0..1, p - 1..p + 1, p..p, 2 * p - 5..2 * p + 5, length - 3..length + 100, length..length + 1]
    {
        let expected = &content[range.start as usize..(range.end.min(length)) as usize];
        assert!(backend.read_range(&path("large"), range.clone().into()).unwrap() == expected, "{range:?}");
    }
    assert!(server.count(Route::ParsedContent) <= 8, "a range is read from its parts alone");
    let tail = backend.read_range(&path("large"), ByteRange::new(p..)).unwrap();
    assert!(tail == content[PIECE..]);
}

#[test]
fn sizes_around_that_of_a_part_survive() {
    let server = Server::start();
    let backend = open_with(&server, server.vector_store(), json!({"cache_ttl": 3600}));
    for (size, parts) in [(PIECE - 1, 1), (PIECE, 1), (PIECE + 1, 2)] {
        server.reset();
        large(&backend, &noise(size));
        assert_eq!(server.count(Route::Upload), parts, "{size} bytes");
        backend.delete(&path("large"), Default::default()).unwrap();
    }
}

#[test]
#[allow(clippy::print_stdout, reason = "a test that skips says so")]
fn ten_mebibytes_survive() {
    if std::env::var_os("F9_FULL").is_none() {
        println!("skipped: half a minute of unoptimised code; set F9_FULL=1 to run it");
        return;
    }
    let server = Server::start();
    large(&open(&server), &noise(10 << 20));
}

#[test]
fn text_is_stored_as_text_and_all_else_armoured() {
    let server = Server::start();
    let backend = open(&server);
    let text = "a line of text\n".repeat(1000);
    for (name, content, encoding) in [
        ("small.txt", &b"small text\n"[..], "inline"),
        ("text.md", text.as_bytes(), "raw"),
        ("noise", &noise(5000), "armor"),
        ("mixed.txt", format!("{text}\r\n{text}").as_bytes(), "armor"),
    ] {
        put(&backend, name, content).unwrap();
        assert_eq!(backend.info(&path(name)).unwrap().attributes["encoding"], encoding, "{name}");
    }
    let stored = server.files();
    let upload =
        |needle: &[u8]| stored.iter().find(|file| file.content.windows(needle.len()).any(|w| w == needle));
    assert!(upload(b"small text").is_some(), "short text is for the search, too");
    assert!(upload(text.trim().as_bytes()).unwrap().filename.ends_with(".md"));
}

#[test]
fn a_path_that_does_not_fit_is_refused_before_anything_is_sent() {
    let server = Server::start();
    let backend = open(&server);
    let error = put(&backend, &"x".repeat(4000), b"x").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidPath);
    assert_eq!(server.requests().len(), 0);
}
