//! What is printed, compared with what was agreed on: files in `tests/snapshots`. Where a change is meant, `F9_BLESS=1`
//! writes them anew.

use std::{env, fs};

use crate::repository;

/// Compares a text with the snapshot of this name.
///
/// # Panics
///
/// If it differs, with the first line that does.
#[track_caller]
pub fn check(name: &str, found: &str) {
    let file = repository().join("tests/snapshots").join(format!("{name}.txt"));
    if env::var_os("F9_BLESS").is_some() {
        fs::create_dir_all(file.parent().expect("a directory")).expect("the directory can be made");
        fs::write(&file, found).expect("the snapshot can be written");
    }
    let agreed = fs::read_to_string(&file).unwrap_or_default();
    let differs = |(found, agreed): &(&str, &str)| found != agreed;
    // A line more on one side, so that the end of the shorter text differs too.
    let lines = found.lines().chain(["(end)"]).zip(agreed.lines().chain(["(end)"]));
    let first = lines.enumerate().find(|(_, pair)| differs(pair));
    assert!(
        found == agreed,
        "{} differs; if that is meant, run the test with F9_BLESS=1. First in (line, (found, agreed)): {first:?}\n{found}",
        file.display()
    );
}
