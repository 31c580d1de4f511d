//! What is left of a process that was ended in the middle, and what the next one makes of it.

use std::{
    fs::{self, OpenOptions},
    path::Path,
};

use f9_plugin_api::{BackendPath, CreateOptions, ErrorKind, FileBackend, SyncFileBackend};

use super::support::{Site, git, read, write};

fn path(text: &str) -> BackendPath {
    BackendPath::parse(text).unwrap()
}

fn commit(clone: &Path, name: &str) -> String {
    git(clone, &["rev-parse", name]).trim().to_owned()
}

/// A clone that knows two commits of the remote, is at the first, and has begun to go to the second: it has written the
/// journal, and nothing else.
fn begun(site: &Site) -> (String, String) {
    let backend = site.open("one");
    site.commit_elsewhere(
        "x",
        &[("a.txt", "a2\n"), ("gone.txt", ""), ("dir/new.txt", "new\n"), ("b.txt", "b2\n")],
    );
    drop(backend);
    let one = site.path("one");
    git(&one, &["fetch", "--quiet", "origin"]);
    let (from, to) = (commit(&one, "main"), commit(&one, "origin/main"));
    fs::write(one.join(".git/f9/journal"), format!("advance {from} {to}\n")).unwrap();
    (from, to)
}

fn site() -> Site {
    Site::with(&[("a.txt", "a\n"), ("gone.txt", "gone\n"), ("b.txt", "b\n"), ("c.txt", "c\n")])
}

fn assert_arrived(site: &Site, to: &str) {
    let one = site.path("one");
    assert_eq!(commit(&one, "main"), to);
    assert_eq!((read(&one, "a.txt"), read(&one, "dir/new.txt")), ("a2\n".into(), "new\n".into()));
    assert!(!one.join("gone.txt").exists() && !one.join(".git/f9/journal").exists());
    assert!(!one.join(".git/f9/spool").exists());
}

#[test]
fn an_advance_is_finished_wherever_it_stopped() {
    let steps: [fn(&Path); 6] = [
        |_| {},
        |one| write(one, "gone.txt", ""),
        |one| write(one, "a.txt", "a2\n"),
        |one| write(one, "dir/new.txt", "new\n"),
        |one| write(one, "b.txt", "b2\n"),
        |one| fs::create_dir_all(one.join(".git/f9/spool/files/half")).unwrap(),
    ];
    for stop in 0..=steps.len() {
        let site = site();
        let (_, to) = begun(&site);
        steps[..stop].iter().for_each(|step| step(&site.path("one")));
        site.open("one");
        assert_arrived(&site, &to);
        assert_eq!(git(&site.path("one"), &["status", "--porcelain"]), "", "stopped before step {stop}");
        site.check(&["one"]);
    }
}

#[test]
fn what_somebody_wrote_since_the_interruption_stays_as_a_pending_change() {
    let site = site();
    let (_, to) = begun(&site);
    write(&site.path("one"), "b.txt", "written since\n");
    let backend = site.open("one");
    assert_arrived(&site, &to);
    assert_eq!(read(&site.path("one"), "b.txt"), "written since\n");
    let error = backend.pull().unwrap_err();
    assert!(error.kind() == ErrorKind::PendingChanges && error.message().contains("`b.txt`"), "{error:?}");
}

#[test]
fn a_backend_that_was_open_already_finishes_it_before_it_writes() {
    let site = site();
    let open_already = site.open("one");
    let (_, to) = begun(&site);
    open_already.create(&path("mine.txt"), "mine\n".into(), CreateOptions::default()).unwrap();
    assert_arrived(&site, &to);
    assert_eq!(open_already.push(None).unwrap().sent, 1);
    assert_eq!(site.at_remote("mine.txt").unwrap(), "mine\n");
}

#[test]
fn a_merge_with_conflicts_is_finished_as_one() {
    for wrote_merge_head in [false, true] {
        let site = Site::with(&[("a.txt", "a\n"), ("b.txt", "b\n")]);
        site.open("one");
        let one = site.path("one");
        write(&one, "a.txt", "local\n");
        git(&one, &["commit", "--quiet", "--all", "--message", "local"]);
        site.commit_elsewhere("x", &[("a.txt", "remote\n"), ("b.txt", "remote b\n")]);
        git(&one, &["fetch", "--quiet", "origin"]);
        let (ours, their) = (commit(&one, "main"), commit(&one, "origin/main"));
        fs::write(one.join(".git/f9/journal"), format!("conflict {ours} {their}\n")).unwrap();
        if wrote_merge_head {
            fs::write(one.join(".git/MERGE_HEAD"), format!("{their}\n")).unwrap();
        }
        let backend = site.open("one");
        assert_eq!(read(&one, "b.txt"), "remote b\n");
        assert_eq!(git(&one, &["status", "--porcelain"]), "UU a.txt\nM  b.txt\n");
        backend.conflict_accept_local(&path("a.txt")).unwrap();
        backend.push(None).unwrap();
        assert_eq!(
            (site.at_remote("a.txt").unwrap(), site.at_remote("b.txt").unwrap()),
            ("local\n".into(), "remote b\n".into())
        );
        site.check(&["one"]);
    }
}

