//! Files that a filter keeps in another form: nothing of them is published that nobody meant to publish.

use std::{fs, io::Write as _, path::Path};

use f9_plugin_api::{
    BackendPath, CopyOptions, CreateOptions, ErrorKind, FileBackend, Result, SyncFileBackend as _, UpdateMode,
};

use super::support::{Site, git, git_command, read, write};

const POINTER: &str = "version https://git-lfs.github.com/spec/v1\n\
                       oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n";

fn path(text: &str) -> BackendPath {
    BackendPath::parse(text).unwrap()
}

/// A remote with `secret.txt` in the form that a filter stores, and the clone `clone` made by git with the filter at work.
fn encrypted(attributes: &str) -> Site {
    let site = Site::with(&[
        (".gitattributes", attributes),
        ("secret.txt", "uryyb\n"), // hello
        ("plain.txt", "plain\n"),
    ]);
    let mut clone = git_command(site.dir.path(), &["clone", "--quiet"]);
    for setting in ["filter.crypt.clean=tr a-z n-za-m", "filter.crypt.smudge=tr n-za-m a-z"] {
        clone.args(["-c", setting]);
    }
    assert!(clone.args(["remote.git", "clone"]).status().unwrap().success());
    assert_eq!(read(&site.path("clone"), "secret.txt"), "hello\n");
    site
}

/// Makes every file look changed, as copying a clone to another place does.
fn touch(file: &Path) {
    let content = fs::read(file).unwrap();
    fs::remove_file(file).unwrap();
    fs::write(file, content).unwrap();
}

#[test]
fn clear_text_is_not_published_by_synchronising() {
    for attributes in [
        "secret*.txt filter=crypt\n",
        "[attr]hidden filter=crypt\nsecret*.txt hidden\n",
        "* text=auto\nsecret*.txt filter=crypt -text\n",
    ] {
        let site = encrypted(attributes);
        let backend = site.open("clone");
        touch(&site.path("clone/secret.txt"));
        touch(&site.path("clone/plain.txt"));
        assert_eq!(backend.pull().unwrap().received, 0, "nothing is pending");
        backend.sync(None).unwrap();
        write(&site.path("clone"), "secret.txt", "changed here\n");
        write(&site.path("clone"), "secret-new.txt", "new here\n");
        write(&site.path("clone"), "plain.txt", "changed\n");
        backend.push(None).unwrap();
        assert_eq!(site.at_remote("plain.txt").unwrap(), "changed\n");
        assert_eq!(site.at_remote("secret.txt").unwrap(), "uryyb\n", "{attributes}");
        assert_eq!(site.at_remote("secret-new.txt"), None, "{attributes}");
        assert_eq!(read(&site.path("clone"), "secret.txt"), "changed here\n");
        // Whoever has the filter publishes it as it is meant to be.
        git(&site.path("clone"), &["add", "--all"]);
        git(&site.path("clone"), &["commit", "--quiet", "--message", "by git"]);
        backend.push(None).unwrap();
        assert_eq!(site.at_remote("secret-new.txt").unwrap(), "arj urer\n");
    }
}

#[test]
fn libgit2s_own_look_at_the_whole_tree_leaves_them_out_too() {
    let site = encrypted("secret*.txt filter=crypt\n");
    git(&site.path("clone"), &["update-index", "--index-version", "4"]);
    let backend = site.open("clone");
    write(&site.path("clone"), "secret.txt", "changed here\n");
    write(&site.path("clone"), "plain.txt", "changed\n");
    backend.push(None).unwrap();
    assert_eq!(site.at_remote("plain.txt").unwrap(), "changed\n");
    assert_eq!(site.at_remote("secret.txt").unwrap(), "uryyb\n");
    assert_eq!(backend.pull().unwrap().received, 0);
    fs::remove_file(site.path("clone/secret.txt")).unwrap();
    backend.push(None).unwrap();
    assert_eq!(site.at_remote("secret.txt"), None, "a deletion tells no secret");
}

#[test]
fn taking_the_attribute_away_without_a_commit_publishes_nothing() {
    let site = encrypted("secret*.txt filter=crypt\n");
    let backend = site.open("clone");
    write(&site.path("clone"), ".gitattributes", "# nothing\n");
    write(&site.path("clone"), "secret.txt", "changed here\n");
    backend.push(None).unwrap();
    assert_eq!(site.at_remote("secret.txt").unwrap(), "uryyb\n");
}

