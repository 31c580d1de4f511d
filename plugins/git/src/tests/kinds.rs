//! Every change of kind at one path, forth and back, by pull.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use f9_plugin_api::{ErrorKind, SyncFileBackend};

use super::support::{Site, git, git_command, write};

/// What a path can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Absent,
    File,
    Executable,
    Link,
    Directory,
    Submodule,
}

const KINDS: [Kind; 6] =
    [Kind::Absent, Kind::File, Kind::Executable, Kind::Link, Kind::Directory, Kind::Submodule];

/// Commits at the remote that the path is of this kind, with files beside it.
fn commit(site: &Site, path: &str, kind: Kind) {
    let seed = site.path("elsewhere-seed");
    let blob = |content: &str| {
        write(&seed, ".git/content", content);
        git(&seed, &["hash-object", "-w", ".git/content"]).trim().to_owned()
    };
    git(&seed, &["rm", "--quiet", "-r", "--cached", "--ignore-unmatch", path]);
    let (mode, id, at) = match kind {
        Kind::Absent => ("", String::new(), String::new()),
        Kind::File => ("100644", blob("file\n"), path.to_owned()),
        Kind::Executable => ("100755", blob("file\n"), path.to_owned()),
        Kind::Link => ("120000", blob("file"), path.to_owned()),
        Kind::Directory => ("100644", blob("file\n"), format!("{path}/below/file")),
        Kind::Submodule => ("160000", "1".repeat(40), path.to_owned()),
    };
    if kind != Kind::Absent {
        git(&seed, &["update-index", "--add", "--cacheinfo", &format!("{mode},{id},{at}")]);
    }
    git(&seed, &["commit", "--quiet", "--allow-empty", "--message", &format!("{kind:?}")]);
    git(&seed, &["push", "--quiet", "origin", "main"]);
}

fn assert_is(root: &Path, path: &str, kind: Kind, step: &str) {
    let file = root.join(path);
    let there = match fs::symlink_metadata(&file) {
        Err(_) => Kind::Absent,
        Ok(found) if found.is_symlink() => Kind::Link,
        Ok(found) if found.is_dir() && file.join("below/file").is_file() => Kind::Directory,
        Ok(found) if found.is_dir() => Kind::Submodule,
        Ok(found) if found.permissions().mode() & 0o100 != 0 => Kind::Executable,
        Ok(_) => Kind::File,
    };
    assert_eq!(there, kind, "{step}");
    assert_eq!(git(root, &["status", "--porcelain"]), "", "{step}");
}

#[test]
fn every_change_of_kind_passes_forth_and_back() {
    for (path, attributes) in [("x", "* text\n"), ("sub/x", "* text\n"), ("x", "* ident\n")] {
        let site = Site::with(&[(".gitattributes", attributes), ("beside.txt", "beside\n")]);
        let (backend, one) = (site.open("one"), site.path("one"));
        for from in KINDS {
            for to in KINDS.into_iter().filter(|to| *to != from) {
                for kind in [from, to] {
                    let step = format!("{path} {attributes:?}: {from:?} to {to:?}, now {kind:?}");
                    commit(&site, path, kind);
                    backend.pull().unwrap_or_else(|error| panic!("{step}: {error:?}"));
                    assert_is(&one, path, kind, &step);
                }
            }
        }
        site.check(&["one"]);
    }
}

#[test]
fn a_change_of_kind_that_was_interrupted_is_finished() {
    for from in KINDS {
        for to in KINDS.into_iter().filter(|to| *to != from) {
            for cleared in [false, true] {
                let site = Site::with(&[("beside.txt", "beside\n")]);
                commit(&site, "x", from);
                drop(site.open("one"));
                let one = site.path("one");
                commit(&site, "x", to);
                git(&one, &["fetch", "--quiet", "origin"]);
                let id = |name: &str| git(&one, &["rev-parse", name]).trim().to_owned();
                let journal = format!("advance {} {}\n", id("main"), id("origin/main"));
                fs::write(one.join(".git/f9/journal"), journal).unwrap();
                if cleared && [from, to].contains(&Kind::Submodule) && from != Kind::Directory {
                    // Ended between the two steps that such a change takes.
                    let _ = fs::remove_file(one.join("x"));
                    let _ = fs::remove_dir(one.join("x"));
                }
                drop(site.open("one"));
                assert_is(&one, "x", to, &format!("{from:?} to {to:?}, cleared: {cleared}"));
            }
        }
    }
}

#[test]
fn what_somebody_put_into_a_submodules_directory_is_not_run_over() {
    let site = Site::with(&[("beside.txt", "beside\n")]);
    commit(&site, "x", Kind::Submodule);
    let (backend, one) = (site.open("one"), site.path("one"));
    write(&one, "x/mine.txt", "mine\n");
    commit(&site, "x", Kind::File);
    let error = backend.pull().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PendingChanges, "{error:?}");
    assert!(error.message().contains("`x/mine.txt`"), "{error:?}");
    fs::rename(one.join("x/mine.txt"), site.path("mine.txt")).unwrap();
    backend.pull().unwrap();
    assert_is(&one, "x", Kind::File, "moved away");
    assert!(git_command(&one, &["fsck"]).output().unwrap().status.success());
}
