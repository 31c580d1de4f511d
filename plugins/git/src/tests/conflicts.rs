//! Conflicts: what they are called, and that every way of settling every kind of them works.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use f9_plugin_api::{BackendPath, ErrorKind, SyncFileBackend};

use super::support::{Site, git, read, write};
use crate::{backend::GitBackend, conflicts::Side};

fn path(text: &str) -> BackendPath {
    BackendPath::parse(text).unwrap()
}

#[test]
fn conflict_report_resolve_push() {
    let site = Site::with(&[("notes/summary.txt", "base\n")]);
    let (one, two) = (site.open("one"), site.open("two"));
    write(&site.path("one"), "notes/summary.txt", "from one\n");
    one.push(None).unwrap();
    write(&site.path("two"), "notes/summary.txt", "from two\n");
    let error = two.sync(None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.message().contains("`notes/summary.txt`"), "{error}");
    assert_eq!(
        read(&site.path("two"), "notes/summary.txt"),
        "<<<<<<< local\nfrom two\n=======\nfrom one\n>>>>>>> remote\n"
    );
    assert_eq!(git(&site.path("two"), &["status", "--porcelain"]), "UU notes/summary.txt\n");
    let report = two.conflict_report().unwrap();
    assert_eq!(report.len(), 1);
    assert_eq!((report[0].path.as_str(), &*report[0].status), ("notes/summary.txt", "UU"));
    assert_eq!(report[0].base.as_ref().unwrap().size, 5);
    assert_eq!(report[0].local.as_ref().unwrap().size, 9);
    assert_eq!(report[0].remote.as_ref().unwrap().id.len(), 40);
    for error in [two.push(None).unwrap_err(), two.pull().unwrap_err(), two.sync(None).unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert!(error.message().contains("`notes/summary.txt`"), "{error}");
    }
    two.conflict_resolve(&path("notes/summary.txt"), "both\n".into()).unwrap();
    assert!(two.conflict_report().unwrap().is_empty());
    assert_eq!(two.pull().unwrap_err().kind(), ErrorKind::PendingChanges);
    two.push(Some("settled")).unwrap();
    assert_eq!(site.at_remote("notes/summary.txt").unwrap(), "both\n");
    one.pull().unwrap();
    assert_eq!(read(&site.path("one"), "notes/summary.txt"), "both\n");
    site.check(&["one", "two"]);
}

