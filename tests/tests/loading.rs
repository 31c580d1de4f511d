//! Why a plugin is not found or not used, in words: whoever reads the error knows what to do.

use std::fs;

use f9_host::{Error, ErrorKind};
use f9_tests::{example_dir, host_of, shelf::Shelf};
use serde_json::json;

const MEMORY: &str = "libf9_backend_memory.so";

/// The error of opening a backend, with the shelf's own path replaced by `DIR`.
#[track_caller]
fn error_of(shelf: &Shelf, backend: &str) -> (Error, String) {
    let error = shelf.open(backend).unwrap_err();
    let text = format!("{}; {}", error.message(), error.advice().unwrap_or("-"));
    (error, text.replace(&shelf.dir.path().display().to_string(), "DIR"))
}

#[track_caller]
fn assert_refused(shelf: &Shelf, backend: &str, code: &str, expected: &str) {
    let (error, text) = error_of(shelf, backend);
    assert_eq!(error.kind(), ErrorKind::PluginRefused, "{text}");
    assert_eq!(error.context().collect::<Vec<_>>(), [("reason", code)], "{text}");
    assert!(text.contains(expected), "{text}");
}

fn memory_plugin() -> Vec<u8> {
    fs::read(example_dir().join(MEMORY)).unwrap()
}

/// The library with a part of its manifest exchanged for something of the same length.
fn with_manifest(from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = memory_plugin();
    let start = bytes.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
    bytes[start..start + to.len()].copy_from_slice(to.as_bytes());
    bytes
}

#[test]
fn a_missing_plugin_names_the_directories_the_present_ones_and_the_nearest() {
    let shelf = Shelf::new();
    shelf.put(MEMORY, memory_plugin());
    let (error, text) = error_of(&shelf, "memroy");
    assert_eq!(error.kind(), ErrorKind::PluginNotFound);
    assert_eq!(
        text,
        "no plugin `memroy`: there is no libf9_backend_memroy.so in DIR; present: memory; did you mean `memory`?"
    );
    let missing = shelf.path("nowhere");
    let error = host_of(std::slice::from_ref(&missing)).open(json!({"backend": "git"})).unwrap_err();
    let expected = format!("in {} (no such file or directory); present: none", missing.display());
    assert!(error.message().ends_with(&expected), "{error}");
    assert!(error.advice().unwrap().contains("cargo build"), "{error:?}");
}

#[test]
fn a_name_is_never_a_path() {
    let shelf = Shelf::new();
    shelf.put(MEMORY, memory_plugin());
    for name in ["../memory", "/tmp/memory", "Memory", "", "memory.so", "mem ory", "memory\0"] {
        let (error, text) = error_of(&shelf, name);
        assert_eq!(error.kind(), ErrorKind::InvalidConnection, "{text}");
        assert!(text.contains("cannot be the name of a plugin; a name has 1 to 32 characters"), "{text}");
    }
}

#[test]
fn what_is_no_library_is_refused_before_it_is_loaded() {
    let shelf = Shelf::new();
    shelf.put("libf9_backend_text.so", "#!/bin/sh\n");
    assert_refused(
        &shelf,
        "text",
        "not-a-library",
        "it is not a shared library; build or copy the plugin again",
    );
    shelf.put("libf9_backend_empty.so", "");
    assert_refused(&shelf, "empty", "not-a-library", "DIR/libf9_backend_empty.so: it is empty");
    fs::create_dir(shelf.path("libf9_backend_dir.so")).unwrap();
    assert_refused(&shelf, "dir", "not-a-library", "it is not a regular file");
    std::os::unix::fs::symlink("nowhere", shelf.path("libf9_backend_link.so")).unwrap();
    assert_refused(&shelf, "link", "unreadable", "it cannot be read: No such file or directory");
    let object = fs::read("/proc/self/exe").unwrap();
    shelf.put("libf9_backend_program.so", object);
    assert_refused(&shelf, "program", "no-manifest", "it does not export `f9_plugin_manifest`");
}

#[test]
fn a_library_that_is_no_plugin_is_told_so() {
    let shelf = Shelf::new();
    fs::copy(example_dir().join("libf9_backend_stranger.so"), shelf.path("libf9_backend_stranger.so"))
        .unwrap();
    assert_refused(
        &shelf,
        "stranger",
        "no-manifest",
        "so it is no f9 plugin; remove the file, or build it with",
    );
}

#[test]
fn a_file_that_was_cut_off_is_refused_wherever_the_cut_is() {
    let (shelf, whole) = (Shelf::new(), memory_plugin());
    let (mut refused, mut cuts) = (0, 0);
    let even = (1..64).map(|i| whole.len() * i / 64);
    let ends = [1, 3, 4, 16, 40, 63, 64, 65, 4096, whole.len() - 64, whole.len() - 1];
    for length in even.chain(ends) {
        // A name of its own for each: a library that was loaded once stays what it was.
        let name = format!("cut{length}");
        shelf.put(&format!("libf9_backend_{name}.so"), &whole[..length]);
        let (error, text) = error_of(&shelf, &name);
        assert_eq!(error.kind(), ErrorKind::PluginRefused, "{length}: {text}");
        refused += usize::from(text.contains("cut off") || text.contains("not a shared library"));
        cuts += 1;
    }
    assert_eq!(refused, cuts);
}

