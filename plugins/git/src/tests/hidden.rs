//! Clones in which git was told to look away from files: nothing may be deleted or left out because of it.

use f9_plugin_api::{BackendPath, Error, ErrorKind, SyncFileBackend};

use super::support::{Site, git, read, write};
use crate::backend::GitBackend;

/// The errors of everything that synchronises.
fn refusals(backend: &GitBackend) -> [Error; 5] {
    [
        backend.push(None).unwrap_err(),
        backend.pull().unwrap_err(),
        backend.sync(None).unwrap_err(),
        backend.conflict_report().unwrap_err(),
        backend.conflict_accept_local(&BackendPath::parse("a.txt").unwrap()).unwrap_err(),
    ]
}

/// A site with a clone in which `hide` was run. What everything is refused with says `found` and `remedy`, and the remote
/// keeps what it has.
fn check(hide: &[&[&str]], found: &str, remedy: &str, undo: &[&str]) {
    let site = Site::with(&[("a.txt", "a\n"), ("gone/b.txt", "b\n")]);
    let clone = site.path("clone");
    let backend = site.open("clone");
    for command in hide {
        git(&clone, command);
    }
    write(&clone, "a.txt", "changed\n");
    if clone.join("gone").exists() && found.contains("skip-worktree") {
        std::fs::remove_dir_all(clone.join("gone")).unwrap();
    }
    let (head, index) =
        (git(&site.remote(), &["rev-parse", "main"]), std::fs::read(clone.join(".git/index")).unwrap());
    for error in refusals(&backend).into_iter().chain(refusals(&site.open("clone"))) {
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
        assert!(error.to_string().contains(found), "{error:?}");
        assert!(error.advice().unwrap().contains(remedy), "{error:?}");
    }
    assert_eq!(git(&site.remote(), &["rev-parse", "main"]), head);
    assert_eq!(std::fs::read(clone.join(".git/index")).unwrap(), index);
    git(&clone, undo);
    git(&clone, &["checkout", "--quiet", "--", "gone"]);
    assert_eq!(backend.sync(None).unwrap().sent, 1);
    assert_eq!(site.at_remote("a.txt").unwrap(), "changed\n");
    assert_eq!(site.at_remote("gone/b.txt").unwrap(), "b\n");
    assert_eq!(read(&clone, "gone/b.txt"), "b\n");
    site.check(&["clone"]);
}

#[test]
fn a_sparse_checkout_is_refused_and_deletes_nothing() {
    for found in ["core.sparseCheckout", "sparse"] {
        // Whoever has the clone open already may meet the index first.
        let kind = if found == "sparse" { "--sparse-index" } else { "--no-sparse-index" };
        let set = ["sparse-checkout", "set", "--cone", kind, "elsewhere"];
        check(&[&set], found, "sparse-checkout disable", &["sparse-checkout", "disable"]);
    }
}

#[test]
fn a_sparse_index_alone_is_refused_and_deletes_nothing() {
    let set: [&str; 5] = ["sparse-checkout", "set", "--cone", "--sparse-index", "elsewhere"];
    let off: [&str; 4] = ["config", "--worktree", "core.sparseCheckout", "false"];
    check(&[&set, &off], "index is sparse", "sparse-checkout disable", &["sparse-checkout", "disable"]);
}

#[test]
fn a_file_that_git_skips_is_refused_and_not_deleted() {
    check(
        &[&["update-index", "--skip-worktree", "gone/b.txt"]],
        "gone/b.txt: git was told to look away from this file (skip-worktree)",
        "update-index --no-skip-worktree 'gone/b.txt'`",
        &["update-index", "--no-skip-worktree", "gone/b.txt"],
    );
}

#[test]
fn a_file_that_is_assumed_unchanged_is_refused_and_pushed_afterwards() {
    check(
        &[&["update-index", "--assume-unchanged", "a.txt"]],
        "a.txt: git was told to look away from this file (assume-unchanged)",
        "update-index --no-assume-unchanged 'a.txt'`",
        &["update-index", "--no-assume-unchanged", "a.txt"],
    );
}

#[test]
fn a_split_index_is_refused() {
    check(
        &[&["update-index", "--split-index"]],
        "split over two files",
        "update-index --no-split-index`",
        &["update-index", "--no-split-index"],
    );
}
