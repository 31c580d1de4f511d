//! Push, pull and sync between clones.

use std::{fs, os::unix::fs::PermissionsExt};

use f9_plugin_api::{ErrorKind, SyncFileBackend};

use super::{
    remotes,
    support::{Site, git, read, write},
};

#[test]
fn a_file_with_gits_own_name_in_disguise_is_named() {
    for site in [Site::with(&[("a.txt", "a\n")]), Site::empty()] {
        let backend = site.open("one");
        let one = site.path("one");
        write(&one, "dir/.git ", "x\n");
        for _ in 0..2 {
            let error = backend.push(None).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidPath, "{error:?}");
            assert!(error.to_string().contains("\"dir/.git \""), "{error}");
            assert!(error.advice().unwrap().contains(".gitignore"), "{error:?}");
        }
        fs::rename(one.join("dir/.git "), one.join("dir/other")).unwrap();
        assert_eq!(backend.push(None).unwrap().sent, 1);
    }
}

#[test]
fn a_damaged_index_is_an_error_that_says_what_to_do() {
    let site = Site::with(&[("a.txt", "a\n")]);
    let backend = site.open("one");
    let one = site.path("one");
    write(&one, "a.txt", "changed\n");
    fs::write(one.join(".git/index"), b"DIRC torn").unwrap();
    let error = backend.push(None).unwrap_err();
    assert!(error.advice().unwrap().contains("f9 repair NAME:"), "{error:?}");
    fs::remove_file(one.join(".git/index")).unwrap();
    git(&one, &["reset", "--quiet"]);
    assert_eq!(backend.push(None).unwrap().sent, 1);
    assert_eq!(site.at_remote("a.txt").unwrap(), "changed\n");
}

#[test]
fn push_makes_a_commit_at_the_remote() {
    let site = Site::with(&[("a.txt", "a\n"), ("gone.txt", "gone\n")]);
    let backend = site.open("one");
    let one = site.path("one");
    write(&one, "a.txt", "changed\n");
    write(&one, "deep/new.txt", "new\n");
    write(&one, "gone.txt", "");
    write(&one, "run.sh", "#!/bin/sh\n");
    fs::set_permissions(one.join("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    std::os::unix::fs::symlink("a.txt", one.join("link")).unwrap();
    write(&one, ".gitignore", "*.log\n");
    write(&one, "x.log", "not for git\n");
    let report = backend.push(Some("everything")).unwrap();
    assert_eq!((report.sent, report.received), (1, 0));
    assert_eq!(report.revision.unwrap(), git(&site.remote(), &["rev-parse", "main"]).trim());
    let tree = git(&site.remote(), &["ls-tree", "-r", "main"]);
    let entries: Vec<_> = tree.lines().map(|line| (&line[..6], line.rsplit('\t').next().unwrap())).collect();
    assert_eq!(
        entries,
        [
            ("100644", ".gitignore"),
            ("100644", "a.txt"),
            ("100644", "deep/new.txt"),
            ("120000", "link"),
            ("100755", "run.sh"),
        ]
    );
    let log = git(&site.remote(), &["log", "-1", "--format=%an <%ae> %s", "main"]);
    assert_eq!(log.trim(), "Tester <tester@example.com> everything");
    assert_eq!(backend.push(None).unwrap().sent, 0);
    site.check(&["one"]);
}

#[test]
fn odd_names_travel_byte_for_byte() {
    let site = Site::with(&[("a.txt", "a\n")]);
    let (one, two) = (site.open("one"), site.open("two"));
    let names = [
        "my file é.txt",
        "tab\there",
        "new\nline",
        "\"quoted\"",
        "*.glob",
        ":(glob)x",
        "-rf",
        "a'b",
        " lead",
    ];
    for name in names {
        write(&site.path("one"), name, name);
    }
    one.push(None).unwrap();
    assert_eq!(two.pull().unwrap().received, 1);
    for name in names {
        assert_eq!(read(&site.path("two"), name), name);
    }
}

#[test]
fn pull_brings_what_others_pushed() {
    let site = Site::with(&[("a.txt", "a\n"), ("dir/b.txt", "b\n"), ("swap", "file\n")]);
    let backend = site.open("one");
    site.commit_elsewhere("x", &[("a.txt", "a2\n"), ("dir/b.txt", ""), ("swap", ""), ("swap/in", "in\n")]);
    let report = backend.pull().unwrap();
    assert_eq!((report.sent, report.received), (0, 1));
    let one = site.path("one");
    assert_eq!((read(&one, "a.txt"), read(&one, "swap/in")), ("a2\n".into(), "in\n".into()));
    assert!(!one.join("dir").exists());
    assert_eq!(git(&one, &["status", "--porcelain"]), "");
    site.commit_elsewhere("x", &[("swap/in", ""), ("swap", "file again\n")]);
    backend.pull().unwrap();
    assert_eq!(read(&one, "swap"), "file again\n");
    assert_eq!(git(&one, &["status", "--porcelain"]), "");
    assert_eq!(backend.pull().unwrap().received, 0);
}

#[test]
fn pull_with_pending_changes_is_refused_and_names_them() {
    let site = Site::with(&[("a.txt", "a\n")]);
    let backend = site.open("one");
    site.commit_elsewhere("x", &[("a.txt", "theirs\n")]);
    write(&site.path("one"), "a.txt", "mine\n");
    write(&site.path("one"), "new/b.txt", "b\n");
    let error = backend.pull().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PendingChanges);
    assert!(error.message().contains("`a.txt`, `new/b.txt`"), "{error}");
    assert_eq!(read(&site.path("one"), "a.txt"), "mine\n");
}

#[test]
fn an_ignored_file_in_the_way_of_a_pull_is_not_overwritten() {
    let site = Site::with(&[(".gitignore", "*.log\n")]);
    let backend = site.open("one");
    write(&site.path("one"), "x.log", "precious\n");
    let elsewhere = site.path("elsewhere-seed");
    write(&elsewhere, "x.log", "theirs\n");
    git(&elsewhere, &["add", "--force", "x.log"]);
    site.commit_elsewhere("seed", &[("b.txt", "b\n")]);
    let error = backend.pull().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PendingChanges);
    assert!(error.message().contains("`x.log`"), "{error}");
    assert_eq!(read(&site.path("one"), "x.log"), "precious\n");
    assert!(!site.path("one").join("b.txt").exists(), "a refused pull changes nothing");
    write(&site.path("one"), "x.log", "");
    assert_eq!(backend.pull().unwrap().received, 1);
    assert_eq!(read(&site.path("one"), "x.log"), "theirs\n");
}

