//! Staging by the paths that differ comes to what git itself comes to, whatever was done to the working tree.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
    time::Duration,
};

use f9_plugin_api::SyncFileBackend;

use super::support::{Site, git, git_command};
use crate::{index_file::IndexFile, worktree::Worktree};

/// How many times something is done to the tree and pushed.
fn rounds() -> u32 {
    if std::env::var_os("F9_FULL").is_some() { 400 } else { 40 }
}

/// A generator of numbers that are random enough, and the same every time.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

const NAMES: [&str; 8] = ["a", "a.txt", "a-b", "b", "é \"x\"", "keep", "x.log", "z"];

fn somewhere(random: &mut Random) -> String {
    let depth = 1 + random.below(3);
    let names: Vec<_> = (0..depth).map(|_| NAMES[random.below(8) as usize]).collect();
    names.join("/")
}

/// Does one thing to the tree, if it can be done there.
fn meddle(root: &Path, random: &mut Random, round: u32) {
    let at = somewhere(random);
    let path = root.join(&at);
    let parent = path.parent().unwrap();
    match random.below(9) {
        0 | 1 => drop(fs::create_dir_all(parent).and_then(|()| fs::write(&path, format!("{round} {at}\n")))),
        // As long as before.
        2 => drop(fs::read(&path).map(|old| fs::write(&path, vec![b'0' + (round % 10) as u8; old.len()]))),
        3 => drop(fs::remove_file(&path)),
        4 => drop(fs::remove_dir_all(&path)),
        5 => drop(fs::create_dir_all(parent).and_then(|()| symlink(format!("to/{round}"), &path))),
        6 => {
            let mode = if random.below(2) == 0 { 0o755 } else { 0o644 };
            if path.symlink_metadata().is_ok_and(|metadata| metadata.is_file()) {
                fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            }
        }
        7 => drop(fs::rename(&path, root.join(somewhere(random)))),
        _ => {
            // Nothing but the times.
            let file = fs::OpenOptions::new().append(true).open(&path);
            drop(file.and_then(|file| file.set_modified(std::time::SystemTime::now())));
        }
    }
}

/// What git itself would make of the working tree, with an index of its own.
fn tree_by_git(clone: &Path, scratch: &Path) -> String {
    let run = |arguments: &[&str]| {
        let output = git_command(clone, arguments).env("GIT_INDEX_FILE", scratch).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    run(&["read-tree", "HEAD"]);
    run(&["add", "--all", "--", ".", ":(exclude).f9-tmp*"]);
    run(&["write-tree"])
}

#[test]
fn what_is_committed_is_what_git_would_commit() {
    let site = Site::with(&[("a/b", "b\n"), ("seed", "seed\n"), ("a/x.log", "tracked though ignored\n")]);
    site.commit_elsewhere(
        "ignore",
        &[(".gitignore", "*.log\nkeep/\n"), ("b/.gitignore", "a*\n!a.txt\n/z\n")],
    );
    let (one, two) = (site.open("one"), site.open("two"));
    let root = site.path("one");
    let mut random = Random(1);
    let (mut by_hand, mut changed) = (0, 0);
    for round in 0..rounds() {
        for _ in 0..2 + random.below(5) {
            meddle(&root, &mut random, round);
        }
        let expected = tree_by_git(&root, &site.path("scratch-index"));
        let pending = git(&root, &["status", "--porcelain", "--untracked-files=all"]);
        let refused = one.pull().err();
        assert_eq!(refused.is_some(), !pending.is_empty(), "round {round}: {pending} {refused:?}");
        by_hand += usize::from(
            IndexFile::read(&root.join(".git/index")).unwrap().is_some_and(|i| i.tree().is_some()),
        );
        changed += usize::from(one.push(None).unwrap().sent > 0);
        assert_eq!(git(&root, &["rev-parse", "HEAD^{tree}"]).trim(), expected, "round {round}: {pending}");
        assert_eq!(git(&root, &["status", "--porcelain"]), "", "round {round}");
        assert_eq!(git(&root, &["write-tree"]).trim(), expected, "round {round}");
        if round % 10 == 0 {
            two.pull().unwrap();
            assert_eq!(git(&site.path("two"), &["status", "--porcelain"]), "", "round {round}");
            assert_eq!(git(&site.path("two"), &["write-tree"]).trim(), expected, "round {round}");
            site.check(&["one", "two"]);
        }
    }
    println!("{} rounds, {changed} commits, {by_hand} with an index that says its tree", rounds());
    assert!(changed > rounds() as usize / 3 && by_hand > rounds() as usize / 3);
}

#[test]
fn entries_that_are_as_young_as_the_index_are_not_believed_in_a_younger_one() {
    let site = Site::with(&[("a.txt", "a\n"), ("b.txt", "b\n")]);
    let clone = site.path("clone");
    let backend = site.open("clone");
    let file = clone.join(".git/index");
    let written = fs::metadata(clone.join("a.txt")).unwrap().modified().unwrap();
    let size = |index: &IndexFile, path: &str| index.get(index.find(path.as_bytes()).unwrap()).size();
    for (age, expected) in [(-1, 2), (1, 0)] {
        let time = if age < 0 { written + Duration::from_secs(1) } else { written - Duration::from_secs(1) };
        fs::OpenOptions::new().append(true).open(&file).unwrap().set_modified(time).unwrap();
        let index = IndexFile::read(&file).unwrap().unwrap();
        assert_eq!(size(&index, "a.txt"), 2);
        let repository = git2::Repository::open(&clone).unwrap();
        let tree = repository.head().unwrap().peel_to_tree().unwrap();
        assert!(index.write(&file, &BTreeMap::new(), &tree, &repository).unwrap());
        assert_eq!(size(&IndexFile::read(&file).unwrap().unwrap(), "a.txt"), expected);
    }
    assert_eq!(git(&clone, &["status", "--porcelain"]), "");
    fs::write(clone.join("a.txt"), "A\n").unwrap();
    assert_eq!(backend.push(None).unwrap().sent, 1);
    assert_eq!(site.at_remote("a.txt").unwrap(), "A\n");
    site.check(&["clone"]);
}

#[test]
fn a_file_is_read_through_no_link() {
    let site = Site::with(&[("dir/a.txt", "a\n")]);
    let clone = site.path("clone");
    site.open("clone");
    let worktree = Worktree::open(&clone, clone.join(".git/f9/spool")).unwrap();
    symlink("a.txt", clone.join("dir/link")).unwrap();
    assert!(worktree.open_file(b"dir/a.txt").unwrap().is_some());
    assert_eq!(worktree.read_link(b"dir/link").unwrap().unwrap(), b"a.txt");
    assert!(worktree.open_file(b"dir/link").unwrap().is_none());
    assert!(worktree.read_link(b"dir/a.txt").unwrap().is_none());
    // Somebody puts a link in the directory's place after it was looked at.
    fs::rename(clone.join("dir"), site.path("outside")).unwrap();
    symlink(site.path("outside"), clone.join("dir")).unwrap();
    assert!(worktree.open_file(b"dir/a.txt").unwrap().is_none());
    assert!(worktree.read_link(b"dir/link").unwrap().is_none());
}
