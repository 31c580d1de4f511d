//! The files, and what is out of their reach.

use std::sync::Mutex;

use f9_plugin_api::{
    BackendPath, CreateOptions, DeleteOptions, FileBackend, ListOptions, SyncFileBackend, UpdateMode,
    conformance,
};

use super::support::{Site, git, read, write};

fn path(text: &str) -> BackendPath {
    BackendPath::parse(text).unwrap()
}

#[test]
fn the_contract_holds() {
    let sites = Mutex::new(Vec::new());
    let fresh = || {
        let site = Site::empty();
        let backend = site.open("clone");
        sites.lock().unwrap().push(site);
        Box::new(backend) as Box<dyn FileBackend>
    };
    conformance::run(fresh).assert();
}

#[test]
fn git_is_out_of_reach_for_every_operation_in_every_disguise() {
    let site = Site::with(&[("a.txt", "a\n")]);
    let elsewhere = site.path("elsewhere-seed");
    std::os::unix::fs::symlink(".git", elsewhere.join("link")).unwrap();
    std::os::unix::fs::symlink(".git/config", elsewhere.join("config-link")).unwrap();
    site.commit_elsewhere("seed", &[("b.txt", "b\n")]);
    let backend = site.open("one");
    let config = read(&site.path("one"), ".git/config");
    for text in [
        ".git/config",
        ".GIT/config",
        "git~1/config",
        ".git./config",
        ".g\u{200c}it/config",
        ".git::$DATA/config",
        "link/config",
        "config-link",
        ".git/new",
        "link/new",
        "dir/.git/new",
        ".git",
    ] {
        let at = path(text);
        backend.read(&at).unwrap_err();
        backend.info(&path(".git")).unwrap_err();
        if text != "config-link" {
            backend.create(&at, "canary".into(), CreateOptions::default()).unwrap_err();
            backend.create(&at, "canary".into(), CreateOptions::default().overwrite(true)).unwrap_err();
            backend.create_dir(&at, CreateOptions::default()).unwrap_err();
            backend.delete(&at, DeleteOptions::default().recursive(true)).unwrap_err();
        }
        backend.update(&at, "canary".into(), UpdateMode::Append).unwrap_err();
    }
    assert_eq!(read(&site.path("one"), ".git/config"), config);
    let all = backend.list(&BackendPath::root(), ListOptions::default().recursive(true)).unwrap();
    let mut names: Vec<_> = all.map(|entry| entry.unwrap().path.as_str().to_owned()).collect();
    names.sort();
    assert_eq!(names, ["a.txt", "b.txt", "config-link", "link"]);
}

#[test]
fn a_remote_with_git_in_disguise_among_its_files_is_refused() {
    let site = Site::with(&[("a.txt", "a\n")]);
    let backend = site.open("one");
    let elsewhere = site.path("elsewhere-seed");
    let blob = git(&elsewhere, &["rev-parse", "HEAD:a.txt"]);
    for name in [".GIT/config", "git~1/hooks/x", "sub/.git/config"] {
        let mut tree = format!("100644 blob {}\t{}\n", blob.trim(), name.rsplit('/').next().unwrap());
        for directory in name.split('/').rev().skip(1) {
            tree = format!("040000 tree {}\t{directory}\n", make_tree(&elsewhere, &tree));
        }
        let tree = make_tree(&elsewhere, &tree);
        let commit = git(&elsewhere, &["commit-tree", &tree, "-p", "HEAD", "-m", "hostile"]);
        git(
            &elsewhere,
            &["push", "--quiet", "--force", "origin", &format!("{}:refs/heads/main", commit.trim())],
        );
        let before = read(&site.path("one"), ".git/config");
        backend.pull().unwrap_err();
        assert_eq!(read(&site.path("one"), ".git/config"), before);
        assert_eq!(read(&site.path("one"), "a.txt"), "a\n");
    }
}

