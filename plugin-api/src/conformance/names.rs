//! Names pass byte for byte.

use std::collections::BTreeSet;

use super::{
    Applies, Case,
    check::{Checked, cases, ensure},
    subject::Subject,
};
use crate::{ErrorKind, FileKind};

pub(super) const CASES: &[Case] = cases! {
    "names", Applies::Always;
    ordinary_names_are_accepted: "Names pass byte for byte.";
    unusual_files_keep_their_names: "Names pass byte for byte: nothing is trimmed, decoded or case-folded. What a storage cannot name is InvalidPath.";
    unusual_directories_keep_their_names: "Names pass byte for byte: nothing is trimmed, decoded or case-folded. What a storage cannot name is InvalidPath.";
    long_names_are_whole_or_refused: "Names pass byte for byte. What a storage cannot name is InvalidPath.";
};

/// Names that every storage of files has.
const ORDINARY: [&str; 8] =
    ["readme", "README.md", "a-b_c.d", "0", "with space.txt", "archive.tar.gz", "x.y.z", "UPPER"];

/// Names that something between here and the storage might trim, decode, fold, expand or take for an option.
const UNUSUAL: [&str; 54] = [
    " leading",
    "trailing ",
    " ",
    "  ",
    "dot.",
    "dots..",
    "...",
    "..a",
    ".hidden",
    ".a.",
    "-rf",
    "--",
    "~",
    "~user",
    "%2e%2e",
    "%2F",
    "a%20b",
    "%",
    "%00",
    "a+b",
    "a#b",
    "a?b=c&d",
    "*",
    "[a]",
    "{a,b}",
    "it's",
    "\"quoted\"",
    "`id`",
    "$HOME",
    "$(id)",
    "a;b",
    "a|b",
    "<a>",
    "!",
    "^",
    "a,b",
    "a=b",
    "a@b",
    "x:y",
    "line\nbreak",
    "return\rhere",
    "tab\there",
    "bell\u{7}",
    "delete\u{7f}",
    "\u{e9}",
    "e\u{301}",
    "caf\u{e9}",
    "\u{1f4c1}",
    "\u{65e5}\u{672c}",
    "\u{5e9}\u{5dc}",
    "\u{feff}bom",
    "zero\u{200b}width",
    "case",
    "CASE",
];

fn ordinary_names_are_accepted(s: &Subject<'_>) -> Checked {
    for name in ORDINARY {
        s.create(&format!("files/{name}"), name).done()?;
        s.create(&format!("directories/{name}/inside"), name).done()?;
    }
    for name in ORDINARY {
        s.read(&format!("files/{name}")).is(name)?;
        s.read(&format!("directories/{name}/inside")).is(name)?;
    }
    lists(s, "files", &ORDINARY)?;
    lists(s, "directories", &ORDINARY)
}

fn unusual_files_keep_their_names(s: &Subject<'_>) -> Checked {
    let kept = keep(s, &UNUSUAL, |name| format!("dir/{name}"))?;
    lists(s, "dir", &kept)?;
    for name in &kept {
        let path = format!("dir/{name}");
        s.replace(&path, format!("{name}2")).done()?;
        s.read(&path).is(format!("{name}2"))?;
        s.delete(&path).done()?;
    }
    lists(s, "dir", &[])
}

fn unusual_directories_keep_their_names(s: &Subject<'_>) -> Checked {
    let kept = keep(s, &UNUSUAL, |name| format!("dir/{name}/inside"))?;
    lists(s, "dir", &kept)?;
    for name in &kept {
        lists(s, &format!("dir/{name}"), &["inside"])?;
        s.delete_all(&format!("dir/{name}")).done()?;
    }
    lists(s, "dir", &[])
}

fn long_names_are_whole_or_refused(s: &Subject<'_>) -> Checked {
    let lengths = [100, 200, 255, 256, 1000];
    // All but the last letter are alike, so that two names that are cut collide.
    let ascii = lengths.map(|length| "n".repeat(length - 1) + "1");
    let other = lengths.map(|length| "n".repeat(length - 1) + "2");
    let names: Vec<_> = ascii.iter().chain(&other).map(String::as_str).collect();
    let kept = keep(s, &names, |name| format!("dir/{name}"))?;
    lists(s, "dir", &kept)
}

/// Creates a file for each name, containing it, and gives the names that were not refused.
fn keep<'a>(s: &Subject<'_>, names: &[&'a str], path: impl Fn(&str) -> String) -> Checked<Vec<&'a str>> {
    s.create_dir("dir").done()?;
    let mut kept = Vec::new();
    for &name in names {
        let path = path(name);
        let created = s.create(&path, name);
        if created.result.is_err() {
            created.fails(ErrorKind::InvalidPath)?;
            continue;
        }
        s.is_described_by(&path, &created.done()?, FileKind::File, name.len())?;
        kept.push(name);
    }
    for name in &kept {
        s.read(&path(name)).is(name)?;
    }
    Ok(kept)
}

/// Checks that the entries of `dir` are called exactly so.
fn lists(s: &Subject<'_>, dir: &str, names: &[&str]) -> Checked {
    let entries = s.list(dir).done()?;
    let found: BTreeSet<_> = entries.iter().filter_map(|entry| entry.path.name()).collect();
    let expected: BTreeSet<_> = names.iter().copied().collect();
    let (more, fewer): (Vec<_>, Vec<_>) =
        (found.difference(&expected).collect(), expected.difference(&found).collect());
    ensure!(more.is_empty() && fewer.is_empty(), "{dir:?} lists also {more:?}, and lacks {fewer:?}");
    ensure!(
        entries.len() == names.len(),
        "{dir:?} lists {} entries instead of {}",
        entries.len(),
        names.len()
    );
    Ok(())
}