#[test]
fn a_push_that_comes_too_late_keeps_the_commit() {
    let site = Site::with(&[("a.txt", "a\n")]);
    let backend = site.open("one");
    site.commit_elsewhere("x", &[("theirs.txt", "theirs\n")]);
    write(&site.path("one"), "mine.txt", "mine\n");
    let error = backend.push(None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RemoteMoved, "{error:?}");
    assert!(error.is_conflict());
    assert_eq!(backend.pull().unwrap().received, 1);
    assert_eq!(backend.push(None).unwrap().sent, 2);
    assert_eq!(site.at_remote("mine.txt").unwrap(), "mine\n");
    assert_eq!(site.at_remote("theirs.txt").unwrap(), "theirs\n");
    assert_eq!(git(&site.path("one"), &["status", "--porcelain"]), "");
    site.check(&["one"]);
}

#[test]
fn two_clones_sync_end_to_end_with_dirty_trees() {
    let site = Site::with(&[("shared.txt", "1\n2\n3\n4\n5\n")]);
    let (one, two) = (site.open("one"), site.open("two"));
    write(&site.path("one"), "shared.txt", "one\n2\n3\n4\n5\n");
    write(&site.path("two"), "shared.txt", "1\n2\n3\n4\ntwo\n");
    write(&site.path("two"), "two.txt", "two\n");
    assert_eq!(one.sync(Some("one")).unwrap().sent, 1);
    let report = two.sync(Some("two")).unwrap();
    assert_eq!((report.sent, report.received), (2, 1));
    assert_eq!(one.sync(None).unwrap().received, 2);
    for clone in ["one", "two"] {
        assert_eq!(read(&site.path(clone), "shared.txt"), "one\n2\n3\n4\ntwo\n");
        assert_eq!(read(&site.path(clone), "two.txt"), "two\n");
        assert_eq!(git(&site.path(clone), &["status", "--porcelain"]), "");
    }
    site.check(&["one", "two"]);
}

#[test]
fn branches_may_have_any_name() {
    let site = Site::with(&[("a.txt", "a\n")]);
    remotes::branches_may_have_any_name(&site, |name| site.options(name));
}

#[test]
fn many_that_work_in_one_clone_take_turns() {
    const EACH: usize = 5;
    let site = Site::with(&[("a.txt", "a\n")]);
    site.open("one");
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let site = &site;
            scope.spawn(move || {
                let backend = site.open("one");
                for number in 0..EACH {
                    write(&site.path("one"), &format!("{writer}/{number}.txt"), "x\n");
                    backend.sync(None).unwrap();
                }
            });
        }
    });
    let files = git(&site.remote(), &["ls-tree", "-r", "--name-only", "main"]);
    assert_eq!(files.lines().count(), 1 + 4 * EACH);
    assert_eq!(git(&site.path("one"), &["status", "--porcelain"]), "");
    site.check(&["one"]);
}

