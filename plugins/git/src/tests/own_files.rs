//! What f9 keeps for itself, where somebody else has put something at its place.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, chown, symlink},
    path::Path,
};

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

/// Whether files can be given away here; says so if not.
fn may_give_away() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        println!("skipped: only root can make files that belong to another user");
    }
    is_root
}

#[test]
fn a_clone_of_another_user_is_refused_unless_it_is_trusted() {
    if !may_give_away() {
        return;
    }
    for place in ["clone", "clone/.git"] {
        let site = Site::with(&[("a.txt", "a\n")]);
        drop(site.open("clone"));
        chown(site.path(place), Some(12345), Some(12345)).unwrap();
        let error = open(site.options("clone")).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error:?}");
        assert!(error.advice().unwrap().contains("trust_other_owner"), "{error:?}");
        let mut options = site.options("clone");
        options["trust_other_owner"] = true.into();
        assert_eq!(list(&open(options).unwrap()), 1);
    }
}

/// Makes a hook of the remote out of a shell script.
fn hook(site: &Site, script: &str) {
    let hook = site.remote().join("hooks/pre-receive");
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    fs::write(&hook, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_push_through_hooks_obeys_nothing_that_the_clone_says() {
    let site = Site::with(&[("a.txt", "a\n")]);
    let backend = site.open("clone");
    let clone = site.path("clone");
    hook(&site, "echo ran >> ran");
    let ran = site.path("ran-by-configuration");
    let program = site.path("program");
    fs::write(&program, format!("#!/bin/sh\ntouch {}\nexit 1\n", ran.display())).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let (program, remote) = (program.to_str().unwrap(), site.remote().to_str().unwrap().to_owned());
    fs::write(site.path("included"), format!("[core]\n\tfsmonitor = {program}\n")).unwrap();
    for (key, value) in [
        ("core.sshCommand", program),
        ("url.ssh://nowhere/.pushInsteadOf", &remote),
        ("push.gpgSign", "if-asked"),
        ("gpg.program", program),
        ("include.path", site.path("included").to_str().unwrap()),
        ("core.hooksPath", site.dir.path().to_str().unwrap()),
        ("remote.origin.receivepack", program),
        ("pack.packSizeLimit", "1k"),
    ] {
        git(&clone, &["config", key, value]);
    }
    write(&clone, "b.txt", "b\n");
    backend.push(None).unwrap();
    assert!(!ran.exists());
    assert_eq!(read(&site.remote(), "ran"), "ran\n");
    assert_eq!(site.at_remote("b.txt").unwrap(), "b\n");
    let left: Vec<_> = fs::read_dir(clone.join(".git/f9")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with("push-")), "{left:?}");
    site.check(&[]);
}

#[test]
fn hooks_of_another_users_remote_are_not_run() {
    if !may_give_away() {
        return;
    }
    let site = Site::with(&[("a.txt", "a\n")]);
    let backend = site.open("clone");
    hook(&site, "echo ran >> ran");
    chown(site.remote(), Some(12345), Some(12345)).unwrap();
    write(&site.path("clone"), "b.txt", "b\n");
    let error = backend.push(None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RemoteRefused, "{error:?}");
    assert!(error.advice().unwrap().contains("trust_other_owner"), "{error:?}");
    let mut options = site.options("clone");
    options["trust_other_owner"] = true.into();
    let error = open(options).unwrap().push(None).unwrap_err();
    assert!(error.message().contains("hook"), "{error:?}");
    assert!(!site.remote().join("ran").exists());
}

#[test]
fn a_remote_of_another_user_gets_nothing_to_write_through_its_links() {
    if !may_give_away() {
        return;
    }
    let site = Site::with(&[("a.txt", "a\n")]);
    fs::write(site.path("victim"), "precious\n").unwrap();
    let backend = site.open("clone");
    git(&site.remote(), &["config", "core.logAllRefUpdates", "true"]);
    fs::create_dir_all(site.remote().join("logs/refs/heads")).unwrap();
    symlink(site.path("victim"), site.remote().join("logs/refs/heads/main")).unwrap();
    chown(site.remote(), Some(12345), Some(12345)).unwrap();
    write(&site.path("clone"), "b.txt", "b\n");
    assert_eq!(backend.push(None).unwrap_err().kind(), ErrorKind::RemoteRefused);
    assert_eq!(read(site.dir.path(), "victim"), "precious\n");
    assert_eq!(backend.pull().unwrap().received, 0, "reading is no harm");
}

#[test]
fn a_link_in_place_of_gitmodules_is_not_published() {
    for version in ["2", "4"] {
        let site = Site::with(&[("a.txt", "a\n")]);
        let backend = site.open("clone");
        git(&site.path("clone"), &["update-index", "--index-version", version]);
        symlink("a.txt", site.path("clone/.gitmodules")).unwrap();
        let error = backend.push(None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidPath, "{error:?}");
        assert_eq!(site.at_remote(".gitmodules"), None);
    }
}

#[test]
fn rules_that_are_links_count_as_missing_and_keep_nobody() {
    for name in [".gitignore", ".gitattributes"] {
        let site = Site::with(&[("a.txt", "a\n"), ("sub/b.txt", "b\n")]);
        let backend = site.open("clone");
        let clone = site.path("clone");
        let pipe = site.path("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
        symlink("../../pipe", clone.join("sub").join(name)).unwrap();
        fs::write(clone.join(".gitignore"), "*.tmp\n").unwrap_or(());
        write(&clone, "sub/new.txt", "new\n");
        write(&clone, "sub/left.tmp", "left\n");
        write(&clone, "a.txt", "changed\n");
        backend.push(None).unwrap();
        assert_eq!(site.at_remote("sub/new.txt").unwrap(), "new\n", "{name}");
        assert_eq!(site.at_remote("sub/left.tmp"), None, "{name}");
        site.commit_elsewhere("other", &[("sub/b.txt", "b2\n"), (".gitattributes", "*.txt eol=crlf\n")]);
        backend.pull().unwrap();
        assert_eq!(read(&clone, "sub/b.txt"), "b2\r\n", "{name}");
        site.check(&["clone"]);
    }
}

#[test]
fn a_link_in_the_middle_of_a_path_leads_no_walk_out_of_the_tree() {
    let site = Site::with(&[("a.txt", "a\n"), ("dir/sub/b.txt", "b\n")]);
    let backend = site.open("clone");
    // Empty directories elsewhere, which a walk by path would take for those of the tree.
    fs::create_dir_all(site.path("outside/sub/empty")).unwrap();
    fs::remove_dir_all(site.path("clone/dir")).unwrap();
    symlink("../outside", site.path("clone/dir")).unwrap();
    backend.sync(None).unwrap();
    site.commit_elsewhere("other", &[("c.txt", "c\n")]);
    backend.pull().unwrap();
    assert!(site.path("outside/sub/empty").is_dir());
}
