//! What is not published, and who is told; and what is published although it looks odd.

use std::{fs, os::unix::fs::PermissionsExt as _};

use f9_plugin_api::{
    BackendPath, CopyOptions, CreateOptions, ErrorKind, FileBackend as _, Result, SyncFileBackend as _,
    UpdateMode,
};

use super::support::{Site, git, git_command, open, read, write};

fn path(text: &str) -> BackendPath {
    BackendPath::parse(text).unwrap()
}

#[test]
fn line_ends_alone_are_not_published() {
    let site = Site::with(&[("a.txt", "one\ntwo\n"), ("b.txt", "one\r\ntwo\r\n"), ("sub/c.txt", "c\n")]);
    let mut clone = git_command(site.dir.path(), &["-c", "core.autocrlf=true", "clone", "--quiet"]);
    assert!(clone.args(["remote.git", "clone"]).status().unwrap().success());
    assert_eq!(read(&site.path("clone"), "a.txt"), "one\r\ntwo\r\n");
    for index in ["2", "4"] {
        git(&site.path("clone"), &["update-index", "--index-version", index]);
        let backend = site.open("clone");
        for name in ["a.txt", "b.txt", "sub/c.txt"] {
            let content = read(&site.path("clone"), name);
            fs::remove_file(site.path("clone").join(name)).unwrap();
            write(&site.path("clone"), name, &content);
        }
        assert_eq!(backend.pull().unwrap().received, 0, "nothing is pending");
        assert_eq!(backend.push(None).unwrap().sent, 0, "index version {index}");
        write(&site.path("clone"), "b.txt", &format!("one\r\ntwo\r\n{index}\r\n"));
        assert_eq!(backend.push(None).unwrap().sent, 1);
    }
    assert_eq!(site.at_remote("a.txt").unwrap(), "one\ntwo\n");
    assert_eq!(site.at_remote("b.txt").unwrap(), "one\r\ntwo\r\n4\r\n");
    // Attributes may ask for it.
    let backend = site.open("clone");
    write(&site.path("clone"), ".gitattributes", "*.txt -text\n");
    backend.push(None).unwrap();
    assert_eq!(site.at_remote("a.txt").unwrap(), "one\r\ntwo\r\n");
}

#[test]
fn the_users_own_list_counts_where_the_connection_names_it() {
    let site = Site::with(&[("a.txt", "a\n")]);
    fs::write(site.path("ignore"), ".env\n*.key\n").unwrap();
    let mut options = site.options("clone");
    options["excludes_file"] = site.path("ignore").to_str().unwrap().into();
    let backend = open(options.clone()).unwrap();
    for name in [".env", "sub/a.key", "sub/b.txt"] {
        write(&site.path("clone"), name, "content\n");
    }
    backend.push(None).unwrap();
    assert_eq!((site.at_remote(".env"), site.at_remote("sub/a.key")), (None, None));
    assert_eq!(site.at_remote("sub/b.txt").unwrap(), "content\n");
    options["excludes_file"] = site.path("missing").to_str().unwrap().into();
    let error = open(options).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::InvalidConnection, "{error:?}");
}

#[test]
fn nothing_is_written_where_it_would_never_be_published() {
    let site = Site::with(&[("a.txt", "a\n")]);
    let tree = site.path("elsewhere-seed");
    let module = site.remote();
    let module = module.to_str().unwrap();
    git(&tree, &["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", module, "sm"]);
    git(&tree, &["commit", "--quiet", "--message", "submodule"]);
    git(&tree, &["push", "--quiet", "origin", "main"]);
    let backend = site.open("clone");
    git(&site.path("clone"), &["init", "--quiet", "nested/deep"]);
    let refused = |what: &str, result: Result<()>| {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{what}: {error:?}");
    };
    for place in ["sm", "nested/deep"] {
        let mine = path(&format!("{place}/x/mine.txt"));
        refused("create", backend.create(&mine, "x".into(), CreateOptions::default()).map(drop));
        refused("stream", backend.open_write(&mine, CreateOptions::default()).map(drop));
        refused("directory", backend.create_dir(&mine, CreateOptions::default()).map(drop));
        refused("update", backend.update(&mine, "x".into(), UpdateMode::Replace).map(drop));
        refused("delete", backend.delete(&mine, Default::default()));
        refused("copy", backend.copy(&path("a.txt"), &mine, CopyOptions::default()).map(drop));
        refused("rename", backend.rename(&path("a.txt"), &mine, CopyOptions::default()).map(drop));
        refused("rename", backend.rename(&mine, &path("b.txt"), CopyOptions::default()).map(drop));
    }
    backend.create(&path("nested/beside.txt"), "x".into(), CreateOptions::default()).unwrap();
    backend.push(None).unwrap();
    assert_eq!(site.at_remote("nested/beside.txt").unwrap(), "x");
}