#[test]
fn locks_of_a_killed_process_are_removed_and_older_ones_are_not() {
    let site = site();
    drop(site.open("one"));
    let one = site.path("one");
    write(&one, "new.txt", "new\n");
    // As a killed process leaves them: its mark, and after that the lock of the index.
    fs::write(one.join(".git/f9/operation.lock"), "held\n").unwrap();
    std::thread::sleep(std::time::Duration::from_millis(20));
    fs::write(one.join(".git/index.lock"), "").unwrap();
    let backend = site.open("one");
    assert_eq!(backend.push(None).unwrap().sent, 1);
    // Somebody else's, which was there before.
    fs::write(one.join(".git/index.lock"), "").unwrap();
    std::thread::sleep(std::time::Duration::from_millis(20));
    let mark =
        OpenOptions::new().write(true).truncate(true).open(one.join(".git/f9/operation.lock")).unwrap();
    std::io::Write::write_all(&mut &mark, b"held\n").unwrap();
    write(&one, "newer.txt", "newer\n");
    assert_eq!(backend.push(None).unwrap_err().kind(), ErrorKind::Busy);
    assert!(one.join(".git/index.lock").exists());
}

#[test]
fn a_merge_whose_commit_was_made_is_not_made_again() {
    let site = Site::with(&[("a.txt", "a\n")]);
    let (one, two) = (site.open("one"), site.open("two"));
    write(&site.path("one"), "a.txt", "one\n");
    one.push(None).unwrap();
    write(&site.path("two"), "a.txt", "two\n");
    two.sync(None).unwrap_err();
    let merge_head = read(&site.path("two"), ".git/MERGE_HEAD");
    two.conflict_accept_local(&path("a.txt")).unwrap();
    two.push(None).unwrap();
    write(&site.path("two"), ".git/MERGE_HEAD", &merge_head);
    assert_eq!(site.open("two").push(None).unwrap().sent, 0);
    assert!(!site.path("two/.git/MERGE_HEAD").exists());
}

#[test]
fn a_first_checkout_is_finished_wherever_it_stopped_and_leaves_what_came_since() {
    let steps: [fn(&Path); 4] = [
        |_| {},
        |one| write(one, "dir/a.txt", "a\n"),
        |one| write(one, "dir/b.txt", "written since\n"),
        |one| write(one, "dir/mine/new.txt", "mine\n"),
    ];
    for configuration in ["", "[core]\n\tautocrlf = true\n"] {
        for stop in 0..=steps.len() {
            let site = Site::with(&[
                ("top.txt", "t\n"),
                ("dir/a.txt", "a\n"),
                ("dir/b.txt", "b\n"),
                ("e/f/g", "g\n"),
            ]);
            drop(site.open("one"));
            let one = site.path("one");
            let to = commit(&one, "main");
            for gone in ["top.txt", "dir", "e", ".git/index", ".git/refs/heads/main"] {
                let gone = one.join(gone);
                if gone.is_dir() { fs::remove_dir_all(gone) } else { fs::remove_file(gone) }.unwrap();
            }
            fs::write(one.join(".git/f9/journal"), format!("advance {} {to}\n", "0".repeat(40))).unwrap();
            let mut config = OpenOptions::new().append(true).open(one.join(".git/config")).unwrap();
            std::io::Write::write_all(&mut config, configuration.as_bytes()).unwrap();
            steps[..stop].iter().for_each(|step| step(&one));
            site.open("one");
            assert_eq!(commit(&one, "main"), to);
            let end = if configuration.is_empty() { "\n" } else { "\r\n" };
            assert_eq!(read(&one, "top.txt"), format!("t{end}"));
            assert_eq!(read(&one, "e/f/g"), format!("g{end}"));
            let mut left = String::new();
            if stop > 2 {
                assert_eq!(read(&one, "dir/b.txt"), "written since\n");
                left.push_str(" M dir/b.txt\n");
            }
            if stop > 3 {
                left.push_str("?? dir/mine/\n");
            }
            assert_eq!(git(&one, &["status", "--porcelain"]), left, "stopped before step {stop}");
        }
    }
}
