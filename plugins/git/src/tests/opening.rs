//! Everything that can be at `path` and at the remote when a connection is opened.

use std::fs;

use f9_plugin_api::{BackendPath, ErrorKind, SyncFileBackend};

use super::support::{Site, git, open, read, write};

#[test]
fn a_clone_is_made_and_is_what_git_would_have_made() {
    let site = Site::with(&[("a.txt", "a\n"), ("dir/b.txt", "b\n")]);
    site.open("clone");
    let clone = site.path("clone");
    assert_eq!((read(&clone, "a.txt"), read(&clone, "dir/b.txt")), ("a\n".into(), "b\n".into()));
    assert_eq!(git(&clone, &["status", "--porcelain"]), "");
    assert_eq!(git(&clone, &["remote", "get-url", "origin"]).trim(), site.remote().to_str().unwrap());
    let entries: Vec<_> = fs::read_dir(&clone).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(entries.len(), 3, "{entries:?}");
    site.check(&["clone"]);
}

#[test]
fn an_existing_clone_is_opened_and_pointed_at_the_remote() {
    let site = Site::with(&[("a.txt", "a\n")]);
    let clone = site.path("clone");
    git(site.dir.path(), &["clone", "--quiet", "remote.git", clone.to_str().unwrap()]);
    git(&clone, &["remote", "set-url", "origin", "/somewhere/else"]);
    let backend = site.open("clone");
    assert_eq!(git(&clone, &["remote", "get-url", "origin"]).trim(), site.remote().to_str().unwrap());
    assert_eq!(backend.pull().unwrap().received, 0);
}

#[test]
fn an_existing_empty_directory_is_cloned_into() {
    let site = Site::with(&[("a.txt", "a\n")]);
    fs::create_dir(site.path("clone")).unwrap();
    site.open("clone");
    assert_eq!(read(&site.path("clone"), "a.txt"), "a\n");
}

#[test]
fn a_directory_with_something_else_in_it_is_refused_untouched() {
    let site = Site::with(&[("a.txt", "a\n")]);
    write(&site.path("clone"), "mine.txt", "mine\n");
    let error = open(site.options("clone")).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error:?}");
    let entries: Vec<_> = fs::read_dir(site.path("clone")).unwrap().collect();
    assert_eq!(entries.len(), 1);
}

#[test]
fn a_file_in_the_way_is_refused_untouched() {
    let site = Site::with(&[("a.txt", "a\n")]);
    fs::write(site.path("clone"), "mine").unwrap();
    let error = open(site.options("clone")).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::NotADirectory, "{error:?}");
    assert_eq!(fs::read(site.path("clone")).unwrap(), b"mine");
}

#[test]
fn an_empty_remote_is_cloned_and_gets_its_first_commit() {
    let site = Site::empty();
    let backend = site.open("clone");
    assert_eq!(backend.push(None).unwrap().sent, 0);
    write(&site.path("clone"), "a.txt", "a\n");
    assert_eq!(backend.push(Some("first")).unwrap().sent, 1);
    assert_eq!(site.at_remote("a.txt").unwrap(), "a\n");
    site.check(&["clone"]);
}

#[test]
fn a_branch_that_the_remote_lacks_starts_where_its_default_branch_is() {
    let site = Site::with(&[("a.txt", "a\n")]);
    let mut options = site.options("clone");
    options["branch"] = "topic/new".into();
    let backend = open(options).unwrap();
    assert_eq!(read(&site.path("clone"), "a.txt"), "a\n");
    write(&site.path("clone"), "b.txt", "b\n");
    backend.push(None).unwrap();
    assert_eq!(git(&site.remote(), &["show", "topic/new:b.txt"]), "b\n");
    assert_eq!(site.at_remote("b.txt"), None);
}

#[test]
fn a_clone_on_another_branch_is_switched_and_keeps_its_files() {
    let site = Site::with(&[("a.txt", "a\n")]);
    let clone = site.path("clone");
    site.open("clone");
    git(&clone, &["checkout", "--quiet", "-b", "other"]);
    write(&clone, "other.txt", "other\n");
    git(&clone, &["add", "--all"]);
    git(&clone, &["commit", "--quiet", "--message", "other"]);
    write(&clone, "pending.txt", "pending\n");
    let error = open(site.options("clone")).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::PendingChanges, "{error:?}");
    write(&clone, "pending.txt", "");
    site.open("clone");
    assert!(!clone.join("other.txt").exists());
    assert_eq!(git(&clone, &["status", "--porcelain", "--branch"]).trim(), "## main");
    assert_eq!(git(&clone, &["show", "other:other.txt"]), "other\n");
}