#[test]
fn an_index_out_of_order_deletes_nothing() {
    use sha1::Digest as _;
    for version in ["2", "4"] {
        let site = Site::with(&[("aa.txt", "a\n"), ("ab.txt", "b\n"), ("ac.txt", "c\n")]);
        let backend = site.open("clone");
        let index = site.path("clone/.git/index");
        git(&site.path("clone"), &["update-index", "--index-version", version]);
        let mut bytes = fs::read(&index).unwrap();
        // The first name goes behind the others; in version 4 the others are told by what they differ in.
        let at = bytes.windows(6).position(|part| part == b"aa.txt").unwrap();
        bytes[at + 1] = b'z';
        let content = bytes.len() - 20;
        let sum = sha1::Sha1::digest(&bytes[..content]);
        bytes[content..].copy_from_slice(&sum);
        fs::write(&index, bytes).unwrap();
        write(&site.path("clone"), "new.txt", "new\n");
        let error = backend.push(None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Integrity, "version {version}: {error:?}");
        assert_eq!(site.at_remote("aa.txt").unwrap(), "a\n");
        assert!(error.advice().unwrap().contains("f9 repair"), "{error:?}");
        backend.command("repair", &f9_plugin_api::serde_json::Value::Null).unwrap();
        backend.push(None).unwrap();
        assert_eq!(site.at_remote("new.txt").unwrap(), "new\n");
        assert_eq!(site.at_remote("ab.txt").unwrap(), "b\n");
    }
}

#[test]
fn what_is_one_whole_for_a_merge_is_never_a_blend() {
    let text = |first: &str, last: &str| format!("{first}\n2\n3\n4\n5\n6\n7\n8\n{last}\n");
    for (attribute, far) in [
        ("-merge", false),
        ("-merge", true),
        ("merge=binary", true),
        ("binary", false),
        ("merge=custom", false),
        ("merge=custom", true),
    ] {
        let attributes = format!("*.db {attribute}\n");
        let site = Site::with(&[(".gitattributes", &attributes), ("a.db", &text("1", "9"))]);
        let backend = site.open("clone");
        let their = if far { text("1", "theirs") } else { text("theirs", "9") };
        site.commit_elsewhere("other", &[("a.db", &their)]);
        write(&site.path("clone"), "a.db", &text("ours", "9"));
        let error = backend.sync(None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{attribute} {far}: {error:?}");
        assert_eq!(read(&site.path("clone"), "a.db"), text("ours", "9"), "{attribute} {far}");
        let conflicts = backend.conflict_report().unwrap();
        assert_eq!((conflicts.len(), conflicts[0].path.as_str()), (1, "a.db"), "{attribute} {far}");
        backend.conflict_accept_remote(&path("a.db")).unwrap();
        assert_eq!(read(&site.path("clone"), "a.db"), their, "{attribute} {far}");
        backend.push(None).unwrap();
        assert_eq!(site.at_remote("a.db").unwrap(), their);
    }
}

#[test]
fn a_rename_makes_no_blend_either() {
    let text = |first: &str, last: &str| format!("{first}\n2\n3\n4\n5\n6\n7\n8\n{last}\n");
    let site = Site::with(&[(".gitattributes", "*.db merge=custom\n"), ("a.db", &text("1", "9"))]);
    let backend = site.open("clone");
    site.commit_elsewhere("other", &[("a.db", &text("1", "theirs"))]);
    fs::remove_file(site.path("clone/a.db")).unwrap();
    write(&site.path("clone"), "b.db", &text("ours", "9"));
    assert_eq!(backend.sync(None).unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(read(&site.path("clone"), "b.db"), text("ours", "9"));
}

#[test]
fn modes_are_those_that_were_meant() {
    let site = Site::with(&[("target.txt", "t\n")]);
    let backend = site.open("clone");
    let clone = site.path("clone");
    std::os::unix::fs::symlink("target.txt", clone.join("link")).unwrap();
    fs::write(clone.join("script.sh"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(clone.join("script.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    backend.push(None).unwrap();
    let overwrite = CreateOptions::default().overwrite(true);
    backend.create(&path("link"), "no link now".into(), overwrite).unwrap();
    backend.copy(&path("script.sh"), &path("copy.sh"), CopyOptions::default()).unwrap();
    backend.update(&path("script.sh"), "#!/bin/sh\ntrue\n".into(), UpdateMode::Replace).unwrap();
    backend.push(None).unwrap();
    let listed = git(&site.remote(), &["ls-tree", "main"]);
    let mode = |name: &str| {
        let line = listed.lines().find(|line| line.ends_with(&format!("\t{name}"))).unwrap();
        line.split(' ').next().unwrap().to_owned()
    };
    assert_eq!(
        (mode("link"), mode("copy.sh"), mode("script.sh")),
        ("100644".into(), "100755".into(), "100755".into())
    );
}
