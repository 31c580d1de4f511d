//! Everything that can be at `path` and at the remote when a connection is opened.

use std::fs;

use f9_plugin_api::{BackendPath, Context, ErrorKind, SyncFileBackend};

use crate::{options::Settings, transport};

use super::support::{Site, git, git_command, open, read, write};

#[test]
fn a_clone_is_made_and_is_what_git_would_have_made() {
    let site = Site::with(&[("a.txt", "a\n"), ("dir/b.txt", "b\n")]);
    site.open("clone");
    let clone = site.path("clone");
    assert_eq!((read(&clone, "a.txt"), read(&clone, "dir/b.txt")), ("a\n".into(), "b\n".into()));
    assert_eq!(git(&clone, &["status", "--porcelain", "--branch"]), "## main...origin/main\n");
    assert_eq!(git(&clone, &["push", "--dry-run", "--porcelain"]).lines().last(), Some("Done"));
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
    let given = site.options("clone").as_object().unwrap().clone();
    let settings = Settings::from_options(f9_plugin_api::parse_options(given).unwrap()).unwrap();
    let transport = transport::open(&settings, &Context::detached()).unwrap();
    let clone = git2::Repository::open(site.path("clone")).unwrap();
    assert_eq!(transport.branches(&clone, &Context::detached()).unwrap(), ["main", "topic/new"]);
    assert_eq!(site.at_remote("b.txt"), None);
}

