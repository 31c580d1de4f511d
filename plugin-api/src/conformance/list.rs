//! `list`.

use std::collections::BTreeSet;

use super::{
    Applies, Case,
    check::{Checked, cases, ensure},
    subject::Subject,
};
use crate::{ErrorKind, FileInfo, ListOptions};

pub(super) const CASES: &[Case] = cases! {
    "list", Applies::Always;
    an_empty_root_has_no_entries: "The children of a directory: of a fresh root, none.";
    an_empty_directory_has_no_entries: "The children of a directory. The directory itself is not among the entries.";
    gives_the_children: "The children of a directory.";
    recursive_gives_everything_below: "With `recursive`, everything below it.";
    a_directory_comes_before_what_it_holds: "A directory comes before what it holds.";
    entries_are_as_info_says: "Each is what `info` answers for its path.";
    names_only_gives_the_same_names: "With `names_only`, the same paths and kinds; the rest may be left out.";
    keeps_apart_names_that_begin_alike: "The children of a directory: not those of its neighbours.";
    shows_every_change: "The children of a directory, as they are now.";
    many_entries_are_complete: "The children of a directory: all of them, each once.";
    refuses_a_file: "NotADirectory for what is no directory.";
    refuses_what_is_missing: "Missing paths are NotFound; a file where a directory is needed on the way is NotADirectory.";
    is_no_snapshot: "A listing is no snapshot: what changes meanwhile may or may not be seen.";
};

/// Checks that the entries are these paths, in any order and each once.
fn are(entries: &[FileInfo], expected: &[&str]) -> Checked {
    let mut paths: Vec<_> = entries.iter().map(|entry| entry.path.as_str()).collect();
    paths.sort_unstable();
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    ensure!(paths == expected, "the entries are {paths:?} instead of {expected:?}");
    Ok(())
}

fn an_empty_root_has_no_entries(s: &Subject<'_>) -> Checked {
    are(&s.list("/").done()?, &[])?;
    are(&s.list_all("/").done()?, &[])
}

fn an_empty_directory_has_no_entries(s: &Subject<'_>) -> Checked {
    s.create_dir("a/empty").done()?;
    s.create("a/beside", "x").done()?;
    are(&s.list("a/empty").done()?, &[])?;
    are(&s.list_all("a/empty").done()?, &[])
}

fn fill(s: &Subject<'_>) -> Checked {
    s.create("a/b/c/deep", "1").done()?;
    s.create("a/b/file", "22").done()?;
    s.create("a/z", "333").done()?;
    s.create_dir("a/empty").done()?;
    s.create("top", "4444").done()?;
    Ok(())
}

fn gives_the_children(s: &Subject<'_>) -> Checked {
    fill(s)?;
    are(&s.list("/").done()?, &["a", "top"])?;
    are(&s.list("a").done()?, &["a/b", "a/z", "a/empty"])?;
    are(&s.list("a/b/c").done()?, &["a/b/c/deep"])
}

fn recursive_gives_everything_below(s: &Subject<'_>) -> Checked {
    fill(s)?;
    are(&s.list_all("/").done()?, &["a", "a/b", "a/b/c", "a/b/c/deep", "a/b/file", "a/z", "a/empty", "top"])?;
    are(&s.list_all("a/b").done()?, &["a/b/c", "a/b/c/deep", "a/b/file"])
}

fn a_directory_comes_before_what_it_holds(s: &Subject<'_>) -> Checked {
    fill(s)?;
    for path in ["z/z/z/a", "z/a/z/a", "z/!/z", "0/9/0"] {
        s.create(path, "x").done()?;
    }
    let mut seen = BTreeSet::from([String::new()]);
    for entry in s.list_all("/").done()? {
        let parent = entry.path.parent().unwrap_or_default();
        ensure!(seen.contains(parent.as_str()), "{:?} comes before its directory", entry.path);
        seen.insert(entry.path.as_str().to_owned());
    }
    Ok(())
}

