//! Remotes on this machine, whose packs are taken as they are.

use std::{
    fs,
    path::{Path, PathBuf},
};

use f9_plugin_api::SyncFileBackend;

use super::support::{Site, git, open, read, write};

/// A remote whose branch has 300 files, all in one pack.
fn packed() -> Site {
    let site = Site::with(&[("a.txt", "a\n")]);
    let seed = site.path("elsewhere-seed");
    for number in 0..300 {
        write(&seed, &format!("dir{}/{number}.txt", number % 7), &format!("{number}\n"));
    }
    commit(&seed, "main");
    git(&site.remote(), &["repack", "-a", "-d", "--quiet"]);
    assert_eq!(packs(&site.remote()).len(), 1);
    site
}

fn commit(clone: &Path, branch: &str) {
    git(clone, &["add", "--all"]);
    git(clone, &["commit", "--quiet", "--message", "many"]);
    git(clone, &["push", "--quiet", "origin", &format!("HEAD:{branch}")]);
}

/// The packs of a bare repository or of a clone, by name.
fn packs(repository: &Path) -> Vec<PathBuf> {
    let git = if repository.join(".git").exists() { repository.join(".git") } else { repository.to_owned() };
    let entries = fs::read_dir(git.join("objects/pack")).unwrap().map(|entry| entry.unwrap().path());
    let mut packs: Vec<_> = entries.filter(|path| path.extension().is_some_and(|x| x == "pack")).collect();
    packs.sort();
    packs
}

fn names(packs: &[PathBuf]) -> Vec<&std::ffi::OsStr> {
    packs.iter().map(|pack| pack.file_name().unwrap()).collect()
}

/// Changes a byte of a file that only its owner may read.
fn damage(file: &Path, at: usize) {
    let mut bytes = fs::read(file).unwrap();
    bytes[at] ^= 1;
    fs::remove_file(file).unwrap();
    fs::write(file, bytes).unwrap();
}

#[test]
fn the_packs_of_a_remote_are_taken_as_they_are_and_what_is_not_in_them_comes_along() {
    let site = packed();
    site.commit_elsewhere("seed", &[("loose.txt", "loose\n")]);
    let one = site.open("one");
    assert_eq!(names(&packs(&site.path("one"))), names(&packs(&site.remote())));
    assert_eq!(read(&site.path("one"), "dir3/136.txt"), "136\n");
    assert_eq!(read(&site.path("one"), "loose.txt"), "loose\n");
    write(&site.path("one"), "mine.txt", "mine\n");
    one.push(None).unwrap();
    assert_eq!(site.at_remote("mine.txt").unwrap(), "mine\n");
    // No temporary file beside them.
    let left = fs::read_dir(site.path("one/.git/objects/pack")).unwrap().count();
    assert_eq!(left, 2, "a pack and its index");
    site.check(&["one"]);
}

#[test]
fn a_pull_takes_the_pack_that_brought_what_it_lacks() {
    let site = packed();
    let one = site.open("one");
    let seed = site.path("elsewhere-seed");
    for number in 0..200 {
        write(&seed, &format!("more/{number}.txt"), &format!("more {number}\n"));
    }
    git(&site.remote(), &["config", "receive.unpackLimit", "1"]);
    commit(&seed, "main");
    assert_eq!(packs(&site.remote()).len(), 2);
    assert_eq!(one.pull().unwrap().received, 1);
    assert_eq!(names(&packs(&site.path("one"))), names(&packs(&site.remote())));
    assert_eq!(read(&site.path("one"), "more/136.txt"), "more 136\n");
    assert_eq!(git(&site.path("one"), &["status", "--porcelain"]), "");
    site.check(&["one"]);
}

#[test]
fn a_pack_that_is_here_already_stays_whatever_becomes_of_the_remotes() {
    let site = packed();
    let one = site.open("one");
    drop(one);
    // As if nothing of it had been heard of: the objects are here, and no branch has them.
    let clone = site.path("one");
    let tip = git(&clone, &["rev-parse", "main"]);
    for reference in ["refs/heads/main", "refs/remotes/origin/main"] {
        git(&clone, &["update-ref", "-d", reference]);
    }
    let pack = packs(&site.remote()).remove(0);
    damage(&pack, fs::metadata(&pack).unwrap().len() as usize / 2);
    let before = fs::read(&packs(&clone)[0]).unwrap();
    let _ = open(site.options("one")); // whether that goes well is not the question
    assert_eq!(fs::read(&packs(&clone)[0]).unwrap(), before);
    git(&clone, &["fsck", "--strict", tip.trim()]);
}

#[test]
fn packs_that_are_mostly_of_other_branches_are_left_where_they_are() {
    let site = packed();
    let seed = site.path("elsewhere-seed");
    git(&seed, &["checkout", "--quiet", "-b", "other"]);
    for number in 0..900 {
        write(&seed, &format!("other{number}.txt"), &format!("other {number}\n"));
    }
    commit(&seed, "other");
    git(&site.remote(), &["repack", "-a", "-d", "--quiet"]);
    site.open("one");
    assert_ne!(names(&packs(&site.path("one"))), names(&packs(&site.remote())));
    assert_eq!(git(&site.path("one"), &["count-objects", "-v"]).lines().nth(2), Some("in-pack: 312"));
    site.check(&["one"]);
}

#[test]
fn a_damaged_pack_is_not_taken_and_leaves_no_clone() {
    let site = packed();
    let pack = packs(&site.remote()).remove(0);
    let (size, index) = (fs::metadata(&pack).unwrap().len() as usize, pack.with_extension("idx"));
    let index_size = fs::metadata(&index).unwrap().len() as usize;
    // In the content, in the checksum at the end, and in the two of the index: its pack's and its own.
    for (file, at) in [(&pack, size / 2), (&pack, size - 1), (&index, index_size - 21)] {
        damage(file, at);
        let error = open(site.options("one")).err().unwrap();
        assert!(error.advice().unwrap().contains("git fsck"), "{error:?}");
        assert!(!site.path("one").exists());
        damage(file, at);
    }
    damage(&index, index_size - 1);
    site.open("one");
    assert_ne!(names(&packs(&site.path("one"))), names(&packs(&site.remote())));
    git(&site.path("one"), &["fsck", "--strict"]);
}

#[test]
fn a_pack_of_any_length_is_not_copied_before_it_is_known() {
    let site = packed();
    let pack = packs(&site.remote()).remove(0);
    let mut long = fs::read(&pack).unwrap();
    fs::remove_file(&pack).unwrap();
    long.resize(long.len() + 4096, 0);
    fs::write(&pack, long).unwrap();
    fs::OpenOptions::new().write(true).open(&pack).unwrap().set_len(1 << 44).unwrap();
    assert!(open(site.options("one")).is_err());
    assert!(!site.path("one").exists());
}

#[test]
fn a_shallow_remote_is_refused() {
    let site = packed();
    site.commit_elsewhere("seed", &[("b.txt", "b\n")]);
    let url = format!("file://{}", site.remote().display());
    git(site.dir.path(), &["clone", "--quiet", "--bare", "--depth", "1", &url, "shallow.git"]);
    let mut options = site.options("one");
    options["remote_url"] = site.path("shallow.git").to_str().unwrap().into();
    let error = open(options).err().unwrap();
    assert!(error.advice().unwrap().contains("fetch --unshallow"), "{error:?}");
    assert!(!site.path("one").exists());
}
