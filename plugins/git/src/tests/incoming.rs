//! Remotes that send less than their branch consists of, or what is none.

use std::{
    fs,
    io::Write as _,
    path::Path,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use f9_git_server::HttpServer;
use f9_plugin_api::{Context, ErrorKind, Result, SyncFileBackend, serde_json::Value};
use git2::{Oid, Repository};

use super::support::{Site, git, git_command, open, read};
use crate::{
    options::Settings,
    transport::{Tip, Transport, Wanted},
};

/// Drops an object of what was fetched, once.
struct Omitting {
    inner: Box<dyn Transport>,
    object: String,
    again: AtomicBool,
}

impl Transport for Omitting {
    fn fetch(
        &self,
        into: &Repository,
        branch: &str,
        wanted: Wanted,
        context: &Context,
    ) -> Result<Option<Tip>> {
        let tip = self.inner.fetch(into, branch, wanted, context)?;
        if !self.again.swap(true, Ordering::Relaxed) {
            drop_object(into.path(), &self.object);
        }
        Ok(tip)
    }

    fn branches(&self, near: &Repository, context: &Context) -> Result<Vec<String>> {
        self.inner.branches(near, context)
    }

    fn push(
        &self,
        from: &Repository,
        branch: &str,
        tip: Oid,
        check: &dyn Fn(Option<Oid>) -> Result<()>,
        context: &Context,
    ) -> Result<Option<Oid>> {
        self.inner.push(from, branch, tip, check, context)
    }
}

/// Takes an object out of a repository, also out of a pack.
fn drop_object(repository: &Path, object: &str) {
    let packs = repository.join("objects/pack");
    for entry in fs::read_dir(&packs).unwrap() {
        let pack = entry.unwrap().path();
        if pack.extension().is_some_and(|extension| extension == "pack") {
            let content = fs::read(&pack).unwrap();
            fs::remove_file(pack.with_extension("idx")).unwrap();
            fs::remove_file(&pack).unwrap();
            feed(repository, &["unpack-objects", "-q"], &content);
        }
    }
    let file = repository.join("objects").join(&object[..2]).join(&object[2..]);
    let _ = fs::remove_file(file);
}

/// Runs git with something to read, and gives back what it says.
fn feed(repository: &Path, arguments: &[&str], content: &[u8]) -> String {
    let mut command = git_command(repository, arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(content).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{arguments:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn settings(options: Value) -> Arc<Settings> {
    let options = f9_plugin_api::parse_options(options.as_object().unwrap().clone()).unwrap();
    Arc::new(Settings::from_options(options).unwrap())
}

#[test]
fn what_a_remote_left_out_is_asked_for_again() {
    for web in [false, true] {
        for what in ["main:b.txt", "main:dir", "main^{tree}", "main^"] {
            let site = Site::with(&[("a.txt", "a\n")]);
            let server = HttpServer::start(site.dir.path(), None, None);
            let mut options = site.options("one");
            if web {
                options["remote_url"] = server.url("remote.git").into();
            }
            drop(open(options.clone()).unwrap());
            site.commit_elsewhere("seed", &[("b.txt", "b\n")]);
            site.commit_elsewhere("seed", &[("dir/c.txt", "c\n")]);
            let object = git(&site.remote(), &["rev-parse", what]).trim().to_owned();
            let one = site.path("one");
            let before = git(&one, &["rev-parse", "main", "origin/main"]);
            let mut repo = crate::open::open(settings(options.clone()), Context::detached()).unwrap();
            let inner = crate::transport::open(&repo.settings, &Context::detached()).unwrap();
            repo.transport =
                Box::new(Omitting { inner, object: object.clone(), again: AtomicBool::new(false) });
            let error = repo.bring().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Integrity, "{what}: {error:?}");
            assert!(error.message().contains("left out"), "{what}: {error:?}");
            assert_eq!(git(&one, &["rev-parse", "main", "origin/main"]), before);
            assert!(!one.join(".git/f9/journal").exists());
            drop(repo);
            assert!(!git_command(&one, &["cat-file", "-e", &object]).output().unwrap().status.success());
            assert_eq!(open(options).unwrap().pull().unwrap().received, 2, "{what}");
            assert_eq!(read(&one, "dir/c.txt"), "c\n");
            assert!(!one.join(".git/f9/incomplete").exists() && !one.join(".git/f9/refetch").exists());
            site.check(&["one"]);
        }
    }
}

/// An entry of a tree: its mode, name and object.
type Raw<'a> = (&'a str, &'a [u8], &'a str);

/// Moves the remote's branch to a commit of a tree that no git would make.
fn commit_raw(site: &Site, entries: &[Raw<'_>]) {
    let mut tree = Vec::new();
    for (mode, name, id) in entries {
        tree.extend_from_slice(format!("{mode} ").as_bytes());
        tree.extend_from_slice(name);
        tree.push(0);
        tree.extend_from_slice(Oid::from_str(id).unwrap().as_bytes());
    }
    let remote = site.remote();
    let tree = feed(&remote, &["hash-object", "-t", "tree", "-w", "--literally", "--stdin"], &tree);
    let commit = git(&remote, &["commit-tree", "-p", "main", "-m", "odd", &tree]);
    git(&remote, &["update-ref", "refs/heads/main", commit.trim()]);
}

#[test]
fn what_cannot_be_here_is_refused_before_anything_is_recorded() {
    let long = vec![b'x'; 300];
    for web in [false, true] {
        let site = Site::with(&[("a.txt", "a\n")]);
        let remote = site.remote();
        let server = HttpServer::start(site.dir.path(), None, None);
        let options = |name: &str| {
            let mut options = site.options(name);
            if web {
                options["remote_url"] = server.url("remote.git").into();
            }
            options
        };
        let tree = git(&remote, &["rev-parse", "main^{tree}"]).trim().to_owned();
        let blob = git(&remote, &["rev-parse", "main:a.txt"]).trim().to_owned();
        let empty = feed(&remote, &["hash-object", "-w", "--stdin"], b"");
        let good = git(&remote, &["rev-parse", "main"]).trim().to_owned();
        let backend = open(options("one")).unwrap();
        let one = site.path("one");
        let before = git(&one, &["for-each-ref"]);
        let odd: &[(&str, &[Raw<'_>])] = &[
            ("a tree called a file", &[("100644", b"a.txt", &tree)]),
            ("a file called a tree", &[("40000", b"dir", &blob)]),
            ("a link .gitmodules", &[("120000", b".gitmodules", &blob)]),
            ("a link .GITMODULES", &[("120000", b".GITMODULES", &blob)]),
            ("a link in disguise", &[("120000", b"gitmod~1", &blob)]),
            ("a name too long", &[("100644", &long, &blob)]),
            ("a link to nowhere", &[("120000", b"link", &empty)]),
            ("two of a name", &[("100644", b"a.txt", &blob), ("100644", b"a.txt", &empty)]),
            ("file and directory", &[("100644", b"x", &blob), ("40000", b"x", &tree)]),
            (".git", &[("40000", b".git", &tree)]),
            ("a climber", &[("40000", b"..", &tree)]),
        ];
        for (what, entries) in odd {
            commit_raw(&site, entries);
            for error in [backend.pull().unwrap_err(), backend.sync(None).unwrap_err()] {
                assert!(
                    matches!(error.kind(), ErrorKind::Integrity | ErrorKind::Network),
                    "{what}: {error:?}"
                );
            }
            assert_eq!(git(&one, &["for-each-ref"]), before, "{what}");
            assert!(!one.join(".git/f9/journal").exists(), "{what}");
            assert_eq!(read(&one, "a.txt"), "a\n");
            // Nor is it cloned.
            assert!(open(options("two")).is_err(), "{what}");
            assert!(!site.path("two").exists(), "{what}");
            git(&remote, &["update-ref", "refs/heads/main", &good]);
            assert_eq!(open(options("one")).unwrap().pull().unwrap().received, 0, "{what}");
        }
    }
}

#[test]
fn a_commit_with_a_date_beyond_all_calendars_is_refused_in_plain_words() {
    let site = Site::with(&[("a.txt", "a\n")]);
    let remote = site.remote();
    let backend = site.open("one");
    let (tree, parent) = (git(&remote, &["rev-parse", "main^{tree}"]), git(&remote, &["rev-parse", "main"]));
    let who = "A <a@example.com> 99999999999999999999 +0000";
    let commit = format!("tree {tree}parent {parent}author {who}\ncommitter {who}\n\nodd\n");
    let id =
        feed(&remote, &["hash-object", "-t", "commit", "-w", "--literally", "--stdin"], commit.as_bytes());
    git(&remote, &["update-ref", "refs/heads/main", &id]);
    for error in [backend.pull().unwrap_err(), open(site.options("two")).err().unwrap()] {
        assert_eq!(error.kind(), ErrorKind::Integrity, "{error:?}");
        assert!(error.advice().unwrap().contains("git fsck"), "{error:?}");
    }
    assert!(!site.path("two").exists());
    git(&remote, &["update-ref", "refs/heads/main", parent.trim()]);
    assert_eq!(backend.pull().unwrap().received, 0);
}