#[test]
fn a_nested_repository_is_left_out_and_does_not_block_pull() {
    let site = Site::with(&[("a.txt", "a\n")]);
    let backend = site.open("one");
    let one = site.path("one");
    git(&one, &["init", "--quiet", "nested"]);
    write(&one, "nested/inner.txt", "inner\n");
    write(&one, "b.txt", "b\n");
    assert_eq!(backend.push(None).unwrap().sent, 1);
    assert_eq!(site.at_remote("b.txt").unwrap(), "b\n");
    assert_eq!(backend.pull().unwrap().received, 0);
    assert_eq!(read(&one, "nested/inner.txt"), "inner\n");
}

#[test]
fn the_hooks_of_a_path_are_run_and_refuse_in_their_own_words() {
    let site = Site::with(&[("a.txt", "a\n")]);
    let backend = site.open("one");
    let hook = |name: &str, script: &str| {
        let hook = site.remote().join("hooks").join(name);
        fs::create_dir_all(hook.parent().unwrap()).unwrap();
        fs::write(&hook, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
        hook
    };
    let refusing = hook("pre-receive", "echo 'no pushing on Sundays' >&2; exit 1");
    write(&site.path("one"), "b.txt", "b\n");
    let error = backend.push(None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RemoteRefused);
    assert_eq!(
        error.message(),
        "the remote refused the push: pre-receive hook declined: no pushing on Sundays"
    );
    fs::remove_file(refusing).unwrap();
    hook("post-receive", "yes 'much to say' | head -c 200000 >&2; touch done");
    assert_eq!(backend.push(None).unwrap().sent, 1);
    assert!(site.remote().join("done").exists());
    assert_eq!(site.at_remote("b.txt").unwrap(), "b\n");

    site.commit_elsewhere("two", &[("c.txt", "c\n")]);
    write(&site.path("one"), "d.txt", "d\n");
    assert_eq!(backend.push(None).unwrap_err().kind(), ErrorKind::RemoteMoved);
    backend.sync(None).unwrap();
    assert_eq!(site.at_remote("d.txt").unwrap(), "d\n");
}

#[test]
fn somebodys_working_tree_refuses_a_push_by_path() {
    let site = Site::with(&[("a.txt", "a\n")]);
    let backend = site.open("one");
    write(&site.path("one"), "b.txt", "b\n");
    git(&site.remote(), &["config", "core.bare", "false"]);
    assert_eq!(backend.push(None).unwrap_err().kind(), ErrorKind::RemoteRefused);
    git(&site.remote(), &["config", "core.bare", "true"]);
    assert_eq!(backend.push(None).unwrap().sent, 1);
}

#[test]
fn a_lock_of_a_live_git_is_respected() {
    let site = Site::with(&[("a.txt", "a\n")]);
    let backend = site.open("one");
    let lock = site.path("one/.git/index.lock");
    fs::write(&lock, "").unwrap();
    write(&site.path("one"), "b.txt", "b\n");
    let error = backend.push(None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy, "{error:?}");
    assert!(lock.exists());
    fs::remove_file(&lock).unwrap();
    assert_eq!(backend.push(None).unwrap().sent, 1);
}

#[test]
fn many_objects_travel_as_a_pack() {
    let site = Site::with(&[("a.txt", "a\n")]);
    let (one, two) = (site.open("one"), site.open("two"));
    for number in 0..300 {
        write(&site.path("one"), &format!("dir{}/{number}.txt", number % 7), &format!("{number}\n"));
    }
    one.push(None).unwrap();
    two.pull().unwrap();
    assert_eq!(read(&site.path("two"), "dir3/136.txt"), "136\n");
    let packs = fs::read_dir(site.remote().join("objects/pack")).unwrap();
    assert!(packs.count() >= 2);
    site.check(&["one", "two"]);
}

#[test]
fn line_endings_follow_gitattributes() {
    let site = Site::with(&[(".gitattributes", "*.txt text eol=crlf\n"), ("a.txt", "1\n2\n")]);
    let (one, two) = (site.open("one"), site.open("two"));
    assert_eq!(read(&site.path("one"), "a.txt"), "1\r\n2\r\n");
    assert_eq!(git(&site.path("one"), &["status", "--porcelain"]), "");
    write(&site.path("one"), "a.txt", "1\r\n2\r\n3\r\n");
    one.push(None).unwrap();
    assert_eq!(site.at_remote("a.txt").unwrap(), "1\n2\n3\n");
    two.pull().unwrap();
    assert_eq!(read(&site.path("two"), "a.txt"), "1\r\n2\r\n3\r\n");
}

#[test]
fn a_clone_is_what_the_attributes_in_force_make_of_it() {
    let files =
        [("a.txt", "1\n$Id$\n"), ("dir/a.txt", "2\n$Id$\n"), ("dir/deep/run", "3\n"), ("b.bin", "4\r\n")];
    for (place, attributes, is_changed) in [
        ("", "", false),
        (".gitattributes", "* text=auto\n*.bin binary\n", false),
        ("dir/.gitattributes", "*.txt text eol=crlf\n", true),
        ("dir/.gitattributes", "*.txt ident\n", true),
        (".gitattributes", "* text=auto eol=crlf\n", true),
        (".gitattributes", "[attr]dos text eol=crlf\ndir/*.txt dos\n", true),
    ] {
        let site = Site::with(&files);
        if !place.is_empty() {
            site.commit_elsewhere("seed", &[(place, attributes)]);
        }
        site.open("one");
        git(site.dir.path(), &["clone", "--quiet", "remote.git", "as-git-does"]);
        for (name, _) in files {
            let ours = fs::read(site.path("one").join(name)).unwrap();
            assert_eq!(
                ours,
                fs::read(site.path("as-git-does").join(name)).unwrap(),
                "{name} with {attributes}"
            );
        }
        assert_eq!(read(&site.path("one"), "dir/a.txt") != files[1].1, is_changed, "{attributes}");
        assert_eq!(git(&site.path("one"), &["status", "--porcelain"]), "");
        site.check(&["one"]);
    }
}

#[test]
fn a_remote_that_may_not_be_written_keeps_the_commit_here() {
    use std::os::unix::fs::PermissionsExt as _;
    if rustix::process::geteuid().is_root() {
        return println!("SKIPPED: everything may be written by root, who runs this test");
    }
    let site = Site::with(&[("a.txt", "a\n")]);
    let backend = site.open("one");
    write(&site.path("one"), "b.txt", "b\n");
    let closed = [site.remote().join("objects"), site.remote().join("refs/heads"), site.remote()];
    let allow = |mode| {
        closed.iter().for_each(|path| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap())
    };
    allow(0o555);
    let error = backend.push(None).unwrap_err();
    allow(0o755);
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error:?}");
    assert!(error.message().contains("may not write to the remote"), "{error:?}");
    assert_eq!(backend.push(None).unwrap().sent, 1);
    assert_eq!(site.at_remote("b.txt").unwrap(), "b\n");
}