#[test]
fn pending_changes_keep_a_clone_on_its_branch() {
    let site = Site::with(&[("a.txt", "a\n")]);
    let clone = site.path("clone");
    site.open("clone");
    // Where switching would touch no file.
    git(&clone, &["checkout", "--quiet", "-b", "other"]);
    write(&clone, "pending.txt", "pending\n");
    for branch in ["main", "brand-new"] {
        let mut options = site.options("clone");
        options["branch"] = branch.into();
        let error = open(options).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::PendingChanges, "{error:?}");
        assert!(error.message().contains("on the branch `other`"), "{error:?}");
        assert!(error.message().contains("`pending.txt`"), "{error:?}");
        assert!(error.advice().unwrap().contains("that branch as `branch`"), "{error:?}");
        assert_eq!(git(&clone, &["symbolic-ref", "HEAD"]).trim(), "refs/heads/other");
    }
    // What the hint says works.
    let mut options = site.options("clone");
    options["branch"] = "other".into();
    assert_eq!(open(options).unwrap().push(None).unwrap().sent, 2);
    site.open("clone");
    assert_eq!(git(&clone, &["symbolic-ref", "HEAD"]).trim(), "refs/heads/main");
}

#[test]
fn a_new_repository_with_files_and_no_commit_is_taken_as_it_is() {
    let site = Site::empty();
    let clone = site.path("clone");
    git(site.dir.path(), &["init", "--quiet", "--initial-branch=trunk", "clone"]);
    write(&clone, "mine.txt", "mine\n");
    assert_eq!(site.open("clone").push(None).unwrap().sent, 1);
    assert_eq!(site.at_remote("mine.txt").unwrap(), "mine\n");
}

/// The address of a repository that has nothing to do with the site's.
fn another(site: &Site) -> String {
    let another = Site::with(&[("theirs.txt", "theirs\n")]);
    fs::rename(another.remote(), site.path("another.git")).unwrap();
    site.path("another.git").to_str().unwrap().to_owned()
}

#[test]
fn a_clone_does_not_take_in_the_history_of_another_remote() {
    let site = Site::with(&[("a.txt", "a\n")]);
    let clone = site.path("clone");
    site.open("clone");
    let mut mistyped = site.options("clone");
    mistyped["remote_url"] = another(&site).into();
    let backend = open(mistyped).unwrap();
    write(&clone, "b.txt", "b\n");
    for round in ["first", "second"] {
        let error = backend.sync(None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidOperation, "{round}: {error:?}");
        assert!(error.message().contains("no commit in common"), "{round}: {error:?}");
        assert!(error.advice().unwrap().contains("`remote_url`"), "{round}: {error:?}");
        assert_eq!(backend.push(None).unwrap_err().kind(), ErrorKind::RemoteMoved, "{round}");
        assert_eq!(backend.pull().unwrap_err().kind(), ErrorKind::InvalidOperation, "{round}");
    }
    assert!(!clone.join("theirs.txt").exists());
    assert_eq!(git(&site.path("another.git"), &["ls-tree", "--name-only", "main"]), "theirs.txt\n");
    assert_eq!(site.open("clone").sync(None).unwrap().sent, 1);
    assert_eq!(git(&clone, &["remote", "get-url", "origin"]).trim(), site.remote().to_str().unwrap());
    assert_eq!(site.at_remote("b.txt").unwrap(), "b\n");
    site.check(&["clone"]);
}

#[test]
fn two_first_clones_of_an_empty_remote_meet() {
    let site = Site::empty();
    let (one, two) = (site.open("one"), site.open("two"));
    write(&site.path("one"), "same.txt", "one\n");
    write(&site.path("two"), "same.txt", "two\n");
    write(&site.path("two"), "two.txt", "two\n");
    one.sync(None).unwrap();
    for _ in 0..2 {
        let error = two.sync(None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}");
    }
    two.conflict_accept_remote(&BackendPath::parse("same.txt").unwrap()).unwrap();
    assert_eq!(two.push(None).unwrap().sent, 2);
    one.pull().unwrap();
    assert_eq!(read(&site.path("one"), "two.txt"), "two\n");
    site.check(&["one", "two"]);
}

#[test]
fn a_remote_that_is_not_there_is_an_error_that_leaves_nothing() {
    let site = Site::empty();
    let mut options = site.options("clone");
    options["remote_url"] = site.path("nowhere.git").to_str().unwrap().into();
    let error = open(options).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
    assert!(!site.path("clone").exists());
}

#[test]
fn an_interrupted_clone_is_made_anew() {
    let site = Site::with(&[("a.txt", "a\n")]);
    fs::create_dir_all(site.path("clone/.f9-tmp-clone/git/objects")).unwrap();
    fs::write(site.path("clone/.f9-tmp-clone/git/HEAD"), "torn").unwrap();
    site.open("clone");
    assert_eq!(read(&site.path("clone"), "a.txt"), "a\n");
    assert!(!site.path("clone/.f9-tmp-clone").exists());
}

#[test]
fn many_that_open_the_same_path_at_once_share_one_clone() {
    let site = Site::with(&[("a.txt", "a\n")]);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| site.open("clone"));
        }
    });
    assert_eq!(git(&site.path("clone"), &["status", "--porcelain"]), "");
    site.check(&["clone"]);
}
