//! What a power loss or a bad disk leaves of a clone, and the way out of it.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use f9_plugin_api::{
    BackendPath, Error, ErrorKind, FileBackend, ListOptions, SyncFileBackend, serde_json::json,
};

use super::support::{Site, git, open, read, write};

fn fact<'a>(error: &'a Error, name: &str) -> Option<&'a str> {
    error.context().find(|(key, _)| *key == name).map(|(_, value)| value)
}

fn done(backend: &crate::backend::GitBackend) -> String {
    let answer = backend.command("repair", &json!({})).unwrap_or_else(|error| panic!("{error:?}"));
    let sentences = answer["done"].as_array().unwrap().iter();
    sentences.map(|sentence| sentence.as_str().unwrap()).collect::<Vec<_>>().join("\n")
}

/// A clone with a commit that was not published, and a change that was not committed.
fn working(packed: bool) -> Site {
    let site = Site::with(&[("a.txt", "a\n"), ("dir/b.txt", "b\n")]);
    site.commit_elsewhere("seed", &[("a.txt", "a2\n")]);
    drop(site.open("one"));
    let one = site.path("one");
    if packed {
        git(&one, &["gc", "--quiet"]);
    }
    write(&one, "mine.txt", "mine\n");
    git(&one, &["add", "--all"]);
    git(&one, &["commit", "--quiet", "--message", "mine"]);
    write(&one, "dir/b.txt", "edited\n");
    site
}

fn cut(file: &Path, length: u64) {
    fs::set_permissions(file, fs::Permissions::from_mode(0o644)).unwrap();
    fs::OpenOptions::new().write(true).open(file).unwrap().set_len(length).unwrap();
}

fn object(git_dir: &Path, name: &str) -> PathBuf {
    let id = git(git_dir.parent().unwrap(), &["rev-parse", name]).trim().to_owned();
    git_dir.join("objects").join(&id[..2]).join(&id[2..])
}

fn packs(git_dir: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(git_dir.join("objects/pack")).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|found| found == extension)).collect()
}

