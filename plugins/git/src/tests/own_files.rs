//! What f9 keeps for itself, where somebody else has put something at its place.

use std::{fs, os::unix::fs::symlink, path::Path};

use f9_plugin_api::{BackendPath, ErrorKind, FileBackend as _, SyncFileBackend as _};

use super::support::{Site, git, open, read, write};

/// A remote whose tree has `.f9-tmp-clone` as `plant` makes it, and a file of the user's beside the clones.
fn site_with(plant: impl Fn(&Path)) -> Site {
    let site = Site::with(&[("a.txt", "a\n")]);
    fs::write(site.path("victim"), "precious\n").unwrap();
    let elsewhere = site.path("elsewhere-seed");
    plant(&elsewhere);
    git(&elsewhere, &["add", "--all", "--force"]);
    git(&elsewhere, &["commit", "--quiet", "--message", "planted"]);
    git(&elsewhere, &["push", "--quiet", "origin", "main"]);
    site
}

fn list(backend: &crate::backend::GitBackend) -> usize {
    let root = BackendPath::parse("").unwrap();
    backend.list(&root, f9_plugin_api::ListOptions::default()).unwrap().count()
}

#[test]
fn names_that_a_remote_tracks_mean_nothing_to_the_making_of_clones() {
    type Plant = fn(&Path);
    let plants: [(&str, Plant); 4] = [
        ("a directory with a link for a lock", |tree| {
            fs::create_dir(tree.join(".f9-tmp-clone")).unwrap();
            symlink("../../victim", tree.join(".f9-tmp-clone/lock")).unwrap();
        }),
        ("a link that leads into .git", |tree| {
            fs::create_dir(tree.join(".f9-tmp-clone")).unwrap();
            symlink("../.git/HEAD", tree.join(".f9-tmp-clone/lock")).unwrap();
        }),
        ("a file", |tree| fs::write(tree.join(".f9-tmp-clone"), "file\n").unwrap()),
        ("a clone in the making", |tree| {
            fs::create_dir_all(tree.join(".f9-clone-0123456789abcdef/objects")).unwrap();
            fs::write(tree.join(".f9-clone-0123456789abcdef/f9-clone"), "This clone is not complete.\n")
                .unwrap();
        }),
    ];
    for (what, plant) in plants {
        let site = site_with(plant);
        for _ in 0..3 {
            let backend = site.open("clone");
            assert!(list(&backend) >= 1, "{what}");
            backend.pull().unwrap();
        }
        assert_eq!(read(site.dir.path(), "victim"), "precious\n", "{what}");
        assert_eq!(git(&site.path("clone"), &["status", "--porcelain"]), "", "{what}");
        assert_eq!(git(&site.path("clone"), &["symbolic-ref", "HEAD"]), "refs/heads/main\n", "{what}");
        site.check(&["clone"]);
    }
}

#[test]
fn what_the_maker_of_a_clone_left_behind_when_it_was_killed_goes_and_nothing_else() {
    let site = Site::with(&[("a.txt", "a\n")]);
    let clone = site.path("clone");
    let remains = clone.join(".f9-clone-0123456789abcdef");
    fs::create_dir_all(remains.join("objects")).unwrap();
    // Without the mark it is somebody's directory.
    fs::write(remains.join("objects/mine"), "mine\n").unwrap();
    let error = open(site.options("clone")).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert_eq!(read(&remains, "objects/mine"), "mine\n");
    fs::write(remains.join("f9-clone"), "This clone is not complete.\n").unwrap();
    fs::create_dir(clone.join(".f9-clone-00000000000000ff")).unwrap();
    site.open("clone");
    let mut names: Vec<_> = fs::read_dir(&clone).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, [".git", "a.txt"]);
}

#[test]
fn a_link_in_place_of_a_path_remotes_lock_is_refused() {
    let site = Site::with(&[("a.txt", "a\n")]);
    fs::write(site.path("victim"), "precious\n").unwrap();
    let backend = site.open("clone");
    symlink("../victim", site.remote().join("f9.lock")).unwrap();
    write(&site.path("clone"), "b.txt", "b\n");
    let error = backend.push(None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Integrity, "{error:?}");
    assert_eq!(read(site.dir.path(), "victim"), "precious\n");
    fs::remove_file(site.remote().join("f9.lock")).unwrap();
    backend.push(None).unwrap();
    assert_eq!(site.at_remote("b.txt").unwrap(), "b\n");
}

#[test]
fn nothing_in_a_clone_that_somebody_prepared_leads_to_a_file_of_the_users() {
    for name in ["operation.lock", "tree.lock", "journal", "journal.new", "branch", "branch.new", "spool"] {
        let site = Site::with(&[("a.txt", "a\n")]);
        fs::write(site.path("victim"), "precious\n").unwrap();
        drop(site.open("clone"));
        let own = site.path("clone").join(".git/f9").join(name);
        let _ = fs::remove_file(&own);
        symlink("../../../victim", &own).unwrap();
        let outcome = open(site.options("clone")).and_then(|backend| {
            site.commit_elsewhere("other", &[("c.txt", "c\n")]);
            backend.pull().map(drop)
        });
        assert_eq!(read(site.dir.path(), "victim"), "precious\n", "{name}");
        if let Err(error) = outcome {
            assert_eq!(error.kind(), ErrorKind::Integrity, "{name}: {error:?}");
        }
    }
    let site = Site::with(&[("a.txt", "a\n")]);
    fs::create_dir(site.path("victims")).unwrap();
    drop(site.open("clone"));
    let own = site.path("clone").join(".git/f9");
    fs::remove_dir_all(&own).unwrap();
    symlink("../../victims", &own).unwrap();
    assert_eq!(open(site.options("clone")).err().unwrap().kind(), ErrorKind::Integrity);
    assert_eq!(fs::read_dir(site.path("victims")).unwrap().count(), 0);
}
