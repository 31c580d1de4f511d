//! Bad plugins of many kinds: each is told by its reason, and the host goes on. What no host in the same process could
//! survive is shown in a process of its own: those are the limits that the documentation of `f9_host` names.

#![cfg(target_os = "linux")]

mod answers;
mod elf;
mod ends;
mod files;
mod flips;
mod loaded;
mod panics;

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::Command,
    sync::{Mutex, PoisonError},
};

use f9_tests::{example_dir, shelf::Shelf};
use tempfile::TempDir;

/// A shelf with the plugin `hostile` that does this.
fn hostile_shelf(mode: &str) -> Shelf {
    let shelf = Shelf::new();
    shelf.put("libf9_backend_hostile.so", hostile(mode));
    shelf
}

/// The bytes of an example, without what only debuggers read if there is a `strip` that takes it away: of what is a tenth
/// as long, more can be tried.
fn library(name: &'static str) -> Vec<u8> {
    static STRIPPED: Mutex<BTreeMap<&str, Vec<u8>>> = Mutex::new(BTreeMap::new());

    let mut stripped = STRIPPED.lock().unwrap_or_else(PoisonError::into_inner);
    stripped
        .entry(name)
        .or_insert_with(|| strip(&example_dir().join(format!("libf9_backend_{name}.so"))))
        .clone()
}

fn strip(file: &Path) -> Vec<u8> {
    let dir = TempDir::new().unwrap();
    let short = dir.path().join("short");
    match Command::new("strip").arg("-o").arg(&short).arg(file).status() {
        Ok(status) if status.success() => fs::read(short).unwrap(),
        _ => fs::read(file).unwrap(),
    }
}

/// The hostile library with what it is to do.
fn hostile(mode: &str) -> Vec<u8> {
    let mut bytes = library("hostile");
    let marker = b"F9-HOSTILE-MODE=";
    // The example names the marker in no other place.
    let start = find(&bytes, marker) + marker.len();
    assert!(mode.len() < 32, "{mode}");
    bytes[start..start + mode.len()].copy_from_slice(mode.as_bytes());
    bytes
}

/// Where a piece of a file begins that is in it once or more.
fn find(bytes: &[u8], piece: &[u8]) -> usize {
    bytes.windows(piece.len()).position(|window| window == piece).expect("it is in the file")
}