/// The part that is damaged, whether everything was packed before, and how it is damaged.
type Case = (&'static str, bool, fn(&Path));

const CASES: &[Case] = &[
    ("HEAD", false, |git| cut(&git.join("HEAD"), 0)),
    ("HEAD", false, |git| fs::write(git.join("HEAD"), "garbage\n").unwrap()),
    ("HEAD", false, |git| fs::remove_file(git.join("HEAD")).unwrap()),
    ("config", false, |git| cut(&git.join("config"), 0)),
    ("config", false, |git| fs::write(git.join("config"), "[core\nx").unwrap()),
    ("config", false, |git| fs::remove_file(git.join("config")).unwrap()),
    ("refs/heads/main", false, |git| cut(&git.join("refs/heads/main"), 0)),
    ("refs/heads/main", false, |git| fs::write(git.join("refs/heads/main"), "abc\n").unwrap()),
    ("refs/heads/main", false, |git| fs::remove_file(git.join("refs/heads/main")).unwrap()),
    ("refs/remotes/origin/main", false, |git| cut(&git.join("refs/remotes/origin/main"), 0)),
    ("index", false, |git| cut(&git.join("index"), 0)),
    ("index", false, |git| cut(&git.join("index"), 50)),
    ("index", false, |git| fs::remove_file(git.join("index")).unwrap()),
    ("f9/journal", false, |git| fs::write(git.join("f9/journal"), "").unwrap()),
    ("f9/journal", false, |git| fs::write(git.join("f9/journal"), "advance 00").unwrap()),
    ("packed-refs", true, |git| cut(&git.join("packed-refs"), 70)),
    ("packed-refs", true, |git| cut(&git.join("packed-refs"), 0)),
    ("objects", false, |git| cut(&object(git, "origin/main^{tree}"), 0)),
    ("objects", false, |git| cut(&object(git, "origin/main"), 0)),
    ("objects", false, |git| {
        let file = object(git, "origin/main:dir");
        cut(&file, 0);
        fs::write(file, "garbage").unwrap();
    }),
    ("objects", false, |git| fs::remove_dir_all(git.join("objects").join("pack")).unwrap_or(())),
    ("objects", true, |git| packs(git, "pack").iter().for_each(|pack| cut(pack, 40))),
    ("objects", true, |git| packs(git, "pack").iter().for_each(|pack| cut(pack, 0))),
    ("objects", true, |git| packs(git, "idx").iter().for_each(|index| cut(index, 0))),
    ("objects", true, |git| {
        packs(git, "pack").iter().for_each(|pack| fs::remove_file(pack).unwrap());
    }),
];

#[test]
fn each_kind_of_damage_is_named_and_mended_without_a_loss() {
    for (number, (part, packed, damage)) in CASES.iter().enumerate() {
        let site = working(*packed);
        let (one, step) = (site.path("one"), format!("{number}: {part}"));
        damage(&one.join(".git"));
        let backend = open(site.options("one")).unwrap_or_else(|error| panic!("{step}: {error:?}"));
        // Files can be read in any case.
        assert_eq!(&*backend.read(&BackendPath::parse("dir/b.txt").unwrap()).unwrap(), b"edited\n");
        let listed = backend.list(&BackendPath::root(), ListOptions::default()).unwrap();
        assert_eq!(listed.count(), 3, "{step}");
        let is_harmless = number == 20; // packs are made when they are needed
        for result in [backend.sync(None), backend.push(None)] {
            let Err(error) = result else {
                assert!(is_harmless, "{step}");
                continue;
            };
            assert_eq!(error.kind(), ErrorKind::Integrity, "{step}: {error:?}");
            assert_eq!(fact(&error, "reason"), Some("damaged"), "{step}: {error:?}");
            assert!(fact(&error, "damaged").unwrap().contains(part), "{step}: {error:?}");
            assert!(error.advice().unwrap().contains("f9 repair NAME:"), "{step}: {error:?}");
        }
        let done = done(&backend);
        assert!(is_harmless || done.contains(part), "{step}: {done}");
        assert_eq!(read(&one, "dir/b.txt"), "edited\n", "{step}");
        drop(backend);
        let backend = open(site.options("one")).unwrap_or_else(|error| panic!("{step}: {error:?}"));
        backend.sync(None).unwrap_or_else(|error| panic!("{step}: {error:?}"));
        assert_eq!(site.at_remote("mine.txt").as_deref(), Some("mine\n"), "{step}");
        assert_eq!(site.at_remote("dir/b.txt").as_deref(), Some("edited\n"), "{step}");
        assert_eq!(site.at_remote("a.txt").as_deref(), Some("a2\n"), "{step}");
        let subjects = git(&site.remote(), &["log", "--format=%s", "main"]);
        assert!(subjects.contains("mine\n"), "{step}: the commit is kept: {subjects}");
        assert!(
            backend.command("repair", &json!({})).unwrap()["done"][0]
                .as_str()
                .unwrap()
                .contains("not damaged")
        );
        site.check(&["one"]);
    }
}

#[test]
fn what_cannot_be_saved_is_told_and_its_files_are_pending() {
    for what in ["main", "main^{tree}", "main:mine.txt"] {
        let site = working(false);
        let one = site.path("one");
        cut(&object(&one.join(".git"), what), 0);
        let backend = site.open("one");
        let error = backend.sync(None).unwrap_err();
        assert_eq!(fact(&error, "damaged"), Some("objects"), "{what}: {error:?}");
        let lost = git(&one, &["rev-parse", "main"]).trim()[..10].to_owned();
        let done = done(&backend);
        assert!(done.contains(&lost) && done.contains("cannot be saved"), "{what}: {done}");
        assert!(done.contains("`mine.txt`"), "{what}: {done}");
        backend.sync(None).unwrap();
        assert_eq!(site.at_remote("mine.txt").as_deref(), Some("mine\n"), "{what}");
        assert_eq!(site.at_remote("dir/b.txt").as_deref(), Some("edited\n"), "{what}");
        // What is left of the lost commit hangs on nothing.
        git(&one, &["rev-list", "--objects", "--all", "--reflog"]);
        site.check(&[]);
    }
}

/// A pull that was begun: `a.txt` is there as the remote has it, `dir/b.txt` not yet.
fn begun(site: &Site) -> (String, String) {
    drop(site.open("one"));
    site.commit_elsewhere("x", &[("a.txt", "a2\n"), ("dir/b.txt", "b2\n"), ("new.txt", "new\n")]);
    let one = site.path("one");
    git(&one, &["fetch", "--quiet", "origin"]);
    let id = |name: &str| git(&one, &["rev-parse", name]).trim().to_owned();
    let (from, to) = (id("main"), id("origin/main"));
    fs::write(one.join(".git/f9/journal"), format!("advance {from} {to}\n")).unwrap();
    write(&one, "a.txt", "a2\n");
    (from, to)
}

#[test]
fn a_pull_that_cannot_be_finished_can_be_read_beside_taken_back_and_repaired() {
    for way in ["abort", "repair"] {
        let site = Site::with(&[("a.txt", "a\n"), ("dir/b.txt", "b\n")]);
        let (from, to) = begun(&site);
        let one = site.path("one");
        let lost = object(&one.join(".git"), &format!("{to}:new.txt"));
        let kept = fs::read(&lost).ok();
        fs::remove_file(&lost).unwrap_or_else(|_| {
            let git_dir = one.join(".git");
            packs(&git_dir, "pack").iter().for_each(|pack| cut(pack, 40));
        });
        let backend = site.open("one");
        assert_eq!(&*backend.read(&BackendPath::parse("dir/b.txt").unwrap()).unwrap(), b"b\n");
        assert!(backend.info(&BackendPath::parse("a.txt").unwrap()).is_ok());
        let error = backend.pull().unwrap_err();
        assert!(error.advice().unwrap().contains("f9 repair NAME:"), "{error:?}");
        if way == "abort" {
            if kept.is_none() {
                continue; // the trees are lost as well, in the same pack
            }
            let answer = backend.command("abort", &json!({})).unwrap();
            assert_eq!(answer["revision"], from.as_str());
            assert_eq!(read(&one, "a.txt"), "a\n");
            assert!(!one.join("new.txt").exists() && !one.join(".git/f9/journal").exists());
            assert_eq!(git(&one, &["status", "--porcelain"]), "");
        }
        done(&backend);
        backend.pull().unwrap();
        assert_eq!(
            (read(&one, "a.txt"), read(&one, "dir/b.txt"), read(&one, "new.txt")),
            ("a2\n".into(), "b2\n".into(), "new\n".into())
        );
        assert_eq!(git(&one, &["status", "--porcelain"]), "");
        site.check(&["one"]);
    }
}

#[test]
fn a_lost_journal_is_made_up_for() {
    let site = Site::with(&[("a.txt", "a\n"), ("dir/b.txt", "b\n")]);
    begun(&site);
    let one = site.path("one");
    fs::write(one.join(".git/f9/journal"), "").unwrap();
    let backend = site.open("one");
    assert_eq!(fact(&backend.pull().unwrap_err(), "damaged"), Some("f9/journal"));
    let done = done(&backend);
    assert!(done.contains("finished"), "{done}");
    assert_eq!((read(&one, "dir/b.txt"), read(&one, "new.txt")), ("b2\n".into(), "new\n".into()));
    assert_eq!(backend.sync(None).unwrap().sent, 0);
    assert_eq!(git(&one, &["status", "--porcelain"]), "");
}

#[test]
fn a_pull_that_met_conflicts_is_taken_back() {
    let site = Site::with(&[("a.txt", "a\n"), ("b.txt", "b\n"), ("gone.txt", "gone\n")]);
    let backend = site.open("one");
    let one = site.path("one");
    site.commit_elsewhere(
        "x",
        &[("a.txt", "theirs\n"), ("b.txt", "b2\n"), ("gone.txt", ""), ("new.txt", "n\n")],
    );
    write(&one, "a.txt", "mine\n");
    write(&one, "gone.txt", "edited\n");
    assert_eq!(backend.sync(None).unwrap_err().kind(), ErrorKind::Conflict);
    let ours = git(&one, &["rev-parse", "main"]).trim().to_owned();
    let answer = backend.command("abort", &json!({})).unwrap();
    assert_eq!(answer["revision"], ours.as_str());
    assert_eq!((read(&one, "a.txt"), read(&one, "b.txt")), ("mine\n".into(), "b\n".into()));
    assert_eq!(read(&one, "gone.txt"), "edited\n");
    assert!(!one.join("new.txt").exists() && !one.join(".git/MERGE_HEAD").exists());
    assert_eq!(git(&one, &["status", "--porcelain"]), "");
    assert!(backend.conflict_report().unwrap().is_empty());
    // There is nothing more to take back, and the next pull meets the conflict again.
    let error = backend.command("abort", &json!({})).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidOperation, "{error:?}");
    assert_eq!(backend.pull().unwrap_err().kind(), ErrorKind::Conflict);
}

