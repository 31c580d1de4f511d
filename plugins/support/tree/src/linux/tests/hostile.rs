//! Hostile paths: refused, or inside; never a panic.

use f9_plugin_api::{BackendPath, ErrorKind, FileBackend};

use super::{Place, RESOLVERS, full};
use crate::TreeOptions;

/// What paths are put together from.
const PARTS: [&str; 40] = [
    "..",
    ".",
    "",
    "...",
    ". .",
    ".. ",
    " ..",
    "..;",
    "..\\",
    "\\..",
    "%2e%2e",
    "%2e%2e%2f",
    "..%2f",
    "..%5c",
    "..%c0%af",
    "\u{2024}\u{2024}",
    "\u{2025}",
    "\u{ff0e}\u{ff0e}",
    "..\u{2215}",
    "..\u{ff0f}",
    "..\u{2044}",
    "..\u{200b}",
    "\0",
    "..\0",
    "C:",
    "C:\\",
    "\\\\server\\share",
    "//server",
    "file://",
    "~",
    "~root",
    "-rf",
    "*",
    "con",
    "aux.txt",
    "e\u{301}",
    "é",
    "a\u{202e}b",
    "secret",
    "outside",
];

/// A path from a number, so that a failure can be told.
fn path(mut number: u64) -> String {
    let mut text = String::new();
    for _ in 0..1 + number % 5 {
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        text.push_str(PARTS[(number >> 33) as usize % PARTS.len()]);
        match number >> 60 {
            0 => text.push_str("//"),
            1 => text.push('\\'),
            2 => text.push_str(&"x".repeat(255 + (number >> 40) as usize % 3)),
            3 if number.is_multiple_of(97) => text.push_str(&"y/".repeat(2100)),
            _ => text.push('/'),
        }
    }
    text
}

#[test]
fn hostile_paths_are_refused_or_inside() {
    let paths = if full() { 120_000 } else { 2_000 };
    for resolver in RESOLVERS {
        let place = Place::with(TreeOptions::default(), resolver);
        std::fs::write(place.directory.path().join("secret"), "SECRET").unwrap();
        let (mut refused, mut inside) = (0, 0);
        for number in 0..paths {
            let text = path(number);
            let Ok(path) = BackendPath::parse(&text) else {
                refused += 1;
                continue;
            };
            let told = |found: f9_plugin_api::Result<String>| match found {
                Ok(content) => assert!(!content.contains("SECRET"), "{text:?}"),
                Err(error) => assert_ne!(error.kind(), ErrorKind::Panicked, "{text:?}"),
            };
            told(place.tree.t_read(path.as_str()));
            match place.tree.t_create(path.as_str(), "x", true) {
                Ok(_) => {
                    inside += 1;
                    assert!(place.at(path.as_str()).is_file(), "{text:?}");
                    told(place.tree.t_read(path.as_str()));
                    place.tree.info(&path).unwrap();
                    place.tree.t_rename(path.as_str(), "moved", true).unwrap();
                    place.tree.t_delete("moved", false).unwrap();
                }
                Err(error) => {
                    refused += 1;
                    use ErrorKind::{InvalidPath, IsADirectory};
                    assert!(matches!(error.kind(), InvalidPath | IsADirectory), "{text:?}: {error:?}");
                }
            }
            if number % 500 == 0 {
                for name in place.tree.t_list("/", false).unwrap() {
                    place.tree.t_delete(&name, true).unwrap();
                }
            }
        }
        let outside: Vec<_> = std::fs::read_dir(place.directory.path()).unwrap().collect();
        assert_eq!(outside.len(), 3, "something was made outside: {outside:?}");
        assert_eq!(std::fs::read(place.outside().join("secret")).unwrap(), b"SECRET");
        assert!(refused > 0 && inside > 0);
        println!("{paths} paths: {refused} refused, {inside} inside");
    }
}