fn entries_are_as_info_says(s: &Subject<'_>) -> Checked {
    fill(s)?;
    for entry in [s.list("/").done()?, s.list("a").done()?, s.list_all("a").done()?].concat() {
        let info = s.info(entry.path.as_str()).done()?;
        ensure!(entry == info, "the entry is {entry:?}, and `info` says {info:?}");
    }
    Ok(())
}

fn names_only_gives_the_same_names(s: &Subject<'_>) -> Checked {
    fill(s)?;
    for path in ["/", "a", "a/empty"] {
        for options in [ListOptions::default(), ListOptions::default().recursive(true)] {
            let all = s.list_with(path, options).done()?;
            let names = s.list_with(path, options.names_only(true)).done()?;
            are(&names, &all.iter().map(|entry| entry.path.as_str()).collect::<Vec<_>>())?;
            for name in names {
                let info = s.info(name.path.as_str()).done()?;
                let is_true = name.kind == info.kind && (name.size == 0 || name.size == info.size);
                ensure!(is_true, "the entry is {name:?}, and `info` says {info:?}");
            }
        }
    }
    let names_only = ListOptions::default().names_only(true);
    s.list_with("top", names_only).fails(ErrorKind::NotADirectory)?;
    s.list_with("missing", names_only).fails(ErrorKind::NotFound)
}

fn keeps_apart_names_that_begin_alike(s: &Subject<'_>) -> Checked {
    for path in ["a/x", "ab/y", "a.b/z", "a b", "a-", "b/a/x"] {
        s.create(path, "x").done()?;
    }
    are(&s.list("a").done()?, &["a/x"])?;
    are(&s.list_all("a").done()?, &["a/x"])?;
    are(&s.list("/").done()?, &["a", "ab", "a.b", "a b", "a-", "b"])
}

fn shows_every_change(s: &Subject<'_>) -> Checked {
    s.create("a", "1").done()?;
    are(&s.list("/").done()?, &["a"])?;
    s.create("b", "2").done()?;
    are(&s.list("/").done()?, &["a", "b"])?;
    s.append("b", "22").done()?;
    let sizes: u64 = s.list("/").done()?.iter().map(|entry| entry.size).sum();
    ensure!(sizes == 4, "the files are listed with {sizes} bytes together instead of 4");
    s.delete("a").done()?;
    are(&s.list("/").done()?, &["b"])?;
    are(&s.list_all("/").done()?, &["b"])
}

fn many_entries_are_complete(s: &Subject<'_>) -> Checked {
    let paths: Vec<_> = (0..500).map(|i| format!("dir/file-{i}")).collect();
    for path in &paths {
        s.create(path, path).done()?;
    }
    let mut expected: Vec<_> = paths.iter().map(String::as_str).collect();
    are(&s.list("dir").done()?, &expected)?;
    expected.push("dir");
    are(&s.list_all("/").done()?, &expected)
}

fn refuses_a_file(s: &Subject<'_>) -> Checked {
    s.create("dir/file", "x").done()?;
    s.list("dir/file").fails(ErrorKind::NotADirectory)?;
    s.list_all("dir/file").fails(ErrorKind::NotADirectory)
}

fn refuses_what_is_missing(s: &Subject<'_>) -> Checked {
    s.create("dir/file", "x").done()?;
    for path in ["missing", "dir/missing", "missing/below", "di"] {
        s.list(path).fails(ErrorKind::NotFound)?;
        s.list_all(path).fails(ErrorKind::NotFound)?;
    }
    s.list("dir/file/below").fails(ErrorKind::NotADirectory)
}

fn is_no_snapshot(s: &Subject<'_>) -> Checked {
    fill(s)?;
    let root = crate::BackendPath::root();
    let options = ListOptions::default().recursive(true);
    let half_read = s.0.list(&root, options).map(|mut entries| (entries.next().is_some(), entries));
    s.create("more", "x").done()?;
    s.delete_all("a").done()?;
    ensure!(matches!(half_read, Ok((true, _))), "listing the root gave no entry");
    drop(half_read);
    are(&s.list_all("/").done()?, &["more", "top"])
}