#[test]
fn an_index_lost_in_a_merge_has_its_conflicts_again() {
    let site = Site::with(&[("a.txt", "a\n")]);
    let backend = site.open("one");
    let one = site.path("one");
    site.commit_elsewhere("x", &[("a.txt", "theirs\n")]);
    write(&one, "a.txt", "mine\n");
    backend.sync(None).unwrap_err();
    cut(&one.join(".git/index"), 0);
    assert_eq!(fact(&backend.push(None).unwrap_err(), "damaged"), Some("index"));
    done(&backend);
    assert_eq!(backend.push(None).unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(backend.conflict_report().unwrap().len(), 1);
    backend.conflict_accept_remote(&BackendPath::parse("a.txt").unwrap()).unwrap();
    backend.push(None).unwrap();
    assert_eq!(site.at_remote("a.txt").unwrap(), "theirs\n");
    site.check(&["one"]);
}

#[test]
fn an_object_that_a_power_failure_cut_short_keeps_nobody() {
    let site = Site::with(&[("a.txt", "hello hello hello\n")]);
    let clone = site.path("clone");
    drop(site.open("clone"));
    let id = git(&clone, &["rev-parse", "HEAD"]);
    let object = clone.join(".git/objects").join(&id[..2]).join(id[2..].trim());
    let whole = fs::read(&object).unwrap();
    for length in [0, 1, 2, 3, 7, whole.len() / 2, whole.len() - 1] {
        fs::remove_file(&object).ok();
        fs::write(&object, &whole[..length]).unwrap();
        // As in the next run of the machine.
        fs::write(clone.join(".git/f9/boot"), "another run\n").unwrap();
        let backend = site.open("clone");
        assert_eq!(&backend.read(&BackendPath::parse("a.txt").unwrap()).unwrap()[..], b"hello hello hello\n");
        let error = backend.pull().unwrap_err();
        assert!(
            error.context().any(|(name, value)| name == "reason" && value == "damaged"),
            "{length}: {error:?}"
        );
        backend.command("repair", &json!({})).unwrap();
        assert_eq!(backend.pull().unwrap().received, 0, "{length}");
        assert_eq!(git(&clone, &["status", "--porcelain"]), "", "{length}");
    }
}

#[test]
fn commits_that_were_kept_under_a_name_and_are_lost_are_told_of() {
    let site = Site::with(&[("a.txt", "a\n")]);
    let backend = site.open("clone");
    write(&site.path("clone"), "mine.txt", "mine\n");
    backend.push(None).unwrap();
    git(&site.remote(), &["update-ref", "refs/heads/main", "main~1"]);
    let followed = backend.command("follow_remote", &json!({})).unwrap();
    let kept = followed["kept"]["reference"].as_str().unwrap().to_owned();
    for entry in fs::read_dir(site.path("clone/.git/objects")).unwrap() {
        fs::remove_dir_all(entry.unwrap().path()).unwrap();
    }
    drop(backend);
    let told = done(&site.open("clone"));
    assert!(told.contains(&format!("{kept} cannot be saved")), "{told}");
}