#[test]
fn a_clone_that_somebody_put_on_another_branch_is_left_there() {
    let site = Site::with(&[("a.txt", "a\n")]);
    let clone = site.path("clone");
    let backend = site.open("clone");
    git(&clone, &["checkout", "--quiet", "-b", "feat2"]);
    for commit in [false, true] {
        if commit {
            write(&clone, "other.txt", "other\n");
            git(&clone, &["add", "--all"]);
            git(&clone, &["commit", "--quiet", "--message", "other"]);
        }
        for error in [open(site.options("clone")).err().unwrap(), backend.sync(None).unwrap_err()] {
            assert_eq!(error.kind(), ErrorKind::InvalidOperation, "{error:?}");
            assert!(
                error.message().contains("on the branch `feat2`, the connection's is `main`"),
                "{error:?}"
            );
            let advice = error.advice().unwrap();
            assert!(advice.contains("switch main`") && advice.contains(r#""branch": "feat2""#), "{advice}");
        }
        let mut options = site.options("clone");
        options["branch"] = "brand-new".into();
        assert!(open(options).err().unwrap().advice().unwrap().contains("switch --create brand-new`"));
        assert_eq!(git(&clone, &["symbolic-ref", "HEAD"]).trim(), "refs/heads/feat2");
    }
    // What the hint says works, both ways.
    let mut options = site.options("clone");
    options["branch"] = "feat2".into();
    assert_eq!(open(options).unwrap().push(None).unwrap().sent, 1);
    assert!(open(site.options("clone")).is_err(), "it is still somebody else's checkout");
    git(&clone, &["switch", "--quiet", "main"]);
    assert_eq!(site.open("clone").sync(None).unwrap().sent, 0);
    assert_eq!(git(&site.remote(), &["show", "feat2:other.txt"]), "other\n");
}

#[test]
fn a_detached_head_keeps_its_commits() {
    let site = Site::with(&[("a.txt", "a\n")]);
    let clone = site.path("clone");
    let backend = site.open("clone");
    git(&clone, &["checkout", "--quiet", "--detach"]);
    write(&clone, "work.txt", "work\n");
    git(&clone, &["add", "--all"]);
    git(&clone, &["commit", "--quiet", "--message", "work"]);
    let commit = git(&clone, &["rev-parse", "HEAD"]);
    for error in [open(site.options("clone")).err().unwrap(), backend.sync(None).unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::InvalidOperation, "{error:?}");
        assert!(error.message().contains(&format!("at commit {} of no branch", &commit[..10])), "{error:?}");
        assert!(error.advice().unwrap().contains("switch main`"), "{error:?}");
    }
    assert_eq!(read(&clone, "work.txt"), "work\n");
    assert_eq!(git(&clone, &["rev-parse", "HEAD"]), commit);
}

#[test]
fn a_branch_that_came_to_the_remote_after_the_clone_was_made_is_checked_out() {
    let site = Site::with(&[("a.txt", "a\n")]);
    let clone = site.path("clone");
    site.open("clone");
    let seed = site.path("elsewhere-seed");
    git(&seed, &["checkout", "--quiet", "--orphan", "devel"]);
    write(&seed, "a.txt", "devel\n");
    write(&seed, "only-devel.txt", "x\n");
    git(&seed, &["add", "--all"]);
    git(&seed, &["commit", "--quiet", "--message", "devel"]);
    git(&seed, &["push", "--quiet", "origin", "devel"]);
    let mut options = site.options("clone");
    options["branch"] = "devel".into();
    let backend = open(options).unwrap();
    assert_eq!(read(&clone, "only-devel.txt"), "x\n");
    assert_eq!(read(&clone, "a.txt"), "devel\n");
    assert_eq!((backend.sync(None).unwrap().sent, backend.pull().unwrap().received), (0, 0));
    write(&clone, "mine.txt", "mine\n");
    assert_eq!(backend.push(None).unwrap().sent, 1);
    assert_eq!(git(&clone, &["rev-list", "--count", "main"]).trim(), "1", "main is where it was");
    site.check(&["clone"]);
}

#[test]
fn a_new_branch_sends_only_what_the_remote_has_on_no_branch() {
    let site = Site::with(&[("a.txt", "a\n")]);
    site.commit_elsewhere("seed", &[("b.txt", "b\n")]);
    site.open("clone");
    let mut options = site.options("clone");
    options["branch"] = "topic".into();
    let backend = open(options).unwrap();
    assert_eq!(backend.push(None).unwrap().sent, 0);
    assert_eq!(git(&site.remote(), &["rev-parse", "topic"]), git(&site.remote(), &["rev-parse", "main"]));
    write(&site.path("clone"), "c.txt", "c\n");
    assert_eq!(backend.push(None).unwrap().sent, 1);
}

#[test]
fn a_bare_repository_is_no_working_tree() {
    let site = Site::with(&[("a.txt", "a\n")]);
    let mut options = site.options("clone");
    options["path"] = site.remote().to_str().unwrap().into();
    let error = open(options).err().unwrap();
    assert!(error.message().contains("bare repository"), "{error:?}");
    assert!(error.advice().unwrap().contains("remote_url"), "{error:?}");
    site.check(&[]);
}

#[test]
fn connections_with_two_branches_share_a_clone() {
    let site = Site::with(&[("a.txt", "a\n")]);
    let clone = site.path("clone");
    site.open("clone");
    let mut topic = site.options("clone");
    topic["branch"] = "topic".into();
    for round in ["1\n", "2\n"] {
        let backend = open(topic.clone()).unwrap();
        write(&clone, "topic.txt", round);
        // Pending changes keep it where it is.
        let error = open(site.options("clone")).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::PendingChanges, "{error:?}");
        assert!(error.message().contains("on the branch `topic`"), "{error:?}");
        assert!(error.message().contains("`topic.txt`"), "{error:?}");
        assert!(error.advice().unwrap().contains("that branch as `branch`"), "{error:?}");
        backend.push(None).unwrap();
        site.open("clone");
        assert!(!clone.join("topic.txt").exists());
        assert_eq!(git(&clone, &["symbolic-ref", "HEAD"]).trim(), "refs/heads/main");
    }
    assert_eq!(git(&site.remote(), &["show", "topic:topic.txt"]), "2\n");
    assert_eq!(git(&clone, &["status", "--porcelain"]), "");
    for branch in ["main", "topic"] {
        let upstream = format!("{branch}@{{upstream}}");
        assert_eq!(git(&clone, &["rev-parse", "--abbrev-ref", &upstream]).trim(), format!("origin/{branch}"));
    }
}