#[test]
fn a_remote_with_names_that_climb_is_refused() {
    let site = Site::with(&[("a.txt", "a\n")]);
    let backend = site.open("one");
    let remote = site.remote();
    let (head, blob) = (git(&remote, &["rev-parse", "main"]), git(&remote, &["rev-parse", "main:a.txt"]));
    let (head, blob) = (head.trim(), blob.trim());
    // git itself refuses to make such trees, so they are made of bytes.
    let tree = |entries: &[(&str, &str, &str)]| {
        let mut bytes = Vec::new();
        for (mode, name, id) in entries {
            bytes.extend_from_slice(format!("{mode} {name}\0").as_bytes());
            bytes.extend_from_slice(git2::Oid::from_str(id).unwrap().as_bytes());
        }
        ask(&remote, &["hash-object", "-t", "tree", "-w", "--literally", "--stdin"], &bytes)
    };
    let (file, module) = (tree(&[("100644", "escaped", blob)]), tree(&[("160000", "escaped", head)]));
    for (number, entry) in [
        ("40000", "..", &*file),
        ("40000", "..", &*module),
        ("40000", ".", &*file),
        ("40000", "", &*file),
        ("100644", "a/../../escaped", blob),
        ("160000", "a/../../escaped", blob),
        ("100644", "/escaped", blob),
    ]
    .iter()
    .enumerate()
    {
        for entries in [vec![*entry], vec![*entry, ("100644", "a.txt", blob)]] {
            let root = tree(&entries);
            let commit = git(&remote, &["commit-tree", &root, "-p", head, "-m", "hostile"]);
            git(&remote, &["update-ref", "refs/heads/main", commit.trim()]);
            backend.pull().unwrap_err();
            assert_eq!(read(&site.path("one"), "a.txt"), "a\n", "{entry:?}");
            let fresh = format!("fresh/{number}/clone");
            assert!(super::support::open(site.options(&fresh)).is_err(), "{entry:?}");
            for place in ["escaped", "fresh/escaped", &*format!("fresh/{number}/escaped"), "one/escaped"] {
                assert!(!site.path(place).exists(), "{entry:?}: {place}");
            }
            git(&remote, &["update-ref", "refs/heads/main", head]);
        }
    }
    assert!(!std::path::Path::new("/escaped").exists());
}

#[test]
fn nothing_is_written_through_a_link_that_comes_with_it() {
    let many: Vec<_> = (0..60).map(|number| format!("n{number:02}")).collect();
    for (attributes, count) in [("", 0), ("", 60), ("*.txt ident\n", 0), ("*.txt ident\n", 60)] {
        let mut files = vec![("a.txt", "a\n")];
        files.extend(Some((".gitattributes", attributes)).filter(|_| !attributes.is_empty()));
        let site = Site::with(&files);
        let backend = site.open("one");
        let remote = site.remote();
        let parse = |name: &str| git(&remote, &["rev-parse", name]).trim().to_owned();
        let (head, blob) = (parse("main"), parse("main:a.txt"));
        let outside = site.path("outside");
        std::fs::create_dir(&outside).unwrap();
        let tree = |entries: &[(&str, &str, &str)]| {
            let mut bytes = Vec::new();
            for (mode, name, id) in entries {
                bytes.extend_from_slice(format!("{mode} {name}\0").as_bytes());
                bytes.extend_from_slice(git2::Oid::from_str(id).unwrap().as_bytes());
            }
            ask(&remote, &["hash-object", "-t", "tree", "-w", "--literally", "--stdin"], &bytes)
        };
        let evil = tree(&[("100755", "post-checkout", &blob)]);
        for target in [outside.to_str().unwrap(), "../../../hooks", "../outside", "."] {
            let link = ask(&remote, &["hash-object", "-w", "--stdin"], target.as_bytes());
            for second in
                [("40000", "a", &*evil), ("100755", "a/post-checkout", &*blob), ("40000", "a/b", &*evil)]
            {
                let mut entries = vec![("120000", "a", &*link), second, ("100644", "a.txt", &*blob)];
                entries.extend(many.iter().take(count).map(|name| ("100644", &**name, &*blob)));
                let root = tree(&entries);
                let commit = git(&remote, &["commit-tree", &root, "-p", &head, "-m", "hostile"]);
                git(&remote, &["update-ref", "refs/heads/main", commit.trim()]);
                assert_eq!(backend.pull().unwrap_err().kind(), f9_plugin_api::ErrorKind::Integrity);
                assert!(super::support::open(site.options("fresh")).is_err());
                for place in ["outside/post-checkout", "outside/b", "one/a", "fresh/a"] {
                    assert!(site.path(place).symlink_metadata().is_err(), "{second:?} {target}: {place}");
                }
                for clone in ["one", "fresh"] {
                    assert!(
                        !site.path(clone).join(".git/hooks/post-checkout").exists(),
                        "{second:?} {target}"
                    );
                }
                assert!(!site.path("fresh").exists(), "nothing is left of a clone that is refused");
                git(&remote, &["update-ref", "refs/heads/main", &head]);
            }
        }
    }
}