#[test]
fn writing_there_is_refused_with_the_attribute_and_its_line() {
    let site = Site::with(&[
        (".gitattributes", "*.md text\n*.key filter=crypt\n*.u16 working-tree-encoding=UTF-16\n"),
        ("a.key", "cipher\n"),
    ]);
    let backend = site.open("clone");
    let refused = |what: &str, result: Result<()>| {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{what}: {error:?}");
        assert!(error.message().contains("`filter=crypt`, .gitattributes:2"), "{what}: {error:?}");
    };
    let overwrite = || CreateOptions::default().overwrite(true);
    refused("create", backend.create(&path("b.key"), "x".into(), CreateOptions::default()).map(drop));
    refused("overwrite", backend.create(&path("a.key"), "x".into(), overwrite()).map(drop));
    refused("update", backend.update(&path("a.key"), "x".into(), UpdateMode::Replace).map(drop));
    refused("append", backend.update(&path("a.key"), "x".into(), UpdateMode::Append).map(drop));
    refused("stream", backend.open_write(&path("b.key"), CreateOptions::default()).map(drop));
    backend.create(&path("free.txt"), "x".into(), CreateOptions::default()).unwrap();
    refused("copy", backend.copy(&path("free.txt"), &path("b.key"), CopyOptions::default()).map(drop));
    refused("rename", backend.rename(&path("free.txt"), &path("b.key"), CopyOptions::default()).map(drop));
    let error = backend.create(&path("b.u16"), "x".into(), CreateOptions::default()).unwrap_err();
    assert!(error.message().contains("`working-tree-encoding=UTF-16`, .gitattributes:3"), "{error:?}");
    assert_eq!(read(&site.path("clone"), "a.key"), "cipher\n");
    assert!(!site.path("clone/b.key").exists());
    backend.delete(&path("a.key"), Default::default()).unwrap();
    backend.push(None).unwrap();
    assert_eq!(site.at_remote("a.key"), None);
}

#[test]
fn a_pull_leaves_what_a_filter_made_alone() {
    let site = encrypted("secret*.txt filter=crypt\n");
    let backend = site.open("clone");
    site.commit_elsewhere("other", &[("secret.txt", "arj\n"), ("plain.txt", "new\n")]);
    assert_eq!(backend.pull().unwrap().received, 1);
    assert_eq!(read(&site.path("clone"), "plain.txt"), "new\n");
    assert_eq!(read(&site.path("clone"), "secret.txt"), "hello\n");
    backend.sync(None).unwrap();
    assert_eq!(site.at_remote("secret.txt").unwrap(), "arj\n");
    // A clone of f9's own has the stored form, and follows.
    let stored = site.open("stored");
    site.commit_elsewhere("other", &[("secret.txt", "arjre\n")]);
    stored.pull().unwrap();
    assert_eq!(read(&site.path("stored"), "secret.txt"), "arjre\n");
}

#[test]
fn pointers_of_large_files_are_files_and_their_content_is_not_stored_instead() {
    let site =
        Site::with(&[(".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n"), ("a.bin", POINTER)]);
    let backend = site.open("clone");
    assert_eq!(&backend.read(&path("a.bin")).unwrap()[..], POINTER.as_bytes());
    assert_eq!(backend.info(&path("a.bin")).unwrap().attributes["lfs_size"], "12345");
    assert!(backend.info(&path(".gitattributes")).unwrap().attributes.is_empty());
    backend.create(&path("b.bin"), POINTER.into(), CreateOptions::default()).unwrap();
    backend.copy(&path("a.bin"), &path("c.bin"), CopyOptions::default()).unwrap();
    let mut writer = backend.open_write(&path("d.bin"), CreateOptions::default()).unwrap();
    writer.write_all(POINTER.as_bytes()).unwrap();
    writer.commit().unwrap();
    let mut writer = backend.open_write(&path("e.bin"), CreateOptions::default()).unwrap();
    writer.write_all(b"content").unwrap();
    assert_eq!(writer.commit().unwrap_err().kind(), ErrorKind::Unsupported);
    drop(writer);
    assert!(!site.path("clone/e.bin").exists());
    // What Git LFS puts into the working tree.
    write(&site.path("clone"), "a.bin", "the content itself");
    backend.push(None).unwrap();
    for name in ["a.bin", "b.bin", "c.bin", "d.bin"] {
        assert_eq!(site.at_remote(name).unwrap(), POINTER, "{name}");
    }
}

#[test]
fn a_conflict_is_not_settled_with_clear_text() {
    let site = Site::with(&[(".gitattributes", "*.key filter=crypt\n"), ("a.key", "one\n")]);
    let backend = site.open("clone");
    site.commit_elsewhere("other", &[("a.key", "two\n")]);
    git(&site.path("clone"), &["-c", "filter.crypt.clean=cat", "rm", "--quiet", "a.key"]);
    assert_eq!(backend.sync(None).unwrap_err().kind(), ErrorKind::Conflict);
    let error = backend.conflict_resolve(&path("a.key"), "clear".into()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
    backend.conflict_accept_remote(&path("a.key")).unwrap();
    backend.push(None).unwrap();
    assert_eq!(site.at_remote("a.key").unwrap(), "two\n");
}