#[test]
fn what_is_no_open_conflict_cannot_be_settled() {
    let site = Site::with(&[("a.txt", "a\n")]);
    let backend = site.open("one");
    for error in [
        backend.conflict_accept_local(&path("a.txt")).unwrap_err(),
        backend.conflict_accept_remote(&path("b.txt")).unwrap_err(),
        backend.conflict_resolve(&path("a.txt"), "x".into()).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
    assert_eq!(
        backend.conflict_accept_local(&BackendPath::root()).unwrap_err().kind(),
        ErrorKind::InvalidPath
    );
}

/// What somebody makes of a file.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Is {
    Absent,
    Text(&'static str),
    Binary(&'static str),
    Script(&'static str),
    Link(&'static str),
}

impl Is {
    fn put(self, root: &Path, name: &str) {
        let file = root.join(name);
        let _ = fs::remove_file(&file);
        if self != Self::Absent {
            fs::create_dir_all(file.parent().unwrap()).unwrap();
        }
        match self {
            Self::Absent => {}
            Self::Text(text) => fs::write(&file, text).unwrap(),
            Self::Binary(text) => fs::write(&file, [b"\0\x01\xff", text.as_bytes()].concat()).unwrap(),
            Self::Script(text) => {
                fs::write(&file, text).unwrap();
                fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
            }
            Self::Link(target) => std::os::unix::fs::symlink(target, &file).unwrap(),
        }
    }

    fn of(root: &Path, name: &str) -> String {
        let file = root.join(name);
        let Ok(metadata) = file.symlink_metadata() else { return "absent".to_owned() };
        if metadata.is_symlink() {
            return format!("link to {}", fs::read_link(&file).unwrap().display());
        }
        let executable = metadata.permissions().mode() & 0o100 != 0;
        format!("{}{:?}", if executable { "executable " } else { "" }, fs::read(&file).unwrap())
    }
}

type Kind = fn(&'static str) -> Is;
const KINDS: [(&str, Kind); 4] =
    [("text", Is::Text), ("binary", Is::Binary), ("script", Is::Script), ("link", Is::Link)];
const NAMES: [&str; 5] =
    ["plain.txt", "with space.txt", "my file é.txt", "a/b/nested.txt", "new\nline \"q\".txt"];

/// Base, local and remote, by git's two letters.
fn sides(code: &str, kind: Kind) -> (Is, Is, Is) {
    match code {
        "UU" => (kind("base\n"), kind("local\n"), kind("remote\n")),
        "AA" => (Is::Absent, kind("local\n"), kind("remote\n")),
        "UD" => (kind("base\n"), kind("local\n"), Is::Absent),
        "DU" => (kind("base\n"), Is::Absent, kind("remote\n")),
        _ => panic!("{code}"),
    }
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Settle {
    Local,
    Remote,
    Content,
}

const SETTLE: [Settle; 3] = [Settle::Local, Settle::Remote, Settle::Content];

fn settle(backend: &GitBackend, at: &BackendPath, how: Settle) {
    let settled = match how {
        Settle::Local => backend.conflict_accept_local(at),
        Settle::Remote => backend.conflict_accept_remote(at),
        Settle::Content => backend.conflict_resolve(at, "settled\n".into()).map(drop),
    };
    settled.unwrap_or_else(|error| panic!("{how:?} {at}: {error:?}"));
}

/// A merge was concluded: pushed, both sides in its history, nothing left over.
fn assert_concluded(site: &Site, clone: &str, what: &str) {
    let root = site.path(clone);
    assert_eq!(git(&root, &["status", "--porcelain"]), "", "{what}");
    assert!(!root.join(".git/MERGE_HEAD").exists() && !root.join(".git/f9/journal").exists(), "{what}");
    let parents = git(&site.remote(), &["log", "-1", "--format=%P", "main"]);
    assert_eq!(parents.split_whitespace().count(), 2, "{what}");
}

#[test]
fn every_kind_of_conflict_can_be_settled_in_every_way() {
    for code in ["UU", "AA", "UD", "DU"] {
        for how in SETTLE {
            let site = Site::with(&[("seed", "seed\n")]);
            let (one, two) = (site.open("one"), site.open("two"));
            let cases = || {
                KINDS
                    .iter()
                    .flat_map(|kind| NAMES.iter().map(move |name| (kind, format!("{}/{name}", kind.0))))
            };
            for ((_, kind), name) in cases() {
                sides(code, *kind).0.put(&site.path("one"), &name);
            }
            one.sync(Some("base")).unwrap();
            two.sync(None).unwrap();
            for ((_, kind), name) in cases() {
                sides(code, *kind).2.put(&site.path("one"), &name);
                sides(code, *kind).1.put(&site.path("two"), &name);
            }
            one.push(Some("remote")).unwrap();
            let error = two.sync(Some("local")).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Conflict, "{code} {how:?}: {error:?}");
            let report = two.conflict_report().unwrap();
            assert_eq!(report.len(), KINDS.len() * NAMES.len(), "{code}");
            assert!(report.iter().all(|conflict| conflict.status == code), "{report:?}");
            for ((kind_name, kind), name) in cases() {
                let what = format!("{code} {how:?} {name:?}");
                settle(&two, &path(&name), how);
                let expected = match how {
                    Settle::Local => expected(&site, sides(code, *kind).1),
                    Settle::Remote => expected(&site, sides(code, *kind).2),
                    Settle::Content if *kind_name == "script" => expected(&site, Is::Script("settled\n")),
                    Settle::Content => expected(&site, Is::Text("settled\n")),
                };
                assert_eq!(Is::of(&site.path("two"), &name), expected, "{what}");
            }
            two.push(None).unwrap_or_else(|error| panic!("{code} {how:?}: {error:?}"));
            assert_concluded(&site, "two", &format!("{code} {how:?}"));
            one.pull().unwrap();
            for (_, name) in cases() {
                assert_eq!(
                    Is::of(&site.path("one"), &name),
                    Is::of(&site.path("two"), &name),
                    "{code} {how:?} {name:?}"
                );
            }
            site.check(&["one", "two"]);
        }
    }
}

fn expected(site: &Site, is: Is) -> String {
    is.put(site.dir.path(), "expected");
    Is::of(site.dir.path(), "expected")
}

/// A rename to two names: the old one is `DD`, the new ones are `AU` and `UA`. A renamed link is to libgit2 another link.
#[test]
fn files_renamed_on_both_sides_can_be_settled_in_every_way() {
    let kinds = || KINDS.iter().filter(|(kind, _)| *kind != "link");
    let cases: Vec<(Kind, String)> = kinds()
        .flat_map(|(kind, is)| NAMES.iter().map(move |name| (*is, format!("{kind}/{name}"))))
        .collect();
    for how in SETTLE {
        let site = Site::with(&[("seed", "seed\n")]);
        let (one, two) = (site.open("one"), site.open("two"));
        for (kind, name) in &cases {
            // Of its own, so that nothing else could have been renamed to it.
            kind(Box::leak(format!("{name}\n").repeat(8).into_boxed_str())).put(&site.path("one"), name);
        }
        one.push(None).unwrap();
        two.pull().unwrap();
        for (clone, suffix) in [("one", "remote"), ("two", "local")] {
            for (_, name) in &cases {
                let root = site.path(clone);
                fs::rename(root.join(name), root.join(format!("{name}.{suffix}"))).unwrap();
            }
        }
        one.push(None).unwrap();
        assert_eq!(two.sync(None).unwrap_err().kind(), ErrorKind::Conflict);
        let report = two.conflict_report().unwrap();
        let code = |name: String| {
            report.iter().find(|conflict| conflict.path.as_str() == name).map(|conflict| &*conflict.status)
        };
        for (_, name) in &cases {
            let codes = [name.clone(), format!("{name}.local"), format!("{name}.remote")].map(code);
            assert_eq!(codes, [Some("DD"), Some("AU"), Some("UA")], "{name:?}");
        }
        assert_eq!(report.len(), 3 * cases.len());
        for conflict in &report {
            settle(&two, &conflict.path, how);
        }
        two.push(None).unwrap();
        assert_concluded(&site, "two", &format!("{how:?}"));
        let there = git(&site.remote(), &["ls-tree", "-r", "-z", "--name-only", "main"]);
        let there: Vec<_> = there.split('\0').collect();
        for (_, name) in &cases {
            let names = [format!("{name}.local"), name.clone(), format!("{name}.remote")];
            let found = names.map(|name| there.contains(&&*name));
            let expected = match how {
                Settle::Local => [true, false, false],
                Settle::Remote => [false, false, true],
                Settle::Content => [true, true, true],
            };
            assert_eq!(found, expected, "{how:?} {name:?}");
        }
        site.check(&["one", "two"]);
    }
}

#[test]
fn a_file_against_a_directory_can_be_settled_in_every_way() {
    for (file_is_local, kind) in
        [(true, Is::Text as Kind), (false, Is::Text), (true, Is::Link), (false, Is::Link)]
    {
        for how in SETTLE {
            let what = format!("{:?} is local: {file_is_local}, {how:?}", kind(""));
            let site = Site::with(&[("seed", "seed\n")]);
            let (one, two) = (site.open("one"), site.open("two"));
            let (file, directory) = if file_is_local { ("two", "one") } else { ("one", "two") };
            kind("a file").put(&site.path(file), "d");
            write(&site.path(directory), "d/x", "x\n");
            write(&site.path(directory), "d/y/z", "z\n");
            one.push(None).unwrap();
            assert_eq!(two.sync(None).unwrap_err().kind(), ErrorKind::Conflict, "{what}");
            let report = two.conflict_report().unwrap();
            assert_eq!(report.len(), 1, "{what}: {report:?}");
            assert_eq!(report[0].status, if file_is_local { "AU" } else { "UA" }, "{what}");
            settle(&two, &path("d"), how);
            two.push(None).unwrap_or_else(|error| panic!("{what}: {error:?}"));
            assert_concluded(&site, "two", &what);
            let file_wins = (how == Settle::Local) == file_is_local;
            let expected = match how {
                Settle::Content => Some("settled\n"),
                _ if file_wins => Some("a file"),
                _ => None,
            };
            match expected {
                Some(content) => assert_eq!(site.at_remote("d").as_deref(), Some(content), "{what}"),
                None => assert_eq!(site.at_remote("d/y/z").as_deref(), Some("z\n"), "{what}"),
            }
            one.pull().unwrap();
            site.check(&["one", "two"]);
        }
    }
}

#[test]
fn settling_a_file_against_a_directory_removes_nothing_uncommitted() {
    let site = Site::with(&[("seed", "seed\n")]);
    let (one, two) = (site.open("one"), site.open("two"));
    write(&site.path("one"), "d", "a file\n");
    write(&site.path("two"), "d/x", "x\n");
    one.push(None).unwrap();
    assert_eq!(two.sync(None).unwrap_err().kind(), ErrorKind::Conflict);
    let root = site.path("two");
    for (name, content) in [("d/x", "edited\n"), ("d/new", "new\n")] {
        write(&root, name, content);
        for result in
            [two.conflict_resolve(&path("d"), "settled\n".into()).map(drop), accept(&two, "d", Side::Remote)]
        {
            let error = result.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::PendingChanges, "{name}: {error:?}");
            assert!(error.to_string().contains(name), "{name}: {error:?}");
            assert_eq!(read(&root, name), content);
            assert_eq!(two.conflict_report().unwrap().len(), 1, "{name}");
        }
        if name == "d/x" { write(&root, name, "x\n") } else { write(&root, name, "") }
    }
    two.conflict_resolve(&path("d"), "settled\n".into()).unwrap();
    two.push(None).unwrap();
    assert_eq!(git(&site.remote(), &["show", "main^1:d/x"]), "x\n");
    assert_eq!(site.at_remote("d").unwrap(), "settled\n");
}

#[test]
fn the_losing_side_stays_in_the_history() {
    let site = Site::with(&[("a.txt", "base\n")]);
    let (one, two) = (site.open("one"), site.open("two"));
    write(&site.path("one"), "a.txt", "from one\n");
    one.push(None).unwrap();
    write(&site.path("two"), "a.txt", "from two\n");
    two.sync(None).unwrap_err();
    two.conflict_accept_local(&path("a.txt")).unwrap();
    two.push(None).unwrap();
    assert_eq!(git(&site.remote(), &["show", "main^1:a.txt"]), "from two\n");
    assert_eq!(git(&site.remote(), &["show", "main^2:a.txt"]), "from one\n");
}

#[test]
fn what_was_edited_by_hand_is_not_discarded_for_a_side() {
    let names = ["a.txt", "0.txt", "1.txt", "2.txt", "3.txt"];
    let site = Site::with(&names.map(|name| (name, "base\n")));
    let (one, two) = (site.open("one"), site.open("two"));
    for name in names {
        write(&site.path("one"), name, "remote\n");
        write(&site.path("two"), name, "local\n");
    }
    one.push(None).unwrap();
    two.sync(None).unwrap_err();
    let root = site.path("two");
    let marked = read(&root, "a.txt");
    write(&root, "a.txt", "both, by hand\n");
    for side in [Side::Local, Side::Remote] {
        let error = accept(&two, "a.txt", side).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PendingChanges, "{error:?}");
        assert!(error.advice().unwrap().contains("conflict_resolve"), "{error:?}");
        assert_eq!(read(&root, "a.txt"), "both, by hand\n");
        assert_eq!(two.conflict_report().unwrap().len(), names.len());
    }
    two.conflict_resolve(&path("a.txt"), "both, by hand\n".into()).unwrap();
    // What nobody has edited may go: the markers, also in git's own words, a side, and nothing at all.
    let in_gits_words = marked.replace("< local", "< HEAD").replace("> remote", "> 0f3c1d2");
    for (number, left) in [&*marked, &in_gits_words, "local\n", ""].into_iter().enumerate() {
        let name = format!("{number}.txt");
        write(&root, &name, left);
        accept(&two, &name, Side::Remote).unwrap();
        assert_eq!(read(&root, &name), "remote\n");
    }
    two.push(None).unwrap();
    assert_eq!(site.at_remote("a.txt").unwrap(), "both, by hand\n");
    assert_eq!(site.at_remote("2.txt").unwrap(), "remote\n");
}

fn accept(backend: &GitBackend, at: &str, side: Side) -> f9_plugin_api::Result<()> {
    match side {
        Side::Local => backend.conflict_accept_local(&path(at)),
        Side::Remote => backend.conflict_accept_remote(&path(at)),
    }
}

#[test]
fn settling_does_not_remove_what_was_changed_since_the_merge() {
    let site = Site::with(&[("seed", "seed\n")]);
    let (one, two) = (site.open("one"), site.open("two"));
    write(&site.path("one"), "d/x", "x\n");
    write(&site.path("two"), "d", "a file\n");
    one.push(None).unwrap();
    two.sync(None).unwrap_err();
    write(&site.path("two"), "d/x", "edited since\n");
    assert_eq!(two.conflict_accept_local(&path("d")).unwrap_err().kind(), ErrorKind::PendingChanges);
    write(&site.path("two"), "d/x", "x\n");
    write(&site.path("two"), "d/new", "new\n");
    assert_eq!(two.conflict_accept_local(&path("d")).unwrap_err().kind(), ErrorKind::PendingChanges);
    assert_eq!(read(&site.path("two"), "d/new"), "new\n");
    fs::remove_file(site.path("two/d/new")).unwrap();
    two.conflict_accept_local(&path("d")).unwrap();
    two.push(None).unwrap();
    assert_eq!(site.at_remote("d").unwrap(), "a file\n");
}