#[test]
fn modes_that_git_no_longer_writes_are_those_it_takes_them_for() {
    let site = Site::with(&[("a.txt", "a\n"), ("run", "run\n")]);
    let one = site.open("one");
    let remote = site.remote();
    let parse = |name: &str| git(&remote, &["rev-parse", name]).trim().to_owned();
    let (head, blob) = (parse("main"), parse("main:a.txt"));
    for (mode, canonical) in
        [("100664", 0o100_644), ("100640", 0o100_644), ("100775", 0o100_755), ("100711", 0o100_755)]
    {
        let mut bytes = Vec::new();
        for (mode, name) in [("100644", "a.txt"), (mode, "odd")] {
            bytes.extend_from_slice(format!("{mode} {name}\0").as_bytes());
            bytes.extend_from_slice(git2::Oid::from_str(&blob).unwrap().as_bytes());
        }
        let root = ask(&remote, &["hash-object", "-t", "tree", "-w", "--literally", "--stdin"], &bytes);
        let commit = git(&remote, &["commit-tree", &root, "-p", &head, "-m", "old"]);
        git(&remote, &["update-ref", "refs/heads/main", commit.trim()]);
        assert_eq!(one.pull().unwrap().received, 1, "{mode}");
        let fresh = site.open(&format!("fresh{mode}"));
        for clone in ["one".to_owned(), format!("fresh{mode}")] {
            let metadata = std::fs::metadata(site.path(&clone).join("odd")).unwrap();
            let is_executable = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o100 != 0;
            assert_eq!(is_executable, canonical == 0o100_755, "{mode}");
            assert_eq!(git(&site.path(&clone), &["status", "--porcelain"]), "", "{mode}");
        }
        fresh.sync(None).unwrap();
        git(&site.path("one"), &["reset", "--quiet", "--hard", &head]);
        git(&remote, &["update-ref", "refs/heads/main", &head]);
        git(&site.path("one"), &["update-ref", "refs/remotes/origin/main", &head]);
    }
}

fn make_tree(repository: &std::path::Path, entries: &str) -> String {
    ask(repository, &["mktree"], entries.as_bytes())
}

/// What git answers to this input.
fn ask(repository: &std::path::Path, arguments: &[&str], input: &[u8]) -> String {
    use std::io::Write as _;
    let mut command = super::support::git_command(repository, arguments);
    let mut child =
        command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap().trim().to_owned()
}

#[test]
fn what_is_written_through_the_contract_is_pushed_and_temporary_files_are_not() {
    let site = Site::with(&[("a.txt", "a\n")]);
    let backend = site.open("one");
    backend.create(&path("notes/new.txt"), "new\n".into(), CreateOptions::default()).unwrap();
    backend.update(&path("a.txt"), "more\n".into(), UpdateMode::Append).unwrap();
    let mut unfinished = backend.open_write(&path("unfinished"), CreateOptions::default()).unwrap();
    std::io::Write::write_all(&mut unfinished, b"half").unwrap();
    write(&site.path("one"), ".f9-tmp-1/left", "left behind\n");
    assert_eq!(backend.push(None).unwrap().sent, 1);
    assert_eq!(git(&site.remote(), &["ls-tree", "-r", "--name-only", "main"]), "a.txt\nnotes/new.txt\n");
    assert_eq!(site.at_remote("a.txt").unwrap(), "a\nmore\n");
    drop(unfinished);
}

#[test]
fn a_file_with_a_temporary_name_that_somebody_committed_stays_in_the_repository() {
    let site = Site::with(&[(".f9-tmp/abc", "theirs\n"), ("z", "old\n")]);
    let backend = site.open("one");
    drop(std::fs::remove_dir_all(site.path("one/.f9-tmp"))); // as the tree does when it tidies up
    backend.update(&path("z"), "new\n".into(), UpdateMode::Replace).unwrap();
    let sync = backend.as_sync().unwrap();
    sync.sync(None).unwrap();
    sync.pull().unwrap();
    assert_eq!(git(&site.remote(), &["ls-tree", "-r", "--name-only", "main"]), ".f9-tmp/abc\nz\n");
}