#[test]
fn an_operation_of_gits_own_is_named() {
    let site = Site::with(&[("a.txt", "a\n")]);
    let clone = site.path("clone");
    let backend = site.open("clone");
    git(&clone, &["checkout", "--quiet", "-b", "side"]);
    write(&clone, "a.txt", "side\n");
    git(&clone, &["commit", "--quiet", "--all", "--message", "side"]);
    git(&clone, &["checkout", "--quiet", "main"]);
    write(&clone, "a.txt", "main\n");
    git(&clone, &["commit", "--quiet", "--all", "--message", "main"]);
    let patch =
        git(&clone, &["format-patch", "-1", "side", "--output-directory", site.dir.path().to_str().unwrap()]);
    for (name, arguments) in [
        ("rebase", ["rebase", "side"]),
        ("cherry-pick", ["cherry-pick", "side"]),
        ("revert", ["revert", "HEAD^"]),
        ("am", ["am", patch.trim()]),
    ] {
        assert!(!git_command(&clone, &arguments).output().unwrap().status.success(), "{name}");
        for error in [open(site.options("clone")).err().unwrap(), backend.conflict_report().unwrap_err()] {
            assert_eq!(error.kind(), ErrorKind::InvalidOperation, "{name}: {error:?}");
            assert!(error.message().contains(&format!("`git {name}`")), "{error:?}");
            let advice = error.advice().unwrap();
            assert!(advice.contains(&format!("{name} --continue")) && advice.contains("--abort"), "{advice}");
        }
        git(&clone, &[name, "--abort"]);
    }
    git(&clone, &["bisect", "start"]);
    let error = backend.push(None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidOperation, "{error:?}");
    assert!(error.advice().unwrap().contains("bisect reset"), "{error:?}");
    git(&clone, &["bisect", "reset"]);
    assert_eq!(site.open("clone").push(None).unwrap().sent, 1);
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
    assert_eq!(error.kind(), ErrorKind::RemoteRefused, "{error:?}");
    assert!(!site.path("clone").exists());
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

#[test]
fn a_remote_of_another_format_is_told_by_what_it_is() {
    let site = Site::empty();
    for (name, format) in
        [("sha256.git", "--object-format=sha256"), ("reftable.git", "--ref-format=reftable")]
    {
        let made =
            git_command(site.dir.path(), &["init", "--quiet", "--bare", format, name]).output().unwrap();
        if !made.status.success() {
            println!("skipped: this git makes no repository with {format}");
            continue;
        }
        let mut options = site.options("clone");
        options["remote_url"] = site.path(name).to_str().unwrap().into();
        let error = open(options).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
        assert!(error.message().contains(format.rsplit('=').next().unwrap()), "{error:?}");
    }
}

#[test]
fn a_reference_in_place_of_a_branch_is_refused_with_what_to_write() {
    let site = Site::with(&[("a.txt", "a\n")]);
    let mut options = site.options("clone");
    options["branch"] = "refs/heads/main".into();
    let error = open(options).err().unwrap();
    assert_eq!((error.kind(), error.advice()), (ErrorKind::InvalidConnection, Some("write \"main\"")));
    assert!(!site.path("clone").exists());
}

#[test]
fn an_address_in_other_words_is_the_same() {
    let site = Site::with(&[("a.txt", "a\n")]);
    let clone = site.path("clone");
    drop(site.open("clone"));
    let url = format!("file://{}", site.remote().display());
    git(&clone, &["remote", "set-url", "origin", &url]);
    drop(site.open("clone"));
    assert_eq!(git(&clone, &["remote", "get-url", "origin"]).trim(), url, "left as it was written");
}