#[test]
fn a_pull_writes_files_as_the_attributes_it_brings_have_it() {
    let dos = "*.txt text eol=crlf\n";
    for (before, after) in
        [(dos, ""), ("", dos), (dos, "*.txt text\n"), ("*.txt text\n", dos), (dos, "*.bin binary\n")]
    {
        for count in [1, 120] {
            let site = Site::with(&[("keep.bin", "k\n")]);
            if !before.is_empty() {
                site.commit_elsewhere("seed", &[(".gitattributes", before)]);
            }
            let backend = site.open("one");
            let names: Vec<_> = (0..count).map(|number| format!("dir/{number}.txt")).collect();
            let mut files: Vec<_> = names.iter().map(|name| (&**name, "1\n2\n")).collect();
            files.push((".gitattributes", after));
            site.commit_elsewhere("seed", &files);
            backend.pull().unwrap();
            git(site.dir.path(), &["clone", "--quiet", "remote.git", "as-git-does"]);
            let at = |clone: &str| fs::read(site.path(clone).join("dir/0.txt")).unwrap();
            assert_eq!(at("one"), at("as-git-does"), "{count}: {before:?} to {after:?}");
            assert_eq!(git(&site.path("one"), &["status", "--porcelain"]), "", "{before:?} to {after:?}");
        }
    }
}

#[test]
fn attributes_that_git_does_not_know_are_heeded() {
    let names: Vec<_> = (0..120).map(|number| format!("dir/{number}.txt")).collect();
    let files: Vec<_> = names.iter().map(|name| (&**name, "1\n2\n")).collect();
    for place in [".gitattributes", "dir/.gitattributes", ".git/info/attributes"] {
        let site = Site::with(&[("dir/keep", "k\n"), (".gitignore", ".gitattributes\n")]);
        let backend = site.open("one");
        write(&site.path("one"), place, "*.txt text eol=crlf\n");
        site.commit_elsewhere("seed", &files);
        backend.pull().unwrap();
        assert_eq!(read(&site.path("one"), "dir/0.txt"), "1\r\n2\r\n", "{place}");
    }
}