#[test]
fn another_processors_library_is_told_so() {
    let shelf = Shelf::new();
    let mut bytes = memory_plugin();
    bytes[18..20].copy_from_slice(&183u16.to_le_bytes()); // e_machine: EM_AARCH64
    if cfg!(target_arch = "aarch64") {
        bytes[18..20].copy_from_slice(&62u16.to_le_bytes()); // EM_X86_64
    }
    shelf.put(MEMORY, bytes);
    assert_refused(&shelf, "memory", "wrong-arch", "this host runs on");
}

#[test]
fn a_manifest_that_does_not_fit_is_told_so() {
    let shelf = Shelf::new();
    shelf.put("libf9_backend_other.so", memory_plugin());
    assert_refused(
        &shelf,
        "other",
        "name-mismatch",
        "the file is named for `other`, its manifest says `memory`",
    );
    shelf.put(MEMORY, with_manifest("\"abi\":\"1.", "\"abi\":\"2."));
    assert_refused(&shelf, "memory", "abi-major", "built for plugin ABI 2.1.0, this host speaks 1.1.0");
    shelf.put(MEMORY, with_manifest("{\"format\":1", "{\"format\":9"));
    assert_refused(&shelf, "memory", "bad-manifest", "its manifest has format 9, this host reads format 1");
    shelf.put(MEMORY, with_manifest("{\"format\":1", "[\"format\":1"));
    assert_refused(&shelf, "memory", "bad-manifest", "its manifest is not valid");
}

#[test]
fn the_first_of_two_files_is_used_and_the_other_is_reported() {
    let (first, second) = (Shelf::new(), Shelf::new());
    first.put(MEMORY, memory_plugin());
    second.put(MEMORY, memory_plugin());
    let host = host_of(&[first.dir.path().to_owned(), second.dir.path().to_owned()]);
    let backend = host.open(json!({"backend": "memory"})).unwrap();
    assert_eq!(backend.plugin().path(), first.dir.path().join(MEMORY));
    let files = host.plugins();
    assert!(files[0].manifest.is_some());
    let refusal = files[1].refusal.clone().unwrap();
    assert_eq!(refusal.code.as_str(), "shadowed");
    assert_eq!(refusal.detail, format!("{} comes first", first.dir.path().join(MEMORY).display()));

    // Another name of the same file is no other file.
    let third = Shelf::new();
    fs::hard_link(first.dir.path().join(MEMORY), third.dir.path().join(MEMORY)).unwrap();
    let host = host_of(&[first.dir.path().to_owned(), third.dir.path().to_owned()]);
    let name = "memory".parse().unwrap();
    assert_eq!((host.plugins().len(), host.diagnose(Some(&name)).candidates.len()), (1, 1));

    first.put(MEMORY, "broken");
    let host = host_of(&[first.dir.path().to_owned(), second.dir.path().to_owned()]);
    let error = host.open(json!({"backend": "memory"})).unwrap_err();
    let second_path = second.dir.path().join(MEMORY);
    assert!(error.message().ends_with(&format!("comes later: {}", second_path.display())), "{error}");
}

#[test]
fn a_file_is_inspected_without_being_run() {
    let shelf = Shelf::new();
    shelf.put(MEMORY, memory_plugin());
    let files = shelf.host.plugins();
    let manifest = files[0].manifest.as_ref().unwrap();
    assert_eq!((manifest.name.as_str(), manifest.abi.as_str()), ("memory", "1.1.0"));
    let is_mapped =
        || fs::read_to_string("/proc/self/maps").unwrap().contains(shelf.dir.path().to_str().unwrap());
    assert!(!is_mapped());
    shelf.host.plugin(&"memory".parse().unwrap()).unwrap();
    assert!(is_mapped());
}

#[test]
fn a_plugin_is_loaded_from_the_file_that_was_checked() {
    let shelf = Shelf::new();
    shelf.put(MEMORY, memory_plugin());
    let backend = shelf.open("memory").unwrap();
    fs::remove_file(shelf.path(MEMORY)).unwrap();
    backend.create("a", "still there").unwrap();
    assert_eq!(shelf.open("memory").unwrap().list("/").unwrap().count(), 0);
    assert_eq!(backend.read("a").unwrap(), "still there");
}

#[test]
fn wrong_options_name_the_key() {
    let host = host_of(&[example_dir()]);
    let message = |options| {
        let error = host.open(options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConnection);
        format!("{}; {}", error.message(), error.advice().unwrap_or("-"))
    };
    assert_eq!(
        message(json!({"backend": "panicking", "att": "x"})),
        "unknown key `att` in the connection; did you mean `at`?"
    );
    assert_eq!(
        message(json!({"backend": "panicking"})),
        "the connection lacks the key `at`: expected a string; add \"at\" to the connection"
    );
    assert_eq!(
        message(json!({"backend": "panicking", "at": 5})),
        "wrong value for the key `at`: expected a string, found a number; -"
    );
    let schema = host.plugin(&"panicking".parse().unwrap()).unwrap().schema().unwrap();
    assert_eq!(schema["properties"]["at"]["description"], "The name of the operation that panics.");
}
